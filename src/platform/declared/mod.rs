//! Platforms told by a definition: the engine that reads what YAML says and sends accordingly.
//!
//! `definition` is the form of the file, `account` what the user says to it, `compose` makes a request, `judge` reads the reply;
//! `text` and `condition` are the two small languages inside.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::batch::{Batch, Refused, Verdicts};
use crate::config::account::AccountConfig;
use crate::delivery::{Delivery, Envelope};
use crate::error::{ErrorKind, SendError};
use crate::limit::Scope as QuotaScope;
use crate::message::Message;
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::composer::{Composer, Moment};
use crate::platform::declared::definition::content::Part;
use crate::platform::declared::definition::reply::Scope;
use crate::platform::declared::definition::sign::How;
use crate::platform::declared::definition::{Build, Definition, Family, Phone};
use crate::platform::declared::judge::Judge;
use crate::platform::declared::memory::Memory;
use crate::platform::declared::token::Vault;
use crate::platform::http::{Call, Client, Tuning};
use crate::platform::sign::jwt::ServiceAccount;
use crate::platform::{Capability, LaneKey, Opening, Platform, Share, Sms};
use crate::problem::Problem;
use crate::recipient::Address;
use crate::sms::segments::Encoding;

pub mod account;
pub mod capability;
mod compose;
mod condition;
mod credential;
pub mod definition;
mod hiding;
mod judge;
mod memory;
mod place;
mod service;
mod show;
mod text;
mod token;
pub mod urls;

#[cfg(test)]
mod tests;

/// Requests in flight at once where nobody says otherwise.
const WIDTH: NonZeroUsize = NonZeroUsize::new(32).unwrap();
/// Requests in flight at most where neither account nor definition says how many the service takes, and the tuner looks for what pays.
const WIDEST: NonZeroUsize = NonZeroUsize::new(256).unwrap();

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
    /// The fetched credential.
    vault: Vault,
    /// Who asks for it, where that is a Google service account; and for what.
    service: Option<(ServiceAccount, String)>,
    /// Each target is held up by itself.
    by_target: bool,
    /// What to show requests with.
    masked: OnceLock<Option<Composer>>,
    opening: Opening,
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
        let mut composer = Composer::new(&config.name, &definition, account, opening, false)?;
        let service = service::service_account(&definition, &composer)
            .map_err(|what| Problem { what: format!("account {}: {what}", config.name), ..Problem::default() })?;
        if let Some((account, _)) = &service {
            composer.known.jwt = (account.project_id.clone().unwrap_or_default(), account.client_email.clone());
        }
        let said = opening.width.or(config.concurrency).or(definition.concurrency);
        let (width, widest) = (said.unwrap_or(WIDTH), said.unwrap_or(WIDEST));
        let client = Client::new(&Tuning::new(opening, widest, composer.account.ca_file.as_deref()))?;
        let capability = capability::capability(&definition, config, &composer, (width, widest));
        let by_target = composer.endpoint.is_none()
            && (capability.quotas.iter().any(|quota| quota.scope == QuotaScope::Address)
                || definition.errors.iter().any(|rule| rule.scope == Some(Scope::Target)));
        let hide = hiding::of_account(composer.account.secrets.iter(), composer.endpoint.as_ref());
        Ok(Declared {
            definition,
            composer,
            capability,
            client,
            hide,
            memory: Memory::new(),
            vault: Vault::default(),
            service,
            by_target,
            masked: OnceLock::new(),
            opening: opening.clone(),
            clock,
        })
    }

    fn row_endpoint(&self) -> bool {
        self.definition.addressing.endpoint.is_some() && self.composer.endpoint.is_none()
    }

    /// The URL or the credential is the row's own.
    fn row_credential(&self) -> bool {
        self.row_endpoint() || self.row_key()
    }

    /// A row's address is itself the credential.
    fn row_key(&self) -> bool {
        let said = &self.definition.addressing;
        said.credential && !said.optional.as_ref().is_some_and(|key| self.composer.account.sets(key))
    }

    /// The addresses of these rows, where they must not be told.
    fn secret_addresses<'a>(&self, rows: &'a [Delivery]) -> impl Iterator<Item = &'a str> {
        let secret = (self.row_key() || self.definition.addressing.secret) && !self.row_endpoint();
        let rows = rows.iter().filter(move |_| secret).map(|row| row.envelope.to.as_str());
        rows.filter(|to| *to != self.composer.nobody)
    }

    async fn send_batch(&self, batch: &Batch) -> Verdicts {
        let moved = self.moved(batch.deliveries());
        let batch = moved.as_ref().unwrap_or(batch);
        let shared = self.composer.goes_shared(batch.deliveries());
        // A token that was refused is fetched once more, and the message, which was surely not taken, is sent once more.
        let mut last = false;
        loop {
            let token = match self.token().await {
                Ok(token) => token,
                Err(error) => return Verdicts::all(batch, &Err(error)),
            };
            let moment = Moment { now: (self.clock)(), token: token.as_deref().unwrap_or_default() };
            let call = match self.call(batch, shared, &moment) {
                Ok(call) => call,
                Err(verdicts) => return verdicts,
            };
            let hide = self.hidden(&call, token.as_deref(), batch.deliveries());
            let answer = self.client.exchange(call, batch.deliveries().len()).await;
            let judge = self.judge(&hide, shared);
            match token {
                Some(token) if !last && judge.rejects_token(&answer) => self.vault.drop_token(&token),
                _ => return judge.verdicts(batch, answer),
            }
            last = true;
        }
    }

    fn call(&self, batch: &Batch, shared: bool, moment: &Moment<'_>) -> Result<Call, Verdicts> {
        if shared {
            return self.composer.shared_call(batch.deliveries(), moment).map_err(|unmade| {
                let blame = unmade.at.map_or(Refused::Somewhere, |at| Refused::For(vec![at]));
                Verdicts::refused(batch, &unmade.error, blame)
            });
        }
        let Delivery { envelope, message } = batch.first();
        let call = self.composer.call(&envelope.to, envelope.id.as_str(), envelope.attempt, message, moment);
        call.map_err(|error| Verdicts::all(batch, &Err(error)))
    }

    /// The batch with the addresses that the service named in place of old ones; `None` where nobody moved.
    fn moved(&self, deliveries: &[Delivery]) -> Option<Batch> {
        if !self.definition.errors.iter().any(|rule| rule.set.is_some()) {
            return None;
        }
        let new = |delivery: &Delivery| self.memory.rewritten(delivery.envelope.to.as_str());
        if deliveries.iter().all(|delivery| new(delivery).is_none()) {
            return None;
        }
        let each = deliveries.iter().map(|delivery| {
            let to = new(delivery).map_or_else(|| delivery.envelope.to.clone(), |to| Address::from(to.as_str()));
            Delivery { envelope: Envelope { to, ..delivery.envelope.clone() }, message: delivery.message.clone() }
        });
        Batch::new(each.collect())
    }

    fn judge<'a>(&'a self, hide: &'a [String], shared: bool) -> Judge<'a> {
        Judge {
            definition: &self.definition,
            success: self.composer.account.success.as_ref(),
            results: if shared { self.definition.results.as_ref() } else { None },
            token: self.definition.token.as_ref().map_or(&[], |token| &token.invalid_when),
            row_endpoint: self.row_credential(),
            hide,
            now: (self.clock)(),
            memory: &self.memory,
        }
    }

    /// What must not be told of the reply to this call.
    fn hidden<'a>(&'a self, call: &Call, token: Option<&str>, rows: &[Delivery]) -> Cow<'a, [String]> {
        let signed = self.definition.sign.iter().any(|sign| matches!(sign.how, How::Named(_)));
        let mut hide = hiding::of_authorization(call.headers.get("authorization"), signed);
        hide.extend(hiding::of_rows(self.secret_addresses(rows)));
        if !self.row_endpoint() && token.is_none() && hide.is_empty() {
            return Cow::Borrowed(&self.hide);
        }
        if self.row_endpoint() {
            hide.extend(hiding::of_url(&call.url));
        }
        hide.extend(token.into_iter().flat_map(hiding::of_word));
        hide.extend_from_slice(&self.hide);
        hiding::longest_first(&mut hide);
        Cow::Owned(hide)
    }

    /// Whatever found its way around the masks. URLs without secrets in them are shown: they are what one looks for.
    fn show_without_secrets(&self, text: String, rows: &[Delivery]) -> String {
        let text = hiding::of_rows(self.secret_addresses(rows)).iter().fold(text, |text, to| text.replace(to.as_str(), "***"));
        let secrets = self.composer.account.secrets.iter().filter(|secret| secret.len() >= 4);
        secrets.fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl Platform for Declared {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn lane(&self, to: &Address) -> Result<LaneKey, SendError> {
        if self.definition.addressing.phone != Phone::No {
            let written = self.definition.addressing.written(to.as_str());
            written.map_err(|what| SendError::new(ErrorKind::BadAddress, what))?;
        }
        if self.definition.form == Build::Email {
            crate::platform::email::is_mailbox(to.as_str()).map_err(|what| SendError::new(ErrorKind::BadAddress, what))?;
        }
        // What is held up separately has a hash for its key, because logs may show it.
        let place = if self.row_endpoint() {
            let url = self.composer.row_url(to)?;
            // Some services name the target in the query.
            format!("{}{}?{}", crate::platform::http::host(&url), url.path(), url.query().unwrap_or_default())
        } else if self.by_target && self.definition.addressing.endpoint.is_none() {
            to.as_str().to_owned()
        } else {
            return Ok(LaneKey::whole());
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, place.as_bytes());
        Ok(LaneKey(Arc::from(crate::platform::sign::to_hex(&digest.as_ref()[..8]))))
    }

    fn examine(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        let bad = |what: String| Err(SendError::new(ErrorKind::BadMessage, what));
        let name = &self.definition.name.0;
        let takes = |part: Part| self.definition.message.takes.contains(&part);
        self.lane(to)?;
        if !message.attachments.is_empty() && !takes(Part::Attachments) {
            return bad(format!("platform {name} carries no attachments: link to the file instead"));
        }
        if message.attachments.iter().any(|file| file.cid.is_some()) && !takes(Part::Inline) {
            return bad(format!("platform {name} carries no image inside of the text: link to it instead"));
        }
        if (!message.cc.is_empty() || !message.bcc.is_empty()) && !takes(Part::Cc) {
            return bad(format!("platform {name} carries one recipient: _cc and _bcc are for email"));
        }
        if message.reply_to.is_some() && !takes(Part::ReplyTo) {
            return bad(format!("platform {name} carries no Reply-To: leave it out"));
        }
        if !message.headers.is_empty() && !takes(Part::Headers) {
            return bad(format!("platform {name} carries no header fields of a template: leave them out"));
        }
        self.composer.examine(to, message)
    }

    fn share(&self, delivery: &Delivery) -> Option<Share> {
        self.composer.share(delivery)
    }

    fn sms(&self, message: &Message) -> Option<Sms> {
        let sms = self.definition.message.sms.is_some() || self.definition.family == Some(Family::Sms);
        sms.then_some(())?;
        Some(self.composer.segments(message).map_or(Sms::Unknown, |segments| Sms::Parts {
            alphabet: if segments.encoding == Encoding::Gsm7 { "gsm7" } else { "ucs2" },
            parts: segments.parts,
        }))
    }

    fn most_bytes(&self) -> Option<usize> {
        self.composer.most_bytes()
    }

    fn show(&self, batch: &Batch) -> Option<Result<String, SendError>> {
        let masked = self.masked.get_or_init(|| {
            let account =
                self.composer.account.masked(self.definition.addressing.endpoint.as_ref().map(|endpoint| endpoint.var.as_str()));
            let mut masked = Composer::new(&self.composer.name, &self.definition, account, &self.opening, true).ok()?;
            masked.known.jwt.clone_from(&self.composer.known.jwt);
            Some(masked)
        });
        let shown = masked.as_ref().map(|masked| show::show(masked, batch, (self.clock)()));
        Some(shown?.map(|text| self.show_without_secrets(text, batch.deliveries())))
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        Box::pin(self.send_batch(batch))
    }

    /// The definition's harmless call, or the fetch of its token; else it connects to the account's host and shakes hands, since a
    /// webhook has no way to try a credential without sending a message.
    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(self.prove())
    }
}
