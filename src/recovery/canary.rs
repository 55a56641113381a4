//! `--canary N --hold D`: the first rows go alone, the run waits, and goes on only if they fared well. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::recovery::threshold::Threshold;

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// All of them are settled: the hold begins, and ends then.
    Holds(Instant),
    /// They fared well: all go.
    Passed,
    /// Too many of them failed: the run stops.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Sending,
    Holding(Instant),
    Over,
}

/// The first rows of a run.
#[derive(Debug, Clone)]
pub struct Canary {
    rows: u64,
    hold: Duration,
    most: Threshold,
    handed: u64,
    settled: u64,
    failed: u64,
    state: State,
}

impl Canary {
    /// `rows` go first; `most` of them may fail.
    pub fn new(rows: u64, hold: Duration, most: Threshold) -> Self {
        Canary { rows, hold, most, handed: 0, settled: 0, failed: 0, state: State::Sending }
    }

    /// How many more rows may be handed on; `None`: all.
    pub fn room(&self) -> Option<u64> {
        (self.state != State::Over).then(|| self.rows.saturating_sub(self.handed))
    }

    /// A row was handed on.
    pub fn hand(&mut self) {
        if self.state == State::Sending {
            self.handed += 1;
        }
    }

    /// A row was settled that had been sent.
    pub fn settle(&mut self, failed: bool) {
        if self.state != State::Over {
            self.settled += 1;
            self.failed += u64::from(failed);
        }
    }

    /// How many were settled, and how many of those failed.
    pub fn counts(&self) -> (u64, u64) {
        (self.settled, self.failed)
    }

    /// When it wants to be asked again by itself.
    pub fn next(&self) -> Option<Instant> {
        if let State::Holding(until) = self.state { Some(until) } else { None }
    }

    /// What follows from what was settled, and the clock. `quiet`: nothing of the run waits, rests or is in flight.
    pub fn step(&mut self, quiet: bool, now: Instant) -> Option<Step> {
        match self.state {
            State::Sending if self.handed >= self.rows && quiet => {
                // Those that failed are not waited for.
                if self.most.is_passed(self.failed, self.settled, 1) {
                    self.state = State::Over;
                    return Some(Step::Failed);
                }
                let until = now + self.hold;
                self.state = State::Holding(until);
                Some(Step::Holds(until))
            }
            State::Holding(until) if until <= now => {
                self.state = State::Over;
                Some(Step::Passed)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_go_alone_and_the_rest_after_the_hold() {
        let now = Instant::now();
        let mut canary = Canary::new(3, Duration::from_secs(60), Threshold::Share(0.34));
        assert_eq!(canary.room(), Some(3));
        (0..3).for_each(|_| canary.hand());
        assert_eq!((canary.room(), canary.step(false, now)), (Some(0), None));
        canary.settle(false);
        canary.settle(true);
        canary.settle(false);
        assert_eq!(canary.step(false, now), None, "one of them rests");
        let until = now + Duration::from_secs(60);
        assert_eq!(canary.step(true, now), Some(Step::Holds(until)));
        assert_eq!((canary.next(), canary.room()), (Some(until), Some(0)));
        assert_eq!(canary.step(true, until), Some(Step::Passed));
        assert_eq!((canary.room(), canary.step(true, until)), (None, None));
    }

    #[test]
    fn too_many_failures_stop_it_without_waiting() {
        let mut canary = Canary::new(2, Duration::from_secs(60), Threshold::Share(0.05));
        canary.hand();
        canary.hand();
        canary.settle(true);
        canary.settle(false);
        assert_eq!(canary.step(true, Instant::now()), Some(Step::Failed));
        assert_eq!(canary.counts(), (2, 1));
    }
}
