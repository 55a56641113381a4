//! `notify events`: what happened to a run besides its rows, and who wanted it.

use std::time::Duration;

use tokio::time::sleep;

use super::{open, status};
use crate::cli::Global;
use crate::cli::control::Events;
use crate::exit::{Exit, Failure};
use crate::journal::events::{self, Event};

/// How often is looked for more.
const LOOK: Duration = Duration::from_millis(100);

/// Tells them.
pub(crate) async fn run(global: &Global, args: Events) -> Result<Exit, Failure> {
    let folder = status::folder(global, args.run.as_deref())?;
    let mut from = 0;
    loop {
        // Asked first, so that what a process says as its last word is read after it has gone.
        let ended = folder.holder().is_none();
        let (events, next) = events::read(&folder, from);
        from = next;
        let mut text = String::new();
        for event in &events {
            let line = if args.json { serde_json::to_string(event).unwrap_or_default() } else { line(event) };
            text.push_str(&line);
            text.push('\n');
        }
        if !text.is_empty() && !open::still_read(&text) {
            return Ok(Exit::Done);
        }
        if !args.follow || ended {
            return Ok(Exit::Done);
        }
        sleep(LOOK).await;
    }
}

/// `2026-11-21T00:12:31.042Z  paused       by ann@desk, pid 12: lunch (in_flight=3)`
fn line(event: &Event) -> String {
    let mut line = format!("{:<28} {:<12}", format!("{:.3}", event.at), event.what);
    if let Some(account) = &event.account {
        line.push_str(&format!(" {account}"));
    }
    if let Some(by) = &event.by {
        line.push_str(&format!(" by {by}"));
    }
    if let Some(why) = &event.why {
        line.push_str(&format!(": {why}"));
    }
    if !event.more.is_empty() {
        let told = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields: Vec<String> = event.more.iter().map(|(name, value)| format!("{name}={}", told(value))).collect();
        line.push_str(&format!(" ({})", fields.join(" ")));
    }
    line
}
