//! Files that go along: read once where they are the same for every row, looked at per row where they are not; never from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::message::{Attachment, Content};

/// Largest file that may go along, in bytes (reliability.md P23).
const MOST_BYTES: u64 = 20 << 20;

/// Where attachments may lie.
#[derive(Debug, Clone)]
pub(super) struct Roots {
    /// The template's folder and the current directory, links resolved.
    folders: Vec<PathBuf>,
}

impl Roots {
    pub(super) fn new(base: Option<&Path>) -> Roots {
        let here = std::env::current_dir().ok();
        let folders = base.map(Path::to_owned).into_iter().chain(here).filter_map(|path| fs::canonicalize(path).ok());
        Roots { folders: folders.collect() }
    }

    /// The file that is meant and its size: below one of the folders after resolving links.
    pub(super) fn resolve(&self, given: &str) -> Result<(PathBuf, u64), String> {
        let given = given.trim();
        if given.is_empty() || given.contains('\0') {
            return Err("the name of an attachment is empty".to_owned());
        }
        let mut outside = false;
        for folder in &self.folders {
            let Ok(path) = fs::canonicalize(folder.join(given)) else { continue };
            if !self.folders.iter().any(|root| path.starts_with(root)) {
                outside = true;
                continue;
            }
            return checked(&path, given).map(|len| (path, len));
        }
        if outside {
            return Err(format!("the attachment `{given}` lies outside of the template's folder and the current directory"));
        }
        let places: Vec<String> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        Err(format!("the attachment `{given}` does not exist (looked in {})", places.join(" and ")))
    }

    /// An attachment of one row: looked at now, read when its message is built.
    pub(super) fn for_row(&self, given: &str) -> Result<Arc<Attachment>, String> {
        let (path, len) = self.resolve(given)?;
        Ok(Arc::new(describe(&path, None, Content::File { path: path.clone(), len })))
    }

    /// An attachment of every row: read now.
    pub(super) fn for_all(&self, given: &str, cid: Option<String>) -> Result<Arc<Attachment>, String> {
        let (path, _) = self.resolve(given)?;
        load(&path, given, cid)
    }
}

/// Reads a file that the user named on the command line: it may lie anywhere.
pub(super) fn given(path: &Path) -> Result<Arc<Attachment>, String> {
    let shown = path.display().to_string();
    let path = fs::canonicalize(path).map_err(|_| format!("the attachment `{shown}` does not exist"))?;
    checked(&path, &shown)?;
    load(&path, &shown, None)
}

fn load(path: &Path, shown: &str, cid: Option<String>) -> Result<Arc<Attachment>, String> {
    let bytes = fs::read(path).map_err(|error| format!("the attachment `{shown}` cannot be read: {error}"))?;
    Ok(Arc::new(describe(path, cid, Content::Shared(Arc::from(bytes)))))
}

fn checked(path: &Path, shown: &str) -> Result<u64, String> {
    let about = fs::metadata(path).map_err(|error| format!("the attachment `{shown}` cannot be read: {error}"))?;
    if !about.is_file() {
        return Err(format!("the attachment `{shown}` is not a file"));
    }
    if about.len() > MOST_BYTES {
        return Err(format!("the attachment `{shown}` has {} MiB; at most 20 may go along", about.len() >> 20));
    }
    Ok(about.len())
}

fn describe(path: &Path, cid: Option<String>, content: Content) -> Attachment {
    let name = path.file_name().map_or_else(|| "attachment".to_owned(), |name| name.to_string_lossy().into_owned());
    Attachment { content_type: content_type(&name).to_owned(), name, cid, content }
}

/// The MIME type that an extension stands for.
pub(super) fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("txt" | "log" | "md") => "text/plain",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("ics") => "text/calendar",
        Some("vcf") => "text/vcard",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("zip") => "application/zip",
        Some("gz" | "tgz") => "application/gzip",
        Some("doc") => "application/msword",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("xls") => "application/vnd.ms-excel",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("ppt") => "application/vnd.ms-powerpoint",
        Some("pptx") => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Some("mp3") => "audio/mpeg",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}
