//! The queues of the flow in numbers, told some times a second.

use std::time::Duration;

use tokio::time::Instant;

use crate::feed::Reader;
use crate::queue_stats::QueueStats;
use crate::run::Flow;

/// How often they are told.
const EVERY: Duration = Duration::from_millis(200);

impl Flow<'_> {
    /// What waits, flies and rests at this moment.
    pub(super) fn queues(&self, rows: &Reader) -> QueueStats {
        self.lanes.stats(Instant::now(), jiff::Timestamp::now(), rows.left(), self.sent)
    }

    /// Tells them, where it is time to.
    pub(super) fn tell_queues(&mut self, rows: &Reader) {
        let now = Instant::now();
        if self.queues_told.is_none_or(|told| now.duration_since(told) >= EVERY) {
            self.queues_told = Some(now);
            let queues = self.queues(rows);
            self.progress.queues(queues);
        }
    }
}
