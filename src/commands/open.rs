//! What verbs share before and after their work: the config that the flags name, and data on stdout.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::oneoff;
use crate::cli::Global;
use crate::config::{Config, Request};
use crate::exit::{Exit, Failure};
use crate::platform::registry;

/// Reads the config that these flags name.
pub(crate) fn open_config(global: &Global) -> Result<Config, Failure> {
    open_config_in(global, None)
}

/// As [`open_config`], as seen from the folder in which a run was started.
pub(crate) fn open_config_in(global: &Global, cwd: Option<&Path>) -> Result<Config, Failure> {
    let mut config = with_request(global, cwd, Config::load)?.map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Exit::BadConfig, told.join("\n\n"))
    })?;
    // Named on the command line, so nearer than any folder.
    config.definitions.splice(0..0, global.platform_file.iter().cloned());
    if !global.quiet {
        for warning in &config.warnings {
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
    }
    Ok(config)
}

/// What the config is asked, from flags and surroundings.
pub(crate) fn with_request<T>(global: &Global, cwd: Option<&Path>, ask: impl FnOnce(&Request<'_>) -> T) -> Result<T, Failure> {
    let here =
        std::env::current_dir().map_err(|e| Failure::new(Exit::Usage, format!("the current folder cannot be read: {e}")))?;
    let variables: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("NOTIFY_"))
        // A URL there is no account of the config: `oneoff` reads it.
        .filter(|name| name != oneoff::VARIABLE || oneoff::of_environment().is_none())
        .collect();
    let mut platforms: Vec<String> = registry::names().into_iter().map(str::to_owned).collect();
    for path in &global.platform_file {
        platforms.push(registry::own(path).map_err(|problem| Failure::new(Exit::BadConfig, problem))?);
    }
    let platforms: Vec<&str> = platforms.iter().map(String::as_str).collect();
    Ok(ask(&Request {
        explicit: global.config.as_deref(),
        profile: global.profile.as_deref(),
        env: &|name| std::env::var(name).ok(),
        variables: &variables,
        cwd: cwd.unwrap_or(&here),
        config_home: &config_home(),
        platforms: &platforms,
    }))
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

/// As [`print`]; false once nobody reads any more.
pub(crate) fn still_read(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// What every command that runs something is given.
pub(crate) struct Scene<'a> {
    /// The config, read and checked.
    pub config: &'a Config,
    /// Flags of every command.
    pub global: &'a Global,
    /// Where runs are.
    pub state_dir: PathBuf,
}

/// A line on stderr, unless `-q`.
pub(crate) fn note(scene: &Scene<'_>, line: &str) {
    if !scene.global.quiet {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// A line on stderr. Where nobody listens, that is no error of ours.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
