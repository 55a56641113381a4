//! A request as it may be shown to a person: everything but its secrets. Nothing is sent.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde_json::Value;

use crate::batch::Batch;
use crate::error::SendError;
use crate::platform::declared::compose::composer::{Composer, Moment};
use crate::platform::http::Call;
use crate::recipient::Address;

/// Longest text of a value that is shown whole: a file as base64 is not for reading.
const LONGEST: usize = 2000;

/// The request of this batch, by a composer that knows no secrets.
///
/// # Errors
/// As the request itself.
pub fn show(masked: &Composer, batch: &Batch, now: SystemTime) -> Result<String, SendError> {
    let moment = Moment { now, token: "***" };
    let call = if masked.goes_shared(batch.deliveries()) {
        masked.shared_call(batch.deliveries(), &moment).map_err(|unmade| unmade.error)?
    } else {
        let envelope = &batch.first().envelope;
        // A row's own URL is its credential.
        let row_url = masked.definition.addressing.endpoint.is_some() && masked.endpoint.is_none();
        let to = if row_url { Address::from(envelope.to.masked().as_str()) } else { envelope.to.clone() };
        masked.call(&to, envelope.id.as_str(), envelope.attempt, &batch.first().message, &moment)?
    };
    Ok(told(&call))
}

fn told(call: &Call) -> String {
    let mut text = format!("{} {}\n", call.method, call.url.as_str().replace("%2A%2A%2A", "***"));
    for (name, value) in &call.headers {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())); // a String takes all
    }
    text.push('\n');
    let pretty = serde_json::from_slice::<Value>(&call.body).ok().map(|mut tree| {
        shorten(&mut tree);
        serde_json::to_string_pretty(&tree).unwrap_or_default()
    });
    match (pretty, std::str::from_utf8(&call.body)) {
        (Some(pretty), _) => text.push_str(&pretty),
        (None, Ok(body)) if body.len() <= LONGEST * 10 => text.push_str(&body.replace("%2A%2A%2A", "***")),
        (None, _) => {
            let _ = write!(text, "({} bytes)", call.body.len());
        }
    }
    text.push('\n');
    text
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONGEST && !text.contains(char::is_whitespace) => {
            *text = format!("{}… ({} characters)", text.chars().take(60).collect::<String>(), text.chars().count());
        }
        Value::Array(list) => list.iter_mut().for_each(shorten),
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}
