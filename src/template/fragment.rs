//! A fragment: one piece of template text and the place in a file that it came from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::problem::Problem;

/// Template text that is compiled by itself: a body, a header's value, a partial.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    /// The text.
    pub(super) source: String,
    /// Its file.
    pub(super) path: PathBuf,
    /// The whole file, for the line that a problem shows.
    pub(super) text: Arc<str>,
    /// Line of the file on which `source` begins, from 1.
    pub(super) line: usize,
    /// Characters before `source` on that line.
    pub(super) lead: usize,
}

impl Fragment {
    /// A whole file.
    pub(super) fn whole(path: &Path, text: &str) -> Fragment {
        Fragment { source: text.to_owned(), path: path.to_owned(), text: Arc::from(text), line: 1, lead: 0 }
    }

    /// A problem at line and column of `source` (both from 1).
    pub(super) fn problem(&self, line: usize, column: usize, width: usize, what: String, help: Option<String>) -> Problem {
        let column = if line == 1 { column + self.lead } else { column };
        let line = self.line + line - 1;
        let text = self.text.lines().nth(line - 1).unwrap_or_default();
        // A mark that runs over the end of the line would point at nothing.
        let room = (text.chars().count() + 1).saturating_sub(column).max(1);
        Problem {
            what,
            path: Some(self.path.clone()),
            line: Some(line),
            column: Some(column),
            width: width.clamp(1, room),
            text: Some(text.to_owned()),
            help,
        }
    }

    /// A problem at a byte of `source`.
    pub(super) fn problem_at(&self, at: usize, width: usize, what: String, help: Option<String>) -> Problem {
        let (line, column) = line_column(&self.source, at);
        self.problem(line, column, width, what, help)
    }

    /// Line of the file for a line of `source`.
    pub(super) fn file_line(&self, line: usize) -> usize {
        self.line + line.max(1) - 1
    }
}

/// Line and column (in characters), both from 1, of a byte.
pub(super) fn line_column(source: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    let before = &source[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// The byte of a line and column, both from 1.
pub(super) fn byte_of(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}
