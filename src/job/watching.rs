//! Who watches a run and what runs beside it: the settings of hooks, notices and metrics, flags over config.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Global;
use crate::cli::control::HookFlags;
use crate::config::defaults::Defaults;
use crate::exit::{Exit, Failure};
use crate::hook::notice::Notice;
use crate::live::server;

/// Kept with the run, so that a resumed run is watched like the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// `--on-result`.
    pub on_result: Option<String>,
    /// `--on-finish`.
    pub on_finish: Option<String>,
    /// `--notify-on`.
    pub notify_on: Vec<Notice>,
    /// `--metrics-file`, absolute.
    pub metrics_file: Option<PathBuf>,
    /// `--metrics-listen`.
    pub metrics_listen: Option<SocketAddr>,
}

impl Watching {
    /// Flags over config.
    ///
    /// # Errors
    /// An address that is none: exit 4.
    pub fn new(defaults: &Defaults, global: &Global, hooks: &HookFlags, cwd: &Path) -> Result<Self, Failure> {
        let listen = defaults.metrics_listen.as_deref().map(server::address).transpose();
        let listen = listen.map_err(|what| Failure::new(Exit::BadConfig, format!("defaults.metrics_listen: {what}")))?;
        // A program beside a run that calls us must not call itself for ever.
        let fallback = Defaults::default();
        let beside = std::env::var_os("NOTIFY_RUN").is_some();
        let defaults = if beside { &fallback } else { defaults };
        let listen = listen.filter(|_| !beside);
        let mut watching = Watching {
            on_result: defaults.on_result.clone(),
            on_finish: defaults.on_finish.clone(),
            notify_on: defaults.notify_on.clone().unwrap_or_default().0,
            metrics_file: defaults.metrics_file.as_ref().map(|path| cwd.join(path)),
            metrics_listen: listen,
        };
        watching.amend(global, hooks, cwd);
        Ok(watching)
    }

    /// What a resumed run is told anew.
    pub fn amend(&mut self, global: &Global, hooks: &HookFlags, cwd: &Path) {
        // An empty command takes one away that the config or the first life had.
        let over = |own: &mut Option<String>, flag: &Option<String>| {
            if let Some(line) = flag {
                *own = Some(line.clone()).filter(|line| !line.trim().is_empty());
            }
        };
        over(&mut self.on_result, &hooks.on_result);
        over(&mut self.on_finish, &hooks.on_finish);
        if let Some(notices) = &hooks.notify_on {
            self.notify_on.clone_from(&notices.0);
        }
        if let Some(path) = &global.watch.metrics_file {
            self.metrics_file = Some(cwd.join(path));
        }
        self.metrics_listen = global.watch.metrics_listen.or(self.metrics_listen);
    }
}
