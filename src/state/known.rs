//! The runs that there were: which have one name, which are of one line, and which had the same content to send.
//!
//! What became of each is in its own folder. A row of the list cannot be found here, only a hash over all of them.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::state::store::{self, Keep};

/// A hash over everything that a run has to send, and through what.
pub type Print = [u8; 16];

/// A run, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub began: i64,
    /// The first run of its line.
    pub lineage: String,
    /// `--name`.
    pub name: Option<String>,
    /// What it has to send; `None` where that is not known before its end.
    pub print: Option<Print>,
}

/// The runs of one state folder.
#[derive(Debug)]
pub struct Runs {
    db: Connection,
}

const COLUMNS: &str = "SELECT id, began, lineage, name, print FROM run";

impl Runs {
    /// Opens `state.db` in this folder.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        Ok(Runs { db: store::open(folder, Keep::Promise)? })
    }

    /// Those of that name, newest first.
    ///
    /// # Errors
    /// The disk.
    pub fn named(&self, name: &str) -> rusqlite::Result<Vec<Known>> {
        self.all("name = ?1", params![name])
    }

    /// Those of that line, newest first.
    ///
    /// # Errors
    /// The disk.
    pub fn of_lineage(&self, lineage: &str) -> rusqlite::Result<Vec<Known>> {
        self.all("lineage = ?1", params![lineage])
    }

    /// Those that had the same to send and began at `since` or later, newest first.
    ///
    /// # Errors
    /// The disk.
    pub fn alike(&self, print: &Print, since: i64) -> rusqlite::Result<Vec<Known>> {
        self.all("print = ?1 AND began >= ?2", params![print.as_slice(), since])
    }

    fn all(&self, condition: &str, params: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<Vec<Known>> {
        let mut query = self.db.prepare(&format!("{COLUMNS} WHERE {condition} ORDER BY began DESC, id DESC"))?;
        query.query_map(params, read)?.collect()
    }

    /// Remembers a run. Unless `though` it is so, nothing is remembered where one with the same print has come in since `looked`: that
    /// one is returned.
    ///
    /// # Errors
    /// The disk.
    pub fn note(&mut self, run: &Known, looked: i64, though: bool) -> rusqlite::Result<Option<Known>> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let (Some(print), false) = (&run.print, though) {
            let sql = format!("{COLUMNS} WHERE print = ?1 AND began >= ?2 AND name IS NULL LIMIT 1");
            let other = change.query_row(&sql, params![print.as_slice(), looked], read).optional()?;
            if other.is_some() {
                return Ok(other);
            }
        }
        change.execute(
            "INSERT OR REPLACE INTO run (id, began, lineage, name, print) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run.id, run.began, run.lineage, run.name, run.print.as_ref().map(<[u8; 16]>::as_slice)],
        )?;
        change.commit()?;
        Ok(None)
    }

    /// Forgets a run whose folder is gone for good.
    ///
    /// # Errors
    /// The disk.
    pub fn forget(&self, id: &str) -> rusqlite::Result<()> {
        self.db.execute("DELETE FROM run WHERE id = ?1", [id]).map(drop)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Known> {
    let print: Option<Vec<u8>> = row.get(4)?;
    Ok(Known {
        id: row.get(0)?,
        began: row.get(1)?,
        lineage: row.get(2)?,
        name: row.get(3)?,
        print: print.and_then(|print| print.try_into().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, began: i64, name: Option<&str>, print: u8) -> Known {
        Known { id: id.into(), began, lineage: "first".into(), name: name.map(Into::into), print: Some([print; 16]) }
    }

    #[test]
    fn runs_are_found_by_name_line_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let mut runs = Runs::open(folder.path()).unwrap();
        for known in [run("first", 100, Some("daily"), 1), run("second", 200, Some("daily"), 2), run("third", 300, None, 1)] {
            assert_eq!(runs.note(&known, 1_000, false).unwrap(), None);
        }
        let ids = |found: Vec<Known>| found.into_iter().map(|known| known.id).collect::<Vec<_>>();
        assert_eq!(ids(runs.named("daily").unwrap()), ["second", "first"]);
        assert_eq!(ids(runs.named("other").unwrap()), [""; 0]);
        assert_eq!(ids(runs.of_lineage("first").unwrap()), ["third", "second", "first"]);
        assert_eq!(ids(runs.alike(&[1; 16], 0).unwrap()), ["third", "first"]);
        assert_eq!(ids(runs.alike(&[1; 16], 101).unwrap()), ["third"]);
        runs.forget("third").unwrap();
        assert_eq!(ids(runs.alike(&[1; 16], 101).unwrap()), [""; 0]);
    }

    #[test]
    fn of_two_that_begin_at_once_the_second_is_told_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (mut here, mut there) = (Runs::open(folder.path()).unwrap(), Runs::open(folder.path()).unwrap());
        assert_eq!(here.note(&run("a", 500, None, 1), 400, false).unwrap(), None);
        assert_eq!(there.note(&run("b", 501, None, 1), 400, false).unwrap().unwrap().id, "a");
        assert_eq!(there.alike(&[1; 16], 0).unwrap().len(), 1, "and is not remembered");
        assert_eq!(there.note(&run("b", 501, None, 1), 400, true).unwrap(), None);
        assert_eq!(there.alike(&[1; 16], 0).unwrap().len(), 2);
    }
}
