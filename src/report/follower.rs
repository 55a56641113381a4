//! The retry file while the run runs: appended by what the journal has made durable, never by who sends.
//!
//! The journal is the truth and this is its telling: a kill may cost lines here, which are made whole at resume and at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::delivery::Outcome;
use crate::error::ErrorKind;
use crate::journal::folder::{Manifest, RunFolder};
use crate::journal::reader::Reader;
use crate::journal::table::Known;
use crate::journal::{Follow, Mark, Record};
use crate::report::files::{self, ReportError, Rows};
use crate::report::line::Telling;
use crate::report::paths::Paths;
use crate::source::spool::Spool;
use crate::tally::State;

/// Appends a line to `failed.jsonl` or `in_doubt.jsonl` for each record that says so.
pub struct Follower {
    manifest: Manifest,
    rows: Box<dyn Rows + Send>,
    failed: BufWriter<File>,
    in_doubt: BufWriter<File>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("run", &self.manifest.id).finish_non_exhaustive()
    }
}

impl Follower {
    /// For a new run, whose spool is written: begins both files empty.
    ///
    /// # Errors
    /// The spool cannot be read, or the files cannot be written.
    pub fn create(folder: &RunFolder, manifest: &Manifest) -> Result<Follower, ReportError> {
        Follower::over(manifest, Box::new(Spool::open(folder.spool_dir())?), None)
    }

    /// For a run that goes on: makes both files anew from the journal, then appends. Call it before the journal is opened for
    /// writing, which then tells of what was found in doubt.
    ///
    /// # Errors
    /// As [`Follower::create`], and the journal's.
    pub fn resume(folder: &RunFolder, manifest: &Manifest) -> Result<Follower, ReportError> {
        Follower::over(manifest, Box::new(Spool::open(folder.spool_dir())?), Some(Reader::open(folder)?))
    }

    pub(crate) fn over(
        manifest: &Manifest,
        mut rows: Box<dyn Rows + Send>,
        mut journal: Option<Reader>,
    ) -> Result<Follower, ReportError> {
        let paths = Paths::of(manifest);
        let mut begin = |path: &Path, state: State| -> Result<BufWriter<File>, ReportError> {
            let failed = |why: io::Error| ReportError::Write { path: path.to_owned(), why: why.to_string() };
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            if let Some(reader) = &mut journal {
                files::rebuild(path, &[state], manifest, &mut *rows, reader)?;
            } else if !std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
                drop(crate::journal::folder::private_file(path).map_err(failed)?);
            }
            Ok(BufWriter::new(OpenOptions::new().append(true).open(path).map_err(failed)?))
        };
        let failed = begin(&paths.failed_jsonl, State::Failed)?;
        let in_doubt = begin(&paths.in_doubt_jsonl, State::InDoubt)?;
        Ok(Follower { manifest: manifest.clone(), rows, failed, in_doubt })
    }

    /// Tells of these records.
    ///
    /// # Errors
    /// The row cannot be read, or the line cannot be written.
    pub fn follow(&mut self, records: &[Record]) -> io::Result<()> {
        let telling = Telling::new(&self.manifest);
        for record in records {
            let Mark::Outcome(Outcome::Failed(error)) = &record.mark else { continue };
            let file = if error.kind == ErrorKind::InDoubt { &mut self.in_doubt } else { &mut self.failed };
            let page = self.rows.page(record.position.row, 1).map_err(|problem| io::Error::other(problem.to_string()))?;
            if let Some(row) = page.first() {
                let known = Known::of(record, jiff::Timestamp::now().as_millisecond(), 0);
                files::write_line(file, &telling.retry(row, &known))?;
            }
        }
        self.failed.flush()?;
        self.in_doubt.flush()
    }

    /// As the journal wants it.
    pub fn into_follow(mut self) -> Follow {
        Box::new(move |records| self.follow(records))
    }
}
