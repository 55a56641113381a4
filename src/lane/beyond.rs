//! Rows that rest in the journal only: all that the heap keeps of them is a bit, and when to look for the next of them.
//!
//! The journal knows when each is due and in which order; the bits say which of its rows are meant, so that no row can come back twice
//! or be lost, whatever the wall clock does. A place in that order is passed only when its time is over, so what rests later always
//! comes after it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::recipient::Position;

/// The journal is not asked more often: for so long a row may rest too long.
const PAUSE: Duration = Duration::from_millis(100);

/// What an account has resting in the journal only.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    pub(super) rows: usize,
    /// None of them is due before then.
    pub(super) next: Option<Instant>,
    pub(super) looked: Option<Instant>,
    /// Up to where the order of the journal was read; all of them come after it.
    pub(super) passed: Option<(Timestamp, Position)>,
}

impl Beyond {
    pub(super) fn wakes(&self) -> Option<Instant> {
        let next = self.next.filter(|_| self.rows > 0)?;
        Some(self.looked.map_or(next, |looked| next.max(looked + PAUSE)))
    }
}
