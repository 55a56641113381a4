//! When rows leave: moments, windows of the week, rows with a moment or a zone of their own, and rows that grow too old.

use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use serde_json::Value;

use crate::world::{Sink, World, ended, until, wait};

fn mail(sink: &Sink, more: &str) -> World {
    let world = World::with_smtp(sink.smtp, more);
    world.template();
    world.list("users.csv", 3);
    world
}

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"], more].concat()
}

/// A window of the week that is open or closed now, and stays so for the next minutes.
fn window(open: bool) -> String {
    let now = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let at = |minutes: i64| now.checked_add(minutes.minutes()).expect("a time").strftime("%H:%M").to_string();
    if open { format!("{}-{}", at(-30), at(30)) } else { format!("{}-{}", at(30), at(60)) }
}

fn statuses(world: &World) -> Vec<String> {
    let line =
        |row: &Value| format!("{} {}", row["status"].as_str().unwrap_or_default(), row["detail"].as_str().unwrap_or_default());
    world.jsonl("out/results.jsonl").iter().map(line).collect()
}

#[test]
fn nothing_leaves_before_its_moment() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    let begun = Instant::now();
    let ended = world.notify(&args(&["--at", "+1500ms", "--json"])).code(0);
    assert!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert!(ended.err.contains("waiting until") && ended.out.contains("\"type\":\"waiting\""), "{}{}", ended.err, ended.out);
    assert_eq!(sink.taken().len(), 3);
    // A moment that is over is no reason to wait.
    world.notify(&args(&["--again", "--at", "2020-01-01T00:00:00Z"])).code(0);
    world.notify(&args(&["--again", "--at", "soon"])).code(2).err_has("--at").err_has("09:00");
    assert_eq!(sink.taken().len(), 6);
}

#[test]
fn a_run_that_waits_is_stopped_and_waits_on_when_it_is_resumed() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    let moment = Timestamp::now().checked_add(SignedDuration::from_secs(6)).expect("a time");
    let mut child =
        world.command(&args(&["--at", &moment.to_string()])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let runs = || world.notify(&["runs", "--json"]).out;
    assert!(until(|| runs().contains("\"pending\":3")));
    let done = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(done.success());
    assert_eq!(wait(&mut child, Duration::from_secs(10)), Some(130), "a stop is heard while it waits");
    assert!(sink.taken().is_empty());
    world.notify(&["resume"]).code(0);
    assert!(Timestamp::now() >= moment, "the moment holds for the resumed run too");
    assert_eq!(sink.taken().len(), 3);
}

#[test]
fn the_deadline_counts_from_the_moment() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.notify(&args(&["--at", "+1s", "--deadline", "900ms"])).code(0);
    assert_eq!(sink.taken().len(), 3);
}

#[test]
fn outside_of_its_window_nothing_leaves() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.notify(&args(&["--window", &window(true), "--tz", "UTC"])).code(0);
    assert_eq!(sink.taken().len(), 3);
    // It is the user's own wish, so --max-wait does not end it; a deadline does.
    let shut = window(false);
    let begun = Instant::now();
    let ended =
        world.notify(&args(&["--again", "--window", &shut, "--tz", "UTC", "--max-wait", "1s", "--deadline", "1500ms"])).code(5);
    assert!(begun.elapsed() >= Duration::from_millis(1400), "it waited");
    assert!(ended.err.contains("waiting until") && ended.err.contains("--window"), "{}", ended.err);
    assert_eq!(sink.taken().len(), 3);
    assert_eq!(statuses(&world), ["pending ", "pending ", "pending "]);
    // Told anew, the resumed run goes on at once.
    world.notify(&["resume", "--window", &window(true)]).code(0);
    assert_eq!(sink.taken().len(), 6);
    for wrong in [["--window", "whenever"], ["--tz", "Mars/Base"]] {
        world.notify(&args(&[&["--again"], &wrong[..]].concat())).code(2).err_has(wrong[0]);
    }
}

#[test]
fn a_window_may_stand_in_the_config() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    let mut command = world.command(&args(&["--deadline", "300ms"]));
    command.env("NOTIFY_WINDOW", window(false)).env("NOTIFY_TZ", "UTC");
    ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")).code(5);
    assert!(sink.taken().is_empty());
}

#[test]
fn a_row_waits_for_its_own_moment() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    let at = |seconds: i64| Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).expect("a time").to_string();
    world.file(
        "users.csv",
        format!(
            "email,name,n,_send_at\nlate@example.com,Late,1,{}\nnow@example.com,Now,2,\nnever@example.com,Never,3,{}\n",
            at(2),
            at(3600)
        ),
    );
    world.notify(&args(&["--deadline", "3500ms"])).code(5);
    let order: Vec<String> = sink.taken().iter().map(|line| line["rcpt"].to_string()).collect();
    assert_eq!(order.len(), 2, "{order:?}");
    assert!(order[0].contains("now@") && order[1].contains("late@"), "{order:?}");
    assert_eq!(statuses(&world)[2], "pending waits for its own moment");
    assert!(world.jsonl("out/results.jsonl")[2]["not_before"].is_string());
    // It holds for the resumed run, too.
    world.notify(&["resume", "--deadline", "500ms"]).code(5);
    assert_eq!(sink.taken().len(), 2);
    world.file("users.csv", "email,name,n,_send_at\na@example.com,A,1,whenever\n");
    world.notify(&args(&[])).code(3).err_has("users.csv:2").err_has("_send_at");
}

#[test]
fn a_window_is_read_by_the_clock_of_the_row() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    // Eight hours around noon of one zone are night in the other, twelve hours away.
    let noon = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let hours = |offset: i64| noon.checked_add(offset.hours()).expect("a time").strftime("%H:%M").to_string();
    let window = format!("{}-{}", hours(-4), hours(4));
    world.file(
        "users.csv",
        "email,name,n,_tz\nhere@example.com,H,1,UTC\nthere@example.com,T,2,Etc/GMT+12\nrun@example.com,R,3,\n",
    );
    world.notify(&args(&["--window", &window, "--tz", "UTC", "--deadline", "1500ms"])).code(5);
    assert_eq!(statuses(&world), ["sent ", "pending waits for its own moment", "sent "], "by _tz");
    world.file("users.csv", "email,name,n,zone\nhere@example.com,H,1,UTC\nthere@example.com,T,2,Etc/GMT+12\n");
    world.notify(&args(&["--window", &window, "--tz-column", "zone", "--deadline", "1500ms"])).code(5);
    assert_eq!(statuses(&world), ["sent ", "pending waits for its own moment"], "by a column of any name");
    world.file("users.csv", "email,name,n,_tz\nhere@example.com,H,1,Mars/Base\n");
    world.notify(&args(&["--window", &window])).code(3).err_has("_tz").err_has("Mars/Base");
}

#[test]
fn what_is_too_old_is_skipped() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "limits: [ 2/s ]\nconnections: 1");
    world.template();
    world.list("users.csv", 40);
    world.notify(&args(&["--expires", "2s"])).code(0);
    let report = world.json("out/report.json");
    let (sent, skipped) = (report["sent"].as_u64().expect("sent"), report["skipped"].as_u64().expect("skipped"));
    assert_eq!((sent + skipped, sink.taken().len() as u64), (40, sent), "{report}");
    assert!((1..20).contains(&sent), "{report}");
    assert_eq!(statuses(&world).iter().filter(|told| *told == "skipped expired").count() as u64, skipped);
}

#[test]
fn a_resumed_run_is_as_old_as_its_first_process() {
    let sink = Sink::start(&["--delay", "20ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 1\nwindow: 1");
    world.template();
    world.list("users.csv", 60);
    let begun = Instant::now();
    world.notify(&args(&["--expires", "1500ms", "--deadline", "300ms"])).code(5);
    let before = sink.taken().len();
    assert!(until(|| begun.elapsed() > Duration::from_secs(2)));
    world.notify(&["resume"]).code(0);
    assert_eq!(sink.taken().len(), before, "all of it had expired");
    let report = world.json("out/report.json");
    assert_eq!((&report["skipped"], &report["pending"]), (&(60 - before).into(), &0.into()));
}
