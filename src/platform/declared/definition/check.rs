//! Reads a definition whole, and checks what its types alone cannot: names, order, what excludes what.

use std::path::Path;

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::batch::Place;
use crate::platform::declared::definition::flaw::{Flaw, yaml_problem};
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::names::{NAMES, side_names};
use crate::platform::declared::definition::request::Bodies;
use crate::platform::declared::definition::sign::{How, Sign};
use crate::platform::declared::definition::when::When;
use crate::platform::declared::text::leaf::Text;
use crate::problem::Problem;

/// Names that an account may not use for its keys: the parts of them would be out of reach.
const TAKEN: &[&str] = &["secret", "sign", "now", "meta", "content", "columns", "item", "token", "body"];

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
        if let Some((name, _)) = self.vars.0.iter().find(|(name, var)| !var.secret && TAKEN.contains(&name.as_str())) {
            return Err(Flaw::new(name, format!("`{name}` means something else in templates: name the key otherwise")));
        }
        for (name, _) in &self.fields.0 {
            if NAMES.contains(&name.as_str())
                || TAKEN.contains(&name.as_str())
                || self.vars.0.iter().any(|(var, of)| var == name && of.secret)
            {
                return Err(Flaw::new(name, format!("the field `{name}` has the name of something else: name it otherwise")));
            }
        }
        for name in self.names() {
            self.check_name(name)?;
        }
        self.check_defaults()?;
        if let Some(at) = self.errors.iter().position(|rule| rule.when.is_none())
            && at + 1 != self.errors.len()
        {
            return Err(Flaw::new("default", "rules after the default are never reached: move it to the end"));
        }
        self.check_bodies()?;
        self.check_batch()?;
        self.check_doubt()?;
        for auth in self.all_auth() {
            if auth.basic.is_some() == auth.bearer.is_some() {
                return Err(Flaw::new("auth", "auth is one of basic and bearer"));
            }
            if auth.when.as_ref().is_some_and(When::of_message) {
                return Err(Flaw::new("auth", "credentials are the account's: `has` looks at messages"));
            }
        }
        for (name, _) in self.all_headers() {
            check_header(name).map_err(|what| Flaw::new(name, what))?;
        }
        if let Some(endpoint) = &self.addressing.endpoint
            && !self.vars.0.iter().any(|(name, var)| *name == endpoint.var && var.secret)
        {
            return Err(Flaw::new(&endpoint.var, format!("endpoint: `{}` must be one of vars, with secret: true", endpoint.var)));
        }
        for sign in &self.sign {
            if sign.when.as_ref().is_some_and(When::of_message) {
                return Err(Flaw::new("sign", "signatures are the account's: `has` looks at messages"));
            }
        }
        if let Some(token) = &self.token {
            if token.request.is_some() == token.jwt.is_some() {
                return Err(Flaw::new("token", "a token has either request or jwt"));
            }
            if token.request.is_some() && token.value.0.is_empty() {
                return Err(Flaw::new("token", "where is the token in the reply? Add value: /access_token, say"));
            }
            let inside = token
                .request
                .iter()
                .flat_map(side_names)
                .chain(token.jwt.iter().flat_map(|jwt| jwt.key.names().iter().map(String::as_str)));
            if inside.into_iter().any(|name| name == "token") {
                return Err(Flaw::new("token", "a token cannot be fetched with itself"));
            }
        }
        if let Some(optional) = &self.addressing.optional
            && !self.vars.0.iter().any(|(name, _)| name == optional)
        {
            return Err(Flaw::new(optional, format!("optional: `{optional}` must be one of vars")));
        }
        if self.addressing.credential && (self.addressing.optional.is_none() || self.addressing.endpoint.is_some()) {
            let what =
                "credential: goes with optional: the account's key that takes the place of a row's, and without an endpoint";
            return Err(Flaw::new("credential", what));
        }
        for form in &self.urls {
            if form.scheme().is_empty() {
                return Err(Flaw::new("form", "a form of URL begins with its scheme: slack://TOKEN@CHANNEL"));
            }
            if let Some((name, _)) = form.vars.0.iter().find(|(name, _)| !self.vars.0.iter().any(|(var, _)| var == name)) {
                return Err(self.unknown(name));
            }
        }
        self.whens().into_iter().try_for_each(|when| self.check_when(when))
    }

    /// A default looks at other keys of the account, and at no secret.
    fn check_defaults(&self) -> Result<(), Flaw> {
        let open = |name: &str| self.vars.0.iter().any(|(var, of)| var == name && !of.secret);
        for default in self.vars.0.iter().filter_map(|(_, var)| var.default.as_deref()) {
            let text = Text::new(default).map_err(|what| Flaw::new(default, what))?;
            if let Some(name) = text.names().iter().find(|name| !open(name)) {
                return match self.vars.0.iter().any(|(var, _)| Some(var.as_str()) == name.strip_prefix("secret.")) {
                    true => Err(Flaw::new(name, format!("`{name}`: a default is shown, and cannot look at a secret"))),
                    false => Err(self.unknown(name)),
                };
            }
        }
        Ok(())
    }

    fn check_bodies(&self) -> Result<(), Flaw> {
        if let Bodies::One(_) = &self.request.bodies
            && self.request.url.is_none()
        {
            return Err(Flaw::new("request", "a request needs a url"));
        }
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).filter_map(|request| request.bodies.as_ref());
        for bodies in std::iter::once(&self.request.bodies).chain(shared) {
            let Bodies::Kinds(kinds) = bodies else { continue };
            for (name, kind) in kinds {
                if kind.needs(name).is_none() {
                    let what = format!("the kind {name} must say what it needs: needs: [text], say");
                    return Err(Flaw::new(name, what));
                }
                let base = self.batch.as_ref().and_then(|batch| batch.request.as_ref()).and_then(|request| request.url.as_ref());
                if kind.url.is_none() && self.request.url.is_none() && base.is_none() {
                    return Err(Flaw::new(name, format!("neither the request nor the kind {name} has a url")));
                }
            }
        }
        let signs_body = |sign: &Sign| match &sign.how {
            How::Hmac(hmac) => hmac.message.names().iter().chain(hmac.key.names()).any(|name| name == "body"),
            // These sign the bytes.
            How::Named(_) => false,
        };
        if self.sign.iter().any(signs_body) && self.forms().into_iter().any(|form| matches!(form, Form::Multipart(_))) {
            let what = "an hmac signs text, and a multipart body with files in it is none: sign something else than `body`";
            return Err(Flaw::new("multipart", what));
        }
        for form in self.forms() {
            if let Form::Form(entries) = form
                && let Some((name, _)) = entries.iter().find(|(_, entry)| matches!(entry, Entry::Files(_)))
            {
                return Err(Flaw::new(name, "files go into multipart alone"));
            }
            if let Some(name) = form.names().into_iter().find(|name| *name == "body" || self.signed_after_body(name)) {
                return Err(Flaw::new(name, format!("`{name}` is made from the body, and cannot stand in it")));
            }
        }
        Ok(())
    }

    /// `sign.NAME` of a signature that is made over the body, or over one that is.
    pub fn signed_after_body(&self, name: &str) -> bool {
        let Some(name) = name.strip_prefix("sign.") else { return false };
        let sign = self.sign.iter().find(|sign| sign.name.as_deref() == Some(name));
        sign.is_some_and(|sign| match &sign.how {
            How::Named(_) => true,
            How::Hmac(_) => {
                let mut names = sign.texts().into_iter().flat_map(|text| text.names());
                names.any(|inner| inner == "body" || (inner.as_str() != format!("sign.{name}") && self.signed_after_body(inner)))
            }
        })
    }

    fn check_batch(&self) -> Result<(), Flaw> {
        let Some(batch) = &self.batch else { return Ok(()) };
        let rows = batch.group_by.iter().chain(&batch.alone).chain(&batch.filled).chain(&batch.unique);
        let names = rows.chain(batch.fits.iter().flat_map(|fits| &fits.of));
        names.map(String::as_str).try_for_each(|name| self.check_name(name))?;
        // A list stands in place of a value that the query has; of another one nobody would hear.
        let own = batch.request.iter().flat_map(|request| &request.query.0);
        let query = self.request.query.0.iter().chain(own).chain(self.kinds().flat_map(|kind| &kind.query.0));
        let query: Vec<&String> = query.map(|(name, _)| name).collect();
        let queried = batch.lists.iter().filter_map(|list| if let Place::Query(name) = &list.at { Some(name) } else { None });
        if let Some(name) = queried.into_iter().find(|name| !query.contains(name)) {
            return Err(Flaw::new(name, format!("the query has no value `{name}` in whose place the list could stand")));
        }
        let own = batch.request.as_ref().and_then(|request| request.bodies.as_ref());
        let bodies = own.unwrap_or(&self.request.bodies);
        let forms: Vec<&Form> = match bodies {
            Bodies::One(form) => vec![form],
            Bodies::Kinds(kinds) => kinds.iter().map(|(_, kind)| &kind.body).collect(),
        };
        // A list of whole bodies is the body; only what stands around elements must have a place for them.
        let around = own.is_some() || batch.mode == crate::platform::declared::definition::batch::Mode::Same;
        for form in forms.into_iter().filter(|_| around) {
            match form {
                Form::Json(_) => {}
                Form::Form(_) => {
                    if let Some(list) = batch.lists.iter().find_map(|list| match &list.at {
                        Place::Body(at) if at.matches('/').count() != 1 => Some(at),
                        _ => None,
                    }) {
                        let what = format!("a form is flat: \"{}\" must be one name, such as /To", list);
                        return Err(Flaw::new("batch", what));
                    }
                }
                // Lists of the query leave the body as it is.
                Form::Text(_) | Form::Multipart(_) if batch.lists.iter().all(|list| matches!(list.at, Place::Query(_))) => {}
                Form::Text(_) | Form::Multipart(_) => {
                    return Err(Flaw::new("batch", "only json and form carry several deliveries"));
                }
            }
        }
        Ok(())
    }

    fn check_when(&self, when: &When) -> Result<(), Flaw> {
        match (&when.var, &when.has, &when.all, &when.any) {
            (Some(name), None, None, None) if self.known_names().contains(name) || self.signs(name) => Ok(()),
            (Some(name), None, None, None) => Err(self.unknown(name)),
            // Inside of $each and $pairs; elsewhere there is no item, and it is never filled.
            (None, Some(name), None, None) if name == "item" || name.starts_with("item.") => Ok(()),
            (None, Some(name), None, None) => self.check_name(name),
            (None, None, Some(inner), None) | (None, None, None, Some(inner)) if when.eq.is_none() && when.exists.is_none() => {
                inner.iter().try_for_each(|when| self.check_when(when))
            }
            _ => Err(Flaw::new("when", "when is one of var, has, all and any")),
        }
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
