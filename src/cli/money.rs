//! What a run may cost, as typed.

use clap::Args;

use crate::cost::Caps;

/// What a run may cost.
#[derive(Debug, Clone, Default, Args)]
pub struct MoneyFlags {
    /// Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or '1000 CNY, 50 USD'
    #[arg(long, value_name = "AMOUNT", help_heading = "Safety")]
    pub max_cost: Option<Caps>,
}
