//! A run and other shells: words that take effect at once by the server's own clock, what is shown meanwhile, what goes along.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::platforms::stage::{Asked, Reply, Stage};
use crate::world::{Ended, Sink, World, ended, until, wait};

/// A word takes effect within so long.
const EFFECT: Duration = Duration::from_millis(250);
/// What a busy machine may add between a clock that is read and a byte that arrives.
const NOISE: Duration = Duration::from_millis(100);

/// A service that answers each request after this long.
fn slow(millis: u64) -> Stage {
    Stage::start(move |_: &Asked| Reply::text(200, "ok").after(Duration::from_millis(millis)))
}

/// A world with a webhook there, `rows` recipients and a template.
fn world(stage: &Stage, rows: usize) -> World {
    let world = World::with_webhook(stage.address(), "");
    world.list("users.csv", rows);
    world.template();
    world
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["batch", "users.csv", "-t", "hello", "--yes", "--again", "--out", "out", "-j", "4"];
    all.extend(more);
    all
}

/// A run in the background; it is killed when the test ends before it.
struct Running(Child);

impl Running {
    fn start(world: &World, args: &[&str]) -> Self {
        Running(world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("notify starts"))
    }

    fn end(mut self) -> Ended {
        // Its place is taken by a process that has ended, for the drop.
        let gone = std::process::Command::new("true").spawn().expect("true");
        ended(std::mem::replace(&mut self.0, gone))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The one run of this world.
fn run_of(world: &World) -> String {
    let runs = world.path("home/.local/state/notify/runs");
    let mut found = String::new();
    let there = until(|| {
        let ids = std::fs::read_dir(&runs).into_iter().flatten().filter_map(Result::ok);
        let born = ids.filter(|entry| entry.path().join("run.json").exists());
        found = born.map(|entry| entry.file_name().into_string().expect("an id")).last().unwrap_or_default();
        !found.is_empty()
    });
    assert!(there, "no run was made");
    found
}

fn status(world: &World, run: &str) -> Value {
    serde_json::from_str(&world.notify(&["status", run, "--json"]).code(0).out).expect("JSON")
}

fn events(world: &World, run: &str) -> Vec<Value> {
    let told = world.notify(&["events", run, "--json"]).code(0).out;
    let all = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    // What `-j auto` does meanwhile is another matter, and depends on how fast this machine is.
    all.filter(|event: &Value| event["what"] != "tuning").collect()
}

/// The last event of that kind, and when it was, on the test's own clock.
fn event(world: &World, run: &str, what: &str) -> (Value, Instant) {
    let event = events(world, run).into_iter().rfind(|event| event["what"] == what).unwrap_or_else(|| panic!("no {what}"));
    let at: Timestamp = event["at"].as_str().expect("at").parse().expect("a time");
    let ago = Duration::try_from(Timestamp::now().duration_since(at)).unwrap_or_default();
    (event, Instant::now().checked_sub(ago).expect("after the boot"))
}

/// Waits that long by the clock, without leaving the processor to nobody.
fn pass(time: Duration) {
    let end = Instant::now() + time;
    until(|| Instant::now() >= end);
}

/// When the server read the last request.
fn last(stage: &Stage) -> Instant {
    stage.asked().last().expect("a request").at
}

#[test]
fn pause_kill_resume_set_abort_each_at_once_and_all_in_the_events() {
    let stage = slow(20);
    let world = world(&stage, 20_000);
    let first = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 40));
    let run = run_of(&world);

    world.notify(&["pause", &run, "--reason", "lunch"]).code(0).err_has("paused run").err_has("notify resume");
    let (asked, spoke) = event(&world, &run, "asked");
    assert_eq!((asked["word"].as_str(), asked["why"].as_str()), (Some("pause"), Some("lunch")));
    assert!(asked["by"].as_str().is_some_and(|by| by.contains('@') && by.contains("pid ")), "{asked}");
    let (paused, _) = event(&world, &run, "paused");
    assert_eq!((&paused["by"], &paused["why"]), (&asked["by"], &asked["why"]));
    pass(Duration::from_millis(600));
    let late = last(&stage).saturating_duration_since(spoke);
    assert!(late <= EFFECT + NOISE, "a request began {late:?} after the pause");
    let stand = status(&world, &run);
    assert_eq!((stand["status"].as_str(), stand["queue"]["sending"].as_u64()), (Some("paused"), Some(0)), "{stand}");
    world.notify(&["pause", &run]).code(10).err_has("paused already");

    drop(first); // kill -9
    let stood = status(&world, &run);
    assert_eq!((stood["status"].as_str(), stood["in_doubt"].as_u64()), (Some("broken off"), Some(0)), "{stood}");
    world.notify(&["pause", &run]).code(10).err_has("nobody works on run").err_has("notify resume");
    world.notify(&["wait", &run]).code(5).err_has("broke off");
    // The pause outlives the process: a timer's `notify resume` leaves the run alone.
    world.notify(&["resume", "--yes"]).code(10).err_has("is paused by").err_has("lunch");
    world.notify(&["status", &run]).code(0).out_has("broken off, paused by").out_has("lunch");
    let before = stage.count();
    let second = Running::start(&world, &["resume", &run, "--yes", "-q", "-j", "4", "--rate", "100/s", "--reason", "back"]);
    assert!(until(|| stage.count() > before + 20), "the run goes on, not paused any more");
    let (resumed, _) = event(&world, &run, "resumed");
    assert_eq!((resumed["before"].as_str(), resumed["why"].as_str()), (Some("broken off"), Some("back")));

    world.notify(&["set", &run, "rate=2/s", "--reason", "gently"]).code(0).err_has("rate=2/s");
    let (set, spoke) = event(&world, &run, "asked");
    assert_eq!((set["word"].as_str(), set["rate"].as_str()), (Some("set"), Some("2/s")));
    pass(Duration::from_millis(1600));
    let slow = stage.asked().iter().filter(|asked| asked.at > spoke + EFFECT + NOISE).count();
    assert!((1..=4).contains(&slow), "{slow} requests in 1.3 s at 2/s");
    assert_eq!(status(&world, &run)["accounts"]["hook"]["rate_limit"], "2/s");

    world.notify(&["set", &run, "rate=off", "concurrency=2"]).code(0);
    let (_, spoke) = event(&world, &run, "asked");
    assert!(until(|| stage.asked().iter().any(|asked| asked.at > spoke)));
    pass(Duration::from_millis(600));
    let stand = status(&world, &run);
    assert_eq!(stand["accounts"]["hook"]["width"], 2, "{stand}");
    let fast = stage.asked().iter().filter(|asked| asked.at > spoke + EFFECT).count();
    assert!(fast > 10, "{fast} requests in half a second without a rate");

    world.notify(&["abort", &run, "--reason", "wrong list"]).code(0).err_has("aborted run");
    let (_, spoke) = event(&world, &run, "asked");
    let ended = second.end().code(5).err_has("aborted by");
    assert!(ended.err.contains("wrong list"), "{}", ended.err);
    let late = last(&stage).saturating_duration_since(spoke);
    assert!(late <= EFFECT + NOISE, "a request began {late:?} after the abort");
    world.notify(&["wait", &run]).code(5);
    let report = world.json("out/report.json");
    assert_eq!((report["status"].as_str(), report["exit_code"].as_u64()), (Some("aborted"), Some(5)));

    let told: Vec<String> = events(&world, &run)
        .iter()
        .map(|event| match event["word"].as_str() {
            Some(word) => format!("{} {word}", event["what"].as_str().unwrap_or_default()),
            None => event["what"].as_str().unwrap_or_default().to_owned(),
        })
        .collect();
    let expected = [
        "started",
        "asked pause",
        "paused",
        "asked pause",
        "resumed",
        "started",
        "asked set",
        "set",
        "asked set",
        "set",
        "asked abort",
        "aborted",
        "ended",
    ];
    assert_eq!(told, expected);
    world.notify(&["events", &run]).code(0).out_has("wrong list").out_has("rate=2/s");

    // Aborted: taken up only by its name, and then to its end.
    world.notify(&["resume"]).code(10);
    let sent = status(&world, &run)["sent"].as_u64().expect("a number");
    world.notify(&["resume", &run, "--yes", "--deadline", "300ms", "-j", "4"]).code(5).err_has("was aborted");
    assert!(status(&world, &run)["sent"].as_u64() > Some(sent), "it went on");
    let mut keys: Vec<String> = stage.asked().iter().map(|asked| asked.json()["to"].to_string()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "nobody got anything twice");
}

#[test]
fn a_paused_run_goes_on_where_it_was_and_its_own_code_is_waited_for() {
    let stage = slow(10);
    let world = world(&stage, 300);
    let running = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 20));
    // One run is running: it need not be named.
    world.notify(&["pause"]).code(0);
    let run = run_of(&world);
    let still = stage.count();
    pass(Duration::from_millis(400));
    assert_eq!(stage.count(), still, "nothing leaves while it is paused");
    world.notify(&["wait", "--timeout", "100ms"]).code(11).err_has("still running");
    let waiting = world.command(&["wait", &run]).spawn().expect("notify starts");
    let begun = stage.count();
    world.notify(&["resume", &run[..run.len() - 4]]).code(0).err_has("goes on");
    assert!(until(|| stage.count() > begun));
    let (_, spoke) = event(&world, &run, "asked");
    let effect = stage.asked()[begun].at.saturating_duration_since(spoke);
    assert!(effect <= EFFECT + NOISE, "the first request came {effect:?} after the word");
    running.end().code(0);
    assert_eq!(wait_for(waiting), 0);
    assert_eq!(stage.count(), 300, "each row once");
    assert_eq!(world.json("out/report.json")["sent"], 300);
    world.notify(&["pause", &run]).code(10).err_has("has ended (completed)");
    world.notify(&["abort", &run]).code(10).err_has("nothing to abort");
    world.notify(&["wait", &run]).code(0);
    for verb in ["pause", "abort", "wait"] {
        world.notify(&[verb]).code(10).err_has("no run is running");
        world.notify(&[verb, "20000101-nosuchrun"]).code(10).err_has("no run");
    }
}

fn wait_for(mut child: Child) -> i32 {
    wait(&mut child, Duration::from_secs(60)).expect("it ends")
}

#[test]
fn a_run_that_is_not_paused_is_held_and_one_of_several_must_be_named() {
    let stage = slow(20);
    let world = world(&stage, 5_000);
    let one = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 4));
    let first = run_of(&world);
    world.notify(&["resume", &first]).code(11).err_has("another process works on this run");
    let two =
        Running::start(&world, &["batch", "users.csv", "-t", "hello", "--yes", "--again", "--out", "out2", "-q", "-j", "1"]);
    assert!(until(|| world.notify(&["wait", "--timeout", "1ms"]).err.contains("2 runs are running")));
    world.notify(&["pause"]).code(2).err_has(&first);
    // A paused run that is told to end ends as ever.
    world.notify(&["pause", &first]).code(0);
    let pid = rustix::process::Pid::from_raw(one.0.id() as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
    one.end().code(143);
    world.notify(&["abort"]).code(0);
    two.end().code(5);
}

#[test]
fn what_cannot_be_set_is_refused_with_the_nearest_name() {
    let stage = slow(10);
    let world = world(&stage, 4_000);
    for (word, told) in [
        ("rat=5/s", "did you mean `rate`?"),
        ("rate=fast", "is not a rate"),
        ("concurrency=0", "write auto or a whole number"),
        ("batch_size=x", "1 or more"),
        ("deadline=soon", "deadline=soon"),
    ] {
        world.notify(&["set", word]).code(2).err_has(told);
    }
    world.notify(&["set", "rate=5/s", "rate=6/s"]).code(2).err_has("set twice");
    world.notify(&["set", "20261121", "oops"]).code(2).err_has("NAME=VALUE");
    let running = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 4));
    let run = run_of(&world);
    world.notify(&["set", &run, "retries=1", "grace=2s", "batch_size=7", "max_wait=1m"]).code(0);
    let json: Value = serde_json::from_str(&world.notify(&["set", &run, "rate=50/s", "--json"]).code(0).out).expect("JSON");
    assert_eq!((json["done"].as_bool(), json["word"].as_str()), (Some(true), Some("set")), "{json}");
    world.notify(&["set", &run, "deadline=1ms"]).code(0);
    running.end().code(5).err_has("deadline");
    world.notify(&["set", &run, "rate=1/s"]).code(10).err_has("nobody works on run");
    // What was set holds in the next life, the deadline does not.
    let begun = Instant::now();
    let before = stage.count();
    let again = Running::start(&world, &["resume", &run, "--yes", "-q"]);
    assert!(until(|| stage.count() > before + 30));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(500), "30 at 50/s came in {took:?}");
    assert_eq!(status(&world, &run)["accounts"]["hook"]["rate_limit"], "50/s");
    world.notify(&["abort"]).code(0);
    again.end().code(5);
}

#[test]
fn a_declared_limit_holds_whatever_is_set() {
    let stage = slow(0);
    let world = World::with_webhook(stage.address(), "limits: [ 20/s ]");
    world.list("users.csv", 2_000);
    world.template();
    let running = Running::start(&world, &arguments(&["-q", "--rate", "5/s"]));
    assert!(until(|| stage.count() > 2));
    let run = run_of(&world);
    world.notify(&["set", &run, "rate=off", "concurrency=64"]).code(0);
    pass(Duration::from_millis(300));
    let (from, since) = (stage.count(), Instant::now());
    pass(Duration::from_millis(2_000));
    let (came, took) = (stage.count() - from, since.elapsed().as_secs_f64());
    assert!((came as f64) <= 20.0 * took + 4.0 && came as f64 >= 10.0 * took, "{came} in {took} s at 20/s");
    world.notify(&["abort", &run]).code(0);
    running.end().code(5);
}

#[test]
fn mails_that_wait_inside_are_called_back_by_a_pause() {
    // 200 ms for each answer, 2 connections with 8 in hand: without a call back the last would begin seconds later.
    let sink = Sink::start(&["--delay", "200ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 2\nwindow: 8");
    world.list("users.csv", 60);
    world.template();
    let running = Running::start(&world, &["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-q"]);
    assert!(until(|| sink.ledger_lines() >= 2));
    let run = run_of(&world);
    world.notify(&["pause", &run]).code(0);
    assert!(until(|| status(&world, &run)["queue"]["sending"] == 0));
    let still = sink.ledger_lines();
    pass(Duration::from_millis(1_500));
    assert_eq!(sink.ledger_lines(), still, "nothing is carried while the run is paused");
    assert!(still < 12, "{still} mails for a pause after the second");
    drop(running); // kill -9
    assert_eq!(status(&world, &run)["in_doubt"], 0, "what was called back is not in doubt");
    let again = world.notify(&["resume", &run, "--yes", "-q"]).code(0);
    assert_eq!(again.out, "");
    let mut to: Vec<String> = sink.taken().iter().map(|line| line["rcpt"][0].to_string()).collect();
    to.sort_unstable();
    to.dedup();
    assert_eq!((to.len(), sink.taken().len()), (60, 60), "each once");
}

#[test]
fn aborting_a_run_that_broke_off_tells_its_rows_and_leaves_them() {
    let stage = slow(50);
    let world = world(&stage, 500);
    let running = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 20));
    drop(running); // kill -9
    let run = run_of(&world);
    world.notify(&["abort", &run, "--reason", "not today"]).code(0).err_has("stay pending");
    let stand = status(&world, &run);
    let number = |name: &str| stand[name].as_u64().unwrap_or_else(|| panic!("{name}: {stand}"));
    assert_eq!(stand["status"], "aborted");
    assert_eq!(number("sent") + number("in_doubt") + number("pending"), 500);
    assert!((1..=4).contains(&number("in_doubt")), "those in flight when it was killed are in doubt: {stand}");
    assert_eq!(world.json("out/report.json")["status"], "aborted");
    world.notify(&["wait", &run]).code(5);
    world.notify(&["resume"]).code(10);
    world.notify(&["resume", &run, "--yes", "-q", "--in-doubt", "resend"]).code(0);
    assert_eq!(status(&world, &run)["sent"], 500);
    let (resumed, _) = event(&world, &run, "resumed");
    assert_eq!(resumed["before"], "aborted");
}

#[test]
fn status_shows_what_each_account_does_and_watches_to_the_end() {
    let stage = Stage::start(|asked: &Asked| {
        let late = Duration::from_millis(10);
        if asked.number == 40 {
            Reply::text(429, "slow down").header("retry-after", "1")
        } else {
            Reply::text(200, "ok").after(late)
        }
    });
    let world = world(&stage, 400);
    let running = Running::start(&world, &arguments(&["--json", "--rate", "200/s"]));
    assert!(until(|| stage.count() > 5));
    let run = run_of(&world);
    let watching = world.command(&["status", &run, "--watch", "--json"]).stdout(Stdio::piped()).spawn().expect("notify starts");
    let lines = world.command(&["status", &run, "--watch"]).stdout(Stdio::piped()).spawn().expect("notify starts");
    let mut held = Value::Null;
    let seen = until(|| {
        held = status(&world, &run)["accounts"]["hook"].clone();
        held["held_until"].is_string()
    });
    assert!(seen, "the hold was not shown");
    assert!(held["held_why"].as_str().is_some_and(|why| why.contains("429")), "{held}");
    let workers = &held["workers"];
    assert_eq!(workers["sending"].as_u64().unwrap() + workers["resting"].as_u64().unwrap(), 4, "{held}");
    let ended = running.end().code(0);
    let told = wait_out(watching);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(told.len() >= 2, "a line a second and one at the end");
    let counts = |line: &Value| {
        ["sent", "failed", "in_doubt", "skipped", "pending"].iter().map(|n| line[*n].as_u64().unwrap()).sum::<u64>()
    };
    assert!(told.iter().all(|line| counts(line) == 400), "rows add up at any time: {told:?}");
    assert_eq!((told.last().unwrap()["status"].as_str(), told.last().unwrap()["sent"].as_u64()), (Some("completed"), Some(400)));
    let plain = wait_out(lines);
    assert!(plain.lines().last().is_some_and(|line| line.contains("completed") && line.contains("sent 400")), "{plain}");
    assert!(!plain.contains('\u{1b}'), "no terminal, no control characters");
    let progress: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|event| event["type"] == "progress")
        .collect();
    assert!(!progress.is_empty() && progress.iter().all(|event| event["queue"]["waiting"].is_u64()), "{progress:?}");
}

fn wait_out(child: Child) -> String {
    ended(child).code(0).out
}

#[test]
fn events_are_followed_to_the_end_of_the_run() {
    let stage = slow(20);
    let world = world(&stage, 3_000);
    let running = Running::start(&world, &arguments(&["-q"]));
    assert!(until(|| stage.count() > 4));
    let run = run_of(&world);
    let following = world.command(&["events", &run, "--follow"]).stdout(Stdio::piped()).spawn().expect("notify starts");
    world.notify(&["pause", &run, "--reason", "tea"]).code(0);
    world.notify(&["abort", &run]).code(0);
    running.end().code(5);
    let told = wait_out(following);
    for word in ["started", "paused", "tea", "aborted", "ended", "exit_code=5"] {
        assert!(told.contains(word), "{word} is missing:\n{told}");
    }
}

#[test]
fn a_detached_run_goes_on_alone_and_can_be_waited_for() {
    let stage = slow(20);
    let world = world(&stage, 200);
    let begun = Instant::now();
    let gone = world.notify(&arguments(&["--detach"])).code(0);
    let run = gone.out.trim().to_owned();
    assert_eq!(run, run_of(&world), "stdout is the run and nothing else");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let stand = status(&world, &run);
    let pid = stand["pid"].as_u64().unwrap_or_else(|| panic!("it is running: {stand}"));
    // A session of its own: the terminal may close.
    let session = std::fs::read_to_string(format!("/proc/{pid}/stat")).map(|stat| {
        let after = stat.rsplit_once(") ").expect("a name").1.to_owned();
        after.split(' ').nth(3).expect("a session").to_owned()
    });
    assert_eq!(session.ok(), Some(pid.to_string()));
    world.notify(&["wait", &run]).code(0);
    assert_eq!((stage.count(), world.json("out/report.json")["sent"].as_u64()), (200, Some(200)));
    let first: Vec<String> = events(&world, &run).iter().map(|event| event["what"].to_string()).collect();
    assert_eq!(first, ["\"started\"", "\"ended\""]);

    // Stopped, and resumed detached with another deadline; then what cannot start is told here.
    let json: Value =
        serde_json::from_str(&world.notify(&["send", "hi", "--to", "x", "--yes", "--detach", "--json"]).code(0).out)
            .expect("JSON");
    assert_eq!(json["type"], "detached");
    world.notify(&["wait", json["run"].as_str().expect("a run")]).code(0);
    world.notify(&["batch", "users.csv", "-t", "no-such", "--yes", "--detach"]).code(3);
    world.notify(&["batch", "users.csv", "-t", "hello", "--again", "--detach"]).code(2).err_has("needs a confirmation");
    world.notify_with(&["batch", "-", "--stream", "-t", "hello", "--yes", "--detach"], b"email\n").code(2).err_has("--stream");
}

#[test]
fn a_resumed_run_is_detached_with_what_it_was_told_and_a_url_stays_out_of_sight() {
    let stage = slow(20);
    let world = World::new();
    world.list("users.csv", 400);
    world.template();
    let url = format!("json://127.0.0.1:{}/in?token=s3cr3t-token", stage.address().port());
    let env = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("NOTIFY_VIA", &url).stdout(Stdio::piped()).stderr(Stdio::piped());
        ended(command.spawn().expect("notify starts"))
    };
    let gone = env(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--detach", "-j", "2"]);
    let run = gone.code(0).out.trim().to_owned();
    assert!(until(|| stage.count() > 10));
    let pid = status(&world, &run)["pid"].as_u64().expect("running");
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("its arguments");
    assert!(!line.contains("s3cr3t"), "{line}");
    world.notify(&["abort", &run]).code(0);
    world.notify(&["wait", &run]).code(5);
    let again = env(&["resume", &run, "--yes", "--detach", "--rate", "1000/s"]).code(0);
    assert_eq!(again.out.trim(), run);
    world.notify(&["wait", &run]).code(0);
    assert_eq!(world.json("out/report.json")["sent"], 400);
    let kept = std::process::Command::new("grep").args(["-rl", "s3cr3t"]).arg(world.path("home")).output().expect("grep");
    assert!(kept.stdout.is_empty(), "{}", String::from_utf8_lossy(&kept.stdout));
}

/// Samples by name and labels, and the names that have a TYPE.
fn samples(text: &str) -> Vec<(String, f64)> {
    let mut typed = Vec::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed.push(rest.split(' ').next().expect("a name").to_owned());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let family = name.split('{').next().expect("a name");
            assert!(typed.iter().any(|known| family.starts_with(known.as_str())), "{line} has no TYPE");
            found.push((name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}"))));
        }
    }
    found
}

fn value(samples: &[(String, f64)], name: &str, labels: &[&str]) -> f64 {
    let fits = |known: &str| known.starts_with(&format!("{name}{{")) && labels.iter().all(|label| known.contains(label));
    let found: Vec<f64> = samples.iter().filter(|(known, _)| fits(known)).map(|(_, value)| *value).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found[0]
}

fn get(address: &str, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("written");
    let mut reply = String::new();
    let _ = stream.read_to_string(&mut reply);
    reply
}

#[test]
fn metrics_are_served_while_it_runs_and_left_in_a_file() {
    let stage = slow(10);
    let world = world(&stage, 3_000);
    let mut running =
        Running::start(&world, &arguments(&["--metrics-listen", ":0", "--metrics-file", "notify.prom", "--no-progress"]));
    let mut lines = BufReader::new(running.0.stderr.take().expect("piped")).lines();
    let address = lines
        .find_map(|line| line.ok()?.strip_prefix("metrics at http://").map(|rest| rest.trim_end_matches("/metrics").to_owned()))
        .expect("the address is told");
    assert!(address.starts_with("127.0.0.1:"), "loopback, unless told otherwise: {address}");
    let drain = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    assert!(until(|| stage.count() > 100));
    let mut scraped = Vec::new();
    let moved = until(|| {
        let reply = get(&address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4"), "{reply}");
        scraped = samples(reply.split_once("\r\n\r\n").expect("a body").1);
        scraped.iter().any(|(name, value)| name.contains("state=\"sent\"") && *value > 0.0)
    });
    assert!(moved);
    let (sent, rows) = (value(&scraped, "notify_rows_total", &["hook", "\"sent\""]), value(&scraped, "notify_rows", &[]));
    assert_eq!(rows, 3_000.0);
    assert!(sent > 0.0 && sent <= stage.count() as f64);
    assert_eq!(value(&scraped, "notify_width", &["hook"]), 4.0);
    assert!(value(&scraped, "notify_request_duration_seconds_count", &["hook"]) > 0.0);
    for (request, begins) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200"),
        ("GET /nothing HTTP/1.1\r\n\r\n", "HTTP/1.1 404"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
        ("\u{0}\u{1}garbage\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let reply = get(&address, request);
        assert!(reply.starts_with(begins), "{request:?}: {reply}");
    }
    // One that says nothing, one that leaves in the middle: harmless.
    let silent = std::net::TcpStream::connect(&address).expect("it listens");
    std::net::TcpStream::connect(&address).expect("it listens").write_all(b"GET /met").expect("written");
    world.notify(&["set", "rate=off", "concurrency=64"]).code(0);
    assert_eq!(wait(&mut running.0, Duration::from_secs(60)), Some(0));
    drop(silent);
    drain.join().expect("stderr");
    let left = samples(&world.read("notify.prom"));
    assert_eq!(value(&left, "notify_rows_total", &["hook", "\"sent\""]), 3_000.0);
    assert_eq!((value(&left, "notify_rows_pending", &[]), value(&left, "notify_run_exit_code", &[])), (0.0, 0.0));
    assert_eq!(value(&left, "notify_request_duration_seconds_bucket", &["hook", "+Inf"]), 3_000.0);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let runs = world.path("home/.local/state/notify/runs");
    let before = std::fs::read_dir(&runs).expect("runs").count();
    world.notify(&arguments(&["--metrics-listen", &port])).code(2).err_has("--metrics-listen").err_has("another port");
    world.notify(&arguments(&["--metrics-file", "no/such/folder/x.prom"])).code(2).err_has("there is no folder");
    assert_eq!(std::fs::read_dir(&runs).expect("runs").count(), before, "nothing is left behind");
}

#[test]
fn hooks_hear_each_result_and_the_end_and_never_decide() {
    let stage = Stage::start(|asked: &Asked| match asked.json()["to"].as_str() {
        Some(to) if to.starts_with("user7@") => Reply::text(400, "no"),
        _ => Reply::text(200, "ok"),
    });
    let world = world(&stage, 500);
    let finish = "cat > summary.json; env | grep ^NOTIFY_ | sort > env; exit 9";
    let ended = world.notify(&arguments(&["--on-result", "cat > results; echo said >&1", "--on-finish", finish])).code(1);
    assert!(ended.err.contains("--on-finish: it ended with exit code 9"), "{}", ended.err);
    assert_eq!(ended.out, "", "what hooks print is talk, not data");
    let results = world.jsonl("results");
    assert_eq!(results.len(), 500);
    assert_eq!(results.iter().filter(|result| result["status"] == "failed").count(), 1);
    assert_eq!(world.json("summary.json")["sent"], 499);
    let env = world.read("env");
    assert!(
        env.contains("NOTIFY_EXIT=1\n") && env.contains("NOTIFY_STATUS=completed\n") && env.contains("NOTIFY_RUN=2"),
        "{env}"
    );
    let run = run_of(&world);
    assert!(events(&world, &run).iter().any(|event| event["what"] == "hook_failed" && event["hook"] == "--on-finish"));

    // A hook of the config that calls notify does not call itself for ever.
    let plain = world.read("notify.yaml");
    let hooked = "via: hook, on_finish: \"echo once >> calls; $NOTIFY send again --to x --yes -q\" }";
    world.config(&plain.replace("via: hook }", hooked));
    let before = stage.count();
    let mut calling = world.command(&["send", "hello", "--to", "x", "--yes", "-q", "--out", "out4"]);
    calling.env("NOTIFY", env!("CARGO_BIN_EXE_notify")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let called = crate::world::ended(calling.spawn().expect("notify starts")).code(0);
    world.config(&plain);
    assert_eq!((called.err.as_str(), world.read("calls").as_str(), stage.count() - before), ("", "once\n", 2));

    // One that dies, and one that reads nothing, cost results and no row.
    for hook in ["head -n 1 > /dev/null; exit 3", "sleep 300"] {
        let begun = Instant::now();
        let ended = world.notify(&arguments(&["--on-result", hook, "-q"])).code(1);
        assert!(ended.err.contains("--on-result: "), "{}", ended.err);
        assert!(begun.elapsed() < Duration::from_secs(40), "{hook} held up the run");
        assert_eq!(world.json("out/report.json")["sent"], 499);
    }
    no_process_of(&world);
}

/// No process has its working folder in this world any more.
fn no_process_of(world: &World) {
    let here = world.dir.path().canonicalize().expect("a path");
    let mut left = Vec::new();
    let none = until_soon(|| {
        let processes = std::fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
        let inside =
            processes.filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here)));
        left = inside.map(|process| std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default()).collect();
        left.is_empty()
    });
    assert!(none, "processes are left: {left:?}");
}

/// Asks for five seconds.
fn until_soon(mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    let mut is = false;
    until(|| {
        is = so();
        is || Instant::now() >= end
    });
    is
}

#[test]
fn another_account_is_told_of_the_end() {
    let stage = slow(0);
    let world = World::new();
    let url = stage.url();
    world.config(&format!(
        "defaults: {{ via: hook, notify_on: \"finish=ops,halt=oncall\" }}\naccounts:\n  hook: {{ platform: webhook, url: {url}/in }}\n  ops: {{ platform: webhook, url: {url}/ops }}\n  oncall: {{ platform: webhook, url: {url}/oncall }}\n"
    ));
    world.list("users.csv", 50);
    world.template();
    world.notify(&arguments(&["-q"])).code(0);
    let told = |path: &str| stage.asked().into_iter().filter(|asked| asked.path == path).collect::<Vec<_>>();
    assert_eq!((told("/in").len(), told("/ops").len(), told("/oncall").len()), (50, 1, 0));
    assert!(told("/ops")[0].text().contains("50 of 50 sent"), "{}", told("/ops")[0].text());
    world.notify(&arguments(&["-q", "--rate", "20/s", "--deadline", "300ms"])).code(5);
    assert_eq!((told("/ops").len(), told("/oncall").len()), (1, 1));
    assert!(told("/oncall")[0].text().contains("notify resume"), "{}", told("/oncall")[0].text());
    // What cannot work is told before anything is sent.
    let before = stage.count();
    world.notify(&arguments(&["--notify-on", "finish=nobody"])).code(4);
    world.notify(&arguments(&["--notify-on", "finnish=ops"])).code(2).err_has("did you mean finish?");
    assert_eq!(stage.count(), before);
}

#[test]
fn runs_leave_nothing_running_and_a_long_run_does_not_grow() {
    let stage = slow(2);
    let world = world(&stage, 40);
    for _ in 0..10 {
        world.notify(&arguments(&["-q", "--on-result", "cat > /dev/null", "--metrics-listen", "0"])).code(0);
    }
    no_process_of(&world);
    world.list("users.csv", 100_000);
    let running = Running::start(&world, &arguments(&["-q", "--metrics-listen", ":0", "--metrics-file", "m.prom"]));
    let pid = running.0.id();
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    let at = |requests: usize| {
        let from = stage.count();
        assert!(until(|| stage.count() >= from + requests));
        (count("fd"), count("task"))
    };
    let early = at(1_000);
    for n in 0..20 {
        let run = world.notify(&["set", &format!("retries={n}")]).code(0);
        assert!(run.err.contains("retries="));
    }
    let late = at(4_000);
    // A scrape, a blocking task of the runtime: a few come and go.
    assert!(late.0 <= early.0 + 3 && late.1 <= early.1 + 3, "files and threads grew from {early:?} to {late:?}");
    world.notify(&["abort"]).code(0);
    running.end().code(5);
    no_process_of(&world);
}
