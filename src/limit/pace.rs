//! Who keeps the quotas of one process: governor paces each window of an account, and a gate asks several windows for one delivery;
//! domains and addresses have slots of their own.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};

use super::quota::{Quota, Scope, Unit};
use super::rolling::Rolling;
use super::slots::{self, Nanos, Slots};

/// The monotonic clock of the runtime, which tests can pause.
#[derive(Debug, Clone, Default)]
pub struct RunClock;

impl Clock for RunClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        tokio::time::Instant::now().into_std()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, RunClock, NoOpMiddleware<std::time::Instant>>;

/// One window.
#[derive(Debug)]
enum Window {
    /// Up to a minute: spread out evenly, with its burst.
    Even(Box<Limiter>, NonZeroU32),
    /// Longer: as fast as the others allow, until it is used up.
    Rolling(Rolling),
}

impl Window {
    /// Takes permits, as many as wanted but no more than its burst; or how long until there are any.
    fn take(&mut self, wanted: u32) -> Result<u32, Duration> {
        match self {
            Window::Even(window, burst) => {
                let wanted = wanted.min(burst.get());
                match window.check_n(NonZeroU32::new(wanted).unwrap_or(NonZeroU32::MIN)) {
                    Ok(Ok(())) => Ok(wanted),
                    // A timer may fire up to a millisecond early; asking too soon would only cost another round.
                    Ok(Err(not_until)) => Err(not_until.wait_time_from(RunClock.now()).max(Duration::from_micros(100))),
                    // Not more than the burst is ever asked for; should it be, one window less is better than a standstill.
                    Err(_) => Ok(wanted),
                }
            }
            Window::Rolling(window) => window.take(wanted, RunClock.now()).map(|()| wanted),
        }
    }
}

/// Several windows that must all admit a delivery.
///
/// A permit that the first windows gave while a later one refused is kept for the next question, so that no window loses rate.
#[derive(Debug)]
struct Gate {
    windows: Vec<Window>,
    passed: usize,
    /// How many permits the passed windows gave.
    of: u32,
}

impl Gate {
    fn new(quotas: &[Quota]) -> Self {
        let mut quotas = quotas.to_vec();
        quotas.sort_by_key(Quota::interval);
        let windows = quotas.iter().filter_map(window).collect();
        Gate { windows, passed: 0, of: 0 }
    }

    /// Permits for so many at once, or for fewer where the first windows gave fewer before; or how long until there are any. More
    /// than a window's burst is asked for as the burst.
    fn admit(&mut self, count: u32) -> Result<u32, Duration> {
        let mut wanted = if self.passed > 0 { count.min(self.of) } else { count };
        while let Some(window) = self.windows.get_mut(self.passed) {
            wanted = window.take(wanted)?;
            self.passed += 1;
            self.of = wanted;
        }
        self.passed = 0;
        Ok(wanted)
    }
}

fn window(quota: &Quota) -> Option<Window> {
    if quota.rolls() {
        return Some(Window::Rolling(Rolling::new(quota.count.get(), quota.period, RunClock.now())));
    }
    let rate = Rate::with_period(quota.interval())?.allow_burst(quota.burst);
    Some(Window::Even(Box::new(RateLimiter::direct_with_clock(rate, RunClock)), quota.burst))
}

/// The windows of one domain or address: asked first and taken afterwards, so that nobody takes a permit that another window makes void.
#[derive(Debug)]
struct Cell {
    slots: Vec<Slots>,
    next: Vec<Nanos>,
    long: Vec<Rolling>,
    used: std::time::Instant,
}

impl Cell {
    fn new(quotas: &[Quota], key: &str) -> Self {
        let concerned = || quotas.iter().filter(|quota| quota.concerns(key));
        let slots: Vec<Slots> = concerned().filter(|quota| !quota.rolls()).map(Slots::of).collect();
        let now = RunClock.now();
        let long = concerned().filter(|quota| quota.rolls()).map(|quota| Rolling::new(quota.count.get(), quota.period, now));
        Cell { next: vec![Nanos::MIN / 2; slots.len()], slots, long: long.collect(), used: now }
    }

    /// How long until one may go; `None`: now.
    fn wait(&mut self, start: std::time::Instant) -> Option<Duration> {
        let now = RunClock.now();
        let since = nanos(now.duration_since(start));
        let at = slots::take(&self.slots, &mut self.next.clone(), NonZeroU32::MIN, since, 0).at;
        let even = (at > since).then(|| Duration::from_nanos((at - since).unsigned_abs()).max(Duration::from_micros(100)));
        self.long.iter_mut().filter_map(|window| window.wait(1, now)).chain(even).max()
    }

    fn take(&mut self, start: std::time::Instant) {
        let now = RunClock.now();
        slots::take(&self.slots, &mut self.next, NonZeroU32::MIN, nanos(now.duration_since(start)), 0);
        for window in &mut self.long {
            let _ = window.take(1, now);
        }
        self.used = now;
    }
}

fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX / 2)
}

/// The pace of one account in one process: its own windows, and those of every domain and address it sends to.
#[derive(Debug)]
pub struct Pace {
    account: Gate,
    requests: Gate,
    /// The run's own pace (`--rate`), which may be another from one moment to the next.
    own: Option<(Quota, Gate)>,
    /// Permits of it that no delivery has used yet.
    spare: usize,
    /// The request has its permit, its deliveries have not.
    asked: bool,
    domain: Vec<Quota>,
    address: Vec<Quota>,
    /// Bounded by pruning: a gate that has been idle for longer than its windows remembers nothing.
    keyed: HashMap<(Scope, String), Cell>,
    prune_at: usize,
    start: std::time::Instant,
}

impl Pace {
    /// Keeps these quotas.
    pub fn new(quotas: &[Quota]) -> Self {
        let of = |scope| quotas.iter().filter(|q| q.scope == scope).copied().collect::<Vec<_>>();
        let (requests, deliveries): (Vec<Quota>, Vec<Quota>) =
            of(Scope::Account).into_iter().partition(|quota| quota.of == Unit::Requests);
        Pace {
            account: Gate::new(&deliveries),
            requests: Gate::new(&requests),
            own: None,
            spare: 0,
            asked: false,
            domain: of(Scope::Domain),
            address: of(Scope::Address),
            keyed: HashMap::new(),
            prune_at: 4096,
            start: RunClock.now(),
        }
    }

    /// The run's own pace from now on, beside the quotas, which it never loosens; `None` takes it away.
    pub fn set_own(&mut self, rate: Option<Quota>) {
        self.own = rate.map(|rate| (rate, Gate::new(&[rate])));
        self.spare = 0;
    }

    /// The run's own pace.
    pub fn own(&self) -> Option<Quota> {
        self.own.as_ref().map(|(rate, _)| *rate)
    }

    /// The finest scope that has a quota of its own: what its lanes must be told apart by.
    pub fn finest(&self) -> Scope {
        match (self.address.is_empty(), self.domain.is_empty()) {
            (false, _) => Scope::Address,
            (true, false) => Scope::Domain,
            (true, true) => Scope::Account,
        }
    }

    /// A permit of the domain and the address, or how long until there is one. Neither gives one that the other makes void.
    ///
    /// # Errors
    /// The wait.
    pub fn admit(&mut self, address: &str) -> Result<(), Duration> {
        self.admit_all(std::iter::once(address))
    }

    /// As [`Pace::admit`], for several that must go together.
    ///
    /// # Errors
    /// The longest wait of any of them; then none of them has a permit.
    pub fn admit_all<'a>(&mut self, addresses: impl Iterator<Item = &'a str> + Clone) -> Result<(), Duration> {
        if self.domain.is_empty() && self.address.is_empty() {
            return Ok(());
        }
        let start = self.start;
        let waits: Vec<Duration> =
            addresses.clone().flat_map(|address| self.each(address, |cell| cell.wait(start))).flatten().collect();
        if let Some(wait) = waits.into_iter().max() {
            return Err(wait);
        }
        for address in addresses {
            self.each(address, |cell| cell.take(start));
        }
        if self.keyed.len() > self.prune_at {
            self.prune();
        }
        Ok(())
    }

    /// What the windows of this address and its domain say.
    fn each<T>(&mut self, address: &str, mut ask: impl FnMut(&mut Cell) -> T) -> Vec<T> {
        let mut told = Vec::with_capacity(2);
        for (quotas, scope, key) in [(&self.domain, Scope::Domain, domain_of(address)), (&self.address, Scope::Address, address)]
        {
            if !quotas.is_empty() {
                let id = (scope, key.to_ascii_lowercase());
                told.push(ask(self.keyed.entry(id).or_insert_with(|| Cell::new(quotas, key))));
            }
        }
        told
    }

    /// The account's permit for a request, and for so many deliveries in it (fewer, where its burst is smaller); or how long until
    /// there is one.
    pub fn ready(&mut self, deliveries: usize) -> Result<usize, Duration> {
        if !self.asked {
            self.requests.admit(1)?;
            self.asked = true;
        }
        let mut wanted = deliveries;
        if let Some((_, own)) = &mut self.own {
            if self.spare == 0 {
                self.spare = own.admit(u32::try_from(deliveries).unwrap_or(u32::MAX))? as usize;
            }
            wanted = wanted.min(self.spare);
        }
        let admitted = self.account.admit(u32::try_from(wanted).unwrap_or(u32::MAX))? as usize;
        self.spare = self.spare.saturating_sub(admitted);
        self.asked = false;
        Ok(admitted)
    }

    fn prune(&mut self) {
        let longest = self
            .domain
            .iter()
            .chain(&self.address)
            .map(|q| if q.rolls() { q.period } else { q.interval().saturating_mul(q.burst.max(NonZeroU32::MIN).get() + 1) })
            .max()
            .unwrap_or_default();
        let now = RunClock.now();
        self.keyed.retain(|_, cell| now.duration_since(cell.used) <= longest);
        self.prune_at = (self.keyed.len() * 2).max(4096);
    }
}

/// What stands behind the last `@`, or the whole address.
pub fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(all: &[(&str, Scope)]) -> Vec<Quota> {
        all.iter().map(|(text, scope)| Quota { scope: *scope, ..text.parse().unwrap() }).collect()
    }

    /// Sends as fast as the pace allows and tells the times in milliseconds.
    async fn drive(pace: &mut Pace, count: usize) -> Vec<u128> {
        let start = tokio::time::Instant::now();
        let mut times = Vec::new();
        while times.len() < count {
            match pace.ready(1) {
                Ok(_) => times.push(start.elapsed().as_millis()),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn two_windows_are_both_kept_and_both_used() {
        // A Feishu bot's own: 5 a second and 100 a minute, for 10,000 messages.
        let mut pace = Pace::new(&quotas(&[("5/s", Scope::Account), ("100/min", Scope::Account)]));
        let times = drive(&mut pace, 10_000).await;
        for (window, most) in [(1_000, 5 + 1), (60_000, 100 + 1)] {
            for (i, begin) in times.iter().enumerate() {
                let inside = times[i..].iter().take_while(|t| **t < begin + window).count();
                assert!(inside <= most, "{inside} in {window} ms from {begin}");
            }
        }
        // 9999 intervals of 600 ms: the longer window binds, and nothing of it is lost.
        let last = times[9_999] as f64;
        assert!(last <= 9_999.0 * 600.0 / 0.97, "took {last} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn the_runs_own_pace_may_change_and_never_loosens_a_quota() {
        let mut pace = Pace::new(&quotas(&[("10/s", Scope::Account)]));
        let took = |times: &[u128]| times[times.len() - 1] - times[0];
        pace.set_own(Some("2/s".parse().unwrap()));
        let slow = took(&drive(&mut pace, 11).await);
        assert!((4900..=5100).contains(&slow), "2/s: {slow} ms for 10");
        pace.set_own(Some("100/s".parse().unwrap()));
        let fast = took(&drive(&mut pace, 101).await);
        assert!((9900..=10_200).contains(&fast), "the quota of 10/s holds: {fast} ms for 100");
        pace.set_own(None);
        let bare = took(&drive(&mut pace, 101).await);
        assert!((9900..=10_200).contains(&bare), "{bare} ms for 100");
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_has_its_own_window() {
        let mut pace = Pace::new(&quotas(&[("1/s", Scope::Domain)]));
        assert!(pace.admit("a@one.example").is_ok());
        assert!(pace.admit("b@ONE.example").is_err());
        assert!(pace.admit("a@two.example").is_ok());
        tokio::time::sleep(Duration::from_millis(1_010)).await;
        assert!(pace.admit("b@one.example").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_permit_is_lost_to_another_window() {
        let mut pace = Pace::new(&quotas(&[("1/10s", Scope::Domain), ("1/min", Scope::Address)]));
        assert!(pace.admit("a@one.example").is_ok());
        tokio::time::sleep(Duration::from_millis(10_100)).await;
        assert!(pace.admit("a@one.example").is_err(), "its own minute is not over");
        assert!(pace.admit("b@one.example").is_ok(), "and the domain's permit is still there");
        tokio::time::sleep(Duration::from_secs(55)).await;
        let both = ["a@one.example", "b@one.example"];
        assert!(pace.admit_all(both.into_iter()).is_err(), "one of them must wait, so both do");
        assert!(pace.admit("a@one.example").is_ok(), "and none of them has a permit");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_of_groups_does_not_hold_people() {
        let groups = Quota { begins: Some('-'), ..quotas(&[("20/min", Scope::Address)])[0] };
        let all = quotas(&[("1/s", Scope::Address)])[0];
        let mut pace = Pace::new(&[all, groups]);
        let mut admitted = |address: &str| pace.admit(address).is_ok();
        assert!(admitted("-100") && admitted("100"));
        tokio::time::sleep(Duration::from_millis(1_010)).await;
        assert!(admitted("100"), "a person has one a second");
        assert!(!admitted("-100"), "a group has one in three");
        tokio::time::sleep(Duration::from_millis(2_030)).await;
        assert!(admitted("-100"));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_gates_are_forgotten() {
        let mut pace = Pace::new(&quotas(&[("1000/s", Scope::Address)]));
        for i in 0..20_000 {
            let _ = pace.admit(&format!("{i}@x.example"));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(pace.keyed.len() <= 8192, "{}", pace.keyed.len());
    }
}
