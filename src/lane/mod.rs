//! Who waits, for what, and whose turn it is: the lanes of all accounts, their pace, width and holds.
//!
//! `gather` takes out who goes together, `hold` is what the service holds up.
//!
//! A lane is what is held up together, and inside it what may share a request. Everything that waits is either a whole row (few,
//! bounded) or a ticket of 24 bytes that names a row of the spool; so one slow lane can neither fill the reader's hands nor grow
//! without end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;
use crate::delivery::Delivery;
use crate::error::Reach;
use crate::journal::rows::Rows;
use crate::lane::beyond::Beyond;
use crate::lane::hold::Hold;
use crate::lane::rank::Rank;
use crate::lane::road::Road;
use crate::lane::seat::{Lane, Seat, Waiting};
use crate::lane::shares::Shares;
use crate::limit::{Quota, Scope, Unit};
use crate::permits::{Claim, Permit};
use crate::platform::{LaneKey, Share};
use crate::priority::{Precedence, Priorities};
use crate::recovery::gate::Gates;
use crate::state::holds::HoldKey;
use crate::tune::Tuner;

mod beyond;
mod beyond_heap;
mod counting;
mod gather;
mod hold;
mod holding;
mod rank;
mod recovering;
mod road;
mod seat;
mod settings;
mod shares;
mod sharing;
mod timers;
mod tuned;
mod turn;

pub use crate::lane::seat::Ticket;

/// Whole rows that one lane holds in memory; what comes after them waits as tickets.
const ROWS_OF_A_LANE: usize = 256;
/// Tickets of all lanes together, those that rest in the journal only not among them; when they are used up, the reader waits.
const TICKETS: usize = 300_000;
/// Rows of a priority that wait; while there are fewer, others do not go before it where more of it can be read.
const AHEAD_OF_OTHERS: usize = 4096;
/// Rows that rest in memory, about 56 bytes each; what comes after them rests in the journal only.
const FRONT: usize = 4096;
/// Rows of an account, and bytes of them, that wait for others to share a request with before what there is goes.
const COMPANY: (usize, usize) = (4096, 8 << 20);
/// How long the first of them waits where rows come one by one.
const LINGER: Duration = Duration::from_millis(50);
/// What may be on its way to the wire under this limit: its burst, or what it allows in the time that a slow sync of the journal takes.
fn ahead(quota: &Quota) -> usize {
    let synced = (SYNC.as_secs_f64() / quota.interval().as_secs_f64().max(1e-9)) as usize;
    synced.max(quota.burst.get() as usize)
}

fn most_ahead(quota: &Quota, account: &Account) -> usize {
    let each = if quota.of == Unit::Requests { account.batch.max(1) } else { 1 };
    ahead(quota).saturating_mul(each)
}

/// What all of these limits together allow.
fn least_ahead(quotas: &[Quota], account: &Account) -> Option<usize> {
    quotas.iter().filter(|quota| quota.scope == Scope::Account && !quota.rolls()).map(|quota| most_ahead(quota, account)).min()
}

/// A slow sync of the journal.
const SYNC: Duration = Duration::from_millis(20);
/// How soon it is looked again whether the wire has taken what was handed over.
const AHEAD: Duration = Duration::from_millis(1);
/// Refusals of policy (550 5.7.x) in a row, over so many domains, that are the account's fault and not the row's.
const POLICY_STRIKES: (usize, usize) = (20, 5);
/// Rows in a row that call the account misconfigured although it has worked before.
const CONFIG_STRIKES: usize = 3;

/// A row that is ready to go, and where it belongs.
#[derive(Debug)]
pub struct Ready {
    /// Index of its account.
    pub account: usize,
    /// Its lane.
    pub lane: LaneKey,
    /// What it brings into a request that it shares; `None` where it goes alone.
    pub share: Option<Share>,
    /// Any of these accounts may take it; the flow decides which.
    pub pool: Option<Arc<[usize]>>,
    /// It does not leave before then.
    pub not_before: Option<jiff::Timestamp>,
    /// What to send; `envelope.attempt` is the number of the try that comes next.
    pub delivery: Delivery,
}

/// What comes back when its time has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// A row by itself.
    Row(Ticket),
    /// A request as it was.
    Set(Vec<Ticket>),
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// Send these of that lane together.
    Batch(LaneKey, Vec<Delivery>, Permit),
    /// This row waited without its content: read it again and put it there.
    Read(Ticket, Place),
    /// The account has room, and more rows of these may be read.
    Hungry(Priorities),
    /// Nobody can go now.
    Full,
}

/// What the reader may still bring.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coming {
    /// Rows of these.
    pub of: Priorities,
    /// It reads each for itself, so that who deserves more may be waited for; rows of a pipe come as they come.
    pub asked: bool,
}

/// Where in its lane a row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Behind those that are there, since there is room for it now.
    Next,
    /// Behind all others.
    Last,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Account(usize),
    Hold(usize),
    Lane(usize, LaneKey),
    Stem(usize, LaneKey),
    Row(usize, Ticket, Rest),
    Set(usize, Vec<Ticket>, Rest),
}

/// Whether a row rests by our own choice, or for longer than `--max-wait` because the service said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    Short,
    Parked,
}

/// All lanes of a run.
#[derive(Debug)]
pub struct Lanes {
    roads: Vec<Road>,
    /// The time of the tuners is counted from here.
    begun: Instant,
    lanes: HashMap<(usize, LaneKey), Lane>,
    /// Holds of the service, by lane without its group; only where it asked for less speed since the last success.
    holds: HashMap<(usize, LaneKey), Hold>,
    /// What other processes were told: until when.
    heard: HashMap<HoldKey, Instant>,
    timers: BinaryHeap<Reverse<(Instant, Wake)>>,
    /// Rows among them.
    front: usize,
    /// Rows that rest in the journal only: all of them, and those that rest for longer than `--max-wait`.
    beyond: Rows,
    beyond_parked: Rows,
    max_wait: Duration,
    /// A limit that is used up is waited for, however long that takes.
    wait_quota: bool,
    /// Rows come one by one from a pipe: the first does not wait for the last.
    lingers: bool,
}

impl Lanes {
    /// Empty lanes for these accounts. A wait longer than `max_wait` parks a lane.
    pub fn new(accounts: &[Account], max_wait: Duration, lingers: bool, precedence: Precedence) -> Self {
        let roads = accounts
            .iter()
            .map(|account| Road {
                width: account.bounds.initial.clamp(1, account.width.max(1)),
                tuner: Tuner::new(account.bounds, Duration::ZERO),
                calls: 0,
                most: usize::MAX,
                spacing: None,
                gates: Gates::default(),
                batch: account.batch.max(1),
                narrowed: usize::MAX,
                most_bytes: account.platform.most_bytes(),
                ranks: std::array::from_fn(|_| Rank::default()),
                shares: Shares::new(precedence),
                bytes: 0,
                kind: Arc::from(account.kind.as_str()),
                identity: account.identity.clone(),
                name: account.name.clone(),
                hold: Hold::default(),
                gathered: 0,
                most_ahead: least_ahead(&account.quotas, account),
                pace: account.permits(None),
                held_until: None,
                parked: false,
                resting_parked: 0,
                beyond: Beyond::default(),
                halted: None,
                passes_on: false,
                proven: false,
                config_strikes: 0,
                policy_strikes: 0,
                policy_domains: HashSet::new(),
            })
            .collect();
        Lanes {
            roads,
            begun: Instant::now(),
            lanes: HashMap::new(),
            holds: HashMap::new(),
            heard: HashMap::new(),
            timers: BinaryHeap::new(),
            front: 0,
            beyond: Rows::default(),
            beyond_parked: Rows::default(),
            max_wait,
            wait_quota: false,
            lingers,
        }
    }

    /// Whether the reader may hand on more rows.
    pub fn has_room(&self) -> bool {
        self.waiting() + self.front < TICKETS
    }

    /// Whether anything waits that a timer or an answer will set free.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.resting() == 0 && self.in_flight() == 0
    }

    fn waiting(&self) -> usize {
        self.roads.iter().map(Road::waiting).sum()
    }

    fn resting(&self) -> usize {
        self.roads.iter().map(Road::resting).sum()
    }

    /// Deliveries in flight.
    pub fn in_flight(&self) -> usize {
        self.roads.iter().map(Road::in_flight).sum()
    }

    /// A row joins the end of its lane. Of a halted account it is dropped: it stays pending.
    pub fn put(&mut self, ready: Ready) {
        self.put_at(ready, Place::Last);
    }

    /// A request goes exactly as it is, before anything else of its lane. `bound`: through no other account, for the service may know
    /// its key.
    pub fn put_sealed(&mut self, account: usize, key: &LaneKey, set: Vec<Delivery>, bound: bool) {
        let road = &mut self.roads[account];
        if road.halted.is_some() || set.is_empty() {
            return;
        }
        let lane = self.lanes.entry((account, key.clone())).or_insert_with(|| Lane::of(key));
        let batch = road.batch;
        let rank = road.rank(lane.priority);
        rank.waiting += set.len();
        lane.waiting.push_front(Waiting::Sealed { set, bound });
        if batch > 1 {
            rank.full.push_back(key.clone());
        }
        rank.open(lane, key);
    }

    /// A row joins its lane there. Of a halted account it is dropped: it stays pending.
    pub fn put_at(&mut self, ready: Ready, place: Place) {
        let Ready { account, lane: key, share, delivery, .. } = ready;
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return;
        }
        let lane = self.lanes.entry((account, key.clone())).or_insert_with(|| Lane::of(&key));
        let (batch, size, priority) = (road.batch, road.size(), lane.priority);
        let rank = &mut road.ranks[priority as usize];
        rank.waiting += 1;
        // Where requests are shared, whole rows are needed to know who fits; but one slow account must not fill the memory while the
        // reader brings rows for another, or a pipe its own.
        let much = rank.rows >= 2 * COMPANY.0 || road.bytes >= 2 * COMPANY.1 || !rank.later.is_empty();
        if batch > 1 && place == Place::Last && much {
            rank.later.push_back(Ticket::of(&delivery.envelope, priority));
            return self.forget_if_idle(account, &key);
        }
        let first = place == Place::First;
        let seat = Seat { delivery, share, admitted: false, claim: Claim::default() };
        let waiting = if batch > 1 || lane.rows < ROWS_OF_A_LANE || first {
            lane.rows += 1;
            if batch > 1 {
                rank.rows += 1;
                road.bytes += seat.share.map_or(0, |share| share.bytes);
                rank.alone_since.get_or_insert_with(Instant::now);
                if lane.rows.is_multiple_of(size) || seat.share.is_none() {
                    rank.full.push_back(key.clone());
                }
            }
            Waiting::Row(Box::new(seat))
        } else {
            Waiting::Ticket(seat.ticket(priority))
        };
        if first {
            lane.waiting.push_front(waiting);
        } else {
            lane.waiting.push_back(waiting);
        }
        rank.open(lane, &key);
    }

    /// A row rests until then, as a ticket. `named`: the wait that the service named, if it did. Of a halted account it is
    /// dropped: it stays pending.
    pub fn rest(&mut self, account: usize, ticket: Ticket, until: Instant, named: Option<Duration>) {
        let road = &mut self.roads[account];
        if road.halted.is_some() && !road.passes_on {
            return;
        }
        let rest = if named.is_some_and(|wait| wait > self.max_wait) { Rest::Parked } else { Rest::Short };
        road.rank(ticket.priority).resting += 1;
        road.resting_parked += usize::from(rest == Rest::Parked);
        self.front += 1;
        self.timers.push(Reverse((until, Wake::Row(account, ticket, rest))));
    }

    /// As [`Lanes::rest`], for a request that must go again as it is.
    pub fn rest_together(&mut self, account: usize, set: Vec<Ticket>, until: Instant, named: Option<Duration>) {
        let road = &mut self.roads[account];
        if road.halted.is_some() && !road.passes_on {
            return;
        }
        let rest = if named.is_some_and(|wait| wait > self.max_wait) { Rest::Parked } else { Rest::Short };
        let Some(first) = set.first() else { return };
        road.rank(first.priority).resting += set.len();
        road.resting_parked += if rest == Rest::Parked { set.len() } else { 0 };
        self.front += set.len();
        self.timers.push(Reverse((until, Wake::Set(account, set, rest))));
    }
}

/// Where a target is all of the account (a robot of one group), what holds up the target holds up the account.
fn widened(key: &LaneKey, reach: Option<Reach>) -> Option<Reach> {
    match reach {
        Some(Reach::Target) | None if stem(key).0.is_empty() => Some(Reach::Account),
        other => other,
    }
}

/// The lane without its parts by group and priority: what the service holds up.
fn stem(key: &LaneKey) -> LaneKey {
    key.stem()
}

#[cfg(test)]
mod tests {
    use super::*;

    mod overtaking;

    #[test]
    fn what_may_be_ahead_of_the_wire_follows_the_limit() {
        for (rate, most) in [("1/h", 1), ("5/s", 1), ("100/s", 2), ("1000/s", 20), ("100/min", 1)] {
            assert_eq!(ahead(&rate.parse().unwrap()), most, "{rate}");
        }
    }
}
