//! `notify pause`, `abort`, `set`: a word to the process that works on a run, and what it said to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ask::rows;
use super::launch;
use super::open::{print, say};
use crate::changes::Changes;
use crate::cli::Global;
use crate::cli::control::{Set, Steer};
use crate::control::{Spoken, Word};
use crate::exit::{Exit, Failure};
use crate::journal::events::{self, Event};
use crate::journal::folder::{Ending, RunFolder};
use crate::journal::lock::Holder;
use crate::journal::pause::Pause;
use crate::journal::writer::Journal;
use crate::report::files;
use crate::report::follower::Follower;
use crate::state::control::{Fate, Words};

/// How long an answer may take; a pause is answered when what was in flight has landed, or after a second and a half.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked for it.
const LOOK: Duration = Duration::from_millis(10);

/// The runs that somebody works on now, oldest first.
pub(crate) fn live(state_dir: &Path) -> Vec<RunFolder> {
    let ids = RunFolder::ids(state_dir).into_iter();
    ids.filter_map(|id| RunFolder::open(state_dir, &id).ok()).filter(|folder| folder.holder().is_some()).collect()
}

/// The run that was named, or the one that is running.
///
/// # Errors
/// There is no such run, or none or several are running: exit 10 and 2.
pub(crate) fn target(state_dir: &Path, run: Option<&str>) -> Result<RunFolder, Failure> {
    if let Some(id) = run {
        return RunFolder::open(state_dir, id).map_err(launch::folder_failure);
    }
    let mut live = live(state_dir);
    match (live.pop(), live.len()) {
        (None, _) => Err(Failure::new(Exit::NothingToDo, "no run is running\n  = help: `notify runs` lists all that there are")),
        (Some(one), 0) => Ok(one),
        (Some(one), _) => {
            let names: Vec<String> = live.iter().chain([&one]).map(|folder| folder.id.clone()).collect();
            let what = format!("{} runs are running: say which one\n  {}", names.len(), names.join("\n  "));
            Err(Failure::new(Exit::Usage, what))
        }
    }
}

/// `notify pause`.
pub(crate) async fn pause(global: &Global, args: Steer) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let folder = target(&state_dir, args.run.as_deref())?;
    let spoken = spoken(Word::Pause, args.reason);
    let Some(holder) = folder.holder() else { return Err(dead(&folder, "there is nothing to pause", "resume")) };
    speak(global, &state_dir, &folder, &holder, &spoken, args.json).await
}

/// `notify abort`: also of a run that nobody works on, which is then no longer one that `notify resume` takes up by itself.
pub(crate) async fn abort(global: &Global, args: Steer) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let folder = target(&state_dir, args.run.as_deref())?;
    let spoken = spoken(Word::Abort, args.reason);
    match folder.holder() {
        Some(holder) => speak(global, &state_dir, &folder, &holder, &spoken, args.json).await,
        None => bury(global, &folder, &spoken, args.json).await,
    }
}

/// `notify set`.
pub(crate) async fn set(global: &Global, args: Set) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    let (mut run, mut values) = (None, BTreeMap::new());
    for word in args.words {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                if values.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
                    return Err(Failure::new(Exit::Usage, format!("{name} is set twice")));
                }
            }
            _ if run.is_none() && values.is_empty() => run = Some(word),
            _ => return Err(Failure::new(Exit::Usage, format!("{word}: write NAME=VALUE, such as rate=5/s"))),
        }
    }
    // Told before anybody is asked, so that a mistake reads the same whether or not the run is there.
    Changes::parse(&values).map_err(|what| Failure::new(Exit::Usage, what))?;
    if values.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing to set: write NAME=VALUE, such as rate=5/s concurrency=8"));
    }
    let folder = target(&state_dir, run.as_deref())?;
    let Some(holder) = folder.holder() else {
        return Err(dead(&folder, "there is nothing to set; flags of `notify resume` say it for its next life", "resume"));
    };
    speak(global, &state_dir, &folder, &holder, &spoken(Word::Set { values }, args.reason), args.json).await
}

/// A word from this shell.
pub(crate) fn spoken(word: Word, why: Option<String>) -> Spoken {
    Spoken { word, by: events::here(), why: why.filter(|why| !why.trim().is_empty()) }
}

fn dead(folder: &RunFolder, what: &str, next: &str) -> Failure {
    let how = match folder.ended() {
        Some(ended) if ended.tally.pending() == 0 => {
            return Failure::new(Exit::NothingToDo, format!("run {} has ended ({}): {what}", folder.id, ended.ending.status));
        }
        Some(ended) => ended.ending.status,
        None => "broken off".to_owned(),
    };
    let what = format!("nobody works on run {} ({how}): {what}\n  = help: notify {next} {}", folder.id, folder.id);
    Failure::new(Exit::NothingToDo, what)
}

/// Says it to the process, and tells what that says.
pub(crate) async fn speak(
    global: &Global,
    state_dir: &Path,
    folder: &RunFolder,
    holder: &Holder,
    spoken: &Spoken,
    json: bool,
) -> Result<Exit, Failure> {
    let (done, text) = ask(state_dir, folder, holder, spoken).await?;
    if json {
        let told = serde_json::json!({
            "run": folder.id, "word": spoken.word.name(), "done": done, "answer": text, "by": spoken.by, "why": spoken.why,
        });
        print(&format!("{told}\n"));
    } else if done && !global.quiet {
        say(&text);
    }
    match (done, json) {
        (true, _) => Ok(Exit::Done),
        (false, true) => Err(Failure::silent(Exit::NothingToDo)),
        (false, false) => Err(Failure::new(Exit::NothingToDo, text)),
    }
}

/// What the process says to the word.
///
/// # Errors
/// It does not hear, or has ended; `state.db` cannot be used.
pub(crate) async fn ask(
    state_dir: &Path,
    folder: &RunFolder,
    holder: &Holder,
    spoken: &Spoken,
) -> Result<(bool, String), Failure> {
    let disk = |error: rusqlite::Error| Failure::new(Exit::Disk, format!("state.db: {error}"));
    let words = Words::open(state_dir).map_err(disk)?;
    let mut event = Event::now("asked").by(spoken.by.clone()).with("word", spoken.word.name());
    event.why.clone_from(&spoken.why);
    if let Word::Set { values } = &spoken.word {
        event = values.iter().fold(event, |event, (name, value)| event.with(name, value.as_str()));
    }
    events::append(folder, &event).map_err(|error| Failure::new(Exit::Disk, format!("the events of the run: {error}")))?;
    let text = serde_json::to_string(spoken).map_err(|error| Failure::new(Exit::Disk, error))?;
    let word = words.ask(&folder.id, holder.pid, &text, jiff::Timestamp::now().as_millisecond()).map_err(disk)?;
    let until = Instant::now() + PATIENCE;
    loop {
        // Looked at first: an answer that was given is an answer, whatever became of the run since.
        let gone = folder.holder().is_none_or(|now| now.pid != holder.pid);
        if let Fate::Answered { done, text } = words.fate(word).map_err(disk)? {
            return Ok((done, text));
        }
        let late = until <= Instant::now();
        if !gone && !late {
            sleep(LOOK).await;
            continue;
        }
        let heard = !words.withdraw(word).map_err(disk)?;
        let run = &folder.id;
        if gone {
            return Ok((false, format!("run {run} has ended meanwhile: notify status {run}")));
        }
        let what = if heard { "has heard it and not answered" } else { "has not heard it, and it was taken back" };
        let what = format!("process {} works on run {run} and {what} within {} s", holder.pid, PATIENCE.as_secs());
        return Err(Failure::new(Exit::Held, what));
    }
}

/// Marks a run that nobody works on as aborted. Its rows stay as they are; those that were in flight when it broke off are in doubt.
async fn bury(global: &Global, folder: &RunFolder, spoken: &Spoken, json: bool) -> Result<Exit, Failure> {
    let disk = |error| Failure::new(Exit::Disk, error);
    let lock = folder.lock().map_err(launch::lock_failure)?;
    let manifest = folder.manifest().map_err(launch::folder_failure)?;
    let ended = folder.ended();
    if let Some(ended) = ended.as_ref().filter(|ended| ended.tally.pending() == 0) {
        let what = format!("run {} has ended ({}): there is nothing to abort", folder.id, ended.ending.status);
        return Err(Failure::new(Exit::NothingToDo, what));
    }
    let mut event = Event::now("aborted")
        .by(spoken.by.clone())
        .with("before", ended.map_or_else(|| "broken off".to_owned(), |ended| ended.ending.status));
    event.why.clone_from(&spoken.why);
    if folder.journal_path().is_file() {
        let follower = Follower::resume(folder, &manifest).map_err(launch::report_failure)?;
        let (journal, _) = Journal::open(folder, follower.into_follow()).map_err(disk)?;
        journal.close().await.map_err(disk)?;
    } else {
        // It broke off before its journal: nothing was tried.
        let rows = crate::source::spool::Spool::open(folder.spool_dir()).map_err(|e| Failure::new(Exit::Disk, e))?.rows();
        let follower = Follower::create(folder, &manifest).map_err(launch::report_failure)?;
        Journal::create(folder, rows, follower.into_follow()).map_err(disk)?.close().await.map_err(disk)?;
    }
    let start = manifest.created.parse().unwrap_or_else(|_| jiff::Timestamp::now());
    let exit = Exit::Stopped.code();
    let ending = Ending { start, end: jiff::Timestamp::now(), status: launch::ABORTED.to_owned(), exit };
    let (_, tally) = files::write(folder, &manifest, &ending).map_err(launch::report_failure)?;
    Pause::lift(folder).map_err(|error| Failure::new(Exit::Disk, format!("the pause of the run: {error}")))?;
    events::append(folder, &event.with("pending", tally.pending()))
        .map_err(|error| Failure::new(Exit::Disk, format!("the events of the run: {error}")))?;
    drop(lock);
    let run = &folder.id;
    let text = format!(
        "aborted run {run}, on which nobody worked: {} stay pending; `notify resume {run}` takes it up after all",
        rows(tally.pending())
    );
    if json {
        let told = serde_json::json!({
            "run": run, "word": "abort", "done": true, "answer": text, "by": spoken.by, "why": spoken.why,
        });
        print(&format!("{told}\n"));
    } else if !global.quiet {
        say(&text);
    }
    Ok(Exit::Done)
}
