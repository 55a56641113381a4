//! What the flow remembers to recover by: breakers, windows of outcomes, the threshold, the canary.

use crate::journal::events::{self};
use crate::prepare::{Prepared, Preparer};
use crate::recovery::breaker::{Breaker, State, Timing};
use crate::recovery::canary::Canary;
use crate::recovery::policy::CANARY_FAILURES;
use crate::recovery::rules::Window;
use crate::rules::Rules;
use crate::tally::Tally;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Hosts of one account whose breaker is kept; those beyond have none.
const HOSTS: usize = 10_000;

/// What one account has met.
pub(super) struct Watched {
    pub(super) breaker: Breaker,
    /// Where rows name their own hosts; bounded by [`HOSTS`].
    pub(super) hosts: HashMap<Box<str>, Breaker>,
    /// Those whose breaker is not closed.
    pub(super) open_hosts: BTreeSet<Box<str>>,
    /// Until when the account rests for its breaker.
    pub(super) rests: Option<Instant>,
    pub(super) window: Window,
    /// The same since its endpoint is in trouble; empty while it goes steadily.
    pub(super) troubled: Window,
    /// Half the width until then.
    pub(super) throttled: Option<(usize, Instant)>,
    /// Tries that were not counted since the breaker opened.
    pub(super) spared: u64,
    /// The last failure of the endpoint, in its words.
    pub(super) last: String,
    /// Why its rows are left for a resume.
    pub(super) gave_up: Option<String>,
    /// Sent by this process, and since when.
    pub(super) sent: u64,
    pub(super) since: Option<Instant>,
    /// Another account follows on some route: rows go there instead of waiting.
    pub(super) goes_on: bool,
}

/// What recovery knows of a run.
pub(super) struct Recovering {
    pub(super) accounts: Vec<Watched>,
    pub(super) timing: Timing,
    pub(super) canary: Option<Canary>,
    /// Rows that were read and may not go before the first ones have shown how they fare: one piece of the reader.
    pub(super) held: VecDeque<Prepared>,
    /// Of this life of the run: rows that were sent or failed.
    pub(super) settled: u64,
    pub(super) failed: u64,
}

impl Recovering {
    pub(super) fn new(rules: &Rules, preparer: &Preparer, tally: &Tally) -> Self {
        let watched = |(at, account): (usize, &crate::account::Account)| Watched {
            breaker: Breaker::new(tally.accounts.get(&account.name).is_some_and(|counts| counts.sent > 0)),
            hosts: HashMap::new(),
            open_hosts: BTreeSet::new(),
            rests: None,
            window: Window::default(),
            troubled: Window::default(),
            throttled: None,
            spared: 0,
            last: String::new(),
            gave_up: None,
            sent: 0,
            since: None,
            goes_on: preparer.goes_on(at),
        };
        let policy = &rules.recovery;
        let most = policy.halt_on_failures.unwrap_or(CANARY_FAILURES);
        // A run that is resumed has shown how its first rows fared, unless it was killed before.
        let (past, _) = events::read(&rules.folder, 0);
        let fresh = !past.iter().any(|event| event.what == "canary" && event.more.contains_key("passed"));
        Recovering {
            accounts: preparer.accounts().iter().enumerate().map(watched).collect(),
            timing: Timing {
                first: rules.backoff.delay.max(Duration::from_millis(1)),
                max_wait: rules.max_wait,
                probes: rules.backoff.retries.max(1),
            },
            canary: policy.canary.filter(|_| fresh).map(|rows| Canary::new(rows, policy.hold, most)),
            held: VecDeque::new(),
            settled: 0,
            failed: 0,
        }
    }

    /// When something of this changes by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        let of = |watched: &Watched| {
            let open = watched.open_hosts.iter().filter_map(|host| watched.hosts.get(host));
            let hosts = open.filter_map(Breaker::next).min();
            [watched.breaker.next(), hosts, watched.throttled.map(|(_, until)| until)].into_iter().flatten().min()
        };
        self.accounts.iter().filter_map(of).chain(self.canary.as_ref().and_then(Canary::next)).min()
    }

    /// The first rows are alone, and others are at hand already: nothing more is read.
    pub(super) fn is_shut(&self) -> bool {
        !self.held.is_empty() && self.canary.as_ref().is_some_and(|canary| canary.room() == Some(0))
    }

    /// Rows that wait for the first ones.
    pub(super) fn holds_rows(&self) -> bool {
        !self.held.is_empty()
    }

    /// Where the breaker of the account stands, in a word; where rows name their own hosts, the worst of them.
    pub(super) fn breaker_word(&self, account: usize) -> &'static str {
        let watched = &self.accounts[account];
        let hosts = watched.open_hosts.iter().filter_map(|host| watched.hosts.get(host));
        let states: Vec<State> = std::iter::once(&watched.breaker).chain(hosts).map(Breaker::state).collect();
        if states.iter().any(|state| matches!(state, State::Open(_))) {
            "open"
        } else if states.contains(&State::HalfOpen) {
            "half_open"
        } else {
            "closed"
        }
    }

    /// Why accounts were given up.
    pub(super) fn gave_up(&self) -> Vec<String> {
        self.accounts.iter().filter_map(|watched| watched.gave_up.clone()).collect()
    }

    pub(super) fn breaker(&mut self, account: usize, host: Option<&str>) -> Option<&mut Breaker> {
        let watched = &mut self.accounts[account];
        let Some(host) = host else { return Some(&mut watched.breaker) };
        if !watched.hosts.contains_key(host) {
            if watched.hosts.len() >= HOSTS {
                return None;
            }
            watched.hosts.insert(Box::from(host), Breaker::new(false));
        }
        watched.hosts.get_mut(host)
    }
}
