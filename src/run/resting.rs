//! Rows that rest: taken up from an earlier life of the run, and read in the journal where too many rest for the heap.

use crate::error::ErrorKind;
use crate::journal::reader::Reader as JournalReader;
use crate::journal::recovery::{Deferred, Recovery};
use crate::lane::{Place, Ticket};
use crate::recipient::Position;
use crate::run::{Flow, FlowError};
use std::time::Duration;
use tokio::time::Instant;

/// Rows of the journal that one look reads.
const PAGE: usize = 1024;

/// How long a row rests from now on, and whether the service named that wait.
type Rest = (Duration, Option<Duration>);

impl Flow<'_> {
    /// Rows that an earlier life of this run left resting, or in doubt and to be sent again.
    pub(super) fn take_up(&mut self, recovery: &mut Recovery) -> Result<(), FlowError> {
        let (now, wall) = (Instant::now(), jiff::Timestamp::now());
        let longest = self.rules.backoff.max_delay;
        let rest_of = move |deferred: &Deferred| -> Rest {
            let rest = Duration::try_from(deferred.due.duration_since(wall)).unwrap_or_default();
            // A longer rest than any of our own was named by the service.
            let own = Self::waits_by_itself(deferred.attempts, deferred.kind);
            (rest, (rest > longest && !own).then_some(rest))
        };
        // By position, so that the rows of a set are found without a table of all that rest.
        let deferred = std::mem::take(&mut recovery.deferred);
        // A request that nobody answered goes again as it was, for the service may know its key.
        for set in std::mem::take(&mut recovery.sets) {
            let mut rows: Vec<Deferred> = Vec::with_capacity(set.len());
            for position in &set {
                rows.extend(self.resting_row(recovery, &deferred, *position)?);
            }
            if rows.len() < set.len() {
                continue;
            }
            let Some((rest, named)) = rows.iter().map(rest_of).max() else { continue };
            let account = self.preparer.account(&rows[0].account).unwrap_or_default();
            // Rows of a set are of one lane, and so of one priority.
            let priority = self.priority(rows[0].position)?;
            let ticket = |row: &Deferred| Ticket { position: row.position, tried: row.attempts, priority };
            let tickets = rows.iter().map(ticket).collect();
            for row in &rows {
                recovery.settled.settle(row.position);
                if recovery.beyond.remove(row.position) {
                    recovery.left_beyond(&row.account);
                }
            }
            self.lanes.rest_together(account, tickets, now + rest, named);
        }
        for deferred in deferred {
            if recovery.settled.is_settled(deferred.position) {
                continue;
            }
            // Not read again from the start: its ticket is enough.
            recovery.settled.settle(deferred.position);
            let (rest, named) = rest_of(&deferred);
            let account = self.preparer.account(&deferred.account).unwrap_or_default();
            let priority = self.priority(deferred.position)?;
            let ticket = Ticket { position: deferred.position, tried: deferred.attempts, priority };
            if self.goes_alone(account, deferred.kind, deferred.attempts) {
                self.lanes.rest_together(account, vec![ticket], now + rest, named);
            } else {
                self.lanes.rest(account, ticket, now + rest, named);
            }
        }
        self.take_up_beyond(recovery, now, wall)
    }

    /// The rows of which only a bit is left: whose they are is asked of the journal, page by page.
    fn take_up_beyond(&mut self, recovery: &mut Recovery, now: Instant, wall: jiff::Timestamp) -> Result<(), FlowError> {
        let longest = self.rules.backoff.max_delay;
        for name in std::mem::take(&mut recovery.beyond_by).into_keys() {
            let account = self.preparer.account(&name).unwrap_or_default();
            let mut passed = None;
            loop {
                let page = self.journal_reader()?.resting(&name, passed, PAGE)?;
                let Some(last) = page.last() else { break };
                passed = Some((last.due.unwrap_or(last.at), last.position));
                for known in &page {
                    if !recovery.beyond.contains(known.position) {
                        continue;
                    }
                    let due = known.due.unwrap_or(known.at);
                    let rest = Duration::try_from(due.duration_since(wall)).unwrap_or_default();
                    let own = Self::waits_by_itself(known.attempts, known.kind);
                    let parked = rest > longest && rest > self.rules.max_wait && !own;
                    let priority = self.priority(known.position)?;
                    let ticket = Ticket { position: known.position, tried: known.attempts, priority };
                    self.lanes.rest_beyond(account, ticket, now + rest, parked);
                }
            }
        }
        recovery.settled.settle_all(&recovery.beyond);
        recovery.beyond = Default::default();
        Ok(())
    }

    /// A row that rests, from those at hand or else from the journal.
    fn resting_row(
        &mut self,
        recovery: &Recovery,
        deferred: &[Deferred],
        position: Position,
    ) -> Result<Option<Deferred>, FlowError> {
        if recovery.settled.is_settled(position) {
            return Ok(None);
        }
        if let Ok(at) = deferred.binary_search_by_key(&position, |deferred| deferred.position) {
            return Ok(Some(deferred[at].clone()));
        }
        if !recovery.beyond.contains(position) {
            return Ok(None);
        }
        let known = self.journal_reader()?.outcome(position)?;
        Ok(known.map(|known| Deferred {
            position,
            account: known.account.clone(),
            attempts: known.attempts,
            due: known.due.unwrap_or(known.at),
            kind: known.kind,
        }))
    }

    /// It may have arrived: in other company its key would be another.
    fn goes_alone(&self, account: usize, kind: Option<ErrorKind>, attempts: u32) -> bool {
        let doubtful = matches!(kind, None | Some(ErrorKind::InDoubt)) && attempts > 0;
        doubtful && self.preparer.accounts()[account].batch > 1
    }

    /// Rows that rest in the journal only come back when they are due, some at a time.
    pub(super) async fn wake_beyond(&mut self) -> Result<(), FlowError> {
        let due = self.lanes.beyond_due(Instant::now());
        if !due.is_empty() {
            // What is asked for may have been told a moment ago.
            self.flush().await?;
        }
        for account in due {
            self.look(account)?;
        }
        Ok(())
    }

    /// Reads the next page of an account's rows that rest, and takes those that are due.
    fn look(&mut self, account: usize) -> Result<(), FlowError> {
        let name = self.preparer.accounts()[account].name.clone();
        let (now, wall) = (Instant::now(), jiff::Timestamp::now());
        let from = self.lanes.passed(account);
        let page = self.journal_reader()?.resting(&name, from, PAGE)?;
        let (whole, mut passed, mut next) = (page.len() == PAGE, from, None);
        for known in page {
            let due = known.due.unwrap_or(known.at);
            let rest = Duration::try_from(due.duration_since(wall)).unwrap_or_default();
            let meant = self.lanes.is_beyond(known.position);
            if rest.is_zero() {
                passed = Some((due, known.position));
            } else if meant || whole {
                // The first of them, or what none of them comes before.
                next = Some(now + rest);
            }
            if meant && !rest.is_zero() {
                break;
            }
            if meant {
                let priority = self.priority(known.position)?;
                let ticket = Ticket { position: known.position, tried: known.attempts, priority };
                self.lanes.came_back(account, ticket);
                if self.goes_alone(account, known.kind, known.attempts) {
                    self.read_together(account, vec![ticket])?;
                } else {
                    self.read_again(account, ticket, Place::Last)?;
                }
            }
        }
        match next {
            Some(next) => self.lanes.look_again(account, passed, next, true),
            None if whole => self.lanes.look_again(account, passed, now, false),
            // The wall clock went back: what rests there is looked for from the beginning.
            None if from.is_some() => self.lanes.look_again(account, None, now, true),
            None => {
                let missed = self.lanes.miss(account);
                if missed > 0 {
                    self.reasons.push(format!(
                        "the journal does not say when {missed} rows of account {name} are due; they stay pending"
                    ));
                }
            }
        }
        Ok(())
    }

    fn journal_reader(&mut self) -> Result<&mut JournalReader, FlowError> {
        match &mut self.rested {
            Some(reader) => Ok(reader),
            none => Ok(none.insert(JournalReader::open(&self.rules.folder)?)),
        }
    }
}
