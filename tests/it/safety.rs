//! What keeps a list from being sent twice, to the wrong people, or to those who do not want it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::world::{Ended, Sink, World, ended, until, wait};

const SEND: [&str; 5] = ["batch", "users.csv", "-t", "hello", "--yes"];

fn mail(sink: &Sink, more: &str) -> World {
    let world = World::with_smtp(sink.smtp, more);
    world.template();
    world
}

fn send(world: &World, more: &[&str]) -> Ended {
    world.notify(&[&SEND, more].concat())
}

/// Who got something, sorted.
fn recipients(sink: &Sink) -> Vec<String> {
    let mut all: Vec<String> =
        sink.taken().iter().map(|line| line["rcpt"].to_string().trim_matches(['[', ']', '"']).to_owned()).collect();
    all.sort();
    all
}

fn rows(world: &World, out: &str) -> Vec<Value> {
    world.jsonl(&format!("{out}/results.jsonl"))
}

fn newest(world: &World) -> String {
    let runs = world.notify(&["runs", "--json"]).code(0).out;
    let line: Value = serde_json::from_str(runs.lines().last().expect("a run")).expect("JSON");
    line["run"].as_str().expect("an id").to_owned()
}

#[test]
fn the_same_list_is_not_sent_twice_by_accident() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    send(&world, &[]).code(0);
    let run = newest(&world);
    let refused = send(&world, &[]).code(8).err_has("the same list").err_has(&run).err_has("3 of 3 sent").err_has("--again");
    assert!(refused.err.lines().count() <= 3, "{}", refused.err);
    // What is no sending is not refused, and neither is another list, another template, or other variables.
    send(&world, &["--dry-run"]).code(0);
    world.notify(&["check", "users.csv", "-t", "hello"]).code(0);
    world.notify(&["batch", "users.csv", "-t", "hello", "--via", "outbox"]).code(0);
    world.notify(&["batch", "users.csv", "-t", "hello", "--via", "outbox"]).code(0);
    assert_eq!(sink.taken().len(), 3);
    send(&world, &["-V", "month=May"]).code(0);
    world.file("templates/hello.md", "Subject: Hello {{name}}\n\nDear {{name}}, you are still number {{n}}.\n");
    send(&world, &[]).code(0);
    send(&world, &["--skip", "1"]).code(0);
    assert_eq!(sink.taken().len(), 3 + 3 + 3 + 2);
    // By another name it is the same list.
    std::fs::copy(world.path("users.csv"), world.path("copy.csv")).expect("copied");
    world.notify(&["batch", "copy.csv", "-t", "hello", "--yes"]).code(8);
    let list = std::fs::read(world.path("users.csv")).expect("read");
    world.notify_with(&["batch", "-", "-t", "hello", "--yes"], &list).code(8);
    send(&world, &["--again"]).code(0);
    assert_eq!(sink.taken().len(), 14);
    // A config may look back less far, or not at all.
    world.command(&SEND).env("NOTIFY_DUPLICATE_DAYS", "0").stderr(Stdio::null()).status().expect("runs");
    assert_eq!(sink.taken().len(), 17);
}

#[test]
fn a_message_typed_twice_is_sent_twice() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    for _ in 0..2 {
        world.notify(&["send", "hi", "--to", "a@example.com", "--subject", "s"]).code(0);
    }
    assert_eq!(sink.taken().len(), 2);
}

#[test]
fn a_run_that_is_not_finished_is_to_be_resumed_and_not_begun_again() {
    let sink = Sink::start(&["--delay", "5ms"]);
    let world = mail(&sink, "connections: 1\nwindow: 1");
    world.list("users.csv", 200);
    send(&world, &["--deadline", "100ms", "--out", "out"]).code(5);
    let run = newest(&world);
    send(&world, &[]).code(8).err_has(&format!("notify resume {run}"));
    world.notify(&["resume"]).code(0);
    send(&world, &[]).code(8).err_has("200 of 200 sent");
    assert_eq!(sink.taken().len(), 200);
}

#[test]
fn a_list_that_reached_nobody_may_be_sent_again() {
    let sink = Sink::start(&["--faults", "rcpt-550"]);
    let world = mail(&sink, "");
    world.list("users.csv", 2);
    for _ in 0..2 {
        send(&world, &[]).code(1);
    }
    assert!(sink.taken().is_empty());
}

#[test]
fn a_retry_file_is_sent_once() {
    let sink = Sink::start(&["--faults", "rcpt-550*1:rcpt=user1@*"]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    send(&world, &["--out", "out"]).code(1);
    let failed = world.jsonl("out/failed.jsonl").len();
    assert_eq!(failed, 1, "{:?}", sink.ledger());
    let before = sink.taken().len();
    world.notify(&["retry", "out/failed.jsonl"]).code(0);
    assert_eq!(sink.taken().len(), before + failed);
    world.notify(&["retry", "out/failed.jsonl"]).code(8).err_has("--again");
    // By way of the run they are the same rows: another run of the line has sent them.
    let all = world.notify(&["runs", "--json"]).code(0).out;
    let first: Value = serde_json::from_str(all.lines().next().expect("a run")).expect("JSON");
    let ended = world.notify(&["retry", first["run"].as_str().expect("an id")]);
    assert!(ended.code == 8 || ended.code == 0, "{}", ended.err);
    assert_eq!(sink.taken().len(), before + failed, "nothing twice");
    world.notify(&["retry", "out/failed.jsonl", "--again"]).code(0);
    assert_eq!(sink.taken().len(), before + 2 * failed);
}

#[test]
fn under_a_name_a_list_is_sent_once() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    let named = |more: &[&str]| send(&world, &[&["--name", "letter", "--out", "out"], more].concat());
    named(&[]).code(0);
    let run = newest(&world);
    named(&[]).code(0).err_has("letter: done on").err_has(&run);
    let quiet = named(&["-q"]).code(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let events = named(&["--json", "-q"]).code(0).out;
    assert_eq!(serde_json::from_str::<Value>(&events).expect("JSON")["status"], "done");
    assert_eq!((sink.taken().len(), newest(&world)), (3, run.clone()), "no further run");

    // Two rows more: only those go out. The list is in another order, and a row says something else.
    world.file(
        "users.csv",
        "email,name,n\nnew1@example.com,New,8\nuser2@example2.com,Name 2,2\nuser1@example1.com,Other,1\nuser0@example0.com,Name 0,0\nnew2@example.com,New,9\n",
    );
    named(&[]).code(0).err_has("1 row say");
    let told: Vec<(String, String)> = rows(&world, "out")
        .iter()
        .map(|row| (row["status"].as_str().unwrap_or_default().to_owned(), row["detail"].as_str().unwrap_or_default().to_owned()))
        .collect();
    let already = format!("already_sent={run}");
    let expected = [
        ("sent", String::new()),
        ("skipped", already.clone()),
        ("skipped", format!("{already}, with other content")),
        ("skipped", already.clone()),
        ("sent", String::new()),
    ];
    for ((status, detail), (wanted, why)) in told.iter().zip(&expected) {
        assert_eq!(status, wanted, "{told:?}");
        assert!(why.is_empty() || detail == why, "{told:?}");
    }
    assert_eq!(told.len(), 5);
    assert_eq!(sink.taken().len(), 5);
    // All of it is sent now, though by two runs.
    named(&[]).code(0).err_has("done on");
    world.file("users.csv", "email,name,n\nuser0@example0.com,Name 0,0\nnew1@example.com,New,8\n");
    named(&[]).code(0).err_has("all 2 rows were sent before");
    assert_eq!(sink.taken().len(), 5);
    // Another name is another matter; and so is --again.
    send(&world, &["--name", "other"]).code(0);
    named(&["--again"]).code(0);
    assert_eq!(sink.taken().len(), 9);
}

#[test]
fn under_a_name_a_rerun_is_a_resume() {
    let sink = Sink::start(&["--delay", "2ms"]);
    let world = mail(&sink, "connections: 2");
    world.list("users.csv", 400);
    let args = [&SEND[..], &["--name", "letter", "--out", "out"]].concat();
    let mut child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    assert!(until(|| sink.ledger_lines() > 30));
    child.kill().expect("killed");
    wait(&mut child, Duration::from_secs(10));
    let run = newest(&world);
    world.notify(&[&args[..], &["--in-doubt", "skip"]].concat()).code(0).err_has(&format!("resuming run {run}"));
    let mut got = recipients(&sink);
    let all = got.len();
    got.dedup();
    assert_eq!(all, got.len(), "nobody twice");
    let told = rows(&world, "out");
    let of = |status: &str| told.iter().filter(|row| row["status"] == status).count();
    assert_eq!(of("sent") + of("in_doubt"), 400);
    assert_eq!(newest(&world), run, "it is the same run");
}

#[test]
fn under_a_name_failures_go_again_and_nothing_else() {
    let sink = Sink::start(&[]);
    let refusing = Sink::start(&["--faults", "550@100%:rcpt=user1@*"]);
    let world = mail(&refusing, "");
    world.list("users.csv", 3);
    let named = |more: &[&str]| send(&world, &[&["--name", "letter", "--out", "out"], more].concat());
    named(&[]).code(1);
    assert_eq!(refusing.taken().len(), 2);
    world.config(&format!(
        "defaults: {{ via: mail }}\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://{}\n    from: \"Corp <no-reply@corp.example>\"\n",
        sink.smtp
    ));
    named(&[]).code(0);
    assert_eq!(recipients(&sink), ["user1@example1.com"]);
    named(&[]).code(0).err_has("nothing to do");
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn one_process_at_a_time_has_a_name() {
    let sink = Sink::start(&["--delay", "20ms"]);
    let world = mail(&sink, "connections: 1\nwindow: 1");
    world.list("users.csv", 150);
    world.file("other.csv", "email,name,n\nlast@example.com,Last,1\n");
    let args = [&SEND[..], &["--name", "letter"]].concat();
    let mut child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    assert!(until(|| sink.ledger_lines() > 2));
    let other = |lock: &[&'static str]| -> Vec<&str> {
        [&["batch", "other.csv", "-t", "hello", "--yes", "--name", "letter"], lock].concat()
    };
    let pid = format!("pid {}", child.id());
    world.notify(&other(&[])).code(11).err_has("letter").err_has(&pid);
    world.notify(&other(&["--lock", "fail"])).code(11);
    let skipped = world.notify(&other(&["--lock", "skip"])).code(0).err_has(&pid);
    assert_eq!(skipped.err.lines().count(), 1);
    let quiet = world.notify(&other(&["--lock", "skip", "-q"])).code(0);
    assert_eq!(quiet.err, "");
    // A resume of that run is the same work.
    world.notify(&["resume", &newest(&world)]).code(11);
    assert!(child.try_wait().expect("wait").is_none(), "all of this was while it ran");
    // Whoever waits goes on where it ends.
    world.notify(&other(&["--lock", "wait"])).code(0);
    assert_eq!(wait(&mut child, Duration::from_secs(60)), Some(0));
    assert_eq!(sink.taken().len(), 151);
    assert!(recipients(&sink).contains(&"last@example.com".to_owned()));
}

#[test]
fn who_is_suppressed_is_not_written_to() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.file(
        "users.csv",
        "email,name,n\nann@example.com,Ann,1\nBob@EXAMPLE.com,Bob,2\nany@closed.example,Any,3\nim@Müller.example,Im,4\nok@sub.closed.example,Ok,5\n",
    );
    world.notify(&["suppress", "add", "bob@example.com", "--reason", "asked by letter"]).code(0).err_has("1 added");
    world.file("no.txt", "\u{feff}# nobody here\r\n\r\n@Closed.Example\r\n  im@xn--mller-kva.example  ,bounced\r\n");
    world.notify(&["suppress", "import", "no.txt"]).code(0).err_has("2 added");
    world.notify(&["suppress", "import", "no.txt"]).code(0).err_has("0 added, 2 were on the list already");
    let listed = world.notify(&["suppress", "list"]).code(0).out;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("asked by letter") && listed.contains("bounced"), "{listed}");
    world
        .notify(&["suppress", "check", "BOB@example.com", "ann@example.com"])
        .code(0)
        .out_has("BOB@example.com: suppressed")
        .out_has("ann@example.com: free");
    world.notify(&["suppress", "check", "ann@example.com"]).code(10);
    world.notify(&["suppress", "check", "x@closed.example"]).code(0);

    send(&world, &["--out", "out"]).code(0);
    assert_eq!(recipients(&sink), ["ann@example.com", "ok@sub.closed.example"]);
    let told: Vec<String> = rows(&world, "out").iter().map(|row| format!("{} {}", row["status"], row["detail"])).collect();
    assert_eq!(told.iter().filter(|told| *told == "\"skipped\" \"suppressed\"").count(), 3, "{told:?}");
    assert_eq!(world.json("out/report.json")["skipped"], 3);
    // A single message is no exception, and neither is whoever is only to get a copy.
    world.notify(&["send", "hi", "--to", "bob@example.com", "--subject", "s"]).code(0);
    world.file("copies.csv", "email,name,n,_cc\nann@example.com,Ann,1,bob@example.com\n");
    world.notify(&["batch", "copies.csv", "-t", "hello", "--yes"]).code(0);
    assert!(!sink.taken().iter().any(|line| line.to_string().to_lowercase().contains("bob@example.com")));

    world.notify(&["suppress", "rm", "Bob@example.com"]).code(0);
    world.notify(&["suppress", "rm", "Bob@example.com"]).code(10);
    world.notify(&["send", "hi", "--to", "bob@example.com", "--subject", "s"]).code(0);
    assert!(recipients(&sink).contains(&"bob@example.com".to_owned()));
}

#[test]
fn mistakes_of_an_imported_list_are_told_and_nothing_is_taken() {
    let world = World::new();
    world.file("bad.txt", b"good@example.com\nwhat is this\n\xff\xfe\n");
    world
        .notify(&["suppress", "import", "bad.txt"])
        .code(3)
        .err_has("bad.txt:2: this is no address")
        .err_has("bad.txt:3: this is not UTF-8");
    assert_eq!(world.notify(&["suppress", "list"]).code(0).out, "");
    world.notify(&["suppress", "import", "missing.txt"]).code(3).err_has("missing.txt");
    world.notify_with(&["suppress", "import", "-"], b"email,reason\na@example.com,\"left\"\n").code(0);
    world.notify(&["suppress", "list", "--json"]).code(0).out_has("\"reason\":\"left\"");
}

#[test]
fn a_list_that_cannot_be_read_sends_nothing() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    let state = world.path("home/.local/state/notify");
    std::fs::create_dir_all(&state).expect("a state folder");
    std::fs::write(state.join("state.db"), b"this is no database, and long enough to be looked at as one, whatever it says")
        .expect("written");
    send(&world, &[]).code(4).err_has("suppression list").err_has("state.db");
    world.notify(&["suppress", "list"]).code(4);
    assert!(sink.taken().is_empty());
}

#[test]
fn a_run_that_goes_on_asks_the_list_anew() {
    let sink = Sink::start(&["--delay", "5ms"]);
    let world = mail(&sink, "connections: 1\nwindow: 1");
    world.list("users.csv", 100);
    send(&world, &["--deadline", "100ms", "--out", "out"]).code(5);
    let pending: Vec<String> = rows(&world, "out")
        .iter()
        .filter(|row| row["status"] == "pending")
        .filter_map(|row| row["to"].as_str().map(str::to_owned))
        .collect();
    assert!(pending.len() > 2, "{}", pending.len());
    world.notify(&["suppress", "add", &pending[0], pending.last().expect("some")]).code(0);
    world.notify(&["resume"]).code(0);
    assert_eq!(sink.taken().len(), 98);
    assert_eq!(world.json("out/report.json")["skipped"], 2);
}

#[test]
fn what_a_service_calls_gone_is_suppressed_where_that_was_asked() {
    let sink = Sink::start(&["--faults", "rcpt-550:rcpt=user1@*,rcpt-550[5.7.1 not you]:rcpt=user2@*"]);
    let world = mail(&sink, "");
    world.list("users.csv", 4);
    send(&world, &[]).code(1);
    assert_eq!(world.notify(&["suppress", "list"]).code(0).out, "", "only where it was asked");
    send(&world, &["--again", "--suppress-gone", "--out", "out"]).code(1);
    let listed = world.notify(&["suppress", "list"]).code(0).out;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    assert!(listed.starts_with("user1@example1.com\t") && listed.contains("gone") && listed.contains("5.1.1"), "{listed}");
    send(&world, &["--again", "--out", "out"]);
    let told = rows(&world, "out");
    assert_eq!(told[1]["detail"], "suppressed");
}

#[test]
fn a_redirected_run_reaches_one_address_only() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.file(
        "users.csv",
        "email,name,n,_cc,_bcc\nann@example.com,Ann,1,boss@example.com,\nbob@example.com,Bob,2,,secret@example.com\n",
    );
    send(&world, &["--redirect-to", "qa@corp.example", "--out", "out"]).code(0).err_has("every message goes to");
    assert_eq!(recipients(&sink), ["qa@corp.example", "qa@corp.example"]);
    assert!(!sink.taken().iter().any(|line| line["rcpt"].to_string().contains("example.com")));
    for row in rows(&world, "out") {
        assert_eq!((&row["status"], &row["detail"]), (&"sent".into(), &"redirected to qa@corp.example".into()));
        assert!(row["to"].as_str().is_some_and(|to| to.ends_with("@example.com")), "the row's own address stays in the report");
    }
    // The trial is not the run: it may follow at once.
    send(&world, &[]).code(0);
    assert!(recipients(&sink).contains(&"ann@example.com".to_owned()));
    // An account that cannot send there refuses all of it.
    send(&world, &["--redirect-to", "not an address"]).code(2).err_has("--redirect-to");
}

#[test]
fn a_profile_redirects_all_of_its_runs() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    let config = world.read("notify.yaml");
    world.config(&format!("{config}profiles: {{ staging: {{ redirect_to: qa@corp.example }} }}\n"));
    world.list("users.csv", 3);
    send(&world, &["-p", "staging", "--deadline", "1ms"]);
    world.notify(&["resume", "-q"]);
    assert!(recipients(&sink).iter().all(|to| to == "qa@corp.example"), "{:?}", recipients(&sink));
    send(&world, &["-p", "staging", "--again"]).code(0);
    assert!(recipients(&sink).len() >= 3 && recipients(&sink).iter().all(|to| to == "qa@corp.example"));
}

#[test]
fn an_account_with_a_place_of_its_own_cannot_be_redirected() {
    let sink = Sink::start(&[]);
    let world = World::with_webhook(sink.http, "");
    world.file("rows.jsonl", "{\"text\":\"hello\"}\n");
    world.notify(&["batch", "rows.jsonl", "--yes", "--redirect-to", "qa@corp.example"]).code(2).err_has("a place of its own");
    assert!(sink.taken().is_empty());
}

#[test]
fn only_allowed_domains_are_written_to() {
    let sink = Sink::start(&[]);
    let world = mail(&sink, "");
    world.file(
        "users.csv",
        "email,name,n\nann@corp.example,Ann,1\nbob@other.example,Bob,2\neve@corp.example.evil.example,Eve,3\nsub@a.team.example,Sub,4\n",
    );
    let allowed = ["--allow-domain", "Corp.example", "--allow-domain", "*.team.example", "--out", "out"];
    send(&world, &allowed).code(3).err_has("users.csv:3").err_has("other.example is not allowed").err_has("users.csv:4");
    assert!(sink.taken().is_empty(), "one such row refuses the run");
    send(&world, &[&allowed[..], &["--skip-invalid"]].concat()).code(1);
    assert_eq!(recipients(&sink), ["ann@corp.example", "sub@a.team.example"]);
    send(&world, &["--allow-domain", "http://corp.example"]).code(2).err_has("--allow-domain");
    // Nor do copies go elsewhere.
    world.file("copies.csv", "email,name,n,_cc\nann@corp.example,Ann,1,bob@other.example\n");
    world.notify(&["batch", "copies.csv", "-t", "hello", "--yes", "--allow-domain", "corp.example"]).code(3);

    let hook = World::with_webhook(sink.http, "");
    hook.file("rows.jsonl", "{\"text\":\"hello\"}\n");
    hook.notify(&["batch", "rows.jsonl", "--yes", "--allow-domain", "hooks.example.com"]).code(3);
    hook.notify(&["batch", "rows.jsonl", "--yes", "--allow-domain", "127.0.0.1"]).code(0);
}

#[test]
fn quiet_trouble_is_one_line_and_the_paths() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=user1@*"]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    let ended = send(&world, &["-q", "--out", "out"]).code(1);
    assert_eq!(ended.out, "");
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(lines[0].contains("2 of 3 sent, 1 failed"), "{lines:?}");
    assert!(lines[1..].iter().all(|line| line.contains("out/")), "{lines:?}");
    assert!(lines.len() == 3, "{lines:?}");
}

#[test]
fn rows_are_found_over_all_runs() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=user1@*"]);
    let world = mail(&sink, "");
    world.list("users.csv", 3);
    send(&world, &[]).code(1);
    send(&world, &["--again", "--skip", "1"]).code(1);
    let all = |args: &[&str]| -> Vec<Value> {
        let ended = world.notify(&[&["find", "--json"], args].concat());
        ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    assert_eq!(all(&[]).len(), 5);
    assert_eq!(all(&["--to", "User1@example1.com"]).len(), 2);
    assert_eq!(all(&["--to", "user0@example0.com"]).len(), 1);
    assert_eq!(all(&["--status", "failed"]).len(), 2);
    assert_eq!(all(&["--status", "sent", "--to", "@example2.com"]).len(), 2);
    assert_eq!(all(&["--since", "1h"]).len(), 5);
    assert_eq!(all(&["--since", "0s"]).len(), 0);
    let kind = all(&["--status", "failed"])[0]["kind"].as_str().expect("a kind").to_owned();
    assert_eq!(all(&["--kind", &kind]).len(), 2);
    world.notify(&["find", "--to", "nobody@example.com"]).code(10);
    world.notify(&["find", "--status", "lost"]).code(2);
    world.notify(&["find", "--status", "failed"]).code(0).out_has("user1@example1.com");
}

#[test]
fn old_runs_are_removed_and_unfinished_ones_are_not() {
    let sink = Sink::start(&["--delay", "5ms"]);
    let world = mail(&sink, "connections: 1\nwindow: 1");
    world.list("users.csv", 100);
    world.file("short.csv", "email,name,n\na@example.com,A,1\n");
    let short = ["batch", "short.csv", "-t", "hello", "--yes"];
    world.notify(&short).code(0);
    send(&world, &["--deadline", "50ms"]).code(5);
    world.notify(&["prune"]).code(0).err_has("0 of 2 runs removed");
    world.notify(&["prune", "--keep", "0s", "--dry-run"]).code(0).err_has("1 of 2 runs would go");
    world.notify(&["prune", "--keep", "0s"]).code(0).err_has("1 of 2 runs removed, 1 not finished");
    assert_eq!(world.notify(&["runs"]).code(0).out.lines().count(), 1);
    // What is forgotten may be sent again; what is not finished is still known.
    world.notify(&short).code(0);
    send(&world, &[]).code(8);
    world.notify(&["resume"]).code(0);
}

/// Half a million rows under one name, then the same list and one row more: what was sent is compared on disk.
/// `cargo test --test it safety::a_long_list -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
#[cfg(target_os = "linux")]
fn a_long_list_under_a_name_needs_no_memory_for_what_was_sent() {
    let world = World::new();
    world.config("defaults: { via: nowhere }\naccounts: { nowhere: { platform: outbox, format: \"null\" } }\n");
    world.template();
    let peak = |rows: usize| -> u64 {
        world.list("users.csv", rows);
        let name = format!("n{rows}");
        let args = ["batch", "users.csv", "-t", "hello", "--yes", "--name", &name, "--out", "out", "-q"];
        world.notify(&args).code(0);
        let more = world.read("users.csv") + "last@example.com,Last,0\n";
        world.file("users.csv", more);
        let mut child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        until(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            most = most.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default());
            child.try_wait().expect("wait").is_some()
        });
        assert_eq!(world.json("out/report.json")["sent"].as_u64(), Some(1));
        most
    };
    let (few, many) = (peak(5_000), peak(100_000));
    println!("{few} kB for 5,000 rows, {many} kB for 100,000");
    assert!(many < 64 * 1024 && many < few + few / 2, "{few} kB for 5,000 rows, {many} kB for 100,000");
}

#[test]
fn a_name_may_hold_anything() {
    let world = World::new();
    world.list("users.csv", 2);
    world.template();
    for name in ["a/b", "../../x", "söndag 7", "-"] {
        let name = format!("--name={name}");
        world.notify(&["batch", "users.csv", "-t", "hello", &name, "--out", "out"]).code(0);
        world.notify(&["batch", "users.csv", "-t", "hello", &name, "--out", "out"]).code(0).err_has("done on");
    }
    world.notify(&["batch", "users.csv", "-t", "hello", "--name", " "]).code(2);
    let child = world
        .command(&["batch", "users.csv", "-t", "hello", "--name=a/b", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    ended(child).code(0);
}
