//! The main job over SMTP: every row arrives, every answer is judged, and a server that misbehaves is survived.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::world::{Sink, World};

#[test]
fn every_row_of_a_list_arrives_and_is_in_the_report() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "connections: 4");
    world.list("users.csv", 1000);
    world.template();
    let ended = world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    assert!(ended.out.is_empty(), "talk goes to stderr: {}", ended.out);
    assert!(ended.err.contains("1,000") || ended.err.contains("1000"), "{}", ended.err);
    let taken = sink.taken();
    assert_eq!(taken.len(), 1000);
    let rcpt: BTreeSet<&str> = taken.iter().map(|line| line["rcpt"][0].as_str().expect("rcpt")).collect();
    assert_eq!(rcpt.len(), 1000);
    assert!(taken.iter().all(|line| line["rcpt"].as_array().expect("array").len() == 1), "one recipient an envelope");
    let ids: BTreeSet<&str> = taken.iter().map(|line| line["message_id"].as_str().expect("id")).collect();
    assert_eq!(ids.len(), 1000, "Message-IDs are unique");
    let report = world.json("out/report.json");
    assert_eq!((&report["sent"], &report["total_messages"], &report["failed"]), (&1000.into(), &1000.into(), &0.into()));
    assert_eq!(world.jsonl("out/results.jsonl").len(), 1000);
    assert!(!world.path("out/failed.jsonl").exists() || world.read("out/failed.jsonl").is_empty());
}

#[test]
fn a_mail_has_the_form_that_was_promised() {
    let dir = tempfile::tempdir().expect("folder");
    let sink = Sink::start(&["--save", dir.path().to_str().expect("utf-8")]);
    let world = World::with_smtp(
        sink.smtp,
        "unsubscribe: { url: \"https://corp.example/u/{{token}}\", secret: \"0123456789abcdef\" }\nheaders: { List-Id: \"News <news.corp.example>\" }",
    );
    world.file("img/logo.png", b"\x89PNG not really");
    world.file("files/Rechnung für Jörg 发票.pdf", b"%PDF-1.4 not really");
    world.file(
        "templates/form.html",
        "Subject: Grüße an {{name}} 你好\nAttachment: ../files/Rechnung für Jörg 发票.pdf\n\n<p>Hallo {{name}}</p>\n.\n<p>.. dots</p>\n",
    );
    world.file("one.csv", "email,name\njoerg@example.com,\"Jörg \"\"Evil\"\" <x@y>\r\nBcc: all@example.com\"\n");
    world.notify(&["batch", "one.csv", "-t", "form", "--yes", "--out", "out"]).code(0);
    let mail = std::fs::read_dir(dir.path())
        .expect("folder")
        .map(|e| e.expect("entry").path())
        .find(|p| p.extension().is_some_and(|e| e == "eml"));
    let mail = std::fs::read(mail.expect("one .eml")).expect("read");
    let text = String::from_utf8_lossy(&mail);
    let head = text.split("\r\n\r\n").next().expect("head");
    assert!(head.is_ascii(), "no 8-bit byte in headers:\n{head}");
    for name in [
        "From:",
        "To:",
        "Subject:",
        "Date:",
        "Message-ID:",
        "MIME-Version:",
        "Content-Type:",
        "List-Unsubscribe:",
        "List-Unsubscribe-Post:",
        "List-Id:",
    ] {
        let count = head.lines().filter(|line| line.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase())).count();
        assert_eq!(count, 1, "{name} once in:\n{head}");
    }
    assert!(!head.to_lowercase().contains("\nbcc:"), "{head}");
    assert!(text.lines().all(|line| line.len() <= 998));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "CRLF only");
    assert!(text.contains("filename*") && text.contains("name=\"=?"), "RFC 2231 and RFC 2047 names:\n{text}");
    let taken = sink.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["rcpt"], serde_json::json!(["joerg@example.com"]));
}

#[test]
fn smuggling_from_row_data_is_impossible() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.file("templates/raw.txt", "Subject: {{s}}\n\n{{b}}\n");
    let evil =
        "x\r\n.\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\n";
    let mut rows = String::new();
    for (i, body) in
        [evil.to_owned(), evil.replace("\r\n", "\n"), evil.replace("\r\n", "\r"), evil.replace("\r\n.\r\n", "\n.\r\n")]
            .iter()
            .enumerate()
    {
        rows.push_str(
            &serde_json::json!({ "email": format!("u{i}@example.com"), "s": format!("hi\r\nBcc: v@example.com {i}"), "b": body })
                .to_string(),
        );
        rows.push('\n');
    }
    world.file("rows.jsonl", rows);
    world.notify(&["batch", "rows.jsonl", "-t", "raw", "--yes", "--out", "out"]).code(0);
    let taken = sink.taken();
    assert_eq!(taken.len(), 4, "four rows, four messages");
    for line in &taken {
        assert_eq!(line["mail_from"], "no-reply@corp.example");
        assert!(!line["rcpt"].to_string().contains("victim") && !line["rcpt"].to_string().contains("v@"), "{line}");
    }
}

/// The accounts of client and server agree: what is sent was taken, what failed was not.
fn agree(world: &World, sink: &Sink, rows: usize) -> BTreeMap<String, u64> {
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for line in sink.taken() {
        *taken.entry(line["rcpt"][0].as_str().expect("rcpt").to_owned()).or_default() += 1;
    }
    let results = world.jsonl("out/results.jsonl");
    assert_eq!(results.len(), rows);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in &results {
        let (to, status) = (row["to"].as_str().expect("to"), row["status"].as_str().expect("status"));
        *counts.entry(status.to_owned()).or_default() += 1;
        let times = taken.get(to).copied().unwrap_or_default();
        match status {
            "sent" => assert!(times >= 1, "{to} is reported sent and was not taken: {row}"),
            "failed" => assert_eq!(times, 0, "{to} is reported failed and was taken: {row}"),
            "in_doubt" => assert!(times <= 1, "{to}"),
            other => panic!("{to} is {other}"),
        }
        assert!(times <= 1, "{to} was taken {times} times: {row}");
    }
    counts
}

#[test]
fn an_overloaded_server_is_survived_and_the_accounts_agree() {
    let faults = "451@30%,421@5%,cut-after-data@2%,550@1%,rcpt-450@3%,rcpt-550@1%,late=5ms@10%,drip@2%";
    let sink = Sink::start(&["--faults", faults, "--seed", "5"]);
    let world = World::with_smtp(sink.smtp, "connections: 4");
    world.list("users.csv", 800);
    world.template();
    let ended = world.notify(&[
        "batch",
        "users.csv",
        "-t",
        "hello",
        "--yes",
        "--out",
        "out",
        "--delay",
        "20ms",
        "--max-delay",
        "100ms",
        "--retries",
        "8",
    ]);
    assert!([1, 6].contains(&ended.code), "exit {}\n{}", ended.code, ended.err);
    let counts = agree(&world, &sink, 800);
    assert!(counts["sent"] > 700, "{counts:?}");
    assert!(counts.get("in_doubt").copied().unwrap_or_default() > 0, "cuts after the data leave rows in doubt: {counts:?}");
    let report = world.json("out/report.json");
    assert_eq!(report["in_doubt"].as_u64(), counts.get("in_doubt").copied());
    let failed = world.jsonl("out/failed.jsonl");
    assert_eq!(failed.len() as u64, counts.get("failed").copied().unwrap_or_default());
}

#[test]
fn a_retry_file_feeds_a_retry_and_leaves_the_rest() {
    let sink = Sink::start(&["--faults", "550@100%:rcpt=*@example3.com"]);
    let world = World::with_smtp(sink.smtp, "");
    world.list("users.csv", 70);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(1);
    let failed = world.jsonl("out/failed.jsonl");
    assert_eq!(failed.len(), 10);
    let first = &failed[0];
    assert_eq!((first["name"].as_str(), first["_notify"]["kind"].as_str()), (Some("Name 3"), Some("bad_address")));
    world.notify(&["retry", "out/failed.jsonl", "--only", "retryable", "--yes", "--out", "again"]).code(10);

    // The user mends all but two of them; the new server takes these and refuses the rest.
    let mended: String = failed
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let mut row = row.clone();
            if i >= 2 {
                row["email"] = row["email"].as_str().expect("email").replace("example3", "example4x").into();
            }
            format!("{row}\n")
        })
        .collect();
    world.file("mended.jsonl", mended);
    let ids: BTreeSet<String> = failed.iter().map(|row| row["_notify"]["id"].as_str().expect("id").to_owned()).collect();
    world.notify(&["retry", "mended.jsonl", "--yes", "--out", "again"]).code(1);
    assert_eq!(world.jsonl("again/failed.jsonl").len(), 2);
    let report = world.json("again/report.json");
    assert_eq!((&report["sent"], &report["failed"], &report["total_messages"]), (&8.into(), &2.into(), &10.into()));
    // Whoever they are, they are the same deliveries as before.
    let again: BTreeSet<String> =
        world.jsonl("again/results.jsonl").iter().map(|row| row["delivery_id"].as_str().expect("id").to_owned()).collect();
    assert_eq!(ids, again);
}

#[test]
fn bad_credentials_halt_the_account_and_leave_its_rows_pending() {
    let sink = Sink::start_with(&["--auth", "robot"], Some("right"));
    let world = World::with_smtp(sink.smtp, "user: robot\npassword: { env: SMTP_PASSWORD }");
    world.list("users.csv", 50);
    world.template();
    let args = ["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "-vvv"];
    let run = |password: &str, args: &[&str]| {
        crate::world::ended(
            world
                .command(args)
                .env("SMTP_PASSWORD", password)
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("starts"),
        )
    };
    let ended = run("wr0ng-s3cret", &args).code(4);
    assert!(!ended.err.contains("wr0ng-s3cret"), "a password in the log:\n{}", ended.err);
    use base64::Engine;
    let coded = base64::engine::general_purpose::STANDARD.encode("\0robot\0wr0ng-s3cret");
    assert!(!ended.err.contains(&coded), "a password in the log:\n{}", ended.err);
    assert_eq!(world.json("out/report.json")["pending"], 50);
    assert!(sink.taken().is_empty());
    // With the right one the same run goes on.
    run("right", &["resume"]).code(0);
    assert_eq!(sink.taken().len(), 50);
}

#[test]
fn implicit_tls_and_starttls_verify_the_certificate() {
    let sink = Sink::start(&[]);
    let world = World::new();
    let config = |url: &str, more: &str| {
        world.config(&format!(
            "defaults: {{ via: mail }}\naccounts:\n  mail: {{ platform: smtp, url: \"{url}\", from: a@corp.example{more} }}\n"
        ));
    };
    let port = sink.smtps.port();
    config(&format!("smtps://localhost:{port}"), "");
    world.notify(&["send", "hi", "--to", "b@example.com", "--subject", "s"]).code(4);
    assert!(sink.taken().is_empty(), "nothing over a connection that cannot be trusted");
    let ca = format!(", ca_file: \"{}\"", sink.ca().display());
    config(&format!("smtps://localhost:{port}"), &ca);
    world.notify(&["send", "hi", "--to", "b@example.com", "--subject", "s"]).code(0);
    config(&format!("smtp://localhost:{}", sink.smtp.port()), &format!("{ca}, tls: required"));
    world.notify(&["send", "hi", "--to", "b@example.com", "--subject", "s"]).code(0);
    let taken = sink.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|line| line["tls"] != Value::Bool(false)), "{taken:?}");
}

#[test]
fn a_limit_holds_also_where_the_connection_opens_late() {
    let sink = Sink::start(&["--faults", "stall-banner=1500ms@100%"]);
    let world = World::with_smtp(sink.smtp, "limits: [ 10/s ]");
    world.list("users.csv", 30);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    let mut times: Vec<u64> = sink.taken().iter().map(|line| line["at_ms"].as_u64().expect("a time")).collect();
    times.sort_unstable();
    assert_eq!(times.len(), 30);
    // The limit and its burst, and two for a machine that stood still in between; without the rule it would be twenty and more.
    let most = times.iter().map(|from| times.iter().filter(|at| (*from..*from + 1000).contains(at)).count()).max();
    assert!(most <= Some(13), "{most:?} in one second: {times:?}");
}
