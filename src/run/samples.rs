//! What is measured of each account while a run sends, between two samples and over all of it.

use std::time::Duration;

use tokio::time::Instant;

use crate::run::process::Process;
use crate::state::learned::Lessons;
use crate::tune::Answer;

/// Between two samples, at first; twice as long after each [`SAMPLES`].
const EVERY: Duration = Duration::from_secs(1);
const SAMPLES: usize = 60;
/// Latencies of a sample that are kept to find the middle and the slow ones.
const KEPT: usize = 512;

/// What is told of the tuners of a run.
#[derive(Debug)]
pub(super) struct Tuning {
    pub(super) every: Duration,
    pub(super) next: Instant,
    pub(super) written: usize,
    /// The last decision that was told, of any account.
    pub(super) told: Option<Instant>,
    pub(super) process: Process,
    pub(super) lessons: Option<Lessons>,
    pub(super) accounts: Vec<Window>,
}

#[derive(Debug)]
pub(super) struct Window {
    pub(super) since: Instant,
    pub(super) requests: u64,
    pub(super) served: u64,
    pub(super) bad: u64,
    latencies: Vec<f32>,
    /// Over the whole run: rows and the time from first to last answer.
    pub(super) begun: Option<Instant>,
    pub(super) last: Instant,
    pub(super) all: u64,
    pub(super) all_bad: u64,
    pub(super) all_rows: u64,
    pub(super) mean: f64,
}

impl Window {
    fn new(now: Instant) -> Self {
        Window {
            since: now,
            requests: 0,
            served: 0,
            bad: 0,
            latencies: Vec::new(),
            begun: None,
            last: now,
            all: 0,
            all_bad: 0,
            all_rows: 0,
            mean: 0.0,
        }
    }

    pub(super) fn answered(&mut self, now: Instant, answer: Answer, rows: u64, latency: Duration) {
        let bad = u64::from(answer != Answer::Served);
        self.begun.get_or_insert(now - latency);
        self.last = now;
        self.requests += 1;
        self.bad += bad;
        self.all += 1;
        self.all_bad += bad;
        if bad == 0 {
            self.served += rows;
            self.all_rows += rows;
        }
        let seconds = latency.as_secs_f64();
        self.mean += (seconds - self.mean) / self.all as f64;
        if self.latencies.len() < KEPT {
            self.latencies.push(seconds as f32);
        } else {
            // Each of the window has the same chance to stay.
            let at = fastrand::usize(..self.requests as usize);
            if let Some(kept) = self.latencies.get_mut(at) {
                *kept = seconds as f32;
            }
        }
    }

    /// A sample was told: the next begins.
    pub(super) fn next(&mut self, now: Instant) {
        self.since = now;
        (self.requests, self.served, self.bad) = (0, 0, 0);
        self.latencies.clear();
    }

    pub(super) fn quantile(&mut self, share: f64) -> f64 {
        self.latencies.sort_unstable_by(f32::total_cmp);
        let at = ((self.latencies.len().saturating_sub(1)) as f64 * share).round() as usize;
        self.latencies.get(at).map_or(0.0, |seconds| f64::from(*seconds))
    }
}

impl Tuning {
    pub(super) fn new(accounts: usize, lessons: Option<Lessons>) -> Self {
        let now = Instant::now();
        Tuning {
            every: EVERY,
            next: now + EVERY,
            written: 0,
            told: None,
            process: Process::new(),
            lessons,
            accounts: (0..accounts).map(|_| Window::new(now)).collect(),
        }
    }

    /// When the next sample is due: more rarely the more there are.
    pub(super) fn rest(&mut self, now: Instant) {
        let rarer = u32::try_from(self.written / SAMPLES).unwrap_or(u32::MAX).min(16);
        self.every = EVERY * (1 << rarer);
        self.next = now + self.every;
    }
}
