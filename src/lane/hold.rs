//! What the service holds up: a wait that it named, how often it had to, and whether that is longer than anybody wants to wait.

use std::time::Duration;

use tokio::time::Instant;

/// A hold on an account, or on one stem of its lanes. Nothing where nobody ever asked for less speed.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Nothing leaves before then.
    pub(super) until: Option<Instant>,
    /// Refusals since the last success; those of one burst count once.
    pub(super) count: u32,
    /// The first of them.
    pub(super) since: Option<Instant>,
    /// Longer than `--max-wait`, or for so long without a success: when only such are left, their rows stay pending.
    pub(super) parked: bool,
}

impl Hold {
    /// The service asked for less speed; says whether the end has moved.
    pub(super) fn extend(&mut self, now: Instant, wait: Duration, max_wait: Duration, counts: bool) -> bool {
        // What was only said in passing is no refusal: the time without a success does not count from there.
        let since = if counts { *self.since.get_or_insert(now) } else { now };
        // Several deliveries in flight meet the same refusal; only the first of a burst makes the next wait longer.
        if self.until.is_none() && counts {
            self.count += 1;
        }
        self.parked |= wait > max_wait || (counts && now.duration_since(since) > max_wait);
        let until = now + wait;
        let moved = self.until.is_none_or(|other| other < until);
        if moved {
            self.until = Some(until);
        }
        moved
    }

    /// Its time has come, unless it was moved on meanwhile.
    pub(super) fn wake(&mut self, now: Instant) -> bool {
        let over = self.until.is_some_and(|until| until <= now);
        if over {
            self.until = None;
            self.parked = false;
        }
        over
    }

    /// A success: the service is not overrun any more.
    pub(super) fn prove(&mut self) {
        self.count = 0;
        self.since = None;
    }

    /// Nothing is worth remembering.
    pub(super) fn is_idle(&self) -> bool {
        self.until.is_none() && self.count == 0
    }
}
