//! Limits as slots of time: when the next request may leave, and until when at the latest, so that every window holds. Pure.
//!
//! A limit of `count` in a `period` has a slot every `period / count`. A delivery takes the next free slot and leaves not before it,
//! and not later than `burst` slots after it. So in any stretch of one period, wherever it begins, lie the slots of at most
//! `count + burst` deliveries that can have left in it, whoever took them and however late each of them was. That is the generic cell
//! rate algorithm (ITU-T I.371), with the end of the slot kept beside its beginning: what is written down is only when the next slot
//! begins, which is one number that processes can share.

use std::num::NonZeroU32;

use super::quota::{Quota, Unit};

/// Nanoseconds of a clock that all who share a limit have in common.
pub type Nanos = i64;

/// Slots are so much longer than the limit asks (in a thousand): a busy machine delivers late what left in time. A burst takes that up
/// by itself, so that little is needed beside one.
const SPARE: Nanos = 10;
const SPARE_BESIDE_BURST: Nanos = 2;
const BURST: u32 = 10;

/// One limit of up to a minute, as slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// From one slot to the next.
    every: Nanos,
    burst: i64,
    count: i64,
    /// A request takes one slot, however many deliveries it carries.
    requests: bool,
}

/// When a request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Not before.
    pub at: Nanos,
    /// Not after: then the slot is forfeited.
    pub until: Nanos,
}

impl Slots {
    /// The slots of this limit.
    pub fn of(quota: &Quota) -> Self {
        let period = i64::try_from(quota.period.as_nanos()).unwrap_or(i64::MAX);
        let count = i64::from(quota.count.get());
        // Rounded up: a slot too short by a nanosecond would let one too many into a window.
        let spare = if quota.burst.get() >= BURST { SPARE_BESIDE_BURST } else { SPARE };
        let every = (period.saturating_add(period / 1000 * spare).saturating_add(count - 1) / count).max(1);
        Slots { every, burst: i64::from(quota.burst.get()), count, requests: quota.of == Unit::Requests }
    }

    /// From one slot to the next.
    pub fn every(&self) -> Nanos {
        self.every
    }

    /// Deliveries of one request, at most.
    pub fn most(&self) -> Option<u32> {
        (!self.requests).then(|| u32::try_from(self.burst).unwrap_or(u32::MAX))
    }

    /// How many slots a request of so many deliveries takes.
    fn cells(&self, deliveries: NonZeroU32) -> i64 {
        if self.requests { 1 } else { i64::from(deliveries.get()) }
    }

    /// How long after its last slot a request of so many slots may leave.
    fn slack(&self, cells: i64) -> Nanos {
        let apart = self.burst - cells + 1;
        // Requests that carry several are so far apart that lateness counts only when it brings a whole one more into the window.
        let whole = ((self.count + self.burst) / cells * cells - self.count).min(cells) / 2;
        // Half a slot is for the way from here to the service.
        apart.max(whole).max(1) * self.every - self.every / 2
    }

    /// How long after its permit a request may leave; as much again is for the way.
    fn late(&self, cells: i64) -> Nanos {
        (self.slack(cells) + self.every / 2) / 2
    }
}

/// The next slot for a request of so many deliveries that every limit allows, and in `next` (one for each limit) where the slots after
/// it begin. A slot that ends sooner than `head` from now is of no use and is left out.
pub fn take(limits: &[Slots], next: &mut [Nanos], deliveries: NonZeroU32, now: Nanos, head: Nanos) -> Slot {
    let first = |limit: &Slots, next: Nanos, now: Nanos| {
        let cells = limit.cells(deliveries);
        // As old as the burst allows, and not so old that it ends before anybody can use it.
        let oldest = now.saturating_sub((limit.burst - 1) * limit.every);
        let slack = limit.slack(cells);
        let usable = now + head.min(limit.late(cells)) - slack - (cells - 1) * limit.every;
        next.max(oldest).max(usable)
    };
    let pairs = || limits.iter().zip(next.iter().copied());
    let last = pairs().map(|(limit, next)| first(limit, next, now) + (limit.cells(deliveries) - 1) * limit.every);
    // Nothing leaves before now, whatever slots are left over.
    let at = last.max().unwrap_or(now).max(now);
    let mut until = Nanos::MAX;
    for (limit, next) in limits.iter().zip(next.iter_mut()) {
        let cells = limit.cells(deliveries);
        // The limit that binds says when; the slots of the others are those of that moment.
        let begins = first(limit, *next, at.max(now));
        let begins = begins.min((at - (cells - 1) * limit.every).max(*next));
        *next = begins + cells * limit.every;
        until = until.min(begins + (cells - 1) * limit.every + limit.slack(cells)).min(at + limit.late(cells));
    }
    Slot { at, until: until.max(at) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Scope;

    const SECOND: Nanos = 1_000_000_000;
    const HEAD: Nanos = 6_000_000;

    fn slots(text: &str, burst: u32) -> (Slots, Nanos, usize) {
        let quota = Quota { burst: NonZeroU32::new(burst).unwrap(), scope: Scope::Account, ..text.parse().unwrap() };
        (Slots::of(&quota), quota.period.as_nanos() as i64, (quota.count.get() + burst) as usize)
    }

    /// The most in any window of this length, wherever it begins.
    fn most(times: &[Nanos], window: Nanos) -> usize {
        let (mut most, mut end) = (0, 0);
        for (begin, from) in times.iter().enumerate() {
            while times.get(end).is_some_and(|at| at - from < window) {
                end += 1;
            }
            most = most.max(end - begin);
        }
        most
    }

    #[test]
    fn several_limits_hold_and_none_loses_rate() {
        let (fast, slow) = (slots("5/s", 1), slots("100/min", 1));
        let limits = [fast.0, slow.0];
        let (mut next, mut now, mut times) = ([Nanos::MIN / 2; 2], 0, Vec::new());
        for _ in 0..2_000 {
            let slot = take(&limits, &mut next, NonZeroU32::MIN, now, HEAD);
            now = slot.at;
            times.push(now);
        }
        assert!(most(&times, fast.1) <= fast.2 && most(&times, slow.1) <= slow.2);
        let used = 1_999.0 * 0.6 / (times[1_999] as f64 / SECOND as f64);
        assert!(used > 0.98, "{used}");
    }

    #[test]
    fn a_burst_goes_at_once_and_only_once() {
        let (limit, period, allowed) = slots("10/s", 10);
        let mut next = [Nanos::MIN / 2];
        let times: Vec<Nanos> = (0..30).map(|_| take(&[limit], &mut next, NonZeroU32::MIN, SECOND, 0).at).collect();
        assert_eq!(times.iter().filter(|at| **at == SECOND).count(), 10);
        assert!(most(&times, period) <= allowed);
    }

    #[test]
    fn a_request_takes_as_many_slots_as_it_has_deliveries_or_one() {
        let (limit, period, allowed) = slots("1000/s", 100);
        let (mut next, mut now, mut times) = ([Nanos::MIN / 2], 0, Vec::new());
        for _ in 0..60 {
            let slot = take(&[limit], &mut next, NonZeroU32::new(100).unwrap(), now, 0);
            assert!(slot.until > slot.at);
            now = slot.at;
            times.extend([now; 100]);
        }
        assert!(most(&times, period) <= allowed, "{}", most(&times, period));
        assert!(now <= 6 * SECOND + SECOND / 10, "{now}");
        let requests = Slots { requests: true, ..slots("10/s", 1).0 };
        let mut next = [Nanos::MIN / 2];
        take(&[requests], &mut next, NonZeroU32::new(100).unwrap(), 0, 0);
        assert_eq!(take(&[requests], &mut next, NonZeroU32::new(50).unwrap(), 0, 0).at, SECOND / 10 * 101 / 100);
    }

    proptest! {
        /// However irregularly it is asked and however late within its slot each one leaves, no window holds too much.
        #[test]
        fn no_window_holds_more_than_its_limit_and_burst(
            rate in prop::sample::select(vec!["5/s", "50/s", "70/s", "300/s", "2000/s", "100/min", "20/4s"]),
            burst in 1u32..20,
            pauses in prop::collection::vec((0i64..40_000_000, 0.0f64..1.0, 0u8..12), 50..400),
        ) {
            let (limit, period, allowed) = slots(rate, burst.min(rate.split('/').next().unwrap().parse().unwrap()));
            let (mut next, mut now, mut times) = ([Nanos::MIN / 2], 0, Vec::new());
            for (pause, late, idle) in pauses {
                now += if idle == 0 { pause * 100 } else { pause / 50 };
                let slot = take(&[limit], &mut next, NonZeroU32::MIN, now, HEAD);
                times.push(slot.at + ((slot.until - slot.at) as f64 * late) as i64);
            }
            times.sort_unstable();
            prop_assert!(most(&times, period) <= allowed, "{} of {}", most(&times, period), allowed);
        }
    }
}
