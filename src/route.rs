//! Where a row may go: one account, any of a pool, or one after the other until the first that sends.
//!
//! A pool is several accounts of one kind under one name. A recipient stays with its account as long as that is not overrun:
//! rendezvous hashing with a bound on the load ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup, Zadimoghaddam 2016), so
//! that nothing need be remembered per recipient, and a blocked account's share goes to the others and comes back afterwards.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::account::Account;
use crate::recipient::{Address, Addressing, Recipient};

/// Parts the accounts of an ordered fallback: `--via 'feishu>sms>email'`.
pub const THEN: char = '>';

/// How much more than its even share of the load an account of a pool may have before the next one takes over.
const BOUND: f64 = 1.25;
/// So little waiting is no load at all: a recipient stays with its account.
const LITTLE: usize = 8;

/// One step of a route: any of these accounts, by their index.
#[derive(Debug, Clone)]
pub struct Stage {
    /// At least one; several are a pool.
    pub members: Arc<[usize]>,
    /// Where a row has the address for it.
    pub addressing: Addressing,
}

/// The steps, in the order in which they are tried.
#[derive(Debug, Clone)]
pub struct Route {
    /// At least one.
    pub stages: Vec<Stage>,
}

impl Route {
    /// One account alone.
    pub fn single(account: usize, addressing: Addressing) -> Self {
        Route { stages: vec![Stage { members: Arc::from([account]), addressing }] }
    }

    /// The step that this account belongs to.
    pub fn stage_of(&self, account: usize) -> Option<usize> {
        self.stages.iter().position(|stage| stage.members.contains(&account))
    }

    /// The address that the row has for this step; `None` where it has none. On a route of one step it is the row's own.
    pub fn address(&self, stage: usize, recipient: &Recipient) -> Option<Address> {
        if self.stages.len() == 1 {
            return Some(recipient.to.clone());
        }
        let addressing = &self.stages.get(stage)?.addressing;
        let cell = |column: &String| {
            let (_, value) = recipient.vars.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(column))?;
            let text = match value {
                serde_json::Value::String(text) => text.trim().to_owned(),
                serde_json::Value::Number(number) => number.to_string(),
                _ => return None,
            };
            (!text.is_empty()).then(|| Address(Arc::from(text)))
        };
        let named = addressing.columns.iter().find_map(cell);
        named.or_else(|| addressing.fixed.as_deref().map(Address::from))
    }

    /// The steps after this account's that the row has an address for, first the next.
    pub fn after(&self, account: usize, recipient: &Recipient) -> Option<usize> {
        let from = self.stage_of(account)? + 1;
        let next = (from..self.stages.len()).find(|stage| self.address(*stage, recipient).is_some())?;
        self.stages[next].members.first().copied()
    }
}

/// Which account of a pool takes a delivery. `load` is what waits for an account or is in flight, `blocked` that it stopped or rests.
pub fn choose(
    members: &[usize],
    accounts: &[Account],
    key: &str,
    load: impl Fn(usize) -> usize,
    blocked: impl Fn(usize) -> bool,
) -> usize {
    let score = |member: usize| {
        let mut hasher = DefaultHasher::new();
        (&*accounts[member].name, key).hash(&mut hasher);
        hasher.finish()
    };
    let mut ranked: Vec<usize> = members.to_vec();
    ranked.sort_by_key(|member| std::cmp::Reverse(score(*member)));
    let going: Vec<usize> = ranked.iter().copied().filter(|member| !blocked(*member)).collect();
    let of = if going.is_empty() { &ranked } else { &going };
    let total: usize = of.iter().map(|member| load(*member)).sum();
    let most = (((total + 1) as f64 / of.len().max(1) as f64 * BOUND).ceil() as usize).max(LITTLE);
    let fits = of.iter().copied().find(|member| load(*member) < most);
    fits.or_else(|| of.iter().copied().min_by_key(|member| load(*member))).unwrap_or_default()
}
