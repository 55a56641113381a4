//! How tests are written in a definition, read strictly: a mistake is told where it stands, with what to write instead.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::platform::declared::condition::place::{OneOrMany, Pattern, Pointer};
use crate::platform::declared::condition::{Condition, Expect, Net, StatusRange};

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

const KEYS: &[&str] = &[
    "all", "any", "not", "every", "some", "of", "status", "json", "header", "body", "text", "net", "eq", "in", "match", "exists",
];

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
        let (mut list, mut of): (Option<(bool, String)>, Option<Condition>) = (None, None);
        while let Some(key) = map.next_key::<Key>()? {
            let before = (subject.is_some(), expect.is_some(), list.is_some());
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
                "text" => tests.push(Condition::Text(map.next_value::<Words>()?.0)),
                "every" => list = Some((true, map.next_value::<Pointer>()?.0)),
                "some" => list = Some((false, map.next_value::<Pointer>()?.0)),
                "of" => of = Some(map.next_value()?),
                "eq" => expect = Some(Expect::In(vec![map.next_value()?])),
                "in" => expect = Some(Expect::In(map.next_value()?)),
                "match" => expect = Some(Expect::Match(map.next_value::<Pattern>()?.0)),
                _ => expect = Some(Expect::Exists(map.next_value()?)),
            }
            let doubled = match key.0 {
                "json" | "header" | "body" => before.0,
                "eq" | "in" | "match" | "exists" => before.1,
                "every" | "some" => before.2,
                _ => false,
            };
            if doubled {
                return Err(de::Error::custom("one object tests one value once: put two tests into all: [ … ]"));
            }
        }
        match (list, of) {
            (None, None) => {}
            (Some((true, pointer)), Some(of)) => tests.push(Condition::Every(pointer, Box::new(of))),
            (Some((false, pointer)), Some(of)) => tests.push(Condition::Some(pointer, Box::new(of))),
            (Some(_), None) => {
                return Err(de::Error::custom(
                    "the test names a list, but not what to ask of its elements: add of: { json: /status, eq: 0 }",
                ));
            }
            (None, Some(_)) => {
                return Err(de::Error::custom("`of` asks something of elements: add every: /list or some: /list"));
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

/// `text`, the only way in which a body is looked at. Everything else is answered by what to write instead: an account's own
/// `success:` is where people try.
struct BodyOf;

impl<'de> Deserialize<'de> for BodyOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = BodyOf;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the word text: { body: text, match: \"queued\" }; for the whole body write { text: { eq: ok } }")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<BodyOf, E> {
                if word == "text" {
                    return Ok(BodyOf);
                }
                Err(E::custom(format!(
                    "`body: {word}` is not a test: write {{ text: {{ eq: {word} }} }} if that is the whole body, or {{ body: text, \
                     match: \"{word}\" }} if it is a part of it"
                )))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BodyOf, A::Error> {
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Err(de::Error::custom(
                    "`body` takes no object: write { text: { eq: ok } } for the whole body, { body: text, match: \"queued\" } for a \
                     part of it, or { json: /ok, eq: true } for a value in it",
                ))
            }
        }
        deserializer.deserialize_any(OfText)
    }
}

/// What is expected of the whole body: `{eq: ok}`, `{match: "^1$"}`, or the text alone.
struct Words(Expect);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            eq: Option<Value>,
            #[serde(rename = "in")]
            one_of: Option<Vec<Value>>,
            #[serde(rename = "match")]
            pattern: Option<Pattern>,
            exists: Option<bool>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("what the whole body must be: { eq: ok }, { match: \"^ok\" }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words(Expect::In(vec![Value::String(text.trim().to_owned())])))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Words, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Words, A::Error> {
                let full = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match (full.eq, full.one_of, full.pattern, full.exists) {
                    (Some(value), None, None, None) => Ok(Words(Expect::In(vec![value]))),
                    (None, Some(values), None, None) => Ok(Words(Expect::In(values))),
                    (None, None, Some(pattern), None) => Ok(Words(Expect::Match(pattern.0))),
                    (None, None, None, Some(exists)) => Ok(Words(Expect::Exists(exists))),
                    _ => Err(de::Error::custom("text is tested by one of eq, in, match and exists")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}
