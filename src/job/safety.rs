//! The settings of time and safety: flags over config, and the policy that comes of them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::account::Account;
use crate::cli::safety::{GuardFlags, TimeFlags};
use crate::config::Config;
use crate::config::defaults::Defaults;
use crate::exit::{Exit, Failure};
use crate::policy::suppression::Suppression;
use crate::policy::{Allowed, Policy, Safeguards};
use crate::recipient::Address;
use crate::schedule::{Schedule, Timetable};

/// Keys of an account under which the place stands that its rows go to.
const PLACES: [&str; 6] = ["url", "webhook", "base", "endpoint", "server", "host"];

/// When rows leave: flags over config.
pub fn schedule(flags: &TimeFlags, defaults: &Defaults) -> Schedule {
    Schedule {
        at: flags.at.clone(),
        window: flags.window.clone().or_else(|| defaults.window.clone()),
        tz: flags.tz.clone().or_else(|| defaults.tz.clone()),
        tz_column: flags.tz_column.clone().or_else(|| defaults.tz_column.clone()),
        expires: flags.expires.or(defaults.expires),
    }
}

/// What a resumed run may be told anew.
pub fn amend(schedule: &mut Schedule, safeguards: &mut Safeguards, flags: &TimeFlags) {
    fn set<T: Clone>(slot: &mut Option<T>, flag: &Option<T>) {
        if flag.is_some() {
            slot.clone_from(flag);
        }
    }
    set(&mut schedule.at, &flags.at);
    set(&mut schedule.window, &flags.window);
    set(&mut schedule.tz, &flags.tz);
    set(&mut schedule.tz_column, &flags.tz_column);
    set(&mut schedule.expires, &flags.expires);
    safeguards.suppress_gone |= flags.suppress_gone;
}

/// What keeps a new run from harm: flags over config.
pub fn safeguards(guard: &GuardFlags, time: &TimeFlags, defaults: &Defaults) -> Safeguards {
    let allowed = if guard.allow_domain.is_empty() { defaults.allow_domain.clone() } else { Some(guard.allow_domain.clone()) };
    Safeguards {
        name: guard.name.clone(),
        redirect_to: guard.redirect_to.clone().or_else(|| defaults.redirect_to.clone()),
        allow_domains: allowed.unwrap_or_default(),
        suppress_gone: time.suppress_gone || defaults.suppress_gone.unwrap_or_default(),
    }
}

/// Makes the moment of `--at` one of the calendar, so that a resumed run has the same, and checks the rest before anything is read.
///
/// # Errors
/// A moment, a window, a zone or a domain that cannot be read: exit 2.
pub fn settle(schedule: &mut Schedule, safeguards: &Safeguards, now: Timestamp) -> Result<(), Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    Allowed::new(&safeguards.allow_domains).map_err(usage)?;
    if safeguards.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        return Err(usage("--name: the name is empty".to_owned()));
    }
    Timetable::open(schedule, now, &[]).map_err(usage)?;
    if let Some(at) = &mut schedule.at {
        let zone = schedule.tz.as_deref().map_or(Ok(jiff::tz::TimeZone::system()), crate::schedule::zone).map_err(usage)?;
        *at = crate::schedule::moment::parse(at, &zone, now).map_err(usage)?.to_string();
    }
    Ok(())
}

/// The policy of a run that began then, over a list with these columns. What other runs have sent is the caller's to add.
///
/// # Errors
/// The suppression list cannot be read (exit 4), or an account cannot send to where everything is to go (exit 2).
pub fn policy(
    config: &Config,
    schedule: &Schedule,
    safeguards: &Safeguards,
    accounts: &[Account],
    state_dir: &Path,
    begun: Timestamp,
    columns: &[String],
) -> Result<Policy, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    let suppression = Suppression::open(state_dir).map_err(|error| {
        let what = format!(
            "the suppression list cannot be read, so nothing is sent: {error}\n  --> {}",
            crate::state::store::path(state_dir).display()
        );
        Failure::new(Exit::BadConfig, what)
    })?;
    let redirect = safeguards.redirect_to.as_deref().map(Address::from);
    if let Some(to) = &redirect {
        for account in accounts {
            accepts(account, to)
                .map_err(|why| usage(format!("--redirect-to {}: account {} {why}", to.masked(), account.name)))?;
        }
    }
    let allowed = if safeguards.allow_domains.is_empty() {
        None
    } else {
        let mut allowed = Allowed::new(&safeguards.allow_domains).map_err(usage)?;
        for account in accounts {
            allowed.account(&account.name, &places(config, &account.name));
        }
        Some(allowed)
    };
    let timetable = Timetable::open(schedule, begun, columns).map_err(usage)?;
    Ok(Policy { timetable, suppression: Some(suppression), sent: None, redirect, allowed })
}

/// Whether messages of this account can all go there instead.
fn accepts(account: &Account, to: &Address) -> Result<(), String> {
    let capability = account.platform.capability();
    let lane = account.lane(to).map_err(|error| format!("cannot send there: {}", error.detail))?;
    // An account with a place of its own may not look at the address at all.
    let own = capability.addressing.fixed.as_deref().map(|fixed| account.lane(&Address::from(fixed)));
    match own {
        Some(Ok(own)) if own == lane && !capability.harmless => {
            Err("sends to a place of its own, whatever the address: choose another account with --via".to_owned())
        }
        _ => Ok(()),
    }
}

/// The URLs in the account's settings that say where its rows go, as far as they can be seen.
fn places(config: &Config, account: &Arc<str>) -> Vec<String> {
    let Ok(account) = config.account(account) else { return Vec::new() };
    let urls = PLACES.iter().filter_map(|key| account.settings.get(*key)?.as_str());
    urls.filter(|url| url.contains("://")).map(str::to_owned).collect()
}
