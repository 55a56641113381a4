//! A moment as people write it: `2026-11-23T09:00:00+01:00`, `2026-11-23 09:00`, `09:00`, `+2h`.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::config::duration;

/// The moment that `text` names, for whoever stands at `base` in that zone: `+2h` counts from there, `09:00` is the next such time. A
/// time that the clocks skip is the same time by the clock before them, so an hour later; of one that comes twice it is the first.
///
/// # Errors
/// One sentence that says how to write it.
pub fn parse(text: &str, zone: &TimeZone, base: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let bad = || {
        format!(
            "\"{text}\" is not a moment: write it like 2026-11-23T09:00:00+01:00, \"2026-11-23 09:00\", 09:00 (the next one) or +2h"
        )
    };
    if let Some(length) = text.strip_prefix('+') {
        return later(base, duration::parse(length)?).ok_or_else(bad);
    }
    // With an offset, or with the name of a zone in brackets, the text says it all.
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    // A zone that nobody knows must not be passed over.
    if text.contains('[') {
        return Err(bad());
    }
    let at = |local: DateTime| zone.to_ambiguous_timestamp(local).compatible().map_err(|_| bad());
    // A date comes first, and a time alone has colons.
    if text.contains('-') {
        let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
        return at(local.map_err(|_| bad())?);
    }
    if !text.contains(':') {
        return Err(bad());
    }
    let time: Time = text.parse().map_err(|_| bad())?;
    let today = zone.to_datetime(base).date();
    for day in [Some(today), today.tomorrow().ok(), today.tomorrow().and_then(Date::tomorrow).ok()].into_iter().flatten() {
        let moment = at(day.to_datetime(time))?;
        if moment > base {
            return Ok(moment);
        }
    }
    Err(bad())
}

/// So much later; `None` beyond the end of the calendar.
pub fn later(from: Timestamp, length: Duration) -> Option<Timestamp> {
    from.checked_add(SignedDuration::try_from(length).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str, base: &str) -> Result<String, String> {
        parse(text, &TimeZone::get(zone).unwrap(), base.parse().unwrap()).map(|moment| moment.to_string())
    }

    #[test]
    fn every_form_is_read() {
        let base = "2026-11-23T07:30:00Z"; // 08:30 in Berlin
        for (text, moment) in [
            ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z"),
            ("2026-11-24T09:00:00+08:00", "2026-11-24T01:00:00Z"),
            ("2026-11-24T09:00+01:00", "2026-11-24T08:00:00Z"),
            ("2026-11-24T09:00[Asia/Shanghai]", "2026-11-24T01:00:00Z"),
            ("2026-11-24 09:00", "2026-11-24T08:00:00Z"),
            ("2026-11-24T09:00:30", "2026-11-24T08:00:30Z"),
            ("2026-11-24", "2026-11-23T23:00:00Z"),
            ("09:00", "2026-11-23T08:00:00Z"),
            ("08:30", "2026-11-24T07:30:00Z"), // now is not next
            ("08:00", "2026-11-24T07:00:00Z"),
            ("+2h", "2026-11-23T09:30:00Z"),
            ("+1h 30m", "2026-11-23T09:00:00Z"),
            ("+500ms", "2026-11-23T07:30:00.5Z"),
        ] {
            assert_eq!(at(text, "Europe/Berlin", base).as_deref(), Ok(moment), "{text}");
        }
    }

    #[test]
    fn clocks_that_change_are_no_surprise() {
        // 29 March 2026: 02:00 to 03:00 does not exist in Berlin. 25 October: it comes twice.
        assert_eq!(at("2026-03-29 02:30", "Europe/Berlin", "2026-01-01T00:00:00Z").unwrap(), "2026-03-29T01:30:00Z");
        assert_eq!(at("2026-10-25 02:30", "Europe/Berlin", "2026-01-01T00:00:00Z").unwrap(), "2026-10-25T00:30:00Z");
        // Between the two half past twos of that night, the next one is tomorrow's.
        assert_eq!(at("02:30", "Europe/Berlin", "2026-10-25T00:45:00Z").unwrap(), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn what_is_no_moment_is_told_with_the_forms() {
        for text in ["", "tomorrow", "9", "25:00", "2026-13-01 09:00", "+2", "+x", "2026-11-24T09:00[Nowhere/Else]", "17"] {
            let told = at(text, "UTC", "2026-11-23T00:00:00Z").unwrap_err();
            assert!(told.contains("write"), "{text}: {told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_written_makes_it_panic(text in ".{0,40}") {
            let _ = parse(&text, &TimeZone::UTC, Timestamp::UNIX_EPOCH);
        }
    }
}
