//! Control words for runs that other processes work on: asked here, heard there, answered here.
//!
//! A word is for one process (by its id), not for a run: what was asked of a process that has ended meanwhile never reaches the next.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::state::store::{self, Keep};

/// Words are forgotten after a day: what happened is told by the events of the run.
const KEPT_MS: i64 = 24 * 3600 * 1000;

/// The words of this machine.
#[derive(Debug)]
pub struct Words {
    db: Connection,
    /// The version of the database at the last look; unchanged means that nobody else wrote.
    seen: i64,
}

/// How it stands with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has heard it yet.
    Unheard,
    /// The process has heard it and has not answered.
    Heard,
    /// It was done, or not; and what was said to it.
    Answered {
        /// It was done.
        done: bool,
        /// What was said.
        text: String,
    },
}

impl Words {
    /// Opens `state.db` in this folder, and makes it where there is none.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        Ok(Words { db: store::open(folder, Keep::Advice)?, seen: -1 })
    }

    /// Asks the process `pid` that works on `run`; `now` in milliseconds of the wall clock. The number names the word from now on.
    ///
    /// # Errors
    /// The disk.
    pub fn ask(&self, run: &str, pid: u32, word: &str, now: i64) -> rusqlite::Result<i64> {
        self.db.execute("DELETE FROM control WHERE at < ?1", [now.saturating_sub(KEPT_MS)])?;
        let sql = "INSERT INTO control (run, pid, word, at) VALUES (?1, ?2, ?3, ?4)";
        self.db.execute(sql, params![run, pid, word, now])?;
        Ok(self.db.last_insert_rowid())
    }

    /// How it stands with this word.
    ///
    /// # Errors
    /// The disk.
    pub fn fate(&self, word: i64) -> rusqlite::Result<Fate> {
        let sql = "SELECT heard, done, answer FROM control WHERE id = ?1";
        let found = self.db.prepare_cached(sql)?.query_row([word], |row| {
            let (heard, done, answer): (bool, Option<bool>, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(match (heard, done) {
                (_, Some(done)) => Fate::Answered { done, text: answer.unwrap_or_default() },
                (true, None) => Fate::Heard,
                (false, None) => Fate::Unheard,
            })
        });
        Ok(found.optional()?.unwrap_or(Fate::Unheard))
    }

    /// Takes back a word that nobody has heard; false where somebody has.
    ///
    /// # Errors
    /// The disk.
    pub fn withdraw(&self, word: i64) -> rusqlite::Result<bool> {
        Ok(self.db.execute("DELETE FROM control WHERE id = ?1 AND NOT heard", [word])? > 0)
    }

    /// The words for this process that came since the last look, each heard only once, in order.
    ///
    /// # Errors
    /// The disk; what was not heard then is heard with the next look.
    pub fn hear(&mut self, run: &str, pid: u32) -> rusqlite::Result<Vec<(i64, String)>> {
        let version: i64 = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version == self.seen {
            return Ok(Vec::new());
        }
        let waiting: bool = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM control WHERE run = ?1 AND pid = ?2 AND NOT heard)")?
            .query_row(params![run, pid], |row| row.get(0))?;
        let mut words = Vec::new();
        if waiting {
            let sql = "UPDATE control SET heard = 1 WHERE run = ?1 AND pid = ?2 AND NOT heard RETURNING id, word";
            let mut query = self.db.prepare_cached(sql)?;
            let found = query.query_map(params![run, pid], |row| Ok((row.get(0)?, row.get(1)?)))?;
            words = found.collect::<rusqlite::Result<Vec<_>>>()?;
            words.sort_unstable_by_key(|(id, _)| *id);
        }
        self.seen = version;
        Ok(words)
    }

    /// Answers a word.
    ///
    /// # Errors
    /// The disk.
    pub fn answer(&self, word: i64, done: bool, text: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached("UPDATE control SET done = ?2, answer = ?3 WHERE id = ?1")?.execute(params![word, done, text])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_heard_once_by_the_process_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let (asker, mut run, mut next) =
            (Words::open(folder.path()).unwrap(), Words::open(folder.path()).unwrap(), Words::open(folder.path()).unwrap());
        assert_eq!(run.hear("r", 1).unwrap(), []);
        let pause = asker.ask("r", 1, "pause", 10).unwrap();
        let set = asker.ask("r", 1, "set", 11).unwrap();
        assert_eq!(asker.fate(pause).unwrap(), Fate::Unheard);
        assert_eq!(next.hear("r", 2).unwrap(), [], "another process of the same run");
        assert_eq!(run.hear("r", 1).unwrap(), [(pause, "pause".to_owned()), (set, "set".to_owned())]);
        assert_eq!(asker.fate(pause).unwrap(), Fate::Heard);
        assert!(!asker.withdraw(pause).unwrap(), "it was heard");
        assert_eq!(run.hear("r", 1).unwrap(), []);
        run.answer(pause, true, "paused").unwrap();
        assert_eq!(asker.fate(pause).unwrap(), Fate::Answered { done: true, text: "paused".to_owned() });
    }

    #[test]
    fn what_nobody_heard_is_taken_back_and_what_is_old_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (asker, mut run) = (Words::open(folder.path()).unwrap(), Words::open(folder.path()).unwrap());
        let word = asker.ask("r", 1, "abort", 10).unwrap();
        assert!(asker.withdraw(word).unwrap());
        assert_eq!(run.hear("r", 1).unwrap(), []);
        let old = asker.ask("r", 9, "abort", 10).unwrap();
        asker.ask("r", 9, "abort", 11 + KEPT_MS).unwrap();
        assert!(!asker.withdraw(old).unwrap(), "forgotten");
    }
}
