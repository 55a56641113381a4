//! What a definition says of content: the fields beside subject and text, how long each part may be, what of an email is carried.

use serde::Deserialize;

/// A value that a JSON template or a row's columns may carry beside subject and text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldOf {
    /// For `notify platforms show`.
    pub about: Option<String>,
    /// A text is parsed as JSON.
    #[serde(default)]
    pub json: bool,
    /// A text is split at commas, semicolons and white space.
    #[serde(default)]
    pub list: bool,
    /// A text is a number.
    #[serde(default)]
    pub number: bool,
}

/// What the platform takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest content; what is longer is refused before it is sent.
    #[serde(default)]
    pub max: Max,
    /// What of an email it carries; a row with more is refused.
    #[serde(default)]
    pub takes: Vec<Part>,
    /// What the platform would take for placeholders of its own; content with one of these is refused.
    #[serde(default)]
    pub without: Vec<String>,
    /// The text is that of an SMS, which is counted in parts.
    pub sms: Option<Sms>,
}

/// A part of an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Files.
    Attachments,
    /// Pictures inside of the HTML, by their Content-ID.
    Inline,
    /// `_cc` and `_bcc`.
    Cc,
    /// `Reply-To:`.
    ReplyTo,
    /// Further header fields.
    Headers,
}

/// How the parts of an SMS are counted.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Counted as mainland China does: 70 letters, then 67 a part, whatever the alphabet.
    #[serde(default)]
    pub mainland: bool,
}

/// Longest content.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Max {
    /// The text.
    pub text: Option<Size>,
    /// Markdown.
    pub markdown: Option<Size>,
    /// HTML.
    pub html: Option<Size>,
    /// Subject or title.
    pub subject: Option<Size>,
    /// The body of the request.
    pub body: Option<Bytes>,
}

/// A length in characters or bytes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Characters (Unicode scalar values).
    pub chars: Option<usize>,
    /// Bytes of UTF-8.
    pub bytes: Option<usize>,
}

impl Size {
    /// What is wrong with a text of that name.
    ///
    /// # Errors
    /// It is too long.
    pub fn holds(&self, name: &str, text: &str, platform: &str) -> Result<(), String> {
        let long = |length: usize, max: Option<usize>| max.filter(|max| length > *max);
        if let Some(max) = self.chars.and_then(|max| long(text.chars().count(), Some(max))) {
            return Err(format!("the {name} has {} characters; {platform} takes at most {max}", text.chars().count()));
        }
        match long(text.len(), self.bytes) {
            Some(max) => Err(format!("the {name} has {} bytes; {platform} takes at most {max}", text.len())),
            None => Ok(()),
        }
    }
}

/// A length in bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// Bytes.
    pub bytes: usize,
}
