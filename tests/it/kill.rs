//! kill -9 at many moments, resume in between, and the server's own ledger as the only truth.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::world::{Sink, World, until, wait};

/// Moments at which the program is killed, spread over one run.
const KILLS: usize = 50;
const ROWS: usize = 2500;

/// What the ledger says was taken: how often, by recipient (SMTP) or by idempotency key (HTTP).
fn taken(sink: &Sink) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in sink.taken() {
        let who = match line["proto"].as_str() {
            Some("smtp") => line["rcpt"][0].as_str().expect("a recipient").to_owned(),
            _ => serde_json::from_str::<Value>(line["body"].as_str().expect("a body")).expect("JSON")["to"]
                .as_str()
                .expect("to")
                .to_owned(),
        };
        *counts.entry(who).or_default() += 1;
    }
    counts
}

fn start(world: &World, args: &[&str]) -> Child {
    world.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("notify starts")
}

/// Kills the child once the server has taken `more` messages beyond those it had, or lets it end.
fn kill_after(child: &mut Child, sink: &Sink, more: usize) {
    let goal = sink.ledger_lines() + more;
    until(|| sink.ledger_lines() >= goal || child.try_wait().expect("wait").is_some());
    let _ = child.kill();
    let _ = child.wait();
}

fn only_run(world: &World) -> String {
    let runs = world.notify(&["runs", "--json"]).code(0);
    let lines: Vec<Value> = runs.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 1, "one run: {}", runs.out);
    lines[0]["run"].as_str().expect("an id").to_owned()
}

/// Runs with kills in between; returns the exit code of the last life.
fn run_with_kills(world: &World, sink: &Sink, in_doubt: &str, seed: u64) -> i32 {
    world.list("users.csv", ROWS);
    world.template();
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut child = start(world, &["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q", "--delay", "10ms"]);
    let mut kills = 0;
    let mut run = String::new();
    while kills < KILLS {
        // Between nothing at all and a few hundred messages; now and then at once, in the middle of recovery.
        let more = if chance.u8(..8) == 0 { 1 } else { chance.usize(1..90) };
        kill_after(&mut child, sink, more);
        kills += 1;
        if run.is_empty() {
            run = only_run(world);
        }
        child = start(world, &["resume", &run, "--in-doubt", in_doubt, "-q", "--delay", "10ms"]);
    }
    let code = wait(&mut child, std::time::Duration::from_secs(120)).expect("the last life ends");
    if code == 10 {
        // The life before it had finished already; what it said is in the report.
        return world.json("out/report.json")["exit_code"].as_i64().expect("a code") as i32;
    }
    code
}

fn check(world: &World, sink: &Sink, resend: bool, address: fn(&Value) -> String) {
    let taken = taken(sink);
    let results = world.jsonl("out/results.jsonl");
    assert_eq!(results.len(), ROWS, "every row is in the results once");
    let rows: BTreeSet<u64> = results.iter().map(|row| row["row"].as_u64().expect("row")).collect();
    assert_eq!(rows.len(), ROWS);
    let mut by_status: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &results {
        let status = row["status"].as_str().expect("status");
        *by_status.entry(status).or_default() += 1;
        let to = address(row);
        let times = taken.get(&to).copied().unwrap_or_default();
        match status {
            "sent" => assert!(times >= 1, "{to} is reported sent, and the server never took it"),
            "in_doubt" => assert!(!resend, "{to} is in doubt although it was to be resent"),
            other => panic!("{to} is {other}"),
        }
        if times > 1 {
            assert!(resend && row["possible_duplicate"] == true, "{to} was taken {times} times unseen: {row}");
        }
    }
    for to in taken.keys() {
        assert!(results.iter().any(|row| address(row) == *to), "{to} was taken and is not in the results");
    }
    let report = world.json("out/report.json");
    for status in ["sent", "failed", "in_doubt", "skipped", "pending"] {
        assert_eq!(report[status].as_u64(), Some(by_status.get(status).copied().unwrap_or_default()), "{status} in report.json");
    }
    assert_eq!(report["total_messages"].as_u64(), Some(ROWS as u64));
}

fn email(row: &Value) -> String {
    row["to"].as_str().expect("to").to_owned()
}

#[test]
fn smtp_resend_loses_nothing_and_doubles_only_what_was_in_doubt() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 4");
    let code = run_with_kills(&world, &sink, "resend", 11);
    assert_eq!(code, 0, "{}", world.read("out/report.json"));
    check(&world, &sink, true, email);
}

#[test]
fn smtp_ask_doubles_nothing() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 4");
    let code = run_with_kills(&world, &sink, "ask", 12);
    assert!(code == 6 || code == 0, "exit {code}");
    check(&world, &sink, false, email);
    let doubt = world.json("out/report.json")["in_doubt"].as_u64().expect("a count");
    assert_eq!(code == 6, doubt > 0, "exit 6 says that rows are in doubt");
    // connections x window for each kill
    assert!(doubt <= (KILLS * 4 * 8) as u64, "{doubt} in doubt");
}

#[test]
fn webhook_resend_loses_nothing_and_doubles_only_what_was_in_doubt() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_webhook(sink.http, "");
    let code = run_with_kills(&world, &sink, "resend", 13);
    assert_eq!(code, 0, "{}", world.read("out/report.json"));
    check(&world, &sink, true, email);
    // The same row carries the same key at every attempt, so that a receiver can tell.
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in sink.taken() {
        let body: Value = serde_json::from_str(line["body"].as_str().expect("a body")).expect("JSON");
        let key = line["headers"]["idempotency-key"].as_str().expect("a key").to_owned();
        keys.entry(body["to"].as_str().expect("to").to_owned()).or_default().insert(key);
    }
    assert!(keys.values().all(|keys| keys.len() == 1), "one key a row");
}

#[test]
fn webhook_ask_doubles_nothing() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_webhook(sink.http, "");
    let code = run_with_kills(&world, &sink, "ask", 14);
    assert!(code == 6 || code == 0, "exit {code}");
    check(&world, &sink, false, email);
}

#[test]
fn a_resumed_run_needs_nothing_but_its_own_folder() {
    let sink = Sink::start(&["--delay", "2ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 2");
    let list = world.list("users.csv", 600);
    let template = world.template();
    let mut child = start(&world, &["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]);
    kill_after(&mut child, &sink, 100);
    let run = only_run(&world);
    std::fs::remove_file(list).expect("remove");
    std::fs::write(template, "Subject: Changed\n\nChanged for {{nobody}}.\n").expect("write");
    let elsewhere = tempfile::tempdir().expect("folder");
    let ended = crate::world::ended(
        world
            .command(&["resume", &run[..17], "--in-doubt", "resend"])
            .current_dir(elsewhere.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts"),
    );
    ended.code(0);
    assert_eq!(taken(&sink).len(), 600);
    assert!(sink.taken().iter().all(|line| line["subject"].as_str().expect("subject").starts_with("Hello Name")));
}

#[test]
fn two_processes_never_work_on_one_run() {
    let sink = Sink::start(&["--delay", "20ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 1\nwindow: 1");
    world.list("users.csv", 200);
    world.template();
    let mut child = start(&world, &["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]);
    assert!(until(|| sink.ledger_lines() > 2));
    let run = only_run(&world);
    let pid = child.id();
    world.notify(&["resume", &run]).code(11).err_has(&pid.to_string());
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_stream_that_came_by_stdin_is_resumed_from_the_spool() {
    let sink = Sink::start(&["--delay", "2ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 2");
    let list = std::fs::read(world.list("users.csv", 400)).expect("list");
    world.template();
    let mut child = world
        .command(&["batch", "-", "-t", "hello", "--yes", "--out", "out"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), &list).expect("written");
    kill_after(&mut child, &sink, 50);
    world.notify(&["resume", "--in-doubt", "resend"]).code(0);
    assert_eq!(taken(&sink).len(), 400);
}
