//! Who waits, for what, and whose turn it is: the lanes of all accounts, their pace, width and holds.
//!
//! A lane is what is held up together. Everything that waits is either a whole row (few, bounded) or a ticket of 24 bytes that
//! names a row of the spool; so one slow lane can neither fill the reader's hands nor grow without end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;
use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::limit::pace::{Pace, domain_of};
use crate::limit::{Quota, Scope};
use crate::platform::LaneKey;
use crate::recipient::Position;

/// Whole rows that one lane holds in memory; what comes after them waits as tickets.
const ROWS_OF_A_LANE: usize = 256;
/// Tickets of all lanes together (24 bytes each, about 56 while they rest); when they are used up, the reader waits.
const TICKETS: usize = 500_000;
/// What may be on its way to the wire under this limit: its burst, or what it allows in the time that a slow sync of the journal takes.
fn ahead(quota: &Quota) -> usize {
    let synced = (SYNC.as_secs_f64() / quota.interval().as_secs_f64().max(1e-9)) as usize;
    synced.max(quota.burst.get() as usize)
}

/// A slow sync of the journal.
const SYNC: Duration = Duration::from_millis(20);
/// How soon it is looked again whether the wire has taken what was handed over.
const AHEAD: Duration = Duration::from_millis(1);
/// Refusals of policy (550 5.7.x) in a row, over so many domains, that are the account's fault and not the row's.
const POLICY_STRIKES: (usize, usize) = (20, 5);
/// Rows in a row that call the account misconfigured although it has worked before.
const CONFIG_STRIKES: usize = 3;

/// A row by its place in the spool, and how often it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Which row.
    pub position: Position,
    /// Attempts that counted.
    pub tried: u32,
}

/// A row that is ready to go, and where it belongs.
#[derive(Debug)]
pub struct Ready {
    /// Index of its account.
    pub account: usize,
    /// Its lane.
    pub lane: LaneKey,
    /// What to send; `envelope.attempt` is the number of the try that comes next.
    pub delivery: Delivery,
}

impl Ready {
    fn ticket(&self) -> Ticket {
        Ticket { position: self.delivery.envelope.position, tried: self.delivery.envelope.attempt.saturating_sub(1) }
    }
}

#[derive(Debug)]
enum Waiting {
    Row(Box<Delivery>),
    Ticket(Ticket),
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// Send these together.
    Batch(Vec<Delivery>),
    /// This row waited without its content: read it again and put it back first.
    Read(Ticket),
    /// Nobody can go; the account has room, so more rows may be read.
    Hungry,
    /// Nobody can go now.
    Full,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    rows: usize,
    /// Listed in its account's `open`.
    open: bool,
    held_until: Option<Instant>,
    /// Holds since the last success.
    holds: u32,
    throttled_since: Option<Instant>,
    /// Its wait is longer than `--max-wait`, or it has been throttled for so long without a success: when only such lanes are
    /// left, their rows stay pending.
    parked: bool,
    /// Held by the service, not by our own pace.
    throttled: bool,
    in_flight: usize,
    /// The head has its permits of domain and address already.
    admitted: bool,
}

/// One account's share of the road.
#[derive(Debug)]
struct Road {
    width: usize,
    batch: usize,
    in_flight: usize,
    /// Of those, the ones that are not handed to the platform yet.
    gathered: usize,
    /// Under a limit, so many deliveries may be on their way to the wire at once: more would leave together when it opens.
    most_ahead: Option<usize>,
    pace: Pace,
    held_until: Option<Instant>,
    /// Its pace makes it wait for longer than `--max-wait`.
    parked: bool,
    /// Rows of it that rest, and how many of those for longer than `--max-wait`.
    resting: usize,
    resting_parked: usize,
    open: VecDeque<LaneKey>,
    halted: Option<SendError>,
    proven: bool,
    config_strikes: usize,
    policy_strikes: usize,
    policy_domains: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Account(usize),
    Lane(usize, LaneKey),
    Row(usize, Ticket, Rest),
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
    lanes: HashMap<(usize, LaneKey), Lane>,
    timers: BinaryHeap<Reverse<(Instant, Wake)>>,
    waiting: usize,
    max_wait: Duration,
}

impl Lanes {
    /// Empty lanes for these accounts. A wait longer than `max_wait` parks a lane.
    pub fn new(accounts: &[Account], max_wait: Duration) -> Self {
        let roads = accounts
            .iter()
            .map(|account| Road {
                width: account.width.max(1),
                batch: account.batch.max(1),
                in_flight: 0,
                gathered: 0,
                most_ahead: account.quotas.iter().filter(|quota| quota.scope == Scope::Account).map(ahead).min(),
                pace: account.pace(),
                held_until: None,
                parked: false,
                resting: 0,
                resting_parked: 0,
                open: VecDeque::new(),
                halted: None,
                proven: false,
                config_strikes: 0,
                policy_strikes: 0,
                policy_domains: HashSet::new(),
            })
            .collect();
        Lanes { roads, lanes: HashMap::new(), timers: BinaryHeap::new(), waiting: 0, max_wait }
    }

    /// Whether the reader may hand on more rows.
    pub fn has_room(&self) -> bool {
        self.waiting + self.resting() < TICKETS
    }

    /// Whether anything waits that a timer or an answer will set free.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0 && self.resting() == 0 && self.in_flight() == 0
    }

    fn resting(&self) -> usize {
        self.roads.iter().map(|road| road.resting).sum()
    }

    /// Deliveries in flight.
    pub fn in_flight(&self) -> usize {
        self.roads.iter().map(|road| road.in_flight).sum()
    }

    /// A row joins the end of its lane. Of a halted account it is dropped: it stays pending.
    pub fn put(&mut self, ready: Ready) {
        self.enqueue(ready, false);
    }

    /// A row comes back to the head of its lane.
    pub fn put_first(&mut self, ready: Ready) {
        self.enqueue(ready, true);
    }

    fn enqueue(&mut self, ready: Ready, first: bool) {
        let road = &mut self.roads[ready.account];
        if road.halted.is_some() {
            return;
        }
        let lane = self.lanes.entry((ready.account, ready.lane.clone())).or_default();
        let waiting = if lane.rows < ROWS_OF_A_LANE || first {
            lane.rows += 1;
            Waiting::Row(Box::new(ready.delivery))
        } else {
            Waiting::Ticket(ready.ticket())
        };
        self.waiting += 1;
        if first {
            lane.waiting.push_front(waiting);
            lane.admitted = false;
        } else {
            lane.waiting.push_back(waiting);
        }
        if !lane.open && lane.held_until.is_none() {
            lane.open = true;
            road.open.push_back(ready.lane);
        }
    }

    /// A row rests until then, as a ticket. `named`: the wait that the service named, if it did. Of a halted account it is
    /// dropped: it stays pending.
    pub fn rest(&mut self, account: usize, ticket: Ticket, until: Instant, named: Option<Duration>) {
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return;
        }
        let rest = if named.is_some_and(|wait| wait > self.max_wait) { Rest::Parked } else { Rest::Short };
        road.resting += 1;
        road.resting_parked += usize::from(rest == Rest::Parked);
        self.timers.push(Reverse((until, Wake::Row(account, ticket, rest))));
    }

    /// Whose turn it is on that account's road, whose platform has a `backlog`.
    pub fn turn(&mut self, account: usize, backlog: usize) -> Turn {
        loop {
            let road = &mut self.roads[account];
            if road.halted.is_some() || road.held_until.is_some() || road.in_flight >= road.width {
                return Turn::Full;
            }
            if road.most_ahead.is_some_and(|most| road.gathered + backlog >= most) {
                let until = Instant::now() + AHEAD;
                road.held_until = Some(until);
                self.timers.push(Reverse((until, Wake::Account(account))));
                return Turn::Full;
            }
            let Some(key) = road.open.pop_front() else { return Turn::Hungry };
            let Some(lane) = self.lanes.get_mut(&(account, key.clone())) else { continue };
            if let Some(Waiting::Ticket(ticket)) = lane.waiting.front() {
                let ticket = *ticket;
                lane.waiting.pop_front();
                self.waiting -= 1;
                road.open.push_front(key);
                return Turn::Read(ticket);
            }
            let (batch, held) = gather(road, lane);
            self.waiting -= batch.len();
            lane.in_flight += batch.len();
            road.in_flight += batch.len();
            road.gathered += batch.len();
            match held {
                Some(Held::Lane(until)) => {
                    lane.open = false;
                    lane.held_until = Some(until);
                    lane.parked = until.duration_since(Instant::now()) > self.max_wait;
                    self.timers.push(Reverse((until, Wake::Lane(account, key.clone()))));
                }
                Some(Held::Account(until)) => {
                    road.held_until = Some(until);
                    road.parked = until.duration_since(Instant::now()) > self.max_wait;
                    road.open.push_front(key.clone());
                    self.timers.push(Reverse((until, Wake::Account(account))));
                }
                None if lane.waiting.is_empty() => lane.open = false,
                // The next lane's turn: round robin, so that one lane with much cannot starve one with little.
                None => road.open.push_back(key.clone()),
            }
            if !batch.is_empty() {
                return Turn::Batch(batch);
            }
            self.forget_if_idle(account, &key);
        }
    }

    fn forget_if_idle(&mut self, account: usize, key: &LaneKey) {
        let id = (account, key.clone());
        if self.lanes.get(&id).is_some_and(|lane| {
            lane.waiting.is_empty()
                && lane.in_flight == 0
                && lane.held_until.is_none()
                && lane.holds == 0
                && !lane.open
                && !lane.parked
        }) {
            self.lanes.remove(&id);
        }
    }

    /// So many gathered deliveries were handed to the platform, or given back.
    pub fn handed(&mut self, account: usize, count: usize) {
        let road = &mut self.roads[account];
        road.gathered = road.gathered.saturating_sub(count);
    }

    /// A delivery has its answer, or never left.
    pub fn landed(&mut self, account: usize, key: &LaneKey) {
        self.roads[account].in_flight = self.roads[account].in_flight.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        self.forget_if_idle(account, key);
    }

    /// A success: the lane is not too fast any more and the account works.
    pub fn proved(&mut self, account: usize, key: &LaneKey) {
        let road = &mut self.roads[account];
        road.proven = true;
        road.config_strikes = 0;
        road.policy_strikes = 0;
        road.policy_domains.clear();
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.holds = 0;
            lane.throttled_since = None;
        }
        self.forget_if_idle(account, key);
    }

    /// Whether the account has sent something in this process.
    pub fn proven(&self, account: usize) -> bool {
        self.roads[account].proven
    }

    /// Holds of this lane since its last success.
    pub fn holds(&self, account: usize, key: &LaneKey) -> u32 {
        self.lanes.get(&(account, key.clone())).map_or(0, |lane| lane.holds)
    }

    /// The service asked for less speed: nothing of this lane leaves before then.
    pub fn hold(&mut self, account: usize, key: &LaneKey, wait: Duration) {
        let now = Instant::now();
        let until = now + wait;
        let lane = self.lanes.entry((account, key.clone())).or_default();
        let since = *lane.throttled_since.get_or_insert(now);
        // Several deliveries in flight meet the same refusal; only the first of a burst makes the next wait longer.
        if !lane.throttled {
            lane.holds += 1;
            lane.throttled = true;
        }
        if lane.open {
            lane.open = false;
            self.roads[account].open.retain(|other| other != key);
        }
        lane.parked |= wait > self.max_wait || now.duration_since(since) > self.max_wait;
        if lane.held_until.is_none_or(|other| other < until) {
            lane.held_until = Some(until);
            self.timers.push(Reverse((until, Wake::Lane(account, key.clone()))));
        }
    }

    /// The account stops; what waits for it stays pending. Returns whether it was going until now.
    pub fn halt(&mut self, account: usize, error: SendError) -> bool {
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return false;
        }
        road.halted = Some(error);
        road.open.clear();
        // Their tickets fall out of the timers when their time comes; nobody waits for them any more.
        (road.resting, road.resting_parked) = (0, 0);
        let mut dropped = 0;
        for ((of, _), lane) in &mut self.lanes {
            if *of == account {
                dropped += lane.waiting.len();
                lane.waiting.clear();
                lane.rows = 0;
                lane.open = false;
            }
        }
        self.waiting -= dropped;
        true
    }

    /// Counts refusals that are the account's fault when many rows in a row meet them; says so when it is time to halt.
    pub fn strike(&mut self, account: usize, to: &str, error: &SendError) -> bool {
        let road = &mut self.roads[account];
        match error.kind {
            ErrorKind::Misconfigured => {
                road.config_strikes += 1;
                road.config_strikes >= CONFIG_STRIKES
            }
            ErrorKind::BadMessage if error.code.as_deref().is_some_and(|code| code.starts_with("550 5.7.")) => {
                road.policy_strikes += 1;
                if road.policy_domains.len() < POLICY_STRIKES.1 {
                    road.policy_domains.insert(domain_of(to).to_ascii_lowercase());
                }
                road.policy_strikes >= POLICY_STRIKES.0 && road.policy_domains.len() >= POLICY_STRIKES.1
            }
            _ => false,
        }
    }

    /// Whether no account can send any more.
    pub fn all_halted(&self) -> bool {
        self.roads.iter().all(|road| road.halted.is_some())
    }

    /// Accounts that were halted, and why.
    pub fn halted(&self) -> impl Iterator<Item = (usize, &SendError)> {
        self.roads.iter().enumerate().filter_map(|(i, road)| road.halted.as_ref().map(|error| (i, error)))
    }

    /// Opens every lane and account whose time has come; the rows whose rest is over are returned.
    pub fn wake(&mut self, now: Instant) -> Vec<Ticket> {
        let mut due = Vec::new();
        while let Some(Reverse((at, _))) = self.timers.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((_, wake))) = self.timers.pop() else { break };
            match wake {
                Wake::Row(account, ticket, rest) => {
                    let road = &mut self.roads[account];
                    if road.halted.is_none() {
                        road.resting -= 1;
                        road.resting_parked -= usize::from(rest == Rest::Parked);
                        due.push(ticket);
                    }
                }
                Wake::Account(account) => {
                    let road = &mut self.roads[account];
                    if road.held_until.is_some_and(|until| until <= now) {
                        road.held_until = None;
                        road.parked = false;
                    }
                }
                Wake::Lane(account, key) => {
                    if let Some(lane) = self.lanes.get_mut(&(account, key.clone()))
                        && lane.held_until.is_some_and(|until| until <= now)
                    {
                        lane.held_until = None;
                        lane.throttled = false;
                        lane.parked = false;
                        if !lane.waiting.is_empty() && !lane.open && self.roads[account].halted.is_none() {
                            lane.open = true;
                            self.roads[account].open.push_back(key.clone());
                        }
                        self.forget_if_idle(account, &key);
                    }
                }
            }
            // One pass of the loop reads again as many rows as are due; the rest of them follows with the next.
            if due.len() >= 256 {
                break;
            }
        }
        due
    }

    /// When something changes by itself.
    pub fn next_wake(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, wake))) = self.timers.peek() {
            match wake {
                Wake::Row(account, ..) if self.roads[*account].halted.is_some() => {
                    self.timers.pop();
                }
                _ => return Some(*at),
            }
        }
        None
    }

    /// Nothing is in flight and everything that is left waits for longer than `--max-wait`: until when, if that is so.
    pub fn parked(&mut self) -> Option<Instant> {
        // A road that is held for a moment only may want rows that nobody has read yet.
        let soon = |road: &Road| road.halted.is_none() && !road.parked && road.held_until.is_some();
        if self.is_empty()
            || self.in_flight() > 0
            || self.roads.iter().any(|road| road.resting > road.resting_parked || soon(road))
        {
            return None;
        }
        let held = |account: usize, lane: &Lane| lane.waiting.is_empty() || lane.parked || self.roads[account].parked;
        if !self.lanes.iter().all(|((account, _), lane)| held(*account, lane)) {
            return None;
        }
        self.next_wake().or_else(|| Some(Instant::now()))
    }
}

enum Held {
    Lane(Instant),
    Account(Instant),
}

/// Takes from the head of the lane what one request may carry and every pace admits: domain and address first, then the account.
fn gather(road: &mut Road, lane: &mut Lane) -> (Vec<Delivery>, Option<Held>) {
    let ahead = road.most_ahead.map_or(usize::MAX, |most| most.saturating_sub(road.gathered).max(1));
    let room = road.batch.min(road.width - road.in_flight).min(ahead);
    let mut batch = Vec::new();
    while batch.len() < room {
        let Some(Waiting::Row(delivery)) = lane.waiting.front() else { break };
        if !lane.admitted {
            if let Err(wait) = road.pace.admit(delivery.envelope.to.as_str()) {
                return (batch, Some(Held::Lane(Instant::now() + wait)));
            }
            lane.admitted = true;
        }
        if let Err(wait) = road.pace.ready() {
            return (batch, Some(Held::Account(Instant::now() + wait)));
        }
        lane.admitted = false;
        if let Some(Waiting::Row(delivery)) = lane.waiting.pop_front() {
            lane.rows -= 1;
            batch.push(*delivery);
        }
    }
    (batch, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_ahead_of_the_wire_follows_the_limit() {
        for (rate, most) in [("1/h", 1), ("5/s", 1), ("100/s", 2), ("1000/s", 20), ("100/min", 1)] {
            assert_eq!(ahead(&rate.parse().unwrap()), most, "{rate}");
        }
    }
}
