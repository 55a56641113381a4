//! `notify retry`: the failures of an earlier run as the list of a new one, linked to it.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::begin::begin;
use super::launch::{self, Order};
use super::oneoff;
use super::open;
use super::open::Scene;
use crate::cli::{Global, InputFlags, Retry};
use crate::config::Config;
use crate::error::ErrorKind;
use crate::exit::{Exit, Failure};
use crate::job::{self, Settings};
use crate::journal::folder::RunFolder;
use crate::report::files;
use crate::source::options::{Dedupe, Format, Input};
use crate::tally::State;
use crate::template::source_files::TemplateFiles;

/// Sends them again.
pub(crate) async fn run(global: &Global, mut args: Retry) -> Result<Exit, Failure> {
    let only = Only::parse(&args.only)?;
    let mut config = open::open_config(global)?;
    let adopted = oneoff::adopt(&mut config, &mut args.target.via)?;
    let state_dir = launch::state_dir(global)?;
    let scene = Scene { config: &config, global, state_dir };

    // A run's failures are told anew from its journal, so that they are right even where its own files were moved or mended.
    let path = PathBuf::from(&args.what);
    let mut made = None;
    let path = if path.is_file() {
        path
    } else {
        let folder = RunFolder::open(&scene.state_dir, &args.what).map_err(|error| match error {
            crate::journal::folder::FolderError::NoSuchRun { .. } => Failure::new(
                Exit::NothingToDo,
                format!("{} is neither a file nor a run; `notify runs` lists the runs", args.what),
            ),
            other => launch::folder_failure(other),
        })?;
        let file = Temporary::new(&scene.state_dir)?;
        let doubt = only.kinds.contains(&ErrorKind::InDoubt);
        let states: &[State] = if doubt { &[State::Failed, State::InDoubt] } else { &[State::Failed] };
        files::retry_file(&folder, &file.0, states).map_err(launch::report_failure)?;
        made.insert(file).0.clone()
    };
    let first = First::read(&path)?;
    if let (None, Some(account)) = (&args.target.via, &first.account)
        && config.account(account).is_err()
    {
        let what = format!(
            "these failures were sent through `{account}`, which is no account of the config\n  = help: name one with --via ACCOUNT, or give the URL once more with --via URL"
        );
        return Err(Failure::new(Exit::Usage, what));
    }
    let mut filtered = None;
    let source = if only.is_all() {
        path.clone()
    } else {
        let file = Temporary::new(&scene.state_dir)?;
        only.filter(&path, &file.0)?;
        filtered.insert(file).0.clone()
    };

    let mut settings =
        Settings { by_url: adopted.names, ..Settings::new(&config, global, &args.content, &args.target, &args.flow)? };
    let account =
        if args.target.via.is_none() { first.account.clone().filter(|name| config.account(name).is_ok()) } else { None };
    if let Some(account) = account {
        settings.via = account;
    }
    let mut read = job::read_options(&config, &settings, &InputFlags::default(), None, job::constants(&args.content)?)?;
    read.format = Some(Format::Jsonl);
    // A delivery that stands in the file twice is a duplicate under every rule; nothing else is.
    read.dedupe = Dedupe::Off;
    read.only_default = args.target.via.is_some();
    read.default_account = Arc::from(settings.via.as_str());
    let name = args.what.clone();
    let one_template = args.content.template.is_some();
    let (lineage, parent) = (first.lineage.clone(), first.run.clone());
    let order = Order {
        command: "retry",
        input: Input::File(source),
        read,
        template: args.content.template.or_else(|| first.template(&config, &settings)),
        settings: Settings { one_template, ..settings },
        lineage,
        parent,
        skip_invalid: args.skip_invalid,
        stream: false,
        name: Some(name),
        url: adopted.url,
    };
    let exit = begin(&scene, order, &args.flow, &args.new).await;
    drop((made, filtered));
    exit
}

/// What the first line of a retry file says about the run it comes from.
#[derive(Default)]
struct First {
    run: Option<String>,
    lineage: Option<String>,
    account: Option<String>,
    template: Option<String>,
    template_path: Option<String>,
}

impl First {
    fn read(path: &Path) -> Result<First, Failure> {
        let told = |e: std::io::Error| Failure::new(Exit::BadInput, format!("{}: {e}", path.display()));
        let file = std::fs::File::open(path).map_err(told)?;
        let mut line = String::new();
        for next in BufReader::new(file).lines() {
            line = next.map_err(told)?;
            if !line.trim().is_empty() {
                break;
            }
        }
        if line.trim().is_empty() {
            return Err(Failure::new(Exit::NothingToDo, format!("{} is empty: there is nothing to retry", path.display())));
        }
        let tree: Value = serde_json::from_str(&line).unwrap_or_default();
        if !tree.is_object() {
            let what = format!(
                "{} is no retry file: its first line is not a JSON object\n  = help: a list goes to `notify batch`; a retry file is the failed.jsonl of a run",
                path.display()
            );
            return Err(Failure::new(Exit::BadInput, what));
        }
        let word = |name: &str| tree.get("_notify").and_then(|n| n.get(name)).and_then(Value::as_str).map(str::to_owned);
        Ok(First {
            run: word("run"),
            lineage: word("lineage"),
            account: word("account"),
            template: word("template"),
            template_path: word("template_path"),
        })
    }
}

impl First {
    /// The template by its name, or where it was when the run was made, if only that is there.
    fn template(self, config: &Config, settings: &Settings) -> Option<String> {
        let name = self.template?;
        let known = TemplateFiles::find(&name, &settings.template_dirs(config)).is_ok();
        let path = self.template_path.filter(|path| !known && Path::new(path).exists());
        Some(path.unwrap_or(name))
    }
}

/// `--only`.
struct Only {
    kinds: Vec<ErrorKind>,
}

impl Only {
    fn parse(words: &[String]) -> Result<Only, Failure> {
        let mut kinds = Vec::new();
        for word in words {
            match ErrorKind::parse(word) {
                Some(kind) => kinds.push(kind),
                None if word == "retryable" => kinds.extend(ErrorKind::ALL.into_iter().filter(|kind| kind.retryable())),
                None => {
                    let known: Vec<&str> =
                        std::iter::once("retryable").chain(ErrorKind::ALL.into_iter().map(ErrorKind::as_str)).collect();
                    let hint = job::hint(word, known.iter().copied());
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("--only {word}: no such kind{hint}\n  = help: one of {}", known.join(", ")),
                    ));
                }
            }
        }
        Ok(Only { kinds })
    }

    fn is_all(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Copies the lines of these kinds; a line that cannot be read is kept, so that it is told and not lost.
    fn filter(&self, from: &Path, to: &Path) -> Result<(), Failure> {
        let told = |e: std::io::Error| Failure::new(Exit::BadInput, format!("{}: {e}", from.display()));
        let disk = |e: std::io::Error| Failure::new(Exit::Disk, format!("{}: {e}", to.display()));
        let mut out = BufWriter::new(crate::journal::folder::private_file(to).map_err(disk)?);
        let mut kept = 0;
        for line in BufReader::new(std::fs::File::open(from).map_err(told)?).lines() {
            let line = line.map_err(told)?;
            let tree: Result<Value, _> = serde_json::from_str(&line);
            let kind = tree.ok().and_then(|tree| ErrorKind::parse(tree.get("_notify")?.get("kind")?.as_str()?));
            if kind.is_none_or(|kind| self.kinds.contains(&kind)) && !line.trim().is_empty() {
                writeln!(out, "{line}").map_err(disk)?;
                kept += 1;
            }
        }
        out.flush().map_err(disk)?;
        if kept == 0 {
            return Err(Failure::new(Exit::NothingToDo, format!("{} has no failure of the kinds asked for", from.display())));
        }
        Ok(())
    }
}

/// A file beside the runs that is gone when the command ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new(state_dir: &Path) -> Result<Temporary, Failure> {
        let disk = |e: std::io::Error| Failure::new(Exit::Disk, format!("{}: {e}", state_dir.display()));
        std::fs::create_dir_all(state_dir).map_err(disk)?;
        Ok(Temporary(state_dir.join(format!("retry-{}-{:08x}.jsonl", std::process::id(), fastrand::u32(..)))))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
