//! `notify runs`: every run of this machine, newest last.

use serde_json::json;

use super::{launch, open};
use crate::cli::{Global, Runs};
use crate::exit::{Exit, Failure};
use crate::tally::Tally;

/// Lists them.
pub(crate) fn run(global: &Global, args: &Runs) -> Result<Exit, Failure> {
    let listed = super::status::all(&launch::state_dir(global)?);
    if listed.is_empty() && !args.json {
        return Err(Failure::new(Exit::NothingToDo, "there are no runs yet"));
    }
    let mut text = String::new();
    for (_, manifest, summary) in &listed {
        let status = super::status::word(summary);
        let tally = summary.tally.clone().unwrap_or_else(|| Tally::new(manifest.rows));
        if args.json {
            let line = json!({
                "run": manifest.id, "status": status, "created": manifest.created, "command": manifest.command,
                "input": manifest.input, "template": manifest.template.as_ref().map(|t| &t.name), "via": manifest.via,
                "total": tally.total, "sent": tally.sent, "failed": tally.failed, "in_doubt": tally.in_doubt,
                "skipped": tally.skipped, "pending": tally.pending(), "out": manifest.out,
            });
            text.push_str(&format!("{line}\n"));
        } else {
            let template = manifest.template.as_ref().map(|t| t.name.as_str()).unwrap_or("-");
            text.push_str(&format!(
                "{}  {:<11}  {:>9} rows  {:>9} sent  {:>6} failed  {:>5} in doubt  {:>7} pending  {} {} {}\n",
                manifest.id,
                status,
                tally.total,
                tally.sent,
                tally.failed,
                tally.in_doubt,
                tally.pending(),
                manifest.command,
                manifest.input,
                template
            ));
        }
    }
    open::print(&text);
    Ok(Exit::Done)
}
