//! template.yaml and `---` front matter: YAML read strictly, each mistake at its line.

use serde_yaml::Value as Yaml;

use crate::problem::{Problem, did_you_mean};
use crate::template::fragment::Fragment;
use crate::template::front::{Front, Located, allowed};
use crate::template::header_block;
use crate::template::variable::{Type, Variable};

const KEYS: [&str; 9] = ["subject", "from", "reply_to", "layout", "headers", "attachments", "variables", "description", "name"];
const VARIABLE_KEYS: [&str; 5] = ["type", "required", "default", "example", "description"];

/// Splits `---` front matter off the text, if there is any.
pub(super) fn split(file: &Fragment, problems: &mut Vec<Problem>) -> Option<(Front, Fragment)> {
    let rest = file.source.strip_prefix("---\n")?;
    let Some(end) = rest
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        })
        .find(|(_, line)| line.trim_end() == "---")
    else {
        let help = "end it with a line `---`".to_owned();
        problems.push(file.problem(1, 1, 3, "the front matter that `---` opens is never closed".to_owned(), Some(help)));
        return Some((Front::default(), file.clone()));
    };
    let block = &rest[..end.0];
    let body_at = 4 + end.0 + end.1.len();
    let lines = block.matches('\n').count() + 2;
    let body = Fragment { source: file.source[body_at..].to_owned(), line: file.line + lines, lead: 0, ..file.clone() };
    // Header lines between the dashes are what most people write; YAML is read where they are not.
    let simple = block.lines().all(|line| {
        header_block::field(line).is_some_and(|(name, value)| {
            let quoted = value.starts_with(['"', '\'', '[', '|', '>']) || (value.starts_with('{') && !value.starts_with("{{"));
            !value.is_empty() && !quoted && !matches!(name, "variables" | "headers" | "attachments")
        }) || line.trim().is_empty()
    });
    let mut front = Front::default();
    if simple {
        let before = problems.len();
        header_block::read(file, block.lines().filter(|line| !line.trim().is_empty()), 2, &mut front, problems);
        problems[before..].sort_by_key(|problem| problem.line);
    } else {
        let yaml = Fragment { source: block.to_owned(), line: file.line + 1, lead: 0, ..file.clone() };
        front = read_yaml(&yaml, problems);
    }
    Some((front, body))
}

/// Reads template.yaml.
pub(super) fn read_yaml(file: &Fragment, problems: &mut Vec<Problem>) -> Front {
    let mut front = Front::default();
    let tree = match serde_yaml::from_str::<Yaml>(&file.source) {
        Ok(tree) => tree,
        Err(error) => {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let told = error.to_string();
            let told = told.split(" at line ").next().unwrap_or_default();
            let text = file.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let help = text.contains("{{").then(|| "a value that begins with `{{` needs quotes around it".to_owned());
            problems.push(file.problem(line, column, 1, format!("this is not YAML: {told}"), help));
            return front;
        }
    };
    let map = match tree {
        Yaml::Mapping(map) => map,
        Yaml::Null => return front,
        _ => {
            problems.push(file.problem(
                1,
                1,
                1,
                "the file must be keys and values, like `subject: \"Hello {{name}}\"`".to_owned(),
                None,
            ));
            return front;
        }
    };
    let reader = Reader { file };
    for (key, value) in &map {
        let Some(key) = key.as_str() else { continue };
        let line = reader.line_of(key, 1);
        let mut say =
            |line: usize, word: &str, what: String, help: Option<String>| problems.push(reader.problem(line, word, what, help));
        match key {
            "subject" => match value {
                Yaml::Mapping(by_lang) => {
                    for (lang, text) in by_lang {
                        let Some(lang) = lang.as_str() else {
                            say(line, key, "`subject` must be text".to_owned(), Some(needs_quotes()));
                            continue;
                        };
                        let at = reader.line_of(lang, line);
                        match reader.scalar(text, lang, at) {
                            Some(located) => front.subject.push(((lang != "default").then(|| lang.to_owned()), located)),
                            None => say(at, lang, format!("the subject for `{lang}` must be text"), None),
                        }
                    }
                }
                _ => match reader.scalar(value, key, line) {
                    Some(located) => front.subject.push((None, located)),
                    None => say(line, key, "`subject` must be text".to_owned(), Some(needs_quotes())),
                },
            },
            "from" | "reply_to" | "layout" => match reader.scalar(value, key, line) {
                Some(located) => match key {
                    "from" => front.from = Some(located),
                    "reply_to" => front.reply_to = Some(located),
                    _ => front.layout = Some(located),
                },
                None => say(line, key, format!("`{key}` must be text"), Some(needs_quotes())),
            },
            "description" | "name" => {}
            "headers" => match value {
                Yaml::Mapping(headers) => {
                    for (name, value) in headers {
                        let Some(name) = name.as_str() else { continue };
                        let at = reader.line_of(name, line);
                        let set = match reader.scalar(value, name, at) {
                            Some(located) => allowed(name).map(|()| front.headers.push((name.to_owned(), located))),
                            None => Err((format!("the header `{name}` must be text"), Some(needs_quotes()))),
                        };
                        if let Err((what, help)) = set {
                            say(at, name, what, help);
                        }
                    }
                }
                _ => {
                    say(line, key, "`headers` must be names and values".to_owned(), Some("like `X-Campaign: spring`".to_owned()))
                }
            },
            "attachments" => {
                let list = match value {
                    Yaml::Sequence(list) => list.clone(),
                    other => vec![other.clone()],
                };
                for entry in &list {
                    let at = entry.as_str().map_or(line, |text| reader.line_with(text, line));
                    match reader.scalar(entry, "-", at) {
                        Some(located) => front.attachments.push(located),
                        None => say(line, key, "`attachments` must be a list of file names".to_owned(), None),
                    }
                }
            }
            "variables" => variables(&reader, value, line, &mut front, problems),
            other => {
                let near = did_you_mean(other, KEYS.iter().copied());
                let help =
                    near.map_or_else(|| format!("the keys are: {}", KEYS.join(", ")), |near| format!("did you mean `{near}`?"));
                say(line, other, format!("`{other}` is not a key of template.yaml"), Some(help));
            }
        }
    }
    front
}

/// Takes a problem: line, word to mark, sentence, help.
type Say<'a> = dyn FnMut(usize, &str, String, Option<String>) + 'a;

fn needs_quotes() -> String {
    "put quotes around a value with `{{…}}`".to_owned()
}

fn variables(reader: &Reader, value: &Yaml, line: usize, front: &mut Front, problems: &mut Vec<Problem>) {
    let mut entries: Vec<(String, Yaml)> = Vec::new();
    match value {
        Yaml::Mapping(map) => {
            entries.extend(map.iter().filter_map(|(name, spec)| Some((name.as_str()?.to_owned(), spec.clone()))))
        }
        Yaml::Sequence(list) => {
            for entry in list {
                match entry {
                    Yaml::String(name) => entries.push((name.clone(), Yaml::Null)),
                    Yaml::Mapping(map) => {
                        let mut spec = map.clone();
                        if let Some(name) = spec.remove("name").and_then(|name| name.as_str().map(str::to_owned)) {
                            entries.push((name, Yaml::Mapping(spec)));
                        }
                    }
                    _ => {}
                }
            }
        }
        Yaml::Null => {}
        _ => {
            let help = "like `name: { type: string, required: true }`".to_owned();
            problems.push(reader.problem(
                line,
                "variables",
                "`variables` must be names and what they are".to_owned(),
                Some(help),
            ));
        }
    }
    for (name, spec) in entries {
        let at = reader.line_of(&name, line);
        let mut variable = Variable {
            name: name.clone(),
            kind: Type::String,
            required: true,
            default: None,
            example: None,
            description: None,
            line: reader.file.file_line(at),
        };
        let mut required = None;
        let mut say =
            |at: usize, word: &str, what: String, help: Option<String>| problems.push(reader.problem(at, word, what, help));
        let typed = |word: &str, at: usize, say: &mut Say| match Type::parse(word) {
            Some(kind) => Some(kind),
            None => {
                let all: Vec<&str> = Type::ALL.iter().map(|kind| kind.as_str()).collect();
                let near = did_you_mean(word, all.iter().copied());
                let help =
                    near.map_or_else(|| format!("the types are: {}", all.join(", ")), |near| format!("did you mean `{near}`?"));
                say(at, word, format!("`{word}` is not a type of variable"), Some(help));
                None
            }
        };
        match &spec {
            Yaml::Null => {}
            Yaml::String(word) => variable.kind = typed(word, at, &mut say).unwrap_or(Type::String),
            Yaml::Mapping(map) => {
                for (key, value) in map {
                    let Some(key) = key.as_str() else { continue };
                    let key_at = reader.line_of(key, at);
                    match key {
                        "type" => {
                            let word = value.as_str().unwrap_or_default();
                            variable.kind = typed(word, key_at, &mut say).unwrap_or(Type::String);
                        }
                        "required" => match value {
                            Yaml::Bool(truth) => required = Some(*truth),
                            _ => say(key_at, key, "`required` is true or false".to_owned(), None),
                        },
                        "default" => variable.default = serde_json::to_value(value).ok().filter(|v| !v.is_null()),
                        "example" => variable.example = serde_json::to_value(value).ok(),
                        "description" => variable.description = value.as_str().map(str::to_owned),
                        other => {
                            let near = did_you_mean(other, VARIABLE_KEYS.iter().copied());
                            let help = near.map_or_else(
                                || format!("the keys are: {}", VARIABLE_KEYS.join(", ")),
                                |near| format!("did you mean `{near}`?"),
                            );
                            say(key_at, other, format!("`{other}` says nothing about a variable"), Some(help));
                        }
                    }
                }
            }
            _ => say(at, &name, format!("`{name}` must say a type, or `{{ type: …, required: … }}`"), None),
        }
        variable.required = required.unwrap_or(variable.default.is_none());
        if let Some(default) = variable.default.clone() {
            match variable.convert(&default) {
                Ok(Some(converted)) => variable.default = Some(converted),
                Ok(None) => {}
                // Empty text is the default that says "nothing" for any type.
                Err(_) if default == serde_json::Value::String(String::new()) => {}
                Err(wants) => say(at, &name, format!("the default of `{name}` is not {wants}"), None),
            }
        }
        front.variables.push(variable);
    }
}

/// YAML values keep no places; keys are found again in the text, from a line on.
struct Reader<'a> {
    file: &'a Fragment,
}

impl Reader<'_> {
    /// The line (of the source, from 1) on which a key stands, from `after` on.
    fn line_of(&self, key: &str, after: usize) -> usize {
        let is_key = |line: &str| {
            let rest = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
            rest.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        };
        let found = self.file.source.lines().enumerate().skip(after.saturating_sub(1)).find(|(_, line)| is_key(line));
        // In `{ type: x }` the key stands inside of a line.
        found
            .or_else(|| self.file.source.lines().enumerate().skip(after.saturating_sub(1)).find(|(_, l)| l.contains(key)))
            .map_or(after, |(i, _)| i + 1)
    }

    fn line_with(&self, text: &str, after: usize) -> usize {
        let found = self.file.source.lines().enumerate().skip(after.saturating_sub(1)).find(|(_, line)| line.contains(text));
        found.map_or(after, |(i, _)| i + 1)
    }

    fn scalar(&self, value: &Yaml, key: &str, line: usize) -> Option<Located> {
        let text = match value {
            Yaml::String(text) => text.trim_end_matches('\n').to_owned(),
            Yaml::Number(number) => number.to_string(),
            Yaml::Bool(truth) => truth.to_string(),
            _ => return None,
        };
        let written = self.file.source.lines().nth(line - 1).unwrap_or_default();
        let at = written.find(&text).or_else(|| written.find(key).map(|at| at + key.len() + 2)).unwrap_or(0).min(written.len());
        let lead = written.char_indices().take_while(|(i, _)| *i < at).count();
        Some(Located { text, line: self.file.file_line(line), lead })
    }

    fn problem(&self, line: usize, word: &str, what: String, help: Option<String>) -> Problem {
        let written = self.file.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let column = written.find(word).map_or(1, |at| written[..at].chars().count() + 1);
        self.file.problem(line, column, word.chars().count(), what, help)
    }
}
