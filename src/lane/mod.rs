//! Who waits, for what, and whose turn it is: the lanes of all accounts, their pace, width and holds.
//!
//! `gather` takes out who goes together, `hold` is what the service holds up.
//!
//! A lane is what is held up together, and inside it what may share a request. Everything that waits is either a whole row (few,
//! bounded) or a ticket of 24 bytes that names a row of the spool; so one slow lane can neither fill the reader's hands nor grow
//! without end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;
use crate::delivery::{Delivery, Envelope};
use crate::error::{ErrorKind, Reach, SendError};
use crate::lane::gather::{Gathered, Held};
use crate::lane::hold::Hold;
use crate::lane::road::{Lane, Road, Seat, Waiting};
use crate::limit::pace::domain_of;
use crate::limit::{Quota, Scope, Unit};
use crate::platform::{LaneKey, Share};
use crate::state::holds::HoldKey;

mod gather;
mod hold;
mod road;

pub use crate::lane::road::Ticket;

/// Whole rows that one lane holds in memory; what comes after them waits as tickets.
const ROWS_OF_A_LANE: usize = 256;
/// Tickets of all lanes together (24 bytes each, about 56 while they rest); when they are used up, the reader waits.
const TICKETS: usize = 500_000;
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
    Batch(LaneKey, Vec<Delivery>),
    /// This row waited without its content: read it again and put it there.
    Read(Ticket, Place),
    /// Nobody can go; the account has room, so more rows may be read.
    Hungry,
    /// Nobody can go now.
    Full,
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
    lanes: HashMap<(usize, LaneKey), Lane>,
    /// Holds of the service, by lane without its group; only where it asked for less speed since the last success.
    holds: HashMap<(usize, LaneKey), Hold>,
    /// What other processes were told: until when.
    heard: HashMap<HoldKey, Instant>,
    timers: BinaryHeap<Reverse<(Instant, Wake)>>,
    max_wait: Duration,
    /// Rows come one by one from a pipe: the first does not wait for the last.
    lingers: bool,
}

impl Lanes {
    /// Empty lanes for these accounts. A wait longer than `max_wait` parks a lane.
    pub fn new(accounts: &[Account], max_wait: Duration, lingers: bool) -> Self {
        let roads = accounts
            .iter()
            .map(|account| Road {
                width: account.width.max(1),
                calls: 0,
                batch: account.batch.max(1),
                most_bytes: account.platform.most_bytes(),
                in_flight: 0,
                waiting: 0,
                later: VecDeque::new(),
                rows: 0,
                bytes: 0,
                full: VecDeque::new(),
                alone_since: None,
                kind: Arc::from(account.kind.as_str()),
                name: account.name.clone(),
                hold: Hold::default(),
                gathered: 0,
                most_ahead: account
                    .quotas
                    .iter()
                    .filter(|quota| quota.scope == Scope::Account && !quota.rolls())
                    .map(|q| most_ahead(q, account))
                    .min(),
                pace: account.pace(),
                held_until: None,
                parked: false,
                resting: 0,
                resting_parked: 0,
                open: VecDeque::new(),
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
            lanes: HashMap::new(),
            holds: HashMap::new(),
            heard: HashMap::new(),
            timers: BinaryHeap::new(),
            max_wait,
            lingers,
        }
    }

    /// Whether the reader may hand on more rows.
    pub fn has_room(&self) -> bool {
        self.waiting() + self.resting() < TICKETS
    }

    /// Whether anything waits that a timer or an answer will set free.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.resting() == 0 && self.in_flight() == 0
    }

    fn waiting(&self) -> usize {
        self.roads.iter().map(|road| road.waiting).sum()
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
        self.put_at(ready, Place::Last);
    }

    /// A request goes exactly as it is, before anything else of its lane. `bound`: through no other account, for the service may know
    /// its key.
    pub fn put_sealed(&mut self, account: usize, key: &LaneKey, set: Vec<Delivery>, bound: bool) {
        let road = &mut self.roads[account];
        if road.halted.is_some() || set.is_empty() {
            return;
        }
        road.waiting += set.len();
        let lane = self.lanes.entry((account, key.clone())).or_default();
        lane.waiting.push_front(Waiting::Sealed { set, bound });
        road.full.push_back(key.clone());
        open(road, lane, key);
    }

    /// A row joins its lane there. Of a halted account it is dropped: it stays pending.
    pub fn put_at(&mut self, ready: Ready, place: Place) {
        let Ready { account, lane: key, share, delivery, .. } = ready;
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return;
        }
        road.waiting += 1;
        // Where requests are shared, whole rows are needed to know who fits; but one slow account must not fill the memory while the
        // reader brings rows for another, or a pipe its own.
        let much = road.rows >= 2 * COMPANY.0 || road.bytes >= 2 * COMPANY.1 || !road.later.is_empty();
        if road.batch > 1 && place == Place::Last && much {
            let Envelope { position, attempt, .. } = delivery.envelope;
            road.later.push_back(Ticket { position, tried: attempt.saturating_sub(1) });
            return;
        }
        let first = place == Place::First;
        let lane = self.lanes.entry((account, key.clone())).or_default();
        let seat = Seat { delivery, share, admitted: false };
        let waiting = if road.batch > 1 || lane.rows < ROWS_OF_A_LANE || first {
            lane.rows += 1;
            if road.batch > 1 {
                road.rows += 1;
                road.bytes += seat.share.map_or(0, |share| share.bytes);
                road.alone_since.get_or_insert_with(Instant::now);
                if lane.rows == road.batch || seat.share.is_none() {
                    road.full.push_back(key.clone());
                }
            }
            Waiting::Row(Box::new(seat))
        } else {
            Waiting::Ticket(seat.ticket())
        };
        if first {
            lane.waiting.push_front(waiting);
        } else {
            lane.waiting.push_back(waiting);
        }
        open(road, lane, &key);
    }

    /// A row rests until then, as a ticket. `named`: the wait that the service named, if it did. Of a halted account it is
    /// dropped: it stays pending.
    pub fn rest(&mut self, account: usize, ticket: Ticket, until: Instant, named: Option<Duration>) {
        let road = &mut self.roads[account];
        if road.halted.is_some() && !road.passes_on {
            return;
        }
        let rest = if named.is_some_and(|wait| wait > self.max_wait) { Rest::Parked } else { Rest::Short };
        road.resting += 1;
        road.resting_parked += usize::from(rest == Rest::Parked);
        self.timers.push(Reverse((until, Wake::Row(account, ticket, rest))));
    }

    /// As [`Lanes::rest`], for a request that must go again as it is.
    pub fn rest_together(&mut self, account: usize, set: Vec<Ticket>, until: Instant, named: Option<Duration>) {
        let road = &mut self.roads[account];
        if road.halted.is_some() && !road.passes_on {
            return;
        }
        let rest = if named.is_some_and(|wait| wait > self.max_wait) { Rest::Parked } else { Rest::Short };
        road.resting += set.len();
        road.resting_parked += if rest == Rest::Parked { set.len() } else { 0 };
        self.timers.push(Reverse((until, Wake::Set(account, set, rest))));
    }

    /// Whose turn it is on that account's road, whose platform has a `backlog`. `more`: the reader may still bring company for rows
    /// that could share a request.
    pub fn turn(&mut self, account: usize, backlog: usize, more: bool) -> Turn {
        loop {
            let road = &mut self.roads[account];
            let held = road.held_until.is_some() || road.hold.until.is_some();
            if road.halted.is_some() || held || road.calls >= road.width {
                return Turn::Full;
            }
            if road.most_ahead.is_some_and(|most| road.gathered + backlog >= most) {
                let until = Instant::now() + AHEAD;
                road.held_until = Some(until);
                self.timers.push(Reverse((until, Wake::Account(account))));
                return Turn::Full;
            }
            if road.rows < COMPANY.0
                && road.bytes < COMPANY.1
                && let Some(ticket) = road.later.pop_front()
            {
                road.waiting -= 1;
                return Turn::Read(ticket, Place::Next);
            }
            let Some((key, listed)) = self.pick(account, more) else { return Turn::Hungry };
            let Some(lane) = self.lanes.get_mut(&(account, key.clone())) else { continue };
            let road = &mut self.roads[account];
            if !self.heard.is_empty() {
                let stem = stem(&key);
                let heard = HoldKey::of(&["lane", &road.kind, &road.name, &stem.0]);
                if let Some(until) = self.heard.remove(&heard) {
                    lane.open = false;
                    let wait = until.duration_since(Instant::now());
                    self.hold(account, &key, None, wait, false);
                    // Its time may be over: then it goes on with the next round.
                    if wait.is_zero() {
                        self.open_stem(account, &stem);
                    }
                    continue;
                }
            }
            if !self.holds.is_empty() && self.holds.get(&(account, stem(&key))).is_some_and(|hold| hold.until.is_some()) {
                lane.open = false;
                continue;
            }
            if lane.held_until.is_some() {
                lane.open = false;
                continue;
            }
            if let Some(Waiting::Ticket(ticket)) = lane.waiting.front() {
                let ticket = *ticket;
                lane.waiting.pop_front();
                road.waiting -= 1;
                if !listed {
                    road.open.push_front(key);
                }
                return Turn::Read(ticket, Place::First);
            }
            let sealed = matches!(lane.waiting.front(), Some(Waiting::Sealed { .. }));
            let gathered = if road.batch > 1 || sealed { gather::shared(road, lane) } else { gather::single(road, lane) };
            let Gathered { batch, held, rested } = gathered;
            road.waiting -= batch.len() + rested.len();
            if !batch.is_empty() {
                road.calls += 1;
                lane.in_flight += batch.len();
                road.in_flight += batch.len();
                road.gathered += batch.len();
            }
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
                    if !listed {
                        road.open.push_front(key.clone());
                    }
                    self.timers.push(Reverse((until, Wake::Account(account))));
                }
                None if lane.waiting.is_empty() => lane.open = false,
                // The next lane's turn: round robin, so that one lane with much cannot starve one with little.
                None if listed => {}
                None => road.open.push_back(key.clone()),
            }
            if road.batch > 1 {
                if lane.rows >= road.batch || matches!(lane.waiting.front(), Some(Waiting::Sealed { .. })) {
                    road.full.push_back(key.clone());
                }
                // As long as any waits, none waits anew: else each of many contents would have a linger of its own.
                if road.rows == 0 {
                    road.alone_since = None;
                }
                // A lane that was taken out of turn stays listed, perhaps for nothing.
                if road.open.len() > 2 * self.lanes.len() + 64 {
                    self.tidy(account);
                }
            }
            for (ticket, until) in rested {
                self.rest(account, ticket, until, None);
            }
            if !batch.is_empty() {
                return Turn::Batch(key, batch);
            }
            self.forget_if_idle(account, &key);
        }
    }

    /// The lane whose turn it is. Where requests are shared, a lane with enough for a whole one; any other only when no more company
    /// can be had. Says too whether the lane is still listed among those whose turn comes.
    fn pick(&mut self, account: usize, more: bool) -> Option<(LaneKey, bool)> {
        let road = &mut self.roads[account];
        if road.batch == 1 {
            return Some((road.open.pop_front()?, false));
        }
        while let Some(key) = road.full.pop_front() {
            let ready = |lane: &Lane| match lane.waiting.front() {
                Some(Waiting::Sealed { .. } | Waiting::Ticket(_)) => true,
                Some(Waiting::Row(seat)) => lane.rows >= road.batch || seat.share.is_none(),
                None => false,
            };
            if self.lanes.get(&(account, key.clone())).is_some_and(ready) {
                return Some((key, true));
            }
        }
        let patient = more && road.rows < COMPANY.0 && road.bytes < COMPANY.1;
        if patient && self.lingers {
            let until = road.alone_since.map(|since| since + LINGER).filter(|until| *until > Instant::now());
            if let Some(until) = until {
                road.held_until = Some(until);
                self.timers.push(Reverse((until, Wake::Account(account))));
                return None;
            }
        } else if patient {
            return None;
        }
        Some((road.open.pop_front()?, false))
    }

    /// Forgets what is listed twice or for nothing.
    fn tidy(&mut self, account: usize) {
        let mut known = HashSet::new();
        let lanes = &self.lanes;
        self.roads[account]
            .open
            .retain(|key| lanes.get(&(account, key.clone())).is_some_and(|lane| lane.open) && known.insert(key.clone()));
    }

    fn forget_if_idle(&mut self, account: usize, key: &LaneKey) {
        let id = (account, key.clone());
        if self.lanes.get(&id).is_some_and(|lane| {
            lane.waiting.is_empty() && lane.in_flight == 0 && lane.held_until.is_none() && !lane.open && !lane.parked
        }) {
            self.lanes.remove(&id);
        }
    }

    /// So many gathered deliveries were handed to the platform, or given back.
    pub fn handed(&mut self, account: usize, count: usize) {
        let road = &mut self.roads[account];
        road.gathered = road.gathered.saturating_sub(count);
    }

    /// A request of so many deliveries has its answer, or never left.
    pub fn landed(&mut self, account: usize, key: &LaneKey, deliveries: usize) {
        let road = &mut self.roads[account];
        road.calls = road.calls.saturating_sub(1);
        road.in_flight = road.in_flight.saturating_sub(deliveries);
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.in_flight = lane.in_flight.saturating_sub(deliveries);
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
        road.hold.prove();
        if !self.holds.is_empty() {
            let id = (account, stem(key));
            if let Some(hold) = self.holds.get_mut(&id) {
                hold.prove();
                if hold.is_idle() {
                    self.holds.remove(&id);
                }
            }
        }
    }

    /// Whether the account has sent something in this process.
    pub fn proven(&self, account: usize) -> bool {
        self.roads[account].proven
    }

    /// What waits for this account or is in flight: who has least takes the next.
    pub fn load(&self, account: usize) -> usize {
        let road = &self.roads[account];
        road.in_flight + road.resting + road.waiting
    }

    /// Whether the account stopped, or rests because the service said so.
    pub fn is_blocked(&self, account: usize) -> bool {
        let road = &self.roads[account];
        road.halted.is_some() || road.hold.until.is_some()
    }

    /// Holds of this lane, or of what reaches further, since the last success.
    pub fn holds(&self, account: usize, key: &LaneKey, reach: Option<Reach>) -> u32 {
        match widened(key, reach) {
            Some(Reach::Account | Reach::Platform) => self.roads[account].hold.count,
            _ => self.holds.get(&(account, stem(key))).map_or(0, |hold| hold.count),
        }
    }

    /// The service asked for less speed: nothing that this reaches leaves before then. `counts`: it was a refusal, so that the next
    /// wait is longer; not where the service only said so in passing.
    pub fn hold(&mut self, account: usize, key: &LaneKey, reach: Option<Reach>, wait: Duration, counts: bool) {
        let now = Instant::now();
        match widened(key, reach) {
            Some(Reach::Platform) => {
                let kind = self.roads[account].kind.clone();
                for other in 0..self.roads.len() {
                    if self.roads[other].kind == kind {
                        self.hold_road(other, now, wait, counts);
                    }
                }
            }
            Some(Reach::Account) => self.hold_road(account, now, wait, counts),
            Some(Reach::Row | Reach::Target) | None => {
                let stem = stem(key);
                let hold = self.holds.entry((account, stem.clone())).or_default();
                if hold.extend(now, wait, self.max_wait, counts) {
                    self.timers.push(Reverse((now + wait, Wake::Stem(account, stem))));
                }
            }
        }
    }

    /// Whom a hold concerns, as all processes of this machine call it.
    pub fn hold_key(&self, account: usize, key: &LaneKey, reach: Option<Reach>) -> HoldKey {
        let road = &self.roads[account];
        match widened(key, reach) {
            Some(Reach::Platform) => HoldKey::of(&["platform", &road.kind]),
            Some(Reach::Account) => HoldKey::of(&["account", &road.kind, &road.name]),
            Some(Reach::Row | Reach::Target) | None => HoldKey::of(&["lane", &road.kind, &road.name, &stem(key).0]),
        }
    }

    /// Another process was told to wait for so long.
    pub fn hear(&mut self, key: HoldKey, wait: Duration) {
        let now = Instant::now();
        for account in 0..self.roads.len() {
            for reach in [Reach::Account, Reach::Platform] {
                if self.hold_key(account, &LaneKey::whole(), Some(reach)) == key {
                    return self.hold(account, &LaneKey::whole(), Some(reach), wait, false);
                }
            }
        }
        // Lanes are found when their turn comes. What is over is forgotten here, so that this stays as small as what is new.
        self.heard.retain(|_, until| *until > now);
        self.heard.insert(key, now + wait);
    }

    fn hold_road(&mut self, account: usize, now: Instant, wait: Duration, counts: bool) {
        if self.roads[account].hold.extend(now, wait, self.max_wait, counts) {
            self.timers.push(Reverse((now + wait, Wake::Hold(account))));
        }
    }

    /// Whether the account was halted.
    pub fn is_halted(&self, account: usize) -> bool {
        self.roads[account].halted.is_some()
    }

    /// Everything that waits in this account's lanes and is not bound to it, taken out: another account of the same pool may send it.
    pub fn take_waiting(&mut self, account: usize) -> Vec<Ticket> {
        let mut taken = Vec::new();
        for ((of, _), lane) in &mut self.lanes {
            if *of == account {
                let (mut bound, mut rows) = (VecDeque::new(), 0);
                for waiting in lane.waiting.drain(..) {
                    rows += waiting.count();
                    match waiting {
                        Waiting::Sealed { bound: true, .. } => {
                            rows -= waiting.count();
                            bound.push_back(waiting);
                        }
                        Waiting::Row(seat) => taken.push(seat.ticket()),
                        Waiting::Ticket(ticket) => taken.push(ticket),
                        Waiting::Sealed { set, .. } => taken.extend(set.iter().map(|delivery| Ticket {
                            position: delivery.envelope.position,
                            tried: delivery.envelope.attempt.saturating_sub(1),
                        })),
                    }
                }
                self.roads[account].waiting -= rows;
                lane.waiting = bound;
                lane.rows = 0;
                lane.open = false;
            }
        }
        let road = &mut self.roads[account];
        road.open.clear();
        road.full.clear();
        (road.rows, road.bytes) = (0, 0);
        road.waiting -= road.later.len();
        taken.extend(road.later.drain(..));
        for ((of, key), lane) in &mut self.lanes {
            if *of == account && !lane.waiting.is_empty() {
                open(road, lane, key);
                road.full.push_back(key.clone());
            }
        }
        taken.sort_unstable();
        taken
    }

    /// The account stops; what waits for it stays pending. Where it `passes_on`, its rows that rest still come back when they are due, for
    /// others of its pool. Returns whether it was going until now.
    pub fn halt(&mut self, account: usize, error: SendError, passes_on: bool) -> bool {
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return false;
        }
        road.halted = Some(error);
        road.open.clear();
        road.full.clear();
        (road.rows, road.bytes) = (0, 0);
        road.later.clear();
        road.waiting = 0;
        road.passes_on = passes_on;
        if !passes_on {
            // Their tickets fall out of the timers when their time comes; nobody waits for them any more.
            (road.resting, road.resting_parked) = (0, 0);
        }
        for ((of, _), lane) in &mut self.lanes {
            if *of == account {
                lane.waiting.clear();
                lane.rows = 0;
                lane.open = false;
            }
        }
        true
    }

    /// Counts refusals that are the account's fault when many rows in a row meet them; says so when it is time to halt.
    pub fn strike(&mut self, account: usize, to: &str, error: &SendError) -> bool {
        let road = &mut self.roads[account];
        match error.kind {
            ErrorKind::Misconfigured if error.reach != Some(Reach::Row) => {
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

    /// Opens every lane and account whose time has come; the rows whose rest is over are returned, with their accounts.
    pub fn wake(&mut self, now: Instant) -> Vec<(usize, Due)> {
        let mut due = Vec::new();
        let mut rows = 0;
        while let Some(Reverse((at, _))) = self.timers.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((_, wake))) = self.timers.pop() else { break };
            match wake {
                Wake::Row(account, ticket, rest) => {
                    let road = &mut self.roads[account];
                    if road.halted.is_none() || road.passes_on {
                        road.resting -= 1;
                        road.resting_parked -= usize::from(rest == Rest::Parked);
                        due.push((account, Due::Row(ticket)));
                        rows += 1;
                    }
                }
                Wake::Set(account, set, rest) => {
                    let road = &mut self.roads[account];
                    if road.halted.is_none() || road.passes_on {
                        road.resting -= set.len();
                        road.resting_parked -= if rest == Rest::Parked { set.len() } else { 0 };
                        rows += set.len();
                        due.push((account, Due::Set(set)));
                    }
                }
                Wake::Hold(account) => {
                    self.roads[account].hold.wake(now);
                }
                Wake::Stem(account, stem) => {
                    if self.holds.get_mut(&(account, stem.clone())).is_some_and(|hold| hold.wake(now)) {
                        self.open_stem(account, &stem);
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
                        lane.parked = false;
                        let road = &mut self.roads[account];
                        if !lane.waiting.is_empty() && road.halted.is_none() {
                            open(road, lane, &key);
                        }
                        self.forget_if_idle(account, &key);
                    }
                }
            }
            // One pass of the loop reads again as many rows as are due; the rest of them follows with the next.
            if rows >= 256 {
                break;
            }
        }
        due
    }

    /// The service lets this stem go again: all its lanes are open.
    fn open_stem(&mut self, account: usize, of: &LaneKey) {
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return;
        }
        for ((owner, key), lane) in &mut self.lanes {
            if *owner == account && !lane.waiting.is_empty() && stem(key) == *of {
                open(road, lane, key);
                if road.batch > 1 {
                    road.full.push_back(key.clone());
                }
            }
        }
    }

    /// When something changes by itself.
    pub fn next_wake(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, wake))) = self.timers.peek() {
            match wake {
                Wake::Row(account, ..) | Wake::Set(account, ..)
                    if self.roads[*account].halted.is_some() && !self.roads[*account].passes_on =>
                {
                    self.timers.pop();
                }
                _ => return Some(*at),
            }
        }
        None
    }

    /// Every account that is not halted rests for longer than `--max-wait`, so that nobody even reads on: until when.
    pub fn all_parked(&self) -> Option<Instant> {
        let until = |road: &Road| {
            let held = road.hold.until.filter(|_| road.hold.parked);
            held.or(road.held_until.filter(|_| road.parked))
        };
        let going = self.roads.iter().filter(|road| road.halted.is_none());
        if self.in_flight() > 0 || self.roads.iter().any(|road| road.resting > road.resting_parked) {
            return None;
        }
        going.map(until).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Nothing is in flight and everything that is left waits for longer than `--max-wait`: until when, if that is so.
    pub fn parked(&mut self) -> Option<Instant> {
        // A road that is held for a moment only may want rows that nobody has read yet.
        let soon = |road: &Road| {
            let held = (road.held_until.is_some() && !road.parked) || (road.hold.until.is_some() && !road.hold.parked);
            road.halted.is_none() && held
        };
        if self.is_empty()
            || self.in_flight() > 0
            || self.roads.iter().any(|road| road.resting > road.resting_parked || soon(road))
        {
            return None;
        }
        let held = |account: usize, key: &LaneKey, lane: &Lane| {
            let road = &self.roads[account];
            let parked = || self.holds.get(&(account, stem(key))).is_some_and(|hold| hold.until.is_some() && hold.parked);
            lane.waiting.is_empty() || lane.parked || road.parked || road.hold.parked || parked()
        };
        if !self.lanes.iter().all(|((account, key), lane)| held(*account, key, lane)) {
            return None;
        }
        self.next_wake().or_else(|| Some(Instant::now()))
    }
}

/// Where a target is all of the account (a robot of one group), what holds up the target holds up the account.
fn widened(key: &LaneKey, reach: Option<Reach>) -> Option<Reach> {
    match reach {
        Some(Reach::Target) | None if stem(key).0.is_empty() => Some(Reach::Account),
        other => other,
    }
}

/// Lists the lane among those whose turn comes, once.
fn open(road: &mut Road, lane: &mut Lane, key: &LaneKey) {
    if !lane.open && lane.held_until.is_none() {
        lane.open = true;
        road.open.push_back(key.clone());
    }
}

/// The lane without the group of those that may share a request: what the service holds up.
fn stem(key: &LaneKey) -> LaneKey {
    match key.0.split_once(LaneKey::GROUP) {
        Some((stem, _)) => LaneKey(Arc::from(stem)),
        None => key.clone(),
    }
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
