//! What a definition says of itself, read as a plain tree: which kinds it has, which rules and on which lines, when it means success.
//!
//! Read apart from the engine on purpose: a rule that the engine lost while reading must still be asked for.

use notify::platform::definitions::BUILT_IN;
use serde_json::Value;

/// A definition as its file tells it.
pub struct Facts {
    pub file: String,
    tree: Value,
    text: &'static str,
}

/// A rule of `errors` or `results.errors`.
pub struct Rule {
    /// From 1.
    pub line: usize,
    pub told: Value,
}

impl Facts {
    /// The built-in definition of that name; `None` for a coded platform.
    ///
    /// # Errors
    /// A file that is no YAML.
    pub fn of(name: &str) -> Result<Option<Self>, String> {
        let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) else { return Ok(None) };
        let tree = serde_yaml::from_str(text).map_err(|error| format!("{name}.yaml: {error}"))?;
        Ok(Some(Facts { file: format!("{name}.yaml"), tree, text }))
    }

    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.tree.pointer(pointer).filter(|value| !value.is_null())
    }

    pub fn has(&self, pointer: &str) -> bool {
        self.at(pointer).is_some()
    }

    /// The kinds that need a golden request: of a single delivery and of several.
    pub fn kinds(&self) -> Vec<String> {
        let names =
            |pointer: &str| self.at(pointer).and_then(Value::as_object).map(|kinds| kinds.keys().cloned().collect::<Vec<_>>());
        let mut kinds = names("/request/kinds").unwrap_or_else(|| vec!["body".to_owned()]);
        if self.has("/batch") {
            match names("/batch/request/kinds") {
                Some(several) => kinds.extend(several.iter().map(|kind| format!("batch.{kind}"))),
                None => kinds.push("batch".to_owned()),
            }
        }
        kinds
    }

    /// The rules of `errors` or of `results`.
    pub fn rules(&self, list: &str) -> Vec<Rule> {
        let pointer = if list == "errors" { "/errors" } else { "/results/errors" };
        let rules = self.at(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let lines = self.lines(list);
        rules.into_iter().enumerate().map(|(at, told)| Rule { line: lines.get(at).copied().unwrap_or_default(), told }).collect()
    }

    /// The lines on which the items of the list begin, from 1.
    fn lines(&self, list: &str) -> Vec<usize> {
        let mut lines = self.text.lines().enumerate().skip_while(|(_, line)| !line.starts_with(&format!("{list}:")));
        if list == "results" {
            let _ = lines.find(|(_, line)| line.trim_start().starts_with("errors:"));
        } else {
            lines.next();
        }
        let (mut indent, mut found) = (None, Vec::new());
        for (at, line) in lines {
            let depth = line.len() - line.trim_start().len();
            let item = line.trim_start().starts_with("- ");
            match indent {
                _ if line.trim().is_empty() || line.trim_start().starts_with('#') => {}
                None if item => indent = Some(depth),
                Some(indent) if depth < indent || (depth == indent && !item) => break,
                _ => {}
            }
            if item && indent == Some(depth) && !line.trim_start().starts_with('#') {
                found.push(at + 1);
            }
        }
        found
    }

    /// Success is a matter of the status (and header fields) alone, so that no body can take it back.
    pub fn status_alone(&self) -> bool {
        fn alone(test: &Value) -> bool {
            match test {
                Value::String(word) => word == "any-2xx",
                Value::Object(tests) if tests.contains_key("header") => !tests.contains_key("not"),
                Value::Object(tests) => tests.iter().all(|(name, of)| match name.as_str() {
                    "status" => true,
                    "all" | "any" => of.as_array().is_some_and(|each| each.iter().all(alone)),
                    _ => false,
                }),
                _ => false,
            }
        }
        self.at("/success").is_some_and(alone)
    }
}
