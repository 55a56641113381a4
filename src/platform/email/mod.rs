//! Email over SMTP: an account as a platform. Builds the mail in the caller's task and hands it to the account's connections.
//!
//! Settings → address, header, body, mime, dkim (the mail) → queue → pool → conversation, transaction (the wire) → reply, verdict.
//! The conversation is our own because nobody else's has a deadline on every phase, counts what left, and needs one round trip a
//! message. BDAT (RFC 3030) will be another way of `transaction.rs` to send a content; nothing else knows how a content is sent.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::batch::{Batch, Verdict, Verdicts};
use crate::config::account::AccountConfig;
use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::message::{Content, Message};
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Wants};
use crate::problem::Problem;
use crate::recipient::Address;

use self::address::Mailbox;
use self::conversation::{Conversation, Server};
#[cfg(feature = "dkim")]
use self::dkim::Signer;
use self::mime::{Encoded, Parties};
use self::pool::Pool;
use self::queue::{Job, Letter};
use self::settings::{Security, Settings};

mod address;
mod auth;
mod body;
mod clean;
mod conversation;
#[cfg(feature = "dkim")]
mod dkim;
mod header;
mod mime;
mod pool;
mod queue;
mod reply;
mod reserved;
mod settings;
mod stream;
mod transaction;
mod verdict;

#[cfg(test)]
mod tests;

/// Permits of the memory budget are kilobytes: a permit per byte would not fit every semaphore.
const SHARE: usize = 1024;

/// An SMTP account.
#[derive(Debug)]
pub struct Smtp {
    settings: Arc<Settings>,
    capability: Capability,
    pool: Arc<Pool>,
    encoded: Arc<Encoded>,
    /// Bytes of mails built and not answered for, in [`SHARE`]s: what bounds memory.
    budget: Arc<Semaphore>,
    shares: usize,
    #[cfg(feature = "dkim")]
    signer: Option<Arc<Signer>>,
}

/// Opens an account: reads and checks its keys, resolves its secrets, loads certificates and keys. Connects nowhere.
///
/// # Errors
/// A [`Problem`] that names the account and the key.
pub fn open(account: &AccountConfig, opening: &Opening) -> Result<Smtp, Problem> {
    let settings = Arc::new(Settings::read(account, opening)?);
    let wrong = |what: String| Problem { what: format!("account {}: {what}", account.name), ..Problem::default() };
    #[cfg(feature = "dkim")]
    let signer = match &settings.dkim {
        Some(dkim) => Some(Arc::new(Signer::open(dkim).map_err(|what| wrong(format!("dkim: {what}")))?)),
        None => None,
    };
    #[cfg(not(feature = "dkim"))]
    if settings.dkim.is_some() {
        return Err(wrong("dkim: this program was built without the feature `dkim`".to_owned()));
    }
    let tls = match settings.security {
        Security::None => None,
        _ => Some(stream::tls(&settings).map_err(wrong)?),
    };
    let width = settings.connections.saturating_mul(settings.window);
    let shares = (settings.memory_budget / SHARE).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    Ok(Smtp {
        capability: capability(width),
        pool: Arc::new(Pool::new(Server::new(settings.clone(), tls))),
        encoded: Arc::default(),
        budget: Arc::new(Semaphore::new(shares)),
        shares,
        #[cfg(feature = "dkim")]
        signer,
        settings,
    })
}

/// Where the addresses of an email account's rows are found.
pub fn addressing() -> Addressing {
    Addressing {
        columns: vec!["to".to_owned(), "email".to_owned()],
        fixed: None,
        phone: false,
        fold_case: true,
        secret: false,
        any: false,
    }
}

/// Makes mails without sending them: for the outbox, whose files are what a server would get.
#[derive(Debug)]
pub struct Press {
    settings: Settings,
    encoded: Encoded,
}

impl Press {
    /// For mails from `from`, where neither template nor command line names a sender.
    ///
    /// # Errors
    /// `from` is not an address.
    pub fn new(account: &AccountConfig, from: &str, opening: &Opening) -> Result<Press, Problem> {
        let mut settings = serde_yaml::Mapping::new();
        settings.insert("url".into(), "smtp://localhost".into());
        settings.insert("from".into(), from.into());
        let config = AccountConfig { settings, platform: "smtp".to_owned(), ..account.clone() };
        Ok(Press { settings: Settings::read(&config, opening)?, encoded: Encoded::default() })
    }

    /// The mail as it would go over the wire, with its dots unstuffed.
    ///
    /// # Errors
    /// As sending it would.
    pub fn mail(&self, delivery: &Delivery) -> Result<Vec<u8>, SendError> {
        mime::examine(&delivery.message)?;
        let parties = Parties::read(&self.settings, delivery.envelope.to.as_str(), &delivery.message)?;
        let files = mime::read_files(&delivery.message.attachments)?;
        mime::write(&self.settings, &self.encoded, delivery, &parties, &files, SystemTime::now())
    }
}

fn capability(width: NonZeroUsize) -> Capability {
    Capability {
        batching: Batching::Single,
        quotas: Vec::new(),
        idempotent: false,
        remembers: None,
        columns: false,
        content: None,
        width,
        widest: width,
        wants: Wants::Email,
        addressing: addressing(),
        harmless: false,
    }
}

impl Smtp {
    async fn send_one(&self, delivery: &Delivery) -> Verdict {
        let letter = self.letter(delivery).await?;
        let (job, verdict) = Job::new(letter);
        self.pool.submit(job);
        // A job answers even when it is dropped; should the channel itself end, nothing is known.
        verdict.await.unwrap_or_else(|_| Err(SendError::new(ErrorKind::InDoubt, "the connection ended without a verdict")))
    }

    /// Builds the mail, under the memory budget.
    async fn letter(&self, delivery: &Delivery) -> Result<Letter, SendError> {
        let message = &delivery.message;
        mime::examine(message)?;
        let parties = Parties::read(&self.settings, delivery.envelope.to.as_str(), message)?;
        let shares = mime::estimate(message).div_ceil(SHARE).clamp(1, self.shares);
        let share = self.budget.clone().acquire_many_owned(u32::try_from(shares).unwrap_or(u32::MAX)).await.ok();
        let files = if message.attachments.iter().any(|attachment| matches!(attachment.content, Content::File { .. })) {
            let attachments = message.attachments.clone();
            blocking(move || mime::read_files(&attachments)).await?
        } else {
            Vec::new()
        };
        let now = SystemTime::now();
        let content = mime::write(&self.settings, &self.encoded, delivery, &parties, &files, now)?;
        let content = self.signed(content, now).await?;
        let id = delivery.envelope.id.as_str();
        let sender = parties.sender(&self.settings, id);
        let extra: Vec<_> = parties.cc.iter().chain(&parties.bcc).map(|mailbox| mailbox.path.clone()).collect();
        // What stands in a header field counts too: a raw UTF-8 address there needs SMTPUTF8 (RFC 6532).
        let shown = [Some(&parties.from), parties.reply_to.as_ref()];
        let utf8 = sender.utf8
            || parties.to.path.utf8
            || extra.iter().any(|path| path.utf8)
            || shown.into_iter().flatten().any(|mailbox| mailbox.path.utf8);
        Ok(Letter { sender, to: parties.to.path, extra, content, utf8, _share: share })
    }

    #[cfg(feature = "dkim")]
    async fn signed(&self, content: Vec<u8>, now: SystemTime) -> Result<Vec<u8>, SendError> {
        let Some(signer) = self.signer.clone() else { return Ok(content) };
        let sign = move || {
            let mut field =
                signer.sign(&content, now).map_err(|what| SendError::new(ErrorKind::Misconfigured, format!("dkim: {what}")))?;
            field.extend_from_slice(&content);
            Ok(field)
        };
        // RSA takes half a millisecond, which would stand in the way of everything else on the runtime.
        if self.signer.as_ref().is_some_and(|signer| signer.is_slow()) { blocking(sign).await } else { sign() }
    }

    #[cfg(not(feature = "dkim"))]
    async fn signed(&self, content: Vec<u8>, _now: SystemTime) -> Result<Vec<u8>, SendError> {
        Ok(content)
    }
}

/// Runs it off the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, SendError> + Send + 'static) -> Result<T, SendError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(SendError::new(ErrorKind::BadMessage, "building the mail was broken off")),
    }
}

/// Longest mail that is shown whole: a file as base64 is not for reading.
const SHOWN: usize = 64 * 1024;

impl Smtp {
    /// The mail as it would go over the wire, without its DKIM signature.
    fn shown(&self, delivery: &Delivery) -> Result<String, SendError> {
        mime::examine(&delivery.message)?;
        let parties = Parties::read(&self.settings, delivery.envelope.to.as_str(), &delivery.message)?;
        let files = mime::read_files(&delivery.message.attachments)?;
        let mail = mime::write(&self.settings, &self.encoded, delivery, &parties, &files, SystemTime::now())?;
        let mut text = String::from_utf8_lossy(&mail).replace("\r\n", "\n");
        if text.len() > SHOWN {
            let end = (0..=SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(end);
            text.push_str(&format!("\n… ({} bytes in all)", mail.len()));
        }
        let signed = if self.settings.dkim.is_some() { ", signed with DKIM" } else { "" };
        Ok(format!("SMTP to {}:{}{signed}\n\n{text}", self.settings.host, self.settings.port))
    }
}

impl Platform for Smtp {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn show(&self, batch: &Batch) -> Option<Result<String, SendError>> {
        Some(self.shown(batch.first()))
    }

    fn lane(&self, to: &Address) -> Result<LaneKey, SendError> {
        match Mailbox::parse(to.as_str()) {
            Ok(_) => Ok(LaneKey::whole()),
            Err(error) => Err(SendError::new(ErrorKind::BadAddress, error)),
        }
    }

    fn examine(&self, to: &Address, message: &Message) -> Result<(), SendError> {
        mime::examine(message)?;
        Parties::read(&self.settings, to.as_str(), message).map(|_| ())
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        Box::pin(async move { Verdicts::single(batch, self.send_one(batch.first()).await) })
    }

    fn backlog(&self) -> usize {
        self.pool.waiting()
    }

    fn recall(&self, back: bool) {
        self.pool.recall(back);
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async move {
            let session = Conversation::open(&self.pool.server).await?;
            let line = session.described();
            session.quit().await;
            Ok(line)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.pool.abandon();
    }
}

/// Whether a text is the address of one mailbox, without a name: for platforms that take mail by other ways than SMTP.
///
/// # Errors
/// Why not.
pub fn is_mailbox(text: &str) -> Result<(), String> {
    address::Path::parse(text).map(|_| ())
}
