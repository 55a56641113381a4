//! What the flow shows while it goes: a snapshot for other shells and scrapers, an event a second for scripts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::pause::Pause;
use crate::live::snapshot::{NextRetry, OfAccount, Snapshot, Workers};
use crate::priority::Priority;
use crate::queue_stats::{HeldBy, Queue};
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
        let queues = self.lanes.stats(now, wall, self.unread, self.sent);
        let next = queues.accounts.iter().filter_map(|queue| Some((queue.next_due?, &queue.account))).min();
        snapshot.next_retry = next.map(|(at, account)| NextRetry { at: at.to_string(), account: account.to_string() });
        snapshot.priorities = queues.priorities;
        snapshot.unread = queues.unread;
        for (index, (account, queue)) in self.preparer.accounts().iter().zip(queues.accounts).enumerate() {
            snapshot.queue += queue.rows;
            let free = queue.width.saturating_sub(queue.requests);
            let stands = queue.held_by.is_some() || queue.halted.is_some() || state != "running";
            let (resting, idle) = if stands { (free, 0) } else { (0, free) };
            let held_why = queue.held_by.and_then(|by| match by {
                HeldBy::Service => self.live.why(index),
                HeldBy::Limit => Some("its limit".to_owned()),
            });
            let about = OfAccount {
                platform: account.kind.clone(),
                counts: self.tally.accounts.get(&account.name).copied().unwrap_or_default(),
                queue: queue.rows,
                workers: Workers { sending: queue.requests, resting, idle },
                width: queue.width,
                batch: queue.batch,
                rate_limit: queue.rate,
                next_due: queue.next_due.map(|at| at.to_string()),
                priorities: ranks(queue.ranks),
                breaker: self.recovering.breaker_word(index).to_owned(),
                held_until: queue.held_until.map(|at| at.to_string()),
                held_why,
                halted: queue.halted,
                latency: self.live.meter.latency(index),
            };
            snapshot.accounts.insert(account.name.to_string(), about);
        }
        snapshot
    }
}

/// The queues of an account by the names of their priorities; only those that have rows.
fn ranks(of: [Queue; 4]) -> BTreeMap<String, Queue> {
    let named = Priority::ALL.into_iter().zip(of);
    named.filter(|(_, rows)| *rows != Queue::default()).map(|(priority, rows)| (priority.to_string(), rows)).collect()
}
