//! How much the HTTP side can bear: a knee beyond which it breaks down, and a limit that it tells only by refusing.
//!
//! Time comes in with each call, and what is inside is known from when each answer is due: nothing here waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::limit::Quota;

/// How many times as long a request takes that comes when the sink is at its knee; more, the further it is beyond.
const SLOWER: f64 = 10.0;
/// A request takes so long where `--delay` does not say; from then on it is not inside any more.
const TAKES: Duration = Duration::from_millis(1);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bears {
    /// It is answered, so much later than others.
    After(Duration),
    /// It fails (503), so much later.
    Fails(Duration),
    /// It comes too soon (429).
    TooFast,
}

/// What is inside, and what may come.
#[derive(Debug)]
pub(crate) struct Load {
    delay: Duration,
    knee: Option<usize>,
    limit: Option<Quota>,
    inside: BinaryHeap<Reverse<Instant>>,
    tokens: f64,
    /// Taken at once after a pause: a tenth of a second's worth of the limit, as gateways commonly do, and at least one.
    burst: f64,
    filled: Option<Instant>,
    beyond: u64,
    /// The most that were inside at once.
    pub(crate) most: usize,
}

impl Load {
    pub(crate) fn new(delay: Duration, knee: Option<usize>, limit: Option<Quota>) -> Self {
        let tenth = |limit: Quota| 0.1 / limit.interval().as_secs_f64().max(1e-9);
        let burst = limit.map_or(0.0, |limit| tenth(limit).max(1.0));
        let (inside, tokens, delay) = (BinaryHeap::new(), burst, delay.max(TAKES));
        Load { delay, knee, limit, inside, tokens, burst, filled: None, beyond: 0, most: 0 }
    }

    /// A request is here.
    pub(crate) fn comes(&mut self, now: Instant) -> Bears {
        while self.inside.peek().is_some_and(|Reverse(due)| *due <= now) {
            self.inside.pop();
        }
        if let Some(limit) = self.limit {
            let since = self.filled.map_or(Duration::ZERO, |filled| now.duration_since(filled));
            let each = limit.interval().as_secs_f64().max(1e-9);
            self.tokens = (self.tokens + since.as_secs_f64() / each).min(self.burst);
            self.filled = Some(now);
            if self.tokens < 1.0 {
                return Bears::TooFast;
            }
            self.tokens -= 1.0;
        }
        let inside = self.inside.len() + 1;
        self.most = self.most.max(inside);
        let beyond = self.knee.filter(|knee| inside > *knee);
        let takes = match beyond {
            Some(knee) => self.delay.mul_f64(SLOWER * inside as f64 / knee.max(1) as f64),
            None => self.delay,
        };
        self.inside.push(Reverse(now + takes));
        let later = takes.saturating_sub(self.delay);
        match beyond {
            Some(_) => {
                self.beyond += 1;
                // Every other one.
                if self.beyond.is_multiple_of(2) { Bears::Fails(later) } else { Bears::After(later) }
            }
            None => Bears::After(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_knee_it_breaks_down_and_a_limit_is_told_by_refusing() {
        let begun = Instant::now();
        let mut load = Load::new(Duration::from_millis(10), Some(2), None);
        assert_eq!([load.comes(begun), load.comes(begun)], [Bears::After(Duration::ZERO); 2]);
        assert_eq!(load.comes(begun), Bears::After(Duration::from_millis(140)));
        assert!(matches!(load.comes(begun), Bears::Fails(_)));
        assert_eq!(load.most, 4);
        // All but the slow ones have left.
        assert!(matches!(load.comes(begun + Duration::from_millis(20)), Bears::After(wait) if !wait.is_zero()));
        assert_eq!(load.comes(begun + Duration::from_secs(9)), Bears::After(Duration::ZERO));

        let mut load = Load::new(Duration::ZERO, None, Some("20/s".parse().unwrap()));
        assert_eq!([load.comes(begun), load.comes(begun)], [Bears::After(Duration::ZERO); 2]);
        assert_eq!(load.comes(begun), Bears::TooFast);
        assert_eq!(load.comes(begun + Duration::from_millis(51)), Bears::After(Duration::ZERO));
    }
}
