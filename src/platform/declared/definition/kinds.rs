//! The kinds of content that a request knows: what each needs, and the body that it makes of it.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::{self, Named};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;

/// What one kind of content becomes.
#[derive(Debug)]
pub struct Kind {
    /// Values that must not be empty; `None` stands for those of the kind's name.
    pub needs: Option<Vec<String>>,
    /// Values that must be empty, because this kind would drop them.
    pub without: Vec<String>,
    /// What it asks may be asked twice: it needs no key against doubles.
    pub repeatable: bool,
    /// In place of the request's.
    pub url: Option<Text>,
    /// Beside the request's.
    pub query: Named<Field>,
    /// Beside the request's.
    pub headers: Named<Field>,
    /// The body.
    pub body: Form,
    /// For lists and docs.
    pub about: Option<String>,
}

/// What kinds of these names need where they do not say.
const USUAL: [(&str, &str); 4] = [("text", "text"), ("markdown", "markdown"), ("html", "html"), ("raw", "content")];

impl Kind {
    /// What a kind of that name needs; `None` where it must say so itself.
    pub fn needs(&self, name: &str) -> Option<Vec<String>> {
        let usual = || USUAL.iter().find(|(kind, _)| *kind == name).map(|(_, need)| vec![(*need).to_owned()]);
        self.needs.clone().or_else(usual)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKind {
    needs: Option<Vec<String>>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    repeatable: bool,
    url: Option<Text>,
    #[serde(default)]
    query: Named<Field>,
    #[serde(default)]
    headers: Named<Field>,
    json: Option<Tree>,
    form: Option<Named<Entry>>,
    text: Option<Text>,
    multipart: Option<Named<Entry>>,
    about: Option<String>,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawKind, Kind>(deserializer)
    }
}

impl TryFrom<RawKind> for Kind {
    type Error = &'static str;

    fn try_from(raw: RawKind) -> Result<Self, Self::Error> {
        let body = Form::one(raw.json, raw.form, raw.text, raw.multipart)?;
        let body = body.ok_or("a kind needs a body: json, form, text or multipart")?;
        let (needs, without) = (raw.needs, raw.without);
        let (url, query, headers, repeatable) = (raw.url, raw.query, raw.headers, raw.repeatable);
        Ok(Kind { needs, without, repeatable, url, query, headers, body, about: raw.about })
    }
}

/// A value that may be left out.
#[derive(Debug, Clone)]
pub struct Field {
    /// The value.
    pub value: Text,
    /// Only for accounts, or messages, like that.
    pub when: Option<When>,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            value: Text,
            when: Option<When>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, or { value: …, when: … }")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Field, E> {
                self.visit_str(if value { "true" } else { "false" })
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Field, E> {
                self.visit_str(&value.to_string())
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Field, E> {
                self.visit_str(&value.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
                Ok(Field { value: Text::new(text).map_err(E::custom)?, when: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                let full = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Field { value: full.value, when: full.when })
            }
        }
        deserializer.deserialize_any(Either)
    }
}
