//! The files of a finished (or stopped) run, made from spool and journal in one pass: each row once, in order.
//!
//! Each file is written beside its name, synced and renamed, so that a reader finds the old one or the new one and never a half.
//! Memory is one page of rows. The numbers of the three tellings (spool, journal, lines written) must agree, or no report is made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::journal::damage::JournalError;
use crate::journal::folder::{Ended, Ending, FolderError, Manifest, RunFolder, private_file, sync_dir};
use crate::journal::reader::Reader;
use crate::journal::table::Known;
use crate::problem::Problem;
use crate::recipient::{Position, Row};
use crate::report::cell;
use crate::report::html::{self, FailedRow};
use crate::report::line::{COLUMNS, Telling};
use crate::report::paths::Paths;
use crate::report::totals;
use crate::source::spool::Spool;
use crate::tally::{State, Tally};

/// Rows held at once: bounds the memory of a report.
const PAGE: usize = 256;

/// Why there is no report, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be written.
    #[error("cannot write {}: {why}\nThe journal is whole: make room, then `notify resume`, which makes the files.", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The rows could not be read.
    #[error("{0}")]
    Spool(Box<Problem>),
    /// The outcomes could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The run folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Spool and journal are not of one run, or one of them is not whole.
    #[error("the run's files do not agree, so no report was made: {0}")]
    Disagree(String),
}

impl From<Problem> for ReportError {
    fn from(problem: Problem) -> Self {
        ReportError::Spool(Box::new(problem))
    }
}

/// The rows of a run, as the report needs them. Beside the spool, tests have rows in memory.
pub(crate) trait Rows {
    fn count(&self) -> u64;
    fn names(&self) -> &[String];
    fn page(&mut self, from: u64, most: usize) -> Result<Vec<Row>, Problem>;
}

impl Rows for Spool {
    fn count(&self) -> u64 {
        self.rows()
    }

    fn names(&self) -> &[String] {
        self.columns()
    }

    fn page(&mut self, from: u64, most: usize) -> Result<Vec<Row>, Problem> {
        self.read_many(from, most)
    }
}

/// A file that becomes visible when it is whole.
struct Rising {
    path: PathBuf,
    temp: Option<PathBuf>,
    out: BufWriter<File>,
}

impl Rising {
    fn begin(path: &Path) -> Result<Rising, ReportError> {
        let failed = |why: io::Error| ReportError::Write { path: path.to_owned(), why: why.to_string() };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // A pipe or a device (`--report /dev/stdout`) is written to; renaming over it would destroy it.
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        if special {
            let file = File::options().write(true).open(path).map_err(failed)?;
            return Ok(Rising { path: path.to_owned(), temp: None, out: BufWriter::new(file) });
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temp = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = private_file(&temp).map_err(failed)?;
        Ok(Rising { path: path.to_owned(), temp: Some(temp), out: BufWriter::with_capacity(64 * 1024, file) })
    }

    fn failed(&self, why: &io::Error) -> ReportError {
        ReportError::Write { path: self.path.clone(), why: why.to_string() }
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ReportError> {
        write(&mut self.out).map_err(|why| ReportError::Write { path: self.path.clone(), why: why.to_string() })
    }

    fn finish(self) -> Result<(), ReportError> {
        rise(vec![self])
    }
}

/// All of them become visible, in this order. They are synced at the same time: a disk that is asked for several at once answers with
/// one turn, not with one for each.
fn rise(mut files: Vec<Rising>) -> Result<(), ReportError> {
    for file in &mut files {
        file.out.flush().map_err(|why| file.failed(&why))?;
    }
    let synced: Vec<io::Result<()>> = std::thread::scope(|scope| {
        let sync = |file: &Rising| file.temp.as_ref().map(|_| file.out.get_ref().try_clone());
        let threads: Vec<_> = files
            .iter()
            .map(|file| sync(file).map(|handle| scope.spawn(move || handle.and_then(|file| file.sync_all()))))
            .collect();
        let lost = |_| Err(io::Error::other("the thread that synced it broke"));
        threads.into_iter().map(|thread| thread.map_or(Ok(()), |thread| thread.join().unwrap_or_else(lost))).collect()
    });
    for (file, synced) in files.iter().zip(synced) {
        synced.map_err(|why| file.failed(&why))?;
    }
    let mut folders: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for file in &mut files {
        let Some(temp) = file.temp.take() else { continue };
        fs::rename(&temp, &file.path).map_err(|why| file.failed(&why))?;
        let folder = file.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folders.insert(folder.to_owned(), file.path.clone());
    }
    for (folder, path) in folders {
        sync_dir(&folder).map_err(|why| ReportError::Write { path, why: why.to_string() })?;
    }
    Ok(())
}

impl Drop for Rising {
    fn drop(&mut self) {
        if let Some(temp) = &self.temp {
            // It never became visible; what is left of it is of no use to anybody.
            let _ = fs::remove_file(temp);
        }
    }
}

/// Writes one JSON value and a newline.
pub(crate) fn write_line(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Each row of the run once, in order, with what the journal knows of it. Returns how many lines there were.
pub(crate) fn each_row(
    rows: &mut dyn Rows,
    reader: &mut Reader,
    mut tell: impl FnMut(&Row, Option<&Known>) -> Result<(), ReportError>,
) -> Result<u64, ReportError> {
    let mut from = 0u64;
    loop {
        let page = rows.page(from, PAGE)?;
        if page.is_empty() {
            return Ok(from);
        }
        let end = from + page.len() as u64;
        let mut known = reader.outcomes(Position::row(from), page.len())?.into_iter().peekable();
        for row in &page {
            while known.next_if(|known| known.position < row.position).is_some() {}
            tell(row, known.next_if(|known| known.position == row.position).as_ref())?;
        }
        from = end;
    }
}

/// Makes all files of the run as it stands, and remembers the ending in the run folder. The journal may be open or closed.
///
/// # Errors
/// A file that cannot be written or read; files that were whole before stay as they were.
pub fn write(folder: &RunFolder, manifest: &Manifest, ending: &Ending) -> Result<(Paths, Tally), ReportError> {
    write_from(folder, manifest, ending, &mut Spool::open(folder.spool_dir())?)
}

pub(crate) fn write_from(
    folder: &RunFolder,
    manifest: &Manifest,
    ending: &Ending,
    rows: &mut dyn Rows,
) -> Result<(Paths, Tally), ReportError> {
    let paths = Paths::of(manifest);
    let mut reader = Reader::open(folder)?;
    reader.freeze()?;
    let tally = reader.tally()?;
    if rows.count() != tally.total {
        return Err(ReportError::Disagree(format!("the spool has {} rows, the journal {}", rows.count(), tally.total)));
    }
    let telling = Telling::new(manifest);
    let mut results_csv = Rising::begin(&paths.results_csv)?;
    let mut results = Rising::begin(&paths.results_jsonl)?;
    let mut failed = Rising::begin(&paths.failed_jsonl)?;
    let mut failed_csv = Rising::begin(&paths.failed_csv)?;
    let mut in_doubt = Rising::begin(&paths.in_doubt_jsonl)?;
    let columns = rows.names().to_vec();
    results_csv.write(|out| begin_csv(out, COLUMNS.iter().copied()))?;
    failed_csv.write(|out| begin_csv(out, columns.iter().map(String::as_str).chain(["error"])))?;
    let mut told = [0u64; State::ALL.len()];
    let mut shown: Vec<FailedRow> = Vec::new();
    each_row(rows, &mut reader, |row, known| {
        let line = telling.result(row, known);
        told[line.status as usize] += 1;
        results.write(|out| write_line(out, &line))?;
        results_csv.write(|out| cell::write_row(out, line.cells()))?;
        match known {
            Some(known) if known.state == State::Failed => {
                if shown.len() < html::FAILED {
                    shown.push(line.shown());
                }
                failed.write(|out| write_line(out, &telling.retry(row, known)))?;
                failed_csv.write(|out| cell::write_row(out, telling.failed_cells(&columns, row, known)))
            }
            Some(known) if known.state == State::InDoubt => in_doubt.write(|out| write_line(out, &telling.retry(row, known))),
            _ => Ok(()),
        }
    })?;
    let counted = [tally.pending(), tally.sent, tally.failed, tally.in_doubt, tally.skipped];
    if told != counted {
        return Err(ReportError::Disagree(format!(
            "pending, sent, failed, in doubt, skipped are {counted:?} in the journal and {told:?} row by row"
        )));
    }
    let tree = totals::with_events(totals::json(manifest, ending, &tally, &paths), folder);
    let mut report = Rising::begin(&paths.report)?;
    report.write(|out| {
        serde_json::to_writer_pretty(&mut *out, &tree)?;
        out.write_all(b"\n")
    })?;
    let mut page = Rising::begin(&paths.report_html)?;
    page.write(|out| out.write_all(html::page(&tree, &shown).as_bytes()))?;
    // The retry file first and the numbers last: a report never speaks of files that are not there yet.
    rise(vec![failed, failed_csv, in_doubt, results, results_csv, page, report])?;
    folder.write_ended(&Ended { ending: ending.clone(), tally: tally.clone() })?;
    Ok((paths, tally))
}

fn begin_csv<'a>(out: &mut dyn Write, names: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    out.write_all(cell::BOM)?;
    cell::write_row(out, names)
}

/// `notify report --format csv`: the results of a run as they stand now, in the form of `results.csv`.
///
/// # Errors
/// The run's files, or `out`.
pub fn csv(folder: &RunFolder, manifest: &Manifest, out: &mut dyn Write) -> Result<(), ReportError> {
    let stdout = |why: io::Error| ReportError::Write { path: PathBuf::from("-"), why: why.to_string() };
    let mut reader = Reader::open(folder)?;
    let telling = Telling::new(manifest);
    begin_csv(out, COLUMNS.iter().copied()).map_err(stdout)?;
    let mut rows = Spool::open(folder.spool_dir())?;
    each_row(&mut rows, &mut reader, |row, known| cell::write_row(out, telling.result(row, known).cells()).map_err(stdout))?;
    Ok(())
}

/// `notify report --format html`: the page of a run whose `report.json` is this tree.
///
/// # Errors
/// The run's files.
pub fn page(folder: &RunFolder, manifest: &Manifest, tree: &Value) -> Result<String, ReportError> {
    let mut reader = Reader::open(folder)?;
    let telling = Telling::new(manifest);
    let mut rows = Spool::open(folder.spool_dir())?;
    let mut shown: Vec<FailedRow> = Vec::new();
    for known in &reader.in_state(State::Failed, Position::row(0), html::FAILED)? {
        if let Some(row) = rows.page(known.position.row, 1)?.first() {
            shown.push(telling.result(row, Some(known)).shown());
        }
    }
    Ok(html::page(tree, &shown))
}

/// Each row of a run as it stands now, with what the journal knows of it and its line of `results.jsonl`.
///
/// # Errors
/// The run's files.
pub fn each_result(
    folder: &RunFolder,
    manifest: &Manifest,
    mut tell: impl FnMut(&Row, Option<&Known>, &dyn Fn() -> Value),
) -> Result<(), ReportError> {
    let mut reader = Reader::open(folder)?;
    let telling = Telling::new(manifest);
    let mut rows = Spool::open(folder.spool_dir())?;
    each_row(&mut rows, &mut reader, |row, known| {
        tell(row, known, &|| serde_json::to_value(telling.result(row, known)).unwrap_or_default());
        Ok(())
    })?;
    Ok(())
}

/// The lines of a retry file for all rows in these states, as the journal has them now; for a file that is to be begun afresh.
pub(crate) fn rebuild(
    path: &Path,
    states: &[State],
    manifest: &Manifest,
    rows: &mut dyn Rows,
    reader: &mut Reader,
) -> Result<(), ReportError> {
    let telling = Telling::new(manifest);
    let mut file = Rising::begin(path)?;
    for state in states {
        let mut from = Position::row(0);
        loop {
            let page = reader.in_state(*state, from, PAGE)?;
            let Some(last) = page.last() else { break };
            from = Position::row(last.position.row + 1);
            for known in &page {
                if let Some(row) = rows.page(known.position.row, 1)?.first() {
                    let line: Map<String, Value> = telling.retry(row, known);
                    file.write(|out| write_line(out, &line))?;
                }
            }
        }
    }
    file.finish()
}

/// The rows of a run in these states as a retry file at `path`, told anew from its journal.
///
/// # Errors
/// The run's files, or `path`.
pub fn retry_file(folder: &RunFolder, path: &Path, states: &[State]) -> Result<(), ReportError> {
    let manifest = folder.manifest()?;
    let mut rows = Spool::open(folder.spool_dir())?;
    let mut reader = Reader::open(folder)?;
    rebuild(path, states, &manifest, &mut rows, &mut reader)
}
