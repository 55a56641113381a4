//! When a run is over, and what it exits with.

use crate::delivery::Outcome;
use crate::error::{ErrorKind, SendError};
use crate::exit::Exit;
use crate::feed::Reader;
use crate::journal::recovery::{Decision, Recovery};
use crate::journal::{Mark, Record};
use crate::priority::Priorities;
use crate::rules::{Doubt, OnError};
use crate::run::{Ending, Flow, FlowError, Flying};
use crate::source::spool::Spool;
use tokio::time::Instant;

impl Flow<'_> {
    /// Whether nothing is left to do, or nothing more may be done.
    pub(super) async fn is_done(&mut self, rows: &Reader) -> bool {
        if self.closing.is_some() {
            let late = self.drain_ends.is_some_and(|ends| ends <= Instant::now());
            return self.tasks.is_empty() || late;
        }
        if self.paused.is_some() {
            let settled = !rows.is_open() && self.lanes.is_empty() && !self.recovering.holds_rows();
            return settled && self.tasks.is_empty() && self.rules.on_error != OnError::Retry;
        }
        // What comes by a pipe is not in the spool yet: it is read to its end, whatever must wait.
        let hungry = if rows.counts { Priorities::ALL } else { self.hungry };
        let reads = rows.open().meets(hungry) && !self.recovering.is_shut() && self.lanes.has_room();
        if !self.tasks.is_empty() || reads {
            return false;
        }
        let unread = rows.is_open() && !rows.counts;
        if let Some(until) = self.lanes.parked().or_else(|| if unread { self.lanes.all_parked() } else { None }) {
            let wait = until.duration_since(Instant::now());
            let when = jiff::Zoned::now().saturating_add(jiff::SignedDuration::try_from(wait).unwrap_or_default());
            let when = when.strftime("%F %T %Z");
            let given_up = self.recovering.gave_up();
            let told = match self.lanes.used_up() {
                Some(limit) => format!("{limit}: resume after {when}, or let the run wait with --wait-quota"),
                None => format!("what is left must wait for longer than --max-wait: resume after {when}"),
            };
            self.close(Exit::Stopped, Some(if given_up.is_empty() { told } else { given_up.join("\n") }));
            return true;
        }
        !rows.is_open() && self.lanes.is_empty() && !self.recovering.holds_rows()
    }

    /// What is still in flight is in doubt; then everything is made durable and told.
    pub(super) async fn finish(mut self, streamed: bool) -> Result<Ending, FlowError> {
        // Whether an intent became durable is known within a sync of the disk; those that did are put back as if never tried.
        while self.remembering > 0
            && let Some(step) = self.tasks.join_next().await
        {
            self.step(step.ok());
        }
        while let Some(step) = self.tasks.try_join_next() {
            self.step(step.ok());
        }
        self.learn();
        let late = !self.tasks.is_empty();
        self.tasks.shutdown().await;
        for (position, Flying { account, attempt, .. }) in std::mem::take(&mut self.flying) {
            let outcome = Outcome::Failed(SendError::new(ErrorKind::InDoubt, "the run was stopped before the answer came"));
            self.count(&account, &outcome, attempt);
            self.progress.unsent(position, &account, &outcome);
            self.journal.record(Record { position, account, attempts: attempt, mark: Mark::Outcome(outcome) });
        }
        if !late {
            futures_util::future::join_all(self.preparer.accounts().iter().map(|account| account.platform.close())).await;
        }
        self.gone.flush();
        self.journal.flush().await?;
        if streamed {
            // Rows that reached the spool and nobody handed on are pending: a resume begins with them.
            self.tally.total = Spool::open(self.rules.folder.spool_dir()).map_err(FlowError::Spool)?.rows();
            self.journal.set_rows(self.tally.total).await?;
        }
        if self.rules.in_doubt == Doubt::Skip && self.tally.undecided > 0 {
            self.journal.decide_in_doubt(Decision::Skip, None, &mut Recovery::default()).await?;
            self.tally.undecided = 0;
        }
        self.advise();
        let mut exit = self.closing.unwrap_or(Exit::Done);
        if self.tally.failed > 0 {
            exit = exit.worse(Exit::SomeFailed);
        }
        if self.tally.pending() > 0 && exit == Exit::Done {
            exit = exit.worse(Exit::Stopped);
        }
        // Where others of its pool sent all of its rows, that is told and no more.
        if self.tally.pending() > 0 && self.lanes.halted().next().is_some() {
            exit = exit.worse(Exit::BadConfig);
        }
        if self.tally.undecided > 0 {
            exit = exit.worse(Exit::InDoubt);
        }
        self.answer_all(late);
        let mut last = self.snapshot(Instant::now());
        last.state = "stopping".to_owned();
        self.live.publish(last);
        Ok(Ending { tally: self.tally, exit, reasons: self.reasons, aborted: self.aborted })
    }
}
