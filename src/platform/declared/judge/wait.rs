//! Waits that a reply names: where they stand, in which unit, and never longer than a service can mean.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::platform::declared::condition::Seen;
use crate::platform::declared::definition::reply::{Unit, Wait};

/// No service means a longer wait than this; what is longer is a mistake (milliseconds for seconds).
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// Numbers beyond this are milliseconds since 1970: as seconds they would lie after the year 5138.
const MILLISECONDS: f64 = 1e11;

/// Numbers below this are no time of ours since 1970.
const EPOCH: f64 = 1e9;

/// The first wait that the reply names.
pub fn named(waits: &[Wait], seen: &Seen<'_>, now: SystemTime) -> Option<Duration> {
    waits.iter().find_map(|wait| match wait {
        Wait::Header(name, unit) => header(name, *unit, seen, now),
        Wait::Json(pointer, unit) => match seen.at(&pointer.0)? {
            Value::String(text) => text.trim().parse().ok().and_then(|number| span(number, *unit, now)),
            value => value.as_f64().and_then(|number| span(number, *unit, now)),
        },
        Wait::Const(span) => Some(*span),
    })
}

/// A header field: a number, or a date as in `Retry-After` (RFC 9110 section 10.2.3); one in the past is no wait.
pub fn header(name: &str, unit: Unit, seen: &Seen<'_>, now: SystemTime) -> Option<Duration> {
    let text = seen.header(name)?;
    if let Ok(number) = text.parse::<f64>() {
        return span(number, unit, now);
    }
    let date = httpdate::parse_http_date(&text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

fn span(number: f64, unit: Unit, now: SystemTime) -> Option<Duration> {
    if !number.is_finite() {
        return None;
    }
    let seconds = match unit {
        Unit::S => number,
        Unit::Ms => number / 1000.0,
        Unit::Epoch if number < EPOCH => return None,
        Unit::Epoch => {
            let then = if number > MILLISECONDS { number / 1000.0 } else { number };
            (then - now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64()).max(0.0)
        }
    };
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())))
}
