//! A disk that fills at every page: no attempt that was accepted is forgotten, and the ballast holds what is in flight.
use super::*;

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
