//! What the journal says after a stop or a crash: who is settled, who rests, and whose answer nobody heard.
//!
//! Invariant: an attempt that no outcome answers is in doubt. Every checksum is read; what does not fit stops here, before
//! anything is sent.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use crate::delivery::Outcome;
use crate::error::{ErrorKind, SendError};
use crate::journal::damage::JournalError;
use crate::journal::rows::Rows;
use crate::journal::store::{Group, Store};
use crate::journal::table::{self, Known, OutcomeWriter};
use crate::journal::{Mark, Record, seal};
use crate::recipient::Position;
use crate::tally::{State, Tally};

/// Which rows are settled: one bit a row.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    rows: Rows,
}

impl Settled {
    /// Whether the row is sent, failed, skipped or in doubt.
    pub fn is_settled(&self, position: Position) -> bool {
        self.rows.contains(position)
    }

    /// Marks it so.
    pub fn settle(&mut self, position: Position) {
        self.rows.insert(position);
    }

    /// Marks all of these so.
    pub fn settle_all(&mut self, rows: &Rows) {
        self.rows.extend(rows);
    }

    /// Marks it not so.
    pub fn put_back(&mut self, position: Position) {
        self.rows.remove(position);
    }

    /// How many are.
    pub fn count(&self) -> u64 {
        self.rows.count()
    }
}

/// Rows that rest and are told one by one: those that are due first. Of the others there is a bit each.
const NEAREST: usize = 4096;

/// A row that was tried and waits for another try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// Which.
    pub position: Position,
    /// Through which account it was tried last.
    pub account: Arc<str>,
    /// Tries so far.
    pub attempts: u32,
    /// Not before, by the wall clock.
    pub due: Timestamp,
    /// Why it was deferred; `None` where it was put back.
    pub kind: Option<ErrorKind>,
}

/// What was found when the journal was opened.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The numbers.
    pub tally: Tally,
    /// Who needs nothing more.
    pub settled: Settled,
    /// Rows that were tried and are pending, by position: those that are due first, 4096 of them, and those that were put back, which
    /// are as many as were in flight.
    pub deferred: Vec<Deferred>,
    /// All other rows that rest.
    pub beyond: Rows,
    /// Of those, how many are of each account, and when the first of them is due.
    pub beyond_by: HashMap<Arc<str>, (u64, Timestamp)>,
    /// Rows in doubt that nobody has decided about, old and new.
    pub in_doubt: u64,
    /// Of those, the ones whose process ended before the answer was known: found now.
    pub interrupted: u64,
    /// The requests of several rows none of which is sent or failed, in the order of the request: what goes again goes as it was,
    /// because a service may know the key of exactly this set. As many as were in flight or rest.
    pub sets: Vec<Vec<Position>>,
    /// All rows in doubt.
    pub(crate) doubtful: Rows,
    /// Those of `deferred` that have a time when they are due, while they are found: the last of them on top.
    pub(crate) nearest: BinaryHeap<Rests>,
    /// Rows whose last request was of several, some of which were answered for: it cannot go again as it was, and alone they would go
    /// under another key than the one that the service may know.
    pub(crate) broken: Rows,
}

/// In the order in which they are due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rests(Deferred);

impl Ord for Rests {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.due, self.0.position).cmp(&(other.0.due, other.0.position))
    }
}

impl PartialOrd for Rests {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The rows in doubt whose service drops what it has seen before: they may be sent again without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Rows of this account,
    pub account: Arc<str>,
    /// tried since then; what is older the service may have forgotten.
    pub since: Timestamp,
}

/// What becomes of the rows in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Sent again, at the risk of a duplicate.
    Resend,
    /// Left in doubt, and not asked about again.
    Skip,
}

/// The sentence for a row whose attempt has no outcome.
pub const INTERRUPTED: &str = "the process ended before the answer was known";

/// Reads the whole journal, and records as in doubt what was in flight; those records are returned for the follower.
pub(crate) fn recover(store: &mut Store) -> Result<(Recovery, Vec<Record>), JournalError> {
    let mut recovery = Recovery { tally: Tally::new(store.rows), ..Recovery::default() };
    let mut cursor =
        store.db.prepare(&format!("{} ORDER BY o.position", table::SELECT_OUTCOME)).map_err(|e| reading(store, &e))?;
    let mut rows = cursor.query([]).map_err(|e| reading(store, &e))?;
    while let Some(row) = rows.next().map_err(|e| reading(store, &e))? {
        let known = table::read_outcome(&store.path, store.seal, &store.accounts, row)?;
        recovery.take(&known);
    }
    drop(rows);
    drop(cursor);
    let Unanswered { lost, sets, broken } = unanswered(store, &recovery.settled, &recovery.doubtful)?;
    recovery.interrupted = lost.len() as u64;
    recovery.sets = sets;
    recovery.broken = broken;
    // They are told at the time of their attempt: how long a service remembers its key counts from then.
    let (records, stamps) = lost.into_iter().map(|(record, at)| (record, (at, 0))).unzip();
    let group = Group { attempts: Vec::new(), stamps, records };
    if !group.records.is_empty() {
        for record in &group.records {
            recovery.recall(store, record.position)?;
        }
        store.write(&group)?;
        for (record, &(at, _)) in group.records.iter().zip(&group.stamps) {
            recovery.take(&Known::of(record, at, store.last_attempt));
        }
    }
    let nearest = std::mem::take(&mut recovery.nearest);
    recovery.deferred.extend(nearest.into_iter().map(|Rests(deferred)| deferred));
    recovery.deferred.sort_unstable_by_key(|deferred| deferred.position);
    let settled = &recovery.settled;
    recovery.deferred.retain(|deferred| !settled.is_settled(deferred.position));
    recovery.in_doubt = recovery.tally.undecided;
    Ok((recovery, group.records))
}

impl Recovery {
    /// One more that rests: the last of too many is remembered by its bit.
    fn rest(&mut self, deferred: Deferred) {
        self.nearest.push(Rests(deferred));
        if self.nearest.len() > NEAREST
            && let Some(Rests(last)) = self.nearest.pop()
            && self.beyond.insert(last.position)
        {
            let (rows, first) = self.beyond_by.entry(last.account).or_insert((0, last.due));
            *rows += 1;
            *first = last.due.min(*first);
        }
    }

    /// The row was found in flight, so that it does not rest.
    fn recall(&mut self, store: &Store, position: Position) -> Result<(), JournalError> {
        if self.beyond.remove(position)
            && let Some(known) = one(store, position)?
        {
            self.left_beyond(&known.account);
        }
        Ok(())
    }

    /// One row less of this account rests beyond those that are told one by one.
    pub fn left_beyond(&mut self, account: &Arc<str>) {
        if let Some((rows, _)) = self.beyond_by.get_mut(account) {
            *rows = rows.saturating_sub(1);
        }
    }

    fn take(&mut self, known: &Known) {
        if known.state == State::InDoubt {
            self.doubtful.insert(known.position);
        }
        if let Some(error) = known.error() {
            self.tally.notice(&known.account, &error, 1);
        }
        if known.state == State::Pending {
            if known.attempts > 0 || known.kind.is_some() {
                let deferred = Deferred {
                    position: known.position,
                    account: known.account.clone(),
                    attempts: known.attempts,
                    due: known.due.unwrap_or(known.at),
                    kind: known.kind,
                };
                match known.due {
                    Some(_) => self.rest(deferred),
                    None => self.deferred.push(deferred),
                }
            }
            return;
        }
        self.settled.settle(known.position);
        self.tally.settle(&known.account, known.state, known.kind, 1, u64::from(known.attempts));
        if known.decided {
            self.tally.undecided -= 1;
        }
    }
}

/// What the attempts say that the outcomes do not.
struct Unanswered {
    /// One record for each row whose attempt no outcome answers, and when that attempt was made. As many as were in flight.
    lost: Vec<(Record, i64)>,
    sets: Vec<Vec<Position>>,
    broken: Rows,
}

/// Reads all attempts. A row in `doubtful` is settled too, and may yet be sent again.
fn unanswered(store: &Store, settled: &Settled, doubtful: &Rows) -> Result<Unanswered, JournalError> {
    let failed = |error: rusqlite::Error| reading(store, &error);
    let mut answers = store.db.prepare("SELECT answers FROM outcome WHERE position = ?1").map_err(failed)?;
    let mut cursor = store.db.prepare("SELECT id, account, at, positions, sum FROM attempt ORDER BY id").map_err(failed)?;
    let mut rows = cursor.query([]).map_err(failed)?;
    // A row may stand in several attempts without an answer (a put-back that was lost): the newest counts.
    let mut lost: HashMap<i64, (Record, i64)> = HashMap::new();
    let mut sets: Vec<Vec<Position>> = Vec::new();
    let mut newest: HashMap<Position, usize> = HashMap::new();
    let mut broken: Rows = Rows::default();
    let mut expected = 1i64;
    while let Some(row) = rows.next().map_err(failed)? {
        let id: i64 = row.get(0).map_err(failed)?;
        let misfit = |what: String| JournalError::damage(&store.path, what, "that the rows of this attempt were never sent");
        if id != expected {
            return Err(misfit(format!("attempt {expected} is missing")));
        }
        expected += 1;
        let blob = row.get_ref(3).map_err(failed)?;
        let (Some(account), Ok(bytes)) = (store.accounts.name(row.get(1).map_err(failed)?), blob.as_blob()) else {
            return Err(misfit(format!("attempt {id} cannot be read")));
        };
        if table::attempt_sum(store.seal, id, account, row.get(2).map_err(failed)?, bytes)
            != row.get::<_, i64>(4).map_err(failed)?
        {
            return Err(misfit(format!("attempt {id} does not fit its checksum")));
        }
        let positions = seal::unpack(bytes).ok_or_else(|| misfit(format!("the rows of attempt {id} cannot be read")))?;
        let of_set = |(key, _): &(i64, u32)| seal::position(*key).filter(|at| !settled.is_settled(*at) || doubtful.contains(*at));
        if positions.len() > 1
            && let Some(set) = positions.iter().map(of_set).collect::<Option<Vec<_>>>()
        {
            newest.extend(set.iter().map(|position| (*position, sets.len())));
            set.iter().for_each(|position| {
                broken.remove(*position);
            });
            sets.push(set);
        } else {
            for position in positions.iter().filter_map(|(key, _)| seal::position(*key)) {
                newest.remove(&position);
                if positions.len() > 1 && doubtful.contains(position) {
                    broken.insert(position);
                } else {
                    broken.remove(position);
                }
            }
        }
        let at: i64 = row.get(2).map_err(failed)?;
        for (key, attempts) in positions {
            let position = seal::position(key).ok_or_else(|| misfit(format!("attempt {id} names a row that cannot be")))?;
            // A settled row answers all attempts before it, and none follows without its being put back first.
            if settled.is_settled(position) {
                continue;
            }
            let answered: Option<i64> = answers.query_row([key], |row| row.get(0)).optional().map_err(failed)?;
            if answered.is_none_or(|answered| answered < id) {
                let error = SendError::new(ErrorKind::InDoubt, INTERRUPTED);
                let mark = Mark::Outcome(Outcome::Failed(error));
                lost.insert(key, (Record { position, account: account.clone(), attempts, mark }, at));
            }
        }
    }
    let mut lost: Vec<(Record, i64)> = lost.into_values().collect();
    lost.sort_unstable_by_key(|(record, _)| record.position);
    // A row that was tried in another request since then has left the set.
    let whole = |(at, set): &(usize, Vec<Position>)| set.iter().all(|position| newest.get(position) == Some(at));
    let sets = sets.into_iter().enumerate().filter(whole).map(|(_, set)| set).collect();
    Ok(Unanswered { lost, sets, broken })
}

/// Of the rows in doubt, those of these accounts and none of these positions.
#[derive(Debug)]
pub(crate) struct Only {
    pub(crate) keyed: Vec<Keyed>,
    pub(crate) not: Rows,
}

/// Carries out the decision for all rows in doubt, or for those of `only`; what is to be sent again is returned.
pub(crate) fn decide(store: &mut Store, decision: Decision, only: Option<&Only>) -> Result<Vec<Known>, JournalError> {
    const AT_ONCE: usize = 1000;
    let mut decided = Vec::new();
    let mut after = -1i64;
    loop {
        let undecided = doubtful_page(store, after, AT_ONCE)?;
        let Some(last) = undecided.last() else { return Ok(decided) };
        after = seal::key(last.position).unwrap_or(i64::MAX);
        let Store { db, path, seal: sums, accounts, last_attempt, .. } = &mut *store;
        let failed = |error: rusqlite::Error| JournalError::sqlite(path, "recording the decision", &error);
        let change = db.unchecked_transaction().map_err(failed)?;
        {
            let mut outcomes = OutcomeWriter::new(db).map_err(failed)?;
            for known in undecided {
                let named = |keyed: &Keyed| keyed.account == known.account && known.at >= keyed.since;
                // What a person has decided stays so unless a person asks.
                let meant = |only: &Only| !known.decided && !only.not.contains(known.position) && only.keyed.iter().any(named);
                if only.is_some_and(|only| !meant(only)) {
                    continue;
                }
                let mut changed = known.clone();
                match decision {
                    Decision::Resend => {
                        changed.state = State::Pending;
                        changed.answers = *last_attempt;
                        (changed.kind, changed.code, changed.detail) = (None, None, None);
                        changed.decided = false;
                    }
                    Decision::Skip if known.decided => continue,
                    Decision::Skip => changed.decided = true,
                }
                let account = accounts.intern(db, &changed.account).map_err(failed)?;
                let Some(key) = seal::key(changed.position) else { continue };
                outcomes.write(*sums, key, account, &changed).map_err(failed)?;
                decided.push(known);
            }
        }
        change.commit().map_err(failed)?;
    }
}

fn doubtful_page(store: &Store, after: i64, most: usize) -> Result<Vec<Known>, JournalError> {
    let failed = |error: rusqlite::Error| reading(store, &error);
    let sql = format!(
        "{} WHERE o.state = {} AND o.position > ?1 ORDER BY o.position LIMIT {most}",
        table::SELECT_OUTCOME,
        State::InDoubt as i64
    );
    let mut query = store.db.prepare(&sql).map_err(failed)?;
    let mut rows = query.query([after]).map_err(failed)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        page.push(table::read_outcome(&store.path, store.seal, &store.accounts, row)?);
    }
    Ok(page)
}

fn one(store: &Store, position: Position) -> Result<Option<Known>, JournalError> {
    let failed = |error: rusqlite::Error| reading(store, &error);
    let sql = format!("{} WHERE o.position = ?1", table::SELECT_OUTCOME);
    let mut query = store.db.prepare_cached(&sql).map_err(failed)?;
    let mut rows = query.query([seal::key(position)]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    table::read_outcome(&store.path, store.seal, &store.accounts, row).map(Some)
}

fn reading(store: &Store, error: &rusqlite::Error) -> JournalError {
    store.error("reading the journal", error)
}
