//! What changes by itself: rests that end, holds that are over, and whether all that is left waits for too long.

use crate::lane::road::Road;
use crate::lane::seat::Lane;
use crate::lane::{Due, Lanes, Rest, Wake, stem};
use crate::platform::LaneKey;
use std::cmp::Reverse;
use tokio::time::Instant;

impl Lanes {
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
                    self.front -= 1;
                    let road = &mut self.roads[account];
                    if road.halted.is_none() || road.passes_on {
                        road.rank(ticket.priority).resting -= 1;
                        road.resting_parked -= usize::from(rest == Rest::Parked);
                        due.push((account, Due::Row(ticket)));
                        rows += 1;
                    }
                }
                Wake::Set(account, set, rest) => {
                    self.front -= set.len();
                    let road = &mut self.roads[account];
                    if road.halted.is_none() || road.passes_on {
                        let priority = set.first().map(|ticket| ticket.priority).unwrap_or_default();
                        road.rank(priority).resting -= set.len();
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
                            road.rank(lane.priority).open(lane, &key);
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
    pub(super) fn open_stem(&mut self, account: usize, of: &LaneKey) {
        let road = &mut self.roads[account];
        if road.halted.is_some() {
            return;
        }
        for ((owner, key), lane) in &mut self.lanes {
            if *owner == account && !lane.waiting.is_empty() && stem(key) == *of {
                let batch = road.batch;
                let rank = road.rank(lane.priority);
                rank.open(lane, key);
                if batch > 1 {
                    rank.full.push_back(key.clone());
                }
            }
        }
    }

    /// When something changes by itself.
    pub fn next_wake(&mut self) -> Option<Instant> {
        let beyond = self.beyond_wake();
        let gone = |road: &Road| road.halted.is_some() && !road.passes_on;
        while let Some(Reverse((at, wake))) = self.timers.peek() {
            self.front -= match wake {
                Wake::Row(account, ..) if gone(&self.roads[*account]) => 1,
                Wake::Set(account, set, _) if gone(&self.roads[*account]) => set.len(),
                _ => return Some(beyond.map_or(*at, |other| other.min(*at))),
            };
            self.timers.pop();
        }
        beyond
    }

    /// Every account that is not halted rests for longer than `--max-wait`, so that nobody even reads on: until when.
    pub fn all_parked(&self) -> Option<Instant> {
        let until = |road: &Road| {
            let held = road.hold.until.filter(|_| road.hold.parked);
            held.or(road.held_until.filter(|_| road.parked))
        };
        let going = self.roads.iter().filter(|road| road.halted.is_none());
        if self.in_flight() > 0 || self.roads.iter().any(|road| road.resting() > road.resting_parked) {
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
            || self.roads.iter().any(|road| road.resting() > road.resting_parked || soon(road))
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
