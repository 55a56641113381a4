//! What an address may have at most, counted over all runs and processes: `{ rate: 10/1d, per: address }`.
//!
//! A claim belongs to a delivery: asked for again, after a retry or a kill, it counts once. What was tried counts, whether or not it
//! arrived. Many are asked for with one look, so that a row costs a few microseconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::limit::Quota;
use crate::state::pace::{Key, PaceStore, key};

/// Between a claim and the wire: so much longer than its period a window is kept.
const WAY: i64 = 150;

/// The limits per address of one account, or of all of its kind.
#[derive(Debug)]
pub(crate) struct Caps {
    store: Arc<Mutex<PaceStore>>,
    /// Who counts together.
    with: String,
    quotas: Vec<Quota>,
    refused: Option<Quota>,
}

impl Caps {
    pub(crate) fn new(store: Arc<Mutex<PaceStore>>, with: &str, quotas: &[Quota]) -> Self {
        Caps { store, with: with.to_owned(), quotas: quotas.to_vec(), refused: None }
    }

    /// The limit that refused last.
    pub(crate) fn refused(&self) -> Option<Quota> {
        self.refused
    }

    /// For each address and delivery id: the wait, if there is one. Those without have their claim.
    pub(crate) fn claim(&mut self, asked: &[(&str, &str)], wall: i64) -> rusqlite::Result<Vec<Option<Duration>>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = store.begin()?;
        let mut answers = Vec::with_capacity(asked.len());
        for (address, delivery) in asked {
            let (whose, who) = (self.whose(address), key(&["delivery", delivery]));
            let (mut wait, mut longest) = (0, 0);
            for quota in self.quotas.iter().filter(|quota| quota.concerns(address)) {
                let period = i64::try_from(quota.period.as_millis()).unwrap_or(i64::MAX / 4) + WAY;
                longest = longest.max(period);
                if let Some(at) = ledger.had(&whose, &who, wall - period, quota.count.get() - 1)? {
                    let until = at + period - wall;
                    if until > wait {
                        (wait, self.refused) = (until, Some(*quota));
                    }
                }
            }
            if wait == 0 && longest > 0 {
                ledger.claim(&whose, &who, wall, wall + longest)?;
            }
            answers.push((wait > 0).then(|| Duration::from_millis(wait.unsigned_abs())));
        }
        ledger.sweep(wall)?;
        ledger.end()?;
        Ok(answers)
    }

    /// A hash: an address may be a credential, and says who a person is.
    fn whose(&self, address: &str) -> Key {
        key(&["cap", &self.with, &address.to_lowercase()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Scope;

    const HOUR: i64 = 3_600_000;

    fn caps(folder: &std::path::Path) -> Caps {
        let quota = |text: &str| Quota { scope: Scope::Address, ..text.parse().unwrap() };
        let store = Arc::new(Mutex::new(PaceStore::open(folder, 0).unwrap()));
        Caps::new(store, "sms", &["1/min", "5/h", "10/1d"].map(quota))
    }

    #[test]
    fn an_address_has_no_more_than_its_limits_over_all_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sent, mut wall, mut runs) = (Vec::new(), 10_000_000_000, 0);
        while sent.len() < 25 {
            // Each message is a run of its own, with a process of its own.
            let mut caps = caps(folder.path());
            runs += 1;
            match caps.claim(&[("+49 151 Ä", &format!("m{runs}"))], wall).unwrap()[0] {
                None => sent.push(wall),
                Some(wait) => wall += i64::try_from(wait.as_millis()).unwrap(),
            }
        }
        for (window, most) in [(60_000, 1), (HOUR, 5), (24 * HOUR, 10)] {
            for (at, begin) in sent.iter().enumerate() {
                let inside = sent[at..].iter().take_while(|time| **time < begin + window).count();
                assert!(inside <= most, "{inside} in {window} ms");
            }
        }
        let took = sent[24] - sent[0];
        assert!(took < 2 * 24 * HOUR + 2 * HOUR, "nothing is lost of what may go: {took} ms");
    }

    #[test]
    fn a_delivery_counts_once_and_every_spelling_of_an_address_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut caps = caps(folder.path());
        let mut ask = |address: &str, delivery: &str| caps.claim(&[(address, delivery)], 5_000_000_000).unwrap()[0].is_none();
        assert!(ask("a@x.example", "one"));
        assert!(ask("a@x.example", "one"), "again after a kill");
        assert!(!ask("A@X.example", "two"));
        assert!(ask("b@x.example", "three"));
        assert_eq!(caps.refused().unwrap().to_string(), "1/min per address");
        let bytes = std::fs::read(folder.path().join("state.db-wal")).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"x.example"), "no address is kept in clear");
    }
}
