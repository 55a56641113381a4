//! Whose turn it is: picks a lane, takes out what goes together, and keeps the lists of those that wait.

use crate::lane::gather::{self};
use crate::lane::gather::{Gathered, Held};
use crate::lane::road::{Lane, Waiting};
use crate::lane::{AHEAD, COMPANY, LINGER, Lanes, Place, Turn, Wake, stem};
use crate::platform::LaneKey;
use crate::state::holds::HoldKey;
use std::cmp::Reverse;
use std::collections::HashSet;
use tokio::time::Instant;

impl Lanes {
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
    pub(super) fn pick(&mut self, account: usize, more: bool) -> Option<(LaneKey, bool)> {
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
    pub(super) fn tidy(&mut self, account: usize) {
        let mut known = HashSet::new();
        let lanes = &self.lanes;
        self.roads[account]
            .open
            .retain(|key| lanes.get(&(account, key.clone())).is_some_and(|lane| lane.open) && known.insert(key.clone()));
    }

    pub(super) fn forget_if_idle(&mut self, account: usize, key: &LaneKey) {
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

    /// So many deliveries of a request that was gathered do not leave after all; `whole`: no other of it does either.
    pub fn withdrawn(&mut self, account: usize, key: &LaneKey, deliveries: usize, whole: bool) {
        self.handed(account, deliveries);
        if whole {
            return self.landed(account, key, deliveries);
        }
        self.roads[account].in_flight = self.roads[account].in_flight.saturating_sub(deliveries);
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.in_flight = lane.in_flight.saturating_sub(deliveries);
        }
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
}
