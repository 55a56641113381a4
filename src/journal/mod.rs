//! What has happened: the truth of a run, one SQLite file, written by one thread with group commit.

use std::sync::Arc;

use crate::delivery::Outcome;
use crate::recipient::Position;

/// The state of a row; rows = the sum over all states at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not settled yet.
    Pending,
    /// The platform accepted it.
    Sent,
    /// For good in this run.
    Failed,
    /// Sent or not, nobody knows; `--in-doubt` decides.
    InDoubt,
    /// Policy: duplicate, suppressed.
    Skipped,
}

/// The mark that is made durable before anything leaves: these positions of this account are being tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Through which account.
    pub account: Arc<str>,
    /// Position and number of the try (from 1), in the order of the request.
    pub positions: Vec<(Position, u32)>,
}

/// The mark made after it.
#[derive(Debug, Clone)]
pub struct Record {
    /// Whose.
    pub position: Position,
    /// Through which account.
    pub account: Arc<str>,
    /// Attempts made so far.
    pub attempts: u32,
    /// What became of it.
    pub mark: Mark,
}

/// What a record says.
#[derive(Debug, Clone)]
pub enum Mark {
    /// An outcome of a try, or of the row itself (`BadRow`).
    Outcome(Outcome),
    /// Policy: not sent; says why (`duplicate_of=17`).
    Skipped(String),
    /// Put back: as if it had not been tried (drained before it left, `--in-doubt resend`).
    Pending,
}

pub mod folder;
