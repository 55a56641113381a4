//! Who goes first: critical rows at the end of a list overtake, the others keep their share, and what rests costs no memory.
//!
//! The order in which a server took the rows is the measure: it does not depend on how busy the machine is.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::platforms::stage::{Asked, Reply, Stage};
use crate::service::{list, send, sums, texts, world};
use crate::world::{Sink, World, until};

/// Rows of the long list that say `low`, and those behind them that say `critical`.
const LOW: usize = 10_000;
const CRITICAL: usize = 100;
/// A low row goes after each eight critical ones, so that the last of them is at this place.
const WEIGHTED: usize = CRITICAL + CRITICAL.div_ceil(8);

/// A list of low rows and critical ones at its end.
fn mixed(world: &World, low: usize, critical: usize) {
    let mut text = String::from("email,name,n,_priority\n");
    for n in 0..low + critical {
        let priority = if n < low { "low" } else { "critical" };
        text.push_str(&format!("user{n}@example{}.com,Name {n},{n},{priority}\n", n % 7));
    }
    world.file("users.csv", text);
}

/// The rows in the order in which the server took them, by their numbers.
fn order(sink: &Sink) -> Vec<usize> {
    let number = |line: &Value| -> usize {
        let told = match line["rcpt"][0].as_str() {
            Some(to) => to.strip_prefix("user").and_then(|to| to.split('@').next()).map(str::to_owned),
            None => {
                let body: Value = serde_json::from_str(line["body"].as_str().expect("a body")).expect("JSON");
                let text = body.to_string();
                let (_, rest) = text.split_once("you are number ").expect("the template's text");
                Some(rest.chars().take_while(char::is_ascii_digit).collect())
            }
        };
        told.and_then(|told| told.parse().ok()).expect("the number of a row")
    };
    sink.taken().iter().map(number).collect()
}

/// How many rows were taken until the last critical one was, and how many of those were low.
fn overtaken(order: &[usize], low: usize, critical: usize) -> (usize, usize) {
    let last = order.iter().rposition(|n| *n >= low).expect("critical rows");
    let first = &order[..=last];
    assert_eq!(first.iter().filter(|n| **n >= low).count(), critical, "each critical row once");
    (first.len(), first.iter().filter(|n| **n < low).count())
}

/// One run over the long list that is stopped once there is enough to judge.
fn run(sink: &Sink, world: &World, more: &[&str]) -> Vec<usize> {
    world.template();
    mixed(world, LOW, CRITICAL);
    let mut args = vec!["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q", "--deadline", "1500ms"];
    args.extend(more);
    world.notify(&args).code(5);
    order(sink)
}

#[test]
fn late_critical_rows_overtake_by_weight_and_low_ones_keep_their_share() {
    for (width, more) in [(1, &["-j", "1"][..]), (64, &[])] {
        let sink = Sink::start(&[]);
        let world = World::with_smtp(sink.smtp, "limits: [ 300/s ]");
        let (taken, low) = overtaken(&run(&sink, &world, more), LOW, CRITICAL);
        assert!(taken <= WEIGHTED + width, "smtp {more:?}: the last critical row was number {taken}");
        assert!(low >= CRITICAL / 8 - 1, "smtp {more:?}: only {low} low rows went among {CRITICAL} critical ones");

        let sink = Sink::start(&[]);
        let world = World::with_webhook(sink.http, "limits: [ 300/s ]");
        let (taken, low) = overtaken(&run(&sink, &world, more), LOW, CRITICAL);
        assert!(taken <= WEIGHTED + width, "webhook {more:?}: the last critical row was number {taken}");
        assert!(low >= CRITICAL / 8 - 1, "webhook {more:?}: only {low} low rows went among {CRITICAL} critical ones");
    }
}

#[test]
fn strict_priority_lets_critical_rows_go_alone() {
    for more in [&["--strict-priority", "-j", "1"][..], &["--strict-priority"]] {
        let sink = Sink::start(&[]);
        let world = World::with_smtp(sink.smtp, "limits: [ 300/s ]");
        let order = run(&sink, &world, more);
        // Eight connections may finish in any order.
        let (taken, _) = overtaken(&order, LOW, CRITICAL);
        assert!(taken <= CRITICAL + 8, "{more:?}: the last critical row was number {taken}");
        assert!(order.len() > CRITICAL + 50, "low rows follow: {}", order.len());
    }
    // The same by config, and weights of one's own.
    for (scheduler, at_most, low_at_least) in
        [("strategy: strict", CRITICAL + 1, 0), ("weights: { low: 4, critical: 4 }", 2 * CRITICAL + 1, CRITICAL - 2)]
    {
        let sink = Sink::start(&[]);
        let world = World::new();
        world.config(&format!(
            "defaults: {{ via: hook, concurrency: 1 }}\nscheduler: {{ {scheduler} }}\n\
             accounts: {{ hook: {{ platform: webhook, url: \"http://{}/in\", limits: [ 300/s ] }} }}\n",
            sink.http
        ));
        let (taken, low) = overtaken(&run(&sink, &world, &[]), LOW, CRITICAL);
        assert!(taken <= at_most && low >= low_at_least, "{scheduler}: number {taken}, {low} low ones before it");
    }
}

#[test]
fn without_a_limit_a_slow_server_gets_critical_rows_first_too() {
    let sink = Sink::start(&["--delay", "4ms"]);
    let world = World::with_webhook(sink.http, "");
    world.template();
    mixed(&world, 2000, CRITICAL);
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q", "-j", "16"]).code(0);
    let order = order(&sink);
    assert_eq!(order.len(), 2000 + CRITICAL);
    let (taken, low) = overtaken(&order, 2000, CRITICAL);
    assert!(taken <= WEIGHTED + 16 && low >= CRITICAL / 8 - 1, "the last critical row was number {taken}, {low} low before it");
}

fn taken_together(asked: &Asked) -> Vec<bool> {
    let all = asked.json().as_array().cloned().unwrap_or_default();
    all.iter().map(|mail| mail["Subject"].as_str().is_some_and(|subject| subject.starts_with("critical"))).collect()
}

#[test]
fn requests_that_are_shared_are_of_one_priority_each_and_critical_ones_go_first() {
    let stage = Stage::start(|asked: &Asked| {
        let all = asked.json().as_array().map_or(0, Vec::len);
        let each = json!({"ErrorCode": 0, "Message": "OK", "MessageID": "m-1", "SubmittedAt": "2026-01-01T00:00:00Z", "To": "a@example.com"});
        Reply::json(200, &Value::Array(vec![each; all]))
    });
    let account = json!({"platform": "postmark", "base": stage.url(), "token": "server-secret-of-the-test"});
    let world = world(&json!({ "mail": account }));
    let row = |n: usize, word: &str| json!({"email": format!("user{n}@example.com"), "subject": format!("{word} {n}"), "text": "t", "_priority": word});
    list(&world, (0..10_000).map(|n| row(n, "low")).chain((10_000..10_120).map(|n| row(n, "critical"))));
    send(&world, "mail", &["--from", "news@example.org", "-b", "50", "-j", "1"]).code(0);
    assert_eq!(sums(&world).get("sent"), Some(&10_120));
    let calls: Vec<Vec<bool>> = stage.asked().iter().map(taken_together).collect();
    assert!(calls.iter().all(|call| call.iter().all(|critical| *critical == call[0])), "a request of two priorities");
    let critical: Vec<usize> = (0..calls.len()).filter(|at| calls[*at][0]).collect();
    // 50, 50 and 20 of them; between them at most one of the low ones.
    assert_eq!(critical.len(), 3, "{critical:?}");
    assert!(critical[2] <= 3, "critical requests were {critical:?}");
}

#[test]
fn a_word_that_is_no_priority_is_that_rows_mistake() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.template();
    let rows =
        "email,name,n,_priority\na@example.com,A,1,high\nb@example.com,B,2,urgent\nc@example.com,C,3,3\nd@example.com,D,4,\n";
    world.file("users.csv", rows);
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(3).err_has("users.csv:3:4 (_priority)");
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--skip-invalid", "-j", "1"]).code(1);
    let to: Vec<String> = sink.taken().iter().flat_map(|line| texts(&line["rcpt"])).collect();
    assert_eq!(to.len(), 3);
    assert!(to[0].starts_with("c@"), "3 is critical: {to:?}");
    // The retry file carries what the row said.
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--priority", "urgent"]).code(2);
}

#[test]
fn a_resumed_run_has_its_priorities_still() {
    let sink = Sink::start(&[]);
    let world = World::with_webhook(sink.http, "limits: [ 300/s ]");
    world.template();
    mixed(&world, 3000, 600);
    let args = ["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q", "-j", "1", "--deadline", "700ms"];
    world.notify(&args).code(5);
    let first = order(&sink).len();
    assert!(first < 600, "{first} before the stop");
    world.notify(&["resume", "--yes", "-q", "--deadline", "8s"]).code(5);
    let order = order(&sink);
    let (taken, low) = overtaken(&order, 3000, 600);
    // Each life begins with a critical row, and rounds are eight to one.
    assert!(taken <= 600 + 600 / 8 + 4, "the last critical row was number {taken}");
    assert!(low >= 600 / 8 - 4, "{low} low ones");
    let mut once = order.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), order.len(), "a row came twice");
}

/// Peak memory of a run over `rows` rows of which 30 % rest at once, in kB.
fn peak_of_resting(rows: usize) -> u64 {
    let sink = Sink::start(&["--faults", "451*1@30%"]);
    let world = World::with_smtp(sink.smtp, "");
    world.template();
    world.list("users.csv", rows);
    let args = ["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q", "--delay", "30s", "--max-delay", "30s"];
    let mut child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = until(|| {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default());
        child.try_wait().expect("wait").is_some()
    });
    assert!(ended, "it did not end");
    assert_eq!(world.json("out/report.json")["sent"].as_u64(), Some(rows as u64));
    most
}

#[test]
fn rows_that_rest_are_not_in_memory() {
    let (few, many) = (peak_of_resting(6_000), peak_of_resting(60_000));
    assert!(many < 64 * 1024, "{many} kB for 60,000 rows");
    assert!(many < few + few / 2, "{few} kB for 6,000 rows, {many} kB for 60,000");
}
