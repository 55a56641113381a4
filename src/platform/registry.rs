//! The one table that names the platforms: coded ones, built-in definitions, the user's own definitions.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::account::AccountConfig;
use crate::platform::declared::Declared;
use crate::platform::declared::account::keys;
use crate::platform::declared::capability;
use crate::platform::declared::definition::Definition;
use crate::platform::definitions::BUILT_IN;
use crate::platform::exec::{self, Exec};
use crate::platform::outbox::{self, Outbox};
use crate::platform::{Opening, Platform, email, pool, smpp};
use crate::problem::{Problem, did_you_mean};
use crate::recipient::Addressing;

/// The coded platforms, which no definition may take the name of.
const CODED: &[&str] = &["smtp", "smpp", "exec", "outbox", pool::NAME];

/// Longest definition file that is read.
const LONGEST: u64 = 1024 * 1024;

/// A line of `notify platforms list`, and what `show` tells.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// `platform:` of an account.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where it is told.
    pub kind: Kind,
    /// Deliveries in one request.
    pub batch: String,
    /// Its own limits.
    pub limits: Vec<String>,
    /// The template file it looks for first.
    pub wants: String,
    /// Where its facts were read.
    pub docs: Vec<String>,
    /// The keys of its accounts, beside platform, limits, concurrency.
    pub keys: Vec<Key>,
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
    /// In a few words.
    pub about: String,
}

/// As `notify platforms show` tells it.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.name, self.title)?;
        if let Some(broken) = &self.broken {
            return writeln!(f, "cannot be used: {broken}");
        }
        writeln!(f, "deliveries a request: {}", self.batch)?;
        writeln!(f, "limits of its own: {}", if self.limits.is_empty() { "none".to_owned() } else { self.limits.join(", ") })?;
        writeln!(f, "template file: {}", self.wants)?;
        for docs in &self.docs {
            writeln!(f, "docs: {docs}")?;
        }
        writeln!(f, "keys of an account, beside platform, limits, concurrency:")?;
        for key in &self.keys {
            let need = match (&key.default, key.required) {
                (Some(default), _) => format!("default {default}"),
                (None, true) => "required".to_owned(),
                (None, false) => "optional".to_owned(),
            };
            let secret = if key.secret { ", a secret" } else { "" };
            writeln!(f, "  {:<24} {} ({need}{secret})", key.name, key.about)?;
        }
        Ok(())
    }
}

/// Opens an account's platform; nothing is connected yet.
///
/// # Errors
/// An unknown platform, with the nearest name; what is wrong with the account or the definition.
pub fn open(account: &AccountConfig, opening: &Opening) -> Result<Arc<dyn Platform>, Problem> {
    match account.platform.as_str() {
        "smtp" => Ok(Arc::new(email::open(account, opening)?)),
        "smpp" => Ok(Arc::new(smpp::open(account, opening)?)),
        "exec" => Ok(Arc::new(Exec::open(account, opening)?)),
        "outbox" => Ok(Arc::new(Outbox::open(account, opening, make_eml(account, opening)?)?)),
        pool::NAME => {
            let what =
                format!("account {} is a pool: it sends through its accounts and has nothing of its own to open", account.name);
            Err(Problem { what, help: Some("name one of the accounts in its `of`".to_owned()), ..Problem::default() })
        }
        name => {
            let definition = find(name, &opening.definitions)?.ok_or_else(|| unknown(account, &opening.definitions))?;
            Ok(Arc::new(Declared::open(Arc::new(definition), account, opening, opening.clock)?))
        }
    }
}

/// Where the addresses of an account's rows are found; no secret is resolved for it.
///
/// # Errors
/// As [`open`], where the platform is unknown or its definition wrong.
pub fn addressing(account: &AccountConfig, definitions: &[PathBuf]) -> Result<Addressing, Problem> {
    match account.platform.as_str() {
        "smtp" => Ok(email::addressing()),
        "smpp" => Ok(smpp::addressing()),
        "exec" => Ok(exec::addressing()),
        "outbox" => Ok(outbox::addressing()),
        name => {
            let definition = find(name, definitions)?.ok_or_else(|| unknown(account, definitions))?;
            Ok(capability::addressing_of(&definition, account))
        }
    }
}

/// Names of the platforms that come with the program.
pub fn names() -> Vec<&'static str> {
    CODED.iter().copied().chain(BUILT_IN.iter().map(|(name, _)| *name)).collect()
}

fn unknown(account: &AccountConfig, folders: &[PathBuf]) -> Problem {
    let listed = platforms(folders);
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    let help = match did_you_mean(&account.platform, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known platforms: {}", names.join(", ")),
    };
    let what = format!("account {}: no platform is named `{}`", account.name, account.platform);
    Problem { what, help: Some(help), ..Problem::default() }
}

fn make_eml(account: &AccountConfig, opening: &Opening) -> Result<outbox::MakeEml, Problem> {
    let press = email::Press::new(account, &outbox::sender(account, opening)?, opening)?;
    Ok(Arc::new(move |delivery| press.mail(delivery)))
}

/// Every platform that an account may name, coded ones first; a definition that cannot be read is listed as broken.
pub fn platforms(folders: &[PathBuf]) -> Vec<Listed> {
    let mut listed = coded();
    for (file, text) in BUILT_IN {
        if let Ok(definition) = Definition::read(text, Path::new(file)) {
            listed.push(tell(&definition, Kind::Definition));
        }
    }
    for path in own_files(folders) {
        match read(&path).and_then(|definition| free(definition, &path)) {
            // The nearest folder comes first, and hides the others' files of that name.
            Ok(definition) if listed.iter().any(|listed| listed.name == definition.name.0) => {}
            Ok(definition) => listed.push(tell(&definition, Kind::Own)),
            Err(problem) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                listed.push(Listed {
                    name,
                    title: path.display().to_string(),
                    kind: Kind::Own,
                    batch: String::new(),
                    limits: Vec::new(),
                    wants: String::new(),
                    docs: Vec::new(),
                    keys: Vec::new(),
                    broken: Some(problem.to_string()),
                });
            }
        }
    }
    listed
}

fn tell(definition: &Definition, kind: Kind) -> Listed {
    let name = definition.name.0.clone();
    let keys = keys(definition).into_iter().map(|key| {
        let var = definition.vars.0.iter().find(|(name, _)| name == key).map(|(_, var)| var);
        Key {
            name: key.to_owned(),
            secret: var.is_some_and(|var| var.secret),
            required: var.is_some_and(|var| var.required),
            default: var.and_then(|var| var.default.clone()),
            about: var.and_then(|var| var.about.clone()).unwrap_or_else(|| engine_key(key).to_owned()),
        }
    });
    Listed {
        title: definition.title.clone(),
        kind,
        batch: "1".to_owned(),
        limits: definition.limits.iter().map(|limit| limit.0.to_string()).collect(),
        wants: format!("{name}.json"),
        docs: definition.docs.clone(),
        keys: keys.collect(),
        broken: None,
        name,
    }
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
        _ => "",
    }
}

fn coded() -> Vec<Listed> {
    let key = |(name, secret, about): (&str, bool, &str)| Key {
        name: name.to_owned(),
        secret,
        required: name == "url" || name == "command",
        default: None,
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
    let outbox = [
        ("dir", false, "the folder; the run's own where it is not said"),
        ("format", false, "eml, json, or null (nothing, for measuring)"),
        ("from", false, "From: where nothing else says one"),
    ];
    let exec = [
        ("command", false, "[program, argument …], or a line for sh; run once per delivery"),
        ("env", false, "its own variables: { NAME: { env: X } }"),
        ("timeout", false, "how long a run may take; 60s where nothing says otherwise"),
        ("format", false, "json (exec.json of the template, or its text) or email (subject, text, html)"),
        ("idempotent", false, "true: it drops a repeated `key`, so what is in doubt may be run again"),
        ("from", false, "`from` where the message says no other"),
    ];
    let listed = |name: &str, title: &str, docs: Vec<String>, keys: Vec<Key>| Listed {
        name: name.to_owned(),
        title: title.to_owned(),
        kind: Kind::Coded,
        batch: "1".to_owned(),
        limits: Vec::new(),
        wants: "email.html, email.md, email.txt".to_owned(),
        docs,
        keys,
        broken: None,
    };
    vec![
        listed("smtp", "Email over SMTP", vec!["https://www.rfc-editor.org/rfc/rfc5321".to_owned()], smtp.map(key).to_vec()),
        Listed {
            wants: "smpp.txt, sms.txt".to_owned(),
            ..listed("smpp", "Short messages over SMPP 3.4", Vec::new(), smpp::keys().iter().copied().map(key).collect())
        },
        Listed {
            wants: "exec.json, exec.md, exec.txt".to_owned(),
            ..listed("exec", "A program of your own, run for each delivery", Vec::new(), exec.map(key).to_vec())
        },
        listed("outbox", "Outbox: writes files, sends nothing", Vec::new(), outbox.map(key).to_vec()),
        Listed {
            wants: "as its accounts".to_owned(),
            batch: "as its accounts".to_owned(),
            ..listed(
                "pool",
                "Pool: several accounts of one platform as one",
                Vec::new(),
                vec![key(("of", false, "the names of its accounts; each keeps its own limits"))],
            )
        },
    ]
}

/// A definition by name: the program's own, then the user's.
fn find(name: &str, folders: &[PathBuf]) -> Result<Option<Definition>, Problem> {
    if let Some((file, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Definition::read(text, Path::new(file)).map(Some);
    }
    let mut first_problem = None;
    for path in own_files(folders) {
        match read(&path).and_then(|definition| free(definition, &path)) {
            Ok(definition) if definition.name.0 == name => return Ok(Some(definition)),
            Ok(_) => {}
            // A broken file may be the one that is meant; a broken file of another name is not this account's matter.
            Err(problem) if path.file_stem().is_some_and(|stem| stem == name) => {
                first_problem.get_or_insert(problem);
            }
            Err(_) => {}
        }
    }
    first_problem.map_or(Ok(None), Err)
}

/// A definition of the user's must not pass itself off as one of the program's.
fn free(definition: Definition, path: &Path) -> Result<Definition, Problem> {
    let name = definition.name.0.as_str();
    let built_in = BUILT_IN.iter().any(|(known, _)| *known == name);
    if built_in || CODED.contains(&name) {
        let what = format!("platform {name} comes with notify and cannot be replaced by a definition");
        let help = Some(format!("give yours another name, such as name: my-{name}"));
        return Err(Problem { what, help, path: Some(path.to_owned()), ..Problem::default() });
    }
    Ok(definition)
}

fn own_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")).collect();
        found.sort();
        files.append(&mut found);
    }
    files
}

fn read(path: &Path) -> Result<Definition, Problem> {
    let unread = |what: String| Problem { what, path: Some(path.to_owned()), ..Problem::default() };
    let length = std::fs::metadata(path).map_err(|error| unread(format!("the definition cannot be read: {error}")))?.len();
    if length > LONGEST {
        return Err(unread("the definition is longer than 1 MiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unread(format!("the definition cannot be read: {error}")))?;
    Definition::read(&text, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(platform: &str, settings: &str) -> AccountConfig {
        let settings = serde_yaml::from_str(settings).unwrap();
        AccountConfig { name: "a".into(), platform: platform.into(), limits: None, concurrency: None, settings }
    }

    #[test]
    fn the_built_in_definitions_are_good() {
        for (file, text) in BUILT_IN {
            let definition = Definition::read(text, Path::new(file)).unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!(definition.name.0.as_str(), *file);
        }
        let names: Vec<String> = platforms(&[]).into_iter().map(|listed| listed.name).collect();
        assert_eq!(names[..5], ["smtp", "smpp", "exec", "outbox", "pool"]);
    }

    #[test]
    fn an_unknown_platform_is_told_with_the_nearest() {
        let problem = open(&account("webhok", "{}"), &Opening::default()).unwrap_err();
        assert_eq!(problem.help.as_deref(), Some("did you mean `webhook`?"));
    }

    #[test]
    fn a_users_definition_is_found_and_cannot_shadow_a_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema: 1\nname: NAME\ntitle: T\naddressing: {columns: [to]}\nrequest: {method: POST, url: \"https://h/x\", json: {to: \"{{to}}\"}}\nsuccess: {status: 2xx}\n";
        std::fs::write(folder.path().join("mine.yaml"), text.replace("NAME", "mine")).unwrap();
        std::fs::write(folder.path().join("webhook.yaml"), text.replace("NAME", "webhook")).unwrap();
        std::fs::write(folder.path().join("broken.yaml"), "schema: 1\nnam: x\n").unwrap();
        let opening = Opening { definitions: vec![folder.path().to_owned()], ..Opening::default() };
        let mine = open(&account("mine", "{}"), &opening).unwrap();
        assert_eq!(mine.capability().addressing.columns, ["to"]);
        let hook = open(&account("webhook", "{url: \"https://h/x\"}"), &opening).unwrap();
        assert!(hook.capability().addressing.fixed.is_some(), "the built-in one");
        let broken = open(&account("broken", "{}"), &opening).unwrap_err();
        assert_eq!((broken.line, broken.help.as_deref()), (Some(2), Some("did you mean `name`?")), "{broken}");
        let listed = platforms(&opening.definitions);
        assert_eq!(listed.iter().filter(|listed| listed.broken.is_some()).count(), 2, "broken.yaml and webhook.yaml");
    }
}
