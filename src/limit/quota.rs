//! A count per time, as written in `limits:`: `14/s`, `50000/1d`, `{ rate: 2/s, per: domain, burst: 5 }`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whose count it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All deliveries of the account together.
    Account,
    /// Each email domain by itself.
    Domain,
    /// Each address (recipient or endpoint) by itself.
    Address,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Deliveries, however many of them share a request.
    #[default]
    Deliveries,
    /// Requests, however many deliveries they carry.
    Requests,
}

/// At most `count` in any `period`, plus the declared burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub count: NonZeroU32,
    /// In how long a window.
    pub period: Duration,
    /// Whose.
    pub scope: Scope,
    /// How many may leave at once; by default one hundredth of a second's worth, at least 1 (not governor's default, which is `count`).
    pub burst: NonZeroU32,
    /// Of what.
    pub of: Unit,
    /// Only for addresses that begin with this character; for every address where it is `None`. Looked at where `scope` is `Address`.
    pub begins: Option<char>,
}

impl Quota {
    /// `count` per `period` for the scope, with the default burst.
    pub fn new(count: NonZeroU32, period: Duration, scope: Scope) -> Self {
        let hundredth = f64::from(count.get()) / period.as_secs_f64().max(1e-9) / 100.0;
        // In range by the clamp; a burst above the count itself would make the window meaningless.
        let burst = hundredth.clamp(1.0, f64::from(count.get())) as u32;
        Quota {
            count,
            period,
            scope,
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
            of: Unit::Deliveries,
            begins: None,
        }
    }

    /// Whether it counts what goes to this address.
    pub fn concerns(&self, address: &str) -> bool {
        self.begins.is_none_or(|first| address.starts_with(first))
    }

    /// A window so long that what it allows is not spread out evenly: more than a minute.
    pub fn rolls(&self) -> bool {
        self.period > Duration::from_secs(60)
    }

    /// Time between two deliveries at the full rate.
    pub fn interval(&self) -> Duration {
        self.period / self.count.get()
    }
}

/// Why a rate could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a rate: write COUNT/TIME, such as 14/s, 100/min, 50000/1d or 5/10s (units: ms, s, min, h, d)")]
pub struct BadRate(pub String);

impl FromStr for Quota {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadRate(text.to_owned());
        let (count, time) = text.split_once('/').ok_or_else(bad)?;
        let count: u32 = count.trim().replace('_', "").parse().map_err(|_| bad())?;
        let count = NonZeroU32::new(count).ok_or_else(bad)?;
        let time = time.trim();
        let digits = time.len() - time.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = time.split_at(digits);
        let number: u32 = if number.is_empty() { 1 } else { number.parse().map_err(|_| bad())? };
        let unit = match unit.trim() {
            "ms" => Duration::from_millis(1),
            "s" | "sec" | "second" => Duration::from_secs(1),
            "m" | "min" | "minute" => Duration::from_secs(60),
            "h" | "hour" => Duration::from_secs(3600),
            "d" | "day" => Duration::from_secs(86_400),
            _ => return Err(bad()),
        };
        let period = unit.checked_mul(number).filter(|p| !p.is_zero()).ok_or_else(bad)?;
        Ok(Quota::new(count, period, Scope::Account))
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.period.as_millis();
        let (number, unit) = match millis {
            n if n % 86_400_000 == 0 => (n / 86_400_000, "d"),
            n if n % 3_600_000 == 0 => (n / 3_600_000, "h"),
            n if n % 60_000 == 0 => (n / 60_000, "min"),
            n if n % 1000 == 0 => (n / 1000, "s"),
            n => (n, "ms"),
        };
        let number = if number == 1 { String::new() } else { number.to_string() };
        write!(f, "{}/{number}{unit}", self.count)?;
        if self.of == Unit::Requests {
            f.write_str(" requests")?;
        }
        match self.scope {
            Scope::Account => Ok(()),
            Scope::Domain => f.write_str(" per domain"),
            Scope::Address => f.write_str(" per address"),
        }?;
        self.begins.map_or(Ok(()), |first| write!(f, " that begins with {first}"))
    }
}

/// In the long form that [`Quota`] reads, so that nothing of it is lost on the way through a manifest.
impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rate = Quota { scope: Scope::Account, of: Unit::Deliveries, begins: None, ..*self }.to_string();
        let mut map = serializer.serialize_struct("Quota", 4 + usize::from(self.begins.is_some()))?;
        map.serialize_field("rate", &rate)?;
        map.serialize_field("per", &self.scope)?;
        map.serialize_field("burst", &self.burst)?;
        map.serialize_field("of", &self.of)?;
        if let Some(first) = self.begins {
            map.serialize_field("begins", &first)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            rate: String,
            #[serde(default)]
            per: Option<Scope>,
            #[serde(default)]
            burst: Option<NonZeroU32>,
            #[serde(default)]
            of: Unit,
            #[serde(default)]
            begins: Option<char>,
        }
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a rate such as 14/s, or { rate: 2/s, per: account|domain|address, burst: 5, of: deliveries|requests }"
        )]
        enum Written {
            Short(String),
            Full(Full),
        }
        let full = match Written::deserialize(deserializer)? {
            Written::Short(rate) => Full { rate, per: None, burst: None, of: Unit::Deliveries, begins: None },
            Written::Full(full) => full,
        };
        let mut quota: Quota = full.rate.parse().map_err(serde::de::Error::custom)?;
        quota.scope = full.per.unwrap_or(Scope::Account);
        quota.burst = full.burst.unwrap_or(quota.burst);
        quota.of = full.of;
        quota.begins = full.begins;
        Ok(quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_told() {
        for (text, count, seconds) in [("14/s", 14, 1), ("50000/1d", 50_000, 86_400), ("100/min", 100, 60), ("5/10s", 5, 10)] {
            let quota: Quota = text.parse().unwrap();
            assert_eq!((quota.count.get(), quota.period), (count, Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "0/s", "5/", "5/fortnight", "-1/s", "5/0s"] {
            assert!(text.parse::<Quota>().is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_quota_is_lost_in_a_manifest() {
        for (text, scope, burst) in [("5/10s", Scope::Domain, 7), ("14/s", Scope::Account, 1), ("3/1500ms", Scope::Address, 2)] {
            let burst = NonZeroU32::new(burst).unwrap();
            let begins = (scope == Scope::Address).then_some('-');
            let quota = Quota { scope, burst, begins, ..text.parse().unwrap() };
            let kept = serde_json::to_string(&quota).unwrap();
            assert_eq!(serde_json::from_str::<Quota>(&kept).unwrap(), quota, "{kept}");
        }
    }

    #[test]
    fn the_default_burst_is_a_hundredth_of_a_second() {
        assert_eq!("1000/s".parse::<Quota>().unwrap().burst.get(), 10);
        assert_eq!("14/s".parse::<Quota>().unwrap().burst.get(), 1);
    }
}
