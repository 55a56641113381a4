//! Flags of time and of safety, and the verbs that go with them: suppress, find, prune.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::config::duration;
use crate::tally::State;

/// When rows leave.
#[derive(Debug, Clone, Default, Args)]
pub struct TimeFlags {
    /// Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h
    #[arg(long, value_name = "MOMENT", help_heading = "Time")]
    pub at: Option<String>,
    /// Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"
    #[arg(long, value_name = "WINDOWS", help_heading = "Time")]
    pub window: Option<String>,
    /// Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE", help_heading = "Time")]
    pub tz: Option<String>,
    /// Column with the time zone of its row, for --window and _send_at [default: _tz]
    #[arg(long, value_name = "COLUMN", help_heading = "Time")]
    pub tz_column: Option<String>,
    /// Rows not sent within this time after the start, or after their own _send_at, are skipped
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub expires: Option<Duration>,
    /// Put addresses that a service calls gone onto the suppression list
    #[arg(long, help_heading = "Safety")]
    pub suppress_gone: bool,
}

/// What keeps a new run from harm.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct GuardFlags {
    /// Send a list once under this name: again, it is resumed, or only what was not sent goes out
    #[arg(long, value_name = "KEY")]
    pub name: Option<String>,
    /// What to do while another process has that name [default: fail]
    #[arg(long, value_name = "WHAT", requires = "name")]
    pub lock: Option<Lock>,
    /// Send although the same list went out through the same template lately (or under the same --name)
    #[arg(long)]
    pub again: bool,
    /// Send every message to this address instead of its recipient's
    #[arg(long, value_name = "ADDRESS")]
    pub redirect_to: Option<String>,
    /// Refuse rows that go to any other domain or host; repeatable; *.example.com is all below it
    #[arg(long, value_name = "DOMAIN")]
    pub allow_domain: Vec<String>,
}

/// `--lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lock {
    /// Wait until it is free.
    Wait,
    /// End with 11 and say who has it.
    Fail,
    /// End with 0 and leave it to them.
    Skip,
}

/// `notify suppress`.
#[derive(Debug, Subcommand)]
pub enum Suppress {
    /// Write no more to these addresses, or to a whole domain (@example.com)
    Add {
        /// Which
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
        /// Why, for people
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take addresses off the list
    Rm {
        /// Which
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
    /// Show the list
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Add every line of a file: an address, and after a comma perhaps why; empty lines and # are passed over
    Import {
        /// The file; - reads stdin
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Why, for people, where a line does not say
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Say which of these addresses are suppressed; exit 10 if none is
    Check {
        /// Which
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
}

/// `notify find`.
#[derive(Debug, Args)]
pub struct Find {
    /// Rows to this address
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Rows in this state: pending, sent, failed, in_doubt or skipped
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub status: Option<State>,
    /// Failures of this kind, such as bad_address
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub kind: Option<crate::error::ErrorKind>,
    /// Rows of runs that began within this time, such as 7d [default: all]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub since: Option<Duration>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `notify prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Keep runs that ended within this time
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "30d")]
    pub keep: Duration,
    /// Only say which runs would go
    #[arg(long)]
    pub dry_run: bool,
}

fn state(text: &str) -> Result<State, String> {
    let known = State::ALL.into_iter().find(|state| state.as_str() == text.trim().replace('-', "_"));
    known.ok_or_else(|| format!("one of {}", State::ALL.map(State::as_str).join(", ")))
}

fn kind(text: &str) -> Result<crate::error::ErrorKind, String> {
    use crate::error::ErrorKind;
    ErrorKind::parse(&text.trim().replace('-', "_"))
        .ok_or_else(|| format!("one of {}", ErrorKind::ALL.map(ErrorKind::as_str).join(", ")))
}
