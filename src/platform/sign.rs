//! The named signers of requests: what a service checks to know that a request is ours.
//!
//! A signer sees the exact bytes that are sent. Vectors: Standard Webhooks 1.0.0, GitHub's published example, Stripe's scheme.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::Deserialize;

/// The hash under an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA1: old services only.
    Sha1,
    /// HMAC-SHA256.
    #[default]
    Sha256,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    /// The text itself.
    #[default]
    Utf8,
    /// Base64, padded or not.
    Base64,
    /// Hexadecimal.
    Hex,
    /// Standard Webhooks: `whsec_` and base64; any other text is the key itself.
    Whsec,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Base64 with padding.
    #[default]
    Base64,
    /// Base64 for URLs, without padding.
    Base64Url,
    /// Lower-case hexadecimal.
    Hex,
}

/// A key, ready for signing; never shows itself.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// Reads a secret as written.
    ///
    /// # Errors
    /// One sentence that does not repeat the secret.
    pub fn read(secret: &str, encoding: KeyEncoding, algorithm: Algorithm) -> Result<Self, &'static str> {
        let base64 = |text: &str| {
            let text = text.trim_end_matches('=');
            STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text))
        };
        let bytes = match encoding {
            KeyEncoding::Utf8 => secret.as_bytes().to_vec(),
            KeyEncoding::Base64 => base64(secret).map_err(|_| "the secret is not base64")?,
            KeyEncoding::Hex => from_hex(secret).ok_or("the secret is not hexadecimal")?,
            KeyEncoding::Whsec => match secret.strip_prefix("whsec_") {
                Some(rest) => base64(rest).map_err(|_| "what follows whsec_ is not base64: copy the secret again")?,
                None => secret.as_bytes().to_vec(),
            },
        };
        if bytes.is_empty() {
            return Err("the secret is empty");
        }
        let algorithm = match algorithm {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
        };
        Ok(Key(hmac::Key::new(algorithm, &bytes)))
    }

    /// HMAC over the message, written as asked.
    pub fn sign(&self, message: &[u8], encoding: Encoding) -> String {
        let tag = hmac::sign(&self.0, message);
        match encoding {
            Encoding::Base64 => STANDARD.encode(tag),
            Encoding::Base64Url => URL_SAFE_NO_PAD.encode(tag),
            Encoding::Hex => to_hex(tag.as_ref()),
        }
    }
}

/// Bytes as lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A name-based UUID (RFC 9562 section 5.5, version 5, name space URL) of `notify:NAME`: the same for the same name, for ever.
pub fn uuid5(name: &str) -> String {
    const URL_SPACE: [u8; 16] = [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&URL_SPACE);
    context.update(b"notify:");
    context.update(name.as_bytes());
    let digest = context.finish();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = to_hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW_2: &str = r#"{"type":"notify.message","data":{"to":"u1","text":"你好"}}"#;
    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn key(secret: &str, encoding: KeyEncoding) -> Key {
        Key::read(secret, encoding, Algorithm::Sha256).unwrap()
    }

    #[test]
    fn standard_webhooks_vectors() {
        let key = key(WHSEC, KeyEncoding::Whsec);
        let first = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        assert_eq!(key.sign(first.as_bytes(), Encoding::Base64), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let second = format!("msg_job1_row7.1700000000.{ROW_2}");
        assert_eq!(key.sign(second.as_bytes(), Encoding::Base64), "gycIOZs04YoT/526njc1NYQr623Y6Ce/zGIJp2O45QY=");
    }

    #[test]
    fn github_and_stripe_vectors() {
        let published = key("It's a Secret to Everybody", KeyEncoding::Utf8).sign(b"Hello, World!", Encoding::Hex);
        assert_eq!(published, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        let key = key("notify-secret", KeyEncoding::Utf8);
        let github = key.sign(ROW_2.as_bytes(), Encoding::Hex);
        assert_eq!(github, "4d2c20d0a526a737d18bb54b3ef531e013417739165a7265e5652017ed487441");
        let stripe = key.sign(format!("1700000000.{ROW_2}").as_bytes(), Encoding::Hex);
        assert_eq!(stripe, "a7662fd47888afa37804e875abfbe30374fdea28e742d796a872a1ece9398fd0");
    }

    #[test]
    fn uuid_vector() {
        assert_eq!(uuid5("job1:row7"), "69aea706-66d7-5ca7-9306-90081b6eb4b6");
    }

    #[test]
    fn a_secret_is_read_as_written_and_never_shown() {
        assert!(Key::read("whsec_%%%", KeyEncoding::Whsec, Algorithm::Sha256).is_err());
        assert!(Key::read("zz", KeyEncoding::Hex, Algorithm::Sha256).is_err());
        assert!(Key::read("", KeyEncoding::Utf8, Algorithm::Sha1).is_err());
        let (hex, text) = (key("6869", KeyEncoding::Hex), key("hi", KeyEncoding::Utf8));
        assert_eq!(hex.sign(b"x", Encoding::Base64Url), text.sign(b"x", Encoding::Base64Url));
        assert_eq!(format!("{text:?}"), "Key(***)");
    }
}
