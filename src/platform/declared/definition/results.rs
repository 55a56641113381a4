//! What a definition says of the reply to a request with several deliveries: which part of it speaks of which.
//!
//! A delivery that the reply does not speak of is in doubt, whatever the others are.

use serde::{Deserialize, Deserializer};

use crate::platform::declared::condition::{Condition, OneOrMany, Pattern, Pointer, Spot};
use crate::platform::declared::definition::reply::{Class, Rule, Scope, Wait};
use crate::platform::declared::place;

/// How the answer is shared out.
#[derive(Debug)]
pub struct Results {
    /// Which part speaks of which delivery.
    pub mode: Mode,
    /// The request as a whole was taken; without it: the definition's own test, or for lists a 2xx with a list that is not empty.
    pub success: Option<Condition>,
    /// The list of elements.
    pub path: String,
    /// Where an element names its delivery.
    pub key: Option<Pointer>,
    /// What it says there; `{{to}}` where the definition does not say.
    pub matches: Option<Called>,
    /// An element that was taken; without it, the definition's own test.
    pub ok: Option<Condition>,
    /// Where an element holds the service's id; without it, where a whole reply does.
    pub id: OneOrMany<Spot>,
    /// Where an element holds the service's error code.
    pub code: OneOrMany<Spot>,
    /// Where an element holds words for a person.
    pub detail: OneOrMany<Spot>,
    /// What elements mean; without them, the definition's own rules, asked of the element.
    pub errors: Vec<Rule>,
    /// Lists of addresses that were not taken.
    pub invalid: Vec<Invalid>,
    /// Where a refused request says whose fault it is; the first that does.
    pub culprit: Vec<Culprit>,
}

/// Which part of a reply speaks of which delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The reply speaks of all alike.
    All,
    /// Elements in the order of the request.
    ByIndex,
    /// Elements that name their delivery.
    ByKey,
    /// The reply names those that were not taken; all others were.
    InvalidLists,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResults {
    mode: Mode,
    success: Option<Condition>,
    path: Option<Pointer>,
    key: Option<Pointer>,
    #[serde(rename = "match")]
    matches: Option<Called>,
    ok: Option<Condition>,
    #[serde(default)]
    id: OneOrMany<Spot>,
    #[serde(default)]
    code: OneOrMany<Spot>,
    #[serde(default)]
    detail: OneOrMany<Spot>,
    #[serde(default)]
    errors: Vec<Rule>,
    #[serde(default)]
    invalid: Vec<Invalid>,
    culprit: Option<OneOrMany<Culprit>>,
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawResults, Results>(deserializer)
    }
}

impl TryFrom<RawResults> for Results {
    type Error = &'static str;

    fn try_from(raw: RawResults) -> Result<Self, Self::Error> {
        let elements = matches!(raw.mode, Mode::ByIndex | Mode::ByKey);
        if elements != raw.path.is_some() {
            return Err(
                "path names the list of elements: by_index and by_key need it, the others have none (\"\" is the whole reply)",
            );
        }
        if !elements && (raw.ok.is_some() || !raw.errors.is_empty()) {
            return Err("ok and errors speak of elements: they go with by_index and by_key");
        }
        if raw.mode != Mode::ByKey && raw.key.is_some() {
            return Err("key goes with by_key");
        }
        if (raw.mode == Mode::InvalidLists) == raw.invalid.is_empty() {
            return Err("invalid_lists needs invalid: [{ at: [/invalid_ids], class: gone }], and only it");
        }
        if !matches!(raw.mode, Mode::ByKey | Mode::InvalidLists)
            && raw.matches.is_some()
            && !raw.culprit.as_ref().is_some_and(|each| each.0.iter().any(|culprit| culprit.key))
        {
            return Err("match is what a reply calls a row: it goes with by_key, invalid_lists and culprit: { key: true }");
        }
        if let Some(at) = raw.errors.iter().position(|rule| rule.when.is_none())
            && at + 1 != raw.errors.len()
        {
            return Err("rules after the default are never reached: move it to the end");
        }
        Ok(Results {
            mode: raw.mode,
            success: raw.success,
            path: raw.path.map(|pointer| pointer.0).unwrap_or_default(),
            key: raw.key,
            matches: raw.matches,
            ok: raw.ok,
            id: raw.id,
            code: raw.code,
            detail: raw.detail,
            errors: raw.errors,
            invalid: raw.invalid,
            culprit: raw.culprit.map(|each| each.0).unwrap_or_default(),
        })
    }
}

/// What a reply calls a row: text with `{{to}}` and `{{id}}` in it.
#[derive(Debug, Clone)]
pub struct Called(String);

impl<'de> Deserialize<'de> for Called {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Called {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let called = Called(text);
        if called.of("", "").contains("{{") {
            Err("match may look at {{to}} and {{id}}, and at nothing else")
        } else {
            Ok(called)
        }
    }
}

impl Called {
    /// The name of the row with this address and id.
    pub fn of(&self, to: &str, id: &str) -> String {
        // The id first: what an address holds is never a template.
        self.0.replace("{{id}}", id).replace("{{to}}", to)
    }
}

/// Lists of addresses that were not taken, and what that means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invalid {
    /// Where they stand: lists, or one text.
    pub at: OneOrMany<Pointer>,
    /// What parts the addresses of one text.
    pub split: Option<String>,
    /// Where an element of a list that is an object names its address.
    pub key: Option<Pointer>,
    /// What it means.
    pub class: Refusal,
    /// For whom.
    pub scope: Option<Scope>,
    /// How long to wait: the first that exists.
    #[serde(default)]
    pub wait: Vec<Wait>,
}

/// A class that is not a success.
#[derive(Debug, Clone, Copy)]
pub struct Refusal(pub Class);

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Class::deserialize(deserializer)? {
            Class::Ok => Err(serde::de::Error::custom("addresses in `invalid` were not taken: their class cannot be ok")),
            class => Ok(Refusal(class)),
        }
    }
}

/// Where a refused request says whose fault it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Culprit {
    /// A list to go through, each element by itself; without it, the reply as a whole.
    pub each: Option<Pointer>,
    /// The word: a text, a number, or a list of them.
    pub json: Pointer,
    /// What of it is meant: the first group.
    #[serde(rename = "match")]
    pub pattern: Option<Pattern>,
    /// What parts several in one text.
    pub split: Option<String>,
    /// It is the address; otherwise the place in the request, counted from 0.
    #[serde(default)]
    pub key: bool,
}
