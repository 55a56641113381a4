//! Who delivers: the one trait that every platform keeps, coded or told by a definition.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

use crate::batch::{Batch, Verdicts};
use crate::config::knobs::Knobs;
use crate::delivery::Delivery;
use crate::error::SendError;
use crate::limit::Quota;
use crate::priority::Priority;
use crate::recipient::Address;

pub use crate::message::Wants;
pub use crate::recipient::Addressing;

pub mod declared;
pub mod definitions;
pub mod email;
pub mod exec;
pub mod http;
pub mod listing;
pub mod oneoff;
pub mod outbox;
pub mod pool;
pub mod registry;
pub mod sign;
pub mod smpp;

/// How many deliveries one request of the platform carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// One delivery a request.
    Single,
    /// One content for many addresses, at most so many.
    Shared(NonZeroUsize),
    /// An own content for each of at most so many.
    Individual(NonZeroUsize),
}

/// What a platform can do: data that the caller reads, never a surprise in the middle of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Capability {
    /// How many deliveries go into a request.
    pub batching: Batching,
    /// The platform's own limits; the account's `limits:` replace them.
    pub quotas: Vec<Quota>,
    /// A resend under the same key is harmless: in doubt may be retried.
    pub idempotent: bool,
    /// How long the service remembers a key; `None` where it does not say. What is older is in doubt for good.
    pub remembers: Option<Duration>,
    /// Requests in flight at once unless `-j` or `concurrency:` says otherwise.
    pub width: NonZeroUsize,
    /// Requests in flight that `-j auto` never goes beyond: `width`, where the platform or the account says what it takes; more where
    /// nobody knows.
    pub widest: NonZeroUsize,
    /// The form of content.
    pub wants: Wants,
    /// Messages carry the row's columns too, not only what the template made of them.
    pub columns: bool,
    /// Columns that are content to this platform where there is no template; one of them is enough. `None`: the usual ones (`text` …)
    /// alone. Empty: a row need not carry any, because the account says it all.
    pub content: Option<Vec<String>>,
    /// Where addresses are found.
    pub addressing: Addressing,
    /// Sends nothing to anyone (the outbox): needs no confirmation.
    pub harmless: bool,
}

/// What a delivery brings into a shared request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Deliveries of the same group may share a request: a hash of everything that the request says once for all of them.
    pub group: u128,
    /// What it adds to the request, in bytes, about.
    pub bytes: usize,
    /// No two deliveries of one request may have the same (a hash of the address, where the platform wants each only once).
    pub unique: Option<u64>,
}

/// How a message is charged, where it is an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sms {
    /// So many parts.
    Parts {
        /// `gsm7`, `ucs2`, or what the account has fixed.
        alphabet: &'static str,
        /// At least 1.
        parts: usize,
    },
    /// The service makes the text, from a template that only it knows.
    Unknown,
}

/// What may share a batch and is held up together, inside one account: an endpoint, or nothing for the whole account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey(pub Arc<str>);

impl LaneKey {
    /// Stands before the group of those that may share a request.
    pub const GROUP: char = '\u{1}';

    /// Stands before the priority of the rows, where that is not the normal one.
    pub const RANK: char = '\u{2}';

    /// The whole account is one lane.
    pub fn whole() -> Self {
        LaneKey(Arc::from(""))
    }

    /// The part of the lane that may share a request; what must go alone waits by itself.
    #[must_use]
    pub fn grouped(&self, share: Option<Share>) -> Self {
        let group = share.map_or_else(|| "alone".to_owned(), |share| format!("{:032x}", share.group));
        LaneKey(Arc::from(format!("{}{}{group}", self.0, Self::GROUP)))
    }

    /// The part of the lane for rows of that priority: each waits among its equals.
    #[must_use]
    pub fn ranked(&self, priority: Priority) -> Self {
        match priority {
            Priority::Normal => self.clone(),
            priority => LaneKey(Arc::from(format!("{}{}{priority}", self.0, Self::RANK))),
        }
    }

    /// The priority of the rows in it.
    pub fn priority(&self) -> Priority {
        let told = self.0.rsplit_once(Self::RANK).and_then(|(_, word)| word.parse().ok());
        told.unwrap_or_default()
    }

    /// The lane without its parts: what the service holds up.
    #[must_use]
    pub fn stem(&self) -> Self {
        match self.0.split_once([Self::GROUP, Self::RANK]) {
            Some((stem, _)) => LaneKey(Arc::from(stem)),
            None => self.clone(),
        }
    }
}

/// What a platform is told when its account is opened, beside its own settings.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The run, for names of files; not part of any identity.
    pub run: String,
    /// Where the outbox writes (`notify-<run>/outbox`, or `--out DIR`/outbox).
    pub outbox: PathBuf,
    /// `--from`, over the account's own.
    pub from: Option<String>,
    /// `--reply-to`, over the account's own.
    pub reply_to: Option<String>,
    /// `-j`, or the account's `concurrency:`: requests in flight at once.
    pub width: Option<NonZeroUsize>,
    /// `-j auto`: a number that the account has is the most, and not what is kept to.
    pub auto: bool,
    /// Between what the tuner moves, unless the account says otherwise.
    pub knobs: Knobs,
    /// Bounds each phase before the point of no return.
    pub timeout: Duration,
    /// Bounds the wait for the answer after it; `None` leaves the platform's own (600 s for SMTP, 60 s for HTTP).
    pub final_timeout: Option<Duration>,
    /// Folders with a user's own definitions (`*.yaml`), or single files, nearest first.
    pub definitions: Vec<PathBuf>,
    /// The wall clock, for signatures and dates of the service.
    pub clock: fn() -> SystemTime,
    /// Where nonces come from: a seed in tests, chance otherwise.
    pub seed: Option<u64>,
}

impl Default for Opening {
    fn default() -> Self {
        Opening {
            run: String::new(),
            outbox: PathBuf::from("outbox"),
            from: None,
            reply_to: None,
            width: None,
            auto: false,
            knobs: Knobs::default(),
            timeout: Duration::from_secs(30),
            final_timeout: None,
            definitions: Vec::new(),
            clock: SystemTime::now,
            seed: None,
        }
    }
}

/// A service with credentials, ready to send. It sends once: no retry, no pace, no memory of rows, no printing.
pub trait Platform: Send + Sync + fmt::Debug {
    /// What it can do; constant for the life of the value.
    fn capability(&self) -> &Capability;

    /// Checks the form of an address without any I/O, and says which lane its deliveries share.
    ///
    /// # Errors
    /// `BadAddress`, where the address can never be sent to.
    fn lane(&self, to: &Address) -> Result<LaneKey, SendError>;

    /// Checks what can be known of a delivery's content before it is sent (headers that cannot be encoded, too large), without I/O
    /// to the network. Called once per row in preflight.
    ///
    /// # Errors
    /// `BadMessage` or `BadAddress`.
    fn examine(&self, to: &Address, message: &crate::message::Message) -> Result<(), SendError> {
        let _ = (to, message);
        Ok(())
    }

    /// What the delivery brings into a shared request; `None` where it must go alone. Asked only where `batching` is not `Single`.
    fn share(&self, delivery: &Delivery) -> Option<Share> {
        let _ = delivery;
        None
    }

    /// How the message is charged, where it is an SMS.
    fn sms(&self, message: &crate::message::Message) -> Option<Sms> {
        let _ = message;
        None
    }

    /// The most bytes of shares that one request carries.
    fn most_bytes(&self) -> Option<usize> {
        None
    }

    /// The exact request of this batch as text, with every secret masked; `None` where the platform has no such thing.
    ///
    /// # Errors
    /// As `examine`.
    fn show(&self, batch: &Batch) -> Option<Result<String, SendError>> {
        let _ = batch;
        None
    }

    /// Sends the batch once and answers for each delivery. Dropping the future must leave nothing that could be taken for another
    /// delivery's answer.
    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts>;

    /// Deliveries that were handed over and wait inside for a way out (a connection that is being opened): under a limit no more
    /// are handed over meanwhile, lest they all leave at once.
    fn backlog(&self) -> usize {
        0
    }

    /// While `back` is set, deliveries that were handed over and are not on their way yet are given back as
    /// [`SendError::recalled`], those that come meanwhile too. A platform without a queue of its own has none.
    fn recall(&self, back: bool) {
        let _ = back;
    }

    /// Proves credentials without sending anything; a line for the user on success.
    fn check(&self) -> BoxFuture<'_, Result<String, SendError>>;

    /// Ends idle connections politely (QUIT); bounded to a few seconds.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
