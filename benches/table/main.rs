//! Prints the tables of docs/performance.md: notify's whole job beside its peers, in the same run, as ratios.
//!
//! `cargo bench --bench table` prints all; `-- smtp`, `-- distance`, `-- webhook`, `-- batches`, `-- pool`, `-- memory` and `-- resting` choose. NOTIFY_BENCH_SCALE
//! (1.0) multiplies the numbers of rows. Rounds are interleaved, so that a machine that is busy for a while is busy for everybody;
//! the middle of three counts. Every program has a deadline; one that fails is told and left out.

mod batches;
mod child;
mod client;
mod distance;
mod job;
mod pool;
mod server;
mod services;

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::child::Run;
use crate::distance::Distance;
use crate::job::{Done, Job};
use crate::server::Server;

/// Rounds of each table.
const ROUNDS: usize = 3;
/// Bytes of a ready mail, and about those of notify's.
const MAIL: usize = 2048;
/// Bytes of a ready request body, and about those of notify's.
const BODY: usize = 300;
/// No run of a program may take longer; the memory table's may take three times that.
const PATIENCE: Duration = Duration::from_secs(100);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ended = match words.first().map(String::as_str) {
        Some("--client") => client::main(&words[1..]),
        _ if words.iter().any(|word| word == "--bench") => tables(&words),
        _ => {
            println!("a table of measurements: run it with `cargo bench --bench table`");
            Ok(())
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn tables(words: &[String]) -> Result<(), String> {
    let scale: f64 = std::env::var("NOTIFY_BENCH_SCALE").ok().and_then(|word| word.parse().ok()).unwrap_or(1.0);
    let chosen: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let scaled = |rows: u64| ((rows as f64 * scale) as u64).max(64);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sync = sync_cost().map_or_else(|e| e.to_string(), |cost| format!("{} us", cost.as_micros()));
    println!("{cores} cores; fdatasync of 4 KB on the journal's disk: {sync}; scale {scale}; the middle of {ROUNDS} rounds\n");
    for (name, table) in [
        ("smtp", smtp as fn(&dyn Fn(u64) -> u64) -> Result<(), String>),
        ("distance", distant),
        ("webhook", webhook),
        ("batches", batches::batches),
        ("pool", pool::engines),
        ("memory", memory),
        ("resting", resting),
    ] {
        if chosen.is_empty() || chosen.contains(&name) {
            let started = Instant::now();
            table(&scaled)?;
            println!("({name}: {:.0} s)\n", started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

/// A program of a table.
struct Row<'a> {
    name: &'static str,
    /// Messages of one round.
    count: u64,
    measure: Measure<'a>,
    /// Messages a second and CPU microseconds a message, by round.
    rounds: Vec<(f64, f64)>,
    /// The same without preflight, where that is known.
    sending: Vec<f64>,
    missing: Option<String>,
}

enum Measure<'a> {
    /// The whole job: account, template, flags.
    Whole(&'a Job, &'static str, &'static str, &'static [&'static str]),
    /// A program that prints the seconds it took.
    Client(Box<dyn Fn() -> Command + 'a>),
    /// Not to be had here.
    Missing(String),
}

fn row<'a>(name: &'static str, count: u64, measure: Measure<'a>) -> Row<'a> {
    Row { name, count, measure, rounds: Vec::new(), sending: Vec::new(), missing: None }
}

impl Row<'_> {
    fn round(&mut self, server: &Server) -> Result<(), String> {
        let before = server.taken()?;
        let (seconds, sending, run): (Duration, Option<Duration>, Run) = match &self.measure {
            Measure::Whole(job, account, template, more) => {
                let Done { run, sending, sent, results } = job.batch(account, template, more, PATIENCE)?;
                if sent != self.count || results != self.count {
                    return Err(format!("{} rows, {sent} sent, {results} in results.csv", self.count));
                }
                (run.wall, Some(sending), run)
            }
            Measure::Client(command) => {
                let run = child::run(&mut command(), PATIENCE)?;
                (run.told().ok_or_else(|| format!("it printed {:?}", run.out))?, None, run)
            }
            Measure::Missing(why) => return Err(why.clone()),
        };
        let taken = server.taken()? - before;
        if taken != self.count {
            return Err(format!("the server took {taken} of {}", self.count));
        }
        let taken = taken as f64;
        self.rounds.push((taken / seconds.as_secs_f64(), run.cpu.as_secs_f64() * 1e6 / taken));
        self.sending.extend(sending.map(|sending| taken / sending.as_secs_f64().max(1e-9)));
        Ok(())
    }
}

/// Runs the rounds and prints the table; `ratios` are against the first row, which is notify's.
fn compare(title: &str, server: &Server, mut rows: Vec<Row<'_>>) {
    for _ in 0..ROUNDS {
        for row in rows.iter_mut().filter(|row| row.missing.is_none()) {
            row.missing = row.round(server).err();
        }
    }
    println!("### {title}\n\n| client | messages a round | messages/s | CPU us a message | notify is so many times as fast |");
    println!("|---|---:|---:|---:|---:|");
    let mut base = None;
    let mut missing = Vec::new();
    for mut row in rows {
        if let Some(why) = row.missing {
            missing.push(format!("{}: left out: {why}", row.name));
            continue;
        }
        let cpu = middle(row.rounds.iter().map(|round| round.1).collect());
        let rate = middle(row.rounds.iter().map(|round| round.0).collect());
        let cpu = if cpu > 0.0 { format!("{cpu:.0}") } else { "-".to_owned() };
        let base = *base.get_or_insert(rate);
        println!("| {} | {} | {rate:.0} | {cpu} | {} |", row.name, row.count, ratio(base / rate));
        if !row.sending.is_empty() {
            let rate = middle(std::mem::take(&mut row.sending));
            println!("| {}, preflight not counted | {} | {rate:.0} | | {} |", row.name, row.count, ratio(base / rate));
        }
    }
    println!();
    for line in missing {
        println!("{line}\n");
    }
}

fn ratio(ratio: f64) -> String {
    if ratio >= 20.0 { format!("{ratio:.0}") } else { format!("{ratio:.2}") }
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// A client of our own as a process.
fn own<'a>(kind: &'static str, address: SocketAddr, width: usize, count: u64, bytes: usize) -> Measure<'a> {
    match std::env::current_exe() {
        Ok(bench) => Measure::Client(Box::new(move || {
            let mut command = Command::new(&bench);
            command.args(["--client", kind, &address.to_string()]).args([
                width.to_string(),
                count.to_string(),
                bytes.to_string(),
            ]);
            command
        })),
        Err(why) => Measure::Missing(why.to_string()),
    }
}

/// A Python peer; `what` is the size of a ready mail or body, or the list of the whole job.
fn script<'a>(file: &'static str, address: String, width: usize, count: u64, what: String) -> Measure<'a> {
    let path = peers().join(file);
    let imports = if file == "http_loop.py" { "import requests" } else { "import smtplib" };
    let known = Command::new("python3").args(["-c", imports]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        return Measure::Missing(format!("python3 cannot `{imports}` here"));
    }
    Measure::Client(Box::new(move || {
        let mut command = Command::new("python3");
        command.arg(&path).arg(&address).args([&width.to_string(), &count.to_string(), &what]);
        command
    }))
}

fn lettre<'a>(peer: &Result<PathBuf, String>, address: SocketAddr, count: u64) -> Measure<'a> {
    match peer.clone() {
        Ok(path) => Measure::Client(Box::new(move || {
            let mut command = Command::new(&path);
            command.arg(address.to_string()).args(["8".to_owned(), count.to_string(), MAIL.to_string()]);
            command
        })),
        Err(why) => Measure::Missing(why),
    }
}

fn peers() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// Builds lettre's pool, which is no dependency of notify.
fn build_lettre() -> Result<PathBuf, String> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-peers");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(peers().join("lettre-pool/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .output();
    match built {
        Ok(built) if built.status.success() => Ok(target.join("release/lettre-pool")),
        Ok(built) => Err(format!(
            "it does not build: {}",
            String::from_utf8_lossy(&built.stderr).lines().find(|line| line.starts_with("error")).unwrap_or_default()
        )),
        Err(why) => Err(why.to_string()),
    }
}

fn smtp(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    let server = Server::start()?;
    let peer = build_lettre();
    let rows = scaled(20_000);
    let job = Job::new(rows, server.smtp, server.http)?;
    let (pool, one, eight, many) = (scaled(300), scaled(800), scaled(2_400), scaled(60_000));
    let (at, list) = (server.smtp, job.path().join("users.csv").display().to_string());
    let rows = vec![
        row("**notify batch**, the whole job", rows, Measure::Whole(&job, "mail", "letter", &[])),
        row("lettre, pooled async transport, ready mail", pool, lettre(&peer, at, pool)),
        row(
            "smtplib loop: row, template, EmailMessage; 1 process",
            one,
            script("smtp_loop.py", at.to_string(), 1, one, list.clone()),
        ),
        row("the same, 8 processes", eight, script("smtp_loop.py", at.to_string(), 8, eight, list)),
        row("smtplib loop, ready mail; 1 process", one, script("smtp_loop.py", at.to_string(), 1, one, MAIL.to_string())),
        row("the same, 8 processes", eight, script("smtp_loop.py", at.to_string(), 8, eight, MAIL.to_string())),
        row("ready mail, waits for each reply", many, own("lock-step", at, 8, many, MAIL)),
        row("ready mail, next head behind the body (the limit)", many, own("limit", at, 8, many, MAIL)),
    ];
    compare("SMTP on loopback, 8 connections, 2 KB mails", &server, rows);
    Ok(())
}

fn distant(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    let server = Server::start()?;
    let proxy = Distance::before(server.smtp, Duration::from_millis(10)).map_err(|e| e.to_string())?;
    let peer = build_lettre();
    let rows = scaled(2_000);
    let job = Job::new(rows, proxy.address, server.http)?;
    let (pool, python, steps, most) = (scaled(160), scaled(200), scaled(400), scaled(1_500));
    let at = proxy.address;
    let rows = vec![
        row("**notify batch**, the whole job", rows, Measure::Whole(&job, "mail", "letter", &[])),
        row("lettre, pooled async transport, ready mail", pool, lettre(&peer, at, pool)),
        row("smtplib loop, ready mail; 8 processes", python, script("smtp_loop.py", at.to_string(), 8, python, MAIL.to_string())),
        row("ready mail, waits for each reply", steps, own("lock-step", at, 8, steps, MAIL)),
        row("ready mail, next head behind the body (the limit)", most, own("limit", at, 8, most, MAIL)),
    ];
    compare("SMTP behind a round trip of 20 ms, 8 connections, 2 KB mails", &server, rows);
    Ok(())
}

fn webhook(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    let server = Server::start()?;
    let (rows, ready, python) = (scaled(20_000), scaled(40_000), scaled(2_000));
    let job = Job::new(rows, server.smtp, server.http)?;
    let rows = vec![
        row("**notify batch**, the whole job", rows, Measure::Whole(&job, "hook", "notice", &["-j", "64"])),
        row("reqwest loop, ready body", ready, own("reqwest", server.http, 64, ready, BODY)),
        row(
            "requests loop, 64 threads, a session each",
            python,
            script("http_loop.py", format!("http://{}/in", server.http), 64, python, BODY.to_string()),
        ),
    ];
    compare("Webhook on loopback, 64 in flight, 300 bytes", &server, rows);
    Ok(())
}

/// Peak memory by the number of rows, each run once: it does not depend on how busy the machine is.
fn memory(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    println!("### Memory over SMTP, 8 connections\n");
    println!("| rows | peak MB | ratio | in results.csv | taken by the server | rows/s, whole job | CPU us a row |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut base = None;
    for rows in [scaled(100_000), scaled(1_000_000)] {
        let server = Server::start()?;
        let job = Job::new(rows, server.smtp, server.http)?;
        let Done { run, results, .. } = job.batch("mail", "letter", &[], PATIENCE * 3)?;
        let peak = run.peak_kb as f64 / 1024.0;
        let ratio = peak / *base.get_or_insert(peak);
        let (rate, cpu) = (rows as f64 / run.wall.as_secs_f64(), run.cpu.as_secs_f64() * 1e6 / rows as f64);
        println!("| {rows} | {peak:.1} | {ratio:.2} | {results} | {} | {rate:.0} | {cpu:.0} |", server.taken()?);
    }
    println!();
    Ok(())
}

/// Peak memory where many rows rest at once: 30 % are put off at their first try, for some minutes.
fn resting(scaled: &dyn Fn(u64) -> u64) -> Result<(), String> {
    println!("### Memory over SMTP where 30 % of the rows are put off, for up to four minutes each\n");
    println!("| rows | peak MB | ratio | in results.csv | taken by the server | seconds |");
    println!("|---:|---:|---:|---:|---:|---:|");
    let mut base = None;
    for (rows, put_off) in [(scaled(1_000_000), false), (scaled(1_000_000), true)] {
        let server = Server::start_with(if put_off { &["--faults", "451*1@30%"] } else { &[] })?;
        let job = Job::new(rows, server.smtp, server.http)?;
        let waits = ["--delay", "4m", "--max-delay", "4m"];
        let Done { run, results, .. } = job.batch("mail", "letter", &waits, PATIENCE * 5)?;
        let peak = run.peak_kb as f64 / 1024.0;
        let ratio = peak / *base.get_or_insert(peak);
        let told = if put_off { format!("{rows}, 30 % put off") } else { rows.to_string() };
        println!("| {told} | {peak:.1} | {ratio:.2} | {results} | {} | {:.0} |", server.taken()?, run.wall.as_secs_f64());
    }
    println!();
    Ok(())
}

/// What one durable write costs where the journal is: the middle of twenty.
fn sync_cost() -> std::io::Result<Duration> {
    let mut file: File = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut costs = Vec::with_capacity(20);
    for _ in 0..20 {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        costs.push(started.elapsed().as_secs_f64());
    }
    Ok(Duration::from_secs_f64(middle(costs)))
}
