//! Why a delivery did not go through: one error for the domain, and the kinds that policy looks at.
//!
//! A platform names the *kind* of a failure and nothing more; `backoff.rs` alone decides what follows from it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong, in the only words that policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The service asks for less speed: holds the lane, costs no attempt.
    Throttled,
    /// The network failed and nothing got there: no name, no connection, no TLS.
    Unreachable,
    /// The service answered that it cannot now (4xx of SMTP, 503 of HTTP): nothing was taken.
    Unavailable,
    /// Everything was sent and no answer that can be trusted came back: taken or not, nobody knows.
    InDoubt,
    /// The row itself is wrong: unreadable, no address, a value the template needs is missing.
    BadRow,
    /// The address is malformed, or the service says it does not exist (any more).
    BadAddress,
    /// The service will never take this content for this recipient.
    BadMessage,
    /// The account's own credential or permission was refused: every row would fail the same way.
    Unauthorized,
    /// Request, template or setting is wrong for every row of this account.
    Misconfigured,
    /// Retries, or a wait longer than `--max-wait`, are used up.
    Exhausted,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [ErrorKind; 10] = [
        ErrorKind::Throttled,
        ErrorKind::Unreachable,
        ErrorKind::Unavailable,
        ErrorKind::InDoubt,
        ErrorKind::BadRow,
        ErrorKind::BadAddress,
        ErrorKind::BadMessage,
        ErrorKind::Unauthorized,
        ErrorKind::Misconfigured,
        ErrorKind::Exhausted,
    ];

    /// The kind as it is spelled in reports, retry files and `--only`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Throttled => "throttled",
            ErrorKind::Unreachable => "unreachable",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::InDoubt => "in_doubt",
            ErrorKind::BadRow => "bad_row",
            ErrorKind::BadAddress => "bad_address",
            ErrorKind::BadMessage => "bad_message",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::Misconfigured => "misconfigured",
            ErrorKind::Exhausted => "exhausted",
        }
    }

    /// The kind of that spelling, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether another try, without a change by a person, may succeed (`notify retry --only retryable`).
    pub fn retryable(self) -> bool {
        matches!(
            self,
            ErrorKind::Throttled
                | ErrorKind::Unreachable
                | ErrorKind::Unavailable
                | ErrorKind::Exhausted
                | ErrorKind::Unauthorized
                | ErrorKind::Misconfigured
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No service has such a code.
const RECALLED: &str = "notify-recalled";

/// How far a refusal reaches: what a wait that the service named holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// This delivery alone.
    Row,
    /// Everything that goes to the same target: an address, a chat, an endpoint.
    Target,
    /// All of the account.
    Account,
    /// Every account of the platform on this machine.
    Platform,
}

/// Why one delivery failed, for now or for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// What policy looks at.
    pub kind: ErrorKind,
    /// The service's own code (`550 5.1.1`, `429`, `11232`), if it gave one.
    pub code: Option<String>,
    /// Words for a person: the service's text, cleaned of control characters and secrets, at most 500 characters.
    pub detail: String,
    /// How long the service asked to be left alone; a floor for the next try.
    pub retry_after: Option<Duration>,
    /// Whom that concerns; without it, the lane of the delivery.
    pub reach: Option<Reach>,
}

impl SendError {
    /// A failure of that kind, told in words, without a code or a wait.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        SendError { kind, code: None, detail: detail.into(), retry_after: None, reach: None }
    }

    /// The flow called the delivery back before any of it left; it is no failure.
    pub fn recalled() -> Self {
        SendError::new(ErrorKind::Unavailable, "called back before it was sent").with_code(RECALLED)
    }

    /// Whether it is that.
    pub fn is_recalled(&self) -> bool {
        self.kind == ErrorKind::Unavailable && self.code.as_deref() == Some(RECALLED)
    }

    /// The same failure with the service's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same failure with the wait that the service asked for.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same failure, which reaches so far.
    #[must_use]
    pub fn with_reach(mut self, reach: Option<Reach>) -> Self {
        self.reach = reach;
        self
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{}: {} ({code})", self.kind, self.detail),
            None => write!(f, "{}: {}", self.kind, self.detail),
        }
    }
}

impl std::error::Error for SendError {}
