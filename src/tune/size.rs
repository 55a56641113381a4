//! How many deliveries one request carries: as many as the platform takes, unless fewer at a time get more through.
//!
//! What counts is deliveries that were served in the time that their requests took, per place of the width. A full request shares its
//! costs among the most rows, so that is where it begins; only a service whose requests take more than proportionally longer, or fail,
//! the fuller they are, is given smaller ones. Tried by halves, at a settled width, with pauses that double.

/// Full requests that one size is judged by.
const JUDGED: u32 = 16;
/// Fewer a request must serve so much more in the same time.
const SMALLER: f64 = 1.15;
/// More a request need only serve nearly as much: there are fewer of them.
const LARGER: f64 = 0.98;
/// Judgements between two tries, at first and at most.
const PAUSE: (u32, u32) = (2, 64);

/// What full requests of one size did.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u32,
    served: usize,
    seconds: f64,
}

impl Seen {
    fn score(&self) -> f64 {
        self.served as f64 / self.seconds.max(1e-9)
    }
}

/// The size of one account's requests.
#[derive(Debug)]
pub(super) struct Sizer {
    most: usize,
    size: usize,
    /// What is tried instead, and what the settled size did just before.
    tried: Option<(usize, f64)>,
    seen: Seen,
    rest: u32,
    pause: u32,
    /// The last try was a larger one.
    larger: bool,
}

impl Sizer {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Sizer { most, size: most, tried: None, seen: Seen::default(), rest: PAUSE.0, pause: PAUSE.0, larger: true }
    }

    /// Deliveries of one request now.
    pub(super) fn size(&self) -> usize {
        self.tried.map_or(self.size, |(size, _)| size)
    }

    /// Another size than the settled one is tried.
    pub(super) fn is_trying(&self) -> bool {
        self.tried.is_some()
    }

    /// A request of so many rows, of which so many were served, took so long. Says why, where the settled size changes.
    pub(super) fn answered(&mut self, rows: usize, served: usize, seconds: f64) -> Option<String> {
        // The rest of a list, or what had left before: it says nothing of this size.
        if rows != self.size() || self.most == 1 {
            return None;
        }
        self.seen.requests += 1;
        self.seen.served += served;
        self.seen.seconds += seconds;
        if self.seen.requests < JUDGED {
            return None;
        }
        let score = std::mem::take(&mut self.seen).score();
        match self.tried.take() {
            None => {
                self.rest = self.rest.saturating_sub(1);
                if self.rest == 0 {
                    self.tried = self.next().map(|size| (size, score));
                    self.rest = self.pause;
                }
                None
            }
            Some((size, before)) => {
                let needed = if size < self.size { SMALLER } else { LARGER };
                if score < needed * before {
                    self.pause = (self.pause * 2).min(PAUSE.1);
                    self.rest = self.pause;
                    return None;
                }
                let old = std::mem::replace(&mut self.size, size);
                // The same way again, soon.
                self.larger = size < old;
                (self.rest, self.pause) = (1, PAUSE.0);
                Some(format!("{size} a request serve {} than {old}", if size < old { "more" } else { "no less" }))
            }
        }
    }

    /// A try that nothing came of: the width, or a limit, is what holds back.
    pub(super) fn give_up(&mut self) {
        if self.tried.take().is_some() {
            self.seen = Seen::default();
        }
    }

    /// The other direction than the last time, where there is one.
    fn next(&mut self) -> Option<usize> {
        let smaller = (self.size > 1).then_some(self.size / 2);
        let larger = (self.size < self.most).then(|| (self.size * 2).min(self.most));
        self.larger = !self.larger;
        if self.larger { larger.or(smaller) } else { smaller.or(larger) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many requests to a service that takes that long for a request of so many rows; where it settles.
    fn settled(most: usize, requests: usize, takes: impl Fn(usize) -> (usize, f64)) -> (usize, usize) {
        let mut sizer = Sizer::new(most);
        let mut largest = 0;
        for n in 0..requests {
            let rows = sizer.size();
            // Every tenth is not full.
            let rows = if n % 10 == 9 { rows.div_ceil(3) } else { rows };
            largest = largest.max(rows);
            let (served, seconds) = takes(rows);
            sizer.answered(rows, served, seconds);
        }
        (sizer.size, largest)
    }

    #[test]
    fn requests_stay_full_where_rows_share_their_cost() {
        assert_eq!(settled(100, 5000, |rows| (rows, 0.05 + 0.001 * rows as f64)), (100, 100));
        // Rows that are refused one by one are served all the same.
        assert_eq!(settled(100, 5000, |rows| (rows, 0.001 * rows as f64)), (100, 100));
        assert_eq!(settled(1, 5000, |rows| (rows, 0.1)), (1, 1));
    }

    #[test]
    fn requests_become_smaller_where_full_ones_take_too_long_or_fail() {
        let sinks = |rows: usize| (rows, 0.05 + 0.0005 * (rows as f64).powi(2));
        // The best is at the root of 0.05 / 0.0005, ten; of the halves of 100 that is 12.
        assert_eq!(settled(100, 2000, sinks).0, 12);
        let fails = |rows: usize| if rows > 40 { (0, 30.0) } else { (rows, 0.1) };
        assert_eq!(settled(1000, 2000, fails).0, 31);
    }

    #[test]
    fn a_service_that_takes_more_again_is_given_more_again() {
        let mut sizer = Sizer::new(64);
        for _ in 0..2000 {
            let rows = sizer.size();
            sizer.answered(rows, rows, (rows as f64).powi(2) * 0.01);
        }
        assert_eq!(sizer.size, 1);
        for _ in 0..20_000 {
            let rows = sizer.size();
            sizer.answered(rows, rows, 0.1);
        }
        assert_eq!(sizer.size, 64);
    }
}
