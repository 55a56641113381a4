//! A pool: several accounts of one platform under one name. It sends nothing itself; the flow shares its rows out among its accounts.

use crate::config::account::AccountConfig;
use crate::problem::Problem;

/// `platform:` of such an account.
pub const NAME: &str = "pool";

/// Accounts of one pool, at most: every one is opened.
const MOST: usize = 200;

#[derive(serde::Deserialize)]
struct Settings {
    of: Vec<String>,
}

/// The names of its accounts.
///
/// # Errors
/// A pool of nobody, an account twice, a limit that belongs to the accounts themselves.
pub fn members(account: &AccountConfig) -> Result<Vec<String>, Problem> {
    let wrong = |what: &str, help: &str| {
        let what = format!("account {}: {what}", account.name);
        Err(Problem { what, help: Some(help.to_owned()), ..Problem::default() })
    };
    let Settings { of } = account.settings(&["of"])?;
    if of.is_empty() || of.len() > MOST {
        return wrong(&format!("`of` names {} accounts; a pool has 1 to {MOST}", of.len()), "write of: [one, two]");
    }
    if let Some(twice) = of.iter().enumerate().find(|(at, name)| of[..*at].contains(name)) {
        return wrong(&format!("`of` names {} twice", twice.1), "name each account once");
    }
    if account.limits.is_some() || account.concurrency.is_some() {
        return wrong("a pool has no limits and no concurrency of its own", "say them at its accounts: each keeps its own");
    }
    Ok(of)
}

/// An account that `of` names is not there.
pub fn lacks(account: &AccountConfig, name: &str, problem: Problem) -> Problem {
    let what = format!("account {}: `of` names {name}, and there is no such account", account.name);
    Problem { what, help: problem.help, ..Problem::default() }
}

/// Whether the accounts can stand for each other.
///
/// # Errors
/// Accounts of different platforms, a pool in a pool.
pub fn agree(account: &AccountConfig, members: &[&AccountConfig]) -> Result<(), Problem> {
    let wrong = |what: String| Err(Problem { what: format!("account {}: {what}", account.name), ..Problem::default() });
    if let Some(inner) = members.iter().find(|member| member.platform == NAME) {
        return wrong(format!("`of` names {}, which is a pool itself: name its accounts", inner.name));
    }
    let Some((first, others)) = members.split_first() else { return Ok(()) };
    match others.iter().find(|other| other.platform != first.platform) {
        None => Ok(()),
        Some(other) => wrong(format!(
            "`of` mixes platforms: {} is {}, {} is {}; a pool is of one kind (for one after the other: --via '{}>{}')",
            first.name, first.platform, other.name, other.platform, first.name, other.name
        )),
    }
}
