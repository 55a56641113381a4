//! What a run would be before anything is sent: rows, requests, the limit that decides, how long, what it costs.
//!
//! `census` counts rows while they are checked, `time` says how long limits make it, `words` tells it. The question before sending and
//! `notify plan` tell the same numbers. What is estimated is called so: how fast a service answers is not known before the first send.

use std::time::Duration;

use jiff::{Timestamp, Zoned};

use crate::account::Account;
use crate::cost::{Bill, Cost, Currency, Money};
use crate::limit::{Scope, Unit};
use crate::plan::census::Tally;
use crate::plan::time::Load;

use crate::schedule::Timetable;

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
    /// The plan of a run that is made `now` and leaves by this timetable; `cost` knows what accounts charge.
    pub fn new<'c>(
        counts: Counts,
        census: Census,
        accounts: &[Account],
        cost: impl Fn(&str) -> Option<&'c Cost>,
        timetable: &Timetable,
        now: &Zoned,
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
        let after = |from: Timestamp, time: Duration| leaves(timetable, from, time).to_zoned(now.time_zone().clone());
        let first = after(now.timestamp(), Duration::ZERO);
        let mut goes_on: Vec<Zoned> = Vec::new();
        for (waits, window) in parts.iter().filter_map(|part| part.waits) {
            goes_on.extend((1..=waits.min(DATES)).map(|wait| {
                let next = first.timestamp().checked_add(window.saturating_mul(u32::try_from(wait).unwrap_or(u32::MAX)));
                after(next.unwrap_or(Timestamp::MAX), Duration::ZERO)
            }));
        }
        goes_on.sort();
        goes_on.dedup();
        goes_on.truncate(DATES as usize);
        Plan {
            counts,
            accounts: parts,
            domains,
            other_domains,
            slowest,
            lasts,
            last: after(first.timestamp(), lasts),
            first,
            goes_on,
            bill,
        }
    }

    /// Accounts that have rows and do not say what these cost.
    pub fn unpriced(&self) -> impl Iterator<Item = &Part> {
        self.accounts.iter().filter(|part| part.cost.is_none() && !part.harmless)
    }
}

/// When work that takes so long is done, if it goes on only while the timetable lets it.
fn leaves(timetable: &Timetable, from: Timestamp, work: Duration) -> Timestamp {
    let (mut time, mut left) = (from, work);
    // A window a day for three years; what is later is as good as never.
    for _ in 0..2000 {
        if let Some((opens, _)) = timetable.closed(time).filter(|(opens, _)| *opens > time) {
            time = opens;
            continue;
        }
        let open = timetable.stands_until(time).and_then(|until| Duration::try_from(until.duration_since(time)).ok());
        match open.filter(|open| *open < left && !open.is_zero()) {
            None => return time.checked_add(left).unwrap_or(time),
            Some(open) => {
                left -= open;
                time = time.checked_add(open).unwrap_or(time);
            }
        }
    }
    time
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    #[test]
    fn work_goes_on_while_windows_are_open() {
        let word = |text: &str| Some(text.to_owned());
        // 2026-03-06 is a Friday.
        let now: Timestamp = "2026-03-06T16:00:00Z".parse().unwrap();
        let leaves = |at: Option<&str>, window: Option<&str>, hours: u64| {
            let schedule =
                Schedule { at: at.and_then(word), window: window.and_then(word), tz: word("UTC"), ..Schedule::default() };
            let timetable = Timetable::open(&schedule, now, &[]).unwrap();
            leaves(&timetable, now, Duration::from_secs(hours * 3600)).to_string()
        };
        assert_eq!(leaves(None, None, 30), "2026-03-07T22:00:00Z");
        assert_eq!(leaves(Some("2026-03-07T01:00:00Z"), None, 2), "2026-03-07T03:00:00Z");
        let days = Some("Mon-Fri 08:00-18:00");
        assert_eq!(leaves(None, days, 1), "2026-03-06T17:00:00Z");
        // Two hours on Friday, ten on Monday, one on Tuesday.
        assert_eq!(leaves(None, days, 13), "2026-03-10T09:00:00Z");
    }
}
