//! Permits to send: what a run keeps for itself, and what it shares with every process of this machine through `state.db`.
//!
//! Limits of an account are leased in blocks of about 100 ms (`lease`), runs that compete share them by weight (`fair`), and what an
//! address may have at most is counted over all runs (`caps`). `--rate` and limits per domain are kept by each process for itself
//! (`limit::pace`). Where `state.db` cannot be used, so is everything else: said once, and never a reason to stop.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::limit::pace::Pace;
use crate::limit::slots::{Nanos, Slot};
use crate::limit::{Quota, Scope};
use crate::permits::caps::Caps;
use crate::permits::clock::Now;
use crate::permits::lease::{Lease, Refused};

pub use crate::permits::lease::Demand;
use crate::priority::Precedence;
use crate::state::pace::{PaceStore, key};

mod caps;
mod clock;
mod fair;
mod lease;

/// The tables that all accounts of a run share.
#[derive(Debug, Clone)]
pub struct Shared {
    store: Arc<Mutex<PaceStore>>,
    run: Arc<str>,
    weight: u32,
    strict: bool,
}

impl Shared {
    /// Opens them in this folder, for this run, which has that weight beside others. Where any of them is strict, the heavier goes first
    /// alone.
    ///
    /// # Errors
    /// The disk, or a database of a newer program.
    pub fn open(folder: &Path, run: &str, precedence: Precedence) -> rusqlite::Result<Self> {
        let store = PaceStore::open(folder, Now::read().wall)?;
        let weight = precedence.weights.of(precedence.priority).get();
        Ok(Shared { store: Arc::new(Mutex::new(store)), run: Arc::from(run), weight, strict: precedence.strict })
    }
}

/// What a request that may leave was given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Permit {
    slot: Option<Slot>,
    deliveries: u32,
    /// Slots that were over before it could leave.
    missed: u32,
}

/// When a request may be on its way.
#[derive(Debug, Clone, Copy)]
pub struct Leaves {
    /// Not before.
    pub at: Instant,
    /// Not after: then it needs another slot.
    pub until: Instant,
}

/// A machine so busy that it misses more slots than this in a row sends late.
const PATIENT: u32 = 5;
/// No slot is further away.
const LONGEST: Nanos = 3_600_000_000_000;

/// Whether an address may have its message, as far as all runs together know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claim {
    /// Nobody has asked.
    #[default]
    Unasked,
    /// It may; asked then.
    May(Instant),
    /// Not before then.
    Not(Instant),
}

/// How long an answer to a claim is good for.
const FRESH: Duration = Duration::from_secs(1);

impl Claim {
    /// Whether it must be asked (again) before the row goes.
    pub fn is_stale(self, now: Instant) -> bool {
        match self {
            Claim::Unasked => true,
            Claim::May(asked) => now.duration_since(asked) > FRESH,
            Claim::Not(until) => until <= now,
        }
    }
}

/// All permits of one account.
#[derive(Debug)]
pub struct Permits {
    /// What this process keeps for itself.
    own: Pace,
    lease: Option<Lease>,
    caps: Option<Caps>,
    /// So many passed the run's own limits and still need a permit of the account.
    passed: Option<usize>,
    /// Every limit of the account, for the case that nothing can be shared.
    all: Vec<Quota>,
}

impl Permits {
    /// Of this process alone: the account's limits, and the run's own `rate`.
    pub fn alone(quotas: &[Quota], rate: Option<Quota>) -> Self {
        Permits { own: paced(quotas, rate), lease: None, caps: None, passed: None, all: quotas.to_vec() }
    }

    /// With what processes share: `quotas` are the account's, `rate` the run's own. `whose` is the identity of the endpoint, and
    /// with whom it counts what an address had; `width` how many requests of how many deliveries may be in flight.
    pub fn shared(
        shared: &Shared,
        quotas: &[Quota],
        rate: Option<Quota>,
        (identity, counts_with): (&str, &str),
        (width, batch): (usize, usize),
    ) -> Self {
        let is_cap = |quota: &Quota| quota.scope == Scope::Address && quota.period >= Duration::from_secs(60);
        let leased: Vec<Quota> = quotas.iter().filter(|quota| quota.scope == Scope::Account).copied().collect();
        let capped: Vec<Quota> = quotas.iter().filter(|quota| is_cap(quota)).copied().collect();
        let kept: Vec<Quota> = quotas.iter().filter(|quota| quota.scope != Scope::Account && !is_cap(quota)).copied().collect();
        let lease = (!leased.is_empty()).then(|| {
            let who = key(&["run", &shared.run, identity]);
            Lease::new(shared.store.clone(), &leased, identity, (who, shared.weight, shared.strict), (width, batch))
        });
        let caps = (!capped.is_empty()).then(|| Caps::new(shared.store.clone(), counts_with, &capped));
        Permits { own: paced(&kept, rate), lease, caps, passed: None, all: quotas.to_vec() }
    }

    /// The run's own rate from now on, beside the account's limits, which it never loosens; `None` takes it away.
    pub fn set_own(&mut self, rate: Option<Quota>) {
        self.own.set_own(rate);
        self.passed = None;
    }

    /// The run's own rate.
    pub fn own(&self) -> Option<Quota> {
        self.own.own()
    }

    /// Whether an account with these limits shares any of them.
    pub fn are_shared(quotas: &[Quota]) -> bool {
        quotas.iter().any(|quota| quota.scope != Scope::Domain)
    }

    /// A permit of the domain and the address, or how long until there is one.
    ///
    /// # Errors
    /// The wait.
    pub fn admit(&mut self, address: &str) -> Result<(), Duration> {
        self.own.admit(address)
    }

    /// As [`Permits::admit`], for several that must go together.
    ///
    /// # Errors
    /// The longest wait of any of them.
    pub fn admit_all<'a>(&mut self, addresses: impl Iterator<Item = &'a str> + Clone) -> Result<(), Duration> {
        self.own.admit_all(addresses)
    }

    /// How many rows may be asked about at once with [`Permits::claim`]; 0 where nothing is counted over all runs.
    pub fn claims(&self) -> usize {
        match (&self.caps, &self.lease) {
            (None, _) => 0,
            (Some(_), Some(lease)) => lease.soon(),
            (Some(_), None) => usize::MAX,
        }
    }

    /// Asks for messages of these delivery ids to these addresses, with one look at what all runs share.
    pub fn claim(&mut self, asked: &[(&str, &str)]) -> Vec<Claim> {
        let (now, instant) = (Now::read(), Instant::now());
        let answers = match self.caps.as_mut().map(|caps| caps.claim(asked, now.wall)) {
            Some(Ok(answers)) => answers,
            None => return vec![Claim::May(instant); asked.len()],
            Some(Err(error)) if lease::is_busy(&error) => {
                return vec![Claim::Not(instant + Duration::from_millis(5)); asked.len()];
            }
            Some(Err(error)) => {
                self.go_alone(&error);
                return vec![Claim::May(instant); asked.len()];
            }
        };
        answers.into_iter().map(|wait| wait.map_or(Claim::May(instant), |wait| Claim::Not(instant + wait))).collect()
    }

    /// The account's permit for a request, and for so many deliveries in it (fewer, where a limit allows fewer at once); or how long
    /// until there is one. `least`: no fewer than so many can go. `demand`: what else wants to go.
    ///
    /// # Errors
    /// The wait.
    pub fn ready(&mut self, deliveries: usize, least: usize, demand: Demand) -> Result<(usize, Permit), Duration> {
        let passed = match self.passed {
            Some(passed) => passed.min(deliveries),
            None => self.own.ready(deliveries)?,
        };
        self.passed = Some(passed);
        let count = |deliveries: usize| u32::try_from(deliveries).unwrap_or(u32::MAX);
        // Where a limit of the run lets fewer go, they go: it was not made for what must go together.
        let (wanted, least) = (count(passed.max(least)), count(least));
        let permit = match self.lease.as_mut().map(|lease| lease.take(wanted, least, demand, Now::read())) {
            None => Permit { slot: None, deliveries: wanted, missed: 0 },
            Some(Ok((deliveries, slot))) => Permit { slot: Some(slot), deliveries, missed: 0 },
            Some(Err(Refused::Wait(wait))) => return Err(wait),
            Some(Err(Refused::Broken(error))) => {
                self.go_alone(&error);
                return self.ready(deliveries, least as usize, demand);
            }
        };
        self.passed = None;
        Ok((permit.deliveries as usize, permit))
    }

    /// Between when a request with this permit may be on its way; `None`: at any time. Where its slot is over, it gets the next one.
    pub fn leaves(&mut self, permit: &mut Permit) -> Option<Leaves> {
        let (slot, now) = (permit.slot?, Now::read());
        if now.mono > slot.until {
            permit.slot =
                self.lease.as_mut().filter(|_| permit.missed < PATIENT).map(|lease| lease.again(permit.deliveries, now));
            permit.missed += 1;
        }
        let slot = permit.slot?;
        let from = |at: Nanos| Duration::from_nanos((at - now.mono).clamp(0, LONGEST).unsigned_abs());
        let instant = Instant::now();
        Some(Leaves { at: instant + from(slot.at), until: instant + from(slot.until.min(Nanos::MAX / 2)) })
    }

    /// The long limit that is used up, if that is what was told to wait for.
    pub fn used_up(&self) -> Option<Quota> {
        self.lease.as_ref().and_then(Lease::used_up)
    }

    /// The limit of what an address may have that made the last one wait.
    pub fn capped(&self) -> Option<Quota> {
        self.caps.as_ref().and_then(Caps::refused)
    }

    /// Whether it still shares what it shared.
    fn go_alone(&mut self, error: &rusqlite::Error) {
        tracing::warn!(%error, "limits are not shared with other runs: this one goes on by its own pace");
        let all = std::mem::take(&mut self.all);
        *self = Permits::alone(&all, self.own.own());
    }
}

fn paced(quotas: &[Quota], rate: Option<Quota>) -> Pace {
    let mut pace = Pace::new(quotas);
    pace.set_own(rate);
    pace
}
