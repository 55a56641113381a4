//! Who is not written to: addresses and whole domains, each with when and why, for all runs of this machine.
//!
//! Keys are the forms that `policy/address.rs` makes: what may be a credential is a hash here.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::state::store::{self, Keep};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `a@example.com`, `@example.com`, `+4915112345`, or the hash of an address that may be a credential.
    pub address: String,
    /// When it was added, in milliseconds since 1970.
    pub since: i64,
    /// A service said that there is no such address; nobody asked not to be written to. Another address of the same row may do.
    pub gone: bool,
    /// Why, in words for people; may be empty.
    pub reason: String,
}

/// The list.
#[derive(Debug)]
pub struct Suppressed {
    db: Connection,
}

impl Suppressed {
    /// Opens `state.db` in this folder.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path) -> rusqlite::Result<Self> {
        Ok(Suppressed { db: store::open(folder, Keep::Promise)? })
    }

    /// Adds entries, all or none; answers how many addresses are new. The word of a person stands above that of a service.
    ///
    /// # Errors
    /// The disk.
    pub fn add(&mut self, entries: impl Iterator<Item = Entry>) -> rusqlite::Result<u64> {
        let change = self.db.transaction()?;
        let mut added = 0;
        {
            let mut insert =
                change.prepare("INSERT OR IGNORE INTO suppressed (address, since, gone, reason) VALUES (?1, ?2, ?3, ?4)")?;
            let mut raise =
                change.prepare("UPDATE suppressed SET gone = 0, since = ?2, reason = ?3 WHERE address = ?1 AND gone = 1")?;
            for Entry { address, since, gone, reason } in entries {
                let new = insert.execute(params![address, since, gone, reason])? as u64;
                added += new;
                if new == 0 && !gone {
                    raise.execute(params![address, since, reason])?;
                }
            }
        }
        change.commit()?;
        Ok(added)
    }

    /// Removes an entry; whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, address: &str) -> rusqlite::Result<bool> {
        Ok(self.db.execute("DELETE FROM suppressed WHERE address = ?1", [address])? > 0)
    }

    /// The entry of exactly that form.
    ///
    /// # Errors
    /// The disk.
    pub fn find(&self, address: &str) -> rusqlite::Result<Option<Entry>> {
        let sql = "SELECT address, since, gone, reason FROM suppressed WHERE address = ?1";
        self.db.prepare_cached(sql)?.query_row([address], read).optional()
    }

    /// Whether there is any.
    ///
    /// # Errors
    /// The disk.
    pub fn is_empty(&self) -> rusqlite::Result<bool> {
        self.db.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM suppressed)")?.query_row([], |row| row.get(0))
    }

    /// Up to `most` entries behind that address, in their order.
    ///
    /// # Errors
    /// The disk.
    pub fn page(&self, after: &str, most: usize) -> rusqlite::Result<Vec<Entry>> {
        let sql = "SELECT address, since, gone, reason FROM suppressed WHERE address > ?1 ORDER BY address LIMIT ?2";
        self.db.prepare_cached(sql)?.query_map(params![after, most as i64], read)?.collect()
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { address: row.get(0)?, since: row.get(1)?, gone: row.get(2)?, reason: row.get(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str, gone: bool) -> Entry {
        Entry { address: address.into(), since: 1, gone, reason: String::new() }
    }

    #[test]
    fn entries_come_go_and_are_raised_but_never_lowered() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = Suppressed::open(folder.path()).unwrap();
        assert!(list.is_empty().unwrap());
        assert_eq!(list.add([entry("a", true), entry("b", false), entry("b", false)].into_iter()).unwrap(), 2);
        assert_eq!(list.add([entry("a", false), entry("b", true)].into_iter()).unwrap(), 0);
        assert!(!list.find("a").unwrap().unwrap().gone, "a person's word");
        assert!(!list.find("b").unwrap().unwrap().gone, "is not undone by a service's");
        assert_eq!(list.page("", 1).unwrap()[0].address, "a");
        assert_eq!(list.page("a", 9).unwrap().len(), 1);
        assert!(list.remove("a").unwrap() && !list.remove("a").unwrap());
        assert_eq!(list.find("a").unwrap(), None);
        assert!(!list.is_empty().unwrap());
    }
}
