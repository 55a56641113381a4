//! The founding recovery rules: what shares of network errors and of refused speed among the last outcomes lead to. Pure.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;

/// Outcomes of an account that are looked at.
const WINDOW: usize = 50;
/// So many at least: one of one is no share.
pub const LEAST: usize = 20;
/// So many at least since an endpoint is in trouble: its breaker lets few through.
pub const LEAST_IN_TROUBLE: usize = 10;
/// Openings and failed probes of a breaker after which it is no passing trouble.
pub const LASTING: u32 = 6;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing beyond what each failure leads to by itself; not told either.
    None,
    /// The account rests while its breaker asks, for so long at most; then all that is left goes again.
    RetryAll,
    /// Rows that may succeed go again, each by its own tries.
    Selective,
    /// Half the width and half the pace, for a time; with `-j auto`, what it has learned of the refusals.
    Throttle,
    /// As a breaker that opens for that long, with a probe before all goes again.
    CircuitBreak,
}

impl Action {
    /// Every spelling, in the order of the documentation.
    pub const WORDS: &'static [&'static str] = &["none", "retry_all", "selective", "throttle", "circuit_break"];

    /// The spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::None => "none",
            Action::RetryAll => "retry_all",
            Action::Selective => "selective",
            Action::Throttle => "throttle",
            Action::CircuitBreak => "circuit_break",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Action::None, Action::RetryAll, Action::Selective, Action::Throttle, Action::CircuitBreak];
        all.into_iter().find(|action| action.as_str() == word.trim()).ok_or_else(|| {
            let near = crate::problem::did_you_mean(word, Action::WORDS.iter().copied());
            let near = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
            format!("\"{word}\" is not one of {}{near}", Action::WORDS.join(", "))
        })
    }
}

/// One rule: a share of the last outcomes, and what more than it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// From 0 to 1.
    pub over: f64,
    /// What follows.
    pub action: Action,
    /// For how long.
    pub delay: Duration,
}

impl Rule {
    /// More than 80 % network errors: all of it again after 5 minutes.
    pub const NETWORK: Rule = Rule { over: 0.8, action: Action::RetryAll, delay: Duration::from_secs(300) };
    /// More than 50 % refused as too fast: slower for 10 minutes.
    pub const RATE_LIMIT: Rule = Rule { over: 0.5, action: Action::Throttle, delay: Duration::from_secs(600) };
}

/// What one outcome counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The network: nothing got there.
    Network,
    /// The service wants less speed.
    RateLimit,
    /// Anything else, successes among it.
    Other,
}

impl Class {
    /// Of a failure.
    pub fn of(kind: ErrorKind) -> Class {
        match kind {
            ErrorKind::Unreachable => Class::Network,
            ErrorKind::Throttled => Class::RateLimit,
            _ => Class::Other,
        }
    }
}

/// What was seen, as told with a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Outcomes of that class.
    pub of_class: usize,
    /// Of so many.
    pub all: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % of the last {}", self.of_class * 100 / self.all.max(1), self.all)
    }
}

/// The last outcomes of an account.
#[derive(Debug, Clone, Default)]
pub struct Window {
    last: VecDeque<Class>,
    network: usize,
    rate_limit: usize,
}

impl Window {
    /// One more.
    pub fn saw(&mut self, class: Class) {
        if self.last.len() == WINDOW
            && let Some(oldest) = self.last.pop_front()
        {
            self.network -= usize::from(oldest == Class::Network);
            self.rate_limit -= usize::from(oldest == Class::RateLimit);
        }
        self.last.push_back(class);
        self.network += usize::from(class == Class::Network);
        self.rate_limit += usize::from(class == Class::RateLimit);
    }

    /// What was seen of that class, where it is more than the rule allows, and enough was seen.
    pub fn exceeds(&self, class: Class, rule: &Rule, least: usize) -> Option<Seen> {
        let seen = Seen {
            of_class: match class {
                Class::Network => self.network,
                Class::RateLimit => self.rate_limit,
                Class::Other => return None,
            },
            all: self.last.len(),
        };
        (seen.all >= least && seen.of_class as f64 > rule.over * seen.all as f64).then_some(seen)
    }

    /// What was seen has led to something, and counts no more.
    pub fn forget(&mut self) {
        self.last.clear();
        (self.network, self.rate_limit) = (0, 0);
    }
}

/// Whether the network rule speaks now: the breaker comes first, and this only when its probes do not help for long, or when resting
/// for that long costs no more than its next cool-down.
pub fn network_speaks(rule: &Rule, trouble: u32, next_cool_down: Duration) -> bool {
    rule.action != Action::None && (trouble >= LASTING || rule.delay <= next_cool_down)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_of_the_last_outcomes_and_of_enough_of_them() {
        let mut window = Window::default();
        (0..LEAST - 1).for_each(|_| window.saw(Class::Network));
        assert_eq!(window.exceeds(Class::Network, &Rule::NETWORK, LEAST), None, "too few");
        window.saw(Class::Network);
        assert_eq!(window.exceeds(Class::Network, &Rule::NETWORK, LEAST), Some(Seen { of_class: 20, all: 20 }));
        (0..5).for_each(|_| window.saw(Class::Other));
        assert_eq!(window.exceeds(Class::Network, &Rule::NETWORK, LEAST), None, "exactly 80 %");
        (0..WINDOW).for_each(|_| window.saw(Class::RateLimit));
        assert_eq!(window.exceeds(Class::RateLimit, &Rule::RATE_LIMIT, LEAST), Some(Seen { of_class: 50, all: 50 }));
        assert_eq!(window.network, 0, "what is old is forgotten");
        window.forget();
        assert_eq!(window.exceeds(Class::RateLimit, &Rule::RATE_LIMIT, LEAST), None);
        assert_eq!(Seen { of_class: 41, all: 50 }.to_string(), "82 % of the last 50");
    }

    #[test]
    fn the_breaker_comes_before_the_network_rule() {
        assert!(!network_speaks(&Rule::NETWORK, 5, Duration::from_secs(60)));
        assert!(network_speaks(&Rule::NETWORK, 6, Duration::from_secs(60)));
        let short = Rule { delay: Duration::from_millis(200), ..Rule::NETWORK };
        assert!(network_speaks(&short, 1, Duration::from_millis(500)));
        assert!(!network_speaks(&Rule { action: Action::None, ..short }, 99, Duration::from_secs(1)));
    }

    #[test]
    fn every_word_is_read() {
        for word in Action::WORDS {
            assert_eq!(word.parse::<Action>().unwrap().as_str(), *word);
        }
        assert!("retryall".parse::<Action>().unwrap_err().contains("did you mean retry_all?"));
    }
}
