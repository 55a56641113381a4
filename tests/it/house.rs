//! The house as it is drawn in docs/ARCHITECTURE.md: every arrow points down, no two files lean on each other, every file says what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::world::repository;

/// From the words up to the verbs, as in docs/ARCHITECTURE.md. A file of one room may use another room only where that stands lower;
/// files of one room, and the words among themselves, may use each other as long as no circle comes of it.
const LEVELS: [(&str, &[&str]); 16] = [
    (
        "words",
        &["batch", "control", "delivery", "error", "exit", "message", "priority", "problem", "queue_stats", "recipient", "tally"],
    ),
    ("rooms", &["backoff", "cost", "hook", "journal", "limit", "sms", "source", "state", "template", "tune"]),
    ("rules over outcomes", &["recovery"]),
    ("rooms on rooms", &["config", "permits", "report"]),
    ("when", &["schedule"]),
    ("what may go", &["policy"]),
    ("who delivers", &["platform", "sink"]),
    ("account", &["account"]),
    ("lane", &["lane", "route"]),
    ("prepare", &["plan", "prepare", "progress"]),
    ("rules", &["changes", "rules"]),
    ("feed", &["feed", "live", "shared"]),
    ("the flow", &["run"]),
    ("words as typed", &["cli"]),
    ("job", &["job"]),
    ("verbs", &["commands"]),
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 7] = ["utils", "common", "helpers", "misc", "manager", "types", "core"];

#[test]
fn every_arrow_points_down() {
    let level: BTreeMap<&str, usize> =
        LEVELS.iter().enumerate().flat_map(|(height, (_, rooms))| rooms.iter().map(move |room| (*room, height))).collect();
    let mut wrong = Vec::new();
    for (from, targets) in arrows(&files()) {
        let room = room_of(&from);
        let Some(height) = level.get(room) else {
            wrong.push(format!("{from}: the room {room} has no level; give it one here and in docs/ARCHITECTURE.md"));
            continue;
        };
        for to in targets {
            let below = level.get(room_of(&to)).copied();
            let words = *height == 0 && below == Some(0);
            if room != room_of(&to) && !words && below.is_none_or(|below| below >= *height) {
                wrong.push(format!("{from} uses {to}, which does not stand below it"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_two_files_lean_on_each_other() {
    let found = circles(&arrows(&files()));
    assert!(found.is_empty(), "circles between files: {found:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    let mut wrong = Vec::new();
    for file in walk(&repository("src")) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let shown = file.strip_prefix(repository("")).unwrap_or(&file).display().to_string();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.len() < 12 {
            wrong.push(format!("{shown}: line 1 is not a `//!` caption"));
        }
        let parts = file.iter().filter_map(|part| part.to_str()).map(|part| part.trim_end_matches(".rs"));
        if let Some(name) = parts.rev().take_while(|part| *part != "src").find(|part| EMPTY_NAMES.contains(part)) {
            wrong.push(format!("{shown}: `{name}` says nothing about what is in it"));
        }
        let code = without_tests(&text);
        if !of_tests(&file) && (code.contains("use super::*") || code.contains("crate::prelude")) {
            wrong.push(format!("{shown}: imports everything of a file; name what is used"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Modules by name, with the code that is no test. `lib.rs` and `main.rs` only name the rest and are left out.
fn files() -> BTreeMap<String, String> {
    let root = repository("src");
    let mut found = BTreeMap::new();
    for file in walk(&root) {
        let inside = file.strip_prefix(&root).expect("below src").with_extension("");
        let mut name: Vec<_> = inside.iter().filter_map(|part| part.to_str()).collect();
        if name.last() == Some(&"mod") {
            name.pop();
        }
        if of_tests(&file) || name == ["lib"] || name == ["main"] {
            continue;
        }
        found.insert(name.join("::"), without_tests(&std::fs::read_to_string(&file).expect("a source file")));
    }
    assert!(found.len() > 50, "the sources are not where they were: {}", found.len());
    found
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn of_tests(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs") && !file.ends_with("tests/it")
}

/// Comments away, and the tests at the end of the file.
fn without_tests(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = |next: &&str| next.contains("mod ") && next.trim_end().ends_with('{');
        if line.trim() == "#[cfg(test)]" && lines.peek().is_some_and(opens) {
            break;
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

/// Which file uses which: by `use`, by a path in the code, or by the name of a child that the file declares.
fn arrows(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let uses = Regex::new(r"\buse ((?:crate|super|self)::[^;]*);").expect("a pattern");
    let path = Regex::new(r"\b(?:crate|super|self)::(?:super::)*[a-z_]\w*(?:::\w+)*").expect("a pattern");
    let child = Regex::new(r"\bmod (\w+);").expect("a pattern");
    let visible = Regex::new(r"pub\([^)]*\)").expect("a pattern");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in files {
        let code = visible.replace_all(code, "pub");
        let mut paths: Vec<String> = uses.captures_iter(&code).flat_map(|found| spread(&found[1])).collect();
        let rest = uses.replace_all(&code, "");
        paths.extend(path.find_iter(&rest).map(|found| found.as_str().to_owned()));
        for declared in child.captures_iter(&rest) {
            let name = &declared[1];
            if Regex::new(&format!(r"(?:^|[^:\w]){name}::\w")).expect("a pattern").is_match(&rest) {
                paths.push(format!("self::{name}"));
            }
        }
        let targets = found.entry(module.clone()).or_default();
        for used in paths {
            if let Some(target) = resolve(files, module, &used).filter(|target| target != module) {
                targets.insert(target);
            }
        }
    }
    found
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn spread(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_owned()];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(spread(&inside[from..at]).into_iter().filter(|part| !part.is_empty()));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.into_iter().map(|part| format!("{}{part}", before.trim())).collect()
}

/// The file that a path leads into: its longest part that is a module.
fn resolve(files: &BTreeMap<String, String>, module: &str, path: &str) -> Option<String> {
    let mut place: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").map(str::trim).peekable();
    match *parts.peek()? {
        "crate" => {
            place.clear();
            parts.next();
        }
        _ => {
            while let Some(word) = parts.next_if(|part| *part == "self" || *part == "super") {
                if word == "super" {
                    place.pop();
                }
            }
        }
    }
    place.extend(parts);
    while !place.is_empty() {
        let name = place.join("::");
        if files.contains_key(&name) {
            return Some(name);
        }
        place.pop();
    }
    None
}

/// Files that reach each other, sorted.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = next.pop() {
            for to in arrows.get(&file).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|file| (file, reach(file))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, targets) in &reached {
        if targets.contains(*file) {
            found.insert(targets.iter().filter(|to| reached.get(to).is_some_and(|back| back.contains(*file))).cloned().collect());
        }
    }
    found.into_iter().collect()
}
