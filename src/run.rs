//! THE FLOW: read, render, hand to a lane; gather, remember, send, judge, record; rest and again.
//!
//! There is one send loop. A batch, a single message, a retry, a resumed run and a dry run differ in their source, journal and
//! platform, never in this file.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account::Account;
use crate::backoff::Next;
use crate::batch::{Batch, Refused, Verdict, Verdicts};
use crate::control::{Control, Order};
use crate::delivery::{Delivery, Envelope, Outcome};
use crate::error::{ErrorKind, SendError};
use crate::exit::Exit;
use crate::feed::{Feed, Reader};
use crate::journal::damage::JournalError;
use crate::journal::reader::Reader as JournalReader;
use crate::journal::recovery::{Decision, Deferred, Recovery};
use crate::journal::writer::Journal;
use crate::journal::{Attempt, Mark, Record};
use crate::lane::{Due, Lanes, Place, Ready, Ticket, Turn};
use crate::platform::LaneKey;
use crate::prepare::{Bad, Before, Prepared, Preparer};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::recipient::{Position, Row, Skip};
use crate::route;
use crate::rules::{Doubt, OnError, Rules};
use crate::shared::Shared;
use crate::source::spool::Spool;
use crate::tally::{State, Tally};

/// Failures that one portion of the second pass takes up again.
const SECOND_PASS: usize = 50_000;

/// A pool waits so long for one of its accounts before the others take what waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    /// The counts.
    pub tally: Tally,
    /// What the program exits with.
    pub exit: Exit,
    /// Why it ended before every row was settled, in words for the user.
    pub reasons: Vec<String>,
}

/// Why the flow broke off: only a broken source or journal ends a run.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The journal could not be written: nothing more is sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The spool could not be read.
    #[error("{0}")]
    Spool(Problem),
}

/// Runs to the end and tells how it was.
///
/// # Errors
/// A journal that cannot be written, a spool that cannot be read. What was in flight is drained first where that is possible.
pub async fn run(
    preparer: Arc<Preparer>,
    journal: Arc<Journal>,
    recovery: Recovery,
    feed: Feed,
    rules: Rules,
    control: Control,
    progress: &mut Progress,
) -> Result<Ending, FlowError> {
    let spool = Spool::open(rules.folder.spool_dir()).map_err(FlowError::Spool)?;
    let lanes = Lanes::new(preparer.accounts(), rules.max_wait, matches!(feed, Feed::Stream(_)));
    let started = Instant::now();
    let ends = rules.deadline.map(|deadline| started + deadline);
    let mut flow = Flow {
        lanes,
        journal,
        spool,
        tally: recovery.tally.clone(),
        chance: fastrand::Rng::new(),
        tasks: JoinSet::new(),
        flying: HashMap::new(),
        shared: Shared::open(&rules, &preparer),
        hungry: true,
        unflushed: 0,
        together: None,
        closing: None,
        reasons: Vec::new(),
        second: None,
        remembering: 0,
        ends,
        drain_ends: None,
        preparer,
        rules,
        control,
        progress,
    };
    flow.progress.tally(&flow.tally);
    let mut recovery = recovery;
    flow.take_up(&mut recovery);
    let mut rows = match feed {
        Feed::Spool => Reader::start(&flow.preparer, &flow.rules, recovery),
        Feed::Stream(stream) => Reader::follow(&flow.preparer, &flow.rules, *stream),
    };
    loop {
        flow.obey();
        if let Err(error) = flow.turn(&mut rows).await {
            // Only a broken source or journal ends a run; what is in flight may still land.
            flow.close(Exit::Disk, Some(error.to_string()));
        }
        if flow.is_done(&rows).await {
            break;
        }
        flow.wait(&mut rows).await;
    }
    let streamed = rows.counts;
    rows.stop().await;
    flow.finish(streamed).await
}

struct Flow<'a> {
    preparer: Arc<Preparer>,
    lanes: Lanes,
    journal: Arc<Journal>,
    spool: Spool,
    tally: Tally,
    chance: fastrand::Rng,
    tasks: JoinSet<Step>,
    /// What was handed to a platform and has no answer; bounded by the widths of the accounts.
    flying: HashMap<Position, Flying>,
    /// What services told other processes of this machine.
    shared: Shared,
    /// Marks handed to the journal without an attempt before them; bounded by flushing.
    unflushed: usize,
    /// What is recorded about one request while its answer is judged: durable together.
    together: Option<Vec<Record>>,
    /// Set once nothing new may start; the code is what the run will exit with at least.
    closing: Option<Exit>,
    reasons: Vec<String>,
    /// Where the second pass of `--on-error retry` stands: the next position to look at, and when its rows may go.
    second: Option<(Position, Instant)>,
    /// Groups whose intent is being made durable.
    remembering: usize,
    /// An account wants more rows than were at hand.
    hungry: bool,
    ends: Option<Instant>,
    drain_ends: Option<Instant>,
    rules: Rules,
    control: Control,
    progress: &'a mut Progress,
}

struct Flying {
    account: Arc<str>,
    attempt: u32,
}

/// A request and the lane that it came from.
struct Packed {
    lane: LaneKey,
    batch: Batch,
}

/// One step of a group that was gathered: first its intent is durable, then each batch is answered.
enum Step {
    Remembered { account: usize, group: Vec<Packed>, result: Result<(), JournalError> },
    Answered { account: usize, packed: Packed, verdicts: Verdicts },
}

impl Flow<'_> {
    /// Rows that an earlier life of this run left resting, or in doubt and to be sent again.
    fn take_up(&mut self, recovery: &mut Recovery) {
        let (now, wall) = (Instant::now(), jiff::Timestamp::now());
        let mut waiting: HashMap<Position, Deferred> =
            std::mem::take(&mut recovery.deferred).into_iter().map(|deferred| (deferred.position, deferred)).collect();
        let rest_of = |deferred: &Deferred| {
            let rest = Duration::try_from(deferred.due.duration_since(wall)).unwrap_or_default();
            // A longer rest than any of our own was named by the service.
            (rest, (rest > self.rules.backoff.max_delay).then_some(rest))
        };
        // A request that nobody answered goes again as it was, for the service may know its key.
        for set in std::mem::take(&mut recovery.sets) {
            if !set.iter().all(|position| waiting.contains_key(position)) {
                continue;
            }
            let rows: Vec<Deferred> = set.iter().filter_map(|position| waiting.remove(position)).collect();
            let Some((rest, named)) = rows.iter().map(rest_of).max() else { continue };
            let account = self.preparer.account(&rows[0].account).unwrap_or_default();
            let tickets = rows.iter().map(|row| Ticket { position: row.position, tried: row.attempts }).collect();
            rows.iter().for_each(|row| recovery.settled.settle(row.position));
            self.lanes.rest_together(account, tickets, now + rest, named);
        }
        for deferred in waiting.into_values() {
            // Not read again from the start: its ticket is enough.
            recovery.settled.settle(deferred.position);
            let (rest, named) = rest_of(&deferred);
            let account = self.preparer.account(&deferred.account).unwrap_or_default();
            self.lanes.rest(account, Ticket { position: deferred.position, tried: deferred.attempts }, now + rest, named);
        }
    }

    /// One turn of the loop: what rested comes back, what may go goes, what was read is handed on.
    async fn turn(&mut self, rows: &mut Reader) -> Result<(), FlowError> {
        if self.closing.is_some() {
            return Ok(());
        }
        self.wake()?;
        for (key, wait) in self.shared.heard() {
            self.lanes.hear(key, wait);
            for account in 0..self.preparer.accounts().len() {
                if wait > PATIENCE && self.lanes.is_blocked(account) {
                    self.pass_on(account);
                }
            }
        }
        self.pump(rows)?;
        if self.unflushed >= 1024 {
            self.flush().await?;
        }
        if self.rules.on_error == OnError::Retry && !rows.is_open() && self.lanes.is_empty() && self.tasks.is_empty() {
            self.second_pass().await?;
        }
        Ok(())
    }

    /// What control and the clock ask for.
    fn obey(&mut self) {
        match self.control.order() {
            Order::Go => {}
            Order::Drain(exit) => self.close(exit, None),
            Order::Stop(exit) => {
                self.close(exit, None);
                self.drain_ends = Some(Instant::now());
            }
        }
        if self.ends.is_some_and(|ends| ends <= Instant::now()) {
            self.close(Exit::Stopped, Some("the deadline was reached (--deadline)".into()));
        }
        if self.lanes.all_halted() {
            self.close(Exit::BadConfig, None);
        }
    }

    /// Nothing new starts from here on; what is in flight may land until the grace is over.
    fn close(&mut self, exit: Exit, reason: Option<String>) {
        if self.closing.is_none() {
            self.drain_ends = Some(Instant::now() + self.rules.grace);
            self.reasons.extend(reason);
        }
        self.closing = Some(self.closing.map_or(exit, |other| other.worse(exit)));
    }

    /// Rows whose rest is over come back into their lanes.
    fn wake(&mut self) -> Result<(), FlowError> {
        for (account, due) in self.lanes.wake(Instant::now()) {
            match due {
                Due::Row(ticket) => self.read_again(account, ticket, Place::Last)?,
                Due::Set(set) => self.read_together(account, set)?,
            }
        }
        Ok(())
    }

    /// A request that must go again exactly as it was, because the service may know its key.
    fn read_together(&mut self, account: usize, set: Vec<Ticket>) -> Result<(), FlowError> {
        let mut deliveries = Vec::with_capacity(set.len());
        let mut lane = None;
        for ticket in set {
            let row = self.row(ticket.position)?;
            match self.preparer.prepare(row, ticket.tried, Some(Before::Stays(account))) {
                Prepared::Ready(ready) => {
                    lane.get_or_insert(ready.lane);
                    deliveries.push(ready.delivery);
                }
                other => self.settle_unsent(other),
            }
        }
        if let Some(lane) = lane {
            self.lanes.put_sealed(account, &lane, deliveries, true);
        }
        Ok(())
    }

    fn row(&mut self, position: Position) -> Result<Row, FlowError> {
        if position.row >= self.spool.rows() {
            // A stream has grown since the spool was opened.
            self.spool = Spool::open(self.rules.folder.spool_dir()).map_err(FlowError::Spool)?;
        }
        self.spool.read(position).map_err(FlowError::Spool)
    }

    /// A row that waited without its content comes back to the account that it was tried with; one of a pool that is blocked may go to
    /// another.
    fn read_again(&mut self, account: usize, ticket: Ticket, place: Place) -> Result<(), FlowError> {
        let row = self.row(ticket.position)?;
        let elsewhere = self.lanes.is_blocked(account) && self.preparer.is_pooled(account);
        let before = if elsewhere { Before::Moves(account) } else { Before::Stays(account) };
        match self.preparer.prepare(row, ticket.tried, Some(before)) {
            Prepared::Ready(ready) if ready.pool.is_none() => self.lanes.put_at(*ready, place),
            Prepared::Ready(ready) => self.put(*ready),
            other => self.settle_unsent(other),
        }
        Ok(())
    }

    /// The row joins its lane; of a pool, that of the account that takes it.
    fn put(&mut self, mut ready: Ready) {
        if let Some(pool) = ready.pool.take() {
            let envelope = &mut ready.delivery.envelope;
            // Rows that name nobody all go to the same place, and are told apart by themselves.
            let fixed = &self.preparer.accounts()[ready.account].platform.capability().addressing.fixed;
            let named = fixed.as_deref() != Some(envelope.to.as_str());
            let key = if named { envelope.to.as_str() } else { envelope.id.as_str() };
            let accounts = self.preparer.accounts();
            let lanes = &self.lanes;
            ready.account = route::choose(&pool, accounts, key, |member| lanes.load(member), |member| lanes.is_blocked(member));
            envelope.account = accounts[ready.account].name.clone();
            // What is held up together is that account's own matter.
            if let Ok(lane) = accounts[ready.account].lane(&envelope.to) {
                let shares = accounts[ready.account].batch > 1;
                ready.lane = if shares { lane.grouped(ready.share) } else { lane };
            }
        }
        self.lanes.put(ready);
    }

    /// What waits for an account of a pool that is blocked goes to the others.
    fn pass_on(&mut self, account: usize) {
        if !self.preparer.is_pooled(account) {
            return;
        }
        let waiting = self.lanes.take_waiting(account);
        self.hand_round(account, waiting);
    }

    /// Rows of a pool's account are read again for whichever of the pool takes them.
    fn hand_round(&mut self, account: usize, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            if let Err(error) = self.read_again(account, ticket, Place::Last) {
                return self.close(Exit::Disk, Some(error.to_string()));
            }
        }
    }

    /// The others of its pool take what this account cannot send any more.
    fn gives_up(&self, account: usize) -> bool {
        self.lanes.is_halted(account) && self.preparer.is_pooled(account)
    }

    /// A request that was not taken goes again with exactly these, or by whoever of the pool is left.
    fn put_together(&mut self, account: usize, lane: &LaneKey, set: Vec<Delivery>) {
        if self.gives_up(account) {
            let tickets = set.iter().map(|delivery| ticket_of(&delivery.envelope));
            return self.hand_round(account, tickets);
        }
        self.lanes.put_sealed(account, lane, set, false);
    }

    /// Fills every road: gathers what may go, and reads on where an account is hungry.
    fn pump(&mut self, rows: &mut Reader) -> Result<(), FlowError> {
        while self.closing.is_none() {
            self.hungry = false;
            for account in 0..self.preparer.accounts().len() {
                let more = rows.is_open() && self.lanes.has_room();
                self.hungry |= self.gather(account, more)?;
            }
            // Hungry accounts and rows at hand: hand them on and look again. Otherwise wait for an answer, a timer or the reader.
            if !(self.hungry || rows.counts) || !self.lanes.has_room() || self.unflushed >= 1024 {
                return Ok(());
            }
            let Some(chunk) = rows.next_chunk() else { return Ok(()) };
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
                match prepared {
                    Prepared::Ready(ready) => self.put(*ready),
                    other => self.settle_unsent(other),
                }
            }
        }
        Ok(())
    }

    /// Gathers groups of this account until its road is full; says whether it wants more rows, if there are `more`.
    fn gather(&mut self, account: usize, more: bool) -> Result<bool, FlowError> {
        loop {
            let mut group: Vec<Packed> = Vec::new();
            let mut rows = 0;
            let hungry = loop {
                if rows >= self.rules.batch_size {
                    break None;
                }
                let backlog = self.preparer.accounts()[account].platform.backlog();
                match self.lanes.turn(account, backlog, more) {
                    Turn::Batch(lane, deliveries) => {
                        rows += deliveries.len();
                        group.extend(Batch::new(deliveries).map(|batch| Packed { lane, batch }));
                    }
                    Turn::Read(ticket, place) => self.read_again(account, ticket, place)?,
                    Turn::Hungry => break Some(true),
                    Turn::Full => break Some(false),
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
    fn remember(&mut self, account: usize, group: Vec<Packed>) {
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

    /// Waits for whatever comes first: an answer, a timer, a row, an order.
    async fn wait(&mut self, rows: &mut Reader) {
        let timer = [
            self.lanes.next_wake().filter(|_| self.closing.is_none()),
            self.ends.filter(|_| self.closing.is_none()),
            self.shared.next_look().filter(|_| self.closing.is_none()),
            self.drain_ends,
        ]
        .into_iter()
        .flatten()
        .min();
        let reads = self.closing.is_none() && (self.hungry || rows.counts) && rows.is_open() && self.lanes.has_room();
        tokio::select! {
            biased;
            () = self.control.changed() => {}
            Some(step) = self.tasks.join_next() => {
                self.step(step.ok());
                while let Some(step) = self.tasks.try_join_next() {
                    self.step(step.ok());
                }
            }
            () = rows.ready(), if reads => {}
            () = tokio::time::sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {}
            () = self.progress.tick() => {}
        }
        if let Some(error) = self.journal.error() {
            self.close(Exit::Disk, Some(error.to_string()));
        }
    }

    fn step(&mut self, step: Option<Step>) {
        if let Some(Step::Remembered { .. }) = &step {
            self.remembering -= 1;
        }
        if let Some(Step::Remembered { account, group, .. }) = &step {
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
            Some(Step::Answered { account, packed, verdicts }) => self.judge(account, packed, verdicts),
        }
        self.progress.tally(&self.tally);
    }

    fn send(&mut self, account: usize, packed: Packed) {
        if self.closing.is_some() {
            // Remembered, but it need not leave any more: as if it had not been tried.
            for delivery in packed.batch.deliveries() {
                self.put_back(account, delivery);
            }
            self.give_back(account, &packed);
            return;
        }
        for Delivery { envelope, .. } in packed.batch.deliveries() {
            self.flying.insert(envelope.position, Flying { account: envelope.account.clone(), attempt: envelope.attempt });
        }
        let platform = self.preparer.accounts()[account].platform.clone();
        self.tasks.spawn(async move {
            let answer = AssertUnwindSafe(platform.send(&packed.batch)).catch_unwind().await;
            let verdicts = answer.unwrap_or_else(|_| {
                let error = SendError::new(ErrorKind::InDoubt, "sending failed inside notify; please report it");
                Verdicts::all(&packed.batch, &Err(error))
            });
            Step::Answered { account, packed, verdicts }
        });
    }

    fn give_back(&mut self, account: usize, packed: &Packed) {
        self.lanes.landed(account, &packed.lane, packed.batch.deliveries().len());
    }

    /// What follows from the answer to one request.
    fn judge(&mut self, account: usize, packed: Packed, verdicts: Verdicts) {
        self.together = Some(Vec::with_capacity(packed.batch.deliveries().len()));
        self.follow(account, packed, verdicts);
        match self.together.take() {
            Some(records) if records.len() > 1 => self.journal.record_together(records),
            records => records.into_iter().flatten().for_each(|record| self.journal.record(record)),
        }
    }

    fn follow(&mut self, account: usize, packed: Packed, verdicts: Verdicts) {
        self.give_back(account, &packed);
        let Packed { lane, batch } = packed;
        for delivery in batch.deliveries() {
            self.flying.remove(&delivery.envelope.position);
        }
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
    fn split(&mut self, account: usize, lane: &LaneKey, batch: Batch, verdicts: Verdicts, refused: &Refused) {
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
    fn together(&mut self, account: usize, lane: &LaneKey, batch: Batch, error: SendError) {
        let owner = self.preparer.accounts()[account].name.clone();
        let attempt = batch.first().envelope.attempt;
        match self.next(account, lane, attempt, &error) {
            Next::Retry(wait) => {
                let named = error.retry_after;
                let error = SendError { retry_after: Some(wait), ..error };
                let mut set = Vec::with_capacity(batch.deliveries().len());
                for delivery in batch.deliveries() {
                    let attempt = delivery.envelope.attempt;
                    self.progress.deferred(delivery, &error, wait);
                    self.record(delivery, attempt, Mark::Outcome(Outcome::Deferred(error.clone())));
                    set.push(Ticket { position: delivery.envelope.position, tried: attempt });
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
                for delivery in batch.into_deliveries() {
                    self.settle(account, lane, delivery, Err(error.clone()));
                }
            }
        }
    }

    /// The lane, or what else the error reaches, rests; other processes hear of a wait that the service itself named.
    fn hold(&mut self, account: usize, lane: &LaneKey, error: &SendError, wait: Duration) {
        self.lanes.hold(account, lane, error.reach, wait, true);
        if let Some(named) = error.retry_after {
            self.shared.tell(self.lanes.hold_key(account, lane, error.reach), named);
        }
    }

    /// What is done about a failure of this account.
    fn next(&mut self, account: usize, lane: &LaneKey, attempt: u32, error: &SendError) -> Next {
        let capability = self.preparer.accounts()[account].platform.capability();
        let idempotent = capability.idempotent || self.rules.in_doubt == Doubt::Resend;
        let (holds, proven) = (self.lanes.holds(account, lane, error.reach), self.lanes.proven(account));
        self.rules.backoff.next(attempt, error, idempotent, holds, proven, &mut self.chance)
    }

    /// What follows from the answer for one delivery.
    fn settle(&mut self, account: usize, lane: &LaneKey, delivery: Delivery, verdict: Verdict) {
        let (attempt, position) = (delivery.envelope.attempt, delivery.envelope.position);
        let error = match verdict {
            Ok(receipt) => {
                self.lanes.proved(account, lane);
                self.conclude(&delivery, Outcome::Sent(receipt));
                return;
            }
            Err(error) => error,
        };
        let next = self.next(account, lane, attempt, &error);
        let owner: &Account = &self.preparer.accounts()[account];
        let next = if self.lanes.strike(account, delivery.envelope.to.as_str(), &error) { Next::Halt } else { next };
        match next {
            Next::Retry(wait) => {
                self.progress.deferred(&delivery, &error, wait);
                let named = error.retry_after;
                // The delay that was chosen goes along, so that a resumed run knows when the row is due.
                let error = SendError { retry_after: Some(wait), ..error };
                let doubtful = error.kind == ErrorKind::InDoubt;
                self.record(&delivery, attempt, Mark::Outcome(Outcome::Deferred(error)));
                let (ticket, until) = (Ticket { position, tried: attempt }, Instant::now() + wait);
                if doubtful && self.preparer.is_pooled(account) {
                    // Only the account that may have sent it knows its key.
                    self.lanes.rest_together(account, vec![ticket], until, named);
                } else {
                    self.lanes.rest(account, ticket, until, named);
                }
            }
            Next::Hold(wait) => {
                self.progress.held(&owner.name, &error, wait);
                self.hold_back(&delivery, &error, wait);
                self.hold(account, lane, &error, wait);
                if self.gives_up(account) {
                    return self.hand_round(account, [ticket_of(&delivery.envelope)]);
                }
                let owner: &Account = &self.preparer.accounts()[account];
                let share = if owner.batch > 1 { owner.platform.share(&delivery) } else { None };
                let ready = Ready { account, lane: lane.clone(), share, pool: None, delivery };
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
                    let own = Ticket { position, tried: attempt - 1 };
                    self.hand_round(account, std::iter::once(own).chain(waiting));
                }
            }
            Next::Reject => {
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
    fn fall_back(&mut self, account: usize, delivery: &Delivery, error: &SendError) -> bool {
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

    fn conclude(&mut self, delivery: &Delivery, outcome: Outcome) {
        self.count(&delivery.envelope.account, &outcome, delivery.envelope.attempt);
        self.progress.settled(&delivery.envelope, &outcome);
        self.record(delivery, delivery.envelope.attempt, Mark::Outcome(outcome));
    }

    fn count(&mut self, account: &Arc<str>, outcome: &Outcome, attempts: u32) {
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

    fn record(&mut self, delivery: &Delivery, attempts: u32, mark: Mark) {
        let envelope = &delivery.envelope;
        self.note(Record { position: envelope.position, account: envelope.account.clone(), attempts, mark });
    }

    fn note(&mut self, record: Record) {
        match &mut self.together {
            Some(together) => together.push(record),
            None => self.journal.record(record),
        }
    }

    /// As if it had not been tried this time, and not before this wait; should the run end meanwhile, the reports say why.
    fn hold_back(&mut self, delivery: &Delivery, error: &SendError, wait: Duration) {
        let error = SendError { retry_after: Some(wait), ..error.clone() };
        self.record(delivery, delivery.envelope.attempt - 1, Mark::Outcome(Outcome::Deferred(error)));
    }

    /// As if it had not been tried this time. With a later account of its route, it stays there.
    fn put_back(&mut self, account: usize, delivery: &Delivery) {
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
    fn settle_unsent(&mut self, prepared: Prepared) {
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
                let Skip::Duplicate { of } = skip;
                self.tally.settle(&account, State::Skipped, None, 1, 0);
                let why = format!("duplicate_of={of}");
                self.progress.skipped(position, &account, &why);
                Record { position, account, attempts: 0, mark: Mark::Skipped(why) }
            }
        };
        self.unflushed += 1;
        self.note(record);
    }

    async fn flush(&mut self) -> Result<(), FlowError> {
        self.unflushed = 0;
        Ok(self.journal.flush().await?)
    }

    /// Whether nothing is left to do, or nothing more may be done.
    async fn is_done(&mut self, rows: &Reader) -> bool {
        if self.closing.is_some() {
            let late = self.drain_ends.is_some_and(|ends| ends <= Instant::now());
            return self.tasks.is_empty() || late;
        }
        // What comes by a pipe is not in the spool yet: it is read to its end, whatever must wait.
        let reads = rows.is_open() && (self.hungry || rows.counts) && self.lanes.has_room();
        if !self.tasks.is_empty() || reads {
            return false;
        }
        let unread = rows.is_open() && !rows.counts;
        if let Some(until) = self.lanes.parked().or_else(|| if unread { self.lanes.all_parked() } else { None }) {
            let wait = until.duration_since(Instant::now());
            let when = jiff::Zoned::now().saturating_add(jiff::SignedDuration::try_from(wait).unwrap_or_default());
            let when = when.strftime("%F %T %Z");
            self.close(Exit::Stopped, Some(format!("what is left must wait for longer than --max-wait: resume after {when}")));
            return true;
        }
        !rows.is_open() && self.lanes.is_empty()
    }

    /// `--on-error retry`: every retryable failure gets one more try after the longest delay, some thousands at a time.
    async fn second_pass(&mut self) -> Result<(), FlowError> {
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
                let ticket = Ticket { position, tried: self.rules.backoff.retries.max(known.attempts) };
                self.lanes.rest(self.preparer.account(&known.account).unwrap_or_default(), ticket, until, None);
                again += 1;
            }
            self.flush().await?;
        }
        self.second = Some((from, until));
        self.progress.second_pass(again, until.duration_since(Instant::now()));
        Ok(())
    }

    /// What is still in flight is in doubt; then everything is made durable and told.
    async fn finish(mut self, streamed: bool) -> Result<Ending, FlowError> {
        // Whether an intent became durable is known within a sync of the disk; those that did are put back as if never tried.
        while self.remembering > 0
            && let Some(step) = self.tasks.join_next().await
        {
            self.step(step.ok());
        }
        while let Some(step) = self.tasks.try_join_next() {
            self.step(step.ok());
        }
        let late = !self.tasks.is_empty();
        self.tasks.shutdown().await;
        for (position, Flying { account, attempt }) in std::mem::take(&mut self.flying) {
            let outcome = Outcome::Failed(SendError::new(ErrorKind::InDoubt, "the run was stopped before the answer came"));
            self.count(&account, &outcome, attempt);
            self.progress.unsent(position, &account, &outcome);
            self.journal.record(Record { position, account, attempts: attempt, mark: Mark::Outcome(outcome) });
        }
        if !late {
            futures_util::future::join_all(self.preparer.accounts().iter().map(|account| account.platform.close())).await;
        }
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
        Ok(Ending { tally: self.tally, exit, reasons: self.reasons })
    }
}

/// The row of this delivery, as it was before this try.
fn ticket_of(envelope: &Envelope) -> Ticket {
    Ticket { position: envelope.position, tried: envelope.attempt.saturating_sub(1) }
}

/// The error of a request that failed as a whole: the same for each delivery.
fn failed_alike(verdicts: &[Verdict]) -> Option<SendError> {
    let Some(Err(first)) = verdicts.first() else { return None };
    verdicts.iter().all(|verdict| matches!(verdict, Err(error) if error == first)).then(|| first.clone())
}
