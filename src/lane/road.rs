//! The plain things of which lanes are made: who waits, in what form, and what one account's road carries.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use crate::error::SendError;
use crate::lane::beyond::Beyond;
use crate::lane::hold::Hold;
use crate::lane::rank::Rank;
use crate::lane::shares::Shares;
use crate::permits::{Demand, Permits};
use crate::priority::Priority;
use crate::recovery::gate::Gates;
use crate::recovery::spacing::Spacing;
use crate::tune::Tuner;

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

    /// Deliveries of one request, as things are: what the platform takes, what was set for the run, what the tuner found.
    pub(super) fn size(&self) -> usize {
        self.batch.min(self.most).min(self.tuner.batch()).max(1)
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
