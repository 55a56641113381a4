//! What a run does unless a flag says otherwise: the `defaults:` block, read and checked.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize as _;

use super::duration;
use super::knobs::{Concurrency, count};
use super::schema::{DEFAULTS, RETRIES};
use super::sentence::{Misfit, shown};
use super::tree::{Kind, Node, Place};
use crate::cost::Caps;
use crate::hook::notice::Notices;
use crate::limit::Quota;
use crate::priority::{BadPriority, Priority};
use crate::problem::did_you_mean;
use crate::recovery::threshold::Threshold;

/// The `defaults:` block. Every value is absent until somebody wrote it, so that a flag, or the caller's own default, can stand in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    /// The account that sends where neither `--via` nor `_via` names one.
    pub via: Option<String>,
    /// Deliveries in flight at once per account.
    pub concurrency: Option<Concurrency>,
    /// Deliveries per request where the platform takes several, and rows per journal group.
    pub batch_size: Option<NonZeroUsize>,
    /// A pace over all accounts' own.
    pub rate: Option<Quota>,
    /// A limit that is used up is waited for.
    pub wait_quota: Option<bool>,
    /// What rows are worth that say nothing of it.
    pub priority: Option<Priority>,
    /// Critical rows go first alone.
    pub strict_priority: Option<bool>,
    /// What the final failure of a row does to the run.
    pub on_error: Option<OnError>,
    /// What bad rows do to a run before it starts.
    pub on_invalid: Option<OnInvalid>,
    /// What happens to rows of which nobody knows whether they were sent.
    pub in_doubt: Option<InDoubt>,
    /// What makes two rows one.
    pub dedupe: Option<Dedupe>,
    /// Tries after the first.
    pub retries: Retries,
    /// Bounds each phase before the point of no return.
    pub timeout: Option<Duration>,
    /// Bounds the wait for the answer after it.
    pub final_timeout: Option<Duration>,
    /// How long a stopped run drains.
    pub grace: Option<Duration>,
    /// A longer wait leaves rows pending.
    pub max_wait: Option<Duration>,
    /// Bounds the run.
    pub deadline: Option<Duration>,
    /// More rows than this are confirmed first.
    pub confirm_above: Option<u64>,
    /// A run that would cost more is refused.
    pub max_cost: Option<Caps>,
    /// An undefined variable is an empty text.
    pub lenient: Option<bool>,
    /// `--from`.
    pub from: Option<String>,
    /// `--reply-to`.
    pub reply_to: Option<String>,
    /// `--on-result`.
    pub on_result: Option<String>,
    /// `--on-finish`.
    pub on_finish: Option<String>,
    /// `--notify-on`.
    pub notify_on: Option<Notices>,
    /// `--metrics-file`.
    pub metrics_file: Option<String>,
    /// `--metrics-listen`, as it was written.
    pub metrics_listen: Option<String>,
    /// So many failures, or such a share, stop the run.
    pub halt_on_failures: Option<Threshold>,
    /// Rows that must be settled before a share counts.
    pub halt_min: Option<u64>,
    /// Rows that go first.
    pub canary: Option<u64>,
    /// How long the run waits after them.
    pub hold: Option<Duration>,
    /// Outside of these windows nothing leaves; checked when a run is made.
    pub window: Option<String>,
    /// The time zone of windows and moments.
    pub tz: Option<String>,
    /// The column with the time zone of its row.
    pub tz_column: Option<String>,
    /// Rows that were not sent for so long are skipped.
    pub expires: Option<Duration>,
    /// What to do while another process has the same `--name`.
    pub lock: Option<Lock>,
    /// So many days long the same list is not sent again; 0 is never compared.
    pub duplicate_days: Option<u32>,
    /// Every message goes there.
    pub redirect_to: Option<String>,
    /// Nothing goes elsewhere.
    pub allow_domain: Option<Vec<String>>,
    /// Addresses that a service calls gone are suppressed.
    pub suppress_gone: Option<bool>,
}

/// The `retries:` block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Retries {
    /// Tries after the first.
    pub max: Option<u32>,
    /// Wait before the first of them.
    pub delay: Option<Duration>,
    /// What each further wait is multiplied by; from 1 to 100.
    pub factor: Option<f64>,
    /// The longest wait between two tries.
    pub max_delay: Option<Duration>,
}

/// How many deliveries are in flight at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// As many as the platform and the server's answers allow.
    Auto,
    /// So many.
    Fixed(NonZeroUsize),
}

impl Width {
    /// The number, where it is one.
    pub fn fixed(self) -> Option<NonZeroUsize> {
        match self {
            Width::Fixed(width) => Some(width),
            Width::Auto => None,
        }
    }
}

impl FromStr for Width {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "auto" => Ok(Width::Auto),
            number => {
                number.parse().map(Width::Fixed).map_err(|_| format!("write auto or a whole number above 0, not \"{text}\""))
            }
        }
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Width::Auto => f.write_str("auto"),
            Width::Fixed(number) => number.fmt(f),
        }
    }
}

/// An enum whose values are words of the config and of the command line alike.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// Every spelling, in the order of the documentation.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The spelling.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($word => Ok($name::$variant),)*
                    _ => Err(match did_you_mean(text, Self::WORDS.iter().copied()) {
                        Some(near) => format!("\"{text}\" is not one of {}: did you mean {near}?", Self::WORDS.join(", ")),
                        None => format!("\"{text}\" is not one of {}", Self::WORDS.join(", ")),
                    }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What the final failure of a row does to the run.
    OnError {
        /// It is recorded and the run goes on.
        Continue = "continue",
        /// The run stops at the first one.
        Abort = "abort",
        /// As continue, then one more pass over what may succeed.
        Retry = "retry",
    }
}

words! {
    /// What bad rows do to a run before it starts.
    OnInvalid {
        /// They refuse it.
        Refuse = "refuse",
        /// They are left out and reported.
        Skip = "skip",
    }
}

words! {
    /// What happens to rows of which nobody knows whether they were sent.
    InDoubt {
        /// A person decides; they wait.
        Ask = "ask",
        /// They are taken for sent.
        Skip = "skip",
        /// They are sent again.
        Resend = "resend",
    }
}

words! {
    /// What makes two rows one.
    Dedupe {
        /// The same key.
        Key = "key",
        /// The same address in the same account.
        Address = "address",
        /// Nothing.
        Off = "off",
    }
}

words! {
    /// What to do while another process has the same `--name`.
    Lock {
        /// Wait until it is free.
        Wait = "wait",
        /// End, and say who has it.
        Fail = "fail",
        /// End well, and leave it to them.
        Skip = "skip",
    }
}

/// A mistake in a block: where, the text to mark, and what.
pub(crate) struct Mistake {
    pub at: Place,
    pub mark: String,
    pub misfit: Misfit,
}

impl Defaults {
    /// Reads the block; each mistake is added to `mistakes` and its value left out.
    pub(crate) fn read(block: &Node, mistakes: &mut Vec<Mistake>) -> Defaults {
        let mut reader = Reader { block, name: "defaults", known: super::schema::names(&DEFAULTS).collect(), mistakes };
        reader.unknown();
        Defaults {
            via: reader.take("via", text),
            concurrency: reader.take("concurrency", Concurrency::read),
            batch_size: reader.take("batch_size", count),
            rate: reader.take("rate", quota),
            wait_quota: reader.take("wait_quota", truth),
            priority: reader.take("priority", priority),
            strict_priority: reader.take("strict_priority", truth),
            on_error: reader.take("on_error", word),
            on_invalid: reader.take("on_invalid", word),
            in_doubt: reader.take("in_doubt", word),
            dedupe: reader.take("dedupe", dedupe),
            timeout: reader.take("timeout", some_time),
            final_timeout: reader.take("final_timeout", some_time),
            grace: reader.take("grace", time),
            max_wait: reader.take("max_wait", time),
            deadline: reader.take("deadline", some_time),
            confirm_above: reader.take("confirm_above", whole),
            max_cost: reader.take("max_cost", caps),
            lenient: reader.take("lenient", truth),
            from: reader.take("from", text),
            reply_to: reader.take("reply_to", text),
            on_result: reader.take("on_result", text),
            on_finish: reader.take("on_finish", text),
            notify_on: reader.take("notify_on", word),
            metrics_file: reader.take("metrics_file", text),
            metrics_listen: reader.take("metrics_listen", text),
            halt_on_failures: reader.take("halt_on_failures", threshold),
            halt_min: reader.take("halt_min", whole),
            canary: reader.take("canary", |node| count(node).map(|rows| rows.get() as u64)),
            hold: reader.take("hold", time),
            window: reader.take("window", text),
            tz: reader.take("tz", text),
            tz_column: reader.take("tz_column", text),
            expires: reader.take("expires", some_time),
            lock: reader.take("lock", word),
            duplicate_days: reader.take("duplicate_days", small),
            redirect_to: reader.take("redirect_to", text),
            allow_domain: reader.take("allow_domain", texts),
            suppress_gone: reader.take("suppress_gone", truth),
            retries: Retries::read(block, reader.mistakes),
        }
    }
}

impl Retries {
    fn read(defaults: &Node, mistakes: &mut Vec<Mistake>) -> Retries {
        let Some(entry) = defaults.entry("retries").filter(|entry| !entry.node.is_null()) else { return Retries::default() };
        if let Kind::Map(_) = entry.node.kind {
            let mut reader = Reader {
                block: &entry.node,
                name: "defaults.retries",
                known: super::schema::names(&RETRIES).collect(),
                mistakes,
            };
            reader.unknown();
            return Retries {
                max: reader.take("max", small),
                delay: reader.take("delay", time),
                factor: reader.take("factor", factor),
                max_delay: reader.take("max_delay", time),
            };
        }
        let mut reader = Reader { block: defaults, name: "defaults", known: Vec::new(), mistakes };
        Retries { max: reader.take("retries", small), ..Retries::default() }
    }
}

/// One block being read.
pub(super) struct Reader<'a> {
    pub(super) block: &'a Node,
    pub(super) name: &'static str,
    pub(super) known: Vec<&'static str>,
    pub(super) mistakes: &'a mut Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn unknown(&mut self) {
        if !matches!(self.block.kind, Kind::Map(_) | Kind::Null) {
            let misfit = Misfit { what: format!("`{}` takes keys, not {}", self.name, shown(self.block)), help: None };
            self.mistakes.push(Mistake { at: self.block.at, mark: String::new(), misfit });
        }
        for entry in self.block.entries().iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let what = format!("`{}` has no key `{}`", self.name, entry.key);
            let help = Some(super::schema::help(&entry.key, &self.known, self.name));
            self.mistakes.push(Mistake { at: entry.at, mark: entry.key.clone(), misfit: Misfit { what, help } });
        }
    }

    pub(super) fn take<T>(&mut self, key: &str, read: impl FnOnce(&Node) -> Result<T, String>) -> Option<T> {
        let entry = self.block.entry(key).filter(|entry| !entry.node.is_null())?;
        match read(&entry.node) {
            Ok(value) => Some(value),
            Err(why) => {
                let misfit = Misfit { what: format!("`{}.{key}`: {why}", self.name), help: None };
                let mark = entry.node.text().unwrap_or_default().to_owned();
                self.mistakes.push(Mistake { at: entry.node.at, mark, misfit: misfit.split() });
                None
            }
        }
    }
}

fn text(node: &Node) -> Result<String, String> {
    match &node.kind {
        Kind::Text(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        // A name may be all digits; nothing else of YAML's numbers is meant when a number stands for a text.
        Kind::Number(number) if number.is_u64() => Ok(number.to_string()),
        _ => Err(format!("write a text, not {}", shown(node))),
    }
}

fn texts(node: &Node) -> Result<Vec<String>, String> {
    match &node.kind {
        Kind::List(items) => items.iter().map(text).collect(),
        _ => text(node).map(|one| vec![one]),
    }
}

fn caps(node: &Node) -> Result<Caps, String> {
    match &node.kind {
        Kind::Number(number) => number.to_string().parse(),
        _ => word(node),
    }
}

pub(super) fn word<T: FromStr<Err = String>>(node: &Node) -> Result<T, String> {
    text(node)?.parse()
}

fn priority(node: &Node) -> Result<Priority, String> {
    text(node)?.parse().map_err(|bad: BadPriority| bad.to_string())
}

fn dedupe(node: &Node) -> Result<Dedupe, String> {
    match node.kind {
        // `off` is a truth value to older YAML, and to people.
        Kind::Bool(false) => Ok(Dedupe::Off),
        _ => word(node),
    }
}

fn whole(node: &Node) -> Result<u64, String> {
    match &node.kind {
        Kind::Number(number) => number.as_u64(),
        _ => None,
    }
    .ok_or_else(|| format!("write a whole number, not {}", shown(node)))
}

fn small(node: &Node) -> Result<u32, String> {
    let number = whole(node)?;
    u32::try_from(number).ok().filter(|n| *n <= 1000).ok_or_else(|| format!("write a whole number up to 1000, not {number}"))
}

fn factor(node: &Node) -> Result<f64, String> {
    match &node.kind {
        Kind::Number(number) => number.as_f64().filter(|f| (1.0..=100.0).contains(f)),
        _ => None,
    }
    .ok_or_else(|| format!("write a number from 1 to 100, not {}", shown(node)))
}

fn truth(node: &Node) -> Result<bool, String> {
    match node.kind {
        Kind::Bool(value) => Ok(value),
        _ => Err(format!("write true or false, not {}", shown(node))),
    }
}

pub(super) fn time(node: &Node) -> Result<Duration, String> {
    match &node.kind {
        Kind::Text(text) => duration::parse(text),
        Kind::Number(number) => duration::parse(&number.to_string()),
        _ => Err(format!("write a length of time such as 30s, not {}", shown(node))),
    }
}

fn some_time(node: &Node) -> Result<Duration, String> {
    time(node).and_then(|length| if length.is_zero() { Err("write a length of time above 0".to_owned()) } else { Ok(length) })
}

fn threshold(node: &Node) -> Result<Threshold, String> {
    match &node.kind {
        Kind::Number(number) => number.to_string().parse(),
        Kind::Text(text) => text.parse(),
        _ => Err(format!("write a share such as 5%, or a number above 0, not {}", shown(node))),
    }
}

fn quota(node: &Node) -> Result<Quota, String> {
    Quota::deserialize(node.value()).map_err(|error| super::sentence::retold(&error.to_string()).what)
}
