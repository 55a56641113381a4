//! What goes to rest in the journal only, and comes back from there: the lanes' side of it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::lane::road::Road;
use crate::lane::seat::Ticket;
use crate::lane::{FRONT, Lanes};
use crate::recipient::Position;

/// An account with so many rows waiting takes none out of the journal: they would only wait elsewhere.
const AWAKE: usize = 4096;

impl Road {
    fn beyond_wakes(&self) -> Option<Instant> {
        let goes = self.halted.is_none() || self.passes_on;
        self.beyond.wakes().filter(|_| goes && self.waiting() < AWAKE)
    }
}

impl Lanes {
    /// As [`Lanes::rest`], for a row whose rest the journal has been told of with the time when it is due: it is the journal that
    /// remembers it where many rest already.
    pub fn rest_told(&mut self, account: usize, ticket: Ticket, until: Instant, named: Option<Duration>) {
        if self.front < FRONT {
            return self.rest(account, ticket, until, named);
        }
        let parked = named.is_some_and(|wait| wait > self.max_wait);
        self.rest_beyond(account, ticket, until, parked);
    }

    /// A row rests in the journal only. Of a halted account it is dropped: it stays pending.
    pub fn rest_beyond(&mut self, account: usize, ticket: Ticket, until: Instant, parked: bool) {
        let road = &mut self.roads[account];
        if (road.halted.is_some() && !road.passes_on) || !self.beyond.insert(ticket.position) {
            return;
        }
        if parked {
            self.beyond_parked.insert(ticket.position);
            road.resting_parked += 1;
        }
        road.rank(ticket.priority).resting += 1;
        road.beyond.rows += 1;
        road.beyond.next = Some(road.beyond.next.map_or(until, |next| next.min(until)));
    }

    /// Whether that row rests in the journal only.
    pub fn is_beyond(&self, position: Position) -> bool {
        self.beyond.contains(position)
    }

    /// Its rest is over: it was read in the journal, and is the caller's from here on.
    pub fn came_back(&mut self, account: usize, ticket: Ticket) {
        if !self.beyond.remove(ticket.position) {
            return;
        }
        let road = &mut self.roads[account];
        let rank = road.rank(ticket.priority);
        rank.resting = rank.resting.saturating_sub(1);
        road.beyond.rows = road.beyond.rows.saturating_sub(1);
        if self.beyond_parked.remove(ticket.position) {
            road.resting_parked = road.resting_parked.saturating_sub(1);
        }
    }

    /// The accounts for which the journal is to be asked now.
    pub fn beyond_due(&self, now: Instant) -> Vec<usize> {
        let due = |road: &Road| road.beyond_wakes().is_some_and(|at| at <= now);
        (0..self.roads.len()).filter(|account| due(&self.roads[*account])).collect()
    }

    /// When the journal is to be asked next.
    pub(super) fn beyond_wake(&self) -> Option<Instant> {
        self.roads.iter().filter_map(Road::beyond_wakes).min()
    }

    /// After which place in the order of the journal to read for this account; `None` is its beginning.
    pub fn passed(&self, account: usize) -> Option<(Timestamp, Position)> {
        self.roads[account].beyond.passed
    }

    /// The journal was read up to there, and none of the others is due before `next`; `pauses`: nothing is at hand there now.
    pub fn look_again(&mut self, account: usize, passed: Option<(Timestamp, Position)>, next: Instant, pauses: bool) {
        let beyond = &mut self.roads[account].beyond;
        (beyond.passed, beyond.next, beyond.looked) = (passed, Some(next), pauses.then(Instant::now));
    }

    /// The journal was read from its beginning to its end and has none of them: they stay pending, and nobody waits for them. Returns
    /// how many they are.
    pub fn miss(&mut self, account: usize) -> usize {
        let road = &mut self.roads[account];
        let missed = std::mem::take(&mut road.beyond).rows;
        let mut left = missed;
        for rank in &mut road.ranks {
            let gone = left.min(rank.resting);
            rank.resting -= gone;
            left -= gone;
        }
        road.resting_parked = road.resting_parked.min(road.resting());
        missed
    }
}
