//! Settings from files and environment, layered, checked, with the place of every mistake.
//!
//! Read once at the start. Flags lie over what this gives (that is the command line's room); then `NOTIFY_*`, the chosen profile,
//! `./notify.yaml` and `$XDG_CONFIG_HOME/notify/notify.yaml`. Every mistake of every layer is told in one pass. Secrets are not fetched
//! here: see [`secret::Secret::resolve`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::account::AccountConfig;
use self::check::Findings;
use self::defaults::Defaults;
use self::layer::Layers;
use self::literal::masked;
use self::source::Sources;
use self::tree::{Entry, Kind, Node, Place};
use crate::problem::{Problem, did_you_mean};

pub mod account;
mod check;
pub mod defaults;
pub mod duration;
mod file;
mod layer;
mod literal;
pub mod schema;
pub mod secret;
mod sentence;
mod source;
mod syntax;
mod tree;
mod typed;
pub mod variables;

#[cfg(test)]
mod tests;

/// The account that always exists, and the default one where nothing else is said.
pub const OUTBOX: &str = "outbox";

/// How many mistakes are told at once; who made more fixes these first.
const MOST_PROBLEMS: usize = 50;

/// What is asked for, and the surroundings, handed in so that tests have their own.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `--config`: read this file and no other.
    pub explicit: Option<&'a Path>,
    /// `--profile`.
    pub profile: Option<&'a str>,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Names of the environment variables that begin with `NOTIFY_`.
    pub variables: &'a [String],
    /// The working folder.
    pub cwd: &'a Path,
    /// `$XDG_CONFIG_HOME`, or `~/.config`; the file is `notify/notify.yaml` in it.
    pub config_home: &'a Path,
    /// Platforms that the program brings along; empty where platforms are not to be checked.
    pub platforms: &'a [&'a str],
}

/// All settings, checked. Accounts are not opened.
#[derive(Debug, Clone)]
pub struct Config {
    /// The `defaults:` block.
    pub defaults: Defaults,
    /// By name; `outbox` is always there.
    pub accounts: BTreeMap<Arc<str>, AccountConfig>,
    /// Where templates are looked for, nearest first: `templates:`, `./templates`, `templates` beside the user's config.
    pub template_dirs: Vec<PathBuf>,
    /// Where definitions of platforms are looked for, nearest first: `platforms:`, `platforms` beside the user's config.
    pub definitions: Vec<PathBuf>,
    /// Files that were read, the weakest first.
    pub files: Vec<PathBuf>,
    /// What a user should know and nothing stops for.
    pub warnings: Vec<Problem>,
    /// Keys that are accepted and not used by this version; for `config check`.
    pub notes: Vec<Problem>,
    /// The chosen profile.
    pub profile: Option<String>,
    tree: Node,
    sources: Sources,
}

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// Every mistake, in reading order, each with file, line, column, the line itself, one sentence and what to do.
    pub fn load(request: &Request<'_>) -> Result<Config, Vec<Problem>> {
        let Layers { mut tree, sources, files, mut found, warnings, torn } = layer::read(request);
        absolute(&mut tree, &sources, request);
        // Mistakes in values were found layer by layer.
        let defaults = tree.get("defaults").map(|block| Defaults::read(block, &mut Vec::new())).unwrap_or_default();
        let definitions = folders(&tree, "platforms", &sources, request, [request.config_home.join("notify").join("platforms")]);
        let template_dirs = folders(
            &tree,
            "templates",
            &sources,
            request,
            [request.cwd.join("templates"), request.config_home.join("notify").join("templates")],
        );
        let mut accounts = accounts(&tree, &sources, &known_platforms(request, &definitions), torn, &mut found);
        accounts.entry(Arc::from(OUTBOX)).or_insert_with(AccountConfig::outbox);
        let config = Config {
            defaults,
            accounts,
            template_dirs,
            definitions,
            files,
            warnings,
            notes: in_order(found.notes),
            profile: request.profile.map(str::to_owned),
            tree,
            sources,
        };
        if let (Some(via), false) = (&config.defaults.via, torn) {
            if let Err(problem) = config.account(via) {
                let at = config.tree.get("defaults").and_then(|block| block.get("via")).map_or_else(nowhere, |node| node.at);
                found
                    .problems
                    .push((at, config.sources.problem(at, via, format!("`defaults.via`: {}", problem.what), problem.help)));
            }
        }
        if found.problems.is_empty() { Ok(config) } else { Err(in_order(found.problems)) }
    }

    /// Which files are read, the weakest first, whether they exist or not.
    pub fn candidates(request: &Request<'_>) -> Vec<PathBuf> {
        layer::candidates(request)
    }

    /// The account of that name.
    ///
    /// # Errors
    /// The nearest name, or all there are.
    pub fn account(&self, name: &str) -> Result<&AccountConfig, Problem> {
        self.accounts.get(name).ok_or_else(|| {
            let names = || self.accounts.keys().map(|name| &**name);
            let help = match did_you_mean(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.accounts.len() <= 12 => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
                None => format!("there are {}: see `notify config show`", self.accounts.len()),
            };
            Problem { what: format!("no account `{name}`"), help: Some(help), ..Problem::default() }
        })
    }

    /// The account that sends where neither `--via` nor `_via` says: `defaults.via`, else the outbox, which harms nobody.
    ///
    /// # Errors
    /// As [`Config::account`]; not for a config that was loaded.
    pub fn default_account(&self) -> Result<&AccountConfig, Problem> {
        self.account(self.defaults.via.as_deref().unwrap_or(OUTBOX))
    }

    /// Gives a mistake that a platform found in an account's keys its place: that of the first key named in backquotes, else of the account.
    #[must_use]
    pub fn locate(&self, account: &AccountConfig, problem: Problem) -> Problem {
        if problem.path.is_some() {
            return problem;
        }
        let Some(root) = self.tree.get("accounts").and_then(|accounts| accounts.entry(&account.name)) else { return problem };
        let named = problem.what.split('`').skip(1).step_by(2).find_map(|path| descend(&root.node, path));
        let (at, mark) = match named {
            Some(entry) if problem.what.contains("unknown key") => (entry.at, entry.key.clone()),
            Some(entry) => (entry.node.at, entry.node.text().map_or_else(|| entry.key.clone(), str::to_owned)),
            None => (root.at, root.key.clone()),
        };
        // The value may be a secret; what is marked is compared with the line, never shown.
        let located = self.sources.problem(at, &mark, problem.what, problem.help);
        Problem { text: located.text.or(problem.text), ..located }
    }

    /// Every setting: its key, its value with secrets masked, and where it was written (`notify.yaml:3`, `NOTIFY_VIA`, `built in`).
    pub fn origin(&self) -> Vec<(String, String, String)> {
        self.effective()
            .into_iter()
            .map(|(path, node)| {
                let told = if node.at.source == usize::MAX { "built in".to_owned() } else { self.sources.told(node.at) };
                (path.join("."), one_line(&node), told)
            })
            .collect()
    }

    /// As [`Config::origin`], as a tree.
    pub fn effective_tree(&self) -> serde_json::Value {
        let mut root = serde_json::Map::new();
        for (path, node) in self.effective() {
            let Some((last, parents)) = path.split_last() else { continue };
            let map = parents.iter().try_fold(&mut root, |map, step| {
                map.entry(step.clone()).or_insert_with(|| serde_json::Value::Object(serde_json::Map::new())).as_object_mut()
            });
            if let (Some(map), Ok(value)) = (map, serde_json::to_value(node.value())) {
                map.insert(last.clone(), value);
            }
        }
        serde_json::Value::Object(root)
    }

    /// Leaves of all settings that are in force, masked.
    fn effective(&self) -> Vec<(Vec<String>, Node)> {
        let mut all = Vec::new();
        let defaults = self.tree.get("defaults");
        let retries = defaults.and_then(|block| block.get("retries"));
        let text = |text: &str| Node {
            at: nowhere(),
            kind: serde_yaml::from_str(text).ok().and_then(scalar).unwrap_or(Kind::Text(text.to_owned())),
        };
        for key in &schema::DEFAULTS {
            if key.name == "retries" {
                for key in &schema::RETRIES {
                    let written = match retries.map(|node| &node.kind) {
                        Some(Kind::Number(_)) if key.name == "max" => retries,
                        _ => retries.and_then(|block| block.get(key.name)),
                    };
                    let node = written.filter(|node| !node.is_null()).cloned().unwrap_or_else(|| text(key.default));
                    all.push((vec!["defaults".to_owned(), "retries".to_owned(), key.name.to_owned()], node));
                }
                continue;
            }
            match defaults.and_then(|block| block.get(key.name)).filter(|node| !node.is_null()) {
                Some(node) => all.push((vec!["defaults".to_owned(), key.name.to_owned()], node.clone())),
                None if key.default.is_empty() => {}
                None => all.push((vec!["defaults".to_owned(), key.name.to_owned()], text(key.default))),
            }
        }
        for (key, dirs) in [("templates", &self.template_dirs), ("platforms", &self.definitions)] {
            let at = self.tree.get(key).map_or_else(nowhere, |node| node.at);
            let items = dirs.iter().map(|dir| Node { at, kind: Kind::Text(dir.display().to_string()) }).collect();
            all.push((vec![key.to_owned()], Node { at, kind: Kind::List(items) }));
        }
        for name in self.accounts.keys() {
            let path = vec!["accounts".to_owned(), name.to_string()];
            match self.tree.get("accounts").and_then(|accounts| accounts.get(name)) {
                Some(node) => {
                    node.entries().iter().for_each(|entry| leaves(&path, entry, &masked(&entry.key, &entry.node), &mut all))
                }
                None => all.push(([path, vec!["platform".to_owned()]].concat(), text(OUTBOX))),
            }
        }
        all
    }
}

/// Not written anywhere.
fn nowhere() -> Place {
    Place { source: usize::MAX, line: 0, column: 0 }
}

fn scalar(value: serde_yaml::Value) -> Option<Kind> {
    match value {
        serde_yaml::Value::Bool(value) => Some(Kind::Bool(value)),
        serde_yaml::Value::Number(number) => Some(Kind::Number(number)),
        _ => None,
    }
}

/// Maps are taken apart, references to secrets and lists are not.
fn leaves(path: &[String], entry: &Entry, shown: &Node, all: &mut Vec<(Vec<String>, Node)>) {
    let path = [path, std::slice::from_ref(&entry.key)].concat();
    match &shown.kind {
        Kind::Null => {}
        Kind::Map(entries) if !literal::is_reference(shown) && !entries.is_empty() => {
            entries.iter().for_each(|inner| leaves(&path, inner, &inner.node, all));
        }
        _ => all.push((path, shown.clone())),
    }
}

/// A value in flow style on one line.
fn one_line(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "~".to_owned(),
        Kind::Bool(value) => value.to_string(),
        Kind::Number(number) => number.to_string(),
        Kind::Text(text) => text.replace('\n', "\\n"),
        Kind::List(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| format!("{}: {}", entry.key, one_line(&entry.node))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// The entry at `dkim.key` or `headers[2]`, whose own names may have dots.
fn descend<'a>(node: &'a Node, path: &str) -> Option<&'a Entry> {
    let path = path.split('[').next().unwrap_or(path);
    node.entries().iter().find_map(|entry| {
        let rest = path.strip_prefix(entry.key.as_str())?;
        if rest.is_empty() { Some(entry) } else { descend(&entry.node, rest.strip_prefix('.')?) }
    })
}

/// Mistakes in reading order, each once, and not more than a person reads.
fn in_order(mut found: Vec<(Place, Problem)>) -> Vec<Problem> {
    found.sort_by_key(|(at, _)| (at.source, at.line, at.column));
    found.dedup();
    let more = found.len().saturating_sub(MOST_PROBLEMS);
    let mut problems: Vec<Problem> = found.into_iter().map(|(_, problem)| problem).take(MOST_PROBLEMS).collect();
    if more > 0 {
        problems.push(Problem { what: format!("and {more} more mistakes; fix these first"), ..Problem::default() });
    }
    problems
}

/// Platforms that an account may name: those of the program and one for each definition in the folders.
fn known_platforms(request: &Request<'_>, definitions: &[PathBuf]) -> Vec<String> {
    let mut known: Vec<String> = request.platforms.iter().map(|name| (*name).to_owned()).collect();
    if known.is_empty() {
        return known;
    }
    for folder in definitions {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        {
            if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
                known.push(name.to_owned());
            }
        }
    }
    known.sort();
    known.dedup();
    known
}

fn accounts(
    tree: &Node,
    sources: &Sources,
    platforms: &[String],
    torn: bool,
    found: &mut Findings,
) -> BTreeMap<Arc<str>, AccountConfig> {
    let mut accounts = BTreeMap::new();
    for Entry { key: name, at, node } in tree.get("accounts").map_or(&[] as &[Entry], Node::entries) {
        let known = if platforms.is_empty() { "smtp, webhook, outbox".to_owned() } else { platforms.join(", ") };
        let platform = match node.get("platform").filter(|platform| !platform.is_null()) {
            Some(platform) => match platform.text() {
                Some(word) if platforms.is_empty() || platforms.iter().any(|known| known == word.trim()) => {
                    word.trim().to_owned()
                }
                Some(word) => {
                    let help = match did_you_mean(word, platforms.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are: {known}"),
                    };
                    found.problem(sources, platform.at, word, format!("account {name}: no platform `{word}`"), Some(help));
                    continue;
                }
                // Told already: no word.
                None => continue,
            },
            None if torn => continue,
            None if matches!(node.kind, Kind::Map(_) | Kind::Null) => {
                let help = Some(format!("add `platform:`, one of: {known}"));
                found.problem(sources, *at, name, format!("account {name} has no platform"), help);
                continue;
            }
            None => continue,
        };
        let own = |entry: &&Entry| !schema::has(&schema::ACCOUNT, &entry.key);
        let settings: Vec<Entry> = node.entries().iter().filter(own).cloned().collect();
        let name: Arc<str> = Arc::from(name.as_str());
        let account = AccountConfig {
            name: name.clone(),
            platform,
            limits: node.get("limits").filter(|limits| !limits.is_null()).and_then(|limits| check::limits(limits).ok()),
            concurrency: node.get("concurrency").and_then(|width| defaults::count(width).ok()),
            settings: tree::mapping(&settings),
        };
        accounts.insert(name, account);
    }
    accounts
}

/// A path as written: `~/` is the home folder, anything relative belongs to the folder of the file that says it.
fn resolve(written: &str, at: Place, sources: &Sources, request: &Request<'_>) -> PathBuf {
    let written = written.trim();
    if let Some(rest) = written.strip_prefix("~/") {
        if let Some(home) = (request.env)("HOME") {
            return PathBuf::from(home).join(rest);
        }
    }
    let folder = sources.folder(at).unwrap_or(request.cwd);
    folder.join(written.strip_prefix("./").unwrap_or(written))
}

fn folders<const N: usize>(tree: &Node, key: &str, sources: &Sources, request: &Request<'_>, ours: [PathBuf; N]) -> Vec<PathBuf> {
    let written: Vec<&Node> = match tree.get(key).map(|node| (node, &node.kind)) {
        Some((_, Kind::List(items))) => items.iter().collect(),
        Some((node, Kind::Text(_))) => vec![node],
        _ => Vec::new(),
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in written.iter().filter_map(|node| Some(resolve(node.text()?, node.at, sources, request))).chain(ours) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// Makes the paths in accounts absolute while it is known which file said them. A secret's relative `{ file: NAME }` is looked for in
/// `$CREDENTIALS_DIRECTORY` first, where systemd puts what `LoadCredential=` names.
fn absolute(tree: &mut Node, sources: &Sources, request: &Request<'_>) {
    let Kind::Map(entries) = &mut tree.kind else { return };
    for entry in entries.iter_mut().filter(|entry| entry.key == "accounts") {
        if let Kind::Map(accounts) = &mut entry.node.kind {
            accounts.iter_mut().for_each(|account| absolute_in(&mut account.node, sources, request));
        }
    }
}

fn absolute_in(node: &mut Node, sources: &Sources, request: &Request<'_>) {
    let reference = literal::is_reference(node);
    let entries = match &mut node.kind {
        Kind::Map(entries) => entries,
        Kind::List(items) => return items.iter_mut().for_each(|item| absolute_in(item, sources, request)),
        _ => return,
    };
    for entry in entries {
        let is_path = (reference && entry.key == "file")
            || entry.key.ends_with("_file")
            || matches!(entry.key.as_str(), "client_cert" | "client_key");
        match &mut entry.node.kind {
            Kind::Text(written) if is_path && !written.trim().is_empty() => {
                let credential = (request.env)("CREDENTIALS_DIRECTORY")
                    .filter(|_| reference && Path::new(written.as_str()).is_relative())
                    .map(|folder| Path::new(&folder).join(written.trim()))
                    .filter(|path| path.is_file());
                let path = credential.unwrap_or_else(|| resolve(written, entry.node.at, sources, request));
                *written = path.display().to_string();
            }
            _ => absolute_in(&mut entry.node, sources, request),
        }
    }
}
