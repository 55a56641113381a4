//! The rows of a run, as they were read: a file of records and an index, so that any row is one seek away.

use std::path::Path;

use crate::problem::Problem;
use crate::recipient::{Position, Row};

/// Reads a spool. Cheap to open; each reader has its own file handle.
#[derive(Debug)]
pub struct Spool {}

impl Spool {
    /// Opens the spool in the run folder.
    ///
    /// # Errors
    /// A missing, foreign or damaged spool.
    pub fn open(folder: &Path) -> Result<Spool, Problem> {
        let _ = folder;
        todo!()
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        todo!()
    }

    /// Column names in the order of the input (for JSON inputs: in the order in which keys were first seen).
    pub fn columns(&self) -> &[String] {
        todo!()
    }

    /// One row.
    ///
    /// # Errors
    /// Damage: the record's checksum does not fit.
    pub fn read(&mut self, position: Position) -> Result<Row, Problem> {
        let _ = position;
        todo!()
    }

    /// Up to `max` rows from `from` on, in order; fewer only at the end.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn read_many(&mut self, from: u64, max: usize) -> Result<Vec<Row>, Problem> {
        let _ = (from, max);
        todo!()
    }
}
