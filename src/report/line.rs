//! One row of a run as the files tell it: a line of results, and a line of a retry file.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::delivery::DeliveryId;
use crate::error::ErrorKind;
use crate::journal::folder::Manifest;
use crate::journal::table::Known;
use crate::recipient::{Recipient, Row};
use crate::tally::State;

/// What is the same for all lines of a run.
#[derive(Debug)]
pub(crate) struct Telling<'a> {
    manifest: &'a Manifest,
    secret: HashSet<&'a str>,
}

/// Names of the columns of `results.csv`, which are the fields of `results.jsonl`.
pub(crate) const COLUMNS: [&str; 15] = [
    "row",
    "line",
    "key",
    "account",
    "to",
    "status",
    "kind",
    "code",
    "detail",
    "attempts",
    "possible_duplicate",
    "receipt",
    "delivery_id",
    "not_before",
    "at",
];

/// One line of `results.jsonl`; every field is always there.
#[derive(Debug, Serialize)]
pub(crate) struct ResultLine<'a> {
    row: u64,
    line: u64,
    key: Option<Cow<'a, str>>,
    account: Option<&'a str>,
    to: Option<Cow<'a, str>>,
    pub(crate) status: State,
    kind: Option<ErrorKind>,
    code: Option<&'a str>,
    detail: Option<Cow<'a, str>>,
    attempts: u32,
    possible_duplicate: bool,
    receipt: Option<&'a str>,
    delivery_id: Option<DeliveryText>,
    not_before: Option<String>,
    at: Option<String>,
    /// `_meta.*` of the row.
    #[serde(skip_serializing_if = "Map::is_empty")]
    meta: Map<String, Value>,
}

#[derive(Debug)]
struct DeliveryText(DeliveryId);

impl Serialize for DeliveryText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_str())
    }
}

impl ResultLine<'_> {
    /// What a person is shown of a failed row: number, account, address, kind, code, detail.
    pub(crate) fn shown(&self) -> [String; 6] {
        [
            self.row.to_string(),
            self.account.unwrap_or_default().to_owned(),
            self.to.as_deref().unwrap_or_default().to_owned(),
            self.kind.map(ErrorKind::as_str).unwrap_or_default().to_owned(),
            self.code.unwrap_or_default().to_owned(),
            self.detail.as_deref().unwrap_or_default().to_owned(),
        ]
    }

    /// The cells of `results.csv`, in the order of [`COLUMNS`].
    pub(crate) fn cells(&self) -> [Cow<'_, str>; 15] {
        fn text<'a>(value: Option<&'a str>) -> Cow<'a, str> {
            Cow::Borrowed(value.unwrap_or_default())
        }
        [
            self.row.to_string().into(),
            self.line.to_string().into(),
            text(self.key.as_deref()),
            text(self.account),
            text(self.to.as_deref()),
            self.status.as_str().into(),
            text(self.kind.map(ErrorKind::as_str)),
            text(self.code),
            text(self.detail.as_deref()),
            self.attempts.to_string().into(),
            if self.possible_duplicate { "true".into() } else { "false".into() },
            text(self.receipt),
            text(self.delivery_id.as_ref().map(|id| id.0.as_str())),
            text(self.not_before.as_deref()),
            text(self.at.as_deref()),
        ]
    }
}

impl<'a> Telling<'a> {
    pub(crate) fn new(manifest: &'a Manifest) -> Self {
        Telling { manifest, secret: manifest.secret_addresses.iter().map(String::as_str).collect() }
    }

    /// The line of results for a row and what the journal knows of it, if anything.
    pub(crate) fn result<'r>(&self, row: &'r Row, known: Option<&'r Known>) -> ResultLine<'r> {
        let recipient = row.recipient.as_ref().ok();
        let account = known.map(|known| &*known.account).or_else(|| recipient.map(|recipient| &*recipient.via));
        let secret = account.is_some_and(|account| self.secret.contains(account));
        let hide = |text: &'r str| -> Cow<'r, str> {
            match recipient {
                Some(recipient) if secret && !recipient.to.as_str().is_empty() && text.contains(recipient.to.as_str()) => {
                    text.replace(recipient.to.as_str(), &hidden(recipient.to.as_str())).into()
                }
                _ => text.into(),
            }
        };
        ResultLine {
            row: row.position.row + 1,
            line: row.place.line,
            key: recipient.map(|recipient| hide(&recipient.key)),
            account,
            to: recipient.map(|recipient| hide(recipient.to.as_str())),
            status: known.map_or(State::Pending, |known| known.state),
            kind: known.and_then(|known| known.kind),
            code: known.and_then(|known| known.code.as_deref()),
            detail: known.and_then(|known| known.detail.as_deref().or(known.note.as_deref())).map(hide),
            attempts: known.map_or(0, |known| known.attempts),
            possible_duplicate: known.is_some_and(|known| known.possible_duplicate),
            receipt: known.and_then(|known| known.receipt.as_deref()),
            delivery_id: recipient.and_then(|recipient| self.delivery_id(recipient, account)).map(DeliveryText),
            not_before: known.and_then(|known| known.due).map(|due| due.to_string()),
            at: known.map(|known| known.at.to_string()),
            meta: recipient.map(meta).unwrap_or_default(),
        }
    }

    /// The line of a retry file: the row's own columns, then `_notify`. Sending it again needs nothing else but the config.
    pub(crate) fn retry(&self, row: &Row, known: &Known) -> Map<String, Value> {
        let mut line = fields(row).clone();
        line.shift_remove("_notify");
        let mut about = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                about.insert(name.to_owned(), value);
            }
        };
        let recipient = row.recipient.as_ref().ok();
        let template = recipient.and_then(|recipient| recipient.template.as_deref());
        let of_run = self.manifest.template.as_ref();
        put("run", Some(self.manifest.id.as_str().into()));
        put("lineage", Some(self.manifest.lineage.as_str().into()));
        put("row", Some((row.position.row + 1).into()));
        put("line", Some(row.place.line.into()));
        put("key", recipient.map(|recipient| recipient.key.as_str().into()));
        put("id", recipient.and_then(|r| self.delivery_id(r, Some(&known.account))).map(|id| id.as_str().into()));
        // A bad row may have been bad because of its `_via`: which account it is for is read again from its own columns.
        put("account", recipient.map(|_| (*known.account).into()));
        put("template", template.or(of_run.map(|t| t.name.as_str())).map(Value::from));
        put(
            "template_path",
            of_run.filter(|t| template.is_none_or(|own| own == t.name)).map(|t| t.path.display().to_string().into()),
        );
        put("template_hash", of_run.filter(|t| template.is_none_or(|own| own == t.name)).map(|t| t.digest.as_str().into()));
        put("kind", known.kind.map(|kind| kind.as_str().into()));
        put("code", known.code.as_deref().map(Value::from));
        put("detail", known.detail.as_deref().map(Value::from));
        put("attempts", Some(known.attempts.into()));
        put("not_before", known.due.map(|due| due.to_string().into()));
        put("retryable", Some(known.kind.is_some_and(ErrorKind::retryable).into()));
        put("possible_duplicate", known.possible_duplicate.then_some(true.into()));
        put("at", Some(known.at.to_string().into()));
        line.insert("_notify".to_owned(), Value::Object(about));
        line
    }

    /// The cells of `failed.csv`: the user's own columns, then why.
    pub(crate) fn failed_cells(&self, columns: &[String], row: &Row, known: &Known) -> Vec<String> {
        let fields = fields(row);
        let recipient = row.recipient.as_ref().ok();
        let mut cells: Vec<String> = columns
            .iter()
            .map(|column| match (fields.get(column), recipient, column.as_str()) {
                (Some(value), ..) => plain(value),
                (None, Some(recipient), "_via") => recipient.via.to_string(),
                (None, Some(recipient), "_key") => recipient.key.clone(),
                (None, Some(recipient), "_template") => recipient.template.as_deref().unwrap_or_default().to_owned(),
                _ => String::new(),
            })
            .collect();
        cells.push(known.error().map(|error| error.to_string()).unwrap_or_default());
        cells
    }

    fn delivery_id(&self, recipient: &Recipient, account: Option<&str>) -> Option<DeliveryId> {
        let account = account.unwrap_or(&recipient.via);
        let carried = recipient.delivery_id.as_deref().and_then(DeliveryId::parse);
        Some(carried.unwrap_or_else(|| DeliveryId::derive(&self.manifest.lineage, &recipient.key, account)))
    }
}

fn fields(row: &Row) -> &Map<String, Value> {
    match &row.recipient {
        Ok(recipient) => &recipient.vars,
        Err(_) => &row.raw,
    }
}

fn meta(recipient: &Recipient) -> Map<String, Value> {
    let mut meta = match recipient.vars.get("_meta") {
        Some(Value::Object(meta)) => meta.clone(),
        _ => Map::new(),
    };
    for (name, value) in &recipient.vars {
        if let Some(name) = name.strip_prefix("_meta.") {
            meta.insert(name.to_owned(), value.clone());
        }
    }
    meta
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// An address that may be a credential, as host and hash: the same address looks the same, and cannot be used.
pub(crate) fn hidden(address: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, address.as_bytes());
    let hash: String = digest.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}/#{hash}")
        }
        None => format!("#{hash}"),
    }
}
