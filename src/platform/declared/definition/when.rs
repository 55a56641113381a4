//! Tests of what is set: decided once for an account, or, with `has`, for each message.

use serde::Deserialize;
use serde_json::Value;

/// A test of the account's own keys, decided once when it is opened; `has` looks at the message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// `signature`, `secret.token`; `sign.NAME` is set where that signature is made.
    pub var: Option<String>,
    /// Any value of the message or the account is not empty.
    pub has: Option<String>,
    /// It has this value; without it: it is set.
    pub eq: Option<String>,
    /// It is set (or is not).
    pub exists: Option<bool>,
    /// All of these.
    pub all: Option<Vec<When>>,
    /// One of these.
    pub any: Option<Vec<When>>,
}

impl When {
    /// Whether it holds; `filled` finds a value that is not empty.
    pub fn holds<'v>(&self, filled: &dyn Fn(&str) -> Option<&'v Value>) -> bool {
        if let Some(all) = &self.all {
            return all.iter().all(|when| when.holds(filled));
        }
        if let Some(any) = &self.any {
            return any.iter().any(|when| when.holds(filled));
        }
        let value = self.var.as_ref().or(self.has.as_ref()).and_then(|name| filled(name));
        match (&self.eq, value) {
            (Some(wanted), Some(Value::String(text))) => text == wanted,
            (Some(wanted), Some(value)) => {
                let written = value.to_string();
                written == *wanted
            }
            (Some(_), None) => false,
            (None, value) => value.is_some() == self.exists.unwrap_or(true),
        }
    }

    /// Whether it looks at the message, and so differs from row to row.
    pub fn of_message(&self) -> bool {
        let inner = self.all.iter().chain(&self.any).flatten();
        self.has.is_some() || inner.into_iter().any(When::of_message)
    }

    /// The names that it looks at.
    pub fn names(&self) -> Vec<&str> {
        let inner = self.all.iter().chain(&self.any).flatten().flat_map(When::names);
        self.var.as_deref().into_iter().chain(self.has.as_deref()).chain(inner).collect()
    }
}
