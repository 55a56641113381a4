//! What send, batch, retry and resume share: from a list to an exit code, in the order in which things happen.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ask::{Bar, ask, confirm, grouped, may_skip, on_terminal, rows, shown};
use super::attend::{self, Attendance};
use super::detach::Handover;
use super::guard::{self, Asked, Line, Named, Verdict};
use super::open::{Scene, note, say};
use crate::cli::{FlowFlags, Global, NewRunFlags, Resume};
use crate::control;
use crate::control::Order as Wanted;
use crate::exit::{Exit, Failure};
use crate::feed::Feed;
use crate::job::accounts::open_accounts;
use crate::job::{self, Pinned, Settings, planned};
use crate::journal::events::{self, Event};
use crate::journal::folder::{Ending, FolderError, Manifest, RunFolder, SCHEMA, new_run_id};
use crate::journal::lock::LockError;
use crate::journal::reader::Reader;
use crate::journal::recovery::Recovery;
use crate::journal::writer::Journal;
use crate::live::publish::Live;
use crate::prepare::{Bad, Preparer};
use crate::progress::{Progress, Telling};
use crate::report::files::{self, ReportError};
use crate::report::follower::Follower;
use crate::report::paths::Paths;
use crate::report::{text, totals};
use crate::run;
use crate::run::wires::Wires;
use crate::source::fault::SourceError;
use crate::source::options::{Input, ReadOptions};
use crate::source::stream::Stream;
use crate::source::{self, Spooled};
use crate::tally::Tally;

/// A list to be sent, as send, batch and retry describe it.
pub(crate) struct Order {
    /// `send`, `batch`, `retry`.
    pub command: &'static str,
    /// Where the rows are.
    pub input: Input,
    /// How they are read.
    pub read: ReadOptions,
    /// Template by name or path; `None` where rows carry their content.
    pub template: Option<String>,
    /// Everything else.
    pub settings: Settings,
    /// Of the run that is retried.
    pub lineage: Option<String>,
    /// The run that is retried.
    pub parent: Option<String>,
    /// `--skip-invalid`.
    pub skip_invalid: bool,
    /// `--stream`.
    pub stream: bool,
    /// How messages and reports call the input, where that is not its own name.
    pub name: Option<String>,
    /// The URL of `--via`, for the process that `--detach` hands the run over to.
    pub url: Option<String>,
}

/// Takes a new list from its first byte to the report.
pub(crate) async fn launch(scene: &Scene<'_>, order: Order, flow: &FlowFlags, new: &NewRunFlags) -> Result<Exit, Failure> {
    let Order { command, input, mut read, template, mut settings, lineage, parent, skip_invalid, stream, name, url } = order;
    if stream && (new.money.max_cost.is_some() || scene.config.defaults.max_cost.is_some()) {
        let what = "what a stream will cost cannot be known before it ends: --max-cost (defaults.max_cost) and --stream exclude each other";
        return Err(Failure::new(Exit::Usage, what));
    }
    if stream && flow.hooks.detach {
        let what = "--stream reads a pipe of this terminal, which --detach leaves: start it with & or nohup instead";
        return Err(Failure::new(Exit::Usage, what));
    }
    let looked = jiff::Timestamp::now();
    settings.begin_with(&new.canary);
    settings.safeguards = job::safety::safeguards(&new.guard, &flow.time, &scene.config.defaults);
    job::safety::settle(&mut settings, looked)?;
    let run_name = settings.safeguards.name.clone().filter(|_| !new.dry_run);
    let held_name = match guard::take(scene, run_name.as_deref(), new.guard.lock).await? {
        Named::Busy => return Ok(Exit::Done),
        Named::Held(lock) => Some(lock),
        Named::Nameless => None,
    };
    let id = new_run_id(jiff::Timestamp::now(), &mut fastrand::Rng::new());
    sweep(&scene.state_dir);
    let folder = RunFolder::create(&scene.state_dir, &id).map_err(folder_failure)?;
    // Until the manifest is written there is no run: whatever fails before that leaves nothing behind.
    let unborn = Unborn(Some(folder.path.clone()));
    let lock = folder.lock().map_err(lock_failure)?;
    if let Some(kind) = folder.network_file_system() {
        note(
            scene,
            &format!(
                "the state folder is on a network file system ({kind}); a journal there may not survive a crash: use --state-dir"
            ),
        );
    }
    let input_name = name.unwrap_or_else(|| input.name());

    let constants: Vec<String> = read.constants.keys().cloned().collect();
    let (mut spooled, piped) = if stream {
        let (spooled, piped) = open_stream(input, read, &folder)?;
        (spooled, Some(piped))
    } else {
        (spool(scene, flow, input, &mut read, &folder)?, None)
    };
    for notice in &spooled.notices {
        note(scene, notice);
    }
    // What -V and --vars give is there for every row, like a column.
    spooled.columns.extend(constants);
    if spooled.rows == 0 && !stream {
        return Err(Failure::new(Exit::NothingToDo, format!("{input_name} has no rows: nothing to do")));
    }
    settings.accounts = own_first(&settings.via, &spooled.accounts);
    let named = if settings.one_template { BTreeSet::new() } else { spooled.templates.clone() };
    let pinned = Pinned::find(scene.config, &settings, template.as_deref(), &named)?;
    let (own, others) = pinned.compile(&settings)?;
    for warning in own.warnings() {
        note(scene, &format!("warning: {warning}"));
    }

    let out = new.out.clone().unwrap_or_else(|| PathBuf::from(format!("notify-{id}")));
    let out = settings.cwd.join(out);
    let opening = settings.opening(scene.config, &id, &out);
    let opened = open_accounts(scene.config, &settings.accounts, &opening, settings.rate, settings.batch_size)?;
    if template.is_none() && spooled.templates.is_empty() && !stream {
        job::check_content(&spooled.columns, &opened.accounts)?;
    }
    // The columns of a JSON stream are known only when it has ended: there every row is asked for itself.
    if !stream || spooled.format.delimited() {
        for template in std::iter::once(&own).chain(others.values()) {
            job::check_columns(template, &opened.accounts, &spooled.columns)?;
        }
    }
    let mut policy = job::safety::policy(scene.config, &settings, &opened.accounts, &scene.state_dir, looked, &spooled.columns)?;
    let print = if stream { None } else { Some(guard::print_of(scene, &settings, &spooled, &pinned, &folder)?) };
    let harmless = opened.accounts.iter().all(|account| account.platform.capability().harmless);
    let asked = Asked { command, id: &id, settings: &settings, print, lineage, parent: parent.as_deref(), harmless };
    let line = match guard::compare(scene, &asked, new)? {
        Verdict::Begins(line) => line,
        Verdict::Done(what) => return Ok(guard::done(scene, flow, &what)),
        Verdict::Resumes(manifest) => {
            // What was read was only looked at.
            drop((lock, unborn));
            note(scene, &format!("resuming run {} (--name)", manifest.id));
            let by_url =
                manifest.settings.get("by_url").and_then(|names| names.as_array()).is_some_and(|names| !names.is_empty());
            let args = Resume {
                run: Some(manifest.id.clone()),
                via: url.filter(|_| by_url),
                flow: flow.clone(),
                reason: None,
                taken_over: false,
            };
            return Box::pin(super::resume::under(scene.global, args, held_name)).await;
        }
    };
    let Line { lineage, others: line } = line;
    let digest = pinned.own.as_ref().map(|files| files.digest.as_str());
    policy.sent = guard::gather(scene, flow, &folder, &line, digest)?;
    if let Some(to) = &policy.redirect {
        note(scene, &format!("every message goes to {} instead (redirect_to)", to.masked()));
    }
    let preparer = Preparer::new(opened.accounts, opened.routes, own, others, settings.one_template, lineage.clone());
    let preparer = Arc::new(preparer.with_priority(settings.precedence.priority).under(policy));

    let mut found = if stream { job::Found::default() } else { examine(scene, flow, &preparer, &folder, &input_name)? };
    if found.bad > 0 && !skip_invalid && !may_skip(scene, flow, new, &found)? {
        let them = if found.bad == 1 { "it" } else { "them" };
        let help = match found.good {
            0 => format!("mend {them} and try again"),
            good => {
                format!("mend {them}, or add --skip-invalid to send the other {} and get {them} in failed.jsonl", grouped(good))
            }
        };
        let what = format!("{} of {} cannot be sent; nothing was sent\n  = help: {help}", rows(found.bad), grouped(spooled.rows));
        return Err(Failure::new(Exit::BadInput, what));
    }
    if found.changed > 0 {
        let what = "say something else now than what was sent to them; they are not sent again";
        note(scene, &format!("{} {what}", rows(found.changed)));
    }
    // All of it went out already, under this name or as a retry.
    if found.already > 0 && found.good == 0 && found.bad == 0 {
        let who = run_name.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
        return Ok(guard::done(scene, flow, &format!("{who}all {} were sent before: nothing to do", rows(found.already))));
    }
    let census = std::mem::take(&mut found.census);
    let plan = planned::of(scene.config, &preparer, found.counts(), census, &jiff::Zoned::now());
    planned::guard(new.money.max_cost.as_ref(), scene.config, &plan)?;
    if new.dry_run {
        let first = found.first.as_ref().map(|first| &first.delivery);
        say(&format!("{}Dry run: nothing was sent.", shown(&plan, first)));
        return Ok(if found.bad > 0 { Exit::SomeFailed } else { Exit::Done });
    }
    confirm(scene, flow, &preparer, &found, &plan, stream)?;

    let ready = attend::ready(scene, &settings, &id, &out).await?;
    let width = preparer.accounts().iter().map(|account| account.width * account.batch.max(1)).sum();
    folder.prove_writable(width).map_err(|error| Failure::new(Exit::Disk, error))?;
    pinned.keep(&folder)?;
    let manifest = Manifest {
        schema: SCHEMA,
        id: id.clone(),
        lineage: lineage.clone(),
        parent: parent.clone(),
        created: jiff::Timestamp::now().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command.to_owned(),
        input: input_name,
        rows: spooled.rows,
        via: settings.via.clone(),
        platforms: preparer.accounts().iter().map(|account| (account.name.to_string(), account.kind.clone())).collect(),
        template: pinned.reference(),
        out,
        report: new.report.as_ref().map(|path| settings.cwd.join(path)),
        failed: new.failed.as_ref().map(|path| settings.cwd.join(path)),
        secret_addresses: secret_accounts(&preparer),
        settings: serde_json::to_value(&settings).map_err(|e| Failure::new(Exit::Disk, e))?,
    };
    prepare_out(&manifest).map_err(|error| Failure::new(Exit::Usage, error))?;
    if let Some(other) = report_of(&Paths::of(&manifest).report).filter(|other| *other != id) {
        // A cron job writes to one place every night; what is replaced can be told again from its journal.
        let shown = manifest.out.display();
        note(
            scene,
            &format!(
                "{shown} holds the files of run {other}: they are replaced; `notify report {other}` and `notify retry {other}` still know them"
            ),
        );
    }
    guard::remember(scene, &asked, &lineage, looked, new.guard.again)?;
    folder.write_manifest(&manifest).map_err(folder_failure)?;
    unborn.born();
    if flow.hooks.detach {
        // Ports are for the process that goes on.
        // So is the name.
        drop((ready, preparer, held_name));
        let handover = Handover { global: scene.global, state_dir: &scene.state_dir, folder: &folder, url, json: flow.json };
        return handover.give(lock).await;
    }

    let follower = Follower::create(&folder, &manifest).map_err(report_failure)?;
    let journal =
        Journal::create(&folder, spooled.rows, follower.into_follow()).map_err(|error| Failure::new(Exit::Disk, error))?;
    let recovery = Recovery { tally: Tally::new(spooled.rows), ..Recovery::default() };
    let feed = piped.map_or(Feed::Spool, |stream| Feed::Stream(Box::new(stream)));
    let exit = go(
        scene,
        flow,
        Going { folder: &folder, manifest: &manifest, settings: &settings, preparer, journal, recovery, feed, ready },
    )
    .await?;
    drop((lock, held_name));
    Ok(exit)
}

/// Reads the whole list. On a terminal an ambiguous encoding is asked about, elsewhere it is refused with the flag to add.
fn spool(
    scene: &Scene<'_>,
    flow: &FlowFlags,
    mut input: Input,
    read: &mut ReadOptions,
    folder: &RunFolder,
) -> Result<Spooled, Failure> {
    loop {
        let bar = Bar::new(scene, flow, "reading");
        let spooled = source::spool(input.clone(), read, folder.spool_dir(), &mut |at, of| bar.at(at, of));
        bar.end();
        let ambiguity = match spooled {
            Ok(spooled) => return Ok(spooled),
            Err(SourceError::Encoding(ambiguity)) if on_terminal() && read.encoding.is_none() && !flow.yes => ambiguity,
            Err(error) => return Err(source_failure(error)),
        };
        say(&format!("{} is not UTF-8. It may be:", ambiguity.name));
        for (n, reading) in ambiguity.readings.iter().enumerate() {
            say(&format!("  {}  {}: {}", n + 1, reading.label, reading.samples.join(", ")));
        }
        let answer = ask("Which one is right? [number, or nothing to stop]");
        let Some(reading) = answer.parse::<usize>().ok().and_then(|n| ambiguity.readings.get(n.wrapping_sub(1))) else {
            return Err(source_failure(SourceError::Encoding(ambiguity)));
        };
        read.encoding = Some(reading.label.clone());
        if let Some(copy) = &ambiguity.copy {
            // A pipe can be read only once; its copy is moved out of the way of the next.
            let moved = folder.path.join("input.asked");
            std::fs::rename(copy, &moved).map_err(|e| Failure::new(Exit::Disk, format!("{}: {e}", moved.display())))?;
            input = Input::File(moved);
        }
    }
}

/// Opens a pipe that may not end: its rows are read while others are sent.
fn open_stream(input: Input, read: ReadOptions, folder: &RunFolder) -> Result<(Spooled, Stream), Failure> {
    let stream = Stream::open(input, read, folder.spool_dir()).map_err(source_failure)?;
    let spooled = stream.begun();
    Ok((spooled, stream))
}

/// Checks every row, with each bad one told at once.
fn examine(
    scene: &Scene<'_>,
    flow: &FlowFlags,
    preparer: &Preparer,
    folder: &RunFolder,
    input_name: &str,
) -> Result<job::Found, Failure> {
    let bar = Bar::new(scene, flow, "checking");
    let told = |bad: &Bad| bar.line(&job::bad_line(input_name, bad));
    let found = job::examine(preparer, folder.spool_dir(), told, |at, of| bar.at(at, Some(of)))?;
    bar.end();
    Ok(found)
}

/// A run that is ready to flow.
pub(crate) struct Going<'a> {
    /// Its folder.
    pub folder: &'a RunFolder,
    /// What it is.
    pub manifest: &'a Manifest,
    /// Its settings.
    pub settings: &'a Settings,
    /// What turns rows into deliveries.
    pub preparer: Arc<Preparer>,
    /// Where it is remembered.
    pub journal: Journal,
    /// What was remembered.
    pub recovery: Recovery,
    /// Where new rows come from.
    pub feed: Feed,
    /// What goes along.
    pub ready: attend::Ready,
}

/// Runs the flow, then tells how it was.
pub(crate) async fn go(scene: &Scene<'_>, flow: &FlowFlags, going: Going<'_>) -> Result<Exit, Failure> {
    let Going { folder, manifest, settings, preparer, journal, recovery, feed, ready } = going;
    let telling = Telling {
        json: flow.json,
        quiet: scene.global.quiet,
        no_bar: flow.no_progress || scene.global.verbose > 0,
        secret: manifest.secret_addresses.iter().map(|name| Arc::from(name.as_str())).collect(),
    };
    let mut progress = Progress::new(&manifest.id, manifest.rows, &telling);
    let (orders, speaker, control) = control::wire();
    let (attendance, teller) = Attendance::begin(scene, ready, folder, &settings.watching, speaker);
    progress.tell_too(teller);
    let live = Live::new(preparer.accounts().len(), attendance.news());
    told(
        folder,
        Event::now("started")
            .by(events::here())
            .with("command", manifest.command.as_str())
            .with("pending", recovery.tally.pending()),
    );
    let (quiet, run_id) = (scene.global.quiet, manifest.id.clone());
    let again = if settings.by_url.is_empty() { "" } else { " --via URL" };
    let signals = tokio::spawn(orders.listen(move |order| {
        let line = match order {
            Wanted::Go => return,
            Wanted::Drain(_) => "stopping: waiting for what is in flight; once more to stop now",
            Wanted::Stop(_) => "stopping now: what was in flight is in doubt",
        };
        if !quiet {
            let _ = writeln!(std::io::stderr(), "{line}\nresume with: notify resume {run_id}{again}");
        }
    }));
    let start = manifest.created.parse().unwrap_or_else(|_| jiff::Timestamp::now());
    let journal = Arc::new(journal);
    let rules = settings.rules(folder);
    let ended = run::run(preparer, journal.clone(), recovery, feed, rules, Wires { control, live }, &mut progress).await;
    signals.abort();

    let (tally, mut exit, reasons, aborted) = match ended {
        Ok(ending) => (ending.tally, ending.exit, ending.reasons, ending.aborted),
        Err(error) => (counted(folder, manifest), Exit::Disk, vec![error.to_string()], false),
    };
    if let Err(error) = journal.end().await {
        exit = exit.worse(Exit::Disk);
        note(scene, &error.to_string());
    }
    let status = if aborted && tally.pending() > 0 { ABORTED } else { status(exit, &tally) };
    let ending = Ending { start, end: jiff::Timestamp::now(), status: status.to_owned(), exit: exit.code() };
    let written = files::write(folder, manifest, &ending);
    // The journal is the truth, also about what this process believes to have counted.
    let (paths, tally) = match &written {
        Ok((paths, told)) => (paths.clone(), told.clone()),
        Err(_) => (Paths::of(manifest), tally),
    };
    let summary = totals::with_events(totals::json(manifest, &ending, &tally, &paths), folder);
    progress.end(&summary);
    let counts = [("sent", tally.sent), ("failed", tally.failed), ("in_doubt", tally.in_doubt), ("pending", tally.pending())];
    let event = Event::now("ended").with("status", status).with("exit_code", exit.code());
    told(folder, counts.into_iter().fold(event, |event, (name, count)| event.with(name, count)));
    let silent = scene.global.quiet && exit == Exit::Done;
    // An account that was halted while others of its pool did its work is told even then.
    if !silent || !reasons.is_empty() {
        let mut stderr = std::io::stderr().lock();
        // Under -q the one line says it.
        let one_line = scene.global.quiet && !silent && written.is_ok();
        for reason in reasons.iter().filter(|_| !one_line) {
            let _ = writeln!(stderr, "{reason}");
        }
        // Without a report there is none to name; why not is told below.
        if written.is_ok() && !silent {
            let told = match scene.global.quiet {
                true => text::brief(manifest, &ending, &tally, &paths, &reasons),
                false => text::summary(manifest, &ending, &tally, &paths),
            };
            let _ = write!(stderr, "{told}");
        }
    }
    attendance.end(manifest, &ending, &tally, &summary).await;
    if let Err(error) = written {
        return Err(Failure::new(Exit::Disk, error));
    }
    Ok(exit)
}

/// Into the events of the run: a telling, which is no reason to stop.
pub(crate) fn told(folder: &RunFolder, event: Event) {
    if let Err(error) = events::append(folder, &event) {
        tracing::warn!(%error, "an event of the run could not be written");
    }
}

/// How a run stands that somebody aborted.
pub(crate) const ABORTED: &str = "aborted";

/// What the journal says, where the flow could not.
fn counted(folder: &RunFolder, manifest: &Manifest) -> Tally {
    Reader::open(folder).and_then(|mut reader| reader.tally()).unwrap_or_else(|_| Tally::new(manifest.rows))
}

/// Makes the places of the report, so that one that cannot be written is told before anything is sent.
pub(crate) fn prepare_out(manifest: &Manifest) -> Result<(), String> {
    if manifest.out.is_file() {
        return Err(format!("--out {} is a file: name a folder", manifest.out.display()));
    }
    std::fs::create_dir_all(&manifest.out).map_err(|e| format!("--out {}: {}", manifest.out.display(), job::reason(&e)))?;
    for (flag, path) in [("--report", &manifest.report), ("--failed", &manifest.failed)] {
        let Some(path) = path else { continue };
        let told = |e: std::io::Error| format!("{flag} {}: {e}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        // A name beside the file proves the folder; the file itself is written whole or not at all.
        let probe = path.with_extension("probe");
        crate::journal::folder::private_file(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(told)?;
    }
    Ok(())
}

/// Of which run the report at that place is.
fn report_of(path: &Path) -> Option<String> {
    let tree: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    tree.get("batch_id")?.as_str().map(str::to_owned)
}

/// A report that cannot be written, with its exit code.
pub(crate) fn report_failure(error: ReportError) -> Failure {
    Failure::new(Exit::Disk, error)
}

fn status(exit: Exit, tally: &Tally) -> &'static str {
    match exit {
        Exit::Done | Exit::SomeFailed | Exit::InDoubt if tally.pending() == 0 => "completed",
        Exit::BadConfig => "halted",
        Exit::Int | Exit::Term | Exit::Hup => "interrupted",
        Exit::Disk => "failed",
        _ => "stopped",
    }
}

/// Removes folders that never became a run because their process was killed while it read the list: they hold people's data.
fn sweep(state_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(state_dir.join("runs")) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Ok(id) = entry.file_name().into_string() else { continue };
        let folder = RunFolder { path: entry.path(), id };
        // Whoever is still reading holds the lock, and has held it since just after the folder was made.
        let young =
            entry.metadata().and_then(|about| about.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() < 60));
        let ours = folder.id.len() > 16 && folder.id.as_bytes()[..8].iter().all(u8::is_ascii_digit);
        if ours && !young && !folder.path.join("run.json").exists() && folder.lock().is_ok() {
            let _ = std::fs::remove_dir_all(&folder.path);
        }
    }
}

/// A folder that is removed again unless it became a run.
struct Unborn(Option<PathBuf>);

impl Unborn {
    fn born(mut self) {
        self.0 = None;
    }
}

impl Drop for Unborn {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

pub(crate) fn own_first(own: &str, used: &BTreeSet<String>) -> Vec<String> {
    std::iter::once(own.to_owned()).chain(used.iter().filter(|name| *name != own).cloned()).collect()
}

fn secret_accounts(preparer: &Preparer) -> Vec<String> {
    let accounts = preparer.accounts();
    let secret = |account: usize| accounts[account].platform.capability().addressing.secret;
    // A row of several steps is told by one address, which may be the credential of another step than the one that sent it.
    let beside = |account: usize| preparer.together(account).into_iter().any(secret);
    (0..accounts.len()).filter(|account| beside(*account)).map(|account| accounts[account].name.to_string()).collect()
}

/// A run folder that cannot be used, with its exit code.
pub(crate) fn folder_failure(error: FolderError) -> Failure {
    let exit = match &error {
        FolderError::NoSuchRun { .. } => Exit::NothingToDo,
        FolderError::Ambiguous { .. } => Exit::Usage,
        FolderError::Manifest { .. } => Exit::BadInput,
        FolderError::Storage(_) => Exit::Disk,
    };
    Failure::new(exit, error)
}

/// A lock that cannot be had, with its exit code.
pub(crate) fn lock_failure(error: LockError) -> Failure {
    let exit = match &error {
        LockError::Held { .. } => Exit::Held,
        _ => Exit::Disk,
    };
    Failure::new(exit, error)
}

pub(crate) fn source_failure(error: SourceError) -> Failure {
    let exit = match &error {
        SourceError::Spool(_) => Exit::Disk,
        _ => Exit::BadInput,
    };
    Failure::new(exit, error)
}

/// Where runs are kept.
pub(crate) fn state_dir(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(dir) = &global.state_dir {
        return std::path::absolute(dir).map_err(|e| Failure::new(Exit::Usage, format!("--state-dir {}: {e}", dir.display())));
    }
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match home("XDG_STATE_HOME").or_else(|| home("HOME").map(|home| home.join(".local/state"))) {
        Some(state) => Ok(state.join("notify")),
        None => {
            Err(Failure::new(Exit::BadConfig, "neither XDG_STATE_HOME nor HOME is set: say where runs are kept with --state-dir"))
        }
    }
}
