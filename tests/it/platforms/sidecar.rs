//! The form of `tests/platforms/NAME.yaml`: golden requests, documented replies, and what each must be taken for.
//!
//! Read strictly: a key that nobody knows would be a question that is never asked. Names in double braces are filled in before the
//! file is read; `{{any}}` stays and stands for any text.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notify::delivery::{Delivery, DeliveryId, Envelope};
use notify::error::{ErrorKind, Reach};
use notify::message::{Attachment, Body, Content, Message};
use notify::platform::sign;
use notify::recipient::{Address, Position};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::stage;

/// The account's name in every delivery of the suite.
pub const ACCOUNT: &str = "conformance";

/// The time of every request: 2023-11-14T22:13:20Z, that of the published vectors.
pub const NOW: u64 = 1_700_000_000;

/// What a platform is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    #[serde(default)]
    pub account: serde_yaml::Mapping,
    #[serde(default)]
    pub accounts: BTreeMap<String, serde_yaml::Mapping>,
    #[serde(default)]
    pub send: Sending,
    #[serde(default)]
    pub batch: Vec<Sending>,
    #[serde(default)]
    pub ok: Reply,
    pub ok_batch: Option<Reply>,
    pub bad_to: Option<Vec<String>>,
    #[serde(default)]
    pub refused: Vec<Refusal>,
    /// Deliveries that must not share a request with others.
    #[serde(default)]
    pub alone: Vec<Sending>,
    /// Pairs that may share a request with others, but not with each other.
    #[serde(default)]
    pub apart: Vec<(Sending, Sending)>,
    #[serde(default)]
    pub golden: Vec<Golden>,
    #[serde(default)]
    pub cases: Vec<Case>,
    pub token: Option<Token>,
    pub check: Option<Check>,
    #[serde(default)]
    pub differs: BTreeMap<String, Differs>,
    /// Only of coded platforms: where their questions are asked.
    #[serde(default)]
    pub covered: BTreeMap<String, Vec<String>>,
    /// Only of coded platforms: why a question cannot be asked.
    #[serde(default)]
    pub not: BTreeMap<String, String>,
}

/// A delivery: content as after rendering.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    pub to: Option<String>,
    pub text: Option<String>,
    pub subject: Option<String>,
    pub html: Option<String>,
    pub markdown: Option<String>,
    pub json: Option<Value>,
    pub row: Option<Map<String, Value>>,
    #[serde(default)]
    pub columns: Map<String, Value>,
    pub from: Option<String>,
    pub reply_to: Option<String>,
    #[serde(default)]
    pub cc: Vec<String>,
    #[serde(default)]
    pub bcc: Vec<String>,
    #[serde(default)]
    pub headers: Map<String, Value>,
    #[serde(default)]
    pub meta: Map<String, Value>,
    #[serde(default)]
    pub attachments: Vec<File>,
    pub attempt: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    name: String,
    content_type: String,
    text: Option<String>,
    base64: Option<String>,
    cid: Option<String>,
}

/// What the service answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    status: Option<u16>,
    #[serde(default)]
    headers: Map<String, Value>,
    json: Option<Value>,
    text: Option<String>,
}

/// Content that is refused before it is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    pub send: Sending,
    pub account: Option<String>,
    #[serde(default)]
    pub says: String,
}

/// One delivery, a list of them (one batch), or the word `batch`.
#[derive(Debug, Clone)]
pub enum Sent {
    Word(String),
    Several(Vec<Sending>),
    One(Box<Sending>),
}

/// A request that must be exactly so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub kind: String,
    pub name: Option<String>,
    pub account: Option<String>,
    pub send: Option<Sent>,
    pub request: Expected,
    pub reply: Option<Reply>,
    pub expect: Option<Expect>,
}

/// The request itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub method: Option<String>,
    pub path: String,
    #[serde(default)]
    pub query: Map<String, Value>,
    #[serde(default)]
    pub headers: Map<String, Value>,
    pub content_type: Option<String>,
    pub json: Option<Value>,
    pub form: Option<Map<String, Value>>,
    pub text: Option<String>,
    pub multipart: Option<Map<String, Value>>,
    pub bytes: Option<String>,
}

/// A reply and what it must be taken for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: Option<String>,
    pub reply: Option<Reply>,
    #[serde(default)]
    pub replies: Vec<Reply>,
    pub expect: Expect,
    pub send: Option<Sent>,
    pub account: Option<String>,
    pub refused: Option<Blame>,
    pub requests: Option<usize>,
    pub tokens: Option<usize>,
    pub pause: Option<Pause>,
    pub next: Option<Next>,
}

/// Whose fault a refused batch is.
#[derive(Debug)]
pub enum Blame {
    Word(String),
    For(Vec<usize>),
}

/// A rest that a reply asks for in passing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    pub reach: Reach,
    pub wait: Word,
}

/// Where the same delivery goes the next time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    pub to: Word,
}

/// The token's own call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub request: Expected,
    pub reply: Reply,
    pub invalid: Option<Reply>,
    #[serde(default)]
    pub cases: Vec<TokenCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenCase {
    pub reply: Reply,
    pub expect: Expect,
}

/// The harmless call that proves credentials.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub request: Expected,
    pub reply: Reply,
    #[serde(default)]
    pub says: String,
}

/// Another answer to a general question, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differs {
    pub expect: Expect,
    pub because: String,
}

/// What the verdicts must be.
#[derive(Debug, Clone)]
pub enum Expect {
    Each(Vec<One>),
    All(One),
}

/// What one verdict must be: a word, or more of it.
#[derive(Debug, Clone)]
pub enum One {
    Word(String),
    Told(Box<Told>),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The receipt's id.
    pub sent: Option<Word>,
    pub replay: Option<bool>,
    pub kind: Option<String>,
    pub code: Option<Word>,
    pub reach: Option<String>,
    pub wait: Option<Word>,
    pub says: Option<String>,
}

/// Text, or what YAML takes for a number or a truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Word(text)),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(Word(value.to_string())),
            _ => Err(serde::de::Error::custom("expected text or a number")),
        }
    }
}

/// By the form of the value, so that a mistake inside is told as itself.
impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) => Ok(Sent::Word(word)),
            list @ Value::Array(_) => inside(list).map(Sent::Several),
            other => inside(other).map(|one| Sent::One(Box::new(one))),
        }
    }
}

impl<'de> Deserialize<'de> for Blame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) => Ok(Blame::Word(word)),
            list => inside(list).map(Blame::For),
        }
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            list @ Value::Array(_) => inside(list).map(Expect::Each),
            one => inside(one).map(Expect::All),
        }
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) => Ok(One::Word(word)),
            other => inside(other).map(|told| One::Told(Box::new(told))),
        }
    }
}

fn inside<T: serde::de::DeserializeOwned, E: serde::de::Error>(value: Value) -> Result<T, E> {
    serde_json::from_value(value).map_err(E::custom)
}

impl Word {
    /// `3s`, `1500ms`, `2m`, a number of seconds; `None` for `none`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn wait(&self) -> Result<Option<Duration>, String> {
        let text = self.0.as_str();
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
        if text == "none" {
            return Ok(None);
        }
        units
            .iter()
            .find_map(|(unit, seconds)| text.strip_suffix(unit)?.trim().parse::<f64>().ok().map(|number| number * seconds))
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
            .map(|seconds| Some(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| format!("`{text}` is no wait: write 3s, 1500ms, 2m or none"))
    }
}

impl Sidecar {
    /// Reads the file's text for a service at that address.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn read(text: &str, server: &str) -> Result<Self, String> {
        serde_yaml::from_str(&filled(text, server)).map_err(|error| error.to_string())
    }

    /// The settings of a variant, or the usual ones.
    ///
    /// # Errors
    /// A variant that the file does not have.
    pub fn settings(&self, variant: Option<&str>) -> Result<serde_yaml::Mapping, String> {
        let mut settings = self.account.clone();
        if let Some(variant) = variant {
            let over = self.accounts.get(variant).ok_or_else(|| format!("there is no account `{variant}` in `accounts`"))?;
            for (key, value) in over {
                if value.is_null() {
                    settings.remove(key);
                } else {
                    settings.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(settings)
    }

    /// The deliveries that `sent` means; the usual one where it says nothing.
    ///
    /// # Errors
    /// Another word than `batch`, or `batch` where the file has none.
    pub fn deliveries(&self, sent: Option<&Sent>) -> Result<Vec<Delivery>, String> {
        let sendings: Vec<&Sending> = match sent {
            None => vec![&self.send],
            Some(Sent::One(one)) => vec![one],
            Some(Sent::Several(several)) => several.iter().collect(),
            Some(Sent::Word(word)) if word == "batch" && !self.batch.is_empty() => self.batch.iter().collect(),
            Some(Sent::Word(word)) => return Err(format!("send: `{word}` is not understood here (batch, a delivery, a list)")),
        };
        sendings.iter().enumerate().map(|(number, sending)| self.delivery(sending, number)).collect()
    }

    /// One delivery, as the row of that number.
    ///
    /// # Errors
    /// An attachment without content.
    pub fn delivery(&self, sending: &Sending, number: usize) -> Result<Delivery, String> {
        let to = sending.to.as_deref().or(self.send.to.as_deref()).unwrap_or_default();
        let envelope = Envelope {
            id: id(number),
            position: Position::row(number as u64),
            account: ACCOUNT.into(),
            to: Address::from(to),
            attempt: sending.attempt.unwrap_or(1),
        };
        Ok(Delivery { envelope, message: sending.message()? })
    }
}

impl Sending {
    fn message(&self) -> Result<Message, String> {
        let column = |name: &str| self.row.as_ref().and_then(|row| row.get(name)).and_then(Value::as_str).map(str::to_owned);
        let text = self.text.clone().or_else(|| column("text"));
        let html = self.html.clone().or_else(|| column("html"));
        let markdown = self.markdown.clone().or_else(|| column("markdown"));
        let body = match (&self.json, html, markdown) {
            (Some(tree), _, _) => Body::Native(tree.clone()),
            (None, Some(html), _) => Body::Html { html, text: text.unwrap_or_default() },
            (None, None, Some(markdown)) => Body::Markdown { text: text.unwrap_or_else(|| markdown.clone()), markdown },
            (None, None, None) => Body::Text(text.unwrap_or_default()),
        };
        let columns = self.row.iter().flatten().chain(&self.columns).map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Message {
            subject: self.subject.clone().or_else(|| column("subject")),
            body,
            from: self.from.clone(),
            reply_to: self.reply_to.clone(),
            cc: self.cc.clone(),
            bcc: self.bcc.clone(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            attachments: self.attachments.iter().map(|file| file.attachment().map(Into::into)).collect::<Result<_, _>>()?,
            meta: self.meta.clone(),
            columns,
            from_row: self.row.is_some(),
        })
    }
}

impl File {
    fn attachment(&self) -> Result<Attachment, String> {
        let bytes = match (&self.text, &self.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|error| format!("attachment {}: {error}", self.name))?,
            _ => return Err(format!("attachment {}: write text or base64", self.name)),
        };
        Ok(Attachment {
            name: self.name.clone(),
            content_type: self.content_type.clone(),
            cid: self.cid.clone(),
            content: Content::Shared(shared_bytes(bytes)),
        })
    }
}

impl Reply {
    /// As the stage says it.
    pub fn staged(&self) -> stage::Reply {
        let status = self.status.unwrap_or(200);
        let mut reply = match (&self.json, &self.text) {
            (Some(json), _) => stage::Reply::json(status, json),
            (None, Some(text)) => stage::Reply::text(status, text),
            (None, None) => stage::Reply::status(status),
        };
        for (name, value) in &self.headers {
            reply.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            reply = reply.header(name, &plain(value));
        }
        reply
    }

    /// The JSON body, if it has one.
    pub fn tree(&self) -> Option<&Value> {
        self.json.as_ref()
    }
}

impl One {
    /// The whole expectation; a word is `sent` or a kind.
    ///
    /// # Errors
    /// A word that is neither.
    pub fn told(&self) -> Result<Told, String> {
        match self {
            One::Word(word) if word == "sent" => Ok(Told::default()),
            One::Word(word) => Ok(Told { kind: Some(kind(word)?.to_string()), ..Told::default() }),
            One::Told(told) => {
                told.kind.as_deref().map(kind).transpose()?;
                if told.kind.is_none()
                    && (told.code.is_some() || told.wait.is_some() || told.reach.is_some() || told.says.is_some())
                {
                    return Err("code, wait, reach and says are of errors: name the kind".to_owned());
                }
                Ok(told.as_ref().clone())
            }
        }
    }
}

fn kind(word: &str) -> Result<ErrorKind, String> {
    ErrorKind::parse(word).ok_or_else(|| format!("`{word}` is neither sent nor a kind"))
}

/// Text as it is; other values as JSON writes them.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The id of the delivery of that number.
pub fn id(number: usize) -> DeliveryId {
    DeliveryId::derive("conformance", &format!("row {number}"), ACCOUNT)
}

/// The names in double braces that the suite knows; all others stay.
fn filled(text: &str, server: &str) -> String {
    let name = regex::Regex::new(r"\{\{(server|host|now|id|uuid|hex32)(?:\.(\d+))?\}\}").expect("a pattern");
    name.replace_all(text, |found: &regex::Captures<'_>| {
        let number = found.get(2).and_then(|digits| digits.as_str().parse().ok()).unwrap_or(0);
        match &found[1] {
            "server" => server.to_owned(),
            "host" => server.trim_start_matches("http://").to_owned(),
            "now" => NOW.to_string(),
            "id" => id(number).to_string(),
            "uuid" => sign::uuid5(id(number).as_str()),
            _ => sign::uuid5(id(number).as_str()).replace('-', ""),
        }
    })
    .into_owned()
}

/// The same file of several deliveries is one file, as it is where a template brings it.
fn shared_bytes(bytes: Vec<u8>) -> std::sync::Arc<[u8]> {
    static KNOWN: std::sync::Mutex<Vec<std::sync::Arc<[u8]>>> = std::sync::Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(there) = known.iter().find(|there| ***there == *bytes) {
        return std::sync::Arc::clone(there);
    }
    let new: std::sync::Arc<[u8]> = bytes.into();
    known.push(std::sync::Arc::clone(&new));
    new
}
