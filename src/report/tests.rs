//! The files of a run against what was recorded: every row once, numbers that agree, nothing that a spreadsheet computes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::delivery::{DeliveryId, Outcome, Receipt};
use crate::error::{ErrorKind, SendError};
use crate::journal::folder::{Ending, Manifest, RunFolder, TemplateRef};
use crate::journal::reader::Reader;
use crate::journal::writer::Journal;
use crate::journal::{Attempt, Mark, Record};
use crate::problem::Problem;
use crate::recipient::{Place, Position, Recipient, Row, RowError};
use crate::report::files::{self, ReportError, Rows};
use crate::report::follower::Follower;
use crate::report::text;

/// Rows in memory, in place of a spool.
struct Memory {
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl Rows for Memory {
    fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    fn names(&self) -> &[String] {
        &self.columns
    }

    fn page(&mut self, from: u64, most: usize) -> Result<Vec<Row>, Problem> {
        Ok(self.rows.iter().skip(from as usize).take(most).cloned().collect())
    }
}

const URL: &str = "https://hooks.example.com/T123/secret-token";

fn rows(count: u64) -> Memory {
    let rows = (0..count)
        .map(|n| {
            let place = Place { line: n + 2, column: None, name: None };
            let position = Position::row(n);
            if n == 3 {
                let vars = json!({ "email": "not an address", "name": "=1+1", "amount": "-5" });
                let error = RowError { place: place.clone(), what: "no @".into() };
                return Row {
                    position,
                    place,
                    skip: None,
                    priority: None,
                    recipient: Err(error),
                    raw: vars.as_object().cloned().unwrap_or_default(),
                };
            }
            let (to, via) = if n == 4 { (URL.to_owned(), "hook") } else { (format!("u{n}@x.example"), "corp") };
            let vars = json!({ "email": to, "name": "=HYPERLINK(\"http://x\")", "amount": "-5", "_meta.order": n });
            let recipient = Recipient {
                to: to.as_str().into(),
                via: via.into(),
                key: format!("{via} {to} 1"),
                template: None,
                delivery_id: (n == 5).then(|| "a".repeat(26)),
                vars: vars.as_object().cloned().unwrap_or_default(),
            };
            Row { position, place, skip: None, priority: None, recipient: Ok(recipient), raw: serde_json::Map::new() }
        })
        .collect();
    Memory { columns: ["email", "name", "amount", "_via"].map(String::from).to_vec(), rows }
}

fn manifest(out: &Path, rows: u64) -> Manifest {
    Manifest {
        schema: 1,
        id: "20261120-181530-x7k2mq4d".into(),
        lineage: "20261119-000000-aaaaaaaa".into(),
        parent: None,
        created: "2026-11-20T18:15:30Z".into(),
        version: "0.1.0".into(),
        command: "batch".into(),
        input: "users.csv".into(),
        rows,
        via: "corp".into(),
        platforms: BTreeMap::from([("corp".into(), "smtp".into()), ("hook".into(), "webhook".into())]),
        template: Some(TemplateRef { name: "welcome".into(), path: "/t/welcome".into(), digest: "abc".into() }),
        out: out.to_owned(),
        report: None,
        failed: None,
        secret_addresses: vec!["hook".into()],
        settings: Value::Null,
    }
}

fn ending() -> Ending {
    let start: jiff::Timestamp = "2026-11-20T18:15:30Z".parse().expect("time");
    Ending { start, end: start + jiff::SignedDuration::from_millis(2500), status: "completed".into(), exit: 6 }
}

fn record(row: u64, account: &str, attempts: u32, mark: Mark) -> Record {
    Record { position: Position::row(row), account: account.into(), attempts, mark }
}

fn failed(kind: ErrorKind, detail: &str) -> Mark {
    Mark::Outcome(Outcome::Failed(SendError::new(kind, detail).with_code("550 5.1.1")))
}

async fn fill(journal: &Journal) {
    let positions = [0, 1, 2, 4, 5, 6].map(|row| (Position::row(row), 1)).to_vec();
    journal.attempt(vec![Attempt { account: "corp".into(), positions }]).await.expect("durable");
    let receipt = Receipt { id: Some("queued as 1".into()), replay: false, note: None };
    journal.record(record(0, "corp", 1, Mark::Outcome(Outcome::Sent(receipt))));
    journal.record(record(1, "corp", 3, failed(ErrorKind::BadAddress, "no such user")));
    journal.record(record(2, "corp", 1, failed(ErrorKind::InDoubt, "the connection was cut after the last byte")));
    journal.record(record(3, "corp", 0, failed(ErrorKind::BadRow, "no @")));
    journal.record(record(4, "hook", 1, failed(ErrorKind::BadAddress, "404")));
    let busy = SendError::new(ErrorKind::Unavailable, "busy").with_retry_after(Some(std::time::Duration::from_secs(9)));
    journal.record(record(5, "corp", 1, Mark::Outcome(Outcome::Deferred(busy))));
    journal.record(record(6, "corp", 0, Mark::Skipped("duplicate_of=1".into())));
    journal.flush().await.expect("durable");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("file");
    text.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
}

#[test]
fn every_row_is_told_once_and_the_numbers_agree() {
    let dir = tempfile::tempdir().expect("temp");
    let manifest = manifest(&dir.path().join("out"), 600);
    let folder = RunFolder::create(dir.path(), &manifest.id).expect("folder");
    let follower = Follower::over(&manifest, Box::new(rows(600)), None).expect("follower");
    run(async {
        let journal = Journal::create(&folder, 600, follower.into_follow()).expect("journal");
        fill(&journal).await;
        journal.close().await.expect("closed");
    });
    let live = std::fs::read_to_string(manifest.out.join("failed.jsonl")).expect("grew live");
    assert_eq!(live.lines().count(), 3);
    let (paths, tally) = files::write_from(&folder, &manifest, &ending(), &mut rows(600)).expect("report");

    let results = lines(&paths.results_jsonl);
    assert_eq!(results.iter().map(|line| line["row"].as_u64()).collect::<Vec<_>>(), (1..=600).map(Some).collect::<Vec<_>>());
    assert_eq!(results[0]["status"], "sent");
    assert_eq!(results[0]["receipt"], "queued as 1");
    assert_eq!(results[0]["meta"]["order"], 0);
    assert_eq!(results[0]["delivery_id"], DeliveryId::derive(&manifest.lineage, "corp u0@x.example 1", "corp").as_str());
    assert_eq!((&results[2]["status"], &results[2]["possible_duplicate"]), (&json!("in_doubt"), &json!(true)));
    assert_eq!((&results[3]["kind"], &results[3]["to"], &results[3]["line"]), (&json!("bad_row"), &Value::Null, &json!(5)));
    assert_eq!((&results[5]["status"], &results[5]["kind"]), (&json!("pending"), &json!("unavailable")));
    assert_eq!(results[5]["delivery_id"], "a".repeat(26));
    assert_eq!((&results[6]["status"], &results[6]["detail"]), (&json!("skipped"), &json!("duplicate_of=1")));
    assert_eq!((&results[599]["status"], &results[599]["attempts"]), (&json!("pending"), &json!(0)));

    let csv = std::fs::read_to_string(&paths.results_csv).expect("csv");
    assert!(csv.starts_with("\u{feff}row,line,key,account,to,status,") && csv.contains("\r\n"));
    assert_eq!(csv.matches("\r\n").count(), 601);

    let report: Value = serde_json::from_slice(&std::fs::read(&paths.report).expect("report")).expect("json");
    let sum: u64 =
        ["sent", "failed", "pending", "skipped", "in_doubt"].iter().map(|name| report[*name].as_u64().expect("number")).sum();
    assert_eq!((Some(sum), &report["failed"]), (report["total_messages"].as_u64(), &json!(3)));
    assert_eq!((&report["duration"], &report["throughput"], &report["exit_code"]), (&json!(2.5), &json!(0.4), &json!(6)));
    let errors = &report["error_summary"];
    assert_eq!(errors["total_errors"], 3);
    assert_eq!(errors["errors_by_type"], json!({ "bad_row": 1, "bad_address": 2 }));
    assert_eq!(errors["errors_by_platform"], json!({ "smtp": 2, "webhook": 1 }));
    assert_eq!((&report["recovery"], &report["tuning"]), (&json!([]), &json!([])));
    assert_eq!((report["batch_id"].as_str(), folder.ended().expect("ended").tally), (Some(&*manifest.id), tally.clone()));

    let screen = text::text(&manifest, Some(&ending()), &tally, &paths);
    assert!(screen.lines().count() <= 24 && screen.contains("bad_address") && screen.contains("--in-doubt"), "{screen}");
    let short = text::summary(&manifest, &ending(), &tally, &paths);
    assert!(
        short.lines().count() <= 6 && short.contains("1 of 600 sent, 3 failed, 1 in doubt, 1 skipped, 594 pending"),
        "{short}"
    );
}

#[test]
fn a_retry_file_holds_what_sending_again_needs() {
    let dir = tempfile::tempdir().expect("temp");
    let manifest = manifest(&dir.path().join("out"), 7);
    let folder = RunFolder::create(dir.path(), &manifest.id).expect("folder");
    run(async {
        let journal = Journal::create(&folder, 7, Box::new(|_| Ok(()))).expect("journal");
        fill(&journal).await;
        journal.close().await.expect("closed");
    });
    let (paths, _) = files::write_from(&folder, &manifest, &ending(), &mut rows(7)).expect("report");
    let failed = lines(&paths.failed_jsonl);
    assert_eq!(failed.len(), 3);
    assert_eq!(failed[0]["email"], "u1@x.example");
    let about = &failed[0]["_notify"];
    let expected = [
        ("run", json!(manifest.id)),
        ("lineage", json!(manifest.lineage)),
        ("row", json!(2)),
        ("line", json!(3)),
        ("key", json!("corp u1@x.example 1")),
        ("id", json!(DeliveryId::derive(&manifest.lineage, "corp u1@x.example 1", "corp").as_str())),
        ("account", json!("corp")),
        ("template", json!("welcome")),
        ("template_hash", json!("abc")),
        ("kind", json!("bad_address")),
        ("code", json!("550 5.1.1")),
        ("attempts", json!(3)),
        ("retryable", json!(false)),
    ];
    for (name, value) in expected {
        assert_eq!(about[name], value, "{name}");
    }
    assert_eq!((&failed[1]["email"], about.get("not_before")), (&json!("not an address"), None));
    assert_eq!((failed[1]["_notify"].get("id"), failed[1]["_notify"].get("account")), (None, None));
    assert_eq!(failed[2]["email"], URL, "the retry file holds the row's own data");
    assert_eq!(lines(&paths.in_doubt_jsonl)[0]["_notify"]["kind"], "in_doubt");
    let csv = std::fs::read_to_string(&paths.failed_csv).expect("csv");
    let csv: Vec<&str> = csv.trim_start_matches('\u{feff}').split("\r\n").collect();
    assert_eq!(csv[0], "email,name,amount,_via,error");
    assert_eq!(csv[1], "u1@x.example,\"'=HYPERLINK(\"\"http://x\"\")\",-5,corp,bad_address: no such user (550 5.1.1)");
    assert_eq!(csv[2], "not an address,'=1+1,-5,,bad_row: no @ (550 5.1.1)");
    // Addresses that are credentials are nowhere else.
    for path in [&paths.results_jsonl, &paths.results_csv, &paths.report] {
        let text = std::fs::read_to_string(path).expect("file");
        assert!(!text.contains("secret-token"), "{}", path.display());
    }
    assert!(lines(&paths.results_jsonl)[4]["to"].as_str().expect("text").starts_with("https://hooks.example.com/#"));
    assert!(!String::from_utf8_lossy(&std::fs::read(folder.journal_path()).expect("journal")).contains("secret-token"));
    #[cfg(unix)]
    for entry in std::fs::read_dir(&manifest.out).expect("out") {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.expect("entry");
        assert_eq!(entry.metadata().expect("file").permissions().mode() & 0o777, 0o600, "{}", entry.path().display());
        assert!(!entry.file_name().to_string_lossy().ends_with(".tmp"));
    }
}

#[test]
fn after_a_kill_the_retry_files_are_made_whole() {
    let dir = tempfile::tempdir().expect("temp");
    let manifest = manifest(&dir.path().join("out"), 7);
    let folder = RunFolder::create(dir.path(), &manifest.id).expect("folder");
    run(async {
        let journal = Journal::create(&folder, 7, Box::new(|_| Ok(()))).expect("journal");
        fill(&journal).await;
        // In flight when the process ends.
        journal.attempt(vec![Attempt { account: "corp".into(), positions: vec![(Position::row(5), 2)] }]).await.expect("durable");
        drop(journal);
        // A torn line of a follower that was killed.
        std::fs::create_dir_all(&manifest.out).expect("out");
        std::fs::write(manifest.out.join("failed.jsonl"), "{\"email\": \"u1").expect("write");
        let follower = {
            let reader = loop {
                // The dropped journal's thread may still be writing its last group.
                match Reader::open(&folder) {
                    Ok(reader) => break reader,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                }
            };
            Follower::over(&manifest, Box::new(rows(7)), Some(reader)).expect("rebuilt")
        };
        let (journal, recovery) = Journal::open(&folder, follower.into_follow()).expect("open");
        assert_eq!((recovery.interrupted, recovery.in_doubt), (1, 2));
        journal.close().await.expect("closed");
    });
    assert_eq!(lines(&manifest.out.join("failed.jsonl")).len(), 3);
    let in_doubt: Vec<_> =
        lines(&manifest.out.join("in_doubt.jsonl")).iter().map(|line| line["_notify"]["row"].as_u64()).collect();
    assert_eq!(in_doubt, [Some(3), Some(6)]);
}

#[test]
fn files_of_two_runs_are_not_mixed() {
    let dir = tempfile::tempdir().expect("temp");
    let manifest = manifest(&dir.path().join("out"), 7);
    let folder = RunFolder::create(dir.path(), &manifest.id).expect("folder");
    run(async { Journal::create(&folder, 7, Box::new(|_| Ok(()))).expect("journal").close().await.expect("closed") });
    let error = files::write_from(&folder, &manifest, &ending(), &mut rows(8)).expect_err("eight are not seven");
    assert!(matches!(error, ReportError::Disagree(_)), "{error}");
    assert!(!manifest.out.join("report.json").exists());
}
