//! The journal against a world that kills it: an oracle in memory, copies of its files at any moment, a disk that fills.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::delivery::{Outcome, Receipt};
use crate::error::{ErrorKind, SendError};
use crate::journal::damage::{JournalError, Trouble};
use crate::journal::folder::RunFolder;
use crate::journal::reader::Reader;
use crate::journal::recovery::{Decision, INTERRUPTED, Recovery};
use crate::journal::writer::Journal;
use crate::journal::{Attempt, Follow, Mark, Record};
use crate::recipient::Position;
use crate::tally::State;

mod disk;
mod kill;
mod log;
mod model;
mod speed;

const ID: &str = "20261120-181530-x7k2mq4d";

fn nobody() -> Follow {
    Box::new(|_| Ok(()))
}

fn folder() -> (tempfile::TempDir, RunFolder) {
    let dir = tempfile::tempdir().expect("temp");
    let folder = RunFolder::create(dir.path(), ID).expect("create");
    (dir, folder)
}

fn attempt(rows: impl IntoIterator<Item = (u64, u32)>) -> Attempt {
    Attempt { account: "corp".into(), positions: rows.into_iter().map(|(row, n)| (Position::row(row), n)).collect() }
}

fn record(row: u64, attempts: u32, mark: Mark) -> Record {
    Record { position: Position::row(row), account: "corp".into(), attempts, mark }
}

fn sent() -> Mark {
    Mark::Outcome(Outcome::Sent(Receipt { id: Some("250 2.0.0 Ok: queued as 4XYZ".into()), replay: false, note: None }))
}

fn failed(kind: ErrorKind) -> Mark {
    Mark::Outcome(Outcome::Failed(SendError::new(kind, "no such user").with_code("550 5.1.1")))
}

fn deferred() -> Mark {
    let error = SendError::new(ErrorKind::Unavailable, "busy").with_retry_after(Some(std::time::Duration::from_secs(60)));
    Mark::Outcome(Outcome::Deferred(error))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

/// What a crash leaves: the files as they are at this moment, log first, as another process would find them.
fn crash(from: &RunFolder) -> (tempfile::TempDir, RunFolder) {
    let (dir, to) = folder();
    for name in ["journal.db", "journal.db-wal"] {
        if from.path.join(name).exists() {
            std::fs::copy(from.path.join(name), to.path.join(name)).expect("copy");
        }
    }
    (dir, to)
}

fn counts(recovery: &Recovery) -> (u64, u64, u64, u64) {
    let tally = &recovery.tally;
    (tally.sent, tally.failed, tally.in_doubt, tally.pending())
}

#[test]
fn what_was_recorded_is_found_again() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Journal::create(&folder, 10, nobody()).expect("create");
        journal.attempt(vec![attempt([(0, 1), (1, 1), (2, 1)]), attempt([(3, 1)])]).await.expect("durable");
        journal.record(record(0, 1, sent()));
        journal.record(record(1, 1, failed(ErrorKind::BadAddress)));
        journal.record(record(2, 1, deferred()));
        journal.record(record(4, 0, Mark::Skipped("duplicate_of=1".into())));
        journal.record(record(5, 0, failed(ErrorKind::BadRow)));
        journal.record(record(6, 1, Mark::Pending));
        journal.close().await.expect("closed");
        let (journal, recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!(counts(&recovery), (1, 2, 1, 5));
        assert_eq!((recovery.interrupted, recovery.in_doubt, recovery.tally.skipped), (1, 1, 1));
        assert!(recovery.settled.is_settled(Position::row(3)) && !recovery.settled.is_settled(Position::row(2)));
        let rests: Vec<_> = recovery.deferred.iter().map(|d| (d.position.row, d.attempts, d.kind)).collect();
        assert_eq!(rests, [(2, 1, Some(ErrorKind::Unavailable)), (6, 1, None)]);
        let wait = recovery.deferred[0].due.duration_since(jiff::Timestamp::now()).as_secs();
        assert!((50..=60).contains(&wait), "{wait}");
        let mut reader = Reader::open(&folder).expect("reader");
        assert_eq!(reader.tally().expect("tally"), recovery.tally, "two ways of counting agree");
        let doubt = reader.outcome(Position::row(3)).expect("read").expect("known");
        assert_eq!((doubt.state, doubt.detail.as_deref(), doubt.possible_duplicate), (State::InDoubt, Some(INTERRUPTED), true));
        assert_eq!(reader.outcomes(Position::row(4), 2).expect("read").len(), 2);
        assert_eq!(reader.in_state(State::Failed, Position::row(0), 10).expect("read").len(), 2);
        journal.close().await.expect("closed");
    });
}

#[test]
fn rows_that_rest_are_found_by_the_time_when_they_are_due_and_the_nearest_are_told() {
    let (_dir, folder) = folder();
    let rows = 9_000u64;
    let late = |row: u64| {
        // The last rows are due first.
        let wait = std::time::Duration::from_secs(60 + rows - row);
        let error = SendError::new(ErrorKind::Unavailable, "busy").with_retry_after(Some(wait));
        record(row, 1, Mark::Outcome(Outcome::Deferred(error)))
    };
    run(async {
        let journal = Journal::create(&folder, rows + 10, nobody()).expect("create");
        for from in (0..rows).step_by(1000) {
            journal.attempt(vec![attempt((from..from + 1000).map(|row| (row, 1)))]).await.expect("durable");
            (from..from + 1000).for_each(|row| journal.record(late(row)));
        }
        // One of them was in flight when the process was killed, one was sent meanwhile.
        journal.attempt(vec![attempt([(0, 2)]), attempt([(1, 2)])]).await.expect("durable");
        journal.record(record(1, 2, sent()));
        journal.flush().await.expect("durable");
        let (_copy, folder) = crash(&folder);
        let (journal, recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!(recovery.deferred.len() as u64 + recovery.beyond.count(), rows - 2);
        assert!(recovery.deferred.len() < 4200 && recovery.deferred.iter().all(|deferred| deferred.position.row > 4800));
        assert!(recovery.beyond.contains(Position::row(2)) && !recovery.beyond.contains(Position::row(0)));
        let (count, first) = recovery.beyond_by["corp"];
        assert_eq!(count, recovery.beyond.count());
        assert!(recovery.deferred.iter().all(|deferred| deferred.due <= first), "what is due first is told");

        let mut reader = Reader::open(&folder).expect("reader");
        let (mut found, mut passed) = (Vec::new(), None);
        loop {
            let page = reader.resting("corp", passed, 700).expect("read");
            let Some(last) = page.last() else { break };
            passed = Some((last.due.expect("due"), last.position));
            found.extend(page.iter().map(|known| known.position.row));
        }
        assert_eq!(found, (2..rows).rev().collect::<Vec<_>>());
        assert!(reader.resting("nobody", None, 10).expect("read").is_empty());
        journal.close().await.expect("closed");
    });
}

#[test]
fn a_decision_about_rows_in_doubt_is_kept_and_the_mark_of_a_possible_duplicate_stays() {
    let (_dir, original) = folder();
    run(async {
        let journal = Journal::create(&original, 3, nobody()).expect("create");
        journal.attempt(vec![attempt([(0, 1), (1, 1)])]).await.expect("durable");
        let (_copy, folder) = crash(&original);
        let (journal, mut recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!(recovery.in_doubt, 2);
        assert_eq!(journal.decide_in_doubt(Decision::Skip, None, &mut recovery).await.expect("skip"), 2);
        assert_eq!((recovery.in_doubt, recovery.tally.in_doubt), (0, 2));
        journal.close().await.expect("closed");
        let (journal, mut recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!((recovery.in_doubt, recovery.tally.in_doubt, recovery.interrupted), (0, 2, 0), "not asked about again");
        assert_eq!(journal.decide_in_doubt(Decision::Resend, None, &mut recovery).await.expect("resend"), 2);
        assert_eq!(counts(&recovery), (0, 0, 0, 3));
        assert_eq!(recovery.deferred.iter().map(|d| (d.position.row, d.attempts)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
        journal.attempt(vec![attempt([(0, 2)])]).await.expect("durable");
        journal.record(record(0, 2, sent()));
        journal.close().await.expect("closed");
        let known = Reader::open(&folder).and_then(|mut r| r.outcome(Position::row(0))).expect("read").expect("known");
        assert_eq!((known.state, known.possible_duplicate, known.attempts), (State::Sent, true, 2));
        let (_, recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!((counts(&recovery), recovery.interrupted), ((1, 0, 0, 2), 0));
    });
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_durable() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Journal::create(&folder, 5000, nobody()).expect("create");
        let mut reader = Reader::open(&folder).expect("reader");
        for row in 0..1000 {
            journal.record(record(row, 1, sent()));
            if row % 100 == 99 {
                journal.flush().await.expect("durable");
                assert_eq!(reader.tally().expect("tally").sent, row + 1);
            }
        }
        drop(reader);
        journal.close().await.expect("closed");
        assert!(!folder.path.join("journal.db-wal").exists(), "folded into the database");
        assert!(!folder.path.join("ballast").exists());
        assert_eq!(Reader::open(&folder).and_then(|mut r| r.tally()).expect("tally").sent, 1000);
    });
}

#[test]
fn the_follower_hears_of_each_record_once_after_it_is_durable() {
    let (_dir, folder) = folder();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (ear, path) = (heard.clone(), folder.clone());
    let follow: Follow = Box::new(move |records| {
        let mut reader = Reader::open(&path).expect("reader");
        for record in records {
            assert!(reader.outcome(record.position).expect("read").is_some(), "told before it was durable");
            ear.lock().expect("lock").push(record.position.row);
        }
        Ok(())
    });
    run(async {
        let journal = Journal::create(&folder, 100, follow).expect("create");
        for row in 0..20 {
            journal.record(record(row, 1, sent()));
        }
        journal.close().await.expect("closed");
    });
    assert_eq!(*heard.lock().expect("lock"), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_follower_that_fails_stops_following_and_nothing_else() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Journal::create(&folder, 100, Box::new(|_| Err(std::io::Error::other("no space")))).expect("create");
        journal.record(record(0, 1, sent()));
        journal.flush().await.expect("durable");
        journal.record(record(1, 1, sent()));
        journal.flush().await.expect("durable");
        assert_eq!(journal.follower_error().as_deref(), Some("no space"));
        assert_eq!(journal.error(), None);
    });
}

#[test]
fn outcomes_nobody_waits_for_are_durable_soon() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Journal::create(&folder, 100, nobody()).expect("create");
        journal.record(record(0, 1, sent()));
        let mut reader = Reader::open(&folder).expect("reader");
        let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while reader.tally().expect("tally").sent == 0 {
            assert!(std::time::Instant::now() < until, "never written");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        drop(journal);
    });
}

/// Names and rows are read at one moment: a new account between the two reads looked like damage once.
#[test]
fn a_reader_never_takes_a_new_account_for_damage() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Arc::new(Journal::create(&folder, 10_000, nobody()).expect("create"));
        let (writer, path) = (journal.clone(), folder.clone());
        let reading = std::thread::spawn(move || {
            let mut reader = Reader::open(&path).expect("reader");
            loop {
                let sent = reader.tally().expect("no damage").sent;
                reader.outcomes(Position::row(0), 1000).expect("no damage");
                if sent == 400 {
                    return;
                }
            }
        });
        for row in 0..400u64 {
            writer.record(Record { account: format!("account-{row}").into(), ..record(row, 1, sent()) });
            writer.flush().await.expect("durable");
        }
        reading.join().expect("the reader saw no damage");
    });
}

#[test]
fn damage_is_told_and_nothing_is_opened() {
    let (_dir, original) = folder();
    run(async {
        let journal = Journal::create(&original, 10, nobody()).expect("create");
        journal.attempt(vec![attempt([(0, 1), (1, 1)])]).await.expect("durable");
        journal.record(record(0, 1, sent()));
        journal.close().await.expect("closed");
    });
    let harms = [
        ("UPDATE outcome SET state = 2 WHERE position = 0", "row 1 does not fit"),
        ("UPDATE outcome SET receipt = 'other' WHERE position = 0", "row 1 does not fit"),
        ("UPDATE outcome SET position = 7 WHERE position = 0", "row 8 does not fit"),
        ("UPDATE outcome SET account = 9", "row 1 does not fit"),
        ("UPDATE account SET name = 'other'", "does not fit"),
        ("UPDATE attempt SET positions = x'00'", "attempt 1 does not fit"),
        ("INSERT INTO attempt SELECT 3, account, at, positions, sum FROM attempt", "attempt 2 is missing"),
        ("UPDATE meta SET value = 'x' WHERE name = 'run'", "belongs to run x"),
    ];
    for (harm, expected) in harms {
        let (_copy, folder) = crash(&original);
        rusqlite::Connection::open(folder.journal_path()).and_then(|db| db.execute_batch(harm)).expect("harm");
        let error = Journal::open(&folder, nobody()).expect_err(harm);
        assert!(matches!(error, JournalError::Damage { .. }), "{harm}: {error}");
        assert!(error.to_string().contains(expected) && error.to_string().contains("Nothing was sent"), "{harm}: {error}");
    }
    let (_copy, folder) = crash(&original);
    std::fs::remove_file(folder.journal_path()).expect("remove");
    assert!(matches!(Journal::open(&folder, nobody()), Err(JournalError::Damage { .. })));
    std::fs::write(folder.journal_path(), vec![7u8; 9000]).expect("write");
    assert!(matches!(Journal::open(&folder, nobody()), Err(JournalError::Damage { .. })));
    let (_copy, folder) = crash(&original);
    rusqlite::Connection::open(folder.journal_path()).and_then(|db| db.execute_batch("PRAGMA user_version = 9")).expect("harm");
    assert!(matches!(Journal::open(&folder, nobody()), Err(JournalError::Schema { found: 9, known: 1, .. })));
}

fn file_len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
