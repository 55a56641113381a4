//! The receiving side of the clouds' signatures: made once more from what arrived, with nothing of the program's own signers.
//!
//! A signature over the host cannot stand in a sidecar, because the port is another each time. So it is checked as the service
//! checks it: the header says which fields were signed, and those, the path, the query and the bytes that arrived must give it.

use ring::{digest, hmac};
use serde_json::Value;

use super::stage::Asked;
use super::stand::Stand;

/// What is wrong with the signatures of this request, by the definition's `sign` and the account's key.
pub fn wrong(stand: &Stand, settings: &serde_yaml::Mapping, asked: &Asked) -> Vec<String> {
    let signs = stand.facts.at("/sign").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for sign in &signs {
        let word = |name: &str| sign.get(name).and_then(Value::as_str).unwrap_or_default();
        let check = match word("kind") {
            "tc3" => tc3,
            "acs3" => acs3,
            "sigv4" => sigv4,
            _ => continue,
        };
        let name = word("key").trim_matches(['{', '}']).trim_start_matches("secret.");
        let Some(key) = settings.get(name).and_then(serde_yaml::Value::as_str) else {
            found.push(format!("the signature's key `{}` is no setting of the account", word("key")));
            continue;
        };
        match Signed::read(asked).and_then(|signed| check(asked, &signed, key).map(|made| (signed.signature, made))) {
            Some((came, made)) if came == made => {}
            Some((came, made)) => found.push(format!("the {} signature is {came}, but what arrived gives {made}", word("kind"))),
            None if sign.get("when").is_some() => {}
            None => found.push(format!("the {} signature is missing", word("kind"))),
        }
    }
    found
}

/// The Authorization header, taken apart.
struct Signed {
    credential: String,
    fields: String,
    signature: String,
}

impl Signed {
    fn read(asked: &Asked) -> Option<Self> {
        let header = asked.header("authorization")?;
        let part = |name: &str| {
            let (_, rest) = header.split_once(&format!("{name}="))?;
            rest.split([',', ' ']).next().map(str::to_owned)
        };
        Some(Signed { credential: part("Credential")?, fields: part("SignedHeaders")?, signature: part("Signature")? })
    }

    /// What stands between the access key and the end of the credential: day, region, service.
    fn scope(&self) -> Vec<&str> {
        self.credential.split('/').skip(1).collect()
    }
}

fn sigv4(asked: &Asked, signed: &Signed, key: &str) -> Option<String> {
    let path = encoded(&asked.path, true);
    let request = canonical(asked, signed, &path, str::to_owned);
    let scope = signed.scope();
    let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", asked.header("x-amz-date")?, scope.join("/"), sha256(request.as_bytes()));
    Some(chain(&format!("AWS4{key}"), &scope, &text))
}

fn tc3(asked: &Asked, signed: &Signed, key: &str) -> Option<String> {
    let request = canonical(asked, signed, "/", str::to_lowercase);
    let scope = signed.scope();
    let text =
        format!("TC3-HMAC-SHA256\n{}\n{}\n{}", asked.header("x-tc-timestamp")?, scope.join("/"), sha256(request.as_bytes()));
    Some(chain(&format!("TC3{key}"), &scope, &text))
}

fn acs3(asked: &Asked, signed: &Signed, key: &str) -> Option<String> {
    if asked.header("x-acs-content-sha256")? != sha256(&asked.body) {
        return None;
    }
    let request = canonical(asked, signed, &asked.path, str::to_owned);
    Some(hex(&mac(key.as_bytes(), &format!("ACS3-HMAC-SHA256\n{}", sha256(request.as_bytes())))))
}

fn canonical(asked: &Asked, signed: &Signed, path: &str, write: impl Fn(&str) -> String) -> String {
    let mut query: Vec<(String, String)> =
        asked.query.iter().map(|(name, value)| (encoded(name, false), encoded(value, false))).collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let field = |name: &str| format!("{name}:{}\n", write(asked.header(name).unwrap_or_default().trim()));
    let fields: String = signed.fields.split(';').map(field).collect();
    format!("{}\n{path}\n{}\n{fields}\n{}\n{}", asked.method, query.join("&"), signed.fields, sha256(&asked.body))
}

/// One key out of the other, along the scope.
fn chain(first: &str, scope: &[&str], text: &str) -> String {
    let key = scope.iter().fold(first.as_bytes().to_vec(), |key, step| mac(&key, step));
    hex(&mac(&key, text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything but RFC 3986's unreserved characters; a path keeps its slashes.
fn encoded(text: &str, path: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (path && byte == b'/');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
