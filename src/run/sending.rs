//! From a lane to the wire: gathers groups, makes their intent durable, and only then hands them to the platform.

use crate::batch::{Batch, Verdicts};
use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::exit::Exit;
use crate::feed::Reader;
use crate::journal::Attempt;
use crate::lane::{Coming, Turn};
use crate::priority::Priorities;
use crate::run::{Flow, FlowError, Flying, Packed, Step};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::time::Instant;

impl Flow<'_> {
    /// Fills every road: gathers what may go, and reads on where an account is hungry.
    pub(super) fn pump(&mut self, rows: &mut Reader) -> Result<(), FlowError> {
        while self.closing.is_none() {
            self.hungry = Priorities::default();
            self.hand_on_held();
            let open = rows.open();
            for account in 0..self.preparer.accounts().len() {
                let goes = self.lanes.has_room() && !self.recovering.is_shut();
                let of = if goes { open } else { Priorities::default() };
                let hungry = self.gather(account, Coming { of, asked: !rows.counts })?;
                self.hungry.extend(hungry);
            }
            if self.recovering.is_shut() {
                self.hungry = Priorities::default();
                return Ok(());
            }
            // Hungry accounts and rows at hand: hand them on and look again. Otherwise wait for an answer, a timer or the reader.
            if (self.hungry.is_empty() && !rows.counts) || !self.lanes.has_room() || self.unflushed >= 1024 {
                return Ok(());
            }
            let wanted = if rows.counts { Priorities::ALL } else { self.hungry };
            let Some(chunk) = rows.next_chunk(wanted) else {
                // Of some there are no more: who waited for them need not wait any longer.
                if rows.open() != open {
                    continue;
                }
                return Ok(());
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err((exit, problem)) => {
                    // What was read stays good and what is in flight lands; only nothing new comes.
                    self.close(exit, Some(problem));
                    return Ok(());
                }
            };
            if rows.counts {
                self.tally.total += chunk.len() as u64;
                self.progress.total(self.tally.total);
            }
            for prepared in chunk {
                self.hand_on(prepared);
            }
        }
        Ok(())
    }

    /// Gathers groups of this account until its road is full; says of which of those that are `coming` it wants more rows.
    pub(super) fn gather(&mut self, account: usize, coming: Coming) -> Result<Priorities, FlowError> {
        loop {
            let mut group: Vec<Packed> = Vec::new();
            let mut rows = 0;
            let hungry = loop {
                if rows >= self.rules.batch_size {
                    break None;
                }
                let backlog = self.preparer.accounts()[account].platform.backlog();
                match self.lanes.turn(account, backlog, coming) {
                    Turn::Batch(lane, deliveries, permit) => {
                        let deliveries = self.still_good(account, &lane, deliveries)?;
                        rows += deliveries.len();
                        group.extend(Batch::new(deliveries).map(|batch| Packed {
                            lane,
                            batch,
                            flight: self.lanes.took(account),
                            permit,
                        }));
                    }
                    Turn::Read(ticket, place) => self.read_again(account, ticket, place)?,
                    Turn::Hungry(of) => break Some(of),
                    Turn::Full => break Some(Priorities::default()),
                }
            };
            if !group.is_empty() {
                self.remember(account, group);
            }
            if let Some(hungry) = hungry {
                return Ok(hungry);
            }
        }
    }

    /// The intent of a group: one transaction, durable before any of it leaves.
    pub(super) fn remember(&mut self, account: usize, group: Vec<Packed>) {
        let name = &self.preparer.accounts()[account].name;
        let attempts: Vec<Attempt> = group
            .iter()
            .map(|Packed { batch, .. }| Attempt {
                account: name.clone(),
                positions: batch.deliveries().iter().map(|d| (d.envelope.position, d.envelope.attempt)).collect(),
            })
            .collect();
        let journal = self.journal.clone();
        self.remembering += 1;
        self.tasks.spawn(async move { Step::Remembered { account, group, result: journal.attempt(attempts).await } });
    }

    pub(super) fn step(&mut self, step: Option<Step>) {
        if let Some(Step::Remembered { account, group, .. }) = &step {
            self.remembering -= 1;
            self.lanes.handed(*account, group.iter().map(|packed| packed.batch.deliveries().len()).sum());
        }
        match step {
            None => {} // the task was aborted: its rows stay in doubt in the journal
            Some(Step::Remembered { account, group, result: Ok(()) }) => {
                for packed in group {
                    self.send(account, packed);
                }
            }
            Some(Step::Remembered { account, group, result: Err(error) }) => {
                // Not remembered, so not sent: the rows stay pending.
                for packed in group {
                    self.give_back(account, &packed);
                }
                self.close(Exit::Disk, Some(error.to_string()));
            }
            Some(Step::Missed { account, packed }) => {
                for delivery in packed.batch.deliveries() {
                    self.flying.remove(&delivery.envelope.position);
                }
                self.send(account, packed);
            }
            Some(Step::Answered { account, packed, verdicts }) => self.judge(account, packed, verdicts),
        }
        self.progress.tally(&self.tally);
    }

    pub(super) fn send(&mut self, account: usize, packed: Packed) {
        if self.closing.is_some() {
            // Remembered, but it need not leave any more: as if it had not been tried.
            for delivery in packed.batch.deliveries() {
                self.put_back(account, delivery);
            }
            self.give_back(account, &packed);
            return;
        }
        if self.paused.is_some() {
            self.give_back(account, &packed);
            return self.called_back(account, packed);
        }
        if self.is_shielded(account) {
            return self.withdraw(account, packed);
        }
        // Its intent is durable by now, so that the slot of the limit is kept to the millisecond however long the disk took.
        let mut packed = packed;
        let leaves = self.lanes.leaves(account, &mut packed.permit);
        let since = leaves.map_or_else(Instant::now, |leaves| leaves.at);
        for Delivery { envelope, .. } in packed.batch.deliveries() {
            self.flying.insert(envelope.position, Flying { account: envelope.account.clone(), attempt: envelope.attempt, since });
        }
        self.lanes.tuner_leaves(account, &mut packed.flight, since);
        let platform = self.preparer.accounts()[account].platform.clone();
        self.tasks.spawn(async move {
            if let Some(leaves) = leaves {
                tokio::time::sleep_until(leaves.at).await;
                if Instant::now() > leaves.until {
                    return Step::Missed { account, packed };
                }
            }
            let answer = AssertUnwindSafe(platform.send(&packed.batch)).catch_unwind().await;
            let verdicts = answer.unwrap_or_else(|_| {
                let error = SendError::new(ErrorKind::InDoubt, "sending failed inside notify; please report it");
                Verdicts::all(&packed.batch, &Err(error))
            });
            Step::Answered { account, packed, verdicts }
        });
    }

    pub(super) fn give_back(&mut self, account: usize, packed: &Packed) {
        self.lanes.landed(account, &packed.lane, packed.batch.deliveries().len());
    }
}
