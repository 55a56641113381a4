//! Finds a rate that a service tells only by saying "too fast": from below in doubling steps, then between the last that was taken and
//! the first that was not.
//!
//! How long a rate must hold before it counts as taken follows from the burst that the service took at first: a bucket that was let fill
//! up carries a rate that is too fast for a while. Tries become rare, so that refusals do not go on for ever.

use std::time::Duration;

/// A try of a higher rate lasts so long at least.
const TRY: f64 = 0.25;
/// The pause between tries once the rate is known, and the longest.
const PAUSE: (f64, f64) = (10.0, 300.0);
/// The rate is known when the first that was too fast is no more than this above the last that was not.
const KNOWN: f64 = 1.08;

/// The rate that one account goes at.
#[derive(Debug)]
pub(super) struct Learned {
    /// Requests a second; `None` until the service has asked for less speed.
    rate: Option<f64>,
    /// A try of another rate is set when the hold is over.
    open: bool,
    taken: f64,
    refused: Option<f64>,
    /// What the service took at once when nobody had been too fast.
    burst: f64,
    served: u64,
    since: Duration,
    /// When the last hold was over.
    opened: f64,
    /// Requests that left before then tell nothing new.
    cut: Duration,
    next: f64,
    ends: Option<f64>,
    pause: f64,
    /// Since when this rate is on trial, and how many left since.
    begun: f64,
    sent: u64,
}

impl Learned {
    pub(super) fn new(now: Duration) -> Self {
        Learned {
            rate: None,
            open: false,
            taken: 0.0,
            refused: None,
            burst: 1.0,
            served: 0,
            since: now,
            opened: now.as_secs_f64(),
            cut: Duration::ZERO,
            next: 0.0,
            ends: None,
            pause: PAUSE.0,
            begun: 0.0,
            sent: 0,
        }
    }

    /// Requests a second, once it is known that there is a limit.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// As it was known before.
    pub(super) fn remember(&mut self, rate: f64) {
        self.rate = Some(rate);
        self.taken = rate;
        self.refused = Some(rate * KNOWN);
    }

    /// The service took one.
    pub(super) fn served(&mut self) {
        self.served += 1;
    }

    /// Whether a refusal of a request that left then tells anything that is not known yet.
    pub(super) fn is_news(&self, sent: Duration) -> bool {
        sent >= self.cut
    }

    /// A refusal that came of something else than the rate.
    pub(super) fn heard(&mut self, now: Duration) {
        self.cut = now + Duration::from_nanos(1);
        self.ends = None;
    }

    /// The service asked for less speed. What it is from now on is decided when the hold is over and all answers are in.
    pub(super) fn refused(&mut self, now: Duration) {
        self.heard(now);
        self.open = true;
    }

    /// How long nothing may leave.
    pub(super) fn ready(&mut self, now: Duration) -> Result<(), Duration> {
        if self.open {
            self.choose(now);
        }
        let Some(rate) = self.rate else { return Ok(()) };
        let at = now.as_secs_f64();
        if self.next > at {
            return Err(Duration::from_secs_f64((self.next - at).clamp(1e-6, 3600.0)));
        }
        match self.ends {
            None => self.test(at, rate),
            Some(ends) if ends <= at => {
                // A rate that nobody went at has proved nothing.
                if self.sent as f64 >= 0.85 * rate * (at - self.begun) {
                    self.onward(rate);
                }
                self.test(at, self.rate.unwrap_or(rate));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn test(&mut self, at: f64, rate: f64) {
        (self.begun, self.sent) = (at, 0);
        self.ends = Some(at + self.lasts(rate));
    }

    /// One leaves.
    pub(super) fn leaves(&mut self, now: Duration) {
        let Some(rate) = self.rate else { return };
        let at = now.as_secs_f64();
        self.sent += 1;
        // A timer that comes late may be made up for, by no more than a few and nowhere near what the service takes at once.
        let few = (self.burst / 2.0).clamp(0.5, 4.0);
        self.next = self.next.max(at - few / rate.max(few / 0.02)) + 1.0 / rate;
    }

    /// After a refusal, when the hold of the lane is over and all answers are in.
    fn choose(&mut self, now: Duration) {
        self.open = false;
        let cut = self.cut.as_secs_f64();
        let time = (cut - self.since.as_secs_f64()).max(1e-3);
        let counted = self.served as f64 / time;
        let rate = match self.rate {
            // The commonest limit by far counts by the second: what was taken at once is a second's worth of it.
            None => {
                self.burst = (self.served as f64).max(1.0);
                self.served.max(1) as f64 / (time + 1.0)
            }
            // Nothing was taken since: that it still refuses says how long, not how fast, and the hold of the lane grows by itself.
            Some(rate) if self.served == 0 => rate,
            Some(rate) => {
                let first = self.refused.is_none();
                if rate <= self.taken * 1.01 {
                    // It was not so good after all.
                    self.pause = (self.pause * 2.0).min(PAUSE.1);
                    self.refused = Some(rate);
                }
                self.refused = Some(self.refused.map_or(rate, |refused| refused.min(rate)));
                // All that the service gave since it was empty last; what it laid by during the hold may be in it or not.
                let active = (cut - self.opened).max(1e-3);
                let (least, most) = (counted, self.served as f64 / active.min(time));
                self.taken = self.taken.min(0.9 * rate).min(most);
                if self.served < 10 {
                    self.taken.max(0.7 * rate)
                } else {
                    // A moment says little of a rate that was found with care.
                    let floor = if first || active >= 1.0 { 0.5 } else { 0.85 };
                    let next = (least * most).sqrt().clamp(floor * rate, 0.95 * rate);
                    self.taken = self.taken.min(next);
                    if next < 0.8 * rate {
                        self.pause = PAUSE.0;
                    }
                    next
                }
            }
        };
        self.rate = Some(rate.max(1e-3));
        (self.served, self.since) = (0, self.cut);
        self.next = now.as_secs_f64();
        self.opened = self.next;
        self.ends = None;
    }

    /// The rate held for as long as it had to.
    fn onward(&mut self, rate: f64) {
        self.taken = self.taken.max(rate);
        self.rate = Some(match self.refused {
            None => rate * 2.0,
            Some(refused) if refused <= rate * KNOWN => {
                // Known; but services change, and a try now and then is cheap.
                self.pause = (self.pause * 2.0).min(PAUSE.1);
                self.refused = Some(refused.max(rate) * KNOWN);
                rate
            }
            Some(refused) => (rate * refused).sqrt().min(rate * 2.0),
        });
    }

    fn lasts(&self, rate: f64) -> f64 {
        if self.refused.is_some_and(|refused| refused <= rate * KNOWN) {
            return self.pause;
        }
        let excess = (rate - self.taken).max(rate * 0.02);
        // On the way up little is lost by being wrong: the next step, or the one after it, is refused.
        let care = if self.refused.is_none() { 1.2 } else { 2.5 };
        let bucket = if self.taken > 0.0 && self.taken < rate { care * self.burst / excess } else { 0.0 };
        TRY.max(3.0 / rate).max(bucket.min(20.0))
    }
}
