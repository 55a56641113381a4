//! Settings from files and environment, layered, checked, with the place of every mistake.
//!
//! Read once at the start. Flags lie over what this gives (that is the command line's room); then `NOTIFY_*`, the chosen profile,
//! `./notify.yaml` and `$XDG_CONFIG_HOME/notify/notify.yaml`. Every mistake of every layer is told in one pass. Secrets are not fetched
//! here: see [`secret::Secret::resolve`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use self::account::AccountConfig;
use self::check::Findings;
use self::defaults::Defaults;
use self::knobs::Concurrency;
use self::layer::Layers;
use self::scheduler::Scheduler;
use self::source::Sources;
use self::tree::{Entry, Kind, Node, Place};
use crate::cost::Cost;
use crate::problem::{Problem, did_you_mean};

pub mod account;
mod check;
pub mod defaults;
pub mod duration;
mod effective;
mod file;
pub mod knobs;
mod layer;
mod literal;
mod paths;
pub mod recovery;
mod request;
pub mod scheduler;
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

pub use self::request::Request;

/// The account that always exists, and the default one where nothing else is said.
pub const OUTBOX: &str = "outbox";

/// How many mistakes are told at once; who made more fixes these first.
const MOST_PROBLEMS: usize = 50;

/// All settings, checked. Accounts are not opened.
#[derive(Debug, Clone)]
pub struct Config {
    /// The `defaults:` block.
    pub defaults: Defaults,
    /// The `scheduler:` block.
    pub scheduler: Scheduler,
    /// The `recovery:` block.
    pub recovery: recovery::Recovery,
    /// By name; `outbox` is always there.
    pub accounts: BTreeMap<Arc<str>, AccountConfig>,
    /// What messages of an account cost, where it says so.
    pub costs: BTreeMap<String, Cost>,
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
        paths::absolute(&mut tree, &sources, request);
        // Mistakes in values were found layer by layer.
        let defaults = tree.get("defaults").map(|block| Defaults::read(block, &mut Vec::new())).unwrap_or_default();
        let scheduler = tree.get("scheduler").map(|block| Scheduler::read(block, &mut Vec::new())).unwrap_or_default();
        let recovery = tree.get("recovery").map(|block| recovery::Recovery::read(block, &mut Vec::new())).unwrap_or_default();
        let definitions =
            paths::folders(&tree, "platforms", &sources, request, [request.config_home.join("notify").join("platforms")]);
        let template_dirs = paths::folders(
            &tree,
            "templates",
            &sources,
            request,
            [request.cwd.join("templates"), request.config_home.join("notify").join("templates")],
        );
        let named = tree.get("accounts").map(Node::entries).unwrap_or_default();
        let cost = |entry: &Entry| Some((entry.key.clone(), check::cost(entry.node.get("cost")?).ok()?));
        let costs = named.iter().filter_map(cost).collect();
        let mut accounts = accounts(&tree, &sources, &known_platforms(request, &definitions), torn, &mut found);
        accounts.entry(Arc::from(OUTBOX)).or_insert_with(AccountConfig::outbox);
        let config = Config {
            defaults,
            scheduler,
            recovery,
            accounts,
            costs,
            template_dirs,
            definitions,
            files,
            warnings,
            notes: in_order(found.notes),
            profile: request.profile.map(str::to_owned),
            tree,
            sources,
        };
        if let (Some(via), false) = (&config.defaults.via, torn)
            && let Err(Problem { what, help, .. }) = config.account(via)
        {
            let at = config.tree.get("defaults").and_then(|block| block.get("via")).map_or(Place::BUILT_IN, |node| node.at);
            found.problems.push((at, config.sources.problem(at, via, format!("`defaults.via`: {what}"), help)));
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
                None if self.accounts.len() <= 12 => format!(
                    "there are: {}; write one more under `accounts:` in notify.yaml, or give --via a URL (`notify platforms list`)",
                    names().collect::<Vec<_>>().join(", ")
                ),
                None => format!("there are {}: see `notify config show`", self.accounts.len()),
            };
            Problem { what: format!("no account `{name}`"), help: Some(help), ..Problem::default() }
        })
    }

    /// Adds an account that stands in no file: that of a one-off URL.
    pub fn adopt(&mut self, account: AccountConfig) {
        self.accounts.insert(account.name.clone(), account);
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
                    let what = match sentence::shown(platform) {
                        // A word in quotes; anything else (an address, say) is not repeated.
                        quoted if quoted.starts_with('"') => format!("account {name}: no platform `{}`", word.trim()),
                        other => format!("account {name}: `platform` is a word, not {other}"),
                    };
                    found.problem(sources, platform.at, word, what, Some(help));
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
        let said = node.get("concurrency").filter(|said| !said.is_null()).and_then(|said| Concurrency::read(said).ok());
        let account = AccountConfig {
            name: name.clone(),
            platform,
            limits: node.get("limits").filter(|limits| !limits.is_null()).and_then(|limits| check::limits(limits).ok()),
            concurrency: said.and_then(Concurrency::fixed),
            knobs: said.map(Concurrency::knobs).unwrap_or_default(),
            shaping: node.get("shaping").filter(|shaping| !shaping.is_null()).and_then(|node| recovery::shaping(node).ok()),
            settings: tree::mapping(&settings),
        };
        accounts.insert(name, account);
    }
    accounts
}
