//! `notify status --watch`: how a run stands, again and again until it ends; redrawn on a terminal, a line a second elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::sleep;

use super::open::still_read;
use super::status::{self, Stand};
use crate::cli::{Global, Status};
use crate::exit::{Exit, Failure};

/// How often it is redrawn on a terminal.
const REDRAWN: Duration = Duration::from_millis(500);
/// How often a line is told elsewhere.
const TOLD: Duration = Duration::from_secs(1);

/// Watches until nobody works on the run any more, or nobody reads.
///
/// # Errors
/// The run cannot be read.
pub(crate) async fn run(global: &Global, args: &Status) -> Result<Exit, Failure> {
    let (folder, json) = (status::folder(global, args.run.as_deref())?, args.json);
    let drawn = !json && std::io::stdout().is_terminal();
    let mut lines = 0;
    loop {
        let stand = Stand::of(&folder)?;
        let text = match (json, drawn) {
            (true, _) => format!("{}\n", status::json(&stand)),
            (false, true) => {
                let screen = status::text(&stand);
                // Back to where the last one began, and all of it away.
                let back = if lines > 0 { format!("\u{1b}[{lines}A\u{1b}[J") } else { String::new() };
                lines = screen.lines().count();
                format!("{back}{screen}")
            }
            (false, false) => format!("{}\n", status::line(&stand)),
        };
        // Looked at as it was when it was told, so that the last thing told is how it ended.
        if !still_read(&text) || stand.summary.holder.is_none() {
            return Ok(Exit::Done);
        }
        let pause = if drawn { REDRAWN } else { TOLD };
        // Not the whole pause where the run ends earlier.
        let mut left = pause;
        while !left.is_zero() && folder.holder().is_some() {
            let step = left.min(Duration::from_millis(100));
            sleep(step).await;
            left -= step;
        }
    }
}
