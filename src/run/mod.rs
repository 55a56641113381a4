//! THE FLOW: read, render, hand to a lane; gather, remember, send, judge, record; rest and again.
//!
//! There is one send loop. A batch, a single message, a retry, a resumed run and a dry run differ in their source, journal and
//! platform, never in this file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch::{Batch, Verdicts};
use crate::control::{Control, Order};
use crate::exit::Exit;
use crate::feed::{Feed, Reader};
use crate::journal::Record;
use crate::journal::damage::JournalError;
use crate::journal::pause::Pause;
use crate::journal::reader::Reader as JournalReader;
use crate::journal::recovery::Recovery;
use crate::journal::writer::Journal;
use crate::lane::Lanes;
use crate::live::publish::Live;
use crate::permits::Permit;
use crate::platform::LaneKey;
use crate::policy::gone::Gone;
use crate::prepare::Preparer;
use crate::priority::Priorities;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::recipient::Position;
use crate::rules::{OnError, Rules};
use crate::run::clock::Doors;
use crate::run::samples::Tuning;
use crate::run::watched::Recovering;
use crate::run::wires::{Landing, Wires};
use crate::shared::Shared;
use crate::source::spool::Spool;
use crate::tally::Tally;
use crate::tune::Flight;

mod clock;
mod coming_back;
mod doors;
mod ending;
mod judging;
mod process;
mod records;
mod recovering;
mod resting;
mod samples;
mod sending;
mod steering;
mod tuning;
mod watched;
mod watching;
pub mod wires;

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
    /// Somebody aborted it.
    pub aborted: bool,
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
    /// What policy is kept in could not be opened.
    #[error("the suppression list cannot be opened: {0}")]
    Policy(rusqlite::Error),
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
    wires: Wires,
    progress: &mut Progress,
) -> Result<Ending, FlowError> {
    let spool = Spool::open(rules.folder.spool_dir()).map_err(FlowError::Spool)?;
    let mut lanes = Lanes::new(preparer.accounts(), rules.max_wait, matches!(feed, Feed::Stream(_)), rules.precedence);
    let run = rules.folder.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    lanes.share(preparer.accounts(), &rules.state_dir, &run, rules.precedence, rules.wait_quota);
    let tuning = Tuning::new(preparer.accounts().len(), Shared::lessons(&rules, &preparer));
    let started = Instant::now();
    let ahead = preparer.policy().timetable.ahead(jiff::Timestamp::now());
    let ends = rules.deadline.map(|deadline| started + ahead + deadline);
    let gone = if rules.suppress_gone {
        Gone::open(&rules.state_dir, &rules.folder.id).map_err(FlowError::Policy)?
    } else {
        Gone::default()
    };
    let Wires { control, live } = wires;
    let mut flow = Flow {
        lanes,
        tuning,
        journal,
        spool,
        tally: recovery.tally.clone(),
        chance: fastrand::Rng::new(),
        tasks: JoinSet::new(),
        flying: HashMap::new(),
        shared: Shared::open(&rules, &preparer),
        hungry: Priorities::ALL,
        rested: None,
        sent: [0; 4],
        unread: [0; 4],
        recovering: Recovering::new(&rules, &preparer, &recovery.tally),
        doors: Doors::default(),
        gone,
        unflushed: 0,
        together: None,
        closing: None,
        reasons: Vec::new(),
        second: None,
        remembering: 0,
        ends,
        drain_ends: None,
        paused: None,
        landing: Vec::new(),
        aborted: false,
        live,
        preparer,
        rules,
        control,
        progress,
    };
    flow.progress.tally(&flow.tally);
    flow.begin_tuned();
    let mut recovery = recovery;
    flow.remember_recovery();
    flow.take_up(&mut recovery)?;
    let mut rows = match feed {
        Feed::Spool => Reader::start(&flow.preparer, &flow.rules, recovery).map_err(FlowError::Spool)?,
        Feed::Stream(stream) => Reader::follow(&flow.preparer, &flow.rules, *stream),
    };
    loop {
        flow.obey();
        if let Err(error) = flow.turn(&mut rows).await {
            // Only a broken source or journal ends a run; what is in flight may still land.
            flow.close(Exit::Disk, Some(error.to_string()));
        }
        flow.unread = rows.left();
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
    /// What the tuners are fed with.
    tuning: Tuning,
    journal: Arc<Journal>,
    spool: Spool,
    tally: Tally,
    chance: fastrand::Rng,
    tasks: JoinSet<Step>,
    /// What was handed to a platform and has no answer; bounded by the widths of the accounts.
    flying: HashMap<Position, Flying>,
    /// What services told other processes of this machine.
    shared: Shared,
    /// Breakers, rules, threshold, canary.
    recovering: Recovering,
    /// Whether the clock lets anything leave.
    doors: Doors,
    /// Addresses that services call gone.
    gone: Gone,
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
    /// An account wants more rows of these than were at hand.
    hungry: Priorities,
    /// The journal, read where rows rest in it only.
    rested: Option<JournalReader>,
    /// Rows sent since this process began, by priority.
    sent: [u64; 4],
    /// Rows that were not read yet, by priority.
    unread: [u64; 4],
    ends: Option<Instant>,
    drain_ends: Option<Instant>,
    /// Set while nothing new starts because somebody asked for that.
    paused: Option<Pause>,
    /// Who waits for what is in flight to land.
    landing: Vec<Landing>,
    aborted: bool,
    live: Live,
    rules: Rules,
    control: Control,
    progress: &'a mut Progress,
}

struct Flying {
    account: Arc<str>,
    attempt: u32,
    since: Instant,
}

/// A request and the lane that it came from.
struct Packed {
    lane: LaneKey,
    batch: Batch,
    /// For the tuner.
    flight: Flight,
    permit: Permit,
}

/// One step of a group that was gathered: first its intent is durable, then each batch is answered.
enum Step {
    Remembered {
        account: usize,
        group: Vec<Packed>,
        result: Result<(), JournalError>,
    },
    /// The machine was too busy to send it in its slot: it never left.
    Missed {
        account: usize,
        packed: Packed,
    },
    Answered {
        account: usize,
        packed: Packed,
        verdicts: Verdicts,
    },
}

impl Flow<'_> {
    /// One turn of the loop: what rested comes back, what may go goes, what was read is handed on.
    async fn turn(&mut self, rows: &mut Reader) -> Result<(), FlowError> {
        self.gone.keep();
        if self.closing.is_some() || self.paused.is_some() || self.shut().is_some() {
            return Ok(());
        }
        self.sweep().await?;
        self.wake()?;
        self.wake_beyond().await?;
        let heard = self.shared.heard();
        let long = heard.iter().any(|(_, wait)| *wait > PATIENCE);
        for (key, wait) in heard {
            self.lanes.hear(key, wait);
        }
        for account in 0..self.preparer.accounts().len() {
            if long && self.lanes.is_blocked(account) {
                self.pass_on(account);
            }
        }
        self.tend(rows.is_open());
        self.pump(rows)?;
        if self.unflushed >= 1024 {
            self.flush().await?;
        }
        let idle = !rows.is_open() && self.lanes.is_empty() && self.tasks.is_empty() && !self.recovering.holds_rows();
        if self.rules.on_error == OnError::Retry && idle {
            self.second_pass().await?;
        }
        Ok(())
    }

    /// What control and the clock ask for.
    fn obey(&mut self) {
        self.hear();
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
        self.publish();
    }

    /// Nothing new starts from here on; what is in flight may land until the grace is over.
    fn close(&mut self, exit: Exit, reason: Option<String>) {
        if self.closing.is_none() {
            self.drain_ends = Some(Instant::now() + self.rules.grace);
            self.reasons.extend(reason);
        }
        self.closing = Some(self.closing.map_or(exit, |other| other.worse(exit)));
    }

    /// Waits for whatever comes first: an answer, a timer, a row, an order.
    async fn wait(&mut self, rows: &mut Reader) {
        let shut = self.shut().filter(|_| self.closing.is_none());
        let goes = self.closing.is_none() && self.paused.is_none() && shut.is_none();
        let timer = [
            self.lanes.next_wake().filter(|_| goes),
            self.ends.filter(|_| self.closing.is_none()),
            self.shared.next_look().filter(|_| goes),
            self.recovering.next().filter(|_| goes),
            shut.map(|until| self.next_look(until)),
            self.next_sweep().filter(|_| goes),
            self.drain_ends,
            self.next_answer(),
        ]
        .into_iter()
        .flatten()
        .min();
        let hungry = if rows.counts { Priorities::ALL } else { self.hungry };
        let reads = goes && rows.open().meets(hungry) && !self.recovering.is_shut() && self.lanes.has_room();
        tokio::select! {
            biased;
            () = self.control.changed() => {}
            Some(step) = self.tasks.join_next() => {
                self.step(step.ok());
                while let Some(step) = self.tasks.try_join_next() {
                    self.step(step.ok());
                }
            }
            () = rows.ready(hungry), if reads => {}
            () = tokio::time::sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {}
            () = self.progress.tick() => {}
        }
        if let Some(error) = self.journal.error() {
            self.close(Exit::Disk, Some(error.to_string()));
        }
    }
}
