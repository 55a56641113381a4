//! The one writer of a journal: a thread that makes all marks that wait durable with one transaction and one sync.
//!
//! A group is written at once when somebody waits for it; outcomes alone linger up to 5 ms for company. While one group is being
//! synced the next one gathers, so that groups grow by themselves as the disk gets slower.
//!
//! When writing fails: no new attempts, for good. A full disk gets its ballast back and outcomes go on being written; a failed
//! sync is final, and what it leaves is in doubt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::journal::ballast;
use crate::journal::damage::{JournalError, Trouble};
use crate::journal::folder::RunFolder;
use crate::journal::recovery::{self, Decision, Deferred, Keyed, Only, Recovery};
use crate::journal::store::{Group, Store};
use crate::journal::table::Known;
use crate::journal::{Attempt, Follow, Record};

/// How long outcomes wait for company where nobody waits for them: what a kill may lose (they are in doubt then).
const LINGER: Duration = Duration::from_millis(5);
/// Most marks of one group; bounds the memory of a transaction.
const GROUP: usize = 4096;

type Reply = oneshot::Sender<Result<(), JournalError>>;

enum Order {
    Attempt(Vec<Attempt>, Reply),
    Record(Record, i64),
    /// All of them in one transaction.
    Records(Vec<Record>, i64),
    Flush(Reply),
    Decide(Decision, Option<Only>, oneshot::Sender<Result<Vec<Known>, JournalError>>),
    Rows(u64, Reply),
    Close(Reply),
}

/// What the thread tells without being asked.
#[derive(Debug)]
struct Word {
    error: watch::Sender<Option<JournalError>>,
    /// Outcomes that could not be written any more: their rows are in doubt.
    lost: AtomicU64,
    follower: Mutex<Option<String>>,
}

/// The journal of a run, open for writing. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Journal {
    /// Holds what is in flight and no more: each delivery gives one record, and its attempt had to be durable before. Rows that
    /// are recorded without an attempt (bad, skipped) have no such bound: flush every thousand or so.
    orders: Sender<Order>,
    word: Arc<Word>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

impl Journal {
    /// Makes the journal of a new run of `rows` rows. The caller holds the run's lock.
    ///
    /// # Errors
    /// It exists, or the disk.
    pub fn create(folder: &RunFolder, rows: u64, follower: Follow) -> Result<Journal, JournalError> {
        lay_ballast(folder)?;
        let store = Store::create(folder, rows)?;
        Journal::begin(folder, store, follower, &[])
    }

    /// Opens the journal of a run that stopped or broke off; what was in flight is recorded as in doubt. The caller holds the
    /// run's lock.
    ///
    /// # Errors
    /// Damage, another form, or the disk. Nothing may be sent then.
    pub fn open(folder: &RunFolder, follower: Follow) -> Result<(Journal, Recovery), JournalError> {
        lay_ballast(folder)?;
        let mut store = Store::open(folder, true)?;
        let (recovery, interrupted) = recovery::recover(&mut store)?;
        folder.reopen()?;
        Ok((Journal::begin(folder, store, follower, &interrupted)?, recovery))
    }

    fn begin(folder: &RunFolder, store: Store, follower: Follow, found: &[Record]) -> Result<Journal, JournalError> {
        let (orders, inbox) = channel();
        let word = Arc::new(Word { error: watch::Sender::new(None), lost: AtomicU64::new(0), follower: Mutex::new(None) });
        let path = store.path.clone();
        let mut writer =
            Writer { store, folder: folder.clone(), inbox, word: word.clone(), follower: Some(follower), health: Health::Well };
        writer.follow(found);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| JournalError::io(&path, "starting the journal's thread", &error))?;
        Ok(Journal { orders, word, thread: Mutex::new(Some(thread)) })
    }

    /// Makes the attempts durable: nothing of them may leave before this returns `Ok`. Everything that waits shares one sync.
    ///
    /// # Errors
    /// They may not be sent. After the first error every further call fails.
    pub async fn attempt(&self, attempts: Vec<Attempt>) -> Result<(), JournalError> {
        self.ask(|reply| Order::Attempt(attempts, reply)).await
    }

    /// Hands over what became of a row. Durable with the next group, 5 ms later at most; a kill before that leaves the row in
    /// doubt. Whether it was written at all is known from [`Journal::flush`].
    pub fn record(&self, record: Record) {
        if self.orders.send(Order::Record(record, jiff::Timestamp::now().as_millisecond())).is_err() {
            self.word.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`Journal::record`], for the answer to one request: after a kill either all of it is there or nothing, so that a set whose
    /// key the service knows is never known by half.
    pub fn record_together(&self, records: Vec<Record>) {
        let count = records.len() as u64;
        if self.orders.send(Order::Records(records, jiff::Timestamp::now().as_millisecond())).is_err() {
            self.word.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Waits until everything recorded so far is durable.
    ///
    /// # Errors
    /// Something of it is not and never will be.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.ask(Order::Flush).await
    }

    /// Says how many rows the run has: a list that came by a pipe has grown since the journal was made.
    ///
    /// # Errors
    /// The disk.
    pub async fn set_rows(&self, rows: u64) -> Result<(), JournalError> {
        self.ask(|reply| Order::Rows(rows, reply)).await
    }

    /// Decides about all rows in doubt, or only about those, durably, and brings `recovery` up to date.
    ///
    /// # Errors
    /// The disk; `recovery` is unchanged then.
    pub async fn decide_in_doubt(
        &self,
        decision: Decision,
        only: Option<Vec<Keyed>>,
        recovery: &mut Recovery,
    ) -> Result<u64, JournalError> {
        let only = only.map(|keyed| Only { keyed, not: recovery.broken.clone() });
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Decide(decision, only, reply)).map_err(|_| self.gone())?;
        let decided = answer.await.map_err(|_| self.gone())??;
        for known in &decided {
            if decision == Decision::Skip {
                recovery.tally.undecided = recovery.tally.undecided.saturating_sub(1);
                continue;
            }
            let undecided = recovery.tally.undecided;
            recovery.tally.put_back(&known.account, u64::from(known.attempts));
            if known.decided {
                recovery.tally.undecided = undecided;
            }
            recovery.settled.put_back(known.position);
            recovery.deferred.push(Deferred {
                position: known.position,
                account: known.account.clone(),
                attempts: known.attempts,
                due: known.at,
                kind: None,
            });
        }
        recovery.deferred.sort_unstable_by_key(|deferred| deferred.position);
        recovery.in_doubt = recovery.tally.undecided;
        Ok(decided.len() as u64)
    }

    /// The error that ended this journal, if it has ended: no attempt will be accepted any more.
    pub fn error(&self) -> Option<JournalError> {
        self.word.error.borrow().clone()
    }

    /// Waits for that error; for ever, where all goes well.
    pub async fn failed(&self) -> JournalError {
        let mut watch = self.word.error.subscribe();
        let seen = watch.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        match seen {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// How many outcomes could not be written after such an error: at most these rows more are in doubt.
    pub fn lost(&self) -> u64 {
        self.word.lost.load(Ordering::Relaxed)
    }

    /// Why the follower stopped following, if it did. The journal itself is whole.
    pub fn follower_error(&self) -> Option<String> {
        self.word.follower.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what waits, folds the log into the database, and ends the thread.
    ///
    /// # Errors
    /// Something that was recorded is not durable.
    pub async fn close(self) -> Result<(), JournalError> {
        self.end().await
    }

    /// As [`Journal::close`], where the journal is shared; later marks are refused.
    ///
    /// # Errors
    /// As [`Journal::close`].
    pub async fn end(&self) -> Result<(), JournalError> {
        let closed = self.ask(Order::Close).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has answered as its last act: there is nothing left to wait for.
            let _ = thread.join();
        }
        closed
    }

    async fn ask(&self, order: impl FnOnce(Reply) -> Order) -> Result<(), JournalError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> JournalError {
        self.error().unwrap_or(JournalError::Closed)
    }
}

/// As [`Journal::close`], but nobody hears whether it went well.
impl Drop for Journal {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let (reply, _) = oneshot::channel();
            let _ = self.orders.send(Order::Close(reply));
            let _ = thread.join();
        }
    }
}

fn lay_ballast(folder: &RunFolder) -> Result<(), JournalError> {
    ballast::lay(&folder.path, ballast::size(0))
        .map_err(|error| JournalError::io(&folder.path, "laying the reserve for a full disk", &error))
}

enum Health {
    Well,
    /// No new attempts; outcomes are still written.
    Draining(JournalError),
    /// Nothing is written any more.
    Dead(JournalError),
}

struct Writer {
    store: Store,
    folder: RunFolder,
    inbox: Receiver<Order>,
    word: Arc<Word>,
    follower: Option<Follow>,
    health: Health,
}

/// What has gathered for the next transaction, and who waits for it.
#[derive(Default)]
struct Gathered {
    group: Group,
    attempts: Vec<Reply>,
    flushes: Vec<Reply>,
    /// An order that ends the group and is carried out after it.
    then: Option<Order>,
}

impl Gathered {
    fn add(&mut self, order: Order) {
        match order {
            Order::Attempt(mut attempts, reply) => {
                self.group.attempts.append(&mut attempts);
                self.attempts.push(reply);
            }
            Order::Record(record, at) => {
                self.group.records.push(record);
                self.group.stamps.push((at, self.group.attempts.len()));
            }
            Order::Records(records, at) => {
                let before = self.group.attempts.len();
                self.group.stamps.extend(std::iter::repeat_n((at, before), records.len()));
                self.group.records.extend(records);
            }
            Order::Flush(reply) => self.flushes.push(reply),
            last @ (Order::Decide(..) | Order::Rows(..) | Order::Close(_)) => self.then = Some(last),
        }
    }

    fn is_full(&self) -> bool {
        self.then.is_some() || self.group.records.len() + self.group.attempts.len() >= GROUP
    }

    fn is_awaited(&self) -> bool {
        !self.attempts.is_empty() || !self.flushes.is_empty()
    }
}

impl Writer {
    fn run(&mut self) {
        while let Ok(first) = self.inbox.recv() {
            let mut gathered = self.gather(first);
            self.commit(&mut gathered);
            match gathered.then {
                Some(Order::Close(reply)) => {
                    let closed = match &self.health {
                        Health::Well => {
                            self.store.tidy();
                            ballast::give_back(&self.folder.path);
                            Ok(())
                        }
                        Health::Draining(_) => Ok(()),
                        Health::Dead(error) if self.word.lost.load(Ordering::Relaxed) > 0 => Err(error.clone()),
                        Health::Dead(_) => Ok(()),
                    };
                    let _ = reply.send(closed);
                    return;
                }
                Some(Order::Decide(decision, only, reply)) => {
                    let decided = match &self.health {
                        Health::Well => recovery::decide(&mut self.store, decision, only.as_ref()),
                        Health::Draining(error) | Health::Dead(error) => Err(error.clone()),
                    };
                    let _ = reply.send(decided);
                }
                Some(Order::Rows(rows, reply)) => {
                    let grown = match &self.health {
                        Health::Well => self.store.set_rows(rows),
                        Health::Draining(error) | Health::Dead(error) => Err(error.clone()),
                    };
                    let _ = reply.send(grown);
                }
                _ => {}
            }
        }
    }

    fn gather(&self, first: Order) -> Gathered {
        let mut gathered = Gathered::default();
        gathered.add(first);
        let until = Instant::now() + LINGER;
        while !gathered.is_full() {
            // What is there already comes along; only where nobody waits is time given for more.
            let wait = if gathered.is_awaited() { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
            match self.inbox.recv_timeout(wait) {
                Ok(order) => gathered.add(order),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        gathered
    }

    fn commit(&mut self, gathered: &mut Gathered) {
        if matches!(self.health, Health::Well) {
            match self.store.write(&gathered.group) {
                Ok(()) => {
                    answer(&mut gathered.attempts, &Ok(()));
                    answer(&mut gathered.flushes, &Ok(()));
                    return self.follow(&gathered.group.records);
                }
                Err(error) => self.fail(error),
            }
        }
        let (error, alive) = match &self.health {
            Health::Draining(error) => (error.clone(), true),
            Health::Dead(error) => (error.clone(), false),
            Health::Well => return,
        };
        answer(&mut gathered.attempts, &Err(error.clone()));
        // The attempts of this group are not written: the records that came after them answer the ones before.
        gathered.group.attempts.clear();
        for (_, before) in &mut gathered.group.stamps {
            *before = 0;
        }
        let written = if alive { self.store.write(&gathered.group) } else { Err(error) };
        match written {
            Ok(()) => {
                answer(&mut gathered.flushes, &Ok(()));
                self.follow(&gathered.group.records);
            }
            Err(error) => {
                self.word.lost.fetch_add(gathered.group.records.len() as u64, Ordering::Relaxed);
                answer(&mut gathered.flushes, &Err(error.clone()));
                self.health = Health::Dead(error);
            }
        }
    }

    /// Ends the taking of attempts. The ballast makes room for what is in flight, unless the disk cannot be trusted at all.
    fn fail(&mut self, error: JournalError) {
        self.word.error.send_replace(Some(error.clone()));
        self.store.leave_log();
        let hopeless = !matches!(&error, JournalError::Storage { trouble, .. } if *trouble != Trouble::Sync);
        ballast::give_back(&self.folder.path);
        #[cfg(test)]
        self.give_back_pages();
        self.health = if hopeless { Health::Dead(error) } else { Health::Draining(error) };
    }

    /// Tests fill the "disk" with `max_page_count`; the ballast is a few pages more.
    #[cfg(test)]
    fn give_back_pages(&self) {
        let pages: i64 = self.store.db.query_row("PRAGMA max_page_count", [], |row| row.get(0)).unwrap_or(0);
        if self.folder.path.join("ballast-in-pages").exists() {
            let _ = self.store.db.query_row(&format!("PRAGMA max_page_count = {}", pages + 100), [], |_| Ok(()));
        }
    }

    fn follow(&mut self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        let Some(follower) = &mut self.follower else { return };
        if let Err(error) = follower(records) {
            // The journal is the truth; its telling is made whole when the run ends or is resumed.
            *self.word.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            self.follower = None;
        }
    }
}

fn answer(replies: &mut Vec<Reply>, result: &Result<(), JournalError>) {
    for reply in replies.drain(..) {
        // Whoever asked may have gone away meanwhile.
        let _ = reply.send(result.clone());
    }
}

#[cfg(test)]
impl Journal {
    /// A journal whose database may not grow beyond `pages`: a full disk.
    pub(crate) fn with_pages(folder: &RunFolder, rows: u64, pages: i64, follower: Follow) -> Result<Journal, JournalError> {
        let store = Store::create(folder, rows)?;
        store
            .db
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .map_err(|e| store.error("testing", &e))?;
        Journal::begin(folder, store, follower, &[])
    }
}
