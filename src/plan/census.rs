//! What a list comes to, counted row by row while it is checked: rows, requests, domains, parts of SMS, files.
//!
//! Invariant: memory does not grow with the rows. Domains and addresses are counted as `crowd` does it, requests as `gathering`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::account::Account;
use crate::lane::Ready;
use crate::limit::{Quota, Scope, pace};
use crate::message::{Content, Message};
use crate::plan::crowd::Crowd;
use crate::plan::gathering::Gathering;
use crate::platform::Sms;
use crate::route;

/// What was counted.
#[derive(Debug, Default)]
pub struct Census {
    pub(super) accounts: BTreeMap<usize, Tally>,
    /// Rows by the domain of their address.
    pub(super) domains: Crowd<String>,
}

/// The same of one account.
#[derive(Debug)]
pub struct Tally {
    pub(super) rows: u64,
    pub(super) gathering: Gathering,
    pub(super) sms: SmsTally,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// For each limit of domains or addresses, who has how many.
    pub(super) each: Vec<(Quota, Crowd<u64>)>,
}

/// Rows of an account that are SMS.
#[derive(Debug, Default)]
pub struct SmsTally {
    /// Rows by alphabet and number of parts.
    pub by: BTreeMap<(&'static str, usize), u64>,
    /// Rows whose text the service itself makes, from a template that only it knows.
    pub unknown: u64,
}

impl SmsTally {
    /// Parts of all rows; one for each row of which more is not known.
    pub fn parts(&self) -> u64 {
        self.by.iter().map(|((_, parts), rows)| *parts as u64 * rows).sum::<u64>() + self.unknown
    }
}

impl Tally {
    fn new(account: &Account) -> Self {
        let each = account.quotas.iter().filter(|quota| quota.scope != Scope::Account);
        Tally {
            rows: 0,
            gathering: Gathering::new(account.batch, account.platform.most_bytes()),
            sms: SmsTally::default(),
            files: 0,
            bytes: 0,
            each: each.map(|quota| (*quota, Crowd::default())).collect(),
        }
    }

    fn add(&mut self, account: &Account, ready: &Ready) {
        let to = ready.delivery.envelope.to.as_str();
        let message = &ready.delivery.message;
        self.rows += 1;
        self.gathering.add(ready.share);
        match account.platform.sms(message) {
            None => {}
            Some(Sms::Unknown) => self.sms.unknown += 1,
            Some(Sms::Parts { alphabet, parts }) => *self.sms.by.entry((alphabet, parts)).or_default() += 1,
        }
        let (files, bytes) = attached(message);
        self.files += files;
        self.bytes = self.bytes.saturating_add(bytes);
        for (quota, crowd) in &mut self.each {
            match quota.scope {
                Scope::Domain => crowd.add(&hash(&pace::domain_of(to).to_ascii_lowercase())),
                _ if quota.concerns(to) => crowd.add(&hash(&to.to_ascii_lowercase())),
                _ => {}
            }
        }
    }

    /// Parts of SMS, or messages where these are none.
    pub(super) fn parts(&self) -> u64 {
        let told = self.sms.by.values().sum::<u64>() + self.sms.unknown;
        self.sms.parts() + (self.rows - told.min(self.rows))
    }
}

/// An address may be a credential, and is longer than its hash.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn attached(message: &Message) -> (u64, u64) {
    let bytes = message.attachments.iter().map(|file| match &file.content {
        Content::Shared(bytes) => bytes.len() as u64,
        Content::File { len, .. } => *len,
    });
    (message.attachments.len() as u64, bytes.fold(0, u64::saturating_add))
}

/// The domain of a mail address or the host of an URL; other addresses have none, and may not be shown.
fn domain(to: &str) -> Option<String> {
    if let Some((_, rest)) = to.split_once("://") {
        let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
        return (!host.is_empty()).then(|| host.to_ascii_lowercase());
    }
    let (_, domain) = to.rsplit_once('@')?;
    (!domain.is_empty() && domain.contains('.')).then(|| domain.trim_end_matches('.').to_ascii_lowercase())
}

impl Census {
    /// Counts a row that can go. A row of a pool counts for the account that would take it if none were held up.
    pub fn add(&mut self, ready: &Ready, accounts: &[Account]) {
        let to = ready.delivery.envelope.to.as_str();
        let index = match &ready.pool {
            Some(members) => {
                let load = |member| {
                    self.accounts.get(&member).map_or(0, |tally| usize::try_from(tally.rows).unwrap_or(usize::MAX / 256))
                };
                route::choose(members, accounts, to, load, |_| false)
            }
            None => ready.account,
        };
        let Some(account) = accounts.get(index) else { return };
        self.accounts.entry(index).or_insert_with(|| Tally::new(account)).add(account, ready);
        if let Some(domain) = domain(to) {
            self.domains.add(domain.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_domains_and_hosts_are_told_of_addresses() {
        for (to, told) in [
            ("Bob@Example.COM", Some("example.com")),
            ("a@b@x.example.", Some("x.example")),
            ("https://u:p@Hooks.example:8443/s3cret?k=1", Some("hooks.example:8443")),
            ("+8613900000000", None),
            ("ou_7d8a6e6df7621556ce0d21922b676706ccs", None),
            ("@channel", None),
            ("https://", None),
        ] {
            assert_eq!(domain(to).as_deref(), told, "{to}");
        }
    }
}
