//! Rows of a pipe that may not end: each is spooled as it comes and handed on at once.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::problem::Problem;
use crate::recipient::{Position, Row};
use crate::source::Spooled;
use crate::source::assemble::{Assembler, Entry};
use crate::source::encoding::{Text, named};
use crate::source::fault::SourceError;
use crate::source::intake::unpack;
use crate::source::list::{Halted, List};
use crate::source::options::{Input, ReadOptions};
use crate::source::record::{Entered, LEAD, claims, decode, encode};
use crate::source::seen::Seen;
use crate::source::spool::Writer;

/// Reads rows one by one (`--stream`). Blocking: to be used from a thread of its own.
pub struct Stream {
    name: String,
    path: PathBuf,
    options: ReadOptions,
    list: List,
    assembler: Assembler,
    writer: Writer,
    seen: Seen,
    waiting: VecDeque<Row>,
    passed: u64,
    taken: u64,
    over: bool,
    gate: Gate,
}

/// Ends a stream from another thread: once it is closed, no row comes into the spool any more.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Mutex<bool>>);

impl Gate {
    /// Closes it; a row that is being written is written first.
    pub fn close(&self) {
        *self.lock() = false;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes durable what a stream has written into the spool in `folder` so far; from any thread, while it goes on writing.
///
/// # Errors
/// The disk's.
pub fn sync(folder: &Path) -> io::Result<()> {
    crate::source::spool::sync(folder)
}

impl Stream {
    /// Opens the input, waits for its first line and begins a spool in `folder`, which can be opened and read from then on.
    ///
    /// # Errors
    /// As [`crate::source::spool()`], but an encoding is never guessed: what is not named or marked is UTF-8.
    pub fn open(input: Input, options: ReadOptions, folder: &Path) -> Result<Stream, SourceError> {
        crate::source::check(&options)?;
        let (name, path) = (input.name(), input.path());
        let raw: Box<dyn Read + Send> = match input {
            Input::File(file) => Box::new(File::open(file).map_err(|error| SourceError::Input { name: name.clone(), error })?),
            Input::Stdin => Box::new(io::stdin()),
            Input::Bytes { bytes, .. } => Box::new(io::Cursor::new(bytes)),
        };
        let encoding = options.encoding.as_deref().map(named).transpose().map_err(SourceError::damage)?;
        let (bytes, _) = unpack(raw, &name, &path)?;
        let told = |halted: Halted| halted.told(&name, &path).0;
        let text = Text::open(bytes, encoding)
            .map_err(|error| told(Halted::Io(error)))?
            .map_err(|problem| SourceError::damage(Problem { path: Some(path.clone()), ..problem }))?;
        let mut assembler = Assembler::new(&options);
        let list = List::open(text, &path, &options, &mut assembler, false).map_err(told)?;
        let mut writer =
            Writer::create(folder, crate::source::header(&options, &assembler, &list)).map_err(SourceError::Spool)?;
        writer.announce(false).map_err(SourceError::Spool)?;
        let seen = Seen::create(folder).map_err(SourceError::Spool)?;
        let waiting = VecDeque::new();
        Ok(Stream {
            name,
            path,
            options,
            list,
            assembler,
            writer,
            seen,
            waiting,
            passed: 0,
            taken: 0,
            over: false,
            gate: Gate(Arc::new(Mutex::new(true))),
        })
    }

    /// The next row, already in the spool (but durable only after [`Stream::sync`]); `None` at the end of the pipe or of `--limit`.
    /// A JSON row without any address column is a bad row here, since nobody can say that all rows are like it.
    ///
    /// # Errors
    /// Damage from here on, and a disk that fails; rows before it stay good.
    pub fn read(&mut self) -> Result<Option<Row>, SourceError> {
        loop {
            if let Some(row) = self.waiting.pop_front() {
                return Ok(Some(row));
            }
            if self.over || self.options.limit.is_some_and(|limit| self.taken >= limit) {
                self.over = true;
                return Ok(None);
            }
            let raw = match self.list.next() {
                Ok(Some(raw)) => raw,
                Ok(None) => {
                    self.over = true;
                    return Ok(None);
                }
                Err(halt) => {
                    self.over = true;
                    return Err(Halted::from(halt).told(&self.name, &self.path).0);
                }
            };
            let gate = self.gate.clone();
            let open = gate.lock();
            if !*open {
                self.over = true;
                return Ok(None);
            }
            if self.passed < self.options.skip {
                self.passed += 1;
                continue;
            }
            self.taken += 1;
            let mut entries = Vec::new();
            if crate::source::take(raw, &mut self.list, &mut self.assembler, &mut entries) {
                self.writer.header.columns.clone_from(&self.list.columns);
            }
            for entry in &entries {
                self.keep(entry).map_err(SourceError::Spool)?;
            }
            self.writer.flush().map_err(SourceError::Spool)?;
        }
    }

    fn keep(&mut self, entry: &Entry) -> io::Result<()> {
        let row = self.writer.header.rows;
        let (mut of, mut occurrence) = (None, 0);
        if let Entry::Good(good) = entry {
            for claim in claims(good, &self.writer.header.accounts[good.account], self.options.dedupe).into_iter().flatten() {
                let (first, count) = self.seen.touch(claim.print, row)?;
                if claim.counts {
                    occurrence = count;
                }
                if claim.skips && count > 1 {
                    of = of.or(Some(first));
                }
            }
        }
        let offset = self.writer.header.bytes;
        self.writer.append(entry, of, occurrence)?;
        // What is handed on is what a later reader will see, because it is made from the same bytes.
        let mut bytes = Vec::new();
        encode(&mut bytes, row, entry);
        let entered = Entered { offset, of, occurrence, priority: entry.priority() };
        let row = decode(&bytes[LEAD..], row, entered, &self.writer.header)
            .ok_or_else(|| io::Error::other(format!("row {} does not read back", Position::row(row))))?;
        self.waiting.push_back(row);
        Ok(())
    }

    /// Makes all rows so far durable: to be called before their attempts are.
    ///
    /// # Errors
    /// The disk's.
    pub fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.writer.header.rows
    }

    /// Columns so far.
    pub fn columns(&self) -> &[String] {
        &self.list.columns
    }

    /// What the user should be told about how the list is understood, so far.
    pub fn notices(&self) -> Vec<String> {
        self.assembler.notices.iter().cloned().collect()
    }

    /// What is known of the list before its first row.
    pub fn begun(&self) -> Spooled {
        Spooled {
            rows: 0,
            bad: 0,
            duplicates: 0,
            accounts: BTreeSet::new(),
            templates: BTreeSet::new(),
            columns: self.list.columns.clone(),
            encoding: self.options.encoding.clone().unwrap_or_else(|| "UTF-8".to_owned()),
            format: self.list.format,
            delimiter: self.list.delimiter,
            notices: self.notices(),
            digest: String::new(),
        }
    }

    /// What ends it from another thread.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Closes the spool: it is whole now, unless the gate was closed before.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> io::Result<()> {
        let gate = self.gate.clone();
        let open = gate.lock();
        if !*open {
            return Ok(());
        }
        self.writer.announce(true)
    }
}
