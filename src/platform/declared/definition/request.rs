//! What a definition says of the request: method, URL, header fields, bodies, credentials.

use serde::{Deserialize, Deserializer};

use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::kinds::{Field, Kind};
use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::{self, Named};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;

/// What is sent.
#[derive(Debug)]
pub struct Request {
    /// POST or PUT.
    pub method: Method,
    /// Where to. What a row says is percent-encoded in it. `None` where every kind says its own.
    pub url: Option<Text>,
    /// Added to the URL, percent-encoded.
    pub query: Named<Field>,
    /// Header fields.
    pub headers: Named<Field>,
    /// Credentials; the first whose `when` holds.
    pub auth: Vec<Auth>,
    /// The bodies.
    pub bodies: Bodies,
    /// Keys that came out empty are left out.
    pub omit_empty: bool,
}

/// The bodies of a request.
#[derive(Debug)]
pub enum Bodies {
    /// The same, whatever the content.
    One(Form),
    /// By the kind of the content: the first that fits.
    Kinds(Vec<(String, Kind)>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    method: Method,
    url: Option<Text>,
    #[serde(default)]
    query: Named<Field>,
    #[serde(default)]
    headers: Named<Field>,
    #[serde(default)]
    auth: Vec<Auth>,
    json: Option<Tree>,
    form: Option<Named<Entry>>,
    text: Option<Text>,
    multipart: Option<Named<Entry>>,
    kinds: Option<Named<Kind>>,
    #[serde(default)]
    omit_empty: bool,
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawRequest, Request>(deserializer)
    }
}

impl TryFrom<RawRequest> for Request {
    type Error = &'static str;

    fn try_from(raw: RawRequest) -> Result<Self, Self::Error> {
        let bodies = bodies(Form::one(raw.json, raw.form, raw.text, raw.multipart)?, raw.kinds)?;
        let bodies = bodies.ok_or("a request needs a body: json, form, text, multipart, or kinds")?;
        Ok(Request {
            method: raw.method,
            url: raw.url,
            query: raw.query,
            headers: raw.headers,
            auth: raw.auth,
            bodies,
            omit_empty: raw.omit_empty,
        })
    }
}

/// One of both.
///
/// # Errors
/// Both are there.
pub fn bodies(form: Option<Form>, kinds: Option<Named<Kind>>) -> Result<Option<Bodies>, &'static str> {
    match (form, kinds) {
        (Some(_), Some(_)) => Err("a request has either one body (json, form, text, multipart) or kinds"),
        (Some(form), None) => Ok(Some(Bodies::One(form))),
        (None, Some(kinds)) => Ok(Some(Bodies::Kinds(kinds.0))),
        (None, None) => Ok(None),
    }
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
