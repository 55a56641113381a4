//! Services that go away, slow down or refuse: nothing is lost, no try is wasted, and the report says what happened.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Sink, World, until, wait};

/// A sink that can be stopped and started again at its place, with one ledger for all its lives.
struct Server {
    address: SocketAddr,
    ledger: PathBuf,
    door: &'static str,
    child: Option<Child>,
}

impl Server {
    /// Its place, with nobody there yet.
    fn nowhere(world: &World, door: &'static str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        Server { address, ledger: world.path("ledger.jsonl"), door, child: None }
    }

    fn start(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_notify"))
            .args(["sink", self.door, &self.address.to_string(), "--ledger"])
            .arg(&self.ledger)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the sink starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        lines.next().expect("the sink tells its address").expect("utf-8");
        self.child = Some(child);
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn lines(&self) -> usize {
        std::fs::read(&self.ledger).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
    }

    /// How often each row was taken, by the number in its text.
    fn taken(&self) -> BTreeMap<String, usize> {
        let text = std::fs::read_to_string(&self.ledger).unwrap_or_default();
        let mut taken = BTreeMap::new();
        for line in text.lines() {
            // A line of a sink that was killed may be torn.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            if line["taken"] != true {
                continue;
            }
            let to = match self.door {
                "--smtp" => line["to"][0].as_str().or(line["rcpt"][0].as_str()).unwrap_or_default().to_owned(),
                _ => {
                    let body = line["body"].as_str().unwrap_or_default();
                    let number = body.split("number ").nth(1).unwrap_or_default();
                    number.chars().take_while(char::is_ascii_digit).collect()
                }
            };
            *taken.entry(to).or_default() += 1;
        }
        taken
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Events of the only run of this world.
fn events(world: &World) -> Vec<Value> {
    let Ok(runs) = std::fs::read_dir(world.path("state/runs")) else { return Vec::new() };
    let text: String = runs
        .filter_map(Result::ok)
        .map(|run| std::fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default())
        .collect();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn count(world: &World, what: &str) -> usize {
    events(world).iter().filter(|event| event["what"] == what).count()
}

fn recovery(world: &World, action: &str) -> Vec<Value> {
    let report = world.json("out/report.json");
    report["recovery"].as_array().expect("a list").iter().filter(|entry| entry["action"] == action).cloned().collect()
}

fn write_world(world: &World, server: &Server, rows: usize, more: &str) {
    let account = match server.door {
        "--smtp" => format!("platform: smtp\n    url: smtp://{}\n    from: a@corp.example\n    connections: 4\n", server.address),
        _ => format!("platform: webhook\n    url: http://{}/in\n", server.address),
    };
    world.config(&format!("defaults: {{ via: it }}\naccounts:\n  it:\n    {account}{more}"));
    world.list("users.csv", rows);
    world.template();
}

const BATCH: [&str; 9] = ["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--state-dir", "state"];

fn batch(world: &World, more: &[&str]) -> Child {
    let mut args = BATCH.to_vec();
    args.extend_from_slice(more);
    world.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("notify starts")
}

/// Rows by state; every row that was sent was taken once, one in doubt at most once, any other never; nobody was tried more than `most`.
fn agree(world: &World, server: &Server, rows: usize, most: u64) -> BTreeMap<String, usize> {
    let results = world.jsonl("out/results.jsonl");
    assert_eq!(results.len(), rows);
    let taken = server.taken();
    let mut states = BTreeMap::new();
    for (n, row) in results.iter().enumerate() {
        let who = if server.door == "--smtp" { row["to"].as_str().expect("to").to_owned() } else { n.to_string() };
        let times = taken.get(&who).copied().unwrap_or_default();
        let status = row["status"].as_str().expect("status");
        match status {
            "sent" => assert_eq!(times, 1, "reported sent: {row}"),
            "in_doubt" => assert!(times <= 1, "{times}: {row}"),
            _ => assert_eq!(times, 0, "{row}"),
        }
        assert!(row["attempts"].as_u64() <= Some(most), "{row}");
        *states.entry(status.to_owned()).or_default() += 1;
    }
    states
}

fn outage(door: &'static str) {
    const ROWS: usize = 400;
    let world = World::new();
    let mut server = Server::nowhere(&world, door);
    write_world(&world, &server, ROWS, "");
    server.start();
    let mut child = batch(&world, &["--delay", "50ms", "--rate", "150/s"]);
    assert!(until(|| server.lines() >= 60), "it does not begin");
    server.stop();
    assert!(until(|| count(&world, "breaker_reopened") >= 3), "{:?}", events(&world));
    server.start();
    let code = wait(&mut child, Duration::from_secs(60)).expect("it ends");
    let states = agree(&world, &server, ROWS, 2);
    let doubt = states.get("in_doubt").copied().unwrap_or_default();
    assert_eq!(states.get("sent").copied().unwrap_or_default() + doubt, ROWS, "nothing is lost: {states:?}");
    assert_eq!(code, if doubt > 0 { 6 } else { 0 });
    // What was in flight when the server went, and no more than that.
    assert!(doubt <= 32, "{states:?}");
    let told = recovery(&world, "circuit_break");
    assert!(!told.is_empty());
    let first = &told[0];
    assert!(first["opened"].is_string() && first["closed"].is_string() && first["probes"].as_u64() >= Some(3), "{first}");
    assert!(first["items"].as_u64() > Some(100) && first["delay"].as_f64() > Some(0.1), "{first}");
    assert!(!first["recommendation"].as_str().expect("words").is_empty());
    let screen = world.notify(&["report", "--state-dir", "state"]).code(0);
    assert!(screen.out.contains("circuit break it"), "{}", screen.out);
}

#[test]
fn a_mail_server_that_goes_away_and_comes_back_costs_no_row() {
    outage("--smtp");
}

#[test]
fn a_webhook_that_goes_away_and_comes_back_costs_no_row() {
    outage("--http");
}

#[test]
fn where_nobody_ever_listened_the_run_stops_soon_and_can_be_resumed() {
    let world = World::new();
    let mut server = Server::nowhere(&world, "--smtp");
    write_world(&world, &server, 200, "");
    let mut args = BATCH.to_vec();
    args.extend(["--delay", "50ms"]);
    let began = Instant::now();
    let ended = world.notify(&args).code(5).err_has("does not answer").err_has("notify resume");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}\n{}", began.elapsed(), ended.err);
    let report = world.json("out/report.json");
    assert_eq!((&report["pending"], &report["failed"]), (&200.into(), &0.into()));
    let told = recovery(&world, "circuit_break");
    assert!(told[0]["gave_up"].is_string() && told[0]["closed"].is_null(), "{told:?}");
    server.start();
    world.notify(&["resume", "--state-dir", "state"]).code(0);
    // The resumed run began with a probe, and that closed it.
    assert!(recovery(&world, "circuit_break")[0]["closed"].is_string());
    assert_eq!(agree(&world, &server, 200, 2), BTreeMap::from([("sent".to_owned(), 200)]));
}

#[test]
fn a_few_rows_to_a_wrong_host_fail_by_their_own_tries() {
    let world = World::new();
    let server = Server::nowhere(&world, "--smtp");
    write_world(&world, &server, 1, "");
    let mut args = BATCH.to_vec();
    args.extend(["--delay", "1ms"]);
    world.notify(&args).code(1);
    let told = recovery(&world, "selective");
    assert_eq!(told[0]["items"], 1, "{told:?}");
    assert!(told[0]["recommendation"].as_str().expect("words").starts_with("notify retry"));
}

#[test]
fn a_run_that_is_killed_while_its_breaker_is_open_remembers_it() {
    let world = World::new();
    let mut server = Server::nowhere(&world, "--smtp");
    write_world(&world, &server, 100, "");
    server.start();
    let mut child = batch(&world, &["--delay", "4s", "--rate", "100/s"]);
    assert!(until(|| server.lines() >= 20));
    server.stop();
    assert!(until(|| count(&world, "breaker_opened") > 0));
    let opened = events(&world).into_iter().find(|event| event["what"] == "breaker_opened").expect("opened");
    child.kill().expect("killed");
    child.wait().expect("waited");
    server.start();
    let ended = world.notify(&["resume", "--state-dir", "state", "--in-doubt", "skip"]);
    assert!([0, 6].contains(&ended.code), "{} {}", ended.code, ended.err);
    let over: jiff::Timestamp = opened["until"].as_str().expect("until").parse().expect("a time");
    // Where the kill came within the cool-down, the resumed run has kept the rest of it.
    assert!(jiff::Timestamp::now() >= over, "it did not wait");
    let states = agree(&world, &server, 100, 2);
    assert_eq!(states.values().sum::<usize>(), states["sent"] + states.get("in_doubt").copied().unwrap_or_default());
}

#[test]
fn mostly_network_errors_hold_the_account_and_all_of_it_goes_again() {
    let world = World::new();
    let mut server = Server::nowhere(&world, "--smtp");
    write_world(&world, &server, 200, "recovery: { network: { over: 0.8, action: retry_all, delay: 100ms } }\n");
    server.start();
    let mut child = batch(&world, &["--delay", "50ms", "--rate", "150/s"]);
    assert!(until(|| server.lines() >= 30));
    server.stop();
    assert!(until(|| count(&world, "recovery") >= 1), "{:?}", events(&world));
    server.start();
    let code = wait(&mut child, Duration::from_secs(60)).expect("it ends");
    assert!([0, 6].contains(&code));
    agree(&world, &server, 200, 2);
    let told = recovery(&world, "retry_all");
    assert!(!told.is_empty(), "{:?}", world.json("out/report.json")["recovery"]);
    assert_eq!(told[0]["delay"], 0.1);
    assert!(told[0]["of"].as_f64().expect("of") > 0.8 * told[0]["seen"].as_f64().expect("seen"), "{}", told[0]);
    assert!(told[0]["recommendation"].as_str().expect("words").contains("no try was counted"));
}

#[test]
fn mostly_too_fast_halves_the_width_for_a_time() {
    let sink = Sink::start(&["--faults", "http-429@70%"]);
    let world = World::with_webhook(sink.http, "");
    world.file(
        "notify.yaml",
        world.read("notify.yaml") + "recovery: { rate_limit: { over: 50%, action: throttle, delay: 300ms } }\n",
    );
    world.list("users.csv", 120);
    world.template();
    world
        .notify(&[
            "batch",
            "users.csv",
            "-t",
            "hello",
            "--yes",
            "--out",
            "out",
            "--delay",
            "5ms",
            "--max-delay",
            "20ms",
            "-j",
            "32",
        ])
        .code(0);
    let told = recovery(&world, "throttle");
    assert!(!told.is_empty(), "{:?}", world.json("out/report.json")["recovery"]);
    assert_eq!((&told[0]["delay"], &told[0]["account"]), (&0.3.into(), &"hook".into()));
    assert!(told[0]["recommendation"].as_str().expect("words").contains("16 of 32"), "{}", told[0]);
    assert_eq!(sink.taken().len(), 120);
}

#[test]
fn a_rule_that_is_turned_off_does_nothing() {
    let sink = Sink::start(&["--faults", "http-429@70%"]);
    let world = World::with_webhook(sink.http, "");
    world.file("notify.yaml", world.read("notify.yaml") + "recovery: { rate_limit: { action: none } }\n");
    world.list("users.csv", 60);
    world.template();
    world
        .notify(&[
            "batch",
            "users.csv",
            "-t",
            "hello",
            "--yes",
            "--out",
            "out",
            "--delay",
            "5ms",
            "--max-delay",
            "20ms",
            "-j",
            "32",
        ])
        .code(0);
    assert_eq!(world.json("out/report.json")["recovery"], Value::Array(Vec::new()));
}

#[test]
fn too_many_failures_stop_the_run_and_a_resume_counts_anew() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=*@example3.com"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 700);
    world.template();
    let mut args = BATCH.to_vec();
    args.extend(["--halt-on-failures", "10%", "--halt-min", "70", "-j", "4"]);
    world.notify(&args).code(5).err_has("--halt-on-failures is 10%").err_has("notify resume");
    let report = world.json("out/report.json");
    let settled = report["sent"].as_u64().expect("sent") + report["failed"].as_u64().expect("failed");
    // What was in flight still landed.
    assert!((70..=90).contains(&settled), "{report}");
    let told = recovery(&world, "halt");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["items"].as_u64() >= Some(600) && told[0]["settled"].as_u64() >= Some(70), "{}", told[0]);
    world.notify(&["resume", "--state-dir", "state", "--halt-on-failures", "50%"]).code(1);
    assert_eq!(world.json("out/report.json")["failed"], 100);
    // A number counts from the first row on.
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 700);
    world.template();
    let mut args = BATCH.to_vec();
    args.extend(["--halt-on-failures", "3", "-j", "1"]);
    world.notify(&args).code(5);
    assert_eq!(world.json("out/report.json")["failed"], 3);
}

#[test]
fn the_first_rows_go_alone_and_the_others_after_the_hold() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 300);
    world.template();
    let mut args = BATCH.to_vec();
    args.extend(["--canary", "10", "--hold", "700ms"]);
    world.notify(&args).code(0).err_has("canary");
    let mut times: Vec<u64> = sink.taken().iter().map(|line| line["at_ms"].as_u64().expect("a time")).collect();
    times.sort_unstable();
    assert_eq!(times.len(), 300);
    assert!(times[10] - times[9] >= 700, "{} after {}", times[10], times[9]);
    assert!(times[9] - times[0] < 700);
    assert_eq!(world.json("out/report.json")["recovery"], Value::Array(Vec::new()), "a canary that passed is no trouble");
}

#[test]
fn a_canary_that_fails_stops_the_run_before_the_others_go() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=user1@*"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 300);
    world.template();
    let mut args = BATCH.to_vec();
    args.extend(["--canary", "10", "--hold", "10m"]);
    world.notify(&args).code(5).err_has("1 of the first 10 rows");
    let report = world.json("out/report.json");
    assert_eq!((&report["sent"], &report["failed"], &report["pending"]), (&9.into(), &1.into(), &290.into()));
    assert_eq!(recovery(&world, "halt").len(), 1);
    // Whoever resumes has looked.
    world.notify(&["resume", "--state-dir", "state"]).code(1);
    assert_eq!(world.json("out/report.json")["sent"], 299);
}

fn mixed(world: &World, domain: &str) {
    let mut list = String::from("email,name,n\n");
    for n in 0..60 {
        let of = if n % 10 == 0 { domain } else { "corp.example" };
        list.push_str(&format!("user{n}@{of},Name {n},{n}\n"));
    }
    world.file("users.csv", list);
    world.template();
}

#[test]
fn words_of_a_reply_suspend_one_domain_and_the_others_go_on() {
    let sink = Sink::start(&["--faults", "rcpt-450[4.2.1 mail comes too quickly]*1:rcpt=*@slow.example"]);
    let rule = "shaping: [ { match: 'too quickly', domains: [slow.example], action: suspend, for: 2500ms } ]\nconnections: 2";
    let world = World::with_smtp(sink.smtp, rule);
    mixed(&world, "slow.example");
    world.notify(&BATCH).code(0);
    let taken = sink.taken();
    assert_eq!(taken.len(), 60);
    let at = |line: &Value| line["at_ms"].as_u64().expect("a time");
    let of = |line: &&Value| line.to_string().contains("slow.example");
    let slow: Vec<u64> = taken.iter().filter(of).map(at).collect();
    let others: Vec<u64> = taken.iter().filter(|line| !of(line)).map(at).collect();
    assert_eq!((slow.len(), others.len()), (6, 54));
    assert!(others.iter().max() < slow.iter().min(), "the others did not wait");
    assert!(slow.iter().min().expect("some") - others.iter().min().expect("some") >= 2400);
    assert!(world.jsonl("out/results.jsonl").iter().all(|row| row["attempts"] == 1), "too fast costs no try");
    let told = recovery(&world, "suspend");
    assert_eq!((told[0]["domain"].as_str(), &told[0]["delay"]), (Some("slow.example"), &2.5.into()), "{told:?}");
}

#[test]
fn presets_slow_the_recipients_of_a_big_provider_unless_they_are_off() {
    for off in [false, true] {
        let sink = Sink::start(&["--faults", "rcpt-450[4.2.1 The user is receiving mail at a rate]*1:rcpt=*@gmail.com"]);
        let world = World::with_smtp(sink.smtp, if off { "shaping: off" } else { "connections: 2" });
        mixed(&world, "gmail.com");
        let mut args = BATCH.to_vec();
        args.extend(["--delay", "10ms"]);
        world.notify(&args).code(0);
        let told = recovery(&world, "slow");
        assert_eq!(told.is_empty(), off, "{told:?}");
        assert_eq!(sink.taken().len(), 60);
    }
}

#[test]
fn shaping_of_the_whole_account_holds_all_of_it() {
    let sink = Sink::start(&["--faults", "451[4.3.0 please slow down]*1:rcpt=user3@*"]);
    let rule = "shaping: [ { match: 'slow down', action: suspend, for: 600ms } ]\nconnections: 1";
    let world = World::with_smtp(sink.smtp, rule);
    world.list("users.csv", 40);
    world.template();
    let mut args = BATCH.to_vec();
    args.extend(["-j", "1"]);
    world.notify(&args).code(0);
    let mut times: Vec<u64> = sink.taken().iter().map(|line| line["at_ms"].as_u64().expect("a time")).collect();
    times.sort_unstable();
    assert_eq!(times.len(), 40);
    let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] >= 550).count();
    assert_eq!(gaps, 1, "{times:?}");
    assert_eq!(recovery(&world, "suspend").len(), 1);
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    let world = World::new();
    world.config(
        "recovery: { network: { over: 80, action: retryall, dealy: 5m }, speed: {} }\naccounts:\n  mail:\n    platform: smtp\n    \
         url: smtp://smtp.gmail.com\n    user: me@corp.example\n    shaping: [ { match: '(', action: suspend, for: 1m }, { math: x } ]\n",
    );
    let told = world.notify(&["config", "check"]).code(4).out;
    for wanted in [
        "`recovery.network.over`",
        "did you mean retry_all?",
        "did you mean `delay`?",
        "`speed`",
        "regular expression",
        "did you mean `match`?",
    ] {
        assert!(told.contains(wanted), "{wanted}:\n{told}");
    }
    world.config(
        "recovery: { network: { over: 70%, delay: 1m } }\naccounts:\n  mail: { platform: smtp, url: smtp://smtp.gmail.com, user: me@corp.example }\n",
    );
    world.notify(&["config", "check"]).code(0).out_has("preset workspace");
    let shown = world.notify(&["config", "show"]).code(0).out_has("preset workspace").out_has("2000/d").out;
    assert!(shown.contains("delay: 1m") && shown.contains("action: throttle"), "{shown}");
    world.notify(&["platforms", "show", "smtp"]).code(0).out_has("Gmail").out_has("30/min");
}

#[test]
fn a_host_that_goes_away_holds_its_own_rows_and_no_others() {
    const ROWS: usize = 300;
    let world = World::new();
    let mut away = Server::nowhere(&world, "--http");
    let mut here = Server::nowhere(&world, "--http");
    here.ledger = world.path("here.jsonl");
    world.config("defaults: { via: hook }\naccounts: { hook: { platform: webhook } }\n");
    world.template();
    let mut list = String::from("webhook,name,n\n");
    for n in 0..ROWS {
        let address = if n % 2 == 0 { away.address } else { here.address };
        list.push_str(&format!("http://{address}/in/{n},Name {n},{n}\n"));
    }
    world.file("users.csv", list);
    away.start();
    here.start();
    let mut child = batch(&world, &["--delay", "50ms", "--rate", "150/s"]);
    assert!(until(|| away.lines() >= 20 && here.lines() >= 20));
    away.stop();
    assert!(until(|| count(&world, "breaker_reopened") >= 1), "{:?}", events(&world));
    assert!(until(|| here.lines() >= ROWS / 2), "the others go on");
    away.start();
    let code = wait(&mut child, Duration::from_secs(60)).expect("it ends");
    let mut taken = away.taken();
    for (row, times) in here.taken() {
        *taken.entry(row).or_default() += times;
    }
    let results = world.jsonl("out/results.jsonl");
    let of = |state: &str| results.iter().filter(|row| row["status"] == state).count();
    assert_eq!(of("sent") + of("in_doubt"), ROWS);
    assert_eq!(code, if of("in_doubt") > 0 { 6 } else { 0 });
    for (n, row) in results.iter().enumerate() {
        let times = taken.get(&n.to_string()).copied().unwrap_or_default();
        assert!(times == 1 || (row["status"] == "in_doubt" && times == 0), "{times}: {row}");
        assert!(row["attempts"].as_u64() <= Some(2), "{row}");
    }
    let told = recovery(&world, "circuit_break");
    assert_eq!(told[0]["endpoint"], away.address.to_string(), "{told:?}");
    assert!(told.iter().all(|entry| entry["endpoint"] == told[0]["endpoint"] && entry["closed"].is_string()), "{told:?}");
}

#[test]
fn rows_go_on_to_the_next_account_where_the_first_does_not_answer() {
    let world = World::new();
    let dead = Server::nowhere(&world, "--http");
    let mut alive = Server::nowhere(&world, "--http");
    world.config(&format!(
        "accounts:\n  first: {{ platform: webhook, url: \"http://{}/in\" }}\n  second: {{ platform: webhook, url: \"http://{}/in\" }}\n",
        dead.address, alive.address
    ));
    world.list("users.csv", 60);
    world.template();
    alive.start();
    let mut args = BATCH.to_vec();
    args.extend(["--via", "first>second", "--delay", "2s", "--max-wait", "30s"]);
    let began = Instant::now();
    world.notify(&args).code(0);
    // Nobody waited for the first until it was given up.
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    assert_eq!(alive.taken().len(), 60);
}

#[test]
fn flags_have_keys_and_variables() {
    let sink = Sink::start(&["--faults", "550@100%"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 300);
    world.template();
    let mut command = world.command(&BATCH);
    command.env("NOTIFY_CANARY", "5").env("NOTIFY_HOLD", "10m").env("NOTIFY_HALT_ON_FAILURES", "90%");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("notify starts");
    crate::world::ended(child).code(5).err_has("5 of the first 5 rows").err_has("90% may");
    let mut command = world.command(&["config", "show"]);
    command.env("NOTIFY_RECOVERY__NETWORK__DELAY", "7m").env("NOTIFY_DEFAULTS__HALT_MIN", "9");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("notify starts");
    crate::world::ended(child).code(0).out_has("delay: 7m").out_has("halt_min: 9");
    for (flag, value) in [("--halt-on-failures", "lots"), ("--halt-on-failures", "0"), ("--canary", "0"), ("--hold", "10")] {
        let mut args = BATCH.to_vec();
        args.extend([flag, value]);
        world.notify(&args).code(2).err_has(flag);
    }
}
