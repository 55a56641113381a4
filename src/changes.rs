//! What may be set while a run runs (`notify set RUN rate=5/s`): the names, what they take, and what a run remembers of them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::config::defaults::Width;
use crate::config::duration;
use crate::journal::folder::{FolderError, RunFolder};
use crate::limit::Quota;
use crate::problem::did_you_mean;

/// The names, and what each takes.
pub const NAMES: [(&str, &str); 8] = [
    ("rate", "a rate such as 5/s, or off"),
    ("concurrency", "a whole number, or auto"),
    ("batch_size", "a whole number"),
    ("deadline", "a length of time from now, or off"),
    ("max_wait", "a length of time"),
    ("grace", "a length of time"),
    ("retries", "a whole number"),
    ("max_delay", "a length of time"),
];

/// More at once than any service takes; the reserve for a full disk grows with it.
const WIDEST: usize = 10_000;

/// What remembers them in the folder of a run.
const FILE: &str = "set.json";

/// Settings that replace others from now on; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The run's own pace, beside the limits of its accounts; `Some(None)` takes it away.
    pub rate: Option<Option<Quota>>,
    /// Requests in flight per account.
    pub concurrency: Option<Width>,
    /// Deliveries of one request, at most.
    pub batch_size: Option<NonZeroUsize>,
    /// When the run ends, from now; `Some(None)`: never.
    pub deadline: Option<Option<Duration>>,
    /// A longer wait leaves rows pending.
    pub max_wait: Option<Duration>,
    /// How long a drain may take.
    pub grace: Option<Duration>,
    /// Tries after the first.
    pub retries: Option<u32>,
    /// Longest delay between tries.
    pub max_delay: Option<Duration>,
}

impl Changes {
    /// Reads names and values as they were typed.
    ///
    /// # Errors
    /// An unknown name or a value that it does not take, in words with what to write instead.
    pub fn parse(values: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut changes = Changes::default();
        for (name, value) in values {
            let off = matches!(value.as_str(), "off" | "none");
            let bad = |what: String| format!("{name}={value}: {what}");
            match name.as_str() {
                "rate" if off => changes.rate = Some(None),
                "rate" => {
                    changes.rate =
                        Some(Some(value.parse().map_err(|error: crate::limit::quota::BadRate| bad(error.to_string()))?))
                }
                "concurrency" => {
                    let width: Width = value.parse().map_err(bad)?;
                    if let Width::Fixed(width) = width
                        && width.get() > WIDEST
                    {
                        return Err(bad(format!("write auto or a number up to {WIDEST}")));
                    }
                    changes.concurrency = Some(width);
                }
                "batch_size" => {
                    changes.batch_size = Some(value.parse().map_err(|_| bad("write a whole number, 1 or more".to_owned()))?);
                }
                "deadline" if off => changes.deadline = Some(None),
                "deadline" => changes.deadline = Some(Some(some_time(value).map_err(bad)?)),
                "max_wait" => changes.max_wait = Some(duration::parse(value).map_err(bad)?),
                "grace" => changes.grace = Some(duration::parse(value).map_err(bad)?),
                "retries" => {
                    let retries: Option<u32> = value.parse().ok().filter(|count| *count <= 1000);
                    changes.retries = Some(retries.ok_or_else(|| bad("write a whole number up to 1000".to_owned()))?);
                }
                "max_delay" => changes.max_delay = Some(some_time(value).map_err(bad)?),
                _ => return Err(unknown(name)),
            }
        }
        Ok(changes)
    }

    /// What was set in earlier lives of this run. What cannot be read is as if it had not been set.
    pub fn of(folder: &RunFolder) -> Self {
        Changes::parse(&remembered(folder)).unwrap_or_default()
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        time if time.is_zero() => Err("write a length of time above 0".to_owned()),
        time => Ok(time),
    }
}

fn unknown(name: &str) -> String {
    let known = NAMES.iter().map(|(known, _)| *known);
    // As flags spell them.
    let near = did_you_mean(&name.trim_start_matches('-').replace('-', "_"), known.clone());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let listed: Vec<String> = NAMES.iter().map(|(name, takes)| format!("{name}= ({takes})")).collect();
    format!(
        "a run has no setting `{name}` that can be changed while it runs{hint}\n  = help: these are known: {}",
        listed.join(", ")
    )
}

fn remembered(folder: &RunFolder) -> BTreeMap<String, String> {
    std::fs::read(folder.path.join(FILE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Remembers them for later lives of the run, whole or not at all. A deadline is of this life alone.
///
/// # Errors
/// The disk.
pub fn remember(folder: &RunFolder, values: &BTreeMap<String, String>) -> Result<(), FolderError> {
    let mut all = remembered(folder);
    all.extend(values.iter().filter(|(name, _)| *name != "deadline").map(|(name, value)| (name.clone(), value.clone())));
    folder.write_settings(FILE, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[(&str, &str)]) -> Result<Changes, String> {
        Changes::parse(&words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_and_values_are_read_or_refused_in_words() {
        let changes = parse(&[("rate", "5/s"), ("concurrency", "8"), ("deadline", "2h")]).unwrap();
        assert_eq!(changes.rate.flatten().map(|rate| rate.to_string()).as_deref(), Some("5/s"));
        assert_eq!(changes.concurrency, Some(Width::Fixed(NonZeroUsize::new(8).unwrap())));
        assert_eq!(parse(&[("rate", "off")]).unwrap().rate, Some(None));
        assert_eq!(parse(&[("concurrency", "auto")]).unwrap().concurrency, Some(Width::Auto));
        for (name, value, told) in [
            ("rat", "5/s", "did you mean `rate`?"),
            ("batch-size", "5", "did you mean `batch_size`?"),
            ("colour", "red", "these are known: rate="),
            ("rate", "fast", "is not a rate"),
            ("rate", "", "is not a rate"),
            ("concurrency", "0", "write auto or a whole number"),
            ("concurrency", "1000000000", "up to 10000"),
            ("batch_size", "-1", "1 or more"),
            ("deadline", "0s", "above 0"),
            ("retries", "1001", "up to 1000"),
        ] {
            let said = parse(&[(name, value)]).unwrap_err();
            assert!(said.contains(told), "{name}={value}: {said}");
        }
    }

    #[test]
    fn what_was_set_is_remembered_over_what_was_set_before() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "20261121-000000-aaaaaaaa").unwrap();
        assert_eq!(Changes::of(&folder), Changes::default());
        for (name, value) in [("rate", "5/s"), ("rate", "9/s"), ("retries", "1"), ("deadline", "1h")] {
            remember(&folder, &BTreeMap::from([(name.to_owned(), value.to_owned())])).unwrap();
        }
        assert_eq!(Changes::of(&folder), parse(&[("rate", "9/s"), ("retries", "1")]).unwrap());
    }
}
