//! Settings from the environment: `NOTIFY_` and the key's path, `__` between levels.
//!
//! `NOTIFY_DEFAULTS__VIA`, or short `NOTIFY_VIA`, is `defaults.via`; `NOTIFY_ACCOUNTS__CORP_MAIL__USER` is `accounts.corp-mail.user`, where the
//! account of that name is found whatever its case and dashes. A value is read as YAML, so that `8`, `[14/s, 9/min]` and `{ env: X }` work;
//! that of a key that holds a secret is taken as it is.

use super::literal::is_secret_key;
use super::schema::{DEFAULTS, RECOVERY, TOP, has, names};
use super::source::{Source, Sources};
use super::tree::{Entry, Kind, Node, Place};
use crate::problem::{Problem, did_you_mean};

/// Variables that are flags', or somebody else's (`NOTIFY_SOCKET` is systemd's): never keys.
pub const RESERVED: [&str; 16] = [
    "NOTIFY_CONFIG",
    "NOTIFY_PROFILE",
    "NOTIFY_STATE_DIR",
    "NOTIFY_LOG",
    "NOTIFY_LOG_FORMAT",
    "NOTIFY_LOG_FILE",
    "NOTIFY_COLOR",
    "NOTIFY_NO_PROGRESS",
    "NOTIFY_YES",
    "NOTIFY_JSON",
    "NOTIFY_QUIET",
    "NOTIFY_VERBOSE",
    "NOTIFY_SOCKET",
    // What a program beside a run is told (`--on-finish`), which may call us.
    "NOTIFY_RUN",
    "NOTIFY_STATUS",
    "NOTIFY_EXIT",
];

/// What one variable became.
pub(crate) enum Variable {
    /// A tree with one leaf.
    Setting(Node),
    /// Not ours.
    Nothing,
    /// Not understood; a warning, because the environment is shared with others.
    Unknown(Problem),
    /// Ours, and its value is broken.
    Broken(Problem),
}

/// Reads one variable. `accounts` are the names that the files have.
pub(crate) fn read(name: &str, value: &str, accounts: &[&str], folder: &std::path::Path, sources: &mut Sources) -> Variable {
    let Some(rest) = name.strip_prefix("NOTIFY_").filter(|_| !RESERVED.contains(&name)) else { return Variable::Nothing };
    // An empty variable is the shell's way of unsetting one.
    if value.is_empty() {
        return Variable::Nothing;
    }
    let mut path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    let unknown = |help: Option<String>| {
        Variable::Unknown(Problem { what: format!("environment variable {name} is not understood"), help, ..Problem::default() })
    };
    if path.iter().any(String::is_empty) {
        return unknown(Some("write NOTIFY_ and the key, with two underscores between levels: NOTIFY_DEFAULTS__VIA".to_owned()));
    }
    if has(&DEFAULTS, &path[0]) {
        path.insert(0, "defaults".to_owned());
    }
    let settable = |key: &str| has(&TOP, key) && key != "version" && key != "profiles";
    if !settable(&path[0]) {
        let known = names(&DEFAULTS).chain(names(&TOP).filter(|key| settable(key)));
        let near = did_you_mean(&path[0], known).map(|near| near.to_ascii_uppercase());
        let tail: String = path[1..].iter().map(|step| format!("__{}", step.to_ascii_uppercase())).collect();
        return unknown(near.map(|near| format!("did you mean NOTIFY_{near}{tail}?")));
    }
    match (path[0].as_str(), path.len()) {
        ("defaults", n) if n >= 2 => {
            let table: &[super::schema::Key] = if n == 2 { &DEFAULTS } else { &super::schema::RETRIES };
            let known = (n == 2 || (n == 3 && path[1] == "retries")) && has(table, &path[n - 1]);
            if !known {
                let near =
                    did_you_mean(&path[n - 1], names(table)).map(|near| format!("did you mean {}?", near.to_ascii_uppercase()));
                return unknown(near);
            }
        }
        ("accounts", n) if n >= 3 => {
            let fold = |name: &str| name.to_ascii_lowercase().replace(['-', '.'], "_");
            path[1] = accounts
                .iter()
                .find(|account| fold(account) == path[1])
                .map_or_else(|| path[1].replace('_', "-"), |name| (*name).to_owned());
        }
        ("templates" | "platforms", 1) => {}
        ("recovery", 3) if RECOVERY.iter().any(|(rule, keys)| *rule == path[1] && has(keys, &path[2])) => {}
        ("recovery", _) => return unknown(Some("write NOTIFY_RECOVERY__NETWORK__DELAY, or __OVER, or __ACTION".to_owned())),
        _ => return unknown(Some("name a key: NOTIFY_DEFAULTS__VIA, NOTIFY_ACCOUNTS__CORP_MAIL__USER".to_owned())),
    }
    let source = sources.add(Source::Variable { name: name.to_owned(), folder: folder.to_owned() });
    let at = Place { source, line: 0, column: 0 };
    let leaf = match leaf(path.last().map_or("", String::as_str), value, source) {
        Ok(leaf) => leaf,
        Err(why) => {
            return Variable::Broken(sources.problem(at, "", why, Some("put the value in quotes if it is a text".to_owned())));
        }
    };
    let tree = path.into_iter().rev().fold(leaf, |node, key| Node { at, kind: Kind::Map(vec![Entry { key, at, node }]) });
    Variable::Setting(tree)
}

fn leaf(key: &str, value: &str, source: usize) -> Result<Node, String> {
    let at = Place { source, line: 0, column: 0 };
    let text = || Node { at, kind: Kind::Text(value.to_owned()) };
    if is_secret_key(key) && !value.trim_start().starts_with('{') {
        return Ok(text());
    }
    let mut node = match super::tree::read::read(value, source) {
        // `#general` is a remark to YAML.
        Ok(node) if node.is_null() => text(),
        Ok(node) => node,
        Err(_) if !value.starts_with(['{', '[']) => text(),
        Err(error) => return Err(super::syntax::retell(&error, value, source).what),
    };
    unplace(&mut node, at);
    Ok(node)
}

/// Lines of a variable mean nothing to its reader.
fn unplace(node: &mut Node, at: Place) {
    node.at = at;
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| unplace(item, at)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.at = at;
                unplace(&mut entry.node, at);
            }
        }
        _ => {}
    }
}
