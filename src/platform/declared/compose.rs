//! From a delivery to the exact bytes of its request: body first, then signatures over those bytes, then headers and URL.
//!
//! A row's data can fill the body's leaves, header values, path segments and query values; never the host, never a header's end.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::Context;
use serde_json::{Map, Value, json};

use crate::delivery::{Delivery, DeliveryId};
use crate::error::{ErrorKind, SendError};
use crate::message::{Body, Message};
use crate::platform::declared::account::{Account, HeaderText};
use crate::platform::declared::definition::request::Method;
use crate::platform::declared::definition::{Definition, IdemFormat};
use crate::platform::declared::text::{Text, Tree};
use crate::platform::http::{self, Call, HeaderMap, HeaderName, HeaderValue, Url};
use crate::platform::sign::{self, Key};
use crate::problem::Problem;
use crate::recipient::Address;

/// Longest URL that servers can be trusted to take.
const LONGEST_URL: usize = 8000;

/// Makes the requests of one account. It holds secrets, and so has no `Debug`.
pub struct Composer {
    /// The account.
    pub account: Account,
    /// The account's own URL, where the platform goes to an URL that the user names.
    pub endpoint: Option<Url>,
    /// The URL of every request, where it is known before any row.
    pub fixed_url: Option<Url>,
    /// The address of a row that names nobody.
    pub nobody: String,
    /// The account's name.
    pub name: String,
    keys: Vec<(usize, Key)>,
    guarded: bool,
}

impl Composer {
    /// Decides everything that the account alone decides.
    ///
    /// # Errors
    /// A signature without its secret, an URL that is none, a credential that would travel in the clear.
    pub fn new(name: &str, definition: &Definition, account: Account) -> Result<Self, Problem> {
        let wrong = |what: String, help: &str| Problem {
            what: format!("account {name}: {what}"),
            help: (!help.is_empty()).then(|| help.to_owned()),
            ..Problem::default()
        };
        let values = Context::from(Value::Object(account.values.clone()));
        let mut keys = Vec::new();
        for (at, sign) in definition.sign.iter().enumerate() {
            if !account.meets(sign.when.as_ref(), &[]) {
                continue;
            }
            let secret = sign.key.render(&values).map_err(|what| wrong(what, ""))?;
            let key = Key::read(&secret, sign.key_encoding, sign.alg).map_err(|what| {
                let from = sign.key.names().join(", ").replace("secret.", "");
                wrong(
                    format!("the {} signature is made with `{from}`: {what}", sign.name),
                    "name the secret as { env: NAME }, or leave the signature out",
                )
            })?;
            keys.push((at, key));
        }
        let signs: Vec<&str> = keys.iter().map(|(at, _)| definition.sign[*at].name.as_str()).collect();
        let guarded = definition.request.auth.iter().any(|auth| account.meets(auth.when.as_ref(), &signs));
        let endpoint = match &definition.addressing.endpoint {
            Some(endpoint) => match account.get(&format!("secret.{}", endpoint.var)) {
                Some(text) => Some(parse_url(text).map_err(|what| wrong(format!("`{}`: {what}", endpoint.var), ""))?),
                None => None,
            },
            None => None,
        };
        let url = &definition.request.url;
        let fixed_url = if url.source() == "{{endpoint}}" {
            endpoint.clone()
        } else if url.names().iter().all(|name| account.values.contains_key(name) || name.starts_with("secret.")) {
            let text = url.render(&values).map_err(|what| wrong(what, ""))?;
            Some(parse_url(&text).map_err(|what| wrong(format!("the URL: {what}"), ""))?)
        } else {
            None
        };
        let composer =
            Composer { nobody: nobody(definition, name), name: name.to_owned(), account, endpoint, fixed_url, keys, guarded };
        if let Some(url) = &composer.fixed_url {
            composer.guard(url).map_err(|what| wrong(what, "use https"))?;
        }
        Ok(composer)
    }

    /// The URL that a row names, where the account has none.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn row_url(&self, to: &Address) -> Result<Url, SendError> {
        let bad = |what| SendError::new(ErrorKind::BadAddress, what);
        let url = parse_url(to.as_str()).map_err(bad)?;
        self.guard(&url).map_err(bad)?;
        Ok(url)
    }

    fn guard(&self, url: &Url) -> Result<(), String> {
        if self.guarded && url.scheme() == "http" && !is_loopback(url) {
            return Err(format!("{}: a password or token would travel in the clear", http::host(url)));
        }
        Ok(())
    }

    /// The body that this content gets.
    ///
    /// # Errors
    /// `BadMessage`, where the platform does not take this form.
    pub fn tree<'a>(&'a self, definition: &'a Definition, message: &Message) -> Result<&'a Tree, SendError> {
        if let Some(body) = &self.account.body {
            return Ok(body);
        }
        let request = &definition.request;
        let payload = request.kinds.as_ref().and_then(|kinds| match message.body {
            Body::Native(_) => kinds.raw.as_ref(),
            Body::Html { .. } => kinds.html.as_ref().or(kinds.text.as_ref()),
            Body::Markdown { .. } => kinds.text.as_ref(),
            Body::Text(_) => kinds.text.as_ref(),
        });
        request.json.as_ref().or(payload.map(|payload| &payload.json)).ok_or_else(|| {
            let form = if matches!(message.body, Body::Native(_)) { "ready JSON" } else { "text" };
            SendError::new(ErrorKind::BadMessage, format!("platform {} does not take {form}", definition.name.0))
        })
    }

    /// The request of one delivery at this moment.
    ///
    /// # Errors
    /// `BadMessage` or `BadAddress`.
    pub fn call(&self, definition: &Definition, delivery: &Delivery, now: SystemTime) -> Result<Call, SendError> {
        let bad = |what: String| SendError::new(ErrorKind::BadMessage, what);
        let envelope = &delivery.envelope;
        let endpoint = match (&definition.addressing.endpoint, &self.endpoint) {
            (Some(_), Some(url)) => Some(url.clone()),
            (Some(_), None) => Some(self.row_url(&envelope.to)?),
            (None, _) => None,
        };
        let row_url = definition.addressing.endpoint.is_some() && self.endpoint.is_none();
        // An URL is a credential and no name of a person: a body never repeats it.
        let to = if row_url || envelope.to.as_str() == self.nobody { "" } else { envelope.to.as_str() };
        let idem = idem(definition, &envelope.id);
        let mut values = self.values(to, &delivery.message, now);
        values.insert("id".to_owned(), json!(envelope.id.as_str()));
        values.insert("idem".to_owned(), json!(idem));
        values.insert("attempt".to_owned(), json!(envelope.attempt));
        values.insert("endpoint".to_owned(), json!(endpoint.as_ref().map_or("", Url::as_str)));
        let mut values = Context::from(Value::Object(values));

        let tree = self.tree(definition, &delivery.message)?;
        let rendered = tree.render(&values, definition.request.omit_empty).map_err(bad)?;
        let body = serde_json::to_vec(&rendered).map_err(|error| bad(format!("the body cannot be written: {error}")))?;
        if let Some(max) = definition.message.max.body.as_ref().filter(|max| body.len() > max.bytes) {
            return Err(bad(format!("the body has {} bytes; {} takes at most {}", body.len(), definition.name.0, max.bytes)));
        }

        let mut made = Map::new();
        for (at, key) in &self.keys {
            let sign = &definition.sign[*at];
            if sign.message.names().iter().any(|name| name == "body")
                && let Value::Object(values) = values.data_mut()
                && !values.contains_key("body")
            {
                values.insert("body".to_owned(), Value::String(String::from_utf8_lossy(&body).into_owned()));
            }
            let message = sign.message.render(&values).map_err(bad)?;
            made.insert(sign.name.clone(), Value::String(key.sign(message.as_bytes(), sign.encode)));
            if let Value::Object(values) = values.data_mut() {
                values.insert("sign".to_owned(), Value::Object(made.clone()));
            }
        }

        let headers = self.headers(definition, &values, &idem)?;
        let url = self.url(definition, endpoint.as_ref(), &values)?;
        let method = match self.account.method.unwrap_or(definition.request.method) {
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
        };
        Ok(Call { method, url, headers, body })
    }

    /// What templates see of account, message and time.
    fn values(&self, to: &str, message: &Message, now: SystemTime) -> Map<String, Value> {
        let mut values = self.account.values.clone();
        let (text, html, content) = match &message.body {
            Body::Text(text) => (text.as_str(), "", Value::Null),
            Body::Html { html, text } => (text.as_str(), html.as_str(), Value::Null),
            Body::Markdown { text, .. } => (text.as_str(), "", Value::Null),
            Body::Native(tree) => ("", "", tree.clone()),
        };
        let subject = message.subject.as_deref().unwrap_or_default();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let iso = jiff::Timestamp::try_from(now).map(|time| format!("{time:.0}")).unwrap_or_default();
        let ours = [
            ("to", json!(to)),
            ("subject", json!(subject)),
            ("title", json!(subject)),
            ("text", json!(text)),
            ("html", json!(html)),
            ("content", content),
            ("meta", Value::Object(message.meta.clone())),
            ("account", json!(self.name)),
            ("now", json!({ "s": since.as_secs(), "ms": u64::try_from(since.as_millis()).unwrap_or(u64::MAX), "iso": iso })),
        ];
        values.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        values
    }

    fn headers(&self, definition: &Definition, values: &Context, idem: &str) -> Result<HeaderMap, SendError> {
        let signs: Vec<&str> = self.keys.iter().map(|(at, _)| definition.sign[*at].name.as_str()).collect();
        let request = &definition.request;
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
        if let Some(name) = definition.idempotency.as_ref().and_then(|idempotency| idempotency.header.as_ref()) {
            set(&mut headers, name, idem)?;
        }
        for (name, field) in &request.headers.0 {
            if self.account.meets(field.when.as_ref(), &signs) {
                set(&mut headers, name, &render(&field.value, values)?)?;
            }
        }
        if let Some(auth) = request.auth.iter().find(|auth| self.account.meets(auth.when.as_ref(), &signs)) {
            let value = match (&auth.bearer, &auth.basic) {
                (Some(token), _) => format!("Bearer {}", render(token, values)?),
                (None, Some((user, password))) => {
                    format!("Basic {}", STANDARD.encode(format!("{}:{}", render(user, values)?, render(password, values)?)))
                }
                (None, None) => String::new(),
            };
            set(&mut headers, "authorization", &value)?;
        }
        for (name, text) in &self.account.headers {
            let value = match text {
                HeaderText::Template(text) => render(text, values)?,
                HeaderText::Secret(value) => value.clone(),
            };
            set(&mut headers, name.as_str(), &value)?;
        }
        Ok(headers)
    }

    fn url(&self, definition: &Definition, endpoint: Option<&Url>, values: &Context) -> Result<Url, SendError> {
        let request = &definition.request;
        let mut url = match (&self.fixed_url, endpoint) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) if request.url.source() == "{{endpoint}}" => url.clone(),
            _ => {
                let mut encoded = values.data().clone();
                if let Value::Object(values) = &mut encoded {
                    let rows = |name: &str| !self.account.values.contains_key(name) && name != "endpoint";
                    values.iter_mut().filter(|(name, _)| rows(name)).for_each(|(_, value)| percent_encode(value));
                }
                let text = render(&request.url, &Context::from(encoded))?;
                parse_url(&text).map_err(|what| SendError::new(ErrorKind::BadAddress, what))?
            }
        };
        let signs: Vec<&str> = self.keys.iter().map(|(at, _)| definition.sign[*at].name.as_str()).collect();
        for (name, field) in request.query.0.iter().filter(|(_, field)| self.account.meets(field.when.as_ref(), &signs)) {
            url.query_pairs_mut().append_pair(name, &render(&field.value, values)?);
        }
        Ok(url)
    }
}

fn render(text: &Text, values: &Context) -> Result<String, SendError> {
    text.render(values).map_err(|what| SendError::new(ErrorKind::BadMessage, what))
}

/// A value with CR, LF or NUL is refused; the value is not told, since it may be a secret.
fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), SendError> {
    let bad = |_| {
        SendError::new(
            ErrorKind::BadMessage,
            format!("the header field {name} cannot hold its value: a line break or control character"),
        )
    };
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(bad)?;
    value.set_sensitive(true);
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| SendError::new(ErrorKind::Misconfigured, format!("\"{name}\" cannot be the name of a header field")))?;
    headers.insert(key, value);
    Ok(())
}

fn idem(definition: &Definition, id: &DeliveryId) -> String {
    match definition.idempotency.as_ref().map(|idempotency| idempotency.format).unwrap_or_default() {
        IdemFormat::String => id.as_str().to_owned(),
        IdemFormat::Uuid => sign::uuid5(id.as_str()),
        IdemFormat::Hex32 => sign::uuid5(id.as_str()).replace('-', ""),
    }
}

/// Everything but the unreserved characters of RFC 3986, so that a value stays inside its segment.
fn percent_encode(value: &mut Value) {
    match value {
        Value::String(text) => {
            let mut encoded = String::with_capacity(text.len());
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    encoded.push(char::from(byte));
                } else {
                    encoded.push_str(&format!("%{byte:02X}"));
                }
            }
            // A segment of dots alone would walk up the path.
            if encoded == "." || encoded == ".." {
                encoded = encoded.replace('.', "%2E");
            }
            *text = encoded;
        }
        Value::Array(list) => list.iter_mut().for_each(percent_encode),
        Value::Object(map) => map.values_mut().for_each(percent_encode),
        _ => {}
    }
}

/// An absolute http or https URL.
///
/// # Errors
/// One sentence that does not repeat the URL.
pub fn parse_url(text: &str) -> Result<Url, String> {
    if text.is_empty() || text.len() > LONGEST_URL || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("not an URL: it is empty, too long or holds spaces".to_owned());
    }
    let mut url = Url::parse(text).map_err(|_| "not an URL: write https://host/path".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("an URL of the scheme {}: is refused; only http and https are sent to", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("an URL without a host".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What stands for the address of a row that names none.
pub(crate) fn nobody(definition: &Definition, name: &str) -> String {
    format!("{}:{name}", definition.name.0)
}
