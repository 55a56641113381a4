//! Platforms told by a definition: the engine that reads what YAML says and sends accordingly.
//!
//! `definition` is the form of the file, `account` what the user says to it, `compose` makes a request, `judge` reads the reply;
//! `text` and `condition` are the two small languages inside.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::batch::{Batch, Verdicts};
use crate::config::account::AccountConfig;
use crate::error::{ErrorKind, SendError};
use crate::message::Message;
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::Composer;
use crate::platform::declared::definition::{Definition, Honoured, Size};
use crate::platform::declared::judge::Judge;
use crate::platform::declared::memory::Memory;
use crate::platform::http::{Client, Tuning, Url};
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Wants};
use crate::problem::Problem;
use crate::recipient::Address;

pub mod account;
mod compose;
mod condition;
pub mod definition;
mod judge;
mod memory;
mod place;
mod text;

#[cfg(test)]
mod tests;

/// Requests in flight at once where nobody says otherwise.
const WIDTH: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// A platform told by a definition, with an account's credentials.
pub struct Declared {
    definition: Arc<Definition>,
    composer: Composer,
    capability: Capability,
    client: Client,
    /// The account's secrets in every form in which a reply might repeat them.
    hide: Vec<String>,
    /// What replies taught it in this run.
    memory: Memory,
    clock: fn() -> SystemTime,
}

/// The names alone: everything else may hold a secret.
impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Declared({}, {})", self.definition.name.0, self.composer.name)
    }
}

impl Declared {
    /// Opens an account; nothing is connected yet. The clock makes signatures' times and reads dates of `Retry-After`.
    ///
    /// # Errors
    /// What is wrong with the account.
    pub fn open(
        definition: Arc<Definition>,
        config: &AccountConfig,
        opening: &Opening,
        clock: fn() -> SystemTime,
    ) -> Result<Self, Problem> {
        let account = Account::read(config, &definition)?;
        let composer = Composer::new(&config.name, &definition, account)?;
        let width = opening.width.or(config.concurrency).or(definition.concurrency).unwrap_or(WIDTH);
        let client = Client::new(&Tuning::new(opening, width, composer.account.ca_file.as_deref()))?;
        let honoured = definition.idempotency.as_ref().map(|idempotency| idempotency.honoured);
        let capability = Capability {
            batching: Batching::Single,
            quotas: config.limits.clone().unwrap_or_else(|| definition.limits.iter().map(|limit| limit.0).collect()),
            idempotent: honoured.is_some_and(|by| composer.account.idempotent.unwrap_or(by == Honoured::Always)),
            remembers: None,
            columns: false,
            content: None,
            width,
            wants: Wants::Named(vec![definition.name.0.clone()]),
            addressing: addressing(&definition, &config.name, composer.endpoint.is_some()),
            harmless: false,
        };
        let hide = hidden(&composer);
        Ok(Declared { definition, composer, capability, client, hide, memory: Memory::new(), clock })
    }

    fn row_endpoint(&self) -> bool {
        self.definition.addressing.endpoint.is_some() && self.composer.endpoint.is_none()
    }

    async fn send_batch(&self, batch: &Batch) -> Verdicts {
        let call = match self.composer.call(&self.definition, batch.first(), (self.clock)()) {
            Ok(call) => call,
            Err(error) => return Verdicts::all(batch, &Err(error)),
        };
        let row_endpoint = self.row_endpoint();
        let row_secrets = row_endpoint.then(|| url_secrets(&call.url));
        let answer = self.client.exchange(call).await;
        let row_hide = row_secrets.map(|mut parts| {
            parts.extend_from_slice(&self.hide);
            longest_first(&mut parts);
            parts
        });
        let hide = row_hide.as_deref().unwrap_or(&self.hide);
        let success = self.composer.account.success.as_ref();
        let judge = Judge {
            definition: &self.definition,
            success,
            results: self.definition.results.as_ref(),
            token: &[],
            row_endpoint,
            hide,
            now: (self.clock)(),
            memory: &self.memory,
        };
        judge.verdicts(batch, answer)
    }
}

/// Where the addresses of an account's rows are found, told without resolving any of its secrets.
pub(crate) fn addressing_of(definition: &Definition, config: &AccountConfig) -> Addressing {
    let own = definition.addressing.endpoint.as_ref().is_some_and(|endpoint| config.settings.contains_key(endpoint.var.as_str()));
    addressing(definition, &config.name, own)
}

/// `own`: the account has an endpoint of its own.
fn addressing(definition: &Definition, name: &str, own: bool) -> Addressing {
    let said = &definition.addressing;
    let base = Addressing {
        columns: said.columns.clone(),
        fixed: None,
        phone: said.phone,
        fold_case: said.fold_case,
        secret: said.secret,
    };
    match (&said.endpoint, own) {
        (None, _) => base,
        // All rows go to the account's URL; the address only says whom a message is for, and a row need not say.
        (Some(_), true) => Addressing { fixed: Some(compose::nobody(definition, name)), ..base },
        (Some(endpoint), false) => Addressing { columns: endpoint.columns.clone(), secret: true, ..base },
    }
}

/// Secrets as they are, as JSON writes them, as URLs write them; short ones would blot out ordinary words.
fn hidden(composer: &Composer) -> Vec<String> {
    let mut hide = Vec::new();
    for secret in composer.account.secrets.iter().filter(|secret| secret.len() >= 4) {
        hide.push(secret.clone());
        let json = serde_json::Value::String(secret.clone()).to_string();
        hide.push(json.trim_matches('"').to_owned());
    }
    for url in composer.endpoint.iter().chain(&composer.fixed_url) {
        hide.extend(url_secrets(url));
    }
    longest_first(&mut hide);
    hide
}

/// The URL, its path and query, and every part of them that is long enough to be a credential.
fn url_secrets(url: &Url) -> Vec<String> {
    let mut secrets = vec![url.as_str().to_owned()];
    let path_and_query = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    if path_and_query.len() > 1 {
        secrets.push(path_and_query);
    }
    secrets.extend(url.path().split('/').filter(|part| part.len() >= 8).map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() >= 6));
    secrets.extend(url.query().into_iter().flat_map(|query| query.split('&')).filter(|part| part.len() >= 8).map(str::to_owned));
    secrets.extend(url.password().map(str::to_owned));
    longest_first(&mut secrets);
    secrets
}

/// So that hiding a part never leaves the rest of a longer secret standing.
fn longest_first(secrets: &mut Vec<String>) {
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
}

impl Platform for Declared {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn lane(&self, to: &Address) -> Result<LaneKey, SendError> {
        if !self.row_endpoint() {
            return Ok(LaneKey::whole());
        }
        // Endpoints are held separately; the key is a hash, because logs may show it.
        let url = self.composer.row_url(to)?;
        let place = format!("{}{}", crate::platform::http::host(&url), url.path());
        let digest = ring::digest::digest(&ring::digest::SHA256, place.as_bytes());
        Ok(LaneKey(Arc::from(crate::platform::sign::to_hex(&digest.as_ref()[..8]))))
    }

    fn examine(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let bad = |what: String| Err(SendError::new(ErrorKind::BadMessage, what));
        let name = &self.definition.name.0;
        self.lane(to)?;
        if !message.attachments.is_empty() {
            return bad(format!("platform {name} carries no attachments: link to the file instead"));
        }
        if !message.cc.is_empty() || !message.bcc.is_empty() {
            return bad(format!("platform {name} carries one recipient: _cc and _bcc are for email"));
        }
        self.composer.tree(&self.definition, message)?;
        if let (Some(Size { chars, bytes }), Some(text)) = (&self.definition.message.max.text, message.body.text()) {
            let long = |length: usize, max: &Option<usize>| max.filter(|max| length > *max).map(|max| (length, max));
            if let Some((length, max)) = long(text.chars().count(), chars) {
                return bad(format!("the text has {length} characters; {name} takes at most {max}"));
            }
            if let Some((length, max)) = long(text.len(), bytes) {
                return bad(format!("the text has {length} bytes; {name} takes at most {max}"));
            }
        }
        Ok(())
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        Box::pin(self.send_batch(batch))
    }

    /// Connects to the account's host and shakes hands. A webhook has no way to try a credential without sending a message.
    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async move {
            let Some(url) = &self.composer.fixed_url else {
                return Ok("every row names its own URL: nothing to connect to before a row is read".to_owned());
            };
            let reached = self.client.reach(url).await.map_err(SendError::from)?;
            Ok(format!("{reached}; no request was sent, so its credentials are not proved"))
        })
    }
}
