//! What a reply says in words: its id, code and detail, without secrets, and the kind that a class of the definition is.

use serde_json::Value;

use crate::error::ErrorKind;
use crate::platform::declared::condition::{Seen, Spot};
use crate::platform::declared::definition::reply::{Class, Scope};

/// The first of the places that holds a word, cleaned.
pub fn first(spots: &[Spot], seen: &Seen<'_>, hide: &[String], length: usize) -> Option<String> {
    spots.iter().find_map(|spot| {
        let text = match spot {
            Spot::Json(pointer) => text_of(seen.at(pointer)?)?,
            Spot::Header(name) => seen.header(name)?,
            Spot::Text(regex) => {
                let found = regex.captures(seen.body)?;
                found.get(1).or_else(|| found.get(0))?.as_str().to_owned()
            }
        };
        let text = clean(&text, hide, length);
        (!text.is_empty()).then_some(text)
    })
}

/// A text or a number as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `None` for a success. A narrower scope keeps a class from reaching further than it should.
pub fn kind_of(class: Class, scope: Option<Scope>) -> Option<ErrorKind> {
    Some(match (class, scope) {
        (Class::Ok, _) => return None,
        (Class::Permanent, _) | (Class::Config, Some(Scope::Row | Scope::Target)) => ErrorKind::BadMessage,
        (Class::Gone, _) | (Class::Auth, Some(Scope::Row | Scope::Target)) => ErrorKind::BadAddress,
        (Class::Auth, _) => ErrorKind::Unauthorized,
        (Class::Config, _) => ErrorKind::Misconfigured,
        // "Too fast" of this message alone must not hold its lane.
        (Class::Rate, Some(Scope::Row)) | (Class::Transient, _) => ErrorKind::Unavailable,
        (Class::Rate, _) => ErrorKind::Throttled,
        (Class::Unknown, _) => ErrorKind::InDoubt,
    })
}

/// Text of a service as we may tell it: no secrets, no control characters, one line, not too long.
pub fn clean(text: &str, hide: &[String], length: usize) -> String {
    let mut text = text.to_owned();
    for secret in hide {
        text = text.replace(secret.as_str(), "***");
    }
    let mut cleaned = String::with_capacity(text.len().min(length));
    for (count, c) in text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).enumerate() {
        if count == length {
            cleaned.push('…');
            break;
        }
        cleaned.push(c);
    }
    cleaned
}
