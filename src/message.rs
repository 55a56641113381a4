//! What is sent: content after rendering, in the forms that platforms understand. Plain data, no I/O.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

/// Content after rendering, for one recipient.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Subject or title.
    pub subject: Option<String>,
    /// The content itself.
    pub body: Body,
    /// `From:` of the template or the row, over the account's own.
    pub from: Option<String>,
    /// `Reply-To:`.
    pub reply_to: Option<String>,
    /// Further envelope recipients named by `_cc` (shown) …
    pub cc: Vec<String>,
    /// … and `_bcc` (not shown).
    pub bcc: Vec<String>,
    /// Further header fields of the template, name and value, already free of CR, LF and NUL.
    pub headers: Vec<(String, String)>,
    /// Files that go along.
    pub attachments: Vec<Arc<Attachment>>,
    /// `_meta.*` and anything else that platforms with a JSON body may carry.
    pub meta: serde_json::Map<String, Value>,
    /// The row's own columns, for platforms that ask for them (`Capability::columns`); empty for the others.
    pub columns: serde_json::Map<String, Value>,
    /// The row itself carried the content, and no template did: its columns may fill the platform's own fields.
    pub from_row: bool,
}

/// The content in one of its forms.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Plain text.
    Text(String),
    /// HTML and the text that says the same.
    Html {
        /// The HTML part.
        html: String,
        /// The plain-text alternative.
        text: String,
    },
    /// Markdown as the platform reads it, and the plain text that says the same.
    Markdown {
        /// The source.
        markdown: String,
        /// The plain-text alternative.
        text: String,
    },
    /// A tree in the platform's own form (a card, a webhook's JSON).
    Native(Value),
}

impl Default for Body {
    fn default() -> Self {
        Body::Text(String::new())
    }
}

impl Body {
    /// The content as plain text, if it has that form.
    pub fn text(&self) -> Option<&str> {
        match self {
            Body::Text(text) | Body::Html { text, .. } | Body::Markdown { text, .. } => Some(text),
            Body::Native(_) => None,
        }
    }
}

/// Which form of content the platform wants from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// `email.html`, `email.txt`, `email.md` of the template; subject, attachments.
    Email,
    /// For the first of these names that the template has a file for: `NAME.json` (`webhook.json`, `feishu.json`), `NAME.md|txt|html`;
    /// else its text form. The names go from the platform's own to those of its family: `feishu-bot`, `feishu`, `chat`.
    Named(Vec<String>),
}

/// A file that goes along with a message.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// File name shown to the reader.
    pub name: String,
    /// MIME type, guessed from the name.
    pub content_type: String,
    /// Content-ID of an inline image (`cid:logo` in the HTML), without brackets.
    pub cid: Option<String>,
    /// Where the bytes are.
    pub content: Content,
}

/// The bytes of an attachment: shared by all messages, or read when the message is built.
#[derive(Debug, Clone)]
pub enum Content {
    /// The same for every row: read once, held once.
    Shared(Arc<[u8]>),
    /// Of one row: opened when its message is built, so that waiting rows hold no bytes.
    File {
        /// The file, after resolving links.
        path: PathBuf,
        /// Its size in bytes when it was checked.
        len: u64,
    },
}
