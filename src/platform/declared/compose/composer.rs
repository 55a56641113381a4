//! From deliveries to the exact bytes of their request: the kind of the content, body, signatures, header fields, URL.
//!
//! A row's data can fill the body's leaves, header values, path segments and query values; never the host, never a header's end.
//! What the account alone decides is decided once, when it is opened.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use handlebars::Context;
use serde_json::Value;

use crate::error::{ErrorKind, SendError};
use crate::message::Message;
use crate::platform::Opening;
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::body::{self, Filled};
use crate::platform::declared::compose::content::Content;
use crate::platform::declared::compose::cookbook::{self, SharedRecipe};
use crate::platform::declared::compose::recipe::{Ground, Recipe, Target};
use crate::platform::declared::compose::signing::Signing;
use crate::platform::declared::compose::travelling::Traveller;
use crate::platform::declared::compose::url::{guard, parse_url, stays};
use crate::platform::declared::compose::values::{self, Envelope, Known};
use crate::platform::declared::definition::form::Form;
use crate::platform::declared::definition::{Build, Definition};
use crate::platform::declared::text::find::Scope;
use crate::platform::http::{Call, Url};
use crate::problem::Problem;
use crate::recipient::Address;
use crate::sms::segments::{Segments, count_as};

/// Makes the requests of one account. It holds secrets, and so has no `Debug`.
pub struct Composer {
    /// The platform.
    pub definition: Arc<Definition>,
    /// The account.
    pub account: Account,
    /// The account's own URL, where the platform goes to an URL that the user names.
    pub endpoint: Option<Url>,
    /// The address of a row that names nobody.
    pub nobody: String,
    /// The account's name.
    pub name: String,
    /// What every row sees.
    pub known: Known,
    pub(super) signing: Signing,
    /// In the order of the file.
    pub(super) recipes: Vec<Recipe>,
    /// For each recipe: how several of its rows share a request.
    pub(super) shared: Vec<Option<SharedRecipe>>,
    /// A credential travels with messages.
    guarded: bool,
    pub(super) masked: bool,
}

/// What a definition's request of any sort is made with.
pub struct Moment<'a> {
    /// Now.
    pub now: SystemTime,
    /// The fetched credential; "" where there is none.
    pub token: &'a str,
}

impl Composer {
    /// Decides everything that the account alone decides. `masked` makes a composer whose requests may be shown.
    ///
    /// # Errors
    /// A signature without its secret, an URL that is none, a credential that would travel in the clear.
    pub fn new(
        name: &str,
        definition: &Arc<Definition>,
        account: Account,
        opening: &Opening,
        masked: bool,
    ) -> Result<Self, Problem> {
        let wrong = |what: String, help: &str| Problem {
            what: format!("account {name}: {what}"),
            help: (!help.is_empty()).then(|| help.to_owned()),
            ..Problem::default()
        };
        let values = Context::from(Value::Object(account.values.clone()));
        let signing = Signing::new(definition, &account, &values, masked)
            .map_err(|what| wrong(what, "name the secret as { env: NAME }, or leave the signature out"))?;
        let endpoint = match &definition.addressing.endpoint {
            Some(endpoint) => match account.get(&format!("secret.{}", endpoint.var)) {
                Some(text) => Some(parse_url(text).map_err(|what| wrong(format!("`{}`: {what}", endpoint.var), ""))?),
                None => None,
            },
            None => None,
        };
        let signs = signing.made();
        let ground = Ground { account: &account, values: &values, signs: &signs, masked, endpoint: endpoint.as_ref() };
        let recipes = cookbook::recipes(definition, &ground, &signing.names()).map_err(|what| wrong(what, ""))?;
        let shared = cookbook::shared(definition, &ground, &recipes, &signing.names()).map_err(|what| wrong(what, ""))?;
        let traveller = Traveller { account: &account, signs: &signs };
        let guarded = traveller.with_messages(definition);
        drop(signs);
        let mut values = Known::new(name, definition, &account, opening.seed);
        let own = |key: &str| account.get(key).map(str::to_owned);
        values.email = definition.form == Build::Email;
        values.from = opening.from.clone().or_else(|| account.from.clone()).or_else(|| own("from"));
        values.reply_to = opening.reply_to.clone().or_else(|| account.reply_to.clone()).or_else(|| own("reply_to"));
        let composer = Composer {
            definition: Arc::clone(definition),
            nobody: nobody(definition, name),
            name: name.to_owned(),
            account,
            endpoint,
            known: values,
            signing,
            recipes,
            shared,
            guarded,
            masked,
        };
        for url in composer.fixed_urls() {
            composer.guard(url).map_err(|what| wrong(what, "use https"))?;
        }
        composer.guard_sides().map_err(|what| wrong(what, "use https"))?;
        Ok(composer)
    }

    /// URLs that are known before any row.
    pub fn fixed_urls(&self) -> impl Iterator<Item = &Url> {
        let shared = self.shared.iter().flatten().map(|shared| &shared.recipe);
        self.recipes.iter().chain(shared).filter_map(|recipe| match &recipe.url {
            Target::Fixed(url) => Some(url),
            _ => None,
        })
    }

    /// Every value that a request of the account looks at.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let shared = self.shared.iter().flatten().flat_map(|shared| shared.recipe.names.iter().chain(&shared.names));
        let batch = self.definition.batch.iter().flat_map(|batch| batch.group_by.iter().chain(&batch.alone).chain(&batch.unique));
        self.recipes.iter().flat_map(|recipe| recipe.names.iter().chain(&recipe.needs)).chain(shared).chain(batch)
    }

    /// Columns that are content here, as `Capability::content` has it.
    pub fn content(&self) -> Option<Vec<String>> {
        const WORDS: [&str; 8] = ["text", "html", "markdown", "subject", "title", "content", "attachments", "columns"];
        let fields = &self.definition.fields.0;
        let content = |name: &String| {
            let first = name.split('.').next().unwrap_or(name);
            WORDS.contains(&first) || fields.iter().any(|(field, _)| field == first)
        };
        // One body for all that looks at nothing of the row's, or a kind that needs nothing of it.
        let free = |recipe: &Recipe| match recipe.name.as_str() {
            "" => self.account.body.is_some() || !recipe.names.iter().any(content),
            // Every row has columns.
            _ => !recipe.needs.iter().any(|name| name != "columns" && content(name)),
        };
        if self.recipes.iter().any(free) {
            return Some(Vec::new());
        }
        let mut columns: Vec<String> = Vec::new();
        for need in self.recipes.iter().flat_map(|recipe| &recipe.needs) {
            let first = need.strip_prefix("content.").unwrap_or(need).split('.').next().unwrap_or(need);
            if fields.iter().any(|(field, _)| field == first) && !columns.iter().any(|column| column == first) {
                columns.push(first.to_owned());
            }
        }
        (!columns.is_empty()).then_some(columns)
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

    pub(super) fn guard(&self, url: &Url) -> Result<(), String> {
        if self.guarded { guard(url) } else { Ok(()) }
    }

    /// Which of the recipes this content gets.
    ///
    /// # Errors
    /// `BadMessage`: none; which there are, what each needs, what is in the way.
    pub(super) fn choose(&self, content: &Content<'_>) -> Result<usize, SendError> {
        let filled = |recipe: &Recipe| recipe.needs.iter().all(|name| content.filled(name) || self.account.get(name).is_some());
        let dropped = |recipe: &Recipe| recipe.without.iter().any(|name| content.filled(name));
        let knows = |recipe: &Recipe| recipe.name.is_empty() || recipe.unknown(content).is_empty();
        let fits = |recipe: &Recipe| filled(recipe) && !dropped(recipe) && knows(recipe);
        let found = match content.forced() {
            Some(kind) => self.recipes.iter().position(|recipe| recipe.name == kind && fits(recipe)),
            None => self.recipes.iter().position(fits),
        };
        found.ok_or_else(|| SendError::new(ErrorKind::BadMessage, self.no_kind(content)))
    }

    fn no_kind(&self, content: &Content<'_>) -> String {
        let name = &self.definition.name.0;
        let kinds: Vec<String> = self
            .recipes
            .iter()
            .map(|recipe| {
                format!(
                    "{} (needs {})",
                    recipe.name,
                    if recipe.needs.is_empty() { "nothing".to_owned() } else { recipe.needs.join(", ") }
                )
            })
            .collect();
        let kinds = kinds.join(", ");
        if let Some(kind) = content.forced() {
            let Some(recipe) = self.recipes.iter().find(|recipe| recipe.name == kind) else {
                return format!("platform {name} has no kind \"{kind}\"; its kinds: {kinds}");
            };
            if let Some(need) = recipe.needs.iter().find(|need| !content.filled(need)) {
                return format!("the kind {kind} of platform {name} needs `{need}`, which is empty");
            }
            if let Some(key) = recipe.unknown(content).into_iter().next() {
                return format!("the kind {kind} of platform {name} does not know `{key}`");
            }
        }
        if content.tree().is_some() {
            // A kind that has all it needs, but for one key, is what was meant.
            let near = self.recipes.iter().filter(|recipe| recipe.needs.iter().all(|need| content.filled(need)));
            let near = near.filter_map(|recipe| Some((recipe, recipe.unknown(content).into_iter().next()?))).next();
            if let Some((recipe, key)) = near {
                return format!("the kind {} of platform {name} does not know `{key}`; kinds: {kinds}", recipe.name);
            }
            let mut each = self.recipes.iter().map(|recipe| recipe.unknown(content));
            // Best told is a key that nobody knows; else one that stands in the way of the first kind.
            let first = each.next().unwrap_or_default();
            let all = each.fold(first.clone(), |common, next| common.into_iter().filter(|key| next.contains(key)).collect());
            let key = all.into_iter().chain(first).find(|key| !key.is_empty());
            return match key {
                Some(key) => {
                    format!("platform {name} does not take this JSON: no kind knows all of it, such as `{key}`; kinds: {kinds}")
                }
                None => format!("platform {name} does not take this JSON: something that a kind needs is empty; kinds: {kinds}"),
            };
        }
        format!("platform {name} does not take this content: kinds: {kinds}")
    }

    /// Whether a request can be made of this content, and how long each part of it is.
    ///
    /// # Errors
    /// `BadMessage`.
    pub fn examine(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let bad = |what: String| SendError::new(ErrorKind::BadMessage, what);
        let content = Content::new(message, &self.definition.fields.0);
        let kind = self.choose(&content)?;
        let (max, name) = (&self.definition.message.max, &self.definition.name.0);
        let sender = message.from.as_ref().or(self.known.from.as_ref()).is_some_and(|from| !from.trim().is_empty());
        if self.known.email && !sender {
            let what = "the mail has no sender: give the account a `from:`, the template a `From:`, or say --from";
            return Err(bad(what.to_owned()));
        }
        for part in ["subject", "text", "html"] {
            if let Some(word) = self.definition.message.without.iter().find(|word| content.words(part).contains(word.as_str())) {
                return Err(bad(format!("the {part} holds `{word}`, which {name} would take for a placeholder of its own")));
            }
        }
        for (part, size) in [("text", &max.text), ("markdown", &max.markdown), ("html", &max.html), ("subject", &max.subject)] {
            // A part that the kind does not send may be as long as it likes.
            if let Some(size) = size.as_ref().filter(|_| self.recipes[kind].names.iter().any(|name| name == part)) {
                size.holds(part, content.words(part), name).map_err(bad)?;
            }
        }
        let made = matches!(self.recipes[kind].url, Target::Made(_));
        if made || max.body.is_some() || !self.definition.fields.0.is_empty() {
            let id = values::no_id();
            let moment = Moment { now: SystemTime::UNIX_EPOCH, token: "***" };
            self.call(to, id.as_str(), 1, message, &moment)?;
        }
        Ok(())
    }

    /// The parts of the text, where the request carries it; otherwise the service makes one that only it knows.
    pub fn segments(&self, message: &Message) -> Option<Segments> {
        let content = Content::new(message, &self.definition.fields.0);
        let recipe = &self.recipes[self.choose(&content).ok()?];
        let text = content.words("text");
        let sent = !text.is_empty() && recipe.names.iter().any(|name| name == "text");
        sent.then(|| count_as(text, self.known.counting()))
    }

    /// The request of one delivery at this moment.
    ///
    /// # Errors
    /// `BadMessage` or `BadAddress`.
    pub fn call(&self, to: &Address, id: &str, attempt: u32, message: &Message, moment: &Moment<'_>) -> Result<Call, SendError> {
        let content = Content::new(message, &self.definition.fields.0);
        let recipe = &self.recipes[self.choose(&content)?];
        let endpoint = self.endpoint_of(to)?;
        let nonce = if self.wants_nonce(recipe) { self.known.nonce() } else { String::new() };
        let to = self.shown_to(to);
        let envelope = Envelope {
            to: &to,
            to_form: self.definition.addressing.form_of(&to),
            id,
            attempt,
            endpoint: endpoint.as_ref().map_or("", Url::as_str),
            now: moment.now,
            token: moment.token,
            nonce: &nonce,
            sketch: false,
        };
        self.make(recipe, &envelope, &content, endpoint.as_ref(), alone)
    }

    pub(super) fn wants_nonce(&self, recipe: &Recipe) -> bool {
        let named = recipe.names.iter().any(|name| name == "nonce" || name == "uuid");
        named || self.signing.wants_nonce() || matches!(recipe.body, Some(Form::Multipart(_)))
    }

    /// The URL that the user names, where the platform has such.
    pub(super) fn endpoint_of(&self, to: &Address) -> Result<Option<Url>, SendError> {
        match (&self.definition.addressing.endpoint, &self.endpoint) {
            (Some(_), Some(url)) => Ok(Some(url.clone())),
            (Some(_), None) => self.row_url(to).map(Some),
            (None, _) => Ok(None),
        }
    }

    /// An URL is a credential and no name of a person: a body never repeats it.
    /// A telephone number stands in the form that the service wants.
    pub(super) fn shown_to<'a>(&self, to: &'a Address) -> Cow<'a, str> {
        let row_url = self.definition.addressing.endpoint.is_some() && self.endpoint.is_none();
        if row_url || to.as_str() == self.nobody {
            return Cow::Borrowed("");
        }
        self.definition.addressing.written(to.as_str()).unwrap_or(Cow::Borrowed(to.as_str()))
    }

    /// A request by its recipe; `place` puts in what several deliveries bring.
    pub(super) fn make(
        &self,
        recipe: &Recipe,
        envelope: &Envelope<'_>,
        content: &Content<'_>,
        endpoint: Option<&Url>,
        place: impl FnOnce(Filled) -> Result<Placed, SendError>,
    ) -> Result<Call, SendError> {
        let bad = |what: String| SendError::new(ErrorKind::BadMessage, what);
        let mut values = self.known.values(&recipe.names, envelope, content, &self.definition.fields.0).map_err(bad)?;
        self.signing.make(&mut values, None).map_err(bad)?;
        let (body, content_type, query) = match &recipe.body {
            None => (Vec::new(), String::new(), Vec::new()),
            Some(form) => {
                let filled =
                    body::fill(form, Scope::of(&values), recipe.omit_empty, content.message, envelope.nonce).map_err(bad)?;
                let (filled, query) = place(filled)?;
                let (body, content_type) = filled.written().map_err(bad)?;
                (body, content_type, query)
            }
        };
        if let Some(max) = self.definition.message.max.body.as_ref().filter(|max| body.len() > max.bytes) {
            let name = &self.definition.name.0;
            return Err(bad(format!("the body has {} bytes; {name} takes at most {}", body.len(), max.bytes)));
        }
        self.signing.make(&mut values, Some(&body)).map_err(bad)?;
        let scope = Scope::of(&values);
        let headers = recipe.make_headers(scope, &content_type, self.masked).map_err(bad)?;
        let mut url = match (&recipe.url, endpoint) {
            (Target::Fixed(url), _) => url.clone(),
            (Target::Endpoint, Some(url)) => url.clone(),
            (Target::Endpoint, None) => return Err(bad("the request has no URL".to_owned())),
            (Target::Made(text), _) => {
                let rows = |name: &str| !self.account.owns(name) && name != "endpoint";
                let text = text.render_url(scope, &rows).map_err(bad)?;
                let address = |what| SendError::new(ErrorKind::BadAddress, what);
                stays(&text).map_err(address)?;
                let url = parse_url(&text).map_err(address)?;
                self.guard(&url).map_err(|what| SendError::new(ErrorKind::Misconfigured, what))?;
                url
            }
        };
        recipe.add_query(&mut url, scope, &query).map_err(bad)?;
        let mut call = Call { method: recipe.method.clone(), url, headers, body };
        if !envelope.sketch {
            self.signing.finish(&mut call, &values, envelope.now, envelope.nonce).map_err(bad)?;
        }
        Ok(call)
    }
}

/// A body, and values of the query that stand in place of the recipe's own.
pub(super) type Placed = (Filled, Vec<(String, String)>);

/// The body of one delivery: nothing is put in.
pub(super) fn alone(body: Filled) -> Result<Placed, SendError> {
    Ok((body, Vec::new()))
}

/// What stands for the address of a row that names none.
pub(crate) fn nobody(definition: &Definition, name: &str) -> String {
    format!("{}:{name}", definition.name.0)
}
