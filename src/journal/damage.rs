//! Why a journal cannot be written or believed: what, where, and what to do. All of it is exit code 74.

use std::path::{Path, PathBuf};

/// What stopped the journal. Every sentence says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Writing or reading failed: disk full, read-only, I/O error.
    #[error("{doing} failed on {}: {why}\n{}", path.display(), trouble.advice(doing))]
    Storage {
        /// The file.
        path: PathBuf,
        /// What was being done: "writing the journal".
        doing: &'static str,
        /// The system's words.
        why: String,
        /// Of what sort, which decides whether the reserve is used.
        trouble: Trouble,
    },
    /// What was read is not what was written.
    #[error(
        "the journal is damaged: {what}\n  --> {}\nNothing was sent. Going on would mean to assume: {assumed}.\n\
         Restore the run folder from a backup, or start a new run with the rows that the server's own records lack.",
        path.display()
    )]
    Damage {
        /// The file.
        path: PathBuf,
        /// What does not fit, and at which row.
        what: String,
        /// What one would have to assume to go on.
        assumed: String,
    },
    /// Written by another version of the program.
    #[error(
        "the journal has form {found}, this program knows {known}\n  --> {}\nUse the version of notify that started the run (see `notify runs`).",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// The form of the file.
        found: i64,
        /// The only form that this program reads and writes.
        known: i64,
    },
    /// A mark came after `close`.
    #[error("the journal has been closed already: nothing more can be recorded in this process")]
    Closed,
}

/// The sorts of trouble with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No space, or over quota: giving back the reserve helps once.
    Full,
    /// fsync failed: what the disk has is unknown and the file is not written again (PostgreSQL's lesson of 2018).
    Sync,
    /// Read-only.
    ReadOnly,
    /// Another process holds the database.
    Busy,
    /// Anything else.
    Io,
}

/// Nothing of the run is kept before this is done, and there is nothing to resume.
pub(crate) const MAKING: &str = "making the journal";

impl Trouble {
    fn advice(self, doing: &str) -> String {
        let (so, first) = match self {
            Trouble::Full => ("Nothing is sent that cannot be remembered, so the run has stopped. ", "Free some space"),
            Trouble::Sync => ("The disk did not confirm what was written, so the run has stopped. ", "Check the disk"),
            Trouble::ReadOnly => ("", "Make the state folder writable (or choose another with --state-dir)"),
            Trouble::Busy => ("", "Close the other program that has the file open for writing"),
            Trouble::Io => ("Nothing is sent that cannot be remembered, so the run has stopped. ", "Check the disk"),
        };
        let then = if doing == MAKING { "start it again: nothing was sent" } else { "`notify resume`" };
        format!("{so}{first}, then {then}.")
    }
}

impl JournalError {
    /// Of what sort an SQLite error is. `SQLITE_CORRUPT` and `SQLITE_NOTADB` are damage, all others are storage.
    pub(crate) fn sqlite(path: &Path, doing: &'static str, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let Some(code) = error.sqlite_error() else {
            return JournalError::damage(path, format!("{doing}: {error}"), "that the unreadable rows were never tried");
        };
        let trouble = match code.code {
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                return JournalError::damage(path, format!("{doing}: {error}"), "that the unreadable rows were never tried");
            }
            ErrorCode::DiskFull => Trouble::Full,
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Trouble::ReadOnly,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Trouble::Busy,
            _ if matches!(code.extended_code, rusqlite::ffi::SQLITE_IOERR_FSYNC | rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC) => {
                Trouble::Sync
            }
            _ => Trouble::Io,
        };
        JournalError::Storage { path: path.to_owned(), doing, why: error.to_string(), trouble }
    }

    /// The same for the files beside the database.
    pub(crate) fn io(path: &Path, doing: &'static str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let trouble = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Trouble::Full,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Trouble::ReadOnly,
            _ => Trouble::Io,
        };
        JournalError::Storage { path: path.to_owned(), doing, why: error.to_string(), trouble }
    }

    pub(crate) fn damage(path: &Path, what: impl Into<String>, assumed: impl Into<String>) -> Self {
        JournalError::Damage { path: path.to_owned(), what: what.into(), assumed: assumed.into() }
    }
}
