//! How many rows wait, are being sent and rest, by account and by priority: what a running flow tells of its queues.
//!
//! Plain data, made some times a second by the flow; it counts and names, and holds nothing of any row.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::priority::Priority;

/// The queues of a run at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStats {
    /// In the order of the run's accounts, its own first.
    pub accounts: Vec<AccountQueue>,
    /// From low to critical; only those that the run has rows of.
    pub priorities: Vec<PriorityQueue>,
    /// Rows that nobody has read yet: of which account they are is known only then. Zero for a pipe.
    pub unread: u64,
}

/// What one account has before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountQueue {
    /// Its name.
    pub account: Arc<str>,
    /// Rows that were read and wait for their turn.
    pub waiting: u64,
    /// Rows in flight: their intent is being made durable, or the service has not answered yet.
    pub sending: u64,
    /// The requests that carry them.
    pub requests: u64,
    /// Requests in flight, at most.
    pub width: u64,
    /// Rows that rest until they are tried again.
    pub resting: u64,
    /// When the first of them is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// Nothing leaves before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// Who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<HeldBy>,
    /// Why it was halted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
}

/// Who holds an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
