//! `notify wait`: until nobody works on the run any more; then its own exit code.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{launch, steer};
use crate::cli::Global;
use crate::cli::control::Wait;
use crate::exit::{Exit, Failure};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Waits.
pub(crate) async fn run(global: &Global, args: Wait) -> Result<Exit, Failure> {
    let folder = steer::target(&launch::state_dir(global)?, args.run.as_deref())?;
    let until = args.timeout.map(|timeout| Instant::now() + timeout);
    while let Some(holder) = folder.holder() {
        if until.is_some_and(|until| until <= Instant::now()) {
            let what = format!("run {} is still running (pid {})", folder.id, holder.pid);
            return Err(Failure::new(Exit::Held, what));
        }
        sleep(LOOK).await;
    }
    match folder.ended() {
        Some(ended) => match Exit::of(ended.ending.exit) {
            Some(exit) => Ok(exit),
            None => Err(Failure::new(Exit::Disk, format!("run {} ended with code {}", folder.id, ended.ending.exit))),
        },
        None => {
            let what = format!("run {} broke off: its process was killed\n  = help: notify resume {}", folder.id, folder.id);
            Err(Failure::new(Exit::Stopped, what))
        }
    }
}
