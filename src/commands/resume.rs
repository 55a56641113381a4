//! `notify resume`: the same run once more, from its own folder and nothing else.

use std::path::Path;
use std::sync::Arc;

use super::ask;
use super::attend;
use super::detach::{self, Handover};
use super::guard::{self, Named};
use super::launch::{self, Going};
use super::oneoff;
use super::open;
use super::open::Scene;
use super::status;
use super::steer;
use crate::account::Account;
use crate::changes::Changes;
use crate::cli::safety::Lock;
use crate::cli::{Global, Resume};
use crate::control::Word;
use crate::exit::{Exit, Failure};
use crate::feed::Feed;
use crate::job::accounts::open_accounts;
use crate::job::{self, Pinned, Settings};
use crate::journal::events::{self, Event};
use crate::journal::folder::RunFolder;
use crate::journal::lock::RunLock;
use crate::journal::pause::Pause;
use crate::journal::recovery::{Decision, Keyed, Recovery};
use crate::journal::runs::Summary;
use crate::journal::writer::Journal;
use crate::prepare::Preparer;
use crate::report::follower::Follower;
use crate::rules::Doubt;
use crate::source::spool::Spool;
use crate::tally::Tally;

/// Finishes the run.
pub(crate) async fn run(global: &Global, args: Resume) -> Result<Exit, Failure> {
    if args.taken_over {
        detach::leave_terminal();
    }
    under(global, args, None).await
}

/// As [`run`], where this process has the name of the run already.
pub(crate) async fn under(global: &Global, args: Resume, named: Option<RunLock>) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let folder = match &args.run {
        Some(id) => RunFolder::open(&state_dir, id).map_err(launch::folder_failure)?,
        None => newest_incomplete(&state_dir)?,
    };
    if let Some(holder) = folder.holder().filter(|_| !args.taken_over) {
        // One that is paused goes on; of any other it is told who works on it, below.
        let spoken = steer::spoken(Word::Resume, args.reason.clone());
        if let (true, text) = steer::ask(&state_dir, &folder, &holder, &spoken).await? {
            if !global.quiet {
                open::say(&text);
            }
            return Ok(Exit::Done);
        }
    }
    if named.is_some() {
        left_alone(&folder)?;
    }
    let lock = folder.lock().map_err(launch::lock_failure)?;
    let manifest = folder.manifest().map_err(launch::folder_failure)?;
    // Looked at before anything is opened for writing, so that a run that is complete stays exactly as it is.
    if let Some(ended) = folder.ended().filter(|ended| ended.tally.pending() == 0 && ended.tally.undecided == 0) {
        let what = format!(
            "run {} is complete ({} sent): nothing to resume\n  = help: notify report {}",
            manifest.id, ended.tally.sent, manifest.id
        );
        return Err(Failure::new(Exit::NothingToDo, what));
    }
    let mut settings: Settings = serde_json::from_value(manifest.settings.clone())
        .map_err(|e| Failure::new(Exit::BadInput, format!("the settings of run {} cannot be read: {e}", manifest.id)))?;
    let here = std::env::current_dir().unwrap_or_else(|_| settings.cwd.clone());
    match detach::left(&folder).filter(|_| args.taken_over) {
        Some(left) => settings = left,
        // The first life of a run that was detached: everything is in its manifest.
        None if args.taken_over => {}
        None => {
            settings.take_up(&Changes::of(&folder));
            settings.amend(&args.flow);
            settings.watching.amend(global, &args.flow.hooks, &here);
        }
    }
    let before = folder.ended().map_or_else(|| "broken off".to_owned(), |ended| ended.ending.status);

    // The config as the run saw it, wherever this command was typed; flags of this command go over it.
    let global = Global {
        config: global.config.clone().or_else(|| settings.config.clone()),
        profile: global.profile.clone().or_else(|| settings.profile.clone()),
        platform_file: if global.platform_file.is_empty() {
            settings.platform_files.clone()
        } else {
            global.platform_file.clone()
        },
        ..global.clone()
    };
    let mut config = open::open_config_in(&global, Some(&settings.cwd))?;
    oneoff::adopt_again(&mut config, args.via.as_deref(), &settings, &manifest)?;
    let scene = Scene { config: &config, global: &global, state_dir };
    if before == launch::ABORTED {
        open::note(&scene, &format!("run {} was aborted; it is taken up again (notify events {})", manifest.id, manifest.id));
    }
    let named = match named {
        Some(named) => Named::Held(named),
        None => guard::take(&scene, settings.safeguards.name.as_deref(), Some(Lock::Fail)).await?,
    };
    // Whoever goes on under a profile for testers means it.
    settings.safeguards.redirect_to = settings.safeguards.redirect_to.take().or_else(|| config.defaults.redirect_to.clone());
    job::safety::settle(&mut settings, jiff::Timestamp::now())?;

    let (own, others) = Pinned::of(&folder)?.compile(&settings)?;
    let opening = settings.opening(&config, &manifest.id, &manifest.out);
    let opened = open_accounts(&config, &settings.accounts, &opening, settings.rate, settings.batch_size)?;
    let begun = manifest.created.parse().unwrap_or_else(|_| jiff::Timestamp::now());
    let columns = Spool::open(folder.spool_dir()).map_err(|problem| Failure::new(Exit::Disk, problem))?.columns().to_vec();
    let mut policy = job::safety::policy(&config, &settings, &opened.accounts, &scene.state_dir, begun, &columns)?;
    let digest = manifest.template.as_ref().map(|template| template.digest.as_str());
    let line = guard::others_of(&scene, &manifest, &settings)?;
    policy.sent = guard::gather(&scene, &args.flow, &folder, &line, digest)?;
    let preparer = Preparer::new(opened.accounts, opened.routes, own, others, settings.one_template, manifest.lineage.clone());
    let preparer = Arc::new(preparer.with_priority(settings.precedence.priority).under(policy));
    launch::prepare_out(&manifest).map_err(|error| Failure::new(Exit::Disk, error))?;
    let width = preparer.accounts().iter().map(|account| account.width * account.batch.max(1)).sum();
    folder.prove_writable(width).map_err(|error| Failure::new(Exit::Disk, error))?;

    let disk = |error| Failure::new(Exit::Disk, error);
    // A list that came by a pipe has as many rows as reached the spool before the end.
    let rows = Spool::open(folder.spool_dir()).map_err(|problem| Failure::new(Exit::Disk, problem))?.rows();
    whole(&folder)?;
    let ready = attend::ready(&scene, &settings, &manifest.id, &manifest.out).await?;
    let begun = folder.journal_path().is_file();
    let (journal, mut recovery) = if folder.journal_path().is_file() {
        let follower = Follower::resume(&folder, &manifest).map_err(launch::report_failure)?;
        Journal::open(&folder, follower.into_follow()).map_err(disk)?
    } else {
        // Killed between the manifest and its journal: nothing was tried.
        let recovery = Recovery { tally: Tally::new(rows), ..Recovery::default() };
        let follower = Follower::create(&folder, &manifest).map_err(launch::report_failure)?;
        (Journal::create(&folder, rows, follower.into_follow()).map_err(disk)?, recovery)
    };
    if recovery.tally.total != rows {
        journal.set_rows(rows).await.map_err(disk)?;
        recovery.tally.total = rows;
    }
    // What the service itself drops when it has it already is sent again without a question.
    let keyed = keyed(&preparer);
    if !keyed.is_empty() && settings.in_doubt != Doubt::Skip {
        journal.decide_in_doubt(Decision::Resend, Some(keyed), &mut recovery).await.map_err(disk)?;
    }
    let doubtful = recovery.tally.undecided;
    if doubtful == 0 && recovery.tally.pending() == 0 {
        // Every row is settled and only the end was not told: the report could not be written, say. It is made now.
        let feed = Feed::Spool;
        let going = Going { folder: &folder, manifest: &manifest, settings: &settings, preparer, journal, recovery, feed, ready };
        return launch::go(&scene, &args.flow, going).await;
    }
    let on_terminal = ask::on_terminal();
    let decision = match settings.in_doubt {
        Doubt::Ask if doubtful > 0 && on_terminal => question(doubtful),
        other => other,
    };
    // Asked before anything is decided for good.
    let left = recovery.tally.pending() + if decision == Doubt::Resend { doubtful } else { 0 };
    let harmless = preparer.harmless();
    if left > 0 && !harmless && !args.flow.yes && on_terminal {
        let answer = ask::ask(&format!("Send the {} messages that are left? [y/N]", ask::grouped(left)));
        if !matches!(answer.as_str(), "y" | "yes") {
            journal.close().await.map_err(disk)?;
            return Err(Failure::new(Exit::Usage, "not confirmed: nothing was sent"));
        }
    }
    match decision {
        Doubt::Ask if doubtful > 0 => open::note(
            &scene,
            &format!(
                "{} in doubt: nobody knows whether they were sent. They stay as they are; decide with --in-doubt resend or --in-doubt skip",
                ask::rows(doubtful)
            ),
        ),
        Doubt::Resend => {
            journal.decide_in_doubt(Decision::Resend, None, &mut recovery).await.map_err(disk)?;
        }
        Doubt::Skip => {
            journal.decide_in_doubt(Decision::Skip, None, &mut recovery).await.map_err(disk)?;
        }
        Doubt::Ask => {}
    }
    if args.flow.hooks.detach {
        journal.close().await.map_err(disk)?;
        // Ports are for the process that goes on.
        drop((ready, preparer));
        detach::leave(&folder, &settings)?;
        let url = oneoff::written(args.via.as_deref())?.filter(|_| !settings.by_url.is_empty());
        let handover = Handover { global: &global, state_dir: &scene.state_dir, folder: &folder, url, json: args.flow.json };
        // The name is for the process that goes on.
        drop(named);
        return handover.give(lock).await;
    }
    // Named, so the pause is over.
    Pause::lift(&folder).map_err(|error| Failure::new(Exit::Disk, format!("the pause of the run: {error}")))?;
    if begun {
        let mut event = Event::now("resumed").by(events::here()).with("before", before).with("pending", recovery.tally.pending());
        event.why.clone_from(&args.reason);
        launch::told(&folder, event);
    }
    let feed = Feed::Spool;
    let going = Going { folder: &folder, manifest: &manifest, settings: &settings, preparer, journal, recovery, feed, ready };
    let exit = launch::go(&scene, &args.flow, going).await?;
    drop((lock, named));
    Ok(exit)
}

/// A list that is sent again under its `--name`, by a timer say, does not undo what a person decided about the run.
fn left_alone(folder: &RunFolder) -> Result<(), Failure> {
    let aborted = folder.ended().is_some_and(|ended| ended.ending.status == launch::ABORTED);
    let why = match Pause::of(folder) {
        Some(pause) => format!("is paused {}", pause.told()),
        None if aborted => "was aborted".to_owned(),
        None => return Ok(()),
    };
    let what = format!("run {}, which has this --name, {why}\n  = help: notify resume {}", folder.id, folder.id);
    Err(Failure::new(Exit::NothingToDo, what))
}

/// The accounts whose service knows our keys, and since when.
fn keyed(preparer: &Preparer) -> Vec<Keyed> {
    let now = jiff::Timestamp::now();
    let since = |account: &Account| {
        let capability = account.platform.capability();
        // Not to the last moment: the request needs its time too.
        let back = capability.remembers.map(|time| time.mul_f64(0.9)).and_then(|time| jiff::SignedDuration::try_from(time).ok());
        let since = back.map_or(Ok(jiff::Timestamp::UNIX_EPOCH), |back| now.checked_sub(back)).ok()?;
        capability.idempotent.then(|| Keyed { account: account.name.clone(), since })
    };
    preparer.accounts().iter().filter_map(since).collect()
}

/// Reads the spool from end to end: where it is damaged nothing more is sent until a person has looked.
fn whole(folder: &RunFolder) -> Result<(), Failure> {
    let disk = |problem| Failure::new(Exit::Disk, problem);
    let mut spool = Spool::open(folder.spool_dir()).map_err(disk)?;
    let mut from = 0;
    while from < spool.rows() {
        from += spool.read_many(from, 4096).map_err(disk)?.len().max(1) as u64;
    }
    Ok(())
}

/// The newest run that nobody works on and that has something left to do.
fn newest_incomplete(state_dir: &Path) -> Result<RunFolder, Failure> {
    let all = status::all(state_dir);
    let held = all.iter().rev().find(|(_, _, summary)| summary.holder.is_some());
    let held = held.and_then(|(folder, _, _)| folder.lock().err()).map(launch::lock_failure);
    let unended = |summary: &Summary| summary.holder.is_none() && summary.ended.is_none();
    // What a person has aborted or paused is taken up only by its name: a timer must not undo that.
    let aborted = |summary: &Summary| summary.ended.as_ref().is_some_and(|ended| ended.ending.status == launch::ABORTED);
    let paused = all.iter().rev().find(|(folder, _, _)| Pause::of(folder).is_some()).map(|(folder, _, _)| folder.clone());
    let wants = |folder: &RunFolder, summary: &Summary| {
        (summary.is_resumable() || unended(summary)) && !aborted(summary) && Pause::of(folder).is_none()
    };
    match all.into_iter().rev().find(|(folder, _, summary)| wants(folder, summary)) {
        Some((folder, _, _)) => Ok(folder),
        // What could be resumed is being worked on.
        None => Err(match (paused, held) {
            (Some(folder), _) => {
                let why = Pause::of(&folder).map(|pause| pause.told()).unwrap_or_default();
                let what = format!("run {} is paused {why}\n  = help: notify resume {}", folder.id, folder.id);
                Failure::new(Exit::NothingToDo, what)
            }
            (None, Some(held)) => held,
            (None, None) => Failure::new(Exit::NothingToDo, "every run is complete: there is nothing to resume"),
        }),
    }
}

fn question(count: u64) -> Doubt {
    let question = format!(
        "{} in doubt: the program ended before their answer came, so they may have been sent.\n\
         Send them again (same Message-ID or key), skip them, or leave them? [resend/skip/LEAVE]",
        ask::rows(count)
    );
    loop {
        return match ask::ask(&question).as_str() {
            "r" | "resend" => Doubt::Resend,
            "s" | "skip" => Doubt::Skip,
            "" | "l" | "leave" => Doubt::Ask,
            _ => continue,
        };
    }
}
