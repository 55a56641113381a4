//! The lanes in numbers: what each account and each priority has waiting, in flight and resting.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::lane::road::Road;
use crate::lane::{Lanes, Wake};
use crate::priority::Priority;
use crate::queue_stats::{AccountQueue, HeldBy, PriorityQueue, QueueStats};

/// A wait as short as this is no hold: the pace of a limit, or a moment for company.
const MOMENT: Duration = Duration::from_millis(50);

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
            let holds = [(road.hold.until, HeldBy::Service), (road.held_until, HeldBy::Limit)];
            let held = holds.into_iter().filter_map(|(until, by)| until.map(|until| (until, by)));
            let held = held.filter(|(until, _)| *until > now + MOMENT).max_by_key(|(until, _)| *until);
            AccountQueue {
                account: road.name.clone(),
                waiting: road.waiting() as u64,
                sending: road.in_flight() as u64,
                requests: road.calls as u64,
                width: road.width as u64,
                resting: road.resting() as u64,
                next_due: due.filter(|_| road.resting() > 0).map(time),
                held_until: held.map(|(until, _)| time(until)),
                held_by: held.map(|(_, by)| by),
                halted: road.halted.as_ref().map(ToString::to_string),
            }
        };
        let sum = |of: fn(&crate::lane::rank::Rank) -> usize, priority: Priority| {
            self.roads.iter().map(|road| of(&road.ranks[priority as usize]) as u64).sum::<u64>()
        };
        let priorities = Priority::ALL.into_iter().map(|priority| PriorityQueue {
            priority,
            pending: unread[priority as usize] + sum(|rank| rank.waiting, priority),
            sending: sum(|rank| rank.in_flight, priority),
            resting: sum(|rank| rank.resting, priority),
            sent: sent[priority as usize],
        });
        QueueStats {
            accounts: self.roads.iter().zip(due).map(account).collect(),
            priorities: priorities.filter(|queue| queue.pending + queue.sending + queue.resting + queue.sent > 0).collect(),
            unread: unread.iter().sum(),
        }
    }
}
