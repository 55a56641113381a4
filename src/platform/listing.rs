//! What can be told of each platform: for lists, for `show`, for the pages of the reference.

use crate::platform::declared::account::keys;
use crate::platform::declared::definition::batch::Mode;
use crate::platform::declared::definition::content::{Limits, Part, Size};
use crate::platform::declared::definition::request::Bodies;
use crate::platform::declared::definition::{Build, Definition, Family, Honoured};
use crate::platform::{exec, oneoff, outbox, pool, smpp};
use crate::recovery::presets::{self, Provider};

/// A line of `notify platforms list`, and what `show` tells.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// `platform:` of an account.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where it is told.
    pub kind: Kind,
    /// `chat`, `sms`, `email`, `push`, `paging`, `webhook`; `own` where a definition of the user's does not say.
    pub family: String,
    /// Deliveries in one request, in words.
    pub batch: String,
    /// The same as a number.
    pub batch_max: usize,
    /// Whether a resend under the same key is harmless: `always`, `account` (where the account says so), `no`.
    pub idempotent: String,
    /// Its own limits.
    pub limits: Vec<String>,
    /// How long its content may be.
    pub sizes: Vec<String>,
    /// What of an email it carries.
    pub carries: Vec<String>,
    /// The template files that it looks for, in this order.
    pub templates: Vec<String>,
    /// Columns that may hold an address.
    pub columns: Vec<String>,
    /// An account with this key needs no addresses.
    pub addressless: Option<String>,
    /// What it can make of content: the first that fits.
    pub kinds: Vec<Shape>,
    /// What a JSON template or a row may carry beside subject and text.
    pub fields: Vec<Field>,
    /// Where its facts were read.
    pub docs: Vec<String>,
    /// The keys of its accounts, beside platform, limits, concurrency.
    pub keys: Vec<Key>,
    /// Forms of one-off URLs.
    pub urls: Vec<String>,
    /// Big providers that are known by their server: what an account is given where it says nothing.
    pub presets: Vec<String>,
    /// Why it cannot be used: the mistake in its definition.
    pub broken: Option<String>,
}

/// Where a platform is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In code.
    Coded,
    /// In a definition that comes with the program.
    Definition,
    /// In a definition of the user's.
    Own,
}

/// A kind of message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Shape {
    /// As `"$kind"` names it.
    pub name: String,
    /// Values that must not be empty.
    pub needs: Vec<String>,
    /// In a few words.
    pub about: String,
}

/// A value beside subject and text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    /// As written in a JSON template, or the name of a column.
    pub name: String,
    /// How a text is read: `text`, `json`, `list`, `number`.
    pub form: String,
    /// In a few words.
    pub about: String,
}

/// A key of an account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Key {
    /// As written.
    pub name: String,
    /// A credential.
    pub secret: bool,
    /// An account without it is refused.
    pub required: bool,
    /// What it is when an account does not say.
    pub default: Option<String>,
    /// The only values it may have.
    pub one_of: Vec<String>,
    /// In a few words.
    pub about: String,
}

/// A definition that cannot be read.
pub fn broken(name: String, title: String, why: String) -> Listed {
    Listed { kind: Kind::Own, broken: Some(why), ..bare(&name, &title) }
}

/// A provider on one line.
fn preset(provider: &Provider) -> String {
    let mut whom = provider.hosts.join(", ");
    if !provider.users.is_empty() {
        whom.push_str(&format!(" as somebody of {}", provider.users.join(", ")));
    }
    let note = provider.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    format!("{} ({}; {whom}): {}{note}", provider.name, provider.title, provider.told())
}

fn bare(name: &str, title: &str) -> Listed {
    Listed {
        name: name.to_owned(),
        title: title.to_owned(),
        kind: Kind::Coded,
        family: "own".to_owned(),
        batch: "1".to_owned(),
        batch_max: 1,
        idempotent: "no".to_owned(),
        limits: Vec::new(),
        sizes: Vec::new(),
        carries: Vec::new(),
        templates: Vec::new(),
        columns: Vec::new(),
        addressless: None,
        kinds: Vec::new(),
        fields: Vec::new(),
        docs: Vec::new(),
        keys: Vec::new(),
        urls: Vec::new(),
        presets: Vec::new(),
        broken: None,
    }
}

/// What a definition says of itself.
pub fn tell(definition: &Definition, kind: Kind) -> Listed {
    let (batch, batch_max) = match &definition.batch {
        None => ("1".to_owned(), 1),
        Some(batch) if batch.mode == Mode::Same => (format!("up to {}, one content for all of them", batch.max), batch.max.get()),
        Some(batch) => (format!("up to {}, each with its own content", batch.max), batch.max.get()),
    };
    let said = &definition.addressing;
    let (mut columns, mut addressless) = (said.columns.clone(), said.optional.clone());
    if let Some(endpoint) = &said.endpoint {
        columns.clone_from(&endpoint.columns);
        addressless = Some(endpoint.var.clone());
    }
    Listed {
        kind,
        family: match (definition.family, kind) {
            (Some(Family::Chat), _) => "chat",
            (Some(Family::Sms), _) => "sms",
            (Some(Family::Email), _) => "email",
            (Some(Family::Push), _) => "push",
            (Some(Family::Paging), _) => "paging",
            (Some(Family::Webhook), _) | (None, Kind::Definition) => "webhook",
            (None, _) => "own",
        }
        .to_owned(),
        batch,
        batch_max,
        idempotent: match definition.idempotency.as_ref().map(|idempotency| idempotency.honoured) {
            Some(Honoured::Always) => "always",
            Some(Honoured::Account) => "account",
            None => "no",
        }
        .to_owned(),
        limits: definition.limits.iter().map(|limit| limit.0.to_string()).collect(),
        sizes: sizes(&definition.message),
        carries: definition.message.takes.iter().map(|part| carried(*part).to_owned()).collect(),
        templates: templates(definition),
        columns,
        addressless,
        kinds: kinds(definition),
        fields: definition.fields.0.iter().map(field).collect(),
        docs: definition.docs.clone(),
        keys: account_keys(definition),
        urls: definition.urls.iter().map(|form| form.form.clone()).collect(),
        ..bare(&definition.name.0, &definition.title)
    }
}

fn sizes(limits: &Limits) -> Vec<String> {
    let max = &limits.max;
    let named = [("text", &max.text), ("markdown", &max.markdown), ("html", &max.html), ("subject", &max.subject)];
    let mut sizes = Vec::new();
    for (name, size) in named {
        let Some(Size { chars, bytes }) = size else { continue };
        sizes.extend(chars.map(|chars| format!("{name}: {chars} characters")));
        sizes.extend(bytes.map(|bytes| format!("{name}: {bytes} bytes")));
    }
    sizes.extend(max.body.as_ref().map(|body| format!("the whole request: {} bytes", body.bytes)));
    sizes
}

fn carried(part: Part) -> &'static str {
    match part {
        Part::Attachments => "attachments",
        Part::Inline => "pictures inside of the HTML",
        Part::Cc => "Cc and Bcc",
        Part::ReplyTo => "Reply-To",
        Part::Headers => "further header fields",
    }
}

fn templates(definition: &Definition) -> Vec<String> {
    if definition.form == Build::Email {
        return ["email.html", "email.md", "email.txt"].map(str::to_owned).to_vec();
    }
    let own = std::slice::from_ref(&definition.name.0);
    let names = if definition.template.is_empty() { own } else { &definition.template };
    names.iter().map(|name| format!("{name}.json, .md, .txt, .html")).collect()
}

fn kinds(definition: &Definition) -> Vec<Shape> {
    let Bodies::Kinds(kinds) = &definition.request.bodies else { return Vec::new() };
    let shape = |(name, kind): &(String, crate::platform::declared::definition::kinds::Kind)| Shape {
        name: name.clone(),
        needs: kind.needs(name).unwrap_or_default(),
        about: kind.about.clone().unwrap_or_default(),
    };
    kinds.iter().map(shape).collect()
}

fn field((name, of): &(String, crate::platform::declared::definition::content::FieldOf)) -> Field {
    let form = match (of.json, of.list, of.number) {
        (true, _, _) => "json",
        (_, true, _) => "list",
        (_, _, true) => "number",
        _ => "text",
    };
    Field { name: name.clone(), form: form.to_owned(), about: of.about.clone().unwrap_or_default() }
}

fn account_keys(definition: &Definition) -> Vec<Key> {
    let key = |key: &str| {
        let var = definition.vars.0.iter().find(|(name, _)| name == key).map(|(_, var)| var);
        let by = var.and_then(|var| {
            let mut by = var.default_by.0.iter();
            let (other, values) = by.next()?;
            let values: Vec<String> = values.0.iter().map(|(value, default)| format!("{value}: {default}")).collect();
            Some(format!("by {other}: {}", values.join(", ")))
        });
        Key {
            name: key.to_owned(),
            secret: var.is_some_and(|var| var.secret),
            required: var.is_some_and(|var| var.required),
            default: var.and_then(|var| var.default.clone()).or(by),
            one_of: var.and_then(|var| var.one_of.clone()).unwrap_or_default(),
            about: var.and_then(|var| var.about.clone()).unwrap_or_else(|| engine_key(key).to_owned()),
        }
    };
    keys(definition).into_iter().map(key).collect()
}

/// What the keys mean that every definition may offer.
fn engine_key(key: &str) -> &'static str {
    match key {
        "method" => "POST or PUT",
        "headers" => "header fields of your own; values may be { env: NAME }",
        "body" => "a JSON tree of your own, with {{text}}, {{subject}}, { $ref: meta }",
        "success" => "when a reply means sent: any-2xx, or { status: 2xx, json: /ok, eq: true }",
        "idempotent" => "true: the receiver drops a repeated key, so what is in doubt may be sent again",
        "ca_file" => "certificates (PEM) to trust beside the system's",
        "from" => "the sender of every message that says no other",
        "reply_to" => "Reply-To: of every message that says no other",
        "base" => "another address of the API",
        _ => "",
    }
}

/// The coded platforms.
pub fn coded() -> Vec<Listed> {
    let key = |(name, secret, about): (&str, bool, &str)| Key {
        name: name.to_owned(),
        secret,
        required: name == "url" || name == "command",
        default: None,
        one_of: Vec::new(),
        about: about.to_owned(),
    };
    let smtp = [
        ("url", false, "smtp://host:587 (STARTTLS) or smtps://host:465"),
        ("user", false, "who logs in"),
        ("password", true, "its password"),
        ("from", false, "From: of every message that says no other"),
        ("reply_to", false, "Reply-To:"),
        ("connections", false, "how many at once"),
        ("messages_per_connection", false, "then a new connection"),
        ("tls", false, "required, opportunistic or none"),
        ("ca_file", false, "certificates (PEM) to trust beside the system's"),
        ("dkim", false, "sign mail: { domain, selector, key }"),
        ("unsubscribe", false, "List-Unsubscribe: { url, secret }"),
        ("headers", false, "header fields of your own"),
    ];
    let outbox_keys = [
        ("dir", false, "the folder; the run's own where it is not said"),
        ("format", false, "eml, json, or null (nothing, for measuring)"),
        ("from", false, "From: where nothing else says one"),
    ];
    let exec_keys = [
        ("command", false, "[program, argument …], or a line for sh; run once per delivery"),
        ("env", false, "its own variables: { NAME: { env: X } }"),
        ("timeout", false, "how long a run may take; 60s where nothing says otherwise"),
        ("format", false, "json (exec.json of the template, or its text) or email (subject, text, html)"),
        ("idempotent", false, "true: it drops a repeated `key`, so what is in doubt may be run again"),
        ("from", false, "`from` where the message says no other"),
    ];
    let email = ["email.html", "email.md", "email.txt"].map(str::to_owned).to_vec();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let forms = oneoff::CODED.iter().map(|(form, platform)| ((*form).to_owned(), *platform));
    vec![
        Listed {
            family: "email".to_owned(),
            carries: words(&["attachments", "pictures inside of the HTML", "Cc and Bcc", "Reply-To", "further header fields"]),
            templates: email.clone(),
            columns: words(&["to", "email"]),
            docs: words(&["https://www.rfc-editor.org/rfc/rfc5321"]),
            keys: smtp.map(key).to_vec(),
            urls: forms.filter(|(_, platform)| *platform == "smtp").map(|(form, _)| form).collect(),
            presets: presets::all().iter().map(preset).collect(),
            ..bare("smtp", "Email over SMTP")
        },
        Listed {
            family: "sms".to_owned(),
            templates: words(&["smpp.txt", "sms.txt"]),
            columns: smpp::addressing().columns,
            keys: smpp::keys().iter().copied().map(key).collect(),
            ..bare("smpp", "Short messages over SMPP 3.4")
        },
        Listed {
            idempotent: "account".to_owned(),
            templates: words(&["exec.json", "exec.md", "exec.txt"]),
            columns: exec::addressing().columns,
            keys: exec_keys.map(key).to_vec(),
            ..bare("exec", "A program of your own, run for each delivery")
        },
        Listed {
            carries: words(&["attachments", "pictures inside of the HTML", "Cc and Bcc", "Reply-To", "further header fields"]),
            templates: email,
            columns: outbox::addressing().columns,
            keys: outbox_keys.map(key).to_vec(),
            ..bare("outbox", "Outbox: writes files, sends nothing")
        },
        Listed {
            batch: "as its accounts".to_owned(),
            templates: words(&["as its accounts"]),
            keys: vec![key(("of", false, "the names of its accounts; each keeps its own limits"))],
            ..bare(pool::NAME, "Pool: several accounts of one platform as one")
        },
    ]
}
