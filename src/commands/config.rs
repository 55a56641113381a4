//! `notify config path | show | check`: which files are read, what they come to, and what is wrong with them.

use std::fmt::Write as _;

use serde_json::json;

use super::open;
use crate::cli::Global;
use crate::config::account::AccountConfig;
use crate::config::{Config, Request};
use crate::exit::{Exit, Failure};
use crate::platform::{pool, registry};
use crate::problem::Problem;

/// What `config check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// For standard output, with its last newline.
    pub text: String,
    /// Nothing stands against sending: exit code 0, else 4.
    pub ok: bool,
}

/// Lines for `config path`: each file that is read, the weakest first, and whether it is there.
pub fn path(request: &Request<'_>) -> String {
    let mut text = String::new();
    for path in Config::candidates(request) {
        let there = match std::fs::metadata(&path) {
            Ok(about) if about.is_dir() => "a folder, not read",
            // Opened only where that cannot wait: a pipe may have no writer.
            Ok(about) if about.is_file() && std::fs::File::open(&path).is_err() => "cannot be read",
            Ok(_) => "read",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "not there",
            Err(_) => "cannot be read",
        };
        let _ = writeln!(text, "{}  ({there})", path.display());
    }
    text
}

/// Text for `config show`: the settings in force, secrets masked; with `origin` each with the file and line, or variable, that says it.
pub fn show(config: &Config, origin: bool, json: bool) -> String {
    match (origin, json) {
        (false, true) => pretty(&config.effective_tree()),
        (true, true) => {
            let all: Vec<serde_json::Value> = config
                .origin()
                .into_iter()
                .map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin }))
                .collect();
            pretty(&serde_json::Value::Array(all))
        }
        (false, false) => serde_yaml::to_string(&config.effective_tree()).unwrap_or_default(),
        (true, false) => {
            let all = config.origin();
            let width = |cell: fn(&(String, String, String)) -> &str, most: usize| {
                all.iter().map(|row| unicode_width::UnicodeWidthStr::width(cell(row))).max().unwrap_or(0).min(most)
            };
            let (keys, values) = (width(|row| &row.0, 50), width(|row| &row.1, 50));
            let mut text = String::new();
            for (key, value, origin) in &all {
                let _ = writeln!(text, "{}  {}  {origin}", padded(key, keys), padded(value, values));
            }
            text
        }
    }
}

/// Checks everything that can be checked without sending: the files, then with `examine` each account's own keys (open the platform's
/// settings, no network). Problems from `examine` get their place here.
pub fn check(request: &Request<'_>, examine: &dyn Fn(&Config, &AccountConfig) -> Vec<Problem>) -> Checked {
    let config = match Config::load(request) {
        Ok(config) => config,
        Err(problems) => return told(&problems, &[], &[], None),
    };
    let mut problems = Vec::new();
    for account in config.accounts.values() {
        problems.extend(examine(&config, account).into_iter().map(|problem| config.locate(account, problem)));
    }
    // An account that needs one of these is a mistake above; the others stand in nobody's way, and are still not what was meant.
    let mut warnings = config.warnings.clone();
    warnings.extend(registry::unusable(&config.definitions).into_iter().filter(|broken| !problems.contains(broken)));
    told(&problems, &warnings, &config.notes, Some(&config))
}

fn told(problems: &[Problem], warnings: &[Problem], notes: &[Problem], config: Option<&Config>) -> Checked {
    let mut text = String::new();
    for (word, list) in [("error", problems), ("warning", warnings), ("note", notes)] {
        for problem in list {
            let _ = writeln!(text, "{word}: {problem}\n");
        }
    }
    let ok = problems.is_empty();
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    if ok {
        if let Some(config) = config {
            for account in config.accounts.values() {
                if let Some(provider) = account.provider() {
                    let _ = writeln!(
                        text,
                        "account {}: {} (preset {}) gives {}; what the account says itself counts, and `shaping: off` leaves it out",
                        account.name,
                        provider.title,
                        provider.name,
                        provider.told()
                    );
                }
            }
            let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
            let from = if files.is_empty() { "no config file; everything is built in".to_owned() } else { files.join(", ") };
            let via = config.default_account().map_or("outbox", |account| &account.name);
            let _ = write!(text, "config is good: {from}; {}, default {via}", count(config.accounts.len(), "account"));
        }
        if !warnings.is_empty() {
            let _ = write!(text, "; {}", count(warnings.len(), "warning"));
        }
    } else {
        let _ = write!(text, "{}; nothing is sent with this config", count(problems.len(), "mistake"));
    }
    text.push('\n');
    Checked { text, ok }
}

fn pretty(value: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Filled up to so many cells of a terminal.
fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// What can be known of an account without its secrets.
fn examine(config: &Config, account: &AccountConfig) -> Result<(), Problem> {
    if account.platform != pool::NAME {
        return registry::addressing(account, &config.definitions).map(drop);
    }
    let find = |name: &String| config.account(name).map_err(|problem| pool::lacks(account, name, problem));
    let names = pool::members(account)?;
    let members = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    pool::agree(account, &members)
}

/// Does what was asked.
pub(crate) fn run(global: &Global, args: &crate::cli::Config) -> Result<Exit, Failure> {
    match args {
        crate::cli::Config::Path => open::print(&open::with_request(global, None, path)?),
        crate::cli::Config::Show { origin, json } => open::print(&show(&open::open_config(global)?, *origin, *json)),
        crate::cli::Config::Check => {
            let examine = |config: &Config, account: &AccountConfig| examine(config, account).err().into_iter().collect();
            let checked = open::with_request(global, None, |request| check(request, &examine))?;
            open::print(&checked.text);
            return Ok(if checked.ok { Exit::Done } else { Exit::BadConfig });
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn with<T>(config: &str, then: impl FnOnce(&Request<'_>) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify.yaml");
        std::fs::write(&path, config).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let request = Request {
            explicit: None,
            profile: None,
            env: &|_| None,
            variables: &[],
            cwd: folder.path(),
            config_home: Path::new("/no/such/folder"),
            platforms: &["outbox", "smtp", "webhook"],
        };
        then(&request)
    }

    const CONFIG: &str = "version: 1\ndefaults: { via: mail, timeout: 5s }\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://me:hunter2@example.com\n    password: hunter2\n    limits: [14/s]\nevents: { kafka: {} }\n";

    #[test]
    fn path_tells_each_file_and_whether_it_is_there() {
        let text = with("version: 1\n", path);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "/no/such/folder/notify/notify.yaml  (not there)");
        assert!(lines[1].ends_with("notify.yaml  (read)"), "{text}");
    }

    #[test]
    fn show_masks_and_tells_where_from() {
        with(CONFIG, |request| {
            let config = Config::load(request).unwrap();
            for (origin, json) in [(false, false), (false, true), (true, false), (true, true)] {
                let text = show(&config, origin, json);
                assert!(!text.contains("hunter2"), "{text}");
                assert!(text.contains("***") && text.contains("smtp://example.com/***"), "{text}");
            }
            let text = show(&config, true, false);
            let line = |key: &str| {
                text.lines().find(|line| line.starts_with(key)).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(line("defaults.timeout"), ["defaults.timeout", "5s", "notify.yaml:2"]);
            assert_eq!(line("defaults.grace"), ["defaults.grace", "30s", "built", "in"]);
            assert_eq!(line("defaults.retries.max"), ["defaults.retries.max", "3", "built", "in"]);
            assert_eq!(line("accounts.mail.limits"), ["accounts.mail.limits", "[14/s]", "notify.yaml:8"]);
            assert_eq!(line("accounts.outbox.platform"), ["accounts.outbox.platform", "outbox", "built", "in"]);
        });
    }

    #[test]
    fn check_tells_warnings_notes_and_mistakes_of_platforms() {
        with(CONFIG, |request| {
            let good = check(request, &|_, _| Vec::new());
            assert!(good.ok, "{}", good.text);
            assert!(good.text.contains("warning: `password` is a secret"), "{}", good.text);
            assert!(good.text.contains("note: `events` is not used"), "{}", good.text);
            assert!(good.text.ends_with("config is good: notify.yaml; 2 accounts, default mail; 2 warnings\n"), "{}", good.text);
            let bad = check(request, &|_, account| account.settings::<serde_json::Value>(&["url"]).err().into_iter().collect());
            assert!(!bad.ok);
            assert!(bad.text.contains("account mail: unknown key `password`"), "{}", bad.text);
            assert!(bad.text.contains("--> notify.yaml:7:5"), "{}", bad.text);
            assert!(bad.text.contains("7 |     password: ***"), "{}", bad.text);
            assert!(bad.text.contains("1 mistake; nothing is sent"), "{}", bad.text);
        });
    }

    #[test]
    fn check_without_any_file_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            explicit: None,
            profile: None,
            env: &|_| None,
            variables: &[],
            cwd: folder.path(),
            config_home: folder.path(),
            platforms: &[],
        };
        assert_eq!(
            check(&request, &|_, _| Vec::new()).text,
            "config is good: no config file; everything is built in; 1 account, default outbox\n"
        );
    }
}
