//! The main job over HTTP: every answer is judged by its body, and a hint of the server is a floor.

use serde_json::Value;

use crate::world::{Sink, World};

fn run(faults: &str, more: &str, rows: usize, args: &[&str]) -> (World, Sink, i32) {
    let sink = Sink::start(&["--faults", faults]);
    let world = World::with_webhook(sink.http, more);
    world.list("users.csv", rows);
    world.template();
    let mut all = vec!["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--delay", "10ms", "--max-delay", "50ms"];
    all.extend(args);
    let ended = world.notify(&all);
    let code = ended.code;
    assert!(world.path("out/report.json").exists(), "exit {code}\n{}", ended.err);
    (world, sink, code)
}

fn kinds(world: &World) -> Vec<(String, String)> {
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    world.jsonl("out/results.jsonl").iter().map(|row| (word(row, "status"), word(row, "kind"))).collect()
}

#[test]
fn every_row_is_posted_with_its_own_key() {
    let (_world, sink, code) = run("", "", 40, &[]);
    assert_eq!(code, 0);
    let taken = sink.taken();
    assert_eq!(taken.len(), 40);
    let keys: std::collections::BTreeSet<String> =
        taken.iter().map(|line| line["headers"]["idempotency-key"].to_string()).collect();
    assert_eq!(keys.len(), 40);
    let body: Value = serde_json::from_str(taken[0]["body"].as_str().expect("body")).expect("JSON");
    assert!(body["text"].as_str().expect("text").contains("Dear"), "{body}");
}

#[test]
fn a_200_with_an_error_inside_is_an_error() {
    let (world, _sink, code) =
        run("http-error-body@100%", "success: { all: [ { status: 2xx }, { json: /ok, eq: true } ] }", 3, &[]);
    assert_eq!(code, 1);
    assert!(kinds(&world).iter().all(|(status, _)| status == "failed"), "{:?}", kinds(&world));
}

#[test]
fn server_errors_are_in_doubt_and_refusals_are_not() {
    let (world, _, code) = run("http-500@100%", "", 2, &[]);
    assert_eq!(code, 6);
    assert!(kinds(&world).iter().all(|(status, _)| status == "in_doubt"), "{:?}", kinds(&world));
    let (world, _, code) = run("http-503@100%", "", 2, &["--retries", "1"]);
    assert_eq!(code, 1);
    assert!(kinds(&world).iter().all(|(status, kind)| status == "failed" && kind == "unavailable"), "{:?}", kinds(&world));
    let (world, sink, code) = run("http-401@100%", "", 5, &[]);
    assert_eq!(code, 4);
    assert_eq!(world.json("out/report.json")["pending"], 5);
    assert!(sink.taken().is_empty());
}

#[test]
fn a_cut_after_the_request_is_in_doubt_and_is_resent_only_where_that_is_harmless() {
    let (world, sink, code) = run("http-cut-after*1", "", 5, &[]);
    assert_eq!(code, 6);
    assert!(kinds(&world).iter().any(|(status, _)| status == "in_doubt"), "{:?}", kinds(&world));
    assert!(sink.taken().len() <= 5);
    let (world, _, code) = run("http-cut-after*1", "idempotent: true", 5, &[]);
    assert_eq!(code, 0);
    assert!(kinds(&world).iter().all(|(status, _)| status == "sent"), "{:?}", kinds(&world));
}

#[test]
fn a_429_holds_the_lane_and_costs_no_attempt() {
    let (world, sink, code) = run("http-429[retry=1]*1", "", 3, &["--retries", "0", "-j", "1"]);
    assert_eq!(code, 0);
    assert_eq!(sink.taken().len(), 3);
    assert!(world.jsonl("out/results.jsonl").iter().all(|row| row["attempts"] == 1));
}

#[test]
fn the_url_of_a_webhook_never_shows() {
    let sink = Sink::start(&["--faults", "http-500@100%"]);
    let world = World::new();
    world.config("defaults: { via: hook }\naccounts: { hook: { platform: webhook } }\n");
    world.template();
    world.file(
        "rows.csv",
        format!("webhook,name,n\nhttp://{}/hooks/s3cr3t-token?k=v,A,1\nhttp://127.0.0.1:1/hooks/s3cr3t-token,B,2\n", sink.http),
    );
    let ended = world.notify(&["batch", "rows.csv", "-t", "hello", "--yes", "--out", "out", "-vvv", "--json", "--retries", "0"]);
    assert!(!ended.out.contains("s3cr3t") && !ended.err.contains("s3cr3t"), "{}\n{}", ended.out, ended.err);
    for name in ["out/results.jsonl", "out/results.csv", "out/report.json"] {
        assert!(!world.read(name).contains("s3cr3t"), "{name}");
    }
    // The retry file holds the row's own data, and is for its owner only.
    assert!(world.read("out/failed.jsonl").contains("s3cr3t") || world.read("out/in_doubt.jsonl").contains("s3cr3t"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(world.path("out/failed.jsonl")).expect("file").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_wait_beyond_max_wait_leaves_the_rows_pending_and_says_when() {
    let (world, sink, code) = run("http-429[retry=3600]@100%", "", 600, &["--max-wait", "2s"]);
    assert_eq!(code, 5);
    let report = world.json("out/report.json");
    assert_eq!((&report["pending"], &report["failed"]), (&600.into(), &0.into()));
    assert!(sink.taken().is_empty());
    // The same where our own limit is what binds.
    let sink = Sink::start(&[]);
    let world = World::with_webhook(sink.http, "");
    world.list("users.csv", 3);
    world.template();
    world
        .notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--rate", "1/h"])
        .code(5)
        .err_has("resume after");
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn on_error_retry_goes_over_the_failures_once_more() {
    let (world, sink, code) = run("http-503*2", "", 9, &["--retries", "0", "--on-error", "retry"]);
    assert_eq!(code, 1, "refused twice, tried twice");
    assert!(world.jsonl("out/results.jsonl").iter().all(|row| row["attempts"] == 2 && row["status"] == "failed"));
    assert!(sink.taken().is_empty());
    let (world, sink, code) = run("http-503*1", "", 9, &["--retries", "0", "--on-error", "retry"]);
    assert_eq!(code, 0);
    assert_eq!((sink.taken().len(), world.json("out/report.json")["sent"].as_u64()), (9, Some(9)));
    let (world, _sink, code) = run("http-503@100%", "", 50, &["--retries", "0", "--on-error", "abort", "-j", "1"]);
    assert_eq!(code, 5);
    assert_eq!(world.json("out/report.json")["failed"], 1);
}
