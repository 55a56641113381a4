//! The smtp platform against a server on loopback that does as it is told: verdicts, bytes on the wire, round trips.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::delivery::{DeliveryId, Envelope, Receipt};
use crate::message::{Attachment, Body};
use crate::recipient::Position;

/// What the server does instead of its usual answer.
#[derive(Clone)]
enum Act {
    Say(String),
    /// One byte at a time.
    Drip(String),
    SayAndClose(String),
    Close,
    Hang,
    Usual,
}

fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

/// What just happened: connection number, event. Events are `banner`, the command line, `dot`.
type Script = Arc<dyn Fn(usize, &str) -> Act + Send + Sync>;

struct Fake {
    port: u16,
    /// Commands of all connections in order; bodies as `BODY …`.
    heard: Arc<Mutex<Vec<String>>>,
    reads: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Fake {
    async fn start(extensions: &'static str, script: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Fake {
        Self::start_tls(extensions, None, false, script).await
    }

    async fn start_tls(
        extensions: &'static str,
        tls: Option<Arc<rustls::ServerConfig>>,
        implicit: bool,
        script: impl Fn(usize, &str) -> Act + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            reads: Arc::default(),
            connections: Arc::default(),
            tls,
        };
        let script: Script = Arc::new(script);
        let (heard, reads, connections) = (fake.heard.clone(), fake.reads.clone(), fake.connections.clone());
        let tls = fake.tls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (script, heard, reads, tls) = (script.clone(), heard.clone(), reads.clone(), tls.clone());
                tokio::spawn(async move {
                    let talk = Talk { script, heard, reads, number, extensions };
                    match (tls, implicit) {
                        (Some(tls), true) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                                talk.run(stream, true).await;
                            }
                        }
                        (Some(tls), false) => {
                            if let Some(stream) = talk.run(stream, true).await
                                && let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await
                            {
                                talk.run(stream, false).await;
                            }
                        }
                        (None, _) => {
                            talk.run(stream, true).await;
                        }
                    }
                });
            }
        });
        fake
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn count(&self, start: &str) -> usize {
        self.heard().iter().filter(|line| line.starts_with(start)).count()
    }

    fn smtp(&self, more: &str) -> Smtp {
        self.smtp_with(more, Duration::from_millis(300))
    }

    fn smtp_with(&self, more: &str, timeout: Duration) -> Smtp {
        let yaml =
            format!("{{ url: 'smtp://127.0.0.1:{}', from: 'Sender <s@from.example>', connections: 1, {more} }}", self.port);
        let opening = Opening { timeout, final_timeout: Some(timeout), ..Opening::default() };
        open(&settings::tests::account(&yaml), &opening).unwrap()
    }
}

struct Talk {
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
    reads: Arc<AtomicUsize>,
    number: usize,
    extensions: &'static str,
}

impl Talk {
    /// Talks until the end; gives the stream back at STARTTLS.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, greets: bool) -> Option<S> {
        if greets && !self.act(&mut stream, (self.script)(self.number, "banner"), "220 fake.example ESMTP\r\n").await {
            return None;
        }
        let (mut buffer, mut in_data) = (Vec::new(), false);
        let mut chunk = vec![0; 65536];
        loop {
            let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
            self.reads.fetch_add(1, Ordering::SeqCst);
            buffer.extend_from_slice(&chunk[..count]);
            loop {
                let (event, length) = if in_data {
                    let end = if buffer.starts_with(b".\r\n") {
                        Some(0)
                    } else {
                        buffer.windows(5).position(|window| window == b"\r\n.\r\n").map(|at| at + 2)
                    };
                    let Some(end) = end else { break };
                    self.heard.lock().unwrap().push(format!("BODY {}", String::from_utf8_lossy(&buffer[..end])));
                    ("dot".to_owned(), end + 3)
                } else {
                    let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else { break };
                    let line = String::from_utf8_lossy(&buffer[..end]).trim_end().to_owned();
                    self.heard.lock().unwrap().push(line.clone());
                    (line, end + 1)
                };
                buffer.drain(..length);
                let usual = match event.split([' ', ':']).next().unwrap_or_default() {
                    "EHLO" => format!("250-fake.example\r\n{}250 HELP\r\n", self.extensions),
                    "DATA" => "354 go\r\n".to_owned(),
                    "QUIT" => "221 bye\r\n".to_owned(),
                    "AUTH" => "235 2.7.0 ok\r\n".to_owned(),
                    "STARTTLS" => "220 go ahead\r\n".to_owned(),
                    "dot" => "250 2.0.0 queued as 1\r\n".to_owned(),
                    _ => "250 2.1.0 ok\r\n".to_owned(),
                };
                let act = (self.script)(self.number, &event);
                let opens = match &act {
                    Act::Usual => true,
                    Act::Say(text) | Act::Drip(text) => text.starts_with("354"),
                    _ => false,
                };
                in_data = event == "DATA" && opens;
                if !self.act(&mut stream, act, &usual).await {
                    return None;
                }
                if event == "STARTTLS" {
                    return Some(stream);
                }
            }
        }
    }

    /// `false` ends the connection.
    async fn act<S: AsyncWrite + Unpin>(&self, stream: &mut S, act: Act, usual: &str) -> bool {
        let (text, open) = match act {
            Act::Usual => (usual.to_owned(), true),
            Act::Say(text) => (text, true),
            Act::SayAndClose(text) => (text, false),
            Act::Close => return false,
            Act::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return false;
            }
            Act::Drip(text) => {
                for byte in text.as_bytes() {
                    if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                        return false;
                    }
                    tokio::task::yield_now().await;
                }
                return true;
            }
        };
        stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok() && open
    }
}

fn usual(_: usize, _: &str) -> Act {
    Act::Usual
}

fn message() -> Message {
    Message { subject: Some("Hello".into()), body: Body::Text("Dear reader\n".into()), ..Message::default() }
}

fn batch(to: &str, message: Message) -> Batch {
    let envelope = Envelope {
        id: DeliveryId::derive("run", to, "mail"),
        position: Position::row(0),
        account: Arc::from("mail"),
        to: to.into(),
        attempt: 1,
    };
    Batch::one(Delivery { envelope, message })
}

async fn send(smtp: &Smtp, to: &str) -> Verdict {
    send_message(smtp, to, message()).await
}

async fn send_message(smtp: &Smtp, to: &str, message: Message) -> Verdict {
    let batch = batch(to, message);
    smtp.send(&batch).await.into_inner().remove(0)
}

async fn send_all(smtp: &Smtp, to: &[&str]) -> Vec<Verdict> {
    join_all(to.iter().map(|to| send(smtp, to))).await
}

fn kind(verdict: &Verdict) -> Option<ErrorKind> {
    verdict.as_ref().err().map(|error| error.kind)
}

const PIPELINING: &str = "250-PIPELINING\r\n250-SIZE 1000000\r\n";

#[tokio::test]
async fn a_message_arrives_as_it_should() {
    let fake = Fake::start(PIPELINING, usual).await;
    let smtp = fake.smtp("reply_to: r@from.example, return_path: 'bounce+{{delivery_id}}@b.example', headers: { X-Tag: a }, unsubscribe: { url: 'https://u.example/?a={{address}}&t={{token}}', secret: k, mailto: 'u@from.example' }");
    let receipt = send(&smtp, "Zhang <z@x.example>").await.unwrap();
    assert_eq!(receipt, Receipt { id: Some("queued as 1".into()), replay: false, note: None });
    smtp.close().await;
    let heard = fake.heard();
    let id = DeliveryId::derive("run", "Zhang <z@x.example>", "mail");
    assert!(heard[1].starts_with(&format!("MAIL FROM:<bounce+{id}@b.example> SIZE=")), "{heard:?}");
    assert_eq!((heard[2].as_str(), heard[3].as_str(), heard[5].as_str()), ("RCPT TO:<z@x.example>", "DATA", "QUIT"));
    let body = &heard[4];
    for part in [
        "From: Sender <s@from.example>\r\n",
        "To: Zhang <z@x.example>\r\n",
        "Reply-To: r@from.example\r\n",
        "Subject: Hello\r\n",
        &format!("Message-ID: <{id}@from.example>\r\n"),
        "X-Tag: a\r\n",
        "List-Unsubscribe: <https://u.example/?a=z%40x.example&t=",
        ">,\r\n <mailto:u@from.example>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nDear reader\r\n",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn pipelined_messages_take_one_round_trip_each() {
    let fake = Fake::start(PIPELINING, usual).await;
    let smtp = fake.smtp("");
    let to: Vec<String> = (0..20).map(|i| format!("a{i}@x.example")).collect();
    let verdicts = send_all(&smtp, &to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    // EHLO, the first head, then one read for each message.
    assert_eq!(fake.reads.load(Ordering::SeqCst), 22);
    assert_eq!((fake.count("BODY"), fake.count("EHLO")), (20, 1));
}

#[tokio::test]
async fn without_pipelining_each_command_waits() {
    for (extensions, more) in [("250-SIZE 100000\r\n", ""), (PIPELINING, "pipelining: off")] {
        let fake = Fake::start(extensions, usual).await;
        let verdicts = send_all(&fake.smtp(more), &["a@x.example", "b@x.example"]).await;
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
        assert_eq!(fake.reads.load(Ordering::SeqCst), 9);
    }
}

#[tokio::test]
async fn replies_may_come_byte_by_byte() {
    let fake = Fake::start(PIPELINING, |_, event| match event {
        "dot" => Act::Drip("250-2.0.0 one\r\n250 2.0.0 queued as 9\r\n".into()),
        "DATA" => Act::Drip("354 go\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example", "c@x.example"]).await;
    assert!(verdicts.iter().all(|verdict| verdict.as_ref().unwrap().id.as_deref() == Some("one queued as 9")), "{verdicts:?}");
}

#[tokio::test]
async fn a_recipient_refused_inside_a_group_keeps_the_step() {
    // The server may refuse DATA as well, or ask for the message all the same.
    for data in ["554 5.5.1 no valid recipients\r\n", "503 5.5.1 need RCPT\r\n", "354 go\r\n"] {
        let refused = Arc::new(Mutex::new(false));
        let fake = Fake::start(PIPELINING, move |_, event| {
            if event.starts_with("RCPT") {
                *refused.lock().unwrap() = event.contains("bad");
            }
            match event {
                _ if event.starts_with("RCPT TO:<bad") => say("550 5.1.1 no such user\r\n"),
                "DATA" if *refused.lock().unwrap() => Act::Say(data.to_owned()),
                _ => Act::Usual,
            }
        })
        .await;
        let smtp = fake.smtp("");
        let verdicts = send_all(&smtp, &["a@x.example", "bad1@x.example", "b@x.example", "bad2@x.example", "c@x.example"]).await;
        let bad = Some(ErrorKind::BadAddress);
        assert_eq!(verdicts.iter().map(kind).collect::<Vec<_>>(), [None, bad, None, bad, None], "{data} {:?}", fake.heard());
        assert_eq!(verdicts[1].as_ref().unwrap_err().code.as_deref(), Some("550 5.1.1"));
        assert_eq!((fake.count("EHLO"), fake.count("RSET")), (1, if data.starts_with('3') { 0 } else { 2 }));
        // Nothing of a refused delivery was sent.
        assert!(fake.heard().iter().all(|line| !line.starts_with("BODY") || !line.contains("bad")));
    }
}

#[tokio::test]
async fn a_sender_refused_in_a_group_fails_the_row_alone() {
    let refused = AtomicUsize::new(0);
    let fake = Fake::start(PIPELINING, move |_, event| match event {
        _ if event.starts_with("MAIL") && refused.fetch_add(1, Ordering::SeqCst) == 0 => say("550 5.7.1 not you\r\n"),
        _ => Act::Usual,
    })
    .await;
    let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example"]).await;
    assert_eq!(kind(&verdicts[0]), Some(ErrorKind::BadMessage));
    assert!(verdicts[1].is_ok(), "{verdicts:?}");
}

#[tokio::test]
async fn a_refusal_of_the_message_is_its_own() {
    let fake = Fake::start(PIPELINING, {
        let dots = AtomicUsize::new(0);
        move |_, event| match event {
            "dot" if dots.fetch_add(1, Ordering::SeqCst) == 0 => say("451 4.3.0 try later\r\n"),
            _ => Act::Usual,
        }
    })
    .await;
    let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example"]).await;
    assert_eq!((kind(&verdicts[0]), kind(&verdicts[1])), (Some(ErrorKind::Unavailable), None));
}

#[tokio::test]
async fn a_421_ends_the_session_and_the_rest_goes_by_another() {
    let fake = Fake::start(PIPELINING, |number, event| match (number, event) {
        (0, "dot") => Act::SayAndClose("421 4.3.2 shutting down\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example", "c@x.example"]).await;
    assert_eq!(verdicts.iter().map(kind).collect::<Vec<_>>(), [Some(ErrorKind::Unavailable), None, None]);
    assert_eq!(fake.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn only_the_message_whose_dot_left_is_in_doubt() {
    for act in [Act::Close, Act::Hang, say("gibberish\r\n"), say("354 what\r\n"), say("999 x\r\n")] {
        let fake = Fake::start(PIPELINING, move |number, event| match (number, event) {
            (0, "dot") => act.clone(),
            _ => Act::Usual,
        })
        .await;
        let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example", "c@x.example"]).await;
        assert_eq!(verdicts.iter().map(kind).collect::<Vec<_>>(), [Some(ErrorKind::InDoubt), None, None]);
        assert_eq!((fake.count("BODY"), fake.connections.load(Ordering::SeqCst)), (3, 2));
    }
}

#[tokio::test]
async fn silence_before_the_dot_is_not_sent() {
    for phase in ["banner", "EHLO", "MAIL", "RCPT", "DATA"] {
        for act in [Act::Hang, Act::Close] {
            let fake =
                Fake::start(PIPELINING, move |_, event| if event.starts_with(phase) { act.clone() } else { Act::Usual }).await;
            let verdict = send(&fake.smtp(""), "a@x.example").await;
            assert_eq!(kind(&verdict), Some(ErrorKind::Unreachable), "{phase}");
            assert_eq!(fake.count("BODY"), 0);
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_a_large_body_got_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 x\r\n").await.unwrap();
        let mut chunk = [0; 1000];
        let _ = stream.read(&mut chunk).await;
        stream.write_all(b"250-x\r\n250 PIPELINING\r\n").await.unwrap();
        let _ = stream.read(&mut chunk).await;
        stream.write_all(b"250 ok\r\n250 ok\r\n354 go\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let fake = Fake { port, heard: Arc::default(), reads: Arc::default(), connections: Arc::default(), tls: None };
    let message = Message { body: Body::Text("a line of text\n".repeat(1_000_000)), ..message() };
    let verdict = send_message(&fake.smtp(""), "a@x.example", message).await;
    assert_eq!(kind(&verdict), Some(ErrorKind::Unreachable), "{verdict:?}");
}

#[tokio::test]
async fn an_endless_reply_is_cut() {
    let fake = Fake::start(PIPELINING, |_, event| if event == "dot" { Act::Say("2".repeat(200_000)) } else { Act::Usual }).await;
    assert_eq!(kind(&send(&fake.smtp(""), "a@x.example").await), Some(ErrorKind::InDoubt));
    let fake =
        Fake::start(PIPELINING, |_, event| if event == "banner" { Act::Say("220-x\r\n".repeat(5000)) } else { Act::Usual }).await;
    assert_eq!(kind(&send(&fake.smtp(""), "a@x.example").await), Some(ErrorKind::Unavailable));
}

#[tokio::test]
async fn a_session_closed_while_idle_costs_the_row_nothing() {
    let fake = Fake::start(PIPELINING, |number, event| match (number, event) {
        (0, "dot") => Act::SayAndClose("250 2.0.0 queued as 1\r\n".into()),
        _ => Act::Usual,
    })
    .await;
    let smtp = fake.smtp("");
    assert!(send(&smtp, "a@x.example").await.is_ok());
    assert!(send(&smtp, "b@x.example").await.is_ok());
    assert_eq!(fake.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_session_carries_so_many_messages_and_no_more() {
    let fake = Fake::start(PIPELINING, usual).await;
    let smtp = fake.smtp("messages_per_connection: 2");
    let verdicts = send_all(&smtp, &["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"]).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!((fake.connections.load(Ordering::SeqCst), fake.count("QUIT")), (3, 2));
}

#[tokio::test]
async fn idle_sessions_end_and_work_begins_another() {
    let fake = Fake::start(PIPELINING, usual).await;
    let smtp = fake.smtp("idle: 50ms");
    assert!(send(&smtp, "a@x.example").await.is_ok());
    for _ in 0..200 {
        if fake.count("QUIT") == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fake.count("QUIT"), 1);
    assert!(send(&smtp, "b@x.example").await.is_ok());
    assert_eq!(fake.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_for_all_that_wait() {
    let fake = Fake::start("250-AUTH PLAIN LOGIN\r\n", |_, event| {
        if event.starts_with("AUTH") { Act::Say(format!("535 5.7.8 refused: {event}\r\n")) } else { Act::Usual }
    })
    .await;
    let smtp = fake.smtp("user: robot, password: hunter2, window: 4");
    let verdicts = send_all(&smtp, &["a@x.example", "b@x.example", "c@x.example"]).await;
    for verdict in &verdicts {
        let error = verdict.as_ref().unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Unauthorized, Some("535 5.7.8")));
        assert!(!error.detail.contains(&auth::plain("robot", "hunter2")), "{}", error.detail);
    }
    assert_eq!(fake.connections.load(Ordering::SeqCst), 1);
    assert_eq!(kind(&smtp.check().await.map(|_| Receipt::default())), Some(ErrorKind::Unauthorized));
}

#[tokio::test]
async fn login_and_xoauth2_speak_their_dialogues() {
    let fake = Fake::start("250-AUTH LOGIN\r\n", |_, event| match event {
        "AUTH LOGIN" => say("334 VXNlcm5hbWU6\r\n"),
        "cm9ib3Q=" => say("334 UGFzc3dvcmQ6\r\n"),
        "aHVudGVyMg==" => say("235 ok\r\n"),
        _ => Act::Usual,
    })
    .await;
    let line = fake.smtp("user: robot, password: hunter2").check().await.unwrap();
    assert_eq!(line, "220 fake.example ready; no TLS; authenticated as robot");
    let fake = Fake::start("250-AUTH XOAUTH2\r\n", |_, event| match event {
        _ if event.starts_with("AUTH XOAUTH2") => say("334 eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
        "" => say("535 5.7.8 token expired\r\n"),
        _ => Act::Usual,
    })
    .await;
    let error = fake.smtp("user: robot, oauth2: { token: t0ken }").check().await.unwrap_err();
    assert_eq!((error.kind, error.detail.as_str()), (ErrorKind::Unauthorized, "token expired"));
}

#[tokio::test]
async fn cram_md5_and_oauthbearer_speak_their_dialogues() {
    let fake = Fake::start("250-AUTH CRAM-MD5\r\n", |_, event| match event {
        "AUTH CRAM-MD5" => say("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"),
        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw" => say("235 ok\r\n"),
        _ => Act::Usual,
    })
    .await;
    let line = fake.smtp("user: tim, password: tanstaaftanstaaf").check().await.unwrap();
    assert_eq!(line, "220 fake.example ready; no TLS; authenticated as tim");
    let fake = Fake::start("250-AUTH OAUTHBEARER\r\n", |_, event| match event {
        _ if event.starts_with("AUTH OAUTHBEARER") => say("334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"),
        "AQ==" => say("535 5.7.8 token expired\r\n"),
        _ => Act::Usual,
    })
    .await;
    let error = fake.smtp("user: robot, oauth2: { token: t0ken }").check().await.unwrap_err();
    assert_eq!((error.kind, error.detail.as_str()), (ErrorKind::Unauthorized, "token expired"));
}

#[tokio::test]
async fn nobody_there_is_unreachable_for_all_that_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fake = Fake { port, heard: Arc::default(), reads: Arc::default(), connections: Arc::default(), tls: None };
    let verdicts = send_all(&fake.smtp(""), &["a@x.example", "b@x.example"]).await;
    assert!(verdicts.iter().all(|verdict| kind(verdict) == Some(ErrorKind::Unreachable)), "{verdicts:?}");
}

#[tokio::test]
async fn further_recipients_are_asked_before_the_message() {
    let fake = Fake::start(PIPELINING, |_, event| match event {
        "RCPT TO:<no@x.example>" => say("550 5.1.1 no\r\n"),
        _ => Act::Usual,
    })
    .await;
    let smtp = fake.smtp("");
    let with = Message { cc: vec!["no@x.example".into()], bcc: vec!["hidden@x.example".into()], ..message() };
    let receipt = send_message(&smtp, "a@x.example", with.clone()).await.unwrap();
    assert_eq!(receipt.note.as_deref(), Some("no@x.example was refused: no (550 5.1.1)"));
    let body = fake.heard().into_iter().find(|line| line.starts_with("BODY")).unwrap();
    assert!(body.contains("Cc: no@x.example") && !body.contains("hidden"));
    // The one in To decides: with it refused nobody gets anything.
    let error = send_message(&smtp, "no@x.example", with).await.unwrap_err();
    assert_eq!((error.kind, fake.count("BODY")), (ErrorKind::BadAddress, 1));
}

#[tokio::test]
async fn smtputf8_and_size_are_obeyed() {
    let fake = Fake::start("250-PIPELINING\r\n250-SIZE 2000\r\n", usual).await;
    let smtp = fake.smtp("");
    assert_eq!(kind(&send(&smtp, "用户@x.example").await), Some(ErrorKind::BadAddress));
    let large = Message { body: Body::Text("x\n".repeat(2000)), ..message() };
    assert_eq!(kind(&send_message(&smtp, "a@x.example", large).await), Some(ErrorKind::BadMessage));
    assert_eq!(fake.count("MAIL"), 0);
    let fake = Fake::start("250-SMTPUTF8\r\n", usual).await;
    assert!(send(&fake.smtp(""), "用户@例子.中国").await.is_ok());
    assert!(fake.heard().contains(&"MAIL FROM:<s@from.example> SMTPUTF8".to_owned()));
    assert!(fake.heard().contains(&"RCPT TO:<用户@xn--fsqu00a.xn--fiqs8s>".to_owned()));
}

#[tokio::test]
async fn a_send_that_is_dropped_while_it_waits_is_never_begun() {
    let fake = Fake::start(
        PIPELINING,
        |_, event| {
            if event == "dot" { Act::Drip("250 2.0.0 queued as 1\r\n".into()) } else { Act::Usual }
        },
    )
    .await;
    let smtp = fake.smtp("");
    let (one, two) = (batch("a@x.example", message()), batch("b@x.example", message()));
    let mut waiting = smtp.send(&two);
    let first = smtp.send(&one);
    // Polled once, so that it is queued; then given up.
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    drop(waiting);
    assert!(first.await.into_inner().remove(0).is_ok());
    smtp.close().await;
    assert_eq!((fake.count("BODY"), fake.count("RCPT TO:<b@")), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_share_one_queue() {
    let fake = Fake::start(PIPELINING, usual).await;
    let yaml =
        format!("{{ url: 'smtp://127.0.0.1:{}', from: s@from.example, connections: 4, messages_per_connection: 50 }}", fake.port);
    let smtp = open(&settings::tests::account(&yaml), &Opening::default()).unwrap();
    assert_eq!(smtp.capability().width.get(), 32);
    let to: Vec<String> = (0..2000).map(|i| format!("a{i}@x.example")).collect();
    let verdicts = send_all(&smtp, &to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(verdicts.iter().all(Result::is_ok));
    smtp.close().await;
    let bodies: std::collections::HashSet<_> = fake.heard().into_iter().filter(|line| line.starts_with("BODY")).collect();
    assert_eq!((fake.count("BODY"), bodies.len()), (2000, 2000));
    assert_eq!(fake.count("QUIT"), fake.connections.load(Ordering::SeqCst));
}

fn certificate(names: &[&str]) -> (Arc<rustls::ServerConfig>, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    (Arc::new(config), file)
}

impl Fake {
    fn tls(&self, scheme: &str, ca: &std::path::Path, more: &str) -> Smtp {
        let yaml =
            format!("{{ url: '{scheme}://127.0.0.1:{}', from: s@from.example, ca_file: '{}', {more} }}", self.port, ca.display());
        let opening =
            Opening { timeout: Duration::from_secs(5), final_timeout: Some(Duration::from_secs(5)), ..Opening::default() };
        open(&settings::tests::account(&yaml), &opening).unwrap()
    }
}

#[tokio::test]
async fn tls_is_spoken_from_the_start_or_after_starttls() {
    let (config, ca) = certificate(&["127.0.0.1"]);
    let fake = Fake::start_tls("250-PIPELINING\r\n250-AUTH PLAIN\r\n", Some(config.clone()), true, usual).await;
    let smtp = fake.tls("smtps", ca.path(), "user: robot, password: p");
    assert_eq!(smtp.check().await.unwrap(), "220 fake.example ready; TLS1.3; PIPELINING; authenticated as robot");
    assert!(send_all(&smtp, &["a@x.example", "b@x.example", "c@x.example"]).await.iter().all(Result::is_ok));

    let fake = Fake::start_tls("250-STARTTLS\r\n250-AUTH PLAIN\r\n", Some(config), false, usual).await;
    let smtp = fake.tls("smtp+starttls", ca.path(), "user: robot, password: p");
    assert!(send(&smtp, "a@x.example").await.is_ok());
    let heard = fake.heard();
    assert_eq!(heard.iter().position(|line| line == "STARTTLS"), Some(1));
    assert!(heard[2].starts_with("EHLO") && heard[3].starts_with("AUTH PLAIN"), "{heard:?}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_setting_to_mend() {
    let (config, _) = certificate(&["127.0.0.1"]);
    let (_, other) = certificate(&["127.0.0.1"]);
    let fake = Fake::start_tls("", Some(config), true, usual).await;
    let error = send(&fake.tls("smtps", other.path(), ""), "a@x.example").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured, "{error}");
    assert!(error.detail.contains("certificate"), "{error}");
    let (config, ca) = certificate(&["other.example"]);
    let fake = Fake::start_tls("", Some(config), true, usual).await;
    let error = send(&fake.tls("smtps", ca.path(), ""), "a@x.example").await.unwrap_err();
    assert!(error.kind == ErrorKind::Misconfigured && error.detail.contains("another name"), "{error}");
}

#[tokio::test]
async fn words_in_clear_behind_starttls_are_refused() {
    let (config, ca) = certificate(&["127.0.0.1"]);
    let fake = Fake::start_tls("250-STARTTLS\r\n", Some(config), false, |_, event| {
        if event == "STARTTLS" { say("220 go ahead\r\n250-fake\r\n250 AUTH PLAIN\r\n") } else { Act::Usual }
    })
    .await;
    let error = send(&fake.tls("smtp+starttls", ca.path(), "user: robot, password: p"), "a@x.example").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.detail.contains("in clear") && fake.count("AUTH") == 0);
}

#[tokio::test]
async fn no_starttls_no_password() {
    let (_, ca) = certificate(&["127.0.0.1"]);
    let fake = Fake::start("250-AUTH PLAIN\r\n", usual).await;
    let error = send(&fake.tls("smtp+starttls", ca.path(), "user: robot, password: p"), "a@x.example").await.unwrap_err();
    assert_eq!((error.kind, fake.count("AUTH")), (ErrorKind::Misconfigured, 0));
}

fn written(message: Message, to: &str) -> String {
    let yaml = "{ url: 'smtp://127.0.0.1:1', from: s@from.example }";
    let smtp = open(&settings::tests::account(yaml), &Opening::default()).unwrap();
    let batch = batch(to, message);
    let parties = Parties::read(&smtp.settings, to, &batch.first().message).unwrap();
    let bytes = mime::write(&smtp.settings, &smtp.encoded, batch.first(), &parties, &[], std::time::UNIX_EPOCH).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn shared(name: &str, cid: Option<&str>) -> Arc<Attachment> {
    Arc::new(Attachment {
        name: name.into(),
        content_type: "image/png".into(),
        cid: cid.map(str::to_owned),
        content: Content::Shared(Arc::from(&b"\x89PNG"[..])),
    })
}

#[test]
fn the_tree_of_parts_nests_as_it_should() {
    let html = Body::Html { html: "<p>Hi <img src=\"cid:logo\"></p>\n".into(), text: "Hi\n".into() };
    let message =
        Message { body: html, attachments: vec![shared("报告.png", None), shared("l.png", Some("logo"))], ..message() };
    let text = written(message.clone(), "a@x.example");
    let order = [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "Content-ID: <logo>",
        "filename*",
    ];
    let places: Vec<_> = order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("name=\"=?utf-8?B?5oql5ZGKLnBuZw==?=\"") && text.contains("iVBORw==\r\n--"), "{text}");
    assert_eq!(text, written(message, "a@x.example"));
    assert!(text.ends_with("_m--\r\n"));
}

#[test]
fn what_a_template_must_not_set_is_refused() {
    let bad = |name: &str| Message { headers: vec![(name.into(), "x".into())], ..message() };
    let smtp =
        open(&settings::tests::account("{ url: 'smtp://127.0.0.1:1', from: s@from.example }"), &Opening::default()).unwrap();
    let to = Address::from("a@x.example");
    for name in ["Bcc", "from", "Content-Type", "X y", "A:b", "X\r\nBcc"] {
        assert_eq!(smtp.examine(&to, &bad(name)).unwrap_err().kind, ErrorKind::BadMessage, "{name:?}");
    }
    assert!(smtp.examine(&to, &bad("X-Campaign")).is_ok());
    let native = Message { body: Body::Native(serde_json::Value::Null), ..message() };
    assert_eq!(smtp.examine(&to, &native).unwrap_err().kind, ErrorKind::BadMessage);
    assert_eq!(smtp.lane(&Address::from("nobody")).unwrap_err().kind, ErrorKind::BadAddress);
    assert_eq!(smtp.lane(&to), Ok(LaneKey::whole()));
}

#[test]
fn the_command_line_is_over_the_message_and_the_message_over_the_account() {
    let from = |over: Option<&str>, message_from: Option<&str>| {
        let opening = Opening { from: over.map(str::to_owned), ..Opening::default() };
        let smtp = open(&settings::tests::account("{ url: 'smtp://127.0.0.1:1', from: account@x.example }"), &opening).unwrap();
        let message = Message { from: message_from.map(str::to_owned), ..message() };
        Parties::read(&smtp.settings, "a@x.example", &message).unwrap().from.path.wire
    };
    assert_eq!(from(Some("line@x.example"), Some("message@x.example")), "line@x.example");
    assert_eq!(from(None, Some("message@x.example")), "message@x.example");
    assert_eq!(from(None, None), "account@x.example");
}

proptest::proptest! {
    #[test]
    fn no_row_can_add_a_field_or_end_the_message(
        subject in "(\\PC|[\\r\\n\\x00\\t]|\\r\\nBcc: x@y.z|\\n\\.\\n){0,40}",
        name in "(\\PC|[\\r\\n\\x00\"\\\\<>]){0,30}",
        body in "(\\PC|[\\r\\n\\x00 ]|\\n\\.\\n|\\r\\.\\r|\\n\\.\\r\\n|\\r\\n\\.\\r\\n){0,60}",
        tag in "(\\PC|[\\r\\n\\x00]){0,40}",
        file in "(\\PC|[\\r\\n\\x00\"/]){0,40}",
        html: bool,
    ) {
        let content = if html { Body::Html { html: body.clone(), text: body } } else { Body::Text(body) };
        let message = Message {
            subject: Some(subject),
            body: content,
            headers: vec![("X-Tag".into(), tag)],
            attachments: vec![shared(&file, None)],
            ..Message::default()
        };
        let to = format!("{name} <a@x.example>");
        proptest::prop_assume!(super::address::Mailbox::parse(&to).is_ok());
        let text = written(message, &to);
        proptest::prop_assert!(text.is_ascii());
        // CRLF only: neither CR nor LF stands alone, so that no `\n.\n`, `\r.\r` or `\n.\r\n` can.
        proptest::prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        proptest::prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let fields: Vec<_> = head.split("\r\n").filter(|line| !line.starts_with(' ')).map(|line| line.split(':').next().unwrap()).collect();
        let expected = ["From", "To", "Subject", "Date", "Message-ID", "X-Tag", "MIME-Version", "Content-Type"];
        let expected: Vec<_> = expected.into_iter().filter(|name| *name != "X-Tag" || fields.contains(name)).collect();
        proptest::prop_assert_eq!(fields, expected);
    }
}
