//! The rows of a run, as they were read: a file of records and an index, so that any row is one seek away.
//!
//! Their form is told in `record.rs`. What is damaged is told with its row and never passed over.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::priority::Priority;
use crate::problem::Problem;
use crate::recipient::{Position, Row};
use crate::source::assemble::Entry;
use crate::source::dedupe::Repeat;
use crate::source::intake::private;
use crate::source::raw::MAX_ROW;
use crate::source::record::{ENTRY, Entered, HEADER, Header, INDEX, LEAD, ROWS, SCHEMA, decode, encode, rank};

pub use crate::source::record::Stretch;

/// Read ahead in `spool.rows`, in bytes.
const AHEAD: usize = 256 * 1024;

/// Entries of the index that are looked at in one go for rows that are wanted.
const LOOK: u64 = 16 * 1024;

/// A record is never longer: a row, its name twice over and what is wrong with it.
const MAX_RECORD: usize = 8 * MAX_ROW;

/// A file read mostly forwards: a seek to where it stands already costs nothing.
#[derive(Debug)]
struct Forward {
    file: BufReader<File>,
    at: u64,
}

impl Forward {
    fn open(path: &Path, ahead: usize) -> io::Result<Self> {
        Ok(Forward { file: BufReader::with_capacity(ahead, File::open(path)?), at: 0 })
    }

    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        if at != self.at {
            let by = i64::try_from(i128::from(at) - i128::from(self.at)).map_err(io::Error::other)?;
            // Unknown until the read has succeeded: an error must not leave a wrong place behind.
            self.at = u64::MAX;
            if by.unsigned_abs() <= AHEAD as u64 {
                self.file.seek_relative(by)?
            } else {
                self.file.seek(SeekFrom::Start(at)).map(drop)?
            }
        }
        self.at = u64::MAX;
        if let Err(error) = self.file.read_exact(bytes) {
            self.file.seek(SeekFrom::Start(0))?;
            self.at = 0;
            return Err(error);
        }
        self.at = at + bytes.len() as u64;
        Ok(())
    }
}

/// Makes durable what was written into the spool in `folder` so far, from whichever thread.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder.join(ROWS))?.sync_data()?;
    File::open(folder.join(INDEX))?.sync_data()
}

/// Reads a spool. Cheap to open; each reader has its own file handle.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    header: Header,
    rows: u64,
    data: Forward,
    index: Forward,
    payload: Vec<u8>,
}

impl Spool {
    /// Opens the spool in the run folder.
    ///
    /// # Errors
    /// A missing, foreign or damaged spool.
    pub fn open(folder: &Path) -> Result<Spool, Problem> {
        let path = folder.join(HEADER);
        let wrong = |what: String, path: &Path| Problem {
            what,
            path: Some(path.to_owned()),
            help: Some("the rows of this run cannot be read; start a new run from the list".into()),
            ..Problem::default()
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| wrong(format!("the run has no readable spool: {error}"), &path))?;
        let damaged = || wrong("the head of the spool is damaged".into(), &path);
        let (json, crc) = text.split_once('\n').ok_or_else(damaged)?;
        if u32::from_str_radix(crc.trim(), 16).ok() != Some(crc32fast::hash(json.as_bytes())) {
            return Err(damaged());
        }
        let header = serde_json::from_str::<Header>(json).map_err(|_| damaged())?.shaped();
        if header.schema != SCHEMA {
            let what = format!("the spool has form {}, and this program reads form {SCHEMA}", header.schema);
            return Err(wrong(what, &path));
        }
        let open = |name: &str, ahead: usize| {
            let path = folder.join(name);
            Forward::open(&path, ahead).map_err(|error| wrong(format!("the spool cannot be opened: {error}"), &path))
        };
        let (data, index) = (open(ROWS, AHEAD)?, open(INDEX, AHEAD / 8)?);
        let mut spool = Spool { folder: folder.to_owned(), rows: header.rows, header, data, index, payload: Vec::new() };
        let len = |file: &Forward| file.file.get_ref().metadata().map_or(0, |about| about.len());
        if spool.header.complete {
            let fits = len(&spool.index) == spool.rows * ENTRY as u64 && len(&spool.data) == spool.header.bytes;
            if !fits {
                return Err(wrong("the spool was cut off or changed since it was written".into(), &folder.join(ROWS)));
            }
        } else {
            spool.rows = len(&spool.index) / ENTRY as u64;
        }
        Ok(spool)
    }

    /// A hash over everything that the rows of this spool say: two lists with the same have it alike.
    ///
    /// # Errors
    /// The disk.
    pub fn print(folder: &Path) -> Result<[u8; 32], Problem> {
        let spool = Spool::open(folder)?;
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let head = serde_json::to_vec(&(&spool.header.columns, &spool.header.constants)).unwrap_or_default();
        context.update(&head);
        let path = folder.join(ROWS);
        let wrong = |error: io::Error| Problem {
            what: format!("the spool cannot be read: {error}"),
            path: Some(path.clone()),
            ..Problem::default()
        };
        let mut file = File::open(&path).map_err(wrong)?;
        let mut bytes = vec![0; AHEAD];
        loop {
            match file.read(&mut bytes).map_err(wrong)? {
                0 => break,
                count => context.update(&bytes[..count]),
            }
        }
        let mut print = [0; 32];
        print.copy_from_slice(context.finish().as_ref());
        Ok(print)
    }

    /// How many rows there are; of a stream that still runs, how many there were when it was last asked for one.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Column names in the order of the input (for JSON inputs: in the order in which keys were first seen).
    pub fn columns(&self) -> &[String] {
        &self.header.columns
    }

    /// One row.
    ///
    /// # Errors
    /// Damage: the record's checksum does not fit; a row that there is not.
    pub fn read(&mut self, position: Position) -> Result<Row, Problem> {
        let row = position.row;
        if row >= self.rows && !self.header.complete {
            self.rows = self.index.file.get_ref().metadata().map_or(self.rows, |about| about.len() / ENTRY as u64);
        }
        if position.shard != 0 || row >= self.rows {
            return Err(self.damage(position, "is not there"));
        }
        let entered = self.entry(row)?;
        self.record(position, entered)
    }

    /// What the row says of its own priority; without its record being read.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn priority(&mut self, position: Position) -> Result<Option<Priority>, Problem> {
        Ok(self.entry(position.row)?.priority)
    }

    /// How many rows there are of each priority, from low to critical, and where they begin; rows that say none have the `usual` one.
    /// Told at once of a list that was read to its end by this version; any other index is read through.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn ranks(&mut self, usual: Priority) -> Result<[Stretch; 4], Problem> {
        let mut said = self.header.ranks;
        if said.iter().map(|stretch| stretch.rows).sum::<u64>() != self.rows {
            said = Default::default();
            for row in 0..self.rows {
                said[rank(self.entry(row)?.priority)].add(row);
            }
        }
        let [unsaid, ranks @ ..] = said;
        let mut ranks: [Stretch; 4] = ranks;
        let usual = &mut ranks[usual as usize];
        usual.first = match (usual.rows, unsaid.rows) {
            (_, 0) => usual.first,
            (0, _) => unsaid.first,
            _ => usual.first.min(unsaid.first),
        };
        usual.rows += unsaid.rows;
        Ok(ranks)
    }

    /// Up to `max` rows from `from` on that are `wanted`, in order, and where to go on; what is not wanted costs only its entry in the
    /// index. Stops after some thousand entries, whatever was found.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn read_some(
        &mut self,
        from: u64,
        max: usize,
        mut wanted: impl FnMut(Position, Option<Priority>) -> bool,
    ) -> Result<(Vec<Row>, u64), Problem> {
        let end = from.saturating_add(LOOK).min(self.rows);
        let (mut rows, mut row) = (Vec::with_capacity(max), from);
        while row < end && rows.len() < max {
            let position = Position::row(row);
            let entered = self.entry(row)?;
            if wanted(position, entered.priority) {
                rows.push(self.record(position, entered)?);
            }
            row += 1;
        }
        Ok((rows, row))
    }

    fn entry(&mut self, row: u64) -> Result<Entered, Problem> {
        let position = Position::row(row);
        let mut entry = [0; ENTRY];
        self.index.read_at(row * ENTRY as u64, &mut entry).map_err(|error| self.damage(position, &unreadable(&error)))?;
        let damaged = "is damaged: its entry in the index does not fit its checksum";
        Entered::from_bytes(&entry).ok_or_else(|| self.damage(position, damaged))
    }

    fn record(&mut self, position: Position, entered: Entered) -> Result<Row, Problem> {
        let row = position.row;
        let mut lead = [0; LEAD];
        self.data.read_at(entered.offset, &mut lead).map_err(|error| self.damage(position, &unreadable(&error)))?;
        let len = u32::from_le_bytes([lead[0], lead[1], lead[2], lead[3]]) as usize;
        let crc = u32::from_le_bytes([lead[4], lead[5], lead[6], lead[7]]);
        if len > MAX_RECORD {
            return Err(self.damage(position, "is damaged: its length cannot be"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(len, 0);
        let read = self.data.read_at(entered.offset + LEAD as u64, &mut payload);
        let row = match read {
            Err(error) => Err(self.damage(position, &unreadable(&error))),
            Ok(()) if crc32fast::hash(&payload) != crc => Err(self.damage(position, "is damaged: its checksum does not fit")),
            Ok(()) => decode(&payload, row, entered, &self.header)
                .ok_or_else(|| self.damage(position, "is damaged: another record stands in its place")),
        };
        // One row of 4 MiB must not be paid for by all rows after it.
        if payload.capacity() > AHEAD {
            payload = Vec::new();
        }
        self.payload = payload;
        row
    }

    /// Up to `max` rows from `from` on, in order; fewer only at the end.
    ///
    /// # Errors
    /// As [`Spool::read`].
    pub fn read_many(&mut self, from: u64, max: usize) -> Result<Vec<Row>, Problem> {
        let end = from.saturating_add(max as u64).min(self.rows);
        (from..end).map(|row| self.read(Position::row(row))).collect()
    }

    fn damage(&self, position: Position, what: &str) -> Problem {
        Problem {
            what: format!("row {position} of the spool {what}"),
            path: Some(self.folder.join(ROWS)),
            help: Some("the disk or another program changed it; this run cannot go on safely".into()),
            ..Problem::default()
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Writes a spool. Until `finish` there is none that could be opened, unless it is announced as a stream's.
pub(crate) struct Writer {
    folder: PathBuf,
    data: BufWriter<File>,
    index: BufWriter<File>,
    /// What is the same for all rows; columns may be added until the end.
    pub header: Header,
    record: Vec<u8>,
}

impl Writer {
    /// An empty spool in `folder`; what stood there of an older one is gone.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(folder: &Path, header: Header) -> io::Result<Self> {
        match std::fs::remove_file(folder.join(HEADER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let data = BufWriter::with_capacity(AHEAD, private(&folder.join(ROWS))?);
        let index = BufWriter::with_capacity(AHEAD / 8, private(&folder.join(INDEX))?);
        let header = Header { schema: SCHEMA, complete: false, rows: 0, bytes: 0, ranks: Default::default(), ..header }.shaped();
        Ok(Writer { folder: folder.to_owned(), data, index, header, record: Vec::new() })
    }

    /// Adds a row; answers which it is.
    ///
    /// # Errors
    /// The disk's.
    pub fn append(&mut self, entry: &Entry, of: Option<u64>, occurrence: u32) -> io::Result<u64> {
        let row = self.header.rows;
        self.record.clear();
        encode(&mut self.record, row, entry);
        self.data.write_all(&self.record)?;
        let priority = entry.priority();
        self.index.write_all(&Entered { offset: self.header.bytes, of, occurrence, priority }.to_bytes())?;
        self.header.ranks[rank(priority)].add(row);
        self.header.bytes += self.record.len() as u64;
        self.header.rows += 1;
        if self.record.capacity() > AHEAD {
            self.record = Vec::new();
        }
        Ok(row)
    }

    /// Hands everything so far to the system, so that readers see it. Rows before their index: a reader never sees an entry without
    /// its record.
    ///
    /// # Errors
    /// The disk's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.data.flush()?;
        self.index.flush()
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.data.get_ref().sync_data()?;
        self.index.get_ref().sync_data()
    }

    /// Writes down what was found of a repeat; `true` where the row is now a duplicate and was none before.
    ///
    /// # Errors
    /// The disk's.
    pub fn mark(&mut self, repeat: Repeat) -> io::Result<bool> {
        self.index.flush()?;
        let file = self.index.get_mut();
        let mut bytes = [0; ENTRY];
        file.seek(SeekFrom::Start(repeat.row * ENTRY as u64))?;
        file.read_exact(&mut bytes)?;
        let Some(mut entered) = Entered::from_bytes(&bytes) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the index entry of row {} changed under us", repeat.row),
            ));
        };
        let new = repeat.of.is_some() && entered.of.is_none();
        entered.of = entered.of.or(repeat.of);
        entered.occurrence = repeat.occurrence.unwrap_or(entered.occurrence);
        file.seek(SeekFrom::Start(repeat.row * ENTRY as u64))?;
        file.write_all(&entered.to_bytes())?;
        Ok(new)
    }

    /// Writes the head, under its own name only when it is whole and durable.
    ///
    /// # Errors
    /// The disk's.
    pub fn announce(&mut self, complete: bool) -> io::Result<()> {
        self.sync()?;
        self.header.complete = complete;
        let json = serde_json::to_string(&self.header)?;
        let path = self.folder.join(format!("{HEADER}.new"));
        let mut file = private(&path)?;
        file.write_all(format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes())).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&path, self.folder.join(HEADER))?;
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}
