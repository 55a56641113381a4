//! The database file itself: opened, tuned, and one group of marks written as one transaction.
//!
//! WAL with `synchronous=FULL`: a commit is one write and one sync of the log. The log is grown once, in the beginning, and then
//! overwritten from its start after every checkpoint: on ext4 a sync of a file that grows costs 1.5-4 ms, of one that does not 0.2 ms.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::journal::damage::{JournalError, MAKING, Trouble};
use crate::journal::folder::{RunFolder, private_file, sync_dir};
use crate::journal::log;
use crate::journal::seal::{self, Seal};
use crate::journal::table::{self, Accounts, Known, OutcomeWriter};
use crate::journal::{Attempt, Record};

/// Runs with fewer rows do not grow the log beforehand: it would cost more than it saves.
const GROW_FROM_ROWS: u64 = 500;
/// Pages of 4 KiB that the log is grown to, and that it is checkpointed at.
const LOG_PAGES: u32 = 1000;
/// KiB of page cache; with the log's index and one group this keeps a journal below 8 MB of memory.
const CACHE_KIB: u32 = 2048;

/// One group of marks, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) records: Vec<Record>,
    /// For each record: when it was handed over, and how many of `attempts` came before it.
    pub(crate) stamps: Vec<(i64, usize)>,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Connection,
    pub(crate) path: PathBuf,
    pub(crate) seal: Seal,
    pub(crate) accounts: Accounts,
    pub(crate) rows: u64,
    /// Number of the last attempt that is durable.
    pub(crate) last_attempt: i64,
}

impl Store {
    /// Makes the database of a new run.
    pub(crate) fn create(folder: &RunFolder, rows: u64) -> Result<Store, JournalError> {
        let path = folder.journal_path();
        let failed = |error: &rusqlite::Error| JournalError::sqlite(&path, MAKING, error);
        // SQLite gives its log and index the permissions of the database, so that this is the only place to set them.
        private_file(&path).map_err(|error| JournalError::io(&path, MAKING, &error))?;
        let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|e| failed(&e))?;
        let begin = || {
            db.execute_batch(&format!("BEGIN; {} {}; PRAGMA user_version = {}; ", table::TABLES, table::RESTS, table::SCHEMA))?;
            let mut meta = db.prepare("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
            meta.execute(params!["run", folder.id])?;
            meta.execute(params!["rows", i64::try_from(rows).unwrap_or(i64::MAX)])?;
            db.execute_batch("COMMIT")?;
            if rows >= GROW_FROM_ROWS {
                // Two transactions: pages that are freed in the one that made them never reach the log.
                db.execute_batch(&format!(
                    "CREATE TABLE room (x); INSERT INTO room VALUES (zeroblob({LOG_PAGES} * 4096)); DROP TABLE room;"
                ))?;
                // From here the log is written from its start again; the freed pages are room for the tables to grow into.
                db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
            }
            Ok(())
        };
        begin().map_err(|e| failed(&e))?;
        sync_dir(&folder.path).map_err(|error| JournalError::io(&path, MAKING, &error))?;
        Ok(Store { db, seal: Seal::new(&folder.id), accounts: Accounts::default(), rows, last_attempt: 0, path })
    }

    /// Opens the database of a run, to write or only to read.
    pub(crate) fn open(folder: &RunFolder, write: bool) -> Result<Store, JournalError> {
        let path = folder.journal_path();
        if !path.is_file() {
            return Err(JournalError::damage(&path, "the file is missing", "that no row of this run has been sent yet"));
        }
        if write {
            // Before SQLite sees it: opening the database folds the log in as far as it can be read, and forgets the rest.
            let log = path.with_extension("db-wal");
            let damaged =
                log::damaged_frame(&log).map_err(|error| JournalError::io(&log, "reading the journal's log", &error))?;
            if let Some(frame) = damaged {
                let what = format!("frame {frame} of the log does not fit its checksum, and whole groups follow it");
                return Err(JournalError::damage(&log, what, "that nothing from that frame on was ever sent"));
            }
        }
        let failed = |error: rusqlite::Error| JournalError::sqlite(&path, "opening the journal", &error);
        let flags = if write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let db = connect(&path, flags).map_err(failed)?;
        let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found != table::SCHEMA {
            if found == 0 {
                return Err(JournalError::damage(&path, "it has no tables", "that no row of this run has been sent yet"));
            }
            return Err(JournalError::Schema { path, found, known: table::SCHEMA });
        }
        if write {
            db.execute_batch(table::RESTS).map_err(failed)?;
        }
        let run: Option<String> =
            db.query_row("SELECT value FROM meta WHERE name = 'run'", [], |row| row.get(0)).optional().map_err(failed)?;
        if run.as_deref() != Some(&*folder.id) {
            let what = format!("it belongs to run {}", run.as_deref().unwrap_or("(none)"));
            return Err(JournalError::damage(&path, what, "that its rows are those of this run"));
        }
        let rows: i64 = db.query_row("SELECT value FROM meta WHERE name = 'rows'", [], |row| row.get(0)).map_err(failed)?;
        let last_attempt = db.query_row("SELECT coalesce(max(id), 0) FROM attempt", [], |row| row.get(0)).map_err(failed)?;
        let accounts = Accounts::load(&db).map_err(failed)?;
        Ok(Store { db, seal: Seal::new(&folder.id), accounts, rows: u64::try_from(rows).unwrap_or(0), last_attempt, path })
    }

    pub(crate) fn error(&self, doing: &'static str, error: &rusqlite::Error) -> JournalError {
        JournalError::sqlite(&self.path, doing, error)
    }

    /// Writes and syncs the group as a whole, or nothing of it.
    pub(crate) fn write(&mut self, group: &Group) -> Result<(), JournalError> {
        if group.attempts.is_empty() && group.records.is_empty() {
            return Ok(());
        }
        let written = self.write_all(group);
        if written.is_err() {
            self.roll_back();
        } else {
            self.last_attempt += group.attempts.len() as i64;
        }
        written
    }

    fn roll_back(&mut self) {
        // SQLite may have rolled back by itself; then there is nothing to do and the error says only that.
        let _ = self.db.execute_batch("ROLLBACK");
        if let Ok(accounts) = Accounts::load(&self.db) {
            self.accounts = accounts;
        }
    }

    fn write_all(&mut self, group: &Group) -> Result<(), JournalError> {
        let Store { db, path, seal, accounts, last_attempt, .. } = self;
        let failed = |error: rusqlite::Error| JournalError::sqlite(path, "writing the journal", &error);
        let far = || JournalError::Storage {
            path: path.clone(),
            doing: "writing the journal",
            why: "a row's number is beyond what the journal can count (2^43)".to_owned(),
            trouble: Trouble::Io,
        };
        db.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([])).map_err(failed)?;
        if !group.attempts.is_empty() {
            let mut insert = db
                .prepare_cached("INSERT INTO attempt (id, account, at, positions, sum) VALUES (?1, ?2, ?3, ?4, ?5)")
                .map_err(failed)?;
            let at = jiff::Timestamp::now().as_millisecond();
            let mut bytes = Vec::new();
            for (id, attempt) in (*last_attempt + 1..).zip(&group.attempts) {
                let account = accounts.intern(db, &attempt.account).map_err(failed)?;
                seal::pack(&attempt.positions, &mut bytes).ok_or_else(far)?;
                let sum = table::attempt_sum(*seal, id, &attempt.account, at, &bytes);
                insert.execute(params![id, account, at, bytes, sum]).map_err(failed)?;
            }
        }
        if !group.records.is_empty() {
            let mut outcomes = OutcomeWriter::new(db).map_err(failed)?;
            for (record, &(at, before)) in group.records.iter().zip(&group.stamps) {
                let account = accounts.intern(db, &record.account).map_err(failed)?;
                let known = Known::of(record, at, *last_attempt + before as i64);
                let key = seal::key(record.position).ok_or_else(far)?;
                outcomes.write(*seal, key, account, &known).map_err(failed)?;
            }
        }
        db.prepare_cached("COMMIT").and_then(|mut s| s.execute([])).map_err(failed)?;
        Ok(())
    }

    /// Says anew how many rows the run has.
    pub(crate) fn set_rows(&mut self, rows: u64) -> Result<(), JournalError> {
        let value = i64::try_from(rows).unwrap_or(i64::MAX);
        let set = self.db.execute("UPDATE meta SET value = ?1 WHERE name = 'rows'", [value]);
        set.map_err(|error| self.error("counting the rows of the run", &error))?;
        self.rows = rows;
        Ok(())
    }

    /// After a failure nothing is folded when the database is closed: what the log holds was confirmed, what a checkpoint would
    /// write may not be.
    pub(crate) fn leave_log(&self) {
        let _ = self.db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Folds the log into the database and empties it. Failing costs nothing: the log is as good.
    pub(crate) fn tidy(&self) {
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.set_prepared_statement_cache_capacity(16);
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.query_row("PRAGMA journal_size_limit = -1", [], |_| Ok(()))?;
        db.query_row(&format!("PRAGMA wal_autocheckpoint = {}", LOG_PAGES - 100), [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = FULL")?;
    }
    db.execute_batch(&format!("PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY"))?;
    Ok(db)
}
