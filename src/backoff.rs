//! What follows from a failure: the one place that decides between trying again, holding, giving up and halting. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, Reach, SendError};

/// The policy of retries: `--retries --delay --backoff --max-delay`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// Further tries after the first.
    pub retries: u32,
    /// Longest first delay.
    pub delay: Duration,
    /// By how much each delay is longer than the one before.
    pub factor: f64,
    /// Longest delay of all; a service's own wait may be longer.
    pub max_delay: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { retries: 3, delay: Duration::from_secs(1), factor: 2.0, max_delay: Duration::from_secs(300) }
    }
}

/// What is done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The row rests so long, then is tried again; it cost an attempt.
    Retry(Duration),
    /// The lane rests so long; the row goes back to its head and no attempt is counted.
    Hold(Duration),
    /// Nothing: the failure is final.
    Reject,
    /// The account stops; its rows stay pending.
    Halt,
}

impl Backoff {
    /// What follows from `error` at try number `attempt` (from 1).
    ///
    /// `idempotent`: the platform takes a resend for the same delivery. `holds`: how often in a row this lane was held before.
    /// `proven`: the account has sent something in this process, so that a setting cannot be wrong for every row.
    pub fn next(
        &self,
        attempt: u32,
        error: &SendError,
        idempotent: bool,
        holds: u32,
        proven: bool,
        chance: &mut fastrand::Rng,
    ) -> Next {
        match error.kind {
            ErrorKind::Throttled => {
                // Not below half of the ceiling: with full jitter a lane could come back at once, for ever.
                let ceiling = self.ceiling(holds + 1);
                let wait = ceiling / 2 + self.jitter(ceiling / 2, chance);
                Next::Hold(wait.max(error.retry_after.unwrap_or_default()))
            }
            ErrorKind::Unreachable | ErrorKind::Unavailable => self.retry(attempt, error, chance),
            ErrorKind::InDoubt if idempotent => self.retry(attempt, error, chance),
            // Its own parameters: no other row meets that, and another try would neither.
            ErrorKind::Misconfigured if error.reach == Some(Reach::Row) => Next::Reject,
            ErrorKind::Misconfigured if proven => self.retry(attempt, error, chance),
            ErrorKind::Misconfigured | ErrorKind::Unauthorized => Next::Halt,
            ErrorKind::InDoubt | ErrorKind::BadRow | ErrorKind::BadAddress | ErrorKind::BadMessage | ErrorKind::Exhausted => {
                Next::Reject
            }
        }
    }

    fn retry(&self, attempt: u32, error: &SendError, chance: &mut fastrand::Rng) -> Next {
        if attempt > self.retries {
            return Next::Reject;
        }
        let wait = self.jitter(self.ceiling(attempt), chance);
        Next::Retry(wait.max(error.retry_after.unwrap_or_default()))
    }

    /// The longest delay before try `attempt + 1`.
    fn ceiling(&self, attempt: u32) -> Duration {
        let growth = self.factor.max(1.0).powi(attempt.saturating_sub(1).min(64) as i32);
        let seconds = (self.delay.as_secs_f64() * growth).min(self.max_delay.as_secs_f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max_delay)
    }

    /// Full jitter: anything from nothing to the ceiling, so that rows that failed together do not come back together.
    fn jitter(&self, ceiling: Duration, chance: &mut fastrand::Rng) -> Duration {
        ceiling.mul_f64(chance.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(attempt: u32, kind: ErrorKind, idempotent: bool) -> Next {
        let error = SendError::new(kind, "");
        Backoff::default().next(attempt, &error, idempotent, 0, true, &mut fastrand::Rng::with_seed(7))
    }

    #[test]
    fn each_kind_has_its_answer() {
        assert!(matches!(next(1, ErrorKind::Unavailable, false), Next::Retry(_)));
        assert!(matches!(next(4, ErrorKind::Unavailable, false), Next::Reject));
        assert!(matches!(next(99, ErrorKind::Throttled, false), Next::Hold(_)));
        assert!(matches!(next(1, ErrorKind::InDoubt, true), Next::Retry(_)));
        for kind in [ErrorKind::InDoubt, ErrorKind::BadRow, ErrorKind::BadAddress, ErrorKind::BadMessage] {
            assert_eq!(next(1, kind, false), Next::Reject, "{kind}");
        }
        assert_eq!(next(1, ErrorKind::Unauthorized, false), Next::Halt);
    }

    #[test]
    fn a_setting_that_never_worked_halts_at_once() {
        let error = SendError::new(ErrorKind::Misconfigured, "");
        let mut chance = fastrand::Rng::with_seed(1);
        assert_eq!(Backoff::default().next(1, &error, false, 0, false, &mut chance), Next::Halt);
        assert!(matches!(Backoff::default().next(1, &error, false, 0, true, &mut chance), Next::Retry(_)));
    }

    #[test]
    fn the_services_wait_is_a_floor_and_jitter_stays_below_the_ceiling() {
        let backoff = Backoff { retries: 9, ..Backoff::default() };
        let mut chance = fastrand::Rng::with_seed(3);
        for attempt in 1..=9 {
            let error = SendError::new(ErrorKind::Unavailable, "");
            let Next::Retry(wait) = backoff.next(attempt, &error, false, 0, true, &mut chance) else { panic!("no retry") };
            assert!(wait <= Duration::from_secs(1 << (attempt - 1)).min(backoff.max_delay));
            let error = error.with_retry_after(Some(Duration::from_secs(1000)));
            let Next::Retry(wait) = backoff.next(attempt, &error, false, 0, true, &mut chance) else { panic!("no retry") };
            assert!(wait >= Duration::from_secs(1000));
        }
    }
}
