//! What a definition says of the request: method, URL, header fields, bodies, credentials, signatures.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::platform::declared::place::Named;
use crate::platform::declared::text::{Text, Tree};
use crate::platform::sign::{Algorithm, Encoding, KeyEncoding};

/// A signature: an HMAC over a template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    #[allow(dead_code)] // read so that it is checked; the next signers join here
    kind: SignKind,
    /// The hash.
    #[serde(default)]
    pub alg: Algorithm,
    /// The key.
    pub key: Text,
    /// How the key is written.
    #[serde(default)]
    pub key_encoding: KeyEncoding,
    /// What is signed.
    pub message: Text,
    /// How the signature is written.
    #[serde(default)]
    pub encode: Encoding,
    /// Later templates see it as `sign.NAME`.
    #[serde(rename = "as")]
    pub name: String,
    /// Only for accounts like that.
    pub when: Option<When>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SignKind {
    Hmac,
}

/// A test of the account's own keys, decided once when it is opened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// `signature`, `secret.token`; `sign.NAME` is set where that signature is made.
    pub var: Option<String>,
    /// It has this value; without it: it is set.
    pub eq: Option<String>,
    /// It is set (or is not).
    pub exists: Option<bool>,
    /// All of these.
    pub all: Option<Vec<When>>,
    /// One of these.
    pub any: Option<Vec<When>>,
}

/// What is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// POST or PUT.
    pub method: Method,
    /// Where to. What a row says is percent-encoded in it.
    pub url: Text,
    /// Added to the URL, percent-encoded.
    #[serde(default)]
    pub query: Named<Field>,
    /// Header fields.
    #[serde(default)]
    pub headers: Named<Field>,
    /// Credentials; the first whose `when` holds.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// The body, whatever the content.
    pub json: Option<Tree>,
    /// The body by the form of the content.
    pub kinds: Option<Kinds>,
    /// Keys that came out empty are left out.
    #[serde(default)]
    pub omit_empty: bool,
}

/// The methods that carry a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// The body by the form of the content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    /// Plain text.
    pub text: Option<Payload>,
    /// HTML; without it HTML goes as its text.
    pub html: Option<Payload>,
    /// A ready tree (`content`).
    pub raw: Option<Payload>,
}

/// A body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// A JSON tree.
    pub json: Tree,
}

/// A value that may be left out.
#[derive(Debug)]
pub struct Field {
    /// The value.
    pub value: Text,
    /// Only for accounts like that.
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

/// Credentials in the `Authorization` header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// User and password (RFC 7617).
    pub basic: Option<(Text, Text)>,
    /// A token (RFC 6750).
    pub bearer: Option<Text>,
    /// Only for accounts like that.
    pub when: Option<When>,
}
