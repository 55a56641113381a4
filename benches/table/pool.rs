//! A bounded set of tasks against one task a message: time, memory and tasks, by depth of the queue; and what a stop in the middle leaves.
//!
//! The founding documents promise of a pool of 8 over 200 messages that it is 28 % faster and takes 60 % less memory and 96 % fewer
//! tasks. The two engines here do the same requests with the same HTTP client and nothing else, so that only the engine differs; notify's
//! own flow stands beside them.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::child::{self, Run};
use crate::distance::Distance;
use crate::job::Job;
use crate::server::Server;
use crate::{BODY, PATIENCE, ROUNDS, middle};

/// Workers of the founding example.
const FOUNDING: usize = 8;

/// `--client engine ADDRESS WORKERS COUNT QUEUE`: prints seconds, tasks and KB of memory that it grew by. `WORKERS` 0: a task each.
pub fn main(address: SocketAddr, workers: usize, count: usize, queue: usize) -> Result<(), String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let told = runtime.block_on(async {
        let engine = Arc::new(Engine::new(address)?);
        // The first request makes what every request needs: it is nobody's.
        engine.deliver(message(0)).await;
        let before = resident_kb("VmRSS:");
        let started = Instant::now();
        if workers == 0 {
            each(&engine, count).await;
        } else {
            pool(&engine, workers, count, queue).await;
        }
        let seconds = started.elapsed().as_secs_f64();
        let (tasks, wrong) = (engine.tasks.load(Ordering::Relaxed), engine.wrong.load(Ordering::Relaxed));
        if wrong > 0 {
            return Err(format!("{wrong} requests failed"));
        }
        Ok(json!({ "seconds": seconds, "tasks": tasks, "grown_kb": resident_kb("VmHWM:").saturating_sub(before) }))
    })?;
    println!("{told}");
    Ok(())
}

struct Engine {
    client: reqwest::Client,
    url: reqwest::Url,
    tasks: AtomicU64,
    wrong: AtomicU64,
}

impl Engine {
    fn new(address: SocketAddr) -> Result<Self, String> {
        let client =
            reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(PATIENCE).build().map_err(|e| e.to_string())?;
        let url = reqwest::Url::parse(&format!("http://{address}/in")).map_err(|e| e.to_string())?;
        Ok(Engine { client, url, tasks: AtomicU64::new(0), wrong: AtomicU64::new(0) })
    }

    async fn deliver(&self, message: Vec<u8>) {
        let good = match self.client.post(self.url.clone()).body(message).send().await {
            Ok(answer) => answer.status().is_success() && answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        self.wrong.fetch_add(u64::from(!good), Ordering::Relaxed);
    }
}

fn message(n: usize) -> Vec<u8> {
    let mut body = format!("{{\"n\":{n},\"text\":\"").into_bytes();
    body.resize(BODY - 2, b'x');
    body.extend_from_slice(b"\"}");
    body
}

/// As `go send(message)` does it.
async fn each(engine: &Arc<Engine>, count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..count {
        let engine = engine.clone();
        engine.tasks.fetch_add(1, Ordering::Relaxed);
        let message = message(n);
        tasks.spawn(async move { engine.deliver(message).await });
    }
    while tasks.join_next().await.is_some() {}
}

/// So many workers, and a queue before them.
async fn pool(engine: &Arc<Engine>, workers: usize, count: usize, queue: usize) {
    let (sender, rows) = mpsc::channel::<Vec<u8>>(queue.max(1));
    let rows = Arc::new(Mutex::new(rows));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..workers {
        let (engine, rows) = (engine.clone(), rows.clone());
        engine.tasks.fetch_add(1, Ordering::Relaxed);
        tasks.spawn(async move {
            loop {
                let next = rows.lock().await.recv().await;
                let Some(message) = next else { break };
                engine.deliver(message).await;
            }
        });
    }
    for n in 0..count {
        if sender.send(message(n)).await.is_err() {
            break;
        }
    }
    drop(sender);
    while tasks.join_next().await.is_some() {}
}

fn resident_kb(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// One engine in one table.
struct Entry {
    name: String,
    workers: usize,
    queue: usize,
    told: Vec<[f64; 3]>,
    missing: Option<String>,
}

impl Entry {
    fn new(name: String, workers: usize, queue: usize) -> Self {
        Entry { name, workers, queue, told: Vec::new(), missing: None }
    }

    fn round(&mut self, address: SocketAddr, count: u64) -> Result<(), String> {
        let bench = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(bench);
        command
            .args(["--client", "engine", &address.to_string()])
            .args([self.workers, count as usize, self.queue].map(|n| n.to_string()));
        let Run { out, .. } = child::run(&mut command, PATIENCE)?;
        let told: Value = serde_json::from_str(&out).map_err(|e| format!("{e}: {out}"))?;
        let number = |name: &str| told[name].as_f64().unwrap_or_default();
        self.told.push([number("seconds"), number("grown_kb"), number("tasks")]);
        Ok(())
    }

    fn middle(&self, at: usize) -> f64 {
        middle(self.told.iter().map(|told| told[at]).collect())
    }
}

/// The tables.
pub fn engines(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    let server = Server::start()?;
    let far = Distance::before(server.http, Duration::from_millis(10)).map_err(|e| e.to_string())?;
    for (title, address, count, workers) in [
        ("loopback, the founding example", server.http, 200, FOUNDING),
        ("a round trip of 20 ms, the founding example", far.address, 200, FOUNDING),
        ("loopback", server.http, scaled(2_000), 64),
        ("a round trip of 20 ms", far.address, scaled(800), 64),
    ] {
        let mut entries = vec![Entry::new("a task for each message, all at once".into(), 0, 0)];
        for queue in [1, 64, count as usize] {
            entries.push(Entry::new(format!("{workers} workers, a queue of {queue}"), workers, queue));
        }
        for _ in 0..ROUNDS {
            for entry in entries.iter_mut().filter(|entry| entry.missing.is_none()) {
                entry.missing = entry.round(address, count).err();
            }
        }
        println!("### {count} messages, {title}\n");
        println!("| engine | seconds | memory KB beside the idle client | tasks | time against a task each | memory | tasks |");
        println!("|---|---:|---:|---:|---:|---:|---:|");
        let base: Vec<f64> = (0..3).map(|at| entries[0].middle(at).max(f64::MIN_POSITIVE)).collect();
        for entry in &entries {
            if let Some(why) = &entry.missing {
                println!("| {} | left out: {why} | | | | | |", entry.name);
                continue;
            }
            let [seconds, kb, tasks] = [0, 1, 2].map(|at| entry.middle(at));
            let part = |at: usize, now: f64| format!("{:+.0} %", (now / base[at] - 1.0) * 100.0);
            println!(
                "| {} | {seconds:.3} | {kb:.0} | {tasks:.0} | {} | {} | {} |",
                entry.name,
                part(0, seconds),
                part(1, kb),
                part(2, tasks)
            );
        }
        println!();
    }
    close(&server, scaled(20_000))
}

/// SIGTERM in the middle of notify's own flow: how long until it has ended, and what it left.
fn close(server: &Server, rows: u64) -> Result<(), String> {
    let far = Distance::before(server.http, Duration::from_millis(50)).map_err(|e| e.to_string())?;
    println!("### SIGTERM in the middle, a round trip of 100 ms\n");
    println!("| in flight | seconds to the end | round trips | exit | taken by the server | sent | in doubt | pending | lost |");
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for width in ["8", "64"] {
        let job = Job::new(rows, server.smtp, far.address)?;
        let before = server.taken()?;
        let out = job.path().join("out");
        let mut child = job
            .command("users.csv", "hook", &["-t", "notice", "-j", width], &out)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let begun = Instant::now();
        while server.taken()? - before < 200 && begun.elapsed() < PATIENCE {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let stopped = Instant::now();
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                break status;
            }
            if stopped.elapsed() > PATIENCE {
                let _ = child.kill();
                return Err("notify did not end after SIGTERM".into());
            }
            std::thread::park_timeout(Duration::from_millis(1));
        };
        let seconds = stopped.elapsed().as_secs_f64();
        let taken = server.taken()? - before;
        let text = std::fs::read(out.join("report.json")).map_err(|e| format!("report.json: {e}"))?;
        let report: Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        let number = |name: &str| report[name].as_u64().unwrap_or_default();
        let (sent, doubt, pending) = (number("sent"), number("in_doubt"), number("pending"));
        let lost = rows.saturating_sub(sent + doubt + pending + number("failed") + number("skipped"));
        println!(
            "| {width} | {seconds:.3} | {:.1} | {} | {taken} | {sent} | {doubt} | {pending} | {lost} |",
            seconds / 0.1,
            status.code().unwrap_or_default()
        );
    }
    println!();
    Ok(())
}
