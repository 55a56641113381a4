//! A row as its format gives it, before anyone asks who it is for.

use std::io;

use crate::problem::Problem;
use crate::recipient::{Place, RowError, Vars};

/// Bytes of one row at most; what is longer is a bad row, and only its beginning is held.
pub(crate) const MAX_ROW: usize = 4 << 20;

/// Bytes of one value at most.
pub(crate) const MAX_FIELD: usize = 1 << 20;

/// Key of a bad row's `raw` under which fields without a column stand.
pub(crate) const EXTRA: &str = "_extra";

/// Key of a bad row's `raw` under which a row stands that could not be taken apart.
pub(crate) const UNREAD: &str = "_raw";

/// One row of the input.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Line on which it begins, from 1.
    pub line: u64,
    /// What is in it.
    pub content: Content,
}

/// What is in a row.
#[derive(Debug)]
pub(crate) enum Content {
    /// One text for each column.
    Cells(csv::StringRecord),
    /// A JSON object.
    Object(Vars),
    /// Not readable; `raw` holds what was.
    Bad { error: RowError, raw: Vars },
}

impl Raw {
    /// A row that cannot be read, blamed on one column where that is known.
    pub fn bad(line: u64, column: Option<(u32, Option<&str>)>, what: impl Into<String>, raw: Vars) -> Self {
        let place = Place { line, column: column.map(|(n, _)| n), name: column.and_then(|(_, name)| name.map(str::to_owned)) };
        Raw { line, content: Content::Bad { error: RowError { place, what: what.into() }, raw } }
    }
}

/// Why reading ends before the input does.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The reader failed, or the bytes are not in their encoding (`Malformed` inside).
    Io(io::Error),
    /// The file as a whole is damaged.
    Damage(Box<Problem>),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Halt::Io(error)
    }
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Halt::Damage(Box::new(problem))
    }
}
