//! What goes out and what comes back: golden requests of the webhook, every row of the reply table, waits, secrets.

use super::reading::SMALL;
use super::*;

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
