//! What has happened: the truth of a run, one SQLite file, written by one thread with group commit.
//!
//! This file has the words that are handed in. `writer.rs` makes them durable, `recovery.rs` reads them after a crash,
//! `reader.rs` from another process. Content and variables of rows are not here but in the spool.

use std::io;
use std::sync::Arc;

use crate::delivery::Outcome;
use crate::recipient::Position;

/// The mark that is made durable before anything leaves: these positions of this account are being tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Through which account.
    pub account: Arc<str>,
    /// Position and number of the try (from 1), in the order of the request.
    pub positions: Vec<(Position, u32)>,
}

/// The mark made after it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// An outcome of a try, or of the row itself (`BadRow`). `Failed` of kind `InDoubt` is the state in doubt. `Deferred` is
    /// due, by the wall clock, at the time of the record plus its `retry_after`: set that to the delay that was chosen.
    Outcome(Outcome),
    /// Policy: not sent; says why (`duplicate_of=17`).
    Skipped(String),
    /// Put back: as if it had not been tried (drained before it left, `--in-doubt resend`).
    Pending,
}

/// Is told of records after they are durable, in order, on the writer's thread. What it returns never stops the journal.
pub type Follow = Box<dyn FnMut(&[Record]) -> io::Result<()> + Send>;

pub mod ballast;
pub mod damage;
pub mod events;
pub mod folder;
pub mod lock;
mod log;
pub mod pause;
pub mod reader;
pub mod recovery;
pub mod rows;
pub mod runs;
mod seal;
mod store;
pub mod table;
pub mod writer;

#[cfg(test)]
mod tests;
