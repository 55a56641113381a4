//! Tests of a reply, as `success:` and `errors:` of a definition write them: status, JSON, header, body, network fault.

use regex::Regex;
use serde_json::Value;

use crate::platform::http::{Fault, HeaderMap, HeaderName, HeaderValue};

mod place;
mod read;

pub use place::{OneOrMany, Pattern, Pointer, Spot};

/// What a test looks at.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The fault, where there was none.
    pub fault: Option<Fault>,
    /// Header fields of the answer.
    pub headers: &'a HeaderMap,
    /// The body as text.
    pub body: &'a str,
    /// The body is all of it, and not the beginning of something longer.
    pub whole: bool,
    /// The body as JSON, where it is JSON.
    pub json: Option<&'a Value>,
}

impl<'a> Seen<'a> {
    /// One element of the reply in place of the whole: pointers begin there, and it has a text only where it is text.
    pub fn element(&self, element: &'a Value) -> Seen<'a> {
        Seen { body: element.as_str().unwrap_or_default(), whole: element.is_string(), json: Some(element), ..*self }
    }

    /// A value of the body.
    pub fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.json.and_then(|json| json.pointer(pointer))
    }

    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    }

    fn list(&self, pointer: &str) -> &'a [Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// A test, or several.
#[derive(Debug)]
pub enum Condition {
    /// Every one; of none, true.
    All(Vec<Condition>),
    /// At least one.
    Any(Vec<Condition>),
    /// Not that.
    Not(Box<Condition>),
    /// The status is one of these.
    Status(Vec<StatusRange>),
    /// A value of the body.
    Json(String, Expect),
    /// A header field.
    Header(String, Expect),
    /// The body as text.
    Body(Expect),
    /// The whole body as text, without white space around it.
    Text(Expect),
    /// A list of the body that is not empty, and the test holds for every element of it.
    Every(String, Box<Condition>),
    /// A list of the body, and the test holds for at least one element of it.
    Some(String, Box<Condition>),
    /// No answer, for one of these reasons.
    Net(Vec<Net>),
}

/// What is expected of a value.
#[derive(Debug)]
pub enum Expect {
    /// It is there and not null (or is not).
    Exists(bool),
    /// It is one of these.
    In(Vec<Value>),
    /// Its text matches.
    Match(Regex),
}

/// `2xx`, `429`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    from: u16,
    to: u16,
}

impl StatusRange {
    /// Whether the status is in it.
    pub fn contains(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

/// Network faults in the words of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// Nothing got there: no name, no connection, no TLS.
    Connect,
    /// The deadline passed after the request was sent.
    TimeoutAfterSend,
    /// The connection failed after the request was sent.
    CutAfterSend,
}

/// What a failed success test proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The test holds.
    Holds,
    /// The reply spoke, and said otherwise.
    Refuted,
    /// The reply did not speak of it.
    Silent,
}

impl Condition {
    /// Whether the test holds.
    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Condition::All(each) => each.iter().all(|one| one.holds(seen)),
            Condition::Any(each) => each.iter().any(|one| one.holds(seen)),
            Condition::Not(one) => !one.holds(seen),
            Condition::Status(ranges) => seen.status.is_some_and(|status| ranges.iter().any(|range| range.contains(status))),
            Condition::Json(pointer, expect) => expect.holds(seen.at(pointer)),
            Condition::Header(name, expect) => expect.holds_text(seen.header(name).as_deref()),
            Condition::Body(expect) => expect.holds_text(Some(seen.body)),
            Condition::Text(expect @ Expect::Exists(_)) => {
                seen.whole && expect.holds_text(Some(seen.body.trim()).filter(|text| !text.is_empty()))
            }
            Condition::Text(expect) => seen.whole && expect.holds_text(Some(seen.body.trim())),
            Condition::Every(list, of) => {
                let list = seen.list(list);
                !list.is_empty() && list.iter().all(|element| of.holds(&seen.element(element)))
            }
            Condition::Some(list, of) => seen.list(list).iter().any(|element| of.holds(&seen.element(element))),
            Condition::Net(nets) => seen.fault.is_some_and(|fault| nets.iter().any(|net| net.is(fault))),
        }
    }

    /// Like `holds`, but tells "it says no" from "it says nothing": only the first is a refusal.
    pub fn prove(&self, seen: &Seen<'_>) -> Proof {
        if self.holds(seen) {
            // What is absent from a reply that nobody could read proves nothing.
            return if self.sure(seen) == Some(true) { Proof::Holds } else { Proof::Silent };
        }
        match self {
            // A reply refutes an `all` with one plain no, but an `any` only with every one of its parts.
            Condition::All(each) if each.iter().any(|one| one.prove(seen) == Proof::Refuted) => Proof::Refuted,
            Condition::Any(each) if each.iter().all(|one| one.prove(seen) == Proof::Refuted) => Proof::Refuted,
            Condition::Not(one) if one.sure(seen) == Some(true) => Proof::Refuted,
            // A null says as little as nothing.
            Condition::Json(pointer, _) if seen.at(pointer).is_some_and(|value| !value.is_null()) => Proof::Refuted,
            Condition::Header(name, _) if seen.headers.contains_key(name.as_str()) => Proof::Refuted,
            Condition::Body(_) | Condition::Text(_) if !seen.body.trim().is_empty() => Proof::Refuted,
            // An element that says no refutes an `every`; a `some` needs all of them to.
            Condition::Every(list, of) => {
                let no = seen.list(list).iter().any(|element| of.prove(&seen.element(element)) == Proof::Refuted);
                if no { Proof::Refuted } else { Proof::Silent }
            }
            Condition::Some(list, of) => {
                let list = seen.list(list);
                let no = !list.is_empty() && list.iter().all(|element| of.prove(&seen.element(element)) == Proof::Refuted);
                if no { Proof::Refuted } else { Proof::Silent }
            }
            _ => Proof::Silent,
        }
    }

    /// Whether the test holds, where that can be known: a body that is no JSON, or was not read to its end, may hold anything.
    fn sure(&self, seen: &Seen<'_>) -> Option<bool> {
        match self {
            Condition::All(each) => known(each.iter().map(|one| one.sure(seen)), false),
            Condition::Any(each) => known(each.iter().map(|one| one.sure(seen)), true),
            Condition::Not(one) => one.sure(seen).map(|holds| !holds),
            Condition::Json(..) | Condition::Every(..) | Condition::Some(..) => seen.json.map(|_| self.holds(seen)),
            Condition::Body(_) if !seen.whole => Some(true).filter(|_| self.holds(seen)),
            Condition::Text(_) if !seen.whole => None,
            _ => Some(self.holds(seen)),
        }
    }

    /// Whether it asks something of every element of a list, and some element does it: a part was taken.
    pub fn partly(&self, seen: &Seen<'_>) -> bool {
        match self {
            Condition::All(each) | Condition::Any(each) => each.iter().any(|one| one.partly(seen)),
            Condition::Every(list, of) => seen.list(list).iter().any(|element| of.holds(&seen.element(element))),
            _ => false,
        }
    }

    /// Whether any part looks into the body as JSON.
    pub fn wants_json(&self) -> bool {
        match self {
            Condition::All(each) | Condition::Any(each) => each.iter().any(Condition::wants_json),
            Condition::Not(one) => one.wants_json(),
            Condition::Json(..) | Condition::Every(..) | Condition::Some(..) => true,
            _ => false,
        }
    }

    /// Whether any part looks at the status; a success test that does not is held to 2xx.
    pub fn wants_status(&self) -> bool {
        match self {
            Condition::All(each) | Condition::Any(each) => each.iter().any(Condition::wants_status),
            Condition::Not(one) => one.wants_status(),
            Condition::Status(_) => true,
            _ => false,
        }
    }

    /// Whether it takes an answer after which nobody knows whether the message was taken: a status of a gateway with nothing in it, or
    /// a connection that was lost. Every test is asked about each of them, whatever it is made of.
    pub fn takes_doubtful(&self) -> bool {
        let page = HeaderMap::from_iter([(HeaderName::from_static("content-type"), HeaderValue::from_static("text/html"))]);
        let none = HeaderMap::new();
        fn mute<'m>(status: u16, headers: &'m HeaderMap, body: &'m str) -> Seen<'m> {
            Seen { status: Some(status), fault: None, headers, body, whole: true, json: None }
        }
        let lost = |fault| Seen { status: None, fault: Some(fault), headers: &none, body: "", whole: false, json: None };
        MUTE.iter().any(|(status, words)| {
            let html = format!("<html><head><title>{status} {words}</title></head><body><h1>{words}</h1></body></html>");
            self.holds(&mute(*status, &none, "")) || self.holds(&mute(*status, &page, &html))
        }) || [Fault::Timeout, Fault::Cut].into_iter().any(|fault| self.holds(&lost(fault)))
    }
}

/// Statuses after which nobody knows, in the words of gateways.
const MUTE: [(u16, &str); 3] = [(500, "Internal Server Error"), (502, "Bad Gateway"), (504, "Gateway Timeout")];

/// `decides` of one decides for all; otherwise all must be known.
fn known(each: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
    let mut all = Some(!decides);
    for one in each {
        if one == Some(decides) {
            return one;
        }
        all = all.and(one);
    }
    all
}

impl Expect {
    fn holds(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        match (self, value) {
            (Expect::Exists(yes), value) => value.is_some() == *yes,
            (_, None) => false,
            (Expect::In(wanted), Some(value)) => wanted.iter().any(|wanted| same(wanted, value)),
            (Expect::Match(regex), Some(Value::String(text))) => regex.is_match(text),
            (Expect::Match(regex), Some(value)) => regex.is_match(&value.to_string()),
        }
    }

    /// The same for what is only ever text (header fields, the body): numbers and booleans are meant as they are written.
    fn holds_text(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Expect::Exists(yes), text) => text.is_some() == *yes,
            (_, None) => false,
            (Expect::In(wanted), Some(text)) => wanted.iter().any(|wanted| match wanted {
                Value::String(wanted) => wanted == text,
                wanted => {
                    let written = wanted.to_string();
                    written == text
                }
            }),
            (Expect::Match(regex), Some(text)) => regex.is_match(text),
        }
    }
}

/// `0` and `"0"` are the same code: services change their mind about the quotes.
fn same(wanted: &Value, value: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    if let (Value::Number(wanted), Value::Number(value)) = (wanted, value)
        && wanted.as_f64() == value.as_f64()
        && !(wanted.is_i64() && value.is_i64())
        && !(wanted.is_u64() && value.is_u64())
    {
        return true;
    }
    wanted == value || text(wanted).is_some_and(|wanted| Some(wanted) == text(value))
}

impl Net {
    fn is(self, fault: Fault) -> bool {
        match self {
            Net::Connect => matches!(fault, Fault::Name | Fault::Connect | Fault::Tls | Fault::Unsent),
            Net::TimeoutAfterSend => fault == Fault::Timeout,
            Net::CutAfterSend => fault == Fault::Cut,
        }
    }
}
