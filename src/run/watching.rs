//! What the flow shows while it goes: a snapshot for other shells and scrapers, an event a second for scripts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::pause::Pause;
use crate::live::snapshot::{NextRetry, OfAccount, Queue, Snapshot, Workers, moment};
use crate::priority::Priority;
use crate::run::Flow;

impl Flow<'_> {
    /// Publishes how the run stands, where it is time for that.
    pub(super) fn publish(&mut self) {
        let now = Instant::now();
        if !self.live.is_due(now) {
            return;
        }
        let snapshot = self.snapshot(now);
        if self.progress.is_heard() && self.live.is_event_due(now) {
            self.progress.stands(&serde_json::to_value(&snapshot).unwrap_or_default());
        }
        self.live.publish(snapshot);
    }

    /// How the run stands now.
    pub(super) fn snapshot(&mut self, now: Instant) -> Snapshot {
        let wall = Timestamp::now();
        let at = |until: Instant| moment(wall, until.saturating_duration_since(now));
        let shut = self.shut();
        let state = match (&self.paused, self.closing) {
            (_, Some(_)) => "stopping",
            (Some(_), None) => "paused",
            // For its window, or for the moment that it was told to begin at.
            (None, None) if shut.is_some() => "waiting",
            (None, None) => "running",
        };
        let mut snapshot = Snapshot {
            at: wall.to_string(),
            state: state.to_owned(),
            because: self.paused.as_ref().map(Pause::told).or(shut.map(|until| format!("until {until}"))),
            rate: self.live.meter.rate(now, self.tally.settled()),
            set: self.live.set.clone(),
            ..Snapshot::default()
        };
        snapshot.count(&self.tally);
        if snapshot.rate > 0.0 {
            snapshot.eta = Some((snapshot.pending as f64 / snapshot.rate).ceil() as u64);
        }
        let accounts = self.preparer.accounts();
        let queues = self.progress.last_queues();
        let next = queues.accounts.iter().filter_map(|queue| Some((queue.next_due?, &queue.account))).min();
        snapshot.next_retry = next.map(|(at, account)| NextRetry { at: at.to_string(), account: account.to_string() });
        snapshot.priorities.clone_from(&queues.priorities);
        snapshot.unread = queues.unread;
        for (index, account) in accounts.iter().enumerate() {
            let view = self.lanes.view(index);
            let queue = Queue { waiting: view.waiting as u64, sending: view.sending as u64, resting: view.resting as u64 };
            snapshot.queue.waiting += queue.waiting;
            snapshot.queue.sending += queue.sending;
            snapshot.queue.resting += queue.resting;
            let free = view.width.saturating_sub(view.calls) as u64;
            let stands = view.held.is_some() || view.halted.is_some() || state != "running";
            let (resting, idle) = if stands { (free, 0) } else { (0, free) };
            let counts = self.tally.accounts.get(&account.name).copied().unwrap_or_default();
            let about = OfAccount {
                platform: account.kind.clone(),
                counts,
                queue,
                workers: Workers { sending: view.calls as u64, resting, idle },
                width: view.width as u64,
                batch: view.batch as u64,
                rate_limit: view.rate.map(|rate| rate.to_string()),
                next_due: queues.accounts.get(index).and_then(|queue| queue.next_due).map(|at| at.to_string()),
                priorities: ranks(view.ranks),
                breaker: self.recovering.breaker_word(index).to_owned(),
                held_until: view.held.map(at),
                held_why: view.held.and_then(|_| self.live.why(index)),
                halted: view.halted.map(ToString::to_string),
                latency: self.live.meter.latency(index),
            };
            snapshot.accounts.insert(account.name.to_string(), about);
        }
        snapshot
    }
}

/// The queues of an account by the names of their priorities; only those that have rows.
fn ranks(of: [(usize, usize, usize); 4]) -> BTreeMap<String, Queue> {
    let named = Priority::ALL.into_iter().zip(of).map(|(priority, (waiting, sending, resting))| {
        let queue = Queue { waiting: waiting as u64, sending: sending as u64, resting: resting as u64 };
        (priority.to_string(), queue)
    });
    named.filter(|(_, queue)| *queue != Queue::default()).collect()
}
