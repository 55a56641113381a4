//! Text from rows and servers without the characters that could end a line.

use std::borrow::Cow;

/// The text without CR, LF, NUL, other controls: a run of them is one space; none at the ends.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if !trimmed.chars().any(char::is_control) {
        return Cow::Borrowed(trimmed);
    }
    let mut out = String::with_capacity(trimmed.len());
    let mut gap = false;
    for c in trimmed.chars() {
        if c.is_control() {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) && !out.ends_with(' ') && c != ' ' {
            out.push(' ');
        }
        out.push(c);
    }
    Cow::Owned(out)
}
