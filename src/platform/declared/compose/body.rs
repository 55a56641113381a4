//! A body: rendered as values, then written as the bytes that are sent and signed.

use serde_json::{Map, Value};

use crate::message::Message;
use crate::platform::declared::compose::files;
use crate::platform::declared::definition::form::{Entry, Form};
use crate::platform::declared::text::find::{Scope, plain};
use crate::platform::sign::canonical::percent;

/// A body before it is written.
pub enum Filled {
    /// JSON.
    Json(Value),
    /// A form; values are texts, or lists of texts.
    Form(Map<String, Value>),
    /// Plain text.
    Text(String),
    /// Written already, with its content type.
    Parts(Vec<u8>, String),
}

/// The body with its values.
///
/// # Errors
/// One sentence.
pub fn fill(form: &Form, scope: Scope<'_>, omit_empty: bool, message: &Message, boundary: &str) -> Result<Filled, String> {
    Ok(match form {
        Form::Json(tree) => Filled::Json(tree.render(scope, omit_empty)?),
        Form::Text(text) => Filled::Text(text.render(scope)?),
        Form::Form(entries) => {
            let mut values = Map::new();
            for (name, entry) in entries {
                match value(entry, scope, omit_empty)? {
                    Some(value) if name == MERGE => values.extend(merged(value)?),
                    Some(value) => {
                        values.insert(name.clone(), value);
                    }
                    None => {}
                }
            }
            Filled::Form(values)
        }
        Form::Multipart(entries) => {
            let mut bytes = Vec::new();
            for (name, entry) in entries {
                match entry {
                    Entry::Files(_) => {
                        for file in &message.attachments {
                            let more =
                                format!("; filename=\"{}\"\r\nContent-Type: {}", quoted(&file.name), line(&file.content_type));
                            part(&mut bytes, boundary, name, &more, &files::read(file)?);
                        }
                    }
                    entry if name == MERGE => {
                        let pairs = value(entry, scope, omit_empty)?.map_or(Ok(Map::new()), merged)?;
                        for (name, value) in pairs {
                            for text in texts(&name, Some(value))? {
                                part(&mut bytes, boundary, &name, "", text.as_bytes());
                            }
                        }
                    }
                    entry => {
                        for text in texts(name, value(entry, scope, omit_empty)?)? {
                            part(&mut bytes, boundary, name, "", text.as_bytes());
                        }
                    }
                }
            }
            bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            Filled::Parts(bytes, format!("multipart/form-data; boundary={boundary}"))
        }
    })
}

/// The entry of a form that holds objects whose pairs are the form's own.
const MERGE: &str = "$merge";

fn merged(value: Value) -> Result<Map<String, Value>, String> {
    let mut pairs = Map::new();
    let objects = match value {
        Value::Array(list) => list,
        value => vec![value],
    };
    for object in objects {
        match object {
            Value::Null => {}
            Value::Object(map) => pairs.extend(map),
            _ => return Err("$merge: only objects can be merged".to_owned()),
        }
    }
    Ok(pairs)
}

fn value(entry: &Entry, scope: Scope<'_>, omit_empty: bool) -> Result<Option<Value>, String> {
    match entry {
        Entry::Value(_, Some(when)) if !when.holds(&|name| scope.filled(name)) => Ok(None),
        Entry::Value(tree, _) => tree.kept(scope, omit_empty),
        Entry::Files(_) => Ok(None),
    }
}

/// A value of a form: nothing, one text, or one for each of a list.
fn texts(name: &str, value: Option<Value>) -> Result<Vec<String>, String> {
    let bad = || format!("`{name}` is an object: a form holds texts; write {{ $json: … }}");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().filter(|value| !value.is_null()).map(|value| plain(value).map(Into::into).ok_or_else(bad)).collect()
        }
        Some(value) => Ok(vec![plain(&value).ok_or_else(bad)?.into_owned()]),
    }
}

fn part(bytes: &mut Vec<u8>, boundary: &str, name: &str, more: &str, content: &[u8]) {
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"{more}\r\n\r\n", quoted(name));
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(b"\r\n");
}

/// A name inside quotes, as browsers write it (HTML standard, multipart/form-data encoding).
fn quoted(name: &str) -> String {
    line(name).replace('"', "%22")
}

fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

impl Filled {
    /// The bytes, and what they are.
    ///
    /// # Errors
    /// A value that the form cannot hold.
    pub fn written(self) -> Result<(Vec<u8>, String), String> {
        Ok(match self {
            Filled::Json(value) => {
                let bytes = serde_json::to_vec(&value).map_err(|error| format!("the body cannot be written: {error}"))?;
                (bytes, "application/json; charset=utf-8".to_owned())
            }
            Filled::Form(values) => {
                let mut pairs = Vec::new();
                for (name, value) in values {
                    let key = percent(&name);
                    pairs.extend(texts(&name, Some(value))?.iter().map(|text| format!("{key}={}", percent(text))));
                }
                (pairs.join("&").into_bytes(), "application/x-www-form-urlencoded".to_owned())
            }
            Filled::Text(text) => (text.into_bytes(), "text/plain; charset=utf-8".to_owned()),
            Filled::Parts(bytes, kind) => (bytes, kind),
        })
    }
}
