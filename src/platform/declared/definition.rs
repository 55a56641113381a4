//! A platform told in YAML, `schema: 1`: what a definition file may say, read strictly, every mistake with its line and column.
//!
//! A key that this version does not know is an error, never a wish that is silently not granted.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::Deserialize;

use crate::limit::{Quota, Scope as QuotaScope};
use crate::platform::declared::condition::{Condition, OneOrMany, Pointer};
use crate::platform::declared::place;
use crate::platform::declared::text::{Text, Tree};
use crate::platform::sign::{Algorithm, Encoding, KeyEncoding};
use crate::problem::{Problem, did_you_mean};

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
    /// What an account says.
    #[serde(default)]
    pub vars: Named<Var>,
    /// Where the addresses of rows are found.
    pub addressing: Addresses,
    /// What the platform takes.
    #[serde(default)]
    pub message: Limits,
    /// Signatures, made in this order.
    #[serde(default)]
    pub sign: Vec<Sign>,
    /// What is sent.
    pub request: Request,
    /// When a reply means that the message was taken.
    pub success: Condition,
    /// Where a reply holds the service's id; the first that exists.
    #[serde(default)]
    pub id: OneOrMany<Pointer>,
    /// Where a reply holds the service's error code.
    #[serde(default)]
    pub code: OneOrMany<Pointer>,
    /// Where a reply holds words for a person.
    #[serde(default)]
    pub detail: OneOrMany<Pointer>,
    /// What other replies mean: the first that matches.
    #[serde(default)]
    pub errors: Vec<Rule>,
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
        if version == "1" { Ok(Schema) } else { Err(format!("schema {version} is not known to this version of notify: write schema: 1")) }
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

/// Values by name, in the order of the file.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if entries.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format!("`{name}` stands here twice")));
                    }
                    entries.push((name, value));
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
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
    /// What its text must match.
    pub pattern: Option<Pattern>,
    /// The only values it may have.
    pub one_of: Option<Vec<String>>,
    /// For `notify platforms show`.
    pub about: Option<String>,
}

/// A regular expression, compiled as it is read.
#[derive(Debug)]
pub struct Pattern(pub regex::Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        regex::Regex::new(&text).map(Pattern).map_err(|_| format!("\"{text}\" is not a regular expression"))
    }
}

/// Where addresses are found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Columns that say whom a message is for, in order of preference.
    pub columns: Vec<String>,
    /// The address is an URL: the account's, or else the row's.
    pub endpoint: Option<Endpoint>,
    /// Addresses are telephone numbers.
    #[serde(default)]
    pub phone: bool,
    /// Letter case does not tell addresses apart.
    #[serde(default)]
    pub fold_case: bool,
    /// An address may be a credential.
    #[serde(default)]
    pub secret: bool,
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

/// What the platform takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest text and body; what is longer is refused before it is sent.
    #[serde(default)]
    pub max: Max,
}

/// Longest content.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Max {
    /// The text.
    pub text: Option<Size>,
    /// The body of the request.
    pub body: Option<Bytes>,
}

/// A length in characters or bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Characters (Unicode scalar values).
    pub chars: Option<usize>,
    /// Bytes of UTF-8.
    pub bytes: Option<usize>,
}

/// A length in bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// Bytes.
    pub bytes: usize,
}

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

/// What a reply means.
#[derive(Debug)]
pub struct Rule {
    /// The test; `None` for the default, which comes last.
    pub when: Option<Condition>,
    /// What it means.
    pub class: Class,
    /// For whom.
    pub scope: Option<Scope>,
    /// How long to wait: the first that exists.
    pub wait: Vec<Wait>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    when: Option<Condition>,
    class: Option<Class>,
    scope: Option<Scope>,
    #[serde(default)]
    wait: Vec<Wait>,
    because: Option<String>,
    default: Option<Class>,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawRule, Rule>(deserializer)
    }
}

impl TryFrom<RawRule> for Rule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        if let Some(class) = raw.default {
            if raw.when.is_some() || raw.class.is_some() {
                return Err("a default has neither when nor class: write - default: permanent".to_owned());
            }
            if matches!(class, Class::Ok | Class::Transient | Class::Rate) {
                return Err("a reply that nobody knows is neither a success nor safe to send again: default may be permanent, unknown, \
                            gone, auth or config"
                    .to_owned());
            }
            return Ok(Rule { when: None, class, scope: raw.scope, wait: raw.wait });
        }
        let (Some(when), Some(class)) = (raw.when, raw.class) else {
            return Err("a rule needs when and class".to_owned());
        };
        let doubtful = when.takes_doubtful();
        if doubtful && class == Class::Ok {
            return Err("500, 502, 504 and a lost connection are never a success".to_owned());
        }
        if doubtful && matches!(class, Class::Transient | Class::Rate) && raw.because.is_none() {
            return Err("after 500, 502, 504 or a lost connection nobody knows whether the message was taken: say why it may be sent \
                        again with because: \"…\", or use class: unknown"
                .to_owned());
        }
        Ok(Rule { when: Some(when), class, scope: raw.scope, wait: raw.wait })
    }
}

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Taken.
    Ok,
    /// Never for this message.
    Permanent,
    /// The target is no more.
    Gone,
    /// The credential is refused.
    Auth,
    /// Wrong for every row.
    Config,
    /// Too fast.
    Rate,
    /// Not now, and surely not taken.
    Transient,
    /// Nobody knows.
    Unknown,
}

/// Whom a meaning concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This message alone.
    Row,
    /// This address.
    Target,
    /// All of the account.
    Account,
}

/// Where a wait is written.
#[derive(Debug)]
pub enum Wait {
    /// A header field: seconds, or an HTTP date.
    Header(String),
    /// A value of the body: seconds.
    Json(Pointer),
    /// Always so long.
    Const(Duration),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWait {
    header: Option<String>,
    json: Option<Pointer>,
    #[serde(rename = "const")]
    constant: Option<Span>,
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawWait, Wait>(deserializer)
    }
}

impl TryFrom<RawWait> for Wait {
    type Error = &'static str;

    fn try_from(raw: RawWait) -> Result<Self, Self::Error> {
        match (raw.header, raw.json, raw.constant) {
            (Some(name), None, None) => Ok(Wait::Header(name)),
            (None, Some(pointer), None) => Ok(Wait::Json(pointer)),
            (None, None, Some(span)) => Ok(Wait::Const(span.0)),
            _ => Err("a wait is one of header, json and const"),
        }
    }
}

/// `30s`, `5m`, `1h`, `1d`.
#[derive(Debug, Clone, Copy)]
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[number.len()..] {
            "ms" => Some(Duration::from_millis(1)),
            "s" => Some(Duration::from_secs(1)),
            "m" => Some(Duration::from_secs(60)),
            "h" => Some(Duration::from_secs(3600)),
            "d" => Some(Duration::from_secs(86_400)),
            _ => None,
        };
        let span = unit.zip(number.parse::<u32>().ok()).and_then(|(unit, number)| unit.checked_mul(number));
        span.filter(|span| !span.is_zero()).map(Span).ok_or_else(|| format!("\"{text}\" is not a time: write 500ms, 30s, 5m, 1h or 1d"))
    }
}

/// A limit of the platform.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(from = "RawLimit")]
pub struct Limit(pub Quota);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    per: Per,
    max: NonZeroU32,
    every: Span,
    burst: Option<NonZeroU32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Per {
    Account,
    Target,
}

impl From<RawLimit> for Limit {
    fn from(raw: RawLimit) -> Self {
        let scope = match raw.per {
            Per::Account => QuotaScope::Account,
            Per::Target => QuotaScope::Address,
        };
        let quota = Quota::new(raw.max, raw.every.0, scope);
        Limit(Quota { burst: raw.burst.unwrap_or(quota.burst), ..quota })
    }
}

/// The platform's key against doubles, made from the delivery id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The header field that carries it; without it the body or URL does, as `{{idem}}`.
    pub header: Option<String>,
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

/// What a template of a definition may look at, beside the account's own keys, `secret.*`, `meta.*`, `content.*` and `sign.*`.
pub const NAMES: &[&str] = &[
    "to", "endpoint", "id", "idem", "subject", "title", "text", "html", "content", "meta", "account", "attempt", "now.s", "now.ms", "now.iso", "body",
];

impl Definition {
    /// Reads a definition; `path` names it in errors.
    ///
    /// # Errors
    /// The first mistake, with line and column.
    pub fn read(source: &str, path: &Path) -> Result<Self, Problem> {
        let definition: Definition = serde_yaml::from_str(source).map_err(|error| yaml_problem(&error, source, path))?;
        definition.check().map_err(|flaw| flaw.at(source, path))?;
        Ok(definition)
    }

    /// What the types alone cannot say.
    fn check(&self) -> Result<(), Flaw> {
        for name in self.names() {
            self.check_name(name)?;
        }
        if let Some(at) = self.errors.iter().position(|rule| rule.when.is_none())
            && at + 1 != self.errors.len()
        {
            return Err(Flaw::new("default", "rules after the default are never reached: move it to the end"));
        }
        match (&self.request.json, &self.request.kinds) {
            (Some(_), Some(_)) => return Err(Flaw::new("kinds", "a request has either json or kinds")),
            (None, None) => return Err(Flaw::new("request", "a request needs a body: json, or kinds")),
            _ => {}
        }
        for auth in &self.request.auth {
            if auth.basic.is_some() == auth.bearer.is_some() {
                return Err(Flaw::new("auth", "auth is one of basic and bearer"));
            }
        }
        for (name, _) in &self.request.headers.0 {
            check_header(name).map_err(|what| Flaw::new(name, what))?;
        }
        if let Some(endpoint) = &self.addressing.endpoint
            && !self.vars.0.iter().any(|(name, var)| *name == endpoint.var && var.secret)
        {
            return Err(Flaw::new(&endpoint.var, format!("endpoint: `{}` must be one of vars, with secret: true", endpoint.var)));
        }
        self.whens().into_iter().try_for_each(|when| self.check_when(when))
    }

    fn check_when(&self, when: &When) -> Result<(), Flaw> {
        match (&when.var, &when.all, &when.any) {
            (Some(name), None, None) if self.known_names().contains(name) || self.signs(name) => Ok(()),
            (Some(name), None, None) => Err(self.unknown(name)),
            (None, Some(inner), None) | (None, None, Some(inner)) if when.eq.is_none() && when.exists.is_none() => {
                inner.iter().try_for_each(|when| self.check_when(when))
            }
            _ => Err(Flaw::new("when", "when is one of var, all and any")),
        }
    }

    /// The account's keys as templates see them.
    fn known_names(&self) -> Vec<String> {
        self.vars.0.iter().map(|(name, var)| if var.secret { format!("secret.{name}") } else { name.clone() }).collect()
    }

    fn signs(&self, name: &str) -> bool {
        name.strip_prefix("sign.").is_some_and(|name| self.sign.iter().any(|sign| sign.name == name))
    }

    /// Whether a template may look at that.
    ///
    /// # Errors
    /// What it may look at instead.
    fn check_name(&self, name: &str) -> Result<(), Flaw> {
        let known = self.known_names();
        let open = ["meta.", "content."].iter().any(|lead| name.starts_with(lead));
        let good = open
            || NAMES.contains(&name)
            || known.iter().any(|known| known == name)
            || self.signs(name);
        if good { Ok(()) } else { Err(self.unknown(name)) }
    }

    /// As `read` checks the definition's own templates, for those of an account.
    ///
    /// # Errors
    /// One sentence.
    pub fn allows(&self, name: &str) -> Result<(), String> {
        self.check_name(name).map_err(|flaw| match flaw.help {
            Some(help) => format!("{}; {help}", flaw.what),
            None => flaw.what,
        })
    }

    fn unknown(&self, name: &str) -> Flaw {
        let known = self.known_names();
        let all = known.iter().map(String::as_str).chain(NAMES.iter().copied());
        let last = name.rsplit('.').next().unwrap_or(name);
        let near = did_you_mean(name, all.clone())
            .or_else(|| known.iter().map(String::as_str).find(|known| known.rsplit('.').next() == Some(last)));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}, meta.NAME and content.NAME", all.collect::<Vec<_>>().join(", ")),
        };
        Flaw { needle: name.to_owned(), what: format!("nothing is named `{name}` here"), help: Some(help) }
    }

    fn texts(&self) -> Vec<&Text> {
        let request = &self.request;
        let mut texts = vec![&request.url];
        texts.extend(self.sign.iter().flat_map(|sign| [&sign.key, &sign.message]));
        texts.extend(request.query.0.iter().chain(&request.headers.0).map(|(_, field)| &field.value));
        for auth in &request.auth {
            texts.extend(auth.bearer.iter().chain(auth.basic.iter().flat_map(|(user, password)| [user, password])));
        }
        texts
    }

    fn names(&self) -> Vec<&str> {
        let request = &self.request;
        let kinds = request.kinds.iter().flat_map(|kinds| [&kinds.text, &kinds.html, &kinds.raw]).flatten().map(|payload| &payload.json);
        let trees = request.json.iter().chain(kinds).flat_map(Tree::names);
        self.texts().into_iter().flat_map(|text| text.names().iter().map(String::as_str)).chain(trees).collect()
    }

    fn whens(&self) -> Vec<&When> {
        let request = &self.request;
        let fields = request.query.0.iter().chain(&request.headers.0).filter_map(|(_, field)| field.when.as_ref());
        let auth = request.auth.iter().filter_map(|auth| auth.when.as_ref());
        self.sign.iter().filter_map(|sign| sign.when.as_ref()).chain(fields).chain(auth).collect()
    }
}

/// Header fields that the client itself makes, or that would break the framing.
///
/// # Errors
/// Why not.
pub fn check_header(name: &str) -> Result<(), String> {
    const OURS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer", "expect"];
    if crate::platform::http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("\"{name}\" cannot be the name of a header field"));
    }
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("the header field {name} is set by notify itself"));
    }
    Ok(())
}

/// A mistake that is found after reading; its place is where its word stands in the file.
struct Flaw {
    needle: String,
    what: String,
    help: Option<String>,
}

impl Flaw {
    fn new(needle: &str, what: impl Into<String>) -> Self {
        Flaw { needle: needle.to_owned(), what: what.into(), help: None }
    }

    fn at(self, source: &str, path: &Path) -> Problem {
        // A word of its own, not a part of a longer one.
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '-';
        let found = source.match_indices(&self.needle).map(|(at, _)| at).find(|at| {
            let (before, after) = (&source[..*at], &source[at + self.needle.len()..]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            !line.contains('#') && !before.ends_with(part) && !after.starts_with(part)
        });
        let mut problem = Problem { what: self.what, help: self.help, path: Some(path.to_owned()), ..Problem::default() };
        if let Some(at) = found {
            let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
            problem.line = Some(source[..at].matches('\n').count() + 1);
            problem.column = Some(source[start..at].chars().count() + 1);
            problem.width = self.needle.chars().count();
            problem.text = source[start..].lines().next().map(str::to_owned);
        }
        problem
    }
}

/// serde's sentence, with its place taken out of the words, and a suggestion where a key is unknown.
fn yaml_problem(error: &serde_yaml::Error, source: &str, path: &Path) -> Problem {
    let mut what = error.to_string();
    if let Some(at) = what.rfind(" at line ") {
        what.truncate(at);
    }
    let mut problem = Problem { path: Some(path.to_owned()), width: 1, ..Problem::default() };
    if let Some(place) = error.location() {
        problem.line = Some(place.line());
        problem.column = Some(place.column());
        problem.text = source.lines().nth(place.line().saturating_sub(1)).map(str::to_owned);
    }
    let quoted: Vec<&str> = what.split('`').skip(1).step_by(2).collect();
    if what.contains("unknown field `") || what.contains("unknown variant `") {
        if let Some((word, known)) = quoted.split_first() {
            let help = match did_you_mean(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            problem.width = word.chars().count();
            problem.help = Some(help);
            problem.what = format!("`{word}` is not known here");
            return problem;
        }
    }
    problem.what = what;
    problem
}
