//! What a run was told about recovery: rules, threshold, canary. Kept in its manifest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::recovery::rules::Rule;
use crate::recovery::threshold::Threshold;

/// Rows that must be settled before a share of failures means anything (`--halt-min`).
pub const HALT_MIN: u64 = 50;
/// Failures that the first rows may have where `--halt-on-failures` does not say.
pub const CANARY_FAILURES: Threshold = Threshold::Share(0.05);
/// How long the run waits after its first rows (`--hold`).
pub const HOLD: Duration = Duration::from_secs(60);

/// The settings of recovery after flags, environment and config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// `recovery.network`: what more than this share of network errors leads to.
    pub network: Rule,
    /// `recovery.rate_limit`: what more than this share of refused speed leads to.
    pub rate_limit: Rule,
    /// `--halt-on-failures`.
    pub halt_on_failures: Option<Threshold>,
    /// `--halt-min`.
    pub halt_min: u64,
    /// `--canary`: rows that go first.
    pub canary: Option<u64>,
    /// `--hold`: how long the run waits after them.
    pub hold: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            network: Rule::NETWORK,
            rate_limit: Rule::RATE_LIMIT,
            halt_on_failures: None,
            halt_min: HALT_MIN,
            canary: None,
            hold: HOLD,
        }
    }
}
