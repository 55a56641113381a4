//! Cells and headers as one line: no value can begin another header, and lists of addresses are taken apart.

use serde_json::Value;

use crate::template::helper::args::text_of;

/// Addresses of a cell: separated by `,` or `;` outside of quotes, or a JSON array.
pub(super) fn addresses(value: &Value) -> Vec<String> {
    listed(value, &[',', ';'])
}

/// Entries of a cell.
pub(super) fn listed(value: &Value, separators: &[char]) -> Vec<String> {
    let mut list = Vec::new();
    match value {
        Value::Array(entries) => list.extend(entries.iter().map(text_of)),
        other => {
            let text = text_of(other);
            let (mut entry, mut quoted) = (String::new(), false);
            for c in text.chars() {
                quoted ^= c == '"';
                if !quoted && separators.contains(&c) {
                    list.push(std::mem::take(&mut entry));
                } else {
                    entry.push(c);
                }
            }
            list.push(entry);
        }
    }
    list.iter().map(|entry| one_line(entry)).filter(|entry| !entry.is_empty()).collect()
}

/// Text as one line of a header: control characters and line ends become a space, so that no value can begin another header.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            space = true;
        } else {
            if space && !out.is_empty() && !out.ends_with(' ') && c != ' ' {
                out.push(' ');
            }
            space = false;
            out.push(c);
        }
    }
    out.trim().to_owned()
}
