//! `-j auto` against real servers on loopback: what the server's own clock says, and what the reports tell.

use serde_json::Value;

use crate::world::{Sink, World};

/// A list of notices to the one webhook, by that server.
fn world(sink: &Sink, more: &str, rows: usize) -> World {
    let world = World::with_webhook(sink.http, more);
    world.template();
    world.list("list.csv", rows);
    world
}

fn send(world: &World, more: &[&str]) {
    let mut args = vec!["batch", "list.csv", "-t", "hello", "--yes", "-q", "--out", "out", "--delay", "20ms", "--retries", "20"];
    args.extend(more);
    world.notify(&args).code(0);
}

/// Requests taken in a second, from the first to the last, by the server's clock; and the most at once.
fn rate(sink: &Sink) -> (f64, u64) {
    let at: Vec<u64> = sink.taken().iter().filter_map(|line| line["at_ms"].as_u64()).collect();
    let (first, last) = (at.iter().min().expect("some"), at.iter().max().expect("some"));
    let rate = at.len() as f64 * 1000.0 / (last - first).max(1) as f64;
    (rate, sink.counts()["most_at_once"].as_u64().unwrap_or_default())
}

/// What `-j auto` reaches of the best of these fixed widths, each against a server of its own.
fn share(server: &[&str], more: &str, rows: usize, widths: &[&str]) -> (f64, u64, World) {
    let fixed = widths.iter().map(|width| {
        let sink = Sink::start(server);
        send(&world(&sink, more, rows), &["-j", width]);
        rate(&sink).0
    });
    let best = fixed.fold(0.0, f64::max);
    let sink = Sink::start(server);
    let world = world(&sink, more, rows);
    send(&world, &["-j", "auto"]);
    let (own, most) = rate(&sink);
    println!("{server:?}: {own:.0}/s, best fixed {best:.0}/s, {most} at once");
    (own / best, most, world)
}

#[test]
fn a_server_far_away_is_given_more_and_more_and_never_more_than_is_allowed() {
    let (share, most, world) = share(&["--delay", "50ms"], "concurrency: { max: 64 }", 6_000, &["8", "64"]);
    assert!(share >= 0.7, "{share}");
    assert!(most <= 64, "{most}");
    let report = world.json("out/report.json");
    let tuning = report["tuning"].as_array().expect("a list");
    assert!(!tuning.is_empty());
    let widths: Vec<u64> = tuning.iter().filter_map(|entry| entry["concurrency"].as_u64()).collect();
    assert_eq!(widths.iter().max(), Some(&64), "{widths:?}");
    for field in ["time", "account", "concurrency", "batch_size", "throughput", "latency", "error_share", "reason", "confidence"]
    {
        assert!(tuning.iter().all(|entry| entry.get(field).is_some_and(|value| !value.is_null())), "{field}");
    }
    assert!(tuning.iter().any(|entry| entry["memory"].as_u64() > Some(1 << 20)));
}

#[test]
fn a_server_that_breaks_down_beyond_a_knee_is_kept_under_it() {
    let (share, _, world) = share(&["--delay", "20ms", "--knee", "32"], "", 8_000, &["16", "32"]);
    // On a busy machine: the search is a good part of a run of a few seconds, and what is asked in rounds is asked in src/tune/tests.
    assert!(share >= 0.4, "{share}");
    let report = world.json("out/report.json");
    let last = report["tuning"].as_array().and_then(|entries| entries.last()).cloned().unwrap_or_default();
    assert!(last["concurrency"].as_u64() <= Some(48), "{last}");
}

#[test]
fn a_limit_that_is_told_by_429_alone_is_found_without_end_of_refusals() {
    let sink = Sink::start(&["--delay", "5ms", "--limit", "100/s"]);
    let world = world(&sink, "", 1_500);
    send(&world, &[]);
    let (rate, _) = rate(&sink);
    let refused = sink.ledger().iter().filter(|line| line["status"] == 429).count();
    assert!(rate >= 60.0, "{rate} of 100 a second");
    assert!(refused <= 120, "{refused} refused");
}

#[test]
fn what_a_run_learned_is_where_the_next_begins() {
    let sink = Sink::start(&["--delay", "50ms"]);
    let world = world(&sink, "concurrency: { max: 96, initial: 2 }", 3_000);
    send(&world, &[]);
    let first = |world: &World| {
        let report = world.json("out/report.json");
        report["tuning"][0]["concurrency"].as_u64().expect("a number")
    };
    assert!(first(&world) < 48, "{}", first(&world));
    world.list("list.csv", 3_001);
    send(&world, &[]);
    assert!(first(&world) >= 48, "{}", first(&world));
}

#[test]
fn the_page_needs_nothing_else_and_hides_what_the_results_hide() {
    let sink = Sink::start(&["--faults", "http-400:body=*user3@*"]);
    let world = world(&sink, "", 20);
    let args = ["batch", "list.csv", "-t", "hello", "--yes", "-q", "--out", "out"];
    world.notify(&args).code(1);
    let page = world.read("out/report.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("Rows that failed") && page.contains("user3@example3.com"));
    assert!(!page.contains("<script") && !page.contains("src="));
    let told = world.notify(&["report", "--format", "html"]).code(0).out;
    assert!(told.contains("user3@example3.com"));
    let files: Value = world.json("out/report.json")["files"].clone();
    assert!(files["report_html"].as_str().is_some_and(|path| path.ends_with("report.html")));
}

#[test]
fn keys_of_concurrency_are_checked_with_their_place() {
    let world = World::new();
    world.config(
        "accounts:\n  hook:\n    platform: webhook\n    url: http://127.0.0.1:9/in\n    concurrency: { min: 8, maks: 4 }\n",
    );
    world.notify(&["config", "check"]).code(4).out_has("did you mean `max`?").out_has("5:");
    world.config(
        "accounts:\n  hook:\n    platform: webhook\n    url: http://127.0.0.1:9/in\n    concurrency: { min: 8, max: 4 }\n",
    );
    world.notify(&["config", "check"]).code(4).out_has("the smaller one first");
    world.config(
        "accounts:\n  hook:\n    platform: webhook\n    url: http://127.0.0.1:9/in\n    concurrency: { min: 1, max: 64, initial: 8, target_latency: 200ms, target_rate: 50/s }\n",
    );
    world.notify(&["config", "check"]).code(0);
}
