//! A platform told in YAML, `schema: 1`: what a definition file may say, read strictly, every mistake with its line and column.
//!
//! A key that this version does not know is an error, never a wish that is silently not granted.

use std::borrow::Cow;
use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Deserializer};

use crate::limit::{Quota, Scope as QuotaScope, Unit};
use crate::platform::declared::condition::{Condition, OneOrMany, Pattern, Spot};
use crate::platform::declared::definition::batch::Shared;
use crate::platform::declared::definition::content::{FieldOf, Limits};
use crate::platform::declared::definition::reply::{Adaptive, Rule};
use crate::platform::declared::definition::request::Request;
use crate::platform::declared::definition::results::Results;
use crate::platform::declared::definition::side::{Check, Token};
use crate::platform::declared::definition::sign::Sign;
use crate::platform::declared::definition::urls::UrlForm;
use crate::platform::declared::place::{self, Named, Span};
use crate::sms::number;

pub mod batch;
pub mod check;
pub mod content;
pub mod doubt;
mod flaw;
pub mod form;
pub mod kinds;
pub mod names;
pub mod reply;
pub mod request;
pub mod results;
pub mod side;
pub mod sign;
pub mod urls;
pub mod when;

/// A platform, as its file tells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The version of this form: 1.
    #[allow(dead_code)] // read so that it is checked
    schema: Schema,
    /// `platform:` of an account.
    pub name: Name,
    /// For people.
    pub title: String,
    /// Where the facts were read.
    #[serde(default)]
    pub docs: Vec<String>,
    /// Names of the template files that are looked for; by default the platform's own.
    #[serde(default)]
    pub template: Vec<String>,
    /// How the message is built.
    #[serde(default)]
    pub form: Build,
    /// What kind of service it is, for lists and docs.
    pub family: Option<Family>,
    /// What an account says.
    #[serde(default)]
    pub vars: Named<Var>,
    /// What a JSON template or a row's columns may carry beside subject and text.
    #[serde(default)]
    pub fields: Named<FieldOf>,
    /// Where the addresses of rows are found.
    pub addressing: Addresses,
    /// What the platform takes.
    #[serde(default)]
    pub message: Limits,
    /// A credential that is fetched.
    pub token: Option<Token>,
    /// Signatures, made in this order.
    #[serde(default)]
    pub sign: Vec<Sign>,
    /// What is sent.
    pub request: Request,
    /// Several deliveries in one request.
    pub batch: Option<Shared>,
    /// When a reply means that the message was taken.
    pub success: Condition,
    /// Where a reply holds the service's id; the first that exists.
    #[serde(default)]
    pub id: OneOrMany<Spot>,
    /// Where a reply holds the service's error code.
    #[serde(default)]
    pub code: OneOrMany<Spot>,
    /// Where a reply holds words for a person.
    #[serde(default)]
    pub detail: OneOrMany<Spot>,
    /// What other replies mean: the first that matches.
    #[serde(default)]
    pub errors: Vec<Rule>,
    /// How the reply to several deliveries is shared out.
    pub results: Option<Results>,
    /// What replies say in passing about limits.
    pub adaptive: Option<Adaptive>,
    /// The platform's own limits.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Requests in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// The platform's key against doubles.
    pub idempotency: Option<Idempotency>,
    /// Parts of this definition that an account may say itself.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// The call that proves the credentials.
    pub check: Option<Check>,
    /// Forms of one-off URLs.
    #[serde(default)]
    pub urls: Vec<UrlForm>,
}

/// How a message is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Build {
    /// From the template file of the platform's name.
    #[default]
    Named,
    /// Like an email: subject, HTML and text, sender.
    Email,
}

/// What kind of service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Rooms and people.
    Chat,
    /// Short messages.
    Sms,
    /// Mail.
    Email,
    /// Devices.
    Push,
    /// Those on call.
    Paging,
    /// An endpoint.
    Webhook,
}

#[derive(Debug)]
struct Schema;

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(version: String) -> Result<Self, String> {
        if version == "1" {
            Ok(Schema)
        } else {
            Err(format!("schema {version} is not known to this version of notify: write schema: 1"))
        }
    }
}

/// The name of a platform: lower-case letters, digits, hyphens.
#[derive(Debug, Clone)]
pub struct Name(pub String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let good = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !name.is_empty();
        if good { Ok(Name(name)) } else { Err(format!("\"{name}\" cannot be a platform's name: use a-z, 0-9 and -")) }
    }
}

/// A key of the account.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var {
    /// Never shown; templates see it as `secret.NAME`.
    #[serde(default)]
    pub secret: bool,
    /// An account without it is refused.
    #[serde(default)]
    pub required: bool,
    /// What it is when an account does not say.
    pub default: Option<String>,
    /// The same, by the value of another key: `{cloud: {feishu: …, lark: …}}`.
    #[serde(default)]
    pub default_by: Named<Named<String>>,
    /// What its text must match.
    pub pattern: Option<Pattern>,
    /// The only values it may have.
    pub one_of: Option<Vec<String>>,
    /// For `notify platforms show`.
    pub about: Option<String>,
}

/// Where addresses are found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Columns that say whom a message is for, in order of preference.
    pub columns: Vec<String>,
    /// The address is an URL: the account's, or else the row's.
    pub endpoint: Option<Endpoint>,
    /// What addresses may look like: the first that matches gives `to_form` its name.
    #[serde(default)]
    pub forms: Vec<AddressForm>,
    /// Addresses are telephone numbers, and in this form.
    #[serde(default)]
    pub phone: Phone,
    /// The country, two letters, of numbers that do not say theirs.
    pub region: Option<String>,
    /// Letter case does not tell addresses apart.
    #[serde(default)]
    pub fold_case: bool,
    /// An address may be a credential.
    #[serde(default)]
    pub secret: bool,
    /// The key of an account that makes addresses needless: where it is set, a row need not name any.
    pub optional: Option<String>,
    /// Where the account does not set that key, a row's address is itself the credential, and its refusal is that row's alone.
    #[serde(default)]
    pub credential: bool,
}

/// How telephone numbers are written for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phone {
    /// Addresses are no telephone numbers.
    #[default]
    No,
    /// `+8613900001234`.
    E164,
    /// `8613900001234`.
    Digits,
    /// `13900001234` for numbers of the definition's own region, digits with the country for all others.
    National,
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Phone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(match text.as_str() {
            "false" => Phone::No,
            "true" | "e164" => Phone::E164,
            "digits" => Phone::Digits,
            "national" => Phone::National,
            _ => return Err(format!("\"{text}\" is no form of telephone numbers: write e164, digits or national")),
        })
    }
}

/// A form of addresses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressForm {
    /// What such an address matches; without it, any.
    #[serde(rename = "match")]
    pub pattern: Option<Pattern>,
    /// What `to_form` then is.
    pub name: String,
}

impl Addresses {
    /// The name of the form of an address; "" where no form is like that.
    pub fn form_of(&self, to: &str) -> &str {
        let found = self.forms.iter().find(|form| form.pattern.as_ref().is_none_or(|pattern| pattern.0.is_match(to)));
        found.map(|form| form.name.as_str()).unwrap_or_default()
    }

    /// The address as the service wants it.
    ///
    /// # Errors
    /// It is no telephone number, in one sentence that does not repeat it.
    pub fn written<'a>(&self, to: &'a str) -> Result<Cow<'a, str>, String> {
        if self.phone == Phone::No {
            return Ok(Cow::Borrowed(to));
        }
        let number = number::parse(to, self.region.as_deref())?;
        let own = || self.region.is_some() && number.region() == self.region.as_deref();
        Ok(Cow::Owned(match self.phone {
            Phone::No | Phone::E164 => number.e164(),
            Phone::National if own() => number.national().to_owned(),
            Phone::Digits | Phone::National => number.digits(),
        }))
    }
}

/// A platform whose requests go to an URL that the user names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The account's key that holds it; every row then goes there, and what a row says is data.
    pub var: String,
    /// The columns that hold a row's own, where the account has none.
    pub columns: Vec<String>,
}

/// A limit of the platform.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "RawLimit")]
pub struct Limit(pub Quota);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    per: Per,
    max: NonZeroU32,
    every: Span,
    burst: Option<NonZeroU32>,
    #[serde(default)]
    of: Of,
    when: Option<Only>,
}

/// For which addresses a limit is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Only {
    #[serde(rename = "match")]
    first: First,
}

/// `^-`: how such an address begins. More of it no limit looks at: it is asked for every delivery.
struct First(char);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for First {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let first = text.strip_prefix('^').map(|rest| rest.strip_prefix('\\').unwrap_or(rest));
        match first.map(|rest| rest.chars().collect::<Vec<_>>()).as_deref() {
            Some([one]) if !one.is_alphanumeric() || !text.contains('\\') => Ok(First(*one)),
            _ => Err(format!("\"{text}\": a limit looks at the first character of an address alone: write \"^-\"")),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    #[default]
    Requests,
    Deliveries,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Per {
    Account,
    Target,
}

impl TryFrom<RawLimit> for Limit {
    type Error = String;

    fn try_from(raw: RawLimit) -> Result<Self, String> {
        let scope = match raw.per {
            Per::Account => QuotaScope::Account,
            Per::Target => QuotaScope::Address,
        };
        if raw.when.is_some() && scope == QuotaScope::Account {
            return Err("`when` is for limits per target: an account has no address".to_owned());
        }
        let quota = Quota::new(raw.max, raw.every.0, scope);
        let of = match raw.of {
            Of::Requests => Unit::Requests,
            Of::Deliveries => Unit::Deliveries,
        };
        let begins = raw.when.map(|only| only.first.0);
        Ok(Limit(Quota { burst: raw.burst.unwrap_or(quota.burst), of, begins, ..quota }))
    }
}

/// The platform's key against doubles, made from the delivery id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The header field that carries it; without it the body or URL does, as `{{idem}}`.
    pub header: Option<String>,
    /// The value of the URL's query that carries it.
    pub query: Option<String>,
    /// How long the service remembers it.
    pub ttl: Option<Span>,
    /// How it is written.
    #[serde(default)]
    pub format: IdemFormat,
    /// Whether a resend under the same key is known to be harmless.
    #[serde(default)]
    pub honoured: Honoured,
    /// Replies that say: I have that already.
    #[serde(default)]
    pub replay: Vec<Condition>,
}

/// How the key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdemFormat {
    /// The delivery id itself.
    #[default]
    String,
    /// UUID, version 5.
    Uuid,
    /// The same without hyphens.
    Hex32,
}

/// Who says that a resend is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Honoured {
    /// The service documents it.
    Always,
    /// The account, by `idempotent: true`.
    #[default]
    Account,
}

/// A part that an account may say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// `method: PUT`.
    Method,
    /// `headers: { X-Team: ops }`, added to the definition's.
    Headers,
    /// `body:`, a tree in place of every kind.
    Body,
    /// `success:`, a test in place of the definition's.
    Success,
}

impl Override {
    /// The key of an account.
    pub fn key(self) -> &'static str {
        match self {
            Override::Method => "method",
            Override::Headers => "headers",
            Override::Body => "body",
            Override::Success => "success",
        }
    }
}
