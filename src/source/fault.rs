//! Why a list as a whole cannot be read: damage, an encoding nobody can be sure of, or a file system that fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::problem::Problem;

/// Why there is no spool. Bad rows are not here: they are rows (see `Row::recipient`).
#[derive(Debug)]
pub enum SourceError {
    /// The input or an option is wrong for the list as a whole; nothing can be sent (exit 3).
    Damage(Vec<Problem>),
    /// The bytes are not UTF-8 and what they are is for a person to say (exit 3).
    Encoding(Box<Ambiguity>),
    /// The input cannot be opened or read (exit 3).
    Input {
        /// The input as messages call it.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// The run's own folder cannot be written (exit 74).
    Spool(io::Error),
}

impl SourceError {
    /// One problem of the list as a whole.
    pub(crate) fn damage(problem: Problem) -> Self {
        SourceError::Damage(vec![problem])
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Damage(problems) => {
                for (n, problem) in problems.iter().enumerate() {
                    if n > 0 {
                        writeln!(f)?;
                    }
                    write!(f, "{problem}")?;
                }
                Ok(())
            }
            SourceError::Encoding(ambiguity) => ambiguity.fmt(f),
            SourceError::Input { name, error } => match error.kind() {
                io::ErrorKind::NotFound => write!(f, "there is no file {name}"),
                io::ErrorKind::PermissionDenied => write!(f, "{name} may not be read by this user (permission denied)"),
                _ => write!(f, "cannot read {name}: {error}"),
            },
            SourceError::Spool(error) => write!(f, "cannot write the spool of this run: {error}"),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SourceError::Input { error, .. } | SourceError::Spool(error) => Some(error),
            SourceError::Damage(_) | SourceError::Encoding(_) => None,
        }
    }
}

/// One way to read bytes that are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// As `--encoding` takes it.
    pub label: String,
    /// Up to three values of the list, read this way.
    pub samples: Vec<String>,
}

/// The input is not UTF-8 and carries no mark of what it is: a person looks at the readings and says which is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguity {
    /// The input as messages call it.
    pub name: String,
    /// The first line that is not UTF-8, from 1.
    pub line: u64,
    /// Possible readings, the likeliest first; never empty.
    pub readings: Vec<Reading>,
    /// Where the bytes of a pipe were kept (0600), so that an answer can be tried with `Input::File`.
    pub copy: Option<PathBuf>,
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: not UTF-8, and nothing in it says what else it is", self.name, self.line)?;
        for reading in &self.readings {
            writeln!(f, "  {:<14} {}", reading.label, reading.samples.join("  |  "))?;
        }
        let label = self.readings.first().map_or("gb18030", |reading| reading.label.as_str());
        match self.readings.len() {
            0 | 1 => write!(
                f,
                "  = help: if that reads right, add --encoding {label}; otherwise the file is damaged, or in another encoding"
            ),
            _ => write!(f, "  = help: add the one that reads right, such as --encoding {label}"),
        }
    }
}
