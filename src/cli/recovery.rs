//! The flags of recovery: when a run stops by itself, and how carefully it begins.

use std::time::Duration;

use clap::Args;

use crate::config::duration;
use crate::recovery::threshold::Threshold;

/// What a resumed run may be told anew.
#[derive(Debug, Clone, Default, Args)]
pub struct HaltFlags {
    /// Stop the run when more than this share of its rows has failed, or so many; it can be resumed
    #[arg(long, value_name = "SHARE%|N", help_heading = "Safety")]
    pub halt_on_failures: Option<Threshold>,
    /// Rows that must be settled before a share of failures counts [default: 50]
    #[arg(long, value_name = "N", help_heading = "Safety")]
    pub halt_min: Option<u64>,
}

/// What only a new run is told.
#[derive(Debug, Clone, Default, Args)]
pub struct CanaryFlags {
    /// Send the first N rows alone, and the others only if those fared well
    ///
    /// More failures among them than --halt-on-failures (5% where it does not say) stop the run, which can be resumed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Safety")]
    pub canary: Option<u64>,
    /// How long to wait after the rows of --canary before the others go [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Safety")]
    pub hold: Option<Duration>,
}
