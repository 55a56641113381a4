//! What waits for a connection of the account, and how many connections there are, come or go.
//!
//! Bounded by the caller: each waiting job is a `send` future, and the caller holds at most `connections × window` of them. A job
//! always answers: dropped anywhere, it says "not sent", or "in doubt" once its last byte may have left.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::batch::Verdict;
use crate::error::{ErrorKind, SendError};

use super::address::Path;

/// For how long no further connection is tried after one failed beside others that work.
const RESERVE: Duration = Duration::from_secs(5);

/// A mail with its envelope.
#[derive(Debug)]
pub(super) struct Letter {
    pub sender: Path,
    pub to: Path,
    /// `_cc` and `_bcc`.
    pub extra: Vec<Path>,
    /// Lines end with CRLF, the last one too; not dot-stuffed.
    pub content: Vec<u8>,
    /// Only a server with SMTPUTF8 can take it.
    pub utf8: bool,
    /// The share of the memory budget, until the verdict: held, never read.
    pub _share: Option<OwnedSemaphorePermit>,
}

/// A letter and who waits for its verdict.
#[derive(Debug)]
pub(super) struct Job {
    pub letter: Letter,
    /// The last byte of the message may have left.
    pub dotted: bool,
    /// What the receipt should tell beside the success: refused `_cc`.
    pub note: Option<String>,
    answer: Option<oneshot::Sender<Verdict>>,
}

impl Job {
    pub(super) fn new(letter: Letter) -> (Job, oneshot::Receiver<Verdict>) {
        let (answer, verdict) = oneshot::channel();
        (Job { letter, dotted: false, note: None, answer: Some(answer) }, verdict)
    }

    /// Answers.
    pub(super) fn finish(mut self, verdict: Verdict) {
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
            let error = match self.dotted {
                true => SendError::new(ErrorKind::InDoubt, "the connection was given up before the server answered"),
                false => SendError::new(ErrorKind::Unreachable, "the connection was given up before the message was sent"),
            };
            let _ = answer.send(Err(error));
        }
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Connection tasks.
    live: usize,
    /// Of these, those that wait for a job.
    idle: usize,
    /// Of these, those whose session is open.
    established: usize,
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
    /// Connections at most: what bounds sockets and tasks.
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
        if state.idle > 0 {
            self.wake.notify_one();
        }
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

    /// Puts a job back in front, untouched by the server.
    pub(super) fn put_back(&self, job: Job) {
        let mut state = self.lock();
        if state.recalled {
            drop(state);
            return job.finish(Err(SendError::recalled()));
        }
        state.waiting.push_front(job);
        if state.idle > 0 {
            self.wake.notify_one();
        }
    }

    /// Whether one more connection is worth it: `true` counts it.
    pub(super) fn grow(&self) -> bool {
        self.wants_connection(&mut self.lock())
    }

    /// The first connection goes alone: wrong credentials are tried once, not once per connection.
    fn wants_connection(&self, state: &mut State) -> bool {
        let free = if state.proven { self.connections } else { 1 };
        let held = state.live > 0 && state.not_before.is_some_and(|moment| Instant::now() < moment);
        let wanted = state.waiting.len() > state.idle && state.live < free && !held;
        state.live += usize::from(wanted);
        wanted
    }

    /// A job, if one waits that someone still wants.
    pub(super) fn try_take(&self) -> Option<Job> {
        Self::take_wanted(&mut self.lock())
    }

    fn take_wanted(state: &mut State) -> Option<Job> {
        while let Some(job) = state.waiting.pop_front() {
            if job.is_wanted() {
                return Some(job);
            }
        }
        None
    }

    /// The next job, or `None` when the account closes and nothing waits. Safe to cancel.
    pub(super) async fn take(&self) -> Option<Job> {
        loop {
            {
                let mut state = self.lock();
                if let Some(job) = Self::take_wanted(&mut state) {
                    return Some(job);
                }
                if state.closing {
                    return None;
                }
                state.idle += 1;
            }
            let _idle = Idle(self);
            self.wake.notified().await;
        }
    }

    /// Whether anything waits.
    pub(super) fn has_work(&self) -> bool {
        !self.lock().waiting.is_empty()
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

    /// A connection could not be opened. Where others work they go on alone for a while; where none does, nothing can go, and every
    /// waiting job hears why.
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
            job.finish(Err(error.clone()));
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
        // One that is about to wait finds this permit.
        self.wake.notify_one();
    }

    /// The account is used again after [`Queue::close`].
    pub(super) fn reopen(&self) {
        self.lock().closing = false;
    }
}

/// Counts a waiting connection while it waits, also when it is cancelled.
struct Idle<'a>(&'a Queue);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.idle = state.idle.saturating_sub(1);
        // A wake-up that this one can no longer use goes to the next.
        if state.idle > 0 && (!state.waiting.is_empty() || state.closing) {
            self.0.wake.notify_one();
        }
    }
}
