//! Short messages over SMPP: against node-smpp, whose authors are others, and against a service written here that misbehaves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::world::{Ended, World, ended, repository, until};

fn world(address: SocketAddr, more: &str) -> World {
    let world = World::new();
    world.config(&format!(
        "defaults: {{ via: sms }}\naccounts:\n  sms:\n    platform: smpp\n    url: smpp://{address}\n    user: robot\n    password: {{ env: PASSWORD }}\n    from: NOTIFY\n{more}"
    ));
    world.file("templates/hello.txt", "Dear {{name}}, you are number {{n}}.\n");
    world
}

fn numbers(world: &World, rows: usize) {
    let mut text = String::from("phone,name,n\n");
    for n in 0..rows {
        text.push_str(&format!("+86139{n:08},Name {n},{n}\n"));
    }
    world.file("users.csv", text);
}

fn batch(world: &World, password: &str, out: &str, more: &[&str]) -> Ended {
    let mut args = vec!["batch", "users.csv", "-t", "hello", "--yes", "--out", out, "--delay", "10ms", "--max-delay", "50ms"];
    args.extend(more);
    let mut command = world.command(&args);
    ended(command.env("PASSWORD", password).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"))
}

fn statuses(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in world.jsonl("out/results.jsonl") {
        *counts.entry(row["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

/// What a service does with the message of that count (from 1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Take,
    Refuse(u32),
    /// Close the connection with this one and those before it unanswered.
    Cut,
}

/// A service of ours: answers ten at a time, the last first, and does what it is told.
struct Service {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Messages that were read and not answered when the connection was cut.
    abandoned: Arc<AtomicUsize>,
    widest: Arc<AtomicUsize>,
}

fn unit(command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut unit = Vec::new();
    for word in [16 + body.len() as u32, command, status, sequence] {
        unit.extend_from_slice(&word.to_be_bytes());
    }
    unit.extend_from_slice(body);
    unit
}

impl Service {
    fn start(deed: fn(usize) -> Deed) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let service = Service {
            address: listener.local_addr().expect("its number"),
            accepted: Arc::default(),
            abandoned: Arc::default(),
            widest: Arc::default(),
        };
        let (accepted, abandoned, widest) = (service.accepted.clone(), service.abandoned.clone(), service.widest.clone());
        let count = Arc::new(Mutex::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = (accepted.clone(), abandoned.clone(), widest.clone(), count.clone());
                std::thread::spawn(move || serve(stream, deed, &shared));
            }
        });
        service
    }
}

type Shared = (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<Mutex<usize>>);

fn serve(mut stream: TcpStream, deed: fn(usize) -> Deed, (accepted, abandoned, widest, count): &Shared) {
    let (mut input, mut piece) = (Vec::new(), [0; 8192]);
    let mut open: Vec<(u32, usize)> = Vec::new();
    loop {
        while input.len() >= 16 {
            let word = |at: usize| u32::from_be_bytes(input[at..at + 4].try_into().expect("four bytes"));
            let (length, command, sequence) = (word(0) as usize, word(4), word(12));
            if input.len() < length {
                break;
            }
            input.drain(..length);
            let said = match command {
                9 => unit(0x8000_0009, 0, sequence, b"OWN\0"),
                4 => {
                    let mut count = count.lock().expect("a lock");
                    *count += 1;
                    open.push((sequence, *count));
                    continue;
                }
                command => unit(command | 0x8000_0000, 0, sequence, b""),
            };
            if stream.write_all(&said).is_err() {
                return;
            }
        }
        widest.fetch_max(open.len(), Ordering::SeqCst);
        // The last first, each with a whole write of its own.
        while let Some((sequence, n)) = open.pop() {
            let said = match deed(n) {
                Deed::Take => {
                    accepted.fetch_add(1, Ordering::SeqCst);
                    unit(0x8000_0004, 0, sequence, format!("m{n}\0").as_bytes())
                }
                Deed::Refuse(status) => unit(0x8000_0004, status, sequence, b""),
                Deed::Cut => {
                    // What is on its way here is read, so that it is the end and not a reset that the other side sees.
                    abandoned.fetch_add(open.len() + 1, Ordering::SeqCst);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    while let Ok(more) = stream.read(&mut piece) {
                        if more == 0 {
                            break;
                        }
                        input.extend_from_slice(&piece[..more]);
                    }
                    let mut late = 0;
                    let mut at = 0;
                    while at + 16 <= input.len() {
                        let word = |at: usize| u32::from_be_bytes(input[at..at + 4].try_into().expect("four bytes"));
                        late += usize::from(word(at + 4) == 4);
                        at += word(at) as usize;
                    }
                    abandoned.fetch_add(late, Ordering::SeqCst);
                    return;
                }
            };
            if stream.write_all(&said).is_err() {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(more) if more > 0 => input.extend_from_slice(&piece[..more]),
            _ => return,
        }
    }
}

#[test]
fn two_thousand_through_a_window_of_ten() {
    let service = Service::start(|_| Deed::Take);
    let world = world(service.address, "    window: 10\n");
    numbers(&world, 2000);
    batch(&world, "x", "out", &[]).code(0);
    assert_eq!(service.accepted.load(Ordering::SeqCst), 2000);
    let widest = service.widest.load(Ordering::SeqCst);
    assert!((2..=10).contains(&widest), "{widest} unanswered at once");
    assert!(world.jsonl("out/results.jsonl").iter().all(|row| row["status"] == "sent"));
}

#[test]
fn throttling_in_the_middle_costs_nothing_but_time() {
    let service = Service::start(|n| if (1000..1030).contains(&n) { Deed::Refuse(0x58) } else { Deed::Take });
    let world = world(service.address, "    window: 10\n");
    numbers(&world, 2000);
    batch(&world, "x", "out", &[]).code(0);
    assert_eq!(service.accepted.load(Ordering::SeqCst), 2000);
    let rows = world.jsonl("out/results.jsonl");
    assert!(rows.iter().all(|row| row["status"] == "sent" && row["attempts"] == 1), "a throttled row costs no attempt");
}

#[test]
fn a_cut_in_the_middle_leaves_exactly_the_unanswered_in_doubt() {
    let service = Service::start(|n| if n == 1000 { Deed::Cut } else { Deed::Take });
    let world = world(service.address, "    window: 10\n");
    numbers(&world, 2000);
    batch(&world, "x", "out", &[]).code(6);
    let (accepted, abandoned) = (service.accepted.load(Ordering::SeqCst), service.abandoned.load(Ordering::SeqCst));
    assert!((1..=10).contains(&abandoned), "{abandoned}");
    let counts = statuses(&world);
    assert_eq!(counts.values().sum::<usize>(), 2000, "{counts:?}");
    assert_eq!((counts.get("in_doubt"), counts.get("sent")), (Some(&abandoned), Some(&accepted)), "{counts:?}");
    assert_eq!(accepted + abandoned, 2000);
}

/// node-smpp, as `.ci/run` installs it; `None` where it is missing and may be.
fn node_smpp() -> Option<PathBuf> {
    let modules =
        std::env::var_os("TEST_NODE_MODULES").map_or_else(|| repository("target/peers-node/node_modules"), PathBuf::from);
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if modules.join("smpp").is_dir() && node.is_ok_and(|status| status.success()) {
        return Some(modules);
    }
    assert!(std::env::var("TEST_PEERS").is_err(), "node with node-smpp is required here and is not installed");
    eprintln!("left out: node with node-smpp is not installed");
    None
}

/// A process that is killed with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_of_others_takes_every_message() {
    let Some(modules) = node_smpp() else { return };
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its number").port();
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    let world = world(address, "    registered_delivery: true\n");
    let server = Command::new("node")
        .arg(repository("tests/it/peers/smsc.js"))
        .arg(port.to_string())
        .arg(world.path("taken.jsonl"))
        .env("NODE_PATH", modules)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the service starts");
    let _server = Process(server);
    assert!(until(|| TcpStream::connect(address).is_ok()));
    // 404 is refused, the connection ends once at 777, and 666 is never answered.
    numbers(&world, 1000);
    batch(&world, "wrong", "out0", &[]).code(4);
    assert!(!world.path("taken.jsonl").exists());
    // To the duplicate guard it is the same account: only its password is another.
    batch(&world, "right", "out", &["--final-timeout", "2s", "--again"]).code(6);
    let counts = statuses(&world);
    let taken: Vec<Value> = world.jsonl("taken.jsonl");
    assert_eq!(counts.values().sum::<usize>(), 1000, "{counts:?}");
    let (sent, in_doubt) = (counts.get("sent").copied().unwrap_or_default(), counts.get("in_doubt").copied().unwrap_or_default());
    assert_eq!(counts.get("failed"), Some(&1), "{counts:?}");
    // What was taken while its answer was lost in the cut is in doubt; nothing was taken twice.
    assert!((sent..=sent + in_doubt).contains(&taken.len()), "{} taken, {counts:?}", taken.len());
    let to: BTreeSet<&str> = taken.iter().filter_map(|message| message["to"].as_str()).collect();
    assert_eq!(to.len(), taken.len());
    assert!((2..=11).contains(&in_doubt), "666, 777 and what was unanswered beside it: {counts:?}");
    let one = taken.iter().find(|message| message["to"] == "8613900000001").expect("row 1");
    assert_eq!((&one["from"], &one["ton"], &one["receipt"]), (&"NOTIFY".into(), &5.into(), &1.into()));
    assert_eq!(one["text"], "Dear Name 1, you are number 1.");
    let row = world.jsonl("out/results.jsonl").into_iter().find(|row| row["to"] == "+8613900000404").expect("row 404");
    assert_eq!(row["kind"], "bad_address");
    // A long text of another alphabet: two parts that say so.
    world.file("users.csv", "phone,name,n\n+8613800000001,张三,1\n");
    world.file("templates/hello.txt", format!("{{{{name}}}}，{}。\n", "你好".repeat(40)));
    batch(&world, "right", "out2", &[]).code(0);
    let parts: Vec<Value> = world.jsonl("taken.jsonl").into_iter().filter(|message| message["to"] == "8613800000001").collect();
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!((parts.len(), text), (2, format!("张三，{}。", "你好".repeat(40))), "{parts:?}");
    assert!(parts.iter().all(|part| part["coding"] == 8 && part["udh"].is_array()), "{parts:?}");
}
