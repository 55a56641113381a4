//! `notify status`: how a run stands, also while another process works on it.

use std::path::Path;

use super::ask;
use super::{launch, open};
use crate::cli::{Global, Status};
use crate::exit::{Exit, Failure};
use crate::journal::folder::{Manifest, RunFolder};
use crate::journal::runs::Summary;
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

/// Tells it.
pub(crate) fn run(global: &Global, args: &Status) -> Result<Exit, Failure> {
    let folder = folder(global, args.run.as_deref())?;
    let manifest = folder.manifest().map_err(launch::folder_failure)?;
    let summary = summary(&folder, &manifest);
    let status = word(&summary);
    let tally = summary.tally.unwrap_or_else(|| Tally::new(manifest.rows));
    if args.json {
        let mut tree = serde_json::json!({
            "run": manifest.id, "lineage": manifest.lineage, "parent": manifest.parent, "status": status,
            "created": manifest.created, "command": manifest.command, "input": manifest.input, "out": manifest.out,
            "total": tally.total, "sent": tally.sent, "failed": tally.failed, "in_doubt": tally.in_doubt,
            "skipped": tally.skipped, "pending": tally.pending(), "errors_by_type": tally.kinds, "accounts": tally.accounts,
        });
        if let (Some(fields), Some(holder)) = (tree.as_object_mut(), folder.holder()) {
            fields.insert("pid".into(), holder.pid.into());
        }
        open::print(&format!("{tree}\n"));
        return Ok(Exit::Done);
    }
    let mut text = format!("run      {}\nstatus   {}", manifest.id, status);
    if let Some(holder) = folder.holder() {
        text.push_str(&format!(" (pid {})", holder.pid));
    }
    text.push_str(&format!("\ninput    {}\n", manifest.input));
    for (name, count) in [
        ("total", tally.total),
        ("sent", tally.sent),
        ("failed", tally.failed),
        ("in doubt", tally.in_doubt),
        ("skipped", tally.skipped),
        ("pending", tally.pending()),
    ] {
        text.push_str(&format!("{name:<8} {}\n", ask::grouped(count)));
    }
    open::print(&text);
    Ok(Exit::Done)
}
