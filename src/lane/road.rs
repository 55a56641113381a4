//! The plain things of which lanes are made: who waits, in what form, and what one account's road carries.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::delivery::{Delivery, Envelope};
use crate::error::SendError;
use crate::lane::beyond::Beyond;
use crate::lane::hold::Hold;
use crate::lane::rank::Rank;
use crate::lane::shares::Shares;
use crate::permits::{Claim, Demand, Permits};
use crate::platform::{LaneKey, Share};
use crate::priority::Priority;
use crate::recipient::Position;
use crate::recovery::gate::Gates;
use crate::recovery::spacing::Spacing;
use crate::tune::Tuner;

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

/// One account's share of the road.
#[derive(Debug)]
pub(super) struct Road {
    /// Requests in flight, at most.
    pub(super) width: usize,
    /// Who finds how many that are.
    pub(super) tuner: Tuner,
    pub(super) calls: usize,
    /// Fewer than the width for now: one while its breaker is half-open, a half while it is throttled.
    pub(super) narrowed: usize,
    /// A pace beside its own, for a time.
    pub(super) spacing: Option<Spacing>,
    /// Domains and hosts that are held up by themselves.
    pub(super) gates: Gates,
    /// Deliveries of one request, at most.
    pub(super) batch: usize,
    /// And no more than that, where it was set while the run lasted.
    pub(super) most: usize,
    pub(super) most_bytes: Option<usize>,
    /// What waits, flies and rests, by priority.
    pub(super) ranks: [Rank; 4],
    pub(super) shares: Shares,
    /// Bytes of whole rows that wait, where requests are shared.
    pub(super) bytes: usize,
    /// `smtp`, `slack` …: what the whole platform holds up.
    pub(super) kind: Arc<str>,
    /// The endpoint, as all processes of this machine call it.
    pub(super) identity: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) hold: Hold,
    /// Of those, the ones that are not handed to the platform yet.
    pub(super) gathered: usize,
    /// Under a limit, so many deliveries may be on their way to the wire at once: more would leave together when it opens.
    pub(super) most_ahead: Option<usize>,
    pub(super) pace: Permits,
    pub(super) held_until: Option<Instant>,
    /// Its pace makes it wait for longer than `--max-wait`.
    pub(super) parked: bool,
    /// Rows of it that rest for longer than `--max-wait`.
    pub(super) resting_parked: usize,
    /// Those of its rows that rest in the journal only.
    pub(super) beyond: Beyond,
    pub(super) halted: Option<SendError>,
    /// It was halted, and others of its pool take the rows that rest.
    pub(super) passes_on: bool,
    pub(super) proven: bool,
    pub(super) config_strikes: usize,
    pub(super) policy_strikes: usize,
    pub(super) policy_domains: HashSet<String>,
}

impl Road {
    pub(super) fn rank(&mut self, priority: Priority) -> &mut Rank {
        &mut self.ranks[priority as usize]
    }

    /// Everything that waits for it, in whatever form.
    pub(super) fn waiting(&self) -> usize {
        self.ranks.iter().map(|rank| rank.waiting).sum()
    }

    /// What could go, as its permits want to know it.
    pub(super) fn demand(&self) -> Demand {
        Demand { waiting: self.waiting(), more: self.calls + 1 < self.width }
    }

    /// Deliveries in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.ranks.iter().map(|rank| rank.in_flight).sum()
    }

    /// Rows of it that rest, wherever.
    pub(super) fn resting(&self) -> usize {
        self.ranks.iter().map(|rank| rank.resting).sum()
    }
}
