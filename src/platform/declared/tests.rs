//! The engine against a recording server on loopback: golden requests, every row of the reply table, broken definitions.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::batch::Verdict;
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::message::Body;
use crate::recipient::Position;

const WEBHOOK: &str = include_str!("../definitions/webhook.yaml");
const SECRET: &str = "tok3n-that-nobody-may-see";

/// 2023-11-14T22:13:20Z, the time of the published vectors.
fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// What the server does with a request.
#[derive(Clone)]
enum Act {
    /// Answers with these bytes and keeps the connection.
    Say(String),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes.
    Cut,
    /// Closes before it reads.
    CutFirst,
    /// Answers with these bytes and closes in their middle.
    SayAndCut(String),
}

/// A server that records every request and does the same with each.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let connections = Arc::new(Mutex::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let (act, record) = (act.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    if matches!(act, Act::CutFirst) {
                        return;
                    }
                    while let Some(request) = read_request(&mut stream).await {
                        record.lock().unwrap().push(request);
                        match &act {
                            Act::Say(reply) => stream.write_all(reply.as_bytes()).await.unwrap(),
                            Act::SayAndCut(reply) => {
                                stream.write_all(reply.as_bytes()).await.unwrap();
                                return;
                            }
                            Act::Hang => tokio::time::sleep(Duration::from_secs(30)).await,
                            Act::Cut | Act::CutFirst => return,
                        }
                    }
                });
            }
        });
        Server { port, seen, connections }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/{SECRET}?key=q-{SECRET}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Act {
    Act::Say(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

fn platform_of(definition: &str, settings: &str) -> Result<Declared, Problem> {
    let definition = Definition::read(definition, Path::new("x.yaml"))?;
    let settings = serde_yaml::from_str(settings).unwrap();
    let config =
        AccountConfig { name: "hook".into(), platform: definition.name.0.clone(), limits: None, concurrency: None, settings };
    let opening = Opening { final_timeout: Some(Duration::from_millis(600)), ..Opening::default() };
    Declared::open(Arc::new(definition), &config, &opening, clock)
}

fn webhook(settings: &str) -> Declared {
    platform_of(WEBHOOK, settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn delivery(to: &str, body: Body) -> Delivery {
    let id = DeliveryId::derive("lineage", "key", "hook");
    let envelope = Envelope { id, position: Position::row(0), account: "hook".into(), to: to.into(), attempt: 1 };
    Delivery { envelope, message: Message { subject: Some("Hi \"you\"".into()), body, ..Message::default() } }
}

async fn send(platform: &Declared, delivery: Delivery) -> Verdict {
    platform.send(&Batch::one(delivery)).await.into_inner().remove(0)
}

fn text() -> Body {
    Body::Text("你好 {{secret.bearer}} <b>&\"\n".into())
}

/// The id of every delivery here.
fn id() -> String {
    DeliveryId::derive("lineage", "key", "hook").to_string()
}

#[tokio::test]
async fn the_golden_request() {
    let server = Server::start(answer("200 OK", "", r#"{"id":"evt_1"}"#)).await;
    let platform =
        webhook(&format!("{{url: \"{}\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, bearer: abcdef}}", server.url()));
    let receipt = send(&platform, delivery("u1", text())).await.unwrap();
    assert_eq!(receipt.id.as_deref(), Some("evt_1"));

    let body = format!(
        r#"{{"type":"notify.message","id":"{}","to":"u1","subject":"Hi \"you\"","text":"你好 {{{{secret.bearer}}}} <b>&\"\n"}}"#,
        id()
    );
    let key = crate::platform::sign::Key::read(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        crate::platform::sign::KeyEncoding::Whsec,
        Default::default(),
    );
    let signature = key.unwrap().sign(format!("{}.1700000000.{body}", id()).as_bytes(), Default::default());
    let expected = format!(
        "POST /hook/{SECRET}?key=q-{SECRET} HTTP/1.1\r\ncontent-type: application/json; charset=utf-8\r\nidempotency-key: {id}\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: 1700000000\r\nwebhook-signature: v1,{signature}\r\nauthorization: Bearer abcdef\r\naccept: */*\r\nuser-agent: notify/{}\r\n\
         host: 127.0.0.1:{}\r\ncontent-length: {}\r\n\r\n{body}",
        env!("CARGO_PKG_VERSION"),
        server.port,
        body.len(),
        id = id(),
    );
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test]
async fn ready_json_goes_as_it_is_and_is_signed_as_it_is_sent() {
    let server = Server::start(answer("202 Accepted", "", "")).await;
    let row_2: Value = json!({"type": "notify.message", "data": {"to": "u1", "text": "你好"}});
    for (style, header) in [
        ("github", "x-hub-signature-256: sha256=4d2c20d0a526a737d18bb54b3ef531e013417739165a7265e5652017ed487441\r\n"),
        ("stripe", "stripe-signature: t=1700000000,v1=a7662fd47888afa37804e875abfbe30374fdea28e742d796a872a1ece9398fd0\r\n"),
        ("none", "idempotency-key"),
    ] {
        let platform = webhook(&format!("{{url: \"{}\", secret: notify-secret, signature: {style}, method: PUT}}", server.url()));
        send(&platform, delivery("u1", Body::Native(row_2.clone()))).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert!(request.starts_with("PUT ") && request.contains(header), "{request}");
        assert!(request.ends_with(r#"{"type":"notify.message","data":{"to":"u1","text":"你好"}}"#), "{request}");
        assert!(!request.contains("webhook-signature"));
    }
}

#[tokio::test]
async fn the_account_says_its_own_body_headers_and_success() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0,"data":{}}"#)).await;
    let settings = format!(
        "{{url: \"{}\", user: u, password: \"p:w\", headers: {{X-Team: ops, X-To: \"{{{{to}}}}\"}}, success: {{status: 200, json: /code, eq: 0}},
           body: {{msg: {{text: \"{{{{text}}}}\"}}, n: 7, who: {{$ref: meta.who}}, none: {{$ref: meta.none}}}}}}",
        server.url()
    );
    let platform = webhook(&settings);
    let mut delivery = delivery("u1", Body::Html { html: "<p>a</p>".into(), text: "a".into() });
    delivery.message.meta.insert("who".into(), json!({"id": 3}));
    send(&platform, delivery).await.unwrap();
    let request = server.requests().pop().unwrap();
    assert!(
        request.contains("authorization: Basic dTpwOnc=\r\n") && request.contains("x-team: ops\r\nx-to: u1\r\n"),
        "{request}"
    );
    assert!(request.ends_with(r#"{"msg":{"text":"a"},"n":7,"who":{"id":3}}"#), "{request}");
}

#[tokio::test]
async fn what_a_reply_means() {
    use ErrorKind::*;
    let ok = "{success: {status: 2xx, json: /ok, eq: true}}";
    let any = "{}";
    let long = "x".repeat(100_000);
    // (settings, reply, account's URL, row's URL); None is sent.
    let table: Vec<(&str, Act, Option<ErrorKind>, Option<ErrorKind>)> = vec![
        (any, answer("200 OK", "", ""), None, None),
        (any, answer("204 No Content", "", ""), None, None),
        (any, answer("200 OK", "", &long), None, None),
        (any, Act::SayAndCut("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{".into()), None, None),
        (ok, answer("200 OK", "", r#"{"ok":true}"#), None, None),
        (ok, answer("200 OK", "", r#"{"ok":false,"error":"quota"}"#), Some(BadMessage), Some(BadMessage)),
        (ok, answer("200 OK", "", r#"{"queued":1}"#), Some(InDoubt), Some(InDoubt)),
        (ok, answer("200 OK", "", ""), Some(InDoubt), Some(InDoubt)),
        (ok, answer("200 OK", "", "<html>login</html>"), Some(InDoubt), Some(InDoubt)),
        (ok, answer("200 OK", "", &long), Some(InDoubt), Some(InDoubt)),
        (ok, Act::SayAndCut("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"ok\":true}".into()), Some(InDoubt), Some(InDoubt)),
        (ok, answer("500 Oops", "", r#"{"ok":true}"#), Some(InDoubt), Some(InDoubt)),
        (any, answer("301 Moved", "location: http://127.0.0.1:1/\r\n", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("302 Found", "location: /elsewhere\r\n", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("307 Temporary", "location: /elsewhere\r\n", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("400 Bad", "", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("413 Large", "", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("422 No", "", ""), Some(BadMessage), Some(BadMessage)),
        (any, answer("401 No", "", ""), Some(Unauthorized), Some(BadAddress)),
        (any, answer("403 No", "", ""), Some(Unauthorized), Some(BadAddress)),
        (any, answer("404 No", "", ""), Some(Misconfigured), Some(BadAddress)),
        (any, answer("410 Gone", "", ""), Some(Misconfigured), Some(BadAddress)),
        (any, answer("408 Late", "", ""), Some(Unavailable), Some(Unavailable)),
        (any, answer("425 Early", "", ""), Some(Unavailable), Some(Unavailable)),
        (any, answer("429 Slow", "", ""), Some(Throttled), Some(Throttled)),
        (any, answer("503 Busy", "", ""), Some(Unavailable), Some(Unavailable)),
        (any, answer("500 Oops", "", ""), Some(InDoubt), Some(InDoubt)),
        (any, answer("502 Gateway", "", ""), Some(InDoubt), Some(InDoubt)),
        (any, answer("504 Gateway", "", ""), Some(InDoubt), Some(InDoubt)),
        (any, Act::Hang, Some(InDoubt), Some(InDoubt)),
        (any, Act::Cut, Some(InDoubt), Some(InDoubt)),
        (any, Act::SayAndCut("HTTP/1.1 2".into()), Some(InDoubt), Some(InDoubt)),
        (any, Act::Say("220 mail.example.com ESMTP\r\n\r\n".into()), Some(InDoubt), Some(InDoubt)),
    ];
    for (settings, act, account, row) in table {
        let server = Server::start(act.clone()).await;
        let told = match &act {
            Act::Say(reply) | Act::SayAndCut(reply) => reply.chars().take(60).collect::<String>(),
            Act::Hang => "hang".into(),
            Act::Cut | Act::CutFirst => "cut".into(),
        };
        let with_url = settings.replacen('{', &format!("{{url: \"{}\", bearer: {SECRET}, ", server.url()), 1);
        let verdict = send(&webhook(&with_url), delivery("u1", text())).await;
        assert_eq!(verdict.as_ref().err().map(|error| error.kind), account, "account: {told}: {verdict:?}");
        let verdict_row = send(&webhook(settings), delivery(&server.url(), text())).await;
        assert_eq!(verdict_row.as_ref().err().map(|error| error.kind), row, "row: {told}: {verdict_row:?}");
        assert_eq!(server.requests().len(), 2, "sent once each: {told}");
        assert!(!format!("{verdict:?}{verdict_row:?}").contains(SECRET), "{verdict:?} {verdict_row:?}");
    }
}

#[tokio::test]
async fn nothing_got_there_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = format!("http://127.0.0.1:{closed}/{SECRET}");
    let unnamed = format!("http://no-such-host.invalid/{SECRET}");
    for (url, word) in [(refused, "refused"), (unnamed, "not resolved")] {
        let error = send(&webhook(&format!("{{url: \"{url}\"}}")), delivery("u1", text())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
        assert!(error.detail.contains(word) && !error.detail.contains(SECRET), "{error}");
    }
    // Closed before a byte was read: the client cannot know, and must not say that nothing was sent.
    let server = Server::start(Act::CutFirst).await;
    let error = send(&webhook(&format!("{{url: \"{}\"}}", server.url())), delivery("u1", text())).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::InDoubt | ErrorKind::Unreachable), "{error}");
}

#[tokio::test]
async fn a_certificate_is_checked() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let url = format!("https://localhost:{port}/{SECRET}");
    let strict = webhook(&format!("{{url: \"{url}\"}}"));
    let error = send(&strict, delivery("u1", text())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured, "{error}");
    assert!(error.detail.contains("ca_file") && !error.detail.contains(SECRET), "{error}");
    assert_eq!(strict.check().await.unwrap_err().kind, ErrorKind::Misconfigured);
    let row = send(&webhook("{}"), delivery(&url, text())).await.unwrap_err();
    assert_eq!(row.kind, ErrorKind::BadAddress, "a row's bad certificate must not halt the account: {row}");

    let trusting = webhook(&format!("{{url: \"{url}\", ca_file: \"{}\"}}", ca.display()));
    send(&trusting, delivery("u1", text())).await.unwrap();
    assert!(trusting.check().await.unwrap().contains("no request was sent"));
    let wrong_name = webhook(&format!("{{url: \"https://127.0.0.1:{port}/\", ca_file: \"{}\"}}", ca.display()));
    let error = send(&wrong_name, delivery("u1", text())).await.unwrap_err();
    assert!(error.detail.contains("names another host"), "{error}");
}

#[tokio::test]
async fn the_service_names_its_wait() {
    for (header, expected) in [
        ("retry-after: 7\r\n", Some(7)),
        ("retry-after: Tue, 14 Nov 2023 22:14:20 GMT\r\n", Some(60)),
        ("retry-after: Tue, 14 Nov 2023 22:00:00 GMT\r\n", Some(0)),
        ("retry-after: 99999999999999999999\r\n", Some(30 * 86_400)),
        ("retry-after: soon\r\n", None),
        ("", None),
    ] {
        for status in ["429 Slow", "503 Busy"] {
            let server = Server::start(answer(status, header, "")).await;
            let error = send(&webhook(&format!("{{url: \"{}\"}}", server.url())), delivery("u1", text())).await.unwrap_err();
            assert_eq!(error.retry_after, expected.map(Duration::from_secs), "{header}");
        }
    }
}

#[tokio::test]
async fn a_reply_that_repeats_our_secrets_is_told_without_them() {
    let body = format!(r#"{{"message":"bad token {SECRET}\u0007 for /hook/{SECRET}?key=q-{SECRET}\r\nnext"}}"#);
    let server = Server::start(answer("400 Bad", "", &body)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "h3ader-secret\n").unwrap();
    let headers = format!("headers: {{X-Key: {{file: \"{}\"}}}}", file.display());
    let platform = webhook(&format!("{{url: \"{}\", bearer: {SECRET}, {headers}}}", server.url()));
    let error = send(&platform, delivery("u1", text())).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("400"));
    assert!(error.detail.starts_with("HTTP 400: bad token *** for "), "{error}");
    assert!(!error.detail.contains(SECRET) && !error.detail.contains(char::is_control), "{error}");
    let debug = format!("{platform:?}");
    assert!(!debug.contains(SECRET) && !debug.contains("h3ader"), "{debug}");
    assert!(server.requests()[0].contains("x-key: h3ader-secret\r\n"));
}

#[test]
fn only_http_urls_are_sent_to_and_each_endpoint_is_a_lane() {
    let platform = webhook("{}");
    let addressing = &platform.capability().addressing;
    assert_eq!(
        (addressing.columns.as_slice(), addressing.secret),
        (["webhook", "url", "to"].map(str::to_owned).as_slice(), true)
    );
    for bad in [
        "",
        "file:///etc/passwd",
        "ftp://h/x",
        "bob@example.com",
        "http://",
        "https://h/ x",
        "javascript:alert(1)",
        "https://h/\nx",
    ] {
        let error = platform.lane(&bad.into()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadAddress, "{bad}");
    }
    let lane = |url: &str| platform.lane(&url.into()).unwrap();
    assert_eq!(lane("https://h/a?x=1"), lane("https://H:443/a?x=2#part"));
    assert_ne!(lane("https://h/a"), lane("https://h/b"));
    assert!(!lane("https://h/s3cret").0.contains("s3cret"));
}

#[test]
fn one_url_for_all_keeps_rows_apart() {
    let platform = webhook("{url: \"https://h/x\"}");
    let addressing = &platform.capability().addressing;
    assert_eq!(addressing.columns, ["to", "email", "phone", "open_id", "id"]);
    assert_eq!((addressing.fixed.as_deref(), addressing.secret), (Some("webhook:hook"), false));
    assert_eq!(platform.lane(&"bob@example.com".into()).unwrap(), LaneKey::whole());
    assert!(!platform.capability().idempotent);
    assert!(webhook("{url: \"https://h/x\", idempotent: true}").capability().idempotent);
}

#[test]
fn an_account_is_read_strictly() {
    for (settings, said) in [
        ("{ulr: \"https://h/x\"}", "did you mean `url`?"),
        ("{url: \"ftp://h/x\"}", "only http and https"),
        ("{url: \"https://h/x\", signature: gitlab}", "not one of standard, github, stripe, none"),
        ("{url: \"https://h/x\", signature: github}", "the github signature is made with `secret`"),
        ("{url: \"https://h/x\", secret: whsec_%%}", "not base64"),
        ("{url: \"http://example.com/x\", bearer: abcdef}", "in the clear"),
        ("{url: \"https://h/x\", headers: {Host: evil}}", "set by notify itself"),
        ("{url: \"https://h/x\", headers: {\"a b\": x}}", "cannot be the name"),
        ("{url: \"https://h/x\", headers: {X: {env: NOTIFY_NO_SUCH_VARIABLE}}}", "NOTIFY_NO_SUCH_VARIABLE"),
        ("{url: \"https://h/x\", success: {json: ok, eq: true}}", "not a JSON pointer: write /ok"),
        ("{url: \"https://h/x\", success: any-3xx}", "any-2xx"),
        ("{url: \"https://h/x\", body: {a: \"{{nmae}}\"}}", "nothing is named `nmae`"),
        ("{url: \"https://h/x\", body: {a: \"{{#if}}\"}}", "not a template"),
        ("{url: \"https://h/x\", method: GET}", "POST or PUT"),
        ("{url: \"https://h/x\", ca_file: /no/such/file}", "ca_file cannot be read"),
    ] {
        let problem = platform_of(WEBHOOK, settings).err().unwrap_or_else(|| panic!("{settings}")).to_string();
        assert!(problem.contains(said), "{settings}: {problem}");
    }
}

#[test]
fn content_that_the_platform_cannot_carry_is_refused_before() {
    let platform = webhook("{url: \"https://h/x\"}");
    let mut message = Message { cc: vec!["a@x".into()], body: text(), ..Message::default() };
    assert_eq!(platform.examine(&"u1".into(), &message).unwrap_err().kind, ErrorKind::BadMessage);
    message.cc.clear();
    platform.examine(&"u1".into(), &message).unwrap();
}

const SMALL: &str = "schema: 1
name: small
title: Small
vars:
  base: {default: \"https://example.com\"}
  token: {secret: true, required: true}
addressing: {columns: [to]}
message: {max: {text: {chars: 5}}}
request:
  method: POST
  url: \"{{base}}/bot{{secret.token}}/send/{{to}}\"
  query: {at: \"{{now.ms}}\", who: \"{{to}}\"}
  json: {text: \"{{text}}\"}
success: {json: /ok, eq: true}
code: /code
errors:
  - {when: {status: 429}, class: rate, wait: [{json: /retry}, {const: 30s}]}
  - {when: {json: /code, in: [7]}, class: gone}
  - {when: {json: /code, in: [8]}, class: auth, scope: target}
  - {when: {status: 502}, class: transient, because: \"a doubled line is cheaper than a missing alert\"}
  - {when: {net: [timeout_after_send, cut_after_send]}, class: unknown}
  - default: permanent
idempotency: {format: uuid, honoured: always, replay: [{status: 409, header: x-accepted}]}
";

#[tokio::test]
async fn a_users_definition_is_sent_by_its_own_rules() {
    for (act, expected) in [
        (answer("200 OK", "", r#"{"ok":true}"#), None),
        (answer("409 Conflict", "x-accepted: 1\r\n", ""), None),
        (answer("429 Slow", "", r#"{"retry":"3"}"#), Some((ErrorKind::Throttled, "429", Some(3)))),
        (answer("429 Slow", "", ""), Some((ErrorKind::Throttled, "429", Some(30)))),
        (answer("400 Bad", "", r#"{"code":"7"}"#), Some((ErrorKind::BadAddress, "400 7", None))),
        (answer("200 OK", "", r#"{"ok":false,"code":8}"#), Some((ErrorKind::BadAddress, "200 8", None))),
        (answer("502 Gateway", "", ""), Some((ErrorKind::Unavailable, "502", None))),
    ] {
        let replayed = matches!(&act, Act::Say(reply) if reply.contains("x-accepted"));
        let server = Server::start(act).await;
        let small = platform_of(SMALL, &format!("{{token: t0ken, base: \"http://127.0.0.1:{}\"}}", server.port)).unwrap();
        let verdict = send(&small, delivery("../a b?x#y@evil", Body::Text("hi".into()))).await;
        let got = verdict
            .as_ref()
            .err()
            .map(|error| (error.kind, error.code.as_deref().unwrap(), error.retry_after.map(|wait| wait.as_secs())));
        assert_eq!(got, expected, "{verdict:?}");
        assert_eq!(verdict.as_ref().is_ok_and(|receipt| receipt.replay), replayed);
        assert_eq!(server.requests().len(), 1);
        let line = "POST /bott0ken/send/..%2Fa%20b%3Fx%23y%40evil?at=1700000000000&who=..%2Fa+b%3Fx%23y%40evil HTTP/1.1";
        assert_eq!(server.requests()[0].lines().next(), Some(line));
        assert!(small.capability().idempotent);
        let long = Message { body: Body::Text("123456".into()), ..Message::default() };
        assert!(small.examine(&"u1".into(), &long).unwrap_err().detail.contains("6 characters"));
    }
}

#[test]
fn a_broken_definition_is_told_with_its_place() {
    let mut wrong = Vec::new();
    for (from, to, line, column, said) in [
        ("schema: 1", "schema: 2", 1, 9, "schema 2 is not known"),
        ("title:", "tilte:", 3, 1, "did you mean `title`?"),
        ("name: small", "name: Small Talk", 2, 7, "use a-z"),
        ("method: POST", "method: GET", 10, 11, "`GET` is not known here"),
        ("{secret: true, required", "{secrte: true, required", 6, 11, "did you mean `secret`?"),
        ("{{secret.token}}/send", "{{token}}/send", 11, 23, "did you mean `secret.token`?"),
        ("{{base}}/bot", "{{bsae}}/bot", 11, 11, "did you mean `base`?"),
        ("{text: \"{{text}}\"}", "{text: \"{{text\"}", 13, 16, "not a template"),
        ("success: {json: /ok, eq: true}", "success: {json: ok, eq: true}", 14, 17, "write /ok"),
        ("success: {json: /ok, eq: true}", "success: {json: /ok}", 14, 10, "add eq, in, match or exists"),
        ("success: {json: /ok, eq: true}", "success: {jsn: /ok, eq: true}", 14, 11, "did you mean `json`?"),
        ("{status: 429}", "{status: 4292}", 17, 21, "from 100 to 599"),
        ("class: gone", "class: goone", 18, 43, "did you mean `gone`?"),
        (", because: \"a doubled line is cheaper than a missing alert\"", "", 20, 5, "because"),
        ("{const: 30s}", "{const: 30 parsecs}", 17, 71, "write 500ms"),
        ("default: permanent", "default: transient", 22, 5, "nobody knows"),
        ("json: {text", "jsn: {text", 13, 3, "did you mean `json`?"),
        ("schema: 1\n", "", 1, 1, "missing field `schema`"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let problem = Definition::read(&SMALL.replacen(from, to, 1), Path::new("small.yaml")).expect_err(to);
        let told = problem.to_string();
        if !told.contains(said) || (problem.line, problem.column) != (Some(line), Some(column)) {
            wrong.push(format!("{to} should be {line}:{column} {said}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let order = SMALL.replace("  - default: permanent\n", "").replace("errors:\n", "errors:\n  - default: permanent\n");
    assert!(Definition::read(&order, Path::new("small.yaml")).unwrap_err().to_string().contains("never reached"));
}

#[test]
fn the_example_of_the_guide_is_a_good_definition() {
    let guide = include_str!("../../../docs/adding-a-platform.md");
    let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    platform_of(example, "{token: ch-1}").unwrap_or_else(|problem| panic!("{problem}"));
}

#[tokio::test]
async fn no_definition_turns_a_redirect_into_a_success() {
    let eager = SMALL.replace("  - default", "  - {when: {status: 3xx}, class: ok}\n  - default");
    let server = Server::start(answer("302 Found", "location: /x\r\n", "")).await;
    let platform = platform_of(&eager, &format!("{{token: t, base: \"http://127.0.0.1:{}\"}}", server.port)).unwrap();
    assert_eq!(send(&platform, delivery("u1", text())).await.unwrap_err().kind, ErrorKind::BadMessage);
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let server = Server::start(answer("200 OK", "", "{}")).await;
    let platform = webhook(&format!("{{url: \"{}\"}}", server.url()));
    for _ in 0..20 {
        send(&platform, delivery("u1", text())).await.unwrap();
    }
    assert_eq!((server.requests().len(), *server.connections.lock().unwrap()), (20, 1));
}

const HEAD: &str = "schema: 1
title: T
vars: {token: {secret: true, required: true}, key: {secret: true}, base: {default: \"https://h.example\"}}
addressing: {columns: [to]}
success: {json: /code, eq: 0}
errors: [{when: {json: /code, in: [9]}, class: auth}, {default: permanent}]
";

fn of(rest: &str, settings: &str) -> Declared {
    platform_of(&format!("{HEAD}{rest}"), settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn row(to: &str, body: Body) -> Delivery {
    let id = DeliveryId::derive("lineage", to, "hook");
    let envelope = Envelope { id, position: Position::row(0), account: "hook".into(), to: to.into(), attempt: 1 };
    Delivery { envelope, message: Message { body, ..Message::default() } }
}

/// The body of the request as it would be shown.
fn shown(platform: &Declared, deliveries: Vec<Delivery>) -> (String, Value) {
    let text = platform.show(&Batch::new(deliveries).unwrap()).unwrap().unwrap_or_else(|error| panic!("{error}"));
    let body = text.split("\n\n").nth(1).unwrap_or_default().trim();
    (text.clone(), serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
}

const FEISHU: &str = "name: feishu
fields: {card: {json: true}}
sign: [{kind: hmac, key: \"{{now.s}}\\n{{secret.key}}\", message: \"\", as: sig, when: {var: secret.key}}]
request:
  method: POST
  url: \"{{base}}/hook/{{secret.token}}\"
  omit_empty: true
  kinds:
    text: {json: {timestamp: {$when: {var: secret.key}, then: \"{{now.s}}\"}, sign: \"{{sign.sig}}\", msg_type: text, content: {$json: {text: \"{{text}}\"}}}}
    card: {needs: [card], json: {msg_type: interactive, card: {$ref: card}}}
";

#[tokio::test]
async fn the_kind_is_chosen_and_a_signature_stands_in_the_body() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0}"#)).await;
    let base = format!("base: \"http://127.0.0.1:{}\"", server.port);
    let feishu = of(FEISHU, &format!("{{token: t0ken-t0ken, key: notify-secret, {base}}}"));
    send(&feishu, row("a", Body::Text("hi".into()))).await.unwrap();
    let request = server.requests().pop().unwrap();
    let sign = "X25kRgXcVNxHeR88nc+koFHcfdL1qutGo04+cBKsD4g=";
    let body = format!(r#"{{"timestamp":"1700000000","sign":"{sign}","msg_type":"text","content":"{{\"text\":\"hi\"}}"}}"#);
    assert!(request.ends_with(&body), "{request}");

    let card = |tree: Value| row("a", Body::Native(tree));
    assert_eq!(shown(&feishu, vec![card(json!({"card": {"a": 1}}))]).1["card"], json!({"a": 1}));
    let error = feishu.examine(&"a".into(), &card(json!({"card": {"a": 1}, "crad": 1})).message).unwrap_err();
    assert!(error.detail.contains("`crad`") && error.detail.contains("card (needs card)"), "{error}");
    assert!(feishu.examine(&"a".into(), &card(json!({"$kind": "text", "card": {}})).message).is_err());
    let (text, _) = shown(&feishu, vec![row("a", Body::Text("hi".into()))]);
    assert!(text.starts_with("POST http://127.0.0.1") && text.contains("/hook/***"), "{text}");
    assert!(!text.contains("t0ken-t0ken") && !text.contains(sign), "{text}");
}

const LISTED: &str = "name: listed
request: {method: POST, url: \"{{base}}/one\", json: {to: \"{{to}}\", text: \"{{text}}\"}}
batch: {mode: list, max: 3, at: /messages, unique: to, request: {url: \"{{base}}/many\", json: {kind: bulk}}}
";
const SAME: &str = "name: same
request: {method: POST, url: \"{{base}}/x\", kinds: {text: {json: {ids: [\"{{to}}\"], text: \"{{text}}\"}}}}
batch: {mode: same, max: 200, at: /ids}
";
const SIDE_BY_SIDE: &str = "name: sms
fields: {code: {}}
request: {method: POST, url: \"{{base}}/\", kinds: {params: {needs: [code], form: {Phone: \"{{to}}\", Param: {$json: {code: \"{{code}}\"}}}}}}
batch:
  mode: list
  max: 100
  request: {form: {Template: T1}}
  lists:
    - {at: /PhoneJson, each: \"{{to}}\", as: json}
    - {at: /ParamJson, each: {code: \"{{code}}\"}, as: json}
    - {at: /Phones, each: \"{{to}}\", as: join, by: \"|\"}
";

#[test]
fn several_deliveries_share_a_request() {
    let both = |text: &str| vec![row("a", Body::Text(text.into())), row("b", Body::Text("hi".into()))];
    let listed = of(LISTED, "{token: abcdefgh}");
    assert!(matches!(listed.capability().batching, Batching::Individual(max) if max.get() == 3));
    let (text, body) = shown(&listed, both("you"));
    assert!(text.starts_with("POST https://h.example/many\n"), "{text}");
    assert_eq!(body, json!({"kind": "bulk", "messages": [{"to": "a", "text": "you"}, {"to": "b", "text": "hi"}]}));
    let (text, body) = shown(&listed, vec![row("a", Body::Text("hi".into()))]);
    assert!(text.starts_with("POST https://h.example/one\n"), "{text}");
    assert_eq!(body, json!({"to": "a", "text": "hi"}));
    let group = |platform: &Declared, delivery: &Delivery| platform.share(delivery).unwrap();
    let rows = both("you");
    let (a, b) = (group(&listed, &rows[0]), group(&listed, &rows[1]));
    assert!(a.group == b.group && a.unique != b.unique && a.bytes > 10);

    let same = of(SAME, "{token: abcdefgh}");
    let rows = both("you");
    assert_ne!(group(&same, &rows[0]).group, group(&same, &rows[1]).group, "not the same content");
    let rows = both("hi");
    assert_eq!(group(&same, &rows[0]).group, group(&same, &rows[1]).group);
    assert_eq!(shown(&same, rows).1, json!({"ids": ["a", "b"], "text": "hi"}));

    let sms = of(SIDE_BY_SIDE, "{token: abcdefgh}");
    let coded = |to: &str| row(to, Body::Native(json!({"code": "1"})));
    let (text, _) = shown(&sms, vec![coded("13"), coded("14")]);
    let body = "Template=T1&PhoneJson=%5B%2213%22%2C%2214%22%5D&ParamJson=%5B%7B%22code%22%3A%221%22%7D%2C%7B%22code%22%3A%221%22%7D%5D&Phones=13%7C14";
    assert!(text.contains(body), "{text}");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_that_wait() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0,"t":"fetched-token"}"#)).await;
    let rest = "name: app
token: {request: {method: POST, url: \"{{base}}/auth\", json: {k: \"{{secret.token}}\"}}, value: /t, invalid_when: [{json: /code, eq: 5}]}
request: {method: POST, url: \"{{base}}/send\", auth: [{bearer: \"{{token}}\"}], json: {text: \"{{text}}\"}}
";
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    let sends = (0..50).map(|number| send(&app, row(&number.to_string(), text())));
    for verdict in futures_util::future::join_all(sends).await {
        verdict.unwrap();
    }
    let requests = server.requests();
    let fetches = requests.iter().filter(|request| request.starts_with("POST /auth")).count();
    assert_eq!((fetches, requests.len()), (1, 51));
    assert!(requests[50].contains("authorization: Bearer fetched-token"));
    assert!(app.check().await.unwrap().contains("good"));

    let refusing = Server::start(answer("200 OK", "", r#"{"code":9,"t":"fetched-token"}"#)).await;
    let auth = rest.replace("value: /t,", "value: /t, success: {json: /code, eq: 0},");
    let app = of(&auth, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", refusing.port));
    let error = send(&app, row("a", text())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
    assert_eq!(refusing.requests().len(), 1, "no message was sent");

    let stale = Server::start(answer("200 OK", "", r#"{"code":5,"t":"fetched-token"}"#)).await;
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", stale.port));
    let error = send(&app, row("a", text())).await.unwrap_err();
    assert_eq!(stale.requests().len(), 4, "fetched twice, sent twice: {error}");
    assert!(!error.detail.contains("fetched-token"));
}

#[tokio::test]
async fn the_long_reply_to_many_is_read_whole() {
    let rest = "name: many
request: {method: POST, url: \"{{base}}/one\", json: {to: \"{{to}}\"}}
batch: {mode: list, max: 500, at: \"\", request: {url: \"{{base}}/many\"}}
results: {mode: by_index, path: \"\", ok: {json: /code, eq: 0}}
";
    // As Postmark answers: 500 of these have more bytes than a reply to one delivery may.
    let member = json!({"to": "receiver@example.com", "submitted_at": "2014-02-17T07:25:01.4178645-05:00",
        "id": "0a129aee-e1cd-480d-b08d-4f48548ff48d", "code": 0, "message": "OK"});
    let reply = Value::from(vec![member; 500]).to_string();
    assert!(reply.len() > crate::platform::http::BODY_CAP, "{}", reply.len());
    let server = Server::start(answer("200 OK", "", &reply)).await;
    let many = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    let rows = (0..500).map(|number| row(&number.to_string(), Body::Text("hi".into()))).collect();
    let verdicts = many.send(&Batch::new(rows).unwrap()).await.into_inner();
    assert!(
        verdicts.len() == 500 && verdicts.iter().all(Result::is_ok),
        "{:?}",
        verdicts.iter().find(|verdict| verdict.is_err())
    );
    let error = send(&many, row("a", Body::Text("hi".into()))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InDoubt, "{error}");
}
