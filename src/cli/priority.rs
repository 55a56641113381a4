//! Flags about who goes before whom.

use clap::Args;

use crate::priority::Priority;

/// Who goes first.
#[derive(Debug, Clone, Default, Args)]
pub struct PriorityFlags {
    /// What the rows are worth that say nothing in `_priority` [default: normal]
    #[arg(long, value_name = "WORD", help_heading = "Pace")]
    pub priority: Option<Priority>,
    /// Let critical rows go first alone, instead of eight of them for each low one
    #[arg(long, help_heading = "Pace")]
    pub strict_priority: bool,
}
