//! `notify report`: what a run did, told from its journal.

use super::{launch, status};
use crate::cli::{Global, Report, ReportFormat};
use crate::exit::{Exit, Failure};
use crate::report;

/// Tells it.
pub(crate) fn run(global: &Global, args: &Report) -> Result<Exit, Failure> {
    let folder = status::folder(global, args.run.as_deref())?;
    let manifest = folder.manifest().map_err(launch::folder_failure)?;
    let disk = |error| Failure::new(Exit::Disk, error);
    match args.format {
        ReportFormat::Text => super::print(&report::text(&folder, &manifest).map_err(disk)?),
        ReportFormat::Json => super::print(&format!("{}\n", report::json(&folder, &manifest).map_err(disk)?)),
        ReportFormat::Csv => report::csv(&folder, &manifest, &mut std::io::stdout().lock()).map_err(disk)?,
    }
    Ok(Exit::Done)
}
