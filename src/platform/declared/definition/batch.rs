//! What a definition says of requests for several deliveries: who may share one, and where each stands in it.

use std::num::NonZeroUsize;

use serde::{Deserialize, Deserializer};

use crate::platform::declared::condition::Pointer;
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::kinds::{Field, Kind};
use crate::platform::declared::definition::request::{Bodies, Method, bodies};
use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::{self, Named};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;

/// Several deliveries in one request.
#[derive(Debug)]
pub struct Shared {
    /// What each brings.
    pub mode: Mode,
    /// How many at most.
    pub max: NonZeroUsize,
    /// How many bytes the elements may have together.
    pub max_bytes: Option<usize>,
    /// No two of one request may have the same value of this name.
    pub unique: Option<String>,
    /// What rows must agree on, beside everything that the request says once.
    pub group_by: Vec<String>,
    /// A row that is longer goes alone.
    pub fits: Option<Fits>,
    /// A row where one of these is not empty goes alone.
    pub alone: Vec<String>,
    /// A row where one of these is empty goes alone.
    pub filled: Vec<String>,
    /// Words that the service would take for its own in a shared request; a row with one of them goes alone.
    pub without: Vec<String>,
    /// The request for several, where it differs.
    pub request: Option<SharedRequest>,
    /// Where the elements stand; one, or several side by side.
    pub lists: Vec<List>,
}

/// What each delivery brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One content for many addressees.
    Same,
    /// Its own content: an element of a list.
    List,
    /// Its own content: a value of an object.
    Map,
}

/// A list, object or text of elements.
#[derive(Debug)]
pub struct List {
    /// Where in the body; "" is the body itself. In a form: `/Name`.
    pub at: Place,
    /// Only for accounts like that.
    pub when: Option<When>,
    /// An element; `None` is the kind's own body.
    pub each: Option<Tree>,
    /// Its key, where the elements make an object.
    pub key: Option<Text>,
    /// How the elements are written.
    pub form: ListForm,
    /// Between the elements of a joined text.
    pub by: String,
}

/// Where a list stands.
#[derive(Debug, Clone)]
pub enum Place {
    /// In the body, at a JSON pointer.
    Body(String),
    /// In the query, in place of the value of that name.
    Query(String),
}

/// How elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListForm {
    /// As they are.
    #[default]
    List,
    /// As a JSON text.
    Json,
    /// As one text.
    Join,
}

/// How long a row may be that shares.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// Bytes together.
    pub bytes: usize,
    /// Of these values.
    pub of: Vec<String>,
}

/// The request for several.
#[derive(Debug)]
pub struct SharedRequest {
    /// In place of the main one's.
    pub method: Option<Method>,
    /// In place of the main one's.
    pub url: Option<Text>,
    /// Beside the main one's.
    pub query: Named<Field>,
    /// Beside the main one's.
    pub headers: Named<Field>,
    /// In place of the main one's.
    pub bodies: Option<Bodies>,
    /// As the main one's, unless it says otherwise.
    pub omit_empty: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    method: Option<Method>,
    url: Option<Text>,
    #[serde(default)]
    query: Named<Field>,
    #[serde(default)]
    headers: Named<Field>,
    json: Option<Tree>,
    form: Option<Named<Entry>>,
    text: Option<Text>,
    multipart: Option<Named<Entry>>,
    kinds: Option<Named<Kind>>,
    omit_empty: Option<bool>,
}

impl<'de> Deserialize<'de> for SharedRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawRequest, SharedRequest>(deserializer)
    }
}

impl TryFrom<RawRequest> for SharedRequest {
    type Error = &'static str;

    fn try_from(raw: RawRequest) -> Result<Self, Self::Error> {
        let bodies = bodies(Form::one(raw.json, raw.form, raw.text, raw.multipart)?, raw.kinds)?;
        Ok(SharedRequest {
            method: raw.method,
            url: raw.url,
            query: raw.query,
            headers: raw.headers,
            bodies,
            omit_empty: raw.omit_empty,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    at: Option<Pointer>,
    query: Option<String>,
    when: Option<When>,
    each: Option<Tree>,
    key: Option<Text>,
    #[serde(default, rename = "as")]
    form: ListForm,
    by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShared {
    mode: Mode,
    max: NonZeroUsize,
    max_bytes: Option<Length>,
    unique: Option<String>,
    #[serde(default)]
    group_by: Vec<String>,
    fits: Option<Fits>,
    #[serde(default)]
    alone: Vec<String>,
    #[serde(default)]
    filled: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    request: Option<SharedRequest>,
    each: Option<Tree>,
    at: Option<Pointer>,
    key: Option<Text>,
    lists: Option<Vec<RawList>>,
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawShared, Shared>(deserializer)
    }
}

impl TryFrom<RawShared> for Shared {
    type Error = String;

    fn try_from(raw: RawShared) -> Result<Self, String> {
        let own = raw.each.is_some() || raw.at.is_some() || raw.key.is_some();
        let lists = match raw.lists {
            Some(_) if own => return Err("a batch has either lists, or at, each and key".to_owned()),
            Some(lists) if lists.is_empty() => return Err("lists: name at least one".to_owned()),
            Some(lists) => lists,
            None => {
                let at = raw.at.unwrap_or_else(|| Pointer(String::new()));
                let key = match (raw.mode, raw.key) {
                    (Mode::Map, None) => Some(Text::new("{{to}}")?),
                    (Mode::Map, key) => key,
                    (_, Some(_)) => return Err("`key` is for mode: map".to_owned()),
                    (_, None) => None,
                };
                vec![RawList { at: Some(at), query: None, when: None, each: raw.each, key, form: ListForm::List, by: None }]
            }
        };
        let mut read = Vec::with_capacity(lists.len());
        for list in lists {
            if list.by.is_some() && list.form != ListForm::Join {
                return Err("`by` is for as: join".to_owned());
            }
            if list.key.is_some() && list.form == ListForm::Join {
                return Err("a joined text has no keys".to_owned());
            }
            let at = match (list.at, list.query) {
                (Some(at), None) => Place::Body(at.0),
                (None, Some(name)) if list.form == ListForm::List => {
                    return Err(format!("the query value {name} is one text: write as: join, or as: json"));
                }
                (None, Some(name)) => Place::Query(name),
                _ => return Err("a list stands either in the body (at) or in the query".to_owned()),
            };
            let each = match (list.each, raw.mode) {
                (None, Mode::Same) => Some(Tree::Text(Text::new("{{to}}")?)),
                (each, _) => each,
            };
            let by = list.by.unwrap_or_else(|| ",".to_owned());
            read.push(List { at, when: list.when, each, key: list.key, form: list.form, by });
        }
        Ok(Shared {
            mode: raw.mode,
            max: raw.max,
            max_bytes: raw.max_bytes.map(|length| length.0),
            unique: raw.unique,
            group_by: raw.group_by,
            fits: raw.fits,
            alone: raw.alone,
            filled: raw.filled,
            without: raw.without,
            request: raw.request,
            lists: read,
        })
    }
}

/// `50MB`, `20480`.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
        let unit = match text[number.len()..].trim() {
            "" | "B" => Some(1),
            "KB" | "kB" => Some(1000),
            "MB" => Some(1_000_000),
            "KiB" => Some(1024),
            "MiB" => Some(1024 * 1024),
            _ => None,
        };
        let length = number.parse::<usize>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        length
            .filter(|length| *length > 0)
            .map(Length)
            .ok_or_else(|| format!("\"{text}\" is not a length: write 50MB, 256KiB or 20480"))
    }
}
