//! The tables of `journal.db`, and how one row of them is written, read and checked.
//!
//! `attempt`: one row per batch that was about to leave, numbered without gaps. `outcome`: the newest mark of each position; it
//! answers all attempts up to number `answers`. `doubt`: positions that were ever in doubt, and so may have been sent twice.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, Row, params};

use crate::delivery::Outcome;
use crate::error::{ErrorKind, SendError};
use crate::journal::damage::JournalError;
use crate::journal::seal::{self, Seal};
use crate::journal::{Mark, Record};
use crate::recipient::Position;
use crate::tally::State;

/// The form of the tables, in `PRAGMA user_version`.
pub(crate) const SCHEMA: i64 = 1;

/// Times are milliseconds since 1970 by the wall clock; `sum` is CRC-32 of the row's content seeded with the run's id.
pub(crate) const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE attempt (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, at INTEGER NOT NULL, positions BLOB NOT NULL, sum INTEGER NOT NULL);
    CREATE TABLE outcome (position INTEGER PRIMARY KEY, state INTEGER NOT NULL, account INTEGER NOT NULL, attempts INTEGER NOT NULL,
        answers INTEGER NOT NULL, at INTEGER NOT NULL, flags INTEGER NOT NULL, sum INTEGER NOT NULL,
        receipt TEXT, note TEXT, kind TEXT, code TEXT, detail TEXT, due INTEGER);
    CREATE TABLE doubt (position INTEGER PRIMARY KEY);
";

/// The order in which rows that rest are due; what rests in great number is in the journal only, and found again by this. It may be
/// missing in a journal of an older version, and is made when that is opened for writing.
pub(crate) const RESTS: &str = "CREATE INDEX IF NOT EXISTS rest ON outcome (account, due) WHERE state = 0 AND due IS NOT NULL";

/// Bit of `flags`: the service had the message already.
const REPLAY: i64 = 1;
/// Bit of `flags`: a person has decided that a row in doubt stays as it is.
const DECIDED: i64 = 2;

/// What the journal knows of one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Which row.
    pub position: Position,
    /// Through which account it was tried last.
    pub account: Arc<str>,
    /// `Pending` where it was put back or waits for another try.
    pub state: State,
    /// Tries so far.
    pub attempts: u32,
    /// When it was recorded.
    pub at: Timestamp,
    /// Why it failed, waits, or is in doubt.
    pub kind: Option<ErrorKind>,
    /// The service's code.
    pub code: Option<String>,
    /// The service's words, or why it was skipped.
    pub detail: Option<String>,
    /// The service's id for it.
    pub receipt: Option<String>,
    /// The service had it already.
    pub replay: bool,
    /// What is worth telling about a success.
    pub note: Option<String>,
    /// When a deferred one may be tried again.
    pub due: Option<Timestamp>,
    /// In doubt, and left so by a person's word.
    pub decided: bool,
    /// Was in doubt at some time: whoever was to get it may have got it twice.
    pub possible_duplicate: bool,
    /// Number of the last attempt that this answers.
    pub(crate) answers: i64,
}

impl Known {
    /// What was recorded, when, as a row of the table.
    pub(crate) fn of(record: &Record, at: i64, answers: i64) -> Self {
        let mut known = Known {
            position: record.position,
            account: record.account.clone(),
            state: State::Pending,
            attempts: record.attempts,
            at: time(at),
            kind: None,
            code: None,
            detail: None,
            receipt: None,
            replay: false,
            note: None,
            due: None,
            decided: false,
            possible_duplicate: false,
            answers,
        };
        match &record.mark {
            Mark::Pending => {}
            Mark::Skipped(why) => {
                known.state = State::Skipped;
                known.detail = Some(why.clone());
            }
            Mark::Outcome(Outcome::Sent(receipt)) => {
                known.state = State::Sent;
                known.receipt.clone_from(&receipt.id);
                known.replay = receipt.replay;
                known.note.clone_from(&receipt.note);
            }
            Mark::Outcome(Outcome::Deferred(error)) => {
                known.because(error);
                let wait = error.retry_after.map_or(0, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
                known.due = Some(time(at.saturating_add(wait)));
            }
            Mark::Outcome(Outcome::Failed(error)) => {
                known.state = if error.kind == ErrorKind::InDoubt { State::InDoubt } else { State::Failed };
                known.because(error);
            }
        }
        known
    }

    fn because(&mut self, error: &SendError) {
        self.kind = Some(error.kind);
        self.code.clone_from(&error.code);
        self.detail = Some(error.detail.clone());
    }

    /// The error in the words of the domain, where there is one.
    pub fn error(&self) -> Option<SendError> {
        let kind = self.kind?;
        Some(SendError {
            kind,
            code: self.code.clone(),
            detail: self.detail.clone().unwrap_or_default(),
            retry_after: None,
            reach: None,
        })
    }

    fn flags(&self) -> i64 {
        i64::from(self.replay) * REPLAY + i64::from(self.decided) * DECIDED
    }

    fn sum(&self, seal: Seal, key: i64) -> i64 {
        let mut sum = seal.begin();
        sum.number(key).number(self.state as i64).number(i64::from(self.attempts)).number(self.answers);
        sum.number(self.at.as_millisecond()).number(self.flags()).number(self.due.map_or(-1, Timestamp::as_millisecond));
        sum.text(Some(&self.account)).text(self.kind.map(ErrorKind::as_str));
        for text in [&self.code, &self.detail, &self.receipt, &self.note] {
            sum.text(text.as_deref());
        }
        sum.finish()
    }
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Names of accounts against the small numbers that stand for them in the tables.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_name: HashMap<Arc<str>, i64>,
    by_id: Vec<Arc<str>>,
}

impl Accounts {
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut accounts = Accounts::default();
        let mut query = db.prepare("SELECT id, name FROM account ORDER BY id")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let name: Arc<str> = row.get::<_, String>(1)?.into();
            // Ids are given out from 1 without gaps; where one is missing the checksums of its rows will not fit.
            accounts.by_name.insert(name.clone(), row.get(0)?);
            accounts.by_id.push(name);
        }
        Ok(accounts)
    }

    pub(crate) fn name(&self, id: i64) -> Option<&Arc<str>> {
        self.by_id.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }

    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.by_name.get(name).copied()
    }

    /// The number of `name`, given out now if it is new. After a rollback the whole must be loaded afresh.
    pub(crate) fn intern(&mut self, db: &Connection, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.id(name) {
            return Ok(id);
        }
        let id = self.by_id.len() as i64 + 1;
        db.execute("INSERT INTO account (id, name) VALUES (?1, ?2)", params![id, &**name])?;
        self.by_name.insert(name.clone(), id);
        self.by_id.push(name.clone());
        Ok(id)
    }
}

/// Most rows are sent: the statement for them binds nothing that is empty.
pub(crate) const INSERT_SENT: &str = "INSERT OR REPLACE INTO outcome
    (position, state, account, attempts, answers, at, flags, sum, receipt, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
pub(crate) const INSERT_OTHER: &str = "INSERT OR REPLACE INTO outcome
    (position, state, account, attempts, answers, at, flags, sum, kind, code, detail, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const INSERT_DOUBT: &str = "INSERT OR IGNORE INTO doubt (position) VALUES (?1)";

/// The prepared statements that write outcomes.
pub(crate) struct OutcomeWriter<'db> {
    sent: CachedStatement<'db>,
    other: CachedStatement<'db>,
    doubt: CachedStatement<'db>,
}

impl<'db> OutcomeWriter<'db> {
    pub(crate) fn new(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(OutcomeWriter {
            sent: db.prepare_cached(INSERT_SENT)?,
            other: db.prepare_cached(INSERT_OTHER)?,
            doubt: db.prepare_cached(INSERT_DOUBT)?,
        })
    }

    /// Writes `known` over whatever stood at its position.
    pub(crate) fn write(&mut self, seal: Seal, key: i64, account: i64, known: &Known) -> rusqlite::Result<()> {
        let sum = known.sum(seal, key);
        let (state, attempts, at, flags) = (known.state as i64, known.attempts, known.at.as_millisecond(), known.flags());
        if known.state == State::Sent {
            self.sent.execute(params![
                key,
                state,
                account,
                attempts,
                known.answers,
                at,
                flags,
                sum,
                known.receipt,
                known.note
            ])?;
        } else {
            let (kind, due) = (known.kind.map(ErrorKind::as_str), known.due.map(Timestamp::as_millisecond));
            self.other.execute(params![
                key,
                state,
                account,
                attempts,
                known.answers,
                at,
                flags,
                sum,
                kind,
                known.code,
                known.detail,
                due
            ])?;
        }
        if known.state == State::InDoubt {
            self.doubt.execute([key])?;
        }
        Ok(())
    }
}

/// Columns in the order that [`read_outcome`] expects.
pub(crate) const SELECT_OUTCOME: &str = "SELECT o.position, o.state, o.account, o.attempts, o.answers, o.at, o.flags, o.sum,
    o.receipt, o.note, o.kind, o.code, o.detail, o.due, d.position IS NOT NULL FROM outcome o LEFT JOIN doubt d ON d.position = o.position";

/// Reads and checks one row of `outcome`.
pub(crate) fn read_outcome(path: &Path, seal: Seal, accounts: &Accounts, row: &Row<'_>) -> Result<Known, JournalError> {
    let broken = |error: rusqlite::Error| JournalError::sqlite(path, "reading an outcome", &error);
    let key: i64 = row.get(0).map_err(broken)?;
    let misfit = || {
        JournalError::damage(
            path,
            format!(
                "the outcome of row {} does not fit its checksum",
                seal::position(key).map_or(0, |position| position.row) + 1
            ),
            "what became of that row, which may have been sent",
        )
    };
    let state: i64 = row.get(1).map_err(broken)?;
    let kind: Option<String> = row.get(10).map_err(broken)?;
    let flags: i64 = row.get(6).map_err(broken)?;
    let known = Known {
        position: seal::position(key).ok_or_else(misfit)?,
        state: usize::try_from(state).ok().and_then(|i| State::ALL.get(i)).copied().ok_or_else(misfit)?,
        account: accounts.name(row.get(2).map_err(broken)?).ok_or_else(misfit)?.clone(),
        attempts: row.get(3).map_err(broken)?,
        answers: row.get(4).map_err(broken)?,
        at: time(row.get(5).map_err(broken)?),
        replay: flags & REPLAY != 0,
        decided: flags & DECIDED != 0,
        receipt: row.get(8).map_err(broken)?,
        note: row.get(9).map_err(broken)?,
        kind: match kind {
            Some(word) => Some(ErrorKind::parse(&word).ok_or_else(misfit)?),
            None => None,
        },
        code: row.get(11).map_err(broken)?,
        detail: row.get(12).map_err(broken)?,
        due: row.get::<_, Option<i64>>(13).map_err(broken)?.map(time),
        possible_duplicate: row.get(14).map_err(broken)?,
    };
    if known.sum(seal, key) != row.get::<_, i64>(7).map_err(broken)? {
        return Err(misfit());
    }
    Ok(known)
}

/// The checksum of a row of `attempt`.
pub(crate) fn attempt_sum(seal: Seal, id: i64, account: &str, at: i64, positions: &[u8]) -> i64 {
    let mut sum = seal.begin();
    sum.number(id).number(at).text(Some(account)).bytes(positions);
    sum.finish()
}
