//! Where settings were read from, and how a mistake in them is shown with its line.

use std::path::{Path, PathBuf};

use super::literal::veil;
use super::tree::Place;
use crate::problem::Problem;

/// One thing that settings were read from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A config file: how it is named to the user, its folder, its text.
    File { shown: PathBuf, folder: PathBuf, text: String },
    /// An environment variable.
    Variable { name: String, folder: PathBuf },
}

/// All that was read, in order. A [`Place`] names one of these by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a source and tells its index.
    pub(crate) fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    /// The folder that relative paths of this place are relative to.
    pub(crate) fn folder(&self, at: Place) -> Option<&Path> {
        match self.0.get(at.source)? {
            Source::File { folder, .. } | Source::Variable { folder, .. } => Some(folder),
        }
    }

    /// `notify.yaml:3`, `NOTIFY_VIA`.
    pub(crate) fn told(&self, at: Place) -> String {
        match self.0.get(at.source) {
            Some(Source::File { shown, .. }) if at.line > 0 => format!("{}:{}", shown.display(), at.line),
            Some(Source::File { shown, .. }) => shown.display().to_string(),
            Some(Source::Variable { name, .. }) => name.clone(),
            None => "built in".to_owned(),
        }
    }

    /// The mistake with its file, line, column and the line itself (secrets hidden); of a variable, with its name.
    pub(crate) fn problem(&self, at: Place, mark: &str, what: impl Into<String>, help: Option<String>) -> Problem {
        let mut problem =
            Problem { what: tame(&what.into()), help: help.map(|help| tame(&help)), width: 1, ..Problem::default() };
        match self.0.get(at.source) {
            Some(Source::File { shown, text, .. }) => {
                problem.path = Some(shown.clone());
                if at.line > 0 {
                    let line = text.lines().nth(at.line - 1).unwrap_or("");
                    problem.line = Some(at.line);
                    problem.column = Some(at.column);
                    let here: String = line.chars().skip(at.column.saturating_sub(1)).take(mark.chars().count()).collect();
                    problem.width =
                        if !mark.is_empty() && here == mark { unicode_width::UnicodeWidthStr::width(mark) } else { 1 };
                    let shown = tame(&shortened(&veil(line, at.column), at.column));
                    // A mark under what is hidden must not tell how long it is.
                    if shown.chars().count() < at.column.saturating_sub(1) + mark.chars().count() {
                        problem.width = 1;
                    }
                    problem.text = Some(shown);
                }
            }
            Some(Source::Variable { name, .. }) => problem.what = format!("environment variable {name}: {}", problem.what),
            None => {}
        }
        problem
    }
}

/// A line nobody can read on a screen (a config made by a machine) ends early.
fn shortened(line: &str, column: usize) -> String {
    let keep = (column + 80).max(200);
    match line.char_indices().nth(keep) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Without what moves a terminal's cursor or changes its colours; tabs stay, for the mark below.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect()
}
