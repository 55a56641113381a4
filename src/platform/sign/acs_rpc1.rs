//! Aliyun's older RPC signature: HMAC-SHA1 over all parameters, itself a parameter of the query.
//!
//! Source: help.aliyun.com "V2 RPC signature". The service still takes it; new definitions sign with `acs3`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::platform::sign::canonical::{Canonical, Credentials, percent, percent_decoded, query_string};

/// The parameters to add to the **query**: `AccessKeyId`, `SignatureMethod`, `SignatureNonce`, `SignatureVersion`, `Timestamp`,
/// `SecurityToken` where there is a token, and `Signature`. The query must carry `Action` and `Version`. The parameters of a form body
/// are signed too.
pub fn sign(request: &Canonical<'_>, keys: &Credentials<'_>) -> Vec<(String, String)> {
    let ours = [
        ("AccessKeyId", keys.id.to_owned()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureNonce", request.nonce.to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("Timestamp", request.utc("%Y-%m-%dT%H:%M:%SZ")),
    ];
    let mut added: Vec<(String, String)> = ours.map(|(name, value)| (name.to_owned(), value)).into();
    if let Some(token) = keys.token {
        added.push(("SecurityToken".to_owned(), token.to_owned()));
    }
    let mut parameters = [request.query, &added].concat();
    if is_form(request) {
        parameters.extend(form(request.body));
    }
    let text = format!("{}&%2F&{}", request.method, percent(&query_string(&parameters)));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("{}&", keys.secret).as_bytes());
    added.push(("Signature".to_owned(), STANDARD.encode(hmac::sign(&key, text.as_bytes()))));
    added
}

fn is_form(request: &Canonical<'_>) -> bool {
    let kind = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    kind.is_some_and(|(_, value)| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The pairs of a form body, as the service reads them.
fn form(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
    })
}

/// In a form `+` is a space.
fn decoded(text: &[u8]) -> String {
    percent_decoded(&String::from_utf8_lossy(text).replace('+', " "))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const KEYS: Credentials<'_> = Credentials { id: "testId", secret: "testSecret", token: None };

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn request<'a>(query: &'a [(String, String)], headers: &'a [(String, String)], body: &'a [u8]) -> Canonical<'a> {
        Canonical {
            method: "GET",
            host: "dysmsapi.aliyuncs.com",
            path: "/",
            query,
            headers,
            body,
            time: UNIX_EPOCH + Duration::from_secs(1_499_827_339),
            nonce: "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        }
    }

    #[test]
    fn published_vector() {
        let query = pairs(&[
            ("Action", "SendSms"),
            ("Format", "XML"),
            ("OutId", "123"),
            ("PhoneNumbers", "15300000001"),
            ("RegionId", "cn-hangzhou"),
            ("SignName", "阿里云短信测试专用"),
            ("TemplateCode", "SMS_71390007"),
            ("TemplateParam", r#"{"customer":"test"}"#),
            ("Version", "2017-05-25"),
        ]);
        let added = sign(&request(&query, &[], b""), &KEYS);
        assert_eq!(added[4], ("Timestamp".to_owned(), "2017-07-12T02:42:19Z".to_owned()));
        assert_eq!(added[5], ("Signature".to_owned(), "zJDF+Lrzhj/ThnlvIToysFRq6t4=".to_owned()));
    }

    #[test]
    fn parameters_are_signed_alike_in_query_and_form() {
        let query = pairs(&[("a", "1 2"), ("你", "%")]);
        let headers = pairs(&[("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
        let in_query = sign(&request(&query, &[], b""), &KEYS);
        assert_eq!(sign(&request(&[], &headers, b"a=1+2&%E4%BD%A0=%25"), &KEYS), in_query);
        assert_ne!(sign(&request(&[], &[], b"a=1+2&%E4%BD%A0=%25"), &KEYS), in_query, "a body that is no form is not parameters");
        assert_eq!(decoded(b"%4"), "%4");
    }
}
