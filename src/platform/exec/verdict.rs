//! What the end of a run means: the object that the program printed, else its exit code as sysexits.h has it.
//!
//! Words that nobody knows, half an object and a "sent" that ends badly are in doubt: never success, never silently tried again.

use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::batch::Verdict;
use crate::delivery::Receipt;
use crate::error::{ErrorKind, SendError};

/// How much of stdout and of stderr counts, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// What a program may say of itself on stdout.
#[derive(Deserialize)]
struct Said {
    status: Option<String>,
    id: Option<Value>,
    code: Option<Value>,
    detail: Option<String>,
    kind: Option<String>,
    retry_after: Option<f64>,
}

/// The verdict: the object on stdout where there is one, else the exit code (sysexits.h).
pub(super) fn judge(ended: ExitStatus, said: &[u8], complained: &str) -> Verdict {
    let complaint = last_line(complained);
    let in_doubt = |what: String| Err(SendError::new(ErrorKind::InDoubt, what));
    let Some(exit) = ended.code() else { return in_doubt(with("the program was ended by a signal", &complaint)) };
    let text = if said.len() > LONGEST { None } else { std::str::from_utf8(said).ok() };
    let object = said.trim_ascii_start().first() == Some(&b'{');
    let said: Option<Said> = text.filter(|_| object).and_then(|text| serde_json::from_str(text).ok());
    let Some(said) = said else {
        if exit == 0 && object {
            return in_doubt("the program ended well, but what it printed begins like an object and is none".to_owned());
        }
        return by_exit(exit, None, &complaint);
    };
    let detail = said.detail.as_deref().map(plain).filter(|text| !text.is_empty());
    let word = |value: &Option<Value>, most: usize| {
        let text = match value.as_ref()? {
            Value::String(text) => plain(text),
            Value::Null => return None,
            other => plain(&other.to_string()),
        };
        (!text.is_empty()).then(|| text.chars().take(most).collect::<String>())
    };
    let id = word(&said.id, 200);
    let Some(status) = said.status.as_deref() else {
        let complaint = detail.unwrap_or(complaint);
        return by_exit(exit, id, &complaint);
    };
    let wanted = match &said.kind {
        None => None,
        Some(name) => match ErrorKind::parse(name) {
            Some(ErrorKind::BadRow | ErrorKind::Exhausted) | None => {
                return in_doubt(format!("the program's answer has a kind that is not known: {}", plain(name)));
            }
            kind => kind,
        },
    };
    let kind = match status {
        "sent" if exit == 0 => return Ok(Receipt { id, replay: false, note: detail }),
        "sent" => return in_doubt(with(&format!("the program says sent, but ended with exit code {exit}"), &complaint)),
        "in_doubt" => ErrorKind::InDoubt,
        "throttled" => ErrorKind::Throttled,
        "deferred" => match wanted {
            Some(kind @ (ErrorKind::Throttled | ErrorKind::Unreachable | ErrorKind::Unavailable)) => kind,
            _ => ErrorKind::Unavailable,
        },
        "failed" => match wanted {
            Some(kind) => kind,
            None => by_exit(exit, None, "").err().map_or(ErrorKind::BadMessage, |error| match error.kind {
                // It says that it failed for good, and so it is not a matter of time.
                ErrorKind::Unavailable | ErrorKind::InDoubt => ErrorKind::BadMessage,
                kind => kind,
            }),
        },
        other => return in_doubt(format!("the program's answer has a status that is not known: {}", plain(other))),
    };
    let detail = detail.unwrap_or_else(|| with(&format!("the program says {status}"), &complaint));
    let wait = said.retry_after.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let mut error = SendError::new(kind, detail).with_retry_after(wait);
    error.code = word(&said.code, 80);
    Err(error)
}

/// What an exit code means by itself: sysexits.h, and what shells add to it.
fn by_exit(exit: i32, id: Option<String>, complaint: &str) -> Verdict {
    let (kind, meaning) = match exit {
        0 => return Ok(Receipt { id, ..Receipt::default() }),
        65 => (ErrorKind::BadMessage, "the data is wrong"),
        67 | 68 => (ErrorKind::BadAddress, "no such recipient"),
        75 => (ErrorKind::Unavailable, "try again later"),
        77 => (ErrorKind::Unauthorized, "permission denied"),
        64 => (ErrorKind::Misconfigured, "it was called wrongly"),
        78 => (ErrorKind::Misconfigured, "it is configured wrongly"),
        126 | 127 => (ErrorKind::Misconfigured, "the shell could not run the command"),
        // A shell tells so that what it ran was ended by a signal.
        129..=192 => (ErrorKind::InDoubt, "what it ran was ended by a signal"),
        _ => (ErrorKind::BadMessage, "the program failed"),
    };
    let detail = if complaint.is_empty() { meaning.to_owned() } else { complaint.to_owned() };
    Err(SendError::new(kind, detail).with_code(format!("exit {exit}")))
}

fn with(what: &str, complaint: &str) -> String {
    if complaint.is_empty() { what.to_owned() } else { format!("{what}: {complaint}") }
}

fn last_line(text: &str) -> String {
    text.lines().rev().map(plain).find(|line| !line.is_empty()).unwrap_or_default()
}

/// On one line, without controls, at most 500 characters.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(500).collect()
}
