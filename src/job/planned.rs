//! The plan of a run with what its config says of costs, and whether it may cost that.

use crate::config::Config;
use crate::cost::Caps;
use crate::exit::{Exit, Failure};
use crate::plan::{Census, Counts, Plan};
use crate::prepare::Preparer;

/// The plan of a run that is made now.
pub fn of(config: &Config, preparer: &Preparer, counts: Counts, census: Census, now: &jiff::Zoned) -> Plan {
    Plan::new(counts, census, preparer.accounts(), |account| config.costs.get(account), &preparer.policy().timetable, now)
}

/// Refuses what costs more than it may: `--max-cost`, else `defaults.max_cost`.
///
/// # Errors
/// It costs more, or the flag is there and nobody knows what anything costs: exit 2.
pub fn guard(flag: Option<&Caps>, config: &Config, plan: &Plan) -> Result<(), Failure> {
    let Some(caps) = flag.or(config.defaults.max_cost.as_ref()) else { return Ok(()) };
    caps.allow(&plan.bill).map_err(|what| {
        Failure::new(Exit::Usage, format!("{what}; nothing was sent\n  = help: send fewer rows, or allow more with --max-cost"))
    })?;
    // What an account of the plan does not charge by its own word counts as nothing only where another one does charge.
    let unpriced: Vec<&str> = plan.unpriced().map(|part| part.account.as_str()).collect();
    if flag.is_some() && plan.bill.is_empty() && !unpriced.is_empty() {
        let what = format!(
            "--max-cost {caps}: nobody knows what messages of {} cost; nothing was sent\n  = help: write `cost: 0.045 CNY` into the account",
            unpriced.join(", ")
        );
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(())
}
