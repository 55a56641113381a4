//! Requests beside the messages: the one that fetches a token, the harmless one that proves a credential.

use serde::{Deserialize, Deserializer};

use crate::platform::declared::condition::{Condition, OneOrMany, Pointer};
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::kinds::Field;
use crate::platform::declared::definition::request::Auth;
use crate::platform::declared::place::{self, Named, Span};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;

/// A credential that is fetched, kept, and fetched again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// How it is fetched.
    pub request: Option<Side>,
    /// Or: what a Google service account is exchanged for.
    pub jwt: Option<Jwt>,
    /// Where the reply holds it.
    #[serde(default)]
    pub value: OneOrMany<Pointer>,
    /// Where the reply says for how many seconds it is good.
    #[serde(default)]
    pub expires_in: OneOrMany<Pointer>,
    /// When the reply is good; by default, when it holds a token.
    pub success: Option<Condition>,
    /// How long before its end it is fetched again.
    pub refresh_before: Option<Span>,
    /// Replies to a message that say: that token is no good any more.
    #[serde(default)]
    pub invalid_when: Vec<Condition>,
}

/// A Google service account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The content of its key file.
    pub key: Text,
    /// What for.
    pub scope: Text,
}

/// A call that proves the credentials and sends nothing to anyone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The call.
    pub request: Side,
    /// When the reply proves them.
    pub success: Condition,
    /// Where the reply says whose they are.
    pub tell: Option<Pointer>,
}

/// A request that carries no message.
#[derive(Debug)]
pub struct Side {
    /// GET, POST or PUT.
    pub method: SideMethod,
    /// Where to.
    pub url: Text,
    /// Added to the URL.
    pub query: Named<Field>,
    /// Header fields.
    pub headers: Named<Field>,
    /// Credentials; the first whose `when` holds.
    pub auth: Vec<Auth>,
    /// The body.
    pub body: Option<Form>,
}

/// The methods of a request that carries no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SideMethod {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSide {
    method: SideMethod,
    url: Text,
    #[serde(default)]
    query: Named<Field>,
    #[serde(default)]
    headers: Named<Field>,
    #[serde(default)]
    auth: Vec<Auth>,
    json: Option<Tree>,
    form: Option<Named<Entry>>,
    text: Option<Text>,
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawSide, Side>(deserializer)
    }
}

impl TryFrom<RawSide> for Side {
    type Error = &'static str;

    fn try_from(raw: RawSide) -> Result<Self, Self::Error> {
        let body = Form::one(raw.json, raw.form, raw.text, None)?;
        let (method, url, query, headers, auth) = (raw.method, raw.url, raw.query, raw.headers, raw.auth);
        Ok(Side { method, url, query, headers, auth, body })
    }
}
