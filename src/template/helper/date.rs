//! Dates: read as people write them in lists, shown in a format or by name, in English or Chinese. There is no "today" here.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value;

use crate::template::helper::args::{Args, text_of};

/// A date, perhaps with a time, perhaps with a place in the world's time.
enum Moment {
    Day(Date),
    Local(DateTime),
    Exact(Timestamp),
}

fn read(value: &Value) -> Option<Moment> {
    let given = text_of(value);
    let text = given.trim();
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(Moment::Exact(exact));
    }
    // A bare date must not become midnight, so it is tried by its length first.
    let dashed = text.replace(['/', '.'], "-");
    if (8..=10).contains(&text.len()) && text.is_ascii() {
        for format in ["%Y-%m-%d", "%Y%m%d"] {
            if let Ok(day) = Date::strptime(format, &dashed) {
                return Some(Moment::Day(day));
            }
        }
    }
    if let Ok(day) = Date::strptime("%Y年%m月%d日", text) {
        return Some(Moment::Day(day));
    }
    for format in [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
    ] {
        for form in [text, &text.replacen('/', "-", 2)] {
            if let Ok(local) = DateTime::strptime(format, form) {
                return Some(Moment::Local(local));
            }
        }
    }
    // Unix seconds, or milliseconds: ten and thirteen digits.
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.parse::<i64>().ok()?;
        return match text.len() {
            10 => Timestamp::from_second(number).ok().map(Moment::Exact),
            13 => Timestamp::from_millisecond(number).ok().map(Moment::Exact),
            _ => None,
        };
    }
    None
}

/// Whether a text is a date that the helper can show.
pub(in crate::template) fn is_date(value: &Value) -> bool {
    read(value).is_some()
}

/// `{{date signup_date}}`, `{{date at "%Y-%m-%d %H:%M" tz="Asia/Shanghai"}}`, `{{date at format="long" locale="zh"}}`.
pub(super) fn date(args: &Args) -> Result<Value, String> {
    let given = args.text(0);
    if given.trim().is_empty() {
        return Ok("".into());
    }
    let moment = read(args.at(0)).ok_or_else(|| {
        format!(
            "`{}` is not a date; write it like 2026-03-31 or 2026-03-31T18:00:00Z",
            given.chars().take(40).collect::<String>()
        )
    })?;
    let zone = match args.option("tz", usize::MAX) {
        Some(name) => {
            let zone = if name.eq_ignore_ascii_case("utc") { Ok(TimeZone::UTC) } else { TimeZone::get(&name) };
            Some(zone.map_err(|_| format!("`{name}` is not a time zone; write it like Asia/Shanghai"))?)
        }
        None => None,
    };
    let (moment, timed): (Zoned, bool) = match moment {
        Moment::Day(day) => (day.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?, false),
        Moment::Local(local) => (local.to_zoned(zone.unwrap_or(TimeZone::UTC)).map_err(|e| e.to_string())?, true),
        Moment::Exact(exact) => (exact.to_zoned(zone.unwrap_or(TimeZone::UTC)), true),
    };
    let locale = args.option("locale", usize::MAX).unwrap_or_else(|| "en".to_owned());
    let chinese = match locale.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "zh" => true,
        "en" => false,
        _ => return Err(format!("dates in the locale `{locale}` are not known; `en` and `zh` are, or give a format in numbers")),
    };
    let format = args.option("format", 1).unwrap_or_else(|| "medium".to_owned());
    let pattern = match (format.as_str(), chinese) {
        ("iso", _) if timed => "%Y-%m-%dT%H:%M:%S%:z",
        ("iso", _) => "%Y-%m-%d",
        ("short", false) => "%Y-%m-%d",
        ("short", true) => "%Y/%-m/%-d",
        ("medium", false) => "%b %-d, %Y",
        ("long", false) => "%B %-d, %Y",
        ("full", false) => "%A, %B %-d, %Y",
        ("medium" | "long", true) => "%Y年%-m月%-d日",
        ("full", true) => "%Y年%-m月%-d日 %A",
        ("time", _) => "%H:%M",
        (pattern, _) if pattern.contains('%') => pattern,
        (other, _) => {
            return Err(format!("`{other}` is not a date format; short, medium, long, full, iso and time are, or `%Y-%m-%d`"));
        }
    };
    let pattern = if chinese { in_chinese(pattern, &moment) } else { pattern.to_owned() };
    let written = jiff::fmt::strtime::format(&pattern, &moment).map_err(|_| format!("`{format}` is not a date format"))?;
    Ok(written.into())
}

/// The names of day and month that a pattern asks for, in Chinese.
fn in_chinese(pattern: &str, moment: &Zoned) -> String {
    let day =
        ["一", "二", "三", "四", "五", "六", "日"][usize::from(moment.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
    let month = format!("{}月", moment.month());
    pattern.replace("%A", &format!("星期{day}")).replace("%a", &format!("周{day}")).replace("%B", &month).replace("%b", &month)
}
