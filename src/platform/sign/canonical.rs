//! A request as canonical signers see it, and what they share: sorted queries, hashes, times.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::{digest, hmac};

use crate::platform::sign::hex::to_hex;

/// A request that is about to be signed.
#[derive(Clone, Copy)]
pub struct Canonical<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The `Host` field as it is sent: with the port where that is not the scheme's own.
    pub host: &'a str,
    /// The path as it is sent, percent-encoded; empty is `/`.
    pub path: &'a str,
    /// The query, decoded. Send it as [`query_string`] writes it: `+` for a space breaks signatures.
    pub query: &'a [(String, String)],
    /// The header fields that the request carries, in any case and order; each signer takes those that it signs.
    pub headers: &'a [(String, String)],
    /// The exact bytes of the body.
    pub body: &'a [u8],
    /// Now.
    pub time: SystemTime,
    /// A text that was never used with this key before; only Aliyun's signers look at it.
    pub nonce: &'a str,
}

/// A key pair of a cloud; its `Debug` shows the id alone.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key id (AWS, Aliyun) or secret id (Tencent); not secret.
    pub id: &'a str,
    /// The secret key.
    pub secret: &'a str,
    /// The token of temporary credentials (STS).
    pub token: Option<&'a str>,
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.id)
    }
}

impl Canonical<'_> {
    /// Seconds since 1970; an earlier clock counts as 1970.
    pub(super) fn seconds(&self) -> u64 {
        seconds(self.time)
    }

    /// The time in UTC by a format of strftime.
    pub(super) fn utc(&self, format: &str) -> String {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).strftime(format).to_string()
    }

    /// The path, never empty.
    pub(super) fn whole_path(&self) -> &str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    /// Fields to sign by lower-case name, sorted: `host`, what the signer adds, and those carried that `signs` takes. What the signer
    /// adds stands in place of a carried field of that name.
    pub(super) fn fields(&self, added: &[(String, String)], signs: impl Fn(&str) -> bool) -> Fields {
        let mut fields = vec![("host".to_owned(), self.host.to_owned())];
        fields.extend(added.iter().cloned());
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            if name != "host" && signs(&name) && !added.iter().any(|(added, _)| *added == name) {
                fields.push((name, value.clone()));
            }
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0)); // stable: fields of one name keep their order
        Fields(fields)
    }
}

/// Fields that are signed: sorted, names in lower case.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// `name:value`, a line each; runs of spaces as one, fields of one name joined by commas.
    pub(super) fn lines(&self) -> String {
        let mut lines = String::new();
        let mut last = None;
        for (name, value) in &self.0 {
            if last == Some(name) {
                lines.pop();
                lines.push(',');
            } else {
                lines.push_str(name);
                lines.push(':');
            }
            last = Some(name);
            for (at, word) in value.split_ascii_whitespace().enumerate() {
                lines.push_str(if at == 0 { "" } else { " " });
                lines.push_str(word);
            }
            lines.push('\n');
        }
        lines
    }

    /// The names, joined by semicolons.
    pub(super) fn names(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names.join(";")
    }
}

/// The query sorted and encoded as all these signers want it (RFC 3986), without the question mark.
pub fn query_string(query: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> = query.iter().map(|(name, value)| (percent(name), percent(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Everything but the unreserved characters of RFC 3986 section 2.3 as `%XX`.
pub fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // a String takes all
        }
    }
    encoded
}

/// Without its percent signs; one that stands before no two hexadecimal digits stays.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit =
        |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    to_hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// HMAC-SHA256.
pub(super) fn mac(key: &[u8], message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
}

/// A key narrowed step by step: each HMAC is the key of the next.
pub(super) fn narrowed(secret: &str, steps: &[&str]) -> Vec<u8> {
    steps.iter().fold(secret.as_bytes().to_vec(), |key, step| mac(&key, step).as_ref().to_vec())
}

/// Seconds since 1970; an earlier clock counts as 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn queries_are_sorted_by_what_is_written() {
        assert_eq!(
            query_string(&[pair("b", "1 2"), pair("a", "~*+"), pair("a", "你"), pair("B", "")]),
            "B=&a=%E4%BD%A0&a=~%2A%2B&b=1%202"
        );
        assert_eq!(query_string(&[]), "");
    }

    #[test]
    fn what_was_encoded_is_read_again() {
        for text in ["a b/c:d?&=+%", "你好", "", "100%", "%zz%4"] {
            assert_eq!(percent_decoded(&percent(text)), text);
        }
        assert_eq!(percent_decoded("%zz%4%41+"), "%zz%4A+");
    }

    #[test]
    fn fields_are_trimmed_joined_and_what_is_added_wins() {
        let carried =
            [pair("X-B", "  one   two "), pair("x-a", "old"), pair("x-b", "three"), pair("Host", "elsewhere"), pair("c", "no")];
        let request = Canonical {
            method: "GET",
            host: "h",
            path: "",
            query: &[],
            headers: &carried,
            body: b"",
            time: UNIX_EPOCH,
            nonce: "",
        };
        let fields = request.fields(&[pair("x-a", "new")], |name| name.starts_with("x-"));
        assert_eq!(fields.lines(), "host:h\nx-a:new\nx-b:one two,three\n");
        assert_eq!(fields.names(), "host;x-a;x-b");
        assert_eq!(request.whole_path(), "/");
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let keys = Credentials { id: "AKID", secret: "hush", token: Some("hush too") };
        assert_eq!(format!("{keys:?}"), "Credentials(AKID)");
    }

    #[test]
    fn clocks_that_are_far_off_end_nothing() {
        let request =
            Canonical { method: "GET", host: "h", path: "/", query: &[], headers: &[], body: b"", time: UNIX_EPOCH, nonce: "" };
        let early = Canonical { time: UNIX_EPOCH - std::time::Duration::from_secs(9), ..request };
        let late = Canonical { time: UNIX_EPOCH + std::time::Duration::from_secs(1 << 40), ..request };
        assert_eq!(early.utc("%Y%m%d"), "19700101");
        assert_eq!(late.utc("%Y"), "9999");
    }
}
