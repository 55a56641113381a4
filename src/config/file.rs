//! One config file: found, read within bounds, and asked who owns it and who can read it.

use std::io::Read;
use std::path::Path;

/// A config of a thousand accounts is a tenth of this.
const LONGEST: u64 = 4 * 1024 * 1024;

/// What was read and what the file system says about it.
pub(crate) struct ConfigFile {
    pub text: String,
    /// Users beside the owner can read it.
    pub readable_by_others: bool,
    /// Anybody can write it.
    pub writable_by_all: bool,
    /// It belongs to the user who runs this.
    pub own: bool,
}

/// Why a file could not be read.
pub(crate) enum Unread {
    /// There is none.
    Missing,
    /// One sentence, without the path.
    Because(String),
    /// It is not UTF-8; the line, from 1.
    NotText { line: usize, what: &'static str },
}

/// Reads the file.
pub(crate) fn read(path: &Path) -> Result<ConfigFile, Unread> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Err(Unread::Missing);
        }
        Err(error) => return Err(Unread::Because(why(&error))),
    };
    let about = file.metadata().map_err(|error| Unread::Because(why(&error)))?;
    if about.is_dir() {
        return Err(Unread::Because("is a folder, not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    (&file).take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| Unread::Because(why(&error)))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Unread::Because(format!("is longer than {} MB: is it the right file?", LONGEST / 1024 / 1024)));
    }
    // The parser takes a byte order mark for a document of its own.
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let bytes = error.as_bytes();
        let line = 1 + bytes[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let what = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "is UTF-16 text"
        } else {
            "is not UTF-8 text"
        };
        Unread::NotText { line, what }
    })?;
    let (readable_by_others, writable_by_all, own) = rights(&about);
    Ok(ConfigFile { text, readable_by_others, writable_by_all, own })
}

/// Rights of a file; a pipe (`-c <(…)`) is read by nobody else.
#[cfg(unix)]
fn rights(about: &std::fs::Metadata) -> (bool, bool, bool) {
    use std::os::unix::fs::MetadataExt;
    let mode = if about.is_file() { about.mode() } else { 0 };
    (mode & 0o044 != 0, mode & 0o002 != 0, about.uid() == rustix::process::geteuid().as_raw())
}

/// Where files have no owner and mode as Unix knows them, nothing is refused for them.
#[cfg(not(unix))]
fn rights(_: &std::fs::Metadata) -> (bool, bool, bool) {
    (false, false, true)
}

/// An error of the file system in a few words.
pub(crate) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a folder".to_owned(),
        _ => error.to_string(),
    }
}
