//! A reply as a whole: taken, refused, or nobody knows.
//!
//! The table is reliability.md's: after the request was written only a reply that speaks counts; 500, 502, 504, a lost connection,
//! a 2xx that cannot be read are in doubt. Whose credential or URL it is decides how far a 401 or 404 reaches.
//!
//! Invariant: nothing is a success but what the success test, a replay or a rule of class `ok` names, and never a redirect.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::batch::Verdict;
use crate::delivery::{Delivery, Receipt};
use crate::error::{ErrorKind, Reach, SendError};
use crate::platform::declared::condition::{Condition, Proof, Seen, Spot};
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::reply::{Class, Rule, Scope, Unit, Wait};
use crate::platform::declared::definition::results::Results;
use crate::platform::declared::judge::wait;
use crate::platform::declared::judge::words::{clean, first, kind_of, text_of};
use crate::platform::declared::memory::Memory;
use crate::platform::http::{Ending, Failure, Fault, HeaderMap, Reply};

/// How much of a reply is told.
const DETAIL: usize = 500;
const ID: usize = 200;
const CODE: usize = 60;

/// Who judges: the definition, what the account said in its place, and what it remembers.
pub struct Judge<'a> {
    /// The platform.
    pub definition: &'a Definition,
    /// The account's own success test, over the definition's.
    pub success: Option<&'a Condition>,
    /// How the reply is shared out; `None` where the request was made for one delivery and its reply has another form.
    pub results: Option<&'a Results>,
    /// Replies that say that the token is no longer good; empty where there is none.
    pub token: &'a [Condition],
    /// The URL, or the credential, came with the row and is not the account's.
    pub row_endpoint: bool,
    /// What must not be told: values of secrets, parts of the URL.
    pub hide: &'a [String],
    /// The wall clock, for dates, and for what happens again within a minute.
    pub now: SystemTime,
    /// What the account remembers between replies.
    pub memory: &'a Memory,
}

/// The platform alone: what it hides are secrets.
impl fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Judge({})", self.definition.name.0)
    }
}

/// A reply as a whole.
pub struct Ruling {
    /// Taken or not.
    pub verdict: Verdict,
    /// Not, for certain, and something in the request is to blame: without that the rest may be taken.
    pub blame: bool,
}

/// A reply, read once.
pub struct Read {
    text: String,
    json: Option<Value>,
}

impl Read {
    /// The reply's body, as text and as JSON.
    pub fn new(reply: &Reply) -> Self {
        let json = if reply.ending == Ending::Whole { serde_json::from_slice(&reply.body).ok() } else { None };
        Read { text: String::from_utf8_lossy(&reply.body).into_owned(), json }
    }

    /// What tests look at.
    pub fn seen<'a>(&'a self, reply: &'a Reply) -> Seen<'a> {
        Seen {
            status: Some(reply.status),
            fault: None,
            headers: &reply.headers,
            body: &self.text,
            whole: reply.ending == Ending::Whole,
            json: self.json.as_ref(),
        }
    }
}

/// Whose rules, and where words stand: the reply's own, or those of an element.
pub struct Law<'a> {
    /// The rules, the default last.
    pub rules: &'a [Rule],
    /// Keeps rules of elements apart from those of the reply, in the memory.
    pub offset: usize,
    /// Where the code stands.
    pub code: &'a [Spot],
    /// Where words stand.
    pub detail: &'a [Spot],
}

impl Judge<'_> {
    /// Whether the service refused the token, and not the message: nothing was taken. A reply that is a success never does.
    pub fn rejects_token(&self, answer: &Result<Reply, Failure>) -> bool {
        let Ok(reply) = answer else { return false };
        if self.token.is_empty() {
            return false;
        }
        let read = Read::new(reply);
        let seen = read.seen(reply);
        let taken = (200..300).contains(&reply.status) && self.success().holds(&seen);
        // After it the message goes again: what merely is not said must not lead there.
        !taken && self.token.iter().any(|stale| stale.prove(&seen) == Proof::Holds)
    }

    /// What the reply to the token's own request means; `success` is the token's test. No message was sent with it, so that nothing
    /// is ever in doubt, and a refusal is not the row's fault.
    ///
    /// # Errors
    /// Why there is no token.
    pub fn fetched(&self, success: &Condition, answer: &Result<Reply, Failure>) -> Result<(), SendError> {
        let verdict = match answer {
            Ok(reply) => {
                let read = Read::new(reply);
                let seen = read.seen(reply);
                self.ruling(reply, &seen, success, success.prove(&seen), None).verdict
            }
            Err(failure) => Err(self.failure(failure, None)),
        };
        verdict.map(|_| ()).map_err(|mut error| {
            error.kind = match error.kind {
                ErrorKind::InDoubt => ErrorKind::Unavailable,
                ErrorKind::BadMessage | ErrorKind::BadAddress => ErrorKind::Unauthorized,
                kind => kind,
            };
            error.detail = format!("no token: {}", error.detail);
            error
        })
    }

    /// The test of a reply as a whole.
    pub fn success(&self) -> &Condition {
        self.success.unwrap_or(&self.definition.success)
    }

    /// A request without an answer.
    pub fn failure(&self, failure: &Failure, who: Option<&Delivery>) -> SendError {
        let none = HeaderMap::new();
        let seen = Seen { status: None, fault: Some(failure.fault), headers: &none, body: "", whole: false, json: None };
        let words = clean(&failure.detail, self.hide, DETAIL);
        let law = self.law();
        // Trust is never a matter of a definition.
        let rule = if failure.fault == Fault::Trust { None } else { find(law.rules, &seen) };
        if let Some((number, rule)) = rule {
            let (kind, reach, wait) = self.meaning(rule, number, &seen, who);
            // A lost connection is never a success, whatever the definition says.
            let kind = kind.unwrap_or(ErrorKind::InDoubt);
            return SendError::new(kind, words).with_retry_after(wait).with_reach(reach);
        }
        let kind = match failure.fault {
            Fault::Trust | Fault::Malformed if self.row_endpoint => ErrorKind::BadAddress,
            fault => fault.kind(),
        };
        SendError::new(kind, words)
    }

    /// The reply as a whole: a replay, a success (`proof` says what the test did), the rules, the general table.
    pub fn ruling(&self, reply: &Reply, seen: &Seen<'_>, success: &Condition, proof: Proof, who: Option<&Delivery>) -> Ruling {
        let taken = |replay| Ruling { verdict: Ok(Receipt { replay, ..self.receipt(&[], seen) }), blame: false };
        if self.replays(seen) {
            return taken(true);
        }
        let redirect = (300..400).contains(&reply.status);
        let good_status = (200..300).contains(&reply.status) || success.wants_status();
        if !redirect && good_status && proof == Proof::Holds {
            return taken(false);
        }
        let law = self.law();
        let ruling = match find(law.rules, seen).filter(|(_, rule)| !redirect || rule.class != Class::Ok) {
            Some((number, rule)) => match self.meaning(rule, number, seen, who) {
                (None, ..) => return taken(false),
                (Some(kind), reach, wait) => {
                    let error = self.error(kind, self.words(reply.status, seen, &law), seen, &law, wait).with_reach(reach);
                    // A status of a gateway proves nothing, so that nothing of it may be sent again in parts.
                    let doubtful = doubtful(reply.status) && rule.when.as_ref().is_some_and(|when| when.takes_doubtful());
                    Ruling { verdict: Err(error), blame: !redirect && !doubtful && blames(rule.class, rule.scope) }
                }
            },
            None => self.general(reply, seen, success, proof),
        };
        match ruling.verdict {
            // To send it again would double the parts that were taken.
            Err(error) if error.kind.retryable() && !redirect && success.partly(seen) => {
                let detail = format!("some parts of it were taken: {}", error.detail);
                Ruling { verdict: Err(SendError { kind: ErrorKind::InDoubt, detail, ..error }), blame: false }
            }
            verdict => Ruling { blame: ruling.blame && !success.partly(seen), verdict },
        }
    }

    /// Whether the reply says: I have that already.
    pub fn replays(&self, seen: &Seen<'_>) -> bool {
        let says = |replay: &Condition| replay.prove(seen) == Proof::Holds;
        self.definition.idempotency.as_ref().is_some_and(|idempotency| idempotency.replay.iter().any(says))
    }

    /// What HTTP says, where the definition says nothing.
    fn general(&self, reply: &Reply, seen: &Seen<'_>, success: &Condition, proof: Proof) -> Ruling {
        use ErrorKind as K;
        let law = self.law();
        let sure = |kind: K, words: String| Ruling { verdict: Err(self.error(kind, words, seen, &law, None)), blame: false };
        let words = || self.words(reply.status, seen, &law);
        let kind = match reply.status {
            200..300 => {
                let unread = match reply.ending {
                    Ending::Cut => Some("the reply was cut off"),
                    Ending::TooLong => Some("the reply was too long to be one"),
                    Ending::Whole if reply.body.is_empty() => Some("the reply was empty"),
                    Ending::Whole if success.wants_json() && seen.json.is_none() => Some("the reply was not JSON"),
                    Ending::Whole if proof != Proof::Refuted => Some("the reply did not say whether the message was taken"),
                    Ending::Whole => None,
                };
                match unread {
                    Some(why) => return sure(K::InDoubt, format!("HTTP {}, but {why}", reply.status)),
                    None => return self.by_default(&law, words(), seen),
                }
            }
            300..400 => {
                return sure(K::BadMessage, format!("HTTP {}: redirects are not followed; name the final URL", reply.status));
            }
            401 | 403 | 404 | 410 if self.row_endpoint => K::BadAddress,
            401 | 403 | 407 => K::Unauthorized,
            404 | 405 | 410 | 415 if !self.row_endpoint => K::Misconfigured,
            408 | 425 | 503 => K::Unavailable,
            429 => K::Throttled,
            501 | 505 => K::BadMessage,
            500..600 => K::InDoubt,
            400..500 => return self.by_default(&law, words(), seen),
            _ => K::InDoubt,
        };
        sure(kind, words())
    }

    /// What the definition says of replies that no rule knows; permanent where it does not say.
    pub fn by_default(&self, law: &Law<'_>, words: String, seen: &Seen<'_>) -> Ruling {
        let own = law.rules.iter().chain(&self.definition.errors).find(|rule| rule.when.is_none());
        own.into_iter().for_each(|rule| self.tell(rule));
        let (class, scope) = own.map_or((Class::Permanent, None), |rule| (rule.class, rule.scope));
        let kind = kind_of(class, scope).unwrap_or(ErrorKind::InDoubt);
        let wait = own.and_then(|rule| wait::named(&rule.wait, seen, self.now));
        let error = self.error(kind, words, seen, law, wait).with_reach(scope.map(Scope::reach));
        Ruling { verdict: Err(error), blame: blames(class, scope) }
    }

    /// The rules of a reply as a whole.
    fn law(&self) -> Law<'_> {
        let definition = self.definition;
        Law { rules: &definition.errors, offset: 0, code: &definition.code.0, detail: &definition.detail.0 }
    }

    /// What a rule means, now: its kind (`None`: taken), how far it reaches, how long to wait. `number` is the rule's in the memory;
    /// `who` the only delivery that it speaks of, where there is only one.
    pub fn meaning(
        &self,
        rule: &Rule,
        number: usize,
        seen: &Seen<'_>,
        who: Option<&Delivery>,
    ) -> (Option<ErrorKind>, Option<Reach>, Option<Duration>) {
        self.tell(rule);
        let wait = wait::named(&rule.wait, seen, self.now);
        let mut scope = rule.scope;
        if let Some(wider) = rule.escalate {
            // Where all rows go to the account's own URL, that is the target, whatever the rows are called.
            let one_target = self.definition.addressing.endpoint.is_some() && !self.row_endpoint;
            let target = who.filter(|_| !one_target).map_or("", |who| who.envelope.to.as_str());
            let by = who.map(|who| &who.envelope.id);
            let asked = wait.or_else(|| self.asked(seen)).unwrap_or_default();
            if self.memory.fires(number, target, by, asked, self.now) {
                scope = Some(wider);
            }
        }
        if let (Some(set), Some(who)) = (&rule.set, who)
            && let Some(new) = seen.at(&set.to.0).and_then(text_of).filter(|new| !new.trim().is_empty())
        {
            self.memory.moves(who.envelope.to.as_str(), new.trim());
        }
        (self.whose(kind_of(rule.class, scope), rule.class, scope), scope.map(Scope::reach), wait)
    }

    /// Whose fault a refusal is: the row's, where the row brought the URL or the credential; that of all rows, where they all go to the
    /// account's own URL and it is gone. What a rule says of one row or target stays that.
    fn whose(&self, kind: Option<ErrorKind>, class: Class, scope: Option<Scope>) -> Option<ErrorKind> {
        let own = self.definition.addressing.endpoint.is_some() && !self.row_endpoint;
        match (kind, class, scope) {
            (Some(ErrorKind::Unauthorized | ErrorKind::Misconfigured), ..) if self.row_endpoint => Some(ErrorKind::BadAddress),
            (_, Class::Gone, None) if own => Some(ErrorKind::Misconfigured),
            _ => kind,
        }
    }

    /// Names the rule in the log: its list, and its number from 1. Whoever writes a definition sees which rule it was, and the
    /// conformance suite that none is left unasked.
    fn tell(&self, rule: &Rule) {
        let platform = self.definition.name.0.as_str();
        let place = |rules: &[Rule]| rules.iter().position(|one| std::ptr::eq(one, rule)).map(|at| at as u64 + 1);
        if let Some(rule) = place(&self.definition.errors) {
            tracing::debug!(platform, list = "errors", rule, "judged");
        } else if let Some(rule) = self.definition.results.as_ref().and_then(|results| place(&results.errors)) {
            tracing::debug!(platform, list = "results", rule, "judged");
        }
    }

    /// An error in the words of the reply.
    pub fn error(&self, kind: ErrorKind, words: String, seen: &Seen<'_>, law: &Law<'_>, wait: Option<Duration>) -> SendError {
        let status = seen.status.map(|status| status.to_string()).unwrap_or_default();
        let code = match first(law.code, seen, self.hide, CODE) {
            Some(code) => format!("{status} {code}"),
            None => status,
        };
        let wait = wait.or_else(|| {
            let asked = matches!(kind, ErrorKind::Throttled | ErrorKind::Unavailable);
            if asked { self.asked(seen) } else { None }
        });
        SendError::new(kind, words).with_code(code).with_retry_after(wait)
    }

    fn asked(&self, seen: &Seen<'_>) -> Option<Duration> {
        wait::header("retry-after", Unit::S, seen, self.now)
    }

    /// `HTTP 400: what the service says`.
    pub fn words(&self, status: u16, seen: &Seen<'_>, law: &Law<'_>) -> String {
        let said = first(law.detail, seen, self.hide, DETAIL).unwrap_or_else(|| {
            let text = seen.body.trim_start();
            // A page for browsers says nothing in its first lines.
            if text.starts_with('<') { String::new() } else { clean(text, self.hide, 200) }
        });
        if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") }
    }

    /// The service's word that it took the message; `own` are places of the id that come first.
    pub fn receipt(&self, own: &[Spot], seen: &Seen<'_>) -> Receipt {
        let id = first(own, seen, self.hide, ID).or_else(|| first(&self.definition.id.0, seen, self.hide, ID));
        Receipt { id, replay: false, note: None }
    }

    /// A wait that the service named.
    pub fn wait(&self, waits: &[Wait], seen: &Seen<'_>) -> Option<Duration> {
        wait::named(waits, seen, self.now)
    }

    /// A word of the reply.
    pub fn word(&self, spot: &Spot, seen: &Seen<'_>) -> Option<String> {
        first(std::slice::from_ref(spot), seen, self.hide, ID)
    }
}

/// The first rule that knows the reply, and its number.
pub fn find<'a>(rules: &'a [Rule], seen: &Seen<'_>) -> Option<(usize, &'a Rule)> {
    let knows = |when: &Condition, class| match class {
        // A success must be said.
        Class::Ok => when.prove(seen) == Proof::Holds,
        _ => when.holds(seen),
    };
    rules.iter().enumerate().find(|(_, rule)| rule.when.as_ref().is_some_and(|when| knows(when, rule.class)))
}

/// Statuses after which nobody knows, unless the body speaks.
fn doubtful(status: u16) -> bool {
    matches!(status, 500 | 502 | 504)
}

/// Classes that something in the request is to blame for; what reaches the whole account is no matter of one row.
fn blames(class: Class, scope: Option<Scope>) -> bool {
    match class {
        Class::Permanent | Class::Gone | Class::Config => !matches!(scope, Some(Scope::Account | Scope::Platform)),
        // A limit of one row: somebody's among them, and each must hear of his own.
        Class::Rate => scope == Some(Scope::Row),
        _ => false,
    }
}
