//! What is counted and what the journal is told.

use crate::delivery::{Delivery, Outcome};
use crate::error::{ErrorKind, SendError};
use crate::exit::Exit;
use crate::journal::{Mark, Record};
use crate::prepare::{Bad, Prepared};
use crate::rules::OnError;
use crate::run::{Flow, FlowError};
use crate::tally::State;
use std::sync::Arc;
use std::time::Duration;

impl Flow<'_> {
    pub(super) fn conclude(&mut self, delivery: &Delivery, outcome: Outcome) {
        self.count(&delivery.envelope.account, &outcome, delivery.envelope.attempt);
        self.progress.settled(&delivery.envelope, &outcome);
        self.reckon(&outcome);
        self.record(delivery, delivery.envelope.attempt, Mark::Outcome(outcome));
    }

    pub(super) fn count(&mut self, account: &Arc<str>, outcome: &Outcome, attempts: u32) {
        let (state, kind) = match outcome {
            Outcome::Sent(_) => (State::Sent, None),
            Outcome::Deferred(_) => (State::Pending, None),
            Outcome::Failed(error) if error.kind == ErrorKind::InDoubt => (State::InDoubt, Some(error.kind)),
            Outcome::Failed(error) => (State::Failed, Some(error.kind)),
        };
        self.tally.settle(account, state, kind, 1, u64::from(attempts));
        if let Outcome::Failed(error) = outcome {
            self.tally.notice(account, error, 1);
        }
    }

    pub(super) fn record(&mut self, delivery: &Delivery, attempts: u32, mark: Mark) {
        let envelope = &delivery.envelope;
        self.note(Record { position: envelope.position, account: envelope.account.clone(), attempts, mark });
    }

    pub(super) fn note(&mut self, record: Record) {
        match &mut self.together {
            Some(together) => together.push(record),
            None => self.journal.record(record),
        }
    }

    /// As if it had not been tried this time, and not before this wait; should the run end meanwhile, the reports say why.
    pub(super) fn hold_back(&mut self, delivery: &Delivery, error: &SendError, wait: Duration) {
        let error = SendError { retry_after: Some(wait), ..error.clone() };
        self.record(delivery, delivery.envelope.attempt - 1, Mark::Outcome(Outcome::Deferred(error)));
    }

    /// As if it had not been tried this time. With a later account of its route, it stays there.
    pub(super) fn put_back(&mut self, account: usize, delivery: &Delivery) {
        let attempts = delivery.envelope.attempt - 1;
        let mark = if attempts == 0 && self.preparer.is_later(account) {
            let error = SendError::new(ErrorKind::Unavailable, "an account before this one could not send it");
            Mark::Outcome(Outcome::Deferred(error.with_retry_after(Some(Duration::ZERO))))
        } else {
            Mark::Pending
        };
        self.record(delivery, attempts, mark);
    }

    /// A row that is settled without having been sent: bad, or skipped by policy.
    pub(super) fn settle_unsent(&mut self, prepared: Prepared) {
        let record = match prepared {
            Prepared::Ready(ready) => return self.put(*ready),
            Prepared::Bad(Bad { position, account, error, .. }) => {
                let outcome = Outcome::Failed(error);
                self.count(&account, &outcome, 0);
                self.progress.unsent(position, &account, &outcome);
                if self.rules.on_error == OnError::Abort {
                    self.close(Exit::Stopped, Some("stopped at the first failure (--on-error abort)".into()));
                }
                Record { position, account, attempts: 0, mark: Mark::Outcome(outcome) }
            }
            Prepared::Skipped(position, account, skip) => {
                self.tally.settle(&account, State::Skipped, None, 1, 0);
                let why = skip.to_string();
                self.progress.skipped(position, &account, &why);
                Record { position, account, attempts: 0, mark: Mark::Skipped(why) }
            }
        };
        self.unflushed += 1;
        self.note(record);
    }

    pub(super) async fn flush(&mut self) -> Result<(), FlowError> {
        self.unflushed = 0;
        Ok(self.journal.flush().await?)
    }
}
