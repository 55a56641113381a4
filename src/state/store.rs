//! `state.db` itself: where it is, how it is opened, and the tables of all that is kept in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// The form of the tables. Tables are only ever added within one number; whatever changes one that exists raises it.
const SCHEMA: i64 = 1;
/// Another process may be writing: no longer than this.
const BUSY: Duration = Duration::from_millis(500);
/// How often it is tried again, and after how long.
const TRIES: usize = 200;
const AGAIN: Duration = Duration::from_millis(10);
/// Times are milliseconds since 1970 by the wall clock.
const TABLES: &[&str] = &[
    // holds.rs: for whom nothing leaves before when.
    "CREATE TABLE IF NOT EXISTS hold (key BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    // learned.rs: what the tuner of an account ended with.
    "CREATE TABLE IF NOT EXISTS learned (key BLOB PRIMARY KEY, width INTEGER NOT NULL, batch INTEGER NOT NULL, rate REAL, \
     throughput REAL NOT NULL, latency REAL NOT NULL, samples INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
    // pace.rs: where the next slot of a limit begins (nanoseconds since the machine started), who competes for an account, what was
    // used of a long limit, and which messages an address had. `until`: when the row may be forgotten.
    "CREATE TABLE IF NOT EXISTS pace (key BLOB PRIMARY KEY, next INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contender (account BLOB, who BLOB, passed INTEGER NOT NULL, asked INTEGER NOT NULL,
        weight INTEGER NOT NULL, strict INTEGER NOT NULL, hungry INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (account, who)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS used (key BLOB, part INTEGER, count INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (key, part)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS cap (key BLOB, who BLOB, at INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (key, who)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS cap_over ON cap (until)",
    // control.rs: what was asked of a process that works on a run, and what it said.
    "CREATE TABLE IF NOT EXISTS control (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, pid INTEGER NOT NULL,
       word TEXT NOT NULL, at INTEGER NOT NULL, heard INTEGER NOT NULL DEFAULT 0, done INTEGER, answer TEXT)",
    // known.rs: the runs there were, by name, line and content.
    "CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, began INTEGER NOT NULL, lineage TEXT NOT NULL, name TEXT, print BLOB) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS run_lineage ON run (lineage);
     CREATE INDEX IF NOT EXISTS run_name ON run (name) WHERE name IS NOT NULL;
     CREATE INDEX IF NOT EXISTS run_print ON run (print) WHERE print IS NOT NULL",
    // suppressed.rs: who is not written to.
    "CREATE TABLE IF NOT EXISTS suppressed (address TEXT PRIMARY KEY, since INTEGER NOT NULL, gone INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID",
];

/// Whether what is written must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Advice: the last seconds may be lost with the power, never with the process.
    Advice,
    /// A promise: on disk before the call returns.
    Promise,
}

/// Where it is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("state.db")
}

/// Opens `state.db` in this folder, and makes it where there is none.
///
/// # Errors
/// The disk, or a database of a newer program.
pub fn open(folder: &Path, keep: Keep) -> rusqlite::Result<Connection> {
    let path = path(folder);
    private(&path);
    // Where several processes make it at once SQLite says that it is busy without waiting, so that none waits for the other for ever.
    let mut tries = 0;
    loop {
        match prepare(&path, keep) {
            Err(error) if is_busy(&error) && tries < TRIES => {
                tries += 1;
                std::thread::park_timeout(AGAIN);
            }
            opened => return opened,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

fn prepare(path: &Path, keep: Keep) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.execute_batch(match keep {
        Keep::Advice => "PRAGMA synchronous = NORMAL",
        Keep::Promise => "PRAGMA synchronous = FULL",
    })?;
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > SCHEMA {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "{} was written by a newer notify (schema {found}, this one knows {SCHEMA})",
            path.display()
        )));
    }
    let made: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let all = i64::try_from(TABLES.len()).unwrap_or_default();
    if found < SCHEMA || made != all {
        // All or none of them, and written only where something is missing.
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {}; PRAGMA user_version = {SCHEMA}; PRAGMA application_id = {all}; COMMIT",
            TABLES.join(";")
        ))?;
    }
    Ok(db)
}

/// Made for its owner alone before SQLite sees it, which gives its log the same permissions. Where that fails, opening says why.
fn private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), Keep::Advice).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(open(folder.path(), Keep::Advice).unwrap_err().to_string().contains("newer"));
    }
}
