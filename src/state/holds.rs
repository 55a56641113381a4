//! The waits that services named, for all processes that send through the same account: a floor under what each of them knows.
//!
//! Names of accounts and addresses are not kept, only a hash of them: a target may be a credential.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

/// The form of the tables.
const SCHEMA: i64 = 1;
/// Another process may be writing: no longer than this.
const BUSY: Duration = Duration::from_millis(200);
/// Holds that are looked at in one go; more at once are a service that throttles every target by itself.
const MOST: usize = 10_000;

/// Who is held up: a hash of platform, account and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldKey([u8; 16]);

impl HoldKey {
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
        let path = folder.join("state.db");
        private(&path);
        let db = Connection::open(&path)?;
        db.busy_timeout(BUSY)?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = NORMAL")?;
        let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > SCHEMA {
            return Err(rusqlite::Error::InvalidParameterName(format!(
                "{} was written by a newer notify (schema {found}, this one knows {SCHEMA})",
                path.display()
            )));
        }
        db.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS hold (key BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID; PRAGMA user_version = {SCHEMA}"
        ))?;
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
        let first = self.seen < 0;
        self.seen = version;
        if first {
            self.db.execute("DELETE FROM hold WHERE until <= ?1", [now])?;
        }
        let mut query = self.db.prepare_cached("SELECT key, until FROM hold WHERE until > ?1 ORDER BY until DESC LIMIT ?2")?;
        let rows = query.query_map(params![now, MOST as i64], |row| {
            let key: Vec<u8> = row.get(0)?;
            Ok((HoldKey(key.try_into().unwrap_or_default()), row.get(1)?))
        })?;
        rows.collect()
    }
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

    #[test]
    fn a_newer_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        Holds::open(folder.path()).unwrap().db.execute_batch("PRAGMA user_version = 99").unwrap();
        assert!(Holds::open(folder.path()).unwrap_err().to_string().contains("newer"));
    }
}
