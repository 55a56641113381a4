//! `--on-finish CMD`: run once when the run has ended, with its summary on stdin.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::hook::{self, complaint};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it to its end; says what went wrong, if anything did.
pub async fn run(line: &str, variables: &[(&str, &str)], summary: &str) -> Option<String> {
    within(PATIENCE, line, variables, summary).await
}

async fn within(patience: Duration, line: &str, variables: &[(&str, &str)], summary: &str) -> Option<String> {
    let (mut child, mut group) = match hook::spawn(line, variables) {
        Ok(started) => started,
        Err(error) => return Some(format!("it could not be started: {error}")),
    };
    let stdin = child.stdin.take();
    let work = async {
        if let Some(mut stdin) = stdin {
            // A program that does not care about the summary need not read it.
            let _ = stdin.write_all(format!("{summary}\n").as_bytes()).await;
        }
        child.wait().await
    };
    match timeout(patience, work).await {
        Ok(status) => {
            group.let_go();
            complaint(status)
        }
        Err(_) => Some(format!("it had not ended after {} s, and was stopped", patience.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_hears_the_summary_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out").display().to_string();
        let line = "read line; printf '%s %s' \"$NOTIFY_RUN\" \"$line\" > \"$OUT\"";
        assert_eq!(run(line, &[("NOTIFY_RUN", "r1"), ("OUT", &out)], "{\"sent\":1}").await, None);
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "r1 {\"sent\":1}");
        assert_eq!(run("exit 4", &[], "{}").await.as_deref(), Some("it ended with exit code 4"));
        let large = "x".repeat(1 << 20);
        assert_eq!(run("true", &[], &large).await, None, "it need not read");
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_stopped_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pid").display().to_string();
        let line = "sleep 300 & echo $! > \"$OUT\"; wait";
        let told = within(Duration::from_secs(1), line, &[("OUT", &out)], "{}").await.unwrap();
        assert!(told.contains("was stopped"), "{told}");
        let child: i32 = std::fs::read_to_string(&out).unwrap().trim().parse().unwrap();
        // A killed process that nobody has reaped yet is a zombie, and no longer runs.
        let mut gone = false;
        for _ in 0..200 {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            gone = stat.is_empty() || stat.contains(") Z ");
            if gone {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(gone, "the child of the hook still runs");
    }
}
