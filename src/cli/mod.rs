//! The words as typed: every command and flag, plain data that does nothing.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::cli::control::{Events, HookFlags, Set, Steer, Wait, WatchFlags};
use crate::cli::money::MoneyFlags;
use crate::config::defaults::Width;
use crate::config::duration;
use crate::exit;
use crate::limit::Quota;
use crate::rules::{Doubt, OnError};

pub mod control;
pub mod money;
pub mod pace;
pub mod priority;
pub mod recovery;
pub mod safety;

/// Send a message to every row of a list, and know what happened to each.
#[derive(Debug, Parser)]
#[command(
    name = "notify",
    version,
    disable_version_flag = true,
    about = "Send a message to every row of a list, and know what happened to each.",
    long_about = "Send a message to every row of a list, over email, SMS, chat, push and paging services or webhooks of your own, and know what happened to each.\n\n\
                  Without a config, messages are written to files (the outbox) and nothing is sent.",
    after_long_help = exit::TABLE,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    pub version: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Whether errors are told as JSON too.
    pub fn wants_json(&self) -> bool {
        match &self.command {
            Command::Send(args) => args.flow.json,
            Command::Batch(args) => args.flow.json,
            Command::Retry(args) => args.flow.json,
            Command::Resume(args) => args.flow.json,
            Command::Check(args) => args.json,
            Command::Plan(args) => args.flow.json,
            Command::Runs(args) => args.json,
            Command::Status(args) => args.json,
            Command::Pause(args) | Command::Abort(args) => args.json,
            Command::Set(args) => args.json,
            Command::Find(args) => args.json,
            _ => false,
        }
    }
}

/// Flags that work before and after every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global")]
pub struct Global {
    /// Read this config file instead of the usual ones
    #[arg(short, long, global = true, value_name = "FILE", env = "NOTIFY_CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use this profile of the config
    #[arg(short, long, global = true, value_name = "NAME", env = "NOTIFY_PROFILE")]
    pub profile: Option<String>,
    /// Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]
    #[arg(long, global = true, value_name = "DIR", env = "NOTIFY_STATE_DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// A definition of a platform of your own, beside those in the folders of the config; repeatable
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub platform_file: Vec<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Form of the log on stderr
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub log_format: LogFormat,
    /// Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on success; on trouble one summary
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Who watches.
    #[command(flatten)]
    pub watch: WatchFlags,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One verb, one file in `commands/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send one message to one or several addresses
    Send(Send),
    /// Send a template to every row of a list
    Batch(Batch),
    /// Send the failures of an earlier run again, as a new run linked to it
    Retry(Retry),
    /// Finish a run that was stopped or killed, or let one go on that is paused
    Resume(Resume),
    /// Check every row against the template; send nothing
    Check(Check),
    /// Count rows, requests, time and cost of a batch; send nothing
    Plan(Plan),
    /// Show what rows would become
    Preview(Preview),
    /// List the runs of this machine, newest last
    Runs(Runs),
    /// Tell how a run stands
    Status(Status),
    /// Wait until a run has ended, and end with its exit code
    Wait(Wait),
    /// Let a running run take no more rows until it is told to go on
    Pause(Steer),
    /// Stop a run for good; what was not sent stays pending
    Abort(Steer),
    /// Change settings of a run while it runs
    Set(Set),
    /// Tell what happened to a run, and who wanted it
    Events(Events),
    /// Tell what a run did
    Report(Report),
    /// Find rows over all runs
    Find(safety::Find),
    /// Whom nothing is sent to
    #[command(subcommand)]
    Suppress(safety::Suppress),
    /// Remove runs that ended long ago
    Prune(safety::Prune),
    /// What can be sent with, and whether an account's credentials work
    #[command(subcommand)]
    Platforms(Platforms),
    /// What can be sent
    #[command(subcommand)]
    Templates(Templates),
    /// Which settings are in force, and whether they are right
    #[command(subcommand)]
    Config(Config),
    /// A loopback mail and web server that records, and misbehaves on request
    Sink(Sink),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// Where to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// How rows are read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputFlags {
    /// Form of the list [default: told from its content]
    #[arg(long, value_name = "FORM")]
    pub format: Option<InputFormat>,
    /// Encoding of the list, such as gb18030 or windows-1252 [default: UTF-8, or by byte order mark; others must be named]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Field delimiter, one character or \t [default: told from the header]
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<String>,
    /// Read column E-Mail as email; repeatable
    #[arg(long, value_name = "NAME=COLUMN")]
    pub map: Vec<String>,
    /// Check row by row while sending, for pipes that do not end
    #[arg(long)]
    pub stream: bool,
    /// Leave out the first N rows
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,
    /// Read at most N rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// What makes two rows the same, of which only the first is sent [default: address]
    #[arg(long, value_name = "BY")]
    pub dedupe: Option<Dedupe>,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// Comma, semicolon, tab or bar separated.
    Csv,
    /// Tab separated.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// One JSON array of objects.
    Json,
}

/// `--dedupe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dedupe {
    /// The same address through the same account.
    Address,
    /// The same key.
    Key,
    /// Nothing is a duplicate.
    Off,
}

/// What is sent.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Content")]
pub struct ContentFlags {
    /// Template: a name in templates/, or a path
    #[arg(short, long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// A variable for every row that has no such column; repeatable
    #[arg(short = 'V', long = "var", value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// Variables for every row, from a YAML or JSON file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub vars: Option<PathBuf>,
    /// An undefined variable renders as nothing instead of being an error
    #[arg(long)]
    pub lenient: bool,
    /// Attach this file to every message; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub attach: Vec<PathBuf>,
    /// Column that names files to attach to its row, separated by ;
    #[arg(long, value_name = "COLUMN")]
    pub attach_column: Option<String>,
}

/// Through what it is sent.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetFlags {
    /// Account of the config to send through, a pool, accounts one after the other as 'a>b>c', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]
    ///
    /// 'a>b>c' needs quotes: a row that fails for good in a goes through b, then through c. A row of the list may name accounts or pools
    /// of its own in the column _via.
    ///
    /// Others on this machine can see the command line, and the shell remembers it: a URL with a token goes better into NOTIFY_VIA, or
    /// into a file that is named by --via @FILE. `notify platforms show P` has the forms of each platform.
    #[arg(long, value_name = "ACCOUNT|URL|@FILE", verbatim_doc_comment)]
    pub via: Option<String>,
    /// From: of the messages, over template and account
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Reply-To: of the messages, over template and account
    #[arg(long, value_name = "ADDRESS")]
    pub reply_to: Option<String>,
}

/// How fast, how long, and what about errors.
#[derive(Debug, Clone, Default, Args)]
pub struct FlowFlags {
    /// Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]
    #[arg(short = 'j', long, value_name = "N|auto", value_parser = width, help_heading = "Pace")]
    pub concurrency: Option<Width>,
    /// Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]
    #[arg(short, long, value_name = "N", value_parser = at_least_one, help_heading = "Pace")]
    pub batch_size: Option<NonZeroUsize>,
    /// Who goes first.
    #[command(flatten)]
    pub order: priority::PriorityFlags,
    /// A further limit for this run, such as 10/s or 100/min
    #[arg(long, value_name = "RATE", help_heading = "Pace")]
    pub rate: Option<Quota>,
    /// At limits of hours and days.
    #[command(flatten)]
    pub pace: pace::PaceFlags,
    /// End the run after this time, finished or not; it can be resumed
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub deadline: Option<Duration>,
    /// Longest wait for each step before a message is on its way [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub timeout: Option<Duration>,
    /// Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub final_timeout: Option<Duration>,
    /// How long a stop waits for what is in flight [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub grace: Option<Duration>,
    /// A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Time")]
    pub max_wait: Option<Duration>,
    /// What a row's final failure does to the run [default: continue]
    #[arg(long, value_name = "WHAT", help_heading = "Errors")]
    pub on_error: Option<OnError>,
    /// What to do with rows of which nobody knows whether they were sent [default: ask]
    #[arg(long, value_name = "WHAT", help_heading = "Errors")]
    pub in_doubt: Option<InDoubt>,
    /// Further tries of a row after the first [default: 3]
    #[arg(long, value_name = "N", help_heading = "Errors")]
    pub retries: Option<u32>,
    /// Longest delay before the first retry [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Errors")]
    pub delay: Option<Duration>,
    /// By how much each delay is longer than the one before [default: 2.0]
    #[arg(long, value_name = "FACTOR", help_heading = "Errors")]
    pub backoff: Option<f64>,
    /// Longest delay between tries [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Errors")]
    pub max_delay: Option<Duration>,
    /// When the run stops by itself.
    #[command(flatten)]
    pub halt: recovery::HaltFlags,
    /// When rows leave.
    #[command(flatten)]
    pub time: safety::TimeFlags,
    /// Answer the question before sending with yes
    #[arg(short, long, help_heading = "Safety")]
    pub yes: bool,
    /// One JSON event a line on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// No progress bar
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,
    /// What runs beside it.
    #[command(flatten)]
    pub hooks: HookFlags,
}

/// Where a new run's files go, and whether it is only tried out.
#[derive(Debug, Clone, Default, Args)]
pub struct NewRunFlags {
    /// What keeps it from harm.
    #[command(flatten)]
    pub guard: safety::GuardFlags,
    /// Render and check every row, send nothing, open no socket
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    /// How carefully it begins.
    #[command(flatten)]
    pub canary: recovery::CanaryFlags,
    /// Folder for the report and the retry file [default: ./notify-RUN]
    #[arg(long, value_name = "DIR", help_heading = "Output", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write report.json here instead
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Write failed.jsonl here instead
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub failed: Option<PathBuf>,
    /// What it may cost.
    #[command(flatten)]
    pub money: MoneyFlags,
}

/// `notify send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The text, taken as it is; - reads it from stdin
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Where to; repeatable; not needed where the account or the URL says it
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Subject or title
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// What is sent.
    #[command(flatten)]
    pub content: ContentFlags,
    /// Through what.
    #[command(flatten)]
    pub target: TargetFlags,
    /// How.
    #[command(flatten)]
    pub flow: FlowFlags,
    /// Its files.
    #[command(flatten)]
    pub new: NewRunFlags,
}

/// A list, what is made of its rows, and through what it goes.
#[derive(Debug, Args)]
pub struct ListFlags {
    /// The list: CSV, TSV, JSONL or JSON, also .gz and .zst; - reads stdin
    #[arg(value_name = "ROWS", value_hint = ValueHint::FilePath)]
    pub rows: PathBuf,
    /// How rows are read.
    #[command(flatten)]
    pub input: InputFlags,
    /// What is sent, or would be.
    #[command(flatten)]
    pub content: ContentFlags,
    /// Through what.
    #[command(flatten)]
    pub target: TargetFlags,
}

/// `notify batch`.
#[derive(Debug, Args)]
pub struct Batch {
    /// Its list, what is sent and through what.
    #[command(flatten)]
    pub list: ListFlags,
    /// Column that identifies a row [default: account, address and occurrence]
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    pub key: Option<String>,
    /// How.
    #[command(flatten)]
    pub flow: FlowFlags,
    /// Its files.
    #[command(flatten)]
    pub new: NewRunFlags,
    /// Send the good rows although there are bad ones; the bad ones go to the retry file
    #[arg(long, help_heading = "Safety")]
    pub skip_invalid: bool,
}

/// `notify retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// A retry file (failed.jsonl), or a run
    #[arg(value_name = "FILE|RUN", value_hint = ValueHint::FilePath)]
    pub what: String,
    /// Only these failures: retryable, or kinds such as unavailable; repeatable or separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub only: Vec<String>,
    /// What is sent, where it is not what it was.
    #[command(flatten)]
    pub content: ContentFlags,
    /// Through what.
    #[command(flatten)]
    pub target: TargetFlags,
    /// How.
    #[command(flatten)]
    pub flow: FlowFlags,
    /// Its files.
    #[command(flatten)]
    pub new: NewRunFlags,
    /// Send the good rows although there are bad ones; the bad ones go to the new retry file
    #[arg(long, help_heading = "Safety")]
    pub skip_invalid: bool,
}

/// `notify resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The run, or the beginning of its name [default: the newest incomplete one]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Why, for those who read the events of the run
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A process that was started by --detach takes the run over
    #[arg(long, hide = true)]
    pub taken_over: bool,
    /// The URL once more, or @FILE, where the run was sent through one: a run does not keep it
    #[arg(long, value_name = "URL|@FILE", help_heading = "Target")]
    pub via: Option<String>,
    /// How, where it is not how it was.
    #[command(flatten)]
    pub flow: FlowFlags,
}

/// `--in-doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InDoubt {
    /// Ask on a terminal; elsewhere leave them as they are (exit 6).
    Ask,
    /// Never send them; they count as settled and are listed in in_doubt.jsonl.
    Skip,
    /// Send them again, under the same Message-ID or idempotency key.
    Resend,
}

impl From<InDoubt> for Doubt {
    fn from(word: InDoubt) -> Self {
        match word {
            InDoubt::Ask => Doubt::Ask,
            InDoubt::Skip => Doubt::Skip,
            InDoubt::Resend => Doubt::Resend,
        }
    }
}

/// `notify check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Its list, what is sent and through what.
    #[command(flatten)]
    pub list: ListFlags,
    /// Column that identifies a row [default: account, address and occurrence]
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    pub key: Option<String>,
    /// One JSON object per bad row on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `notify plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Its list, what is sent and through what.
    #[command(flatten)]
    pub list: ListFlags,
    /// Column that identifies a row [default: account, address and occurrence]
    #[arg(long, value_name = "COLUMN", help_heading = "Input")]
    pub key: Option<String>,
    /// How; --json prints the plan as one JSON object.
    #[command(flatten)]
    pub flow: FlowFlags,
    /// What it may cost.
    #[command(flatten)]
    pub money: MoneyFlags,
    /// Plan for the good rows although there are bad ones
    #[arg(long, help_heading = "Safety")]
    pub skip_invalid: bool,
}

/// `notify preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// Its list, what is sent and through what.
    #[command(flatten)]
    pub list: ListFlags,
    /// This row, counted from 1
    #[arg(long, value_name = "N", conflicts_with_all = ["key", "count"], value_parser = clap::value_parser!(u64).range(1..))]
    pub row: Option<u64>,
    /// The row with this key or address
    #[arg(long, value_name = "KEY", conflicts_with = "count")]
    pub key: Option<String>,
    /// So many rows from the first on
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: u64,
    /// Write .eml and .json files into this folder instead of showing them
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Show the requests that would be sent, secrets masked; nothing is sent
    #[arg(long, conflicts_with = "out")]
    pub show_request: bool,
}

/// `notify runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `notify status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The run, or the beginning of its name [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Tell it again and again until the run ends
    #[arg(short, long)]
    pub watch: bool,
    /// One JSON object; with --watch one a second
    #[arg(long)]
    pub json: bool,
}

/// `notify report`.
#[derive(Debug, Args)]
pub struct Report {
    /// The run, or the beginning of its name [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub format: ReportFormat,
}

/// `--format` of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A screen for people.
    Text,
    /// report.json.
    Json,
    /// results.csv.
    Csv,
    /// report.html, a page that needs nothing else.
    Html,
}

/// `notify platforms`.
#[derive(Debug, Subcommand)]
pub enum Platforms {
    /// List all platforms
    List {
        /// Only this family: chat, sms, email, push, paging, webhook, own
        #[arg(long, value_name = "FAMILY")]
        family: Option<String>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show what a platform can do and what its accounts take
    Show {
        /// Which one
        platform: String,
        /// One JSON object
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// As a page of Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Prove an account's credentials; sends nothing
    Check {
        /// Which account; a pool stands for its accounts
        #[arg(required_unless_present = "all")]
        account: Option<String>,
        /// Every account of the config
        #[arg(long, conflicts_with = "account")]
        all: bool,
    },
    /// Print the beginning of a definition of your own
    New {
        /// Its name: a-z, 0-9 and -
        name: String,
    },
    /// Write the pages of the reference into a folder
    #[command(hide = true)]
    Docs {
        /// Where to
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// `notify templates`.
#[derive(Debug, Subcommand)]
pub enum Templates {
    /// List all templates
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show a template's forms and variables
    Show {
        /// Which one
        template: String,
    },
}

/// `notify config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Which files are read, in their order
    Path,
    /// What is in force; secrets are not shown
    Show {
        /// Also where each value comes from
        #[arg(long)]
        origin: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Every error and warning
    Check,
}

/// `notify sink`.
#[derive(Debug, Args)]
pub struct Sink {
    /// Listen for SMTP here (loopback only)
    #[arg(long, value_name = "ADDR")]
    pub smtp: Option<SocketAddr>,
    /// Listen for SMTP over implicit TLS here
    #[arg(long, value_name = "ADDR")]
    pub smtps: Option<SocketAddr>,
    /// Listen for HTTP here
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// How to misbehave, such as 451@30%,421@5%,cut-after-data@2%; see the guide
    #[arg(long, value_name = "FAULTS", default_value = "")]
    pub faults: String,
    /// Append one JSON line per message and request here
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ledger: Option<PathBuf>,
    /// Write every message and request into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub save: Option<PathBuf>,
    /// Extensions not to offer: pipelining, chunking, 8bitmime, smtputf8, starttls, size, auth
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub without: Vec<String>,
    /// Require this user; the password is in the environment variable NOTIFY_SINK_PASSWORD
    #[arg(long, value_name = "USER")]
    pub auth: Option<String>,
    /// Write the certificate of the sink's authority here, for ca_file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cert_out: Option<PathBuf>,
    /// Wait so long before every answer
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub delay: Option<Duration>,
    /// Beyond so many HTTP requests at a time it breaks down: each takes ten times as long and more, and every other one fails (503)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub knee: Option<NonZeroUsize>,
    /// Answer HTTP requests that come faster than this by 429, without saying how long to wait
    #[arg(long, value_name = "RATE")]
    pub limit: Option<Quota>,
    /// Stop after so many messages and requests
    #[arg(long, value_name = "N")]
    pub stop_after: Option<u64>,
    /// Seed of the faults' dice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print the counts as JSON at the end
    #[arg(long)]
    pub json: bool,
}

/// `auto`, or a whole number from 1 on, told in words where it is neither.
fn width(text: &str) -> Result<Width, String> {
    text.parse().map_err(|_| "write auto, or a whole number, 1 or more".to_owned())
}

/// A whole number from 1 on, told in words where it is not one.
fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a whole number, 1 or more".to_owned())
}
