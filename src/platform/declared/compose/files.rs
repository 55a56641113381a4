//! Attachments inside requests: as base64 in a tree, as parts of a multipart body.
//!
//! A file that all rows share is encoded once.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::message::{Attachment, Content};

/// Files that were encoded already. Holding the bytes keeps their place in memory from meaning another file.
#[derive(Default)]
pub struct Encoded(Mutex<Vec<Known>>);

/// A file, and its base64.
type Known = (Arc<[u8]>, Arc<str>);

/// Files that are remembered; a run shares few.
const MOST: usize = 32;

impl Encoded {
    /// `[{name, content_type, base64, cid}]`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn list(&self, attachments: &[Arc<Attachment>]) -> Result<Value, String> {
        let each = attachments.iter().map(|file| {
            let mut entry =
                json!({ "name": file.name, "content_type": file.content_type, "base64": self.base64(file)?.as_ref() });
            if let Some(cid) = &file.cid {
                entry["cid"] = json!(cid);
            }
            Ok(entry)
        });
        each.collect()
    }

    fn base64(&self, file: &Attachment) -> Result<Arc<str>, String> {
        let Content::Shared(bytes) = &file.content else { return Ok(STANDARD.encode(read(file)?).into()) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = known.iter().find(|(there, _)| Arc::ptr_eq(there, bytes)) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = STANDARD.encode(bytes).into();
        if known.len() < MOST {
            known.push((Arc::clone(bytes), Arc::clone(&text)));
        }
        Ok(text)
    }
}

/// What tells files apart without reading them, in the form of [`Encoded::list`].
pub fn identity(attachments: &[Arc<Attachment>]) -> Value {
    let each = attachments.iter().map(|file| {
        let place = match &file.content {
            Content::Shared(bytes) => format!("{:x}-{}", bytes.as_ptr().addr(), bytes.len()),
            Content::File { path, len } => format!("{}-{len}", path.to_string_lossy()),
        };
        let mut entry = json!({ "name": file.name, "content_type": file.content_type, "base64": place });
        if let Some(cid) = &file.cid {
            entry["cid"] = json!(cid);
        }
        entry
    });
    each.collect()
}

/// About how many bytes the files have as base64.
pub fn encoded_length(attachments: &[Arc<Attachment>]) -> usize {
    let length = |file: &Arc<Attachment>| match &file.content {
        Content::Shared(bytes) => bytes.len(),
        Content::File { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX / 2),
    };
    attachments.iter().map(|file| length(file).saturating_add(2) / 3 * 4).fold(0, usize::saturating_add)
}

/// The bytes of a file.
///
/// # Errors
/// It cannot be read.
pub fn read(file: &Attachment) -> Result<Vec<u8>, String> {
    match &file.content {
        Content::Shared(bytes) => Ok(bytes.to_vec()),
        Content::File { path, .. } => {
            std::fs::read(path).map_err(|error| format!("the attachment {} cannot be read: {error}", file.name))
        }
    }
}
