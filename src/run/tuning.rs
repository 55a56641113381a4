//! What the tuner of each account is fed with, and what is told of it: a sample now and then, and each decision.
//!
//! Samples become rarer the longer a run lasts, so that three hours fill no more than some hundred lines. The numbers are for people;
//! what they decide is the tuner's business.

use tokio::time::Instant;

use crate::batch::Verdicts;
use crate::journal::events::{self, Event};
use crate::run::{Flow, Packed};
use crate::state::learned::Learned;
use crate::tune::Bounds;

/// Three digits of the fraction say enough.
fn short(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// How much a number of samples is to be trusted, from 0 to 1: three are hardly any, hundreds are enough.
fn confidence(samples: u64) -> f64 {
    short(samples as f64 / (samples as f64 + 20.0))
}

impl Flow<'_> {
    /// The accounts begin with what an earlier run learned of them.
    pub(super) fn begin_tuned(&mut self) {
        let Some(lessons) = &self.tuning.lessons else { return };
        for (index, account) in self.preparer.accounts().iter().enumerate() {
            if account.bounds.fixed {
                continue;
            }
            match lessons.recall(&account.name, &account.kind, account.platform.capability().batching) {
                Ok(Some(known)) => {
                    let bounds = begin(&known, account.bounds, jiff::Timestamp::now());
                    tracing::info!(account = &*account.name, width = bounds.initial, "an earlier run learned this width");
                    self.lanes.tune(index, bounds);
                }
                Ok(None) => {
                    tracing::info!(
                        account = &*account.name,
                        width = account.bounds.initial,
                        most = account.bounds.max,
                        "begins at this width"
                    );
                }
                Err(error) => tracing::warn!(%error, "what earlier runs learned cannot be read"),
            }
        }
    }

    /// A request was answered: its tuner hears of it.
    pub(super) fn tuned(&mut self, account: usize, packed: &Packed, verdicts: &Verdicts) {
        if verdicts.were_recalled() {
            return self.lanes.tuner_back(account, &packed.flight);
        }
        let (answer, latency) = self.lanes.answered(account, &packed.lane, &packed.flight, verdicts.as_slice());
        let now = Instant::now();
        let rows = packed.batch.deliveries().len() as u64;
        self.tuning.accounts[account].answered(now, answer, rows, latency);
        if let Some(decision) = self.lanes.decision(account) {
            let name = &self.preparer.accounts()[account].name;
            tracing::info!(account = &**name, width = decision.width, rate = decision.rate, why = decision.why, "tuned");
            let soon = self.tuning.told.is_some_and(|told| now.duration_since(told) < self.tuning.every / 4);
            if !soon {
                self.tuning.told = Some(now);
                self.tell_tuning(account, decision.why);
            }
        }
        if self.tuning.next <= now {
            self.sample(now);
        }
    }

    fn sample(&mut self, now: Instant) {
        for account in 0..self.tuning.accounts.len() {
            if self.tuning.accounts[account].requests > 0 {
                self.tell_tuning(account, "measured".to_owned());
                self.tuning.accounts[account].next(now);
            }
        }
        self.tuning.rest(now);
    }

    /// One entry of `tuning[]`.
    fn tell_tuning(&mut self, account: usize, why: String) {
        let now = Instant::now();
        let (cpu, memory) = self.tuning.process.look();
        let tuner = self.lanes.tuner(account);
        let (width, rate, in_flight) = (tuner.width(), tuner.rate(), tuner.calls());
        let batch = self.lanes.batch(account);
        let window = &mut self.tuning.accounts[account];
        let seconds = now.duration_since(window.since).as_secs_f64().max(1e-3);
        let mut event = Event::now("tuning")
            .of(&self.preparer.accounts()[account].name)
            .because(why)
            .with("concurrency", width)
            .with("batch_size", batch)
            .with("in_flight", in_flight)
            .with("throughput", short(window.served as f64 / seconds))
            .with("latency", short(window.quantile(0.5)))
            .with("latency_p95", short(window.quantile(0.95)))
            .with("error_share", short(window.bad as f64 / window.requests.max(1) as f64))
            .with("confidence", confidence(window.requests));
        if let Some(rate) = rate {
            event = event.with("rate", short(rate));
        }
        if let Some(cpu) = cpu {
            event = event.with("cpu", short(cpu));
        }
        if let Some(memory) = memory {
            event = event.with("memory", memory);
        }
        self.tuning.written += 1;
        if let Err(error) = events::append(&self.rules.folder, &event) {
            tracing::debug!(%error, "an event is not kept");
        }
    }

    /// What is left to tell, and what the next run may begin with.
    pub(super) fn learn(&mut self) {
        self.sample(Instant::now());
        let Some(lessons) = self.tuning.lessons.take() else { return };
        for (index, account) in self.preparer.accounts().iter().enumerate() {
            let window = &self.tuning.accounts[index];
            let tuner = self.lanes.tuner(index);
            let Some((begun, width)) = window.begun.zip(tuner.known()) else { continue };
            // The founding rule: fewer than three samples, or one error in twenty, are no ground to stand on.
            if account.bounds.fixed || window.all < 3 || window.all_bad * 20 > window.all {
                continue;
            }
            let seconds = window.last.duration_since(begun).as_secs_f64().max(1e-3);
            let learned = Learned {
                width,
                batch: self.lanes.batch(index),
                rate: tuner.rate(),
                throughput: window.all_rows as f64 / seconds,
                latency: window.mean,
                samples: window.all,
                at: jiff::Timestamp::now(),
            };
            if let Err(error) = lessons.keep(&account.name, &account.kind, account.platform.capability().batching, &learned) {
                tracing::warn!(%error, "what was learned is not kept");
            }
        }
    }
}

/// Older than that is worth three quarters of it; twice as old, a half; older still, nothing.
const FRESH: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 7);

/// The bounds of a run that begins now with what was learned then: with care where that is old.
fn begin(learned: &Learned, bounds: Bounds, now: jiff::Timestamp) -> Bounds {
    let age = now.duration_since(learned.at);
    let share = if age <= FRESH {
        1.0
    } else if age <= FRESH * 2 {
        0.75
    } else if age <= FRESH * 8 {
        0.5
    } else {
        return bounds;
    };
    let width = (learned.width as f64 * share).round() as usize;
    // A limit may have been raised meanwhile, which is found again within seconds.
    let rate = learned.rate.map(|rate| rate * share.min(0.9));
    Bounds { initial: width.clamp(bounds.min, bounds.max), rate, ..bounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_where_the_next_run_begins_and_less_of_it_when_it_is_old() {
        let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let learned = Learned { width: 80, batch: 5, rate: Some(50.0), throughput: 790.0, latency: 0.1, samples: 900, at };
        let bounds = Bounds { min: 1, max: 64, initial: 32, target_latency: None, rate: None, batch: 1, fixed: false };
        let days = |days: i64| at + jiff::SignedDuration::from_hours(24 * days);
        assert_eq!(begin(&learned, bounds, days(1)).initial, 64, "never beyond the bounds");
        assert_eq!(begin(&learned, bounds, days(8)).initial, 60);
        assert_eq!(begin(&learned, bounds, days(20)).initial, 40);
        assert_eq!(begin(&learned, bounds, days(100)), bounds);
    }
}
