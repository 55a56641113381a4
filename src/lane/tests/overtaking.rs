//! Whole accounts on a paused clock: how long critical rows at the end of a list take, beside what they need alone.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;
use crate::config::account::AccountConfig;
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::lane::{Coming, Lanes, Ready, Ticket, Turn};
use crate::message::Message;
use crate::platform::{LaneKey, Opening};
use crate::priority::{Precedence, Priorities, Priority};
use crate::queue_stats::{AccountQueue, HeldBy, PriorityQueue, Queue};
use crate::recipient::Position;

/// Low rows of the list, and the critical ones behind them.
const LOW: u64 = 10_000;
const CRITICAL: u64 = 100;

fn account(rate: Option<&str>, width: usize) -> Account {
    let opening = Opening { width: std::num::NonZeroUsize::new(width), ..Opening::default() };
    let rate = rate.map(|rate| rate.parse().expect("a rate"));
    Account::open(&AccountConfig::outbox(), &opening, rate, None).expect("the outbox opens")
}

fn ready(row: u64, priority: Priority) -> Ready {
    let envelope = Envelope {
        id: DeliveryId::derive("l", &row.to_string(), "outbox"),
        position: Position::row(row),
        account: "outbox".into(),
        to: "a@example.com".into(),
        attempt: 1,
    };
    let delivery = Delivery { envelope, message: Message::default() };
    Ready { account: 0, lane: LaneKey::whole().ranked(priority), share: None, pool: None, not_before: None, delivery }
}

/// Sends all critical rows through an account whose service takes `latency` to answer; when the last of them left, counted from the
/// first row of all, and how many low ones left before.
async fn drive(account: Account, precedence: Precedence, low: u64, latency: Duration) -> (Duration, u64) {
    let mut lanes = Lanes::new(std::slice::from_ref(&account), Duration::from_secs(900), false, precedence);
    let mut left = [low, 0, 0, CRITICAL];
    let (mut critical, mut others, mut began) = (0, 0, None);
    let mut answers: VecDeque<(Instant, LaneKey, usize)> = VecDeque::new();
    loop {
        while answers.front().is_some_and(|(at, ..)| *at <= Instant::now()) {
            let (_, key, rows) = answers.pop_front().expect("an answer");
            lanes.landed(0, &key, rows);
        }
        assert!(lanes.wake(Instant::now()).is_empty());
        let mut of = Priorities::default();
        Priority::ALL.into_iter().filter(|priority| left[*priority as usize] > 0).for_each(|priority| of.insert(priority));
        match lanes.turn(0, 0, Coming { of, asked: true }) {
            Turn::Batch(key, batch, _) => {
                let began = *began.get_or_insert_with(Instant::now);
                match key.priority() {
                    Priority::Critical => critical += 1,
                    _ => others += 1,
                }
                if critical == CRITICAL {
                    return (began.elapsed(), others);
                }
                lanes.handed(0, batch.len());
                answers.push_back((Instant::now() + latency, key, batch.len()));
            }
            Turn::Hungry(of) if !of.is_empty() => {
                let wanted =
                    Priority::ALL.into_iter().rev().find(|priority| of.contains(*priority) && left[*priority as usize] > 0);
                let wanted = wanted.expect("only what can be read is wanted");
                for _ in 0..left[wanted as usize].min(128) {
                    left[wanted as usize] -= 1;
                    let first = if wanted == Priority::Critical { LOW } else { 0 };
                    lanes.put(ready(first + left[wanted as usize], wanted));
                }
            }
            Turn::Read(..) => panic!("nothing waits as a ticket here"),
            Turn::Hungry(_) | Turn::Full => {
                let next = lanes.next_wake().into_iter().chain(answers.front().map(|(at, ..)| *at)).min();
                tokio::time::sleep_until(next.expect("something comes")).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn late_critical_rows_take_little_longer_than_alone_and_low_ones_go_on() {
    let strict = Precedence { strict: true, ..Precedence::default() };
    let latency = Duration::from_millis(50);
    for (rate, width) in [(Some("200/s"), 1), (Some("200/s"), 64), (None, 1), (None, 8), (Some("5/s"), 16)] {
        let (alone, _) = drive(account(rate, width), Precedence::default(), 0, latency).await;
        let (weighted, low) = drive(account(rate, width), Precedence::default(), LOW, latency).await;
        assert!(weighted <= alone.mul_f64(1.25), "{rate:?} x {width}: {weighted:?} beside {alone:?}");
        assert!((11..=13).contains(&low), "{rate:?} x {width}: {low} low rows in the time of {CRITICAL} critical ones");
        let (first, low) = drive(account(rate, width), strict, LOW, latency).await;
        assert!(first <= alone.mul_f64(1.05), "{rate:?} x {width}, strict: {first:?} beside {alone:?}");
        assert_eq!(low, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_queues_are_told_in_numbers() {
    let mut lanes = Lanes::new(&[account(None, 2)], Duration::from_secs(900), false, Precedence::default());
    for row in 0..3 {
        lanes.put(ready(row, Priority::Low));
    }
    lanes.put(ready(3, Priority::Critical));
    let Turn::Batch(..) = lanes.turn(0, 0, Coming::default()) else { panic!("somebody goes") };
    let now = Instant::now();
    let ticket = Ticket { position: Position::row(9), tried: 1, priority: Priority::Low };
    lanes.rest(0, ticket, now + Duration::from_secs(30), None);
    lanes.rest_beyond(0, Ticket { position: Position::row(10), ..ticket }, now + Duration::from_secs(20), false);
    lanes.hold(0, &LaneKey::whole(), Some(crate::error::Reach::Account), Duration::from_secs(10), true);
    let wall = "2026-01-01T00:00:00Z".parse().expect("a time");
    let told = lanes.stats(now, wall, [5, 0, 0, 0], [0, 0, 0, 7]);
    let at = |text: &str| Some(text.parse().expect("a time"));
    let low = Queue { waiting: 3, sending: 0, resting: 2 };
    let critical = Queue { waiting: 0, sending: 1, resting: 0 };
    let account = AccountQueue {
        account: "outbox".into(),
        rows: Queue { waiting: 3, sending: 1, resting: 2 },
        ranks: [low, Queue::default(), Queue::default(), critical],
        requests: 1,
        width: 2,
        batch: 1,
        next_due: at("2026-01-01T00:00:20Z"),
        held_until: at("2026-01-01T00:00:10Z"),
        held_by: Some(HeldBy::Service),
        ..AccountQueue::default()
    };
    assert_eq!(told.accounts, [account]);
    let waits = PriorityQueue { priority: Priority::Low, pending: 8, sending: 0, resting: 2, sent: 0 };
    let goes = PriorityQueue { priority: Priority::Critical, pending: 0, sending: 1, resting: 0, sent: 7 };
    assert_eq!((told.priorities, told.unread), (vec![waits, goes], 5));
    assert_eq!(std::mem::size_of::<Ticket>(), 24);
}

#[tokio::test(start_paused = true)]
async fn what_rests_beyond_the_heap_is_counted_and_comes_back_once() {
    let mut lanes = Lanes::new(&[account(None, 2)], Duration::from_secs(900), false, Precedence::default());
    let now = Instant::now();
    let ticket = |row: u64| Ticket { position: Position::row(row), tried: 1, priority: Priority::Normal };
    let wait = |row: u64| Duration::from_secs(60 + row);
    let rows = 20_000;
    for row in 0..rows {
        lanes.rest_told(0, ticket(row), now + wait(row), None);
    }
    assert!(!lanes.is_beyond(Position::row(4095)) && lanes.is_beyond(Position::row(4096)));
    assert!(lanes.has_room() && !lanes.is_empty());
    assert_eq!(lanes.stats(now, jiff::Timestamp::UNIX_EPOCH, [0; 4], [0; 4]).accounts[0].rows.resting, rows);
    assert_eq!(lanes.next_wake(), Some(now + wait(0)));
    assert!(lanes.beyond_due(now + wait(4095)).is_empty());
    assert_eq!(lanes.beyond_due(now + wait(4096)), [0]);
    for row in 4096..rows {
        lanes.came_back(0, ticket(row));
        lanes.came_back(0, ticket(row));
    }
    assert_eq!(lanes.stats(now, jiff::Timestamp::UNIX_EPOCH, [0; 4], [0; 4]).accounts[0].rows.resting, 4096);
    assert!(lanes.beyond_due(now + wait(rows)).is_empty());
}
