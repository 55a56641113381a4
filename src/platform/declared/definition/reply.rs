//! What a definition says of the reply: ordered rules, each a test and a meaning.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::platform::declared::condition::{Condition, Pointer};
use crate::platform::declared::place::{self, Span};

/// What a reply means.
#[derive(Debug)]
pub struct Rule {
    /// The test; `None` for the default, which comes last.
    pub when: Option<Condition>,
    /// What it means.
    pub class: Class,
    /// For whom.
    pub scope: Option<Scope>,
    /// How long to wait: the first that exists.
    pub wait: Vec<Wait>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    when: Option<Condition>,
    class: Option<Class>,
    scope: Option<Scope>,
    #[serde(default)]
    wait: Vec<Wait>,
    because: Option<String>,
    default: Option<Class>,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawRule, Rule>(deserializer)
    }
}

impl TryFrom<RawRule> for Rule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        if let Some(class) = raw.default {
            if raw.when.is_some() || raw.class.is_some() {
                return Err("a default has neither when nor class: write - default: permanent".to_owned());
            }
            if matches!(class, Class::Ok | Class::Transient | Class::Rate) {
                return Err(
                    "a reply that nobody knows is neither a success nor safe to send again: default may be permanent, unknown, \
                            gone, auth or config"
                        .to_owned(),
                );
            }
            return Ok(Rule { when: None, class, scope: raw.scope, wait: raw.wait });
        }
        let (Some(when), Some(class)) = (raw.when, raw.class) else {
            return Err("a rule needs when and class".to_owned());
        };
        let doubtful = when.takes_doubtful();
        if doubtful && class == Class::Ok {
            return Err("500, 502, 504 and a lost connection are never a success".to_owned());
        }
        if doubtful && matches!(class, Class::Transient | Class::Rate) && raw.because.is_none() {
            return Err(
                "after 500, 502, 504 or a lost connection nobody knows whether the message was taken: say why it may be sent \
                        again with because: \"…\", or use class: unknown"
                    .to_owned(),
            );
        }
        Ok(Rule { when: Some(when), class, scope: raw.scope, wait: raw.wait })
    }
}

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Taken.
    Ok,
    /// Never for this message.
    Permanent,
    /// The target is no more.
    Gone,
    /// The credential is refused.
    Auth,
    /// Wrong for every row.
    Config,
    /// Too fast.
    Rate,
    /// Not now, and surely not taken.
    Transient,
    /// Nobody knows.
    Unknown,
}

/// Whom a meaning concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This message alone.
    Row,
    /// This address.
    Target,
    /// All of the account.
    Account,
}

/// Where a wait is written.
#[derive(Debug)]
pub enum Wait {
    /// A header field: seconds, or an HTTP date.
    Header(String),
    /// A value of the body: seconds.
    Json(Pointer),
    /// Always so long.
    Const(Duration),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWait {
    header: Option<String>,
    json: Option<Pointer>,
    #[serde(rename = "const")]
    constant: Option<Span>,
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawWait, Wait>(deserializer)
    }
}

impl TryFrom<RawWait> for Wait {
    type Error = &'static str;

    fn try_from(raw: RawWait) -> Result<Self, Self::Error> {
        match (raw.header, raw.json, raw.constant) {
            (Some(name), None, None) => Ok(Wait::Header(name)),
            (None, Some(pointer), None) => Ok(Wait::Json(pointer)),
            (None, None, Some(span)) => Ok(Wait::Const(span.0)),
            _ => Err("a wait is one of header, json and const"),
        }
    }
}
