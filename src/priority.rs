//! How much a row or a run is worth beside others: low, normal, high, critical.

use std::fmt;
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
        assert!("urgent".parse::<Priority>().unwrap_err().to_string().contains("low, normal, high or critical"));
        assert!(Priority::Critical > Priority::Low);
    }
}
