//! One platform with its keys, its pace and its width: what `--via` names, opened.

use std::sync::Arc;

use crate::config::account::AccountConfig;
use crate::limit::pace::{self, Pace};
use crate::limit::{Quota, Scope};
use crate::platform::{Batching, LaneKey, Opening, Platform, registry};
use crate::problem::Problem;
use crate::recipient::Address;

use crate::error::SendError;

/// An account that is ready to send.
#[derive(Debug, Clone)]
pub struct Account {
    /// `corp-mail`.
    pub name: Arc<str>,
    /// `smtp`, `webhook`, `outbox` …
    pub kind: String,
    /// Who delivers.
    pub platform: Arc<dyn Platform>,
    /// Deliveries in flight at once, at most.
    pub width: usize,
    /// Deliveries of one request, at most.
    pub batch: usize,
    /// What its pace is made from.
    pub quotas: Vec<Quota>,
    /// What its lanes are told apart by, beside the platform's own key.
    finest: Scope,
}

impl Account {
    /// Resolves secrets and opens the platform. `rate` is a further limit of this run (`--rate`).
    ///
    /// # Errors
    /// A setting that is missing or wrong, a secret that cannot be had, files of keys that cannot be read.
    pub fn open(config: &AccountConfig, opening: &Opening, rate: Option<Quota>) -> Result<Account, Problem> {
        let opening = Opening { width: opening.width.or(config.concurrency), ..opening.clone() };
        let platform = registry::open(config, &opening)?;
        let capability = platform.capability();
        let batch = match capability.batching {
            Batching::Single => 1,
            Batching::Shared(most) | Batching::Individual(most) => most.get(),
        };
        let width = opening.width.unwrap_or(capability.width).get();
        let mut quotas = config.limits.clone().unwrap_or_else(|| capability.quotas.clone());
        quotas.extend(rate);
        let finest = Pace::new(&quotas).finest();
        Ok(Account { name: config.name.clone(), kind: config.platform.clone(), platform, width, batch, quotas, finest })
    }

    /// The pace of this account, at its start.
    pub fn pace(&self) -> Pace {
        Pace::new(&self.quotas)
    }

    /// The lane of an address: what the platform holds up together, split further where domains or addresses have their own pace.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn lane(&self, to: &Address) -> Result<LaneKey, SendError> {
        let key = self.platform.lane(to)?;
        Ok(match self.finest {
            Scope::Account => key,
            Scope::Domain => LaneKey(Arc::from(format!("{}\0{}", key.0, pace::domain_of(to.as_str()).to_ascii_lowercase()))),
            Scope::Address => LaneKey(Arc::from(format!("{}\0{}", key.0, to.as_str().to_ascii_lowercase()))),
        })
    }
}
