//! Tencent Cloud's TC3-HMAC-SHA256.
//!
//! Source: cloud.tencent.com/document/api/382/55981 and the vendor's signature-process-demo.

use crate::platform::sign::canonical::{Canonical, Credentials, Fields, mac, narrowed, query_string, sha256};
use crate::platform::sign::hex::to_hex;

/// What is signed where the request carries it; the host always is.
const SIGNED: [&str; 2] = ["content-type", "x-tc-action"];

/// The header fields to add: `x-tc-timestamp`, `x-tc-token` where there is a token, `authorization`. The request must carry its
/// `content-type` as it is sent, and `x-tc-action`. `service` is the product (`sms`).
pub fn sign(request: &Canonical<'_>, service: &str, keys: &Credentials<'_>) -> Vec<(String, String)> {
    let (stamp, day) = (request.seconds(), request.utc("%Y-%m-%d"));
    let fields = fields(request);
    let scope = format!("{day}/{service}/tc3_request");
    let text = format!("TC3-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical(request, &fields).as_bytes()));
    let signature = to_hex(mac(&signing_key(keys, &day, service), &text).as_ref());
    let names = fields.names();
    let mut added = vec![("x-tc-timestamp".to_owned(), stamp.to_string())];
    if let Some(token) = keys.token {
        added.push(("x-tc-token".to_owned(), token.to_owned()));
    }
    let authorization = format!("TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id);
    added.push(("authorization".to_owned(), authorization));
    added
}

fn signing_key(keys: &Credentials<'_>, day: &str, service: &str) -> Vec<u8> {
    narrowed(&format!("TC3{}", keys.secret), &[day, service, "tc3_request"])
}

/// The action is signed in lower case, whatever the case it is sent in.
fn fields(request: &Canonical<'_>) -> Fields {
    let action = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-tc-action"));
    let action: Vec<_> = action.map(|(_, value)| ("x-tc-action".to_owned(), value.to_ascii_lowercase())).into_iter().collect();
    request.fields(&action, |name| SIGNED.contains(&name))
}

fn canonical(request: &Canonical<'_>, fields: &Fields) -> String {
    // A POST is signed with an empty query: all its parameters are in the body.
    let query = if request.method == "POST" { String::new() } else { query_string(request.query) };
    let path = request.whole_path();
    format!("{}\n{path}\n{query}\n{}\n{}\n{}", request.method, fields.lines(), fields.names(), sha256(request.body))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn post<'a>(host: &'a str, headers: &'a [(String, String)], body: &'a [u8], seconds: u64) -> Canonical<'a> {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        Canonical { method: "POST", host, path: "/", query: &[], headers, body, time, nonce: "" }
    }

    /// The vendor's example, with the asterisks it publishes in place of the keys' last characters.
    #[test]
    fn published_vector_with_and_without_the_action() {
        let keys =
            Credentials { id: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******", secret: "Gu5t9xGARNpq86cd98joQYCN3*******", token: None };
        let body = br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        assert_eq!(sha256(body), "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
        let headers = [pair("content-type", "application/json; charset=utf-8"), pair("X-TC-Action", "DescribeInstances")];
        let authorization = |names: &str, signature: &str| {
            pair(
                "authorization",
                &format!(
                    "TC3-HMAC-SHA256 Credential={}/2019-02-25/cvm/tc3_request, SignedHeaders={names}, Signature={signature}",
                    keys.id
                ),
            )
        };
        let host = "cvm.tencentcloudapi.com";
        let without = sign(&post(host, &headers[..1], body, 1_551_113_065), "cvm", &keys);
        assert_eq!(without[0], pair("x-tc-timestamp", "1551113065"));
        let published = "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c";
        assert_eq!(without[1], authorization("content-type;host", published));
        let with = sign(&post(host, &headers, body, 1_551_113_065), "cvm", &keys);
        let longer = "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3";
        assert_eq!(with[1], authorization("content-type;host;x-tc-action", longer));
    }

    #[test]
    fn send_sms_vector() {
        let keys = Credentials { id: "AKIDEXAMPLE", secret: "SECRETEXAMPLE", token: None };
        let body = br#"{"PhoneNumberSet":["+8618511122266"],"SmsSdkAppId":"1400006666","SignName":"notify","TemplateId":"1234","TemplateParamSet":["12345"],"SessionContext":"job1-row7"}"#;
        assert_eq!(sha256(body), "aa5f7d932a934dba364e633947e6b3c4dc8658ba599cdef46b0fb835a7e81466");
        let headers = [
            pair("X-TC-Version", "2021-01-11"),
            pair("X-TC-Action", "SendSms"),
            pair("Content-Type", "application/json; charset=utf-8"),
        ];
        let request = post("sms.tencentcloudapi.com", &headers, body, 1_700_000_000);
        let canonical = canonical(&request, &fields(&request));
        assert_eq!(sha256(canonical.as_bytes()), "cef09103968150396b32dc8e6590d207a33d0d926534539ed33eb526c1bce82e");
        let key = signing_key(&keys, "2023-11-14", "sms");
        assert_eq!(to_hex(&key), "632df18e63693e842376fc0d7f1a95519c7454e955f31057d091bbf790220e61");
        let added = sign(&request, "sms", &keys);
        assert_eq!(
            added[1].1,
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sms/tc3_request, \
             SignedHeaders=content-type;host;x-tc-action, \
             Signature=1046ac88d1c9a5c08360b54c9aa0a07034d9b3bd7bddfe9437549a743acd04a9"
        );
        let with_token = sign(&request, "sms", &Credentials { token: Some("T"), ..keys });
        assert_eq!(with_token[1], pair("x-tc-token", "T"));
        assert_eq!(with_token[2], added[1]);
    }
}
