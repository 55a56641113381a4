//! What a definition and an account can do together: batches, limits, keys, where addresses are found.

use std::num::NonZeroUsize;

use crate::config::account::AccountConfig;
use crate::limit::{Quota, Scope as QuotaScope};
use crate::platform::declared::compose::composer::{self, Composer};
use crate::platform::declared::definition::batch::Mode;
use crate::platform::declared::definition::{Build, Definition, Honoured, Phone};
use crate::platform::{Addressing, Batching, Capability, Wants};

/// What the platform can do with this account.
pub fn capability(
    definition: &Definition,
    config: &AccountConfig,
    composer: &Composer,
    (width, widest): (NonZeroUsize, NonZeroUsize),
) -> Capability {
    let honoured = definition.idempotency.as_ref().map(|idempotency| idempotency.honoured);
    let said = &definition.addressing;
    let own = composer.endpoint.is_some() || said.optional.as_ref().is_some_and(|key| composer.account.sets(key));
    // Where all rows go to the account's own URL, that is the one target, whatever the rows are called.
    let at_home = |quota: Quota| match quota.scope {
        QuotaScope::Address if composer.endpoint.is_some() => Quota { scope: QuotaScope::Account, begins: None, ..quota },
        _ => quota,
    };
    let batching = match definition.batch.as_ref().filter(|_| composer.shares()) {
        None => Batching::Single,
        Some(batch) if batch.mode == Mode::Same => Batching::Shared(batch.max),
        Some(batch) => Batching::Individual(batch.max),
    };
    let names = if definition.template.is_empty() { vec![definition.name.0.clone()] } else { definition.template.clone() };
    Capability {
        batching,
        quotas: config.limits.clone().unwrap_or_else(|| definition.limits.iter().map(|limit| at_home(limit.0)).collect()),
        idempotent: honoured.is_some_and(|by| composer.account.idempotent.unwrap_or(by == Honoured::Always))
            && composer.account.keeps_key(definition),
        remembers: definition.idempotency.as_ref().and_then(|idempotency| idempotency.ttl).map(|ttl| ttl.0),
        width,
        widest,
        wants: match definition.form {
            Build::Named => Wants::Named(names),
            Build::Email => Wants::Email,
        },
        columns: !definition.fields.0.is_empty()
            || composer.names().any(|name| name == "columns" || name.starts_with("columns.")),
        content: composer.content(),
        addressing: addressing(definition, &config.name, own),
        harmless: false,
    }
}

/// Where the addresses of an account's rows are found, told without resolving any of its secrets.
pub(crate) fn addressing_of(definition: &Definition, config: &AccountConfig) -> Addressing {
    let said = &definition.addressing;
    let var = said.endpoint.as_ref().map(|endpoint| &endpoint.var).or(said.optional.as_ref());
    let set = |name: &String| {
        let default = || definition.vars.0.iter().any(|(var, of)| var == name && of.default.is_some());
        config.settings.contains_key(name.as_str()) || default()
    };
    addressing(definition, &config.name, var.is_some_and(set))
}

/// `own`: the account has an endpoint of its own, or the key that makes addresses needless.
fn addressing(definition: &Definition, name: &str, own: bool) -> Addressing {
    let said = &definition.addressing;
    let base = Addressing {
        columns: said.columns.clone(),
        fixed: None,
        phone: said.phone != Phone::No,
        fold_case: said.fold_case,
        secret: said.secret || said.credential,
        any: false,
    };
    match (&said.endpoint, own) {
        (None, true) => Addressing { fixed: Some(composer::nobody(definition, name)), ..base },
        (None, _) => base,
        // All rows go to the account's URL; the address only says whom a message is for, and a row need not say.
        (Some(_), true) => Addressing { fixed: Some(composer::nobody(definition, name)), ..base },
        (Some(endpoint), false) => Addressing { columns: endpoint.columns.clone(), secret: true, ..base },
    }
}
