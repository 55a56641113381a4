//! JSON Web Tokens by which a Google service account asks for an access token (RFC 7515, RFC 7519, RFC 7523; RS256).
//!
//! Source: developers.google.com/identity/protocols/oauth2/service-account.

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::RsaKeyPair;
use serde::Serialize;
use serde_json::Value;

use crate::platform::sign::canonical::seconds;
use crate::platform::sign::private_key::{PrivateKey, rs256};

/// How long an assertion is good for, in seconds; Google takes no longer one.
const LIFE: u64 = 3600;

/// The header of every token made here, in the order of its bytes.
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// What an assertion claims, written in this order.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Claims<'a> {
    /// Who: the account's address.
    pub iss: &'a str,
    /// What for: scopes, separated by spaces.
    pub scope: &'a str,
    /// To whom: the token endpoint.
    pub aud: &'a str,
    /// From when, in seconds since 1970.
    pub iat: u64,
    /// Until when, in seconds since 1970.
    pub exp: u64,
}

impl Claims<'_> {
    /// The bytes that are signed (RFC 7515 section 5.1).
    ///
    /// # Errors
    /// The claims cannot be written as JSON.
    pub fn signing_input(&self) -> Result<String, String> {
        let claims = serde_json::to_vec(self).map_err(|_| "the claims cannot be written as JSON")?;
        Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims)))
    }
}

/// A Google service account, as its key file tells it.
pub struct ServiceAccount {
    /// Who signs: `NAME@PROJECT.iam.gserviceaccount.com`.
    pub client_email: String,
    /// Where an assertion is exchanged for an access token.
    pub token_uri: String,
    /// The project, which stands in FCM's URLs.
    pub project_id: Option<String>,
    key: Box<RsaKeyPair>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.client_email)
    }
}

impl ServiceAccount {
    /// Reads the content of a service account's key file.
    ///
    /// # Errors
    /// One sentence that repeats nothing of the file but names of its keys.
    pub fn read(text: &str) -> Result<ServiceAccount, String> {
        let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("the service account is not JSON (line {line}, column {column}): give the content of the key file")
        })?;
        if !file.is_object() {
            return Err("the service account is not a JSON object: give the content of the key file".to_owned());
        }
        if file.get("type").is_some_and(|kind| kind != "service_account") {
            return Err("the file is not a service account's: its `type` must be service_account".to_owned());
        }
        let take = |name: &str| match file.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Some(_) => Err(format!("`{name}` of the service account is not text")),
            None => Err(format!("the service account has no `{name}`: download a new JSON key")),
        };
        let client_email = take("client_email")?;
        let token_uri = take("token_uri")?;
        if !is_guarded(&token_uri) {
            return Err("`token_uri` of the service account is not an https URL: what is sent there is a credential".to_owned());
        }
        // A key that went through a shell or an .env file often has its line ends still written as \n.
        let pem = take("private_key")?.replace("\\n", "\n");
        let key = match PrivateKey::from_pem(&pem).map_err(|what| format!("`private_key` of the service account: {what}"))? {
            PrivateKey::Rsa(key) => key,
            PrivateKey::Ed25519(_) => return Err("`private_key` of the service account is not an RSA key".to_owned()),
        };
        let project_id = file.get("project_id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
        Ok(ServiceAccount { client_email, token_uri, project_id, key })
    }

    /// A signed assertion, good for an hour: the `assertion` of grant type `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523
    /// section 2.1). It is a credential. Signing takes about a millisecond.
    ///
    /// # Errors
    /// The key could not sign.
    pub fn assertion(&self, scope: &str, now: SystemTime) -> Result<String, String> {
        let iat = seconds(now);
        let claims = Claims { iss: &self.client_email, scope, aud: &self.token_uri, iat, exp: iat.saturating_add(LIFE) };
        let input = claims.signing_input()?;
        let signature = rs256(&self.key, input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// https, or this very machine.
fn is_guarded(url: &str) -> bool {
    let Ok(url) = crate::platform::http::Url::parse(url) else { return false };
    let loopback = || {
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback())
}
