//! README.md against the program: every command line in it names a verb that exists and flags that this verb has.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{World, repository};

/// A command line of a fenced block.
struct Shown {
    line: usize,
    verb: String,
    flags: Vec<String>,
}

#[test]
fn every_command_line_of_the_readme_is_one_that_the_program_has() {
    let shown = command_lines(&std::fs::read_to_string(repository("README.md")).expect("README.md"));
    assert!(shown.len() >= 10, "only {} command lines were found in README.md", shown.len());
    let world = World::new();
    let mut helps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for Shown { line, verb, flags } in shown {
        let known = helps.entry(verb.clone()).or_insert_with(|| {
            let help = world.notify(&[verb.as_str(), "--help"]);
            if help.code == 0 { flags_of(&help.out) } else { BTreeSet::new() }
        });
        if known.is_empty() {
            wrong.push(format!("README.md:{line}: there is no `notify {verb}`"));
        }
        for flag in flags.iter().filter(|flag| !known.is_empty() && !known.contains(*flag)) {
            wrong.push(format!("README.md:{line}: `notify {verb}` has no {flag}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_verb_is_in_the_table_of_the_readme() {
    let readme = std::fs::read_to_string(repository("README.md")).expect("README.md");
    let help = World::new().notify(&["--help"]).code(0).out;
    let (_, rest) = help.split_once("Commands:\n").expect("a list of commands");
    for verb in rest.lines().take_while(|line| !line.trim().is_empty()).filter_map(|line| line.split_whitespace().next()) {
        assert!(readme.contains(&format!("| `notify {verb}")), "README.md has no row for `notify {verb}`");
    }
}

#[test]
fn the_files_that_the_readme_links_to_are_there() {
    let readme = std::fs::read_to_string(repository("README.md")).expect("README.md");
    let mut links = 0;
    for rest in readme.split("](").skip(1) {
        let link = rest.split([')', '#']).next().unwrap_or_default();
        if !link.is_empty() && !link.contains("://") {
            assert!(repository(link).exists(), "README.md links to {link}, which is not there");
            links += 1;
        }
    }
    assert!(links > 3, "README.md links to {links} files");
}

/// Lines of fenced blocks that begin, after a prompt, with `notify` or `cargo run … --`.
fn command_lines(text: &str) -> Vec<Shown> {
    let (mut fenced, mut found) = (false, Vec::new());
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim_start_matches("$ ");
        let line =
            line.strip_prefix("cargo run --release -- ").map(|rest| format!("notify {rest}")).unwrap_or_else(|| line.to_owned());
        let Some(rest) = line.strip_prefix("notify ").filter(|_| fenced) else { continue };
        let words: Vec<&str> = rest.split(" #").next().unwrap_or_default().split_whitespace().collect();
        let Some(verb) = words.first().filter(|word| !word.starts_with('-')) else { continue };
        let flags = words.iter().skip(1).filter(|word| word.starts_with('-') && word.len() > 1);
        let flags = flags.map(|word| word.split('=').next().unwrap_or(word).to_owned()).collect();
        found.push(Shown { line: at + 1, verb: (*verb).to_owned(), flags });
    }
    found
}

/// The flags that a help page lists, short and long.
fn flags_of(help: &str) -> BTreeSet<String> {
    let listed = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words =
        listed.flat_map(|line| line.split([' ', ',', '[', '=']).take_while(|word| word.is_empty() || word.starts_with('-')));
    words.filter(|word| word.len() > 1).map(|word| word.trim_end_matches('.').to_owned()).collect()
}
