//! A delivery as the bytes of a mail: header fields, text and HTML, inline images, attachments (RFC 5322, RFC 2045-2049, RFC 2387).
//!
//! The same delivery gives the same bytes at every attempt, but for `Date`: Message-ID and boundaries come from the delivery id.
//! Addresses, dates and RFC 2231 names are lettre's; the rest is written here, because a message is the larger part of the work per
//! row and its encoding must be exact (header.rs and body.rs say where lettre's is not).

use std::borrow::Cow;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lettre::message::header::{ContentDisposition, Date, Headers};
use secrecy::ExposeSecret as _;

use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::message::{Attachment, Body, Content, Message};

use super::address::{Mailbox, Path};
use super::body::{self, Encoding};
use super::clean::clean;
use super::header;
use super::reserved::{ADDRESS, DELIVERY_ID, TOKEN, is_ours};
use super::settings::{Settings, Unsubscribe};

/// Who a delivery is from and to, with every address checked.
#[derive(Debug)]
pub(super) struct Parties {
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    pub to: Mailbox,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
}

impl Parties {
    /// From and Reply-To: of the command line, else of the message, else of the account.
    pub(super) fn read(settings: &Settings, to: &str, message: &Message) -> Result<Parties, SendError> {
        let to = Mailbox::parse(to).map_err(|error| SendError::new(ErrorKind::BadAddress, error))?;
        let chosen = |over: &Option<Mailbox>, message: &Option<String>, own: &Option<Mailbox>, field: &str| match (over, message)
        {
            (Some(over), _) => Ok(Some(over.clone())),
            (None, Some(text)) => match Mailbox::parse(text) {
                Ok(mailbox) => Ok(Some(mailbox)),
                Err(error) => Err(SendError::new(ErrorKind::BadMessage, format!("{field}: {error}"))),
            },
            (None, None) => Ok(own.clone()),
        };
        let from = chosen(&settings.from_over, &message.from, &settings.from, "From")?;
        let from = from.ok_or_else(|| {
            let what =
                format!("no From address: set `from:` of account {}, `From:` in the template, or --from", settings.account);
            SendError::new(ErrorKind::BadMessage, what)
        })?;
        let reply_to = chosen(&settings.reply_to_over, &message.reply_to, &settings.reply_to, "Reply-To")?;
        let several = |list: &[String], field: &str| {
            list.iter()
                .map(|text| {
                    Mailbox::parse(text).map_err(|error| SendError::new(ErrorKind::BadAddress, format!("{field}: {error}")))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Parties { from, reply_to, to, cc: several(&message.cc, "_cc")?, bcc: several(&message.bcc, "_bcc")? })
    }

    /// The envelope sender: `return_path` with the delivery id in it, else the address of From.
    pub(super) fn sender(&self, settings: &Settings, id: &str) -> Path {
        match &settings.return_path {
            Some(path) if path.is_empty() => Path { wire: String::new(), utf8: false },
            // Checked when the account was opened; what cannot be read now falls back to From.
            Some(path) => Path::parse(&path.replace(DELIVERY_ID, id)).unwrap_or_else(|_| self.from.path.clone()),
            None => self.from.path.clone(),
        }
    }
}

/// Shared attachments in base64, each encoded once while anyone holds its bytes.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    bytes: Weak<[u8]>,
    lines: Arc<[u8]>,
}

impl Encoded {
    fn of(&self, content: &Arc<[u8]>) -> Arc<[u8]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|one| one.bytes.strong_count() > 0);
        let same = |one: &&Known| one.bytes.upgrade().is_some_and(|bytes| Arc::ptr_eq(&bytes, content));
        if let Some(one) = known.iter().find(same) {
            return one.lines.clone();
        }
        // Encoded under the lock: whoever else needs it now would encode the same bytes.
        let mut lines = Vec::new();
        body::base64_lines(&mut lines, content);
        let lines: Arc<[u8]> = Arc::from(lines);
        known.push(Known { bytes: Arc::downgrade(content), lines: lines.clone() });
        lines
    }
}

/// What is wrong with a message that no server could mend; no I/O.
pub(super) fn examine(message: &Message) -> Result<(), SendError> {
    let bad = |what: String| Err(SendError::new(ErrorKind::BadMessage, what));
    if let Body::Native(_) = message.body {
        return bad("the template renders a tree, and email takes text or HTML: add email.md, email.html or email.txt".to_owned());
    }
    for (name, value) in &message.headers {
        if !header::is_name(name) || is_ours(name) {
            return bad(format!("the header field `{}` cannot be set by a template", clean(name)));
        }
        if !value.is_ascii() && is_structured(name) {
            return bad(format!("the header field `{name}` takes ASCII only"));
        }
    }
    if message.subject.as_ref().is_some_and(|subject| subject.len() > 10_000) {
        return bad("the subject is longer than 10,000 bytes".to_owned());
    }
    Ok(())
}

/// How many bytes building and holding this message takes, about.
pub(super) fn estimate(message: &Message) -> usize {
    let text = match &message.body {
        Body::Text(text) => text.len(),
        Body::Html { html, text } => html.len() + text.len(),
        Body::Markdown { text, .. } => text.len(),
        Body::Native(_) => 0,
    };
    let files: u64 = message
        .attachments
        .iter()
        .map(|attachment| match &attachment.content {
            Content::Shared(bytes) => bytes.len() as u64,
            Content::File { len, .. } => len.saturating_mul(2),
        })
        .sum();
    usize::try_from(files.saturating_add(text as u64)).unwrap_or(usize::MAX).saturating_mul(3) / 2 + 2048
}

/// Reads the files of one row, in the order of the attachments; blocking.
pub(super) fn read_files(attachments: &[Arc<Attachment>]) -> Result<Vec<Option<Vec<u8>>>, SendError> {
    attachments
        .iter()
        .map(|attachment| match &attachment.content {
            Content::Shared(_) => Ok(None),
            Content::File { path, len } => read_file(path, *len).map(Some),
        })
        .collect()
}

fn read_file(path: &FilePath, len: u64) -> Result<Vec<u8>, SendError> {
    use std::io::Read as _;
    let bad = |what: String| SendError::new(ErrorKind::BadMessage, format!("attachment {}: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
    // The checked size bounds what is read: a file that grew meanwhile is not the file that was checked.
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0).min(64 << 20));
    file.take(len + 1).read_to_end(&mut bytes).map_err(|error| bad(error.to_string()))?;
    if bytes.len() as u64 != len {
        return Err(bad("the file changed its size since it was checked".to_owned()));
    }
    Ok(bytes)
}

/// Writes the mail. `files` are what [`read_files`] gave; they may be empty where no attachment is a file.
pub(super) fn write(
    settings: &Settings,
    encoded: &Encoded,
    delivery: &Delivery,
    parties: &Parties,
    files: &[Option<Vec<u8>>],
    now: SystemTime,
) -> Result<Vec<u8>, SendError> {
    let message = &delivery.message;
    let id = delivery.envelope.id.as_str();
    let mut out = Vec::with_capacity(estimate(message) / 3 * 2 + 1024);
    header::mailboxes(&mut out, "From", [&parties.from]);
    header::mailboxes(&mut out, "To", [&parties.to]);
    if !parties.cc.is_empty() {
        header::mailboxes(&mut out, "Cc", &parties.cc);
    }
    if let Some(reply_to) = &parties.reply_to {
        header::mailboxes(&mut out, "Reply-To", [reply_to]);
    }
    header::unstructured(&mut out, "Subject", message.subject.as_deref().unwrap_or_default());
    lettre_field(&mut out, Date::new(now));
    out.extend_from_slice(format!("Message-ID: <{id}@{}>\r\n", parties.from.path.domain()).as_bytes());
    own_fields(&mut out, settings, message, &parties.to.path);
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");

    let parts = Parts { boundary: format!("=_{id}"), message, files, encoded };
    parts.write(&mut out)?;
    Ok(out)
}

/// Fields of the template, then the account's where the template has no such field, then List-Unsubscribe.
fn own_fields(out: &mut Vec<u8>, settings: &Settings, message: &Message, to: &Path) {
    let named = |list: &[(String, String)], name: &str| list.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    for (i, (name, value)) in message.headers.iter().enumerate() {
        // Each field once: the last word of the template counts.
        if !named(&message.headers[i + 1..], name) {
            field(out, name, value);
        }
    }
    for (name, value) in &settings.headers {
        if !named(&message.headers, name) {
            field(out, name, value);
        }
    }
    if let Some(unsubscribe) = &settings.unsubscribe
        && !named(&message.headers, "List-Unsubscribe")
        && !named(&settings.headers, "List-Unsubscribe")
    {
        list_unsubscribe(out, unsubscribe, to);
    }
}

/// Fields of addresses, ids and URLs must never become encoded words.
fn is_structured(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("list-")) && !name.eq_ignore_ascii_case("list-id")
        || ["in-reply-to", "references", "auto-submitted", "precedence", "feedback-id"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    let mut value = clean(value);
    if value.is_empty() || !header::is_name(name) {
        return;
    }
    // A phrase that is not ASCII goes into encoded words, its <id> stays what it is (RFC 2919).
    if name.eq_ignore_ascii_case("list-id")
        && !value.is_ascii()
        && let Some((phrase, rest)) = value.rsplit_once('<')
        && rest.is_ascii()
    {
        let mut encoded = Vec::new();
        header::unstructured(&mut encoded, name, phrase.trim());
        encoded.truncate(encoded.len() - 2);
        out.extend_from_slice(&encoded);
        out.extend_from_slice(format!("\r\n <{rest}\r\n").as_bytes());
        return;
    }
    if is_structured(name) && !value.is_ascii() {
        value = Cow::Owned(value.chars().filter(char::is_ascii).collect());
    }
    header::unstructured(out, name, &value);
}

fn list_unsubscribe(out: &mut Vec<u8>, unsubscribe: &Unsubscribe, to: &Path) {
    let token = unsubscribe.secret.as_ref().map(|secret| token(secret.expose_secret(), &to.wire)).unwrap_or_default();
    let address = percent_encoded(&to.wire);
    let fill = |text: &str| text.replace(TOKEN, &token).replace(ADDRESS, &address);
    out.extend_from_slice(b"List-Unsubscribe: ");
    if let Some(url) = &unsubscribe.url {
        out.extend_from_slice(format!("<{}>", fill(url)).as_bytes());
    }
    if let Some(mailto) = &unsubscribe.mailto {
        out.extend_from_slice(if unsubscribe.url.is_some() { b",\r\n " } else { b"" });
        out.extend_from_slice(format!("<mailto:{}>", fill(mailto)).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    if unsubscribe.url.is_some() {
        out.extend_from_slice(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
}

/// HMAC-SHA256 over the address in lower case, in URL-safe base64: the receiver of the POST can check it without a table.
fn token(secret: &str, address: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, address.to_lowercase().as_bytes()))
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn lettre_field<H: lettre::message::header::Header>(out: &mut Vec<u8>, value: H) {
    let mut headers = Headers::new();
    headers.set(value);
    out.extend_from_slice(headers.to_string().as_bytes());
}

/// The tree of parts: mixed(alternative(text, related(html, images)), attachments), each level only where it is needed.
struct Parts<'a> {
    boundary: String,
    message: &'a Message,
    files: &'a [Option<Vec<u8>>],
    encoded: &'a Encoded,
}

impl Parts<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), SendError> {
        let html = matches!(self.message.body, Body::Html { .. });
        let inline = |attachment: &Attachment| html && attachment.cid.is_some();
        let all = || self.message.attachments.iter().enumerate();
        if all().all(|(_, attachment)| inline(attachment)) {
            return self.content(out);
        }
        self.open(out, "mixed", "m");
        self.next(out, "m");
        self.content(out)?;
        for (i, attachment) in all().filter(|(_, attachment)| !inline(attachment)) {
            self.next(out, "m");
            self.attachment(out, i, attachment, false)?;
        }
        self.end(out, "m");
        Ok(())
    }

    fn content(&self, out: &mut Vec<u8>) -> Result<(), SendError> {
        match &self.message.body {
            Body::Text(text) | Body::Markdown { text, .. } => self.text(out, "plain", text),
            Body::Html { html, text } => {
                self.open(out, "alternative", "a");
                self.next(out, "a");
                self.text(out, "plain", text);
                self.next(out, "a");
                self.related(out, html)?;
                self.end(out, "a");
            }
            Body::Native(_) => return Err(SendError::new(ErrorKind::BadMessage, "email takes text or HTML")),
        }
        Ok(())
    }

    fn related(&self, out: &mut Vec<u8>, html: &str) -> Result<(), SendError> {
        let images = || self.message.attachments.iter().enumerate().filter(|(_, attachment)| attachment.cid.is_some());
        if images().next().is_none() {
            self.text(out, "html", html);
            return Ok(());
        }
        self.open(out, "related; type=\"text/html\"", "r");
        self.next(out, "r");
        self.text(out, "html", html);
        for (i, attachment) in images() {
            self.next(out, "r");
            self.attachment(out, i, attachment, true)?;
        }
        self.end(out, "r");
        Ok(())
    }

    fn text(&self, out: &mut Vec<u8>, kind: &str, text: &str) {
        let encoding = body::choose(text, &self.boundary);
        out.extend_from_slice(b"Content-Type: text/");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"; charset=utf-8\r\nContent-Transfer-Encoding: ");
        out.extend_from_slice(encoding.name().as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        body::write_text(out, text, encoding);
    }

    fn attachment(&self, out: &mut Vec<u8>, i: usize, attachment: &Attachment, inline: bool) -> Result<(), SendError> {
        let name = attachment.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = clean(name);
        let name = if name.is_empty() { "attachment" } else { &name };
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(media_type(&attachment.content_type).as_bytes());
        header::parameter(out, "name", name);
        out.extend_from_slice(b"\r\n");
        lettre_field(out, if inline { ContentDisposition::inline_with_name(name) } else { ContentDisposition::attachment(name) });
        if let Some(cid) = attachment.cid.as_deref().filter(|_| inline) {
            let cid: String = cid.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>')).collect();
            out.extend_from_slice(format!("Content-ID: <{cid}>\r\n").as_bytes());
        }
        out.extend_from_slice(b"Content-Transfer-Encoding: ");
        out.extend_from_slice(Encoding::Base64.name().as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        match (&attachment.content, self.files.get(i)) {
            (Content::Shared(bytes), _) => out.extend_from_slice(&self.encoded.of(bytes)),
            (Content::File { .. }, Some(Some(bytes))) => body::base64_lines(out, bytes),
            (Content::File { path, .. }, _) => {
                return Err(SendError::new(ErrorKind::BadMessage, format!("attachment {} was not read", path.display())));
            }
        }
        Ok(())
    }

    // Every part ends with CRLF; the one before a delimiter belongs to the delimiter (RFC 2046 §5.1.1), and a part's own end of line
    // is not content that anyone misses.
    fn open(&self, out: &mut Vec<u8>, kind: &str, level: &str) {
        out.extend_from_slice(
            format!("Content-Type: multipart/{kind};\r\n boundary=\"{}_{level}\"\r\n\r\n", self.boundary).as_bytes(),
        );
    }

    fn next(&self, out: &mut Vec<u8>, level: &str) {
        out.extend_from_slice(format!("--{}_{level}\r\n", self.boundary).as_bytes());
    }

    fn end(&self, out: &mut Vec<u8>, level: &str) {
        out.extend_from_slice(format!("--{}_{level}--\r\n", self.boundary).as_bytes());
    }
}

/// The MIME type if it has the form of one and may be sent in base64, else bytes.
fn media_type(text: &str) -> &str {
    let token = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    match text.split(';').next().unwrap_or_default().trim().split_once('/') {
        // RFC 2046 §5: message/* and multipart/* must not be encoded in base64.
        Some((kind, subtype)) if token(kind) && token(subtype) && kind != "message" && kind != "multipart" => {
            text.split(';').next().unwrap_or_default().trim()
        }
        _ => "application/octet-stream",
    }
}
