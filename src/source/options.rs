//! What can be said about a list: where it is, how it is to be read, and through which accounts its rows may go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::recipient::{Addressing, Vars};

/// Where a list comes from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file; also a named pipe or `<(…)`, which is then read like stdin.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Rows made by the program itself (`notify send`).
    Bytes {
        /// How messages call it.
        name: String,
        /// The list, in any form that a file may have.
        bytes: Vec<u8>,
    },
}

impl Input {
    /// How messages call the input.
    pub fn name(&self) -> String {
        match self {
            Input::File(path) => path.display().to_string(),
            Input::Stdin => "<stdin>".to_owned(),
            Input::Bytes { name, .. } => name.clone(),
        }
    }

    /// The input as `Problem` names it, beside a line.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Input::File(path) => path.clone(),
            other => PathBuf::from(other.name()),
        }
    }
}

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A header line and fields between delimiters (RFC 4180).
    Csv,
    /// The same between tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// One JSON array of objects.
    Json,
}

impl Format {
    /// The format as `--format` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Jsonl => "jsonl",
            Format::Json => "json",
        }
    }

    /// The format of that spelling (`ndjson` is `jsonl`), if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "csv" | "txt" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// The format that a file's name speaks of; `.gz` and `.zst` are looked through.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        let mut path = path.to_path_buf();
        let packed =
            path.extension().and_then(|e| e.to_str()).is_some_and(|e| matches!(e.to_ascii_lowercase().as_str(), "gz" | "zst"));
        if packed {
            path.set_extension("");
        }
        // `.txt` and `.json` say little: their content decides.
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            _ => None,
        }
    }

    /// Whether rows are fields between delimiters.
    pub fn delimited(self) -> bool {
        matches!(self, Format::Csv | Format::Tsv)
    }
}

/// Which later rows are taken for the same as an earlier one, within an account. Only the first is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dedupe {
    /// Rows with the same explicit key (`--key`, `_key`).
    Key,
    /// Rows with the same address.
    #[default]
    Address,
    /// None: every row is sent, and a repeated key or address is told apart by its occurrence.
    Off,
}

impl Dedupe {
    /// The rule of that spelling, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "key" => Some(Dedupe::Key),
            "address" => Some(Dedupe::Address),
            "off" => Some(Dedupe::Off),
            _ => None,
        }
    }
}

/// How a list is read. What is `None` is found out and told.
#[derive(Clone, Default)]
pub struct ReadOptions {
    /// `--format`.
    pub format: Option<Format>,
    /// `--encoding`: any label of the WHATWG Encoding Standard (`gb18030`, `windows-1252`, `utf-16le` …).
    pub encoding: Option<String>,
    /// `--delimiter`: one ASCII character.
    pub delimiter: Option<u8>,
    /// `--map to=from`: the column `from` is called `to` from here on.
    pub map: Vec<(String, String)>,
    /// `--skip`: so many rows of the input are passed over first.
    pub skip: u64,
    /// `--limit`: at most so many rows of the input after that.
    pub limit: Option<u64>,
    /// `--key`: the column (after `map`) that identifies a row.
    pub key: Option<String>,
    /// `--dedupe`.
    pub dedupe: Dedupe,
    /// `--via`: the account of rows that name none.
    pub default_account: Arc<str>,
    /// `retry --via OTHER`: every row goes by `default_account`, whatever it names.
    pub only_default: bool,
    /// Every account that rows may name in `_via`, with where its addresses are found. Must hold `default_account`.
    pub addressing: BTreeMap<Arc<str>, Addressing>,
    /// `--region`, else the locale (`zh_CN.UTF-8`): what a guess at an encoding leans on.
    pub region: Option<String>,
    /// `-V` and `--vars`: variables of every row that has no such column.
    pub constants: Vars,
}
