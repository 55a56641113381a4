//! Faults from a file: a YAML or JSON list whose items are words (`- 451@30%`) or maps (`- fault: http-200` with `body:`).

use std::path::Path;

use serde::Deserialize;

use crate::problem::Problem;
use crate::sink::faults::grammar::{Draft, Wrong, draft};
use crate::sink::faults::rule::Faults;

/// One item of the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    /// `- 451`
    Code(u16),
    /// `- 451@30%`
    Word(String),
    /// `- fault: 451`, with the rest spelled out.
    Map(Box<Spelled>),
}

/// A fault spelled out, for what does not fit into a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    fault: Scalar,
    /// `30%`
    rate: Option<String>,
    times: Option<u32>,
    /// What stands behind `=`.
    value: Option<Scalar>,
    /// What stands in brackets.
    with: Option<String>,
    /// Body of an HTTP answer; JSON may be written as YAML.
    body: Option<serde_json::Value>,
    rcpt: Option<String>,
    from: Option<String>,
    helo: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Scalar::Number(number) => number.to_string(),
            Scalar::Text(text) => text,
        }
    }
}

impl Item {
    fn draft(self) -> Result<Draft, Wrong> {
        match self {
            Item::Code(code) => draft(&code.to_string()),
            Item::Word(word) => draft(word.trim()),
            Item::Map(spelled) => {
                // The fault itself may carry its share and so on; what is spelled out wins.
                let mut draft = draft(spelled.fault.text().trim())?;
                draft.rate = spelled.rate.or(draft.rate);
                draft.tries = spelled.times.or(draft.tries);
                draft.value = spelled.value.map(Scalar::text).or(draft.value);
                draft.words = spelled.with.or(draft.words);
                if let Some(body) = spelled.body {
                    let body = match body {
                        serde_json::Value::String(text) => text,
                        other => other.to_string(),
                    };
                    draft.words = Some(match draft.words {
                        Some(words) => format!("{words};body={body}"),
                        None => format!("body={body}"),
                    });
                }
                let only = [("rcpt", spelled.rcpt), ("from", spelled.from), ("helo", spelled.helo), ("path", spelled.path)];
                draft.only.extend(only.into_iter().filter_map(|(name, glob)| Some((name.to_owned(), glob?))));
                Ok(draft)
            }
        }
    }
}

impl Faults {
    /// What `--faults` says: a list, or the path of a `.yaml`, `.yml` or `.json` file.
    ///
    /// # Errors
    /// A file that cannot be read, a fault that is not understood.
    pub fn from_word(word: &str) -> Result<Self, Problem> {
        let path = Path::new(word);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml" | "json") if !word.contains([',', '@', '[']) => Self::from_file(path),
            _ => word.parse(),
        }
    }

    /// Reads a YAML or JSON list of faults.
    ///
    /// # Errors
    /// A file that cannot be read, is not a list, or holds a fault that is not understood (told with its number in the list).
    pub fn from_file(path: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(path).map_err(|error| Problem {
            what: format!("cannot read the faults: {error}"),
            path: Some(path.to_owned()),
            ..Problem::default()
        })?;
        Self::from_yaml(&text).map_err(|problem| Problem { path: Some(path.to_owned()), ..problem })
    }

    fn from_yaml(text: &str) -> Result<Self, Problem> {
        let items: Vec<Item> = serde_yaml::from_str(text).map_err(|error| {
            let place = error.location();
            Problem {
                what: format!("this is not a list of faults: {error}"),
                line: place.as_ref().map(serde_yaml::Location::line),
                column: place.as_ref().map(serde_yaml::Location::column),
                width: 1,
                text: place.and_then(|place| text.lines().nth(place.line().saturating_sub(1))).map(str::to_owned),
                help: Some(
                    "write a list: `- 451@30%`, or `- fault: http-200` with `body:`, `rate:`, `path:` below it".to_owned(),
                ),
                path: None,
            }
        })?;
        let mut faults = Faults::default();
        for (number, item) in items.into_iter().enumerate() {
            let meaning = item.draft().and_then(|draft| draft.meaning()).map_err(|wrong| Problem {
                what: format!("fault {}: {}", number + 1, wrong.what),
                help: wrong.help,
                ..Problem::default()
            })?;
            faults.add(meaning);
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::faults::rule::Effect;

    #[test]
    fn words_and_maps_mix() {
        let faults = Faults::from_yaml(
            "- 451@30%\n- 550@100%:rcpt=*@bad.example\n- 421\n- fault: http-200\n  rate: 5%\n  with: not-taken\n  body: {code: 9499, msg: 'a, b'}\n  path: /open*\n",
        )
        .expect("good");
        assert_eq!(faults.rules.len(), 4);
        let Effect::Http(fault) = &faults.rules[3].effect else { panic!("not http") };
        assert_eq!(fault.body, r#"{"code":9499,"msg":"a, b"}"#);
        assert!(!fault.taken);
        assert_eq!(faults.rules[3].only.len(), 1);
    }

    #[test]
    fn json_is_yaml() {
        let faults = Faults::from_yaml(r#"["grey", {"fault": 451, "times": 3, "rcpt": "*@x"}]"#).expect("good");
        assert_eq!(faults.rules[1].first, Some(3));
    }

    #[test]
    fn a_bad_item_is_named_by_its_number() {
        let problem = Faults::from_yaml("- 451\n- gray\n").expect_err("gray");
        assert!(problem.to_string().contains("fault 2") && problem.to_string().contains("`grey`"), "{problem}");
        assert!(Faults::from_yaml("faults: 3").is_err());
    }
}
