//! DKIM signatures (RFC 6376, RFC 8463): rsa-sha256 and ed25519-sha256, relaxed/relaxed, over the finished message.
//!
//! Signed with ring on the bytes themselves, not by lettre: its signer reads PKCS#1 alone, takes twice as long for RSA, hashes an
//! empty body wrongly and recurses once per header byte.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::Ed25519KeyPair;
use secrecy::ExposeSecret as _;

use super::settings::Dkim;
use crate::platform::sign::private_key::{PrivateKey as Key, rs256};

/// Fields that are signed where the message has them.
const SIGNED: [&str; 11] = [
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

/// Signs for one domain and selector.
pub(super) struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}._domainkey.{})", self.selector, self.domain)
    }
}

impl Signer {
    /// Resolves and reads the key: PEM (PKCS#8 or PKCS#1), or the 32 bytes of an ed25519 seed in base64.
    pub(super) fn open(settings: &Dkim) -> Result<Signer, String> {
        let name = |text: &str| {
            !text.is_empty() && text.len() < 200 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        if !name(&settings.domain) || !name(&settings.selector) {
            return Err("`domain` and `selector` are names of DNS, such as example.com and s1".to_owned());
        }
        let text = settings.key.resolve()?;
        let text = text.expose_secret().trim();
        let key = if text.starts_with("-----BEGIN") { Key::from_pem(text)? } else { from_seed(text)? };
        Ok(Signer { domain: settings.domain.clone(), selector: settings.selector.clone(), key })
    }

    /// Whether signing takes so long (RSA) that it belongs off the runtime.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self.key, Key::Rsa(_))
    }

    /// The `DKIM-Signature` field, with its line end, to stand before the message.
    pub(super) fn sign(&self, message: &[u8], now: SystemTime) -> Result<Vec<u8>, String> {
        let split = memchr::memmem::find(message, b"\r\n\r\n").ok_or("a message without a body")?;
        let (head, body) = (&message[..split + 2], &message[split + 4..]);
        let mut data = Vec::with_capacity(1024);
        let mut names = String::new();
        let fields = fields(head);
        for name in SIGNED {
            if let Some(field) = fields.iter().find(|field| field_name(field).eq_ignore_ascii_case(name.as_bytes())) {
                relaxed_field(field, &mut data);
                data.extend_from_slice(b"\r\n");
                names.push_str(if names.is_empty() { "" } else { ":" });
                names.push_str(name);
            }
        }
        let hash = ring::digest::digest(&ring::digest::SHA256, &relaxed_body(body));
        let algorithm = match self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let stamp = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut field = format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={}; s={}; t={stamp};\r\n h={};\r\n bh={};\r\n b=",
            self.domain,
            self.selector,
            names.replace(":list-", ":\r\n list-"),
            BASE64.encode(hash),
        );
        relaxed_field(field.as_bytes(), &mut data);
        let signature = match &self.key {
            Key::Ed25519(key) => {
                // RFC 8463 §3: ed25519 signs the SHA-256 of the data.
                key.sign(ring::digest::digest(&ring::digest::SHA256, &data).as_ref()).as_ref().to_vec()
            }
            Key::Rsa(key) => rs256(key, &data)?,
        };
        for (i, line) in BASE64.encode(signature).as_bytes().chunks(72).enumerate() {
            field.push_str(if i == 0 { "" } else { "\r\n " });
            field.extend(line.iter().map(|b| char::from(*b)));
        }
        field.push_str("\r\n");
        Ok(field.into_bytes())
    }
}

fn from_seed(text: &str) -> Result<Key, String> {
    let seed = BASE64.decode(text).map_err(|_| "the key is neither PEM nor base64")?;
    Ed25519KeyPair::from_seed_unchecked(&seed).map(Key::Ed25519).map_err(|_| "an ed25519 key in base64 has 32 bytes".to_owned())
}

/// The fields of a header block, each with its folds and without its last line end.
fn fields(head: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::with_capacity(16);
    let mut start = 0;
    for end in memchr::memmem::find_iter(head, b"\r\n") {
        if !matches!(head.get(end + 2), Some(b' ' | b'\t')) {
            out.push(&head[start..end]);
            start = end + 2;
        }
    }
    out
}

fn field_name(field: &[u8]) -> &[u8] {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    field[..colon].trim_ascii_end()
}

/// RFC 6376 §3.4.2: lower-case name, unfolded, runs of white space as one space, none around the colon or at the end.
fn relaxed_field(field: &[u8], out: &mut Vec<u8>) {
    let name = field_name(field);
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let value = memchr::memchr(b':', field).map_or(&[][..], |colon| &field[colon + 1..]);
    let mut gap = false;
    let mut any = false;
    for &byte in value {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            gap = any;
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push(b' ');
        }
        any = true;
        out.push(byte);
    }
}

/// RFC 6376 §3.4.4: runs of white space as one space, none at line ends, no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut gap = false;
    let mut i = 0;
    while i < body.len() {
        match body[i] {
            b' ' | b'\t' => gap = true,
            b'\r' if body.get(i + 1) == Some(&b'\n') => {
                gap = false;
                out.extend_from_slice(b"\r\n");
                i += 1;
            }
            byte => {
                if std::mem::take(&mut gap) {
                    out.push(b' ');
                }
                out.push(byte);
            }
        }
        i += 1;
    }
    if gap {
        out.push(b' ');
    }
    while out.ends_with(b"\r\n\r\n") {
        out.truncate(out.len() - 2);
    }
    if out == b"\r\n" {
        out.clear();
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, KeyPair as _, UnparsedPublicKey};

    use super::*;

    fn body_hash(body: &[u8]) -> String {
        BASE64.encode(ring::digest::digest(&ring::digest::SHA256, &relaxed_body(body)))
    }

    #[test]
    fn bodies_hash_as_the_rfc_says() {
        assert_eq!(body_hash(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(body_hash(b"\r\n\r\n"), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(body_hash(b" C \r\nD \t E\r\n\r\n\r\n"), "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo=");
    }

    #[test]
    fn fields_are_relaxed_as_the_rfc_says() {
        let mut out = Vec::new();
        relaxed_field(b"A: X", &mut out);
        out.push(b'|');
        relaxed_field(b"B : Y\t\r\n\tZ  ", &mut out);
        assert_eq!(out, b"a:X|b:Y Z");
    }

    #[test]
    fn a_signature_verifies_and_a_changed_subject_does_not() {
        let seed = [7u8; 32];
        let signer = Signer {
            domain: "example.com".into(),
            selector: "s1".into(),
            key: Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()),
        };
        let Key::Ed25519(key) = &signer.key else { unreachable!() };
        let verify = |message: &[u8], field: &[u8]| {
            let split = memchr::memmem::find(message, b"\r\n\r\n").unwrap();
            let text = String::from_utf8(field.to_vec()).unwrap();
            let names = text.split("h=").nth(1).unwrap().split(';').next().unwrap().replace("\r\n ", "");
            let mut data = Vec::new();
            for name in names.split(':') {
                let all = fields(&message[..split + 2]);
                let field = all.iter().find(|field| field_name(field).eq_ignore_ascii_case(name.as_bytes())).unwrap();
                relaxed_field(field, &mut data);
                data.extend_from_slice(b"\r\n");
            }
            let at = text.rfind(" b=").unwrap() + 3;
            relaxed_field(&text.as_bytes()[..at], &mut data);
            let signature = BASE64.decode(text[at..].replace("\r\n", "").replace(' ', "")).unwrap();
            let hash = ring::digest::digest(&ring::digest::SHA256, &data);
            UnparsedPublicKey::new(&ED25519, key.public_key().as_ref()).verify(hash.as_ref(), &signature).is_ok()
        };
        let message = b"From: a@example.com\r\nSubject: one\r\n two\r\nList-Unsubscribe: <https://u>\r\n\r\nHello\r\n";
        let field = signer.sign(message, UNIX_EPOCH).unwrap();
        assert!(verify(message, &field));
        let changed = b"From: a@example.com\r\nSubject: one\r\n three\r\nList-Unsubscribe: <https://u>\r\n\r\nHello\r\n";
        assert!(!verify(changed, &field));
        assert!(String::from_utf8(field).unwrap().contains("h=from:subject:\r\n list-unsubscribe;"));
    }

    #[test]
    fn keys_that_cannot_sign_are_told() {
        for key in ["x", "AAAA", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            let settings = Dkim {
                domain: "example.com".into(),
                selector: "s1".into(),
                key: crate::config::secret::Secret::Literal(key.to_owned().into()),
            };
            assert!(Signer::open(&settings).is_err(), "{key}");
        }
        let settings = Dkim {
            domain: "a b".into(),
            selector: "s1".into(),
            key: crate::config::secret::Secret::Literal(String::new().into()),
        };
        assert!(Signer::open(&settings).is_err());
    }
}
