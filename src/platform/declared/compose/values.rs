//! The values that a request's templates look at: those that it names, and no others.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::Context;
use serde_json::{Map, Value, json};

use crate::delivery::{Delivery, DeliveryId};
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::content::{Content, mailbox};
use crate::platform::declared::compose::files::{self, Encoded};
use crate::platform::declared::definition::content::FieldOf;
use crate::platform::declared::definition::{Definition, IdemFormat};
use crate::platform::declared::text::find::is_empty;
use crate::platform::sign::{to_hex, uuid5};
use crate::sms::segments::{Counting, Encoding, count_as};

/// What a delivery, or several that share a request, bring beside their content.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    /// Whom it is for; "" where the request says so elsewhere.
    pub to: &'a str,
    /// What form that address has.
    pub to_form: &'a str,
    /// The delivery's id, or that of the request.
    pub id: &'a str,
    /// The number of this try.
    pub attempt: u32,
    /// The URL that the user names.
    pub endpoint: &'a str,
    /// Now.
    pub now: SystemTime,
    /// The fetched credential.
    pub token: &'a str,
    /// Never used before.
    pub nonce: &'a str,
    /// Files are told apart, not read.
    pub sketch: bool,
}

/// What the account knows and every row sees.
pub struct Known {
    /// The account's values, its name, its senders.
    pub account: Map<String, Value>,
    /// The account's name.
    pub name: String,
    /// `From:` where the message has none.
    pub from: Option<String>,
    /// `Reply-To:` where the message has none.
    pub reply_to: Option<String>,
    /// The account's `from` and `reply_to` are defaults of the message's.
    pub email: bool,
    /// How idempotency keys are written.
    pub format: IdemFormat,
    /// SMS are counted as mainland China does.
    pub mainland: bool,
    /// Columns that `columns` is without: those of addresses and of fields, which have a place of their own.
    pub apart: HashSet<String>,
    /// `jwt.project`, `jwt.email`.
    pub jwt: (String, String),
    /// Shared files as base64.
    pub encoded: Encoded,
    chance: Mutex<fastrand::Rng>,
}

impl Known {
    /// What this account brings; the seed makes chance repeatable.
    pub fn new(name: &str, definition: &Definition, account: &Account, seed: Option<u64>) -> Self {
        let fields = definition.fields.0.iter().map(|(name, _)| name);
        let apart = definition.addressing.columns.iter().chain(fields).map(|name| name.to_lowercase()).collect();
        Known {
            apart,
            account: account.values.clone(),
            name: name.to_owned(),
            from: None,
            reply_to: None,
            email: false,
            format: definition.idempotency.as_ref().map(|idempotency| idempotency.format).unwrap_or_default(),
            mainland: definition.message.sms.is_some_and(|sms| sms.mainland),
            jwt: (String::new(), String::new()),
            encoded: Encoded::default(),
            chance: Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
        }
    }

    /// 32 hexadecimal digits that were never used before.
    pub fn nonce(&self) -> String {
        let mut rng = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:032x}", rng.u128(..))
    }

    /// How the parts of an SMS are counted.
    pub fn counting(&self) -> Counting {
        if self.mainland { Counting::Mainland } else { Counting::default() }
    }

    /// The idempotency key of an id.
    pub fn idem(&self, id: &str) -> String {
        match self.format {
            IdemFormat::String => id.to_owned(),
            IdemFormat::Uuid => uuid5(id),
            IdemFormat::Hex32 => uuid5(id).replace('-', ""),
        }
    }

    /// The values of these names.
    ///
    /// # Errors
    /// A field that is not of its type, a file that cannot be read.
    pub fn values(
        &self,
        names: &[String],
        envelope: &Envelope<'_>,
        content: &Content<'_>,
        fields: &[(String, FieldOf)],
    ) -> Result<Context, String> {
        let mut values = Map::with_capacity(names.len());
        for name in names {
            let first = name.split('.').next().unwrap_or(name);
            // Several names of one object come one after the other.
            let key = if matches!(first, "from" | "reply_to" | "jwt") { name.as_str() } else { first };
            if values.contains_key(key) && first != "now" {
                continue;
            }
            let own = if fields.iter().any(|(field, _)| field == key) { content.field(key)? } else { Value::Null };
            if !is_empty(&own) {
                values.insert(key.to_owned(), own);
            } else if let Some(value) = self.account.get(key).filter(|_| !(self.email && matches!(first, "from" | "reply_to"))) {
                values.insert(key.to_owned(), value.clone());
            } else if first == "now" {
                now(&mut values, name, envelope.now);
            } else if let Some(value) = self.value(key, envelope, content, fields)? {
                values.insert(key.to_owned(), value);
            }
        }
        Ok(Context::from(Value::Object(values)))
    }

    fn value(
        &self,
        name: &str,
        envelope: &Envelope<'_>,
        content: &Content<'_>,
        fields: &[(String, FieldOf)],
    ) -> Result<Option<Value>, String> {
        let message = content.message;
        let sender = || message.from.as_deref().or(self.from.as_deref()).unwrap_or_default();
        let answers = || message.reply_to.as_deref().or(self.reply_to.as_deref()).unwrap_or_default();
        Ok(Some(match name {
            "to" => json!(envelope.to),
            "to_form" => json!(envelope.to_form),
            "id" => json!(envelope.id),
            "idem" => json!(if envelope.id.is_empty() { String::new() } else { self.idem(envelope.id) }),
            "attempt" => json!(envelope.attempt),
            "endpoint" => json!(envelope.endpoint),
            "account" => json!(self.name),
            "token" => json!(envelope.token),
            "nonce" => json!(envelope.nonce),
            "uuid" => json!(uuid4(envelope.nonce)),
            "subject" | "title" | "text" | "html" | "markdown" => json!(content.words(name)),
            "content" => content.tree().cloned().unwrap_or_default(),
            "meta" => Value::Object(message.meta.clone()),
            "columns" => {
                let own = message.columns.iter().filter(|(name, _)| !self.apart.contains(&name.trim().to_lowercase()));
                Value::Object(own.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            "from" => json!(sender()),
            "from.name" => json!(mailbox(sender()).0),
            "from.email" => json!(mailbox(sender()).1),
            "reply_to" => json!(answers()),
            "headers" => content.headers(),
            "from.mime" => json!(encoded(sender())),
            "reply_to.name" => json!(mailbox(answers()).0),
            "reply_to.email" => json!(mailbox(answers()).1),
            "sms" => {
                let segments = count_as(content.words("text"), self.counting());
                let encoding = if segments.encoding == Encoding::Gsm7 { "gsm7" } else { "ucs2" };
                json!({ "encoding": encoding, "parts": segments.parts })
            }
            "header_list" => content.header_list(),
            "attachments" if envelope.sketch => files::identity(&message.attachments),
            "attachments" => self.encoded.list(&message.attachments)?,
            "cc" => json!(message.cc),
            "bcc" => json!(message.bcc),
            "jwt.project" => json!(self.jwt.0),
            "jwt.email" => json!(self.jwt.1),
            // These are made when the request is.
            "sign" | "body" => return Ok(None),
            field if fields.iter().any(|(known, _)| known == field) => content.field(field)?,
            _ => return Ok(None),
        }))
    }
}

/// A sender whose name is in encoded words (RFC 2047) where it is not ASCII: what is not meant for people's eyes alone must be so.
fn encoded(sender: &str) -> String {
    let (name, address) = mailbox(sender);
    if name.is_ascii() {
        return sender.to_owned();
    }
    // An encoded word has at most 75 characters: 45 bytes of text, cut between characters.
    let mut words: Vec<String> = Vec::new();
    let mut part = String::new();
    for letter in name.chars() {
        if part.len() + letter.len_utf8() > 45 {
            words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(&part)));
            part.clear();
        }
        part.push(letter);
    }
    words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(&part)));
    format!("{} <{address}>", words.join(" "))
}

fn now(values: &mut Map<String, Value>, name: &str, now: SystemTime) {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let part = match name {
        "now.s" => json!(since.as_secs()),
        "now.ms" => json!(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        _ => json!(jiff::Timestamp::try_from(now).map(|time| format!("{time:.0}")).unwrap_or_default()),
    };
    if let Value::Object(times) = values.entry("now").or_insert_with(|| Value::Object(Map::new())) {
        times.insert(name.trim_start_matches("now.").to_owned(), part);
    }
}

/// A random UUID (RFC 9562 section 5.4) of 32 hexadecimal digits.
fn uuid4(nonce: &str) -> String {
    if nonce.len() != 32 {
        return String::new();
    }
    let variant = match nonce.as_bytes()[16] {
        b'0' | b'4' | b'8' | b'c' => '8',
        b'1' | b'5' | b'9' | b'd' => '9',
        b'2' | b'6' | b'a' | b'e' => 'a',
        _ => 'b',
    };
    format!("{}-{}-4{}-{variant}{}-{}", &nonce[..8], &nonce[8..12], &nonce[13..16], &nonce[17..20], &nonce[20..])
}

/// The id of a request for these deliveries: the delivery's own where there is one, else a hash over all in their order.
pub fn id_of(deliveries: &[Delivery]) -> String {
    if let [one] = deliveries {
        return one.envelope.id.as_str().to_owned();
    }
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    deliveries.iter().map(|delivery| delivery.envelope.id.as_str()).for_each(|id| context.update(id.as_bytes()));
    to_hex(&context.finish().as_ref()[..16])
}

/// The id of no delivery, for requests that are made to be looked at.
pub fn no_id() -> DeliveryId {
    DeliveryId::derive("", "", "")
}
