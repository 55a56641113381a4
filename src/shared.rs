//! What the processes of this machine tell each other while they send: the waits that services named, looked up four times a second.
//!
//! Advice, and never a reason to stop: where `state.db` cannot be used, a run goes on by what it hears itself.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::prepare::Preparer;
use crate::rules::Rules;
use crate::state::holds::{HoldKey, Holds};
use crate::state::learned::Lessons;

/// How often is looked whether another process was told to wait.
const EVERY: Duration = Duration::from_millis(250);

/// The shared waits, as one run sees them.
#[derive(Debug)]
pub struct Shared {
    holds: Option<Holds>,
    /// What this run has told or heard, so that it hears each wait once; what is over is forgotten.
    known: HashMap<HoldKey, i64>,
    next: Instant,
}

impl Shared {
    /// Of the state folder of this run. A run that sends nothing shares nothing.
    pub fn open(rules: &Rules, preparer: &Preparer) -> Self {
        let harmless = preparer.harmless();
        let open =
            || Holds::open(&rules.state_dir).inspect_err(|error| tracing::warn!(%error, "waits are not shared with other runs"));
        Shared { holds: if harmless { None } else { open().ok() }, known: HashMap::new(), next: Instant::now() }
    }

    /// What earlier runs learned. A run that sends nothing learns nothing.
    pub fn lessons(rules: &Rules, preparer: &Preparer) -> Option<Lessons> {
        let harmless = preparer.accounts().iter().all(|account| account.platform.capability().harmless);
        let open =
            || Lessons::open(&rules.state_dir).inspect_err(|error| tracing::warn!(%error, "nothing is learned for later runs"));
        if harmless { None } else { open().ok() }
    }

    /// The service named this wait.
    pub fn tell(&mut self, key: HoldKey, wait: Duration) {
        let until = now().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.known.entry(key).and_modify(|known| *known = until.max(*known)).or_insert(until);
        if let Some(Err(error)) = self.holds.as_ref().map(|holds| holds.hold(key, until)) {
            tracing::warn!(%error, "a wait is not shared with other runs");
        }
    }

    /// What others were told since the last look, and how long it lasts from now.
    pub fn heard(&mut self) -> Vec<(HoldKey, Duration)> {
        let Some(holds) = self.holds.as_mut().filter(|_| self.next <= Instant::now()) else { return Vec::new() };
        self.next = Instant::now() + EVERY;
        let now = now();
        let found = holds.changed(now).unwrap_or_else(|error| {
            tracing::warn!(%error, "the waits of other runs cannot be read");
            Vec::new()
        });
        let known = &mut self.known;
        known.retain(|_, until| *until > now);
        found
            .into_iter()
            .filter(|(key, until)| known.insert(*key, *until).is_none_or(|before| before < *until))
            .map(|(key, until)| (key, Duration::from_millis(u64::try_from(until - now).unwrap_or_default())))
            .collect()
    }

    /// When it is looked again.
    pub fn next_look(&self) -> Option<Instant> {
        self.holds.as_ref().map(|_| self.next)
    }
}

/// Milliseconds of the wall clock: what processes have in common.
fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
