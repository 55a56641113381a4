//! What runs learned of an account: width, size of requests, rate, throughput. The next run begins there.
//!
//! Advice only. Names are not kept, only a hash of account and platform.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::state::holds::HoldKey;
use crate::state::store::{self, Keep};

/// What was learned of one account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned {
    /// Requests in flight that paid.
    pub width: usize,
    /// Deliveries of a request.
    pub batch: usize,
    /// Requests a second, where the service asked for less speed.
    pub rate: Option<f64>,
    /// Rows served a second.
    pub throughput: f64,
    /// Seconds from sending to the answer.
    pub latency: f64,
    /// Answers that this stands on.
    pub samples: u64,
    /// When.
    pub at: jiff::Timestamp,
}

/// The table of it.
#[derive(Debug)]
pub struct Lessons {
    db: Connection,
}

impl Lessons {
    /// Opens `state.db` in this folder, and makes it where there is none.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        Ok(Lessons { db: store::open(folder, Keep::Advice)? })
    }

    /// What is known of that account; `shape` is whatever else would make it another account.
    ///
    /// # Errors
    /// The disk.
    pub fn recall(&self, account: &str, platform: &str, shape: impl std::fmt::Debug) -> rusqlite::Result<Option<Learned>> {
        let key = key(account, platform, &shape);
        let sql = "SELECT width, batch, rate, throughput, latency, samples, at FROM learned WHERE key = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Learned {
                width: row.get::<_, i64>(0)?.clamp(1, 1 << 20) as usize,
                batch: row.get::<_, i64>(1)?.clamp(1, 1 << 20) as usize,
                rate: row.get(2)?,
                throughput: row.get(3)?,
                latency: row.get(4)?,
                samples: row.get::<_, i64>(5)?.max(0) as u64,
                at: jiff::Timestamp::from_millisecond(row.get(6)?).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
            })
        };
        self.db.prepare_cached(sql)?.query_row(params![key.as_slice()], read).optional()
    }

    /// Keeps it, in place of what was known.
    ///
    /// # Errors
    /// The disk.
    pub fn keep(&self, account: &str, platform: &str, shape: impl std::fmt::Debug, learned: &Learned) -> rusqlite::Result<()> {
        let key = key(account, platform, &shape);
        let sql = "INSERT OR REPLACE INTO learned (key, width, batch, rate, throughput, latency, samples, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.db.prepare_cached(sql)?.execute(params![
            key.as_slice(),
            learned.width as i64,
            learned.batch as i64,
            learned.rate,
            learned.throughput,
            learned.latency,
            learned.samples as i64,
            learned.at.as_millisecond()
        ])?;
        Ok(())
    }
}

fn key(account: &str, platform: &str, shape: &impl std::fmt::Debug) -> [u8; 16] {
    HoldKey::of(&["learned", platform, account, &format!("{shape:?}")]).bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_kept_by_account_platform_and_shape() {
        let folder = tempfile::tempdir().unwrap();
        let lessons = Lessons::open(folder.path()).unwrap();
        let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let learned = Learned { width: 80, batch: 5, rate: Some(50.0), throughput: 790.0, latency: 0.1, samples: 900, at };
        lessons.keep("ops", "webhook", 1, &learned).unwrap();
        assert_eq!(lessons.recall("ops", "webhook", 1).unwrap(), Some(learned));
        assert_eq!(lessons.recall("ops", "webhook", 2).unwrap(), None);
        assert_eq!(lessons.recall("ops", "smtp", 1).unwrap(), None);
    }
}
