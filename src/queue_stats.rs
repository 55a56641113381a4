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
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text")]
    pub next_due: Option<Timestamp>,
    /// Nothing leaves before then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text")]
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

/// A time as reports write it: RFC 3339, in UTC.
mod as_text {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option)] // the form that serde asks for
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
