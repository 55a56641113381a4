//! What was seen while one width was in force: how much was served in a time, how long answers took, how many went wrong.
//!
//! The rate is BBR's: each request knows how many were served before it left, so that what was served during its flight, divided by
//! the flight, is a rate by itself; sums of both are the epoch's. Nothing depends on where an epoch begins in a burst of answers.

use std::time::Duration;

/// Samples kept to tell from where on it hurts.
const SEEN: usize = 1024;

/// How a request ended, as far as its speed matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The service worked on it, whatever it said of the message itself.
    Served,
    /// The service asked for less speed.
    TooFast,
    /// The service could not: unavailable, or no answer in time.
    Overload,
    /// The network did not get there.
    Unreached,
}

/// A request that is on its way, as it looked when it left.
#[derive(Debug, Clone, Copy)]
pub struct Flight {
    /// When it was gathered, since the beginning.
    pub(super) taken: Duration,
    /// When it left for the service.
    pub(super) sent: Duration,
    /// Requests served before it was gathered.
    pub(super) served: u64,
    /// During which epoch it was gathered.
    pub(super) epoch: u32,
    /// Requests on their way to the service, this one included.
    pub(super) abreast: usize,
    /// It tries whether more than the known good width is taken.
    pub(super) scout: bool,
}

impl Flight {
    /// It waits for its slot of a limit before it leaves.
    pub fn later(&mut self, wait: Duration) {
        self.sent += wait;
    }

    /// How long it has been away.
    pub fn away(&self, now: Duration) -> Duration {
        now.saturating_sub(self.sent)
    }
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    abreast: usize,
    latency: f64,
    bad: bool,
}

/// The numbers of one epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch {
    pub(super) begun: Duration,
    /// Answers to requests that left in it.
    pub(super) own: u64,
    /// Of those, what went wrong.
    pub(super) bad: u64,
    pub(super) unreached: u64,
    /// Answers of the service that came in it, whenever the request had left.
    pub(super) served: u64,
    during: f64,
    flights: f64,
    /// It began with nothing in flight: what was served during a flight is too little then.
    pub(super) cold: bool,
    /// Anything was gathered in it.
    pub(super) any: bool,
    until: f64,
    mean: f64,
    spread: f64,
    /// Width that was in use, times seconds.
    pub(super) busy: f64,
    seen: Vec<Seen>,
}

impl Epoch {
    pub(super) fn new(now: Duration) -> Self {
        Epoch { begun: now, ..Epoch::default() }
    }

    /// An answer to a request that left in this epoch; `served` requests were served by now, this one included if it was.
    pub(super) fn answered(&mut self, now: Duration, flight: &Flight, served: u64, answer: Answer) {
        let latency = now.saturating_sub(flight.sent).as_secs_f64();
        let bad = answer != Answer::Served;
        self.own += 1;
        self.until = now.saturating_sub(self.begun).as_secs_f64();
        self.bad += u64::from(bad);
        self.unreached += u64::from(answer == Answer::Unreached);
        self.during += (served - flight.served) as f64;
        self.flights += now.saturating_sub(flight.taken).as_secs_f64();
        let off = latency - self.mean;
        self.mean += off / self.own as f64;
        self.spread += off * (latency - self.mean);
        if self.seen.len() < SEEN {
            self.seen.push(Seen { abreast: flight.abreast, latency, bad });
        }
    }

    /// Requests served in a second.
    pub(super) fn rate(&self) -> f64 {
        if self.flights <= 0.0 {
            0.0
        } else if self.cold {
            self.served as f64 / self.until.max(1e-9)
        } else {
            self.during / self.flights
        }
    }

    /// Seconds from sending to the answer, on average.
    pub(super) fn latency(&self) -> f64 {
        self.mean
    }

    /// By what share the rate may be wrong: answers that all take equally long tell more than those that scatter.
    pub(super) fn error(&self) -> f64 {
        if self.own < 2 || self.mean <= 0.0 {
            return 1.0;
        }
        let scatter = (self.spread / (self.own - 1) as f64).sqrt() / self.mean;
        scatter.max(0.05) / (self.own as f64).sqrt()
    }

    /// Answers take very different times, so that those that are in first say little of the others.
    pub(super) fn scatters(&self) -> bool {
        self.own > 1 && (self.spread / (self.own - 1) as f64).sqrt() > 0.2 * self.mean
    }

    /// The share of answers that went wrong.
    pub(super) fn bad_share(&self) -> f64 {
        if self.own == 0 { 0.0 } else { self.bad as f64 / self.own as f64 }
    }

    /// Nearly nothing got there: the service, or the way to it, is down. That tells nothing about widths.
    pub(super) fn is_outage(&self) -> bool {
        self.unreached as f64 >= 0.9 * self.own.max(1) as f64
    }

    /// Of the width, the share that was in use.
    pub(super) fn fill(&self, now: Duration, width: usize) -> f64 {
        let time = now.saturating_sub(self.begun).as_secs_f64() * width as f64;
        if time > 0.0 { self.busy / time } else { 1.0 }
    }

    /// How long those took that left in the smallest company, on average.
    pub(super) fn lonely(&self) -> f64 {
        let mut seen: Vec<&Seen> = self.seen.iter().collect();
        seen.sort_unstable_by_key(|seen| seen.abreast);
        let lonely = &seen[..(seen.len() / 10).max(3).min(seen.len())];
        lonely.iter().map(|seen| seen.latency).sum::<f64>() / lonely.len().max(1) as f64
    }

    /// The number in flight from which on requests were hurt, where that is plain to see: nearly all that left in such company went
    /// wrong or took three times as long, and nearly none of the others did. `known`: how long an answer takes when all is well.
    pub(super) fn edge(&self, known: Option<f64>) -> Option<usize> {
        let mut seen: Vec<&Seen> = self.seen.iter().collect();
        seen.sort_unstable_by_key(|seen| seen.abreast);
        // Without that, as long as the loneliest took.
        let long = known.map_or(4.0 * self.lonely(), |known| 3.0 * known);
        let hurt = |seen: &Seen| seen.bad || seen.latency > long;
        let sorted: Vec<(usize, bool)> = seen.iter().map(|seen| (seen.abreast, hurt(seen))).collect();
        let all = sorted.iter().filter(|(_, hurt)| *hurt).count();
        if all < 4 || sorted.len() - all < 3 || sorted.len() < 10 {
            return None;
        }
        // The cut with the fewest on the wrong side of it.
        let (mut below, mut wrong) = (0, sorted.len() - all);
        let (mut least, mut edge) = (usize::MAX, None);
        for (at, (abreast, hurt)) in sorted.iter().enumerate() {
            if at > 0 && sorted[at - 1].0 < *abreast && below + wrong < least {
                (least, edge) = (below + wrong, Some(*abreast));
            }
            below += usize::from(*hurt);
            wrong -= usize::from(!*hurt);
        }
        edge.filter(|_| least * 10 <= sorted.len())
    }
}
