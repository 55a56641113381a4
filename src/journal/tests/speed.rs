//! Numbers: rows and commits a second, and what recovery costs.
use super::*;

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
            // Linux only; the follower and the caller's own rows are part of it.
            let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            println!("  {}", memory.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
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
