//! What processes share of limits: where the next slot begins, who competes, how much of a day is used, what an address had.
//!
//! Plain numbers; what they mean is said in `permits/`. Names of accounts and addresses are not kept, only a hash of them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::state::holds::HoldKey;
use crate::state::store::{self, Keep};

/// Others hold the file for a fraction of a millisecond; who asks in vain asks again soon.
const BUSY: Duration = Duration::from_millis(25);
/// Rows that are over and go with one claim.
const SWEPT: i64 = 64;

/// A hash that names an account, a limit, an address or a run.
pub type Key = [u8; 16];

/// The hash of these parts, in this order.
pub fn key(parts: &[&str]) -> Key {
    HoldKey::of(parts).bytes()
}

/// A run that wants permits of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    /// Which run.
    pub who: Key,
    /// What it had so far, divided by its weight.
    pub passed: i64,
    /// When it asked last, in nanoseconds of the clock that processes share.
    pub asked: i64,
    /// Its share beside the others.
    pub weight: u32,
    /// The heavier goes first alone.
    pub strict: bool,
    /// It has rows that wait for a permit.
    pub hungry: bool,
}

/// The tables of pace.
#[derive(Debug)]
pub struct PaceStore {
    db: Connection,
}

impl PaceStore {
    /// Opens `state.db` in this folder, and makes it where there is none. What was over at `wall` (milliseconds since 1970) is
    /// forgotten.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path, wall: i64) -> rusqlite::Result<Self> {
        let db = store::open(folder, Keep::Advice)?;
        for table in ["pace", "contender", "used", "cap"] {
            db.execute(&format!("DELETE FROM {table} WHERE until <= ?1"), [wall])?;
        }
        db.busy_timeout(BUSY)?;
        Ok(PaceStore { db })
    }

    /// Everything that is read and written until [`Ledger::end`] is seen by the others at once or not at all.
    ///
    /// # Errors
    /// The disk, or another process that holds the file.
    pub fn begin(&mut self) -> rusqlite::Result<Ledger<'_>> {
        Ok(Ledger { inside: self.db.transaction_with_behavior(TransactionBehavior::Immediate)? })
    }
}

/// One look at the tables, with all others waiting.
#[derive(Debug)]
pub struct Ledger<'a> {
    inside: Transaction<'a>,
}

impl Ledger<'_> {
    /// Makes it seen.
    ///
    /// # Errors
    /// The disk.
    pub fn end(self) -> rusqlite::Result<()> {
        self.inside.commit()
    }

    /// Where the next slot of a limit begins.
    ///
    /// # Errors
    /// The disk.
    pub fn next(&self, limit: &Key) -> rusqlite::Result<Option<i64>> {
        let mut query = self.inside.prepare_cached("SELECT next FROM pace WHERE key = ?1")?;
        query.query_row([limit.as_slice()], |row| row.get(0)).optional()
    }

    /// Says where it begins now; forgotten at `until` (milliseconds since 1970).
    ///
    /// # Errors
    /// The disk.
    pub fn set_next(&self, limit: &Key, next: i64, until: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO pace (key, next, until) VALUES (?1, ?2, ?3)
                   ON CONFLICT (key) DO UPDATE SET next = excluded.next, until = excluded.until";
        self.inside.prepare_cached(sql)?.execute(params![limit.as_slice(), next, until])?;
        Ok(())
    }

    /// Who has asked for permits of the account since then.
    ///
    /// # Errors
    /// The disk.
    pub fn contenders(&self, account: &Key, since: i64) -> rusqlite::Result<Vec<Contender>> {
        let sql = "SELECT who, passed, asked, weight, strict, hungry FROM contender WHERE account = ?1 AND asked >= ?2";
        let mut query = self.inside.prepare_cached(sql)?;
        let rows = query.query_map(params![account.as_slice(), since], |row| {
            Ok(Contender {
                who: row.get(0)?,
                passed: row.get(1)?,
                asked: row.get(2)?,
                weight: row.get(3)?,
                strict: row.get(4)?,
                hungry: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    /// Writes down who asked.
    ///
    /// # Errors
    /// The disk.
    pub fn set_contender(&self, account: &Key, it: &Contender, until: i64) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO contender (account, who, passed, asked, weight, strict, hungry, until)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let Contender { who, passed, asked, weight, strict, hungry } = it;
        let values = params![account.as_slice(), who.as_slice(), passed, asked, weight, strict, hungry, until];
        self.inside.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// What was used of a long limit in this part of time and later, and the earliest part in which any was.
    ///
    /// # Errors
    /// The disk.
    pub fn used(&self, limit: &Key, from: i64) -> rusqlite::Result<(i64, Option<i64>)> {
        let sql = "SELECT coalesce(sum(count), 0), min(part) FROM used WHERE key = ?1 AND part >= ?2";
        self.inside.prepare_cached(sql)?.query_row(params![limit.as_slice(), from], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// So many more are used in this part of time (fewer, where `count` is negative); forgotten at `until`.
    ///
    /// # Errors
    /// The disk.
    pub fn use_up(&self, limit: &Key, part: i64, count: i64, until: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO used (key, part, count, until) VALUES (?1, ?2, max(?3, 0), ?4)
                   ON CONFLICT (key, part) DO UPDATE SET count = max(count + ?3, 0)";
        self.inside.prepare_cached(sql)?.execute(params![limit.as_slice(), part, count, until])?;
        Ok(())
    }

    /// Parts of time before this one are over.
    ///
    /// # Errors
    /// The disk.
    pub fn forget_used(&self, limit: &Key, before: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM used WHERE key = ?1 AND part < ?2";
        self.inside.prepare_cached(sql)?.execute(params![limit.as_slice(), before])?;
        Ok(())
    }

    /// When the message went that is `back` before the newest of those that the address had since then, leaving out this one.
    ///
    /// # Errors
    /// The disk.
    pub fn had(&self, address: &Key, but: &Key, since: i64, back: u32) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT at FROM cap WHERE key = ?1 AND who <> ?2 AND at > ?3 ORDER BY at DESC LIMIT 1 OFFSET ?4";
        let mut query = self.inside.prepare_cached(sql)?;
        query.query_row(params![address.as_slice(), but.as_slice(), since, back], |row| row.get(0)).optional()
    }

    /// The address has this message now; forgotten at `until`. All in milliseconds since 1970.
    ///
    /// # Errors
    /// The disk.
    pub fn claim(&self, address: &Key, who: &Key, at: i64, until: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO cap (key, who, at, until) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (key, who) DO UPDATE SET at = excluded.at, until = max(until, excluded.until)";
        self.inside.prepare_cached(sql)?.execute(params![address.as_slice(), who.as_slice(), at, until])?;
        Ok(())
    }

    /// Forgets some of what is over.
    ///
    /// # Errors
    /// The disk.
    pub fn sweep(&self, wall: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM cap WHERE (key, who) IN (SELECT key, who FROM cap WHERE until <= ?1 LIMIT ?2)";
        self.inside.prepare_cached(sql)?.execute(params![wall, SWEPT])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_wrote_the_other_reads_and_what_is_over_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (mut here, mut there) = (PaceStore::open(folder.path(), 0).unwrap(), PaceStore::open(folder.path(), 0).unwrap());
        let (limit, who) = (key(&["hook", "5/s"]), key(&["run"]));
        let ledger = here.begin().unwrap();
        ledger.set_next(&limit, 7, 1_000).unwrap();
        ledger.use_up(&limit, 3, 5, 1_000).unwrap();
        ledger.use_up(&limit, 4, 2, 9_000).unwrap();
        ledger.use_up(&limit, 4, -9, 9_000).unwrap();
        ledger.claim(&limit, &who, 10, 1_000).unwrap();
        let it = Contender { who, passed: 4, asked: 50, weight: 8, strict: true, hungry: true };
        ledger.set_contender(&limit, &it, 1_000).unwrap();
        ledger.end().unwrap();
        let ledger = there.begin().unwrap();
        assert_eq!(ledger.next(&limit).unwrap(), Some(7));
        assert_eq!(ledger.used(&limit, 0).unwrap(), (5, Some(3)), "no less than nothing is used");
        assert_eq!(ledger.had(&limit, &key(&["another"]), 0, 0).unwrap(), Some(10));
        assert_eq!(ledger.had(&limit, &who, 0, 0).unwrap(), None, "its own");
        assert_eq!(ledger.contenders(&limit, 50).unwrap(), [it]);
        assert_eq!(ledger.contenders(&limit, 51).unwrap(), []);
        ledger.end().unwrap();
        let mut later = PaceStore::open(folder.path(), 1_000).unwrap();
        let ledger = later.begin().unwrap();
        assert_eq!((ledger.next(&limit).unwrap(), ledger.used(&limit, 0).unwrap()), (None, (0, Some(4))));
    }
}
