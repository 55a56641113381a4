//! An error that has a place in a text file: one sentence, the line, a mark under the column, and what to do.

use std::fmt;
use std::path::PathBuf;

/// What is wrong, where, and what to do about it. `Display` draws it without colour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// One sentence.
    pub what: String,
    /// The file.
    pub path: Option<PathBuf>,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// How many characters to mark; 1 where unknown.
    pub width: usize,
    /// The offending line itself, without its newline.
    pub text: Option<String>,
    /// What to do: "did you mean `amount`?"
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(path) = &self.path {
            write!(f, "\n  --> {}", path.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
        }
        if let (Some(line), Some(text)) = (self.line, &self.text) {
            let gutter = line.to_string();
            let blank = " ".repeat(gutter.len());
            write!(f, "\n{blank} |\n{gutter} | {text}")?;
            if let Some(column) = self.column {
                // Tabs stay tabs and wide characters take two cells, so that the mark stands under what it marks.
                let lead: String = text
                    .chars()
                    .take(column.saturating_sub(1))
                    .map(|c| match c {
                        '\t' => "\t".to_owned(),
                        c => " ".repeat(unicode_width::UnicodeWidthChar::width(c).unwrap_or(1)),
                    })
                    .collect();
                write!(f, "\n{blank} | {lead}{}", "^".repeat(self.width.max(1)))?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The nearest of `known` to `word`, if it is near enough to be what was meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(steps, _)| *steps <= limit)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// Edit distance where swapping two neighbours is one step (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let mut best =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_what_it_marks() {
        let problem = Problem {
            what: "no column `ammount`".into(),
            path: Some("t/welcome.md".into()),
            line: Some(7),
            column: Some(4),
            width: 2,
            text: Some("你好{{ammount}}".into()),
            help: Some("did you mean `amount`?".into()),
        };
        let text = problem.to_string();
        assert!(text.contains("t/welcome.md:7:4"), "{text}");
        assert!(text.contains("7 | 你好{{ammount}}\n  |      ^^"), "{text}");
    }

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("ammount", ["name", "amount"]), Some("amount"));
        assert_eq!(did_you_mean("nmae", ["amount", "name"]), Some("name"));
        assert_eq!(did_you_mean("zebra", ["amount", "name"]), None);
    }
}
