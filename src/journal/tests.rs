//! The journal against a world that kills it: an oracle in memory, copies of its files at any moment, a disk that fills.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

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
fn a_decision_about_rows_in_doubt_is_kept_and_the_mark_of_a_possible_duplicate_stays() {
    let (_dir, original) = folder();
    run(async {
        let journal = Journal::create(&original, 3, nobody()).expect("create");
        journal.attempt(vec![attempt([(0, 1), (1, 1)])]).await.expect("durable");
        let (_copy, folder) = crash(&original);
        let (journal, mut recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!(recovery.in_doubt, 2);
        assert_eq!(journal.decide_in_doubt(Decision::Skip, &mut recovery).await.expect("skip"), 2);
        assert_eq!((recovery.in_doubt, recovery.tally.in_doubt), (0, 2));
        journal.close().await.expect("closed");
        let (journal, mut recovery) = Journal::open(&folder, nobody()).expect("open");
        assert_eq!((recovery.in_doubt, recovery.tally.in_doubt, recovery.interrupted), (0, 2, 0), "not asked about again");
        assert_eq!(journal.decide_in_doubt(Decision::Resend, &mut recovery).await.expect("resend"), 2);
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

/// Sends what the journal allows on a disk of `pages` pages, and checks what is left.
fn fill(pages: i64, with_ballast: bool) -> bool {
    let (_dir, folder) = folder();
    run(async {
        if with_ballast {
            std::fs::write(folder.path.join("ballast-in-pages"), "").expect("write");
        }
        let Ok(journal) = Journal::with_pages(&folder, 100, pages, nobody()) else { return false };
        let (mut left, mut answered) = (Vec::new(), Vec::new());
        let mut error = None;
        for batch in 0..2000u64 {
            let rows: Vec<u64> = (batch * 10..batch * 10 + 10).collect();
            match journal.attempt(vec![attempt(rows.iter().map(|&row| (row, 1)))]).await {
                Ok(()) => left.push(rows),
                Err(found) => {
                    error = Some(found);
                    break;
                }
            }
            // Answers come one batch late, so that something is in flight when the disk is full.
            if left.len() > 1 {
                for &row in &left[left.len() - 2] {
                    journal.record(record(row, 1, sent()));
                    answered.push(row);
                }
            }
        }
        let Some(error) = error else { return true };
        assert!(matches!(error, JournalError::Storage { trouble: Trouble::Full, .. }), "{error}");
        assert!(journal.attempt(vec![attempt([(99_999, 1)])]).await.is_err(), "no attempt is ever taken again");
        assert_eq!(journal.error(), Some(journal.failed().await));
        for &row in left.last().into_iter().flatten() {
            journal.record(record(row, 1, sent()));
            answered.push(row);
        }
        let drained = journal.flush().await.is_ok();
        let lost = journal.lost();
        assert_eq!(drained, lost == 0);
        assert!(drained || !with_ballast, "the ballast holds the outcomes of what is in flight");
        let _ = journal.close().await;
        let (_journal, recovery) = Journal::open(&folder, nobody()).expect("goes on when there is space");
        let tried: u64 = left.iter().map(|rows| rows.len() as u64).sum();
        assert_eq!(recovery.tally.sent, answered.len() as u64 - lost);
        assert_eq!(recovery.tally.settled(), tried, "every row that was tried is accounted for, no other is");
        false
    })
}

#[test]
fn a_full_disk_at_any_page_loses_nothing_that_left() {
    for with_ballast in [true, false] {
        // The tables themselves take the first pages.
        for pages in (6..48).step_by(3) {
            fill(pages, with_ballast);
        }
    }
    assert!(fill(1_000_000, true), "a large disk takes all");
}

/// One step of the model.
#[derive(Debug, Clone)]
enum Step {
    Attempt(Vec<u64>),
    Answer(u8, u8),
    Crash,
    Flush,
    Reopen,
    Decide(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::btree_set(0u64..60, 1..8).prop_map(|rows| Step::Attempt(rows.into_iter().collect())),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Step::Answer(which, what)),
        2 => Just(Step::Crash),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => any::<bool>().prop_map(Step::Decide),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the oracle believes of a row: its state, tries, and whether it is in flight.
#[derive(Debug, Clone, Default, PartialEq)]
struct Belief {
    state: Option<State>,
    attempts: u32,
    in_flight: bool,
}

async fn compare(folder: &RunFolder, oracle: &BTreeMap<u64, Belief>) {
    let (_copy, found) = crash(folder);
    let (_journal, recovery) = Journal::open(&found, nobody()).expect("recovers");
    let mut reader = Reader::open(&found).expect("reads");
    for (&row, belief) in oracle {
        let known = reader.outcome(Position::row(row)).expect("read");
        let state = known.as_ref().map_or(State::Pending, |known| known.state);
        let expected = if belief.in_flight { State::InDoubt } else { belief.state.unwrap_or(State::Pending) };
        assert_eq!(state, expected, "row {row}: {belief:?} {known:?}");
        assert_eq!(recovery.settled.is_settled(Position::row(row)), expected != State::Pending);
        if let Some(known) = known {
            assert_eq!(known.attempts, belief.attempts, "row {row}");
        }
    }
    assert_eq!(recovery.tally, reader.tally().expect("tally"));
    assert_eq!(recovery.settled.count(), recovery.tally.settled());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn journal_and_recovery_agree_with_the_oracle(steps in steps()) {
        let (_dir, folder) = folder();
        run(async {
            let mut journal = Journal::create(&folder, 60, nobody()).expect("create");
            let mut oracle: BTreeMap<u64, Belief> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Attempt(rows) => {
                        let free: Vec<u64> = rows.into_iter()
                            .filter(|row| oracle.get(row).is_none_or(|b| b.state.is_none() && !b.in_flight)).collect();
                        if free.is_empty() { continue; }
                        let tries = free.iter().map(|row| (*row, oracle.get(row).map_or(0, |b| b.attempts) + 1)).collect::<Vec<_>>();
                        journal.attempt(vec![attempt(tries)]).await.expect("durable");
                        for row in free {
                            let belief = oracle.entry(row).or_default();
                            belief.in_flight = true;
                            belief.attempts += 1;
                        }
                    }
                    Step::Answer(which, what) => {
                        let flying: Vec<u64> = oracle.iter().filter(|(_, b)| b.in_flight).map(|(row, _)| *row).collect();
                        if flying.is_empty() { continue; }
                        let row = flying[usize::from(which) % flying.len()];
                        let belief = oracle.get_mut(&row).expect("flying");
                        belief.in_flight = false;
                        let (mark, state) = match what % 5 {
                            0 | 1 => (sent(), Some(State::Sent)),
                            2 => (failed(ErrorKind::BadMessage), Some(State::Failed)),
                            3 => (deferred(), None),
                            _ => { belief.attempts -= 1; (Mark::Pending, None) }
                        };
                        belief.state = state;
                        journal.record(record(row, belief.attempts, mark));
                    }
                    Step::Crash => {
                        journal.flush().await.expect("durable");
                        compare(&folder, &oracle).await;
                    }
                    Step::Flush => journal.flush().await.expect("durable"),
                    Step::Reopen => {
                        journal.close().await.expect("closed");
                        let (again, _) = Journal::open(&folder, nobody()).expect("open");
                        journal = again;
                        for belief in oracle.values_mut().filter(|b| b.in_flight) {
                            belief.in_flight = false;
                            belief.state = Some(State::InDoubt);
                        }
                    }
                    Step::Decide(resend) => {
                        let decision = if resend { Decision::Resend } else { Decision::Skip };
                        journal.decide_in_doubt(decision, &mut Recovery::default()).await.expect("decided");
                        if resend {
                            for belief in oracle.values_mut().filter(|b| b.state == Some(State::InDoubt)) {
                                belief.state = None;
                            }
                        }
                    }
                }
            }
            journal.flush().await.expect("durable");
            compare(&folder, &oracle).await;
            journal.close().await.expect("closed");
            compare(&folder, &oracle).await;
        });
    }
}

/// The log cut anywhere: what was promised durable before the cut's group is there, and nothing is half there.
#[test]
fn a_log_torn_at_any_place_recovers_to_a_whole_group() {
    let (_dir, folder) = folder();
    run(async {
        let journal = Journal::create(&folder, 100, nobody()).expect("create");
        for batch in 0..10u64 {
            journal.attempt(vec![attempt((batch * 10..batch * 10 + 10).map(|row| (row, 1)))]).await.expect("durable");
        }
        let log = std::fs::read(folder.path.join("journal.db-wal")).expect("log");
        for cut in (0..log.len()).step_by(4999) {
            let (_copy, torn) = crash(&folder);
            std::fs::write(torn.path.join("journal.db-wal"), &log[..cut]).expect("tear");
            match Journal::open(&torn, nobody()) {
                Ok((_, recovery)) => assert_eq!(recovery.interrupted % 10, 0, "cut at {cut}: a group is whole or absent"),
                Err(error) => assert!(matches!(error, JournalError::Damage { .. }), "cut at {cut}: {error}"),
            }
        }
        drop(journal);
    });
}

/// One byte of the log changed anywhere: in the middle that is damage, at the end it looks like a power cut; never less than that.
#[test]
fn a_log_damaged_in_its_middle_is_told_and_never_taken_for_its_end() {
    for rows in [100, 1000] {
        // With 1000 rows the log was grown beforehand, so that old frames follow the new ones.
        let (_dir, folder) = folder();
        run(async {
            let journal = Journal::create(&folder, rows, nobody()).expect("create");
            for batch in 0..10u64 {
                journal.attempt(vec![attempt((batch * 10..batch * 10 + 10).map(|row| (row, 1)))]).await.expect("durable");
            }
            let log = std::fs::read(folder.path.join("journal.db-wal")).expect("log");
            let (mut told, mut torn, mut unused) = (0, 0, 0);
            for place in (40..log.len()).step_by(if rows == 100 { 4111 } else { 79_999 }) {
                let (_copy, harmed) = crash(&folder);
                let mut bytes = log.clone();
                bytes[place] ^= 0x10;
                std::fs::write(harmed.path.join("journal.db-wal"), &bytes).expect("harm");
                match Journal::open(&harmed, nobody()) {
                    Err(error) => {
                        assert!(matches!(error, JournalError::Damage { .. }), "{place}: {error}");
                        told += 1;
                    }
                    Ok((_, recovery)) => match recovery.interrupted {
                        100 => unused += 1,
                        90 => torn += 1,
                        found => panic!("{place}: {found} of 100 attempts were left, and nobody was told"),
                    },
                }
            }
            assert!(told > 0, "told {told}, torn {torn}, unused {unused}");
            drop(journal);
        });
    }
}

const VICTIM: &str = "NOTIFY_TEST_VICTIM";

/// Not a test: what `a_real_kill_loses_nothing_that_left` starts as a process of its own, and kills.
#[test]
#[ignore = "run by another test"]
fn victim() {
    use std::io::Write;
    let Some(state) = std::env::var_os(VICTIM) else { return };
    let folder = RunFolder::open(Path::new(&state), ID).or_else(|_| RunFolder::create(Path::new(&state), ID)).expect("folder");
    let _lock = folder.lock().expect("the killed one's lock is free");
    // The server's own ledger: what reaches it is written before anything else happens, and no kill takes it back.
    let mut ledger = std::fs::File::options().append(true).create(true).open(Path::new(&state).join("ledger")).expect("ledger");
    run(async {
        let (journal, recovery) = if folder.journal_path().exists() {
            Journal::open(&folder, nobody()).expect("opens after a kill")
        } else {
            std::fs::write(folder.path.join("run.json"), "{}").expect("manifest");
            (Journal::create(&folder, 1_000_000, nobody()).expect("create"), Recovery::default())
        };
        let mut free = (0..1_000_000u64).filter(|row| !recovery.settled.is_settled(Position::row(*row)));
        loop {
            let rows: Vec<u64> = free.by_ref().take(7).collect();
            journal.attempt(vec![attempt(rows.iter().map(|row| (*row, 1)))]).await.expect("durable");
            for row in rows {
                ledger.write_all(&row.to_le_bytes()).expect("ledger");
                journal.record(record(row, 1, sent()));
            }
        }
    });
}

#[test]
fn a_real_kill_loses_nothing_that_left() {
    let dir = tempfile::tempdir().expect("temp");
    let ledger = dir.path().join("ledger");
    let mut chance = fastrand::Rng::with_seed(1);
    for round in 0..6 {
        let before = file_len(&ledger);
        let mut child = std::process::Command::new(std::env::current_exe().expect("own path"))
            .args(["--exact", "journal::tests::victim", "--ignored"])
            .env(VICTIM, dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while file_len(&ledger) <= before && std::time::Instant::now() < until {
            assert!(child.try_wait().expect("child").is_none(), "round {round}: ended by itself");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(chance.u64(0..40)));
        child.kill().expect("SIGKILL");
        child.wait().expect("dead");
        // Seen through a copy, so that the next process finds what this one left.
        let folder = RunFolder::open(dir.path(), ID).expect("folder");
        let (_copy, left) = crash(&folder);
        let (_journal, recovery) = Journal::open(&left, nobody()).expect("recovers");
        let bytes = std::fs::read(&ledger).expect("ledger");
        let mut took: Vec<u64> = bytes.chunks_exact(8).map(|row| u64::from_le_bytes(row.try_into().expect("eight"))).collect();
        for &row in &took {
            assert!(recovery.settled.is_settled(Position::row(row)), "round {round}: row {row} left and is forgotten");
        }
        let count = took.len();
        took.sort_unstable();
        took.dedup();
        assert_eq!(took.len(), count, "round {round}: a row left twice");
        assert!(recovery.tally.sent <= count as u64, "round {round}: sent is said of a row that never left");
    }
    assert!(file_len(&ledger) > 0);
}

/// Numbers, by hand: `cargo test --release --lib journal::tests::speed -- --ignored --nocapture`, with TMPDIR on the disk to measure.
#[test]
#[ignore = "measures, asserts nothing"]
fn speed() {
    let measure = |name: &str, per_group: u64, groups: u64| {
        let (_dir, folder) = folder();
        run(async {
            let journal = Journal::create(&folder, per_group * groups, nobody()).expect("create");
            let begin = std::time::Instant::now();
            let mut slowest = std::time::Duration::ZERO;
            let mut waits = Vec::new();
            for group in 0..groups {
                let rows = group * per_group..(group + 1) * per_group;
                let commit = std::time::Instant::now();
                journal.attempt(vec![attempt(rows.clone().map(|row| (row, 1)))]).await.expect("durable");
                waits.push(commit.elapsed());
                slowest = slowest.max(commit.elapsed());
                for row in rows {
                    journal.record(record(row, 1, sent()));
                }
            }
            journal.flush().await.expect("durable");
            let spent = begin.elapsed();
            waits.sort_unstable();
            println!(
                "{name}: {:.0} rows/s, {:.0} ns/row, {:.0} commits/s, median commit {:?}, slowest {slowest:?}",
                (per_group * groups) as f64 / spent.as_secs_f64(),
                spent.as_nanos() as f64 / (per_group * groups) as f64,
                groups as f64 / spent.as_secs_f64(),
                waits[waits.len() / 2],
            );
            let close = std::time::Instant::now();
            journal.close().await.expect("closed");
            let closed = close.elapsed();
            let open = std::time::Instant::now();
            let _ = Journal::open(&folder, nobody()).expect("open");
            println!("  close {closed:?}, recovery {:?}, {} bytes", open.elapsed(), file_len(&folder.journal_path()));
        });
    };
    measure("1 a group", 1, 2000);
    measure("10 a group", 10, 2000);
    measure("100 a group", 100, 3000);
    measure("1000 a group", 1000, 500);
}

fn file_len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
