//! Who goes together: takes from the head of a lane what one request may carry and every pace admits.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::Delivery;
use crate::lane::road::Road;
use crate::lane::seat::{Lane, Seat, Ticket, Waiting};
use crate::permits::{Claim, Permit, Permits};

/// What holds the rest of the lane back.
pub(super) enum Held {
    Lane(Instant),
    Account(Instant),
}

/// What was taken.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: Vec<Delivery>,
    pub(super) permit: Permit,
    pub(super) held: Option<Held>,
    /// Rows whose own address must wait; the others of their lane need not wait for them.
    pub(super) rested: Vec<(Ticket, Instant)>,
    /// A request that must go as it is and has an address that must wait.
    pub(super) rested_set: Option<(Vec<Ticket>, Instant)>,
    /// Rows whose domain is held up for a time.
    pub(super) gated: Vec<(Ticket, Instant)>,
}

/// The permits of its address and domain: what all runs know first, then what this one does.
fn admitted(pace: &mut Permits, seat: &mut Seat) -> Result<(), Instant> {
    if let Claim::Not(until) = seat.claim
        && until > Instant::now()
    {
        return Err(until);
    }
    if !seat.admitted {
        pace.admit(seat.delivery.envelope.to.as_str()).map_err(|wait| Instant::now() + wait)?;
        seat.admitted = true;
    }
    Ok(())
}

/// The same for all of a request that goes as it is: none of them has a permit where one must wait.
fn admitted_all(pace: &mut Permits, set: &[Delivery]) -> Result<(), Instant> {
    let now = Instant::now();
    if pace.claims() > 0 {
        let asked: Vec<(&str, &str)> = set.iter().map(|it| (it.envelope.to.as_str(), it.envelope.id.as_str())).collect();
        let not = |claim| if let Claim::Not(until) = claim { Some(until) } else { None };
        if let Some(until) = pace.claim(&asked).into_iter().filter_map(not).max() {
            return Err(until);
        }
    }
    pace.admit_all(set.iter().map(|it| it.envelope.to.as_str())).map_err(|wait| now + wait.max(Duration::from_millis(1)))
}

/// One delivery a request: domain and address are asked first, then the account.
/// `apart`: all of the lane goes to one place, and is held as one.
pub(super) fn single(road: &mut Road, lane: &mut Lane, apart: bool) -> Gathered {
    let mut gathered = Gathered::default();
    let Some(Waiting::Row(seat)) = lane.waiting.front_mut() else { return gathered };
    if !seat.admitted
        && !road.gates.is_empty()
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
    if let Err(until) = admitted(&mut road.pace, seat) {
        gathered.held = Some(Held::Lane(until));
        return gathered;
    }
    match road.pace.ready(1, 1, road.demand()) {
        Err(wait) => {
            gathered.held = Some(Held::Account(Instant::now() + wait));
            return gathered;
        }
        Ok((_, permit)) => gathered.permit = permit,
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
        if let Err(until) = admitted_all(&mut road.pace, set) {
            gathered.rested_set =
                Some((set.iter().map(|delivery| Ticket::of(&delivery.envelope, lane.priority)).collect(), until));
            lane.waiting.pop_front();
            return gathered;
        }
        match road.pace.ready(set.len(), set.len(), road.demand()) {
            Err(wait) => gathered.held = Some(Held::Account(Instant::now() + wait)),
            Ok((_, permit)) => {
                gathered.permit = permit;
                if let Some(Waiting::Sealed { set, .. }) = lane.waiting.pop_front() {
                    gathered.batch = set;
                }
            }
        }
        return gathered;
    }
    let mut seats: Vec<Box<Seat>> = Vec::new();
    let (mut bytes, mut known) = (0usize, HashSet::new());
    while seats.len() < road.size() {
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
        if !seat.admitted
            && !road.gates.is_empty()
            && let Err(until) = road.gates.ask(seat.delivery.envelope.to.as_str(), Instant::now())
        {
            gathered.gated.push((seat.ticket(lane.priority), until));
            road.bytes = road.bytes.saturating_sub(seat.share.map_or(0, |share| share.bytes));
            lane.waiting.pop_front();
            continue;
        }
        // Nobody has asked about it yet: the next turn does.
        if road.pace.claims() > 0 && seat.claim.is_stale(Instant::now()) {
            break;
        }
        if let Err(until) = admitted(&mut road.pace, seat) {
            gathered.rested.push((seat.ticket(lane.priority), until));
            road.bytes = road.bytes.saturating_sub(seat.share.map_or(0, |share| share.bytes));
            lane.waiting.pop_front();
            continue;
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
    let taken = match road.pace.ready(seats.len(), 1, road.demand()) {
        Ok((admitted, permit)) => {
            gathered.permit = permit;
            admitted.min(seats.len())
        }
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
