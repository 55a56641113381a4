//! The tags of a template's source, and what is wrong with how they open and close: said in our own words, before the parser says it in its.

use crate::problem::{Problem, did_you_mean};
use crate::template::fragment::{Fragment, line_column};

/// What a tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{{x}}`, `{{helper x}}`
    Value,
    /// `{{{x}}}`, `{{&x}}`
    Raw,
    /// `{{#x}}`
    Open,
    /// `{{#> x}}`
    OpenPartial,
    /// `{{#*inline "x"}}`
    OpenDecorator,
    /// `{{/x}}`
    Close,
    /// `{{else}}`, `{{^}}`
    Else,
    /// `{{else if x}}`
    ElseIf,
    /// `{{> x}}`
    Partial,
    /// `{{* x}}`
    Decorator,
    /// `{{! … }}`
    Comment,
}

/// One tag.
#[derive(Debug, Clone)]
pub(super) struct Tag<'a> {
    pub(super) kind: Kind,
    /// Byte of the first brace.
    pub(super) start: usize,
    /// Byte after the last brace.
    pub(super) end: usize,
    /// What stands between the braces, without `#`, `/`, `>`, `~` and spaces.
    pub(super) inner: &'a str,
}

impl<'a> Tag<'a> {
    /// The first word.
    pub(super) fn name(&self) -> &'a str {
        self.inner.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default()
    }

    fn opener(&self) -> String {
        match self.kind {
            Kind::OpenPartial => format!("{{{{#> {}}}}}", self.name()),
            Kind::OpenDecorator => format!("{{{{#*{}}}}}", self.name()),
            _ => format!("{{{{#{}}}}}", self.name()),
        }
    }
}

/// The tags of a source, and the places where one opens and does not end.
pub(super) fn tags<'a>(fragment: &'a Fragment, problems: &mut Vec<Problem>) -> Vec<Tag<'a>> {
    let source = fragment.source.as_str();
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(found) = source[at..].find("{{") {
        let start = at + found;
        if source[..start].ends_with('\\') && !source[..start].ends_with("\\\\") {
            at = start + 2;
            continue;
        }
        let rest = &source[start..];
        if rest.starts_with("{{{{") {
            // A raw block: text up to its own end. Only the parser looks inside.
            match rest.find("{{{{/").and_then(|end| rest[end..].find("}}}}").map(|close| end + close + 4)) {
                Some(end) => at = start + end,
                None => {
                    let what = "`{{{{` opens a raw block that is never closed".to_owned();
                    problems.push(fragment.problem_at(start, 4, what, Some("did you mean two braces?".to_owned())));
                    return tags;
                }
            }
            continue;
        }
        let (closer, raw) = if rest.starts_with("{{!--") {
            ("--}}", false)
        } else if rest.starts_with("{{{") || rest.starts_with("{{~{") {
            ("}}}", true)
        } else {
            ("}}", false)
        };
        let body = if raw { 3 } else { 2 };
        let end = if closer == "}}" && !rest.starts_with("{{!") {
            end_of_tag(rest)
        } else {
            rest.find(closer).map(|e| e + closer.len())
        };
        // A tag does not run into the next one.
        let next = rest[body..].find("{{").map(|next| next + body);
        let end = end.filter(|end| closer == "--}}" || rest.starts_with("{{!") || next.is_none_or(|next| *end <= next));
        let Some(mut end) = end else {
            let first_line = rest.lines().next().unwrap_or_default();
            let shown: String = first_line.chars().take(24).collect();
            let shown = shown.trim_end();
            if raw && rest.find("}}").is_some_and(|end| next.is_none_or(|next| end < next)) {
                let what = format!("`{shown}` opens with three braces and closes with two");
                problems.push(fragment.problem_at(
                    start,
                    3,
                    what,
                    Some("write `{{…}}` (escaped) or `{{{…}}}` (as it is)".to_owned()),
                ));
                at = start + 3 + rest[3..].find("}}").map_or(0, |end| end + 2);
                continue;
            }
            let (line, _) = line_column(source, start);
            let what = format!("the tag `{shown}` on line {} is never closed with `{closer}`", fragment.file_line(line));
            problems.push(fragment.problem_at(start, shown.chars().count(), what, None));
            match next {
                Some(next) => {
                    at = start + next;
                    continue;
                }
                None => return tags,
            }
        };
        if rest.starts_with("{{~{") && rest[end..].starts_with('}') {
            end += 1;
        }
        let whole = &rest[..end];
        let inner = whole.trim_start_matches('{').trim_end_matches('}').trim_matches('~');
        let inner = inner.trim_start_matches('{').trim_end_matches('}').trim();
        let (kind, inner) = classify(inner, raw || whole.starts_with("{{~{"));
        tags.push(Tag { kind, start, end: start + end, inner });
        at = start + end;
    }
    tags
}

/// The end of `{{…}}`, past quoted text that may hold braces.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    let bytes = rest.as_bytes();
    let mut i = 2;
    while i < bytes.len() {
        match (bytes[i], quote) {
            (b'\\', Some(_)) => i += 1,
            (c, Some(q)) if c == q => quote = None,
            (b'"' | b'\'', None) => quote = Some(bytes[i]),
            (b'}', None) if bytes.get(i + 1) == Some(&b'}') => return Some(i + 2),
            _ => {}
        }
        i += 1;
    }
    // An open quote swallowed the end: the tag still ends where its braces are, and the quote is what is wrong.
    rest.find("}}").map(|end| end + 2)
}

fn classify(inner: &str, raw: bool) -> (Kind, &str) {
    if raw {
        return (Kind::Raw, inner);
    }
    let after = |n: usize| inner[n..].trim_start();
    if inner.starts_with('!') {
        (Kind::Comment, after(1))
    } else if inner.starts_with("#>") {
        (Kind::OpenPartial, after(2))
    } else if inner.starts_with("#*") {
        (Kind::OpenDecorator, after(2))
    } else if inner.starts_with('#') {
        (Kind::Open, after(1))
    } else if inner.starts_with('/') {
        (Kind::Close, after(1))
    } else if inner.starts_with('>') {
        (Kind::Partial, after(1))
    } else if inner.starts_with('*') {
        (Kind::Decorator, after(1))
    } else if inner.starts_with('&') {
        (Kind::Raw, after(1))
    } else if inner == "else" || inner == "^" {
        (Kind::Else, "")
    } else if let Some(rest) = inner.strip_prefix("else ").or_else(|| inner.strip_prefix('^')) {
        (Kind::ElseIf, rest.trim_start())
    } else {
        (Kind::Value, inner)
    }
}

/// Everything that is wrong with the tags themselves: unclosed, crossed, empty, unbalanced.
pub(super) fn check<'a>(fragment: &'a Fragment) -> (Vec<Tag<'a>>, Vec<Problem>) {
    let mut problems = Vec::new();
    let tags = tags(fragment, &mut problems);
    let mut open: Vec<(&Tag, bool)> = Vec::new();
    for tag in &tags {
        let width = fragment.source[tag.start..tag.end].chars().count();
        let shown = &fragment.source[tag.start..tag.end];
        let mut say = |what: String, help: Option<String>| problems.push(fragment.problem_at(tag.start, width, what, help));
        if tag.inner.is_empty() && !matches!(tag.kind, Kind::Else | Kind::Comment) {
            say(format!("`{shown}` names nothing"), Some("write the name of a variable or helper between the braces".to_owned()));
            continue;
        }
        if tag.kind != Kind::Comment
            && let Some((what, help)) = unbalanced(tag.inner)
        {
            say(format!("`{shown}` {what}"), Some(help.to_owned()));
            if !matches!(tag.kind, Kind::Open | Kind::OpenPartial | Kind::OpenDecorator) {
                continue;
            }
        }
        match tag.kind {
            Kind::Open | Kind::OpenPartial | Kind::OpenDecorator => {
                if tag.kind == Kind::Open && tag.name() == "else" {
                    say("`{{#else}}` does not exist".to_owned(), Some("write `{{else}}`".to_owned()));
                    continue;
                }
                open.push((tag, false));
            }
            Kind::Else | Kind::ElseIf => match open.last_mut() {
                None => say(
                    format!("`{shown}` stands outside of any block"),
                    Some("it belongs between `{{#if …}}` and `{{/if}}`".to_owned()),
                ),
                Some((_, done @ false)) => *done = tag.kind == Kind::Else,
                Some((opener, true)) => {
                    let what = format!("`{shown}` is the second `else` of `{}`", opener.opener());
                    say(what, Some("only one `{{else}}` may stand in a block, at its end".to_owned()));
                }
            },
            Kind::Close => {
                let (line, _) = line_column(&fragment.source, tag.start);
                match open.iter().rposition(|(opener, _)| opener.name() == tag.name()) {
                    Some(at) if at + 1 == open.len() => drop(open.pop()),
                    Some(at) => {
                        // Everything inside it stays open: named once each, where it was opened.
                        for (inside, _) in open.drain(at..).skip(1) {
                            let (opened, _) = line_column(&fragment.source, inside.start);
                            let what = format!(
                                "`{}` opened on line {} is not closed before `{shown}` on line {}",
                                inside.opener(),
                                fragment.file_line(opened),
                                fragment.file_line(line)
                            );
                            let width = fragment.source[inside.start..inside.end].chars().count();
                            problems.push(fragment.problem_at(
                                inside.start,
                                width,
                                what,
                                Some(format!("add `{{{{/{}}}}}`", inside.name())),
                            ));
                        }
                    }
                    None => match open.pop() {
                        Some((opener, _)) => {
                            let (opened, _) = line_column(&fragment.source, opener.start);
                            let what =
                                format!("`{shown}` closes `{}` opened on line {}", opener.opener(), fragment.file_line(opened));
                            say(what, Some(format!("write `{{{{/{}}}}}`", opener.name())));
                        }
                        None => say(
                            format!("`{shown}` closes a block that was never opened"),
                            Some(format!("`{{{{#{} …}}}}` is missing before it", tag.name())),
                        ),
                    },
                }
            }
            _ => {}
        }
    }
    for (opener, _) in open {
        let (line, _) = line_column(&fragment.source, opener.start);
        let width = fragment.source[opener.start..opener.end].chars().count();
        let what = format!("`{}` opened on line {} is never closed", opener.opener(), fragment.file_line(line));
        problems.push(fragment.problem_at(opener.start, width, what, Some(format!("add `{{{{/{}}}}}`", opener.name()))));
    }
    half_braces(fragment, &tags, &mut problems);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    (tags, problems)
}

/// `{name}}`: a brace went missing, and the text would be sent as it stands.
fn half_braces(fragment: &Fragment, tags: &[Tag], problems: &mut Vec<Problem>) {
    let source = &fragment.source;
    for (at, _) in source.match_indices("}}") {
        if tags.iter().any(|tag| tag.start <= at && at < tag.end) {
            continue;
        }
        let Some(open) = source[..at].rfind('{') else { continue };
        let name = &source[open + 1..at];
        let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let digits = name.chars().all(|c| c.is_ascii_digit());
        if word && !digits && !source[..open].ends_with(['{', '\\']) {
            let what = format!("`{{{name}}}}}` has one brace before the name and two after it");
            problems.push(fragment.problem_at(open, name.chars().count() + 3, what, Some(format!("write `{{{{{name}}}}}`"))));
        }
    }
}

fn unbalanced(inner: &str) -> Option<(&'static str, &'static str)> {
    let mut depth = 0i32;
    let mut quote = None;
    let mut escaped = false;
    for c in inner.chars() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return Some(("closes a parenthesis that was never opened", "take `)` out or add `(`"));
        }
    }
    if quote.is_some() {
        return Some(("has a quote that is never closed", "close the text with the same quote"));
    }
    (depth > 0).then_some(("has a parenthesis that is never closed", "add `)`"))
}

/// Which tag the parser cannot read, found by giving it each tag alone.
pub(super) fn unreadable(fragment: &Fragment, tags: &[Tag], readable: impl Fn(&str) -> bool) -> Problem {
    for tag in tags {
        let text = &fragment.source[tag.start..tag.end];
        let alone = match tag.kind {
            Kind::Open | Kind::OpenPartial | Kind::OpenDecorator => format!("{text}{{{{/{}}}}}", tag.name()),
            Kind::Close | Kind::Else | Kind::Comment => continue,
            Kind::ElseIf => format!("{{{{#if x}}}}{text}{{{{/if}}}}"),
            _ => text.to_owned(),
        };
        if !readable(&alone) {
            let (what, help) = unreadable_because(tag, text);
            return fragment.problem_at(tag.start, text.chars().count(), what, help);
        }
    }
    fragment.problem(1, 1, 1, "the template cannot be read".to_owned(), Some("check the braces of its tags".to_owned()))
}

fn unreadable_because(tag: &Tag, text: &str) -> (String, Option<String>) {
    let name = tag.name();
    if tag.inner == name && name.contains('-') && name.ends_with('-') {
        return (format!("`{text}` is not a name"), None);
    }
    if let Some(odd) = tag.inner.chars().find(|c| matches!(c, '+' | '*' | '<' | '>' | '%' | '?' | ';' | ',' | '!')) {
        let hint = match odd {
            '<' | '>' => "compare with a helper: `{{#if (gt amount 100)}}`".to_owned(),
            ',' => "parameters are separated by spaces: `{{default name \"friend\"}}`".to_owned(),
            _ => "templates do not calculate; prepare the value in the list".to_owned(),
        };
        return (format!("`{text}` has `{odd}`, which means nothing inside a tag"), Some(hint));
    }
    if tag.inner.contains("==") {
        return (format!("`{text}` compares with `==`"), Some("write `(eq a b)`".to_owned()));
    }
    if tag.inner.contains('=') {
        return (
            format!("`{text}` has a `=` without a name before it or a value after it"),
            Some("write `name=value` without spaces".to_owned()),
        );
    }
    let near = did_you_mean(name, ["if", "unless", "each", "with"]).filter(|near| *near != name);
    (format!("`{text}` cannot be read"), near.map(|near| format!("did you mean `{near}`?")))
}
