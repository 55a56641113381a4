//! `--on-result CMD`: one program for the whole run, told each final result as one JSON line on its stdin.
//!
//! One program and not one for each row, because a run may settle thousands of rows a second. Between the flow and the program is a
//! bounded buffer: a program that stalls or dies loses results, counted and told, and never holds up a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::hook::{self, Group, complaint};

/// Results that wait for the program; each is a few hundred bytes.
const BUFFER: usize = 10_000;
/// Bytes that go to the program with one call.
const PIECE: usize = 64 * 1024;
/// How long the program may take for what is in the buffer when the run has ended, and for its own end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The flow's end: takes results, never waits.
#[derive(Debug)]
pub struct Teller {
    lines: mpsc::Sender<String>,
    lost: Arc<AtomicU64>,
}

impl Teller {
    /// One line, without its end.
    pub fn tell(&mut self, line: String) {
        if self.lines.try_send(line).is_err() && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("--on-result: the program does not read as fast as results come, or has ended; some are lost to it");
        }
    }
}

/// The program.
#[derive(Debug)]
pub struct Results {
    lost: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Option<String>>,
}

impl Results {
    /// Starts it, with these variables over our environment.
    ///
    /// # Errors
    /// There is no shell.
    pub fn start(line: &str, variables: &[(&str, &str)]) -> std::io::Result<(Self, Teller)> {
        let (child, group) = hook::spawn(line, variables)?;
        let (lines, inbox) = mpsc::channel(BUFFER);
        let lost = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(feed(child, group, inbox, lost.clone()));
        Ok((Results { lost: lost.clone(), task }, Teller { lines, lost }))
    }

    /// Waits for its end, once the [`Teller`] is dropped; says what went wrong, if anything did.
    pub async fn end(mut self) -> Option<String> {
        let ended = timeout(PATIENCE, &mut self.task).await;
        let mut trouble = match ended {
            Ok(Ok(trouble)) => trouble,
            Ok(Err(_)) => Some("telling it failed inside notify; please report it".to_owned()),
            Err(_) => {
                self.task.abort();
                // Its process group is killed as the task is dropped.
                let _ = (&mut self.task).await;
                Some(format!("it had not ended {} s after the run, and was stopped", PATIENCE.as_secs()))
            }
        };
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            let words = trouble.take().map(|trouble| format!("; {trouble}")).unwrap_or_default();
            trouble = Some(format!("{lost} results were lost to it{words}"));
        }
        trouble
    }
}

async fn feed(mut child: Child, mut group: Group, mut inbox: mpsc::Receiver<String>, lost: Arc<AtomicU64>) -> Option<String> {
    let Some(stdin) = child.stdin.take() else { return Some("it has no stdin".to_owned()) };
    pour(stdin, &mut inbox, &lost).await;
    let trouble = complaint(child.wait().await);
    group.let_go();
    // It ended before the run: what still comes is lost to it.
    while inbox.recv().await.is_some() {
        lost.fetch_add(1, Ordering::Relaxed);
    }
    trouble
}

/// Writes until there is no more, or nobody reads.
async fn pour(mut stdin: ChildStdin, inbox: &mut mpsc::Receiver<String>, lost: &AtomicU64) {
    while let Some(first) = inbox.recv().await {
        let (mut piece, mut lines) = (first, 1);
        piece.push('\n');
        while piece.len() < PIECE
            && let Ok(line) = inbox.try_recv()
        {
            piece.push_str(&line);
            piece.push('\n');
            lines += 1;
        }
        if stdin.write_all(piece.as_bytes()).await.is_err() {
            lost.fetch_add(lines, Ordering::Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(line: &str, count: usize) -> (Option<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let (results, mut teller) = Results::start(line, &[("OUT", &out.display().to_string())]).unwrap();
        for n in 0..count {
            teller.tell(format!("{{\"row\":{n}}}"));
            if n % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        drop(teller);
        let trouble = results.end().await;
        (trouble, std::fs::read_to_string(&out).unwrap_or_default().lines().map(str::to_owned).collect())
    }

    #[tokio::test]
    async fn every_result_is_a_line_in_its_order() {
        let (trouble, lines) = told("cat > \"$OUT\"", 5_000).await;
        assert_eq!(trouble, None);
        assert_eq!((lines.len(), lines[4_999].as_str()), (5_000, "{\"row\":4999}"));
    }

    #[tokio::test]
    async fn a_program_that_dies_or_fails_is_told_with_what_it_lost() {
        let (trouble, lines) = told("head -n 1 > \"$OUT\"; exit 3", 200_000).await;
        let trouble = trouble.unwrap();
        assert!(trouble.contains("results were lost to it; it ended with exit code 3"), "{trouble}");
        assert_eq!(lines, ["{\"row\":0}"]);
        let (trouble, _) = told("cat > /dev/null; exit 7", 3).await;
        assert_eq!(trouble.as_deref(), Some("it ended with exit code 7"));
    }
}
