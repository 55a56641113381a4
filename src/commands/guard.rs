//! Before a run begins: whether its name is free, whether it was done already, and what others of its line have sent.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::ask::{Bar, grouped};
use super::open::{Scene, note, print};
use crate::cli::safety::Lock;
use crate::cli::{FlowFlags, NewRunFlags};
use crate::config::defaults;
use crate::exit::{Exit, Failure};
use crate::job::{Pinned, Settings};
use crate::journal::folder::{Manifest, RunFolder};
use crate::journal::lock::{self, LockError, RunLock};
use crate::journal::runs::Summary;
use crate::policy::sent::{Other, Sent};
use crate::rules::Doubt;
use crate::source::Spooled;
use crate::source::spool::Spool;
use crate::state::known::{Known, Print, Runs};

/// How often a name is asked for while another process has it.
const EVERY: Duration = Duration::from_millis(100);
/// So many days long a list is not sent again unless the config says otherwise. Less than a week: what goes out every Monday is no repetition.
const DAYS: u32 = 6;

/// Whether this process may work under its name.
pub(crate) enum Named {
    /// It has no name.
    Nameless,
    /// It has it, as long as the lock lives.
    Held(RunLock),
    /// Another process has it, and is to be left alone.
    Busy,
}

/// Takes the name of a run.
///
/// # Errors
/// Another process has it (exit 11), or the file cannot be locked (exit 74).
pub(crate) async fn take(scene: &Scene<'_>, name: Option<&str>, lock: Option<Lock>) -> Result<Named, Failure> {
    let Some(name) = name else { return Ok(Named::Nameless) };
    let configured = scene.config.defaults.lock.map(|word| match word {
        defaults::Lock::Wait => Lock::Wait,
        defaults::Lock::Fail => Lock::Fail,
        defaults::Lock::Skip => Lock::Skip,
    });
    let lock = lock.or(configured).unwrap_or(Lock::Fail);
    let path = lock_path(&scene.state_dir, name)?;
    let mut told = false;
    loop {
        match lock::take(&path) {
            Ok(held) => return Ok(Named::Held(held)),
            Err(LockError::Held { holder, .. }) => {
                let who = holder.map_or_else(String::new, |holder| {
                    format!(" (pid {} on {}, since {})", holder.pid, holder.host, holder.since)
                });
                match lock {
                    Lock::Fail => {
                        let what = format!(
                            "another process works under the name {name}{who}\n  = help: --lock wait waits for it, --lock skip ends with 0"
                        );
                        return Err(Failure::new(Exit::Held, what));
                    }
                    Lock::Skip => {
                        note(scene, &format!("another process works under the name {name}{who}: left to it (--lock skip)"));
                        return Ok(Named::Busy);
                    }
                    Lock::Wait if !told => {
                        told = true;
                        note(scene, &format!("waiting for another process under the name {name}{who}"));
                    }
                    Lock::Wait => {}
                }
            }
            Err(other) => return Err(Failure::new(Exit::Disk, other)),
        }
        // For as long as the other one needs: that is what was asked for. Ctrl-C ends it.
        tokio::time::sleep(EVERY).await;
    }
}

/// A name may hold anything, so its file is called by a hash of it.
fn lock_path(state_dir: &Path, name: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = state_dir.join("names");
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let hash: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(|error| Failure::new(Exit::Disk, format!("{}: {error}", folder.display())))?;
    Ok(folder.join(format!("{hash}.lock")))
}

/// What is known before a run begins.
pub(crate) enum Verdict {
    /// It begins, in this line.
    Begins(Line),
    /// The run that it is again is not finished: that one goes on.
    Resumes(Box<Manifest>),
    /// There is nothing left to do: a line of words.
    Done(String),
}

/// The line that a run belongs to.
pub(crate) struct Line {
    /// Its first run.
    pub lineage: String,
    /// Other runs of it, whose rows are not sent again.
    pub others: Vec<Other>,
}

/// A run that is about to begin.
pub(crate) struct Asked<'a> {
    /// `send`, `batch`, `retry`.
    pub command: &'static str,
    /// Its own id.
    pub id: &'a str,
    /// Its settings.
    pub settings: &'a Settings,
    /// What it has to send; `None` for a pipe.
    pub print: Option<Print>,
    /// Of the run that is retried.
    pub lineage: Option<String>,
    /// That run.
    pub parent: Option<&'a str>,
    /// It sends nothing to anybody.
    pub harmless: bool,
}

fn disk(error: rusqlite::Error) -> Failure {
    Failure::new(Exit::Disk, format!("what runs there were cannot be read from state.db: {error}"))
}

/// Compares the run with those before it.
///
/// # Errors
/// The same was sent lately (exit 8), or what was sent cannot be known (exit 74).
pub(crate) fn compare(scene: &Scene<'_>, asked: &Asked<'_>, new: &NewRunFlags) -> Result<Verdict, Failure> {
    let alone = || Line { lineage: asked.lineage.clone().unwrap_or_else(|| asked.id.to_owned()), others: Vec::new() };
    if new.guard.again {
        return Ok(Verdict::Begins(alone()));
    }
    let name = asked.settings.safeguards.name.as_deref();
    if name.is_none() && asked.lineage.is_none() && (asked.command == "send" || asked.harmless) {
        return Ok(Verdict::Begins(alone()));
    }
    let runs = Runs::open(&scene.state_dir).map_err(disk)?;
    let mut line = alone();
    if let Some(name) = name {
        let named = runs.named(name).map_err(disk)?;
        if let Some(print) = asked.print
            && let Some(known) = before(scene, &named, &print, name)?
            && !new.dry_run
        {
            return Ok(known);
        }
        if let (None, Some(newest)) = (&asked.lineage, named.first()) {
            line.lineage.clone_from(&newest.lineage);
        }
    } else if asked.command != "send"
        && !asked.harmless
        && !new.dry_run
        && let Some(print) = asked.print
    {
        refuse_repeat(scene, &runs, &print)?;
    }
    if line.lineage != asked.id {
        line.others = others(scene, &runs, asked, &line.lineage, name.is_some())?;
    }
    Ok(Verdict::Begins(line))
}

/// Under a name: the run that had the same to send.
fn before(scene: &Scene<'_>, named: &[Known], print: &Print, name: &str) -> Result<Option<Verdict>, Failure> {
    let Some(known) = named.iter().find(|known| known.print.as_ref() == Some(print)) else { return Ok(None) };
    let folder = gone_or(scene, known, name)?;
    let manifest = folder.manifest().map_err(|error| Failure::new(Exit::BadInput, error))?;
    let summary = Summary::of(&folder);
    let Some(tally) = &summary.tally else { return Ok(Some(Verdict::Resumes(Box::new(manifest)))) };
    if summary.ended.is_none() || tally.pending() > 0 || tally.undecided > 0 {
        return Ok(Some(Verdict::Resumes(Box::new(manifest))));
    }
    if tally.failed == 0 && tally.in_doubt == 0 {
        let ended = summary.ended.as_ref().map_or_else(String::new, |ended| day(ended.ending.end));
        let what = format!("{name}: done on {ended}, {} sent by run {}: nothing to do", grouped(tally.sent), manifest.id);
        return Ok(Some(Verdict::Done(what)));
    }
    // It ended with failures: those are sent again, as a new run.
    Ok(None)
}

fn gone_or(scene: &Scene<'_>, known: &Known, name: &str) -> Result<RunFolder, Failure> {
    RunFolder::open(&scene.state_dir, &known.id).map_err(|_| {
        let what = format!(
            "run {} of the name {name} is no longer there, so nobody knows to whom it has sent\n  = help: choose another --name, or send to all with --again",
            known.id
        );
        Failure::new(Exit::Disk, what)
    })
}

/// The same list, template and account as a run of the last days.
fn refuse_repeat(scene: &Scene<'_>, runs: &Runs, print: &Print) -> Result<(), Failure> {
    let days = scene.config.defaults.duplicate_days.unwrap_or(DAYS);
    let since = Timestamp::now().as_millisecond().saturating_sub(i64::from(days) * 86_400_000);
    let alike = if days == 0 { Vec::new() } else { runs.alike(print, since).map_err(disk)? };
    for known in alike.iter().filter(|known| known.name.is_none()) {
        if let Some(what) = repeated(&scene.state_dir, known) {
            return Err(Failure::new(Exit::Duplicate, what));
        }
    }
    Ok(())
}

/// In which words a repetition of that run is refused; `None` where it reached nobody and never will.
fn repeated(state_dir: &Path, known: &Known) -> Option<String> {
    let id = &known.id;
    let began = Timestamp::from_millisecond(known.began).map(day).unwrap_or_default();
    let same = format!("the same list went through the same template and account before: run {id} of {began}");
    let Ok(folder) = RunFolder::open(state_dir, id) else {
        return Some(format!("{same}\n  = help: add --again to send it once more"));
    };
    let summary = Summary::of(&folder);
    if let Some(holder) = &summary.holder {
        return Some(format!(
            "{same}, which is running (pid {})\n  = help: notify status {id}; --again sends it once more",
            holder.pid
        ));
    }
    let tally = summary.tally.clone().unwrap_or_default();
    let count = format!("{} of {} sent", grouped(tally.sent), grouped(tally.total));
    if summary.ended.is_none() || tally.pending() > 0 || tally.undecided > 0 {
        let how = summary.ended.as_ref().map_or("broken off", |ended| ended.ending.status.as_str());
        return Some(format!(
            "{same}, which is not finished ({how}, {count})\n  = help: notify resume {id} finishes it; --again sends the whole list once more"
        ));
    }
    if tally.sent == 0 && tally.in_doubt == 0 {
        return None;
    }
    let mut help = format!("add --again to send it once more; notify report {id} tells what it did");
    if tally.failed > 0 {
        help =
            format!("notify retry {id} sends the {} that failed; --again sends the whole list once more", grouped(tally.failed));
    }
    Some(format!("{same} ({count})\n  = help: {help}"))
}

/// Other runs of the line, and whether their rows in doubt are left alone too.
fn others(scene: &Scene<'_>, runs: &Runs, asked: &Asked<'_>, lineage: &str, named: bool) -> Result<Vec<Other>, Failure> {
    let mut others = Vec::new();
    let all = runs.of_lineage(lineage).map_err(disk)?;
    // The rows of a retry are those that its parent failed to send, in doubt or not.
    for known in all.iter().filter(|known| known.id != asked.id && Some(known.id.as_str()) != asked.parent) {
        let Ok(folder) = RunFolder::open(&scene.state_dir, &known.id) else {
            if let (true, Some(name)) = (named, asked.settings.safeguards.name.as_deref()) {
                gone_or(scene, known, name)?;
            }
            continue;
        };
        let manifest = folder.manifest().map_err(|error| Failure::new(Exit::BadInput, error))?;
        let theirs: Option<Settings> = serde_json::from_value(manifest.settings.clone()).ok();
        // What went to somebody else has not reached anybody.
        if theirs.is_some_and(|theirs| theirs.safeguards.redirect_to != asked.settings.safeguards.redirect_to) {
            continue;
        }
        let doubts = asked.parent.is_none() && asked.settings.in_doubt != Doubt::Resend;
        others.push(Other { folder, manifest, doubts });
    }
    Ok(others)
}

/// The other runs of a run that goes on.
///
/// # Errors
/// As [`compare`].
pub(crate) fn others_of(scene: &Scene<'_>, manifest: &Manifest, settings: &Settings) -> Result<Vec<Other>, Failure> {
    let runs = Runs::open(&scene.state_dir).map_err(disk)?;
    let asked = Asked {
        command: "resume",
        id: &manifest.id,
        settings,
        print: None,
        lineage: Some(manifest.lineage.clone()),
        parent: manifest.parent.as_deref(),
        harmless: false,
    };
    let all = runs.of_lineage(&manifest.lineage).map_err(disk)?;
    if all.iter().all(|known| known.id == manifest.id) {
        return Ok(Vec::new());
    }
    let mut others = others(scene, &runs, &asked, &manifest.lineage, false)?;
    // A retry that was made of this run was made of rows that it had given up.
    others.retain(|other| other.manifest.id != manifest.id);
    Ok(others)
}

/// Reads what they have sent.
///
/// # Errors
/// It cannot be read: exit 74.
pub(crate) fn gather(
    scene: &Scene<'_>,
    flow: &FlowFlags,
    folder: &RunFolder,
    others: &[Other],
    template: Option<&str>,
) -> Result<Option<Sent>, Failure> {
    let bar = Bar::new(scene, flow, "comparing");
    let sent = Sent::gather(folder, others, template, |rows| bar.at(rows, None));
    bar.end();
    sent.map_err(|what| Failure::new(Exit::Disk, format!("what was sent before cannot be read, so nothing is sent: {what}")))
}

/// Remembers the run. Whoever came with the same in the meantime was first.
///
/// # Errors
/// The same has begun since `looked` (exit 8), or state.db cannot be written (exit 74).
pub(crate) fn remember(
    scene: &Scene<'_>,
    asked: &Asked<'_>,
    lineage: &str,
    looked: Timestamp,
    again: bool,
) -> Result<(), Failure> {
    let name = asked.settings.safeguards.name.clone();
    let guarded = name.is_none() && asked.command != "send" && !asked.harmless;
    let known = Known {
        id: asked.id.to_owned(),
        began: Timestamp::now().as_millisecond(),
        lineage: lineage.to_owned(),
        print: asked.print.filter(|_| guarded || name.is_some()),
        name,
    };
    if asked.harmless && known.name.is_none() {
        return Ok(());
    }
    let days = scene.config.defaults.duplicate_days.unwrap_or(DAYS);
    let though = again || !guarded || days == 0;
    let other =
        Runs::open(&scene.state_dir).and_then(|mut runs| runs.note(&known, looked.as_millisecond(), though)).map_err(disk)?;
    match other {
        Some(other) => {
            let what = format!("run {} has just begun with the same list\n  = help: --again sends it once more", other.id);
            Err(Failure::new(Exit::Duplicate, what))
        }
        None => Ok(()),
    }
}

/// A hash over all that a run has to send, and through what.
///
/// # Errors
/// The spool cannot be read.
pub(crate) fn print_of(
    scene: &Scene<'_>,
    settings: &Settings,
    spooled: &Spooled,
    pinned: &Pinned,
    folder: &RunFolder,
) -> Result<Print, Failure> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    };
    add(&Spool::print(folder.spool_dir()).map_err(|problem| Failure::new(Exit::Disk, problem))?);
    for account in &spooled.accounts {
        add(account.as_bytes());
    }
    add(settings.via.as_bytes());
    add(settings.safeguards.redirect_to.as_deref().unwrap_or_default().as_bytes());
    let templates = pinned.own.iter().chain(pinned.others.values());
    templates.for_each(|files| add(files.digest.as_bytes()));
    for path in &settings.attach {
        add(path.as_os_str().as_encoded_bytes());
    }
    for name in &settings.by_url {
        // Two URLs have the same name; what stands in them makes the difference, and only their hash stays.
        if let Ok(account) = scene.config.account(name) {
            add(serde_yaml::to_string(&account.settings).unwrap_or_default().as_bytes());
        }
    }
    let mut print = [0; 16];
    print.copy_from_slice(&context.finish().as_ref()[..16]);
    Ok(print)
}

/// Tells that there is nothing left to do: a line for people, an event for scripts.
pub(crate) fn done(scene: &Scene<'_>, flow: &FlowFlags, what: &str) -> Exit {
    note(scene, what);
    if flow.json {
        print(&format!(
            "{}\n",
            serde_json::json!({ "type": "summary", "status": "done", "exit_code": 0, "sent": 0, "detail": what })
        ));
    }
    Exit::Done
}

fn day(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %H:%M").to_string()
}
