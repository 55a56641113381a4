//! The lanes in numbers: what each account and each priority has waiting, in flight and resting.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::lane::rank::Rank;
use crate::lane::road::Road;
use crate::lane::{Lanes, Wake};
use crate::priority::Priority;
use crate::queue_stats::{AccountQueue, HeldBy, PriorityQueue, Queue, QueueStats};

/// A wait for a permit as short as this is the pace of a limit, and no hold.
const PACE: Duration = Duration::from_secs(1);

impl Lanes {
    /// The numbers at this moment, by both clocks. `unread` and `sent` are rows by priority, from low to critical.
    pub fn stats(&self, now: Instant, wall: Timestamp, unread: [u64; 4], sent: [u64; 4]) -> QueueStats {
        let time = |at: Instant| {
            let wait = jiff::SignedDuration::try_from(at.saturating_duration_since(now)).unwrap_or_default();
            wall.checked_add(wait).unwrap_or(Timestamp::MAX)
        };
        let mut due: Vec<Option<Instant>> =
            self.roads.iter().map(|road| road.beyond.next.filter(|_| road.beyond.rows > 0)).collect();
        for Reverse((at, wake)) in &self.timers {
            if let Wake::Row(account, ..) | Wake::Set(account, ..) = wake {
                due[*account] = Some(due[*account].map_or(*at, |other| other.min(*at)));
            }
        }
        let account = |(road, due): (&Road, Option<Instant>)| {
            let service = road.hold.until.filter(|until| *until > now).map(|until| (until, HeldBy::Service));
            let limit = road.held_until.filter(|until| *until > now + PACE).map(|until| (until, HeldBy::Limit));
            let held = [service, limit].into_iter().flatten().max_by_key(|(until, _)| *until);
            let ranks = Priority::ALL.map(|priority| rows(&road.ranks[priority as usize]));
            AccountQueue {
                account: road.name.clone(),
                rows: Queue { waiting: road.waiting() as u64, sending: road.in_flight() as u64, resting: road.resting() as u64 },
                ranks,
                requests: road.calls as u64,
                width: road.width as u64,
                batch: road.size() as u64,
                rate: road.pace.own().map(|rate| rate.to_string()),
                next_due: due.filter(|_| road.resting() > 0).map(time),
                held_until: held.map(|(until, _)| time(until)),
                held_by: held.map(|(_, by)| by),
                halted: road.halted.as_ref().map(ToString::to_string),
            }
        };
        let accounts: Vec<AccountQueue> = self.roads.iter().zip(due).map(account).collect();
        let priorities = Priority::ALL.into_iter().map(|priority| {
            let mut all = Queue::default();
            accounts.iter().for_each(|account| all += account.ranks[priority as usize]);
            PriorityQueue {
                priority,
                pending: unread[priority as usize] + all.waiting,
                sending: all.sending,
                resting: all.resting,
                sent: sent[priority as usize],
            }
        });
        let priorities = priorities.filter(|queue| queue.pending + queue.sending + queue.resting + queue.sent > 0).collect();
        QueueStats { accounts, priorities, unread: unread.iter().sum() }
    }
}

fn rows(rank: &Rank) -> Queue {
    Queue { waiting: rank.waiting as u64, sending: rank.in_flight as u64, resting: rank.resting as u64 }
}
