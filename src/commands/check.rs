//! `notify check`: every error of every row; sends nothing, leaves nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;

use super::ask;
use super::{launch, oneoff, open};
use crate::account::Account;
use crate::cli::{Check, FlowFlags, Global, ListFlags};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::job::accounts::open_accounts;
use crate::job::{self, Pinned, Settings};
use crate::policy::Policy;
use crate::prepare::Preparer;
use crate::schedule::Timetable;
use crate::source::{self, Spooled};

/// A list in a spool of its own that is gone when the command ends, with all that is needed to render it.
pub(crate) struct Desk {
    /// What renders rows.
    pub preparer: Preparer,
    /// The list.
    pub spooled: Spooled,
    /// Where it is spooled.
    pub folder: PathBuf,
    /// The list as messages call it.
    pub name: String,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What check, preview and plan were asked to read.
pub(crate) struct Asked<'a> {
    pub list: &'a ListFlags,
    pub key: Option<String>,
    /// The run's own words; with them its policy and its timetable hold as they would.
    pub flow: Option<&'a FlowFlags>,
}

/// Reads the list and compiles the template.
pub(crate) fn desk(global: &Global, config: &Config, asked: &Asked<'_>, out: Option<&std::path::Path>) -> Result<Desk, Failure> {
    let mut settings =
        Settings::new(config, global, &asked.list.content, &asked.list.target, asked.flow.unwrap_or(&FlowFlags::default()))?;
    if asked.flow.is_some() {
        job::safety::settle(&mut settings.schedule, &settings.safeguards, jiff::Timestamp::now())?;
    }
    let read = job::read_options(config, &settings, &asked.list.input, asked.key.clone(), job::constants(&asked.list.content)?)?;
    let constants: Vec<String> = read.constants.keys().cloned().collect();
    let input = job::input(&asked.list.rows);
    let name = input.name();
    let folder = std::env::temp_dir().join(format!("notify-check-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    let disk = |e: std::io::Error| Failure::new(Exit::Disk, format!("{}: {e}", folder.display()));
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder).map_err(disk)?;
    let spooled = source::spool(input, &read, &folder, &mut |_, _| {});
    let spooled = match spooled {
        Ok(mut spooled) => {
            spooled.columns.extend(constants);
            spooled
        }
        Err(error) => {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(launch::source_failure(error));
        }
    };
    let prepared = prepare(global, config, &mut settings, asked, &spooled, out);
    match prepared {
        Ok(preparer) => Ok(Desk { preparer, spooled, folder, name }),
        Err(failure) => {
            let _ = std::fs::remove_dir_all(&folder);
            Err(failure)
        }
    }
}

fn prepare(
    global: &Global,
    config: &Config,
    settings: &mut Settings,
    asked: &Asked<'_>,
    spooled: &Spooled,
    out: Option<&std::path::Path>,
) -> Result<Preparer, Failure> {
    settings.accounts = launch::own_first(&settings.via, &spooled.accounts);
    let others: BTreeSet<String> = spooled.templates.clone();
    let pinned = Pinned::find(config, settings, asked.list.content.template.as_deref(), &others)?;
    let (own, others) = pinned.compile(settings)?;
    let opening = settings.opening(config, "preview", out.unwrap_or(std::path::Path::new(".")));
    let opened = open_accounts(config, &settings.accounts, &opening, settings.rate, settings.batch_size)?;
    if asked.list.content.template.is_none() && spooled.templates.is_empty() {
        job::check_content(&spooled.columns, &opened.accounts)?;
    }
    job::check_columns(&own, &opened.accounts, &spooled.columns)?;
    for template in others.values() {
        job::check_columns(template, &opened.accounts, &spooled.columns)?;
    }
    let policy = match asked.flow {
        Some(_) => policy(global, config, settings, &opened.accounts, &spooled.columns)?,
        None => Policy::default(),
    };
    Ok(Preparer::new(opened.accounts, opened.routes, own, others, false, "preview".to_owned()).under(policy))
}

/// What policy the run would have. A state folder that is not there yet suppresses nobody, and is not made for it.
fn policy(
    global: &Global,
    config: &Config,
    settings: &Settings,
    accounts: &[Account],
    columns: &[String],
) -> Result<Policy, Failure> {
    let (state_dir, now) = (launch::state_dir(global)?, jiff::Timestamp::now());
    if crate::state::store::path(&state_dir).exists() {
        return job::safety::policy(config, &settings.schedule, &settings.safeguards, accounts, &state_dir, now, columns);
    }
    let timetable = Timetable::open(&settings.schedule, now, columns).map_err(|what| Failure::new(Exit::Usage, what))?;
    Ok(Policy { timetable, ..Policy::default() })
}

/// Checks the list.
pub(crate) fn run(global: &Global, mut args: Check) -> Result<Exit, Failure> {
    let mut config = open::open_config(global)?;
    oneoff::adopt(&mut config, &mut args.list.target.via)?;
    let asked = Asked { list: &args.list, key: args.key.clone(), flow: None };
    let desk = desk(global, &config, &asked, None)?;
    if !global.quiet {
        for notice in &desk.spooled.notices {
            open::say(notice);
        }
    }
    let found = job::examine(
        &desk.preparer,
        &desk.folder,
        |bad| {
            if args.json {
                open::print(&format!(
                    "{}\n",
                    json!({
                        "type": "bad_row", "file": desk.name, "line": bad.place.line, "column": bad.place.column, "name": bad.place.name,
                        "row": bad.position.row + 1, "account": &*bad.account, "kind": bad.error.kind.as_str(), "error": bad.error.detail,
                    })
                ));
            } else {
                open::print(&format!("{}\n", job::bad_line(&desk.name, bad)));
            }
        },
        |_, _| {},
    )?;
    if args.json {
        open::print(&format!(
            "{}\n",
            json!({ "type": "summary", "rows": desk.spooled.rows, "good": found.good, "bad": found.bad, "skipped": found.skipped })
        ));
    } else if !global.quiet || found.bad > 0 {
        open::say(&format!(
            "{}: {} can be sent, {} cannot, {} skipped as duplicates",
            desk.name,
            ask::rows(found.good),
            ask::grouped(found.bad),
            ask::grouped(found.skipped)
        ));
    }
    Ok(if found.bad > 0 { Exit::BadInput } else { Exit::Done })
}
