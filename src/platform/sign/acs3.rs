//! Aliyun's ACS3-HMAC-SHA256 (signature version 3).
//!
//! Source: help.aliyun.com "V3 request structure and signature"; alibabacloud_tea_openapi 0.4.6.

use crate::platform::sign::canonical::{Canonical, Credentials, Fields, mac, query_string, sha256};
use crate::platform::sign::hex::to_hex;

/// The header fields to add: `x-acs-date`, `x-acs-signature-nonce`, `x-acs-content-sha256`, with a token `x-acs-accesskey-id` and
/// `x-acs-security-token`, and `authorization`. The request must carry `x-acs-action` and `x-acs-version`; these, all other `x-acs-`
/// fields, the host and the content type are signed.
pub fn sign(request: &Canonical<'_>, keys: &Credentials<'_>) -> Vec<(String, String)> {
    let mut added = added(request, keys);
    let fields = fields(request, &added);
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256(canonical(request, &fields).as_bytes()));
    let signature = to_hex(mac(keys.secret.as_bytes(), &text).as_ref());
    let names = fields.names();
    let authorization = format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", keys.id);
    added.push(("authorization".to_owned(), authorization));
    added
}

fn added(request: &Canonical<'_>, keys: &Credentials<'_>) -> Vec<(String, String)> {
    let mut added = vec![
        ("x-acs-date".to_owned(), request.utc("%Y-%m-%dT%H:%M:%SZ")),
        ("x-acs-signature-nonce".to_owned(), request.nonce.to_owned()),
        ("x-acs-content-sha256".to_owned(), sha256(request.body)),
    ];
    if let Some(token) = keys.token {
        added.push(("x-acs-accesskey-id".to_owned(), keys.id.to_owned()));
        added.push(("x-acs-security-token".to_owned(), token.to_owned()));
    }
    added
}

fn fields(request: &Canonical<'_>, added: &[(String, String)]) -> Fields {
    request.fields(added, |name| name == "content-type" || name.starts_with("x-acs-"))
}

fn canonical(request: &Canonical<'_>, fields: &Fields) -> String {
    let (path, query) = (request.whole_path(), query_string(request.query));
    format!("{}\n{path}\n{query}\n{}\n{}\n{}", request.method, fields.lines(), fields.names(), sha256(request.body))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const KEYS: Credentials<'_> = Credentials { id: "LTAIEXAMPLE", secret: "SECRETEXAMPLE", token: None };

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn canonical_sha(request: &Canonical<'_>, keys: &Credentials<'_>) -> String {
        sha256(canonical(request, &fields(request, &added(request, keys))).as_bytes())
    }

    fn authorization(request: &Canonical<'_>, keys: &Credentials<'_>) -> String {
        sign(request, keys).pop().map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn published_vector() {
        let keys = Credentials { id: "YourAccessKeyId", secret: "YourAccessKeySecret", token: None };
        let query = [pair("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"), pair("RegionId", "cn-shanghai")];
        let request = Canonical {
            method: "POST",
            host: "ecs.cn-shanghai.aliyuncs.com",
            path: "/",
            query: &query,
            headers: &[pair("x-acs-action", "RunInstances"), pair("x-acs-version", "2014-05-26")],
            body: b"",
            time: UNIX_EPOCH + Duration::from_secs(1_698_315_752),
            nonce: "3156853299f313e23d1673dc12e1703d",
        };
        assert_eq!(canonical_sha(&request, &keys), "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259");
        assert_eq!(
            authorization(&request, &keys),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
             x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
        let added = sign(&request, &keys);
        assert_eq!(added[0], pair("x-acs-date", "2023-10-26T10:22:32Z"));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(added[2], pair("x-acs-content-sha256", empty));
    }

    fn send<'a>(query: &'a [(String, String)], headers: &'a [(String, String)], body: &'a [u8]) -> Canonical<'a> {
        Canonical {
            method: "POST",
            host: "dysmsapi.aliyuncs.com",
            path: "/",
            query,
            headers,
            body,
            time: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            nonce: "d410180a5abf7fe235dd9b74aca91fc0",
        }
    }

    #[test]
    fn send_sms_vector() {
        let query = [
            pair("TemplateParam", r#"{"code":"1234"}"#),
            pair("OutId", "job1-row7"),
            pair("PhoneNumbers", "13900001234"),
            pair("SignName", "阿里云短信测试"),
            pair("TemplateCode", "SMS_154950909"),
        ];
        let headers = [pair("x-acs-action", "SendSms"), pair("x-acs-version", "2017-05-25")];
        let request = send(&query, &headers, b"");
        assert_eq!(canonical_sha(&request, &KEYS), "68d9115fb7ed027c7ec91f57aca6832048184df6f977345cc9f2b07a24acb122");
        let signature = "72a60a07a6fbc75eb5d288ecd114865b2dc25250bc4455f1bf37be3ea22c1c35";
        assert!(authorization(&request, &KEYS).ends_with(signature));
    }

    #[test]
    fn send_batch_sms_vector() {
        let query = [pair("TemplateCode", "SMS_154950909")];
        let headers = [
            pair("Content-Type", "application/x-www-form-urlencoded"),
            pair("X-Acs-Action", "SendBatchSms"),
            pair("X-Acs-Version", "2017-05-25"),
        ];
        let body = b"PhoneNumberJson=%5B%2213900001234%22%2C%2213900005678%22%5D&SignNameJson=%5B%22notify%22%2C%22notify%22%5D\
            &TemplateParamJson=%5B%7B%22code%22%3A%221%22%7D%2C%7B%22code%22%3A%222%22%7D%5D";
        assert_eq!(sha256(body), "389d8868f4eb46c4b46ed7bc3d8bc5015832d6bf0f8b86e47f4acdcd579bf708");
        let request = send(&query, &headers, body);
        let signature = "f07ec6e84fe91d622e31493f6550d1a4ce3d0eb00fbb32e9b52b91ec8d635de1";
        let authorization = authorization(&request, &KEYS);
        assert!(authorization.contains("SignedHeaders=content-type;host;x-acs-action;"), "{authorization}");
        assert!(authorization.ends_with(signature), "{authorization}");
    }

    #[test]
    fn a_token_of_temporary_keys_is_signed() {
        let request = send(&[], &[], b"");
        let authorization = authorization(&request, &Credentials { token: Some("STS"), ..KEYS });
        assert!(authorization.contains("host;x-acs-accesskey-id;"), "{authorization}");
        assert!(authorization.contains(";x-acs-security-token;x-acs-signature-nonce,"), "{authorization}");
    }
}
