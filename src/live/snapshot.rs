//! How a run stands at one moment: plain data that is written to `status.json` of its folder and read by whoever watches.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;
use crate::journal::folder::{RunFolder, private_file};
use crate::live::meter::Latency;
use crate::queue_stats::{PriorityQueue, Queue};
use crate::tally::{Counts, Tally};

const FILE: &str = "status.json";

/// How a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which run.
    pub run: String,
    /// The process that works on it.
    pub pid: u32,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// `running`, `waiting` for its window, `paused`, `stopping` or `ended`.
    pub state: String,
    /// Who wanted that, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Rows in any state.
    pub total: u64,
    /// Accepted by the platform.
    pub sent: u64,
    /// For good in this run.
    pub failed: u64,
    /// Sent or not, unknown.
    pub in_doubt: u64,
    /// Policy.
    pub skipped: u64,
    /// Not settled.
    pub pending: u64,
    /// Tries of all settled rows.
    pub attempts: u64,
    /// Failed rows by kind.
    pub errors_by_type: BTreeMap<ErrorKind, u64>,
    /// Rows settled per second of late.
    pub rate: f64,
    /// Seconds that what is pending takes at that rate; absent where nothing moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<u64>,
    /// What waits, flies and rests in all.
    pub queue: Queue,
    /// When the next row that rests is tried again, and through which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry: Option<NextRetry>,
    /// The rows by priority, where there are any: from low to critical.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<PriorityQueue>,
    /// Rows that nobody has read yet.
    #[serde(default)]
    pub unread: u64,
    /// The same by account.
    pub accounts: BTreeMap<String, OfAccount>,
    /// What was set with `notify set`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Where metrics are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// What the process ends with, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

/// The next row that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextRetry {
    /// RFC 3339 in UTC.
    pub at: String,
    /// Through which account.
    pub account: String,
}

/// What an account's requests in flight are doing: each of its width is one worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workers {
    /// With a request that has no answer yet.
    pub sending: u64,
    /// Waiting because the account is held, halted or paused.
    pub resting: u64,
    /// With nothing to do, or waiting for the account's pace.
    pub idle: u64,
}

/// One account at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfAccount {
    /// `smtp`, `slack` …
    pub platform: String,
    /// Its settled rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// Its rows that are not settled, as far as they were read.
    pub queue: Queue,
    /// The same by priority, where a run knows any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub priorities: BTreeMap<String, Queue>,
    /// What its requests are doing.
    pub workers: Workers,
    /// Requests in flight, at most.
    pub width: u64,
    /// Deliveries of one request, at most.
    pub batch: u64,
    /// The run's own rate for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<String>,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
    /// When the first of its rows that rest is tried again, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<String>,
    /// Nothing leaves before then, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_why: Option<String>,
    /// Why it stopped for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// How long its requests took.
    pub latency: Latency,
}

impl Snapshot {
    /// Takes over the counts.
    pub fn count(&mut self, tally: &Tally) {
        self.total = tally.total;
        self.sent = tally.sent;
        self.failed = tally.failed;
        self.in_doubt = tally.in_doubt;
        self.skipped = tally.skipped;
        self.pending = tally.pending();
        self.attempts = tally.attempts;
        self.errors_by_type = tally.kinds.clone();
        for (name, counts) in &tally.accounts {
            self.accounts.entry(name.to_string()).or_default().counts = *counts;
        }
    }

    /// Writes it into the folder of its run, whole or not at all. Advice: not synced.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, folder: &RunFolder) -> std::io::Result<()> {
        let (path, temp) = (folder.path.join(FILE), folder.path.join(format!("{FILE}.tmp")));
        private_file(&temp)?.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(&temp, &path)
    }

    /// The last one of the process that works on the run now; `None` where nobody does, or it has not told anything yet.
    pub fn of(folder: &RunFolder) -> Option<Snapshot> {
        let snapshot: Snapshot = serde_json::from_slice(&std::fs::read(folder.path.join(FILE)).ok()?).ok()?;
        folder.holder().is_some_and(|holder| holder.pid == snapshot.pid).then_some(snapshot)
    }

    /// Forgets it: nobody works on the run any more.
    pub fn forget(folder: &RunFolder) {
        // A file that is left behind names a process that is gone, so nobody believes it.
        let _ = std::fs::remove_file(folder.path.join(FILE));
    }
}
