//! What a message costs, as `cost:` of an account says it, and what many cost together: exact, each currency by itself.
//!
//! Amounts are whole billionths of a currency's unit, so that a thousandth of a cent a thousand times is a cent.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Billionths in one.
const ONE: u128 = 1_000_000_000;
/// Digits behind the point that an amount may have: a thousand of the smallest are still whole.
const DIGITS: usize = 6;

/// An amount without its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(u128);

impl Money {
    /// So many times this.
    #[must_use]
    pub fn times(self, count: u64) -> Money {
        Money(self.0.saturating_mul(u128::from(count)))
    }

    /// Both together.
    #[must_use]
    pub fn and(self, more: Money) -> Money {
        Money(self.0.saturating_add(more.0))
    }

    /// For JSON: the nearest number.
    pub fn number(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is not an amount: write 0.045 or 1200, with at most {DIGITS} digits behind the point");
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > DIGITS || whole.len() > 12 {
            return Err(bad());
        }
        let whole: u128 = whole.parse().map_err(|_| bad())?;
        let part: u128 = format!("{part:0<9}").parse().map_err(|_| bad())?;
        Ok(Money(whole * ONE + part))
    }
}

/// `1,200.00`; what is less than one is told to the ten-thousandth.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0 != 0 && self.0 < ONE { 4 } else { 2 };
        let step = 10u128.pow(9 - digits);
        // Rounded up: nobody is told less than it costs.
        let rounded = self.0.div_ceil(step);
        let (whole, part) = (rounded / 10u128.pow(digits), rounded % 10u128.pow(digits));
        let whole = whole.to_string();
        for (at, digit) in whole.char_indices() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, ".{part:0width$}", width = digits as usize)
    }
}

/// Three letters, such as `CNY`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency(String);

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            true => Ok(Currency(text.to_ascii_uppercase())),
            false => Err(format!("\"{text}\" is not a currency: write three letters, such as CNY, EUR or USD")),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Each part of an SMS; other messages have one.
    Part,
    /// Each message.
    Message,
    /// A thousand messages.
    Thousand,
}

/// `cost:` of an account: `0.045 CNY`, or `{ amount: 0.8, currency: USD, per: 1000 }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// For one of `per`.
    pub amount: Money,
    /// In which money.
    pub currency: Currency,
    /// For what: `0.045 CNY` alone is for each part.
    pub per: Per,
}

impl Cost {
    /// What so many messages of so many parts cost.
    pub fn of(&self, messages: u64, parts: u64) -> Money {
        match self.per {
            Per::Part => self.amount.times(parts),
            Per::Message => self.amount.times(messages),
            Per::Thousand => Money(self.amount.times(messages).0 / 1000),
        }
    }
}

/// `0.045 CNY per part`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Part => "part",
            Per::Message => "message",
            Per::Thousand => "1000",
        };
        write!(f, "{} {} per {per}", self.amount.number(), self.currency)
    }
}

impl FromStr for Cost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (amount, currency) = text.trim().split_once(char::is_whitespace).ok_or_else(|| {
            format!("\"{text}\" is not a cost: write 0.045 CNY, or {{ amount: 0.8, currency: USD, per: 1000 }}")
        })?;
        Ok(Cost { amount: amount.parse()?, currency: currency.trim().parse()?, per: Per::Part })
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            amount: Word,
            currency: String,
            per: Option<Word>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Word {
            Text(String),
            Number(serde_json::Number),
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a cost such as 0.045 CNY, or { amount: 0.8, currency: USD, per: part, message or 1000 }")]
        enum Written {
            Short(String),
            Full(Full),
        }
        let text = |word: &Word| match word {
            Word::Text(text) => text.clone(),
            Word::Number(number) => number.to_string(),
        };
        let wrong = |what: String| <D::Error as serde::de::Error>::custom(what);
        match Written::deserialize(deserializer)? {
            Written::Short(text) => text.parse().map_err(wrong),
            Written::Full(full) => {
                let per = match full.per.as_ref().map(text).as_deref() {
                    None | Some("part") => Per::Part,
                    Some("message") => Per::Message,
                    Some("1000") => Per::Thousand,
                    Some(other) => return Err(wrong(format!("`per` is part, message or 1000, not \"{other}\""))),
                };
                let amount = text(&full.amount).parse().map_err(wrong)?;
                Ok(Cost { amount, currency: full.currency.parse().map_err(wrong)?, per })
            }
        }
    }
}

/// What a run costs, in each currency.
pub type Bill = BTreeMap<Currency, Money>;

/// `--max-cost`: `1000`, `1000 CNY`, `1000 CNY, 50 USD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps(Vec<(Money, Option<Currency>)>);

impl FromStr for Caps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut caps: Vec<(Money, Option<Currency>)> = Vec::new();
        for one in text.split(',').map(str::trim) {
            let (amount, currency) = match one.split_once(char::is_whitespace) {
                Some((amount, currency)) => (amount, Some(currency.trim().parse()?)),
                None => (one, None),
            };
            let amount =
                amount.parse::<Money>().map_err(|what| format!("{what}; write 1000, 1000 CNY or \"1000 CNY, 50 USD\""))?;
            if caps.iter().any(|(_, known)| *known == currency) {
                return Err(format!("\"{text}\" says the same currency twice"));
            }
            caps.push((amount, currency));
        }
        Ok(Caps(caps))
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (amount, currency)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", amount.number())?;
            if let Some(currency) = currency {
                write!(f, " {currency}")?;
            }
        }
        Ok(())
    }
}

impl Caps {
    /// Whether a run may cost that. An amount without a currency is for every currency that has none of its own.
    ///
    /// # Errors
    /// One sentence.
    pub fn allow(&self, bill: &Bill) -> Result<(), String> {
        for (currency, cost) in bill {
            let own = self.0.iter().find(|(_, known)| known.as_ref() == Some(currency));
            match own.or_else(|| self.0.iter().find(|(_, known)| known.is_none())) {
                Some((most, _)) if cost > most => {
                    return Err(format!("it would cost {cost} {currency}, more than --max-cost {self}"));
                }
                Some(_) => {}
                None if *cost == Money::default() => {}
                None => return Err(format!("it would cost {cost} {currency}, and --max-cost {self} allows none of {currency}")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(yaml: &str) -> Result<Cost, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cost_is_read_in_both_forms() {
        let short = cost("0.045 CNY").unwrap();
        assert_eq!((short.per, short.to_string().as_str()), (Per::Part, "0.045 CNY per part"));
        assert_eq!(cost("{ amount: 0.045, currency: cny }").unwrap(), short);
        assert_eq!(cost("{ amount: '1', currency: USD, per: 1000 }").unwrap().per, Per::Thousand);
        assert_eq!(cost("{ amount: 2, currency: USD, per: message }").unwrap().of(3, 9).to_string(), "6.00");
        for bad in [
            "0.045",
            "CNY 0.045",
            "0.0450001 CNY",
            "-1 CNY",
            "1e3 CNY",
            "{ amount: 1, currency: YUAN }",
            "{ amount: 1, currency: CNY, per: row }",
        ] {
            assert!(cost(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sums_are_exact_and_told_rounded_up() {
        let cost = cost("{ amount: 0.1, currency: USD, per: 1000 }").unwrap();
        assert_eq!(cost.of(1_000_000, 0).to_string(), "100.00");
        assert_eq!(cost.of(1, 1).to_string(), "0.0001");
        assert_eq!(super::Money::from_str("0.045").unwrap().times(26_667).to_string(), "1,200.02");
        assert_eq!(Money::default().to_string(), "0.00");
        assert_eq!(Money::from_str("1234567.891").unwrap().to_string(), "1,234,567.90");
    }

    #[test]
    fn caps_hold_for_each_currency() {
        let bill = |all: &[(&str, &str)]| {
            all.iter().map(|(currency, money)| (currency.parse().unwrap(), money.parse().unwrap())).collect::<Bill>()
        };
        let allow = |caps: &str, all: &[(&str, &str)]| caps.parse::<Caps>().unwrap().allow(&bill(all));
        assert_eq!(allow("1000", &[("CNY", "1200")]).unwrap_err(), "it would cost 1,200.00 CNY, more than --max-cost 1000");
        assert!(allow("1200", &[("CNY", "1200"), ("USD", "3")]).is_ok());
        assert!(allow("1200 CNY", &[("CNY", "1200"), ("USD", "0")]).is_ok());
        assert!(allow("1200 CNY", &[("CNY", "1"), ("USD", "0.01")]).unwrap_err().contains("allows none of USD"));
        assert!(allow("1200 CNY, 5 USD", &[("CNY", "1"), ("USD", "5.01")]).unwrap_err().contains("5.01 USD, more than"));
        assert!(allow("0", &[]).is_ok());
        for bad in ["", "much", "5 CNY, 6 CNY", "5,6", "5 yuan"] {
            assert!(bad.parse::<Caps>().is_err(), "{bad}");
        }
    }
}
