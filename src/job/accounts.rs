//! What `--via` and `_via` name, opened: an account, a pool of them, or one after the other.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::account::Account;
use crate::config::Config;
use crate::config::account::AccountConfig;
use crate::exit::{Exit, Failure};
use crate::limit::Quota;
use crate::platform::{Opening, pool, registry};
use crate::problem::Problem;
use crate::recipient::Addressing;
use crate::route::{Route, Stage, THEN};

/// Opens the accounts that the run uses, its own first. `rate` and `most` are `--rate` and `-b`.
///
/// # Errors
/// A setting or a secret: exit 4.
pub fn open_accounts(
    config: &Config,
    names: &[String],
    opening: &Opening,
    rate: Option<Quota>,
    most: Option<NonZeroUsize>,
) -> Result<Opened, Failure> {
    let mut opened = Opened::default();
    for name in names {
        let mut stages = Vec::new();
        for step in steps(name) {
            let mut members = Vec::new();
            for account in members_of(config, step)? {
                let at = match opened.accounts.iter().position(|known| known.name == account.name) {
                    Some(at) => at,
                    None => {
                        let new = Account::open(account, opening, rate, most)
                            .map_err(|problem| Failure::new(Exit::BadConfig, config.locate(account, problem)))?;
                        opened.accounts.push(new);
                        opened.accounts.len() - 1
                    }
                };
                members.push(at);
            }
            let addressing = opened.accounts[members[0]].platform.capability().addressing.clone();
            stages.push(Stage { members: members.into(), addressing });
        }
        opened.routes.insert(Arc::from(name.as_str()), Route { stages });
    }
    Ok(opened)
}

/// The accounts of a run, and what `--via` and `_via` call them.
#[derive(Debug, Default)]
pub struct Opened {
    /// The run's own first.
    pub accounts: Vec<Account>,
    /// By the name of an account, a pool, or an ordered fallback.
    pub routes: HashMap<Arc<str>, Route>,
}

/// The steps of `a>b>c`; one for a name alone.
fn steps(via: &str) -> impl Iterator<Item = &str> {
    via.split(THEN).map(str::trim)
}

/// The account, or those of the pool, of that name.
pub(crate) fn members_of<'a>(config: &'a Config, name: &str) -> Result<Vec<&'a AccountConfig>, Failure> {
    let bad = |problem: Problem| Failure::new(Exit::BadConfig, problem);
    let account = config.account(name).map_err(bad)?;
    if account.platform != pool::NAME {
        return Ok(vec![account]);
    }
    let at = |problem| bad(config.locate(account, problem));
    let names = pool::members(account).map_err(at)?;
    let mut members: Vec<&AccountConfig> = Vec::with_capacity(names.len());
    for member in &names {
        let found = config.account(member).map_err(|problem| at(pool::lacks(account, member, problem)))?;
        members.push(found);
    }
    pool::agree(account, &members).map_err(at)?;
    Ok(members)
}

/// Where the rows of an account, a pool or an ordered fallback have their addresses; no secret is resolved for it.
pub(crate) fn addressing_of(config: &Config, via: &str) -> Result<Addressing, Failure> {
    let mut all: Option<Addressing> = None;
    for step in steps(via) {
        let first = members_of(config, step)?[0];
        let bad = |problem| Failure::new(Exit::BadConfig, config.locate(first, problem));
        let found = registry::addressing(first, &config.definitions).map_err(bad)?;
        all = Some(match all {
            None => found,
            Some(mut all) => {
                let new: Vec<String> = found.columns.into_iter().filter(|column| !all.columns.contains(column)).collect();
                all.columns.extend(new);
                // What is true of one step only is asked when that step's turn comes.
                Addressing {
                    fixed: all.fixed.or(found.fixed),
                    phone: false,
                    fold_case: all.fold_case && found.fold_case,
                    secret: all.secret || found.secret,
                    any: true,
                    ..all
                }
            }
        });
    }
    all.ok_or_else(|| Failure::new(Exit::Usage, "--via names no account"))
}
