//! Rows as JSON (RFC 8259): one object a line, or the objects of one array, read one by one and strictly.
//!
//! Stricter than the parser: a key that stands twice, a number that cannot be kept exactly and a NUL are errors of their row.
//! Depth is bounded by the parser (128), length by `MAX_ROW`.

use std::fmt;
use std::io::BufRead;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::problem::Problem;
use crate::recipient::Vars;
use crate::source::delimited::beginning;
use crate::source::encoding::Text;
use crate::source::raw::{Content, Halt, MAX_FIELD, MAX_ROW, Raw};

/// Integers up to here are exact in a double (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value in which nothing was lost or overwritten on the way.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree).map(Strict)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() >= EXACT {
            return Err(E::custom("a number too large to be kept exactly: write it in quotes"));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        if value.len() > MAX_FIELD {
            return Err(E::custom(format!("the value has {} bytes; 1 MiB is the most", value.len())));
        }
        if value.contains('\0') {
            return Err(E::custom("the value holds a NUL character"));
        }
        Ok(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Vars::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice in one object")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// The row in `bytes`, which begin on `line` in column `column`.
fn row(bytes: &[u8], line: u64, column: usize) -> Raw {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(object))) => Raw { line, content: Content::Object(object) },
        Ok(Strict(other)) => {
            let kind = match other {
                Value::Array(_) => "an array",
                Value::String(_) => "text",
                Value::Number(_) => "a number",
                Value::Bool(_) => "true or false",
                _ => "null",
            };
            Raw::bad(line, None, format!("a row is an object {{…}}; this is {kind}"), beginning(bytes))
        }
        Err(error) => {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            // The parser counts bytes; a person counts characters.
            let from = bytes.split(|b| *b == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            let characters =
                String::from_utf8_lossy(&from[..error.column().saturating_sub(1).min(from.len())]).chars().count() + 1;
            let at = if error.line() <= 1 { characters + column - 1 } else { characters };
            let line = line + error.line().saturating_sub(1) as u64;
            let what = if error.is_data() { what.to_owned() } else { format!("not JSON: {what}") };
            Raw::bad(line, Some((u32::try_from(at).unwrap_or(u32::MAX), None)), what, beginning(bytes))
        }
    }
}

/// Reads one object a line.
pub(crate) struct Lines {
    text: Text,
    line: u64,
    row: Vec<u8>,
}

impl Lines {
    /// Reads `text` from its first line on.
    pub fn open(text: Text) -> Self {
        Lines { text, line: 0, row: Vec::new() }
    }

    /// The text behind the rows read so far.
    pub fn text(&mut self) -> &mut Text {
        &mut self.text
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// The reader's own.
    pub fn next(&mut self) -> Result<Option<Raw>, Halt> {
        loop {
            self.row.clear();
            let mut too_long = false;
            let mut any = false;
            loop {
                let chunk = self.text.fill_buf()?;
                if chunk.is_empty() {
                    break;
                }
                any = true;
                let end = memchr::memchr(b'\n', chunk);
                let part = &chunk[..end.unwrap_or(chunk.len())];
                too_long |= self.row.len() + part.len() > MAX_ROW;
                if !too_long {
                    self.row.extend_from_slice(part);
                }
                let used = part.len() + usize::from(end.is_some());
                self.text.consume(used);
                if end.is_some() {
                    break;
                }
            }
            if !any {
                return Ok(None);
            }
            self.line += 1;
            if too_long {
                return Ok(Some(Raw::bad(self.line, None, "the row has more than 4 MiB", beginning(&self.row))));
            }
            if !self.row.trim_ascii().is_empty() {
                return Ok(Some(row(self.row.trim_ascii_end(), self.line, 1)));
            }
        }
    }
}

/// Reads the objects of one array, or objects that follow each other over several lines, without holding more than one.
pub(crate) struct Elements {
    text: Text,
    line: u64,
    column: usize,
    row: Vec<u8>,
    state: Inside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Start,
    /// After `[`.
    First,
    /// After an element of the array.
    After,
    /// After a comma of the array.
    Next,
    /// There is no array: objects follow each other.
    Loose,
    Over,
}

impl Elements {
    /// Reads `text` from its start.
    pub fn open(text: Text) -> Self {
        Elements { text, line: 1, column: 1, row: Vec::new(), state: Inside::Start }
    }

    /// The text behind the rows read so far.
    pub fn text(&mut self) -> &mut Text {
        &mut self.text
    }

    fn damage(&self, what: &str) -> Halt {
        Problem { what: what.to_owned(), line: usize::try_from(self.line).ok(), column: Some(self.column), ..Problem::default() }
            .into()
    }

    fn peek(&mut self) -> Result<Option<u8>, Halt> {
        Ok(self.text.fill_buf()?.first().copied())
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.line += 1;
                self.column = 1;
            }
            // Bytes inside a character are no column of their own.
            byte if byte & 0xc0 == 0x80 => {}
            _ => self.column += 1,
        }
        self.text.consume(1);
    }

    /// The next element.
    ///
    /// # Errors
    /// An array that is not closed or in which a comma is missing; the reader's own.
    pub fn next(&mut self) -> Result<Option<Raw>, Halt> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.state {
                    Inside::Loose | Inside::Over | Inside::Start => Ok(None),
                    _ => Err(self.damage("the array is never closed: `]` is missing")),
                };
            };
            match (self.state, byte) {
                (_, b' ' | b'\t' | b'\r' | b'\n') => self.take(byte),
                (Inside::Over, _) => return Err(self.damage("text follows the end of the array")),
                (Inside::Start, b'[') => {
                    self.take(byte);
                    self.state = Inside::First;
                }
                (Inside::Start, _) => self.state = Inside::Loose,
                (Inside::First | Inside::After, b']') => {
                    self.take(byte);
                    self.state = Inside::Over;
                }
                (Inside::After, b',') => {
                    self.take(byte);
                    self.state = Inside::Next;
                }
                (Inside::After, _) => return Err(self.damage("a comma is missing between two rows of the array")),
                (Inside::Next | Inside::First, b',' | b']') | (Inside::Loose, b',' | b']' | b'}') => {
                    return Err(self.damage("a row is missing here"));
                }
                (Inside::First | Inside::Next | Inside::Loose, _) => {
                    let row = self.element()?;
                    if self.state != Inside::Loose {
                        self.state = Inside::After;
                    }
                    return Ok(Some(row));
                }
            }
        }
    }

    /// One value, to where its brackets are balanced.
    fn element(&mut self) -> Result<Raw, Halt> {
        let (line, column) = (self.line, self.column);
        let loose = self.state == Inside::Loose;
        self.row.clear();
        let (mut depth, mut quoted, mut escaped, mut too_long) = (0u64, false, false, false);
        loop {
            // One piece of the text at a time: its columns are counted byte by byte, but it is consumed at once.
            let chunk = self.text.fill_buf()?;
            if chunk.is_empty() {
                if depth > 0 || quoted {
                    self.line = line;
                    self.column = column;
                    return Err(self.damage("the row that begins here is never closed"));
                }
                break;
            }
            let (mut used, mut over) = (0, false);
            for &byte in chunk {
                if !quoted && depth == 0 && used + self.row.len() > 0 {
                    let scalar_ends = matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n') || (loose && byte == b'{');
                    if scalar_ends {
                        over = true;
                        break;
                    }
                }
                used += 1;
                match byte {
                    b'\n' => {
                        self.line += 1;
                        self.column = 1;
                    }
                    byte if byte & 0xc0 == 0x80 => {}
                    _ => self.column += 1,
                }
                match (quoted, byte) {
                    (true, _) if escaped => escaped = false,
                    (true, b'\\') => escaped = true,
                    (true, b'"') => quoted = false,
                    (true, _) => {}
                    (false, b'"') => quoted = true,
                    (false, b'{' | b'[') => depth += 1,
                    (false, b'}' | b']') => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            over = true;
                            break;
                        }
                    }
                    (false, _) => {}
                }
            }
            too_long |= self.row.len() + used > MAX_ROW;
            if !too_long {
                self.row.extend_from_slice(&chunk[..used]);
            }
            self.text.consume(used);
            if over {
                break;
            }
        }
        if too_long {
            return Ok(Raw::bad(line, None, "the row has more than 4 MiB", beginning(&self.row)));
        }
        Ok(row(&self.row, line, column))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> Text {
        Text::open(Box::new(io::Cursor::new(bytes.to_vec())), None).unwrap().unwrap()
    }

    fn tell(row: Raw) -> String {
        match row.content {
            Content::Object(object) => format!("{}: {}", row.line, Value::Object(object)),
            Content::Bad { error, .. } => format!("{}:{}! {}", row.line, error.place.column.unwrap_or(0), error.what),
            Content::Cells(_) => unreachable!(),
        }
    }

    fn lines(input: &[u8]) -> Vec<String> {
        let mut list = Lines::open(text(input));
        let mut rows = Vec::new();
        while let Ok(Some(row)) = list.next() {
            rows.push(tell(row));
        }
        rows
    }

    fn elements(input: &[u8]) -> Result<Vec<String>, String> {
        let mut list = Elements::open(text(input));
        let mut rows = Vec::new();
        loop {
            match list.next() {
                Ok(Some(row)) => rows.push(tell(row)),
                Ok(None) => return Ok(rows),
                Err(Halt::Damage(problem)) => {
                    return Err(format!("{}:{} {}", problem.line.unwrap(), problem.column.unwrap(), problem.what));
                }
                Err(Halt::Io(error)) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn a_line_is_a_row() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let input = format!(
            "{{\"a\":1}}\r\n\n{{\"a\":\"你\",}}\n[1]\n{{\"a\":1,\"a\":2}}\n{{\"b\":{{\"c\":1,\"c\":2}}}}\n{{\"n\":123456789012345678901234}}\n{{\"d\":{deep}}}\n{{\"x\":\"\\u0000\"}}\n{{\"z\":12345678901234567890}}"
        );
        let got = lines(input.as_bytes());
        assert_eq!(got[0], r#"1: {"a":1}"#);
        assert!(got[1].starts_with("3:10! not JSON: trailing comma"), "{}", got[1]);
        assert!(got[2].contains("this is an array"), "{}", got[2]);
        assert!(got[3].contains("the key `a` stands twice"), "{}", got[3]);
        assert!(got[4].contains("the key `c` stands twice"), "{}", got[4]);
        assert!(got[5].contains("too large to be kept exactly"), "{}", got[5]);
        assert!(got[6].contains("recursion limit"), "{}", got[6]);
        assert!(got[7].contains("NUL"), "{}", got[7]);
        assert_eq!(got[8], r#"10: {"z":12345678901234567890}"#);
    }

    #[test]
    fn an_array_is_read_one_by_one() {
        assert_eq!(elements(b"[]").unwrap(), Vec::<String>::new());
        let got = elements(b"[\n {\"a\":\"]},{\\\"\"},\n  {\"b\":[1,{}]}, 7, {\"c\":}\n]\n").unwrap();
        assert_eq!(got[..2], ["2: {\"a\":\"]},{\\\"\"}", "3: {\"b\":[1,{}]}"]);
        assert!(got[2].contains("this is a number"), "{got:?}");
        assert!(got[3].starts_with("3:25! not JSON"), "{got:?}");
        assert_eq!(elements(b"{\n\"a\":1\n}\n{\"a\":2}{\"a\":3}").unwrap(), ["1: {\"a\":1}", "4: {\"a\":2}", "4: {\"a\":3}"]);
    }

    #[test]
    fn a_broken_array_is_damage() {
        for (input, expected) in [
            ("[{}", "1:4 the array is never closed"),
            ("[{} {}]", "1:5 a comma is missing"),
            ("[{},]", "1:5 a row is missing"),
            ("[{\"a\":\"x]", "1:2 the row that begins here"),
            ("[] x", "1:4 text follows"),
        ] {
            let error = elements(input.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{input}: {error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b'\\'), Just(b'\n'), any::<u8>()], 0..200)) {
            let _ = lines(&bytes);
            let _ = elements(&bytes);
        }
    }
}
