//! The unit of work: an envelope (where, whose) and a message (what), and what became of it.

use std::fmt;
use std::sync::Arc;

use crate::error::SendError;
use crate::message::Message;
use crate::recipient::{Address, Position};

/// The same for the same row of the same lineage at every attempt, on every machine: 128 bits as 26 letters of base32.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeliveryId(Arc<str>);

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl DeliveryId {
    /// SHA-256 over lineage, key and account, cut to 128 bits. Message-ID and idempotency keys are made from it.
    pub fn derive(lineage: &str, key: &str, account: &str) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in [lineage, key, account] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let digest = context.finish();
        let mut bits = [0u8; 16];
        bits.copy_from_slice(&digest.as_ref()[..16]);
        let mut number = u128::from_be_bytes(bits);
        let mut text = [0u8; 26];
        for letter in text.iter_mut().rev() {
            *letter = BASE32[(number & 31) as usize];
            number >>= 5;
        }
        DeliveryId(Arc::from(String::from_utf8_lossy(&text).as_ref()))
    }

    /// The id that a retry file carried; `None` unless it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 26 && text.bytes().all(|b| BASE32.contains(&b))).then(|| DeliveryId(Arc::from(text)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Routing and identity, without content.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Who this delivery is, for ever.
    pub id: DeliveryId,
    /// Where its row stands in the spool.
    pub position: Position,
    /// Through which account.
    pub account: Arc<str>,
    /// Where to.
    pub to: Address,
    /// The number of this try, from 1.
    pub attempt: u32,
}

/// Envelope and message: what a platform is asked to send.
#[derive(Debug)]
pub struct Delivery {
    /// Where and whose.
    pub envelope: Envelope,
    /// What.
    pub message: Message,
}

/// The service's word that it took the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The service's id or its reply text, cleaned, at most 200 characters.
    pub id: Option<String>,
    /// The service said that it had this message already (an idempotent replay).
    pub replay: bool,
    /// What is worth telling about a success: a refused `_cc`, say.
    pub note: Option<String>,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The platform accepted it.
    Sent(Receipt),
    /// Not now; another try follows.
    Deferred(SendError),
    /// For good in this run. The kind `InDoubt` can still be decided by a person.
    Failed(SendError),
}
