//! One row of the list: who, through which account, with which values. Plain data, no I/O.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::priority::Priority;

/// The variables of one row, in the order of the columns.
pub type Vars = Map<String, Value>;

/// Where a row stands in its source: the row of the spool, or partition and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// 0 for a list; the partition for a stream with several.
    pub shard: u32,
    /// Counted from 0.
    pub row: u64,
}

impl Position {
    /// Row `row` of a source with a single shard.
    pub fn row(row: u64) -> Self {
        Position { shard: 0, row }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shard == 0 { write!(f, "{}", self.row) } else { write!(f, "{}:{}", self.shard, self.row) }
    }
}

/// Where a message goes, as the platform understands it: an email address, a number, a URL. May be a credential.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(pub Arc<str>);

impl Address {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Address(Arc::from(text))
    }
}

/// Shows `z***@example.com`, or the host of a URL: addresses are personal data and URLs may be credentials.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Address {
    /// The address as logs may show it: `z***@example.com`, `https://hooks.example.com/***`, `+86***`.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        if let Some(rest) = text.split_once("://") {
            let host = rest.1.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            return format!("{}://{host}/***", rest.0);
        }
        match text.rsplit_once('@') {
            Some((local, domain)) => format!("{}***@{domain}", local.chars().next().unwrap_or('*')),
            None => format!("{}***", text.chars().take(3).collect::<String>()),
        }
    }
}

/// Where the addresses of an account's rows are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressing {
    /// Columns that may hold the address, in the order of preference: `to`, `email` …
    pub columns: Vec<String>,
    /// The address of a row that names none, where all rows go to one endpoint of the account anyway (`webhook:ops`). Such rows share
    /// it and are never duplicates of each other.
    pub fixed: Option<String>,
    /// Addresses are telephone numbers: look for what Excel did to them.
    pub phone: bool,
    /// Letter case does not tell two addresses apart.
    pub fold_case: bool,
    /// An address may itself be a credential (a webhook's URL): the journal keeps its hash.
    pub secret: bool,
    /// Any of the columns will do in any row, because one account after the other is tried.
    pub any: bool,
}

/// One recipient: a row that could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// Where to.
    pub to: Address,
    /// The account, from `_via` or `--via`.
    pub via: Arc<str>,
    /// The row's identity inside its lineage: `--key`, `_key`, or account, address and occurrence.
    pub key: String,
    /// `_template` of this row, where it differs from the run's.
    pub template: Option<Arc<str>>,
    /// The delivery id that a retry file carried, which then stays the same in the new run.
    pub delivery_id: Option<String>,
    /// Everything else, for the template.
    pub vars: Vars,
}

/// Where in the input a row stood, as a person would look for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Line of the input on which the row begins, from 1.
    pub line: u64,
    /// Column (field) number, from 1, where one field is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Name of that column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Why a row cannot be sent as it is: its place and one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for RowError {}

/// Why a good row is not sent at all: policy, not failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Skip {
    /// The same key or address stood in row `of` already.
    Duplicate {
        /// Row of the first occurrence.
        of: u64,
    },
    /// Another run of the same line has sent it.
    AlreadySent {
        /// That run.
        run: Arc<str>,
        /// What the row says now is not what was sent.
        changed: bool,
    },
    /// Another run of the same line may have sent it: there it is in doubt, and is decided about there.
    MayBeSent {
        /// That run.
        run: Arc<str>,
    },
    /// The address, or its domain, is on the suppression list.
    Suppressed,
    /// It has not left within `--expires`.
    Expired,
}

/// As the files tell it.
impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skip::Duplicate { of } => write!(f, "duplicate_of={of}"),
            Skip::AlreadySent { run, changed: false } => write!(f, "already_sent={run}"),
            Skip::AlreadySent { run, changed: true } => write!(f, "already_sent={run}, with other content"),
            Skip::MayBeSent { run } => write!(f, "in_doubt_in={run}"),
            Skip::Suppressed => f.write_str("suppressed"),
            Skip::Expired => f.write_str("expired"),
        }
    }
}

/// One row as the source hands it on. A bad row is a row too: it fails alone.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands in the spool.
    pub position: Position,
    /// Where it stood in the input.
    pub place: Place,
    /// Set where policy says not to send it.
    pub skip: Option<Skip>,
    /// What the row says of itself (`_priority`); without it, it is worth what its run is.
    pub priority: Option<Priority>,
    /// The recipient, or why there is none. `raw` of a bad row keeps what could be read, for the retry file.
    pub recipient: Result<Recipient, RowError>,
    /// The fields as they were read, where `recipient` is an error.
    pub raw: Vars,
}
