//! `notify prune`: removes the folders of runs that ended long ago. What is not finished stays, however old it is.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::ask::grouped;
use super::{launch, open, status};
use crate::cli::Global;
use crate::cli::safety::Prune;
use crate::exit::{Exit, Failure};
use crate::state::known::Runs;

/// Removes them.
pub(crate) fn run(global: &Global, args: &Prune) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let keep = SignedDuration::try_from(args.keep).ok().and_then(|keep| Timestamp::now().checked_sub(keep).ok());
    let keep = keep.unwrap_or(Timestamp::MIN);
    let all = status::all(&state_dir);
    // What a run has sent is what keeps later ones of its line from sending it again: a line goes as a whole.
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let mut unfinished = 0u64;
    for (_, manifest, summary) in &all {
        let over = summary.holder.is_none()
            && summary.ended.as_ref().is_some_and(|ended| ended.tally.pending() == 0 && ended.tally.undecided == 0);
        unfinished += u64::from(!over);
        if !over || summary.ended.as_ref().is_some_and(|ended| ended.ending.end > keep) {
            kept.insert(manifest.lineage.clone());
        }
    }
    let mut removed = 0u64;
    for (folder, manifest, _) in all.iter().filter(|(_, manifest, _)| !kept.contains(&manifest.lineage)) {
        if args.dry_run {
            open::print(&format!("{}\n", manifest.id));
            removed += 1;
            continue;
        }
        // Somebody who has just begun to retry or resume it keeps it.
        let Ok(lock) = folder.lock() else { continue };
        // Forgotten first: a run that is known must be there.
        let forgotten = Runs::open(&state_dir).and_then(|runs| runs.forget(&manifest.id));
        forgotten.map_err(|error| Failure::new(Exit::Disk, format!("state.db: {error}")))?;
        std::fs::remove_dir_all(&folder.path)
            .map_err(|error| Failure::new(Exit::Disk, format!("{}: {}", folder.path.display(), crate::job::reason(&error))))?;
        drop(lock);
        removed += 1;
    }
    if !global.quiet {
        let unfinished = if unfinished > 0 { format!(", {} not finished", grouped(unfinished)) } else { String::new() };
        let verb = if args.dry_run { "would go" } else { "removed" };
        open::say(&format!("{} of {} runs {verb}{unfinished}", grouped(removed), grouped(all.len() as u64)));
    }
    Ok(Exit::Done)
}
