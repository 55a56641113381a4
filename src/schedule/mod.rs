//! When something may leave: not before a moment, only inside windows of the week, not once it has expired. Pure: the clock is handed in.
//!
//! All of it is by the clock on the wall, so that a machine that slept knows what time it is. A row may say its own `_send_at` and,
//! in a column, its own time zone.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::recipient::Vars;
use crate::schedule::window::Windows;

pub mod moment;
pub mod window;

/// The column with the time zone of its row, unless `--tz-column` names another.
pub const ZONE: &str = "_tz";
/// The column with the moment before which its row does not leave.
pub const SEND_AT: &str = "_send_at";

/// `--at --window --tz --tz-column --expires`, as a run's manifest keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// The moment before which nothing leaves (RFC 3339), found once when the run was made.
    pub at: Option<String>,
    /// Windows outside of which nothing leaves.
    pub window: Option<String>,
    /// The zone by which moments and windows are read; without it, that of the machine.
    pub tz: Option<String>,
    /// The column that has another one for its row.
    pub tz_column: Option<String>,
    /// Rows that have not left so long after the start, or after their own `_send_at`, do not leave any more.
    pub expires: Option<Duration>,
}

/// Why nothing leaves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// `--at`.
    At,
    /// `--window`.
    Window,
}

/// What one row may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// It may leave.
    Now,
    /// Not before then.
    At(Timestamp),
    /// Never more.
    Expired,
}

/// A schedule, read and ready to be asked.
#[derive(Debug, Clone)]
pub struct Timetable {
    at: Option<Timestamp>,
    windows: Option<Windows>,
    zone: TimeZone,
    column: String,
    /// Windows are asked row by row, because rows have zones of their own.
    by_row: bool,
    expires: Option<Duration>,
    /// From which moment on rows grow old.
    from: Timestamp,
    begun: Timestamp,
}

impl Default for Timetable {
    /// Everything may leave at any time.
    fn default() -> Self {
        Timetable {
            at: None,
            windows: None,
            zone: TimeZone::UTC,
            column: ZONE.to_owned(),
            by_row: false,
            expires: None,
            from: Timestamp::UNIX_EPOCH,
            begun: Timestamp::UNIX_EPOCH,
        }
    }
}

/// The zone of that name.
///
/// # Errors
/// One sentence.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| format!("\"{name}\" is no time zone of this machine: write it like Europe/Berlin or UTC"))
}

impl Timetable {
    /// Reads the schedule of a run that began then, over a list with these columns.
    ///
    /// # Errors
    /// One sentence that names the flag.
    pub fn open(schedule: &Schedule, begun: Timestamp, columns: &[String]) -> Result<Timetable, String> {
        let zone = match &schedule.tz {
            Some(name) => zone(name).map_err(|why| format!("--tz: {why}"))?,
            None => TimeZone::system(),
        };
        let at = schedule.at.as_deref().map(|at| moment::parse(at, &zone, begun).map_err(|why| format!("--at: {why}")));
        let at = at.transpose()?;
        let windows = schedule.window.as_deref().map(|text| Windows::parse(text).map_err(|why| format!("--window: {why}")));
        let column = schedule.tz_column.clone().unwrap_or_else(|| ZONE.to_owned());
        let by_row = schedule.tz_column.is_some() || columns.iter().any(|known| same(known, &column));
        let from = at.map_or(begun, |at| at.max(begun));
        Ok(Timetable { at, windows: windows.transpose()?, zone, column, by_row, expires: schedule.expires, from, begun })
    }

    /// Until when nothing of the run leaves, and why; `None`: it may. Windows in zones of rows are the rows' own matter.
    pub fn closed(&self, now: Timestamp) -> Option<(Timestamp, Why)> {
        if let Some(at) = self.at.filter(|at| *at > now) {
            return Some((at, Why::At));
        }
        let windows = self.windows.as_ref().filter(|_| !self.by_row)?;
        (!windows.are_open(now, &self.zone)).then(|| (windows.opening(now, &self.zone), Why::Window))
    }

    /// Until when what [`Timetable::closed`] says of `now` stays so; `None`: for good.
    pub fn stands_until(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some((until, _)) = self.closed(now) {
            return Some(until);
        }
        self.windows.as_ref().filter(|_| !self.by_row)?.next_change(now, &self.zone)
    }

    /// How long from `now` until the run may begin.
    pub fn ahead(&self, now: Timestamp) -> Duration {
        self.at.and_then(|at| Duration::try_from(at.duration_since(now)).ok()).unwrap_or_default()
    }

    /// Whether rows that were let go before must be asked once more at `now`: they may have expired, or their windows closed.
    pub fn asks_rows(&self, now: Timestamp) -> bool {
        (self.by_row && self.windows.is_some()) || self.has_expired(now)
    }

    /// Whether the first rows have expired.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.oldest().is_some_and(|oldest| oldest <= now)
    }

    /// When the first rows expire, if any do.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.expires.map(|expires| moment::later(self.from, expires).unwrap_or(Timestamp::MAX))
    }

    /// What the row may do now.
    ///
    /// # Errors
    /// A `_send_at` or a time zone that cannot be read: the column, and one sentence.
    pub fn leave(&self, vars: &Vars, now: Timestamp) -> Result<Leave, (String, String)> {
        let zone = || match self.word(vars, &self.column)? {
            Some(name) if self.by_row => zone(&name).map_err(|why| (self.column.clone(), why)),
            _ => Ok(self.zone.clone()),
        };
        let (zoned, own) = (self.by_row, self.word(vars, SEND_AT)?);
        let zone = if zoned || own.is_some() { zone()? } else { self.zone.clone() };
        let own = own.map(|text| moment::parse(&text, &zone, self.begun).map_err(|why| (SEND_AT.to_owned(), why))).transpose()?;
        let from = own.map_or(self.from, |own| own.max(self.from));
        if let Some(expires) = self.expires
            && moment::later(from, expires).is_some_and(|end| end <= now)
        {
            return Ok(Leave::Expired);
        }
        let mut earliest = own.map_or(now, |own| own.max(now));
        if let Some(windows) = self.windows.as_ref().filter(|_| self.by_row) {
            earliest = windows.opening(earliest, &zone);
        }
        Ok(if earliest > now { Leave::At(earliest) } else { Leave::Now })
    }

    /// What stands in that column, whatever its case.
    fn word(&self, vars: &Vars, column: &str) -> Result<Option<String>, (String, String)> {
        let value = vars.get(column).or_else(|| vars.iter().find(|(name, _)| same(name, column)).map(|(_, value)| value));
        match value {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(_) => Err((column.to_owned(), "write it as text".to_owned())),
        }
    }
}

fn same(name: &str, column: &str) -> bool {
    name.trim().eq_ignore_ascii_case(column.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(pairs: &[(&str, &str)]) -> Vars {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    fn table(schedule: Schedule, columns: &[&str]) -> Timetable {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        Timetable::open(&schedule, at("2026-11-27T10:00:00Z"), &columns).unwrap()
    }

    fn utc(schedule: Schedule) -> Schedule {
        Schedule { tz: Some("UTC".into()), ..schedule }
    }

    #[test]
    fn first_the_moment_then_the_windows() {
        let table = table(
            utc(Schedule {
                at: Some("2026-11-27T18:30:00Z".into()),
                window: Some("Mon-Fri 08:00-18:00".into()),
                ..Schedule::default()
            }),
            &[],
        );
        assert_eq!(table.closed(at("2026-11-27T12:00:00Z")), Some((at("2026-11-27T18:30:00Z"), Why::At)));
        assert_eq!(table.closed(at("2026-11-27T18:30:00Z")), Some((at("2026-11-30T08:00:00Z"), Why::Window)));
        assert_eq!(table.closed(at("2026-11-30T08:00:00Z")), None);
        assert_eq!(table.stands_until(at("2026-11-30T08:00:00Z")), Some(at("2026-11-30T18:00:00Z")));
        assert_eq!(table.ahead(at("2026-11-27T18:29:00Z")), Duration::from_secs(60));
        assert_eq!(table.ahead(at("2026-11-28T18:29:00Z")), Duration::ZERO);
    }

    #[test]
    fn a_row_waits_for_its_moment_and_for_the_window_of_its_own_zone() {
        let now = at("2026-11-27T10:00:00Z");
        let plain = table(Schedule::default(), &[]);
        assert_eq!(plain.leave(&row(&[("name", "x")]), now), Ok(Leave::Now));
        assert_eq!(plain.leave(&row(&[("_send_at", "2026-11-28T00:00Z")]), now), Ok(Leave::At(at("2026-11-28T00:00:00Z"))));
        assert_eq!(
            plain.leave(&row(&[("_Send_At", "+2h")]), at("2026-11-27T11:00:00Z")),
            Ok(Leave::At(at("2026-11-27T12:00:00Z")))
        );
        assert_eq!(plain.leave(&row(&[("_send_at", " ")]), now), Ok(Leave::Now));
        assert_eq!(plain.leave(&row(&[("_send_at", "soon")]), now).unwrap_err().0, "_send_at");

        let office = utc(Schedule { window: Some("Mon-Fri 08:00-18:00".into()), ..Schedule::default() });
        let zones = table(office.clone(), &["email", "_tz"]);
        assert_eq!(zones.closed(at("2026-11-28T10:00:00Z")), None, "each row for itself");
        assert_eq!(zones.leave(&row(&[("_tz", "Europe/Berlin")]), now), Ok(Leave::Now));
        assert_eq!(zones.leave(&row(&[("_tz", "Asia/Tokyo")]), now), Ok(Leave::At(at("2026-11-29T23:00:00Z"))));
        assert_eq!(zones.leave(&row(&[("_tz", "")]), now), Ok(Leave::Now), "the run's zone");
        assert_eq!(
            zones.leave(&row(&[("_tz", "Asia/Tokyo"), ("_send_at", "2026-12-01 07:00")]), now),
            Ok(Leave::At(at("2026-11-30T23:00:00Z"))),
            "07:00 there is before the window"
        );
        assert_eq!(zones.leave(&row(&[("_tz", "Mars/Base")]), now).unwrap_err().0, "_tz");
        assert!(zones.asks_rows(now));
        let named = table(Schedule { tz_column: Some("zone".into()), ..office }, &["email"]);
        assert_eq!(named.leave(&row(&[("Zone", "Asia/Tokyo")]), now), Ok(Leave::At(at("2026-11-29T23:00:00Z"))));
    }

    #[test]
    fn rows_expire_after_the_start_or_after_their_own_moment() {
        let table = table(Schedule { expires: Some(Duration::from_secs(3600)), ..Schedule::default() }, &[]);
        assert!(!table.asks_rows(at("2026-11-27T10:59:59Z")) && table.asks_rows(at("2026-11-27T11:00:00Z")));
        assert_eq!(table.leave(&row(&[]), at("2026-11-27T10:59:59Z")), Ok(Leave::Now));
        assert_eq!(table.leave(&row(&[]), at("2026-11-27T11:00:00Z")), Ok(Leave::Expired));
        let late = row(&[("_send_at", "2026-11-27T12:00Z")]);
        assert_eq!(table.leave(&late, at("2026-11-27T11:30:00Z")), Ok(Leave::At(at("2026-11-27T12:00:00Z"))));
        assert_eq!(table.leave(&late, at("2026-11-27T12:30:00Z")), Ok(Leave::Now));
        assert_eq!(table.leave(&late, at("2026-11-27T13:00:00Z")), Ok(Leave::Expired));
    }

    #[test]
    fn age_counts_from_the_moment_of_the_run() {
        let schedule =
            Schedule { at: Some("2026-11-27T20:00:00Z".into()), expires: Some(Duration::from_secs(3600)), ..Schedule::default() };
        let table = table(schedule, &[]);
        assert_eq!(table.leave(&row(&[]), at("2026-11-27T20:30:00Z")), Ok(Leave::Now));
        assert_eq!(table.leave(&row(&[]), at("2026-11-27T21:00:00Z")), Ok(Leave::Expired));
    }

    #[test]
    fn mistakes_name_their_flag() {
        let open = |schedule: Schedule| Timetable::open(&schedule, Timestamp::UNIX_EPOCH, &[]).unwrap_err();
        assert!(open(Schedule { at: Some("soon".into()), ..Schedule::default() }).starts_with("--at: "));
        assert!(open(Schedule { window: Some("soon".into()), ..Schedule::default() }).starts_with("--window: "));
        assert!(open(Schedule { tz: Some("soon".into()), ..Schedule::default() }).starts_with("--tz: "));
    }
}
