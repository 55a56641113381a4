//! What a helper was called with, and values as a template writes them.

use handlebars::{Helper, RenderError};
use serde_json::Value;

/// What a helper was called with.
pub(in crate::template) struct Args<'a> {
    pub(in crate::template) params: Vec<&'a Value>,
    pub(super) named: Vec<(&'a str, &'a Value)>,
}

impl<'a> Args<'a> {
    /// The n-th parameter; null where there is none (the table has checked the count).
    pub(in crate::template) fn at(&self, n: usize) -> &'a Value {
        self.params.get(n).copied().unwrap_or(&Value::Null)
    }

    /// `name=…`.
    pub(in crate::template) fn named(&self, name: &str) -> Option<&'a Value> {
        self.named.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The n-th parameter as text.
    pub(in crate::template) fn text(&self, n: usize) -> String {
        text_of(self.at(n))
    }

    /// `name=…`, else the n-th parameter, as text; `None` where neither is given or it is empty.
    pub(in crate::template) fn option(&self, name: &str, n: usize) -> Option<String> {
        self.named(name).or_else(|| self.params.get(n).copied()).map(text_of).filter(|text| !text.is_empty())
    }
}

/// A value as a template writes it.
pub(in crate::template) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        other => other.to_string(),
    }
}

/// In strict mode no parameter may be undefined: Handlebars itself looks only at what is printed.
pub(in crate::template) fn defined(h: &Helper) -> Result<(), RenderError> {
    match h.params().iter().chain(h.hash().values()).find(|p| p.is_value_missing()) {
        Some(missing) => Err(RenderError::strict_error(missing.relative_path())),
        None => Ok(()),
    }
}
