//! Whether somebody has paused a run: a small file in its folder, so that a pause outlives the process that was told of it.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::journal::folder::{FolderError, RunFolder};

const FILE: &str = "paused.json";

/// Who paused it, when and why; it lasts until somebody resumes or aborts the run by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// `ann@desk, pid 4711`.
    pub by: String,
    /// As they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Pause {
    /// That of the run, if there is one. One that cannot be read is one.
    pub fn of(folder: &RunFolder) -> Option<Pause> {
        let bytes = fs::read(folder.path.join(FILE)).ok()?;
        let unreadable = || Pause { at: String::new(), by: "somebody".to_owned(), why: None };
        Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| unreadable()))
    }

    /// From now on.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, folder: &RunFolder) -> Result<(), FolderError> {
        folder.write_settings(FILE, self)
    }

    /// It is over.
    ///
    /// # Errors
    /// The disk.
    pub fn lift(folder: &RunFolder) -> io::Result<()> {
        match fs::remove_file(folder.path.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// `by ann@desk, pid 12 (lunch)`.
    pub fn told(&self) -> String {
        let why = self.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("by {}{why}", self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_until_it_is_lifted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "20261121-000000-aaaaaaaa").unwrap();
        assert_eq!(Pause::of(&folder), None);
        let pause =
            Pause { at: "2026-11-21T00:00:00Z".to_owned(), by: "ann@desk, pid 7".to_owned(), why: Some("lunch".to_owned()) };
        pause.write(&folder).unwrap();
        assert_eq!(Pause::of(&folder).unwrap().told(), "by ann@desk, pid 7 (lunch)");
        fs::write(folder.path.join(FILE), "{").unwrap();
        assert!(Pause::of(&folder).is_some(), "what cannot be read is a pause");
        Pause::lift(&folder).unwrap();
        Pause::lift(&folder).unwrap();
        assert_eq!(Pause::of(&folder), None);
    }
}
