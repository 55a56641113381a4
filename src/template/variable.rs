//! A declared variable: its type, whether it must be there, and what stands for it. Checked against every row.

use serde_json::Value;

use crate::template::helper::args::text_of;
use crate::template::helper::date;

/// What a variable's value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    String,
    /// A decimal number, as typed JSON or as text.
    Number,
    /// A whole number.
    Integer,
    /// `true`, `false`, `yes`, `no`, `1`, `0`.
    Bool,
    /// A date that the helper `date` can read.
    Date,
    /// Something with one `@` and a domain.
    Email,
    /// A web address, `http` or `https`.
    Url,
    /// A JSON array, or text in which `;` separates entries.
    List,
    /// A JSON object.
    Object,
}

impl Type {
    /// Every type, in the order of the documentation.
    pub const ALL: [Type; 9] =
        [Type::String, Type::Number, Type::Integer, Type::Bool, Type::Date, Type::Email, Type::Url, Type::List, Type::Object];

    /// As template.yaml writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::Number => "number",
            Type::Integer => "integer",
            Type::Bool => "bool",
            Type::Date => "date",
            Type::Email => "email",
            Type::Url => "url",
            Type::List => "list",
            Type::Object => "object",
        }
    }

    /// The type of that spelling.
    pub fn parse(word: &str) -> Option<Type> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A variable that template.yaml declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name: the column.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// A row without it, or with an empty cell, is an error. On unless said otherwise or a default is given.
    pub required: bool,
    /// What stands for a missing or empty value.
    pub default: Option<Value>,
    /// A value for previews.
    pub example: Option<Value>,
    /// What it is for.
    pub description: Option<String>,
    /// The line of template.yaml that declares it, from 1.
    pub line: usize,
}

impl Variable {
    /// The value to render with; `None` where the row's own is right as it is.
    ///
    /// # Errors
    /// A sentence: missing, empty, or of the wrong type.
    pub(super) fn settle(&self, given: Option<&Value>) -> Result<Option<Value>, String> {
        let empty = match given {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.trim().is_empty(),
            Some(_) => false,
        };
        if empty {
            return match (&self.default, self.required, given) {
                (Some(default), _, _) => Ok(Some(default.clone())),
                (None, true, None) => Err(format!("`{}` is missing and the template requires it", self.name)),
                (None, true, Some(_)) => Err(format!("`{}` is empty and the template requires it", self.name)),
                (None, false, Some(Value::String(_))) if matches!(self.kind, Type::String) => Ok(None),
                (None, false, _) => Ok(Some(Value::Null)),
            };
        }
        let given = given.unwrap_or(&Value::Null);
        self.convert(given).map_err(|wants| {
            let shown: String = text_of(given).chars().take(40).collect();
            format!("`{}` is `{shown}`, but the template wants {wants}", self.name)
        })
    }

    /// The value as its type; the error says what is wanted.
    pub(super) fn convert(&self, given: &Value) -> Result<Option<Value>, &'static str> {
        let text = match given {
            Value::String(text) => Some(text.trim()),
            _ => None,
        };
        match self.kind {
            Type::String => match given {
                Value::Array(_) | Value::Object(_) => Err("text"),
                _ => Ok(None),
            },
            Type::Number => match (given, text) {
                (Value::Number(_), _) => Ok(None),
                (_, Some(text)) => as_number(text, false).ok_or("a number"),
                _ => Err("a number"),
            },
            Type::Integer => match (given, text) {
                (Value::Number(number), _) if number.is_i64() || number.is_u64() => Ok(None),
                (_, Some(text)) => as_number(text, true).ok_or("a whole number"),
                _ => Err("a whole number"),
            },
            Type::Bool => match (given, text.map(str::to_ascii_lowercase).as_deref()) {
                (Value::Bool(_), _) => Ok(None),
                (_, Some("true" | "yes" | "y" | "1" | "是")) => Ok(Some(Value::Bool(true))),
                (_, Some("false" | "no" | "n" | "0" | "否")) => Ok(Some(Value::Bool(false))),
                (Value::Number(n), _) if n.as_u64() == Some(1) => Ok(Some(Value::Bool(true))),
                (Value::Number(n), _) if n.as_u64() == Some(0) => Ok(Some(Value::Bool(false))),
                _ => Err("true or false"),
            },
            Type::Date => date::is_date(given).then_some(None).ok_or("a date like 2026-03-31"),
            Type::Email => {
                let domain = text.and_then(|text| text.split_once('@')).filter(|(local, domain)| {
                    !local.is_empty()
                        && !domain.is_empty()
                        && !domain.contains('@')
                        && !text.is_some_and(|t| t.contains(char::is_whitespace))
                });
                domain.map(|_| None).ok_or("an email address")
            }
            Type::Url => {
                let rest = text.and_then(|text| text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")));
                let good = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
                good.then_some(None).ok_or("a web address that begins with https:// or http://")
            }
            Type::List => match (given, text) {
                (Value::Array(_), _) => Ok(None),
                (_, Some(text)) if text.starts_with('[') => match serde_json::from_str(text) {
                    Ok(list @ Value::Array(_)) => Ok(Some(list)),
                    _ => Err("a list: `a; b; c` or a JSON array"),
                },
                (_, Some(text)) => {
                    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
                    Ok(Some(Value::Array(entries.map(Value::from).collect())))
                }
                _ => Err("a list: `a; b; c` or a JSON array"),
            },
            Type::Object => match (given, text) {
                (Value::Object(_), _) => Ok(None),
                (_, Some(text)) => match serde_json::from_str(text) {
                    Ok(object @ Value::Object(_)) => Ok(Some(object)),
                    _ => Err("a JSON object"),
                },
                _ => Err("a JSON object"),
            },
        }
    }
}

/// Text that is a number. It becomes one only where it would print the same again: `1.10` stays as it was written.
fn as_number(text: &str, whole: bool) -> Option<Option<Value>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let shape = digits.bytes().all(|b| b.is_ascii_digit() || (!whole && b == b'.')) && digits.matches('.').count() <= 1;
    if !shape || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = serde_json::from_str::<Value>(text).ok().filter(|value| {
        let printed = value.to_string();
        value.is_number() && printed == text
    });
    Some(number)
}
