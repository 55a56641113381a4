//! What an account says to a definition: its keys read, its secrets resolved, its own parts in place of the definition's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use handlebars::Context;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::config::account::AccountConfig;
use crate::config::secret::Secret;
use crate::platform::declared::condition::Condition;
use crate::platform::declared::definition::check::check_header;
use crate::platform::declared::definition::doubt::check_success;
use crate::platform::declared::definition::names::request_names;
use crate::platform::declared::definition::request::Method;
use crate::platform::declared::definition::when::When;
use crate::platform::declared::definition::{Build, Definition, Override, Var};
use crate::platform::declared::text::find::{Scope, find, is_empty};
use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;
use crate::platform::http::HeaderName;
use crate::problem::Problem;
use crate::recipient::Address;

/// The account, read.
pub struct Account {
    /// Its keys as templates see them: `base`, `secret.token`. Every key is there; one that is not set is empty.
    pub values: Map<String, Value>,
    /// Every secret's value, to be kept out of what a reply says.
    pub secrets: Vec<String>,
    /// `method:`.
    pub method: Option<Method>,
    /// `headers:`; a value by reference is a secret and no template.
    pub headers: Vec<(HeaderName, HeaderText)>,
    /// `body:`.
    pub body: Option<Tree>,
    /// `success:`.
    pub success: Option<Condition>,
    /// `idempotent:`; a resend under the same key is harmless.
    pub idempotent: Option<bool>,
    /// `ca_file:`.
    pub ca_file: Option<PathBuf>,
    /// `from:` of an account of email, where that is no key of the definition's own.
    pub from: Option<String>,
    /// `reply_to:`, likewise.
    pub reply_to: Option<String>,
    /// Keys over which a row's or a template's own value goes.
    pub yields: Vec<String>,
}

/// The value of an account's own header.
pub enum HeaderText {
    /// As written in the config.
    Template(Text),
    /// Resolved.
    Secret(String),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(***)")
    }
}

/// The keys that an account of this definition may have.
pub fn keys(definition: &Definition) -> Vec<&str> {
    let mut keys: Vec<&str> = definition.vars.0.iter().map(|(name, _)| name.as_str()).collect();
    keys.extend(senders(definition).map(|key| -> &str { key }));
    keys.extend(definition.overrides.iter().map(|part| part.key()));
    if definition.idempotency.is_some() {
        keys.push("idempotent");
    }
    keys.push("ca_file");
    keys
}

/// The sender that every account of email may name, for messages that name none.
fn senders(definition: &Definition) -> impl Iterator<Item = &'static str> {
    let declared = |key: &str| definition.vars.0.iter().any(|(name, _)| name == key);
    ["from", "reply_to"].into_iter().filter(move |key| definition.form == Build::Email && !declared(key))
}

/// Defaults that look at other keys: `https://sns.{{region}}.amazonaws.com`. They see what is written, and plain defaults.
fn complete(values: &mut Map<String, Value>, definition: &Definition) -> Result<(), (String, String)> {
    let seen = Context::from(Value::Object(values.clone()));
    for (name, var) in &definition.vars.0 {
        let Some(default) = var.default.as_deref().filter(|default| default.contains("{{")) else { continue };
        if values.get(name).and_then(Value::as_str) == Some(default) {
            let text = Text::new(default).and_then(|text| text.render(Scope::of(&seen))).map_err(|what| (name.clone(), what))?;
            values.insert(name.clone(), Value::String(text));
        }
    }
    Ok(())
}

impl Account {
    /// Reads the account.
    ///
    /// # Errors
    /// The first key that is missing, unknown or wrong; never a secret's value.
    pub fn read(config: &AccountConfig, definition: &Definition) -> Result<Self, Problem> {
        let mut settings: serde_yaml::Mapping = config.settings(&keys(definition))?;
        let wrong =
            |key: &str, what: &str| Problem { what: format!("account {}: `{key}`: {what}", config.name), ..Problem::default() };
        let (mut values, mut hidden, mut secrets) = (Map::new(), Map::new(), Vec::new());
        for (name, var) in &definition.vars.0 {
            let written = settings.remove(name.as_str()).filter(|value| !value.is_null());
            let value = match written {
                Some(value) if var.secret => {
                    let secret: Secret = serde_yaml::from_value(value)
                        .map_err(|_| wrong(name, "write text, or { env: NAME }, { file: PATH }, { cmd: \"pass show x\" }"))?;
                    let secret = secret.resolve().map_err(|what| wrong(name, &what))?;
                    Some(secret.expose_secret().to_owned())
                }
                Some(value) => Some(scalar(&value).ok_or_else(|| wrong(name, "must be text"))?),
                None => var.default.clone().or_else(|| by_another(var, &values)),
            };
            let value = value.filter(|value| !value.is_empty());
            if let Some(value) = &value {
                // A secret is told by its key alone.
                let shown = if var.secret { "the value".to_owned() } else { format!("\"{value}\"") };
                if let Some(pattern) = var.pattern.as_ref().filter(|pattern| !pattern.0.is_match(value)) {
                    return Err(wrong(name, &format!("{shown} does not have the form {}", pattern.0.as_str())));
                }
                if let Some(words) = var.one_of.as_ref().filter(|words| !words.contains(value)) {
                    return Err(wrong(name, &format!("{shown} is not one of {}", words.join(", "))));
                }
            } else if var.required {
                let help = format!("platform {} cannot do without it", config.platform);
                return Err(Problem { help: Some(help), ..wrong(name, "is missing") });
            }
            if var.secret {
                secrets.extend(value.clone());
                hidden.insert(name.clone(), Value::String(value.unwrap_or_default()));
            } else {
                values.insert(name.clone(), Value::String(value.unwrap_or_default()));
            }
        }
        complete(&mut values, definition).map_err(|(name, what)| wrong(&name, &what))?;
        let own: Vec<String> = values.keys().cloned().collect();
        values.insert("secret".to_owned(), Value::Object(hidden));

        let mut account = Account {
            values,
            secrets,
            method: None,
            headers: Vec::new(),
            body: None,
            success: None,
            idempotent: None,
            ca_file: None,
            from: None,
            reply_to: None,
            yields: definition.fields.0.iter().map(|(field, _)| field).filter(|field| own.contains(field)).cloned().collect(),
        };
        for key in senders(definition) {
            let Some(value) = settings.remove(key).filter(|value| !value.is_null()) else { continue };
            let text = Some(scalar(&value).ok_or_else(|| wrong(key, "must be text"))?);
            if key == "from" { account.from = text } else { account.reply_to = text }
        }
        for part in &definition.overrides {
            let key = part.key();
            let Some(value) = settings.remove(key).filter(|value| !value.is_null()) else { continue };
            let unread = |error: serde_yaml::Error| wrong(key, &error.to_string());
            match part {
                Override::Method => {
                    account.method = Some(serde_yaml::from_value(value).map_err(|_| wrong(key, "is POST or PUT"))?)
                }
                Override::Success => {
                    let success: Condition = serde_yaml::from_value(value).map_err(unread)?;
                    check_success(&success).map_err(|what| wrong(key, &what))?;
                    account.success = Some(success);
                }
                Override::Headers => account.headers(value, &wrong)?,
                Override::Body => {
                    let body: Tree = serde_yaml::from_value(value).map_err(unread)?;
                    body.names().into_iter().try_for_each(|name| definition.allows(name)).map_err(|what| wrong(key, &what))?;
                    account.body = Some(body);
                }
            }
        }
        for (name, text) in &account.headers {
            if let HeaderText::Template(text) = text {
                let known = text.names().iter().try_for_each(|name| definition.allows(name));
                known.map_err(|what| wrong(&format!("headers: {name}"), &what))?;
            }
        }
        if let Some(value) = settings.remove("idempotent") {
            account.idempotent = Some(serde_yaml::from_value(value).map_err(|_| wrong("idempotent", "is true or false"))?);
        }
        if let Some(value) = settings.remove("ca_file") {
            account.ca_file = Some(serde_yaml::from_value(value).map_err(|_| wrong("ca_file", "is the path of a PEM file"))?);
        }
        Ok(account)
    }

    fn headers(&mut self, value: serde_yaml::Value, wrong: &impl Fn(&str, &str) -> Problem) -> Result<(), Problem> {
        let headers: BTreeMap<String, serde_yaml::Value> =
            serde_yaml::from_value(value).map_err(|_| wrong("headers", "is an object: { X-Team: ops }"))?;
        for (name, value) in headers {
            let key = format!("headers: {name}");
            check_header(&name).map_err(|what| wrong(&key, &what))?;
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(&key, "cannot be the name of a header field"))?;
            let text = match scalar(&value) {
                Some(text) => HeaderText::Template(Text::new(&text).map_err(|what| wrong(&key, &what))?),
                None => {
                    let secret: Secret =
                        serde_yaml::from_value(value).map_err(|_| wrong(&key, "write text, or { env: NAME }"))?;
                    let secret = secret.resolve().map_err(|what| wrong(&key, &what))?.expose_secret().to_owned();
                    self.secrets.push(secret.clone());
                    HeaderText::Secret(secret)
                }
            };
            self.headers.push((name, text));
        }
        Ok(())
    }

    /// The value of a key, if it is set: `signature`, `secret.token`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let value = self.values.get(first)?;
        let value = if rest.is_empty() { Some(value) } else { find(value, rest) };
        value.and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether this key is set, secret or not.
    pub fn sets(&self, key: &str) -> bool {
        self.get(key).or_else(|| self.get(&format!("secret.{key}"))).is_some()
    }

    /// Whether the key against doubles goes out with what the account itself says: its own body may leave it out, a header field of its
    /// own may stand in its place.
    pub fn keeps_key(&self, definition: &Definition) -> bool {
        let Some(key) = &definition.idempotency else { return false };
        let said =
            |text: &HeaderText| matches!(text, HeaderText::Template(text) if key.is_in(text.names().iter().map(String::as_str)));
        let kept =
            |header: &str| self.headers.iter().all(|(name, text)| !name.as_str().eq_ignore_ascii_case(header) || said(text));
        match (&key.header, &key.query, &self.body) {
            (Some(header), None, _) => kept(header),
            (_, Some(_), _) | (None, None, None) => true,
            (None, None, Some(body)) => {
                key.is_in(body.names())
                    || key.is_in(request_names(&definition.request))
                    || self.headers.iter().any(|(_, text)| said(text))
            }
        }
    }

    /// Whether the value of that name is the account's own, and so the same for every row.
    pub fn owns(&self, name: &str) -> bool {
        let first = name.split('.').next().unwrap_or(name);
        (self.values.contains_key(name) && !self.yields.iter().any(|field| field == name)) || first == "secret"
    }

    /// Whether a `when` holds for this account; `signs` names the signatures that are made.
    pub fn meets(&self, when: Option<&When>, signs: &[&str]) -> bool {
        static MADE: Value = Value::Bool(true);
        let Some(when) = when else { return true };
        when.holds(&|name| match name.strip_prefix("sign.") {
            Some(sign) => signs.contains(&sign).then_some(&MADE),
            None => {
                let (first, rest) = name.split_once('.').unwrap_or((name, ""));
                let value = self.values.get(first)?;
                let value = if rest.is_empty() { Some(value) } else { find(value, rest) };
                value.filter(|value| !is_empty(value))
            }
        })
    }

    /// The account as it may be shown: every secret is `***`, and of the endpoint under that key the host remains.
    pub fn masked(&self, endpoint: Option<&str>) -> Account {
        let mut values = self.values.clone();
        let host = endpoint.and_then(|var| self.get(&format!("secret.{var}"))).map(|url| Address::from(url).masked());
        if let Some(Value::Object(secrets)) = values.get_mut("secret") {
            secrets.values_mut().filter(|value| !is_empty(value)).for_each(|value| *value = Value::String("***".to_owned()));
            if let (Some(var), Some(host)) = (endpoint, host) {
                secrets.insert(var.to_owned(), Value::String(host));
            }
        }
        let masked = |(name, text): &(HeaderName, HeaderText)| match text {
            // A credential may stand in the config as it is.
            HeaderText::Template(text) if text.is_literal() && is_telling(name.as_str()) => {
                (name.clone(), HeaderText::Secret("***".to_owned()))
            }
            HeaderText::Template(text) => (name.clone(), HeaderText::Template(text.clone())),
            HeaderText::Secret(_) => (name.clone(), HeaderText::Secret("***".to_owned())),
        };
        Account {
            values,
            secrets: Vec::new(),
            method: self.method,
            headers: self.headers.iter().map(masked).collect(),
            body: self.body.clone(),
            success: None,
            idempotent: self.idempotent,
            ca_file: None,
            from: self.from.clone(),
            reply_to: self.reply_to.clone(),
            yields: self.yields.clone(),
        }
    }
}

/// The default that another key, which stands before it in the file, decides.
fn by_another(var: &Var, values: &Map<String, Value>) -> Option<String> {
    var.default_by.0.iter().find_map(|(key, by)| {
        let chosen = values.get(key)?.as_str()?;
        by.0.iter().find(|(value, _)| value == chosen).map(|(_, default)| default.clone())
    })
}

/// Header fields of such names hold credentials.
pub fn is_telling(name: &str) -> bool {
    ["auth", "key", "token", "secret", "cookie", "password", "signature"].iter().any(|word| name.contains(word))
}

fn scalar(value: &serde_yaml::Value) -> Option<String> {
    match value {
        serde_yaml::Value::String(text) => Some(text.clone()),
        serde_yaml::Value::Number(number) => Some(number.to_string()),
        serde_yaml::Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}
