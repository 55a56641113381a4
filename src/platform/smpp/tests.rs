//! Conversations with a service that is told what to do: windows, answers in any order, cuts, half messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::delivery::Envelope;
use crate::message::Body;
use crate::recipient::Position;

/// The other side of one connection, already accepted.
struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Peer {
    async fn next(&mut self) -> Option<(u32, u32, Vec<u8>)> {
        loop {
            if self.input.len() >= 4 {
                let length = u32::from_be_bytes(self.input[..4].try_into().unwrap()) as usize;
                if self.input.len() >= length {
                    let unit: Vec<u8> = self.input.drain(..length).collect();
                    let word = |at: usize| u32::from_be_bytes(unit[at..at + 4].try_into().unwrap());
                    return Some((word(4), word(12), unit[16..].to_vec()));
                }
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).await {
                Ok(count) if count > 0 => self.input.extend_from_slice(&piece[..count]),
                _ => return None,
            }
        }
    }

    async fn say(&mut self, command: u32, status: u32, sequence: u32, body: &[u8]) {
        let mut unit = ((16 + body.len()) as u32).to_be_bytes().to_vec();
        for word in [command, status, sequence] {
            unit.extend_from_slice(&word.to_be_bytes());
        }
        unit.extend_from_slice(body);
        let _ = self.stream.write_all(&unit).await;
    }

    async fn accept(listener: &TcpListener) -> Peer {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer { stream, input: Vec::new() };
        let (command, sequence, _) = peer.next().await.unwrap();
        assert_eq!(command, 9);
        peer.say(0x8000_0009, 0, sequence, b"SMSC\0").await;
        peer
    }

    /// The next submit_sm: its number and its text.
    async fn submit(&mut self) -> (u32, Vec<u8>) {
        let (command, sequence, body) = self.next().await.unwrap();
        assert_eq!(command, 4);
        (sequence, body)
    }
}

async fn smpp(more: &str, final_timeout: Duration) -> (Arc<Smpp>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = format!("{{ url: 'smpp://{}', user: u, password: p, from: NOTIFY {more} }}", listener.local_addr().unwrap());
    let settings = serde_yaml::from_str(&yaml).unwrap();
    let account = AccountConfig { name: "sms".into(), platform: "smpp".into(), settings, ..AccountConfig::outbox() };
    let opening = Opening { final_timeout: Some(final_timeout), timeout: Duration::from_secs(5), ..Opening::default() };
    (Arc::new(open(&account, &opening).unwrap()), listener)
}

const LONG: Duration = Duration::from_secs(30);

fn sending(smpp: &Arc<Smpp>, n: u64, text: &str) -> tokio::task::JoinHandle<Verdict> {
    let id = DeliveryId::derive("run", &n.to_string(), "sms");
    let to = format!("+86139{n:08}");
    let envelope = Envelope { id, position: Position::row(n), account: "sms".into(), to: to.as_str().into(), attempt: 1 };
    let message = Message { body: Body::Text(text.to_owned()), ..Message::default() };
    let (smpp, delivery) = (smpp.clone(), Delivery { envelope, message });
    tokio::spawn(async move { smpp.send_one(&delivery).await })
}

#[tokio::test]
async fn answers_in_any_order_find_their_message() {
    let (smpp, listener) = smpp("", LONG).await;
    let sent: Vec<_> = (0..10).map(|n| sending(&smpp, n, &format!("text {n}"))).collect();
    let mut peer = Peer::accept(&listener).await;
    let mut got = Vec::new();
    for _ in 0..10 {
        got.push(peer.submit().await);
    }
    for (sequence, body) in got.iter().rev() {
        let text = String::from_utf8_lossy(body).into_owned();
        let n = text.rsplit(' ').next().unwrap().to_owned();
        peer.say(0x8000_0004, 0, *sequence, format!("id-{n}\0").as_bytes()).await;
    }
    for (n, verdict) in sent.into_iter().enumerate() {
        assert_eq!(verdict.await.unwrap().unwrap().id, Some(format!("id-{n}")));
    }
}

#[tokio::test]
async fn no_more_than_the_window_is_unanswered() {
    let (smpp, listener) = smpp(", window: 3", LONG).await;
    let sent: Vec<_> = (0..7).map(|n| sending(&smpp, n, "x")).collect();
    let mut peer = Peer::accept(&listener).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(peer.submit().await.0);
    }
    let quiet = tokio::time::timeout(Duration::from_millis(100), peer.next()).await;
    assert!(quiet.is_err(), "a fourth message without an answer");
    for _ in 0..7 {
        let sequence = open.remove(0);
        peer.say(0x8000_0004, 0, sequence, b"i\0").await;
        if open.len() < 3
            && let Ok(Some((4, next, _))) = tokio::time::timeout(Duration::from_millis(300), peer.next()).await
        {
            open.push(next);
        }
    }
    for verdict in sent {
        assert!(verdict.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_cut_leaves_the_unanswered_in_doubt() {
    let (smpp, listener) = smpp(", window: 4", LONG).await;
    let sent: Vec<_> = (0..4).map(|n| sending(&smpp, n, "x")).collect();
    let mut peer = Peer::accept(&listener).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(peer.submit().await.0);
    }
    peer.say(0x8000_0004, 0, open[1], b"i\0").await;
    peer.say(0x8000_0004, 0x58, open[2], b"").await;
    drop(peer);
    let mut kinds = Vec::new();
    for verdict in sent {
        kinds.push(verdict.await.unwrap().map_err(|error| error.kind).err());
    }
    kinds.sort();
    assert_eq!(kinds, [None, Some(ErrorKind::Throttled), Some(ErrorKind::InDoubt), Some(ErrorKind::InDoubt)]);
    // The next message opens a connection of its own.
    let again = sending(&smpp, 9, "x");
    let mut peer = Peer::accept(&listener).await;
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0, sequence, b"").await;
    assert_eq!(again.await.unwrap().unwrap().id, None);
}

#[tokio::test]
async fn a_service_that_is_not_there_or_refuses_the_bind_took_nothing() {
    let (smpp1, listener) = smpp("", LONG).await;
    drop(listener);
    assert_eq!(sending(&smpp1, 0, "x").await.unwrap().unwrap_err().kind, ErrorKind::Unreachable);
    let (smpp2, listener) = smpp("", LONG).await;
    let sent = sending(&smpp2, 0, "x");
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = Peer { stream, input: Vec::new() };
    let (_, sequence, _) = peer.next().await.unwrap();
    peer.say(0x8000_0009, 0x0e, sequence, b"").await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Unauthorized, Some("0x0e")));
}

#[tokio::test]
async fn silence_after_the_message_is_in_doubt() {
    let (smpp, listener) = smpp("", Duration::from_millis(200)).await;
    let sent = sending(&smpp, 0, "x");
    let mut peer = Peer::accept(&listener).await;
    let (sequence, _) = peer.submit().await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InDoubt);
    // A late answer belongs to nobody; the session goes on.
    let next = sending(&smpp, 1, "y");
    peer.say(0x8000_0004, 0, sequence, b"late\0").await;
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0, sequence, b"own\0").await;
    assert_eq!(next.await.unwrap().unwrap().id.as_deref(), Some("own"));
}

#[tokio::test]
async fn parts_go_one_after_the_other_and_half_a_message_is_told() {
    let (smpp, listener) = smpp("", LONG).await;
    let text = "a".repeat(400);
    let whole = sending(&smpp, 0, &text);
    let mut peer = Peer::accept(&listener).await;
    for n in 1..=3u8 {
        let (sequence, body) = peer.submit().await;
        let at = body.windows(3).position(|three| three == [5, 0, 3]).unwrap();
        assert_eq!(body[at + 4..at + 6], [3, n]);
        peer.say(0x8000_0004, 0, sequence, format!("p{n}\0").as_bytes()).await;
    }
    let receipt = whole.await.unwrap().unwrap();
    assert_eq!((receipt.id.as_deref(), receipt.note.as_deref()), (Some("p1,p2,p3"), Some("3 parts")));
    // Refused at once: nothing is out, and it is an ordinary refusal.
    let first = sending(&smpp, 1, &text);
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0x58, sequence, b"").await;
    assert_eq!(first.await.unwrap().unwrap_err().kind, ErrorKind::Throttled);
    // Refused later.
    let later = sending(&smpp, 2, &text);
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0, sequence, b"p1\0").await;
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0x0b, sequence, b"").await;
    let error = later.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAddress);
    assert!(error.detail.starts_with("1 of 3 parts went out, part 2 did not"), "{error}");
    // Throttled later: the part alone is sent again; then the link is cut.
    let torn = sending(&smpp, 3, &text);
    let (sequence, one) = peer.submit().await;
    peer.say(0x8000_0004, 0, sequence, b"p1\0").await;
    let (sequence, two) = peer.submit().await;
    assert_ne!(one, two);
    peer.say(0x8000_0004, 0x58, sequence, b"").await;
    let (_, again) = peer.submit().await;
    assert_eq!(again, two);
    drop(peer);
    let error = torn.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::InDoubt);
    assert!(error.detail.contains("1 of 3 parts went out"), "{error}");
}

#[tokio::test]
async fn the_link_is_kept_alive_receipts_are_answered_and_goodbye_is_said() {
    let (smpp, listener) = smpp(", enquire_link: 50ms, registered_delivery: true", LONG).await;
    let sent = sending(&smpp, 0, "x");
    let mut peer = Peer::accept(&listener).await;
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0004, 0, sequence, b"m1\0").await;
    sent.await.unwrap().unwrap();
    let (command, sequence, _) = peer.next().await.unwrap();
    assert_eq!(command, 0x15);
    peer.say(0x8000_0015, 0, sequence, b"").await;
    peer.say(0x15, 0, 77, b"").await;
    let text = b"id:m1 sub:001 dlvrd:001 stat:DELIVRD err:000";
    let mut body = b"\0\x01\x01861\0\x05\0NOTIFY\0\x04\0\0\0\0\0\0\0\0".to_vec();
    body.push(text.len() as u8);
    body.extend_from_slice(text);
    peer.say(0x05, 0, 78, &body).await;
    peer.say(0x99, 0, 79, b"").await;
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let (command, sequence, body) = peer.next().await.unwrap();
        if command == 0x15 {
            peer.say(0x8000_0015, 0, sequence, b"").await;
            continue;
        }
        answers.push((command, sequence, body));
    }
    assert_eq!(answers, [(0x8000_0015, 77, vec![]), (0x8000_0005, 78, vec![0]), (0x8000_0000, 79, vec![])]);
    assert_eq!(smpp.pool.service.receipts.counts(), (1, 0));
    let closing = tokio::spawn(async move { smpp.close().await });
    loop {
        let (command, sequence, _) = peer.next().await.unwrap();
        if command == 6 {
            peer.say(0x8000_0006, 0, sequence, b"").await;
            break;
        }
        assert_eq!(command, 0x15);
        peer.say(0x8000_0015, 0, sequence, b"").await;
    }
    closing.await.unwrap();
}

#[tokio::test]
async fn a_service_that_leaves_or_talks_nonsense_ends_the_session() {
    for (said, kind) in [(&b"\0\0\0\x01garbage"[..], ErrorKind::InDoubt), (&b"\xff\xff\xff\xff"[..], ErrorKind::InDoubt)] {
        let (smpp, listener) = smpp("", LONG).await;
        let sent = sending(&smpp, 0, "x");
        let mut peer = Peer::accept(&listener).await;
        peer.submit().await;
        peer.stream.write_all(said).await.unwrap();
        assert_eq!(sent.await.unwrap().unwrap_err().kind, kind);
    }
    // An unbind of the service: what it owes may still come, then it is over.
    let (smpp, listener) = smpp("", LONG).await;
    let sent = sending(&smpp, 0, "x");
    let mut peer = Peer::accept(&listener).await;
    let (sequence, _) = peer.submit().await;
    peer.say(6, 0, 5, b"").await;
    assert_eq!(peer.next().await.unwrap().0, 0x8000_0006);
    peer.say(0x8000_0004, 0, sequence, b"i\0").await;
    assert!(sent.await.unwrap().is_ok());
    // generic_nack refuses the one it names.
    let sent = sending(&smpp, 1, "x");
    let mut peer = Peer::accept(&listener).await;
    let (sequence, _) = peer.submit().await;
    peer.say(0x8000_0000, 0x03, sequence, b"").await;
    assert_eq!(sent.await.unwrap().unwrap_err().kind, ErrorKind::Misconfigured);
}

#[tokio::test]
async fn what_cannot_be_sent_is_known_before() {
    let (smpp, _listener) = smpp(", region: CN, data_coding: gsm7", LONG).await;
    let text = |text: &str| Message { body: Body::Text(text.into()), ..Message::default() };
    assert!(smpp.lane(&"13900001234".into()).is_ok());
    assert_eq!(smpp.lane(&"12".into()).unwrap_err().kind, ErrorKind::BadAddress);
    assert!(smpp.examine(&"+8613900001234".into(), &text("hi")).is_ok());
    assert_eq!(smpp.examine(&"+8613900001234".into(), &text("你好")).unwrap_err().kind, ErrorKind::BadMessage);
    assert_eq!(smpp.examine(&"+8613900001234".into(), &text(" \n")).unwrap_err().kind, ErrorKind::BadMessage);
    let native = Message { body: Body::Native(serde_json::json!({})), ..Message::default() };
    assert_eq!(smpp.examine(&"+8613900001234".into(), &native).unwrap_err().kind, ErrorKind::BadMessage);
}
