//! How much a row or a run is worth beside others: low, normal, high, critical.
//!
//! A word and not part of `limit/`, because a row says it of itself.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Weighted, not absolute: who has twice the weight gets twice the share while both wait, and nobody is starved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// What can wait.
    Low,
    /// What nobody said anything about.
    #[default]
    Normal,
    /// What is wanted soon.
    High,
    /// What somebody is waiting for.
    Critical,
}

impl Priority {
    /// All of them, from the least.
    pub const ALL: [Priority; 4] = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

    /// Its share beside the others: 1, 2, 4, 8.
    pub fn weight(self) -> u32 {
        1 << self as u32
    }

    /// Of a column that may say it as a number too, from 0 for the least.
    ///
    /// # Errors
    /// Neither a word nor one of the numbers.
    pub fn of_cell(text: &str) -> Result<Self, BadPriority> {
        let number = text.trim().parse().ok().and_then(|number: usize| Priority::ALL.get(number).copied());
        number.map_or_else(|| text.parse(), Ok)
    }

    /// The spelling of flags, columns and config.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Critical => "critical",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Each priority's share beside the others, while rows of several wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weights {
    /// Of low.
    pub low: NonZeroU32,
    /// Of normal.
    pub normal: NonZeroU32,
    /// Of high.
    pub high: NonZeroU32,
    /// Of critical.
    pub critical: NonZeroU32,
}

impl Default for Weights {
    fn default() -> Self {
        let of = |priority: Priority| NonZeroU32::new(priority.weight()).unwrap_or(NonZeroU32::MIN);
        let [low, normal, high, critical] = Priority::ALL.map(of);
        Weights { low, normal, high, critical }
    }
}

impl Weights {
    /// That of this priority.
    pub fn of(&self, priority: Priority) -> NonZeroU32 {
        match priority {
            Priority::Low => self.low,
            Priority::Normal => self.normal,
            Priority::High => self.high,
            Priority::Critical => self.critical,
        }
    }
}

/// Who goes before whom in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Precedence {
    /// Of rows that say none of their own.
    pub priority: Priority,
    /// As long as critical rows can go, no others do.
    pub strict: bool,
    /// The shares of the others, or of all.
    pub weights: Weights,
}

/// Some of the priorities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Priorities([bool; 4]);

impl Priorities {
    /// All four.
    pub const ALL: Priorities = Priorities([true; 4]);

    /// Only this one.
    pub fn only(priority: Priority) -> Self {
        let mut some = Priorities::default();
        some.insert(priority);
        some
    }

    /// With this one too.
    pub fn insert(&mut self, priority: Priority) {
        self.0[priority as usize] = true;
    }

    /// With those too.
    pub fn extend(&mut self, others: Priorities) {
        Priority::ALL.into_iter().filter(|priority| others.contains(*priority)).for_each(|priority| self.insert(priority));
    }

    /// Whether this one is among them.
    pub fn contains(self, priority: Priority) -> bool {
        self.0[priority as usize]
    }

    /// Whether any of those is among them.
    pub fn meets(self, others: Priorities) -> bool {
        Priority::ALL.into_iter().any(|priority| self.contains(priority) && others.contains(priority))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Priorities::default()
    }
}

/// A word that is no priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a priority: write low, normal, high or critical")]
pub struct BadPriority(pub String);

impl FromStr for Priority {
    type Err = BadPriority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim();
        let found = Priority::ALL.into_iter().find(|priority| priority.as_str().eq_ignore_ascii_case(word));
        found.ok_or_else(|| BadPriority(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_read_and_told_and_doubles() {
        for (priority, weight) in Priority::ALL.into_iter().zip([1, 2, 4, 8]) {
            assert_eq!(priority.weight(), weight);
            assert_eq!(priority.to_string().parse(), Ok(priority));
            assert_eq!(serde_json::to_value(priority).unwrap(), priority.as_str());
        }
        assert_eq!(" High ".parse(), Ok(Priority::High));
        assert_eq!((Priority::of_cell("3"), Priority::of_cell("low")), (Ok(Priority::Critical), Ok(Priority::Low)));
        assert!(Priority::of_cell("4").is_err() && Priority::of_cell("-1").is_err());
        assert!("urgent".parse::<Priority>().unwrap_err().to_string().contains("low, normal, high or critical"));
        assert!(Priority::Critical > Priority::Low);
    }
}
