//! HTTP as it should go: keep-alive, pipelining, chunked bodies, the sink's own pages, and what is refused.

use super::*;

#[tokio::test]
async fn keep_alive_pipelining_and_drops() {
    let sink = start("", |_| {}).await;
    let mut client = sink.http().await;
    let request = "POST /hook?x=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: k1\r\n\
                   Authorization: Bearer hunter2\r\nX-Api-Key: hunter2\r\nwebhook-id: w1\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    client.send(format!("{request}{request}")).await;
    for _ in 0..2 {
        let (head, body) = client.answer().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, "{\"ok\":true}");
    }
    for byte in request.bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    client.answer().await;
    let ledger = sink.ledger();
    assert_eq!(ledger.len(), 3);
    let line = &ledger[2];
    assert_eq!((&line["method"], &line["path"], &line["body"]), (&"POST".into(), &"/hook?x=1".into(), &"{\"a\":1}".into()));
    assert_eq!((&line["headers"]["idempotency-key"], &line["headers"]["webhook-id"]), (&"k1".into(), &"w1".into()));
    assert_eq!((&line["headers"]["authorization"], &line["headers"]["x-api-key"]), (&"***".into(), &"***".into()));
    assert!(!line.to_string().contains("hunter2"));
    let counts = sink.end().await;
    assert_eq!((counts.requests, counts.requests_taken, counts.connections), (3, 3, 1));
}

#[tokio::test]
async fn chunked_bodies_whole_and_in_drops() {
    let sink = start("", |_| {}).await;
    let mut client = sink.http().await;
    let request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
    client.send(format!("{request}{request}")).await;
    client.answer().await;
    client.answer().await;
    for byte in request.bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    client.answer().await;
    assert!(sink.ledger().iter().all(|line| line["body"] == "hello!"));
    client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await;
    assert!(client.answer().await.0.starts_with("HTTP/1.1 400"));
    client.ended().await;
    sink.end().await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let sink = start("", |_| {}).await;
    let mut client = sink.http().await;
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    assert_eq!(client.line().await.as_deref(), Some("HTTP/1.1 100 Continue\r\n"));
    client.line().await;
    client.send("hi").await;
    assert!(client.answer().await.0.starts_with("HTTP/1.1 200"));
    sink.end().await;
}

#[tokio::test]
async fn the_sinks_own_pages_tell_and_begin_anew() {
    let sink = start("", |_| {}).await;
    let mut client = sink.http().await;
    client.send("POST /a HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET /_sink/counts HTTP/1.1\r\n\r\n").await;
    client.answer().await;
    let counts: Counts = serde_json::from_str(&client.answer().await.1).expect("counts");
    assert_eq!((counts.requests, counts.requests_taken), (1, 1));
    client.send("POST /_sink/reset HTTP/1.1\r\ncontent-length: 0\r\n\r\n").await;
    client.answer().await;
    client.send("GET /_sink/counts HTTP/1.1\r\n\r\n").await;
    let counts: Counts = serde_json::from_str(&client.answer().await.1).expect("counts");
    assert_eq!(counts.requests, 0);
    client.send("GET /_sink/what HTTP/1.1\r\n\r\n").await;
    assert!(client.answer().await.0.starts_with("HTTP/1.1 404"));
    sink.end().await;
}

#[tokio::test]
async fn nonsense_ends_the_connection() {
    for request in [
        "EHLO me\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(70_000)),
    ] {
        let sink = start("", |_| {}).await;
        let mut client = sink.http().await;
        client.send(&request).await;
        assert!(client.answer().await.0.starts_with("HTTP/1.1 4"), "{request:.60}");
        client.ended().await;
        assert_eq!(sink.end().await.requests, 0);
    }
}

#[tokio::test]
async fn http_1_0_and_close_end_after_the_answer() {
    let sink = start("", |_| {}).await;
    for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"] {
        let mut client = sink.http().await;
        client.send(request).await;
        assert!(client.answer().await.0.contains("connection: close"));
        client.ended().await;
    }
    sink.end().await;
}
