//! Tests of a reply, as `success:` and `errors:` of a definition write them: status, JSON, header, body, network fault.

use std::fmt;

use regex::Regex;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::platform::declared::place;
use crate::platform::http::{Fault, HeaderMap};

/// What a test looks at.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The fault, where there was none.
    pub fault: Option<Fault>,
    /// Header fields of the answer.
    pub headers: &'a HeaderMap,
    /// The body as text.
    pub body: &'a str,
    /// The body as JSON, where it is JSON.
    pub json: Option<&'a Value>,
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
            Condition::Json(pointer, expect) => expect.holds(seen.json.and_then(|json| json.pointer(pointer))),
            Condition::Header(name, expect) => expect.holds(header(seen, name).as_ref()),
            Condition::Body(expect) => expect.holds(Some(&Value::String(seen.body.to_owned()))),
            Condition::Net(nets) => seen.fault.is_some_and(|fault| nets.iter().any(|net| net.is(fault))),
        }
    }

    /// Like `holds`, but tells "it says no" from "it says nothing": only the first is a refusal.
    pub fn prove(&self, seen: &Seen<'_>) -> Proof {
        if self.holds(seen) {
            return Proof::Holds;
        }
        match self {
            // A reply refutes an `all` with one plain no, but an `any` only with every one of its parts.
            Condition::All(each) if each.iter().any(|one| one.prove(seen) == Proof::Refuted) => Proof::Refuted,
            Condition::Any(each) if each.iter().all(|one| one.prove(seen) == Proof::Refuted) => Proof::Refuted,
            Condition::Not(one) if one.holds(seen) => Proof::Refuted,
            Condition::Json(pointer, _) if seen.json.is_some_and(|json| json.pointer(pointer).is_some()) => Proof::Refuted,
            Condition::Header(name, _) if seen.headers.contains_key(name.as_str()) => Proof::Refuted,
            Condition::Body(_) if !seen.body.trim().is_empty() => Proof::Refuted,
            _ => Proof::Silent,
        }
    }

    /// Whether any part looks into the body as JSON.
    pub fn wants_json(&self) -> bool {
        match self {
            Condition::All(each) | Condition::Any(each) => each.iter().any(Condition::wants_json),
            Condition::Not(one) => one.wants_json(),
            Condition::Json(..) => true,
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

    /// Whether it takes, by status or network fault alone, a case in which the message may have been taken.
    pub fn takes_doubtful(&self) -> bool {
        match self {
            Condition::Any(each) => each.iter().any(Condition::takes_doubtful),
            // The service's own code inside the body is its word; a status of a gateway is nobody's.
            Condition::All(each) => each.iter().any(Condition::takes_doubtful) && !each.iter().any(Condition::is_word),
            Condition::Status(ranges) => {
                [500, 502, 504].into_iter().any(|status| ranges.iter().any(|range| range.contains(status)))
            }
            Condition::Net(nets) => nets.iter().any(|net| *net != Net::Connect),
            _ => false,
        }
    }

    fn is_word(&self) -> bool {
        matches!(self, Condition::Json(..) | Condition::Body(_) | Condition::Header(..))
    }
}

fn header(seen: &Seen<'_>, name: &str) -> Option<Value> {
    seen.headers.get(name).map(|value| Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()))
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
}

/// `0` and `"0"` are the same code: services change their mind about the quotes.
fn same(wanted: &Value, value: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
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

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Range;
        impl Visitor<'_> for Range {
            type Value = StatusRange;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HTTP status such as 429 or 5xx")
            }
            fn visit_u64<E: de::Error>(self, status: u64) -> Result<StatusRange, E> {
                let status = u16::try_from(status).ok().filter(|status| (100..600).contains(status));
                let status = status.ok_or_else(|| E::custom("an HTTP status is from 100 to 599"))?;
                Ok(StatusRange { from: status, to: status })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusRange, E> {
                match text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..6).contains(class)) {
                    Some(class) => Ok(StatusRange { from: class * 100, to: class * 100 + 99 }),
                    None => match text.parse::<u64>() {
                        Ok(status) => self.visit_u64(status),
                        Err(_) => Err(E::custom(format!("\"{text}\" is not an HTTP status: write 429, or 5xx"))),
                    },
                }
            }
        }
        deserializer.deserialize_any(Range)
    }
}

/// One value, or a list of them.
#[derive(Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                T::deserialize(de::value::U64Deserializer::new(number)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut each = Vec::new();
                while let Some(one) = seq.next_element()? {
                    each.push(one);
                }
                Ok(OneOrMany(each))
            }
        }
        deserializer.deserialize_any(Each(std::marker::PhantomData))
    }
}

const KEYS: &[&str] = &["all", "any", "not", "status", "json", "header", "body", "net", "eq", "in", "match", "exists"];

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tests)
    }
}

struct Tests;

impl<'de> Visitor<'de> for Tests {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a test such as { status: 2xx } or { json: /code, eq: 0 }, or any-2xx")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Condition, E> {
        match text {
            "any-2xx" => Ok(Condition::Status(vec![StatusRange { from: 200, to: 299 }])),
            _ => Err(E::custom(format!("\"{text}\" is not a test: write any-2xx, or {{ json: /ok, eq: true }}"))),
        }
    }

    /// Several tests in one object hold together; `eq`, `in`, `match`, `exists` say what is expected of `json`, `header` or `body`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let mut tests = Vec::new();
        let mut subject: Option<Subject> = None;
        let mut expect: Option<Expect> = None;
        while let Some(key) = map.next_key::<Key>()? {
            let before = (subject.is_some(), expect.is_some());
            match key.0 {
                "all" => tests.push(Condition::All(map.next_value()?)),
                "any" => tests.push(Condition::Any(map.next_value()?)),
                "not" => tests.push(Condition::Not(Box::new(map.next_value()?))),
                "status" => tests.push(Condition::Status(map.next_value::<OneOrMany<StatusRange>>()?.0)),
                "net" => tests.push(Condition::Net(map.next_value::<OneOrMany<Net>>()?.0)),
                "json" => subject = Some(Subject::Json(map.next_value::<Pointer>()?.0)),
                "header" => subject = Some(Subject::Header(map.next_value()?)),
                "body" => {
                    map.next_value::<BodyOf>()?;
                    subject = Some(Subject::Body);
                }
                "eq" => expect = Some(Expect::In(vec![map.next_value()?])),
                "in" => expect = Some(Expect::In(map.next_value()?)),
                "match" => expect = Some(Expect::Match(map.next_value::<Pattern>()?.0)),
                _ => expect = Some(Expect::Exists(map.next_value()?)),
            }
            let doubled = match key.0 {
                "json" | "header" | "body" => before.0,
                "eq" | "in" | "match" | "exists" => before.1,
                _ => false,
            };
            if doubled {
                return Err(de::Error::custom("one object tests one value once: put two tests into all: [ … ]"));
            }
        }
        match (subject, expect) {
            (None, None) => {}
            (Some(Subject::Json(pointer)), Some(expect)) => tests.push(Condition::Json(pointer, expect)),
            (Some(Subject::Header(name)), expect) => tests.push(Condition::Header(name, expect.unwrap_or(Expect::Exists(true)))),
            (Some(Subject::Body), Some(expect)) => tests.push(Condition::Body(expect)),
            (Some(_), None) => {
                return Err(de::Error::custom(
                    "the test says what to look at, but not what to expect: add eq, in, match or exists",
                ));
            }
            (None, Some(_)) => {
                return Err(de::Error::custom("the test says what to expect, but not of what: add json, header or body"));
            }
        }
        match tests.len() {
            0 => Err(de::Error::custom("an empty test: write { status: 2xx }, say")),
            1 => Ok(tests.remove(0)),
            _ => Ok(Condition::All(tests)),
        }
    }
}

enum Subject {
    Json(String),
    Header(String),
    Body,
}

/// A known key, checked at its own place in the file.
struct Key(&'static str);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a test")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Key, E> {
                KEYS.iter().find(|key| **key == word).map(|key| Key(key)).ok_or_else(|| E::unknown_field(word, KEYS))
            }
        }
        deserializer.deserialize_str(Word)
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyOf {
    Text,
}

/// A JSON pointer (RFC 6901), checked as it is read.
#[derive(Debug, Clone)]
pub struct Pointer(pub String);

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') {
            Ok(Pointer(text))
        } else {
            Err(format!("\"{text}\" is not a JSON pointer: write /{}", text.replace('.', "/")))
        }
    }
}

struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Regex::new(&text).map(Pattern).map_err(|error| format!("\"{text}\" is not a regular expression: {error}"))
    }
}
