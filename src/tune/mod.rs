//! How much one account may have in flight, found while it sends: width, learned rate, size of requests. Pure: time is handed in.
//!
//! `climb` finds the width that pays, `pace` a rate that is told only by refusals, `epoch` is what both look at, `size` how much a request carries. Which lane is held for
//! how long after a refusal stays the business of the lanes. Why so, and what was rejected: docs/decisions/0010.

use std::time::Duration;

use self::climb::Climber;
use self::pace::Learned;
use self::size::Sizer;

mod climb;
mod epoch;
mod pace;
mod size;
#[cfg(test)]
mod tests;

pub use self::epoch::{Answer, Flight};

/// Between what the width may move, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Never fewer requests in flight, where there is enough to send.
    pub min: usize,
    /// Never more.
    pub max: usize,
    /// At first.
    pub initial: usize,
    /// Answers should take no longer on average.
    pub target_latency: Option<Duration>,
    /// A rate of requests that an earlier run learned from refusals.
    pub rate: Option<f64>,
    /// Deliveries of one request at most, where fewer may be tried; 1 where they may not.
    pub batch: usize,
    /// The width is fixed: nothing is learned, only measured.
    pub fixed: bool,
}

impl Bounds {
    /// Exactly so many.
    pub fn fixed(width: usize) -> Self {
        let width = width.max(1);
        Bounds { min: width, max: width, initial: width, target_latency: None, rate: None, batch: 1, fixed: true }
    }
}

/// A change that the tuner made.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Requests in flight from now on.
    pub width: usize,
    /// Requests a second, where the service asked for less speed.
    pub rate: Option<f64>,
    /// Why, in words.
    pub why: String,
}

/// The tuner of one account.
#[derive(Debug)]
pub struct Tuner {
    bounds: Bounds,
    climber: Climber,
    learned: Learned,
    sizer: Sizer,
    calls: usize,
    away: usize,
    served: u64,
    last: Duration,
    /// Refusals come of the rate: widths that were good were refused later.
    rated: bool,
    decision: Option<Decision>,
}

impl Tuner {
    /// Within these bounds, from now on.
    pub fn new(bounds: Bounds, now: Duration) -> Self {
        let target = bounds.target_latency.map(|target| target.as_secs_f64());
        let mut learned = Learned::new(now);
        if let Some(rate) = bounds.rate.filter(|rate| rate.is_finite() && *rate > 0.0) {
            learned.remember(rate);
        }
        let (min, max) = (bounds.min.max(1), bounds.max.max(bounds.min).max(1));
        Tuner {
            bounds,
            climber: Climber::new(min, max, bounds.initial, target, now),
            learned,
            sizer: Sizer::new(bounds.batch),
            calls: 0,
            away: 0,
            served: 0,
            last: now,
            rated: false,
            decision: None,
        }
    }

    /// Requests that may be in flight.
    pub fn width(&self) -> usize {
        if self.bounds.fixed { self.bounds.initial } else { self.climber.width() }
    }

    /// Whether one more may be gathered, as far as the service's refusals tell; else how long to wait.
    ///
    /// # Errors
    /// The wait.
    pub fn ready(&mut self, now: Duration) -> Result<(), Duration> {
        if self.bounds.fixed { Ok(()) } else { self.learned.ready(now) }
    }

    /// Deliveries that a request may carry as far as is known here; the platform, and its limits, may say fewer.
    pub fn batch(&self) -> usize {
        if self.bounds.fixed || self.bounds.batch <= 1 { usize::MAX } else { self.sizer.size() }
    }

    /// A request was gathered.
    pub fn took(&mut self, now: Duration) -> Flight {
        self.pass(now);
        let flight = self.climber.takes(now, self.served, self.calls);
        self.calls += 1;
        self.learned.leaves(now);
        flight
    }

    /// A request has its answer, or never left.
    pub fn gave_back(&mut self, now: Duration) {
        self.pass(now);
        self.calls = self.calls.saturating_sub(1);
    }

    /// A request leaves for the service.
    pub fn leaves(&mut self, now: Duration, flight: &mut Flight) {
        self.pass(now);
        self.away += 1;
        self.climber.leaves(now, flight, self.away);
    }

    /// It came back without having been at the service.
    pub fn withdrawn(&mut self, now: Duration, flight: &Flight) {
        self.pass(now);
        self.climber.back(now, flight);
        self.away = self.away.saturating_sub(1);
    }

    /// Its answer. It carried so many deliveries, and so many of them the service worked on.
    pub fn answered(&mut self, now: Duration, flight: &Flight, answer: Answer, (rows, served): (usize, usize)) {
        self.pass(now);
        self.away = self.away.saturating_sub(1);
        if answer == Answer::Served {
            self.served += 1;
            self.learned.served();
        }
        if self.bounds.fixed {
            return;
        }
        if answer == Answer::TooFast {
            self.climber.back(now, flight);
            self.too_fast(now, flight);
            return;
        }
        if self.sizes(now, flight, rows, served) {
            // What a try of another size takes says nothing of the width.
            self.climber.back(now, flight);
            return;
        }
        if let Some((_, why)) = self.climber.answered(now, flight, self.served, answer) {
            self.decide(why);
        }
    }

    /// Whether the answer belongs to a try of another size.
    fn sizes(&mut self, now: Duration, flight: &Flight, rows: usize, served: usize) -> bool {
        // Where something else holds back, a request that carries less only sends less.
        let filled = 10 * self.calls >= 7 * self.climber.width();
        if self.bounds.batch <= 1 || self.learned.rate().is_some() || !filled || !self.climber.is_settled() {
            self.sizer.give_up();
            return false;
        }
        let tried = self.sizer.is_trying();
        let change = self.sizer.answered(rows, served, flight.away(now).as_secs_f64());
        if tried && !self.sizer.is_trying() {
            self.climber.anew(now, change.is_some());
        }
        if let Some(why) = change {
            self.decide(why);
        }
        tried
    }

    fn too_fast(&mut self, now: Duration, flight: &Flight) {
        if !self.learned.is_news(flight.sent) {
            return;
        }
        // It is the width that was too much where more than ever before was tried, and where less was never refused.
        if self.climber.is_trying() && self.learned.rate().is_some() && !self.rated {
            self.learned.heard(now);
            if let Some((_, why)) = self.climber.refused(now) {
                self.decide(why);
            }
            return;
        }
        self.rated |= self.climber.good().is_some() && self.learned.rate().is_some();
        self.learned.refused(now);
        let latency = self.climber.good().map_or(0.0, |good| good.latency);
        let least = self.learned.rate().map_or(0.0, |rate| rate * latency).min(1e6).ceil() as usize;
        self.climber.halve(now, least.min(self.climber.width()));
        self.decide("the service asked for less speed".to_owned());
    }

    /// Requests a second that the service takes, once it has asked for less speed.
    pub fn rate(&self) -> Option<f64> {
        self.learned.rate()
    }

    /// Requests in flight, those included that are only gathered.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// The width that is known to pay, once one is.
    pub fn known(&self) -> Option<usize> {
        if self.bounds.fixed { None } else { self.climber.good().map(|good| good.width) }
    }

    /// Exactly so many from now on, or whatever pays again.
    pub fn fix(&mut self, width: Option<usize>) {
        match width {
            Some(width) => self.bounds = Bounds { initial: width.max(1), fixed: true, ..self.bounds },
            None => self.bounds.fixed = false,
        }
    }

    /// What was decided since it was asked last.
    pub fn decision(&mut self) -> Option<Decision> {
        self.decision.take()
    }

    fn decide(&mut self, why: String) {
        self.decision = Some(Decision { width: self.climber.width(), rate: self.learned.rate(), why });
    }

    /// The time since the last event, with the width that was in use.
    fn pass(&mut self, now: Duration) {
        self.climber.epoch.busy += self.calls as f64 * now.saturating_sub(self.last).as_secs_f64();
        self.last = self.last.max(now);
    }
}
