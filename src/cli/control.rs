//! The words of control: flags that let others watch a run, programs beside it, and the verbs for runs of other shells.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::config::duration;
use crate::hook::notice::Notices;
use crate::live::server;

/// Who watches a run by numbers.
#[derive(Debug, Clone, Default, Args)]
pub struct WatchFlags {
    /// Write the numbers of a run here once a second, as Prometheus reads them from a text file
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Global")]
    pub metrics_file: Option<PathBuf>,
    /// Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone
    #[arg(long, global = true, value_name = "ADDR", value_parser = server::address, help_heading = "Global")]
    pub metrics_listen: Option<SocketAddr>,
}

/// What runs beside a run, and whether anybody waits for it.
#[derive(Debug, Clone, Default, Args)]
pub struct HookFlags {
    /// Run this beside the run and tell it each final result, one JSON line each on its stdin
    #[arg(long, value_name = "CMD", help_heading = "Output")]
    pub on_result: Option<String>,
    /// Run this when the run has ended, with its summary as JSON on stdin
    #[arg(long, value_name = "CMD", help_heading = "Output")]
    pub on_finish: Option<String>,
    /// Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall
    #[arg(long, value_name = "WHEN=ACCOUNT", help_heading = "Output")]
    pub notify_on: Option<Notices>,
    /// Check and confirm here, then send in the background: prints the run and returns
    #[arg(long, help_heading = "Output")]
    pub detach: bool,
}

/// `notify pause`, `notify abort`.
#[derive(Debug, Args)]
pub struct Steer {
    /// The run, or the beginning of its name [default: the one that is running]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Why, for those who read the events of the run
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `notify set`.
#[derive(Debug, Args)]
pub struct Set {
    /// The run, or the beginning of its name, and what to set: rate=5/s concurrency=8 batch_size=50 deadline=2h …
    ///
    /// rate=RATE|off, concurrency=N|auto, batch_size=N, deadline=TIME|off, max_wait=TIME, grace=TIME, retries=N, max_delay=TIME
    #[arg(value_name = "RUN|NAME=VALUE", required = true)]
    pub words: Vec<String>,
    /// Why, for those who read the events of the run
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `notify wait`.
#[derive(Debug, Args)]
pub struct Wait {
    /// The run, or the beginning of its name [default: the one that is running]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Wait no longer than this: exit 11 where it is still running then
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
}

/// `notify events`.
#[derive(Debug, Args)]
pub struct Events {
    /// The run, or the beginning of its name [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Go on until the run ends
    #[arg(short, long)]
    pub follow: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
