//! A process of its own, killed with SIGKILL again and again, against a ledger of what left it.
use super::*;

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
            .args(["--exact", "journal::tests::kill::victim", "--ignored"])
            .env(VICTIM, dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while file_len(&ledger) <= before && std::time::Instant::now() < until {
            assert!(child.try_wait().expect("child").is_none(), "round {round}: ended by itself");
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        std::thread::park_timeout(std::time::Duration::from_millis(chance.u64(0..40)));
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
