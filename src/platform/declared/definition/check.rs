//! Reads a definition whole, and checks what its types alone cannot: names, order, what excludes what.

use std::path::Path;

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::batch::{Place, Shared};
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::definition::kinds::{Field, Kind};
use crate::platform::declared::definition::request::{Auth, Bodies};
use crate::platform::declared::definition::side::Side;
use crate::platform::declared::definition::sign::How;
use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::Named;
use crate::problem::{Problem, did_you_mean};

/// What a template of a definition may look at, beside the account's own keys, `secret.*`, `meta.*`, `content.*`, `columns.*`,
/// `sign.*` and the declared fields.
pub const NAMES: &[&str] = &[
    "to",
    "endpoint",
    "id",
    "idem",
    "subject",
    "title",
    "text",
    "html",
    "markdown",
    "content",
    "meta",
    "columns",
    "account",
    "attempt",
    "now.s",
    "now.ms",
    "now.iso",
    "body",
    "token",
    "uuid",
    "nonce",
    "from",
    "from.email",
    "from.name",
    "from.mime",
    "reply_to",
    "reply_to.email",
    "reply_to.name",
    "sms.encoding",
    "sms.parts",
    "headers",
    "header_list",
    "attachments",
    "cc",
    "bcc",
    "jwt.project",
    "jwt.email",
    "to_form",
];

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
        if let Some(at) = self.errors.iter().position(|rule| rule.when.is_none())
            && at + 1 != self.errors.len()
        {
            return Err(Flaw::new("default", "rules after the default are never reached: move it to the end"));
        }
        self.check_bodies()?;
        self.check_batch()?;
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
        let names =
            batch.group_by.iter().chain(&batch.alone).chain(&batch.unique).chain(batch.fits.iter().flat_map(|fits| &fits.of));
        names.map(String::as_str).try_for_each(|name| self.check_name(name))?;
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

    /// The account's keys as templates see them.
    fn known_names(&self) -> Vec<String> {
        self.vars.0.iter().map(|(name, var)| if var.secret { format!("secret.{name}") } else { name.clone() }).collect()
    }

    fn signs(&self, name: &str) -> bool {
        name.strip_prefix("sign.").is_some_and(|name| self.sign.iter().any(|sign| sign.name.as_deref() == Some(name)))
    }

    /// Whether a template may look at that.
    ///
    /// # Errors
    /// What it may look at instead.
    fn check_name(&self, name: &str) -> Result<(), Flaw> {
        let known = self.known_names();
        let open = ["meta.", "content.", "columns.", "headers."].iter().any(|lead| name.starts_with(lead));
        let first = name.split('.').next().unwrap_or(name);
        let field = self.fields.0.iter().any(|(field, _)| field == first);
        let good = open
            || field
            || (NAMES.contains(&name) && self.offers(name))
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

    /// Whether the definition makes that engine's name.
    fn offers(&self, name: &str) -> bool {
        match name {
            "token" => self.token.is_some(),
            "jwt.project" | "jwt.email" => self.token.as_ref().is_some_and(|token| token.jwt.is_some()),
            _ => true,
        }
    }

    fn unknown(&self, name: &str) -> Flaw {
        let known = self.known_names();
        let fields = self.fields.0.iter().map(|(name, _)| name.as_str());
        let engine = NAMES.iter().copied().filter(|known| self.offers(known));
        let all = || known.iter().map(String::as_str).chain(fields.clone()).chain(engine.clone());
        let last = name.rsplit('.').next().unwrap_or(name);
        let same_end = || known.iter().map(String::as_str).find(|known| known.rsplit('.').next() == Some(last));
        let near = same_end().or_else(|| did_you_mean(name, all()));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}, meta.NAME, columns.NAME, content.NAME", all().collect::<Vec<_>>().join(", ")),
        };
        Flaw { needle: name.to_owned(), what: format!("nothing is named `{name}` here"), help: Some(help) }
    }

    fn kinds(&self) -> impl Iterator<Item = &Kind> {
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).filter_map(|request| request.bodies.as_ref());
        std::iter::once(&self.request.bodies).chain(shared).flat_map(|bodies| {
            match bodies {
                Bodies::One(_) => [].iter(),
                Bodies::Kinds(kinds) => kinds.iter(),
            }
            .map(|(_, kind)| kind)
        })
    }

    fn forms(&self) -> Vec<&Form> {
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).filter_map(|request| request.bodies.as_ref());
        let single = std::iter::once(&self.request.bodies).chain(shared).filter_map(|bodies| match bodies {
            Bodies::One(form) => Some(form),
            Bodies::Kinds(_) => None,
        });
        single.chain(self.kinds().map(|kind| &kind.body)).collect()
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        let token = self.token.iter().filter_map(|token| token.request.as_ref());
        token.chain(self.check.iter().map(|check| &check.request))
    }

    fn all_auth(&self) -> impl Iterator<Item = &Auth> {
        self.request.auth.iter().chain(self.sides().flat_map(|side| &side.auth))
    }

    fn all_headers(&self) -> impl Iterator<Item = &(String, Field)> {
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).flat_map(|request| &request.headers.0);
        let sides = self.sides().flat_map(|side| &side.headers.0);
        self.request.headers.0.iter().chain(shared).chain(sides).chain(self.kinds().flat_map(|kind| &kind.headers.0))
    }

    /// Every name that a template of the definition looks at.
    pub fn names(&self) -> Vec<&str> {
        let request = &self.request;
        let mut names: Vec<&str> = Vec::new();
        names.extend(request.url.iter().flat_map(|url| url.names().iter().map(String::as_str)));
        names.extend(self.sign.iter().flat_map(|sign| sign.texts()).flat_map(|text| text.names().iter().map(String::as_str)));
        names.extend(field_names(&request.query));
        names.extend(self.all_headers().flat_map(|(_, field)| names_of(field)));
        names.extend(request.auth.iter().flat_map(auth_names));
        for kind in self.kinds() {
            names.extend(kind.url.iter().flat_map(|url| url.names().iter().map(String::as_str)));
            names.extend(field_names(&kind.query));
            names.extend(kind.needs.iter().flatten().chain(&kind.without).map(String::as_str));
        }
        names.extend(self.forms().into_iter().flat_map(Form::names));
        names.extend(self.sides().flat_map(side_names));
        if let Some(jwt) = self.token.as_ref().and_then(|token| token.jwt.as_ref()) {
            names.extend([&jwt.key, &jwt.scope].into_iter().flat_map(|text| text.names().iter().map(String::as_str)));
        }
        names.extend(self.batch.iter().flat_map(batch_names));
        names
    }

    fn whens(&self) -> Vec<&When> {
        let request = &self.request;
        let fields = request.query.0.iter().chain(self.all_headers()).filter_map(|(_, field)| field.when.as_ref());
        let kinds = self.kinds().flat_map(|kind| &kind.query.0).filter_map(|(_, field)| field.when.as_ref());
        let auth = self.all_auth().filter_map(|auth| auth.when.as_ref());
        let bodies = self.forms().into_iter().flat_map(Form::whens);
        let lists = || self.batch.iter().flat_map(|batch| &batch.lists);
        let elements = lists().filter_map(|list| list.each.as_ref()).flat_map(|tree| tree.whens());
        let elements = elements.chain(lists().filter_map(|list| list.when.as_ref()));
        self.sign
            .iter()
            .filter_map(|sign| sign.when.as_ref())
            .chain(fields)
            .chain(kinds)
            .chain(auth)
            .chain(bodies)
            .chain(elements)
            .collect()
    }
}

fn names_of(field: &Field) -> impl Iterator<Item = &str> {
    field.value.names().iter().map(String::as_str)
}

fn field_names(fields: &Named<Field>) -> impl Iterator<Item = &str> {
    fields.0.iter().flat_map(|(_, field)| names_of(field))
}

fn auth_names(auth: &Auth) -> impl Iterator<Item = &str> {
    let texts = auth.bearer.iter().chain(auth.basic.iter().flat_map(|(user, password)| [user, password]));
    texts.flat_map(|text| text.names().iter().map(String::as_str))
}

fn side_names(side: &Side) -> Vec<&str> {
    let url = side.url.names().iter().map(String::as_str);
    let body = side.body.iter().flat_map(Form::names);
    url.chain(field_names(&side.query))
        .chain(field_names(&side.headers))
        .chain(side.auth.iter().flat_map(auth_names))
        .chain(body)
        .collect()
}

fn batch_names(batch: &Shared) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for list in &batch.lists {
        names.extend(list.each.iter().flat_map(|tree| tree.names()));
        names.extend(list.key.iter().flat_map(|key| key.names().iter().map(String::as_str)));
    }
    if let Some(request) = &batch.request {
        names.extend(request.url.iter().flat_map(|url| url.names().iter().map(String::as_str)));
        names.extend(field_names(&request.query));
    }
    names
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
        let words = source.match_indices(&self.needle).map(|(at, _)| at).filter(|at| {
            let (before, after) = (&source[..*at], &source[at + self.needle.len()..]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            !line.contains('#') && !before.ends_with(part) && !after.starts_with(part)
        });
        // Where the word is used, rather than where it is a key of its own.
        let used = |at: &usize| {
            let line = source[..*at].rsplit('\n').next().unwrap_or_default();
            let operator = line.rsplit(['{', ',']).next().unwrap_or_default().trim_start();
            line.rfind("{{") > line.rfind("}}") || (operator.starts_with('$') && operator.ends_with(": "))
        };
        let places: Vec<usize> = words.collect();
        let found = places.iter().find(|at| used(at)).or(places.first()).copied();
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
    let unknown = what.contains("unknown field `") || what.contains("unknown variant `");
    if unknown && let Some((word, known)) = quoted.split_first() {
        {
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
