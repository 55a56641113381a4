//! What happened to a run besides its rows, and who wanted it: one JSON line each in `events.jsonl` of its folder.
//!
//! Several processes write (the run, and commands from other shells), each line with one call that appends. A telling, not a promise:
//! nothing that must survive a power cut is kept here alone, and a line that cannot be read is left out.

use std::fs::OpenOptions;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::journal::folder::{RunFolder, rfc3339};
use crate::journal::lock::host;

const FILE: &str = "events.jsonl";

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the wall clock.
    #[serde(with = "rfc3339")]
    pub at: jiff::Timestamp,
    /// What, in a word: `started`, `ended`, `paused`, `set`, `breaker_opened`, `recovery`, `tuning` …
    pub what: String,
    /// Which account it concerns, where it is not the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who wanted it: `user@host, pid 4711`; absent where the run itself decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Numbers and further fields, by name.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Event {
    /// An event of now.
    pub fn now(what: &str) -> Self {
        Event { at: jiff::Timestamp::now(), what: what.to_owned(), account: None, by: None, why: None, more: Map::new() }
    }

    /// Of that account.
    #[must_use]
    pub fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Wanted by somebody.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// For this reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// With a further field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

/// Who gives a word from this process: `ann@desk, pid 4711`.
pub fn here() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    #[cfg(unix)]
    let name = name.or_else(|| Some(format!("uid {}", rustix::process::getuid().as_raw())));
    format!("{}@{}, pid {}", name.unwrap_or_else(|| "unknown".to_owned()), host(), std::process::id())
}

/// Appends the event to those of the run.
///
/// # Errors
/// The disk.
pub fn append(folder: &RunFolder, event: &Event) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    // One call, so that the lines of two processes do not mix.
    options.open(folder.path.join(FILE))?.write_all(&line)
}

/// The events of the run so far, oldest first, from byte `from` of the file on; and where the next ones will begin.
pub fn read(folder: &RunFolder, from: u64) -> (Vec<Event>, u64) {
    let bytes = std::fs::read(folder.path.join(FILE)).unwrap_or_default();
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    // A line that is being written has no end yet.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(start, |at| at + 1).max(start);
    let events = bytes[start..end].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    (events, end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_were_written_and_from_where_one_was() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "20261121-000000-aaaaaaaa").unwrap();
        let first = Event::now("paused").because("lunch").with("sent", 7);
        append(&folder, &first).unwrap();
        let (events, at) = read(&folder, 0);
        assert_eq!(events, [first]);
        append(&folder, &Event::now("resumed").of("corp")).unwrap();
        std::fs::OpenOptions::new().append(true).open(folder.path.join(FILE)).unwrap().write_all(b"{\"at\":").unwrap();
        let (events, _) = read(&folder, at);
        assert_eq!((events.len(), events[0].what.as_str(), events[0].account.as_deref()), (1, "resumed", Some("corp")));
    }
}
