//! How the program speaks, asks, stops and ends.

use std::process::Stdio;

use serde_json::Value;

use crate::world::{Sink, World, ended, repository, until, wait};

#[test]
fn without_a_config_the_outbox_is_filled_and_nobody_is_written_to() {
    let world = World::new();
    let list = repository("samples/users.csv");
    let templates = repository("templates");
    std::os::unix::fs::symlink(templates, world.path("templates")).expect("link");
    let ended = world.notify(&["batch", list.to_str().expect("utf-8"), "--template", "welcome"]).code(0);
    assert!(ended.out.is_empty());
    let out = std::fs::read_dir(world.dir.path())
        .expect("dir")
        .map(|e| e.expect("entry").path())
        .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("notify-")))
        .expect("a folder of the run");
    let mails = std::fs::read_dir(out.join("outbox")).expect("outbox").count();
    let rows = std::fs::read_to_string(repository("samples/users.csv")).expect("samples").lines().count();
    assert!(mails > 5 && mails < rows + 1, "{mails} mails of {rows} lines");
    for name in ["report.json", "results.csv", "results.jsonl"] {
        assert!(out.join(name).is_file(), "{name}");
    }
}

#[test]
fn sending_is_confirmed_and_off_a_terminal_it_is_refused() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 3);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello"]).code(2).err_has("--yes");
    world.notify(&["batch", "users.csv", "-t", "hello", "--dry-run"]).code(0).err_has("nothing was sent");
    assert!(sink.taken().is_empty());
    // One message needs no question; several do.
    world.notify(&["send", "hi", "--to", "a@example.com", "--subject", "s"]).code(0);
    world.notify(&["send", "hi", "--to", "a@example.com", "--to", "b@example.com", "--subject", "s"]).code(2);
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn events_are_one_object_a_line_and_end_with_a_summary() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=user1@*"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 5);
    world.template();
    let ended = world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--json"]).code(1);
    let events: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let results: Vec<&Value> = events.iter().filter(|event| event["type"] == "result").collect();
    assert_eq!(results.len(), 5);
    assert_eq!(results.iter().filter(|event| event["status"] == "sent").count(), 4);
    let last = events.last().expect("events");
    assert_eq!((&last["type"], &last["sent"], &last["failed"]), (&"summary".into(), &4.into(), &1.into()));
}

#[test]
fn quiet_says_nothing_on_success() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 5);
    world.template();
    let ended = world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "-q"]).code(0);
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""));
}

#[test]
fn a_closed_stdout_stops_printing_and_never_sending() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 500);
    world.template();
    let mut child = world
        .command(&["batch", "users.csv", "-t", "hello", "--yes", "--json", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    assert_eq!(wait(&mut child, std::time::Duration::from_secs(60)), Some(0));
    assert_eq!(sink.taken().len(), 500);
}

fn signal(child: &std::process::Child, name: &str) {
    let done = std::process::Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().expect("kill");
    assert!(done.success());
}

#[test]
fn the_first_signal_drains_and_the_run_is_resumable() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let sink = Sink::start(&["--delay", "5ms"]);
        let world = World::with_smtp(sink.smtp, "connections: 2");
        world.list("users.csv", 500);
        world.template();
        let child = world
            .command(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        assert!(until(|| sink.ledger_lines() > 20));
        signal(&child, name);
        ended(child).code(code).err_has("notify resume");
        let report = world.json("out/report.json");
        let (sent, pending) = (report["sent"].as_u64().expect("sent"), report["pending"].as_u64().expect("pending"));
        assert_eq!(sent as usize, sink.taken().len(), "after a drain nothing is in doubt");
        assert_eq!((sent + pending, &report["in_doubt"]), (500, &0.into()));
        world.notify(&["resume"]).code(0);
        assert_eq!(sink.taken().len(), 500, "and nothing twice");
    }
}

#[test]
fn the_second_signal_stops_now_and_says_what_is_in_doubt() {
    let sink = Sink::start(&["--faults", "stall-dot=300s@100%"]);
    let world = World::with_smtp(sink.smtp, "connections: 1\nwindow: 1");
    world.list("users.csv", 5);
    world.template();
    let child = world
        .command(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    assert!(until(|| sink.struck("stall-dot") > 0));
    signal(&child, "INT");
    signal(&child, "INT");
    ended(child).code(130);
    let report = world.json("out/report.json");
    assert_eq!((&report["in_doubt"], &report["pending"]), (&1.into(), &4.into()), "{report}");
}

#[test]
fn a_full_disk_stops_the_run_and_nothing_is_sent_that_is_not_remembered() {
    let sink = Sink::start(&["--delay", "1ms"]);
    let world = World::with_smtp(sink.smtp, "connections: 4");
    world.list("users.csv", 20_000);
    world.template();
    // No file may grow beyond so many 512-byte blocks: the journal meets the wall in the middle of the run.
    let script =
        format!("trap '' XFSZ; ulimit -f 5000; exec {} batch users.csv -t hello --yes --out out", env!("CARGO_BIN_EXE_notify"));
    let mut command = std::process::Command::new("sh");
    world.dress(&mut command).args(["-c", &script]);
    let ended = ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"));
    assert_eq!(ended.code, 74, "{}", ended.err);
    let taken = sink.taken().len();
    // With room again it goes on, and nobody gets it twice without being told.
    world.notify(&["resume", "--in-doubt", "skip"]).code(0);
    let results = world.jsonl("out/results.jsonl");
    let doubt = results.iter().filter(|row| row["status"] == "in_doubt").count();
    let sent = results.iter().filter(|row| row["status"] == "sent").count();
    assert_eq!(sent + doubt, 20_000);
    let all = sink.taken();
    let different: std::collections::BTreeSet<String> = all.iter().map(|line| line["rcpt"].to_string()).collect();
    assert_eq!(all.len(), different.len(), "nobody twice ({taken} before the wall)");
    assert!(different.len() >= sent);
}

#[test]
fn help_shows_every_default_and_the_exit_codes() {
    let world = World::new();
    let help = world.notify(&["--help"]).code(0);
    for code in ["0", "74", "129, 130, 143"] {
        assert!(help.out.contains(code));
    }
    let batch = world.notify(&["batch", "--help"]).code(0).out;
    for flag in
        ["--retries", "--delay", "--backoff", "--max-delay", "--timeout", "--grace", "--max-wait", "--on-error", "--dedupe"]
    {
        let at = batch.find(flag).unwrap_or_else(|| panic!("{flag} is not in the help"));
        let rest = &batch[at..];
        let end = rest.find("\n\n").map_or(rest.len().min(400), |e| e.min(400));
        assert!(
            rest[..rest.floor_char_boundary(end.max(200).min(rest.len()))].contains("[default"),
            "{flag} has no default in the help"
        );
    }
    world.notify(&["bach"]).code(2).err_has("batch");
}

#[test]
fn completions_are_what_the_program_says() {
    let world = World::new();
    for (shell, file) in [
        ("bash", "notify.bash"),
        ("zsh", "_notify"),
        ("fish", "notify.fish"),
        ("powershell", "notify.ps1"),
        ("elvish", "notify.elv"),
    ] {
        let script = world.notify(&["completions", shell]).code(0).out;
        let kept = std::fs::read_to_string(repository("completions").join(file)).unwrap_or_default();
        assert!(script == kept, "completions/{file} is not up to date: notify completions {shell} > completions/{file}");
    }
    world.notify(&["man", "man"]).code(0);
    assert!(world.read("man/notify-batch.1").contains("skip\\-invalid"));
}

#[test]
fn a_stream_is_sent_row_by_row_and_counted_at_its_end() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.template();
    let rows = b"email,name,n\na@example.com,A,1\nnot an address,B,2\nb@example.com,C,3\na@example.com,again,4\n";
    world.notify_with(&["batch", "-", "--stream", "-t", "hello"], rows).code(2).err_has("--yes");
    world.notify_with(&["batch", "-", "--stream", "-t", "hello", "--yes", "--out", "out"], rows).code(1);
    assert_eq!(sink.taken().len(), 2);
    let report = world.json("out/report.json");
    let counts: Vec<u64> = ["total_messages", "sent", "failed", "skipped", "pending"]
        .iter()
        .map(|name| report[name].as_u64().expect("a count"))
        .collect();
    assert_eq!(counts, [4, 2, 1, 1, 0]);
}

#[test]
fn a_complete_run_stays_as_it_is() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 3);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    let before = world.notify(&["runs"]).code(0).out;
    world.notify(&["resume"]).code(10);
    let run = before.split_whitespace().next().expect("an id").to_owned();
    world.notify(&["resume", &run]).code(10).err_has("complete");
    assert_eq!(world.notify(&["runs"]).code(0).out, before);
    // Another run into the same folder says whose files it replaces.
    world.list("users.csv", 4);
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(0).err_has(&run);
    assert_eq!((sink.taken().len(), world.json("out/report.json")["sent"].as_u64()), (7, Some(4)));
}

#[test]
fn variables_of_the_command_line_count_as_columns() {
    let world = World::new();
    world.template();
    world.notify(&["send", "--to", "a@example.com", "-t", "hello", "-V", "name=Ann", "-V", "n=1", "--out", "out"]).code(0);
    world.file("vars.yaml", "n: 7\n");
    world.file("one.csv", "email,name\na@example.com,A\n");
    world.notify(&["batch", "one.csv", "-t", "hello", "--vars", "vars.yaml", "--out", "two"]).code(0);
    world.notify(&["check", "one.csv", "-t", "hello", "-V", "n=7"]).code(0);
    world.notify(&["batch", "one.csv"]).code(3).err_has("no template");
}

#[test]
fn memory_does_not_grow_with_the_list() {
    let world = World::new();
    world.config("defaults: { via: nowhere }\naccounts: { nowhere: { platform: outbox, format: \"null\" } }\n");
    world.template();
    let peak = |rows: usize| -> u64 {
        world.list("users.csv", rows);
        let out = format!("out-{rows}");
        let args = ["batch", "users.csv", "-t", "hello", "--yes", "--out", &out, "-q"];
        let mut child = world.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        until(|| {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            most = most.max(kilobytes.unwrap_or_default());
            child.try_wait().expect("wait").is_some()
        });
        assert_eq!(world.json(&format!("{out}/report.json"))["sent"].as_u64(), Some(rows as u64));
        most
    };
    let (few, many) = (peak(4_000), peak(80_000));
    assert!(many < 64 * 1024, "{many} kB for 80,000 rows");
    assert!(many < few + few / 2, "{few} kB for 4,000 rows, {many} kB for 80,000");
}

#[test]
fn a_stream_that_is_stopped_ends_with_a_report_and_is_resumed_to_its_last_row() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "limits: [ 20/s ]");
    world.template();
    let mut rows = String::from("email,name,n\n");
    for n in 0..60 {
        rows.push_str(&format!("user{n}@example.com,Name,{n}\n"));
    }
    let args = ["batch", "-", "--stream", "-t", "hello", "--yes", "--out", "out", "--deadline", "500ms"];
    world.notify_with(&args, rows.as_bytes()).code(5);
    let report = world.json("out/report.json");
    let count = |name: &str| report[name].as_u64().expect("a count");
    assert!(count("pending") > 0 && count("sent") > 0, "{report}");
    assert_eq!(count("total_messages"), count("sent") + count("pending"));
    world.notify(&["resume"]).code(0);
    assert_eq!(sink.taken().len() as u64, count("total_messages"), "every row that reached the spool, once");
}
