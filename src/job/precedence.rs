//! Who goes before whom in a run: flags over config.

use crate::cli::priority::PriorityFlags;
use crate::config::Config;
use crate::config::scheduler::Strategy;
use crate::priority::Precedence;

/// What holds for a new run.
pub fn of(config: &Config, flags: &PriorityFlags) -> Precedence {
    let by_config = match (config.defaults.strict_priority, config.scheduler.strategy) {
        (Some(strict), _) => strict,
        (None, strategy) => strategy == Some(Strategy::Strict),
    };
    Precedence {
        priority: flags.priority.or(config.defaults.priority).unwrap_or_default(),
        strict: flags.strict_priority || by_config,
        weights: config.scheduler.weights.unwrap_or_default(),
    }
}

/// What a resumed run may be told anew.
pub fn amend(precedence: &mut Precedence, flags: &PriorityFlags) {
    precedence.priority = flags.priority.unwrap_or(precedence.priority);
    precedence.strict |= flags.strict_priority;
}
