//! One platform with its keys, its pace and its width: what `--via` names, opened.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use crate::config::account::AccountConfig;
use crate::config::knobs::Knobs;
use crate::limit::pace::{self, Pace};
use crate::limit::{Quota, Scope, Unit};
use crate::permits::{Permits, Shared};
use crate::platform::{Batching, Capability, LaneKey, Opening, Platform, registry};
use crate::problem::Problem;
use crate::recipient::Address;
use crate::recovery::presets;
use crate::recovery::shaping::Rule;
use crate::tune::Bounds;

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
    /// Requests in flight at once, at most.
    pub width: usize,
    /// Between what the tuner moves that.
    pub bounds: Bounds,
    /// Deliveries of one request, at most.
    pub batch: usize,
    /// What its pace is made from; the run's own rate is the last.
    pub quotas: Vec<Quota>,
    /// The run's own rate (`--rate`), which this run keeps for itself.
    own: Option<Quota>,
    /// A hash of the endpoint and its credential, whatever the account is called: who shares it shares limits and waits.
    pub identity: Arc<str>,
    /// With whom it counts what an address had: all accounts of its kind where the user set the limits, since a person is the same
    /// person to all of them; itself alone where the platform brought them along, since a service counts each client.
    counts_with: Arc<str>,
    /// What words of its replies hold up.
    pub shaping: Arc<[Rule]>,
    /// What its lanes are told apart by, beside the platform's own key.
    finest: Scope,
}

impl Account {
    /// Resolves secrets and opens the platform. `rate` is a further limit of this run (`--rate`), `most` the deliveries of one request
    /// where the user said so (`-b`).
    ///
    /// # Errors
    /// A setting that is missing or wrong, a secret that cannot be had, files of keys that cannot be read.
    pub fn open(
        config: &AccountConfig,
        opening: &Opening,
        rate: Option<Quota>,
        most: Option<NonZeroUsize>,
    ) -> Result<Account, Problem> {
        let config = &config.with_preset();
        let fixed = opening.width.or(config.concurrency.filter(|_| !opening.auto));
        let opening = Opening { width: opening.width.or(config.concurrency), ..opening.clone() };
        let platform = registry::open(config, &opening)?;
        let capability = platform.capability();
        let batch = match capability.batching {
            Batching::Single => 1,
            Batching::Shared(own) | Batching::Individual(own) => most.map_or(own, |most| most.min(own)).get(),
        };
        let knobs = config.knobs.over(opening.knobs);
        let bounds = match fixed {
            Some(width) => Bounds::fixed(width.get()),
            None => bounds(&knobs, capability, batch),
        };
        let mut quotas = config.limits.clone().unwrap_or_else(|| capability.quotas.clone());
        quotas.extend(knobs.target_rate.filter(|_| fixed.is_none()));
        let own = rate.map(|rate| spread(rate, batch));
        quotas.extend(own);
        if batch > 1 {
            quotas.iter_mut().for_each(|quota| gather(quota, batch));
        }
        // A request for many is held up by none of its addresses: where one must wait, its row rests by itself.
        let finest = if batch > 1 { Scope::Account } else { Pace::new(&quotas).finest() };
        let narrow = quotas.iter().filter(|quota| quota.scope == Scope::Account && quota.of == Unit::Deliveries);
        let most = |quota: &Quota| if quota.rolls() { quota.count.get() } else { quota.burst.get() };
        let batch = narrow.map(|quota| most(quota) as usize).min().map_or(batch, |burst| batch.min(burst));
        let shaping = presets::rules_of(config.shaping.as_ref(), config.platform == "smtp", config.provider()).into();
        let (name, kind, identity) = (config.name.clone(), config.platform.clone(), Arc::from(config.identity()));
        let identity: Arc<str> = identity;
        let counts_with = if config.limits.is_some() { Arc::from(kind.as_str()) } else { identity.clone() };
        // A limit of requests is used best by full ones.
        let sized = !quotas.iter().any(|quota| quota.of == Unit::Requests);
        let bounds = Bounds { batch: if sized { batch } else { 1 }, ..bounds };
        let width = bounds.max;
        Ok(Account { name, kind, platform, width, bounds, batch, quotas, own, identity, counts_with, shaping, finest })
    }

    /// The permits of this account: shared with other processes, or of this one alone.
    pub fn permits(&self, shared: Option<&Shared>) -> Permits {
        match shared.filter(|_| Permits::are_shared(self.declared())) {
            None => Permits::alone(self.declared(), self.own),
            Some(shared) => {
                let whose = (&*self.identity, &*self.counts_with);
                Permits::shared(shared, self.declared(), self.own, whose, (self.width.max(1), self.batch.max(1)))
            }
        }
    }

    /// The limits that hold whatever is set for the run: the account's or the platform's.
    pub fn declared(&self) -> &[Quota] {
        &self.quotas[..self.quotas.len() - usize::from(self.own.is_some())]
    }

    /// The rate as it holds for this account, whose requests may carry many.
    pub fn own_rate(&self, rate: Quota) -> Quota {
        spread(rate, self.batch)
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

/// Deliveries in flight through one account at most, where requests carry many: bounds memory and the journal's ballast.
const ABREAST: usize = 4096;

/// Between what the tuner moves. A platform that knows its own bound begins there, as it always did, and only comes back from it; where
/// nobody knows, it begins with what the cores can well serve.
fn bounds(knobs: &Knobs, capability: &Capability, batch: usize) -> Bounds {
    let (width, widest) = (capability.width.get(), capability.widest.get());
    let known = width == widest;
    let most = widest.min(ABREAST / batch.max(1)).max(width);
    let max = match knobs.max.map(NonZeroUsize::get) {
        Some(max) if known => max.min(most),
        Some(max) => max.min(ABREAST),
        None => most,
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let begin = if known { max } else { (16 * cores).clamp(16, width.max(16)) };
    let min = knobs.min.map_or(1, NonZeroUsize::get).min(max);
    let initial = knobs.initial.map_or(begin, NonZeroUsize::get).clamp(min, max);
    Bounds { min, max, initial, target_latency: knobs.target_latency, rate: None, batch: 1, fixed: false }
}

fn spread(mut rate: Quota, batch: usize) -> Quota {
    if batch > 1 {
        gather(&mut rate, batch);
    }
    rate
}

/// A limit that counts deliveries, on an account whose requests carry many: the default burst of a hundredth of a second would make
/// every request one delivery. What arrives together counts together, so the burst is what a request carries, if the limit allows that
/// many at all. A burst of the user's own stays.
fn gather(quota: &mut Quota, batch: usize) {
    let default = Quota::new(quota.count, quota.period, quota.scope).burst;
    if quota.of == Unit::Deliveries && quota.scope == Scope::Account && quota.burst == default {
        let batch = u32::try_from(batch).unwrap_or(u32::MAX).min(quota.count.get());
        quota.burst = quota.burst.max(NonZeroU32::new(batch).unwrap_or(NonZeroU32::MIN));
    }
}
