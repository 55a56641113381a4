//! `--detach`: a run that is checked and confirmed goes on in a process of its own, which this one hands it over to.
//!
//! The process is `notify resume`, the way every other run is taken up; what it needs stands in the folder of the run. A URL with a
//! credential goes along in its environment, never among its arguments.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::oneoff;
use super::open::{print, say};
use crate::cli::{Global, LogFormat};
use crate::exit::{Exit, Failure};
use crate::job::Settings;
use crate::journal::folder::{RunFolder, private_file};
use crate::journal::lock::RunLock;

/// The settings of a run that is resumed detached, for the process that takes it over.
const FILE: &str = "taken-over.json";
/// What that process says.
const LOG: &str = "detached.log";
/// It has the run by then, or something is wrong: a spool of millions is read once before.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);
/// How much of what it said is told, when it failed.
const TOLD: u64 = 4096;

/// What is handed over.
pub(crate) struct Handover<'a> {
    pub global: &'a Global,
    pub state_dir: &'a Path,
    pub folder: &'a RunFolder,
    /// The URL that the run is sent through, where there is one.
    pub url: Option<String>,
    /// Told as JSON.
    pub json: bool,
}

/// Settings that differ from those of the manifest.
///
/// # Errors
/// The disk.
pub(crate) fn leave(folder: &RunFolder, settings: &Settings) -> Result<(), Failure> {
    folder.write_settings(FILE, settings).map_err(|error| Failure::new(Exit::Disk, error))
}

/// What was left for this process, once.
pub(crate) fn left(folder: &RunFolder) -> Option<Settings> {
    let path = folder.path.join(FILE);
    let settings = serde_json::from_slice(&std::fs::read(&path).ok()?).ok();
    // What stays behind would be taken for that of a later process.
    let _ = std::fs::remove_file(path);
    settings
}

/// Leaves the terminal and the group of processes that this one was started in.
pub(crate) fn leave_terminal() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!(%error, "the process stays in its session");
    }
}

impl Handover<'_> {
    /// Starts the other process, waits until it has the run, prints which run it is.
    ///
    /// # Errors
    /// It did not start or did not take the run: its exit code, and what it said.
    pub(crate) async fn give(self, lock: RunLock) -> Result<Exit, Failure> {
        let told = |what: &str, error: io::Error| Failure::new(Exit::Disk, format!("--detach: {what}: {error}"));
        let path = self.folder.path.join(LOG);
        let log = private_file(&path).map_err(|error| told("its log cannot be made", error))?;
        let mut child = self.start(&log).map_err(|error| told("the process cannot be started", error))?;
        // Only now, so that nobody else takes it in between but for the moment that the process needs.
        drop(lock);
        let pid = child.id();
        let until = Instant::now() + PATIENCE;
        loop {
            // It may even have ended already.
            if let Some(status) = child.try_wait().map_err(|error| told("the process cannot be waited for", error))? {
                if self.folder.ended().is_some() {
                    break;
                }
                let said = tail(&path).unwrap_or_default();
                let exit = status.code().and_then(|code| u8::try_from(code).ok()).and_then(Exit::of).unwrap_or(Exit::Disk);
                let run = &self.folder.id;
                let what = format!("the process that was to send run {run} ended at once\n  = help: notify resume {run}\n{said}");
                return Err(Failure::new(exit, what.trim_end()));
            }
            if self.folder.holder().is_some_and(|holder| holder.pid == pid) {
                break;
            }
            if until <= Instant::now() {
                let what = format!(
                    "process {pid} has not taken the run after {} s; what it says is in {}",
                    PATIENCE.as_secs(),
                    path.display()
                );
                return Err(Failure::new(Exit::Held, what));
            }
            sleep(LOOK).await;
        }
        if self.json {
            let event = serde_json::json!({ "type": "detached", "run": self.folder.id, "pid": pid, "log": path });
            print(&format!("{event}\n"));
        } else {
            print(&format!("{}\n", self.folder.id));
        }
        if !self.global.quiet && !self.json {
            say(&format!("sent in the background by process {pid}: notify status {} --watch", self.folder.id));
        }
        Ok(Exit::Done)
    }

    fn start(&self, log: &File) -> io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("resume")
            .arg(&self.folder.id)
            .args(["--taken-over", "--yes", "--no-progress", "--state-dir"])
            .arg(self.state_dir);
        if let Some(config) = &self.global.config {
            command.arg("--config").arg(std::path::absolute(config)?);
        }
        if let Some(profile) = &self.global.profile {
            command.arg("--profile").arg(profile);
        }
        for definition in &self.global.platform_file {
            command.arg("--platform-file").arg(std::path::absolute(definition)?);
        }
        if self.global.log_format == LogFormat::Json {
            command.args(["--log-format", "json"]);
        }
        command.args(std::iter::repeat_n("-v", usize::from(self.global.verbose)));
        match &self.url {
            Some(url) => command.env(oneoff::VARIABLE, url),
            // One that is not this run's would be taken for it.
            None if oneoff::of_environment().is_some() => command.env_remove(oneoff::VARIABLE),
            None => &mut command,
        };
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()
    }
}

/// The last of what a process said.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TOLD)))?;
    let mut bytes = Vec::new();
    file.take(TOLD).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
