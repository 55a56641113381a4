//! `concurrency:` of an account or of the defaults: a number that is kept to, `auto`, or keys between which the tuner moves.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize as _;

use super::duration;
use super::tree::{Kind, Node};
use crate::limit::Quota;
use crate::problem::did_you_mean;

/// Between what the tuner moves.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Knobs {
    /// Never fewer requests in flight.
    pub min: Option<NonZeroUsize>,
    /// Never more.
    pub max: Option<NonZeroUsize>,
    /// At first.
    pub initial: Option<NonZeroUsize>,
    /// Answers should take no longer on average.
    pub target_latency: Option<Duration>,
    /// Faster than this nobody needs it.
    pub target_rate: Option<Quota>,
}

/// The keys, for messages and the reference.
pub const KEYS: [&str; 5] = ["min", "max", "initial", "target_latency", "target_rate"];

impl Knobs {
    /// These over those.
    #[must_use]
    pub fn over(self, others: Knobs) -> Knobs {
        Knobs {
            min: self.min.or(others.min),
            max: self.max.or(others.max),
            initial: self.initial.or(others.initial),
            target_latency: self.target_latency.or(others.target_latency),
            target_rate: self.target_rate.or(others.target_rate),
        }
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(node: &Node) -> Result<Knobs, String> {
        let mut knobs = Knobs::default();
        for entry in node.entries() {
            let key = entry.key.as_str();
            let of = |why: String| format!("`{key}`: {why}");
            match key {
                _ if entry.node.is_null() => {}
                "min" => knobs.min = Some(count(&entry.node).map_err(of)?),
                "max" => knobs.max = Some(count(&entry.node).map_err(of)?),
                "initial" => knobs.initial = Some(count(&entry.node).map_err(of)?),
                "target_latency" => {
                    let text = entry.node.text().ok_or_else(|| of("write a length of time such as 200ms".to_owned()))?;
                    let time = duration::parse(text).map_err(of)?;
                    if time.is_zero() {
                        return Err(of("write a length of time above 0".to_owned()));
                    }
                    knobs.target_latency = Some(time);
                }
                "target_rate" => {
                    let rate = Quota::deserialize(entry.node.value());
                    knobs.target_rate = Some(rate.map_err(|_| of("write a rate such as 50/s".to_owned()))?);
                }
                _ => {
                    let near = did_you_mean(key, KEYS).map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
                    return Err(format!("unknown key `{key}`{near}; there are {}", KEYS.join(", ")));
                }
            }
        }
        let (min, max) = (knobs.min.map_or(1, NonZeroUsize::get), knobs.max.map_or(usize::MAX, NonZeroUsize::get));
        if min > max {
            return Err(format!("`min` is {min} and `max` {max}: the smaller one first"));
        }
        if knobs.initial.is_some_and(|initial| !(min..=max).contains(&initial.get())) {
            return Err("`initial` is not between `min` and `max`".to_owned());
        }
        Ok(knobs)
    }
}

/// `concurrency:` as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Concurrency {
    /// As many as the platform and the server's answers allow, within these.
    Auto(Knobs),
    /// So many.
    Fixed(NonZeroUsize),
}

impl Concurrency {
    /// Reads a number, `auto` or the keys.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(node: &Node) -> Result<Concurrency, String> {
        match &node.kind {
            Kind::Map(_) => Knobs::read(node).map(Concurrency::Auto),
            Kind::Text(text) if text.trim() == "auto" => Ok(Concurrency::Auto(Knobs::default())),
            _ => count(node)
                .map(Concurrency::Fixed)
                .map_err(|_| format!("write auto or a whole number above 0, or keys, not {}", super::sentence::shown(node))),
        }
    }

    /// The number, where it is one.
    pub fn fixed(self) -> Option<NonZeroUsize> {
        match self {
            Concurrency::Fixed(width) => Some(width),
            Concurrency::Auto(_) => None,
        }
    }

    /// The keys, where there are some.
    pub fn knobs(self) -> Knobs {
        match self {
            Concurrency::Fixed(_) => Knobs::default(),
            Concurrency::Auto(knobs) => knobs,
        }
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concurrency::Auto(_) => f.write_str("auto"),
            Concurrency::Fixed(number) => number.fmt(f),
        }
    }
}

/// A whole number above 0.
pub(crate) fn count(node: &Node) -> Result<NonZeroUsize, String> {
    match &node.kind {
        Kind::Number(number) => number.as_u64().and_then(|n| usize::try_from(n).ok()).and_then(NonZeroUsize::new),
        _ => None,
    }
    .ok_or_else(|| format!("write a whole number above 0, not {}", super::sentence::shown(node)))
}
