//! `--suppress-gone`: addresses that a service calls gone go onto the suppression list, some at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{ErrorKind, SendError};
use crate::policy::address;
use crate::recipient::Address;
use crate::state::suppressed::{Entry, Suppressed};

/// What waits longer than this is written: one sync of the disk for all of it. A kill may lose as much; the journal has it still.
const EVERY: Duration = Duration::from_millis(250);
/// More than this is written at once.
const MOST: usize = 1000;

/// Feeds the list. Does nothing where nobody asked for it.
#[derive(Debug, Default)]
pub struct Gone {
    list: Option<Suppressed>,
    waiting: Vec<Entry>,
    since: Option<Instant>,
    run: String,
}

impl Gone {
    /// For that run, into the list of this state folder.
    ///
    /// # Errors
    /// The list cannot be opened.
    pub fn open(state_dir: &Path, run: &str) -> rusqlite::Result<Gone> {
        Ok(Gone { list: Some(Suppressed::open(state_dir)?), waiting: Vec::new(), since: None, run: run.to_owned() })
    }

    /// A row failed for good. Only what the service itself said of the address counts, never what we think of its form.
    pub fn hear(&mut self, to: &Address, secret: bool, error: &SendError) {
        if self.list.is_none() || error.kind != ErrorKind::BadAddress || error.code.is_none() {
            return;
        }
        let form = if secret { Some(address::hidden(to.as_str())) } else { address::form(to.as_str()) };
        let Some(address) = form else { return };
        let words: String = error.detail.chars().filter(|letter| !letter.is_control()).take(120).collect();
        // The words of a service may repeat the address.
        let words = if secret { String::new() } else { format!(": {words}") };
        let reason = format!("{}{words} (run {})", error.code.as_deref().unwrap_or_default(), self.run);
        self.waiting.push(Entry { address, since: jiff::Timestamp::now().as_millisecond(), gone: true, reason });
        self.since.get_or_insert_with(Instant::now);
    }

    /// Writes what waits, if it is time.
    pub fn keep(&mut self) {
        if self.waiting.len() >= MOST || self.since.is_some_and(|since| since.elapsed() >= EVERY) {
            self.flush();
        }
    }

    /// Writes what waits. Not being able to is told and stops nothing: the rows are in the journal.
    pub fn flush(&mut self) {
        self.since = None;
        let waiting = std::mem::take(&mut self.waiting);
        if let Some(list) = self.list.as_mut().filter(|_| !waiting.is_empty())
            && let Err(error) = list.add(waiting.into_iter())
        {
            tracing::warn!(%error, "gone addresses are not on the suppression list");
        }
    }
}
