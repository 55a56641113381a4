//! The flow's pen: keeps what snapshots need between two of them, and hands each to whoever watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::live::meter::Meter;
use crate::live::snapshot::Snapshot;

/// No more often than this.
const EVERY: Duration = Duration::from_millis(250);

/// What the flow publishes with.
#[derive(Debug)]
pub struct Live {
    out: Arc<watch::Sender<Arc<Snapshot>>>,
    /// Rates and latencies.
    pub meter: Meter,
    /// Why each account was held last.
    held: Vec<Option<String>>,
    /// What was set while the run lasts, as it was typed.
    pub set: BTreeMap<String, String>,
    next: Instant,
    next_event: Instant,
}

impl Live {
    /// For so many accounts; `out` is where snapshots go.
    pub fn new(accounts: usize, out: Arc<watch::Sender<Arc<Snapshot>>>) -> Self {
        let now = Instant::now();
        let (meter, held) = (Meter::new(accounts), vec![None; accounts]);
        Live { out, meter, held, set: BTreeMap::new(), next: now, next_event: now + 4 * EVERY }
    }

    /// Whether it is time for the next one; `now` counts as that time from here on.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + EVERY;
        }
        due
    }

    /// The next one is due at once: something changed that people wait to see.
    pub fn hurry(&mut self) {
        self.next = Instant::now();
    }

    /// Whether a script should hear of it too: once a second.
    pub fn is_event_due(&mut self, now: Instant) -> bool {
        let due = self.next_event <= now;
        if due {
            self.next_event = now + 4 * EVERY;
        }
        due
    }

    /// The account is held for this reason.
    pub fn held(&mut self, account: usize, why: String) {
        if let Some(held) = self.held.get_mut(account) {
            *held = Some(why);
        }
    }

    /// Why the account was held last.
    pub fn why(&self, account: usize) -> Option<String> {
        self.held.get(account).cloned().flatten()
    }

    /// Hands it on. What does not change from one to the next is kept.
    pub fn publish(&self, mut snapshot: Snapshot) {
        let before = self.out.borrow().clone();
        snapshot.run.clone_from(&before.run);
        snapshot.pid = before.pid;
        snapshot.metrics.clone_from(&before.metrics);
        self.out.send_replace(Arc::new(snapshot));
    }
}
