//! All that a run needs, opened, compiled and checked, with nothing sent: flags over environment over config, rows in the spool,
//! template pinned, accounts open.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::backoff::Backoff;
use crate::changes::Changes;
use crate::cli::{ContentFlags, FlowFlags, InputFlags, TargetFlags};
use crate::config::Config;
use crate::config::defaults::{self, Defaults, Width};
use crate::config::knobs::{Concurrency, Knobs};
use crate::exit::{Exit, Failure};
use crate::job::accounts::addressing_of;
use crate::job::watching::Watching;
use crate::journal::folder::{RunFolder, TemplateRef};
use crate::limit::Quota;
use crate::plan::{Census, Counts};
use crate::platform::Opening;
use crate::policy::Safeguards;
use crate::prepare::{Bad, Prepared, Preparer};
use crate::priority::Precedence;
use crate::problem::{self, Problem};
use crate::recipient::{Addressing, Skip, Vars};
use crate::recovery::policy::{self, Policy};
use crate::rules::{Doubt, OnError, Rules};
use crate::schedule::Schedule;
use crate::source::options::{self, Input, ReadOptions};
use crate::source::spool::Spool;
use crate::template::compiled::{Options, Template};
use crate::template::source_files::TemplateFiles;

pub mod accounts;
pub mod planned;
pub mod precedence;
pub mod safety;
pub mod watching;

/// Rows checked in one piece by all cores.
const CHECK_CHUNK: usize = 4096;
/// Different `_template` names that one run may use.
const TEMPLATES: usize = 64;

/// The settings of a run after flags, environment and config: kept in its manifest, so that a resumed run is the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// `--config`, absolute.
    pub config: Option<PathBuf>,
    /// The folder in which the run was started: where `./notify.yaml`, templates and attachments are looked for.
    pub cwd: PathBuf,
    /// `--profile`.
    pub profile: Option<String>,
    /// The run's own account.
    pub via: String,
    /// `--from`.
    pub from: Option<String>,
    /// `--reply-to`.
    pub reply_to: Option<String>,
    /// `--lenient`.
    pub lenient: bool,
    /// `-a`, absolute.
    pub attach: Vec<PathBuf>,
    /// `--attach-column`.
    pub attach_column: Option<String>,
    /// `-j N`.
    pub concurrency: Option<NonZeroUsize>,
    /// `-j auto`.
    #[serde(default)]
    pub auto: bool,
    /// `defaults.concurrency` as keys.
    #[serde(default)]
    pub knobs: Knobs,
    /// `-b`; without it a request carries as many as its platform takes.
    pub batch_size: Option<NonZeroUsize>,
    /// `--rate`.
    pub rate: Option<Quota>,
    /// `--wait-quota`.
    #[serde(default)]
    pub wait_quota: bool,
    /// `--priority --strict-priority` and the weights.
    #[serde(default)]
    pub precedence: Precedence,
    /// `--deadline`.
    pub deadline: Option<Duration>,
    /// `--timeout`.
    pub timeout: Duration,
    /// `--final-timeout`.
    pub final_timeout: Option<Duration>,
    /// `--grace`.
    pub grace: Duration,
    /// `--max-wait`.
    pub max_wait: Duration,
    /// `--on-error`.
    pub on_error: OnError,
    /// `--retries --delay --backoff --max-delay`.
    pub backoff: Backoff,
    /// `--in-doubt`, for rows that come into doubt while the run lasts.
    #[serde(default)]
    pub in_doubt: Doubt,
    /// Templates that rows name by `_template`, pinned like the run's own.
    #[serde(default)]
    pub templates: Vec<String>,
    /// The run's own template goes for every row, whatever the row names.
    #[serde(default)]
    pub one_template: bool,
    /// Accounts that rows use, the run's own first.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Accounts that a URL of the command line made, in its order; what stood in the URL is kept nowhere.
    #[serde(default)]
    pub by_url: Vec<String>,
    /// `recovery:`, `--halt-on-failures --halt-min --canary --hold`.
    #[serde(default)]
    pub recovery: Policy,
    /// `--platform-file`, absolute.
    #[serde(default)]
    pub platform_files: Vec<PathBuf>,
    /// Hooks, notices, metrics.
    #[serde(default)]
    pub watching: Watching,
    /// When rows leave.
    #[serde(default)]
    pub schedule: Schedule,
    /// What keeps the run from harm.
    #[serde(default)]
    pub safeguards: Safeguards,
}

/// Rows of one journal group where `-b` does not say.
const GROUP: usize = 100;

impl Settings {
    /// Flags over config.
    ///
    /// # Errors
    /// A folder that cannot be found, a template or file named relative to it.
    pub fn new(
        config: &Config,
        global: &crate::cli::Global,
        content: &ContentFlags,
        target: &TargetFlags,
        flow: &FlowFlags,
    ) -> Result<Self, Failure> {
        let cwd =
            std::env::current_dir().map_err(|e| Failure::new(Exit::Usage, format!("the current folder cannot be read: {e}")))?;
        let Defaults {
            via,
            concurrency,
            batch_size,
            on_error,
            retries,
            timeout,
            final_timeout,
            grace,
            max_wait,
            deadline,
            rate,
            ..
        } = &config.defaults;
        let Defaults { lenient, from, reply_to, in_doubt, .. } = &config.defaults;
        let fallback = Backoff::default();
        let backoff = Backoff {
            retries: flow.retries.or(retries.max).unwrap_or(fallback.retries),
            delay: flow.delay.or(retries.delay).unwrap_or(fallback.delay),
            factor: flow.backoff.or(retries.factor).unwrap_or(fallback.factor),
            max_delay: flow.max_delay.or(retries.max_delay).unwrap_or(fallback.max_delay),
        };
        if !(backoff.factor.is_finite() && backoff.factor >= 1.0) {
            return Err(Failure::new(Exit::Usage, format!("--backoff {}: the factor must be 1.0 or more", backoff.factor)));
        }
        let asked = flow.concurrency;
        Ok(Settings {
            config: global.config.as_ref().map(|path| cwd.join(path)),
            profile: global.profile.clone(),
            via: target.via.clone().or_else(|| via.clone()).unwrap_or_else(|| "outbox".to_owned()),
            from: target.from.clone().or_else(|| from.clone()),
            reply_to: target.reply_to.clone().or_else(|| reply_to.clone()),
            lenient: content.lenient || lenient.unwrap_or_default(),
            attach: content.attach.iter().map(|path| cwd.join(path)).collect(),
            attach_column: content.attach_column.clone(),
            concurrency: asked.map_or(concurrency.and_then(Concurrency::fixed), Width::fixed),
            auto: asked == Some(Width::Auto),
            knobs: concurrency.map(Concurrency::knobs).unwrap_or_default(),
            batch_size: flow.batch_size.or(*batch_size),
            rate: flow.rate.or(*rate),
            wait_quota: flow.pace.wait_quota || config.defaults.wait_quota.unwrap_or_default(),
            precedence: precedence::of(config, &flow.order),
            deadline: flow.deadline.or(*deadline),
            timeout: flow.timeout.or(*timeout).unwrap_or(Duration::from_secs(30)),
            final_timeout: flow.final_timeout.or(*final_timeout),
            grace: flow.grace.or(*grace).unwrap_or(Duration::from_secs(30)),
            max_wait: flow.max_wait.or(*max_wait).unwrap_or(Duration::from_secs(15 * 60)),
            on_error: flow.on_error.or(on_error.map(OnError::from)).unwrap_or_default(),
            backoff,
            in_doubt: flow.in_doubt.map(Doubt::from).or(in_doubt.map(Doubt::from)).unwrap_or_default(),
            templates: Vec::new(),
            one_template: false,
            accounts: Vec::new(),
            by_url: Vec::new(),
            recovery: Policy {
                network: config.recovery.network,
                rate_limit: config.recovery.rate_limit,
                halt_on_failures: flow.halt.halt_on_failures.or(config.defaults.halt_on_failures),
                halt_min: flow.halt.halt_min.or(config.defaults.halt_min).unwrap_or(policy::HALT_MIN),
                canary: config.defaults.canary,
                hold: config.defaults.hold.unwrap_or(policy::HOLD),
            },
            platform_files: global.platform_file.iter().map(|path| cwd.join(path)).collect(),
            watching: Watching::new(&config.defaults, global, &flow.hooks, &cwd)?,
            schedule: safety::schedule(&flow.time, &config.defaults),
            safeguards: Safeguards::default(),
            cwd,
        })
    }

    /// What was set while an earlier life of the run lasted (`notify set`).
    pub fn take_up(&mut self, changes: &Changes) {
        if let Some(rate) = changes.rate {
            self.rate = rate;
        }
        match changes.concurrency {
            Some(Width::Fixed(width)) => self.concurrency = Some(width),
            Some(Width::Auto) => self.concurrency = None,
            None => {}
        }
        self.batch_size = changes.batch_size.or(self.batch_size);
        self.max_wait = changes.max_wait.unwrap_or(self.max_wait);
        self.grace = changes.grace.unwrap_or(self.grace);
        self.backoff.retries = changes.retries.unwrap_or(self.backoff.retries);
        self.backoff.max_delay = changes.max_delay.unwrap_or(self.backoff.max_delay);
    }

    /// `--canary` and `--hold` of a new run.
    pub fn begin_with(&mut self, canary: &crate::cli::recovery::CanaryFlags) {
        self.recovery.canary = canary.canary.or(self.recovery.canary);
        self.recovery.hold = canary.hold.unwrap_or(self.recovery.hold);
    }

    /// What a resumed run may be told anew.
    pub fn amend(&mut self, flow: &FlowFlags) {
        fn set<T: Clone>(slot: &mut T, flag: &Option<T>) {
            if let Some(value) = flag {
                slot.clone_from(value);
            }
        }
        if let Some(width) = flow.concurrency {
            (self.concurrency, self.auto) = (width.fixed(), width == Width::Auto);
        }
        self.rate = flow.rate.or(self.rate);
        precedence::amend(&mut self.precedence, &flow.order);
        self.batch_size = flow.batch_size.or(self.batch_size);
        self.wait_quota |= flow.pace.wait_quota;
        self.final_timeout = flow.final_timeout.or(self.final_timeout);
        // The deadline of the first life is over; only a new one counts.
        self.deadline = flow.deadline;
        set(&mut self.timeout, &flow.timeout);
        set(&mut self.grace, &flow.grace);
        set(&mut self.max_wait, &flow.max_wait);
        set(&mut self.on_error, &flow.on_error);
        set(&mut self.in_doubt, &flow.in_doubt.map(Doubt::from));
        self.recovery.halt_on_failures = flow.halt.halt_on_failures.or(self.recovery.halt_on_failures);
        set(&mut self.recovery.halt_min, &flow.halt.halt_min);
        set(&mut self.backoff.retries, &flow.retries);
        set(&mut self.backoff.delay, &flow.delay);
        set(&mut self.backoff.factor, &flow.backoff);
        set(&mut self.backoff.max_delay, &flow.max_delay);
        safety::amend(&mut self.schedule, &mut self.safeguards, &flow.time);
    }

    /// What the flow needs of them.
    pub fn rules(&self, folder: &RunFolder) -> Rules {
        Rules {
            backoff: self.backoff.clone(),
            on_error: self.on_error,
            batch_size: self.batch_size.map_or(GROUP, NonZeroUsize::get),
            max_wait: self.max_wait,
            wait_quota: self.wait_quota,
            grace: self.grace,
            deadline: self.deadline,
            precedence: self.precedence,
            in_doubt: self.in_doubt,
            recovery: self.recovery.clone(),
            suppress_gone: self.safeguards.suppress_gone,
            folder: folder.clone(),
            state_dir: folder.path.ancestors().nth(2).unwrap_or(&folder.path).to_owned(),
        }
    }

    /// What platforms are told.
    pub fn opening(&self, config: &Config, run: &str, out: &Path) -> Opening {
        Opening {
            run: run.to_owned(),
            outbox: out.join("outbox"),
            from: self.from.clone(),
            reply_to: self.reply_to.clone(),
            width: self.concurrency,
            auto: self.auto,
            knobs: self.knobs,
            timeout: self.timeout,
            final_timeout: self.final_timeout,
            definitions: config.definitions.clone(),
            ..Opening::default()
        }
    }

    /// Where templates are looked for.
    pub fn template_dirs(&self, config: &Config) -> Vec<PathBuf> {
        let mut dirs = config.template_dirs.clone();
        let here = self.cwd.join("templates");
        if !dirs.contains(&here) {
            dirs.insert(0, here);
        }
        dirs
    }

    /// How templates are compiled.
    pub fn template_options(&self) -> Options {
        Options {
            strict: !self.lenient,
            attachments: self.attach.clone(),
            attach_column: self.attach_column.clone(),
            ..Options::default()
        }
    }
}

/// What the system says went wrong, without its number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Variables of every row: `--vars FILE`, then `-V NAME=VALUE` over it.
///
/// # Errors
/// A file that cannot be read or is not a mapping, a word without `=`.
pub fn constants(content: &ContentFlags) -> Result<Vars, Failure> {
    let mut vars = Vars::new();
    if let Some(path) = &content.vars {
        vars = vars_file(path).map_err(|error| Failure::new(Exit::BadInput, format!("--vars {}: {error:#}", path.display())))?;
    }
    for word in &content.var {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::new(Exit::Usage, format!("-V {word}: write -V name=value")));
        };
        vars.insert(name.to_owned(), value.into());
    }
    Ok(vars)
}

fn vars_file(path: &Path) -> anyhow::Result<Vars> {
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!(reason(&error)))?;
    match serde_yaml::from_str(&text).context("not YAML or JSON")? {
        serde_json::Value::Object(vars) => Ok(vars),
        _ => anyhow::bail!("not a mapping of names to values"),
    }
}

/// How the rows are read: flags, and where the addresses of each account are.
///
/// # Errors
/// A delimiter of more than one character, a `--map` without `=`, an account that does not exist.
pub fn read_options(
    config: &Config,
    settings: &Settings,
    input: &InputFlags,
    key: Option<String>,
    constants: Vars,
) -> Result<ReadOptions, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    let delimiter = match input.delimiter.as_deref() {
        None => None,
        Some("\\t" | "\t" | "tab") => Some(b'\t'),
        Some(text) if text.len() == 1 => text.bytes().next(),
        Some(text) => return Err(usage(format!("--delimiter {text:?}: one ASCII character, or \\t"))),
    };
    let mut map = Vec::new();
    for word in &input.map {
        match word.split_once('=') {
            Some((to, from)) if !to.is_empty() && !from.is_empty() => map.push((to.to_owned(), from.to_owned())),
            _ => return Err(usage(format!("--map {word}: write --map email=\"E-Mail\""))),
        }
    }
    let mut addressing: BTreeMap<Arc<str>, Addressing> = BTreeMap::new();
    addressing.insert(Arc::from(settings.via.as_str()), addressing_of(config, &settings.via)?);
    for account in config.accounts.values() {
        // An account that cannot be understood matters only to rows that name it, and then it is told.
        if let Ok(found) = addressing_of(config, &account.name) {
            addressing.insert(account.name.clone(), found);
        }
    }
    Ok(ReadOptions {
        format: input.format.map(|format| match format {
            crate::cli::InputFormat::Csv => options::Format::Csv,
            crate::cli::InputFormat::Tsv => options::Format::Tsv,
            crate::cli::InputFormat::Jsonl => options::Format::Jsonl,
            crate::cli::InputFormat::Json => options::Format::Json,
        }),
        encoding: input.encoding.clone(),
        delimiter,
        map,
        skip: input.skip,
        limit: input.limit,
        key,
        dedupe: match input.dedupe {
            Some(crate::cli::Dedupe::Address) => options::Dedupe::Address,
            Some(crate::cli::Dedupe::Key) => options::Dedupe::Key,
            Some(crate::cli::Dedupe::Off) => options::Dedupe::Off,
            None => match config.defaults.dedupe {
                Some(defaults::Dedupe::Key) => options::Dedupe::Key,
                Some(defaults::Dedupe::Off) => options::Dedupe::Off,
                Some(defaults::Dedupe::Address) | None => options::Dedupe::Address,
            },
        },
        default_account: Arc::from(settings.via.as_str()),
        only_default: false,
        addressing,
        region: std::env::var("LC_ALL").or_else(|_| std::env::var("LC_CTYPE")).or_else(|_| std::env::var("LANG")).ok(),
        constants,
    })
}

/// Where a run's list is: `-` is stdin.
pub fn input(rows: &Path) -> Input {
    if rows.as_os_str() == "-" { Input::Stdin } else { Input::File(rows.to_owned()) }
}

/// The templates of a run as text, so that nothing outside its folder can change them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pinned {
    /// The run's own; `None` where rows carry their content.
    pub own: Option<TemplateFiles>,
    /// Those that rows name.
    pub others: BTreeMap<String, TemplateFiles>,
}

impl Pinned {
    const FILE: &'static str = "templates.json";

    /// Finds the run's template and those that rows name.
    ///
    /// # Errors
    /// A template that cannot be found or read.
    pub fn find(config: &Config, settings: &Settings, own: Option<&str>, others: &BTreeSet<String>) -> Result<Self, Failure> {
        let dirs = settings.template_dirs(config);
        let find = |name: &str| TemplateFiles::find(name, &dirs).map_err(|problem| Failure::new(Exit::BadInput, problem));
        if others.len() > TEMPLATES {
            let what = format!("rows name {} different templates in _template; a run may use {TEMPLATES}", others.len());
            return Err(Failure::new(Exit::BadInput, what));
        }
        let own = own.map(find).transpose()?;
        // A retry file names the run's own template in every row.
        let further = others.iter().filter(|name| own.as_ref().is_none_or(|own| own.name != **name));
        Ok(Pinned { others: further.map(|name| Ok((name.clone(), find(name)?))).collect::<Result<_, Failure>>()?, own })
    }

    /// Writes them into the run's folder.
    ///
    /// # Errors
    /// The disk.
    pub fn keep(&self, folder: &RunFolder) -> Result<(), Failure> {
        let disk = |e: std::io::Error| Failure::new(Exit::Disk, format!("{}: {e}", folder.path.join(Self::FILE).display()));
        let text = serde_json::to_vec(self).map_err(|e| disk(e.into()))?;
        let write = || {
            use std::io::Write;
            let mut file = crate::journal::folder::private_file(&folder.path.join(Self::FILE))?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().map_err(disk)
    }

    /// Reads them back.
    ///
    /// # Errors
    /// The file is missing or not what it was.
    pub fn of(folder: &RunFolder) -> Result<Self, Failure> {
        let path = folder.path.join(Self::FILE);
        let told = |what: String| Failure::new(Exit::BadInput, format!("{}: {what}", path.display()));
        let bytes = std::fs::read(&path).map_err(|e| told(e.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|e| told(e.to_string()))
    }

    /// The run's own template as the manifest names it.
    pub fn reference(&self) -> Option<TemplateRef> {
        self.own.as_ref().map(|files| TemplateRef {
            name: files.name.clone(),
            path: files.path.clone(),
            digest: files.digest.clone(),
        })
    }

    /// Compiles them all.
    ///
    /// # Errors
    /// Every mistake of every template: exit 3.
    pub fn compile(&self, settings: &Settings) -> Result<(Template, HashMap<Arc<str>, Template>), Failure> {
        let options = settings.template_options();
        let mut problems = Vec::new();
        let mut compile = |files: &TemplateFiles| match Template::compile(files, &options) {
            Ok(template) => Some(template),
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        let own = match &self.own {
            Some(files) => compile(files),
            None => Some(Template::from_row_content(&options).map_err(bad_input)?),
        };
        let others: Vec<_> = self.others.iter().map(|(name, files)| (Arc::from(name.as_str()), compile(files))).collect();
        match own {
            Some(own) if problems.is_empty() => {
                Ok((own, others.into_iter().filter_map(|(name, template)| Some((name, template?))).collect()))
            }
            _ => Err(bad_input(problems)),
        }
    }
}

/// Without a template the rows must carry what is sent.
///
/// # Errors
/// No column does: exit 3.
pub fn check_content(columns: &[String], accounts: &[Account]) -> Result<(), Failure> {
    const CONTENT: [&str; 6] = ["text", "html", "markdown", "card", "json", "body"];
    let carries = |known: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(known));
    let own = accounts.iter().filter_map(|account| account.platform.capability().content.as_ref());
    let enough = own.clone().any(|own| own.is_empty() || own.iter().any(|known| carries(known)));
    if enough || CONTENT.iter().any(|known| carries(known)) {
        return Ok(());
    }
    let mut known: Vec<&str> = CONTENT.to_vec();
    known.extend(own.flatten().map(String::as_str).filter(|own| !CONTENT.contains(own)));
    let what = format!(
        "there is no template, and no column carries the content of a message ({})\n  = help: name a template with -t; `notify templates list` shows what there is",
        known.join(", ")
    );
    Err(Failure::new(Exit::BadInput, what))
}

/// Every problem in one message, exit 3.
pub fn bad_input(problems: Vec<Problem>) -> Failure {
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Failure::new(Exit::BadInput, told.join("\n\n"))
}

/// Variables that no column provides, for every form that the accounts of the run want.
///
/// # Errors
/// Each of them with its place and the nearest column: exit 3.
pub fn check_columns(template: &Template, accounts: &[Account], columns: &[String]) -> Result<(), Failure> {
    let mut problems: Vec<Problem> = Vec::new();
    for account in accounts {
        for problem in template.check_columns(columns, &account.platform.capability().wants) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(bad_input(problems)) }
}

/// What preflight found.
#[derive(Debug, Default)]
pub struct Found {
    /// Rows that can go.
    pub good: u64,
    /// Rows that cannot.
    pub bad: u64,
    /// Rows that policy leaves out.
    pub skipped: u64,
    /// Of those, the ones that other runs of the line have sent, or may have.
    pub already: u64,
    /// Of those, the ones that say something else now.
    pub changed: u64,
    /// Of those left out, the ones whose address is suppressed.
    pub suppressed: u64,
    /// Good rows by account index.
    pub by_account: BTreeMap<usize, u64>,
    /// The first good row.
    pub first: Option<crate::lane::Ready>,
    /// What the good rows come to.
    pub census: Census,
}

impl Found {
    /// How many there are of each.
    pub fn counts(&self) -> Counts {
        Counts { good: self.good, bad: self.bad, skipped: self.skipped, already: self.already, suppressed: self.suppressed }
    }
}

/// Renders and checks every row of the spool on all cores, in order; `told` hears of each bad row.
///
/// # Errors
/// A damaged spool: exit 74.
pub fn examine(
    preparer: &Preparer,
    folder: &Path,
    mut told: impl FnMut(&Bad),
    mut progress: impl FnMut(u64, u64),
) -> Result<Found, Failure> {
    let disk = |problem: Problem| Failure::new(Exit::Disk, problem);
    let mut spool = Spool::open(folder).map_err(disk)?;
    let (total, threads) = (spool.rows(), std::thread::available_parallelism().map_or(1, NonZeroUsize::get));
    let (mut found, mut from) = (Found::default(), 0);
    while from < total {
        let mut rows = spool.read_many(from, CHECK_CHUNK).map_err(disk)?;
        if rows.is_empty() {
            break;
        }
        from += rows.len() as u64;
        let share = rows.len().div_ceil(threads);
        let mut shares = Vec::with_capacity(threads);
        while !rows.is_empty() {
            let rest = rows.split_off(share.min(rows.len()));
            shares.push(std::mem::replace(&mut rows, rest));
        }
        let examined: Vec<Vec<Prepared>> = std::thread::scope(|scope| {
            let handles: Vec<_> = shares
                .into_iter()
                .map(|share| scope.spawn(|| share.into_iter().map(|row| preparer.examine(row)).collect()))
                .collect();
            handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
        });
        for prepared in examined.into_iter().flatten() {
            match prepared {
                Prepared::Ready(ready) => {
                    found.good += 1;
                    *found.by_account.entry(ready.account).or_default() += 1;
                    found.census.add(&ready, preparer.accounts());
                    if found.first.is_none() {
                        found.first = Some(*ready);
                    }
                }
                Prepared::Skipped(_, _, skip) => {
                    found.skipped += 1;
                    match skip {
                        Skip::AlreadySent { changed, .. } => {
                            found.already += 1;
                            found.changed += u64::from(changed);
                        }
                        Skip::MayBeSent { .. } => found.already += 1,
                        Skip::Suppressed => found.suppressed += 1,
                        Skip::Duplicate { .. } | Skip::Expired => {}
                    }
                }
                Prepared::Bad(bad) => {
                    found.bad += 1;
                    told(&bad);
                }
            }
        }
        progress(from, total);
    }
    Ok(found)
}

/// One line about a bad row, as compilers tell errors: `users.csv:17:2 (email): …`.
pub fn bad_line(input: &str, bad: &Bad) -> String {
    let mut place = format!("{input}:{}", bad.place.line);
    if let Some(column) = bad.place.column {
        place.push_str(&format!(":{column}"));
    }
    match &bad.place.name {
        Some(name) => format!("{place} ({name}): {}", bad.error.detail),
        None => format!("{place}: {}", bad.error.detail),
    }
}

/// "did you mean" for names of runs' words in messages.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    problem::did_you_mean(word, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
