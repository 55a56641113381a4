//! Who waits in a lane, in what form: a whole row, a set that goes as it is, or a ticket that names a row of the spool.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::delivery::{Delivery, Envelope};
use crate::permits::Claim;
use crate::platform::{LaneKey, Share};
use crate::priority::Priority;
use crate::recipient::Position;

/// A row by its place in the spool, and how often it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Which row.
    pub position: Position,
    /// Attempts that counted.
    pub tried: u32,
    /// What it is worth.
    pub priority: Priority,
}

impl Ticket {
    /// The row of this delivery, as it was before this try.
    pub fn of(envelope: &Envelope, priority: Priority) -> Self {
        Ticket { position: envelope.position, tried: envelope.attempt.saturating_sub(1), priority }
    }
}

#[derive(Debug)]
pub(super) enum Waiting {
    Row(Box<Seat>),
    /// A request that goes with exactly these. `bound`: the service may know its key, so that no other account may take it.
    Sealed {
        set: Vec<Delivery>,
        bound: bool,
    },
    Ticket(Ticket),
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) delivery: Delivery,
    pub(super) share: Option<Share>,
    /// It has its permits of domain and address already.
    pub(super) admitted: bool,
    /// Whether its address may have it, as all runs together know.
    pub(super) claim: Claim,
}

impl Seat {
    pub(super) fn ticket(&self, priority: Priority) -> Ticket {
        Ticket::of(&self.delivery.envelope, priority)
    }
}

impl Waiting {
    pub(super) fn count(&self) -> usize {
        if let Waiting::Sealed { set, .. } = self { set.len() } else { 1 }
    }
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) rows: usize,
    /// Listed in its account's `open`.
    pub(super) open: bool,
    /// Held by our own pace.
    pub(super) held_until: Option<Instant>,
    /// That wait is longer than `--max-wait`.
    pub(super) parked: bool,
    pub(super) in_flight: usize,
    /// Of all its rows.
    pub(super) priority: Priority,
}

impl Lane {
    pub(super) fn of(key: &LaneKey) -> Self {
        Lane { priority: key.priority(), ..Lane::default() }
    }
}
