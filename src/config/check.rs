//! One layer of the config against the table of keys: every mistake in it, each with its place.

use serde::Deserialize as _;

use super::defaults::{Defaults, Mistake};
use super::knobs::Concurrency;
use super::knobs::count;
use super::literal::{is_literal, is_reference, is_secret_key};
use super::recovery::{self, Recovery};
use super::scheduler::Scheduler;
use super::schema::{ACCOUNT, LATER, LIMIT, PROFILE, TOP, has, help, names};
use super::sentence::{Misfit, retold, shown};
use super::source::Sources;
use super::tree::{Entry, Kind, Node, Place};
use crate::cost::Cost;
use crate::limit::Quota;
use crate::problem::{Problem, did_you_mean};

/// What was found, each with its place so that it can be told in reading order.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Mistakes.
    pub problems: Vec<(Place, Problem)>,
    /// Keys that this version accepts and does not use.
    pub notes: Vec<(Place, Problem)>,
}

impl Findings {
    pub(crate) fn problem(&mut self, sources: &Sources, at: Place, mark: &str, what: impl Into<String>, help: Option<String>) {
        self.problems.push((at, sources.problem(at, mark, what, help)));
    }
}

/// Checks a file's tree, or that of a variable.
pub(crate) fn layer(root: &Node, sources: &Sources, found: &mut Findings) {
    if !block(root, "the config", sources, found) {
        return;
    }
    for Entry { key, at, node } in root.entries() {
        match key.as_str() {
            "version" => match &node.kind {
                Kind::Number(number) if number.as_u64() == Some(1) => {}
                Kind::Number(number) if number.as_u64().is_some_and(|n| n > 1) => {
                    let what =
                        format!("this file is written for version {number} of the config, and this program reads version 1");
                    found.problem(
                        sources,
                        node.at,
                        &number.to_string(),
                        what,
                        Some("use a newer notify, or write `version: 1`".to_owned()),
                    );
                }
                _ => found.problem(
                    sources,
                    node.at,
                    "",
                    format!("`version` is 1, not {}", shown(node)),
                    Some("write `version: 1`".to_owned()),
                ),
            },
            "profiles" => profiles(node, sources, found),
            key if part(key, node, sources, found) => {}
            key if later(key, *at, sources, found) || key.starts_with("x-") => {}
            _ => {
                let known: Vec<&str> = names(&TOP).chain(names(&LATER)).collect();
                found.problem(sources, *at, key, format!("unknown key `{key}`"), Some(help(key, &known, "the file itself")));
            }
        }
    }
}

/// The keys that a file and a profile share. False: it is none of them.
fn part(key: &str, node: &Node, sources: &Sources, found: &mut Findings) -> bool {
    match key {
        "defaults" => {
            let mut mistakes = Vec::new();
            let _ = Defaults::read(node, &mut mistakes);
            for Mistake { at, mark, misfit } in mistakes {
                found.problem(sources, at, &mark, misfit.what, misfit.help);
            }
        }
        "scheduler" => {
            let mut mistakes = Vec::new();
            let _ = Scheduler::read(node, &mut mistakes);
            for Mistake { at, mark, misfit } in mistakes {
                found.problem(sources, at, &mark, misfit.what, misfit.help);
            }
        }
        "accounts" => accounts(node, sources, found),
        "recovery" => {
            let mut mistakes = Vec::new();
            let _ = Recovery::read(node, &mut mistakes);
            for Mistake { at, mark, misfit } in mistakes {
                found.problem(sources, at, &mark, misfit.what, misfit.help);
            }
        }
        "templates" | "platforms" => folders(key, node, sources, found),
        _ => return false,
    }
    true
}

/// A key of a later version is told, not refused.
fn later(key: &str, at: Place, sources: &Sources, found: &mut Findings) -> bool {
    if !has(&LATER, key) {
        return false;
    }
    let what = format!("`{key}` is not used by this version of notify");
    found.notes.push((at, sources.problem(at, key, what, None)));
    true
}

fn block(node: &Node, name: &str, sources: &Sources, found: &mut Findings) -> bool {
    if matches!(node.kind, Kind::Map(_) | Kind::Null) {
        return true;
    }
    let help = format!(
        "write keys under it, each on a line of its own: `key: value`{}",
        if name == "the config" { "" } else { ", indented" }
    );
    found.problem(
        sources,
        node.at,
        node.text().unwrap_or_default(),
        format!("{name} takes keys, not {}", shown(node)),
        Some(help),
    );
    false
}

fn accounts(node: &Node, sources: &Sources, found: &mut Findings) {
    if !block(node, "`accounts`", sources, found) {
        return;
    }
    for Entry { key: name, at, node } in node.entries() {
        if let Err(why) = name_is_good(name) {
            found.problem(
                sources,
                *at,
                name,
                format!("`{name}` cannot be the name of an account: {why}"),
                Some("use letters, digits, `-`, `_` and `.`".to_owned()),
            );
        }
        if has(&ACCOUNT, name) && !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            let what = format!("account {name} takes keys, not {}", shown(node));
            found.problem(
                sources,
                *at,
                name,
                what,
                Some("if it is a key of the account above, indent it below the name".to_owned()),
            );
            continue;
        }
        if !block(node, &format!("account {name}"), sources, found) {
            continue;
        }
        for Entry { key, at, node } in node.entries().iter().filter(|entry| !entry.node.is_null()) {
            match key.as_str() {
                "platform" if node.text().is_none_or(|text| text.trim().is_empty()) => {
                    found.problem(
                        sources,
                        node.at,
                        "",
                        format!("account {name}: `platform` is a word, not {}", shown(node)),
                        None,
                    );
                }
                "limits" => {
                    if let Err(mistakes) = limits(node) {
                        for Mistake { at, mark, misfit } in mistakes {
                            found.problem(sources, at, &mark, format!("account {name}: `limits`: {}", misfit.what), misfit.help);
                        }
                    }
                }
                "shaping" => {
                    for Mistake { at, mark, misfit } in recovery::shaping(node).err().into_iter().flatten() {
                        found.problem(sources, at, &mark, format!("account {name}: `shaping`: {}", misfit.what), misfit.help);
                    }
                }
                "concurrency" => {
                    if let Err(why) = Concurrency::read(node) {
                        let mark = node.text().unwrap_or_default();
                        found.problem(sources, node.at, mark, format!("account {name}: `concurrency`: {why}"), None);
                    }
                }
                "cost" => {
                    if let Err(why) = cost(node) {
                        let mark = node.text().unwrap_or_default();
                        found.problem(sources, node.at, mark, format!("account {name}: `cost`: {why}"), None);
                    }
                }
                // The platform's own keys are its own; a slip in one of ours is recognised where it cannot be anything else.
                "limit" | "plattform" | "platfrom" | "concurency" => {
                    let near = did_you_mean(key, names(&ACCOUNT)).unwrap_or("limits");
                    found.problem(
                        sources,
                        *at,
                        key,
                        format!("account {name}: unknown key `{key}`"),
                        Some(format!("did you mean `{near}`?")),
                    );
                }
                _ => {}
            }
        }
    }
}

/// The name goes into names of files, into `--via a` and into tables.
fn name_is_good(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it is empty")
    } else if name.chars().count() > 64 {
        Err("it is longer than 64 characters")
    } else if name.starts_with(['.', '-']) {
        Err("it begins with a dot or a dash")
    } else if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        Err("it has a character that is neither letter nor digit")
    } else {
        Ok(())
    }
}

/// Reads `cost:`.
pub(crate) fn cost(node: &Node) -> Result<Cost, String> {
    if let Kind::Map(_) = node.kind
        && let Some(missing) = ["amount", "currency"].iter().find(|key| node.get(key).is_none_or(Node::is_null))
    {
        return Err(format!("`{missing}` is missing: write {{ amount: 0.8, currency: USD, per: 1000 }}"));
    }
    serde_yaml::from_value(node.value()).map_err(|error| error.to_string())
}

/// Reads `limits:`.
pub(crate) fn limits(node: &Node) -> Result<Vec<Quota>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut wrong = |at: Place, mark: &str, what: String, help: Option<String>| {
        mistakes.push(Mistake { at, mark: mark.to_owned(), misfit: Misfit { what, help } })
    };
    let Kind::List(items) = &node.kind else {
        wrong(
            node.at,
            node.text().unwrap_or_default(),
            format!("write a list, not {}", shown(node)),
            Some("limits: [ 14/s, 50000/1d ]".to_owned()),
        );
        return Err(mistakes);
    };
    let mut quotas = Vec::new();
    for item in items {
        let known: Vec<&str> = names(&LIMIT).collect();
        let mut whole = true;
        for entry in item.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            wrong(entry.at, &entry.key, format!("unknown key `{}`", entry.key), Some(help(&entry.key, &known, "limits")));
            whole = false;
        }
        if let Kind::Map(_) = item.kind {
            if item.get("rate").is_none_or(Node::is_null) && whole {
                wrong(item.at, "", "`rate` is missing".to_owned(), Some("{ rate: 2/s, per: domain }".to_owned()));
                whole = false;
            }
            if let Some(per) = item.get("per").filter(|per| !per.is_null()) {
                const SCOPES: [&str; 3] = ["account", "domain", "address"];
                if !per.text().is_some_and(|text| SCOPES.contains(&text)) {
                    let near =
                        per.text().and_then(|text| did_you_mean(text, SCOPES)).map(|near| format!("did you mean `{near}`?"));
                    wrong(
                        per.at,
                        per.text().unwrap_or_default(),
                        format!("`per` is account, domain or address, not {}", shown(per)),
                        near,
                    );
                    whole = false;
                }
            }
            if let Some(of) = item.get("of").filter(|of| !of.is_null()) {
                const UNITS: [&str; 2] = ["deliveries", "requests"];
                if !of.text().is_some_and(|text| UNITS.contains(&text)) {
                    let near = of.text().and_then(|text| did_you_mean(text, UNITS)).map(|near| format!("did you mean `{near}`?"));
                    let what = format!("`of` is deliveries or requests, not {}", shown(of));
                    wrong(of.at, of.text().unwrap_or_default(), what, near);
                    whole = false;
                }
            }
            if let Some((burst, Err(why))) = item.get("burst").filter(|burst| !burst.is_null()).map(|burst| (burst, count(burst)))
            {
                wrong(burst.at, burst.text().unwrap_or_default(), format!("`burst`: {why}"), None);
                whole = false;
            }
        }
        let rate = item.get("rate").unwrap_or(item);
        if whole && !matches!(rate.kind, Kind::Text(_)) {
            wrong(
                rate.at,
                "",
                format!("{} is not a rate", shown(rate)),
                Some("write COUNT/TIME, such as 14/s, 100/min or 50000/1d".to_owned()),
            );
        } else if whole {
            match Quota::deserialize(item.value()) {
                Ok(quota) => quotas.push(quota),
                Err(error) => wrong(rate.at, rate.text().unwrap_or_default(), retold(&error.to_string()).what, None),
            }
        }
    }
    if mistakes.is_empty() { Ok(quotas) } else { Err(mistakes) }
}

fn profiles(node: &Node, sources: &Sources, found: &mut Findings) {
    if !block(node, "`profiles`", sources, found) {
        return;
    }
    for Entry { key: name, node, .. } in node.entries() {
        if !block(node, &format!("profile {name}"), sources, found) {
            continue;
        }
        for Entry { key, at, node } in node.entries() {
            if part(key, node, sources, found) || key == super::schema::REDIRECT || later(key, *at, sources, found) {
                continue;
            }
            let known: Vec<&str> = PROFILE.into_iter().chain(names(&LATER)).chain([super::schema::REDIRECT]).collect();
            found.problem(sources, *at, key, format!("profile {name}: unknown key `{key}`"), Some(help(key, &known, "profiles")));
        }
    }
}

fn folders(key: &str, node: &Node, sources: &Sources, found: &mut Findings) {
    let wrong = match &node.kind {
        Kind::Null => None,
        Kind::Text(text) if !text.trim().is_empty() => None,
        Kind::List(items) => items.iter().find(|item| item.text().is_none_or(|text| text.trim().is_empty())),
        _ => Some(node),
    };
    if let Some(wrong) = wrong {
        found.problem(
            sources,
            wrong.at,
            "",
            format!("`{key}` is a folder or a list of folders, not {}", shown(wrong)),
            Some(format!("{key}: [ ./{key} ]")),
        );
    }
}

/// A literal secret, or a command, somewhere in a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delicate {
    /// A secret that stands in the file itself.
    Literal { key: String, at: Place },
    /// A command that would be run.
    Command { key: String, at: Place },
}

/// The key of an account that is run for each delivery.
const COMMAND: &str = "command";

/// The keys of `defaults:` that are run beside a run.
const HOOKS: [&str; 2] = ["on_result", "on_finish"];

/// Everything in a file that the file's owner and mode matter for.
pub(crate) fn delicate(root: &Node, found: &mut Vec<Delicate>) {
    for entry in root.entries() {
        match entry.key.as_str() {
            // Names of accounts and profiles are names, not keys: an account called `token` is no secret.
            "accounts" => entry.node.entries().iter().flat_map(|account| account.node.entries()).for_each(|entry| {
                match entry.key.as_str() {
                    COMMAND if !found.iter().any(|known| matches!(known, Delicate::Command { at, .. } if *at == entry.at)) => {
                        found.push(Delicate::Command { key: entry.key.clone(), at: entry.at });
                    }
                    COMMAND => {}
                    _ => delicate_in(&entry.key, entry, found),
                }
            }),
            "profiles" => entry.node.entries().iter().for_each(|profile| delicate(&profile.node, found)),
            _ if entry.key.starts_with("x-") => {
                entry.node.entries().iter().for_each(|inner| delicate_in(&inner.key, inner, found))
            }
            _ => delicate_in(&entry.key, entry, found),
        }
    }
}

/// `inside` is the key that decides: that of the secret's block, or the entry's own.
fn delicate_in(inside: &str, entry: &Entry, found: &mut Vec<Delicate>) {
    let mut add = |delicate| {
        // An alias brings the same place again.
        if !found.contains(&delicate) {
            found.push(delicate);
        }
    };
    if entry.key.ends_with("_cmd") || HOOKS.contains(&entry.key.as_str()) {
        return add(Delicate::Command { key: entry.key.clone(), at: entry.at });
    }
    if is_reference(&entry.node) {
        if let Some(command) = entry.node.entry("cmd") {
            add(Delicate::Command { key: command.key.clone(), at: command.at });
        }
        return;
    }
    match &entry.node.kind {
        Kind::Map(entries) => {
            for inner in entries {
                delicate_in(if is_secret_key(inside) { inside } else { &inner.key }, inner, found);
            }
        }
        Kind::List(items) => {
            for item in items {
                let item = Entry { key: entry.key.clone(), at: item.at, node: item.clone() };
                delicate_in(inside, &item, found);
            }
        }
        _ if is_literal(inside, &entry.node) => add(Delicate::Literal { key: entry.key.clone(), at: entry.at }),
        _ => {}
    }
}
