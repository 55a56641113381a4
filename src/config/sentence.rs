//! What serde says of a value that does not fit, retold for a person.

use super::tree::{Kind, Node};
use crate::problem::did_you_mean;

/// Why a value does not fit, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub what: String,
    pub help: Option<String>,
}

impl Misfit {
    /// A question at the end of the sentence is its help.
    pub(crate) fn split(mut self) -> Self {
        if let Some((what, question)) = self.what.rsplit_once(": did you mean ").filter(|_| self.help.is_none()) {
            self.help = Some(format!("did you mean {question}"));
            self.what = what.to_owned();
        }
        self
    }
}

/// A value in a sentence: "the text \"x\"", "a list".
pub(crate) fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Bool(value) => value.to_string(),
        Kind::Number(number) => number.to_string(),
        Kind::Text(text) if text.trim().is_empty() => "an empty text".to_owned(),
        // It may have a password in it.
        Kind::Text(text) if text.contains("://") => "an address".to_owned(),
        Kind::Text(text) if text.chars().count() > 60 => "a long text".to_owned(),
        Kind::Text(text) => format!("\"{text}\""),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a block of keys".to_owned(),
    }
}

/// serde's names of types and ours. The first that is part of the expectation is taken.
const KINDS: [(&str, &str); 13] = [
    ("nonzero", "a whole number above 0"),
    ("a boolean", "true or false"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("usize", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("a string", "a text"),
    ("sequence", "a list"),
    ("path string", "the path of a file"),
];

/// Retells `invalid type: string "x", expected u16` and its kin; anything else is our own sentence already.
pub(crate) fn retold(said: &str) -> Misfit {
    // serde_yaml puts the path before the sentence; the caller knows the path better.
    let said = [
        "invalid type: ",
        "invalid value: ",
        "unknown field `",
        "unknown variant `",
        "missing field `",
        "duplicate field `",
        "invalid length ",
    ]
    .iter()
    .find_map(|start| said.find(start).map(|at| &said[at..]))
    .unwrap_or(said);
    if let Some((found, expected)) = said
        .strip_prefix("invalid type: ")
        .or(said.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        let expected = match KINDS.iter().find(|(theirs, _)| expected.contains(theirs)) {
            Some((_, ours)) => (*ours).to_owned(),
            None if expected.starts_with("struct ") || expected == "a map" => "a block of keys".to_owned(),
            None => expected.to_owned(),
        };
        return Misfit { what: format!("write {expected}, not {}", value(found)), help: None };
    }
    if let Some((name, known)) = said.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        return Misfit { what: format!("unknown key `{name}`"), help: choices(name, known, "these are known") };
    }
    if let Some((name, known)) = said.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`')) {
        return Misfit { what: format!("\"{name}\" is not understood"), help: choices(name, known, "write one of") };
    }
    if let Some((name, _)) = said.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        return Misfit { what: format!("`{name}` is missing"), help: Some(format!("add `{name}:`")) };
    }
    if let Some((name, _)) = said.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`')) {
        return Misfit { what: format!("`{name}` stands twice"), help: None };
    }
    Misfit { what: said.to_owned(), help: None }
}

/// `string "x"`, `integer `5``, `unit value`: what serde calls what it found.
fn value(found: &str) -> String {
    if let Some(text) = found.strip_prefix("string ") {
        return text.to_owned();
    }
    match found {
        "unit value" | "Option value" => "nothing".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a block of keys".to_owned(),
        found => found.split('`').nth(1).unwrap_or(found).to_owned(),
    }
}

/// `, expected one of `a`, `b`` as help.
fn choices(name: &str, known: &str, all: &str) -> Option<String> {
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    if known.is_empty() {
        return None;
    }
    Some(match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{all}: {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_is_retold() {
        for (said, what, help) in [
            ("invalid type: string \"abc\", expected usize", "write a whole number, not \"abc\"", None),
            ("connections: invalid value: integer `0`, expected a nonzero usize", "write a whole number above 0, not 0", None),
            ("invalid type: map, expected a sequence", "write a list, not a block of keys", None),
            ("invalid type: unit value, expected a string", "write a text, not nothing", None),
            ("unknown field `prot`, expected one of `port`, `host`", "unknown key `prot`", Some("did you mean `port`?")),
            (
                "unknown variant `maybe`, expected `required` or `none`",
                "\"maybe\" is not understood",
                Some("write one of: required, none"),
            ),
            ("missing field `url`", "`url` is missing", Some("add `url:`")),
            ("\"5\" is not a rate", "\"5\" is not a rate", None),
        ] {
            assert_eq!(retold(said), Misfit { what: what.to_owned(), help: help.map(str::to_owned) });
        }
    }
}
