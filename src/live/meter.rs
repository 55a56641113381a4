//! How fast rows are settled of late and how long requests take: counted as the flow goes, the clock handed in.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Over how long a time a rate is taken.
const OF_LATE: Duration = Duration::from_secs(5);

/// Upper bounds of the classes of latencies, in seconds; the last class has none.
pub const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How long requests took, in classes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Requests that were answered.
    pub count: u64,
    /// Their time in all, in seconds.
    pub sum: f64,
    /// Requests in each class of [`BOUNDS`], and those that took longer.
    pub classes: [u64; BOUNDS.len() + 1],
}

impl Latency {
    /// A request was answered after so long.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        self.classes[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
    }

    /// The bound that this share of the requests stayed below, in seconds; `None` without requests, or where it is above the last.
    pub fn below(&self, share: f64) -> Option<f64> {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut sum = 0;
        let class = self.classes.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        class.filter(|_| self.count > 0).and_then(|class| BOUNDS.get(class).copied())
    }
}

/// The rate of late, and the latencies of each account.
#[derive(Debug)]
pub struct Meter {
    marks: VecDeque<(Instant, u64)>,
    accounts: Vec<Latency>,
}

impl Meter {
    /// Nothing counted yet of so many accounts.
    pub fn new(accounts: usize) -> Self {
        Meter { marks: VecDeque::new(), accounts: vec![Latency::default(); accounts] }
    }

    /// A request of that account was answered.
    pub fn answered(&mut self, account: usize, took: Duration) {
        if let Some(latency) = self.accounts.get_mut(account) {
            latency.add(took);
        }
    }

    /// The latencies of that account.
    pub fn latency(&self, account: usize) -> Latency {
        self.accounts.get(account).cloned().unwrap_or_default()
    }

    /// So many rows are settled now; says how many a second that were of late.
    pub fn rate(&mut self, now: Instant, settled: u64) -> f64 {
        self.marks.push_back((now, settled));
        while self.marks.len() > 2 && self.marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= OF_LATE) {
            self.marks.pop_front();
        }
        let Some((since, before)) = self.marks.front() else { return 0.0 };
        let seconds = now.duration_since(*since).as_secs_f64();
        if seconds > 0.0 { settled.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_their_classes() {
        let mut latency = Latency::default();
        for millis in [1, 5, 6, 90, 60_000] {
            latency.add(Duration::from_millis(millis));
        }
        assert_eq!((latency.count, latency.classes[0], latency.classes[1]), (5, 2, 1));
        assert_eq!((latency.classes[4], latency.classes[BOUNDS.len()]), (1, 1));
        assert_eq!((latency.below(0.4), latency.below(0.8), latency.below(1.0)), (Some(0.005), Some(0.1), None));
        assert_eq!(Latency::default().below(0.5), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::new(1);
        let mut settled = 0;
        for _ in 0..100 {
            settled += 10;
            tokio::time::advance(Duration::from_millis(100)).await;
            meter.rate(Instant::now(), settled);
        }
        assert!((meter.rate(Instant::now(), settled) - 100.0).abs() < 3.0);
        tokio::time::advance(Duration::from_secs(20)).await;
        meter.rate(Instant::now(), settled);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(meter.rate(Instant::now(), settled), 0.0);
        assert!(meter.marks.len() < 200);
    }
}
