//! What one priority has on an account's road: the lanes that wait for their turn, and how many rows wait, fly and rest.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::lane::seat::{Lane, Ticket};
use crate::platform::LaneKey;

#[derive(Debug, Default)]
pub(super) struct Rank {
    /// Lanes whose turn comes, each once.
    pub(super) open: VecDeque<LaneKey>,
    /// Lanes that have enough for a whole request.
    pub(super) full: VecDeque<LaneKey>,
    /// Rows beyond those that may wait whole where requests are shared: they are read again when there is room.
    pub(super) later: VecDeque<Ticket>,
    /// Whole rows that wait, where requests are shared.
    pub(super) rows: usize,
    /// When the first row began to wait for company.
    pub(super) alone_since: Option<Instant>,
    /// Everything that waits, in whatever form.
    pub(super) waiting: usize,
    /// Deliveries in flight.
    pub(super) in_flight: usize,
    /// Rows that rest.
    pub(super) resting: usize,
}

impl Rank {
    /// Lists the lane among those whose turn comes, once.
    pub(super) fn open(&mut self, lane: &mut Lane, key: &LaneKey) {
        if !lane.open && lane.held_until.is_none() {
            lane.open = true;
            self.open.push_back(key.clone());
        }
    }

    /// Whether any lane, or a row on its way into one, is listed.
    pub(super) fn is_listed(&self) -> bool {
        !self.open.is_empty() || !self.full.is_empty() || !self.later.is_empty()
    }

    /// Nothing of it waits any more.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.full.clear();
        self.later.clear();
        (self.rows, self.waiting) = (0, 0);
    }
}
