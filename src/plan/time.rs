//! How long limits make a run: what each of them alone asks for, which one decides, and all of them together.
//!
//! Windows up to a minute are spread out evenly; a longer one is used up as fast as the shorter ones allow and then waited for, as
//! `limit/pace.rs` does it. Times are from the first to the last start of a request.

use std::time::Duration;

use crate::limit::Quota;

/// A limit, and how much it has to count: deliveries or requests, of the account or of the domain or address that has most.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The limit.
    pub quota: Quota,
    /// How much of it is used.
    pub count: u64,
}

impl Load {
    /// Windows that are used up before the last one.
    pub fn waits(&self) -> u64 {
        if self.quota.rolls() { self.count.saturating_sub(1) / u64::from(self.quota.count.get()) } else { 0 }
    }

    /// How long this limit alone makes it.
    pub fn alone(&self) -> Duration {
        together(std::slice::from_ref(self))
    }

    fn of(&self, share: f64) -> u64 {
        // A share of a count is no larger than it; rounding is up so that nothing is left out.
        ((self.count as f64 * share) - 1e-9).ceil().max(0.0) as u64
    }
}

/// How long all of them together make it.
pub fn together(loads: &[Load]) -> Duration {
    let mut rolling: Vec<Load> = loads.iter().copied().filter(|load| load.quota.rolls()).collect();
    rolling.sort_by_key(|load| std::cmp::Reverse(load.quota.period));
    let even: Vec<Load> = loads.iter().copied().filter(|load| !load.quota.rolls()).collect();
    Duration::try_from_secs_f64(part(&rolling, &even, 1.0)).unwrap_or(Duration::MAX)
}

/// Seconds for that share of everything: full windows of the longest limit, each as long as the shorter ones make it if that is more,
/// and then the rest.
fn part(rolling: &[Load], even: &[Load], share: f64) -> f64 {
    let Some((longest, shorter)) = rolling.split_first() else {
        return even.iter().map(|load| spread(&load.quota, load.of(share))).fold(0.0, f64::max);
    };
    let (count, window) = (longest.of(share), u64::from(longest.quota.count.get()));
    if count == 0 {
        return 0.0;
    }
    let full = (count - 1) / window;
    let rest = count - full * window;
    let of_all = |count: u64| count as f64 / longest.count.max(1) as f64;
    let window = if full == 0 { 0.0 } else { steady(shorter, even, of_all(window)).max(longest.quota.period.as_secs_f64()) };
    full as f64 * window + part(shorter, even, of_all(rest))
}

/// Seconds for that share until whatever follows it may start.
fn steady(rolling: &[Load], even: &[Load], share: f64) -> f64 {
    let Some((longest, shorter)) = rolling.split_first() else {
        let spread = |load: &Load| load.of(share) as f64 * load.quota.interval().as_secs_f64();
        return even.iter().map(spread).fold(0.0, f64::max);
    };
    let (count, most) = (longest.of(share), u64::from(longest.quota.count.get()));
    let of_all = |count: u64| count as f64 / longest.count.max(1) as f64;
    let window = steady(shorter, even, of_all(most.min(count))).max(longest.quota.period.as_secs_f64());
    (count / most) as f64 * window + steady(shorter, even, of_all(count % most))
}

/// Seconds until the last of so many may start, where a limit is spread out evenly.
fn spread(quota: &Quota, count: u64) -> f64 {
    count.saturating_sub(u64::from(quota.burst.get())) as f64 * quota.period.as_secs_f64() / f64::from(quota.count.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(quota: &str, count: u64) -> Load {
        Load { quota: quota.parse().unwrap(), count }
    }

    #[test]
    fn each_limit_alone() {
        for (quota, count, seconds, waits) in [
            ("100/min", 0, 0, 0),
            ("100/min", 1, 0, 0),
            ("100/min", 101, 60, 0),
            ("10/s", 6001, 600, 0),
            ("50000/1d", 50_000, 0, 0),
            ("50000/1d", 50_001, 86_400, 1),
            ("50000/1d", 300_000, 5 * 86_400, 5),
            ("100/h", 1000, 9 * 3600, 9),
        ] {
            let load = load(quota, count);
            assert_eq!((load.alone().as_secs(), load.waits()), (seconds, waits), "{count} at {quota}");
        }
    }

    #[test]
    fn several_limits_hold_at_once() {
        let of =
            |quotas: &[&str], count: u64| together(&quotas.iter().map(|quota| load(quota, count)).collect::<Vec<_>>()).as_secs();
        // Two days used up hour by hour, and five hours of the third.
        assert_eq!(of(&["100/h", "1000/1d"], 2500), 2 * 86_400 + 4 * 3600);
        assert_eq!(of(&["1000/1d", "100/h"], 2500), of(&["100/h", "1000/1d"], 2500), "in whatever order");
        // A day's worth takes longer than a day: the day's limit never waits.
        assert_eq!(of(&["1/min", "2000/1d"], 4001), 4000 * 60);
        // Five days, and on the sixth 50,000 at 10 a second.
        assert_eq!(of(&["10/s", "50000/1d"], 300_000), 5 * 86_400 + 4999);
        assert_eq!(of(&[], 1000), 0);
    }

    #[test]
    fn requests_and_deliveries_are_counted_each_by_itself() {
        let loads = [load("10/s", 1000), load("1000/h", 100_000)];
        // 99 hours are waited for; the rest of a thousand needs ten requests.
        assert_eq!(together(&loads).as_secs(), 99 * 3600);
    }
}
