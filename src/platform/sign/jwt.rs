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

use crate::platform::http;
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
    let Ok(url) = http::Url::parse(url) else { return false };
    url.scheme() == "https" || (url.scheme() == "http" && http::is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    /// Made for these tests; it opens nothing.
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCaAYa48xQubsj0\n\
2VWpiVHBo+XbVywlOUTVQ4QDPs5ZpbmKAwcl/042NfAQJPgU5ibQ0M5i6mZh/wkA\n\
HzkGAVKu5AfTSRZn4DEVyAEAkxS7voc9aeupDlgPMFs/9m+Py9ONsY36z1+Jt1CJ\n\
+XVZ3QIWMYdth1c58Nf5xiD0exT4AkTxPiNt439k87YiiqXPbWNExHvlTfHoh8fM\n\
CB8Hzk8sU6CF/10OqqLK0y5BBglvk19JOgL+umjnwhw7TdHm8a4z5N9c7f79MJa8\n\
S7OWobFpTQCGelYuDLjYpSC0+wxRs+0OJwYX/qnbSQCvqjruooxBRdm4fOG26Xmz\n\
hRsVN8FFAgMBAAECggEAAbJwRnEgm6MLN4N+Pv2CjJ8z5QxbXKz6YLKQmFaPVeE5\n\
H60JMvZ9aU8ug4cHbXeHHaLyEJijoy3ObsAT/p3HcveT9ynlg3nZdfN7wK1eO564\n\
WnQPLZA5ETByY6HhYyoW/THj2MvYh38hIJFtT8hbLF0ZsG/JhXEYItT3lP9sNjq6\n\
dHU8c+BeO00Q/EL7XGwt5o668mvr9jOW6hnRey5BjEB3ErYcGKa69gH8CZsDXFQX\n\
73HMk+O/9ifDTq04JkbiFi1BbF0bBVUIhum4OLxCDVMAimlhb8qVUW4siM5gLwyy\n\
NnO8clZ/HHR4ajb6w4Csz6cSEsFjOadaKR2qFruEAQKBgQDS7AURqPTn7V9YWito\n\
6K67lLyE0/W6OBlZI+GMXz5H5GFYK0+m9IvBn/5D24Q8IGTgdl2lbiwmEDD6BbzQ\n\
lsgb5+gxk6qn2Ei4MwAnfuPEacEgiS3781+n9628OB/I6vnaj1tev6e6vSB4y/+H\n\
Ot/Z0PelcgNcIa8F/3J9VKaLRQKBgQC664OLM2s3GrdM1AXN3K/FJPdNczrlOhKy\n\
WxXDwWkwoqHB8L9ghMPas74nN+/xHBen0A9YTG/T67F25PhINlULc6CnTdTmJLWU\n\
8JmqECCqzD6V0E5bHRGzs9S5ZRQabNrUHJ7JpSpnmiQ0dbHMpBELxZoaV1OoTuTZ\n\
gxjdiaS+AQKBgQC6jJ1/HRxe9QdbMYUraIECz25dXMr9RRjGSoH2kVaYZ1nhjY0J\n\
cUkam9NbWQ//zfbqwEXbRzItCC0JNYHmSzX52Ib5Mk3B3f2TTShZxlTVJ2P0zt+o\n\
83wrJ1i2HD2gipMpx5lcl85Vz2ik7mi2xk+uarBd2BU4q2INv/0W9IPIsQKBgQCc\n\
toxJDskbIBkCHtjm6dmsLfvxQWTlfrTiOB+dSfEJR7Dayx+IqocSO5R3iRxwR59F\n\
oNjcrOktAfR9vCa1VGgk+8J7wnN2qNxcjQQoYvEggbEPJeAr38lRorn83dPm+9DT\n\
+VLfuMw+pCsqmGqDKiLofblf0EthVxPjkVgtlRM8AQKBgAR6nf7FsH6K/SXoP4h2\n\
ShygbCo/Tw9GIOMrySJiCMeCvUk7J36ArRPSO6AvT9fonoFYrP+7QhRdDs4KYW8f\n\
5U32AL8lrroIWhiaub8HynFNK4anlx3tiYpQjIuBVpzROOKNlWPcZKKqiXYoftnv\n\
sTp76kI5z+NnoN/ZeL1BFsxs\n\
-----END PRIVATE KEY-----\n";

    const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
    const INPUT: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdmNAcHJvai5pYW0uZ3NlcnZpY2VhY2NvdW50LmNvbSIsInNjb3BlIjoiaHR0cHM6Ly93d3cuZ29vZ2xlYXBpcy5jb20vYXV0aC9maXJlYmFzZS5tZXNzYWdpbmciLCJhdWQiOiJodHRwczovL29hdXRoMi5nb29nbGVhcGlzLmNvbS90b2tlbiIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ";

    fn file(changes: Value) -> Value {
        let mut file = serde_json::json!({
            "type": "service_account",
            "project_id": "proj",
            "private_key": PEM,
            "client_email": "svc@proj.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        for (name, value) in changes.as_object().cloned().unwrap_or_default() {
            file[name] = value;
        }
        file
    }

    #[test]
    fn signing_input_vector_and_a_signature_that_its_public_key_confirms() {
        let account = ServiceAccount::read(&file(Value::Null).to_string()).unwrap();
        assert_eq!(account.project_id.as_deref(), Some("proj"));
        let token = account.assertion(SCOPE, UNIX_EPOCH + Duration::from_millis(1_700_000_000_999)).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(input, INPUT);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.key.public_key().as_ref());
        public.verify(INPUT.as_bytes(), &signature).unwrap();
        public.verify(&INPUT.as_bytes()[1..], &signature).unwrap_err();
        assert_eq!(format!("{account:?}"), "ServiceAccount(svc@proj.iam.gserviceaccount.com)");
    }

    #[test]
    fn keys_are_read_in_every_dress() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let expected = ServiceAccount::read(&file(Value::Null).to_string()).unwrap().assertion(SCOPE, now).unwrap();
        // PKCS#8 of a 2048-bit key is 26 bytes before the PKCS#1 that it wraps.
        let der = STANDARD.decode(PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        let pkcs1 = format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", STANDARD.encode(&der[26..]));
        for pem in [pkcs1, PEM.replace('\n', "\\n"), PEM.replace('\n', "\r\n")] {
            let account = ServiceAccount::read(&file(serde_json::json!({ "private_key": pem })).to_string()).unwrap();
            assert_eq!(account.assertion(SCOPE, now).unwrap(), expected);
        }
    }

    #[test]
    fn files_that_cannot_sign_are_told_without_repeating_them() {
        use serde_json::json;
        let half: String = PEM.chars().take(900).collect();
        let cases = [
            (file(json!({ "private_key": half })).to_string(), "not a private key in PEM"),
            (file(json!({ "private_key": "MIIsecret" })).to_string(), "not a private key in PEM"),
            (file(json!({ "private_key": 7 })).to_string(), "`private_key` of the service account is not text"),
            (file(json!({ "type": "authorized_user" })).to_string(), "must be service_account"),
            (file(json!({ "token_uri": "http://example.com/token" })).to_string(), "not an https URL"),
            (file(json!({ "token_uri": "MIIsecret" })).to_string(), "not an https URL"),
            (json!({ "client_email": "a@b", "token_uri": "https://x" }).to_string(), "has no `private_key`"),
            ("\"MIIsecret\"".to_owned(), "not a JSON object"),
            ("{\"private_key\": MIIsecret".to_owned(), "not JSON (line 1, column 17)"),
        ];
        for (text, expected) in cases {
            let error = ServiceAccount::read(&text).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("MII"), "{error}");
        }
        assert!(is_guarded("http://127.0.0.1:9/token") && is_guarded("http://[::1]/token") && !is_guarded("ftp://localhost/"));
    }
}
