//! Why a row cannot be rendered: a sentence, and the variable to look at.

use std::fmt;

use crate::recipient::{Place, RowError};

/// Why a row cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// One sentence with template, line and variable.
    pub what: String,
    /// The variable to blame: the column that a person looks at.
    pub variable: Option<String>,
}

impl RenderError {
    pub(super) fn new(what: impl Into<String>) -> Self {
        RenderError { what: what.into(), variable: None }
    }

    pub(super) fn of(variable: &str, what: impl Into<String>) -> Self {
        RenderError { what: what.into(), variable: Some(variable.to_owned()) }
    }

    /// The same as an error of the row at that place.
    pub fn at(self, place: &Place) -> RowError {
        let name = self.variable.or_else(|| place.name.clone());
        RowError { place: Place { name, ..place.clone() }, what: self.what }
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for RenderError {}
