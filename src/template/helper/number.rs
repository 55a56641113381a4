//! Numbers, money and percent, on decimal text: no value passes through binary fractions.

use serde_json::Value;

use crate::template::helper::args::{Args, text_of};

/// A decimal number as its digits.
struct Decimal {
    negative: bool,
    /// Digits before the point, without leading zeros, at least one.
    whole: String,
    /// Digits after it.
    part: String,
}

/// Digits that a number may have in all; more is not a number that anybody sends.
const MOST_DIGITS: usize = 60;

impl Decimal {
    fn read(value: &Value) -> Result<Decimal, String> {
        let given = text_of(value);
        let not = || format!("`{}` is not a number", given.chars().take(40).collect::<String>());
        let text = given.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        // Thousands may already be marked, as people do it: 1,234.5
        let marked = digits.contains(',');
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if marked && !grouped(whole) {
            return Err(not());
        }
        let whole: String = whole.chars().filter(|c| *c != ',').collect();
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty())
            || !all_digits(&whole)
            || !all_digits(part)
            || whole.len() + part.len() > MOST_DIGITS
        {
            // Exponents, as typed JSON numbers may have them.
            let float = text
                .parse::<f64>()
                .ok()
                .filter(|n| n.is_finite() && n.abs() < 1e15 && text.contains(['e', 'E']))
                .ok_or_else(not)?;
            return Decimal::read(&Value::from(format!("{float}")));
        }
        let whole = whole.trim_start_matches('0');
        Ok(Decimal { negative, whole: if whole.is_empty() { "0".to_owned() } else { whole.to_owned() }, part: part.to_owned() })
    }

    /// Rounded half away from zero to so many digits after the point.
    fn round(mut self, places: usize) -> Decimal {
        if self.part.len() <= places {
            self.part.push_str(&"0".repeat(places - self.part.len()));
            return self;
        }
        let up = self.part.as_bytes()[places] >= b'5';
        let mut digits: Vec<u8> = self.whole.bytes().chain(self.part.bytes().take(places)).collect();
        if up {
            let mut i = digits.len();
            loop {
                if i == 0 {
                    digits.insert(0, b'1');
                    break;
                }
                i -= 1;
                if digits[i] == b'9' {
                    digits[i] = b'0';
                } else {
                    digits[i] += 1;
                    break;
                }
            }
        }
        let text = String::from_utf8_lossy(&digits).into_owned();
        let cut = text.len() - places;
        self.whole = text[..cut].to_owned();
        self.part = text[cut..].to_owned();
        self
    }

    fn write(&self, group: &str, point: &str) -> String {
        let mut out = String::new();
        let zero = self.whole.bytes().chain(self.part.bytes()).all(|b| b == b'0');
        if self.negative && !zero {
            out.push('-');
        }
        for (i, digit) in self.whole.chars().enumerate() {
            if i > 0 && (self.whole.len() - i).is_multiple_of(3) {
                out.push_str(group);
            }
            out.push(digit);
        }
        if !self.part.is_empty() {
            out.push_str(point);
            out.push_str(&self.part);
        }
        out
    }
}

fn grouped(whole: &str) -> bool {
    let mut groups = whole.split(',');
    groups.next().is_some_and(|first| (1..=3).contains(&first.len())) && groups.all(|group| group.len() == 3)
}

/// How thousands and the decimal point are written in a language.
fn marks(locale: Option<&str>) -> Result<(&'static str, &'static str), String> {
    let language = locale.unwrap_or("en");
    match language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "en" | "zh" | "ja" | "ko" | "th" => Ok((",", ".")),
        "de" | "es" | "it" | "nl" | "pt" | "id" | "tr" | "da" => Ok((".", ",")),
        "fr" | "ru" | "pl" | "sv" | "nb" | "fi" | "cs" | "uk" => Ok(("\u{a0}", ",")),
        _ => Err(format!(
            "numbers in the locale `{language}` are not known; en, zh, ja, ko, de, es, it, nl, pt, fr, ru, pl and others are"
        )),
    }
}

fn places(args: &Args, n: Option<usize>) -> Result<Option<usize>, String> {
    let given = args.named("decimals").or_else(|| n.and_then(|n| args.params.get(n).copied()));
    given
        .map(|value| {
            text_of(value).trim().parse().ok().filter(|places| *places <= 20).ok_or_else(|| "decimals must be 0 to 20".to_owned())
        })
        .transpose()
}

/// `{{number amount}}`, `{{number amount 2}}`, `{{number amount decimals=2 locale="de"}}`.
pub(super) fn number(args: &Args) -> Result<Value, String> {
    let decimal = Decimal::read(args.at(0))?;
    let decimal = match places(args, Some(1))? {
        Some(places) => decimal.round(places),
        None => decimal,
    };
    let (group, point) = marks(args.option("locale", usize::MAX).as_deref())?;
    Ok(decimal.write(group, point).into())
}

/// `{{money amount "USD"}}` → $1,234.50. Codes without a sign of their own stand before the number.
pub(super) fn money(args: &Args) -> Result<Value, String> {
    let code = args.option("currency", 1).unwrap_or_else(|| "USD".to_owned()).to_ascii_uppercase();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(format!("`{code}` is not a currency; write its three letters: USD, EUR, CNY"));
    }
    let usual = if matches!(code.as_str(), "JPY" | "KRW" | "VND" | "CLP") { 0 } else { 2 };
    let decimal = Decimal::read(args.at(0))?.round(places(args, None)?.unwrap_or(usual));
    let locale = args.option("locale", usize::MAX);
    let (group, point) = marks(locale.as_deref())?;
    let sign = match code.as_str() {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "CNY" | "JPY" => "¥",
        "KRW" => "₩",
        "INR" => "₹",
        _ => "",
    };
    let written = decimal.write(group, point);
    let (minus, digits) = written.strip_prefix('-').map_or(("", written.as_str()), |digits| ("-", digits));
    Ok(match (sign, point) {
        ("", _) => format!("{code} {written}"),
        (sign, ",") => format!("{minus}{digits}\u{a0}{sign}"),
        (sign, _) => format!("{minus}{sign}{digits}"),
    }
    .into())
}

/// `{{percent 0.253}}` → 25.3%, `{{percent 0.253 0}}` → 25%.
pub(super) fn percent(args: &Args) -> Result<Value, String> {
    let mut decimal = Decimal::read(args.at(0))?;
    let mut part = decimal.part.clone();
    while part.len() < 2 {
        part.push('0');
    }
    decimal.whole.push_str(&part[..2]);
    let whole = decimal.whole.trim_start_matches('0');
    decimal.whole = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    decimal.part = part[2..].to_owned();
    let decimal = match places(args, Some(1))? {
        Some(places) => decimal.round(places),
        None => Decimal { part: decimal.part.trim_end_matches('0').to_owned(), ..decimal },
    };
    Ok(format!("{}%", decimal.write(",", ".")).into())
}
