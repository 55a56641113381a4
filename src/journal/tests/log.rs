//! The write-ahead log torn and damaged at any place: whole groups or a word about it, never silence.
use super::*;

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
