//! One turn of a conversation: what was decided while reading all bytes that waited, done in one go afterwards.
//!
//! The order is fixed in `conversation.rs`: record, count, then reply, so that nobody is told what is not written down.

use std::time::Duration;

use crate::sink::counts::Counts;

/// What comes after the replies of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Then {
    /// Read on.
    #[default]
    Read,
    /// Look at no further input until the replies have left: a server that is stuck.
    Hold,
    /// Say goodbye and end.
    Close,
    /// End without a word.
    Cut { reset: bool },
    /// Shake hands for TLS and go on.
    StartTls,
}

/// From this byte of the replies on, they come later or in drops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) wait: Duration,
    pub(crate) drip: Option<Duration>,
}

/// The products of one turn; emptied and used again, so that a turn without faults allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) replies: Vec<u8>,
    pub(crate) marks: Vec<Mark>,
    /// Lines for the ledger.
    pub(crate) lines: Vec<u8>,
    /// Names and contents for the folder.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) counts: Counts,
    pub(crate) then: Then,
}

impl Turn {
    /// A fault struck.
    pub(crate) fn struck(&mut self, name: &str) {
        *self.counts.faults.entry(name.to_owned()).or_default() += 1;
    }

    /// Everything up to here in its own time; what follows waits so long more, in drops if so asked.
    pub(crate) fn mark(&mut self, wait: Duration, drip: Option<Duration>) {
        self.marks.push(Mark { at: self.replies.len(), wait, drip });
    }

    /// Empty again, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.replies.clear();
        self.marks.clear();
        self.lines.clear();
        self.files.clear();
        self.counts = Counts::default();
        self.then = Then::Read;
    }
}
