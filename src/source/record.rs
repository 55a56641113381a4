//! The form of the spool on disk, schema 1: how a row is laid out in bytes, written and read in one file so that both agree.
//!
//! A spool is three files in the run folder, each readable by its owner only:
//!
//! - `spool.rows`: records, one after the other: length (u32), CRC-32 of the payload (u32), payload.
//! - `spool.index`: 24 bytes a row: offset of its record (56 bits) and its own priority (the highest byte: 0 where it says none, 1 low
//!   to 4 critical), row of which it is a duplicate (u64, all ones for none), how often its address or key stood up to here (u32,
//!   from 1), CRC-32 of these 20 bytes (u32).
//! - `spool.json`: a line of JSON ([`Header`]) and a line with its CRC-32 in hex. Written last: without it there is no spool.
//!
//! Numbers are little-endian; inside a payload numbers are LEB128 and text is a length and UTF-8. A payload is: kind (byte), row, line,
//! and then
//!
//! - kinds 0 and 1, a recipient: account, flags (byte), and as the flags say address, key, template, delivery id; then for kind 0 the
//!   cells (their count, their texts), for kind 1 the variables as JSON;
//! - kind 2, a bad row: column (0 for none), its name, what is wrong, what was read as JSON.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::priority::Priority;
use crate::recipient::{Address, Place, Position, Recipient, Row, RowError, Skip, Vars};
use crate::source::assemble::{Entry, Good, Values};

/// The version this program writes and reads.
pub(crate) const SCHEMA: u32 = 1;

/// Bytes of an entry of the index.
pub(crate) const ENTRY: usize = 24;

/// Bytes before a payload.
pub(crate) const LEAD: usize = 8;

/// Names of the files in the run folder.
pub(crate) const ROWS: &str = "spool.rows";
/// See `ROWS`.
pub(crate) const INDEX: &str = "spool.index";
/// See `ROWS`.
pub(crate) const HEADER: &str = "spool.json";

const OWN: u8 = 1;
const KEY: u8 = 2;
const TEMPLATE: u8 = 4;
const ID: u8 = 8;

/// What is the same for all rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Header {
    /// See `SCHEMA`.
    pub schema: u32,
    /// No rows are added any more.
    pub complete: bool,
    /// Rows; of an open spool (a stream) the index knows better.
    pub rows: u64,
    /// Bytes of `spool.rows`.
    pub bytes: u64,
    /// Names of the columns, for cells and for people.
    pub columns: Vec<String>,
    /// Columns that are no variables.
    pub hidden: Vec<usize>,
    /// Variables of every row that has none of that name.
    pub constants: Vars,
    /// Accounts, by the number that records have.
    pub accounts: Vec<Via>,
    /// Rows by what they say of their priority: those that say nothing, then from low to critical. Of an open spool the index knows
    /// better, and of one without this too.
    #[serde(default)]
    pub ranks: [Stretch; 5],
    /// The variables of a row of cells before it has values: see `Header::shaped`.
    #[serde(skip)]
    pub shape: Vars,
}

/// How many rows are alike, and where the first of them is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// How many.
    pub rows: u64,
    /// No row before this one is among them.
    pub first: u64,
}

impl Stretch {
    /// One more, which comes after those that there are.
    pub(crate) fn add(&mut self, row: u64) {
        if self.rows == 0 {
            self.first = row;
        }
        self.rows += 1;
    }
}

/// Where rows of that priority are counted among `ranks`.
pub(crate) fn rank(priority: Option<Priority>) -> usize {
    priority.map_or(0, |priority| priority as usize + 1)
}

impl Header {
    /// The header, ready for rows to be read by: names are hashed once, and each row is a copy that is filled in.
    pub fn shaped(mut self) -> Self {
        let names = self.columns.iter().enumerate().filter(|(n, _)| !self.hidden.contains(n));
        self.shape = names.map(|(_, name)| (name.clone(), Value::Null)).collect();
        for (name, value) in &self.constants {
            if !self.shape.contains_key(name) {
                self.shape.insert(name.clone(), value.clone());
            }
        }
        self
    }
}

/// An account as rows refer to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Via {
    /// Its name.
    pub name: Arc<str>,
    /// The address of rows that name none.
    pub fixed: Option<Arc<str>>,
    /// Case does not tell addresses apart.
    pub fold_case: bool,
    /// Addresses are credentials: keys have their hash.
    pub secret: bool,
}

impl Via {
    /// The address in the form in which it is compared.
    pub fn folded(&self, to: &str) -> String {
        if self.fold_case { to.to_lowercase() } else { to.to_owned() }
    }

    /// The key of a row without one of its own: account, address, occurrence (from 1).
    pub fn derived_key(&self, to: Option<&str>, occurrence: u32) -> String {
        match to {
            None => format!("{} #{occurrence}", self.name),
            Some(to) if self.secret => {
                let digest = ring::digest::digest(&ring::digest::SHA256, self.folded(to).as_bytes());
                let hash: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{} sha256:{hash} #{occurrence}", self.name)
            }
            Some(to) => format!("{} {} #{occurrence}", self.name, self.folded(to)),
        }
    }
}

/// What the index says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entered {
    /// Where its record is.
    pub offset: u64,
    /// The row it repeats.
    pub of: Option<u64>,
    /// How often its identity stood, this row included; 0 for a bad row.
    pub occurrence: u32,
    /// What it says of its priority.
    pub priority: Option<Priority>,
}

/// Bits of an offset; what is above them is the priority.
const OFFSET: u32 = 56;

impl Entered {
    /// As it stands in the index.
    pub fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let tagged = self.offset | (rank(self.priority) as u64) << OFFSET;
        bytes[..8].copy_from_slice(&tagged.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.of.unwrap_or(u64::MAX).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.occurrence.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` where the entry is damaged.
    pub fn from_bytes(bytes: &[u8; ENTRY]) -> Option<Self> {
        let wide = |at: usize| bytes[at..at + 8].try_into().ok().map(u64::from_le_bytes);
        let narrow = |at: usize| bytes[at..at + 4].try_into().ok().map(u32::from_le_bytes);
        if narrow(20)? != crc32fast::hash(&bytes[..20]) {
            return None;
        }
        let tagged = wide(0)?;
        let priority = match tagged >> OFFSET {
            0 => None,
            rank => Some(*Priority::ALL.get(rank as usize - 1)?),
        };
        let offset = tagged & ((1 << OFFSET) - 1);
        Some(Entered { offset, of: wide(8).filter(|of| *of != u64::MAX), occurrence: narrow(16)?, priority })
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Variables of which one may be another: the address out of a list of them.
struct Replaced<'a>(&'a Vars, Option<&'a (String, String)>);

impl Serialize for Replaced<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Replaced(vars, one) = self;
        let mut map = serializer.serialize_map(Some(vars.len()))?;
        for (name, value) in *vars {
            match one {
                Some((key, to)) if key == name => map.serialize_entry(name, to)?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

fn put_vars(out: &mut Vec<u8>, vars: &Vars, one: Option<&(String, String)>) {
    // Length first, then the text: five bytes are kept for a length that is known only afterwards.
    let at = out.len();
    out.extend_from_slice(&[0; 5]);
    // Writing a tree of text keys to memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, &Replaced(vars, one));
    let mut len = out.len() - at - 5;
    for place in 0..5 {
        out[at + place] = (len & 0x7f) as u8 | if place < 4 { 0x80 } else { 0 };
        len >>= 7;
    }
}

/// Writes lead and payload of `row` to the end of `out`.
pub(crate) fn encode(out: &mut Vec<u8>, row: u64, entry: &Entry) {
    let from = out.len();
    out.extend_from_slice(&[0; LEAD]);
    match entry {
        Entry::Good(good) => {
            out.push(u8::from(matches!(good.values, Values::Object(..))));
            put_number(out, row);
            put_number(out, good.line);
            put_number(out, good.account as u64);
            let flag = |set: bool, flag: u8| if set { flag } else { 0 };
            out.push(
                flag(good.to.is_some(), OWN)
                    | flag(good.key.is_some(), KEY)
                    | flag(good.template.is_some(), TEMPLATE)
                    | flag(good.id.is_some(), ID),
            );
            for text in [&good.to, &good.key, &good.template, &good.id].into_iter().flatten() {
                put_text(out, text);
            }
            match &good.values {
                Values::Cells(cells) => {
                    put_number(out, cells.len() as u64);
                    for cell in cells.iter() {
                        put_text(out, cell);
                    }
                }
                Values::Object(vars, one) => put_vars(out, vars, one.as_ref()),
            }
        }
        Entry::Bad { error, raw } => {
            out.push(2);
            put_number(out, row);
            put_number(out, error.place.line);
            put_number(out, u64::from(error.place.column.unwrap_or(0)));
            put_text(out, error.place.name.as_deref().unwrap_or_default());
            put_text(out, &error.what);
            put_vars(out, raw, None);
        }
    }
    let payload = from + LEAD;
    let (len, crc) = ((out.len() - payload) as u32, crc32fast::hash(&out[payload..]));
    out[from..from + 4].copy_from_slice(&len.to_le_bytes());
    out[from + 4..payload].copy_from_slice(&crc.to_le_bytes());
}

/// Takes a payload apart. Every `None` is damage that the checksum did not see.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn vars(&mut self) -> Option<Vars> {
        serde_json::from_str(self.text()?).ok()
    }
}

/// The row of a payload whose checksum fits; `None` where it is not the record of that row.
pub(crate) fn decode(payload: &[u8], row: u64, entered: Entered, header: &Header) -> Option<Row> {
    let mut bytes = Bytes(payload);
    let kind = bytes.byte()?;
    if bytes.number()? != row {
        return None;
    }
    let line = bytes.number()?;
    let position = Position::row(row);
    if kind == 2 {
        let column = u32::try_from(bytes.number()?).ok().filter(|column| *column > 0);
        let name = Some(bytes.text()?).filter(|name| !name.is_empty()).map(str::to_owned);
        let what = bytes.text()?.to_owned();
        let raw = bytes.vars()?;
        let place = Place { line, column, name };
        let recipient = Err(RowError { place: place.clone(), what });
        return Some(Row { position, place, skip: None, priority: None, recipient, raw });
    }
    let via = header.accounts.get(usize::try_from(bytes.number()?).ok()?)?;
    let flags = bytes.byte()?;
    let mut optional = |flag: u8| if flags & flag != 0 { bytes.text().map(Some) } else { Some(None) };
    let (to, key, template, id) = (optional(OWN)?, optional(KEY)?, optional(TEMPLATE)?, optional(ID)?);
    let vars = match kind {
        0 => {
            if bytes.number()? != header.columns.len() as u64 {
                return None;
            }
            let mut vars = header.shape.clone();
            let mut places = vars.values_mut();
            for n in 0..header.columns.len() {
                let cell = bytes.text()?;
                if !header.hidden.contains(&n) {
                    *places.next()? = Value::from(cell);
                }
            }
            vars
        }
        1 => {
            let mut vars = bytes.vars()?;
            for (name, value) in &header.constants {
                if !vars.contains_key(name) {
                    vars.insert(name.clone(), value.clone());
                }
            }
            vars
        }
        _ => return None,
    };
    let key = match key {
        Some(key) if entered.occurrence < 2 || id.is_some() => key.to_owned(),
        Some(key) => format!("{key} #{}", entered.occurrence),
        None => via.derived_key(to, entered.occurrence.max(1)),
    };
    let to = match to {
        Some(to) => Address::from(to),
        None => Address(Arc::clone(via.fixed.as_ref()?)),
    };
    let recipient = Recipient {
        to,
        via: Arc::clone(&via.name),
        key,
        template: template.map(Arc::from),
        delivery_id: id.map(str::to_owned),
        vars,
    };
    let skip = entered.of.map(|of| Skip::Duplicate { of });
    let place = Place { line, ..Place::default() };
    Some(Row { position, place, skip, priority: entered.priority, recipient: Ok(recipient), raw: Vars::new() })
}

/// What a record claims: a name that two rows may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// 128 bits of SHA-256 over the name.
    pub print: u128,
    /// Its occurrences are counted: it is the row's identity.
    pub counts: bool,
    /// Only the first row with it is sent.
    pub skips: bool,
}

/// What a recipient claims under the rule `dedupe`: its identity, and what it must not share with an earlier row.
pub(crate) fn claims(good: &Good, via: &Via, dedupe: crate::source::options::Dedupe) -> [Option<Claim>; 2] {
    use crate::source::options::Dedupe;
    let print = |kind: &str, parts: &[&str]| {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in [kind].iter().chain(parts) {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut bits = [0; 16];
        bits.copy_from_slice(&context.finish().as_ref()[..16]);
        u128::from_le_bytes(bits)
    };
    // The same delivery twice is a mistake under every rule.
    if let Some(id) = &good.id {
        return [Some(Claim { print: print("id", &[id]), counts: true, skips: true }), None];
    }
    // All rows of a fixed address share it on purpose.
    let address = match &good.to {
        Some(to) => print("address", &[&via.name, &via.folded(to)]),
        None => print("fixed", &[&via.name]),
    };
    let by_address = dedupe == Dedupe::Address && good.to.is_some();
    match &good.key {
        None => [Some(Claim { print: address, counts: true, skips: by_address }), None],
        Some(key) => [
            Some(Claim { print: print("key", &[&via.name, key]), counts: true, skips: dedupe == Dedupe::Key }),
            by_address.then_some(Claim { print: address, counts: false, skips: true }),
        ],
    }
}
