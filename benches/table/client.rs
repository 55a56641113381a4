//! Clients that only speak the protocol, with a ready message: the ceiling, and the one that waits for every reply.
//!
//! Each runs as a process of its own (the bench calls itself), so that its CPU time is measured like everybody's.

use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// `--client KIND ADDRESS CONNECTIONS COUNT BYTES`: prints the seconds from the first connection to the last reply.
pub fn main(words: &[String]) -> Result<(), String> {
    let [kind, address, connections, count, bytes] = words else { return Err("--client needs five words".into()) };
    let number = |word: &String| word.parse::<usize>().map_err(|e| format!("{word}: {e}"));
    let address: SocketAddr = address.parse().map_err(|e| format!("{address}: {e}"))?;
    let (connections, count, bytes) = (number(connections)?, number(count)?, number(bytes)?);
    if kind == "engine" {
        return crate::pool::main(address, connections, count, bytes);
    }
    let started = Instant::now();
    match kind.as_str() {
        "lock-step" => each(connections, move |n| lock_step(address, n, connections, count, bytes))?,
        "limit" => each(connections, move |n| pipelined(address, n, connections, count, bytes))?,
        "reqwest" => post(address, connections, count, bytes)?,
        _ => return Err(format!("no client is called {kind}")),
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}

fn each(connections: usize, work: impl Fn(usize) -> std::io::Result<()> + Send + Sync + 'static) -> Result<(), String> {
    let work = Arc::new(work);
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let work = work.clone();
            std::thread::spawn(move || work(number))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread broke".to_owned())?.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// One connection whose greetings are over.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Wire {
    fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut wire = Wire { stream, buffer: vec![0; 16 << 10], filled: 0 };
        wire.replies(1)?;
        wire.say(b"EHLO localhost\r\n", 1)?;
        Ok(wire)
    }

    fn say(&mut self, bytes: &[u8], replies: usize) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.replies(replies)
    }

    /// Reads so many replies, which must all be good.
    fn replies(&mut self, mut wanted: usize) -> std::io::Result<()> {
        while wanted > 0 {
            let read = self.stream.read(&mut self.buffer[self.filled..])?;
            if read == 0 {
                return Err(Error::other("the server hung up"));
            }
            self.filled += read;
            let mut used = 0;
            while let Some(end) = self.buffer[used..self.filled].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[used..used + end];
                if !matches!(line.first(), Some(b'2' | b'3')) {
                    return Err(Error::other(String::from_utf8_lossy(line).into_owned()));
                }
                if line.get(3) == Some(&b' ') {
                    wanted = wanted.saturating_sub(1);
                }
                used += end + 1;
            }
            self.buffer.copy_within(used..self.filled, 0);
            self.filled -= used;
        }
        Ok(())
    }
}

const MAIL: &[u8] = b"MAIL FROM:<no-reply@corp.example>\r\n";

fn body(bytes: usize) -> Vec<u8> {
    let mut mail = b"From: no-reply@corp.example\r\nTo: user@example.com\r\nSubject: Hello\r\n\r\n".to_vec();
    while mail.len() < bytes {
        mail.extend_from_slice(b"A line of a letter that is as long as lines of letters usually are.\r\n");
    }
    mail.extend_from_slice(b".\r\n");
    mail
}

/// Waits for each reply before the next command.
fn lock_step(address: SocketAddr, first: usize, step: usize, count: usize, bytes: usize) -> std::io::Result<()> {
    let (mut wire, body) = (Wire::open(address)?, body(bytes));
    for n in (first..count).step_by(step) {
        wire.say(MAIL, 1)?;
        wire.say(format!("RCPT TO:<user{n}@example.com>\r\n").as_bytes(), 1)?;
        wire.say(b"DATA\r\n", 1)?;
        wire.say(&body, 1)?;
    }
    wire.say(b"QUIT\r\n", 1)
}

/// The next message's MAIL, RCPT and DATA in the same write as the body before it: one round trip a message.
fn pipelined(address: SocketAddr, first: usize, step: usize, count: usize, bytes: usize) -> std::io::Result<()> {
    let (mut wire, body) = (Wire::open(address)?, body(bytes));
    let mut numbers = (first..count).step_by(step);
    let head = |out: &mut Vec<u8>, n: usize| {
        out.extend_from_slice(MAIL);
        out.extend_from_slice(format!("RCPT TO:<user{n}@example.com>\r\nDATA\r\n").as_bytes());
    };
    let Some(n) = numbers.next() else { return Ok(()) };
    let mut out = Vec::with_capacity(body.len() + 256);
    head(&mut out, n);
    wire.say(&out, 3)?;
    loop {
        out.clear();
        out.extend_from_slice(&body);
        let Some(n) = numbers.next() else { break };
        head(&mut out, n);
        wire.say(&out, 4)?;
    }
    out.extend_from_slice(b"QUIT\r\n");
    wire.say(&out, 2)
}

/// A bare reqwest loop with a ready body, so many requests in flight.
fn post(address: SocketAddr, flights: usize, count: usize, bytes: usize) -> Result<(), String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(flights)
        .timeout(PATIENCE)
        .build()
        .map_err(|e| e.to_string())?;
    let body: Vec<u8> = [br#"{"text":""#.as_slice(), "x".repeat(bytes.saturating_sub(11)).as_bytes(), br#""}"#].concat();
    let url = reqwest::Url::parse(&format!("http://{address}/in")).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let wrong = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..flights)
            .map(|first| {
                let (client, body, url, wrong) = (client.clone(), body.clone(), url.clone(), wrong.clone());
                tokio::spawn(async move {
                    for _ in (first..count).step_by(flights) {
                        let request = client.post(url.clone()).header("content-type", "application/json").body(body.clone());
                        let good = match request.send().await {
                            Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
                            Err(_) => false,
                        };
                        wrong.fetch_add(u64::from(!good), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
    });
    match wrong.load(Ordering::Relaxed) {
        0 => Ok(()),
        wrong => Err(format!("{wrong} requests failed")),
    }
}
