//! A long window that rolls: so many in any hour or day, at whatever pace the shorter windows allow.
//!
//! Spreading 50,000 a day evenly would be one in 1.7 s: nobody who has such a quota means that. What was sent is counted in a
//! thousand buckets, each of which is let go only when all of it is older than the window, so that at most a thousandth of the
//! quota is left unused and never one is sent too many.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Parts of the window.
const BUCKETS: u64 = 1000;

/// How many were sent, and when.
#[derive(Debug)]
pub struct Rolling {
    most: u32,
    bucket: Duration,
    start: Instant,
    /// Number of the bucket, from the start, and what was sent in it; oldest first.
    sent: VecDeque<(u64, u32)>,
    total: u32,
}

impl Rolling {
    /// At most so many in any `period`.
    pub fn new(most: u32, period: Duration, now: Instant) -> Self {
        let bucket = (period / BUCKETS as u32).max(Duration::from_nanos(1));
        Rolling { most, bucket, start: now, sent: VecDeque::new(), total: 0 }
    }

    /// Takes so many permits, or says how long until there are that many. More than the window has at all are taken as all.
    ///
    /// # Errors
    /// The wait.
    pub fn take(&mut self, count: u32, now: Instant) -> Result<(), Duration> {
        let count = count.min(self.most);
        if let Some(wait) = self.wait(count, now) {
            return Err(wait);
        }
        let at = self.number(now);
        self.total += count;
        match self.sent.back_mut().filter(|(number, _)| *number == at) {
            Some((_, sent)) => *sent += count,
            None => self.sent.push_back((at, count)),
        }
        Ok(())
    }

    /// How long until there are so many permits; `None` where there are.
    pub fn wait(&mut self, count: u32, now: Instant) -> Option<Duration> {
        let count = count.min(self.most);
        let at = self.number(now);
        while let Some((number, sent)) = self.sent.front() {
            if number + BUCKETS >= at {
                break;
            }
            self.total -= sent;
            self.sent.pop_front();
        }
        let mut over = (self.total + count).saturating_sub(self.most);
        if over == 0 {
            return None;
        }
        let mut free = now;
        for (number, sent) in &self.sent {
            free = self.start + self.bucket.saturating_mul(u32::try_from(number + BUCKETS + 1).unwrap_or(u32::MAX));
            over = over.saturating_sub(*sent);
            if over == 0 {
                break;
            }
        }
        Some(free.saturating_duration_since(now).max(Duration::from_millis(1)))
    }

    fn number(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since / self.bucket.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as it may for `hours` and tells the milliseconds.
    fn drive(most: u32, period: Duration, span: Duration, each: u32) -> Vec<(u128, u32)> {
        let start = Instant::now();
        let (mut window, mut now, mut sent) = (Rolling::new(most, period, start), start, Vec::new());
        while now < start + span {
            match window.take(each, now) {
                Ok(()) => {
                    sent.push(((now - start).as_millis(), each));
                    now += Duration::from_millis(10);
                }
                Err(wait) => now += wait,
            }
        }
        sent
    }

    #[test]
    fn no_window_holds_more_and_hardly_any_is_left() {
        let (most, period) = (500, Duration::from_secs(3600));
        for each in [1, 50] {
            let sent = drive(most, period, period * 5, each);
            for (i, (begin, _)) in sent.iter().enumerate() {
                let inside: u32 = sent[i..].iter().take_while(|(at, _)| *at < begin + period.as_millis()).map(|(_, n)| n).sum();
                assert!(inside <= most, "{inside} from {begin} ms");
            }
            let total: u32 = sent.iter().map(|(_, n)| n).sum();
            assert!(f64::from(total) >= f64::from(most * 5) * 0.97, "{total}");
        }
    }

    #[test]
    fn a_day_is_not_spread_out() {
        let now = Instant::now();
        let mut day = Rolling::new(50_000, Duration::from_secs(86_400), now);
        assert!((0..50_000).all(|_| day.take(1, now).is_ok()));
        let wait = day.take(1, now).unwrap_err();
        assert!(wait >= Duration::from_secs(86_400) && wait <= Duration::from_secs(86_400 + 173), "{wait:?}");
    }

    #[test]
    fn more_than_there_ever_is_is_all_there_is() {
        let now = Instant::now();
        let mut window = Rolling::new(5, Duration::from_secs(100), now);
        assert!(window.take(9, now).is_ok());
        assert!(window.take(1, now).is_err());
    }
}
