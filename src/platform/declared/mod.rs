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
use crate::limit::{Quota, Scope as QuotaScope};
use crate::message::Message;
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::composer::{self, Composer, Moment};
use crate::platform::declared::condition::{Condition, Expect};
use crate::platform::declared::definition::batch::Mode;
use crate::platform::declared::definition::content::Part;
use crate::platform::declared::definition::reply::Scope;
use crate::platform::declared::definition::sign::How;
use crate::platform::declared::definition::{Build, Definition, Honoured, Phone};
use crate::platform::declared::judge::Judge;
use crate::platform::declared::memory::Memory;
use crate::platform::declared::token::{Fetched, MARGIN, Vault};
use crate::platform::http::{Call, Client, Failure, Reply, Tuning, Url};
use crate::platform::sign::jwt::ServiceAccount;
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Share, Wants};
use crate::problem::Problem;
use crate::recipient::Address;

pub mod account;
mod compose;
mod condition;
pub mod definition;
mod hiding;
mod judge;
mod memory;
mod place;
mod show;
mod text;
mod token;
pub mod urls;

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
        let service = service_account(&definition, &composer)
            .map_err(|what| Problem { what: format!("account {}: {what}", config.name), ..Problem::default() })?;
        if let Some((account, _)) = &service {
            composer.known.jwt = (account.project_id.clone().unwrap_or_default(), account.client_email.clone());
        }
        let width = opening.width.or(config.concurrency).or(definition.concurrency).unwrap_or(WIDTH);
        let client = Client::new(&Tuning::new(opening, width, composer.account.ca_file.as_deref()))?;
        let capability = capability(&definition, config, &composer, width);
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
        let said = &self.definition.addressing;
        let set =
            |name: &String| self.composer.account.get(name).or(self.composer.account.get(&format!("secret.{name}"))).is_some();
        self.row_endpoint() || (said.credential && !said.optional.as_ref().is_some_and(set))
    }

    async fn send_batch(&self, batch: &Batch) -> Verdicts {
        let moved = self.moved(batch.deliveries());
        let batch = moved.as_ref().unwrap_or(batch);
        let shared = self.composer.goes_shared(batch.deliveries());
        // A token that was refused is fetched once more, and the message, which was surely not taken, is sent once more.
        for last in [false, true] {
            let token = match self.token().await {
                Ok(token) => token,
                Err(error) => return Verdicts::all(batch, &Err(error)),
            };
            let moment = Moment { now: (self.clock)(), token: token.as_deref().unwrap_or_default() };
            let call = match self.call(batch, shared, &moment) {
                Ok(call) => call,
                Err(verdicts) => return verdicts,
            };
            let hide = self.hidden(&call, token.as_deref());
            let answer = self.client.exchange(call, batch.deliveries().len()).await;
            let judge = self.judge(&hide, shared);
            match token {
                Some(token) if !last && judge.rejects_token(&answer) => self.vault.drop_token(&token),
                _ => return judge.verdicts(batch, answer),
            }
        }
        Verdicts::all(batch, &Err(SendError::new(ErrorKind::Unauthorized, "the service refused two tokens one after the other")))
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
    fn hidden<'a>(&'a self, call: &Call, token: Option<&str>) -> Cow<'a, [String]> {
        let signed = self.definition.sign.iter().any(|sign| matches!(sign.how, How::Named(_)));
        let mut hide = hiding::of_authorization(call.headers.get("authorization"), signed);
        if !self.row_endpoint() && token.is_none() && hide.is_empty() {
            return Cow::Borrowed(&self.hide);
        }
        if self.row_endpoint() {
            hide.extend(hiding::of_url(&call.url));
        }
        hide.extend(token.filter(|token| token.len() >= 4).map(str::to_owned));
        hide.extend_from_slice(&self.hide);
        hiding::longest_first(&mut hide);
        Cow::Owned(hide)
    }

    /// The fetched credential, where the platform has one.
    async fn token(&self) -> Result<Option<Arc<str>>, SendError> {
        if self.definition.token.is_none() {
            return Ok(None);
        }
        self.vault.get((self.clock)(), || self.fetch()).await.map(Some)
    }

    async fn fetch(&self) -> Result<Fetched, SendError> {
        let now = (self.clock)();
        let wrong = |what: String| SendError::new(ErrorKind::Misconfigured, format!("no token: {what}"));
        let Some(token) = &self.definition.token else { return Err(wrong("the platform has none".to_owned())) };
        let call = match (&token.request, &self.service) {
            (Some(request), _) => self.composer.side(request, now, "")?,
            (None, Some((account, scope))) => exchange_of(account, scope, now).map_err(wrong)?,
            (None, None) => return Err(wrong("nobody asks for it".to_owned())),
        };
        let mut hide = self.hidden(&call, None).into_owned();
        if self.service.is_some() {
            // The assertion is good for an hour.
            let body = String::from_utf8_lossy(&call.body);
            hide.extend(body.split_once("assertion=").map(|(_, assertion)| assertion.to_owned()));
            hiding::longest_first(&mut hide);
        }
        let answer = self.client.exchange(call, 1).await;
        let (mut value, mut expires): (Vec<&str>, Vec<&str>) = (
            token.value.0.iter().map(|pointer| pointer.0.as_str()).collect(),
            token.expires_in.0.iter().map(|pointer| pointer.0.as_str()).collect(),
        );
        if token.jwt.is_some() {
            value.push("/access_token");
            expires.push("/expires_in");
        }
        let there =
            || Condition::Any(value.iter().map(|pointer| Condition::Json((*pointer).to_owned(), Expect::Exists(true))).collect());
        let usual;
        let success = match &token.success {
            Some(success) => success,
            None => {
                usual = there();
                &usual
            }
        };
        self.judge(&hide, false).fetched(success, &answer)?;
        let body = answer.map(|reply| reply.body).unwrap_or_default();
        let reply = serde_json::from_slice(&body).unwrap_or_default();
        let margin = token.refresh_before.map_or(MARGIN, |span| span.0);
        Fetched::read(&reply, &value, &expires, margin, now)
    }

    /// Whatever found its way around the masks. URLs without secrets in them are shown: they are what one looks for.
    fn show_without_secrets(&self, text: String) -> String {
        let secrets = self.composer.account.secrets.iter().filter(|secret| secret.len() >= 4);
        secrets.fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }

    async fn prove(&self) -> Result<String, SendError> {
        let token = self.token().await?;
        let Some(check) = &self.definition.check else {
            if token.is_some() {
                return Ok("the credentials are good: the service gave a token for them".to_owned());
            }
            let Some(url) = self.composer.fixed_urls().next() else {
                return Ok("every row names its own URL: nothing to connect to before a row is read".to_owned());
            };
            let reached = self.client.reach(url).await.map_err(SendError::from)?;
            return Ok(format!("{reached}; no request was sent, so its credentials are not proved"));
        };
        let token = token.as_deref().unwrap_or_default();
        let call = self.composer.side(&check.request, (self.clock)(), token)?;
        let hide = self.hidden(&call, Some(token)).into_owned();
        let answer: Result<Reply, Failure> = self.client.exchange(call, 1).await;
        let judged = self.judge(&hide, false).fetched(&check.success, &answer);
        judged.map_err(|error| SendError { detail: error.detail.trim_start_matches("no token: ").to_owned(), ..error })?;
        let body: serde_json::Value = answer.ok().and_then(|reply| serde_json::from_slice(&reply.body).ok()).unwrap_or_default();
        let told = check.tell.as_ref().and_then(|pointer| body.pointer(&pointer.0)).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        });
        let told = told.map(|text| hide.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***")));
        let told = told.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>());
        Ok(match told {
            Some(told) => format!("the credentials are good: {told}"),
            None => "the credentials are good".to_owned(),
        })
    }
}

fn service_account(definition: &Definition, composer: &Composer) -> Result<Option<(ServiceAccount, String)>, String> {
    let Some(jwt) = definition.token.as_ref().and_then(|token| token.jwt.as_ref()) else { return Ok(None) };
    let values = handlebars::Context::from(serde_json::Value::Object(composer.account.values.clone()));
    let scope = text::find::Scope::of(&values);
    Ok(Some((ServiceAccount::read(&jwt.key.render(scope)?)?, jwt.scope.render(scope)?)))
}

/// The request by which a service account's assertion becomes a token (RFC 7523 section 2.1).
fn exchange_of(account: &ServiceAccount, scope: &str, now: SystemTime) -> Result<Call, String> {
    use crate::platform::http::{HeaderMap, HeaderValue, Method};
    use crate::platform::sign::canonical::percent;
    let url = Url::parse(&account.token_uri).map_err(|_| "`token_uri` of the service account is no URL".to_owned())?;
    let assertion = account.assertion(scope, now)?;
    let grant = percent("urn:ietf:params:oauth:grant-type:jwt-bearer");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(Call {
        method: Method::POST,
        url,
        headers,
        body: format!("grant_type={grant}&assertion={}", percent(&assertion)).into_bytes(),
    })
}

fn capability(definition: &Definition, config: &AccountConfig, composer: &Composer, width: NonZeroUsize) -> Capability {
    let honoured = definition.idempotency.as_ref().map(|idempotency| idempotency.honoured);
    let said = &definition.addressing;
    let set = |name: &String| composer.account.get(name).or(composer.account.get(&format!("secret.{name}"))).is_some();
    let own = composer.endpoint.is_some() || said.optional.as_ref().is_some_and(set);
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
        idempotent: honoured.is_some_and(|by| composer.account.idempotent.unwrap_or(by == Honoured::Always)),
        remembers: definition.idempotency.as_ref().and_then(|idempotency| idempotency.ttl).map(|ttl| ttl.0),
        width,
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
        Some(shown?.map(|text| self.show_without_secrets(text)))
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
