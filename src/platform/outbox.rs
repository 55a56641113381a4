//! The platform that only writes: every message becomes a file that can be opened and read, and nobody gets anything.
//!
//! A file appears whole or not at all (written aside, then linked into place), and an existing file is never replaced by another row.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::batch::{Batch, Verdict, Verdicts};
use crate::config::account::AccountConfig;
use crate::delivery::{Delivery, Envelope, Receipt};
use crate::error::{ErrorKind, SendError};
use crate::message::{Body, Content, Message};
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Wants};
use crate::problem::Problem;
use crate::recipient::Address;

/// The keys of an outbox account.
pub const KEYS: &[&str] = &["dir", "format", "from"];

/// Files are written by so many at once; a disk gains nothing from more.
const WIDTH: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Longest part of an address in a file name, in characters.
const NAME: usize = 80;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.eml`, as a mail program opens it; `.json` for content that is a tree or an address that is not email's.
    Eml,
    /// `.json`: envelope and content.
    Json,
    /// Nothing: for measuring everything before it.
    Null,
}

/// How the bytes of a mail are made: handed in, so that the outbox knows nothing of how mail is built.
pub type MakeEml = Arc<dyn Fn(&Delivery) -> Result<Vec<u8>, SendError> + Send + Sync>;

/// Writes messages into a folder.
pub struct Outbox {
    dir: PathBuf,
    format: Format,
    make_eml: MakeEml,
    capability: Capability,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("dir", &self.dir).field("format", &self.format).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Settings {
    dir: Option<PathBuf>,
    format: Option<serde_yaml::Value>,
}

/// `from:` of an outbox account, or `--from`, or a sender that nobody takes for a real one.
///
/// # Errors
/// As [`AccountConfig::settings`].
pub fn sender(config: &AccountConfig, opening: &Opening) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct From {
        from: Option<String>,
    }
    let said: From = config.settings(KEYS)?;
    Ok(opening.from.clone().or(said.from).unwrap_or_else(|| "notify <notify@localhost>".to_owned()))
}

/// Where the addresses of an outbox's rows are found: whatever platform they were meant for.
pub fn addressing() -> Addressing {
    let columns = ["to", "email", "phone", "open_id", "webhook"].map(str::to_owned).to_vec();
    Addressing { columns, fixed: None, phone: false, fold_case: true, secret: false, any: false }
}

impl Outbox {
    /// Opens the folder that the account or the run names; it is made when the first file is.
    ///
    /// # Errors
    /// What is wrong with the account.
    pub fn open(config: &AccountConfig, opening: &Opening, make_eml: MakeEml) -> Result<Self, Problem> {
        let settings: Settings = config.settings(KEYS)?;
        let format = match settings.format.as_ref() {
            None => Format::Eml,
            // YAML reads a bare `null` as nothing at all.
            Some(serde_yaml::Value::Null) if config.settings.contains_key("format") => Format::Null,
            Some(value) => match value.as_str() {
                Some("eml") => Format::Eml,
                Some("json") => Format::Json,
                Some("null") => Format::Null,
                _ => {
                    let what = format!("account {}: `format` is not one of eml, json, null", config.name);
                    return Err(Problem { what, ..Problem::default() });
                }
            },
        };
        // serde makes no difference between a missing key and a null one.
        let null = config.settings.get("format").is_some_and(serde_yaml::Value::is_null);
        let format = if null { Format::Null } else { format };
        let capability = Capability {
            batching: Batching::Single,
            quotas: config.limits.clone().unwrap_or_default(),
            idempotent: true,
            remembers: None,
            columns: false,
            content: None,
            width: opening.width.or(config.concurrency).unwrap_or(WIDTH),
            widest: opening.width.or(config.concurrency).unwrap_or(WIDTH),
            wants: Wants::Email,
            addressing: addressing(),
            harmless: true,
        };
        Ok(Outbox { dir: settings.dir.unwrap_or_else(|| opening.outbox.clone()), format, make_eml, capability })
    }

    fn write(&self, delivery: &Delivery) -> Verdict {
        let Delivery { envelope, message } = delivery;
        let (bytes, extension) = match (self.format, &message.body) {
            (Format::Null, _) => return Ok(Receipt::default()),
            (Format::Eml, Body::Text(_) | Body::Html { .. }) if is_mail(&envelope.to) => ((self.make_eml)(delivery)?, "eml"),
            (Format::Eml | Format::Json, _) => (json_bytes(envelope, message)?, "json"),
        };
        // The delivery id makes a second try of the same row find its own file.
        let stem = format!("{:06}-{}", envelope.position.row, file_name(envelope.to.as_str()));
        let shard = if envelope.position.shard == 0 { String::new() } else { format!("p{}-", envelope.position.shard) };
        let name = place(&self.dir, &format!("{shard}{stem}"), extension, envelope.id.as_str(), &bytes)
            .map_err(|error| disk(&self.dir, &error))?;
        Ok(Receipt { id: Some(name), replay: false, note: None })
    }
}

/// A telephone number or an URL cannot stand in `To:`.
fn is_mail(to: &Address) -> bool {
    to.as_str().contains('@') && !to.as_str().contains("://")
}

/// The disk failed: no row of this account can be written now.
fn disk(dir: &Path, error: &io::Error) -> SendError {
    SendError::new(ErrorKind::Misconfigured, format!("cannot write into {}: {error}", dir.display()))
}

/// Writes the bytes under a name that no other row has, and tells the name.
fn place(dir: &Path, stem: &str, extension: &str, id: &str, bytes: &[u8]) -> io::Result<String> {
    let aside = dir.join(format!(".{id}.tmp"));
    let written = write_aside(&aside, bytes).or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        fs::create_dir_all(dir)?;
        write_aside(&aside, bytes)
    });
    let placed = written.and_then(|()| {
        for name in [format!("{stem}.{extension}"), format!("{stem}-{id}.{extension}")] {
            // A link fails where the name is taken, which a rename would not.
            match fs::hard_link(&aside, dir.join(&name)) {
                Ok(()) => return Ok(name),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::read(dir.join(&name)).is_ok_and(|there| there == bytes) {
                        return Ok(name);
                    }
                }
                // A file system without links: taking the name first is nearly as good.
                Err(_) => match fs::File::create_new(dir.join(&name)) {
                    Ok(_) => return fs::rename(&aside, dir.join(&name)).map(|()| name),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                },
            }
        }
        // The same delivery, tried again with other bytes (another Date): its own file, so it may be replaced.
        let name = format!("{stem}-{id}.{extension}");
        fs::rename(&aside, dir.join(&name)).map(|()| name)
    });
    let _ = fs::remove_file(&aside);
    placed
}

fn write_aside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// An address as a file name: no separators, no hidden files, no names that some system reserves.
fn file_name(address: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || "@._+-".contains(c) { c } else { '_' };
    let address = match address.split_once("://") {
        // The rest of an URL may be a credential.
        Some(_) => Address::from(address).masked().replace("/***", ""),
        None => address.to_owned(),
    };
    let mut name: String = address.chars().map(keep).take(NAME).collect();
    // 255 bytes are the limit of most file systems; other letters than ASCII take up to four each.
    while name.len() > 180 {
        name.pop();
    }
    let name = name.trim_matches(|c| c == '.' || c == '_');
    if name.is_empty() { "nobody".to_owned() } else { name.replace("..", "._") }
}

fn json_bytes(envelope: &Envelope, message: &Message) -> Result<Vec<u8>, SendError> {
    let mut tree = serde_json::Map::new();
    tree.insert("id".to_owned(), json!(envelope.id.as_str()));
    tree.insert("account".to_owned(), json!(envelope.account));
    tree.insert("to".to_owned(), json!(envelope.to.as_str()));
    let optional = [("from", &message.from), ("reply_to", &message.reply_to), ("subject", &message.subject)];
    tree.extend(optional.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name.to_owned(), json!(value)))));
    for (name, list) in [("cc", &message.cc), ("bcc", &message.bcc)] {
        if !list.is_empty() {
            tree.insert(name.to_owned(), json!(list));
        }
    }
    match &message.body {
        Body::Text(text) => tree.insert("text".to_owned(), json!(text)),
        Body::Html { html, text } => {
            tree.insert("text".to_owned(), json!(text));
            tree.insert("html".to_owned(), json!(html))
        }
        Body::Markdown { markdown, text } => {
            tree.insert("text".to_owned(), json!(text));
            tree.insert("markdown".to_owned(), json!(markdown))
        }
        Body::Native(content) => tree.insert("content".to_owned(), content.clone()),
    };
    if !message.headers.is_empty() {
        tree.insert("headers".to_owned(), json!(message.headers));
    }
    if !message.meta.is_empty() {
        tree.insert("meta".to_owned(), Value::Object(message.meta.clone()));
    }
    if !message.attachments.is_empty() {
        let each = message.attachments.iter().map(|file| {
            let bytes = match &file.content {
                Content::Shared(bytes) => bytes.len() as u64,
                Content::File { len, .. } => *len,
            };
            json!({ "name": file.name, "content_type": file.content_type, "bytes": bytes })
        });
        tree.insert("attachments".to_owned(), each.collect());
    }
    let mut bytes = serde_json::to_vec_pretty(&Value::Object(tree))
        .map_err(|error| SendError::new(ErrorKind::BadMessage, format!("the content cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl Platform for Outbox {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn lane(&self, _: &Address) -> Result<LaneKey, SendError> {
        Ok(LaneKey::whole())
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        // Small local files: cheaper in place than on another thread.
        Box::pin(async move { Verdicts::each(batch, |_, delivery| self.write(delivery)) })
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async move {
            fs::create_dir_all(&self.dir).map_err(|error| disk(&self.dir, &error))?;
            Ok(format!("writes into {} and sends nothing", self.dir.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryId;
    use crate::recipient::Position;

    fn outbox(dir: &Path, format: &str) -> Outbox {
        let settings = serde_yaml::from_str(&format!("{{dir: \"{}\", format: {format}}}", dir.display())).unwrap();
        let config = AccountConfig {
            name: "out".into(),
            platform: "outbox".into(),
            limits: None,
            concurrency: None,
            knobs: Default::default(),
            shaping: None,
            settings,
        };
        let make: MakeEml = Arc::new(|delivery| {
            Ok(format!("{} {}", delivery.envelope.to.as_str(), delivery.message.body.text().unwrap()).into_bytes())
        });
        Outbox::open(&config, &Opening::default(), make).unwrap()
    }

    fn delivery(row: u64, to: &str, body: Body) -> Delivery {
        let id = DeliveryId::derive("run", &format!("{row}{to}"), "out");
        let envelope = Envelope { id, position: Position::row(row), account: "out".into(), to: to.into(), attempt: 1 };
        Delivery { envelope, message: Message { body, ..Message::default() } }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_row_gets_its_own_file_and_none_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let box_dir = dir.path().join("outbox");
        let outbox = outbox(&box_dir, "eml");
        for (row, to, text) in [(0, "a@x", "one"), (1, "a@x", "two"), (0, "a@/x", "three"), (0, "a@x", "four")] {
            outbox.write(&delivery(row, to, Body::Text(text.into()))).unwrap();
        }
        outbox.write(&delivery(2, "a@x", Body::Native(json!({"k": 1})))).unwrap();
        let names = names(&box_dir);
        assert_eq!(names.len(), 5, "{names:?}");
        assert!(names.iter().all(|name| !name.starts_with('.')), "no leftovers: {names:?}");
        assert_eq!(fs::read_to_string(box_dir.join("000000-a@x.eml")).unwrap(), "a@x one");
        assert!(names.contains(&"000002-a@x.json".to_owned()));
    }

    #[test]
    fn an_address_cannot_leave_the_folder() {
        for (address, name) in [
            ("../../etc/passwd", "etc_passwd"),
            ("/etc/passwd", "etc_passwd"),
            ("a\0b", "a_b"),
            (".hidden", "hidden"),
            ("", "nobody"),
            ("https://hooks.example.com/T0P/SECRET", "https___hooks.example.com"),
            ("\u{202e}gpj", "gpj"),
        ] {
            assert_eq!(file_name(address), name, "{address:?}");
        }
        assert!(file_name(&"张".repeat(300)).len() <= 180);
    }

    #[test]
    fn json_and_null() {
        let dir = tempfile::tempdir().unwrap();
        let json = outbox(dir.path(), "json");
        json.write(&delivery(0, "a@x", Body::Text("hi".into()))).unwrap();
        let text = fs::read_to_string(dir.path().join("000000-a@x.json")).unwrap();
        assert!(text.contains("\"text\": \"hi\""), "{text}");
        for null in ["null", "\"null\""] {
            let outbox = outbox(&dir.path().join("never"), null);
            outbox.write(&delivery(0, "a@x", Body::Text("hi".into()))).unwrap();
        }
        assert!(!dir.path().join("never").exists());
    }
}
