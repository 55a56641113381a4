//! Rows between delimiters (RFC 4180): where each begins and ends is found here, strictly; `csv` takes its fields apart.
//!
//! The parser of `csv` is forgiving: it closes an open quote at the end of the file and takes text after a closing quote for part of the
//! field. Either would send a shifted row to somebody. Therefore rows are cut here, where both are seen and where a row's length is bounded.

use std::io::{self, BufRead, Read};

use serde_json::Value;

use crate::problem::Problem;
use crate::recipient::Vars;
use crate::source::encoding::Text;
use crate::source::raw::{Content, EXTRA, Halt, MAX_FIELD, MAX_ROW, Raw, UNREAD};

/// Delimiters that are tried, in the order of preference.
pub(crate) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Bytes of text by which the delimiter is found.
pub(crate) const SAMPLE: usize = 64 * 1024;

/// Rows of them.
const SAMPLE_ROWS: usize = 50;

/// Where inside a row the cutter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of a doubled one.
    QuoteSeen,
}

/// Cuts text into rows.
#[derive(Debug)]
struct Cutter {
    delimiter: u8,
    /// Line of the next byte, from 1.
    line: u64,
    /// The last byte was a CR that ended a row: an LF belongs to it.
    after_cr: bool,
}

/// One row as it was cut.
#[derive(Debug, Default)]
struct Cut {
    line: u64,
    fields: u32,
    too_long: bool,
    /// Field in which text follows a closing quote.
    stray: Option<u32>,
    /// Line and field of a quote that nothing closed before the end.
    unclosed: Option<(u64, u32)>,
}

impl Cutter {
    fn new(delimiter: u8) -> Self {
        Cutter { delimiter, line: 1, after_cr: false }
    }

    /// The next row without its line end, in `row`; blank lines are passed over.
    fn next(&mut self, reader: &mut impl BufRead, row: &mut Vec<u8>) -> io::Result<Option<Cut>> {
        row.clear();
        let mut cut = Cut { line: self.line, fields: 1, ..Cut::default() };
        let mut at = At::FieldStart;
        let mut opened = (0, 0);
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                if at == At::Quoted {
                    cut.unclosed = Some(opened);
                    return Ok(Some(cut));
                }
                let blank = row.is_empty() && cut.fields == 1 && at == At::FieldStart;
                return Ok((!blank).then_some(cut));
            }
            let mut used = 0;
            let mut ended = false;
            while used < chunk.len() {
                if self.after_cr {
                    self.after_cr = false;
                    if chunk[used] == b'\n' {
                        used += 1;
                        continue;
                    }
                }
                // Most bytes mean nothing to the cutter: they are passed over at once.
                let rest = &chunk[used..];
                let skip = match at {
                    At::Plain => memchr::memchr3(self.delimiter, b'\n', b'\r', rest).unwrap_or(rest.len()),
                    At::Quoted => memchr::memchr2(b'"', b'\n', rest).unwrap_or(rest.len()),
                    At::FieldStart | At::QuoteSeen => 0,
                };
                keep(row, &rest[..skip], &mut cut.too_long);
                used += skip;
                let Some(&byte) = chunk.get(used) else { break };
                used += 1;
                match (at, byte) {
                    (At::Quoted, b'"') => at = At::QuoteSeen,
                    (At::Quoted, _) => self.line += u64::from(byte == b'\n'),
                    (At::QuoteSeen, b'"') => at = At::Quoted,
                    (_, b'\n' | b'\r') => {
                        self.line += 1;
                        self.after_cr = byte == b'\r';
                        if row.is_empty() && cut.fields == 1 && at == At::FieldStart {
                            cut.line = self.line;
                            continue;
                        }
                        ended = true;
                        break;
                    }
                    (_, byte) if byte == self.delimiter => {
                        cut.fields = cut.fields.saturating_add(1);
                        at = At::FieldStart;
                    }
                    (At::FieldStart, b'"') => {
                        opened = (self.line, cut.fields);
                        at = At::Quoted;
                    }
                    (At::QuoteSeen, _) => {
                        cut.stray.get_or_insert(cut.fields);
                        at = At::Plain;
                    }
                    (At::FieldStart | At::Plain, _) => at = At::Plain,
                }
                keep(row, &[byte], &mut cut.too_long);
            }
            reader.consume(used);
            if ended {
                return Ok(Some(cut));
            }
        }
    }
}

fn keep(row: &mut Vec<u8>, bytes: &[u8], too_long: &mut bool) {
    if row.len() + bytes.len() > MAX_ROW {
        *too_long = true;
    } else if !*too_long {
        row.extend_from_slice(bytes);
    }
}

/// The delimiter of which the sample has most evenly many: the header's count of fields is what most rows have.
pub(crate) fn sniff(sample: &[u8]) -> u8 {
    let mut best = (b',', 0usize, 0u32);
    for delimiter in DELIMITERS {
        let (mut cutter, mut reader, mut row) = (Cutter::new(delimiter), sample, Vec::new());
        let mut counts = Vec::new();
        while counts.len() < SAMPLE_ROWS {
            match cutter.next(&mut reader, &mut row) {
                Ok(Some(cut)) if cut.unclosed.is_none() => counts.push(cut.fields),
                _ => break,
            }
        }
        // The last row of a cut-off sample says nothing.
        if reader.is_empty() && counts.len() > 2 && sample.len() >= SAMPLE {
            counts.pop();
        }
        let Some(&header) = counts.first() else { continue };
        if header < 2 {
            continue;
        }
        let even = counts.iter().filter(|count| **count == header).count() * 100 / counts.len();
        if (even, header) > (best.1, best.2) {
            best = (delimiter, even, header);
        }
    }
    best.0
}

/// Hands `csv` one row at a time; it never sees the end.
#[derive(Debug, Default)]
struct Feed {
    row: Vec<u8>,
    at: usize,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.row.len() - self.at);
        buffer[..count].copy_from_slice(&self.row[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Reads a list whose first row names the columns.
pub(crate) struct Delimited {
    text: Text,
    cutter: Cutter,
    fields: csv::Reader<Feed>,
    columns: Vec<String>,
}

impl Delimited {
    /// Reads `text` from its header on.
    pub fn open(text: Text, delimiter: u8) -> Self {
        let fields =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(Feed::default());
        Delimited { text, cutter: Cutter::new(delimiter), fields, columns: Vec::new() }
    }

    /// The text behind the rows read so far.
    pub fn text(&mut self) -> &mut Text {
        &mut self.text
    }

    /// The names of the columns as they stand in the first row, and its line. `None` where there is no row at all.
    ///
    /// # Errors
    /// A header that cannot be taken apart.
    pub fn header(&mut self) -> Result<Option<(u64, csv::StringRecord)>, Halt> {
        match self.cut()? {
            None => Ok(None),
            Some(Raw { line, content: Content::Cells(cells) }) => Ok(Some((line, cells))),
            Some(Raw { line, content: Content::Bad { error, .. } }) => {
                Err(at_line(format!("the header cannot be read: {error}"), line).into())
            }
            Some(Raw { content: Content::Object(_), .. }) => Ok(None),
        }
    }

    /// The names that rows are read under from here on; a row has as many fields.
    pub fn set_columns(&mut self, columns: Vec<String>) {
        self.columns = columns;
    }

    /// The next row.
    ///
    /// # Errors
    /// A quote that nothing closes; the reader's own.
    pub fn next(&mut self) -> Result<Option<Raw>, Halt> {
        let Some(raw) = self.cut()? else { return Ok(None) };
        let Content::Cells(cells) = &raw.content else { return Ok(Some(raw)) };
        let line = raw.line;
        let blame = |n: usize, what: String| Raw::bad(line, Some((n as u32 + 1, self.name(n))), what, self.salvage(cells));
        if cells.len() != self.columns.len() {
            let what = format!("the row has {} where the header has {}", count(cells.len(), "field"), self.columns.len());
            let hint = match cells.len() > self.columns.len() {
                true => "a field with the delimiter in it needs quotes",
                false => "a field that is empty still needs its delimiter",
            };
            return Ok(Some(Raw::bad(line, None, format!("{what}: {hint}"), self.salvage(cells))));
        }
        for (n, cell) in cells.iter().enumerate() {
            if cell.len() > MAX_FIELD {
                return Ok(Some(blame(n, format!("the field has {} bytes; 1 MiB is the most", cell.len()))));
            }
        }
        if let Some(n) = cells.iter().position(|cell| cell.contains('\0')) {
            return Ok(Some(blame(n, "the field holds a NUL character".to_owned())));
        }
        Ok(Some(raw))
    }

    fn name(&self, n: usize) -> Option<&str> {
        self.columns.get(n).map(String::as_str)
    }

    /// What could be read of a bad row, under its columns' names. A field too long for a report is left out.
    fn salvage(&self, cells: &csv::StringRecord) -> Vars {
        let mut raw = Vars::new();
        let mut extra = Vec::new();
        for (n, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.len() <= MAX_FIELD) {
            match self.name(n) {
                Some(name) => {
                    raw.insert(name.to_owned(), Value::from(cell));
                }
                None => extra.push(Value::from(cell)),
            }
        }
        if !extra.is_empty() {
            raw.insert(EXTRA.to_owned(), Value::Array(extra));
        }
        raw
    }

    /// The next row with its fields taken apart, whatever their number.
    fn cut(&mut self) -> Result<Option<Raw>, Halt> {
        let feed = self.fields.get_mut();
        let Some(cut) = self.cutter.next(&mut self.text, &mut feed.row)? else { return Ok(None) };
        if let Some((line, field)) = cut.unclosed {
            let name = self.columns.get(field as usize - 1).map(|name| format!(" (column `{name}`)")).unwrap_or_default();
            let mut problem = at_line(format!("the quote opened in field {field}{name} is never closed"), line);
            problem.help = Some("close it, or double every quote inside a quoted field: \"\"".into());
            return Err(problem.into());
        }
        if cut.too_long {
            let raw = beginning(&feed.row);
            return Ok(Some(Raw::bad(cut.line, None, "the row has more than 4 MiB; is a quote missing?", raw)));
        }
        if let Some(field) = cut.stray {
            let raw = beginning(&feed.row);
            let what = "text follows a closing quote: a quote inside a quoted field is written twice";
            let name = self.columns.get(field as usize - 1).map(String::as_str);
            return Ok(Some(Raw::bad(cut.line, Some((field, name)), what, raw)));
        }
        feed.row.push(b'\n');
        feed.at = 0;
        let mut cells = csv::StringRecord::with_capacity(feed.row.len(), cut.fields as usize);
        match self.fields.read_record(&mut cells) {
            Ok(true) if cells.len() == cut.fields as usize => Ok(Some(Raw { line: cut.line, content: Content::Cells(cells) })),
            // Cutter and parser would have to differ about quotes: then nobody can say what the row is.
            Ok(_) => Ok(Some(Raw::bad(cut.line, None, "the row cannot be taken apart", Vars::new()))),
            Err(error) => Ok(Some(Raw::bad(cut.line, None, format!("the row cannot be taken apart: {error}"), Vars::new()))),
        }
    }
}

/// The beginning of a row that has no fields, for the retry file.
pub(crate) fn beginning(row: &[u8]) -> Vars {
    let text = String::from_utf8_lossy(&row[..row.len().min(4096)]);
    Vars::from_iter([(UNREAD.to_owned(), Value::from(text.as_ref()))])
}

/// `1 field`, `3 fields`.
fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn at_line(what: String, line: u64) -> Problem {
    Problem { what, line: usize::try_from(line).ok(), ..Problem::default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(bytes: &[u8], delimiter: u8) -> Delimited {
        let text = Text::open(Box::new(io::Cursor::new(bytes.to_vec())), None).unwrap().unwrap();
        Delimited::open(text, delimiter)
    }

    /// Every row as `line: a|b|c`, or `line! what`.
    fn rows(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut list = open(bytes, b',');
        let halt = |halt: Halt| match halt {
            Halt::Io(error) => error.to_string(),
            Halt::Damage(problem) => format!("{}:{}", problem.line.unwrap_or(0), problem.what),
        };
        let Some((_, header)) = list.header().map_err(halt)? else { return Ok(Vec::new()) };
        list.set_columns(header.iter().map(str::to_owned).collect());
        let mut rows = Vec::new();
        while let Some(row) = list.next().map_err(halt)? {
            rows.push(match row.content {
                Content::Cells(cells) => format!("{}: {}", row.line, cells.iter().collect::<Vec<_>>().join("|")),
                Content::Bad { error, .. } => format!("{}! {}", row.line, error.what),
                Content::Object(_) => unreachable!(),
            });
        }
        Ok(rows)
    }

    #[test]
    fn rows_are_cut_where_they_end() {
        let table: [(&str, &[&str]); 8] = [
            ("a,b\n1,2\n3,4", &["2: 1|2", "3: 3|4"]),
            ("a,b\r\n1,2\r\n\r\n3,4\r\n", &["2: 1|2", "4: 3|4"]),
            ("a,b\r1,2\r3,4\r", &["2: 1|2", "3: 3|4"]),
            ("\n\na,b\n1,\n", &["4: 1|"]),
            ("a,b\n\"x\ny\",2\n3,4\n", &["2: x\ny|2", "4: 3|4"]),
            ("a,b\n\"x,\"\"y\"\"\",2\n", &["2: x,\"y\"|2"]),
            ("a,b\n5\" pipe,2\n", &["2: 5\" pipe|2"]),
            ("a,b\n00123,1e5\n\"\",\n", &["2: 00123|1e5", "3: |"]),
        ];
        for (input, expected) in table {
            assert_eq!(rows(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
    }

    #[test]
    fn a_wrong_row_is_told_and_the_next_is_read() {
        let got = rows(b"a,b\n1\n1,2,3\n\"x\"y,2\n\"he said \"hi\", ok\",2\nn\0,2\n8,9\n").unwrap();
        assert!(got[0].starts_with("2! the row has 1 field where the header has 2"), "{got:?}");
        assert!(got[1].starts_with("3! the row has 3 fields where the header has 2"));
        assert!(got[2].starts_with("4! text follows a closing quote"));
        assert!(got[3].starts_with("5! text follows a closing quote"));
        assert!(got[4].starts_with("6! the field holds a NUL"));
        assert_eq!(got[5], "7: 8|9");
    }

    #[test]
    fn long_fields_and_rows_are_bad_and_bounded() {
        let long = |n: usize| "x".repeat(n);
        let input = format!("a,b\n{},1\n\"{}\n\",2\n3,4\n", long(MAX_FIELD + 1), long(MAX_ROW));
        let got = rows(input.as_bytes()).unwrap();
        assert!(got[0].starts_with("2! the field has 1048577 bytes"), "{}", &got[0][..40]);
        assert!(got[1].starts_with("3! the row has more than 4 MiB"));
        assert_eq!(got[2], "5: 3|4");
    }

    #[test]
    fn an_open_quote_is_told_where_it_was_opened() {
        assert!(
            rows(b"a,b\n1,2\n3,\"x\n5,6\n7,8\n")
                .unwrap_err()
                .starts_with("3:the quote opened in field 2 (column `b`) is never closed")
        );
        assert!(rows(b"a,\"b\n1,2\n").unwrap_err().starts_with("1:the quote opened in field 2"));
    }

    #[test]
    fn the_delimiter_is_found() {
        let table: [(&str, u8); 8] = [
            ("a,b\n1,2\n", b','),
            ("name;email;sum\nx;y;1,5\nz;w;2,5\n", b';'),
            ("a\tb\n1, x\t2\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("email\nx@example.com\n", b','),
            ("\"a;b;c\",d\n\"1;2;3\",4\n", b','),
            ("", b','),
            ("name,\"note;x\"\nq,\"1;2\"\n", b','),
        ];
        for (sample, delimiter) in table {
            assert_eq!(sniff(sample.as_bytes()) as char, delimiter as char, "{sample:?}");
        }
    }

    proptest! {
        #[test]
        fn what_csv_writes_is_read_back(rows_in in proptest::collection::vec(proptest::collection::vec("[a-z,\"\r\n ;é]{0,8}", 2..=2), 0..20)) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(["a", "b"]).unwrap();
            for row in &rows_in {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let mut list = open(&bytes, b',');
            let header = list.header().unwrap().unwrap().1;
            list.set_columns(header.iter().map(str::to_owned).collect());
            let mut read = Vec::new();
            while let Some(row) = list.next().unwrap() {
                let Content::Cells(cells) = row.content else { panic!("{row:?}") };
                read.push(cells.iter().map(str::to_owned).collect::<Vec<_>>());
            }
            prop_assert_eq!(read, rows_in);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200)) {
            let _ = rows(&bytes);
        }
    }
}
