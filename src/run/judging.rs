//! What follows from an answer: for the request as a whole, then for each delivery.

use crate::account::Account;
use crate::backoff::Next;
use crate::batch::{Batch, Refused, Verdict, Verdicts};
use crate::delivery::{Delivery, Outcome, Receipt};
use crate::error::{ErrorKind, SendError};
use crate::exit::Exit;
use crate::journal::{Mark, Record};
use crate::lane::{Place, Ready, Ticket};
use crate::platform::LaneKey;
use crate::prepare::{Before, Prepared};
use crate::rules::{Doubt, OnError};
use crate::run::{Flow, PATIENCE, Packed};
use std::time::Duration;
use tokio::time::Instant;

impl Flow<'_> {
    /// What follows from the answer to one request.
    pub(super) fn judge(&mut self, account: usize, packed: Packed, verdicts: Verdicts) {
        self.tuned(account, &packed, &verdicts);
        self.together = Some(Vec::with_capacity(packed.batch.deliveries().len()));
        self.follow(account, packed, verdicts);
        match self.together.take() {
            Some(records) if records.len() > 1 => self.journal.record_together(records),
            records => records.into_iter().flatten().for_each(|record| self.journal.record(record)),
        }
    }

    pub(super) fn follow(&mut self, account: usize, packed: Packed, verdicts: Verdicts) {
        self.give_back(account, &packed);
        let mut since = None;
        for delivery in packed.batch.deliveries() {
            since = self.flying.remove(&delivery.envelope.position).map(|flying| flying.since);
        }
        if verdicts.were_recalled() {
            return self.called_back(account, packed);
        }
        if let Some(since) = since {
            self.live.meter.answered(account, since.elapsed());
        }
        let Packed { lane, batch, .. } = packed;
        if let Some(pause) = verdicts.pause() {
            self.lanes.hold(account, &lane, Some(pause.reach), pause.wait, false);
            self.shared.tell(self.lanes.hold_key(account, &lane, Some(pause.reach)), pause.wait);
            if pause.wait > PATIENCE && self.lanes.is_blocked(account) {
                self.pass_on(account);
            }
        }
        if let Some(refused) = verdicts.blame().cloned() {
            return self.split(account, &lane, batch, verdicts, &refused);
        }
        let verdicts = verdicts.into_inner();
        // The service may know the key of exactly this set: it is not broken up while that is open.
        if batch.deliveries().len() > 1
            && let Some(error) = failed_alike(&verdicts)
        {
            return self.together(account, &lane, batch, error);
        }
        let several = batch.deliveries().len() > 1;
        for (delivery, verdict) in batch.into_deliveries().into_iter().zip(verdicts) {
            match verdict {
                // Some of the request was answered for, so it cannot go again as it was; and alone its key would be another.
                Err(error) if several && error.kind == ErrorKind::InDoubt && self.rules.in_doubt != Doubt::Resend => {
                    self.conclude(&delivery, Outcome::Failed(error));
                }
                verdict => self.settle(account, &lane, delivery, verdict),
            }
        }
    }

    /// The service refused a request for the sake of some of it, and took nothing: who is named fails, the others go again; where
    /// nobody is named, the halves do. A refusal costs no attempt.
    pub(super) fn split(&mut self, account: usize, lane: &LaneKey, batch: Batch, verdicts: Verdicts, refused: &Refused) {
        let verdicts = verdicts.into_inner();
        let all = verdicts.len();
        let named = |at: usize| matches!(refused, Refused::For(culprits) if culprits.contains(&at));
        let mut others = Vec::new();
        for (at, (delivery, verdict)) in batch.into_deliveries().into_iter().zip(verdicts).enumerate() {
            if named(at) {
                self.settle(account, lane, delivery, verdict);
            } else {
                self.put_back(account, &delivery);
                others.push(delivery);
            }
        }
        // A name that is nobody's is no name: the same request again would never end.
        if others.len() == all {
            let second = others.split_off(others.len() / 2);
            self.put_together(account, lane, second);
        }
        self.put_together(account, lane, others);
    }

    /// A request that nobody answered, or that was put off as a whole: it rests and goes again with exactly the same deliveries.
    pub(super) fn together(&mut self, account: usize, lane: &LaneKey, batch: Batch, error: SendError) {
        let Some((batch, error)) = self.shield_batch(account, lane, batch, error) else { return };
        let owner = self.preparer.accounts()[account].name.clone();
        // Rows of several histories may share a request: it goes on as long as any of them may.
        let attempt = batch.deliveries().iter().map(|delivery| delivery.envelope.attempt).min().unwrap_or(1);
        match self.next(account, lane, attempt, &error) {
            Next::Retry(wait) => {
                let named = error.retry_after;
                let error = SendError { retry_after: Some(wait), ..error };
                let mut set = Vec::with_capacity(batch.deliveries().len());
                for delivery in batch.deliveries() {
                    let attempt = delivery.envelope.attempt;
                    self.progress.deferred(delivery, &error, wait);
                    self.record(delivery, attempt, Mark::Outcome(Outcome::Deferred(error.clone())));
                    set.push(Ticket { position: delivery.envelope.position, tried: attempt, priority: lane.priority() });
                }
                self.lanes.rest_together(account, set, Instant::now() + wait, named);
            }
            Next::Hold(wait) => {
                self.progress.held(&owner, &error, wait);
                for delivery in batch.deliveries() {
                    self.hold_back(delivery, &error, wait);
                }
                self.hold(account, lane, &error, wait);
                self.put_together(account, lane, batch.into_deliveries());
                if self.lanes.is_blocked(account) && wait > PATIENCE {
                    self.pass_on(account);
                }
            }
            Next::Reject | Next::Halt => {
                // One request is one strike against the account, however many rows it carried.
                let to = batch.first().envelope.to.clone();
                let halts = self.lanes.strike(account, to.as_str(), &error);
                for delivery in batch.into_deliveries() {
                    let next = if halts { Next::Halt } else { self.next(account, lane, delivery.envelope.attempt, &error) };
                    self.follow_up(account, lane, delivery, error.clone(), next);
                }
            }
        }
    }

    /// The lane, or what else the error reaches, rests; other processes hear of a wait that the service itself named.
    pub(super) fn hold(&mut self, account: usize, lane: &LaneKey, error: &SendError, wait: Duration) {
        self.live.held(account, error.to_string());
        self.lanes.hold(account, lane, error.reach, wait, true);
        if let Some(named) = error.retry_after {
            self.shared.tell(self.lanes.hold_key(account, lane, error.reach), named);
        }
    }

    /// What is done about a failure of this account.
    pub(super) fn next(&mut self, account: usize, lane: &LaneKey, attempt: u32, error: &SendError) -> Next {
        let capability = self.preparer.accounts()[account].platform.capability();
        let idempotent = capability.idempotent || self.rules.in_doubt == Doubt::Resend;
        let (holds, proven) = (self.lanes.holds(account, lane, error.reach), self.lanes.proven(account));
        self.rules.backoff.next(attempt, error, idempotent, holds, proven, &mut self.chance)
    }

    /// What follows from the answer for one delivery.
    pub(super) fn settle(&mut self, account: usize, lane: &LaneKey, delivery: Delivery, verdict: Verdict) {
        let error = match verdict {
            Ok(receipt) => {
                self.lanes.proved(account, lane);
                self.sent[lane.priority() as usize] += 1;
                self.saw_sent(account, lane, delivery.envelope.to.as_str());
                let note = self.redirected(receipt.note);
                self.conclude(&delivery, Outcome::Sent(Receipt { note, ..receipt }));
                return;
            }
            Err(error) => error,
        };
        let Some((delivery, error)) = self.shield(account, lane, delivery, error) else { return };
        let next = self.next(account, lane, delivery.envelope.attempt, &error);
        let next = if self.lanes.strike(account, delivery.envelope.to.as_str(), &error) { Next::Halt } else { next };
        self.follow_up(account, lane, delivery, error, next);
    }

    /// Carries out what was decided about a failure of one delivery.
    fn follow_up(&mut self, account: usize, lane: &LaneKey, delivery: Delivery, error: SendError, next: Next) {
        let (attempt, position) = (delivery.envelope.attempt, delivery.envelope.position);
        let owner: &Account = &self.preparer.accounts()[account];
        match next {
            Next::Retry(wait) => {
                self.progress.deferred(&delivery, &error, wait);
                let named = error.retry_after;
                // The delay that was chosen goes along, so that a resumed run knows when the row is due.
                let error = SendError { retry_after: Some(wait), ..error };
                let doubtful = error.kind == ErrorKind::InDoubt;
                self.record(&delivery, attempt, Mark::Outcome(Outcome::Deferred(error)));
                let (ticket, until) = (Ticket { position, tried: attempt, priority: lane.priority() }, Instant::now() + wait);
                if doubtful && (self.preparer.is_pooled(account) || self.preparer.accounts()[account].batch > 1) {
                    // Only the account that may have sent it knows its key, and in other company it would have another.
                    self.lanes.rest_together(account, vec![ticket], until, named);
                } else {
                    self.lanes.rest_told(account, ticket, until, named);
                }
            }
            Next::Hold(wait) => {
                self.progress.held(&owner.name, &error, wait);
                self.hold_back(&delivery, &error, wait);
                self.hold(account, lane, &error, wait);
                if self.gives_up(account) {
                    return self.hand_round(account, [Ticket::of(&delivery.envelope, lane.priority())]);
                }
                let owner: &Account = &self.preparer.accounts()[account];
                let share = if owner.batch > 1 { owner.platform.share(&delivery) } else { None };
                let ready = Ready { account, lane: lane.clone(), share, pool: None, not_before: None, delivery };
                self.lanes.put_at(ready, Place::First);
                if self.lanes.is_blocked(account) && wait > PATIENCE {
                    self.pass_on(account);
                }
            }
            Next::Halt => {
                let name = owner.name.clone();
                self.put_back(account, &delivery);
                self.tally.notice(&name, &error, 1);
                let pooled = self.preparer.is_pooled(account);
                let waiting = if pooled { self.lanes.take_waiting(account) } else { Vec::new() };
                if self.lanes.halt(account, error.clone(), pooled) {
                    self.progress.halted(&name, &error);
                    let rows =
                        if pooled && !self.lanes.all_halted() { "its pool goes on without it" } else { "its rows stay pending" };
                    self.reasons.push(format!("account {name} was halted: {error}; {rows}"));
                }
                // The others of its pool go on with what it has left.
                if pooled {
                    let own = Ticket { position, tried: attempt - 1, priority: lane.priority() };
                    self.hand_round(account, std::iter::once(own).chain(waiting));
                }
            }
            Next::Reject => {
                self.heed(account, &delivery, &error);
                if error.kind != ErrorKind::InDoubt && self.fall_back(account, &delivery, &error) {
                    return;
                }
                self.conclude(&delivery, Outcome::Failed(error));
                if self.rules.on_error == OnError::Abort {
                    self.close(Exit::Stopped, Some("stopped at the first failure (--on-error abort)".into()));
                }
            }
        }
    }

    /// The row failed for good with this account and goes on to the next of its route, if there is one. Not where it is in doubt: it may
    /// have arrived.
    pub(super) fn fall_back(&mut self, account: usize, delivery: &Delivery, error: &SendError) -> bool {
        if !self.preparer.falls_back() {
            return false;
        }
        let position = delivery.envelope.position;
        let Ok(row) = self.row(position) else { return false };
        let Some(next) = self.preparer.after(account, &row) else { return false };
        let now = Some(Duration::ZERO);
        self.progress.deferred(delivery, error, Duration::ZERO);
        // The journal names the account that comes next, so that a resumed run goes on there.
        self.note(Record {
            position,
            account: self.preparer.accounts()[next].name.clone(),
            attempts: 0,
            mark: Mark::Outcome(Outcome::Deferred(SendError { retry_after: now, ..error.clone() })),
        });
        match self.preparer.prepare(row, 0, Some(Before::Moves(next))) {
            Prepared::Ready(ready) => self.put(*ready),
            other => self.settle_unsent(other),
        }
        true
    }
}

/// The error of a request that failed as a whole: the same for each delivery.
fn failed_alike(verdicts: &[Verdict]) -> Option<SendError> {
    let Some(Err(first)) = verdicts.first() else { return None };
    verdicts.iter().all(|verdict| matches!(verdict, Err(error) if error == first)).then(|| first.clone())
}
