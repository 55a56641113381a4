//! A loopback HTTP server that plays any service: it records what it is asked and answers as a closure says.
//!
//! It runs on a thread of its own, so that both a test's own tasks and the real binary can be its clients. Waits are timers of its
//! runtime; nothing is bounded by chance. Other tests use it for whole runs: the closure sees each request and its number.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Longest request that is read.
const LONGEST: usize = 64 * 1024 * 1024;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its number, from 0, since the script began.
    pub number: usize,
    /// When its last byte was read.
    pub at: Instant,
    pub method: String,
    /// As sent, without the query.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    /// The first header field of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as a form.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.text())
    }

    /// Everything that arrived, as one text to search in.
    pub fn whole(&self) -> String {
        let mut whole = format!("{} {}", self.method, self.path);
        for (name, value) in self.query.iter().chain(&self.headers) {
            whole.push_str(&format!("\n{name}: {value}"));
        }
        whole + "\n\n" + &self.text()
    }
}

/// What the service answers.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The answer begins so long after the request.
    pub after: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Reply { status, headers: Vec::new(), body: Vec::new(), after: Duration::ZERO }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Reply::status(status).header("content-type", "application/json").body(body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Reply::status(status).header("content-type", "text/plain; charset=utf-8").body(body)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Begins so much later, as over a long line.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {length}\r\n\r\n"));
        [head.as_bytes(), &self.body].concat()
    }
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is answered, and the connection stays.
    Say(Reply),
    /// It is read and never answered.
    Hang,
    /// It is read, and the connection closes without a word.
    Close,
    /// Its answer promises more bytes than come before the connection closes.
    Cut(Reply),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Answer::Say(reply)
    }
}

type Script = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

struct Play {
    script: Script,
    asked: Vec<Asked>,
}

/// The server; it ends when this is dropped.
pub struct Stage {
    address: SocketAddr,
    play: Arc<Mutex<Play>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// Opens on a free port of loopback.
    pub fn start<A: Into<Answer>>(script: impl Fn(&Asked) -> A + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("an address");
        let play = Arc::new(Mutex::new(Play { script: Arc::new(move |asked| script(asked).into()), asked: Vec::new() }));
        let (end, ended) = oneshot::channel();
        let shared = Arc::clone(&play);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener, shared) => {}
                    _ = ended => {}
                }
            });
        });
        Stage { address, play, end: Some(end), thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Another script from now on; what was asked before is forgotten.
    pub fn script<A: Into<Answer>>(&self, script: impl Fn(&Asked) -> A + Send + Sync + 'static) {
        let mut play = lock(&self.play);
        play.script = Arc::new(move |asked| script(asked).into());
        play.asked.clear();
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.play).asked.clone()
    }

    /// How many requests arrived so far.
    pub fn count(&self) -> usize {
        lock(&self.play).asked.len()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address where nobody answers: held, so that no one else can take it, and never listened on.
pub struct Nobody {
    address: SocketAddr,
    _held: TcpSocket,
}

impl Nobody {
    pub fn new() -> Self {
        let held = TcpSocket::new_v4().expect("a socket");
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        Nobody { address: held.local_addr().expect("an address"), _held: held }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn lock(play: &Mutex<Play>) -> MutexGuard<'_, Play> {
    play.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, play: Arc<Mutex<Play>>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Ends with the runtime, which ends with the stage.
        tokio::spawn(talk(stream, Arc::clone(&play)));
    }
}

async fn talk(mut stream: TcpStream, play: Arc<Mutex<Play>>) {
    let _ = stream.set_nodelay(true);
    let mut held = Vec::new();
    while let Some(mut asked) = read(&mut stream, &mut held).await {
        let script = {
            let mut play = lock(&play);
            asked.number = play.asked.len();
            play.asked.push(asked.clone());
            Arc::clone(&play.script)
        };
        match script(&asked) {
            Answer::Say(reply) => {
                if !reply.after.is_zero() {
                    tokio::time::sleep(reply.after).await;
                }
                if stream.write_all(&reply.bytes(reply.body.len())).await.is_err() {
                    return;
                }
            }
            // Until the client gives up.
            Answer::Hang => while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {},
            Answer::Close => return,
            Answer::Cut(reply) => {
                let _ = stream.write_all(&reply.bytes(reply.body.len() + 100)).await;
                return;
            }
        }
    }
}

/// One request; `None` at the end of the connection. `held` keeps what came beyond it.
async fn read(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Asked> {
    let head_end = loop {
        if let Some(at) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, held).await?;
    };
    let head = String::from_utf8_lossy(&held[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let said = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse::<usize>().ok());
    let length = said.unwrap_or_default();
    while held.len() < head_end + length {
        more(stream, held).await?;
    }
    let body = held[head_end..head_end + length].to_vec();
    held.drain(..head_end + length);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Asked { number: 0, at: Instant::now(), method, path: path.to_owned(), query: pairs(query), headers, body })
}

async fn more(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk).await {
        Ok(count) if count > 0 && held.len() < LONGEST => held.extend_from_slice(&chunk[..count]),
        _ => return None,
    }
    Some(())
}

/// `a=b&c=d`, decoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hex) {
            (b'+', _) => plain.push(b' '),
            (b'%', Some(byte)) => {
                plain.push(byte);
                at += 2;
            }
            (byte, _) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A stage of its own: answers computed from the request, counted, late without a sleeping thread, and cut.
#[test]
fn a_stage_counts_computes_waits_and_cuts() {
    use std::io::{Read, Write};
    let late = Duration::from_millis(30);
    let stage = Stage::start(move |asked: &Asked| -> Answer {
        let told = serde_json::json!({"number": asked.number, "echo": asked.json()["n"], "q": asked.query});
        match asked.path.as_str() {
            "/cut" => Answer::Cut(Reply::json(200, &told)),
            _ => Reply::json(200, &told).after(late).into(),
        }
    });
    let mut line = std::net::TcpStream::connect(stage.address()).expect("connected");
    let mut say = |path: &str, n: usize| {
        let body = format!("{{\"n\":{n}}}");
        let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        line.write_all(request.as_bytes()).expect("written");
        let mut reply = String::new();
        let mut chunk = [0; 4096];
        while !reply.contains('}') {
            let count = line.read(&mut chunk).expect("read");
            reply.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        reply
    };
    let begun = Instant::now();
    assert!(say("/a?x=%C3%A9+y", 7).ends_with(r#"{"number":0,"echo":7,"q":[["x","é y"]]}"#));
    assert!(begun.elapsed() >= late);
    assert!(say("/b", 8).contains(r#""number":1,"echo":8"#));
    assert!(say("/cut", 9).contains("content-length: "));
    assert_eq!(line.read(&mut [0; 64]).expect("the end"), 0, "cut");
    let asked = stage.asked();
    assert_eq!((stage.count(), asked[1].text().as_str()), (3, "{\"n\":8}"));
    assert!(asked[1].at > asked[0].at);
    let nobody = Nobody::new();
    assert!(std::net::TcpStream::connect(nobody.url().trim_start_matches("http://")).is_err());
}
