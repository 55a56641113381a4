//! Where a reply is looked into: JSON pointers, header fields, patterns, alone or in lists.

use std::fmt;

use regex::Regex;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::platform::declared::place;

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
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                T::deserialize(de::value::I64Deserializer::new(number)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
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

/// Where a reply holds a word: `/data/id`, `{header: X-Message-Id}`, `{text: "<MessageId>([^<]+)"}`.
#[derive(Debug, Clone)]
pub enum Spot {
    /// A value of the body.
    Json(String),
    /// A header field.
    Header(String),
    /// The first group of the expression (or all that it matches) in the body as text: for XML.
    Text(Regex),
}

impl<'de> Deserialize<'de> for Spot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            json: Option<Pointer>,
            header: Option<String>,
            text: Option<Pattern>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Spot;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer such as /id, or { header: X-Message-Id }, or { text: \"<Id>([^<]+)\" }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Spot, E> {
                Pointer::try_from(text.to_owned()).map(|pointer| Spot::Json(pointer.0)).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Spot, A::Error> {
                let full = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match (full.json, full.header, full.text) {
                    (Some(pointer), None, None) => Ok(Spot::Json(pointer.0)),
                    (None, Some(name), None) => Ok(Spot::Header(name)),
                    (None, None, Some(pattern)) => Ok(Spot::Text(pattern.0)),
                    _ => Err(de::Error::custom("a place in a reply is one of json, header and text")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
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

/// A regular expression, compiled as it is read.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

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
