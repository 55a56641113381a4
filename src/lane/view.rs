//! How an account's road looks at a moment, for those who watch: what waits, flies and rests, how wide it is, what holds it.

use tokio::time::Instant;

use crate::error::SendError;
use crate::lane::Lanes;
use crate::limit::Quota;
use crate::priority::Priority;

/// One account at one moment.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// Rows that were read and wait for their turn.
    pub waiting: usize,
    /// Deliveries in flight.
    pub sending: usize,
    /// Rows that rest before another try.
    pub resting: usize,
    /// Requests in flight.
    pub calls: usize,
    /// Requests in flight, at most.
    pub width: usize,
    /// Deliveries of one request, at most.
    pub batch: usize,
    /// Nothing of the account leaves before then, because the service said so.
    pub held: Option<Instant>,
    /// The first three by priority, from low to critical.
    pub ranks: [(usize, usize, usize); 4],
    /// The run's own rate for it.
    pub rate: Option<Quota>,
    /// Why it stopped for good.
    pub halted: Option<&'a SendError>,
}

impl Lanes {
    /// How that account's road looks now.
    pub fn view(&self, account: usize) -> View<'_> {
        let road = &self.roads[account];
        View {
            waiting: road.waiting(),
            sending: road.in_flight(),
            resting: road.resting(),
            calls: road.calls,
            width: road.width,
            batch: road.batch.min(road.most),
            held: road.hold.until,
            ranks: Priority::ALL.map(|priority| {
                let rank = &road.ranks[priority as usize];
                (rank.waiting, rank.in_flight, rank.resting)
            }),
            rate: road.pace.own(),
            halted: road.halted.as_ref(),
        }
    }
}
