//! The `recovery:` block and `shaping:` of an account, read and checked.

use super::defaults::{Mistake, Reader, time, word};
use super::schema::{RECOVERY, help};
use super::sentence::{Misfit, retold, shown};
use super::tree::{Kind, Node, Place};
use crate::problem::did_you_mean;
use crate::recovery::presets::mailboxes;
use crate::recovery::rules::Rule;
use crate::recovery::shaping::{KEYS, Shaping, Written};

/// The `recovery:` block: what shares of failures lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recovery {
    /// Network errors.
    pub network: Rule,
    /// Refusals as too fast.
    pub rate_limit: Rule,
}

impl Default for Recovery {
    fn default() -> Self {
        Recovery { network: Rule::NETWORK, rate_limit: Rule::RATE_LIMIT }
    }
}

impl Recovery {
    /// Reads the block; each mistake is added to `mistakes`, and what holds without it stands in.
    pub(crate) fn read(block: &Node, mistakes: &mut Vec<Mistake>) -> Recovery {
        let known: Vec<&'static str> = RECOVERY.iter().map(|(name, _)| *name).collect();
        Reader { block, name: "recovery", known, mistakes }.unknown();
        let Recovery { network, rate_limit } = Recovery::default();
        Recovery {
            network: rule(block, "network", "recovery.network", network, mistakes),
            rate_limit: rule(block, "rate_limit", "recovery.rate_limit", rate_limit, mistakes),
        }
    }
}

fn rule(block: &Node, key: &str, name: &'static str, usual: Rule, mistakes: &mut Vec<Mistake>) -> Rule {
    let Some(node) = block.get(key).filter(|node| !node.is_null()) else { return usual };
    let mut reader = Reader { block: node, name, known: vec!["over", "action", "delay"], mistakes };
    reader.unknown();
    Rule {
        over: reader.take("over", share).unwrap_or(usual.over),
        action: reader.take("action", word).unwrap_or(usual.action),
        delay: reader.take("delay", time).unwrap_or(usual.delay),
    }
}

fn share(node: &Node) -> Result<f64, String> {
    let of = match &node.kind {
        Kind::Number(number) => number.as_f64(),
        Kind::Text(text) => text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok()).map(|n| n / 100.0),
        _ => None,
    };
    of.filter(|share| (0.0..1.0).contains(share))
        .ok_or_else(|| format!("write a share from 0 to below 1, such as 0.8, not {}", shown(node)))
}

/// Reads `shaping:` of an account: `off`, or rules.
pub(crate) fn shaping(node: &Node) -> Result<Shaping, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut wrong = |at: Place, mark: &str, what: String, help: Option<String>| {
        mistakes.push(Mistake { at, mark: mark.to_owned(), misfit: Misfit { what, help } });
    };
    let items = match &node.kind {
        // `off` is a truth value to older YAML, and to people.
        Kind::Bool(false) => return Ok(Shaping { off: true, rules: Vec::new() }),
        Kind::Text(text) if text.trim() == "off" => return Ok(Shaping { off: true, rules: Vec::new() }),
        Kind::List(items) => items,
        _ => {
            let help = "shaping: [ { match: '4\\.7\\.28', provider: gmail, action: suspend, for: 10m } ]";
            wrong(
                node.at,
                node.text().unwrap_or_default(),
                format!("write off, or a list of rules, not {}", shown(node)),
                Some(help.to_owned()),
            );
            return Err(mistakes);
        }
    };
    let mut shaping = Shaping::default();
    for item in items {
        // In a list, `off` stands for "without the presets".
        if matches!(item.kind, Kind::Bool(false)) || item.text().is_some_and(|text| text.trim() == "off") {
            shaping.off = true;
            continue;
        }
        let strange = item.entries().iter().find(|entry| !KEYS.contains(&entry.key.as_str()));
        if let Some(entry) = strange {
            let near = did_you_mean(&entry.key, KEYS).map(|near| format!("did you mean `{near}`?"));
            let near = near.unwrap_or_else(|| help(&entry.key, &KEYS, "shaping"));
            wrong(entry.at, &entry.key, format!("unknown key `{}`", entry.key), Some(near));
            continue;
        }
        if !matches!(item.kind, Kind::Map(_)) {
            wrong(item.at, item.text().unwrap_or_default(), format!("a rule has keys, and is not {}", shown(item)), None);
            continue;
        }
        let written: Written = match serde_yaml::from_value(item.value()) {
            Ok(written) => written,
            Err(error) => {
                let Misfit { what, help } = retold(&error.to_string()).split();
                wrong(item.at, "", what, help);
                continue;
            }
        };
        match written.rule(mailboxes) {
            Ok(rule) => shaping.rules.push(rule),
            Err((key, what)) => {
                let node = item.get(key);
                let at = node.map_or(item.at, |node| node.at);
                wrong(at, node.and_then(Node::text).unwrap_or_default(), format!("`{key}`: {what}"), None);
            }
        }
    }
    if mistakes.is_empty() { Ok(shaping) } else { Err(mistakes) }
}
