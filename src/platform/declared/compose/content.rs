//! A message as a definition's templates see it: its texts, its tree, and the declared fields of either tree or row.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::message::{Body, Message};
use crate::platform::declared::definition::content::FieldOf;
use crate::platform::declared::text::find::{find, is_empty};
use crate::platform::declared::text::tree;

/// The key of a content tree that names its kind.
const KIND: &str = "$kind";

/// A message, seen through the fields of a definition.
pub struct Content<'a> {
    /// The message.
    pub message: &'a Message,
    fields: &'a [(String, FieldOf)],
    tree: Option<Cow<'a, Value>>,
    forced: Option<&'a str>,
}

impl<'a> Content<'a> {
    /// The message, seen through these fields.
    pub fn new(message: &'a Message, fields: &'a [(String, FieldOf)]) -> Self {
        let (mut tree, mut forced) = (None, None);
        if let Body::Native(value) = &message.body {
            forced = value.get(KIND).and_then(Value::as_str);
            tree = Some(match value {
                Value::Object(map) if forced.is_some() => {
                    let kept = map.iter().filter(|(key, _)| *key != KIND).map(|(key, value)| (key.clone(), value.clone()));
                    Cow::Owned(Value::Object(kept.collect()))
                }
                value => Cow::Borrowed(value),
            });
        }
        Content { message, fields, tree, forced }
    }

    /// The kind that the content asks for.
    pub fn forced(&self) -> Option<&'a str> {
        self.forced
    }

    /// The content, where it is a tree.
    pub fn tree(&self) -> Option<&Value> {
        self.tree.as_deref()
    }

    /// Whether a template reads this key of a content tree by its bare name.
    pub fn may_say(&self, key: &str) -> bool {
        matches!(key, "text" | "html" | "markdown" | "title") || self.fields.iter().any(|(field, _)| field == key)
    }

    fn said(&self, key: &str) -> &str {
        self.tree().and_then(|tree| tree.get(key)).and_then(Value::as_str).unwrap_or_default()
    }

    /// `text`, `html`, `markdown`, `subject`, `title`; empty where the message has no such form.
    pub fn words(&self, name: &str) -> &str {
        match (name, &self.message.body) {
            ("subject", _) => self.message.subject.as_deref().unwrap_or_default(),
            ("title", _) => self.message.subject.as_deref().filter(|text| !text.is_empty()).unwrap_or_else(|| self.said("title")),
            (_, Body::Native(_)) => self.said(name),
            ("text", body) => body.text().unwrap_or_default(),
            ("html", Body::Html { html, .. }) => html,
            ("markdown", Body::Markdown { markdown, .. }) => markdown,
            _ => "",
        }
    }

    fn raw_field(&self, name: &str) -> Option<&Value> {
        let inside = self.tree().and_then(|tree| tree.get(name));
        inside.or_else(|| if self.message.from_row { self.message.columns.get(name) } else { None })
    }

    /// The value of a declared field; nothing where it is not declared or not there.
    ///
    /// # Errors
    /// It is not of its type.
    pub fn field(&self, name: &str) -> Result<Value, String> {
        let Some((_, of)) = self.fields.iter().find(|(field, _)| field == name) else { return Ok(Value::Null) };
        let Some(value) = self.raw_field(name) else { return Ok(Value::Null) };
        match value {
            Value::String(text) if of.json && text.trim().is_empty() => Ok(Value::Null),
            Value::String(text) if of.json => {
                serde_json::from_str(text).map_err(|error| format!("`{name}` is not JSON: {error}"))
            }
            value if of.list => Ok(tree::list(value)),
            value if of.number => tree::number(name, value),
            value => Ok(value.clone()),
        }
    }

    /// Whether the value of that name is there and not empty.
    pub fn filled(&self, name: &str) -> bool {
        let message = self.message;
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let inside = |value: Option<&Value>| {
            let value = if rest.is_empty() { value } else { value.and_then(|value| find(value, rest)) };
            value.is_some_and(|value| !is_empty(value))
        };
        match first {
            "text" | "html" | "markdown" | "subject" | "title" => !self.words(first).is_empty(),
            "content" => inside(self.tree()),
            "attachments" => !message.attachments.is_empty(),
            "cc" => !message.cc.is_empty(),
            "bcc" => !message.bcc.is_empty(),
            "headers" | "header_list" => !message.headers.is_empty(),
            "reply_to" => message.reply_to.as_ref().is_some_and(|text| !text.is_empty()),
            "from" => message.from.as_ref().is_some_and(|text| !text.is_empty()),
            "meta" if rest.is_empty() => !message.meta.is_empty(),
            "meta" => find_in(&message.meta, rest),
            "columns" if rest.is_empty() => !message.columns.is_empty(),
            "columns" => find_in(&message.columns, rest),
            // A text of white space is no field.
            _ => inside(self.raw_field(first).filter(|value| value.as_str().is_none_or(|text| !text.trim().is_empty()))),
        }
    }

    /// Header fields as an object; of several of one name the last.
    pub fn headers(&self) -> Value {
        let fields = self.message.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// Header fields as a list.
    pub fn header_list(&self) -> Value {
        self.message.headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    }
}

fn find_in(map: &Map<String, Value>, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = map.get(path).or_else(|| {
        let value = map.get(first)?;
        if rest.is_empty() { Some(value) } else { find(value, rest) }
    });
    value.is_some_and(|value| !is_empty(value))
}

/// Name and address of a sender: `Ann <ann@example.com>`.
pub fn mailbox(text: &str) -> (&str, &str) {
    match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address.trim()),
        None => ("", text.trim()),
    }
}
