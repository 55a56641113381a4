//! `notify status`: how a run stands, also while another process works on it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::ask;
use super::{launch, open};
use crate::cli::{Global, Status};
use crate::config::duration;
use crate::exit::{Exit, Failure};
use crate::journal::folder::{Manifest, RunFolder};
use crate::journal::pause::Pause;
use crate::journal::runs::Summary;
use crate::live::snapshot::Snapshot;
use crate::source::spool::Spool;
use crate::tally::Tally;

/// The run that was named, or the newest.
pub(crate) fn folder(global: &Global, run: Option<&str>) -> Result<RunFolder, Failure> {
    let state_dir = launch::state_dir(global)?;
    match run {
        Some(id) => RunFolder::open(&state_dir, id).map_err(launch::folder_failure),
        None => match RunFolder::list(&state_dir).pop() {
            Some((manifest, _)) => RunFolder::open(&state_dir, &manifest.id).map_err(launch::folder_failure),
            None => Err(Failure::new(Exit::NothingToDo, "there are no runs yet")),
        },
    }
}

/// How a run stands. A stream that was killed has more rows in its spool than its journal was told.
pub(crate) fn summary(folder: &RunFolder, manifest: &Manifest) -> Summary {
    counted(folder, manifest, Summary::of(folder))
}

/// As [`summary`], where the rest of it is known.
pub(crate) fn counted(folder: &RunFolder, manifest: &Manifest, mut summary: Summary) -> Summary {
    if manifest.rows == 0
        && summary.ended.is_none()
        && let Some(tally) = &mut summary.tally
        && let Ok(spool) = Spool::open(folder.spool_dir())
    {
        tally.total = tally.total.max(spool.rows());
    }
    summary
}

/// Every run of this machine, newest last.
pub(crate) fn all(state_dir: &Path) -> Vec<(RunFolder, Manifest, Summary)> {
    let listed = RunFolder::list(state_dir).into_iter();
    listed
        .filter_map(|(manifest, summary)| {
            let folder = RunFolder::open(state_dir, &manifest.id).ok()?;
            let summary = counted(&folder, &manifest, summary);
            Some((folder, manifest, summary))
        })
        .collect()
}

/// How a run stands, in a word.
pub(crate) fn word(summary: &Summary) -> String {
    match (&summary.holder, &summary.ended) {
        (Some(_), _) => "running".to_owned(),
        (None, Some(ended)) => ended.ending.status.clone(),
        (None, None) => "broken off".to_owned(),
    }
}

/// How a run stands: what its files say, and what the process that works on it shows.
pub(crate) struct Stand {
    pub(crate) manifest: Manifest,
    pub(crate) summary: Summary,
    pub(crate) snapshot: Option<Snapshot>,
    pause: Option<Pause>,
}

impl Stand {
    /// Of that run.
    ///
    /// # Errors
    /// Its manifest cannot be read.
    pub(crate) fn of(folder: &RunFolder) -> Result<Self, Failure> {
        let manifest = folder.manifest().map_err(launch::folder_failure)?;
        // What the process shows costs one small file; what the journal says a look at every row.
        let snapshot = Snapshot::of(folder);
        let summary = match &snapshot {
            Some(_) => Summary { holder: folder.holder(), ended: None, tally: None },
            None => summary(folder, &manifest),
        };
        // It may have ended between the two looks.
        let (snapshot, summary) = match summary.holder {
            None if snapshot.is_some() => (None, self::summary(folder, &manifest)),
            _ => (snapshot, summary),
        };
        Ok(Stand { manifest, summary, snapshot, pause: Pause::of(folder) })
    }

    fn word(&self) -> String {
        self.snapshot.as_ref().map_or_else(|| word(&self.summary), |snapshot| snapshot.state.clone())
    }

    fn counts(&self) -> [(&'static str, u64); 6] {
        let of = |total, sent, failed, in_doubt, skipped, pending| {
            [
                ("total", total),
                ("sent", sent),
                ("failed", failed),
                ("in doubt", in_doubt),
                ("skipped", skipped),
                ("pending", pending),
            ]
        };
        match (&self.snapshot, &self.summary.tally) {
            (Some(now), _) => of(now.total, now.sent, now.failed, now.in_doubt, now.skipped, now.pending),
            (None, Some(tally)) => of(tally.total, tally.sent, tally.failed, tally.in_doubt, tally.skipped, tally.pending()),
            (None, None) => of(self.manifest.rows, 0, 0, 0, 0, self.manifest.rows),
        }
    }
}

/// Tells it.
pub(crate) fn run(global: &Global, args: &Status) -> Result<Exit, Failure> {
    let folder = folder(global, args.run.as_deref())?;
    let stand = Stand::of(&folder)?;
    open::print(&if args.json { format!("{}\n", json(&stand)) } else { text(&stand) });
    Ok(Exit::Done)
}

/// All of it as one object.
pub(crate) fn json(stand: &Stand) -> Value {
    let Stand { manifest, summary, snapshot, pause } = stand;
    let mut tree = serde_json::json!({
        "run": manifest.id, "lineage": manifest.lineage, "parent": manifest.parent, "status": stand.word(),
        "created": manifest.created, "command": manifest.command, "input": manifest.input, "out": manifest.out,
    });
    let Some(fields) = tree.as_object_mut() else { return tree };
    match (snapshot, &summary.tally) {
        (Some(snapshot), _) => {
            if let Ok(Value::Object(all)) = serde_json::to_value(snapshot) {
                fields.extend(all);
            }
        }
        (None, tally) => {
            let tally = tally.clone().unwrap_or_else(|| Tally::new(manifest.rows));
            for (name, value) in [
                ("total", tally.total),
                ("sent", tally.sent),
                ("failed", tally.failed),
                ("in_doubt", tally.in_doubt),
                ("skipped", tally.skipped),
                ("pending", tally.pending()),
            ] {
                fields.insert(name.to_owned(), value.into());
            }
            fields.insert("errors_by_type".to_owned(), serde_json::json!(tally.kinds));
            fields.insert("accounts".to_owned(), serde_json::json!(tally.accounts));
            if let Some(ended) = &summary.ended {
                fields.insert("exit_code".to_owned(), ended.ending.exit.into());
            }
        }
    }
    if let Some(pause) = pause {
        fields.insert("paused".to_owned(), serde_json::json!(pause));
    }
    if let Some(holder) = &summary.holder {
        fields.insert("pid".to_owned(), holder.pid.into());
    }
    tree
}

/// A screen for people.
pub(crate) fn text(stand: &Stand) -> String {
    let mut text = format!("run      {}\nstatus   {}", stand.manifest.id, stand.word());
    if let Some(holder) = &stand.summary.holder {
        text.push_str(&format!(" (pid {})", holder.pid));
    }
    if let Some(until) = stand.snapshot.as_ref().filter(|now| now.state == "waiting").and_then(|now| now.because.as_ref()) {
        text.push_str(&format!(", {until}"));
    }
    if let Some(pause) = &stand.pause {
        let word = if stand.word() == "paused" { "" } else { "paused " };
        text.push_str(&format!(", {word}{}", pause.told()));
    }
    text.push_str(&format!("\ninput    {}\n", stand.manifest.input));
    for (name, count) in stand.counts() {
        text.push_str(&format!("{name:<8} {}\n", ask::grouped(count)));
    }
    if let Some(snapshot) = &stand.snapshot {
        text.push_str(&going(snapshot));
    }
    text
}

/// What only a run that goes has: its speed, and what each account is doing.
fn going(now: &Snapshot) -> String {
    let mut text = format!("rate     {:.1}/s", now.rate);
    if let Some(eta) = now.eta {
        text.push_str(&format!(", about {} left", duration::format(Duration::from_secs(eta))));
    }
    text.push('\n');
    if let Some(next) = &now.next_retry {
        text.push_str(&format!("retry    next at {} by {}\n", clock(&next.at), next.account));
    }
    for queue in now.priorities.iter().filter(|_| now.priorities.len() > 1) {
        text.push_str(&format!(
            "{:<8} {} pending, {} sending, {} resting, {} sent\n",
            queue.priority,
            ask::grouped(queue.pending),
            ask::grouped(queue.sending),
            ask::grouped(queue.resting),
            ask::grouped(queue.sent)
        ));
    }
    for (name, value) in &now.set {
        text.push_str(&format!("set      {name}={value}\n"));
    }
    if let Some(metrics) = &now.metrics {
        text.push_str(&format!("metrics  http://{metrics}/metrics\n"));
    }
    for (name, account) in &now.accounts {
        let (queue, workers) = (account.queue, account.workers);
        text.push_str(&format!(
            "\n{name} ({})\n  {} sent, {} failed, {} in doubt; {} waiting, {} sending, {} resting\n  {} workers: {} sending, {} resting, {} idle",
            account.platform,
            ask::grouped(account.counts.sent),
            ask::grouped(account.counts.failed),
            ask::grouped(account.counts.in_doubt),
            ask::grouped(queue.waiting),
            ask::grouped(queue.sending),
            ask::grouped(queue.resting),
            account.width,
            workers.sending,
            workers.resting,
            workers.idle
        ));
        if let Some(below) = account.latency.below(0.95) {
            text.push_str(&format!("; 95 % of requests below {below} s"));
        }
        text.push('\n');
        for (priority, queue) in account.priorities.iter().filter(|_| account.priorities.len() > 1) {
            text.push_str(&format!(
                "  {priority}: {} waiting, {} sending, {} resting\n",
                ask::grouped(queue.waiting),
                ask::grouped(queue.sending),
                ask::grouped(queue.resting)
            ));
        }
        if let Some(rate) = &account.rate_limit {
            text.push_str(&format!("  no faster than {rate}\n"));
        }
        if account.breaker != "closed" {
            text.push_str(&format!("  breaker {}\n", account.breaker.replace('_', " ")));
        }
        if let Some(until) = &account.held_until {
            let why = account.held_why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            text.push_str(&format!("  held until {}{why}\n", clock(until)));
        }
        if let Some(why) = &account.halted {
            text.push_str(&format!("  halted: {why}\n"));
        }
    }
    text
}

/// The time of the day here, of a moment told in UTC.
fn clock(moment: &str) -> String {
    let here = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%T").to_string();
    moment.parse().map_or_else(|_| moment.to_owned(), here)
}

/// All that matters in one line.
pub(crate) fn line(stand: &Stand) -> String {
    let mut line = format!("{} {}", stand.manifest.id, stand.word());
    for (name, count) in stand.counts() {
        line.push_str(&format!(", {name} {count}"));
    }
    if let Some(now) = &stand.snapshot {
        line.push_str(&format!(", {} sending, {} resting, {:.1}/s", now.queue.sending, now.queue.resting, now.rate));
        let eta = now.eta.map(|eta| format!(", {} left", duration::format(Duration::from_secs(eta))));
        line.push_str(&eta.unwrap_or_default());
    }
    line
}
