//! What the flow needs to know of a run's settings: retries, limits of time, and what becomes of failures and doubts.

use std::path::PathBuf;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::config;
use crate::journal::folder::RunFolder;
use crate::priority::Precedence;
use crate::recovery::policy::Policy;

/// `--on-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Record the failure and go on.
    #[default]
    Continue,
    /// Stop at the first failure for good.
    Abort,
    /// Go on, then one more pass over the retryable failures.
    Retry,
}

impl From<config::defaults::OnError> for OnError {
    fn from(word: config::defaults::OnError) -> Self {
        match word {
            config::defaults::OnError::Continue => OnError::Continue,
            config::defaults::OnError::Abort => OnError::Abort,
            config::defaults::OnError::Retry => OnError::Retry,
        }
    }
}

/// `--in-doubt` for rows that come into doubt while the run lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// They wait for a decision: exit 6.
    #[default]
    Ask,
    /// They stay in doubt, and that is the decision.
    Skip,
    /// They are tried again like a failure that may pass.
    Resend,
}

impl From<config::defaults::InDoubt> for Doubt {
    fn from(word: config::defaults::InDoubt) -> Self {
        match word {
            config::defaults::InDoubt::Ask => Doubt::Ask,
            config::defaults::InDoubt::Skip => Doubt::Skip,
            config::defaults::InDoubt::Resend => Doubt::Resend,
        }
    }
}

/// What the flow needs to know of the run's settings.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Retries and their delays.
    pub backoff: Backoff,
    /// What a failure for good does to the run.
    pub on_error: OnError,
    /// Rows of one journal group and deliveries of one request, at most (`-b`).
    pub batch_size: usize,
    /// A wait longer than this, of a row, a lane or an account, leaves its rows pending; where only such rows are left the run ends.
    pub max_wait: Duration,
    /// A limit that is used up is waited for, however long that takes (`--wait-quota`).
    pub wait_quota: bool,
    /// How long a drain may take.
    pub grace: Duration,
    /// When the run ends, finished or not.
    pub deadline: Option<Duration>,
    /// Who goes before whom.
    pub precedence: Precedence,
    /// What becomes of rows in doubt while the run lasts.
    pub in_doubt: Doubt,
    /// Recovery, threshold, canary.
    pub recovery: Policy,
    /// Addresses that a service calls gone go onto the suppression list.
    pub suppress_gone: bool,
    /// Where spool and journal are.
    pub folder: RunFolder,
    /// What all runs of this machine share is in `state.db` here.
    pub state_dir: PathBuf,
}
