//! What a run would be before anything is sent: rows, requests, the limit that decides, how long, what it costs.
//!
//! `census` counts rows while they are checked, `time` says how long limits make it, `words` tells it. The question before sending and
//! `notify plan` tell the same numbers. What is estimated is called so: how fast a service answers is not known before the first send.

use std::time::Duration;

use jiff::Zoned;

use crate::account::Account;
use crate::cost::{Bill, Cost, Currency, Money};
use crate::limit::{Scope, Unit};
use crate::plan::census::Tally;
use crate::plan::time::Load;

pub use crate::plan::census::Census;

pub mod census;
mod crowd;
mod gathering;
mod time;
mod words;

/// How long a service takes to answer, where nobody knows better.
pub const LATENCY: Duration = Duration::from_millis(200);
/// Domains that are named.
const NAMED: usize = 10;
/// Dates at which a run goes on that are named.
const DATES: u64 = 31;

/// What a run would be.
#[derive(Debug)]
pub struct Plan {
    /// What checking found.
    pub counts: Counts,
    /// Each account that has rows, in the order of the run.
    pub accounts: Vec<Part>,
    /// Domains with most rows, and how many each has.
    pub domains: Vec<(String, u64)>,
    /// Rows of other domains, and how many of these there are; `None` where there are too many to tell.
    pub other_domains: (u64, Option<usize>),
    /// The account, by its place in `accounts`, that takes longest.
    pub slowest: Option<usize>,
    /// From the first start to the last.
    pub lasts: Duration,
    /// When it would begin.
    pub first: Zoned,
    /// When the last request would start.
    pub last: Zoned,
    /// When it goes on after limits of hours or days were used up; the first of them.
    pub goes_on: Vec<Zoned>,
    /// What it costs.
    pub bill: Bill,
}

/// The same of one account.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub account: String,
    /// Its platform.
    pub platform: String,
    /// It sends nothing to anyone.
    pub harmless: bool,
    /// Rows.
    pub rows: u64,
    /// Requests that carry them.
    pub requests: u64,
    /// Rows of a request: of the largest, and the most that are possible.
    pub per_request: (usize, usize),
    /// Its limits, as they are written.
    pub limits: Vec<String>,
    /// What decides how long it takes.
    pub binds: Binding,
    /// From the first start to the last.
    pub lasts: Duration,
    /// Windows of its longest limit that are used up and waited for, and how long each is.
    pub waits: Option<(u64, Duration)>,
    /// Rows that are SMS.
    pub sms: census::SmsTally,
    /// Files attached to its rows, and their bytes.
    pub attached: (u64, u64),
    /// What it costs; `None` where the account does not say.
    pub cost: Option<(Cost, Money)>,
}

/// What decides how long an account takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// This limit.
    Limit(String),
    /// So many requests at once, and how soon the service answers.
    Width(usize),
    /// Neither: all of it may leave at once.
    Nothing,
}

/// What checking a list found, beside the census.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Rows that can go.
    pub good: u64,
    /// Rows that cannot.
    pub bad: u64,
    /// Rows that policy leaves out.
    pub skipped: u64,
    /// Of those, the ones that were sent before.
    pub already: u64,
    /// Of those, the ones whose address is suppressed.
    pub suppressed: u64,
}

impl Plan {
    /// The plan of a run that begins at `start`; `cost` knows what accounts charge.
    pub fn new<'c>(
        counts: Counts,
        census: Census,
        accounts: &[Account],
        cost: impl Fn(&str) -> Option<&'c Cost>,
        start: Zoned,
    ) -> Plan {
        let (domains, all) = (census.domains.top(NAMED), &census.domains);
        let named: u64 = domains.iter().map(|(_, rows)| rows).sum();
        let others = all.exact().then(|| all.names().saturating_sub(domains.len()));
        let other_domains = (all.seen() - named, others);
        let mut parts: Vec<Part> = Vec::with_capacity(census.accounts.len());
        for (index, tally) in census.accounts {
            parts.extend(accounts.get(index).map(|account| part(account, tally, cost(&account.name))));
        }
        let mut bill = Bill::new();
        for (cost, money) in parts.iter().filter_map(|part| part.cost.as_ref()) {
            let sum: &mut Money = bill.entry(Currency::clone(&cost.currency)).or_default();
            *sum = sum.and(*money);
        }
        // The first of several that take equally long.
        let slowest = (0..parts.len()).rev().max_by_key(|at| parts[*at].lasts);
        let lasts = slowest.map(|at| parts[at].lasts).unwrap_or_default();
        let later = |time: Duration| start.checked_add(time).unwrap_or_else(|_| start.clone());
        let mut goes_on: Vec<Zoned> = Vec::new();
        for (waits, window) in parts.iter().filter_map(|part| part.waits) {
            goes_on
                .extend((1..=waits.min(DATES)).map(|wait| later(window.saturating_mul(u32::try_from(wait).unwrap_or(u32::MAX)))));
        }
        goes_on.sort();
        goes_on.dedup();
        goes_on.truncate(DATES as usize);
        Plan { counts, accounts: parts, domains, other_domains, slowest, lasts, last: later(lasts), first: start, goes_on, bill }
    }

    /// Accounts that have rows and do not say what these cost.
    pub fn unpriced(&self) -> impl Iterator<Item = &Part> {
        self.accounts.iter().filter(|part| part.cost.is_none() && !part.harmless)
    }
}

fn part(account: &Account, tally: Tally, cost: Option<&Cost>) -> Part {
    let requests = tally.gathering.requests();
    let mut each = tally.each.iter();
    let loads = account.quotas.iter().map(|quota| {
        let count = match (quota.scope, quota.of) {
            (Scope::Account, Unit::Deliveries) => tally.rows,
            (Scope::Account, Unit::Requests) => requests,
            // In the order of the limits; the one that has most decides.
            _ => each.next().map_or(0, |(_, crowd)| crowd.largest()),
        };
        Load { quota: *quota, count }
    });
    let loads: Vec<Load> = loads.collect();
    let limited = time::together(&loads);
    let harmless = account.platform.capability().harmless;
    let rounds = requests.saturating_sub(1) / account.width.max(1) as u64;
    let answered = if harmless { Duration::ZERO } else { LATENCY.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)) };
    let longest = loads.iter().rev().max_by_key(|load| load.alone()).filter(|load| !load.alone().is_zero());
    let binds = match longest {
        Some(load) if limited >= answered => Binding::Limit(load.quota.to_string()),
        _ if answered.is_zero() => Binding::Nothing,
        _ => Binding::Width(account.width),
    };
    let waits = loads.iter().filter(|load| load.waits() > 0).max_by_key(|load| load.alone());
    Part {
        account: account.name.to_string(),
        platform: account.kind.clone(),
        harmless,
        rows: tally.rows,
        requests,
        per_request: (tally.gathering.largest(), account.batch.max(1)),
        limits: account.quotas.iter().map(ToString::to_string).collect(),
        binds,
        lasts: limited.max(answered),
        waits: waits.map(|load| (load.waits(), load.quota.period)),
        cost: cost.map(|cost| (cost.clone(), cost.of(tally.rows, tally.parts()))),
        attached: (tally.files, tally.bytes),
        sms: tally.sms,
    }
}
