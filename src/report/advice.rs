//! One sentence for each kind of failure: what a person does about it.

use crate::error::ErrorKind;

/// What to do about failures of that kind.
pub fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttled => "the service asked for less speed: lower --rate, then `notify retry`",
        ErrorKind::Unreachable => "the network failed before anything was sent: check host and connection, then `notify retry`",
        ErrorKind::Unavailable => "the service could not take it now: `notify retry` later",
        ErrorKind::InDoubt => "sent or not, unknown: look at the service, then `notify resume --in-doubt resend` or `skip`",
        ErrorKind::BadRow => "the row is wrong: mend it in failed.jsonl, then `notify retry`",
        ErrorKind::BadAddress => "the address is malformed or gone: correct or drop it",
        ErrorKind::BadMessage => {
            "the service refuses this content for this recipient: see detail, change it, then `notify retry`"
        }
        ErrorKind::Unauthorized => "the account's credential was refused: `notify platforms check ACCOUNT`, then `notify resume`",
        ErrorKind::Misconfigured => "a setting is wrong for every row of the account: see detail, mend it, then `notify retry`",
        ErrorKind::Exhausted => "retries were used up: `notify retry` when the service is well again",
    }
}
