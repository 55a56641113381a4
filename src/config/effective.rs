//! The settings in force, as they may be shown: secrets masked, each with where it was written.

use super::literal::{is_reference, masked};
use super::tree::{Entry, Kind, Node, Place};
use super::{Config, OUTBOX, schema};

impl Config {
    /// Every setting: its key, its value with secrets masked, and where it was written (`notify.yaml:3`, `NOTIFY_VIA`, `built in`).
    pub fn origin(&self) -> Vec<(String, String, String)> {
        self.effective()
            .into_iter()
            .map(|(path, node)| {
                let origin = self.sources.told(node.at);
                (path.join("."), one_line(&node), origin)
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
            at: Place::BUILT_IN,
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
        let recovery = self.tree.get("recovery");
        for (rule, keys) in &schema::RECOVERY {
            for key in keys {
                let written = recovery.and_then(|block| block.get(rule)).and_then(|block| block.get(key.name));
                let node = written.filter(|node| !node.is_null()).cloned().unwrap_or_else(|| text(key.default));
                all.push((vec!["recovery".to_owned(), (*rule).to_owned(), key.name.to_owned()], node));
            }
        }
        for (key, dirs) in [("templates", &self.template_dirs), ("platforms", &self.definitions)] {
            let at = self.tree.get(key).map_or(Place::BUILT_IN, |node| node.at);
            let items = dirs.iter().map(|dir| Node { at, kind: Kind::Text(dir.display().to_string()) }).collect();
            all.push((vec![key.to_owned()], Node { at, kind: Kind::List(items) }));
        }
        for name in self.accounts.keys() {
            let path = vec!["accounts".to_owned(), name.to_string()];
            match self.tree.get("accounts").and_then(|accounts| accounts.get(name)) {
                Some(node) => {
                    // The address of a webhook is its key, whatever its path looks like; a mail server's is not.
                    let webhook = node.get("platform").and_then(Node::text).is_some_and(|platform| platform == "webhook");
                    for entry in node.entries() {
                        let key = if webhook && entry.key == "url" { "webhook" } else { &entry.key };
                        leaves(&path, entry, &masked(key, &entry.node), &mut all);
                    }
                    let unsaid = |key: &str| node.get(key).is_none_or(Node::is_null);
                    let Some(account) = self.accounts.get(name) else { continue };
                    if let Some(provider) = account.provider() {
                        let with = account.with_preset();
                        for key in ["connections", "messages_per_connection"].into_iter().filter(|key| unsaid(key)) {
                            if let Some(value) = with.settings.get(key).cloned().and_then(scalar) {
                                all.push((
                                    [path.clone(), vec![key.to_owned()]].concat(),
                                    Node { at: Place::BUILT_IN, kind: value },
                                ));
                            }
                        }
                        if unsaid("limits") && !provider.limits.is_empty() {
                            let limits = provider.limits.iter().map(|limit| text(&limit.to_string())).collect();
                            let limits = Node { at: Place::BUILT_IN, kind: Kind::List(limits) };
                            all.push(([path.clone(), vec!["limits".to_owned()]].concat(), limits));
                        }
                        if unsaid("shaping") {
                            let preset = text(&format!("preset {}", provider.name));
                            all.push(([path.clone(), vec!["shaping".to_owned()]].concat(), preset));
                        }
                    }
                }
                None => all.push(([path, vec!["platform".to_owned()]].concat(), text(OUTBOX))),
            }
        }
        all
    }
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
        Kind::Map(entries) if !is_reference(shown) && !entries.is_empty() => {
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
