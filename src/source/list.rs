//! A list as it is opened: its format and delimiter found out, its columns named, its rows read one after the other.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::problem::Problem;
use crate::source::assemble::Assembler;
use crate::source::columns::{MAX_COLUMNS, names, no_address, note, unknown};
use crate::source::delimited::{Delimited, SAMPLE, sniff};
use crate::source::encoding::{Malformed, Text};
use crate::source::fault::SourceError;
use crate::source::json::{Elements, Lines};
use crate::source::options::{Format, ReadOptions};
use crate::source::raw::{Halt, Raw};

enum Rows {
    Delimited(Box<Delimited>),
    Lines(Lines),
    Elements(Elements),
}

/// An opened list.
pub(crate) struct List {
    rows: Rows,
    /// As found or told.
    pub format: Format,
    /// As found or told, of a delimited list.
    pub delimiter: Option<u8>,
    /// Line of the header, of a delimited list.
    pub header: Option<u64>,
    /// Names of the columns, mapped: of a delimited list all, of JSON those seen so far.
    pub columns: Vec<String>,
    known: BTreeSet<String>,
}

impl List {
    /// Looks at the beginning of `text` and gets ready to read rows; `assembler` learns the columns. `whole` is false for a stream,
    /// which may be waiting for its second line.
    ///
    /// # Errors
    /// An empty list, a header that is wrong, no column for the address, an option that does not fit.
    pub fn open(
        mut text: Text,
        path: &Path,
        options: &ReadOptions,
        assembler: &mut Assembler,
        whole: bool,
    ) -> Result<List, Halted> {
        let sample = text.peek(SAMPLE, !whole)?;
        if sample.trim_ascii().is_empty() {
            return Err(problem(
                "the list is empty",
                "a CSV list begins with a row that names the columns; JSON has an object for each row",
            ));
        }
        let format = options.format.or_else(|| Format::of_name(path)).unwrap_or_else(|| format_of(sample));
        let list = |rows, delimiter| List { rows, format, delimiter, header: None, columns: Vec::new(), known: BTreeSet::new() };
        if !format.delimited() {
            if let Some(delimiter) = options.delimiter {
                let what = format!("--delimiter {} has no meaning for {}", shown(delimiter), format.as_str());
                return Err(problem(&what, "leave it away, or say --format csv"));
            }
            let rows = match format {
                Format::Json => Rows::Elements(Elements::open(text)),
                _ => Rows::Lines(Lines::open(text)),
            };
            return Ok(list(rows, None));
        }
        let delimiter = match (options.delimiter, format) {
            (Some(delimiter), _) => delimiter,
            (None, Format::Tsv) => b'\t',
            (None, _) => sniff(sample),
        };
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\n' | b'\r' | 0) {
            return Err(problem(
                "--delimiter must be one ASCII character, and not a quote or a line end",
                "for example --delimiter ';'",
            ));
        }
        if options.delimiter.is_none() && format == Format::Csv && delimiter != b',' {
            note(&mut assembler.notices, format!("fields are separated by {}", shown(delimiter)));
        }
        let mut rows = Box::new(Delimited::open(text, delimiter));
        let Some((line, header)) = rows.header()? else {
            return Err(problem("the list is empty", "its first row must name the columns"));
        };
        let columns = names(&header, line, &options.map).map_err(Halted::Damage)?;
        rows.set_columns(columns.clone());
        let mut problems = Vec::new();
        if let Some(key) = &options.key
            && assembler.set_columns(columns.clone()).key.is_none()
        {
            problems.push(unknown(&format!("--key {key}"), key, columns.iter().map(String::as_str)));
        }
        assembler.set_columns(columns.clone());
        if !assembler.plan().addressable(&assembler.accounts, assembler.default) {
            problems.push(no_address(&columns, &assembler.accounts[assembler.default], Some(line)));
        }
        if !problems.is_empty() {
            return Err(Halted::Damage(problems));
        }
        let mut list = list(Rows::Delimited(rows), Some(delimiter));
        list.header = Some(line);
        list.columns = columns;
        Ok(list)
    }

    /// The next row.
    ///
    /// # Errors
    /// Damage of the list as a whole; the reader's own.
    pub fn next(&mut self) -> Result<Option<Raw>, Halt> {
        match &mut self.rows {
            Rows::Delimited(rows) => rows.next(),
            Rows::Lines(rows) => rows.next(),
            Rows::Elements(rows) => rows.next(),
        }
    }

    /// The text behind the rows read so far.
    pub fn text(&mut self) -> &mut Text {
        match &mut self.rows {
            Rows::Delimited(rows) => rows.text(),
            Rows::Lines(rows) => rows.text(),
            Rows::Elements(rows) => rows.text(),
        }
    }

    /// Remembers the columns of a JSON row; `true` where one is new.
    pub fn learn(&mut self, names: &[String]) -> bool {
        let before = self.columns.len();
        for name in names {
            if self.columns.len() < MAX_COLUMNS && !self.known.contains(name) {
                self.known.insert(name.clone());
                self.columns.push(name.clone());
            }
        }
        self.columns.len() > before
    }

    /// What can only be said of a JSON list when all of it was read.
    ///
    /// # Errors
    /// Options that name columns no row has; no row that could have an address.
    pub fn close(&self, options: &ReadOptions, assembler: &Assembler, rows: u64) -> Result<(), Vec<Problem>> {
        if self.format.delimited() || rows == 0 {
            return Ok(());
        }
        let known = || self.columns.iter().map(String::as_str);
        let mut problems = Vec::new();
        for ((to, from), found) in options.map.iter().zip(&assembler.mapped) {
            if !found {
                problems.push(unknown(&format!("--map {to}={from}"), from, known()));
            }
        }
        if let Some(key) =
            options.key.as_ref().filter(|_| assembler.keyed == 0 && !self.columns.iter().any(|name| name == "_notify"))
        {
            problems.push(unknown(&format!("--key {key}"), key, known()));
        }
        if assembler.addressable == 0 && !self.columns.is_empty() {
            problems.push(no_address(&self.columns, &assembler.accounts[assembler.default], None));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Why a list cannot be opened or read on, before it is known what the input is called.
pub(crate) enum Halted {
    /// The reader's own, or `Malformed`.
    Io(io::Error),
    /// Of the list as a whole.
    Damage(Vec<Problem>),
}

impl Halted {
    /// With the name and path of the input; the second is set where the encoding was assumed and the bytes belie it.
    pub fn told(self, name: &str, path: &Path) -> (SourceError, Option<Malformed>) {
        match self {
            Halted::Damage(mut problems) => {
                for problem in &mut problems {
                    problem.path.get_or_insert_with(|| path.to_owned());
                }
                (SourceError::Damage(problems), None)
            }
            Halted::Io(error) => {
                if let Some(malformed) = error.get_ref().and_then(|inner| inner.downcast_ref::<Malformed>()) {
                    let problem = Problem {
                        what: format!("{name} is not {} throughout", malformed.encoding),
                        path: Some(path.to_owned()),
                        line: usize::try_from(malformed.line).ok(),
                        help: Some("name the encoding it is written in with --encoding, or save it as UTF-8".into()),
                        ..Problem::default()
                    };
                    return (SourceError::damage(problem), malformed.assumed.then(|| malformed.clone()));
                }
                use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
                if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
                    let what = format!("{name} cannot be unpacked: {error}");
                    let help = Some("the file is damaged or was cut off; fetch or make it anew".into());
                    return (
                        SourceError::damage(Problem { what, path: Some(path.to_owned()), help, ..Problem::default() }),
                        None,
                    );
                }
                (SourceError::Input { name: name.to_owned(), error }, None)
            }
        }
    }
}

impl From<Halt> for Halted {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Io(error) => Halted::Io(error),
            Halt::Damage(problem) => Halted::Damage(vec![*problem]),
        }
    }
}

impl From<io::Error> for Halted {
    fn from(error: io::Error) -> Self {
        Halted::Io(error)
    }
}

fn problem(what: &str, help: &str) -> Halted {
    Halted::Damage(vec![Problem { what: what.to_owned(), help: Some(help.to_owned()), ..Problem::default() }])
}

/// A delimiter as messages write it.
pub(crate) fn shown(delimiter: u8) -> String {
    if delimiter == b'\t' { "tabs".to_owned() } else { format!("`{}`", char::from(delimiter)) }
}

/// The format that the first characters speak of.
fn format_of(sample: &[u8]) -> Format {
    let text = sample.trim_ascii_start();
    match text.first() {
        Some(b'[') => Format::Json,
        // A brace alone on its line begins an object that goes over several.
        Some(b'{') if text.split(|b| *b == b'\n').next().is_some_and(|line| line.trim_ascii() == b"{") => Format::Json,
        Some(b'{') => Format::Jsonl,
        _ => Format::Csv,
    }
}
