//! When the flow rests because of its own clock: before `--at`, outside of `--window`; and rows that have a moment, a zone or an age.
//!
//! By the clock on the wall, looked at once a second at least, so that a machine that slept does not oversleep.

use crate::delivery::{Delivery, Outcome};
use crate::error::{ErrorKind, SendError};
use crate::journal::events::{self, Event};
use crate::journal::reader::Reader as JournalReader;
use crate::journal::table::Known;
use crate::journal::{Mark, Record};
use crate::lane::{Place, Ready, Ticket};
use crate::platform::LaneKey;
use crate::prepare::Prepared;
use crate::recipient::Skip;
use crate::run::{Flow, FlowError};
use crate::schedule::{Leave, Why};
use crate::tally::State;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// A clock that was set, or a machine that slept, is noticed within so long.
const LOOK: Duration = Duration::from_secs(1);

impl Flow<'_> {
    /// Until when nothing leaves, by the clock on the wall.
    pub(super) fn shut(&mut self) -> Option<Timestamp> {
        let now = Timestamp::now();
        let stands = |(asked, until): (Timestamp, Option<Timestamp>)| asked <= now && until.is_none_or(|until| now < until);
        if self.doors.asked.is_some_and(stands) {
            return self.doors.shut;
        }
        let timetable = &self.preparer.policy().timetable;
        let closed = timetable.closed(now);
        self.doors.asked = Some((now, timetable.stands_until(now)));
        self.doors.shut = closed.map(|(until, _)| until);
        if let Some((until, why)) = closed
            && self.doors.told != Some(until)
        {
            self.doors.told = Some(until);
            let why = match why {
                Why::At => "--at",
                Why::Window => "--window",
            };
            self.progress.resting(until, why);
            let event = Event::now("resting").because(why).with("until", until.to_string());
            if let Err(error) = events::append(&self.rules.folder, &event) {
                tracing::warn!(%error, "events.jsonl could not be written");
            }
        }
        self.doors.shut
    }

    /// When to look at the clock again.
    pub(super) fn next_look(&self, until: Timestamp) -> Instant {
        let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
        Instant::now() + left.min(LOOK)
    }

    /// When the first rows are too old, all that wait are looked at once: they must not leave their lanes one by one, as the pace allows.
    pub(super) async fn sweep(&mut self) -> Result<(), FlowError> {
        if self.doors.swept || !self.preparer.policy().timetable.has_expired(Timestamp::now()) {
            return Ok(());
        }
        self.doors.swept = true;
        for account in 0..self.preparer.accounts().len() {
            for ticket in self.lanes.take_waiting(account) {
                self.read_again(account, ticket, Place::Last)?;
                if self.unflushed >= 1024 {
                    self.flush().await?;
                }
            }
        }
        Ok(())
    }

    /// When rows grow too old, if they do and have not yet.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        let oldest = self.preparer.policy().timetable.oldest().filter(|_| !self.doors.swept)?;
        Some(self.next_look(oldest))
    }

    /// Whether the row may go into its lane. Where it may not yet, it rests as a ticket.
    pub(super) fn lets(&mut self, ready: &Ready) -> bool {
        if self.doors.swept && self.is_too_old(ready) {
            return false;
        }
        let Some(moment) = ready.not_before else { return true };
        let wait = Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default();
        if wait.is_zero() {
            return true;
        }
        let ticket = Ticket::of(&ready.delivery.envelope, ready.lane.priority());
        let until = Instant::now() + wait;
        if ticket.tried > 0 {
            // What the journal says of its last try, perhaps that it is in doubt, stays there.
            self.lanes.rest(ready.account, ticket, until, None);
            return false;
        }
        // The journal is told, so that it can rest there alone where there are many, and so that reports say until when.
        let error = SendError::new(ErrorKind::Unavailable, "waits for its own moment").with_retry_after(Some(wait));
        let account = self.preparer.accounts()[ready.account].name.clone();
        self.note(Record { position: ticket.position, account, attempts: 0, mark: Mark::Outcome(Outcome::Deferred(error)) });
        self.unflushed += 1;
        self.lanes.rest_told(ready.account, ticket, until, None);
        false
    }

    /// Whether a row that was rendered ahead has grown too old meanwhile; it is settled then.
    fn is_too_old(&mut self, ready: &Ready) -> bool {
        let envelope = &ready.delivery.envelope;
        let Ok(row) = self.row(envelope.position) else { return false };
        let Ok(recipient) = row.recipient else { return false };
        let old = self.preparer.policy().timetable.leave(&recipient.vars, Timestamp::now()) == Ok(Leave::Expired);
        if old {
            let tried = envelope.attempt.saturating_sub(1);
            self.settle_late(Prepared::Skipped(envelope.position, envelope.account.clone(), Skip::Expired), tried);
        }
        old
    }

    /// Of what was gathered, what may leave now: rows that have waited in their lanes may have grown too old, or their hour is over.
    pub(super) fn still_good(
        &mut self,
        account: usize,
        lane: &LaneKey,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Delivery>, FlowError> {
        let preparer = self.preparer.clone();
        let timetable = &preparer.policy().timetable;
        let now = Timestamp::now();
        // A set that goes again as it was may be known to the service, and is not broken up.
        let sealed = deliveries.len() > 1 && deliveries.iter().any(|delivery| delivery.envelope.attempt > 1);
        if sealed || !timetable.asks_rows(now) {
            return Ok(deliveries);
        }
        let all = deliveries.len();
        let mut kept = Vec::with_capacity(all);
        for delivery in deliveries {
            let (position, ticket) = (delivery.envelope.position, Ticket::of(&delivery.envelope, lane.priority()));
            let row = self.row(position)?;
            let Ok(recipient) = row.recipient else {
                kept.push(delivery);
                continue;
            };
            match timetable.leave(&recipient.vars, now) {
                Ok(Leave::Now) | Err(_) => kept.push(delivery),
                Ok(Leave::At(moment)) => {
                    let wait = Duration::try_from(moment.duration_since(now)).unwrap_or_default();
                    self.lanes.rest(account, ticket, Instant::now() + wait, None);
                }
                Ok(Leave::Expired) => {
                    self.settle_late(Prepared::Skipped(position, delivery.envelope.account.clone(), Skip::Expired), ticket.tried);
                }
            }
        }
        if kept.len() < all {
            self.lanes.withdrawn(account, lane, all - kept.len(), kept.is_empty());
        }
        Ok(kept)
    }

    /// Whether a row that rests was never tried, so that it is its own moment that it waits for and no service.
    pub(super) fn waits_by_itself(attempts: u32, kind: Option<ErrorKind>) -> bool {
        attempts == 0 && kind == Some(ErrorKind::Unavailable)
    }

    /// A row that came back is not sent any more. One of which nobody knows whether an earlier try arrived stays in doubt: to call it
    /// skipped would say that it was not sent.
    pub(super) fn settle_late(&mut self, prepared: Prepared, tried: u32) {
        let Prepared::Skipped(position, account, skip) = prepared else { return self.settle_unsent(prepared) };
        if tried == 0 {
            return self.settle_unsent(Prepared::Skipped(position, account, skip));
        }
        let known = JournalReader::open(&self.rules.folder).and_then(|mut reader| reader.outcome(position));
        // What cannot be read is taken for the worse of the two.
        let in_doubt = |known: Known| known.kind == Some(ErrorKind::InDoubt) || known.possible_duplicate;
        let doubtful = known.map_or(true, |known| known.is_some_and(in_doubt));
        let mark = if doubtful {
            let what = format!("not tried again ({skip}); nobody knows whether the try before was sent");
            let outcome = Outcome::Failed(SendError::new(ErrorKind::InDoubt, what));
            self.count(&account, &outcome, tried);
            self.progress.unsent(position, &account, &outcome);
            Mark::Outcome(outcome)
        } else {
            let why = skip.to_string();
            self.tally.settle(&account, State::Skipped, None, 1, u64::from(tried));
            self.progress.skipped(position, &account, &why);
            Mark::Skipped(why)
        };
        self.unflushed += 1;
        self.note(Record { position, account, attempts: tried, mark });
    }

    /// What is told of a success that went to somebody else.
    pub(super) fn redirected(&self, note: Option<String>) -> Option<String> {
        let Some(to) = &self.preparer.policy().redirect else { return note };
        let shown = if to.as_str().contains("://") { to.masked() } else { to.as_str().to_owned() };
        Some(match note {
            Some(note) => format!("redirected to {shown}; {note}"),
            None => format!("redirected to {shown}"),
        })
    }

    /// A row failed for good: if its service says that the address is gone, nobody writes there any more (`--suppress-gone`).
    pub(super) fn heed(&mut self, account: usize, delivery: &Delivery, error: &SendError) {
        if self.preparer.policy().redirect.is_none() {
            let secret = self.preparer.accounts()[account].platform.capability().addressing.secret;
            self.gone.hear(&delivery.envelope.to, secret, error);
        }
    }
}
