//! Private keys in PEM: PKCS#8 or PKCS#1, RSA or ed25519; for DKIM and for JSON Web Tokens.
//!
//! No error repeats any part of a key.

use std::fmt;

use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// A key that signs; never shows itself.
pub enum PrivateKey {
    /// RSA of 2048 to 4096 bits.
    Rsa(Box<RsaKeyPair>),
    /// Ed25519.
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrivateKey::Rsa(_) => "PrivateKey(RSA)",
            PrivateKey::Ed25519(_) => "PrivateKey(ed25519)",
        })
    }
}

impl PrivateKey {
    /// Reads `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`.
    ///
    /// # Errors
    /// One sentence: not PEM, not RSA or ed25519, too few bits.
    pub fn from_pem(text: &str) -> Result<PrivateKey, String> {
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| "the key is not a private key in PEM")?;
        let rsa = |key: Result<RsaKeyPair, ring::error::KeyRejected>| {
            key.map(|key| PrivateKey::Rsa(Box::new(key)))
                .map_err(|error| format!("the RSA key is refused ({error}): it must have 2048 to 4096 bits"))
        };
        match der {
            PrivateKeyDer::Pkcs1(der) => rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Pkcs8(der) => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()) {
                Ok(key) => Ok(PrivateKey::Ed25519(key)),
                Err(_) => rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())),
            },
            _ => Err("the key is neither RSA nor ed25519".to_owned()),
        }
    }
}

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2). The same input gives the same signature: chance only hides the timing.
///
/// # Errors
/// The key could not sign.
pub fn rs256(key: &RsaKeyPair, data: &[u8]) -> Result<Vec<u8>, String> {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), data, &mut signature)
        .map_err(|_| "the RSA key could not sign")?;
    Ok(signature)
}
