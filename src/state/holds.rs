//! The waits that services named, for all processes that send through the same account: a floor under what each of them knows.
//!
//! Names of accounts and addresses are not kept, only a hash of them: a target may be a credential.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::state::store::{self, Keep};

/// Holds that are looked at in one go; more at once are a service that throttles every target by itself.
const MOST: usize = 10_000;

/// Who is held up: a hash of platform, account and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldKey([u8; 16]);

impl HoldKey {
    /// As it is kept.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Of these parts, in this order.
    pub fn of(parts: &[&str]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&context.finish().as_ref()[..16]);
        HoldKey(key)
    }
}

/// In hexadecimal.
impl std::fmt::Display for HoldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The shared waits. Failing to read or write them is told once by whoever opened them, and never stops a run.
#[derive(Debug)]
pub struct Holds {
    db: Connection,
    /// The version of the database at the last look; unchanged means that nobody else wrote.
    seen: i64,
}

impl Holds {
    /// Opens `state.db` in this folder, and makes it where there is none.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        let db = store::open(folder, Keep::Advice)?;
        Ok(Holds { db, seen: -1 })
    }

    /// Nothing leaves before `until` (milliseconds of the wall clock); an earlier end never shortens a later one.
    ///
    /// # Errors
    /// The disk.
    pub fn hold(&self, key: HoldKey, until: i64) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO hold (key, until) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET until = max(until, excluded.until)";
        self.db.prepare_cached(sql)?.execute(params![key.0.as_slice(), until])?;
        Ok(())
    }

    /// The holds that last beyond `now`, where anybody else has written since the last look; those that are over are forgotten.
    ///
    /// # Errors
    /// The disk.
    pub fn changed(&mut self, now: i64) -> rusqlite::Result<Vec<(HoldKey, i64)>> {
        let version: i64 = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version == self.seen {
            return Ok(Vec::new());
        }
        if self.seen < 0 {
            self.db.execute("DELETE FROM hold WHERE until <= ?1", [now])?;
        }
        let mut query = self.db.prepare_cached("SELECT key, until FROM hold WHERE until > ?1 ORDER BY until DESC LIMIT ?2")?;
        let rows = query.query_map(params![now, MOST as i64], |row| {
            let key: Vec<u8> = row.get(0)?;
            Ok((HoldKey(key.try_into().unwrap_or_default()), row.get(1)?))
        })?;
        let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        // Only what was read whole has been seen.
        self.seen = version;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_hears_what_another_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let (here, mut there) = (Holds::open(folder.path()).unwrap(), Holds::open(folder.path()).unwrap());
        assert_eq!(there.changed(1_000).unwrap(), []);
        let key = HoldKey::of(&["slack", "ops", ""]);
        here.hold(key, 5_000).unwrap();
        here.hold(key, 3_000).unwrap();
        assert_eq!(there.changed(1_000).unwrap(), [(key, 5_000)], "an earlier end does not shorten a later one");
        assert_eq!(there.changed(1_000).unwrap(), [], "nothing new");
        here.hold(HoldKey::of(&["slack", "ops", "C1"]), 900).unwrap();
        assert_eq!(there.changed(6_000).unwrap(), [], "both are over");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(HoldKey::of(&["ab", "c"]), HoldKey::of(&["a", "bc"]));
    }
}
