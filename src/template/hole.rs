//! Holes: what a row's values are while the text around them is parsed, so that no value can ever be markup.
//!
//! Handlebars writes a hole where it would write an escaped value, and the value waits beside. Markdown, CSS and JSON are then parsed with
//! holes in them; values come in last, escaped for the place they stand in. What is expensive therefore happens once per *skeleton* (the
//! text with holes), not once per row. A hole is three or more characters of a private plane, which every parser takes for a letter.

use std::cell::RefCell;

use handlebars::Output;

const OPEN: char = '\u{F0000}';
const CLOSE: char = '\u{F0001}';
const DIGIT: u32 = 0xF0010;

/// Longest text that one form may render to (reliability.md P21).
pub(super) const MOST_OUTPUT: usize = 10 << 20;

/// A value that waits for its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Held {
    /// Text, to be escaped for its place.
    Text(String),
    /// JSON, from the helper `json`: a tree where a tree may stand.
    Json(String),
}

impl Held {
    /// The value as text.
    pub(super) fn text(&self) -> &str {
        match self {
            Held::Text(text) | Held::Json(text) => text,
        }
    }
}

thread_local! {
    static VALUES: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// Begins a rendering on this thread, after values that wait already.
pub(super) fn begin(earlier: Vec<Held>) {
    VALUES.with_borrow_mut(|values| *values = earlier);
}

/// Ends it: the values, in the order of their numbers.
pub(super) fn finish() -> Vec<Held> {
    VALUES.with_borrow_mut(std::mem::take)
}

/// The registry's escape function: keeps the value and writes its hole.
pub(super) fn hold(text: &str) -> String {
    keep(Held::Text(text.to_owned()))
}

/// Keeps any value and says its hole.
pub(super) fn keep(value: Held) -> String {
    VALUES.with_borrow_mut(|values| {
        values.push(value);
        token(values.len() - 1)
    })
}

/// The hole of that number.
pub(super) fn token(number: usize) -> String {
    let mut text = String::with_capacity(16);
    text.push(OPEN);
    for digit in number.to_string().bytes() {
        text.extend(char::from_u32(DIGIT + u32::from(digit - b'0')));
    }
    text.push(CLOSE);
    text
}

/// Text with holes, cut where they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pieces(pub(super) Vec<Piece>);

/// One cut.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Of the template.
    Text(String),
    /// Of the row, by number.
    Hole(usize),
    /// Of the row, at the head of an `href` or `src`: decides the scheme, so it is looked at.
    Link(usize),
}

/// Why a text cannot be filled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Overfull {
    /// More than [`MOST_OUTPUT`].
    TooLong,
    /// A link that would run code.
    Scheme(String),
}

impl Pieces {
    /// Cuts a skeleton. Percent-encoded holes (of a link in Markdown) count too.
    pub(super) fn cut(skeleton: &str) -> Pieces {
        let mut pieces = Vec::new();
        let mut rest = skeleton;
        let mut text = String::new();
        while let Some(at) = rest.find(OPEN) {
            text.push_str(&rest[..at]);
            let inside = &rest[at + OPEN.len_utf8()..];
            let number = inside.find(CLOSE).and_then(|end| {
                let digits = inside[..end].chars().map(|c| u32::from(c).checked_sub(DIGIT).filter(|d| *d < 10));
                let number = digits.collect::<Option<Vec<u32>>>()?;
                if number.is_empty() || number.len() > 9 {
                    return None;
                }
                Some((number.into_iter().fold(0usize, |sum, d| sum * 10 + d as usize), end))
            });
            match number {
                Some((number, end)) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Hole(number));
                    rest = &inside[end + CLOSE.len_utf8()..];
                }
                None => {
                    text.push(OPEN);
                    rest = inside;
                }
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Pieces(pieces)
    }

    /// Cuts HTML: holes that begin a link are marked.
    pub(super) fn cut_html(skeleton: &str) -> Pieces {
        let mut pieces = Pieces::cut(skeleton);
        for i in 1..pieces.0.len() {
            let link = matches!(&pieces.0[i - 1], Piece::Text(before) if begins_link(before));
            if let (true, Piece::Hole(number)) = (link, &pieces.0[i]) {
                pieces.0[i] = Piece::Link(*number);
            }
        }
        pieces
    }

    /// The text with the values in their places, each written by `write`.
    pub(super) fn fill(&self, values: &[Held], write: fn(&str, &mut String)) -> Result<String, Overfull> {
        let expected = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Hole(number) | Piece::Link(number) => values.get(*number).map_or(0, |v| v.text().len() + 8),
        });
        let mut out = String::with_capacity(expected.sum::<usize>().min(MOST_OUTPUT));
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(number) => write(values.get(*number).map_or("", Held::text), &mut out),
                Piece::Link(number) => {
                    let value = values.get(*number).map_or("", Held::text);
                    if let Some(scheme) = dangerous_scheme(value) {
                        return Err(Overfull::Scheme(scheme));
                    }
                    write(value, &mut out);
                }
            }
            if out.len() > MOST_OUTPUT {
                return Err(Overfull::TooLong);
            }
        }
        Ok(out)
    }
}

fn begins_link(before: &str) -> bool {
    let Some(head) = before.trim_end().strip_suffix(['"', '\'']) else { return false };
    let Some(head) = head.trim_end().strip_suffix('=') else { return false };
    let head = head.trim_end().to_ascii_lowercase();
    ["href", "src", "action", "background", "formaction"].iter().any(|name| head.ends_with(name))
}

/// The scheme of a link that a mail program might run instead of open.
fn dangerous_scheme(link: &str) -> Option<String> {
    let bare: String = link.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(16).collect();
    let scheme = bare.split_once(':')?.0.to_ascii_lowercase();
    ["javascript", "vbscript", "data", "file"].contains(&scheme.as_str()).then_some(scheme)
}

/// Writes text as it is.
pub(super) fn plain(text: &str, out: &mut String) {
    out.push_str(text);
}

/// Writes text as HTML, for content and quoted attributes alike.
pub(super) fn html(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

/// Holes that percent-encoding has hidden, as holes again.
pub(super) fn unhide(html: &str) -> String {
    if !html.contains("%F3%B0%80%") {
        return html.to_owned();
    }
    let mut text = html.replace("%F3%B0%80%80", "\u{F0000}").replace("%F3%B0%80%81", "\u{F0001}");
    for digit in 0..10u32 {
        if let Some(c) = char::from_u32(DIGIT + digit) {
            text = text.replace(&format!("%F3%B0%80%{:02X}", 0x90 + digit), &c.to_string());
        }
    }
    text
}

/// Where Handlebars writes; refuses what is longer than [`MOST_OUTPUT`].
#[derive(Default)]
pub(super) struct Skeleton(pub(super) String);

/// What the writer says when it refuses.
pub(super) const TOO_LONG: &str = "the rendered text would be longer than 10 MiB";

impl Output for Skeleton {
    fn write(&mut self, segment: &str) -> Result<(), std::io::Error> {
        if self.0.len() + segment.len() > MOST_OUTPUT {
            return Err(std::io::Error::other(TOO_LONG));
        }
        self.0.push_str(segment);
        Ok(())
    }
}

/// A second cap, for what Handlebars renders into a buffer of its own (the block of a layout).
pub(super) struct Capped<'a> {
    pub(super) under: &'a mut dyn Output,
    pub(super) written: usize,
}

impl Output for Capped<'_> {
    fn write(&mut self, segment: &str) -> Result<(), std::io::Error> {
        self.written += segment.len();
        if self.written > MOST_OUTPUT {
            return Err(std::io::Error::other(TOO_LONG));
        }
        self.under.write(segment)
    }
}
