//! Who goes together: takes from the head of a lane what one request may carry and every pace admits.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::delivery::Delivery;
use crate::lane::road::{Lane, Road, Seat, Ticket, Waiting};

/// What holds the rest of the lane back.
pub(super) enum Held {
    Lane(Instant),
    Account(Instant),
}

/// What was taken.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: Vec<Delivery>,
    pub(super) held: Option<Held>,
    /// Rows whose own address must wait; the others of their lane need not wait for them.
    pub(super) rested: Vec<(Ticket, Instant)>,
    /// Rows whose domain is held up for a time.
    pub(super) gated: Vec<(Ticket, Instant)>,
}

/// One delivery a request: domain and address are asked first, then the account.
/// `apart`: all of the lane goes to one place, and is held as one.
pub(super) fn single(road: &mut Road, lane: &mut Lane, apart: bool) -> Gathered {
    let mut gathered = Gathered::default();
    let Some(Waiting::Row(seat)) = lane.waiting.front_mut() else { return gathered };
    if !seat.admitted {
        if !road.gates.is_empty()
            && let Err(until) = road.gates.ask(seat.delivery.envelope.to.as_str(), Instant::now())
        {
            if apart {
                gathered.held = Some(Held::Lane(until));
            } else {
                gathered.gated.push((seat.ticket(lane.priority), until));
                lane.waiting.pop_front();
                lane.rows -= 1;
            }
            return gathered;
        }
        if let Err(wait) = road.pace.admit(seat.delivery.envelope.to.as_str()) {
            gathered.held = Some(Held::Lane(Instant::now() + wait));
            return gathered;
        }
        seat.admitted = true;
    }
    if let Err(wait) = road.pace.ready(1) {
        gathered.held = Some(Held::Account(Instant::now() + wait));
        return gathered;
    }
    if let Some(Waiting::Row(seat)) = lane.waiting.pop_front() {
        lane.rows -= 1;
        gathered.batch.push(seat.delivery);
    }
    gathered
}

/// As many as the request carries: by number, by bytes, each address once where the service wants that. A set that was sealed goes as
/// it is.
pub(super) fn shared(road: &mut Road, lane: &mut Lane) -> Gathered {
    let mut gathered = Gathered::default();
    if let Some(Waiting::Sealed { set, .. }) = lane.waiting.front() {
        match road.pace.ready(set.len()) {
            Err(wait) => gathered.held = Some(Held::Account(Instant::now() + wait)),
            Ok(_) => {
                if let Some(Waiting::Sealed { set, .. }) = lane.waiting.pop_front() {
                    gathered.batch = set;
                }
            }
        }
        return gathered;
    }
    let mut seats: Vec<Box<Seat>> = Vec::new();
    let (mut bytes, mut known) = (0usize, HashSet::new());
    while seats.len() < road.batch.min(road.most) {
        let Some(Waiting::Row(seat)) = lane.waiting.front_mut() else { break };
        let fits = match &seat.share {
            // It goes alone.
            None => seats.is_empty(),
            Some(share) => {
                let first = seats.is_empty();
                (first || road.most_bytes.is_none_or(|most| bytes.saturating_add(share.bytes) <= most))
                    && share.unique.is_none_or(|unique| first || !known.contains(&unique))
            }
        };
        if !fits {
            break;
        }
        if !seat.admitted {
            if !road.gates.is_empty()
                && let Err(until) = road.gates.ask(seat.delivery.envelope.to.as_str(), Instant::now())
            {
                gathered.gated.push((seat.ticket(lane.priority), until));
                road.bytes = road.bytes.saturating_sub(seat.share.map_or(0, |share| share.bytes));
                lane.waiting.pop_front();
                continue;
            }
            if let Err(wait) = road.pace.admit(seat.delivery.envelope.to.as_str()) {
                gathered.rested.push((seat.ticket(lane.priority), Instant::now() + wait));
                road.bytes = road.bytes.saturating_sub(seat.share.map_or(0, |share| share.bytes));
                lane.waiting.pop_front();
                continue;
            }
            seat.admitted = true;
        }
        let Some(Waiting::Row(seat)) = lane.waiting.pop_front() else { break };
        let alone = seat.share.is_none();
        if let Some(share) = seat.share {
            bytes = bytes.saturating_add(share.bytes);
            known.extend(share.unique);
        }
        seats.push(seat);
        if alone {
            break;
        }
    }
    let away = seats.len() + gathered.rested.len() + gathered.gated.len();
    lane.rows -= away;
    road.rank(lane.priority).rows -= away;
    let freed: usize = seats.iter().filter_map(|seat| seat.share).map(|share| share.bytes).sum();
    road.bytes = road.bytes.saturating_sub(freed);
    if seats.is_empty() {
        return gathered;
    }
    let taken = match road.pace.ready(seats.len()) {
        Ok(admitted) => admitted.min(seats.len()),
        Err(wait) => {
            gathered.held = Some(Held::Account(Instant::now() + wait));
            0
        }
    };
    // What the pace did not admit goes back where it stood, with the permits that it has.
    for seat in seats.drain(taken..).rev() {
        lane.rows += 1;
        road.rank(lane.priority).rows += 1;
        road.bytes += seat.share.map_or(0, |share| share.bytes);
        lane.waiting.push_front(Waiting::Row(seat));
    }
    gathered.batch = seats.into_iter().map(|seat| seat.delivery).collect();
    gathered
}
