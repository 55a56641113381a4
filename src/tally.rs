//! How many rows are in which state, by kind and by account: the numbers that every output tells.
//!
//! Invariant: `total` = pending + sent + failed + in doubt + skipped at any time. Pending is what is left over, so that a row
//! nobody has spoken of is counted too.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, SendError};

/// The state of a row; rows = the sum over all states at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not settled yet.
    Pending,
    /// The platform accepted it.
    Sent,
    /// For good in this run.
    Failed,
    /// Sent or not, nobody knows; `--in-doubt` decides.
    InDoubt,
    /// Policy: duplicate, suppressed.
    Skipped,
}

impl State {
    /// Every state, in the order of the documentation; the index is the number that the journal stores.
    pub const ALL: [State; 5] = [State::Pending, State::Sent, State::Failed, State::InDoubt, State::Skipped];

    /// The state as reports spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Sent => "sent",
            State::Failed => "failed",
            State::InDoubt => "in_doubt",
            State::Skipped => "skipped",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The settled rows of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Accepted by the platform.
    pub sent: u64,
    /// For good in this run.
    pub failed: u64,
    /// Sent or not, unknown.
    pub in_doubt: u64,
    /// Policy.
    pub skipped: u64,
}

/// An error that every row of the account would meet: credential or setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Critical {
    /// Whose.
    pub account: Arc<str>,
    /// `Unauthorized` or `Misconfigured`.
    pub kind: ErrorKind,
    /// The service's code.
    pub code: Option<String>,
    /// The service's words.
    pub detail: String,
    /// How many rows met it.
    pub rows: u64,
}

/// How many different critical errors are kept with their words; further ones are only counted by kind.
const CRITICAL_KEPT: usize = 20;

/// The numbers of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows of the run, in any state.
    pub total: u64,
    /// Accepted by the platform.
    pub sent: u64,
    /// For good in this run.
    pub failed: u64,
    /// Sent or not, unknown.
    pub in_doubt: u64,
    /// Those in doubt that nobody has decided about: while there are any, the run ends with exit 6.
    pub undecided: u64,
    /// Policy.
    pub skipped: u64,
    /// Tries of all settled rows.
    pub attempts: u64,
    /// Tries beyond each settled row's first.
    pub retried: u64,
    /// Failed rows by kind (those in doubt are not among them).
    pub kinds: BTreeMap<ErrorKind, u64>,
    /// Settled rows by account.
    pub accounts: BTreeMap<Arc<str>, Counts>,
    /// Errors that every row of an account would meet; at most 20 different ones.
    pub critical: Vec<Critical>,
}

impl Tally {
    /// Nothing settled of `total` rows.
    pub fn new(total: u64) -> Self {
        Tally { total, ..Tally::default() }
    }

    /// Rows that are not settled.
    pub fn pending(&self) -> u64 {
        self.total.saturating_sub(self.settled())
    }

    /// Rows that are.
    pub fn settled(&self) -> u64 {
        self.sent + self.failed + self.in_doubt + self.skipped
    }

    /// `rows` rows of `account` came to rest in `state` after `attempts` tries in all. `Pending` changes nothing.
    pub fn settle(&mut self, account: &Arc<str>, state: State, kind: Option<ErrorKind>, rows: u64, attempts: u64) {
        if state == State::Pending {
            return;
        }
        let counts = match self.accounts.get_mut(account) {
            Some(counts) => counts,
            None => self.accounts.entry(account.clone()).or_default(),
        };
        match state {
            State::Pending => {}
            State::Sent => {
                self.sent += rows;
                counts.sent += rows;
            }
            State::Failed => {
                self.failed += rows;
                counts.failed += rows;
                *self.kinds.entry(kind.unwrap_or(ErrorKind::Exhausted)).or_default() += rows;
            }
            State::InDoubt => {
                self.in_doubt += rows;
                self.undecided += rows;
                counts.in_doubt += rows;
            }
            State::Skipped => {
                self.skipped += rows;
                counts.skipped += rows;
            }
        }
        self.attempts += attempts;
        self.retried += attempts.saturating_sub(rows.min(attempts));
    }

    /// A failed row is pending again (`--on-error retry`).
    pub fn reopen(&mut self, account: &str, kind: Option<ErrorKind>, attempts: u64) {
        self.failed = self.failed.saturating_sub(1);
        if let Some(counts) = self.accounts.get_mut(account) {
            counts.failed = counts.failed.saturating_sub(1);
        }
        if let Some(count) = self.kinds.get_mut(&kind.unwrap_or(ErrorKind::Exhausted)) {
            *count = count.saturating_sub(1);
        }
        self.kinds.retain(|_, count| *count > 0);
        self.attempts = self.attempts.saturating_sub(attempts);
        self.retried = self.retried.saturating_sub(attempts.saturating_sub(1));
    }

    /// A row in doubt is pending again (`--in-doubt resend`).
    pub fn put_back(&mut self, account: &str, attempts: u64) {
        self.in_doubt = self.in_doubt.saturating_sub(1);
        self.undecided = self.undecided.saturating_sub(1);
        if let Some(counts) = self.accounts.get_mut(account) {
            counts.in_doubt = counts.in_doubt.saturating_sub(1);
        }
        self.attempts = self.attempts.saturating_sub(attempts);
        self.retried = self.retried.saturating_sub(attempts.saturating_sub(1));
    }

    /// Remembers an error of the critical kinds, settled or not; others are none of its business.
    pub fn notice(&mut self, account: &Arc<str>, error: &SendError, rows: u64) {
        if !matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::Misconfigured) {
            return;
        }
        let same =
            |c: &&mut Critical| c.account == *account && c.kind == error.kind && c.code == error.code && c.detail == error.detail;
        if let Some(known) = self.critical.iter_mut().find(same) {
            known.rows += rows;
        } else if self.critical.len() < CRITICAL_KEPT {
            self.critical.push(Critical {
                account: account.clone(),
                kind: error.kind,
                code: error.code.clone(),
                detail: error.detail.clone(),
                rows,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_add_up_to_the_rows() {
        let account: Arc<str> = Arc::from("corp");
        let mut tally = Tally::new(10);
        tally.settle(&account, State::Sent, None, 1, 1);
        tally.settle(&account, State::Failed, Some(ErrorKind::BadAddress), 1, 3);
        tally.settle(&account, State::Failed, Some(ErrorKind::BadRow), 1, 0);
        tally.settle(&account, State::InDoubt, Some(ErrorKind::InDoubt), 1, 2);
        tally.settle(&account, State::Skipped, None, 1, 0);
        tally.settle(&account, State::Pending, None, 1, 1);
        assert_eq!(tally.pending(), 5);
        assert_eq!((tally.attempts, tally.retried), (6, 3));
        let by_account = tally.accounts["corp"];
        assert_eq!(by_account.sent + by_account.failed + by_account.in_doubt + by_account.skipped, tally.settled());
        assert_eq!(tally.kinds.values().sum::<u64>(), tally.failed);
        tally.put_back("corp", 2);
        assert_eq!((tally.in_doubt, tally.undecided, tally.pending()), (0, 0, 6));
        assert_eq!((tally.attempts, tally.retried), (4, 2));
    }

    #[test]
    fn critical_errors_are_few_and_counted() {
        let account: Arc<str> = Arc::from("corp");
        let mut tally = Tally::new(1000);
        for n in 0..1000u32 {
            tally.notice(&account, &SendError::new(ErrorKind::Unauthorized, "535 no").with_code("535"), 1);
            tally.notice(&account, &SendError::new(ErrorKind::Misconfigured, format!("no {n}")), 1);
            tally.notice(&account, &SendError::new(ErrorKind::BadAddress, "x"), 1);
        }
        assert_eq!(tally.critical.len(), CRITICAL_KEPT);
        assert_eq!(tally.critical[0].rows, 1000);
    }
}
