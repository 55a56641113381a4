//! A pace for a time: one delivery every so often until then, and a place in the line for those that must wait.

use std::time::Duration;

use tokio::time::Instant;

/// One delivery each `interval`, until it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Spacing {
    interval: Duration,
    /// When the next one may go.
    next: Instant,
    /// The last place in the line that was given away.
    tail: Instant,
    until: Instant,
}

impl Spacing {
    /// From now on.
    pub fn new(now: Instant, interval: Duration, until: Instant) -> Self {
        Spacing { interval, next: now, tail: now, until }
    }

    /// It does not hold any more.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }

    /// When it ends.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Lasts until then at least.
    pub fn extend(&mut self, until: Instant) {
        self.until = self.until.max(until);
    }

    /// When the next one may go, if that is not now.
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        (!self.is_over(now) && now < self.next).then(|| self.next.min(self.until))
    }

    /// So many went now.
    pub fn took(&mut self, now: Instant, count: usize) {
        // What was late by less than one interval keeps its place in the rhythm; what was later is lost, so that no burst follows.
        let from = if now.saturating_duration_since(self.next) < self.interval { self.next } else { now };
        self.next = from + self.interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// One wants to go: it may, or it comes back then.
    pub fn ask(&mut self, now: Instant) -> Result<(), Instant> {
        match self.wait(now) {
            None => {
                self.took(now, 1);
                Ok(())
            }
            Some(_) => {
                self.tail = (self.tail + self.interval).max(self.next);
                Err(self.tail.min(self.until))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use super::*;

    #[test]
    fn many_that_ask_at_once_go_one_after_the_other() {
        let begin = Instant::now();
        let interval = Duration::from_millis(100);
        let mut spacing = Spacing::new(begin, interval, begin + Duration::from_secs(10));
        let mut line: BinaryHeap<_> = (0..30).map(|_| std::cmp::Reverse(begin)).collect();
        let (mut went, mut asked) = (Vec::new(), 0);
        while let Some(std::cmp::Reverse(at)) = line.pop() {
            asked += 1;
            // A timer fires a little late.
            match spacing.ask(at + Duration::from_millis(1)) {
                Ok(()) => went.push(at),
                Err(again) => line.push(std::cmp::Reverse(again)),
            }
        }
        assert_eq!(went.len(), 30);
        assert!(went.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(95)), "{went:?}");
        assert!(*went.last().unwrap() - begin <= interval * 31);
        assert!(asked <= 70, "each asks about twice: {asked}");
    }

    #[test]
    fn it_ends() {
        let begin = Instant::now();
        let mut spacing = Spacing::new(begin, Duration::from_secs(60), begin + Duration::from_secs(5));
        assert_eq!(spacing.ask(begin), Ok(()));
        assert_eq!(spacing.ask(begin), Err(begin + Duration::from_secs(5)));
        assert_eq!(spacing.ask(begin + Duration::from_secs(5)), Ok(()));
        assert_eq!(spacing.ask(begin + Duration::from_secs(5)), Ok(()));
    }
}
