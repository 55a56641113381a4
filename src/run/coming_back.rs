//! Rows that come back: after a rest, from an earlier life of the run, from an account that cannot go on, for a second pass.

use crate::delivery::Delivery;
use crate::error::ErrorKind;
use crate::exit::Exit;
use crate::journal::reader::Reader as JournalReader;
use crate::journal::{Mark, Record};
use crate::lane::{Due, Place, Ready, Ticket};
use crate::platform::LaneKey;
use crate::prepare::{Before, Prepared};
use crate::priority::Priority;
use crate::recipient::{Position, Row};
use crate::route;
use crate::run::{Flow, FlowError, SECOND_PASS};
use crate::source::spool::Spool;
use crate::tally::State;
use tokio::time::Instant;

impl Flow<'_> {
    /// Rows whose rest is over come back into their lanes.
    pub(super) fn wake(&mut self) -> Result<(), FlowError> {
        for (account, due) in self.lanes.wake(Instant::now()) {
            match due {
                Due::Row(ticket) => self.read_again(account, ticket, Place::Last)?,
                Due::Set(set) => self.read_together(account, set)?,
            }
        }
        Ok(())
    }

    /// A request that must go again exactly as it was, because the service may know its key.
    pub(super) fn read_together(&mut self, account: usize, set: Vec<Ticket>) -> Result<(), FlowError> {
        let mut deliveries = Vec::with_capacity(set.len());
        let mut lane = None;
        for ticket in set {
            let row = self.row(ticket.position)?;
            match self.preparer.prepare(row, ticket.tried, Some(Before::Stays(account))) {
                Prepared::Ready(ready) => {
                    lane.get_or_insert(ready.lane);
                    deliveries.push(ready.delivery);
                }
                other => self.settle_late(other, ticket.tried),
            }
        }
        if let Some(lane) = lane {
            self.lanes.put_sealed(account, &lane, deliveries, true);
        }
        Ok(())
    }

    pub(super) fn row(&mut self, position: Position) -> Result<Row, FlowError> {
        if position.row >= self.spool.rows() {
            // A stream has grown since the spool was opened.
            self.spool = Spool::open(self.rules.folder.spool_dir()).map_err(FlowError::Spool)?;
        }
        self.spool.read(position).map_err(FlowError::Spool)
    }

    /// What the row is worth.
    pub(super) fn priority(&mut self, position: Position) -> Result<Priority, FlowError> {
        let said = self.spool.priority(position).map_err(FlowError::Spool)?;
        Ok(said.unwrap_or(self.preparer.priority()))
    }

    /// A row that waited without its content comes back to the account that it was tried with; one of a pool that is blocked may go to
    /// another.
    pub(super) fn read_again(&mut self, account: usize, ticket: Ticket, place: Place) -> Result<(), FlowError> {
        let row = self.row(ticket.position)?;
        let elsewhere = self.lanes.is_blocked(account) && self.preparer.is_pooled(account);
        let before = if elsewhere { Before::Moves(account) } else { Before::Stays(account) };
        match self.preparer.prepare(row, ticket.tried, Some(before)) {
            Prepared::Ready(ready) if ready.pool.is_none() => {
                if self.lets(&ready) {
                    self.lanes.put_at(*ready, place);
                }
            }
            Prepared::Ready(ready) => self.put(*ready),
            other => self.settle_late(other, ticket.tried),
        }
        Ok(())
    }

    /// The row joins its lane; of a pool, that of the account that takes it.
    pub(super) fn put(&mut self, mut ready: Ready) {
        if let Some(pool) = ready.pool.take() {
            let envelope = &mut ready.delivery.envelope;
            // Rows that name nobody all go to the same place, and are told apart by themselves.
            let fixed = &self.preparer.accounts()[ready.account].platform.capability().addressing.fixed;
            let named = fixed.as_deref() != Some(envelope.to.as_str());
            let key = if named { envelope.to.as_str() } else { envelope.id.as_str() };
            let accounts = self.preparer.accounts();
            let (lanes, priority) = (&self.lanes, ready.lane.priority());
            ready.account = route::choose(&pool, accounts, key, |member| lanes.load(member), |member| lanes.is_blocked(member));
            envelope.account = accounts[ready.account].name.clone();
            // What is held up together is that account's own matter.
            if let Ok(lane) = accounts[ready.account].lane(&envelope.to) {
                let shares = accounts[ready.account].batch > 1;
                let lane = if shares { lane.grouped(ready.share) } else { lane };
                ready.lane = lane.ranked(priority);
            }
        }
        if self.lets(&ready) {
            self.lanes.put(ready);
        }
    }

    /// What waits for an account of a pool that is blocked goes to the others.
    pub(super) fn pass_on(&mut self, account: usize) {
        // Where all of its pool are blocked nobody is better off, and the rows would be read again for nothing.
        if !self.preparer.is_pooled(account) || self.preparer.pool_of(account).all(|other| self.lanes.is_blocked(other)) {
            return;
        }
        let waiting = self.lanes.take_waiting(account);
        self.hand_round(account, waiting);
    }

    /// Rows of a pool's account are read again for whichever of the pool takes them.
    pub(super) fn hand_round(&mut self, account: usize, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            if let Err(error) = self.read_again(account, ticket, Place::Last) {
                return self.close(Exit::Disk, Some(error.to_string()));
            }
        }
    }

    /// The others of its pool take what this account cannot send any more.
    pub(super) fn gives_up(&self, account: usize) -> bool {
        self.lanes.is_halted(account) && self.preparer.is_pooled(account)
    }

    /// A request that was not taken goes again with exactly these, or by whoever of the pool is left.
    pub(super) fn put_together(&mut self, account: usize, lane: &LaneKey, set: Vec<Delivery>) {
        if self.gives_up(account) {
            let priority = lane.priority();
            let tickets = set.iter().map(move |delivery| Ticket::of(&delivery.envelope, priority)).collect::<Vec<_>>();
            return self.hand_round(account, tickets);
        }
        self.lanes.put_sealed(account, lane, set, false);
    }

    /// `--on-error retry`: every retryable failure gets one more try after the longest delay, some thousands at a time.
    pub(super) async fn second_pass(&mut self) -> Result<(), FlowError> {
        let first = Instant::now() + self.rules.backoff.max_delay;
        let (mut from, until) = self.second.unwrap_or((Position::row(0), first));
        self.flush().await?;
        let mut reader = JournalReader::open(&self.rules.folder)?;
        let mut again = 0;
        while again < SECOND_PASS {
            let failed = reader.in_state(State::Failed, from, 1024)?;
            let Some(last) = failed.last() else { break };
            from = Position { shard: last.position.shard, row: last.position.row + 1 };
            for known in failed.iter().filter(|known| known.kind.is_some_and(ErrorKind::retryable)) {
                // First the journal, then the numbers: a row that is tried again is pending, whatever becomes of this process.
                let (position, account) = (known.position, known.account.clone());
                self.journal.record(Record { position, account, attempts: known.attempts, mark: Mark::Pending });
                self.tally.reopen(&known.account, known.kind, u64::from(known.attempts));
                // As if its retries were used up: one more try, whatever comes of it.
                let priority = self.priority(position)?;
                let ticket = Ticket { position, tried: self.rules.backoff.retries.max(known.attempts), priority };
                self.lanes.rest(self.preparer.account(&known.account).unwrap_or_default(), ticket, until, None);
                again += 1;
            }
            self.flush().await?;
        }
        self.second = Some((from, until));
        self.progress.second_pass(again, until.duration_since(Instant::now()));
        Ok(())
    }
}
