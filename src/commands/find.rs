//! `notify find`: rows over all runs, by address, state, kind and age.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{launch, open, status};
use crate::cli::Global;
use crate::cli::safety::Find;
use crate::exit::{Exit, Failure};
use crate::journal::folder::{Manifest, RunFolder};
use crate::policy::address;
use crate::report::files;
use crate::tally::State;

/// Shows them, newest run last.
pub(crate) fn run(global: &Global, args: &Find) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let since = args.since.and_then(|length| Timestamp::now().checked_sub(SignedDuration::try_from(length).ok()?).ok());
    let wanted = match &args.to {
        Some(to) => Some(address::form(to).ok_or_else(|| Failure::new(Exit::Usage, format!("--to {to}: this is no address")))?),
        None => None,
    };
    let mut found = 0u64;
    for (folder, manifest, _) in status::all(&state_dir) {
        let began: Option<Timestamp> = manifest.created.parse().ok();
        if since.is_some_and(|since| began.is_some_and(|began| began < since)) || !folder.journal_path().is_file() {
            continue;
        }
        found += of_run(&folder, &manifest, args, wanted.as_deref())?;
    }
    Ok(if found > 0 { Exit::Done } else { Exit::NothingToDo })
}

fn of_run(folder: &RunFolder, manifest: &Manifest, args: &Find, wanted: Option<&str>) -> Result<u64, Failure> {
    let mut found = 0;
    let mut text = String::new();
    let told = files::each_result(folder, manifest, |row, known, line| {
        let fits = |form: &str, to: &str| {
            let own = address::form(to);
            // A whole domain is asked for as it is suppressed.
            own.as_deref() == Some(form) || (form.starts_with('@') && own.is_some_and(|own| own.ends_with(form)))
        };
        let to = row.recipient.as_ref().ok().map(|recipient| recipient.to.as_str());
        let state = known.map_or(State::Pending, |known| known.state);
        if wanted.is_some_and(|form| !to.is_some_and(|to| fits(form, to)))
            || args.status.is_some_and(|wanted| wanted != state)
            || args.kind.is_some_and(|kind| known.and_then(|known| known.kind) != Some(kind))
        {
            return;
        }
        found += 1;
        let mut line = line();
        if args.json {
            if let Value::Object(fields) = &mut line {
                fields.shift_insert(0, "run".to_owned(), manifest.id.as_str().into());
            }
            text.push_str(&format!("{line}\n"));
        } else {
            let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            let why = match (line["kind"].as_str(), line["detail"].as_str()) {
                (Some(kind), Some(detail)) => format!("  {kind}: {detail}"),
                (None, Some(detail)) => format!("  {detail}"),
                _ => String::new(),
            };
            let why: String = why.chars().filter(|letter| !letter.is_control()).take(160).collect();
            text.push_str(&format!(
                "{}  row {:<6}  {:<8}  {}  {}{why}\n",
                manifest.id,
                line["row"],
                word("status"),
                word("to"),
                word("account")
            ));
        }
        if text.len() > 64 * 1024 {
            open::print(&std::mem::take(&mut text));
        }
    });
    open::print(&text);
    told.map_err(launch::report_failure)?;
    Ok(found)
}
