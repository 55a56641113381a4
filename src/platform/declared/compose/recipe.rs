//! What a kind of content becomes, with everything decided that the account alone decides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::Context;
use serde_json::Value;

use crate::platform::declared::account::{Account, HeaderText};
use crate::platform::declared::compose::content::Content;
use crate::platform::declared::compose::url::parse_url;
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::form::Form;
use crate::platform::declared::definition::kinds::Field;
use crate::platform::declared::definition::request::Auth;
use crate::platform::declared::definition::when::When;
use crate::platform::declared::text::find::Scope;
use crate::platform::declared::text::leaf::Text;
use crate::platform::http::{HeaderMap, HeaderName, HeaderValue, Method, Url};

/// A request without the values of its row.
pub struct Recipe {
    /// The kind; "" where there is one body for all.
    pub name: String,
    /// What must not be empty.
    pub needs: Vec<String>,
    /// What must be empty.
    pub without: Vec<String>,
    /// POST, PUT, GET.
    pub method: Method,
    /// Where to.
    pub url: Target,
    /// Added to the URL.
    pub query: Vec<QueryValue>,
    /// Header fields in their order, `authorization` and the account's own among them.
    pub headers: Vec<HeaderField>,
    /// The body; `None` of a GET.
    pub body: Option<Form>,
    /// Keys that came out empty are left out.
    pub omit_empty: bool,
    /// Every value that it looks at.
    pub names: Vec<String>,
}

/// A value of the query: its name, what is still to be asked of each message, the value.
pub type QueryValue = (String, Option<When>, Ready<String>);

/// The same of a header field.
pub type HeaderField = (HeaderName, Option<When>, Ready<HeaderValue>);

/// Where a request goes.
pub enum Target {
    /// Known before any row.
    Fixed(Url),
    /// The endpoint, as it is.
    Endpoint,
    /// Made for each row.
    Made(Text),
}

/// A value, made once or for each row.
pub enum Ready<T> {
    /// The account's.
    Fixed(T),
    /// The row's.
    Made(Text),
    /// `Authorization: Bearer …`.
    Bearer(Text),
    /// `Authorization: Basic …`.
    Basic(Text, Text),
}

/// What the account decides recipes with.
pub struct Ground<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its values.
    pub values: &'a Context,
    /// The signatures that are made.
    pub signs: &'a [&'a str],
    /// Secrets are shown as `***`.
    pub masked: bool,
    /// The endpoint of the account, if it has one.
    pub endpoint: Option<&'a Url>,
}

impl Ground<'_> {
    fn settled(&self, text: &Text) -> bool {
        text.names().iter().all(|name| self.account.owns(name))
    }

    /// The URL.
    ///
    /// # Errors
    /// It is known already, and none.
    pub fn target(&self, url: &Text) -> Result<Target, String> {
        if url.source() == "{{endpoint}}" {
            return Ok(self.endpoint.map_or(Target::Endpoint, |url| Target::Fixed(url.clone())));
        }
        if !self.settled(url) {
            return Ok(Target::Made(url.clone()));
        }
        let text = url.render(Scope::of(self.values))?;
        parse_url(&text).map(Target::Fixed).map_err(|what| format!("the URL: {what}"))
    }

    /// Values of the query; a later one of the same name stands in place of an earlier.
    ///
    /// # Errors
    /// As [`Text::render`].
    pub fn query(&self, fields: &[&[(String, Field)]]) -> Result<Vec<QueryValue>, String> {
        let mut query: Vec<QueryValue> = Vec::new();
        for (level, fields) in fields.iter().enumerate() {
            for (name, field) in fields.iter() {
                let Some(when) = self.decided(field.when.as_ref()) else { continue };
                let value = match self.settled(&field.value) {
                    true => Ready::Fixed(field.value.render(Scope::of(self.values))?),
                    false => Ready::Made(field.value.clone()),
                };
                if level > 0 {
                    query.retain(|(known, _, _)| known != name);
                }
                query.push((name.clone(), when, value));
            }
        }
        Ok(query)
    }

    /// `None`: the account says no. Otherwise what is left to be asked of each message.
    fn decided(&self, when: Option<&When>) -> Option<Option<When>> {
        match when {
            Some(when) if when.of_message() => Some(Some(when.clone())),
            when => self.account.meets(when, self.signs).then_some(None),
        }
    }

    /// Header fields in their order: the definition's, the credentials, the account's own.
    ///
    /// # Errors
    /// As [`Text::render`], or a value that no header field can hold.
    pub fn headers(
        &self,
        idempotency: Option<&String>,
        fields: &[&[(String, Field)]],
        auth: &[Auth],
    ) -> Result<Vec<HeaderField>, String> {
        let mut headers = Vec::new();
        if let Some(name) = idempotency {
            headers.push((header_name(name)?, None, Ready::Made(Text::new("{{idem}}")?)));
        }
        for (name, field) in fields.iter().flat_map(|fields| fields.iter()) {
            let Some(when) = self.decided(field.when.as_ref()) else { continue };
            headers.push((header_name(name)?, when, self.header(name, &field.value)?));
        }
        if let Some(auth) = auth.iter().find(|auth| self.account.meets(auth.when.as_ref(), self.signs)) {
            let ready = match (&auth.bearer, &auth.basic) {
                (Some(token), _) if self.settled(token) => {
                    Ready::Fixed(header_value("authorization", &format!("Bearer {}", token.render(Scope::of(self.values))?))?)
                }
                (Some(token), _) => Ready::Bearer(token.clone()),
                (None, Some((user, password))) if self.settled(user) && self.settled(password) => {
                    let scope = Scope::of(self.values);
                    let pair = basic(&user.render(scope)?, &password.render(scope)?, self.masked);
                    Ready::Fixed(header_value("authorization", &pair)?)
                }
                (None, Some((user, password))) => Ready::Basic(user.clone(), password.clone()),
                (None, None) => return Ok(headers),
            };
            headers.push((HeaderName::from_static("authorization"), None, ready));
        }
        for (name, text) in &self.account.headers {
            let ready = match text {
                HeaderText::Template(text) => self.header(name.as_str(), text)?,
                HeaderText::Secret(value) => Ready::Fixed(header_value(name.as_str(), value)?),
            };
            headers.push((name.clone(), None, ready));
        }
        Ok(headers)
    }

    fn header(&self, name: &str, text: &Text) -> Result<Ready<HeaderValue>, String> {
        if self.settled(text) {
            return Ok(Ready::Fixed(header_value(name, &text.render(Scope::of(self.values))?)?));
        }
        Ok(Ready::Made(text.clone()))
    }
}

fn basic(user: &str, password: &str, masked: bool) -> String {
    if masked { "Basic ***".to_owned() } else { format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))) }
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("\"{name}\" cannot be the name of a header field"))
}

/// A value with CR, LF or NUL is refused; the value is not told, since it may be a secret.
fn header_value(name: &str, value: &str) -> Result<HeaderValue, String> {
    let bad = |_| format!("the header field {name} cannot hold its value: a line break or control character");
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Recipe {
    /// The idempotency key of the query, where the definition puts it there.
    ///
    /// # Errors
    /// None; a template that is always the same.
    pub fn add_idempotency(&mut self, definition: &Definition) -> Result<(), String> {
        if let Some(name) = definition.idempotency.as_ref().and_then(|idempotency| idempotency.query.as_ref()) {
            self.query.push((name.clone(), None, Ready::Made(Text::new("{{idem}}")?)));
        }
        Ok(())
    }

    /// Notes every value that the recipe looks at, and those of signatures.
    pub fn note_names(&mut self, signing: &[&str]) {
        let mut names: Vec<String> = signing.iter().map(|name| (*name).to_owned()).collect();
        let mut add = |text: &Text| names.extend(text.names().iter().cloned());
        if let Target::Made(url) = &self.url {
            add(url);
        }
        for ready in self.query.iter().map(|(_, _, ready)| ready) {
            ready.texts().into_iter().for_each(&mut add);
        }
        for ready in self.headers.iter().map(|(_, _, ready)| ready) {
            ready.texts().into_iter().for_each(&mut add);
        }
        let whens = self.query.iter().filter_map(|(_, when, _)| when.as_ref());
        let whens = whens.chain(self.headers.iter().filter_map(|(_, when, _)| when.as_ref()));
        names.extend(whens.flat_map(When::names).map(str::to_owned));
        names.extend(self.body.iter().flat_map(Form::names).map(str::to_owned));
        names.sort();
        names.dedup();
        self.names = names;
    }

    /// Keys of a content tree that the recipe does not use; "" where it has no use for a whole tree that is no object.
    pub fn unknown(&self, content: &Content<'_>) -> Vec<String> {
        let names = || self.names.iter().chain(&self.needs);
        if names().any(|name| name == "content") {
            return Vec::new();
        }
        let used = |key: &str| {
            names().any(|name| {
                let (inside, name) = name.strip_prefix("content.").map_or((false, name.as_str()), |name| (true, name));
                name.split('.').next() == Some(key) && (inside || content.may_say(key))
            })
        };
        match content.tree() {
            Some(Value::Object(map)) => map.keys().filter(|key| !used(key)).cloned().collect(),
            Some(_) => vec![String::new()],
            None => Vec::new(),
        }
    }

    /// The header fields of a row.
    ///
    /// # Errors
    /// As [`Text::render`], or a value that no header field can hold.
    pub fn make_headers(&self, scope: Scope<'_>, content_type: &str, masked: bool) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 4);
        if self.body.is_some() {
            headers.insert("content-type", header_value("content-type", content_type)?);
        }
        for (name, when, ready) in &self.headers {
            if when.as_ref().is_some_and(|when| !when.holds(&|name| scope.filled(name))) {
                continue;
            }
            let value = match ready {
                Ready::Fixed(value) => value.clone(),
                Ready::Made(text) => match text.render(scope)? {
                    empty if empty.is_empty() && self.omit_empty => continue,
                    value => header_value(name.as_str(), &value)?,
                },
                Ready::Bearer(text) => header_value(name.as_str(), &format!("Bearer {}", text.render(scope)?))?,
                Ready::Basic(user, password) => {
                    header_value(name.as_str(), &basic(&user.render(scope)?, &password.render(scope)?, masked))?
                }
            };
            headers.insert(name.clone(), value);
        }
        Ok(headers)
    }

    /// The query of a row; `placed` holds values in place of the recipe's own.
    ///
    /// # Errors
    /// As [`Text::render`].
    pub fn add_query(&self, url: &mut Url, scope: Scope<'_>, placed: &[(String, String)]) -> Result<(), String> {
        for (name, when, ready) in &self.query {
            if let Some((_, value)) = placed.iter().find(|(known, _)| known == name) {
                url.query_pairs_mut().append_pair(name, value);
                continue;
            }
            if when.as_ref().is_some_and(|when| !when.holds(&|name| scope.filled(name))) {
                continue;
            }
            match ready {
                Ready::Fixed(value) => drop(url.query_pairs_mut().append_pair(name, value)),
                Ready::Made(text) | Ready::Bearer(text) | Ready::Basic(text, _) => match text.render(scope)? {
                    empty if empty.is_empty() && self.omit_empty => {}
                    value => drop(url.query_pairs_mut().append_pair(name, &value)),
                },
            }
        }
        Ok(())
    }
}

impl<T> Ready<T> {
    fn texts(&self) -> Vec<&Text> {
        match self {
            Ready::Fixed(_) => Vec::new(),
            Ready::Made(text) | Ready::Bearer(text) => vec![text],
            Ready::Basic(user, password) => vec![user, password],
        }
    }
}
