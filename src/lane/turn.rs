//! Whose turn it is: picks a lane, takes out what goes together, and keeps the lists of those that wait.

use crate::lane::gather::{self};
use crate::lane::gather::{Gathered, Held};
use crate::lane::seat::{Lane, Waiting};
use crate::lane::{AHEAD, AHEAD_OF_OTHERS, COMPANY, Coming, LINGER, Lanes, Place, Turn, Wake, stem};
use crate::platform::LaneKey;
use crate::priority::{Priorities, Priority};
use crate::state::holds::HoldKey;
use std::cmp::Reverse;
use std::collections::HashSet;
use tokio::time::Instant;

/// What one priority has to offer.
enum Pick {
    /// This lane, and whether it is still listed among those whose turn comes.
    Lane(LaneKey, bool),
    /// Its rows wait for company until then.
    Lingers(Instant),
    None,
}

impl Lanes {
    /// Whose turn it is on that account's road, whose platform has a `backlog`. `coming`: what the reader may still bring; rows that could
    /// share a request wait for it, and so do those that deserve less than it does.
    pub fn turn(&mut self, account: usize, backlog: usize, coming: Coming) -> Turn {
        loop {
            let road = &mut self.roads[account];
            let held = road.held_until.is_some() || road.hold.until.is_some();
            if road.halted.is_some() || held || road.calls >= road.width.min(road.narrowed) {
                return Turn::Full;
            }
            if let Err(wait) = road.tuner.ready(Instant::now().duration_since(self.begun)) {
                let until = Instant::now() + wait;
                road.held_until = Some(until);
                self.timers.push(Reverse((until, Wake::Account(account))));
                return Turn::Full;
            }
            if let Some(until) = self.spaced(account) {
                self.timers.push(Reverse((until, Wake::Account(account))));
                return Turn::Full;
            }
            let road = &mut self.roads[account];
            if road.most_ahead.is_some_and(|most| road.gathered + backlog >= most) {
                let until = Instant::now() + AHEAD;
                road.held_until = Some(until);
                self.timers.push(Reverse((until, Wake::Account(account))));
                return Turn::Full;
            }
            if road.batch > 1 && road.bytes < COMPANY.1 {
                let rank = road.ranks.iter_mut().rev().find(|rank| rank.rows < COMPANY.0 && !rank.later.is_empty());
                if let Some(rank) = rank
                    && let Some(ticket) = rank.later.pop_front()
                {
                    rank.waiting -= 1;
                    return Turn::Read(ticket, Place::Next);
                }
            }
            let (priority, key, listed) = match self.choose(account, coming) {
                Ok(chosen) => chosen,
                Err(hungry) => return Turn::Hungry(hungry),
            };
            if self.roads[account].pace.claims() > 0 {
                self.claim(account, &key);
            }
            let Some(lane) = self.lanes.get_mut(&(account, key.clone())) else { continue };
            let road = &mut self.roads[account];
            if !self.heard.is_empty() {
                let stem = stem(&key);
                let heard = HoldKey::of(&["lane", &road.kind, &road.identity, &stem.0]);
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
                let rank = road.rank(priority);
                rank.waiting -= 1;
                if !listed {
                    rank.open.push_front(key);
                }
                return Turn::Read(ticket, Place::First);
            }
            let sealed = matches!(lane.waiting.front(), Some(Waiting::Sealed { .. }));
            let gathered = if road.batch > 1 || sealed {
                gather::shared(road, lane)
            } else {
                gather::single(road, lane, !stem(&key).0.is_empty())
            };
            let Gathered { batch, permit, held, rested, rested_set, gated } = gathered;
            if !batch.is_empty() {
                road.calls += 1;
                lane.in_flight += batch.len();
                road.gathered += batch.len();
                road.shares.serve(priority, batch.len());
                if let Some(spacing) = &mut road.spacing {
                    spacing.took(Instant::now(), batch.len());
                }
            }
            let size = road.size();
            let rank = &mut road.ranks[priority as usize];
            let set_aside = rested_set.as_ref().map_or(0, |(set, _)| set.len());
            rank.waiting -= batch.len() + rested.len() + gated.len() + set_aside;
            rank.in_flight += batch.len();
            match held {
                Some(Held::Lane(until)) => {
                    lane.open = false;
                    lane.held_until = Some(until);
                    lane.parked = !self.wait_quota && until.duration_since(Instant::now()) > self.max_wait;
                    self.timers.push(Reverse((until, Wake::Lane(account, key.clone()))));
                }
                Some(Held::Account(until)) => {
                    road.held_until = Some(until);
                    road.parked = !self.wait_quota && until.duration_since(Instant::now()) > self.max_wait;
                    if !listed {
                        rank.open.push_front(key.clone());
                    }
                    self.timers.push(Reverse((until, Wake::Account(account))));
                }
                None if lane.waiting.is_empty() => lane.open = false,
                // The next lane's turn: round robin, so that one lane with much cannot starve one with little.
                None if listed => {}
                None => rank.open.push_back(key.clone()),
            }
            if road.batch > 1 {
                if lane.rows >= size || matches!(lane.waiting.front(), Some(Waiting::Sealed { .. })) {
                    rank.full.push_back(key.clone());
                }
                // As long as any waits, none waits anew: else each of many contents would have a linger of its own.
                if rank.rows == 0 {
                    rank.alone_since = None;
                }
                // A lane that was taken out of turn stays listed, perhaps for nothing.
                if rank.open.len() > 2 * self.lanes.len() + 64 {
                    self.tidy(account, priority);
                }
            }
            for (ticket, until) in rested {
                let named = self.named(until);
                self.rest(account, ticket, until, named);
            }
            if let Some((set, until)) = rested_set {
                let named = self.named(until);
                self.rest_together(account, set, until, named);
            }
            for (ticket, until) in gated {
                self.rest(account, ticket, until, Some(until.duration_since(Instant::now())));
            }
            if !batch.is_empty() {
                return Turn::Batch(key, batch, permit);
            }
            self.forget_if_idle(account, &key);
        }
    }

    /// The priority and the lane whose turn it is, and whether the lane is still listed; or of which priorities more is wanted.
    fn choose(&mut self, account: usize, coming: Coming) -> Result<(Priority, LaneKey, bool), Priorities> {
        let (mut able, mut awaited) = (Priorities::default(), Priorities::default());
        for priority in Priority::ALL {
            let read = coming.asked && coming.of.contains(priority);
            // Rows of it may all be for other accounts: these are not waited for while many wait there.
            if read && self.roads.iter().map(|road| road.ranks[priority as usize].waiting).sum::<usize>() < AHEAD_OF_OTHERS {
                awaited.insert(priority);
                able.insert(priority);
            }
            if self.roads[account].ranks[priority as usize].is_listed() {
                able.insert(priority);
            }
        }
        let mut lingers: Option<Instant> = None;
        let order = self.roads[account].shares.order(able);
        for priority in order {
            match self.pick(account, priority, coming.of.contains(priority)) {
                Pick::Lane(key, listed) => return Ok((priority, key, listed)),
                Pick::Lingers(until) => lingers = Some(lingers.map_or(until, |other| other.min(until))),
                Pick::None if awaited.contains(priority) => return Err(Priorities::only(priority)),
                Pick::None => {}
            }
        }
        if let Some(until) = lingers {
            self.roads[account].held_until = Some(until);
            self.timers.push(Reverse((until, Wake::Account(account))));
        }
        Err(coming.of)
    }

    /// The lane of that priority whose turn it is. Where requests are shared, a lane with enough for a whole one; any other only when no
    /// more company can be had.
    fn pick(&mut self, account: usize, priority: Priority, more: bool) -> Pick {
        let road = &mut self.roads[account];
        let size = road.size();
        let rank = &mut road.ranks[priority as usize];
        if road.batch == 1 {
            return rank.open.pop_front().map_or(Pick::None, |key| Pick::Lane(key, false));
        }
        while let Some(key) = rank.full.pop_front() {
            let ready = |lane: &Lane| match lane.waiting.front() {
                Some(Waiting::Sealed { .. } | Waiting::Ticket(_)) => true,
                Some(Waiting::Row(seat)) => lane.rows >= size || seat.share.is_none(),
                None => false,
            };
            if self.lanes.get(&(account, key.clone())).is_some_and(ready) {
                return Pick::Lane(key, true);
            }
        }
        let patient = more && rank.rows < COMPANY.0 && road.bytes < COMPANY.1;
        if patient && self.lingers {
            let until = rank.alone_since.map(|since| since + LINGER).filter(|until| *until > Instant::now());
            if let Some(until) = until {
                return Pick::Lingers(until);
            }
        } else if patient {
            return Pick::None;
        }
        rank.open.pop_front().map_or(Pick::None, |key| Pick::Lane(key, false))
    }

    /// Forgets what is listed twice or for nothing.
    pub(super) fn tidy(&mut self, account: usize, priority: Priority) {
        let mut known = HashSet::new();
        let lanes = &self.lanes;
        self.roads[account]
            .rank(priority)
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
            // The tuner hears only of what goes on; here it was told of nothing.
            let now = self.now();
            let _ = self.roads[account].tuner.took(now);
            return self.landed(account, key, deliveries);
        }
        let rank = self.roads[account].rank(key.priority());
        rank.in_flight = rank.in_flight.saturating_sub(deliveries);
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.in_flight = lane.in_flight.saturating_sub(deliveries);
        }
    }

    /// A request of so many deliveries has its answer, or never left.
    pub fn landed(&mut self, account: usize, key: &LaneKey, deliveries: usize) {
        let now = self.now();
        let road = &mut self.roads[account];
        road.tuner.gave_back(now);
        road.calls = road.calls.saturating_sub(1);
        let rank = road.rank(key.priority());
        rank.in_flight = rank.in_flight.saturating_sub(deliveries);
        if let Some(lane) = self.lanes.get_mut(&(account, key.clone())) {
            lane.in_flight = lane.in_flight.saturating_sub(deliveries);
        }
        self.forget_if_idle(account, key);
    }
}
