//! One file per verb, and the table that names them.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::{Cli, Command, Global};
use crate::config::account::AccountConfig;
use crate::config::{Config, Request};
use crate::exit::{Exit, Failure};
use crate::platform::registry;

mod batch;
mod check;
mod completions;
pub mod config;
mod launch;
mod man;
mod platforms;
mod preview;
mod report;
mod resume;
mod retry;
mod runs;
mod send;
mod sink;
mod status;
mod templates;

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
        Command::Preview(args) => preview::run(&global, args).await,
        Command::Runs(args) => runs::run(&global, &args),
        Command::Status(args) => status::run(&global, &args),
        Command::Report(args) => report::run(&global, &args),
        Command::Platforms(args) => platforms::run(&global, args).await,
        Command::Templates(args) => templates::run(&global, args),
        Command::Config(args) => config_words(&global, &args),
        Command::Sink(args) => sink::run(args).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(&dir),
    }
}

/// Reads the config that these flags name.
pub(crate) fn open_config(global: &Global) -> Result<Config, Failure> {
    open_config_in(global, None)
}

/// As [`open_config`], as seen from the folder in which a run was started.
pub(crate) fn open_config_in(global: &Global, cwd: Option<&Path>) -> Result<Config, Failure> {
    let config = with_request(global, cwd, Config::load)?.map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::BadConfig, told.join("\n\n"))
    })?;
    if !global.quiet {
        for warning in &config.warnings {
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
    }
    Ok(config)
}

/// What the config is asked, from flags and surroundings.
fn with_request<T>(global: &Global, cwd: Option<&Path>, ask: impl FnOnce(&Request<'_>) -> T) -> Result<T, Failure> {
    let here =
        std::env::current_dir().map_err(|e| Failure::new(Exit::Usage, format!("the current folder cannot be read: {e}")))?;
    let variables: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| name.starts_with("NOTIFY_")).collect();
    Ok(ask(&Request {
        explicit: global.config.as_deref(),
        profile: global.profile.as_deref(),
        env: &|name| std::env::var(name).ok(),
        variables: &variables,
        cwd: cwd.unwrap_or(&here),
        config_home: &config_home(),
        platforms: &registry::names(),
    }))
}

/// `notify config`: the words are in `config.rs`.
fn config_words(global: &Global, args: &crate::cli::Config) -> Result<Exit, Failure> {
    match args {
        crate::cli::Config::Path => print(&with_request(global, None, config::path)?),
        crate::cli::Config::Show { origin, json } => print(&config::show(&open_config(global)?, *origin, *json)),
        crate::cli::Config::Check => {
            let examine = |config: &Config, account: &AccountConfig| match registry::addressing(account, &config.definitions) {
                Ok(_) => Vec::new(),
                Err(problem) => vec![problem],
            };
            let checked = with_request(global, None, |request| config::check(request, &examine))?;
            print(&checked.text);
            return Ok(if checked.ok { Exit::Done } else { Exit::BadConfig });
        }
    }
    Ok(Exit::Done)
}

fn config_home() -> PathBuf {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // Without a home there is no file to find there, and that is all.
    home("XDG_CONFIG_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".config")))
        .unwrap_or_else(|| PathBuf::from("/nonexistent"))
}

/// Prints data on stdout. A reader that has gone is no error of ours.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
