//! Reads a journal beside its writer, or after it: numbers, and what is known of each row in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use rusqlite::types::ValueRef;

use crate::error::{ErrorKind, SendError};
use crate::journal::damage::JournalError;
use crate::journal::folder::RunFolder;
use crate::journal::seal;
use crate::journal::store::Store;
use crate::journal::table::{self, Accounts, Known};
use crate::recipient::Position;
use crate::tally::{State, Tally};

/// What rows that are counted together have in common: state, kind, account, and whether a doubt was decided.
type Alike = (i64, Option<ErrorKind>, i64, bool);

/// A journal, open for reading only. Never blocks the writer, and is never blocked by it.
#[derive(Debug)]
pub struct Reader {
    store: Store,
}

impl Reader {
    /// Opens the journal of a run. Rows that were in flight when their process was killed are still pending here: they become
    /// in doubt when the run is opened for writing.
    ///
    /// # Errors
    /// Damage, another form, or the disk.
    pub fn open(folder: &RunFolder) -> Result<Reader, JournalError> {
        Ok(Reader { store: Store::open(folder, false)? })
    }

    /// Holds on to this moment: later reads see nothing newer. The log cannot be reused meanwhile, so not for long.
    ///
    /// # Errors
    /// The disk.
    pub fn freeze(&self) -> Result<(), JournalError> {
        self.store.db.execute_batch("BEGIN").map_err(|e| self.store.error("reading the journal", &e))
    }

    /// Rows of the run.
    pub fn rows(&self) -> u64 {
        self.store.rows
    }

    /// The numbers, counted row by row.
    ///
    /// # Errors
    /// The disk.
    pub fn tally(&mut self) -> Result<Tally, JournalError> {
        self.at_one_moment(Reader::count)
    }

    fn count(&mut self) -> Result<Tally, JournalError> {
        self.reload_accounts()?;
        let failed = |error: rusqlite::Error| self.store.error("counting the journal", &error);
        let mut tally = Tally::new(self.store.rows);
        // Counted here row by row: SQLite would sort all rows in memory to group them.
        let mut query = self
            .store
            .db
            .prepare(
                "SELECT state, kind, account, flags & 2, attempts,
                   CASE WHEN kind IN ('unauthorized', 'misconfigured') THEN code END,
                   CASE WHEN kind IN ('unauthorized', 'misconfigured') THEN coalesce(detail, '') END
                 FROM outcome",
            )
            .map_err(failed)?;
        let mut rows = query.query([]).map_err(failed)?;
        let mut groups: BTreeMap<Alike, (u64, u64)> = BTreeMap::new();
        let misfit = || JournalError::damage(&self.store.path, "a state that cannot be", "what became of its rows");
        while let Some(row) = rows.next().map_err(failed)? {
            let kind = match row.get_ref(1).map_err(failed)? {
                ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(ErrorKind::parse),
                _ => None,
            };
            let account: i64 = row.get(2).map_err(failed)?;
            if let (Some(kind), Some(detail)) = (kind, row.get::<_, Option<String>>(6).map_err(failed)?) {
                let error = SendError { kind, code: row.get(5).map_err(failed)?, detail, retry_after: None, reach: None };
                tally.notice(self.store.accounts.name(account).ok_or_else(misfit)?, &error, 1);
            }
            let key = (row.get(0).map_err(failed)?, kind, account, row.get(3).map_err(failed)?);
            let (count, attempts) = groups.entry(key).or_default();
            *count += 1;
            *attempts += u64::try_from(row.get::<_, i64>(4).map_err(failed)?).unwrap_or(0);
        }
        for ((state, kind, account, decided), (count, attempts)) in groups {
            let state = usize::try_from(state).ok().and_then(|state| State::ALL.get(state)).copied().ok_or_else(misfit)?;
            tally.settle(self.store.accounts.name(account).ok_or_else(misfit)?, state, kind, count, attempts);
            if decided {
                tally.undecided = tally.undecided.saturating_sub(count);
            }
        }
        Ok(tally)
    }

    /// Up to `most` rows that the journal knows of, in order, from `from` on (inclusive). Each checksum is verified.
    ///
    /// # Errors
    /// Damage, or the disk.
    pub fn outcomes(&mut self, from: Position, most: usize) -> Result<Vec<Known>, JournalError> {
        self.at_one_moment(|reader| reader.page("", from, most))
    }

    /// As [`Reader::outcomes`], only those in one state.
    ///
    /// # Errors
    /// As [`Reader::outcomes`].
    pub fn in_state(&mut self, state: State, from: Position, most: usize) -> Result<Vec<Known>, JournalError> {
        self.at_one_moment(|reader| reader.page(&format!("AND o.state = {}", state as i64), from, most))
    }

    /// What is known of one row.
    ///
    /// # Errors
    /// As [`Reader::outcomes`].
    pub fn outcome(&mut self, position: Position) -> Result<Option<Known>, JournalError> {
        Ok(self.outcomes(position, 1)?.into_iter().next().filter(|known| known.position == position))
    }

    /// Up to `most` rows of an account that rest, in the order in which they are due (then by position), after that place in the order.
    /// Each checksum is verified. The journal must have been opened for writing by this version before.
    ///
    /// # Errors
    /// As [`Reader::outcomes`].
    pub fn resting(
        &mut self,
        account: &str,
        after: Option<(Timestamp, Position)>,
        most: usize,
    ) -> Result<Vec<Known>, JournalError> {
        self.at_one_moment(|reader| {
            reader.reload_accounts()?;
            let store = &reader.store;
            let failed = |error: rusqlite::Error| store.error("reading the journal", &error);
            let Some(account) = store.accounts.id(account) else { return Ok(Vec::new()) };
            let sql = format!(
                "{} WHERE o.account = ?1 AND o.state = 0 AND o.due IS NOT NULL AND (o.due, o.position) > (?2, ?3)
                 ORDER BY o.due, o.position LIMIT ?4",
                table::SELECT_OUTCOME
            );
            let mut query = store.db.prepare_cached(&sql).map_err(failed)?;
            let (due, key) =
                after.map_or((i64::MIN, -1), |(due, position)| (due.as_millisecond(), seal::key(position).unwrap_or(i64::MAX)));
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut rows = query.query(rusqlite::params![account, due, key, most]).map_err(failed)?;
            let mut page = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                page.push(table::read_outcome(&store.path, store.seal, &store.accounts, row)?);
            }
            Ok(page)
        })
    }

    /// When the last mark was made, if there is one.
    ///
    /// # Errors
    /// The disk.
    pub fn last_mark(&self) -> Result<Option<jiff::Timestamp>, JournalError> {
        let last: Option<Option<i64>> = self
            .store
            .db
            .query_row("SELECT max(at) FROM outcome", [], |row| row.get(0))
            .optional()
            .map_err(|e| self.store.error("reading the journal", &e))?;
        Ok(last.flatten().and_then(|at| jiff::Timestamp::from_millisecond(at).ok()))
    }

    /// Names of accounts and the rows that use them must be of one moment: a row of an account that came in between looks like damage.
    fn at_one_moment<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let frozen = !self.store.db.is_autocommit();
        if !frozen {
            self.freeze()?;
        }
        let found = read(self);
        if !frozen {
            // A transaction that only read has nothing to lose.
            let _ = self.store.db.execute_batch("ROLLBACK");
        }
        found
    }

    fn page(&mut self, condition: &str, from: Position, most: usize) -> Result<Vec<Known>, JournalError> {
        self.reload_accounts()?;
        let store = &self.store;
        let failed = |error: rusqlite::Error| store.error("reading the journal", &error);
        let sql = format!("{} WHERE o.position >= ?1 {condition} ORDER BY o.position LIMIT ?2", table::SELECT_OUTCOME);
        let mut query = store.db.prepare_cached(&sql).map_err(failed)?;
        let from = seal::key(from).unwrap_or(i64::MAX);
        let mut rows = query.query(rusqlite::params![from, i64::try_from(most).unwrap_or(i64::MAX)]).map_err(failed)?;
        let mut page = Vec::with_capacity(most.min(1024));
        while let Some(row) = rows.next().map_err(failed)? {
            page.push(table::read_outcome(&store.path, store.seal, &store.accounts, row)?);
        }
        Ok(page)
    }

    /// The writer may have met new accounts since.
    fn reload_accounts(&mut self) -> Result<(), JournalError> {
        self.store.accounts = Accounts::load(&self.store.db).map_err(|e| self.store.error("reading the journal", &e))?;
        Ok(())
    }
}
