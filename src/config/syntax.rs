//! What the YAML parser complains about, retold in words that need no knowledge of parsers.

use super::tree::Place;
use super::tree::read::OURS;

/// A complaint with its place, ready to be shown with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// One sentence.
    pub what: String,
    /// Where.
    pub at: Place,
    /// What to do.
    pub help: Option<String>,
}

/// Words of the parser, our sentence, and what to do. The first row that matches is taken; the words are libyaml's, old and stable.
const RETOLD: [(&str, &str, &str); 18] = [
    (
        "found unexpected end of stream",
        "a quote is opened here and never closed",
        "close it, or double it where the quote belongs to the text",
    ),
    ("found unexpected document indicator", "a quote is opened before this line and never closed", "close it"),
    (
        "did not find expected ',' or ']'",
        "a list opened with `[` is not closed here",
        "write a comma between items and `]` at the end; an apostrophe inside '…' is written twice",
    ),
    (
        "did not find expected ',' or '}'",
        "keys opened with `{` are not closed here",
        "write a comma between them and `}` at the end; an apostrophe inside '…' is written twice",
    ),
    (
        "mapping values are not allowed",
        "a `:` stands where it cannot",
        "put the value in quotes if the colon belongs to it, else check the indentation of this line and the one before",
    ),
    (
        "block sequence entries are not allowed",
        "a `-` stands where no list can begin",
        "put the list on lines of its own under its key, indented alike",
    ),
    (
        "could not find expected ':'",
        "this line is no `key: value`",
        "write `key: value` with a space after the colon, or put text in quotes",
    ),
    (
        "did not find expected key",
        "this line does not fit the lines around it",
        "keys that belong together are indented alike, with spaces; look also for a quote left open above",
    ),
    (
        "did not find expected '-' indicator",
        "this line does not fit the list above it",
        "start each item with `- `, indented alike",
    ),
    (
        "unknown escape character",
        "a backslash in double quotes means something else than itself",
        "use single quotes, or write it twice",
    ),
    ("found undefined tag handle", "a tag (a word that starts with `!`) is not used here", "put the text in quotes"),
    ("violates indentation", "a tab is used for indentation", "indent with spaces"),
    (
        "unknown anchor",
        "this `*name` refers to nothing",
        "write `&name` before the value it should repeat, or put text that begins with `*` in quotes",
    ),
    (
        "control characters are not allowed",
        "a control character stands here",
        "remove it, or write it as \\u00XX in double quotes",
    ),
    ("did not find expected node content", "a value is missing here", "write it, or remove the comma too many"),
    ("recursion limit exceeded", "this is nested too deeply", "a config needs no more than a few levels"),
    ("repetition limit exceeded", "`*name` repeats other repetitions until the text grows without bound", "repeat fewer values"),
    (
        "while parsing a node",
        "a value cannot begin like this",
        "put it in quotes: `*`, `&`, `!`, `@`, `%` and backquotes mean something else at the start of a value",
    ),
];

/// Retells an error of reading `text`, source number `source`.
pub(crate) fn retell(error: &serde_yaml::Error, text: &str, source: usize) -> Complaint {
    let said = error.to_string();
    let mut at = match error.location() {
        Some(location) => Place { source, line: location.line().max(1), column: location.column().max(1) },
        None => Place { source, line: 1, column: 1 },
    };
    if said.contains("more than one document") {
        let second = text.lines().enumerate().skip(1).find(|(_, line)| line.starts_with("---") || line.starts_with("..."));
        at.line = second.map_or(1, |(index, _)| index + 1);
        return Complaint {
            what: "a config is one document: `---` or `...` in the middle starts a second one".to_owned(),
            at,
            help: Some("remove that line".to_owned()),
        };
    }
    if let Some((_, ours)) = said.split_once(OURS) {
        let what = ours.rsplit_once(" at line ").map_or(ours, |(what, _)| what).to_owned();
        return Complaint { what, at, help: None };
    }
    if said.contains("found character that cannot start any token") {
        let here = text.lines().nth(at.line - 1).and_then(|line| line.chars().nth(at.column - 1));
        let (what, help) = match here {
            Some('\t') => ("a tab is used for indentation".to_owned(), "indent with spaces".to_owned()),
            Some('`') => ("a value cannot begin with a backquote".to_owned(), "put it in quotes".to_owned()),
            Some(c) => (format!("a value cannot begin with `{c}`"), "put it in quotes".to_owned()),
            None => ("a value cannot begin like this".to_owned(), "put it in quotes".to_owned()),
        };
        return Complaint { what, at, help: Some(help) };
    }
    // For an open quote or bracket the place that helps is where it was opened: the parser names it second ("… at line 2 column 9").
    if ["end of stream", "document indicator", "expected ',' or"].iter().any(|words| said.contains(words))
        && let Some(opened) = opening(&said, source)
    {
        at = opened;
    }
    if said.contains("control characters") {
        let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
        let first = text.lines().enumerate().find_map(|(index, line)| Some((index + 1, line.chars().position(bad)? + 1)));
        if let Some((line, column)) = first {
            at = Place { source, line, column };
        }
    }
    match RETOLD.iter().find(|(words, ..)| said.contains(words)) {
        Some((_, what, help)) => Complaint { what: (*what).to_owned(), at, help: Some((*help).to_owned()) },
        None => Complaint {
            what: "this cannot be read as YAML".to_owned(),
            at,
            help: Some("check indentation, quotes and brackets of this line and the one before".to_owned()),
        },
    }
}

/// The place the parser names as the beginning of what it was reading, if it does.
fn opening(said: &str, source: usize) -> Option<Place> {
    let (_, context) = said.rsplit_once("while ")?;
    // It does not name the first character of the text.
    let Some((_, place)) = context.rsplit_once(" at line ") else { return Some(Place { source, line: 1, column: 1 }) };
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    Some(Place { source, line: numbers.next()?, column: numbers.next()? })
}
