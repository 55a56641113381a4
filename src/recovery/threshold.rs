//! `--halt-on-failures`: how many failures are too many for the run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many failures, or such a share of what was settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// `50`: the fiftieth failure stops the run.
    Count(u64),
    /// `5%`: more than this share, from 0 to 1.
    Share(f64),
}

impl Threshold {
    /// Whether `failed` of `settled` are too many. A share needs `least` rows before it means anything.
    pub fn is_passed(self, failed: u64, settled: u64, least: u64) -> bool {
        match self {
            Threshold::Count(most) => failed >= most,
            Threshold::Share(share) => settled >= least.max(1) && failed as f64 > share * settled as f64,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is neither a share such as 5% nor a number above 0");
        let trimmed = text.trim();
        match trimmed.strip_suffix('%') {
            Some(number) => match number.trim().parse::<f64>() {
                Ok(percent) if (0.0..100.0).contains(&percent) => Ok(Threshold::Share(percent / 100.0)),
                Ok(percent) if percent.is_finite() => Err(format!("{trimmed} is no share: write 0% to 99.9%")),
                _ => Err(bad()),
            },
            None => trimmed.parse().ok().filter(|count| *count > 0).map(Threshold::Count).ok_or_else(bad),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Threshold::Count(count) => count.fmt(f),
            Threshold::Share(share) => write!(f, "{}%", (share * 1e6).round() / 1e4),
        }
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_or_a_number_is_read_and_told() {
        for (text, told) in [("5%", "5%"), (" 0.5 %", "0.5%"), ("50", "50"), ("0%", "0%")] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.to_string(), told);
            assert_eq!(serde_json::from_value::<Threshold>(serde_json::to_value(threshold).unwrap()).unwrap(), threshold);
        }
        for text in ["", "%", "-5%", "100%", "5 percent", "0", "-1", "1.5", "nan%", "inf%"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_needs_enough_rows_and_a_number_does_not() {
        let share = Threshold::Share(0.05);
        assert!(!share.is_passed(40, 49, 50), "too few to say");
        assert!(share.is_passed(40, 50, 50));
        assert!(!share.is_passed(5, 100, 50), "exactly the share is not more than it");
        assert!(share.is_passed(6, 100, 50));
        assert!(!Threshold::Share(0.0).is_passed(0, 0, 0));
        assert!(Threshold::Count(3).is_passed(3, 3, 50) && !Threshold::Count(3).is_passed(2, 100, 50));
    }
}
