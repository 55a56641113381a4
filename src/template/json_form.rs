//! JSON forms: the skeleton is parsed once and values come into the tree, so that no value can change its structure.

use serde_json::Value;

use crate::template::hole::{Held, MOST_OUTPUT, Piece, Pieces, plain};

/// Marks a text of the tree that is a hole outside of quotes: a number, true, false or null must come there.
const BARE: char = '\u{F0002}';
const OPEN: char = '\u{F0000}';
const CLOSE: char = '\u{F0001}';

/// Parses a skeleton. The error says line and column of the rendered text.
pub(super) fn tree(skeleton: &str) -> Result<Value, String> {
    serde_json::from_str(&quote_bare_holes(skeleton)).map_err(|error| {
        let told = error.to_string();
        let told = told.split(" at line ").next().unwrap_or_default().to_owned();
        format!("it is not JSON: {told} at line {} column {} of the rendered text", error.line(), error.column())
    })
}

fn quote_bare_holes(skeleton: &str) -> String {
    let mut out = String::with_capacity(skeleton.len() + 16);
    let (mut inside, mut escaped, mut bare) = (false, false, false);
    for c in skeleton.chars() {
        match c {
            OPEN if !inside => {
                bare = true;
                out.push('"');
                out.push(BARE);
                out.push(c);
                continue;
            }
            CLOSE if bare => {
                bare = false;
                out.push(c);
                out.push('"');
                continue;
            }
            '"' if !escaped && !bare => inside = !inside,
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// The tree with the values in it.
pub(super) fn fill(tree: &Value, values: &[Held]) -> Result<Value, String> {
    let mut room = MOST_OUTPUT;
    fill_in(tree, values, &mut room)
}

fn fill_in(tree: &Value, values: &[Held], room: &mut usize) -> Result<Value, String> {
    match tree {
        Value::String(text) if text.contains(OPEN) => {
            if let Some(rest) = text.strip_prefix(BARE)
                && let [Piece::Hole(number)] = Pieces::cut(rest).0.as_slice()
            {
                return bare(values.get(*number));
            }
            text_in(text, values, room).map(Value::String)
        }
        Value::Array(list) => {
            list.iter().map(|entry| fill_in(entry, values, room)).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Value::Object(map) => {
            let mut filled = serde_json::Map::with_capacity(map.len());
            for (key, value) in map {
                let key = if key.contains(OPEN) { text_in(key, values, room)? } else { key.clone() };
                if filled.insert(key.clone(), fill_in(value, values, room)?).is_some() {
                    return Err(format!("the key `{key}` comes twice"));
                }
            }
            Ok(Value::Object(filled))
        }
        other => Ok(other.clone()),
    }
}

fn text_in(text: &str, values: &[Held], room: &mut usize) -> Result<String, String> {
    let too_long = || "the rendered text would be longer than 10 MiB".to_owned();
    let filled = Pieces::cut(text).fill(values, plain).map_err(|_| too_long())?;
    *room = room.checked_sub(filled.len()).ok_or_else(too_long)?;
    Ok(filled)
}

/// A value outside of quotes.
fn bare(value: Option<&Held>) -> Result<Value, String> {
    match value {
        None => Ok(Value::Null),
        Some(Held::Json(text)) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Some(Held::Text(text)) => match serde_json::from_str::<Value>(text.trim()) {
            Ok(scalar @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(scalar),
            _ => {
                let shown: String = text.chars().take(40).collect();
                Err(format!(
                    "`{shown}` stands outside of quotes and is neither a number nor true, false or null; write quotes around it, or `{{{{json …}}}}`"
                ))
            }
        },
    }
}
