//! Flags of pace beside those of width and rate.

use clap::Args;

/// What a run does at a limit of hours and days.
#[derive(Debug, Clone, Default, Args)]
pub struct PaceFlags {
    /// Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)
    #[arg(long, help_heading = "Pace")]
    pub wait_quota: bool,
}
