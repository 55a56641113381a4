//! Servers that misbehave in SMTP, scripted reply by reply: what the program reports is what they took.
//!
//! The sink is ours and could share our mistakes; these servers share no code with it. Each test compares the server's own list of what it
//! took with results and report, so that "sent, never taken" and "taken twice, unseen" cannot pass.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::world::{Ended, World};

/// What the server answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Banner,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    Dot,
}

/// How it answers.
#[derive(Debug, Clone, Copy)]
enum Say {
    /// This reply, exactly as it stands (without its end of line).
    Reply(&'static str),
    /// This reply, and then the connection ends.
    Last(&'static str),
    /// The connection ends without a reply.
    Cut,
    /// Nothing, until the client leaves.
    Silence,
}

/// Where a connection is when it asks its script.
struct Point {
    at: At,
    /// Messages that this connection has taken.
    carried: usize,
    /// Connections that are open.
    open: usize,
    /// How often this step was reached, over all connections, from 1.
    nth: usize,
}

/// `None`: the answer of a server that is well.
type Script = fn(&Point) -> Option<Say>;

/// How replies travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Travel {
    Whole,
    /// One byte in each packet.
    Bytes,
    /// Held back until the client has nothing more to say, then all in one packet.
    Late,
}

#[derive(Default)]
struct Shared {
    /// Recipients of messages that were answered 2xx or taken in silence.
    taken: Mutex<Vec<String>>,
    open: AtomicUsize,
    most: AtomicUsize,
    connections: AtomicUsize,
    reached: [AtomicUsize; 6],
}

struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    fn start(travel: Travel, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let of_server = shared.clone();
        // Ends with the process of the tests: a listener that nobody calls costs nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = of_server.clone();
                std::thread::spawn(move || {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
                    shared.most.fetch_max(open, Ordering::SeqCst);
                    let mut session = Session {
                        out: stream.try_clone().expect("clone"),
                        held: Vec::new(),
                        travel,
                        script,
                        shared: &shared,
                        carried: 0,
                    };
                    let _ = session.run(BufReader::new(stream));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { address, shared }
    }

    fn taken(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for to in self.shared.taken.lock().expect("lock").iter() {
            *counts.entry(to.clone()).or_default() += 1;
        }
        counts
    }
}

struct Session<'a> {
    out: TcpStream,
    held: Vec<u8>,
    travel: Travel,
    script: Script,
    shared: &'a Shared,
    carried: usize,
}

/// The connection is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Over
    }
}

impl Session<'_> {
    fn ask(&self, at: At) -> Option<Say> {
        let nth = self.shared.reached[at as usize].fetch_add(1, Ordering::SeqCst) + 1;
        (self.script)(&Point { at, carried: self.carried, open: self.shared.open.load(Ordering::SeqCst), nth })
    }

    /// Answers and says whether that was a yes.
    fn answer(&mut self, said: Option<Say>, usual: &'static str) -> Result<bool, Over> {
        let (reply, last) = match said {
            None => (usual, false),
            Some(Say::Reply(reply)) => (reply, false),
            Some(Say::Last(reply)) => (reply, true),
            Some(Say::Cut) => return Err(Over),
            Some(Say::Silence) => {
                let _ = std::io::copy(&mut self.out.try_clone()?, &mut std::io::sink());
                return Err(Over);
            }
        };
        self.held.extend_from_slice(reply.as_bytes());
        self.held.extend_from_slice(b"\r\n");
        if self.travel != Travel::Late || last {
            self.release()?;
        }
        if last { Err(Over) } else { Ok(matches!(reply.as_bytes()[0], b'2' | b'3')) }
    }

    fn release(&mut self) -> Result<(), Over> {
        let bytes = std::mem::take(&mut self.held);
        let piece = if self.travel == Travel::Bytes { 1 } else { bytes.len().max(1) };
        self.out.set_nodelay(true)?;
        for part in bytes.chunks(piece) {
            self.out.write_all(part)?;
        }
        Ok(())
    }

    fn line(&mut self, input: &mut BufReader<TcpStream>) -> Result<String, Over> {
        if input.buffer().is_empty() {
            self.release()?;
        }
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(Over);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn run(&mut self, mut input: BufReader<TcpStream>) -> Result<(), Over> {
        let said = self.ask(At::Banner);
        self.answer(said, "220 scripted")?;
        let (mut mail, mut to) = (false, None);
        loop {
            let line = self.line(&mut input)?;
            match line.get(..4).unwrap_or_default() {
                "EHLO" => {
                    let said = self.ask(At::Ehlo);
                    self.answer(said, "250-scripted\r\n250-PIPELINING\r\n250 8BITMIME")?;
                }
                "MAIL" => {
                    let said = self.ask(At::Mail);
                    mail = self.answer(said, "250 ok")?;
                    to = None;
                }
                "RCPT" => {
                    let said = self.ask(At::Rcpt);
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    if !mail {
                        self.answer(None, "503 MAIL first")?;
                    } else if self.answer(said, "250 ok")? {
                        to = Some(address);
                    }
                }
                "DATA" => {
                    let said = self.ask(At::Data);
                    // Some servers ask for the message although nobody is there to get it (RFC 2920 §3.1).
                    let usual = if to.is_some() { "354 go on" } else { "554 no valid recipients" };
                    if !self.answer(said, usual)? {
                        continue;
                    }
                    while self.line(&mut input)? != "." {}
                    let Some(to) = to.take() else {
                        self.answer(None, "554 no valid recipients")?;
                        continue;
                    };
                    let said = self.ask(At::Dot);
                    let refused = matches!(said, Some(Say::Reply(reply) | Say::Last(reply)) if !reply.starts_with('2'));
                    if !refused {
                        self.shared.taken.lock().expect("lock").push(to);
                        self.carried += 1;
                    }
                    self.answer(said, "250 2.0.0 queued")?;
                    mail = false;
                }
                "RSET" => {
                    (mail, to) = (false, None);
                    self.answer(None, "250 ok")?;
                }
                "QUIT" => {
                    self.answer(None, "221 bye")?;
                    return self.release();
                }
                _ => {
                    self.answer(None, "250 ok")?;
                }
            }
        }
    }
}

const ROWS: usize = 60;

/// Sends a list to the server and holds its list of what it took against what the program reports.
fn send(server: &Server, more: &str, args: &[&str]) -> (Ended, Value) {
    let world = World::with_smtp(server.address, more);
    world.list("users.csv", ROWS);
    world.template();
    let mut all = vec!["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--delay", "10ms"];
    all.extend_from_slice(args);
    let ended = world.notify(&all);
    let (taken, report, results) = (server.taken(), world.json("out/report.json"), world.jsonl("out/results.jsonl"));
    assert_eq!(results.len(), ROWS, "every row is in the results once");
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &results {
        let times = taken.get(row["to"].as_str().expect("to")).copied().unwrap_or_default();
        let status = row["status"].as_str().expect("status");
        *counts.entry(status).or_default() += 1;
        match status {
            "sent" => assert_eq!(times, 1, "reported sent: {row}"),
            "in_doubt" => assert!(times <= 1, "taken {times} times: {row}"),
            _ => assert_eq!(times, 0, "taken, and reported otherwise: {row}"),
        }
    }
    for status in ["sent", "failed", "in_doubt", "pending"] {
        assert_eq!(report[status].as_u64(), Some(counts.get(status).copied().unwrap_or_default()), "{status} in {report}");
    }
    assert_eq!(report["exit_code"].as_i64(), Some(ended.code.into()));
    (ended, report)
}

#[test]
fn replies_in_pieces_and_replies_all_at_once_are_the_same_replies() {
    for travel in [Travel::Bytes, Travel::Late] {
        for window in ["connections: 3", "connections: 3\nwindow: 1"] {
            let server = Server::start(travel, |point| match point.at {
                At::Rcpt if point.nth.is_multiple_of(5) => Some(Say::Reply("550-5.1.1 no such\r\n550 5.1.1 user")),
                _ => None,
            });
            let (ended, report) = send(&server, window, &[]);
            assert_eq!((ended.code, &report["failed"], &report["attempts"]), (1, &12.into(), &60.into()), "{report}");
        }
    }
}

#[test]
fn a_message_asked_for_without_a_recipient_is_ended_by_a_lone_dot() {
    let server = Server::start(Travel::Late, |point| match point.at {
        At::Rcpt if point.nth.is_multiple_of(5) => Some(Say::Reply("550 5.1.1 no")),
        At::Data => Some(Say::Reply("354 go on")),
        _ => None,
    });
    let (ended, report) = send(&server, "connections: 2", &[]);
    assert_eq!((ended.code, &report["failed"], &report["sent"]), (1, &12.into(), &48.into()));
    assert_eq!(server.shared.connections.load(Ordering::SeqCst), 2, "the sessions went on");
}

#[test]
fn a_verdict_before_the_dot_is_no_verdict() {
    // The server says 250 behind its 354, then refuses the message.
    let server = Server::start(Travel::Whole, |point| match point.at {
        At::Data if point.nth.is_multiple_of(6) => Some(Say::Reply("354 go on\r\n250 queued")),
        At::Dot if point.nth.is_multiple_of(2) => Some(Say::Reply("554 5.6.0 no")),
        _ => None,
    });
    let (ended, _) = send(&server, "connections: 2", &[]);
    assert_eq!(ended.code, 1);
}

#[test]
fn a_verdict_given_twice_puts_no_other_row_out_of_step() {
    let server = Server::start(Travel::Whole, |point| match point.at {
        At::Dot if point.nth.is_multiple_of(7) => Some(Say::Reply("250 queued\r\n250 queued")),
        At::Rcpt if point.nth.is_multiple_of(11) => Some(Say::Reply("550 5.1.1 no")),
        _ => None,
    });
    let (ended, _) = send(&server, "connections: 2", &["--retries", "9"]);
    assert_eq!(ended.code, 1);
}

#[test]
fn a_server_that_takes_one_message_a_connection_costs_no_row_a_retry() {
    let scripts: [Script; 3] = [
        |point| (point.at == At::Mail && point.carried > 0).then_some(Say::Last("421 4.3.2 one only")),
        |point| (point.at == At::Mail && point.carried > 0).then_some(Say::Cut),
        // And only one connection.
        |point| match point.at {
            At::Banner if point.open > 1 => Some(Say::Last("421 4.3.2 too many connections")),
            At::Mail if point.carried > 0 => Some(Say::Last("421 4.3.2 one only")),
            _ => None,
        },
    ];
    for (which, script) in scripts.into_iter().enumerate() {
        let server = Server::start(Travel::Whole, script);
        let (ended, report) = send(&server, "connections: 3", &["--retries", if which == 2 { "9" } else { "0" }]);
        assert_eq!((ended.code, &report["sent"]), (0, &60.into()), "{which}: {report}");
    }
}

#[test]
fn the_end_of_a_session_at_any_step_is_told_apart() {
    let scripts: [(Script, i32); 6] = [
        (|point| (point.at == At::Mail && point.nth.is_multiple_of(9)).then_some(Say::Last("421 4.3.2 bye")), 0),
        (|point| (point.at == At::Rcpt && point.nth.is_multiple_of(9)).then_some(Say::Last("421 4.3.2 bye")), 0),
        (|point| (point.at == At::Data && point.nth.is_multiple_of(9)).then_some(Say::Cut), 0),
        (|point| (point.at == At::Dot && point.nth.is_multiple_of(9)).then_some(Say::Last("421 4.3.2 bye")), 0),
        (|point| (point.at == At::Dot && point.nth.is_multiple_of(9)).then_some(Say::Cut), 6),
        (|point| (point.at == At::Dot && point.nth.is_multiple_of(9)).then_some(Say::Reply("\u{e9}\u{0} what")), 6),
    ];
    for (which, (script, code)) in scripts.into_iter().enumerate() {
        let server = Server::start(Travel::Whole, script);
        let (ended, report) = send(&server, "connections: 3", &["--retries", "9"]);
        assert_eq!(ended.code, code, "{which}: {report}");
        let doubt = if code == 6 { 6 } else { 0 };
        assert_eq!(report["in_doubt"], doubt, "{which}: each cut leaves one row in doubt, not its neighbours");
    }
}

#[test]
fn silence_at_any_step_ends_by_its_deadline() {
    let scripts: [(Script, i32); 4] = [
        (|point| (point.at == At::Banner && point.nth == 1).then_some(Say::Silence), 0),
        (|point| (point.at == At::Mail && point.nth == 20).then_some(Say::Silence), 0),
        (|point| (point.at == At::Data && point.nth == 20).then_some(Say::Silence), 0),
        (|point| (point.at == At::Dot && point.nth == 20).then_some(Say::Silence), 6),
    ];
    for (which, (script, code)) in scripts.into_iter().enumerate() {
        let server = Server::start(Travel::Whole, script);
        let began = std::time::Instant::now();
        let (ended, report) = send(&server, "connections: 3", &["--timeout", "300ms", "--final-timeout", "600ms"]);
        assert_eq!(ended.code, code, "{which}: {report}");
        assert!(began.elapsed() < Duration::from_secs(20), "{which}: {:?}", began.elapsed());
    }
}

#[test]
fn no_more_connections_than_allowed() {
    let server = Server::start(Travel::Whole, |_| None);
    let (ended, _) = send(&server, "connections: 2\nwindow: 4", &["-j", "60"]);
    assert_eq!(ended.code, 0);
    assert!(server.shared.most.load(Ordering::SeqCst) <= 2);
}
