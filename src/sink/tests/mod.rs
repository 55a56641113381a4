//! Conversations over real sockets: a sink in the same process, and a client that checks every reply.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::sink::counts::Counts;
use crate::sink::options::{Bound, Options, Record, SinkError};
use crate::sink::serve::serve;

mod faults;
mod http;
mod smtp;

/// A sink that runs, and its records.
struct Running {
    bound: Bound,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Counts, SinkError>>,
    folder: tempfile::TempDir,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn start(faults: &str, change: impl FnOnce(&mut Options)) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options {
        smtp: Some(loopback()),
        http: Some(loopback()),
        faults: faults.parse().unwrap_or_else(|problem| panic!("{problem}")),
        record: vec![Record::Ledger(folder.path().join("ledger.jsonl"))],
        cert_out: Some(folder.path().join("ca.pem")),
        ..Options::default()
    };
    change(&mut options);
    let (ready, bound) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(options, ready, async move {
        let _ = stopped.await;
    }));
    Running { bound: bound.await.expect("bound"), stop, task, folder }
}

impl Running {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ledger(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("ledger.jsonl")).expect("a ledger");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    async fn end(self) -> Counts {
        let begun = std::time::Instant::now();
        let _ = self.stop.send(());
        let counts = self.task.await.expect("no panic").expect("no error");
        assert!(begun.elapsed() < Duration::from_millis(500), "ends soon: {:?}", begun.elapsed());
        counts
    }

    async fn smtp(&self) -> Client<TcpStream> {
        let mut client = self.silent_smtp().await;
        assert_eq!(client.reply().await, "220 localhost ESMTP notify sink\r\n");
        client.ask("EHLO me.example\r\n", "250").await;
        client
    }

    async fn silent_smtp(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.bound.smtp.expect("smtp")).await.expect("connects"))
    }

    async fn http(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.bound.http.expect("http")).await.expect("connects"))
    }
}

/// One end of a conversation.
struct Client<S> {
    stream: S,
    got: Vec<u8>,
}

const WAIT: Duration = Duration::from_secs(10);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Client { stream, got: Vec::new() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("writes");
        self.stream.flush().await.expect("flushes");
    }

    async fn more(&mut self) -> io::Result<usize> {
        timeout(WAIT, self.stream.read_buf(&mut self.got)).await.expect("the server says something in time")
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.got.iter().position(|byte| *byte == b'\n') {
                return Some(String::from_utf8(self.got.drain(..=end).collect()).expect("text"));
            }
            if !matches!(self.more().await, Ok(1..)) {
                return None;
            }
        }
    }

    /// A whole reply, however many lines.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("the connection ended after {reply:?}"));
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    async fn expect(&mut self, begins: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(begins), "wanted {begins:?}, got {reply:?}");
        reply
    }

    async fn ask(&mut self, command: &str, begins: &str) -> String {
        self.send(command).await;
        self.expect(begins).await
    }

    /// The connection ends, with nothing more said.
    async fn ended(&mut self) {
        assert!(!matches!(self.more().await, Ok(1..)), "said {:?}", String::from_utf8_lossy(&self.got));
    }

    /// Everything up to the end.
    async fn all(&mut self) -> Vec<u8> {
        while matches!(self.more().await, Ok(1..)) {}
        std::mem::take(&mut self.got)
    }

    /// Head and body of an HTTP answer.
    async fn answer(&mut self) -> (String, String) {
        let mut head = String::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("the connection ended after {head:?}"));
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().expect("a number"));
        while self.got.len() < length {
            assert!(matches!(self.more().await, Ok(1..)), "the body ended early");
        }
        (head, String::from_utf8(self.got.drain(..length).collect()).expect("text"))
    }
}

/// A pipelined group for one message, content included: not what RFC 2920 allows, but what tells servers apart.
fn mail(to: &str, content: &str) -> String {
    format!("MAIL FROM:<me@example.com>\r\nRCPT TO:<{to}>\r\nDATA\r\n{content}\r\n.\r\n")
}

#[tokio::test]
async fn only_loopback_is_bound_unasked() {
    let remote: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let (ready, _bound) = oneshot::channel();
    let refused = serve(Options { smtp: Some(remote), ..Options::default() }, ready, std::future::pending()).await;
    assert!(matches!(refused, Err(SinkError::NotLoopback(_))));
    let (ready, _bound) = oneshot::channel();
    let nowhere = serve(Options::default(), ready, std::future::pending()).await;
    assert!(matches!(nowhere, Err(SinkError::Nowhere)));
}

#[tokio::test]
async fn it_stops_at_once_with_clients_connected() {
    let sink = start("stall-mail=30s", |_| {}).await;
    let mut client = sink.smtp().await;
    client.send("MAIL FROM:<a@b>\r\n").await;
    assert_eq!(sink.end().await.connections, 1);
}

#[tokio::test]
async fn it_ends_by_itself_at_the_limit() {
    let sink = start("", |options| options.limit = Some(2)).await;
    let mut client = sink.smtp().await;
    client.send(format!("{0}{0}{0}", mail("a@b", "x"))).await;
    for begins in ["250", "250", "354", "250", "250", "250", "354", "250", "250", "250", "354", "421"] {
        client.expect(begins).await;
    }
    let counts = timeout(WAIT, sink.task).await.expect("ends").expect("no panic").expect("no error");
    assert_eq!(counts.messages, 2);
}

#[tokio::test]
async fn more_connections_than_allowed_are_sent_away() {
    let sink = start("", |options| options.max_connections = Some(1)).await;
    let client = sink.smtp().await;
    let mut other = sink.silent_smtp().await;
    other.expect("421 4.7.0").await;
    other.ended().await;
    let mut http = sink.http().await;
    assert!(http.answer().await.0.starts_with("HTTP/1.1 503"));
    drop(client);
    sink.end().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_written_ends_it_untold() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let sink = start("", |options| options.record = vec![Record::Ledger("/dev/full".into())]).await;
    let mut client = sink.smtp().await;
    client.ask("MAIL FROM:<a@b>\r\n", "250").await;
    client.ask("RCPT TO:<c@d>\r\n", "250").await;
    client.ask("DATA\r\n", "354").await;
    client.send("x\r\n.\r\n").await;
    client.ended().await;
    assert!(matches!(timeout(WAIT, sink.task).await.expect("ends").expect("no panic"), Err(SinkError::Record { .. })));
}
