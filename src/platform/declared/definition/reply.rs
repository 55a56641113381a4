//! What a definition says of the reply: ordered rules, each a test and a meaning.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::error::Reach;
use crate::platform::declared::condition::{Condition, Pointer, Spot};
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
    /// For whom, when the rule fires for the same target again within a minute.
    pub escalate: Option<Scope>,
    /// What the account remembers for the rest of the run.
    pub set: Option<Set>,
}

/// What an account remembers of a reply.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Where the reply names the address that stands for the delivery's own from now on.
    pub to: Pointer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    when: Option<Condition>,
    class: Option<Class>,
    scope: Option<Scope>,
    #[serde(default)]
    wait: Vec<Wait>,
    escalate: Option<Scope>,
    set: Option<Set>,
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
            if raw.escalate.is_some() || raw.set.is_some() {
                return Err("a default neither escalates nor sets: write a rule with when".to_owned());
            }
            return Ok(Rule { when: None, class, scope: raw.scope, wait: raw.wait, escalate: None, set: None });
        }
        let (Some(when), Some(class)) = (raw.when, raw.class) else {
            return Err("a rule needs when and class".to_owned());
        };
        let doubtful = when.takes_doubtful();
        if doubtful && class == Class::Ok {
            return Err("500, 502, 504 and a lost connection are never a success".to_owned());
        }
        // Whatever is not in doubt is sent again: by itself, when the account is mended, or by `notify retry`.
        if doubtful && class != Class::Unknown && raw.because.is_none() {
            return Err(
                "after 500, 502, 504 or a lost connection nobody knows whether the message was taken: say why it may be sent \
                        again with because: \"…\", or use class: unknown"
                    .to_owned(),
            );
        }
        if raw.set.is_some() && class != Class::Transient {
            return Err("set changes the address for another try: its class must be transient".to_owned());
        }
        if let Some(wider) = raw.escalate {
            if !matches!(class, Class::Rate | Class::Transient) {
                return Err("escalate widens a wait: its class must be rate or transient".to_owned());
            }
            if wider.reach() <= raw.scope.unwrap_or(Scope::Row).reach() {
                return Err("escalate must reach further than scope: row, target, account, platform".to_owned());
            }
        }
        Ok(Rule { when: Some(when), class, scope: raw.scope, wait: raw.wait, escalate: raw.escalate, set: raw.set })
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
    /// Every account of the platform.
    Platform,
}

impl Scope {
    /// The same in the words of policy.
    pub fn reach(self) -> Reach {
        match self {
            Scope::Row => Reach::Row,
            Scope::Target => Reach::Target,
            Scope::Account => Reach::Account,
            Scope::Platform => Reach::Platform,
        }
    }
}

/// Where a wait is written.
#[derive(Debug, Clone)]
pub enum Wait {
    /// A header field; an HTTP date is understood too.
    Header(String, Unit),
    /// A value of the body.
    Json(Pointer, Unit),
    /// Always so long.
    Const(Duration),
}

/// What the number of a wait counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds from now.
    #[default]
    S,
    /// Milliseconds from now.
    Ms,
    /// Seconds since 1970, or milliseconds where the number is too large for seconds.
    Epoch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWait {
    header: Option<String>,
    json: Option<Pointer>,
    #[serde(rename = "const")]
    constant: Option<Span>,
    unit: Option<Unit>,
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawWait, Wait>(deserializer)
    }
}

impl TryFrom<RawWait> for Wait {
    type Error = &'static str;

    fn try_from(raw: RawWait) -> Result<Self, Self::Error> {
        let unit = raw.unit.unwrap_or_default();
        match (raw.header, raw.json, raw.constant) {
            (Some(name), None, None) => Ok(Wait::Header(name, unit)),
            (None, Some(pointer), None) => Ok(Wait::Json(pointer, unit)),
            (None, None, Some(span)) if raw.unit.is_none() => Ok(Wait::Const(span.0)),
            (None, None, Some(_)) => Err("a const has its unit in itself: write { const: 30s }"),
            _ => Err("a wait is one of header, json and const"),
        }
    }
}

/// What a service says in passing about its limits, on replies that are no errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// How many requests are left; a rest follows from 0.
    pub remaining: Spot,
    /// When there will be more.
    pub reset_in: Wait,
    /// What rests; without it, the account.
    pub scope: Option<Scope>,
}
