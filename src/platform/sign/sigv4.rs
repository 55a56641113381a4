//! AWS Signature Version 4 (SES, SNS), and the SMTP password that SES derives from the same key.
//!
//! Source: docs.aws.amazon.com "Create a signed AWS API request"; SES developer guide, "Obtaining Amazon SES SMTP credentials".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::platform::sign::canonical::{Canonical, Credentials, Fields, mac, narrowed, percent, query_string, sha256};
use crate::platform::sign::hex::to_hex;

/// Fields that proxies and clients change on the way.
const UNSIGNED: [&str; 6] = ["authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// The header fields to add: `x-amz-date`, `x-amz-security-token` where there is a token, `authorization`. All carried fields are
/// signed but those that are changed on the way. `service` is the signing name (`ses`, `sns`).
pub fn sign(request: &Canonical<'_>, region: &str, service: &str, keys: &Credentials<'_>) -> Vec<(String, String)> {
    let stamp = request.utc("%Y%m%dT%H%M%SZ");
    let day = &stamp[..stamp.len().min(8)];
    let mut added = vec![("x-amz-date".to_owned(), stamp.clone())];
    if let Some(token) = keys.token {
        added.push(("x-amz-security-token".to_owned(), token.to_owned()));
    }
    let fields = request.fields(&added, |name| !UNSIGNED.contains(&name));
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical(request, &fields).as_bytes()));
    let key = narrowed(&format!("AWS4{}", keys.secret), &[day, region, service, "aws4_request"]);
    let signature = to_hex(mac(&key, &text).as_ref());
    let names = fields.names();
    let authorization = format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", keys.id);
    added.push(("authorization".to_owned(), authorization));
    added
}

fn canonical(request: &Canonical<'_>, fields: &Fields) -> String {
    let path = normal_path(request.whole_path());
    let query = query_string(request.query);
    format!("{}\n{path}\n{query}\n{}\n{}\n{}", request.method, fields.lines(), fields.names(), sha256(request.body))
}

/// Without empty and dot segments, and encoded once more than it is sent: every service but S3 wants it so.
fn normal_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let folder = !kept.is_empty() && ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let encoded: Vec<String> = kept.into_iter().map(percent).collect();
    format!("/{}{}", encoded.join("/"), if folder { "/" } else { "" })
}

/// The password for SES's SMTP endpoint in this region; the user is the access key id.
pub fn ses_smtp_password(secret: &str, region: &str) -> String {
    // The date and the version byte are fixed by the service.
    let key = narrowed(&format!("AWS4{secret}"), &["11111111", region, "ses", "aws4_request", "SendRawEmail"]);
    STANDARD.encode([&[4], key.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const KEYS: Credentials<'_> = Credentials { id: "AKIDEXAMPLE", secret: SECRET, token: None };

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn ses_smtp_password_vector() {
        assert_eq!(ses_smtp_password(SECRET, "us-east-1"), "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9");
    }

    #[test]
    fn ses_vector() {
        let headers = [pair("Content-Type", "application/json"), pair("User-Agent", "notify")];
        let request = Canonical {
            method: "POST",
            host: "email.us-east-1.amazonaws.com",
            path: "/v2/email/outbound-bulk-emails",
            query: &[],
            headers: &headers,
            body: br#"{"FromEmailAddress":"a@example.com"}"#,
            time: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            nonce: "",
        };
        let payload = "970a025ca825d05cb88640b8d6e8fa58a13f99d0524e1db35666294a3a44d43b";
        assert_eq!(sha256(request.body), payload);
        let fields = request.fields(&[pair("x-amz-date", "20231114T221320Z")], |name| !UNSIGNED.contains(&name));
        let canonical = canonical(&request, &fields);
        let lines = [
            "POST",
            "/v2/email/outbound-bulk-emails",
            "",
            "content-type:application/json",
            "host:email.us-east-1.amazonaws.com",
            "x-amz-date:20231114T221320Z",
            "",
            "content-type;host;x-amz-date",
            payload,
        ];
        assert_eq!(canonical, lines.join("\n"));
        assert_eq!(sha256(canonical.as_bytes()), "24154b19a4967bdaaaa824c2b128e82243e9437ff59b76b602d5f7e26b317b5d");
        let expected = [
            pair("x-amz-date", "20231114T221320Z"),
            pair(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/us-east-1/ses/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=6998a52d678b3ab792e2d463d19db0eac92e6db273b568f29d9ad1b503c7f77e",
            ),
        ];
        assert_eq!(sign(&request, "us-east-1", "ses", &KEYS), expected);
    }

    /// AWS's published test suite, get-vanilla, get-vanilla-query-order-key-case.
    #[test]
    fn vectors_of_the_published_suite() {
        let time = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let plain = Canonical {
            method: "GET",
            host: "example.amazonaws.com",
            path: "/",
            query: &[],
            headers: &[],
            body: b"",
            time,
            nonce: "",
        };
        let signature = |request: &Canonical<'_>| {
            // The suite's secret differs from the usual example's by one character.
            let keys = Credentials { secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ..KEYS };
            let added = sign(request, "us-east-1", "service", &keys);
            added.last().and_then(|(_, value)| value.split_once("Signature=")).map(|(_, hex)| hex.to_owned())
        };
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert_eq!(signature(&plain).as_deref(), Some(vanilla));
        assert_eq!(signature(&Canonical { path: "/example/..", ..plain }).as_deref(), Some(vanilla));
        let query = [pair("Param2", "value2"), pair("Param1", "value1")];
        let ordered = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        assert_eq!(signature(&Canonical { query: &query, ..plain }).as_deref(), Some(ordered));
    }

    #[test]
    fn paths_are_normal_and_encoded_once_more() {
        let cases = [("/", "/"), ("//a//", "/a/"), ("/a%20b/c", "/a%2520b/c"), ("/./a/../b/.", "/b/"), ("/../x", "/x")];
        for (path, normal) in cases {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let keys = Credentials { token: Some("TOKEN"), ..KEYS };
        let request =
            Canonical { method: "POST", host: "h", path: "/", query: &[], headers: &[], body: b"", time: UNIX_EPOCH, nonce: "" };
        let added = sign(&request, "r", "sns", &keys);
        assert_eq!(added[1], pair("x-amz-security-token", "TOKEN"));
        assert!(added[2].1.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"), "{}", added[2].1);
    }
}
