//! The signatures of an account: keys read once, HMACs made before or after the body, clouds' signatures made last of all.

use std::time::SystemTime;

use handlebars::Context;
use serde_json::{Map, Value};

use crate::platform::declared::account::Account;
use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::sign::{Cloud, CloudKind, Hmac, How};
use crate::platform::declared::text::find::Scope;
use crate::platform::declared::text::leaf::Text;
use crate::platform::http::{Call, HeaderName, HeaderValue};
use crate::platform::sign::canonical::{Canonical, Credentials, query_string};
use crate::platform::sign::{Encoding, Key, acs_rpc1, acs3, sigv4, tc3};

/// The signatures of one account, in the order of the file.
pub struct Signing {
    makers: Vec<Maker>,
    cloud: Option<Named>,
    /// Signatures are shown, not made.
    masked: bool,
}

struct Maker {
    name: String,
    key: KeySource,
    message: Text,
    encode: Encoding,
    after_body: bool,
    wants_body: bool,
}

enum KeySource {
    Ready(Key),
    /// A key with the time in it, such as Feishu's.
    Made(Hmac),
}

struct Named {
    kind: CloudKind,
    texts: [Option<Text>; 4],
    key_id: Text,
    key: Text,
    session_token: Option<Text>,
}

/// Places in `Named::texts`.
const SERVICE: usize = 0;
const ACTION: usize = 1;
const VERSION: usize = 2;
const REGION: usize = 3;

impl Signing {
    /// Reads the keys; `values` are the account's.
    ///
    /// # Errors
    /// What is wrong, and with the signature of which name.
    pub fn new(definition: &Definition, account: &Account, values: &Context, masked: bool) -> Result<Self, String> {
        let mut signing = Signing { makers: Vec::new(), cloud: None, masked };
        for sign in definition.sign.iter().filter(|sign| account.meets(sign.when.as_ref(), &[])) {
            match &sign.how {
                How::Named(cloud) => {
                    let Cloud { kind, service, action, version, region, key_id, key, session_token } = cloud;
                    let texts = [service.clone(), action.clone(), version.clone(), region.clone()];
                    let (key_id, key, session_token) = (key_id.clone(), key.clone(), session_token.clone());
                    signing.cloud = Some(Named { kind: *kind, texts, key_id, key, session_token });
                }
                How::Hmac(hmac) => {
                    let name = sign.name.clone().unwrap_or_default();
                    let settled = hmac.key.names().iter().all(|name| account.owns(name));
                    let key = if settled && !masked {
                        let secret = hmac.key.render(Scope::of(values))?;
                        let key = Key::read(&secret, hmac.key_encoding, hmac.algorithm).map_err(|what| {
                            let from = hmac.key.names().join(", ").replace("secret.", "");
                            format!("the {name} signature is made with `{from}`: {what}")
                        })?;
                        KeySource::Ready(key)
                    } else {
                        KeySource::Made(hmac.clone())
                    };
                    signing.makers.push(Maker {
                        after_body: definition.signed_after_body(&format!("sign.{name}")),
                        wants_body: hmac.message.names().iter().chain(hmac.key.names()).any(|name| name == "body"),
                        name,
                        key,
                        message: hmac.message.clone(),
                        encode: hmac.encode,
                    });
                }
            }
        }
        Ok(signing)
    }

    /// The names of the signatures that are made.
    pub fn made(&self) -> Vec<&str> {
        self.makers.iter().map(|maker| maker.name.as_str()).collect()
    }

    /// The values that signatures look at.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for maker in &self.makers {
            names.extend(maker.message.names().iter().map(String::as_str));
            if let KeySource::Made(hmac) = &maker.key {
                names.extend(hmac.key.names().iter().map(String::as_str));
            }
        }
        if let Some(cloud) = &self.cloud {
            let texts = cloud.texts.iter().flatten().chain([&cloud.key_id, &cloud.key]).chain(&cloud.session_token);
            names.extend(texts.flat_map(|text| text.names().iter().map(String::as_str)));
        }
        names
    }

    /// A nonce is used up.
    pub fn wants_nonce(&self) -> bool {
        self.cloud.as_ref().is_some_and(|cloud| matches!(cloud.kind, CloudKind::Acs3 | CloudKind::AcsRpc1))
    }

    /// Makes the HMACs that do not look at the body, or (with the body) those that do.
    ///
    /// # Errors
    /// As [`Text::render`], or a key that is none.
    pub fn make(&self, values: &mut Context, body: Option<&[u8]>) -> Result<(), String> {
        for maker in self.makers.iter().filter(|maker| maker.after_body == body.is_some()) {
            if let (Some(body), true, Value::Object(map)) = (body, maker.wants_body, values.data_mut())
                && !map.contains_key("body")
            {
                map.insert("body".to_owned(), Value::String(String::from_utf8_lossy(body).into_owned()));
            }
            let signature = if self.masked { "***".to_owned() } else { maker.sign(values)? };
            if let Value::Object(map) = values.data_mut()
                && let Value::Object(made) = map.entry("sign").or_insert_with(|| Value::Object(Map::new()))
            {
                made.insert(maker.name.clone(), Value::String(signature));
            }
        }
        Ok(())
    }

    /// Signs the finished request as a cloud wants it.
    ///
    /// # Errors
    /// As [`Text::render`], or a value that no header field can hold.
    pub fn finish(&self, call: &mut Call, values: &Context, time: SystemTime, nonce: &str) -> Result<(), String> {
        let Some(cloud) = &self.cloud else { return Ok(()) };
        let render = |text: &Option<Text>| text.as_ref().map(|text| text.render(Scope::of(values))).transpose();
        let [service, action, version, region] = [
            render(&cloud.texts[SERVICE])?.unwrap_or_default(),
            render(&cloud.texts[ACTION])?.unwrap_or_default(),
            render(&cloud.texts[VERSION])?.unwrap_or_default(),
            render(&cloud.texts[REGION])?.unwrap_or_default(),
        ];
        let (id, secret) = (cloud.key_id.render(Scope::of(values))?, cloud.key.render(Scope::of(values))?);
        let token = render(&cloud.session_token)?.filter(|token| !token.is_empty());
        let keys = Credentials { id: &id, secret: &secret, token: token.as_deref() };
        let mut query: Vec<(String, String)> = call.url.query_pairs().into_owned().collect();
        // What the request says itself stands: one kind's action may differ from another's.
        let own = match cloud.kind {
            CloudKind::Tc3 => vec![("x-tc-action", action), ("x-tc-version", version), ("x-tc-region", region.clone())],
            CloudKind::Acs3 => vec![("x-acs-action", action), ("x-acs-version", version)],
            CloudKind::AcsRpc1 => {
                for (name, value) in [("Action", action), ("Version", version)] {
                    if !value.is_empty() && !query.iter().any(|(known, _)| known == name) {
                        query.push((name.to_owned(), value));
                    }
                }
                Vec::new()
            }
            CloudKind::SigV4 => Vec::new(),
        };
        for (name, value) in own {
            if !value.is_empty() && !call.headers.contains_key(name) {
                add(call, name, &value)?;
            }
        }
        let headers: Vec<(String, String)> = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let port = call.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", call.url.host_str().unwrap_or_default());
        let method = call.method.as_str().to_owned();
        let request = Canonical {
            method: &method,
            host: &host,
            path: call.url.path(),
            query: &query,
            headers: &headers,
            body: &call.body,
            time,
            nonce,
        };
        let added = match cloud.kind {
            CloudKind::Tc3 => tc3::sign(&request, &service, &keys),
            CloudKind::Acs3 => acs3::sign(&request, &keys),
            CloudKind::AcsRpc1 => acs_rpc1::sign(&request, &keys),
            CloudKind::SigV4 => sigv4::sign(&request, &region, &service, &keys),
        };
        if cloud.kind == CloudKind::AcsRpc1 {
            query.extend(added.into_iter().map(|(name, value)| match name.as_str() {
                "Signature" if self.masked => (name, "***".to_owned()),
                _ => (name, value),
            }));
        } else {
            for (name, value) in added {
                let shown = self.masked && name == "authorization";
                add(call, &name, if shown { "***" } else { &value })?;
            }
        }
        let query = query_string(&query);
        call.url.set_query((!query.is_empty()).then_some(query.as_str()));
        Ok(())
    }
}

impl Maker {
    fn sign(&self, values: &Context) -> Result<String, String> {
        let message = self.message.render(Scope::of(values))?;
        match &self.key {
            KeySource::Ready(key) => Ok(key.sign(message.as_bytes(), self.encode)),
            KeySource::Made(hmac) => {
                let secret = hmac.key.render(Scope::of(values))?;
                let key = Key::read(&secret, hmac.key_encoding, hmac.algorithm)
                    .map_err(|what| format!("the {} signature: {what}", self.name))?;
                Ok(key.sign(message.as_bytes(), self.encode))
            }
        }
    }
}

fn add(call: &mut Call, name: &str, value: &str) -> Result<(), String> {
    let bad = || format!("the header field {name} cannot hold its value");
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?;
    value.set_sensitive(true);
    call.headers.insert(key, value);
    Ok(())
}
