//! Names in a definition's templates: which there are, where they stand, and what is near to one that nobody knows.

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::batch::Shared;
use crate::platform::declared::definition::flaw::Flaw;
use crate::platform::declared::definition::form::Form;
use crate::platform::declared::definition::kinds::{Field, Kind};
use crate::platform::declared::definition::request::{Auth, Bodies, Request};
use crate::platform::declared::definition::side::Side;
use crate::platform::declared::definition::when::When;
use crate::platform::declared::place::Named;
use crate::problem::did_you_mean;

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

impl Definition {
    /// The account's keys as templates see them.
    pub(super) fn known_names(&self) -> Vec<String> {
        self.vars.0.iter().map(|(name, var)| if var.secret { format!("secret.{name}") } else { name.clone() }).collect()
    }

    pub(super) fn signs(&self, name: &str) -> bool {
        name.strip_prefix("sign.").is_some_and(|name| self.sign.iter().any(|sign| sign.name.as_deref() == Some(name)))
    }

    /// Whether a template may look at that.
    ///
    /// # Errors
    /// What it may look at instead.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Flaw> {
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

    pub(super) fn unknown(&self, name: &str) -> Flaw {
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

    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).filter_map(|request| request.bodies.as_ref());
        std::iter::once(&self.request.bodies).chain(shared).flat_map(|bodies| {
            match bodies {
                Bodies::One(_) => [].iter(),
                Bodies::Kinds(kinds) => kinds.iter(),
            }
            .map(|(_, kind)| kind)
        })
    }

    pub fn forms(&self) -> Vec<&Form> {
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).filter_map(|request| request.bodies.as_ref());
        let single = std::iter::once(&self.request.bodies).chain(shared).filter_map(|bodies| match bodies {
            Bodies::One(form) => Some(form),
            Bodies::Kinds(_) => None,
        });
        single.chain(self.kinds().map(|kind| &kind.body)).collect()
    }

    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        let token = self.token.iter().filter_map(|token| token.request.as_ref());
        token.chain(self.check.iter().map(|check| &check.request))
    }

    pub(super) fn all_auth(&self) -> impl Iterator<Item = &Auth> {
        self.request.auth.iter().chain(self.sides().flat_map(|side| &side.auth))
    }

    pub(super) fn all_headers(&self) -> impl Iterator<Item = &(String, Field)> {
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

    pub(super) fn whens(&self) -> Vec<&When> {
        let request = &self.request;
        let shared = self.batch.iter().filter_map(|batch| batch.request.as_ref()).flat_map(|request| &request.query.0);
        let fields = request.query.0.iter().chain(shared).chain(self.all_headers()).filter_map(|(_, field)| field.when.as_ref());
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

pub(super) fn side_names(side: &Side) -> Vec<&str> {
    let url = side.url.names().iter().map(String::as_str);
    let body = side.body.iter().flat_map(Form::names);
    url.chain(field_names(&side.query))
        .chain(field_names(&side.headers))
        .chain(side.auth.iter().flat_map(auth_names))
        .chain(body)
        .collect()
}

/// What every message's request says, whatever its body.
pub fn request_names(request: &Request) -> Vec<&str> {
    let url = request.url.iter().flat_map(|url| url.names().iter().map(String::as_str));
    url.chain(field_names(&request.query)).chain(field_names(&request.headers)).collect()
}

/// What a kind says beside the request.
pub(super) fn kind_names(kind: &Kind) -> Vec<&str> {
    let url = kind.url.iter().flat_map(|url| url.names().iter().map(String::as_str));
    url.chain(field_names(&kind.query)).chain(field_names(&kind.headers)).chain(kind.body.names()).collect()
}

pub(super) fn batch_names(batch: &Shared) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for list in &batch.lists {
        names.extend(list.each.iter().flat_map(|tree| tree.names()));
        names.extend(list.key.iter().flat_map(|key| key.names().iter().map(String::as_str)));
    }
    if let Some(request) = &batch.request {
        names.extend(request.url.iter().flat_map(|url| url.names().iter().map(String::as_str)));
        names.extend(field_names(&request.query));
        names.extend(field_names(&request.headers));
    }
    names
}
