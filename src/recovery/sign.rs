//! What one outcome says of the endpoint that it came from, or never reached.

use crate::error::{ErrorKind, Reach, SendError};

/// What an outcome says of the endpoint, not of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It answered, whatever it said.
    Answered,
    /// No session could be had: nobody of this endpoint can be sent to now.
    Down,
    /// The session ended in the middle of this delivery, before its last byte: the endpoint's fault or the row's.
    Cut,
    /// It answered that it takes nobody now (503, 421, a greeting that refuses).
    Busy,
    /// No answer came to what may have arrived.
    Doubt,
    /// Nothing: the failure was our own, or says as much of the row.
    Nothing,
}

impl Sign {
    /// Of a failure.
    pub fn of(error: &SendError) -> Sign {
        match error.kind {
            ErrorKind::Unreachable if error.reach == Some(Reach::Row) => Sign::Cut,
            ErrorKind::Unreachable => Sign::Down,
            ErrorKind::Unavailable if error.code.as_deref().is_some_and(refuses_everybody) => Sign::Busy,
            ErrorKind::Unavailable | ErrorKind::Throttled => Sign::Answered,
            ErrorKind::InDoubt if error.code.is_none() => Sign::Doubt,
            ErrorKind::BadAddress | ErrorKind::BadMessage if error.code.is_some() => Sign::Answered,
            _ => Sign::Nothing,
        }
    }

    /// Whether the endpoint did not do what it is there for.
    pub fn is_failure(self) -> bool {
        matches!(self, Sign::Down | Sign::Cut | Sign::Busy | Sign::Doubt)
    }
}

/// A reply code of three digits that says "nobody, now": 421, or any 5xx that counts as unavailable.
fn refuses_everybody(code: &str) -> bool {
    let basic = code.split(' ').next().unwrap_or_default();
    basic.len() == 3 && basic.bytes().all(|byte| byte.is_ascii_digit()) && (basic == "421" || basic.starts_with('5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_speaks_of_the_endpoint_or_of_the_row() {
        let sign = |kind, code: Option<&str>, reach| {
            let error = SendError::new(kind, "").with_reach(reach);
            Sign::of(&match code {
                Some(code) => error.with_code(code),
                None => error,
            })
        };
        assert_eq!(sign(ErrorKind::Unreachable, None, None), Sign::Down);
        assert_eq!(sign(ErrorKind::Unreachable, None, Some(Reach::Row)), Sign::Cut);
        assert_eq!(sign(ErrorKind::Unavailable, Some("503"), None), Sign::Busy);
        assert_eq!(sign(ErrorKind::Unavailable, Some("421 4.3.2"), None), Sign::Busy);
        assert_eq!(sign(ErrorKind::Unavailable, Some("554 5.3.2"), None), Sign::Busy);
        assert_eq!(sign(ErrorKind::Unavailable, Some("450 4.2.0"), None), Sign::Answered);
        assert_eq!(sign(ErrorKind::Unavailable, Some("50301"), None), Sign::Answered, "a service's own number says nothing");
        assert_eq!(sign(ErrorKind::InDoubt, None, None), Sign::Doubt);
        assert_eq!(sign(ErrorKind::InDoubt, Some("500"), None), Sign::Nothing);
        assert_eq!(sign(ErrorKind::Throttled, Some("429"), None), Sign::Answered);
        assert_eq!(sign(ErrorKind::BadMessage, None, None), Sign::Nothing, "a mail that could not be built reached nobody");
        assert_eq!(sign(ErrorKind::BadAddress, Some("550 5.1.1"), None), Sign::Answered);
    }
}
