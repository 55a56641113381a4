//! How an account's road looks at a moment, for those who watch: what waits, flies and rests, how wide it is, what holds it.

use tokio::time::Instant;

use crate::error::SendError;
use crate::lane::{Lanes, Wake};
use crate::limit::Quota;

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
    /// Nothing leaves before then, because its own pace has no permit; moments of that are the rule.
    pub paced: Option<Instant>,
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
            paced: road.held_until,
            rate: road.pace.own(),
            halted: road.halted.as_ref(),
        }
    }

    /// The account and the time of the row that comes back next, where that is what comes next by itself.
    pub fn next_retry(&self) -> Option<(usize, Instant)> {
        self.timers.peek().and_then(|next| match &next.0 {
            (at, Wake::Row(account, ..) | Wake::Set(account, ..)) => Some((*account, *at)),
            _ => None,
        })
    }
}
