//! Limits that processes and runs keep together, judged by the server's own ledger: windows, kills, days, addresses, shares.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::world::{Sink, World, ended, until, wait};

/// A world with one webhook account of that name, with these limits.
fn world_of(sink: &Sink, name: &str, limits: &str) -> World {
    let world = World::new();
    configure(&world, sink, name, limits);
    world.template();
    world
}

fn configure(world: &World, sink: &Sink, name: &str, limits: &str) {
    world.config(&format!(
        "defaults: {{ via: {name} }}\naccounts:\n  {name}: {{ platform: webhook, url: \"http://{}/in\", limits: {limits} }}\n",
        sink.http
    ));
}

/// A list of its own, so that processes have nothing but the account in common.
fn rows(world: &World, name: &str, count: usize) -> String {
    let lines: String = (0..count).map(|n| format!("{name}{n}@example.com,{name} {n},{n}\n")).collect();
    world.file(&format!("{name}.csv"), format!("email,name,n\n{lines}"));
    format!("{name}.csv")
}

fn start(world: &World, list: &str, out: &str, more: &[&str]) -> Child {
    let mut all = vec!["batch", list, "-t", "hello", "--yes", "--out", out, "-q"];
    all.extend(more);
    world.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("notify starts")
}

/// When the server took each, in milliseconds, in order.
fn times(sink: &Sink) -> Vec<u64> {
    let mut times: Vec<u64> = sink.taken().iter().map(|line| line["at_ms"].as_u64().expect("a time")).collect();
    times.sort_unstable();
    times
}

fn most(times: &[u64], window: u64) -> usize {
    (0..times.len())
        .map(|from| times[from..].iter().take_while(|at| **at < times[from] + window).count())
        .max()
        .unwrap_or_default()
}

/// The share of the rate that was used from the first to the last, in percent.
fn used(times: &[u64], a_second: f64) -> f64 {
    (times.len() - 1) as f64 / a_second / ((times[times.len() - 1] - times[0]) as f64 / 1000.0) * 100.0
}

#[test]
fn one_process_keeps_its_windows_and_uses_them() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 40/s ]");
    let list = rows(&world, "one", 240);
    ended(start(&world, &list, "out", &[])).code(0);
    let times = times(&sink);
    println!("one process: most in a second {} of 40 + 1, {:.1} % used", most(&times, 1000), used(&times, 40.0));
    assert_eq!(times.len(), 240);
    assert!(most(&times, 1000) <= 41, "{}", most(&times, 1000));
    assert!(used(&times, 40.0) >= 90.0, "{}", used(&times, 40.0));
}

#[test]
fn four_processes_keep_one_limit_together() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 40/s ]");
    let lists: Vec<String> = ["a", "b", "c", "d"].iter().map(|name| rows(&world, name, 80)).collect();
    let children: Vec<Child> = lists.iter().enumerate().map(|(n, list)| start(&world, list, &format!("out{n}"), &[])).collect();
    children.into_iter().for_each(|child| {
        ended(child).code(0);
    });
    let times = times(&sink);
    println!("four processes: most in a second {} of 40 + 1, {:.1} % used", most(&times, 1000), used(&times, 40.0));
    assert_eq!(times.len(), 320);
    assert!(most(&times, 1000) <= 41, "{}", most(&times, 1000));
    assert!(used(&times, 40.0) >= 85.0, "{}", used(&times, 40.0));
}

#[test]
fn a_run_that_is_killed_and_resumed_at_once_has_no_second_burst() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ { rate: 30/s, burst: 15 } ]");
    let list = rows(&world, "one", 150);
    let mut child = start(&world, &list, "out", &[]);
    for taken in [40, 80] {
        assert!(until(|| sink.ledger_lines() >= taken), "{} arrived", sink.ledger_lines());
        child.kill().expect("killed");
        child.wait().expect("gone");
        child = world
            .command(&["resume", "--yes", "-q", "--in-doubt", "resend"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("notify starts");
    }
    ended(child).code(0);
    let times = times(&sink);
    println!("killed twice: most in a second {} of 30 + 15, {:.1} % used", most(&times, 1000), used(&times, 30.0));
    assert!(times.len() >= 150, "{}", times.len());
    assert!(most(&times, 1000) <= 45, "{}", most(&times, 1000));
}

#[test]
fn two_configs_of_one_webhook_share_its_limit_whatever_they_call_it() {
    let sink = Sink::start(&[]);
    let (here, there) = (world_of(&sink, "hook", "[ 30/s ]"), world_of(&sink, "nightly", "[ 30/s ]"));
    let state = here.path("state").display().to_string();
    let children: Vec<Child> = [&here, &there]
        .iter()
        .enumerate()
        .map(|(n, world)| start(world, &rows(world, &format!("w{n}"), 75), "out", &["--state-dir", &state]))
        .collect();
    children.into_iter().for_each(|child| {
        ended(child).code(0);
    });
    let times = times(&sink);
    assert_eq!(times.len(), 150);
    assert!(most(&times, 1000) <= 31, "{}", most(&times, 1000));
}

#[test]
fn a_day_that_is_used_up_says_so_and_the_next_run_knows() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 20/1d ]");
    let (first, second) = (rows(&world, "one", 30), rows(&world, "two", 5));
    let begun = Instant::now();
    ended(start(&world, &first, "out", &[]))
        .code(5)
        .err_has("account hook has used up its limit of 20/d: resume after 20")
        .err_has("--wait-quota");
    assert_eq!((sink.taken().len(), world.json("out/report.json")["pending"].as_u64()), (20, Some(10)));
    ended(start(&world, &second, "out2", &[])).code(5).err_has("used up");
    ended(world.command(&["resume", "--yes", "-q"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"))
        .code(5);
    assert_eq!(sink.taken().len(), 20, "nothing more that day");
    assert!(begun.elapsed() < Duration::from_secs(60));
    let kept = std::fs::read(world.path("home/.local/state/notify/state.db")).expect("state.db");
    assert!(!kept.windows(9).any(|part| part == b"127.0.0.1"), "no endpoint is kept in clear");
}

#[test]
fn wait_quota_waits_for_what_max_wait_would_leave() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 10/61s ]");
    let list = rows(&world, "one", 12);
    ended(start(&world, &list, "out", &["--max-wait", "1s"])).code(5).err_has("used up its limit of 10/61s");
    assert_eq!(sink.taken().len(), 10);
    ended(
        world
            .command(&["resume", "--yes", "-q", "--max-wait", "1s", "--wait-quota"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts"),
    )
    .code(0);
    let times = times(&sink);
    assert_eq!(times.len(), 12);
    assert!(most(&times, 61_000) <= 10, "{}", most(&times, 61_000));
    assert!(times[11] - times[0] < 75_000, "{}", times[11] - times[0]);
}

#[test]
fn an_address_has_its_share_over_all_runs() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ { rate: 1/h, per: address }, { rate: 3/1d, per: address } ]");
    let list = rows(&world, "one", 50);
    ended(start(&world, &list, "out", &[])).code(0);
    // Another name, another case of the same addresses, another account of the same platform, and ten that are new.
    configure(&world, &sink, "other", "[ { rate: 1/h, per: address }, { rate: 3/1d, per: address } ]");
    let again = std::fs::read_to_string(world.path("one.csv")).expect("the list").replace("one", "ONE");
    let new: String = (0..10).map(|n| format!("new{n}@example.com,new {n},{n}\n")).collect();
    world.file("two.csv", format!("{again}{new}"));
    ended(start(&world, "two.csv", "out2", &[])).code(5).err_has("1/h per address").err_has("resume after");
    assert_eq!(sink.taken().len(), 60, "fifty had theirs");
    assert_eq!(world.json("out2/report.json")["pending"], 50);
}

#[test]
fn limits_of_requests_are_taken_from_the_config() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ { rate: 20/s, of: requests } ]");
    let list = rows(&world, "one", 60);
    ended(start(&world, &list, "out", &[])).code(0);
    let times = times(&sink);
    assert!(times.len() == 60 && most(&times, 1000) <= 21, "{}", most(&times, 1000));
    configure(&world, &sink, "hook", "[ { rate: 20/s, of: requets } ]");
    ended(start(&world, &list, "out", &[])).code(4).err_has("did you mean `requests`?");
}

#[test]
fn without_state_db_nobody_knows_who_is_suppressed_and_nothing_is_sent() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 20/s ]");
    let list = rows(&world, "one", 30);
    std::fs::create_dir_all(world.path("home/.local/state/notify/state.db")).expect("a folder in its place");
    ended(start(&world, &list, "out", &[])).code(4).err_has("the suppression list cannot be read");
    assert_eq!(sink.ledger_lines(), 0);
}

/// Two runs at once, of which one is worth more.
#[test]
fn runs_share_an_account_by_their_priority() {
    let sink = Sink::start(&[]);
    let world = world_of(&sink, "hook", "[ 50/s ]");
    let (low, critical) = (rows(&world, "low", 600), rows(&world, "critical", 240));
    let mut slow = start(&world, &low, "out1", &["--priority", "low"]);
    assert!(until(|| sink.ledger_lines() >= 20));
    let fast = start(&world, &critical, "out2", &["--priority", "critical"]);
    ended(fast).code(0);
    let count =
        |name: &str| sink.taken().iter().filter(|line| line["body"].as_str().is_some_and(|body| body.contains(name))).count();
    let low = count("low");
    println!("240 critical ones while {low} low ones went");
    assert!((20..120).contains(&low), "{low}");
    slow.kill().expect("killed");
    wait(&mut slow, Duration::from_secs(10));
}
