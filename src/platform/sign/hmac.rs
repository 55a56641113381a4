//! One HMAC over a text that the definition writes: the signature of most webhooks.
//!
//! Vectors: Standard Webhooks 1.0.0, GitHub's published example, Stripe's scheme, the robots of Feishu and DingTalk.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::Deserialize;

use crate::platform::sign::hex::{from_hex, to_hex};

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

    /// Feishu turns it round: the text is the key, the message is empty.
    #[test]
    fn feishu_vectors() {
        let sign = |time: &str, secret: &str| key(&format!("{time}\n{secret}"), KeyEncoding::Utf8).sign(b"", Encoding::Base64);
        assert_eq!(sign("1599360473", "demo"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert_eq!(sign("1700000000", "notify-secret"), "X25kRgXcVNxHeR88nc+koFHcfdL1qutGo04+cBKsD4g=");
        let ordinary = key("notify-secret", KeyEncoding::Utf8).sign(b"1700000000\nnotify-secret", Encoding::Base64);
        assert_eq!(ordinary, "wxpFkx9GFYyw0oNSPWNDCd3ATUQzQQBYVXXViSBrV08=", "what Feishu answers with 19021");
    }

    /// DingTalk signs the ordinary way, with milliseconds.
    #[test]
    fn dingtalk_vector() {
        let sign = key("SECnotifysecret", KeyEncoding::Utf8).sign(b"1700000000000\nSECnotifysecret", Encoding::Base64);
        assert_eq!(sign, "YaHzY1HAIP+R7Bsvco8oxmpbT1y6FmRLT9rtwn1VLKc=");
        let in_url = crate::platform::sign::canonical::percent(&sign);
        assert_eq!(in_url, "YaHzY1HAIP%2BR7Bsvco8oxmpbT1y6FmRLT9rtwn1VLKc%3D");
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
