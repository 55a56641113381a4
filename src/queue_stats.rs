//! How many rows wait, are being sent and rest, by account and by priority: what a running flow tells of its queues.
//!
//! Plain data, made some times a second by the flow; it counts and names, and holds nothing of any row.

use std::ops::AddAssign;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::priority::Priority;

/// The queues of a run at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// In the order of the run's accounts, its own first.
    pub accounts: Vec<AccountQueue>,
    /// From low to critical; only those that the run has rows of.
    pub priorities: Vec<PriorityQueue>,
    /// Rows that nobody has read yet: of which account they are is known only then. Zero for a pipe.
    pub unread: u64,
}

/// Rows by what becomes of them next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Read, and waiting for their turn. Rows that nobody has read yet are pending and in none of these.
    pub waiting: u64,
    /// In flight: their intent is being made durable, or the service has not answered yet.
    pub sending: u64,
    /// Resting before another try.
    pub resting: u64,
}

impl AddAssign for Queue {
    fn add_assign(&mut self, other: Queue) {
        self.waiting += other.waiting;
        self.sending += other.sending;
        self.resting += other.resting;
    }
}

/// What one account has before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountQueue {
    /// Its name.
    pub account: Arc<str>,
    /// Its rows, as far as they were read.
    pub rows: Queue,
    /// The same by priority, from low to critical.
    pub ranks: [Queue; 4],
    /// Requests in flight.
    pub requests: u64,
    /// Requests in flight, at most.
    pub width: u64,
    /// Deliveries of one request, at most.
    pub batch: u64,
    /// The run's own rate for it, as it was written.
    pub rate: Option<String>,
    /// When the first of the rows that rest is due.
    pub next_due: Option<Timestamp>,
    /// Nothing leaves before then.
    pub held_until: Option<Timestamp>,
    /// Who holds it.
    pub held_by: Option<HeldBy>,
    /// Why it was halted, if it was.
    pub halted: Option<String>,
}

/// Who holds an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// The service asked for less speed.
    Service,
    /// Its own limit.
    Limit,
}

/// What one priority has before it, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityQueue {
    /// Which.
    pub priority: Priority,
    /// Rows that were not read yet, and those that wait for their turn.
    pub pending: u64,
    /// Rows in flight.
    pub sending: u64,
    /// Rows that rest until they are tried again.
    pub resting: u64,
    /// Rows that were sent since this process began.
    pub sent: u64,
}
