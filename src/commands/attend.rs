//! What goes along with a run: its desk, its metrics, its hooks and notices; readied before anything is sent, ended after it.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::notices::{self, Opened};
use super::open::{Scene, note, say};
use crate::control::Asked;
use crate::exit::{Exit, Failure};
use crate::hook::finish;
use crate::hook::notice::When;
use crate::hook::results::{Results, Teller};
use crate::job::Settings;
use crate::job::watching::Watching;
use crate::journal::events::{self, Event};
use crate::journal::folder::{Ending, Manifest, RunFolder};
use crate::live::desk::{Desk, Duties};
use crate::live::server;
use crate::live::snapshot::Snapshot;
use crate::tally::Tally;

/// What could be refused, opened: a port, the accounts of notices.
#[derive(Default)]
pub(crate) struct Ready {
    listener: Option<TcpListener>,
    notices: Vec<Opened>,
}

/// Opens what may be refused, before there is a run.
///
/// # Errors
/// A port that cannot be had, an account that cannot be opened.
pub(crate) async fn ready(scene: &Scene<'_>, settings: &Settings, run: &str, out: &Path) -> Result<Ready, Failure> {
    let mut listener = None;
    if let Some(address) = settings.watching.metrics_listen {
        match TcpListener::bind(address).await {
            Ok(bound) => listener = Some(bound),
            Err(error) => {
                let what = format!("--metrics-listen {address}: {}", crate::job::reason(&error));
                // Asked for here and now it is a mistake; from the config, or from an earlier life of the run, another run may have it.
                if scene.global.watch.metrics_listen.is_some() {
                    let help = "name another port, or 0 for any that is free";
                    return Err(Failure::new(Exit::Usage, format!("{what}\n  = help: {help}")));
                }
                note(scene, &format!("warning: {what}; this run is not served there"));
            }
        }
    }
    if let Some(path) = &settings.watching.metrics_file
        && let Some(folder) = path.parent().filter(|folder| !folder.is_dir())
    {
        let what = format!("--metrics-file {}: there is no folder {}", path.display(), folder.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(Ready { listener, notices: notices::open(scene, settings, run, out)? })
}

/// All that goes along with a run that goes.
pub(crate) struct Attendance {
    desk: Option<Desk>,
    news: Arc<watch::Sender<Arc<Snapshot>>>,
    server: Option<tokio::task::JoinHandle<()>>,
    results: Option<Results>,
    notices: Vec<Opened>,
    folder: RunFolder,
    watching: Watching,
}

impl Attendance {
    /// Begins; `speaker` is where control words go. The teller is told each result.
    pub(crate) fn begin(
        scene: &Scene<'_>,
        ready: Ready,
        folder: &RunFolder,
        watching: &Watching,
        speaker: mpsc::Sender<Asked>,
    ) -> (Self, Option<Teller>) {
        let served = ready.listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let first = Snapshot {
            run: folder.id.clone(),
            pid: std::process::id(),
            at: jiff::Timestamp::now().to_string(),
            state: "running".to_owned(),
            metrics: served.map(|address| address.to_string()),
            ..Snapshot::default()
        };
        let (news, heard) = watch::channel(Arc::new(first));
        let news = Arc::new(news);
        if let Some(address) = served {
            note(scene, &format!("metrics at http://{address}/metrics"));
        }
        let server = ready.listener.map(|listener| tokio::spawn(server::serve(listener, heard.clone())));
        let duties = Duties { folder: folder.clone(), speaker, news: heard, metrics_file: watching.metrics_file.clone() };
        let desk = Desk::open(&scene.state_dir, duties)
            .inspect_err(|error| tracing::warn!(%error, "this run can be neither watched nor controlled from another shell"))
            .ok();
        let hook = watching.on_result.as_ref().map(|line| Results::start(line, &[("NOTIFY_RUN", &folder.id)]));
        let (results, teller) = match hook {
            Some(Ok((results, teller))) => (Some(results), Some(teller)),
            Some(Err(error)) => {
                say(&format!("--on-result: it could not be started: {error}"));
                (None, None)
            }
            None => (None, None),
        };
        let (folder, watching, notices) = (folder.clone(), watching.clone(), ready.notices);
        (Attendance { desk, news, server, results, notices, folder, watching }, teller)
    }

    /// Where the flow's snapshots go.
    pub(crate) fn news(&self) -> Arc<watch::Sender<Arc<Snapshot>>> {
        self.news.clone()
    }

    /// The run has ended like that: the last numbers, the hooks, the notices. A signal cuts them short; nothing here changes the exit.
    pub(crate) async fn end(mut self, manifest: &Manifest, ending: &Ending, tally: &Tally, summary: &Value) {
        let mut last = Snapshot::clone(&self.news.borrow());
        last.count(tally);
        last.state = "ended".to_owned();
        last.at = jiff::Timestamp::now().to_string();
        last.exit_code = Some(ending.exit);
        (last.rate, last.eta, last.next_retry) = (0.0, None, None);
        self.news.send_replace(Arc::new(last));
        // The desk writes that down as it closes.
        self.desk = None;
        let work = self.epilogue(manifest, ending, tally, summary);
        let cut = async {
            match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
                (Ok(mut int), Ok(mut term)) => {
                    tokio::select! {
                        _ = int.recv() => {}
                        _ = term.recv() => {}
                    }
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = work => {}
            () = cut => say("the programs after the run were cut short by a signal"),
        }
    }

    async fn epilogue(mut self, manifest: &Manifest, ending: &Ending, tally: &Tally, summary: &Value) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        if let Some(results) = self.results.take() {
            self.complain("--on-result", results.end().await);
        }
        if let Some(line) = &self.watching.on_finish {
            let exit = ending.exit.to_string();
            let variables = [("NOTIFY_RUN", manifest.id.as_str()), ("NOTIFY_STATUS", &ending.status), ("NOTIFY_EXIT", &exit)];
            self.complain("--on-finish", finish::run(line, &variables, &summary.to_string()).await);
        }
        let when = if tally.pending() == 0 { When::Finish } else { When::Halt };
        for notice in self.notices.iter().filter(|notice| notice.is_due(when)) {
            let (subject, text) = message(manifest, ending, tally);
            self.complain("--notify-on", notice.send(&subject, &text).await);
        }
    }

    /// Told on stderr, also with `-q`, and in the events of the run.
    fn complain(&self, flag: &str, trouble: Option<String>) {
        let Some(trouble) = trouble else { return };
        say(&format!("{flag}: {trouble}"));
        // A telling of a telling: if it cannot be written, the line above stands.
        let _ = events::append(&self.folder, &Event::now("hook_failed").because(trouble).with("hook", flag));
    }
}

/// What people are told about a run: a subject and a sentence or two.
fn message(manifest: &Manifest, ending: &Ending, tally: &Tally) -> (String, String) {
    let subject = format!("notify: {} of {}", ending.status, manifest.input);
    let mut text = format!("Run {} ({} {}) {}: ", manifest.id, manifest.command, manifest.input, ending.status);
    text.push_str(&format!("{} of {} sent", tally.sent, tally.total));
    for (name, count) in
        [("failed", tally.failed), ("in doubt", tally.in_doubt), ("skipped", tally.skipped), ("pending", tally.pending())]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {name}"));
        }
    }
    text.push_str(&format!(". Exit code {}.", ending.exit));
    if tally.pending() > 0 {
        text.push_str(&format!(" Go on with: notify resume {}", manifest.id));
    }
    (subject, text)
}
