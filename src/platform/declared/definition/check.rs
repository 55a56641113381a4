//! Reads a definition whole, and checks what its types alone cannot: names, order, what excludes what.

use std::path::Path;

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::request::When;
use crate::platform::declared::text::{Text, Tree};
use crate::problem::{Problem, did_you_mean};

/// What a template of a definition may look at, beside the account's own keys, `secret.*`, `meta.*`, `content.*` and `sign.*`.
pub const NAMES: &[&str] = &[
    "to", "endpoint", "id", "idem", "subject", "title", "text", "html", "content", "meta", "account", "attempt", "now.s",
    "now.ms", "now.iso", "body",
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
        let good = open || NAMES.contains(&name) || known.iter().any(|known| known == name) || self.signs(name);
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
        let kinds =
            request.kinds.iter().flat_map(|kinds| [&kinds.text, &kinds.html, &kinds.raw]).flatten().map(|payload| &payload.json);
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
        let words = source.match_indices(&self.needle).map(|(at, _)| at).filter(|at| {
            let (before, after) = (&source[..*at], &source[at + self.needle.len()..]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            !line.contains('#') && !before.ends_with(part) && !after.starts_with(part)
        });
        // Where the word is used, rather than where it is a key of its own.
        let used = |at: &usize| {
            let line = source[..*at].rsplit('\n').next().unwrap_or_default();
            line.rfind("{{") > line.rfind("}}") || line.ends_with("$ref: ") || line.ends_with("$json: ")
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
