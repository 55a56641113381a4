//! Where rows come from: any list is read strictly, once, into the run's spool; everything after reads the spool.
//!
//! The way of a list: `intake` (bytes, unpacked) → `encoding` (text) → `list` (`delimited` or `json`: rows) → `assemble` (recipients) →
//! `spool` (records) → `dedupe` (marks on those that repeat an earlier one). A pipe without end goes the same way row by row: `stream`.

use std::collections::BTreeSet;
use std::io::{self, BufRead};
use std::path::Path;

use crate::problem::Problem;
use crate::source::assemble::{Assembler, Entry};
use crate::source::columns::note;
use crate::source::dedupe::Sorter;
use crate::source::encoding::{Malformed, Text};
use crate::source::fault::{Ambiguity, SourceError};
use crate::source::intake::{Intake, Meter};
use crate::source::list::{Halted, List};
use crate::source::options::{Dedupe, Format, Input, ReadOptions};
use crate::source::raw::Raw;
use crate::source::record::{Header, Via, claims};
use crate::source::spool::Writer;

mod address;
mod assemble;
mod columns;
mod dedupe;
mod delimited;
mod encoding;
pub mod fault;
mod intake;
mod json;
mod list;
pub mod options;
mod raw;
mod record;
mod seen;
pub mod spool;
pub mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "compress")]
mod zstd;

/// Rows between two calls of `progress`.
const TELL: u64 = 1024;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// Records in the spool: one for each recipient of each row, and one for each bad row.
    pub rows: u64,
    /// How many of them are bad.
    pub bad: u64,
    /// How many of them repeat an earlier one and are skipped.
    pub duplicates: u64,
    /// Accounts that good rows go by.
    pub accounts: BTreeSet<String>,
    /// Templates that good rows name by `_template`.
    pub templates: BTreeSet<String>,
    /// Names of the columns, mapped.
    pub columns: Vec<String>,
    /// The encoding, as the standard spells it (`UTF-8`, `gb18030`).
    pub encoding: String,
    /// The format.
    pub format: Format,
    /// The delimiter, of a delimited list.
    pub delimiter: Option<u8>,
    /// What the user should be told about how the list was understood; a sentence each.
    pub notices: Vec<String>,
    /// SHA-256 of the input's bytes as they are stored, in hex.
    pub digest: String,
}

/// Reads the whole input into a spool in `folder`, and tells `progress` how many of its bytes were read, and of how many where that is
/// known. When it returns, the spool is durable. Memory does not depend on the length of the list.
///
/// # Errors
/// See [`SourceError`]. Bad rows are no error.
pub fn spool(
    input: Input,
    options: &ReadOptions,
    folder: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Spooled, SourceError> {
    spool_in_chunks(&input, options, folder, progress, dedupe::CHUNK)
}

/// As [`spool`], holding `chunk` fingerprints at once.
fn spool_in_chunks(
    input: &Input,
    options: &ReadOptions,
    folder: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
    chunk: usize,
) -> Result<Spooled, SourceError> {
    check(options)?;
    let intake = Intake::take(input, folder, progress)?;
    let (text, meter) = open(&intake, options)?;
    let told = |halted: Halted| match halted.told(&intake.name, &intake.path) {
        (_, Some(malformed)) => ambiguous(&intake, options, &malformed),
        (error, None) => error,
    };
    let mut read = Reading { intake: &intake, options, meter: &meter, progress };
    let spooled = read.all(text, folder, chunk).map_err(|stop| match stop {
        Stop::Input(halted) => told(halted),
        Stop::Spool(error) => SourceError::Spool(error),
    })?;
    intake.drop_copy();
    Ok(spooled)
}

/// Why reading stopped: each side of the copy has its own exit code.
enum Stop {
    Input(Halted),
    Spool(io::Error),
}

impl<T: Into<Halted>> From<T> for Stop {
    fn from(halt: T) -> Self {
        Stop::Input(halt.into())
    }
}

struct Reading<'a> {
    intake: &'a Intake,
    options: &'a ReadOptions,
    meter: &'a Meter,
    progress: &'a mut dyn FnMut(u64, Option<u64>),
}

impl Reading<'_> {
    fn all(&mut self, text: Text, folder: &Path, chunk: usize) -> Result<Spooled, Stop> {
        let options = self.options;
        let encoding = text.encoding.name().to_owned();
        let mut assembler = Assembler::new(options);
        let mut list = List::open(text, &self.intake.path, options, &mut assembler, true)?;
        let header = header(options, &assembler, &list);
        let mut writer = Writer::create(folder, header).map_err(Stop::Spool)?;
        let mut sorter = Sorter::new(folder, chunk);
        let (mut seen, mut taken, mut bad) = (0u64, 0u64, 0u64);
        let mut entries = Vec::new();
        let (mut accounts, mut templates) = (BTreeSet::new(), BTreeSet::new());
        while options.limit.is_none_or(|limit| taken < limit) {
            let Some(raw) = list.next()? else { break };
            seen += 1;
            if seen.is_multiple_of(TELL) {
                (self.progress)(self.meter.bytes(), self.intake.len);
            }
            if seen <= options.skip {
                continue;
            }
            taken += 1;
            entries.clear();
            take(raw, &mut list, &mut assembler, &mut entries);
            for entry in &entries {
                let row = writer.append(entry, None, u32::from(matches!(entry, Entry::Good(_)))).map_err(Stop::Spool)?;
                match entry {
                    Entry::Bad { .. } => bad += 1,
                    Entry::Good(good) => {
                        accounts.insert(good.account);
                        if let Some(template) = good.template.as_ref().filter(|name| !templates.contains(*name)) {
                            templates.insert(template.clone());
                        }
                        for claim in claims(good, &writer.header.accounts[good.account], options.dedupe).into_iter().flatten() {
                            sorter.push(claim, row).map_err(Stop::Spool)?;
                        }
                    }
                }
            }
        }
        // Rows beyond `--limit` are not taken, but the digest is of all bytes and text is text to its end.
        while let count @ 1.. = list.text().fill_buf()?.len() {
            list.text().consume(count);
        }
        list.close(options, &assembler, taken).map_err(Halted::Damage)?;
        (self.progress)(self.meter.bytes(), self.intake.len);
        let mut duplicates = 0;
        let mark = |repeat| {
            duplicates += u64::from(writer.mark(repeat)?);
            Ok(())
        };
        sorter.finish(mark).map_err(Stop::Spool)?;
        writer.header.columns.clone_from(&list.columns);
        writer.announce(true).map_err(Stop::Spool)?;
        let keyed = if list.format.delimited() { assembler.plan().key.is_some() } else { assembler.keyed > 0 };
        // The rows of a retry file carry their keys in `_notify`, and nobody who retries said --dedupe.
        let retried = assembler.plan().notify.is_some();
        if options.dedupe == Dedupe::Key && !keyed && !retried && taken > 0 {
            let what = "--dedupe key: the rows have no key (--key COLUMN, or `_key`), so none is taken for a duplicate";
            note(&mut assembler.notices, what.to_owned());
        }
        let notices = notices(&assembler, &encoding, seen, options.skip);
        let accounts = accounts.into_iter().map(|account: usize| writer.header.accounts[account].name.to_string()).collect();
        Ok(Spooled {
            rows: writer.header.rows,
            bad,
            duplicates,
            accounts,
            templates,
            columns: list.columns.clone(),
            encoding,
            format: list.format,
            delimiter: list.delimiter,
            notices,
            digest: self.meter.digest(),
        })
    }
}

/// One row through the assembler; the list learns its columns.
fn take(raw: Raw, list: &mut List, assembler: &mut Assembler, entries: &mut Vec<Entry>) -> bool {
    assembler.assemble(raw, entries);
    !list.format.delimited() && list.learn(&assembler.plan().names)
}

fn header(options: &ReadOptions, assembler: &Assembler, list: &List) -> Header {
    let accounts = assembler.accounts.iter().map(|account| Via {
        name: account.name.clone(),
        fixed: account.addressing.fixed.as_deref().map(Into::into),
        fold_case: account.addressing.fold_case,
        secret: account.addressing.secret,
    });
    Header {
        columns: list.columns.clone(),
        hidden: assembler.plan().hidden.clone(),
        constants: options.constants.clone(),
        accounts: accounts.collect(),
        ..Header::default()
    }
}

fn notices(assembler: &Assembler, encoding: &str, seen: u64, skip: u64) -> Vec<String> {
    let mut notices = assembler.notices.clone();
    if encoding != "UTF-8" {
        note(&mut notices, format!("read as {encoding}"));
    }
    if seen > 0 && seen <= skip {
        note(&mut notices, format!("the list has {seen} rows, and --skip passed over all of them"));
    }
    notices.into_iter().collect()
}

/// Options that do not fit together, whatever the input.
fn check(options: &ReadOptions) -> Result<(), SourceError> {
    if !options.addressing.contains_key(&options.default_account) {
        let what = format!("there is no account `{}`", options.default_account);
        return Err(SourceError::damage(Problem { what, ..Problem::default() }));
    }
    Ok(())
}

/// The text of the input from its start.
fn open(intake: &Intake, options: &ReadOptions) -> Result<(Text, Meter), SourceError> {
    let (bytes, meter) = intake.open()?;
    let named = options.encoding.as_deref().map(encoding::named).transpose().map_err(SourceError::damage)?;
    let opened = Text::open(bytes, named).map_err(|error| Halted::Io(error).told(&intake.name, &intake.path).0)?;
    match opened {
        Ok(text) => Ok((text, meter)),
        Err(problem) => Err(SourceError::damage(Problem { path: Some(intake.path.clone()), ..problem })),
    }
}

/// Reads the input once more, to show how it could be read.
fn ambiguous(intake: &Intake, options: &ReadOptions, malformed: &Malformed) -> SourceError {
    let (bytes, _) = match intake.open() {
        Ok(opened) => opened,
        Err(error) => return error,
    };
    match encoding::guess(bytes, options.region.as_deref()) {
        Ok(readings) => SourceError::Encoding(Box::new(Ambiguity {
            name: intake.name.clone(),
            line: malformed.line,
            readings,
            copy: intake.copy.clone(),
        })),
        Err(error) => SourceError::Input { name: intake.name.clone(), error },
    }
}
