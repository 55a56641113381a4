//! What a session has sent and not heard of, by sequence number, and parts that rest before they are sent again.

use std::collections::HashMap;

use tokio::time::Instant;

use super::queue::Job;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub job: Job,
    /// Where its last byte stands among all bytes of the session.
    pub end: u64,
    /// Until when it must be answered.
    pub due: Instant,
}

/// The places of a session that are taken; resting ones count, so that a service that is too slow gets less.
#[derive(Debug, Default)]
pub(super) struct Window {
    unanswered: HashMap<u32, Unanswered>,
    resting: Vec<(Instant, Job)>,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.unanswered.len() + self.resting.len()
    }

    pub(super) fn push(&mut self, sequence: u32, message: Unanswered) {
        self.unanswered.insert(sequence, message);
    }

    /// The message that this answer belongs to; each only once.
    pub(super) fn answered(&mut self, sequence: u32) -> Option<Unanswered> {
        self.unanswered.remove(&sequence)
    }

    /// Holds a job until then.
    pub(super) fn rest(&mut self, job: Job, until: Instant) {
        self.resting.push((until, job));
    }

    /// A job that has rested long enough.
    pub(super) fn rested(&mut self, now: Instant) -> Option<Job> {
        let at = self.resting.iter().position(|(until, _)| *until <= now)?;
        Some(self.resting.swap_remove(at).1)
    }

    /// A message whose answer did not come in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Unanswered> {
        let sequence = self.unanswered.iter().find(|(_, message)| message.due <= now).map(|(sequence, _)| *sequence)?;
        self.unanswered.remove(&sequence)
    }

    /// When something must be done next.
    pub(super) fn next(&self) -> Option<Instant> {
        let due = self.unanswered.values().map(|message| message.due);
        due.chain(self.resting.iter().map(|(until, _)| *until)).min()
    }

    /// Everything, when the session is over.
    pub(super) fn drain(&mut self) -> Vec<Unanswered> {
        let now = Instant::now();
        let resting = self.resting.drain(..).map(|(_, job)| Unanswered { job, end: u64::MAX, due: now });
        self.unanswered.drain().map(|(_, message)| message).chain(resting).collect()
    }
}
