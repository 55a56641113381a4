//! What waits for a connection of the account, and who is there to take it.
//!
//! Bounded by the caller: each waiting job is a `send` future. A job always answers: dropped anywhere, it says "not sent", or "in doubt"
//! once some of it may have left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::batch::Verdict;
use crate::delivery::{DeliveryId, Receipt};
use crate::error::{ErrorKind, SendError};

use super::pdu::Submit;
use super::verdict::torn;

/// For how long no further connection is tried after one failed beside others that work.
const RESERVE: Duration = Duration::from_secs(5);

/// A delivery on its way: its messages, and how many of them are accepted. One after the other, so that a refusal of the first costs
/// nothing and at most one is ever unanswered.
#[derive(Debug)]
pub(super) struct Job {
    pub id: DeliveryId,
    parts: Vec<Submit>,
    /// The service's ids of those it accepted.
    accepted: Vec<String>,
    done: usize,
    /// The next part is handed to the connection: it may have left.
    pub exposed: bool,
    /// Since when a later part is refused for the time being, and the last pause.
    pub resting: Option<(Instant, Duration)>,
    answer: Option<oneshot::Sender<Verdict>>,
}

impl Job {
    pub(super) fn new(id: DeliveryId, parts: Vec<Submit>) -> (Job, oneshot::Receiver<Verdict>) {
        let (answer, verdict) = oneshot::channel();
        let job = Job { id, parts, accepted: Vec::new(), done: 0, exposed: false, resting: None, answer: Some(answer) };
        (job, verdict)
    }

    /// The part that is next.
    pub(super) fn part(&self) -> Option<&Submit> {
        self.parts.get(self.done)
    }

    /// Whether some of it is out.
    pub(super) fn begun(&self) -> bool {
        self.done > 0
    }

    /// The next part was accepted; `false` when that was the last.
    pub(super) fn accept(&mut self, message_id: Option<String>) -> bool {
        self.done += 1;
        self.accepted.extend(message_id);
        self.exposed = false;
        self.resting = None;
        self.done < self.parts.len()
    }

    /// All parts are accepted.
    pub(super) fn sent(self) {
        let ids = self.accepted.join(",");
        let note = (self.parts.len() > 1).then(|| format!("{} parts", self.parts.len()));
        let id = (!ids.is_empty()).then(|| ids.chars().take(200).collect());
        self.finish(Ok(Receipt { id, replay: false, note }));
    }

    /// The next part is refused or lost: so is the delivery, and it is told how much of it is out.
    pub(super) fn failed(self, error: SendError) {
        let error = torn(self.done, self.parts.len(), error);
        self.finish(Err(error));
    }

    fn finish(mut self, verdict: Verdict) {
        if let Some(answer) = self.answer.take() {
            // Nobody waits any more: the caller has given the delivery up, and knows it.
            let _ = answer.send(verdict);
        }
    }

    fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            let error = match self.exposed {
                true => SendError::new(ErrorKind::InDoubt, "the connection was given up before the service answered"),
                false => SendError::new(ErrorKind::Unreachable, "the connection was given up before the message was sent"),
            };
            let _ = answer.send(Err(torn(self.done, self.parts.len(), error)));
        }
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Connection tasks.
    live: usize,
    /// Of these, those whose session is open.
    established: usize,
    /// Places for a job that open sessions have free.
    room: usize,
    /// A session has been opened since the last time that none could be.
    proven: bool,
    /// No further connections before this moment.
    not_before: Option<Instant>,
    closing: bool,
    /// What comes is given back at once.
    recalled: bool,
}

/// The jobs that wait.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Notify,
    /// Connections at most.
    connections: usize,
}

impl Queue {
    pub(super) fn new(connections: usize) -> Self {
        Queue { state: Mutex::default(), wake: Notify::new(), connections }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; `true` if the caller must start a connection, which is counted from now on.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut state = self.lock();
        if state.recalled {
            drop(state);
            job.finish(Err(SendError::recalled()));
            return false;
        }
        state.waiting.push_back(job);
        self.wake.notify_one();
        self.wants_connection(&mut state)
    }

    /// Gives back what waits, and what comes as long as `back` is set.
    pub(super) fn recall(&self, back: bool) {
        let jobs = {
            let mut state = self.lock();
            state.recalled = back;
            if back { std::mem::take(&mut state.waiting) } else { VecDeque::new() }
        };
        for job in jobs {
            job.finish(Err(SendError::recalled()));
        }
    }

    /// Jobs that no connection has taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether one more connection is worth it: `true` counts it.
    pub(super) fn grow(&self) -> bool {
        self.wants_connection(&mut self.lock())
    }

    /// The first connection goes alone: wrong credentials are tried once, not once per connection.
    fn wants_connection(&self, state: &mut State) -> bool {
        let most = if state.proven { self.connections } else { 1 };
        let held = state.live > 0 && state.not_before.is_some_and(|moment| Instant::now() < moment);
        let wanted = state.waiting.len() > state.room && state.live < most && !held;
        state.live += usize::from(wanted);
        wanted
    }

    /// A job, if one waits that someone still wants.
    pub(super) fn try_take(&self) -> Option<Job> {
        let mut state = self.lock();
        while let Some(job) = state.waiting.pop_front() {
            if job.is_wanted() {
                if !state.waiting.is_empty() {
                    self.wake.notify_one();
                }
                return Some(job);
            }
        }
        None
    }

    /// The next job, or `None` when the account closes and nothing waits. Safe to cancel.
    pub(super) async fn take(&self) -> Option<Job> {
        loop {
            // Enabled before the look, so that what comes between the two is not missed.
            let woken = self.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if let Some(job) = self.try_take() {
                return Some(job);
            }
            if self.is_closing() {
                return None;
            }
            woken.await;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Whether anything waits.
    pub(super) fn has_work(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// How many more jobs a session could take, now and the last time it said so.
    pub(super) fn room(&self, now: usize, before: usize) {
        let mut state = self.lock();
        state.room = (state.room + now).saturating_sub(before);
    }

    /// A session is open.
    pub(super) fn opened(&self) {
        let mut state = self.lock();
        state.established += 1;
        state.proven = true;
    }

    /// A session has ended.
    pub(super) fn ended(&self) {
        let mut state = self.lock();
        state.established = state.established.saturating_sub(1);
    }

    /// A connection could not be opened. Where others work they go on alone for a while; where none does, every waiting job hears why.
    pub(super) fn failed(&self, error: &SendError) {
        let jobs = {
            let mut state = self.lock();
            if state.established > 0 {
                state.not_before = Some(Instant::now() + RESERVE);
                return;
            }
            state.proven = false;
            std::mem::take(&mut state.waiting)
        };
        for job in jobs {
            job.failed(error.clone());
        }
    }

    /// A connection task ends; `true` if its place must be taken by another, since work came meanwhile.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.lock();
        state.live = state.live.saturating_sub(1);
        self.wants_connection(&mut state)
    }

    /// From now on connections end when nothing waits.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_waiters();
    }

    /// The account is used again after [`Queue::close`].
    pub(super) fn reopen(&self) {
        self.lock().closing = false;
    }
}
