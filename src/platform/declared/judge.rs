//! What a reply means: the definition's rules first, then what HTTP says in general, and never a guess that says "sent".
//!
//! The table is reliability.md's: after the request was written only a reply that speaks counts; 500, 502, 504, a lost connection,
//! a 2xx that cannot be read are in doubt. Whose credential or URL it is decides how far a 401 or 404 reaches.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::batch::{Batch, Verdict, Verdicts};
use crate::delivery::Receipt;
use crate::error::{ErrorKind, SendError};
use crate::platform::declared::condition::{Condition, Pointer, Proof, Seen};
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::reply::{Class, Rule, Scope, Wait};
use crate::platform::http::{Ending, Failure, Fault, HeaderMap, Reply};

/// No service means a longer wait than this; what is longer is a mistake (milliseconds for seconds).
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// How much of a reply is told.
const DETAIL: usize = 500;
const ID: usize = 200;

/// Who judges: the definition, and what the account said in its place.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The platform.
    pub definition: &'a Definition,
    /// The account's own success test, over the definition's.
    pub success: Option<&'a Condition>,
    /// The URL came with the row, and is not the account's.
    pub row_endpoint: bool,
    /// What must not be told: values of secrets, parts of the URL.
    pub hide: &'a [String],
    /// The wall clock, for dates in `Retry-After`.
    pub now: SystemTime,
    /// Replies that say that the token is no longer good; empty where there is none.
    pub token: &'a [Condition],
}

impl Judge<'_> {
    /// One verdict for each delivery of the request.
    pub fn verdicts(&self, batch: &Batch, answer: Result<Reply, Failure>) -> Verdicts {
        Verdicts::single(batch, self.verdict(answer))
    }

    /// Whether the service refused the token, and not the message: nothing was taken.
    pub fn rejects_token(&self, answer: &Result<Reply, Failure>) -> bool {
        let Ok(reply) = answer else { return false };
        let body = String::from_utf8_lossy(&reply.body);
        let json: Option<Value> = if reply.ending == Ending::Whole { serde_json::from_slice(&reply.body).ok() } else { None };
        let seen = Seen { status: Some(reply.status), fault: None, headers: &reply.headers, body: &body, json: json.as_ref() };
        self.token.iter().any(|stale| stale.holds(&seen))
    }

    fn verdict(&self, answer: Result<Reply, Failure>) -> Verdict {
        match answer {
            Ok(reply) => self.reply(&reply),
            Err(failure) => Err(self.failure(failure)),
        }
    }

    fn failure(&self, failure: Failure) -> SendError {
        let seen = Seen { status: None, fault: Some(failure.fault), headers: &HeaderMap::new(), body: "", json: None };
        // Trust is never a matter of a definition.
        let rule = if failure.fault == Fault::Trust { None } else { self.rule(&seen) };
        let kind = match (failure.fault, rule) {
            (_, Some(rule)) => kind_of(rule.class, rule.scope).unwrap_or(ErrorKind::InDoubt),
            (Fault::Trust | Fault::Malformed, None) if self.row_endpoint => ErrorKind::BadAddress,
            (fault, None) => fault.kind(),
        };
        let wait = rule.and_then(|rule| self.wait(&rule.wait, &seen));
        SendError::new(kind, clean(&failure.detail, self.hide, DETAIL)).with_retry_after(wait)
    }

    fn reply(&self, reply: &Reply) -> Verdict {
        let body = String::from_utf8_lossy(&reply.body);
        let json: Option<Value> = if reply.ending == Ending::Whole { serde_json::from_slice(&reply.body).ok() } else { None };
        let seen = Seen { status: Some(reply.status), fault: None, headers: &reply.headers, body: &body, json: json.as_ref() };
        let taken = |replay| Ok(Receipt { id: self.first(&self.definition.id.0, &seen, ID), replay, note: None });
        let success = self.success.unwrap_or(&self.definition.success);
        let redirect = (300..400).contains(&reply.status);
        let good_status = (200..300).contains(&reply.status) || success.wants_status();
        if let Some(idempotency) = &self.definition.idempotency
            && idempotency.replay.iter().any(|replay| replay.holds(&seen))
        {
            return taken(true);
        }
        let proof = success.prove(&seen);
        if !redirect && good_status && proof == Proof::Holds {
            return taken(false);
        }
        if let Some(rule) = self.rule(&seen).filter(|rule| !redirect || rule.class != Class::Ok) {
            return match kind_of(rule.class, rule.scope) {
                None => taken(false),
                Some(kind) => Err(self.error(kind, self.words(reply, &seen), reply, &seen, &rule.wait)),
            };
        }
        let (kind, words) = self.general(reply, &seen, success, proof);
        Err(self.error(kind, words, reply, &seen, &[]))
    }

    /// What HTTP says, where the definition says nothing.
    fn general(&self, reply: &Reply, seen: &Seen<'_>, success: &Condition, proof: Proof) -> (ErrorKind, String) {
        use ErrorKind as K;
        let kind = match reply.status {
            200..300 => {
                let unread = match reply.ending {
                    Ending::Cut => Some("the reply was cut off"),
                    Ending::TooLong => Some("the reply was longer than 64 KB"),
                    Ending::Whole if reply.body.is_empty() => Some("the reply was empty"),
                    Ending::Whole if success.wants_json() && seen.json.is_none() => Some("the reply was not JSON"),
                    Ending::Whole if proof == Proof::Silent => Some("the reply did not say whether the message was taken"),
                    Ending::Whole => None,
                };
                match unread {
                    Some(why) => return (K::InDoubt, format!("HTTP {}, but {why}", reply.status)),
                    None => self.default_kind(),
                }
            }
            300..400 => return (K::BadMessage, format!("HTTP {}: redirects are not followed; name the final URL", reply.status)),
            401 | 403 | 404 | 410 if self.row_endpoint => K::BadAddress,
            401 | 403 | 407 => K::Unauthorized,
            404 | 405 | 410 | 415 if !self.row_endpoint => K::Misconfigured,
            408 | 425 | 503 => K::Unavailable,
            429 => K::Throttled,
            501 | 505 => K::BadMessage,
            500..600 => K::InDoubt,
            400..500 => self.default_kind(),
            _ => K::InDoubt,
        };
        (kind, self.words(reply, seen))
    }

    fn default_kind(&self) -> ErrorKind {
        let default = self.definition.errors.iter().find(|rule| rule.when.is_none());
        default.and_then(|rule| kind_of(rule.class, rule.scope)).unwrap_or(ErrorKind::BadMessage)
    }

    fn rule(&self, seen: &Seen<'_>) -> Option<&Rule> {
        self.definition.errors.iter().find(|rule| rule.when.as_ref().is_some_and(|when| when.holds(seen)))
    }

    fn error(&self, kind: ErrorKind, words: String, reply: &Reply, seen: &Seen<'_>, waits: &[Wait]) -> SendError {
        let code = match self.first(&self.definition.code.0, seen, 60) {
            Some(code) => format!("{} {code}", reply.status),
            None => reply.status.to_string(),
        };
        let wait = self.wait(waits, seen).or_else(|| {
            let asked = matches!(kind, ErrorKind::Throttled | ErrorKind::Unavailable);
            if asked { self.header_wait("retry-after", seen) } else { None }
        });
        SendError::new(kind, words).with_code(code).with_retry_after(wait)
    }

    fn words(&self, reply: &Reply, seen: &Seen<'_>) -> String {
        let said = self.first(&self.definition.detail.0, seen, DETAIL).unwrap_or_else(|| {
            let text = seen.body.trim_start();
            // A page for browsers says nothing in its first lines.
            if text.starts_with('<') { String::new() } else { clean(text, self.hide, 200) }
        });
        if said.is_empty() { format!("HTTP {}", reply.status) } else { format!("HTTP {}: {said}", reply.status) }
    }

    fn first(&self, pointers: &[Pointer], seen: &Seen<'_>, length: usize) -> Option<String> {
        let json = seen.json?;
        pointers.iter().filter_map(|pointer| json.pointer(&pointer.0)).find_map(|value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(clean(text, self.hide, length)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    fn wait(&self, waits: &[Wait], seen: &Seen<'_>) -> Option<Duration> {
        waits.iter().find_map(|wait| match wait {
            Wait::Header(name) => self.header_wait(name, seen),
            Wait::Json(pointer) => seen.json.and_then(|json| json.pointer(&pointer.0)).and_then(|value| match value {
                Value::String(text) => text.trim().parse().ok().and_then(seconds),
                value => value.as_f64().and_then(seconds),
            }),
            Wait::Const(span) => Some(*span),
        })
    }

    /// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date; one in the past is no wait.
    fn header_wait(&self, name: &str, seen: &Seen<'_>) -> Option<Duration> {
        let text = seen.headers.get(name)?.to_str().ok()?.trim();
        if let Ok(number) = text.parse::<f64>() {
            return seconds(number);
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(self.now).unwrap_or_default().min(LONGEST_WAIT))
    }
}

fn seconds(number: f64) -> Option<Duration> {
    (number.is_finite() && number >= 0.0).then(|| Duration::from_secs_f64(number.min(LONGEST_WAIT.as_secs_f64())))
}

/// `None` for a success. A narrower scope keeps a class from reaching further than it should.
fn kind_of(class: Class, scope: Option<Scope>) -> Option<ErrorKind> {
    Some(match (class, scope) {
        (Class::Ok, _) => return None,
        (Class::Permanent, _) | (Class::Config, Some(Scope::Row | Scope::Target)) => ErrorKind::BadMessage,
        (Class::Gone, _) | (Class::Auth, Some(Scope::Row | Scope::Target)) => ErrorKind::BadAddress,
        (Class::Auth, _) => ErrorKind::Unauthorized,
        (Class::Config, _) => ErrorKind::Misconfigured,
        // "Too fast" of this message alone must not hold its lane.
        (Class::Rate, Some(Scope::Row)) | (Class::Transient, _) => ErrorKind::Unavailable,
        (Class::Rate, _) => ErrorKind::Throttled,
        (Class::Unknown, _) => ErrorKind::InDoubt,
    })
}

/// Text of a service as we may tell it: no secrets, no control characters, one line, not too long.
pub fn clean(text: &str, hide: &[String], length: usize) -> String {
    let mut text = text.to_owned();
    for secret in hide {
        text = text.replace(secret.as_str(), "***");
    }
    let mut cleaned = String::with_capacity(text.len().min(length));
    for (count, c) in text.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).enumerate() {
        if count == length {
            cleaned.push('…');
            break;
        }
        cleaned.push(c);
    }
    cleaned
}
