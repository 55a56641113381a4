//! Lengths of time as people write them: `30s`, `5m`, `1h 30m`, `500ms`.

use std::time::Duration;

/// The units, longest first, with every accepted spelling; the first spelling is the one we write.
const UNITS: [(&[&str], u64); 5] = [
    (&["d", "day", "days"], 86_400_000),
    (&["h", "hr", "hour", "hours"], 3_600_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["s", "sec", "secs", "second", "seconds"], 1000),
    (&["ms", "millis", "milliseconds"], 1),
];

/// Reads `1h 30m`, `90s`, `1.5h`, `500ms`. Usable as clap's value parser.
///
/// # Errors
/// One sentence that says how to write it. A number without a unit is an error: seconds for one reader are minutes for another.
pub fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("\"{text}\" is not a length of time: write it like 30s, 5m, 1h 30m or 500ms (units: ms, s, m, h, d)");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a length of time is missing: write it like 30s, 5m, 1h 30m or 500ms".to_owned());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        if number.is_empty() {
            return Err(bad());
        }
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        if unit.is_empty() {
            return Err(format!(
                "\"{text}\" has no unit: write {number}s for seconds, {number}m for minutes or {number}ms for milliseconds"
            ));
        }
        let unit = unit.to_ascii_lowercase();
        let (_, millis) = UNITS.into_iter().find(|(names, _)| names.contains(&unit.as_str())).ok_or_else(bad)?;
        let number: f64 = number.parse().map_err(|_| bad())?;
        let part = Duration::try_from_secs_f64(number * millis as f64 / 1000.0).map_err(|_| bad())?;
        total = total.checked_add(part).ok_or_else(bad)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// The shortest writing that [`parse`] reads back, down to the millisecond: `1h 30m`, `500ms`, `0s`.
pub fn format(length: Duration) -> String {
    let mut millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (names, unit) in UNITS {
        if millis >= unit {
            parts.push(format!("{}{}", millis / unit, names[0]));
            millis %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_told() {
        for (text, millis, told) in [
            ("30s", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("1h 30m", 5_400_000, "1h 30m"),
            ("1h30m", 5_400_000, "1h 30m"),
            ("1.5h", 5_400_000, "1h 30m"),
            ("500ms", 500, "500ms"),
            (" 2 days ", 172_800_000, "2d"),
            ("0s", 0, "0s"),
            ("90 S", 90_000, "1m 30s"),
        ] {
            let length = parse(text).unwrap();
            assert_eq!(length, Duration::from_millis(millis), "{text}");
            assert_eq!(format(length), told);
            assert_eq!(parse(&format(length)).unwrap(), length);
        }
    }

    #[test]
    fn a_number_without_a_unit_is_told_to_take_one() {
        assert!(parse("30").unwrap_err().contains("has no unit: write 30s"), "{}", parse("30").unwrap_err());
        assert!(parse("1h 30").unwrap_err().contains("has no unit"));
        for text in ["", "s", "-5s", "5 fortnights", "1e9s", "1..5s", "99999999999999999999d", "5s;"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_written_makes_it_panic(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_told_is_read_back(millis in 0u64..10_000_000_000) {
            let length = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse(&format(length)).unwrap(), length);
        }
    }
}
