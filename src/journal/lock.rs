//! One process writes a run: an flock that the system releases however the process ends, and a note that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whoever looks who holds a run holds it for a moment: so often, and so long apart, it is tried again.
const PROBES: u32 = 10;
const PROBE: Duration = Duration::from_millis(3);

/// Who holds a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
}

/// Why the lock was not given.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it: exit 11.
    #[error("another process works on this run: pid {}{}{}\n  --> {}\nWait until it has ended (`notify status` tells how it stands), then try again.",
        holder.as_ref().map_or_else(|| "unknown".to_owned(), |h| h.pid.to_string()),
        holder.as_ref().map(|h| format!(" on {}", h.host)).unwrap_or_default(),
        holder.as_ref().map(|h| format!(", since {}", h.since)).unwrap_or_default(),
        path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who, where the note can be read.
        holder: Option<Holder>,
    },
    /// The file could not be opened or locked: exit 74.
    #[error("cannot lock {}: {why}\nThe state folder must be on a file system that can lock files (choose another with --state-dir).", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

/// The right to write a run, for as long as it lives.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn note(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Takes the lock at `path` without waiting.
pub(crate) fn take(path: &Path) -> Result<RunLock, LockError> {
    let trouble = |why: io::Error| LockError::Io { path: path.to_owned(), why: why.to_string() };
    let mut file = open(path).map_err(trouble)?;
    let mut tries = PROBES;
    let locked = loop {
        match file.try_lock() {
            // Perhaps somebody only looked whether anybody holds it, which takes a moment.
            Err(TryLockError::WouldBlock) if tries > 0 => {
                tries -= 1;
                std::thread::park_timeout(PROBE);
            }
            result => break result,
        }
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockError::Held { path: path.to_owned(), holder: note(&mut file) }),
        Err(TryLockError::Error(error)) => return Err(trouble(error)),
    }
    let holder = Holder { pid: std::process::id(), host: host(), since: jiff::Timestamp::now().to_string() };
    // The note is a courtesy; the lock is what counts.
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
        file.write_all(serde_json::to_string(&holder).unwrap_or_default().as_bytes())?;
        file.flush()
    });
    written.map_err(trouble)?;
    Ok(RunLock { _file: file })
}

/// Who holds the lock at `path` now, if anybody does.
pub(crate) fn holder(path: &Path) -> Option<Holder> {
    let mut file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Some(note(&mut file).unwrap_or(Holder { pid: 0, host: String::new(), since: String::new() }))
        }
        _ => None,
    }
}

/// The machine's name, as far as it can be had without asking the network.
pub(crate) fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok())
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}
