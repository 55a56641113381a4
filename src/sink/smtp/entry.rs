//! A message's line in the ledger: who, to whom, what was really done with it, and what the client was told.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// One line. `taken` is the truth; `verdict` and `cut` are what the client could see of it.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) seq: u64,
    pub(crate) at_ms: u64,
    pub(crate) proto: &'static str,
    pub(crate) connection: u64,
    pub(crate) helo: &'a str,
    pub(crate) tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_user: Option<&'a str>,
    pub(crate) mail_from: &'a str,
    #[serde(serialize_with = "lines")]
    pub(crate) rcpt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// As in the header: unfolded, not decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// Bytes of content, dots unstuffed.
    pub(crate) size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    pub(crate) taken: bool,
    /// The code that was sent or would have been; `garbage` and `endless` where that was no reply.
    pub(crate) verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cut: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) bare_lf: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) bare_cr: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn lines<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for line in text.lines() {
        list.serialize_element(line)?;
    }
    list.end()
}

/// The value of a header field, unfolded; the first one of that name.
pub(crate) fn header(content: &[u8], name: &str) -> Option<String> {
    let mut rest = content;
    let mut value: Option<Vec<u8>> = None;
    while !rest.is_empty() && !rest.starts_with(b"\r\n") && !rest.starts_with(b"\n") {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = line.trim_ascii_end();
        match &mut value {
            Some(value) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            Some(_) => break,
            None => {
                let is_it = line.len() > name.len()
                    && line[name.len()] == b':'
                    && line[..name.len()].eq_ignore_ascii_case(name.as_bytes());
                if is_it {
                    value = Some(line[name.len() + 1..].trim_ascii().to_vec());
                }
            }
        }
    }
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    use std::fmt::Write;
    let digest = ring::digest::digest(&ring::digest::SHA256, content);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_unfolded_and_end_with_the_head() {
        let mail = b"Subject: one\r\n two\r\nMESSAGE-ID: <x@y>\r\n\r\nSubject: not me\r\n";
        assert_eq!(header(mail, "subject").as_deref(), Some("one two"));
        assert_eq!(header(mail, "Message-ID").as_deref(), Some("<x@y>"));
        assert_eq!(header(mail, "To"), None);
        assert_eq!(header(b"", "To"), None);
    }
}
