//! `report.json`: the numbers of a run, with the field names of the founding design.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::journal::folder::{Ending, Manifest, RunFolder};
use crate::report::paths::Paths;
use crate::report::recovery;
use crate::report::tuning;
use crate::tally::Tally;

/// Seconds from start to end, to the millisecond; never negative, whatever the wall clock did.
pub fn duration(ending: &Ending) -> f64 {
    let millis = ending.end.as_millisecond().saturating_sub(ending.start.as_millisecond()).max(0);
    millis as f64 / 1000.0
}

/// Sent per second; 0 where no time passed.
pub fn throughput(tally: &Tally, ending: &Ending) -> f64 {
    let seconds = duration(ending);
    if seconds > 0.0 { (tally.sent as f64 / seconds * 100.0).round() / 100.0 } else { 0.0 }
}

/// The report with what the events of the run tell.
pub fn with_events(mut report: Value, folder: &RunFolder) -> Value {
    report["recovery"] = Value::Array(recovery::entries(folder));
    report["tuning"] = Value::Array(tuning::entries(folder));
    report
}

/// The whole of `report.json`. `failed` and the error summary do not count rows in doubt, which have a number of their own.
pub fn json(manifest: &Manifest, ending: &Ending, tally: &Tally, paths: &Paths) -> Value {
    let platform = |account: &str| manifest.platforms.get(account).map_or("unknown", String::as_str).to_owned();
    let mut by_platform: BTreeMap<String, u64> = BTreeMap::new();
    for (account, counts) in tally.accounts.iter().filter(|(_, counts)| counts.failed > 0) {
        *by_platform.entry(platform(account)).or_default() += counts.failed;
    }
    let accounts: serde_json::Map<String, Value> = tally
        .accounts
        .iter()
        .map(|(name, counts)| {
            let about = json!({
                "platform": platform(name),
                "sent": counts.sent,
                "failed": counts.failed,
                "in_doubt": counts.in_doubt,
                "skipped": counts.skipped,
            });
            (name.to_string(), about)
        })
        .collect();
    let critical: Vec<Value> = tally
        .critical
        .iter()
        .map(|error| {
            json!({
                "account": error.account,
                "platform": platform(&error.account),
                "type": error.kind,
                "code": error.code,
                "detail": error.detail,
                "rows": error.rows,
            })
        })
        .collect();
    json!({
        "batch_id": manifest.id,
        "run": manifest.id,
        "lineage": manifest.lineage,
        "parent": manifest.parent,
        "command": manifest.command,
        "version": manifest.version,
        "status": ending.status,
        "exit_code": ending.exit,
        "input": manifest.input,
        "template": manifest.template.as_ref().map(|t| json!({ "name": t.name, "digest": t.digest })),
        "total_messages": tally.total,
        "sent": tally.sent,
        "failed": tally.failed,
        "pending": tally.pending(),
        "skipped": tally.skipped,
        "in_doubt": tally.in_doubt,
        "in_doubt_undecided": tally.undecided,
        "attempts": tally.attempts,
        "retried": tally.retried,
        "start_time": ending.start.to_string(),
        "end_time": ending.end.to_string(),
        "duration": duration(ending),
        "throughput": throughput(tally, ending),
        "accounts": accounts,
        "error_summary": {
            "total_errors": tally.failed,
            "errors_by_type": tally.kinds,
            "errors_by_platform": by_platform,
            "critical_errors": critical,
        },
        "recovery": [],
        "tuning": [],
        "files": paths.as_json(),
    })
}
