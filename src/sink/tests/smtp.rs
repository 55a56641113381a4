//! SMTP as it should go: groups, drops, chunks, dots, TLS, AUTH, and what is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::sink::options::Extensions;

#[tokio::test]
async fn one_packet_of_three_messages_is_answered_in_one_write() {
    let sink = start("", |options| options.sha256 = true).await;
    let mut client = sink.smtp().await;
    let group: String =
        (1..=3).map(|n| mail(&format!("u{n}@example.com"), &format!("Message-ID: <{n}@x>\r\nSubject: s{n}\r\n\r\nhi"))).collect();
    client.send(group + "QUIT\r\n").await;
    for _ in 0..3 {
        for begins in ["250 2.1.0", "250 2.1.5", "354", "250 2.0.0"] {
            client.expect(begins).await;
        }
    }
    client.expect("221").await;
    client.ended().await;
    let ledger = sink.ledger();
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger[1]["rcpt"], serde_json::json!(["u2@example.com"]));
    assert_eq!((&ledger[1]["message_id"], &ledger[1]["subject"]), (&"<2@x>".into(), &"s2".into()));
    assert_eq!(
        (&ledger[1]["verdict"], &ledger[1]["taken"], &ledger[1]["helo"]),
        (&"250".into(), &true.into(), &"me.example".into())
    );
    assert_eq!(ledger[1]["sha256"].as_str().map(str::len), Some(64));
    let counts = sink.end().await;
    assert_eq!((counts.messages, counts.recipients), (3, 3));
    assert!(counts.round_trips <= 6, "banner, EHLO and a group: {}", counts.round_trips);
    assert!(counts.out_of_turn > 0, "content before 354 is told");
}

#[tokio::test]
async fn one_byte_at_a_time_is_the_same() {
    let sink = start("", |_| {}).await;
    let mut client = sink.smtp().await;
    for byte in mail("a@example.com", "..dot\r\nx\r\n.y").bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    for begins in ["250", "250", "354", "250"] {
        client.expect(begins).await;
    }
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n").await;
    for byte in "BDAT 5 LAST\r\nab\r\nc".bytes() {
        client.send([byte]).await;
        tokio::task::yield_now().await;
    }
    for begins in ["250", "250", "250"] {
        client.expect(begins).await;
    }
    assert_eq!(sink.ledger()[0]["size"], 4 + 2 + 3 + 3, "two dots fewer, the last CRLF counted");
    assert_eq!(sink.ledger()[1]["size"], 5);
    assert_eq!(sink.end().await.messages, 2);
}

#[tokio::test]
async fn the_folder_holds_what_was_meant() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("in");
    let sink = start("", |options| options.record.push(Record::Folder(folder.clone()))).await;
    let mut client = sink.smtp().await;
    client.send(mail("a@example.com", "Subject: x\r\n\r\n..\r\n...two\r\nend")).await;
    for begins in ["250", "250", "354", "250"] {
        client.expect(begins).await;
    }
    let seen = std::fs::read(folder.join("00000001.eml")).expect("the message");
    assert_eq!(seen, b"Subject: x\r\n\r\n.\r\n..two\r\nend\r\n");
    let mut http = sink.http().await;
    http.send("POST /x HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi").await;
    http.answer().await;
    assert!(std::fs::read_to_string(folder.join("00000002.json")).expect("the request").contains("\"hi\""));
    sink.end().await;
}

#[tokio::test]
async fn chunks_come_in_windows_and_refused_ones_are_read_away() {
    let sink = start("rcpt-550:rcpt=*@bad.example", |_| {}).await;
    let mut client = sink.smtp().await;
    // A window: a good message in two chunks, one refused at RCPT, one good again.
    client
        .send(
            "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 4\r\nab\r\nBDAT 3 LAST\r\nx.y\
             MAIL FROM:<a@b>\r\nRCPT TO:<u@bad.example>\r\nBDAT 12\r\nQUIT\r\nQUIT\r\nBDAT 6 LAST\r\nRSET\r\n\
             RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<e@f>\r\nBDAT 0 LAST\r\n",
        )
        .await;
    for begins in [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0 chunk",
        "250 2.0.0 taken", // the first
        "250 2.1.0",
        "550 5.1.1",
        "554 5.5.1",
        "503 5.5.1", // the refused
        "250",
        "250",
        "250",
        "250 2.0.0 taken", // the empty
    ] {
        client.expect(begins).await;
    }
    client.ask("BDAT many\r\n", "501").await;
    client.ended().await;
    let ledger = sink.ledger();
    assert_eq!(ledger.iter().map(|line| line["size"].as_u64()).collect::<Vec<_>>(), [Some(7), Some(0)]);
    let counts = sink.end().await;
    assert_eq!((counts.messages, counts.bytes_taken), (2, 7));
    assert_eq!(counts.refused[&550], 1);
}

#[tokio::test]
async fn no_other_dot_ends_a_message_and_bare_ends_are_told() {
    let sink = start("", |_| {}).await;
    let mut client = sink.smtp().await;
    client.ask("MAIL FROM:<a@b>\r\n", "250").await;
    client.ask("RCPT TO:<c@d>\r\n", "250").await;
    client.ask("DATA\r\n", "354").await;
    client.send("x\n.\r\nMAIL FROM:<evil@x>\r\n\r.\r\n\r\n.\r\n").await;
    let told = client.expect("250 2.0.0 taken, with").await;
    assert!(told.contains("1 bare LF and 1 bare CR"), "{told}");
    client.ask("NOOP\r\n", "250").await;
    let counts = sink.end().await;
    assert_eq!((counts.messages, counts.smuggling), (1, 1));
}

#[tokio::test]
async fn sloppy_commands_are_refused() {
    let sink = start("", |options| options.max_size = 1000).await;
    let mut client = sink.silent_smtp().await;
    client.expect("220").await;
    for (command, begins) in [
        ("MAIL FROM:<a@b>\r\n", "503"),
        ("EHLO\r\n", "501"),
        ("EHLO me\n", "500 5.5.2"),
        ("EHLO me\r\n", "250-localhost"),
        ("HELP\r\n", "500"),
        ("RCPT TO:<a@b>\r\n", "503"),
        ("DATA\r\n", "503"),
        ("MAIL FROM: <a@b>\r\n", "501"),
        ("MAIL FROM:<a b>\r\n", "501 5.1.7"),
        ("MAIL FROM:<a@b> RET=HDRS\r\n", "555"),
        ("MAIL FROM:<a@b> SIZE=1001\r\n", "552"),
        ("MAIL FROM:<é@b>\r\n", "553 5.6.7"),
        ("MAIL FROM:<é@b> SMTPUTF8 BODY=8BITMIME SIZE=10\r\n", "250"),
        ("MAIL FROM:<a@b>\r\n", "503"),
        ("DATA\r\n", "554 5.5.1"),
        ("RCPT TO:<nobody>\r\n", "501 5.1.3"),
        ("RCPT TO:<a@b> NOTIFY=NEVER\r\n", "555"),
        ("RCPT TO:<ü@b>\r\n", "250"),
        ("RSET\r\n", "250"),
        ("VRFY a\r\n", "252"),
        ("MAIL FROM:<>\r\n", "250"),
        ("RCPT TO:<postmaster>\r\n", "250"),
        ("DATA\r\n", "354"),
    ] {
        client.ask(command, begins).await;
    }
    // Too big without having said so: read to its end, then refused; the conversation goes on.
    for _ in 0..40 {
        client.send("0123456789012345678901234567890123456789012345678901234567890123456789\r\n").await;
    }
    client.ask(".\r\n", "552 5.3.4").await;
    // A chunk behind a refusal is read away, whatever it holds.
    client.ask("MAIL FROM:<a@b>\r\n", "250").await;
    client.ask("RCPT TO:<c@d>\r\n", "250").await;
    client.send("BDAT 2000 LAST\r\n".to_owned() + &"QUIT\r\n".repeat(333) + "\r\n").await;
    client.expect("552").await;
    client.ask("NOOP\r\n", "250").await;
    sink.end().await;
}

#[tokio::test]
async fn lines_without_end_are_cut() {
    let sink = start("", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send("x".repeat(100_000)).await;
    client.expect("500 5.5.6").await;
    client.ended().await;
    sink.end().await;
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let sink = start("", |options| {
        options.extensions =
            Extensions::without("pipelining,chunking,smtputf8,8bitmime,starttls,size,auth,enhancedstatuscodes").expect("known");
    })
    .await;
    let mut client = sink.silent_smtp().await;
    client.expect("220").await;
    assert_eq!(client.ask("EHLO me\r\n", "250").await, "250 localhost\r\n");
    client.ask("STARTTLS\r\n", "503").await;
    client.ask("AUTH PLAIN AGEAYg==\r\n", "502").await;
    client.ask("MAIL FROM:<a@b> SIZE=3\r\n", "555").await;
    assert_eq!(client.ask("MAIL FROM:<a@b>\r\n", "250").await, "250 ok\r\n");
    client.ask("BDAT 3 LAST\r\n", "500").await;
    client.ended().await;
    let mut client = sink.smtp().await;
    client.send("NOOP\r\nNOOP\r\n").await;
    client.expect("250").await;
    assert!(sink.end().await.out_of_turn > 0, "groups that were not offered are told");
}

fn trusting(pem: &std::path::Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pem).expect("PEM")).expect("a CA");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn starttls_and_auth_with_a_client_that_checks_the_certificate() {
    let sink = start("", |options| {
        options.auth = Some(("user@example.com".into(), "p@ss word".into()));
        options.require_auth = true;
    })
    .await;
    let mut client = sink.smtp().await;
    client.ask("MAIL FROM:<a@b>\r\n", "530").await;
    client.ask("STARTTLS\r\n", "220").await;
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = trusting(&sink.path("ca.pem")).connect(name, client.stream).await.expect("a handshake");
    let mut client = Client::new(stream);
    client.ask("MAIL FROM:<a@b>\r\n", "503").await;
    let offered = client.ask("EHLO me\r\n", "250").await;
    assert!(!offered.contains("STARTTLS") && offered.contains("AUTH PLAIN LOGIN XOAUTH2"), "{offered}");
    client.ask("AUTH PLAIN AHVzZXJAZXhhbXBsZS5jb20AbnBl\r\n", "535 5.7.8").await;
    client.ask("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6").await;
    client.ask("*\r\n", "501").await;
    let xoauth2 = "AUTH XOAUTH2 dXNlcj11c2VyQGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyIHlhMjkudG9rZW4BAQ==\r\n";
    client.ask(xoauth2, "334 ").await;
    client.ask("\r\n", "535").await;
    client.ask("AUTH PLAIN\r\n", "334 ").await;
    client.ask("AHVzZXJAZXhhbXBsZS5jb20AcEBzcyB3b3Jk\r\n", "235").await;
    client.send(mail("c@d", "x")).await;
    for begins in ["250", "250", "354", "250"] {
        client.expect(begins).await;
    }
    let line = &sink.ledger()[0];
    assert_eq!((&line["tls"], &line["auth_user"]), (&true.into(), &"user@example.com".into()));
    let counts = sink.end().await;
    assert_eq!((counts.tls, counts.auth, counts.auth_failed), (1, 1, 2));
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let sink = start("", |options| options.smtps = Some(loopback())).await;
    let stream = TcpStream::connect(sink.bound.smtps.expect("smtps")).await.expect("connects");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut client = Client::new(trusting(&sink.path("ca.pem")).connect(name, stream).await.expect("a handshake"));
    client.expect("220").await;
    client.ask("EHLO me\r\n", "250").await;
    client.ask("QUIT\r\n", "221").await;
    client.ended().await;
    sink.end().await;
}

#[tokio::test]
async fn what_waits_in_clear_behind_starttls_is_thrown_away() {
    let sink = start("", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send("STARTTLS\r\nRSET\r\n").await;
    client.expect("220").await;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = Client::new(trusting(&sink.path("ca.pem")).connect(name, client.stream).await.expect("a handshake"));
    client.ask("EHLO me\r\n", "250").await;
    assert_eq!(sink.end().await.out_of_turn, 1);
}

#[tokio::test]
async fn an_emulated_round_trip_delays_and_does_not_narrow() {
    let sink = start("", |options| options.delay = Duration::from_millis(40)).await;
    let mut client = sink.smtp().await;
    let begun = Instant::now();
    // Ten commands, each sent without waiting: one round trip in all, where a server that slept would take ten.
    for _ in 0..10 {
        client.send("NOOP\r\n").await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for _ in 0..10 {
        client.expect("250").await;
    }
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(40) && took < Duration::from_millis(200), "{took:?}");
    sink.end().await;
}

/// By hand: `cargo test --release --lib sink:: -- --ignored --nocapture speed`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn speed_of_pipelined_messages() {
    const GROUP: usize = 64;
    const GROUPS: usize = 500;
    let content = format!(
        "Subject: x\r\nMessage-ID: <x@y>\r\n\r\n{}",
        "a line of sixty-odd bytes that stands for what people write in mail\r\n".repeat(28)
    );
    for ledger in [false, true] {
        let sink = start("", |options| {
            if !ledger {
                options.record.clear();
            }
        })
        .await;
        let bytes = mail("user@example.com", content.trim_end()).repeat(GROUP);
        let begun = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = sink.smtp().await;
            let bytes = bytes.clone();
            clients.push(tokio::spawn(async move {
                let mut replies = [0u8; 64 << 10];
                for _ in 0..GROUPS {
                    client.send(&bytes).await;
                    let mut lines = 0;
                    while lines < GROUP * 4 {
                        let count = client.stream.read(&mut replies).await.expect("reads");
                        lines += replies[..count].iter().filter(|byte| **byte == b'\n').count();
                    }
                }
            }));
        }
        for client in clients {
            client.await.expect("no panic");
        }
        let seconds = begun.elapsed().as_secs_f64();
        let counts = sink.end().await;
        assert_eq!(counts.messages, (2 * GROUP * GROUPS) as u64);
        eprintln!("ledger {ledger}: {:.0} messages/s of {} bytes", counts.messages as f64 / seconds, content.len());
    }
}
