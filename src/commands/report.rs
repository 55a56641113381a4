//! `notify report`: what a run did, told from its journal.

use super::{launch, open, status};
use crate::cli::{Global, Report, ReportFormat};
use crate::exit::{Exit, Failure};
use crate::journal::folder::Ending;
use crate::report::paths::Paths;
use crate::report::{files, recovery, text, totals};
use crate::tally::Tally;

/// Tells it.
pub(crate) fn run(global: &Global, args: &Report) -> Result<Exit, Failure> {
    let folder = status::folder(global, args.run.as_deref())?;
    let manifest = folder.manifest().map_err(launch::folder_failure)?;
    let summary = status::summary(&folder, &manifest);
    let status = status::word(&summary);
    let tally = summary.tally.unwrap_or_else(|| Tally::new(manifest.rows));
    let ending = summary.ended.map(|ended| ended.ending);
    let paths = Paths::of(&manifest);
    match args.format {
        ReportFormat::Text => {
            let trouble = recovery::screen(&folder);
            open::print(&format!("{}{trouble}", text::text(&manifest, ending.as_ref(), &tally, &paths)));
        }
        ReportFormat::Json | ReportFormat::Html => {
            // A run that has not ended is told as it stands now.
            let now = jiff::Timestamp::now();
            let start = manifest.created.parse().unwrap_or(now);
            let ending = ending.unwrap_or(Ending { start, end: now, status, exit: Exit::Stopped.code() });
            let tree = totals::with_events(totals::json(&manifest, &ending, &tally, &paths), &folder);
            if args.format == ReportFormat::Html {
                open::print(&files::page(&folder, &manifest, &tree).map_err(launch::report_failure)?);
                return Ok(Exit::Done);
            }
            open::print(&format!("{}\n", serde_json::to_string_pretty(&tree).unwrap_or_default()));
        }
        ReportFormat::Csv => match files::csv(&folder, &manifest, &mut std::io::stdout().lock()) {
            // A reader of stdout that has gone is no error of ours.
            Err(files::ReportError::Write { .. }) | Ok(()) => {}
            Err(error) => return Err(launch::report_failure(error)),
        },
    }
    Ok(Exit::Done)
}
