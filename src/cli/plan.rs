//! Words of plans: what a run may cost, and `notify plan`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::{ContentFlags, FlowFlags, InputFlags, TargetFlags};
use crate::cost::Caps;

/// What a run may cost.
#[derive(Debug, Clone, Default, Args)]
pub struct MoneyFlags {
    /// Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or '1000 CNY, 50 USD'
    #[arg(long, value_name = "AMOUNT", help_heading = "Safety")]
    pub max_cost: Option<Caps>,
}

/// `notify plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The list: CSV, TSV, JSONL or JSON, also .gz and .zst; - reads stdin
    #[arg(value_name = "ROWS", value_hint = ValueHint::FilePath)]
    pub rows: PathBuf,
    /// How rows are read.
    #[command(flatten)]
    pub input: InputFlags,
    /// Column that identifies a row [default: account, address and occurrence]
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    pub key: Option<String>,
    /// What would be sent.
    #[command(flatten)]
    pub content: ContentFlags,
    /// Through what.
    #[command(flatten)]
    pub target: TargetFlags,
    /// How; --json prints the plan as one JSON object.
    #[command(flatten)]
    pub flow: FlowFlags,
    /// What it may cost.
    #[command(flatten)]
    pub money: MoneyFlags,
    /// Plan for the good rows although there are bad ones
    #[arg(long, help_heading = "Safety")]
    pub skip_invalid: bool,
}
