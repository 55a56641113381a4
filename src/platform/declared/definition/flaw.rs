//! Mistakes of a definition, told with their line and column.

use std::path::Path;

use crate::problem::{Problem, did_you_mean};

/// A mistake that is found after reading; its place is where its word stands in the file.
pub struct Flaw {
    /// The word that is wrong.
    pub needle: String,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Flaw {
    /// The mistake, told in one sentence.
    pub fn new(needle: &str, what: impl Into<String>) -> Self {
        Flaw { needle: needle.to_owned(), what: what.into(), help: None }
    }

    /// With its place in the file.
    pub fn at(self, source: &str, path: &Path) -> Problem {
        // A word of its own, not a part of a longer one.
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '-';
        let words = source.match_indices(&self.needle).map(|(at, _)| at).filter(|at| {
            let (before, after) = (&source[..*at], &source[at + self.needle.len()..]);
            let line = before.rsplit('\n').next().unwrap_or_default();
            !line.contains('#') && !before.ends_with(part) && !after.starts_with(part)
        });
        // Where the word is used, rather than where it is a key of its own.
        let used = |at: &usize| {
            let line = source[..*at].rsplit('\n').next().unwrap_or_default();
            let operator = line.rsplit(['{', ',']).next().unwrap_or_default().trim_start();
            line.rfind("{{") > line.rfind("}}") || (operator.starts_with('$') && operator.ends_with(": "))
        };
        let places: Vec<usize> = words.collect();
        let found = places.iter().find(|at| used(at)).or(places.first()).copied();
        let mut problem = Problem { what: self.what, help: self.help, path: Some(path.to_owned()), ..Problem::default() };
        if let Some(at) = found {
            let start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
            problem.line = Some(source[..at].matches('\n').count() + 1);
            problem.column = Some(source[start..at].chars().count() + 1);
            problem.width = self.needle.chars().count();
            problem.text = source[start..].lines().next().map(str::to_owned);
        }
        problem
    }
}

/// serde's sentence, with its place taken out of the words, and a suggestion where a key is unknown.
pub fn yaml_problem(error: &serde_yaml::Error, source: &str, path: &Path) -> Problem {
    let mut what = error.to_string();
    if let Some(at) = what.rfind(" at line ") {
        what.truncate(at);
    }
    let mut problem = Problem { path: Some(path.to_owned()), width: 1, ..Problem::default() };
    if let Some(place) = error.location() {
        problem.line = Some(place.line());
        problem.column = Some(place.column());
        problem.text = source.lines().nth(place.line().saturating_sub(1)).map(str::to_owned);
    }
    let quoted: Vec<&str> = what.split('`').skip(1).step_by(2).collect();
    let unknown = what.contains("unknown field `") || what.contains("unknown variant `");
    if unknown && let Some((word, known)) = quoted.split_first() {
        {
            let help = match did_you_mean(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            problem.width = word.chars().count();
            problem.help = Some(help);
            problem.what = format!("`{word}` is not known here");
            return problem;
        }
    }
    problem.what = what;
    problem
}
