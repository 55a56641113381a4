//! Short messages over SMPP 3.4: an account as a platform. Makes the messages in the caller's task and hands them to its connections.
//!
//! Settings → content (alphabet and parts) → queue → session, window (the wire) → pdu → verdict, receipts. The codec is our own: see
//! docs/decisions/0006-smpp.md.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::batch::{Batch, Verdict, Verdicts};
use crate::config::account::AccountConfig;
use crate::delivery::{Delivery, DeliveryId};
use crate::error::{ErrorKind, SendError};
use crate::message::Message;
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Sms, Wants};
use crate::problem::Problem;
use crate::recipient::Address;
use crate::sms::number;

use self::pdu::{Party, Submit};
use self::queue::{Job, Queue};
use self::receipts::Receipts;
use self::session::{End, POLITE, Service, Session};
use self::settings::{Settings, sender};

mod content;
mod link;
mod pdu;
mod queue;
mod receipts;
mod session;
mod settings;
mod verdict;
mod window;

#[cfg(test)]
mod tests;

/// The keys of an account: name, secret, about.
pub fn keys() -> &'static [(&'static str, bool, &'static str)] {
    settings::KEYS
}

/// An SMPP account.
#[derive(Debug)]
pub struct Smpp {
    capability: Capability,
    pool: Arc<Pool>,
}

/// Opens an account: reads and checks its keys, resolves its secrets, loads certificates. Connects nowhere.
///
/// # Errors
/// A [`Problem`] that names the account and the key.
pub fn open(account: &AccountConfig, opening: &Opening) -> Result<Smpp, Problem> {
    let settings = Arc::new(Settings::read(account, opening)?);
    let wrong = |what: String| Problem { what: format!("account {}: {what}", account.name), ..Problem::default() };
    let tls = if settings.tls { Some(link::tls(&settings).map_err(wrong)?) } else { None };
    let width = settings.connections.saturating_mul(settings.window);
    let capability = Capability {
        batching: Batching::Single,
        quotas: account.limits.clone().unwrap_or_default(),
        idempotent: false,
        remembers: None,
        columns: false,
        content: None,
        width: opening.width.or(account.concurrency).unwrap_or(width),
        widest: opening.width.or(account.concurrency).unwrap_or(width),
        wants: Wants::Named(vec!["smpp".to_owned(), "sms".to_owned()]),
        addressing: addressing(),
        harmless: false,
    };
    let queue = Queue::new(settings.connections.get());
    let service = Service { settings, tls, receipts: Receipts::default() };
    Ok(Smpp { capability, pool: Arc::new(Pool { service, queue, tasks: Mutex::new(JoinSet::new()) }) })
}

/// Where the numbers of an account's rows are found.
pub fn addressing() -> Addressing {
    let columns = ["to", "phone", "mobile"].map(str::to_owned).to_vec();
    Addressing { columns, fixed: None, phone: true, fold_case: false, secret: false, any: false }
}

impl Smpp {
    fn settings(&self) -> &Settings {
        &self.pool.service.settings
    }

    /// The messages of a delivery.
    fn made(&self, to: &Address, message: &Message, id: &DeliveryId) -> Result<Vec<Submit>, SendError> {
        let settings = self.settings();
        let text = content::text(message)?;
        let destination = self.number(to)?;
        let source = match (&settings.from_over, &message.from) {
            (Some(over), _) => over.clone(),
            (None, Some(own)) => {
                let wrong = |what| SendError::new(ErrorKind::BadMessage, format!("from: {what}"));
                sender(own, settings.ton, settings.npi).map_err(wrong)?
            }
            (None, None) => settings.from.clone().unwrap_or_default(),
        };
        let parts = content::parts(text, settings, id)?;
        let submit = |part: content::Part| Submit {
            source: source.clone(),
            destination: destination.clone(),
            esm_class: part.esm_class,
            validity: settings.validity.clone(),
            receipt: settings.receipts,
            data_coding: part.data_coding,
            message: part.message,
            payload: part.payload,
        };
        Ok(parts.into_iter().map(submit).collect())
    }

    fn number(&self, to: &Address) -> Result<Party, SendError> {
        let number = number::parse(to.as_str(), self.settings().region.as_deref())
            .map_err(|what| SendError::new(ErrorKind::BadAddress, what))?;
        Ok(Party { ton: 1, npi: 1, address: number.digits() })
    }

    async fn send_one(&self, delivery: &Delivery) -> Verdict {
        let Delivery { envelope, message } = delivery;
        let parts = self.made(&envelope.to, message, &envelope.id)?;
        let (job, verdict) = Job::new(envelope.id.clone(), parts);
        self.pool.submit(job);
        // A job answers even when it is dropped; should the channel itself end, nothing is known.
        verdict.await.unwrap_or_else(|_| Err(SendError::new(ErrorKind::InDoubt, "the connection ended without a verdict")))
    }
}

impl Platform for Smpp {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn lane(&self, to: &Address) -> Result<LaneKey, SendError> {
        self.number(to).map(|_| LaneKey::whole())
    }

    fn examine(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        self.made(to, message, &DeliveryId::derive("", "", "")).map(|_| ())
    }

    fn sms(&self, message: &Message) -> Option<Sms> {
        Some(content::charged(message, self.settings()))
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        Box::pin(async move { Verdicts::single(batch, self.send_one(batch.first()).await) })
    }

    fn backlog(&self) -> usize {
        self.pool.queue.waiting()
    }

    fn recall(&self, back: bool) {
        self.pool.queue.recall(back);
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async move {
            let session = Session::open(&self.pool.service).await?;
            let line = session.described();
            session.unbind().await;
            Ok(line)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl Drop for Smpp {
    fn drop(&mut self) {
        // Nobody holds the account any more: its connections end when they have nothing to do.
        self.pool.queue.close();
    }
}

/// Connection tasks and what they work on.
struct Pool {
    service: Service,
    queue: Queue,
    /// Owned here, so that closing can wait for them and end them.
    tasks: Mutex<JoinSet<()>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("settings", &self.service.settings).finish_non_exhaustive()
    }
}

impl Pool {
    /// Hands a job to a connection, now or as soon as one has a place.
    fn submit(self: &Arc<Self>, job: Job) {
        if self.queue.push(job) {
            self.start();
        }
    }

    fn start(self: &Arc<Self>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(run(self.clone()));
    }

    /// Unbinds, and waits for what is unanswered for a few seconds; what is left is cut.
    async fn close(&self) {
        self.queue.close();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(POLITE, all).await;
        tasks.shutdown().await;
        self.queue.reopen();
        let (delivered, others) = self.service.receipts.counts();
        if delivered + others > 0 {
            let account = &self.service.settings.account;
            tracing::info!(%account, delivered, others, "delivery receipts that arrived while sending");
        }
    }
}

/// The life of one connection task: sessions one after the other, as long as there is work.
async fn run(pool: Arc<Pool>) {
    let _place = Place(&pool);
    while pool.queue.has_work() {
        let mut session = match Session::open(&pool.service).await {
            Ok(session) => session,
            Err(error) => {
                pool.queue.failed(&error);
                break;
            }
        };
        pool.queue.opened();
        let established = Established(&pool.queue);
        // The first one proved that sessions can be had: the rest of the work may have its own.
        while pool.queue.grow() {
            pool.start();
        }
        let end = session.serve(&pool.queue).await;
        drop(established);
        if end == End::Done {
            session.unbind().await;
            break;
        }
    }
}

/// A task's place among the connections, given back even if it is aborted.
struct Place<'a>(&'a Arc<Pool>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.0.queue.leave() {
            self.0.start();
        }
    }
}

/// A session that counts as open, also if its task is aborted.
struct Established<'a>(&'a Queue);

impl Drop for Established<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
