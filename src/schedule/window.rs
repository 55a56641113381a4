//! Windows of the week: `Mon-Fri 08:00-18:00; Sat 09:00-12:00`. Whether one is open is read off the clock on the wall of a time zone.
//!
//! The days name the day on which a window begins; one that ends before it begins (`22:00-06:00`) ends on the next. Where clocks
//! change, what the clock shows decides: an hour that is skipped is nobody's, one that comes twice is open twice.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Some windows; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// Monday is bit 0.
    days: u8,
    begin: Time,
    /// `None` is midnight at the end of the day.
    end: Option<Time>,
}

const DAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];
const EVERY_DAY: u8 = 0b111_1111;

impl Windows {
    /// Reads `Mon-Fri 08:00-18:00`, several separated by `;` or `,`; without days it is every day. `Mon,Wed 08:00-12:00` is two days.
    ///
    /// # Errors
    /// One sentence that says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Windows, String> {
        let mut windows = Vec::new();
        for list in text.split(';') {
            // Days without times belong to what follows: `Mon,Wed 08:00-12:00`.
            let mut waiting = 0u8;
            let pieces = list.split(',').map(str::trim).filter(|piece| !piece.is_empty());
            for piece in pieces {
                let (days, times) = match piece.find(|letter: char| letter.is_ascii_digit()) {
                    Some(at) => (piece[..at].trim(), Some(piece[at..].trim())),
                    None => (piece, None),
                };
                let days = if days.is_empty() { 0 } else { read_days(days).map_err(|why| told(text, &why))? };
                let Some(times) = times else {
                    waiting |= days;
                    continue;
                };
                let (begin, end) = read_times(times).map_err(|why| told(text, &why))?;
                let days = waiting | days;
                windows.push(Window { days: if days == 0 { EVERY_DAY } else { days }, begin, end });
                waiting = 0;
            }
            if waiting != 0 {
                return Err(told(text, "days without a time"));
            }
        }
        if windows.is_empty() {
            return Err(told(text, "nothing in it"));
        }
        Ok(Windows(windows))
    }

    /// Whether one is open when the clock on the wall shows this.
    pub fn contain(&self, local: DateTime) -> bool {
        let (time, today) = (local.time(), bit(local.date().weekday()));
        let yesterday = bit(local.date().weekday().previous());
        self.0.iter().any(|window| match window.end {
            Some(end) if end <= window.begin => {
                (window.days & today != 0 && time >= window.begin) || (window.days & yesterday != 0 && time < end)
            }
            end => window.days & today != 0 && time >= window.begin && end.is_none_or(|end| time < end),
        })
    }

    /// Whether one is open at that moment in that zone.
    pub fn are_open(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.contain(zone.to_datetime(at))
    }

    /// The first moment after `at` at which that changes: it opens, or closes. `None`: never, because some window is always open.
    pub fn next_change(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let open = self.are_open(at, zone);
        let today = zone.to_datetime(at).date();
        let mut moments = Vec::new();
        // A week and a day on either side: whatever happens in this calendar happens within one week, and zones turn days.
        for offset in -1..=8 {
            let Ok(day) = today.checked_add(offset.days()) else { continue };
            for window in &self.0 {
                let ends = window.end.unwrap_or(Time::midnight());
                for time in [window.begin, ends] {
                    let moment = zone.to_ambiguous_timestamp(day.to_datetime(time));
                    moments.extend([moment.earlier(), moment.later()].into_iter().flatten());
                }
            }
        }
        // Where clocks change it can open or close without its hour having struck.
        let until = at.checked_add(SignedDuration::from_hours(9 * 24)).unwrap_or(Timestamp::MAX);
        let changes = zone.following(at).map(|change| change.timestamp()).take_while(|change| *change < until);
        moments.extend(changes);
        moments.into_iter().filter(|moment| *moment > at && self.are_open(*moment, zone) != open).min()
    }

    /// When one is open for the first time, from `at` on; `at` itself, where one is.
    pub fn opening(&self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        // Windows of a week that is never open would have no time in it; `parse` refuses those. Where clocks skip a whole window, it is
        // the next one.
        if self.are_open(at, zone) { at } else { self.next_change(at, zone).unwrap_or(Timestamp::MAX) }
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn told(text: &str, why: &str) -> String {
    format!(
        "\"{text}\" is no window: {why}; write it like \"Mon-Fri 08:00-18:00\", several separated by ; (22:00-06:00 ends on the next day)"
    )
}

fn read_day(word: &str) -> Result<Weekday, String> {
    let small = word.trim().to_ascii_lowercase();
    let found = DAYS
        .iter()
        .find(|(short, long, _)| small == *short || (small.len() > 1 && long.starts_with(small.as_str())) || small == *long);
    found.map(|(.., day)| *day).ok_or_else(|| format!("\"{}\" is no day (Mon Tue Wed Thu Fri Sat Sun)", word.trim()))
}

fn read_days(text: &str) -> Result<u8, String> {
    let mut days = 0;
    for word in text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" - ", "-").split(' ') {
        match word.split_once(['-', '\u{2013}']) {
            Some((from, to)) => {
                let (mut day, last) = (read_day(from)?, read_day(to)?);
                days |= bit(day);
                while day != last {
                    day = day.next();
                    days |= bit(day);
                }
            }
            None => days |= bit(read_day(word)?),
        }
    }
    Ok(days)
}

fn read_times(text: &str) -> Result<(Time, Option<Time>), String> {
    let Some((begin, end)) = text.split_once(['-', '\u{2013}']) else {
        return Err(format!("\"{text}\" is no span of time"));
    };
    let begin = read_time(begin)?.ok_or_else(|| "a window cannot begin at 24:00".to_owned())?;
    let end = read_time(end)?.filter(|end| *end != Time::midnight());
    if end == Some(begin) {
        return Err("it begins when it ends (00:00-24:00 is the whole day)".to_owned());
    }
    Ok((begin, end))
}

/// `08:00`; `None` is 24:00.
fn read_time(text: &str) -> Result<Option<Time>, String> {
    let text = text.trim();
    let bad = || format!("\"{text}\" is no time of day (08:00)");
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let two = |part: &str| -> Option<i8> {
        let fits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if fits { part.parse().ok() } else { None }
    };
    match (two(hour), two(minute).filter(|_| minute.len() == 2)) {
        (Some(24), Some(0)) => Ok(None),
        (Some(hour), Some(minute)) => Time::new(hour, minute, 0, 0).map(Some).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn open(windows: &str, local: &str) -> bool {
        Windows::parse(windows).unwrap().contain(local.parse().unwrap())
    }

    #[test]
    fn a_window_is_open_on_its_days_from_its_first_minute_to_its_last() {
        let week = "Mon-Fri 08:00-18:00";
        for (local, is) in [
            ("2026-11-23T07:59:59", false), // a Monday
            ("2026-11-23T08:00", true),
            ("2026-11-23T17:59:59.999", true),
            ("2026-11-23T18:00", false),
            ("2026-11-27T12:00", true),
            ("2026-11-28T12:00", false), // Saturday
            ("2026-11-29T12:00", false),
        ] {
            assert_eq!(open(week, local), is, "{local}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let night = "Fri 22:00-06:00";
        for (local, is) in [
            ("2026-11-27T21:59", false),
            ("2026-11-27T22:00", true),
            ("2026-11-28T05:59", true), // Saturday morning
            ("2026-11-28T06:00", false),
            ("2026-11-28T22:00", false),
            ("2026-11-27T05:00", false), // Friday morning is Thursday's
        ] {
            assert_eq!(open(night, local), is, "{local}");
        }
        assert!(open("Sun 23:00-01:00", "2026-11-30T00:30"), "over the end of the week");
        assert!(open("22:00-06:00", "2026-11-25T03:00"), "every day");
    }

    #[test]
    fn lists_of_windows_and_days() {
        for (windows, local, is) in [
            ("Mon-Fri 08:00-12:00; Sat 09:00-10:00", "2026-11-28T09:30", true),
            ("Mon-Fri 08:00-12:00, 13:00-18:00", "2026-11-28T13:30", true),
            ("Mon,Wed 08:00-12:00", "2026-11-23T09:00", true),
            ("Mon,Wed 08:00-12:00", "2026-11-24T09:00", false),
            ("Mon,Wed 08:00-12:00", "2026-11-25T09:00", true),
            ("Mon Wed 08:00-12:00", "2026-11-25T09:00", true),
            ("fri-mon 8:00-9:00", "2026-11-29T08:30", true),
            ("fri-mon 8:00-9:00", "2026-11-24T08:30", false),
            ("Mo-We,Th 8-9", "2026-11-26T08:30", true),
            ("Thursday 8-9", "2026-11-26T08:59", true),
            ("Mon - Fri 20:00-24:00", "2026-11-23T23:59:59", true),
            ("Mon 20:00-00:00", "2026-11-24T00:00", false),
            ("00:00-24:00", "2026-11-24T00:00", true),
        ] {
            assert_eq!(open(windows, local), is, "{windows} at {local}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, why) in [
            ("", "nothing in it"),
            (" ; ", "nothing in it"),
            ("Mon-Fri", "days without a time"),
            ("Mx 08:00-18:00", "\"Mx\" is no day"),
            ("Mon-Fri 08:00", "no span"),
            ("Mon 08:00-25:00", "\"25:00\" is no time"),
            ("Mon 08:60-09:00", "\"08:60\" is no time"),
            ("Mon 24:00-09:00", "cannot begin at 24:00"),
            ("Mon 08:00-08:00", "begins when it ends"),
            ("Mon 8h-9h", "\"8h\" is no time"),
        ] {
            let told = Windows::parse(text).unwrap_err();
            assert!(told.contains(why) && told.contains("write it like"), "{text}: {told}");
        }
    }

    fn next(windows: &str, at: &str, name: &str) -> Option<String> {
        let at: Timestamp = at.parse().unwrap();
        Windows::parse(windows).unwrap().next_change(at, &zone(name)).map(|moment| moment.to_string())
    }

    #[test]
    fn it_opens_and_closes_by_the_clock_of_the_zone() {
        let week = "Mon-Fri 08:00-18:00";
        assert_eq!(next(week, "2026-11-27T16:00:00Z", "Europe/Berlin").unwrap(), "2026-11-27T17:00:00Z", "closes on Friday");
        assert_eq!(next(week, "2026-11-27T17:00:00Z", "Europe/Berlin").unwrap(), "2026-11-30T07:00:00Z", "opens on Monday");
        assert_eq!(next(week, "2026-11-29T23:00:00Z", "Asia/Shanghai").unwrap(), "2026-11-30T00:00:00Z", "it is Monday there");
        assert_eq!(next("00:00-24:00", "2026-11-29T23:00:00Z", "UTC"), None);
        assert_eq!(next("Mon-Sun 00:00-12:00; 12:00-24:00", "2026-11-29T23:00:00Z", "UTC"), None, "one follows the other");
    }

    #[test]
    fn an_hour_that_is_skipped_is_nobodys_and_one_that_comes_twice_is_open_twice() {
        let berlin = "Europe/Berlin";
        // 29 March 2026, 01:00Z: from 02:00 to 03:00 at once.
        assert_eq!(
            next("02:30-03:30", "2026-03-29T00:00:00Z", berlin).unwrap(),
            "2026-03-29T01:00:00Z",
            "opens at once at 03:00"
        );
        assert_eq!(next("02:30-03:30", "2026-03-29T01:00:00Z", berlin).unwrap(), "2026-03-29T01:30:00Z");
        assert_eq!(next("01:00-02:30", "2026-03-29T00:30:00Z", berlin).unwrap(), "2026-03-29T01:00:00Z", "closes at 03:00");
        assert_eq!(next("02:10-02:20", "2026-03-28T12:00:00Z", berlin).unwrap(), "2026-03-30T00:10:00Z", "not that night");
        // 25 October 2026, 01:00Z: 02:00 to 03:00 comes twice.
        let twice = "02:15-02:45";
        assert_eq!(next(twice, "2026-10-25T00:00:00Z", berlin).unwrap(), "2026-10-25T00:15:00Z");
        assert_eq!(next(twice, "2026-10-25T00:15:00Z", berlin).unwrap(), "2026-10-25T00:45:00Z");
        assert_eq!(next(twice, "2026-10-25T00:45:00Z", berlin).unwrap(), "2026-10-25T01:15:00Z", "once more");
        assert_eq!(next(twice, "2026-10-25T01:15:00Z", berlin).unwrap(), "2026-10-25T01:45:00Z");
        // The clock goes back into a window that had closed.
        assert_eq!(next("01:00-02:30", "2026-10-25T00:30:00Z", berlin).unwrap(), "2026-10-25T01:00:00Z");
    }

    #[test]
    fn it_agrees_with_a_walk_minute_by_minute_through_the_days_on_which_clocks_change() {
        for (name, from) in [
            ("Europe/Berlin", "2026-03-28T00:00:00Z"),
            ("Europe/Berlin", "2026-10-24T00:00:00Z"),
            ("America/New_York", "2026-03-07T12:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"), // half an hour
            ("Asia/Shanghai", "2026-01-01T00:00:00Z"),
        ] {
            let zone = zone(name);
            for text in ["Sat-Sun 01:30-02:30", "23:30-02:15", "Sun 02:00-02:01; Sun 03:00-24:00", "Mon-Fri 08:00-18:00"] {
                let windows = Windows::parse(text).unwrap();
                let mut at: Timestamp = from.parse().unwrap();
                let mut told = windows.next_change(at, &zone);
                let mut was = windows.are_open(at, &zone);
                for _ in 0..3 * 24 * 60 {
                    at = at.checked_add(SignedDuration::from_mins(1)).unwrap();
                    let is = windows.are_open(at, &zone);
                    if is != was {
                        assert_eq!(told, Some(at), "{text} in {name}");
                        told = windows.next_change(at, &zone);
                        was = is;
                    }
                    assert!(told.is_none_or(|told| told > at), "{text} in {name}: told to change at {at}, and did not");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_written_makes_it_panic(text in ".{0,40}") {
            let _ = Windows::parse(&text);
        }
    }
}
