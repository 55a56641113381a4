//! The desk where all connections of a sink write things down: ledger, folder, counts, and the fault dice.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use tokio::sync::Notify;

use crate::sink::counts::Counts;
use crate::sink::faults::dice::Dice;
use crate::sink::load::{Bears, Load};
use crate::sink::options::{Options, Record, SinkError};
use crate::sink::turn::Turn;

/// What every connection of one sink shares.
pub(crate) struct Desk {
    pub(crate) options: Options,
    pub(crate) dice: Dice,
    /// None where no door needs TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Woken when the sink is to end by itself: the limit was reached, or a record could not be written.
    pub(crate) over: Notify,
    /// Connections that are open.
    pub(crate) open: AtomicUsize,
    ledgers: Vec<(PathBuf, Mutex<File>)>,
    folders: Vec<PathBuf>,
    counts: Mutex<Counts>,
    seq: AtomicU64,
    taken: AtomicU64,
    failure: Mutex<Option<SinkError>>,
    started: Instant,
    /// What the HTTP side can bear; none where it bears all.
    load: Option<Mutex<Load>>,
}

impl Desk {
    /// Opens the records.
    pub(crate) fn open(options: Options, tls: Option<Arc<ServerConfig>>) -> Result<Self, SinkError> {
        let (mut ledgers, mut folders) = (Vec::new(), Vec::new());
        for record in &options.record {
            let unwritable = |path: &Path| {
                let path = path.to_owned();
                move |source| SinkError::Record { path, source }
            };
            match record {
                Record::Ledger(path) => {
                    let file = OpenOptions::new().create(true).append(true).open(path).map_err(unwritable(path))?;
                    ledgers.push((path.clone(), Mutex::new(file)));
                }
                Record::Folder(path) => {
                    std::fs::create_dir_all(path).map_err(unwritable(path))?;
                    folders.push(path.clone());
                }
            }
        }
        let bounded = options.knee.is_some() || options.pace.is_some() || !options.delay.is_zero();
        let load = bounded.then(|| Mutex::new(Load::new(options.delay, options.knee, options.pace)));
        Ok(Desk {
            load,
            dice: Dice::new(&options.faults, options.seed),
            options,
            tls,
            over: Notify::new(),
            open: AtomicUsize::new(0),
            ledgers,
            folders,
            counts: Mutex::default(),
            seq: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            failure: Mutex::default(),
            started: Instant::now(),
        })
    }

    /// Whether ledger lines are wanted.
    pub(crate) fn keeps_ledger(&self) -> bool {
        !self.ledgers.is_empty()
    }

    /// Whether contents are wanted.
    pub(crate) fn keeps_contents(&self) -> bool {
        !self.folders.is_empty()
    }

    /// The next number of a message or request, from 1; lines of different connections may stand out of its order.
    pub(crate) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Room for one more under the limit; false means: refuse, the sink is ending.
    pub(crate) fn take(&self) -> bool {
        let Some(limit) = self.options.limit else { return true };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < limit).then_some(taken + 1)).is_ok()
    }

    /// Whether so many were taken as should be.
    pub(crate) fn full(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.taken.load(Ordering::Relaxed) >= limit)
    }

    /// What becomes of a request that comes now.
    pub(crate) fn bears(&self) -> Bears {
        let Some(load) = &self.load else { return Bears::After(Duration::ZERO) };
        lock(load).comes(Instant::now())
    }

    /// Whether the whole server is down just now.
    pub(crate) fn down(&self) -> bool {
        self.dice.down(|| self.started.elapsed())
    }

    /// Milliseconds since 1970, for records only.
    pub(crate) fn at_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Writes a turn down, counts last. False: it could not be written, nobody may be told, and the sink ends.
    ///
    /// The writes block the runtime's thread: they end in the page cache, and a reply must not overtake them.
    pub(crate) fn commit(&self, turn: &Turn) -> bool {
        if !turn.lines.is_empty() {
            for (path, file) in &self.ledgers {
                if let Err(source) = lock(file).write_all(&turn.lines) {
                    return self.fail(SinkError::Record { path: path.clone(), source });
                }
            }
        }
        for (name, content) in &turn.files {
            for folder in &self.folders {
                let path = folder.join(name);
                if let Err(source) = std::fs::write(&path, content) {
                    return self.fail(SinkError::Record { path, source });
                }
            }
        }
        lock(&self.counts).merge(&turn.counts);
        true
    }

    /// Counts outside of a turn.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.counts));
    }

    /// The numbers so far.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = lock(&self.counts).clone();
        counts.most_at_once = self.load.as_ref().map_or(0, |load| lock(load).most as u64);
        counts
    }

    /// Numbers and fault memory begin again; records stay as they are, and `seq` goes on.
    pub(crate) fn reset(&self) {
        *lock(&self.counts) = Counts::default();
        self.dice.reset();
        self.taken.store(0, Ordering::Relaxed);
    }

    /// What made the sink end, if it was not asked to.
    pub(crate) fn failure(&self) -> Option<SinkError> {
        lock(&self.failure).take()
    }

    fn fail(&self, error: SinkError) -> bool {
        lock(&self.failure).get_or_insert(error);
        self.over.notify_one();
        false
    }
}

/// A panic elsewhere leaves numbers that are still the best there are.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
