//! kill -9 while requests for many rows are under way: no row is lost, and what goes again goes with the same key and the same set.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::platforms::stage::{Asked, Reply, Stage};
use crate::service::{aliyun, aliyun_ok, form_json, list, number, start, sums, texts, told, world};
use crate::world::{World, until, wait};

/// Moments at which the program is killed, spread over one run.
const KILLS: usize = 20;
const ROWS: usize = 2000;

/// Kills the child once so many more requests have arrived and, perhaps, a little later: before, while and after the answer is written
/// down. Or it ends first.
fn kill_after(child: &mut Child, stage: &Stage, more: usize, later: Duration) {
    let goal = stage.count() + more;
    until(|| stage.count() >= goal || child.try_wait().expect("wait").is_some());
    wait_a_little(later);
    let _ = child.kill();
    let _ = child.wait();
}

/// Not a wait that a result depends on: only the moment of a kill.
fn wait_a_little(time: Duration) {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        std::thread::park_timeout(end - std::time::Instant::now());
    }
}

fn only_run(world: &World) -> Option<String> {
    let runs = world.notify(&["runs", "--json"]);
    let lines: Vec<Value> = runs.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(lines.len() <= 1, "one run: {}", runs.out);
    lines.first().and_then(|line| line["run"].as_str().map(Into::into))
}

/// A run with kills in between; returns its id and the exit code of its last life.
fn run_with_kills(world: &World, stage: &Stage, via: &str, seed: u64) -> (String, i32) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let first = [
        "batch",
        "rows.jsonl",
        "--via",
        via,
        "--yes",
        "--out",
        "out",
        "-q",
        "--from",
        "Acme <news@example.org>",
        "--delay",
        "5ms",
    ];
    let mut child = start(world, &first);
    let mut run = None;
    for _ in 0..KILLS {
        kill_after(&mut child, stage, chance.usize(1..4), Duration::from_micros(chance.u64(..12_000)));
        run = run.or_else(|| only_run(world));
        let run = run.as_deref().expect("a run that sent something has a name");
        child = start(world, &["resume", run, "-q", "--delay", "5ms"]);
    }
    let code = wait(&mut child, Duration::from_secs(120)).expect("the last life ends");
    // The life before it had finished already; what it said is in the report.
    let code = if code == 10 { world.json("out/report.json")["exit_code"].as_i64().expect("a code") as i32 } else { code };
    (run.expect("a run"), code)
}

/// What the service knows: by key, the body that came with it first.
type Known = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[test]
fn a_request_that_is_sent_again_carries_the_same_key_and_the_same_set() {
    let known: Known = Arc::default();
    let doubled = Arc::new(Mutex::new(0usize));
    let service = Arc::clone(&known);
    let again = Arc::clone(&doubled);
    let stage = Stage::start(move |asked: &Asked| {
        let key = asked.header("idempotency-key").unwrap_or_default().to_owned();
        let mut known = service.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&key) {
            Some(body) if *body != asked.body => {
                return Reply::json(
                    409,
                    &json!({"name": "invalid_idempotent_request", "message": "another body", "statusCode": 409}),
                );
            }
            Some(_) => *again.lock().unwrap_or_else(PoisonError::into_inner) += 1,
            None => drop(known.insert(key, asked.body.clone())),
        }
        let count = asked.json().as_array().map_or(1, Vec::len);
        let ids: Vec<Value> = (0..count).map(|n| json!({"id": format!("r-{n}")})).collect();
        let reply = if asked.path.ends_with("/batch") { json!({"data": ids}) } else { json!({"id": "r-0"}) };
        Reply::json(200, &reply).after(Duration::from_millis(4))
    });
    let account =
        json!({"platform": "resend", "base": stage.url(), "key": "re_secret-of-the-test", "limits": [], "concurrency": 2});
    let world = world(&json!({"mail": account}));
    list(
        &world,
        (0..ROWS).map(|n| json!({"email": format!("user{n}@example.com"), "subject": format!("Number {n}"), "text": "hello"})),
    );
    let (_, code) = run_with_kills(&world, &stage, "mail", 21);
    assert_eq!(code, 0, "{}", world.read("out/report.json"));
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), ROWS)]));
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for body in known.values() {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let all = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        for message in all {
            *taken.entry(message["to"][0].as_str().expect("an address").to_owned()).or_default() += 1;
        }
    }
    assert_eq!(taken.len(), ROWS, "every row arrived");
    let twice: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        twice.is_empty(),
        "behind the service's key each row is one message: {} are several, such as {:?}",
        twice.len(),
        twice.first()
    );
    println!("{} requests came again with their key", doubled.lock().unwrap_or_else(PoisonError::into_inner));
}

#[test]
fn without_a_key_what_was_under_way_is_in_doubt_until_somebody_decides() {
    let stage = Stage::start(|_: &Asked| aliyun_ok().after(Duration::from_millis(4)));
    let mut account = aliyun(&stage.url());
    account["concurrency"] = json!(2);
    let world = world(&json!({"sms": account}));
    list(&world, (0..ROWS).map(|n| json!({"phone": number(n), "params": "{\"code\":\"1\"}"})));
    let (run, code) = run_with_kills(&world, &stage, "sms", 22);
    let taken = |stage: &Stage| {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for asked in stage.asked() {
            for number in texts(&form_json(&asked, "PhoneNumberJson")) {
                *taken.entry(number).or_default() += 1;
            }
        }
        taken
    };
    assert_eq!(code, 6, "{}", world.read("out/report.json"));
    let before = taken(&stage);
    let doubtful: BTreeSet<u64> =
        told(&world).into_iter().filter(|(_, told)| told.starts_with("in_doubt")).map(|(row, _)| row).collect();
    assert!(!doubtful.is_empty());
    let sent = sums(&world).get("sent").copied().unwrap_or_default();
    assert_eq!(sent + doubtful.len(), ROWS, "{:?}", sums(&world));
    assert!(before.values().all(|times| *times == 1), "nothing goes twice unasked");
    for (row, told) in told(&world) {
        let number = number(row as usize - 1);
        assert!(told != "sent" || before.contains_key(&number), "row {row} is reported sent, and nobody got it");
        assert!(before.contains_key(&number) || doubtful.contains(&row), "row {row} is lost");
    }
    let asked = stage.count();
    world.notify(&["resume", &run, "--in-doubt", "resend", "-q"]).code(0);
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), ROWS)]));
    let after = taken(&stage);
    assert_eq!(after.len(), ROWS);
    let results = world.jsonl("out/results.jsonl");
    for line in &results {
        let row = line["row"].as_u64().expect("row");
        let times = after[&number(row as usize - 1)];
        assert!(
            times == 1 || (times == 2 && doubtful.contains(&row) && line["possible_duplicate"] == true),
            "{times} times: {line}"
        );
    }
    // What goes again goes in the sets that it was in.
    let sets = |range: std::ops::Range<usize>| -> BTreeSet<Vec<String>> {
        stage.asked()[range].iter().map(|asked| texts(&form_json(asked, "PhoneNumberJson"))).collect()
    };
    let (first, again) = (sets(0..asked), sets(asked..stage.count()));
    let strangers =
        again.iter().filter(|set| !first.contains(*set) && set.iter().any(|number| before.contains_key(number))).count();
    assert_eq!(strangers, 0, "sets that were seen before and are others now");
}
