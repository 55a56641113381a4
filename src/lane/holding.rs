//! What a service holds up or stops: holds by target, account and platform, halts, and the strikes that lead to them.

use crate::error::{ErrorKind, Reach, SendError};
use crate::lane::beyond::Beyond;
use crate::lane::rank::Rank;
use crate::lane::seat::Waiting;
use crate::lane::{CONFIG_STRIKES, Lanes, POLICY_STRIKES, Ticket, Wake, stem, widened};
use crate::limit::pace::domain_of;
use crate::platform::LaneKey;
use crate::state::holds::HoldKey;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

impl Lanes {
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
        road.in_flight() + road.resting() + road.waiting()
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
            Some(Reach::Account) => HoldKey::of(&["account", &road.kind, &road.identity]),
            Some(Reach::Row | Reach::Target) | None => HoldKey::of(&["lane", &road.kind, &road.identity, &stem(key).0]),
        }
    }

    /// Another process was told to wait for so long.
    pub fn hear(&mut self, key: HoldKey, wait: Duration) {
        let now = Instant::now();
        let mut known = false;
        for account in 0..self.roads.len() {
            for reach in [Reach::Account, Reach::Platform] {
                if self.hold_key(account, &LaneKey::whole(), Some(reach)) == key {
                    self.hold(account, &LaneKey::whole(), Some(reach), wait, false);
                    known = true;
                }
            }
        }
        if known {
            return;
        }
        // Lanes are found when their turn comes. What is over is forgotten here, so that this stays as small as what is new.
        self.heard.retain(|_, until| *until > now);
        self.heard.insert(key, now + wait);
    }

    pub(super) fn hold_road(&mut self, account: usize, now: Instant, wait: Duration, counts: bool) {
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
                        Waiting::Row(seat) => taken.push(seat.ticket(lane.priority)),
                        Waiting::Ticket(ticket) => taken.push(ticket),
                        Waiting::Sealed { set, .. } => {
                            taken.extend(set.iter().map(|delivery| Ticket::of(&delivery.envelope, lane.priority)));
                        }
                    }
                }
                self.roads[account].rank(lane.priority).waiting -= rows;
                lane.waiting = bound;
                lane.rows = 0;
                lane.open = false;
            }
        }
        let road = &mut self.roads[account];
        road.bytes = 0;
        for rank in &mut road.ranks {
            rank.open.clear();
            rank.full.clear();
            (rank.rows, rank.alone_since) = (0, None);
            rank.waiting -= rank.later.len();
            taken.extend(rank.later.drain(..));
        }
        for ((of, key), lane) in &mut self.lanes {
            if *of == account && !lane.waiting.is_empty() {
                let rank = road.rank(lane.priority);
                rank.open(lane, key);
                rank.full.push_back(key.clone());
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
        road.bytes = 0;
        road.ranks.iter_mut().for_each(Rank::clear);
        road.passes_on = passes_on;
        if !passes_on {
            // Their tickets fall out of the timers when their time comes; nobody waits for them any more.
            road.ranks.iter_mut().for_each(|rank| rank.resting = 0);
            (road.resting_parked, road.beyond) = (0, Beyond::default());
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
}
