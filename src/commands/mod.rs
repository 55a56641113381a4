//! One file per verb, and the table that names them.

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

mod ask;
mod attend;
mod batch;
mod check;
mod completions;
pub mod config;
mod detach;
mod events;
mod find;
mod guard;
mod launch;
mod man;
mod notices;
mod oneoff;
mod open;
mod plan;
mod platforms;
mod preview;
mod prune;
mod report;
mod resume;
mod retry;
mod runs;
mod send;
mod sink;
mod status;
mod steer;
mod suppress;
mod templates;
mod wait;
mod watch;

/// Does what was asked.
///
/// # Errors
/// With the exit code and the words for the user.
pub async fn run(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Send(args) => send::run(&global, args).await,
        Command::Batch(args) => batch::run(&global, args).await,
        Command::Retry(args) => retry::run(&global, args).await,
        Command::Resume(args) => resume::run(&global, args).await,
        Command::Check(args) => check::run(&global, args),
        Command::Plan(args) => plan::run(&global, args),
        Command::Preview(args) => preview::run(&global, args).await,
        Command::Runs(args) => runs::run(&global, &args),
        Command::Status(args) if args.watch => watch::run(&global, &args).await,
        Command::Status(args) => status::run(&global, &args),
        Command::Wait(args) => wait::run(&global, args).await,
        Command::Pause(args) => steer::pause(&global, args).await,
        Command::Abort(args) => steer::abort(&global, args).await,
        Command::Set(args) => steer::set(&global, args).await,
        Command::Events(args) => events::run(&global, args).await,
        Command::Report(args) => report::run(&global, &args),
        Command::Find(args) => find::run(&global, &args),
        Command::Suppress(args) => suppress::run(&global, args),
        Command::Prune(args) => prune::run(&global, &args),
        Command::Platforms(args) => platforms::run(&global, args).await,
        Command::Templates(args) => templates::run(&global, args),
        Command::Config(args) => config::run(&global, &args),
        Command::Sink(args) => sink::run(args).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(&dir),
    }
}
