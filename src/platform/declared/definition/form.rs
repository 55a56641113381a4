//! The body of a request in one of its forms: JSON, a form, plain text, multipart.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::Named;
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::reading;
use crate::platform::declared::text::tree::Tree;

/// A body.
#[derive(Debug, Clone)]
pub enum Form {
    /// `application/json`.
    Json(Tree),
    /// `application/x-www-form-urlencoded`: a list repeats its key.
    Form(Vec<(String, Entry)>),
    /// `text/plain`.
    Text(Text),
    /// `multipart/form-data`.
    Multipart(Vec<(String, Entry)>),
}

impl Form {
    /// The one that is there.
    ///
    /// # Errors
    /// None is, or several are.
    pub fn one(
        json: Option<Tree>,
        form: Option<Named<Entry>>,
        text: Option<Text>,
        multipart: Option<Named<Entry>>,
    ) -> Result<Option<Form>, &'static str> {
        let all =
            [json.map(Form::Json), form.map(|f| Form::Form(f.0)), text.map(Form::Text), multipart.map(|m| Form::Multipart(m.0))];
        let mut found = all.into_iter().flatten();
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err("a body is one of json, form, text and multipart"),
        }
    }

    /// The values it looks at.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Form::Json(tree) => tree.names(),
            Form::Text(text) => text.names().iter().map(String::as_str).collect(),
            Form::Form(entries) | Form::Multipart(entries) => entries.iter().flat_map(|(_, entry)| entry.names()).collect(),
        }
    }

    /// The tests inside it.
    pub fn whens(&self) -> Vec<&When> {
        match self {
            Form::Json(tree) => tree.whens(),
            Form::Text(_) => Vec::new(),
            Form::Form(entries) | Form::Multipart(entries) => entries
                .iter()
                .flat_map(|(_, entry)| match entry {
                    Entry::Value(tree, when) => tree.whens().into_iter().chain(when).collect(),
                    Entry::Files(_) => Vec::new(),
                })
                .collect(),
        }
    }
}

/// A value of a form.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // a definition has few of them, and nearly all are values
pub enum Entry {
    /// A value, which may be left out.
    Value(Tree, Option<When>),
    /// `{$file: attachments}`: the files themselves, each a part of that name; multipart alone has it.
    Files(String),
}

impl Entry {
    fn names(&self) -> Vec<&str> {
        match self {
            Entry::Value(tree, when) => tree.names().into_iter().chain(when.iter().flat_map(When::names)).collect(),
            Entry::Files(name) => vec![name],
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, an operator, or { value: …, when: … }")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Entry, E> {
                leaf(value)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Entry, E> {
                leaf(value)
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Entry, E> {
                leaf(value)
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Entry, E> {
                leaf(value)
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Entry, E> {
                leaf(value)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Entry, A::Error> {
                Tree::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(|tree| Entry::Value(tree, None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let first = map.next_key::<String>()?;
                match first.as_deref() {
                    Some("value") => {
                        let tree = map.next_value()?;
                        let when = match map.next_key::<String>()?.as_deref() {
                            None => None,
                            Some("when") => Some(map.next_value()?),
                            Some(other) => return Err(de::Error::custom(format!("`{other}` is not known beside `value`"))),
                        };
                        Ok(Entry::Value(tree, when))
                    }
                    Some("$file") => Ok(Entry::Files(map.next_value()?)),
                    _ => reading::object(first, map).map(|tree| Entry::Value(tree, None)),
                }
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

fn leaf<'de, E: de::Error, V: de::IntoDeserializer<'de, E>>(value: V) -> Result<Entry, E> {
    Tree::deserialize(value.into_deserializer()).map(|tree| Entry::Value(tree, None))
}
