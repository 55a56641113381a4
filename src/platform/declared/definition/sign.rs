//! What a definition says of signatures: an HMAC over a template, or one of the clouds' named signers.

use serde::{Deserialize, Deserializer};

use crate::platform::declared::definition::when::When;
use crate::platform::declared::place;
use crate::platform::declared::text::leaf::Text;
use crate::platform::sign::{Algorithm, Encoding, KeyEncoding};

/// A signature.
#[derive(Debug)]
pub struct Sign {
    /// Later templates see it as `sign.NAME`; named signers, which add header fields or a query, need none.
    pub name: Option<String>,
    /// Only for accounts like that.
    pub when: Option<When>,
    /// How it is made.
    pub how: How,
}

/// How a signature is made.
#[derive(Debug)]
pub enum How {
    /// An HMAC over a template.
    Hmac(Hmac),
    /// By the rules of a cloud, over the exact request.
    Named(Cloud),
}

/// An HMAC over a template.
#[derive(Debug, Clone)]
pub struct Hmac {
    /// The hash.
    pub algorithm: Algorithm,
    /// The key.
    pub key: Text,
    /// How the key is written.
    pub key_encoding: KeyEncoding,
    /// What is signed.
    pub message: Text,
    /// How the signature is written.
    pub encode: Encoding,
}

/// A cloud's signature.
#[derive(Debug)]
pub struct Cloud {
    /// Whose.
    pub kind: CloudKind,
    /// The signing name of the service (`sms`, `ses`).
    pub service: Option<Text>,
    /// The action, where the request does not say its own.
    pub action: Option<Text>,
    /// The version of the API.
    pub version: Option<Text>,
    /// The region.
    pub region: Option<Text>,
    /// Who signs.
    pub key_id: Text,
    /// The key.
    pub key: Text,
    /// The token of temporary credentials.
    pub session_token: Option<Text>,
}

/// Whose signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudKind {
    /// Tencent Cloud.
    Tc3,
    /// Aliyun.
    Acs3,
    /// Aliyun's older form.
    AcsRpc1,
    /// AWS.
    SigV4,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawKind {
    Hmac,
    Tc3,
    Acs3,
    #[serde(rename = "acs_rpc1")]
    AcsRpc1,
    #[serde(rename = "sigv4")]
    SigV4,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSign {
    kind: RawKind,
    alg: Option<Algorithm>,
    key: Text,
    key_encoding: Option<KeyEncoding>,
    message: Option<Text>,
    encode: Option<Encoding>,
    #[serde(rename = "as")]
    name: Option<String>,
    when: Option<When>,
    service: Option<Text>,
    action: Option<Text>,
    version: Option<Text>,
    region: Option<Text>,
    key_id: Option<Text>,
    session_token: Option<Text>,
}

impl<'de> Deserialize<'de> for Sign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::object::<D, RawSign, Sign>(deserializer)
    }
}

impl TryFrom<RawSign> for Sign {
    type Error = String;

    fn try_from(raw: RawSign) -> Result<Self, String> {
        let kind = match raw.kind {
            RawKind::Hmac => None,
            RawKind::Tc3 => Some(CloudKind::Tc3),
            RawKind::Acs3 => Some(CloudKind::Acs3),
            RawKind::AcsRpc1 => Some(CloudKind::AcsRpc1),
            RawKind::SigV4 => Some(CloudKind::SigV4),
        };
        let Some(kind) = kind else {
            let clouds = [&raw.service, &raw.action, &raw.version, &raw.region, &raw.key_id, &raw.session_token];
            if clouds.iter().any(|text| text.is_some()) {
                return Err("an hmac has alg, key, key_encoding, message, encode, as and when".to_owned());
            }
            let hmac = Hmac {
                algorithm: raw.alg.unwrap_or_default(),
                key: raw.key,
                key_encoding: raw.key_encoding.unwrap_or_default(),
                message: raw.message.ok_or("an hmac needs a message")?,
                encode: raw.encode.unwrap_or_default(),
            };
            let name = Some(raw.name.ok_or("an hmac needs a name: as: sig")?);
            return Ok(Sign { name, when: raw.when, how: How::Hmac(hmac) });
        };
        if raw.alg.is_some() || raw.key_encoding.is_some() || raw.message.is_some() || raw.encode.is_some() {
            return Err("alg, key_encoding, message and encode are for kind: hmac".to_owned());
        }
        let all = [("service", raw.service.is_some()), ("version", raw.version.is_some()), ("region", raw.region.is_some())];
        let needs: &[&str] = match kind {
            CloudKind::Tc3 => &["service", "version"],
            CloudKind::Acs3 | CloudKind::AcsRpc1 => &["version"],
            CloudKind::SigV4 => &["service", "region"],
        };
        if let Some((missing, _)) = all.iter().find(|(name, there)| needs.contains(name) && !there) {
            return Err(format!("this signature needs `{missing}`"));
        }
        let cloud = Cloud {
            kind,
            service: raw.service,
            action: raw.action,
            version: raw.version,
            region: raw.region,
            key_id: raw.key_id.ok_or("this signature needs `key_id`")?,
            key: raw.key,
            session_token: raw.session_token,
        };
        Ok(Sign { name: raw.name, when: raw.when, how: How::Named(cloud) })
    }
}

impl Sign {
    /// The templates in it.
    pub fn texts(&self) -> Vec<&Text> {
        match &self.how {
            How::Hmac(hmac) => vec![&hmac.key, &hmac.message],
            How::Named(cloud) => {
                let optional = [&cloud.service, &cloud.action, &cloud.version, &cloud.region, &cloud.session_token];
                [&cloud.key_id, &cloud.key].into_iter().chain(optional.into_iter().flatten()).collect()
            }
        }
    }
}
