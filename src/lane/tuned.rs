//! Where the lanes meet the tuner of each account: what was sent and answered goes to it, its width comes back.

use std::time::Duration;

use tokio::time::Instant;

use crate::batch::Verdict;
use crate::error::{ErrorKind, Reach, SendError};
use crate::lane::{Lanes, widened};
use crate::platform::LaneKey;
use crate::tune::{Answer, Bounds, Decision, Flight, Tuner};

impl Lanes {
    /// Begins anew within other bounds: what an earlier run learned.
    pub fn tune(&mut self, account: usize, bounds: Bounds) {
        let now = self.now();
        let road = &mut self.roads[account];
        road.tuner = Tuner::new(bounds, now);
        road.width = road.tuner.width();
    }

    /// A request of that account was gathered.
    pub fn took(&mut self, account: usize) -> Flight {
        let now = self.now();
        self.roads[account].tuner.took(now)
    }

    /// It leaves for the service.
    pub fn tuner_leaves(&mut self, account: usize, flight: &mut Flight, at: Instant) {
        let (now, later) = (self.now(), at.saturating_duration_since(Instant::now()));
        let road = &mut self.roads[account];
        road.tuner.leaves(now, flight);
        flight.later(later);
        road.width = road.tuner.width();
    }

    /// It came back without having been at the service.
    pub fn tuner_back(&mut self, account: usize, flight: &Flight) {
        let now = self.now();
        self.roads[account].tuner.withdrawn(now, flight);
    }

    /// Its answer; says how it was taken, and how long it was away.
    pub fn answered(&mut self, account: usize, key: &LaneKey, flight: &Flight, verdicts: &[Verdict]) -> (Answer, Duration) {
        let now = self.now();
        let answer = answer(key, verdicts);
        let served = verdicts.iter().filter(|verdict| verdict.as_ref().map_or_else(worked_on, |_| true)).count();
        let road = &mut self.roads[account];
        road.tuner.answered(now, flight, answer, (verdicts.len(), served));
        road.width = road.tuner.width();
        (answer, flight.away(now))
    }

    /// What the tuner of that account decided since it was asked last.
    pub fn decision(&mut self, account: usize) -> Option<Decision> {
        self.roads[account].tuner.decision()
    }

    /// Whether its width follows what the service takes, and has been told of too much speed already.
    pub fn learns(&self, account: usize) -> bool {
        self.roads[account].tuner.rate().is_some()
    }

    /// The tuner of that account.
    pub fn tuner(&self, account: usize) -> &Tuner {
        &self.roads[account].tuner
    }

    /// Deliveries that a request of that account carries at most, as things are.
    pub fn batch(&self, account: usize) -> usize {
        self.roads[account].size()
    }

    /// Since these lanes are there.
    pub fn now(&self) -> Duration {
        Instant::now().duration_since(self.begun)
    }
}

/// The service did its work on it, whatever it said of it.
fn worked_on(error: &SendError) -> bool {
    !matches!(error.kind, ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::InDoubt | ErrorKind::Unreachable)
}

/// What a request says of the service's speed: the worst that it says of one of its deliveries.
fn answer(key: &LaneKey, verdicts: &[Verdict]) -> Answer {
    let mut worst = Answer::Served;
    for error in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()) {
        let this = match error.kind {
            // A single target that is too busy says nothing of the account's own speed.
            ErrorKind::Throttled => match widened(key, error.reach) {
                Some(Reach::Account | Reach::Platform) => return Answer::TooFast,
                _ => Answer::Served,
            },
            ErrorKind::Unavailable | ErrorKind::InDoubt => Answer::Overload,
            ErrorKind::Unreachable => Answer::Unreached,
            _ => Answer::Served,
        };
        if worst == Answer::Served {
            worst = this;
        }
    }
    worst
}
