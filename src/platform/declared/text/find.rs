//! Values by dotted names, where a template looks for them: an item of a list first, then everything else.

use std::borrow::Cow;

use handlebars::Context;
use serde_json::Value;

/// What a template sees.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Everything by name.
    pub root: &'a Context,
    /// The item of the list that is gone through.
    pub item: Option<&'a Value>,
}

impl<'a> Scope<'a> {
    /// Without an item.
    pub fn of(root: &'a Context) -> Self {
        Scope { root, item: None }
    }

    /// The value of that name.
    pub fn find(&self, name: &str) -> Option<&'a Value> {
        match (self.item, name.strip_prefix("item")) {
            (Some(item), Some("")) => Some(item),
            (Some(item), Some(rest)) if rest.starts_with('.') => find(item, &rest[1..]),
            _ => find(self.root.data(), name),
        }
    }

    /// The value, where it is not empty.
    pub fn filled(&self, name: &str) -> Option<&'a Value> {
        self.find(name).filter(|value| !is_empty(value))
    }
}

/// The value at a dotted path. A name that is itself dotted (`from.email`) goes before a path.
pub fn find<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    if let (Value::Object(map), true) = (root, path.contains('.'))
        && let Some(value) = map.get(path)
    {
        return Some(value);
    }
    path.split('.').try_fold(root, |value, step| match value {
        Value::Array(list) => step.parse::<usize>().ok().and_then(|at| list.get(at)),
        value => value.get(step),
    })
}

/// Nothing, or a text, list or object with nothing in it. A number and a truth are never empty.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as a form or a URL writes it; lists and objects have no such form.
pub fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => Some(Cow::Borrowed("")),
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    }
}
