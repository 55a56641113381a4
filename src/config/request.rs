//! What a config is read for: flags that choose it, and the surroundings it is read in.

use std::path::Path;

/// What is asked for, and the surroundings, handed in so that tests have their own.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `--config`: read this file and no other.
    pub explicit: Option<&'a Path>,
    /// `--profile`.
    pub profile: Option<&'a str>,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Names of the environment variables that begin with `NOTIFY_`.
    pub variables: &'a [String],
    /// The working folder.
    pub cwd: &'a Path,
    /// `$XDG_CONFIG_HOME`, or `~/.config`; the file is `notify/notify.yaml` in it.
    pub config_home: &'a Path,
    /// Platforms that the program brings along; empty where platforms are not to be checked.
    pub platforms: &'a [&'a str],
}
