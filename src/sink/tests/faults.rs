//! Faults over the wire: what the client sees of each, and what the ledger says really happened.

use std::time::Instant;

use super::*;

/// One message, step by step, until the fault; the last reply, or nothing where the connection ended.
async fn one(sink: &Running, to: &str) -> Option<String> {
    let mut client = sink.silent_smtp().await;
    for command in ["", "EHLO me\r\n", "MAIL FROM:<me@x>\r\n", &format!("RCPT TO:<{to}>\r\n"), "DATA\r\n"] {
        client.send(command).await;
        let line = client.line().await?;
        if line.as_bytes().get(3) == Some(&b'-') {
            client.reply().await;
        }
        if !line.starts_with(['2', '3']) {
            return Some(line);
        }
    }
    client.send("Subject: x\r\n\r\nhi\r\n.\r\n").await;
    client.line().await
}

#[tokio::test]
async fn each_fault_as_seen_by_the_client_and_as_it_was() {
    // fault, what the client sees last, lines in the ledger, taken
    for (fault, sees, lines, taken) in [
        ("451", Some("451 4.3.0"), 1, false),
        ("421", Some("421 4.3.2"), 1, false),
        ("550[5.7.1 spam, it seems]", Some("550 5.7.1 spam, it seems"), 1, false),
        ("mail-451", Some("451"), 0, false),
        ("rcpt-450", Some("450"), 0, false),
        ("data-451", Some("451"), 0, false),
        ("banner-554", Some("554"), 0, false),
        ("banner-421", Some("421"), 0, false),
        ("ehlo-502", Some("502"), 0, false),
        ("grey", Some("451 4.7.1"), 0, false),
        ("refuse", None, 0, false),
        ("cut-banner", None, 0, false),
        ("cut-rcpt", None, 0, false),
        ("cut-data[rst]", None, 0, false),
        ("cut-before-data", None, 1, false),
        ("cut-after-data", None, 1, true),
        ("cut-after-data[rst]", None, 1, true),
        ("cut-after-reply", Some("250 2.0.0"), 1, true),
        ("garbage-dot", Some("\u{16}"), 1, true),
        ("stall-dot=50ms", Some("250 2.0.0"), 1, true),
        ("drip", Some("250 2.0.0"), 1, true),
        ("late=5ms", Some("250 2.0.0"), 1, true),
        ("multiline", Some("250-one"), 1, true),
        ("451:rcpt=*@other", Some("250 2.0.0"), 1, true),
        ("451@0%", Some("250 2.0.0"), 1, true),
        ("254", Some("254"), 1, true),
    ] {
        let sink = start(fault, |_| {}).await;
        let seen = one(&sink, "a@example.com").await;
        match (&seen, sees) {
            (None, None) => {}
            (Some(seen), Some(sees)) if seen.starts_with(sees) => {}
            _ => panic!("{fault}: wanted {sees:?}, saw {seen:?}"),
        }
        let ledger = sink.ledger();
        assert_eq!(ledger.len(), lines, "{fault}");
        assert_eq!(ledger.first().is_some_and(|line| line["taken"] == true), taken, "{fault}");
        let counts = sink.end().await;
        assert_eq!(counts.messages, u64::from(taken), "{fault}");
        let untold = taken && !matches!(sees, Some(sees) if sees.starts_with("250"));
        assert_eq!(counts.taken_untold, u64::from(untold), "{fault}");
        let name = fault.split(['[', '=', ':', '@']).next().expect("a name");
        assert_eq!(counts.faults.contains_key(name), !fault.contains("other") && !fault.contains("0%"), "{fault}");
    }
}

#[tokio::test]
async fn the_ledger_tells_cuts_apart() {
    let sink = start("cut-after-data*1:rcpt=a@x,cut-before-data*1:rcpt=b@x,cut-after-reply*1:rcpt=c@x", |_| {}).await;
    for to in ["a@x", "b@x", "c@x", "a@x"] {
        one(&sink, to).await;
    }
    let seen: Vec<_> =
        sink.ledger().iter().map(|line| (line["cut"].clone(), line["taken"].clone(), line["fault"].clone())).collect();
    assert_eq!(
        seen,
        [
            ("before_reply".into(), true.into(), "cut-after-data".into()),
            ("before_reply".into(), false.into(), "cut-before-data".into()),
            ("after_reply".into(), true.into(), "cut-after-reply".into()),
            (Value::Null, true.into(), Value::Null),
        ]
    );
    sink.end().await;
}

#[tokio::test]
async fn greylisted_and_counted_addresses_get_through_later() {
    let sink = start("grey", |_| {}).await;
    assert!(one(&sink, "a@x").await.is_some_and(|line| line.starts_with("451 4.7.1")));
    assert!(one(&sink, "a@x").await.is_some_and(|line| line.starts_with("250")));
    assert!(one(&sink, "b@x").await.is_some_and(|line| line.starts_with("451")));
    sink.end().await;
}

#[tokio::test]
async fn a_refused_recipient_inside_a_group_leaves_the_others_alone() {
    let sink = start("rcpt-550:rcpt=bad@x", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<bad@x>\r\nDATA\r\n").await;
    for begins in ["250", "550 5.1.1", "554 5.5.1"] {
        client.expect(begins).await;
    }
    client.send("RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bad@x>\r\nRCPT TO:<good@x>\r\nDATA\r\n").await;
    for begins in ["250", "250", "550", "250", "354"] {
        client.expect(begins).await;
    }
    client.ask("x\r\n.\r\n", "250").await;
    assert_eq!(sink.ledger()[0]["rcpt"], serde_json::json!(["good@x"]));
    sink.end().await;
}

#[tokio::test]
async fn a_server_may_say_354_to_nobody() {
    let sink = start("data-anyway,rcpt-550:rcpt=bad@x", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<bad@x>\r\nDATA\r\n").await;
    for begins in ["250", "550", "354"] {
        client.expect(begins).await;
    }
    client.ask(".\r\n", "554 5.5.1").await;
    assert_eq!(sink.end().await.messages, 0);
}

#[tokio::test]
async fn a_cut_in_a_group_lets_earlier_replies_through() {
    let sink = start("cut-after-data:rcpt=c@x", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send(["a@x", "b@x", "c@x", "d@x"].map(|to| mail(to, "hi")).concat()).await;
    for _ in 0..2 {
        for begins in ["250", "250", "354", "250"] {
            client.expect(begins).await;
        }
    }
    for begins in ["250", "250", "354"] {
        client.expect(begins).await;
    }
    client.ended().await;
    let counts = sink.end().await;
    assert_eq!((counts.messages, counts.taken_untold), (3, 1));
}

#[tokio::test]
async fn a_stalled_server_does_nothing_else() {
    let sink = start("stall-dot=300ms*1:rcpt=a@x", |_| {}).await;
    let mut client = sink.smtp().await;
    let begun = Instant::now();
    client.send(mail("a@x", "hi") + &mail("b@x", "hi")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(sink.ledger().len(), 1, "taken before the stall, and nothing after it");
    for begins in ["250", "250", "354", "250", "250", "250", "354", "250"] {
        client.expect(begins).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(sink.end().await.messages, 2);
}

#[tokio::test]
async fn endless_and_injected_replies() {
    let sink = start("endless-dot", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send(mail("a@x", "hi")).await;
    for begins in ["250", "250", "354"] {
        client.expect(begins).await;
    }
    assert!(client.all().await.len() > 1 << 20);
    sink.end().await;
    let sink = start("starttls-inject", |_| {}).await;
    let mut client = sink.smtp().await;
    client.ask("STARTTLS\r\n", "220").await;
    client.expect("250-localhost").await;
    sink.end().await;
}

#[tokio::test]
async fn auth_is_refused_on_request() {
    let sink = start("auth-535*1", |_| {}).await;
    let mut client = sink.smtp().await;
    client.ask("AUTH PLAIN AGEAYg==\r\n", "535").await;
    client.ask("AUTH PLAIN AGEAYg==\r\n", "235").await;
    let counts = sink.end().await;
    assert_eq!((counts.auth, counts.auth_failed), (1, 1));
}

#[tokio::test]
async fn a_server_that_is_down_comes_back() {
    let sink = start("down=300ms@0s", |_| {}).await;
    assert_eq!(one(&sink, "a@x").await, None);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(one(&sink, "a@x").await.is_some_and(|line| line.starts_with("250")));
    sink.end().await;
}

const POST: &str = "POST /x/1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn each_http_fault_as_seen_by_the_client_and_as_it_was() {
    for (fault, sees, taken) in [
        ("http-500", "HTTP/1.1 500", false),
        ("http-500[taken]", "HTTP/1.1 500", true),
        ("http-429[retry=2]", "HTTP/1.1 429", false),
        ("http-error-body", "HTTP/1.1 200", false),
        ("http-200[not-taken;body={\"code\":9499}]", "HTTP/1.1 200", false),
        ("http-html", "HTTP/1.1 200", true),
        ("http-empty", "HTTP/1.1 200", true),
        ("http-hang=50ms", "HTTP/1.1 200", true),
        ("http-cut-before", "", false),
        ("http-cut-after", "", true),
        ("http-cut-after[rst]", "", true),
        ("http-garbage", "250 2.0.0", true),
        ("http-oversize=2M", "HTTP/1.1 200", true),
        ("http-truncated", "HTTP/1.1 200", true),
        ("http-redirect", "HTTP/1.1 302", false),
        ("http-401:path=/x*", "HTTP/1.1 401", false),
        ("http-401:path=/y*", "HTTP/1.1 200", true),
        ("drip", "HTTP/1.1 200", true),
        ("late=20ms", "HTTP/1.1 200", true),
    ] {
        let sink = start(fault, |_| {}).await;
        let mut client = sink.http().await;
        client.send(POST.replace("\r\ncontent", "\r\nconnection: close\r\ncontent")).await;
        let all = client.all().await;
        let text = String::from_utf8_lossy(&all);
        assert!(if sees.is_empty() { text.is_empty() } else { text.starts_with(sees) }, "{fault}: {text:.200}");
        match fault {
            "http-429[retry=2]" => assert!(text.contains("retry-after: 2\r\n"), "{text}"),
            "http-error-body" => assert!(text.contains("\"ok\":false"), "{text}"),
            "http-oversize=2M" => assert!(all.len() > 2 << 20),
            _ => {}
        }
        let ledger = sink.ledger();
        assert_eq!((ledger.len(), &ledger[0]["taken"]), (1, &taken.into()), "{fault}");
        assert_eq!(sink.end().await.requests_taken, u64::from(taken), "{fault}");
    }
}

#[tokio::test]
async fn http_faults_are_counted_per_idempotency_key() {
    let sink = start("http-503*1", |_| {}).await;
    let mut client = sink.http().await;
    for (key, status) in [("a", "503"), ("b", "503"), ("a", "200"), ("b", "200")] {
        client.send(format!("POST / HTTP/1.1\r\nidempotency-key: {key}\r\ncontent-length: 0\r\n\r\n")).await;
        assert!(client.answer().await.0.starts_with(&format!("HTTP/1.1 {status}")), "{key}");
    }
    sink.end().await;
}
