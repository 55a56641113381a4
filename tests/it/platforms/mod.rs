//! Conformance: every platform, coded or told, is asked the same questions against loopback.
//!
//! A definition brings its own golden requests and replies in `tests/platforms/NAME.yaml`; a platform without that file fails here by
//! name, and so does a rule or a kind that nobody asks for. A coded platform, which speaks to servers of its own, names the tests that
//! ask each question. `NOTIFY_PLATFORM=telegram,slack` asks only those.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;

use notify::platform::registry::{self, Kind, Listed};

use crate::platforms::facts::Facts;
use crate::platforms::listen::Heard;
use crate::platforms::questions::NAMES;
use crate::platforms::sidecar::Sidecar;
use crate::platforms::stage::{Reply, Stage};
use crate::platforms::stand::Stand;
use crate::world::repository;

mod binary;
mod cases;
mod compare;
mod facts;
mod listen;
mod questions;
pub mod sidecar;
mod signatures;
pub mod stage;
mod stand;

/// Platforms that are asked at once: most of their time they wait for deadlines.
const AT_ONCE: usize = 8;

fn path(name: &str) -> PathBuf {
    repository("tests/platforms").join(format!("{name}.yaml"))
}

#[test]
fn every_platform_is_asked_the_same_questions() {
    let only = std::env::var("NOTIFY_PLATFORM").unwrap_or_default();
    let only: BTreeSet<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    let listed = registry::platforms(&[]);
    let mut problems = Vec::new();
    let mut sidecars: BTreeSet<String> = BTreeSet::new();
    for entry in std::fs::read_dir(repository("tests/platforms")).expect("the sidecars") {
        let file = entry.expect("an entry").path();
        sidecars.insert(file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
    for name in sidecars.iter().filter(|name| !listed.iter().any(|listed| listed.name == **name)) {
        problems.push(format!("{name} | tests/platforms/{name}.yaml belongs to no platform"));
    }
    // A definition that cannot be read is not listed; it must not vanish with its questions.
    for (name, text) in notify::platform::definitions::BUILT_IN {
        let read = notify::platform::declared::definition::Definition::read(text, std::path::Path::new(name));
        problems.extend(read.err().map(|problem| format!("{name} | the definition cannot be read: {problem}")));
    }
    let waiting: Vec<Listed> =
        listed.into_iter().filter(|listed| only.is_empty() || only.contains(listed.name.as_str())).collect();
    assert!(!waiting.is_empty(), "no platform is named {only:?}");
    let waiting = Mutex::new(waiting);
    let found = Mutex::new(problems);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(listed) = waiting.lock().expect("no panic").pop() else { return };
                    let problems = asked(listed);
                    found.lock().expect("no panic").extend(problems);
                }
            });
        }
    });
    let mut problems = found.into_inner().expect("no panic");
    problems.sort();
    problems.dedup();
    assert!(problems.is_empty(), "\n{} problems\n  {}\n", problems.len(), problems.join("\n  "));
}

/// Asks one platform everything; a panic is a problem of its own.
fn asked(listed: Listed) -> Vec<String> {
    let name = listed.name.clone();
    let answered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match std::fs::read_to_string(path(&name)) {
        Err(_) => vec![format!("{name} | has no sidecar: write tests/platforms/{name}.yaml")],
        Ok(text) if listed.kind == Kind::Coded => coded(&name, &text),
        Ok(text) => told(listed, text).unwrap_or_else(|what| vec![format!("{name} | {what}")]),
    }));
    answered.unwrap_or_else(|_| vec![format!("{name} | the questions ended in a panic (above)")])
}

fn told(listed: Listed, text: String) -> Result<Vec<String>, String> {
    let facts = Facts::of(&listed.name)?.ok_or("no definition of that name is built in")?;
    if !text.starts_with("# ") {
        return Err("line 1 of the sidecar is not a comment that says what it is".to_owned());
    }
    let stage = Stage::start(|_: &stage::Asked| Reply::status(500));
    let heard = Heard::default();
    let stand =
        Stand::new(listed, facts, text, stage, heard.clone()).map_err(|what| format!("the sidecar cannot be read: {what}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    tracing::subscriber::with_default(heard, || {
        runtime.block_on(async {
            cases::ask(&stand).await;
            questions::ask(&stand).await;
        });
    });
    binary::ask(&stand);
    for name in stand.sidecar.differs.keys().filter(|name| !NAMES.contains(&name.as_str())) {
        stand.wrong("differs", format!("no question is named `{name}`"));
    }
    if !stand.sidecar.covered.is_empty() || !stand.sidecar.not.is_empty() {
        stand.wrong("covered", "a definition is asked here; covered and not are for coded platforms");
    }
    Ok(stand.problems())
}

/// A coded platform: every question is asked by a test that exists, or cannot be asked for a reason.
fn coded(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut wrong = |question: &str, what: String| problems.push(format!("{name} | {question}: {what}"));
    let sidecar = match Sidecar::read(text, "http://127.0.0.1:1") {
        Ok(sidecar) => sidecar,
        Err(what) => return vec![format!("{name} | the sidecar cannot be read: {what}")],
    };
    for question in NAMES {
        match (sidecar.covered.get(question), sidecar.not.get(question)) {
            (Some(tests), None) if !tests.is_empty() => {}
            (None, Some(why)) if !why.trim().is_empty() => {}
            (Some(_), Some(_)) => wrong(question, "stands under covered and under not".to_owned()),
            _ => wrong(question, "is neither covered by a test nor said to have no meaning here".to_owned()),
        }
    }
    for question in sidecar.covered.keys().chain(sidecar.not.keys()).filter(|question| !NAMES.contains(&question.as_str())) {
        wrong(question, "is no question".to_owned());
    }
    for (question, tests) in &sidecar.covered {
        for test in tests {
            let exists = test.split_once("::").is_some_and(|(file, function)| {
                let code = std::fs::read_to_string(repository(file)).unwrap_or_default();
                is_test(&code, function)
            });
            if !exists {
                wrong(question, format!("{test} is no test"));
            }
        }
    }
    problems
}

/// Whether the code has a test function of that name.
fn is_test(code: &str, name: &str) -> bool {
    let pattern = format!(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub )?(?:async )?fn {}\(", regex::escape(name));
    regex::Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(code))
}

#[test]
fn a_rule_that_nobody_asks_for_has_its_line() {
    let facts = Facts::of("webhook").expect("YAML").expect("built in");
    let rules = facts.rules("errors");
    assert_eq!(rules.len(), 1);
    let text = notify::platform::definitions::BUILT_IN.iter().find(|(name, _)| *name == "webhook").expect("built in").1;
    assert_eq!(text.lines().nth(rules[0].line - 1).map(str::trim), Some("- default: permanent"));
}
