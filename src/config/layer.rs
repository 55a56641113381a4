//! Files, profile and environment laid over each other: the later word wins, key by key.

use std::path::{Path, PathBuf};

use super::check::{self, Delicate, Findings};
use super::file::{self, ConfigFile, Unread};
use super::literal::is_reference;
use super::request::Request;
use super::source::{Source, Sources};
use super::syntax;
use super::tree::{self, Entry, Kind, Node, Place, Slip};
use super::variables;
use crate::problem::{Problem, did_you_mean};

/// What the layers came to.
pub(crate) struct Layers {
    /// All of them in one tree.
    pub tree: Node,
    /// Where each value came from.
    pub sources: Sources,
    /// Files that were read, the weakest first.
    pub files: Vec<PathBuf>,
    /// Mistakes and notes so far.
    pub found: Findings,
    /// What does not stop anything.
    pub warnings: Vec<Problem>,
    /// A file could not be read as a whole, so what is missing from the tree may be in it.
    pub torn: bool,
}

/// Which files are read, the weakest first.
pub(crate) fn candidates(request: &Request<'_>) -> Vec<PathBuf> {
    match request.explicit {
        Some(path) => vec![request.cwd.join(path)],
        None => vec![request.config_home.join("notify").join("notify.yaml"), request.cwd.join("notify.yaml")],
    }
}

/// Reads and lays everything over each other; mistakes are collected, never the end.
pub(crate) fn read(request: &Request<'_>) -> Layers {
    let mut layers = Layers {
        tree: Node { at: Place::BUILT_IN, kind: Kind::Map(Vec::new()) },
        sources: Sources::default(),
        files: Vec::new(),
        found: Findings::default(),
        warnings: Vec::new(),
        torn: false,
    };
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in candidates(request) {
        let real = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        layers.file(&path, request);
    }
    layers.profile(request);
    layers.variables(request);
    layers
}

impl Layers {
    fn file(&mut self, path: &Path, request: &Request<'_>) {
        let shown = path.strip_prefix(request.cwd).unwrap_or(path).to_owned();
        let failed = |what: String, help: Option<&str>| Problem { what, help: help.map(str::to_owned), ..Problem::default() };
        let read = match file::read(path) {
            Ok(read) => read,
            Err(Unread::Missing) if request.explicit.is_none() => return self.other_spelling(path, &shown),
            Err(Unread::Missing) => {
                let problem = failed(
                    format!("config file {}: no such file", shown.display()),
                    Some("check the path after --config (or in NOTIFY_CONFIG)"),
                );
                return self.lost(problem);
            }
            Err(Unread::Because(why)) => return self.lost(failed(format!("config file {}: {why}", shown.display()), None)),
            Err(Unread::NotText { line, what }) => {
                let mut problem = failed(format!("config file {} {what}", shown.display()), Some("save it as UTF-8"));
                problem.path = Some(shown);
                problem.line = Some(line);
                problem.column = Some(1);
                return self.lost(problem);
            }
        };
        self.files.push(shown.clone());
        let folder = path.parent().unwrap_or(request.cwd).to_owned();
        let source = self.sources.add(Source::File { shown, folder, text: read.text.clone() });
        let mut root = match tree::read::read(&read.text, source) {
            Ok(root) => root,
            Err(error) => {
                let complaint = syntax::retell(&error, &read.text, source);
                self.found.problem(&self.sources, complaint.at, "", complaint.what, complaint.help);
                self.torn = true;
                return;
            }
        };
        let mut slips = Vec::new();
        root.duplicates(&mut slips);
        root.apply_merges(&mut slips);
        for slip in slips {
            match slip {
                Slip::Twice { key, again, first } => {
                    let what = format!("`{key}` stands twice in the same block (first on line {})", first.line);
                    self.found.problem(&self.sources, again, &key, what, Some("remove one of them".to_owned()));
                }
                Slip::BadMerge { at } => {
                    let help = Some("write `<<: *name`, where `&name` stands before a block of keys".to_owned());
                    self.found.problem(
                        &self.sources,
                        at,
                        "<<",
                        "`<<` takes over the keys of another block, and this is none",
                        help,
                    );
                }
            }
        }
        check::layer(&root, &self.sources, &mut self.found);
        self.delicate(&root, &read);
        overlay(&mut self.tree, root, 0, false);
    }

    /// A file that could not be read at all.
    fn lost(&mut self, problem: Problem) {
        self.torn = true;
        self.found.problems.push((Place { source: self.sources_next(), line: 0, column: 0 }, problem));
    }

    fn sources_next(&self) -> usize {
        self.files.len()
    }

    /// `notify.yml` beside a missing `notify.yaml` is somebody's config that nobody reads.
    fn other_spelling(&mut self, path: &Path, shown: &Path) {
        let other = path.with_extension("yml");
        if other.is_file() {
            self.warnings.push(Problem {
                what: format!("{} is not read", shown.with_extension("yml").display()),
                help: Some("name it notify.yaml".to_owned()),
                ..Problem::default()
            });
        }
    }

    /// Literal secrets and commands against the file's mode and owner.
    fn delicate(&mut self, root: &Node, file: &ConfigFile) {
        let mut delicate = Vec::new();
        check::delicate(root, &mut delicate);
        for part in delicate {
            match part {
                Delicate::Literal { key, at } if file.readable_by_others => {
                    let what = format!("the secret in `{key}` can be read by other users of this machine");
                    let name = self.sources.told(at);
                    let name = name.rsplit_once(':').map_or(name.as_str(), |(name, _)| name);
                    let help = format!(
                        "chmod 600 {name}, or take it from elsewhere: {key}: {{ env: NAME }}, {{ file: PATH }} or {{ cmd: \"pass show x\" }}"
                    );
                    self.found.problem(&self.sources, at, &key, what, Some(help));
                }
                Delicate::Literal { key, at } => {
                    let help = format!(
                        "{key}: {{ env: NAME }}, {{ file: PATH }} or {{ cmd: \"pass show x\" }} keeps it out of backups and repositories"
                    );
                    let what = format!("`{key}` is a secret that stands in the file itself");
                    self.warnings.push(self.sources.problem(at, &key, what, Some(help)));
                }
                Delicate::Command { key, at } if !file.own => {
                    let help = Some(
                        "copy the file to one that belongs to you; a secret can come from { env: NAME } or { file: PATH }"
                            .to_owned(),
                    );
                    self.found.problem(
                        &self.sources,
                        at,
                        &key,
                        format!("`{key}` is not run from a config that belongs to another user"),
                        help,
                    );
                }
                Delicate::Command { key, at } if file.writable_by_all => {
                    let help = Some("chmod go-w the file".to_owned());
                    self.found.problem(
                        &self.sources,
                        at,
                        &key,
                        format!("`{key}` is not run from a config that anybody can write"),
                        help,
                    );
                }
                Delicate::Command { .. } => {}
            }
        }
    }

    fn profile(&mut self, request: &Request<'_>) {
        let Some(name) = request.profile else { return };
        let profiles = self.tree.get("profiles").cloned();
        let Some(entry) = profiles.as_ref().and_then(|profiles| profiles.entry(name)) else {
            if !self.torn {
                let known: Vec<&str> = profiles.iter().flat_map(Node::entries).map(|entry| entry.key.as_str()).collect();
                let help = match did_you_mean(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "no config that was read has `profiles:`".to_owned(),
                    None => format!("there are: {}", known.join(", ")),
                };
                let problem = Problem { what: format!("no profile `{name}`"), help: Some(help), ..Problem::default() };
                self.found.problems.push((Place::BUILT_IN, problem));
            }
            return;
        };
        overlay(&mut self.tree, entry.node.clone(), 0, false);
        // Said of the profile, it is said of its runs: `defaults.redirect_to`.
        if let Some(redirect) = entry.node.entry(super::schema::REDIRECT).filter(|entry| !entry.node.is_null()) {
            let at = redirect.at;
            let block = Node { at, kind: Kind::Map(vec![redirect.clone()]) };
            check::layer(&wrapped(at, "defaults", block.clone()), &self.sources, &mut self.found);
            overlay(&mut self.tree, wrapped(at, "defaults", block), 0, false);
        }
    }

    fn variables(&mut self, request: &Request<'_>) {
        let mut names: Vec<&String> = request.variables.iter().collect();
        // Sorted, so that `NOTIFY_DEFAULTS__VIA` and `NOTIFY_VIA` together always mean the same: the shorter name is later and wins.
        names.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        names.dedup();
        for name in names {
            let Some(value) = (request.env)(name) else { continue };
            let accounts: Vec<String> =
                self.tree.get("accounts").iter().flat_map(|node| node.entries()).map(|entry| entry.key.clone()).collect();
            let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
            match variables::read(name, &value, &accounts, request.cwd, &mut self.sources) {
                variables::Variable::Nothing => {}
                // Somebody named the variable of a secret after us.
                variables::Variable::Unknown(_) if names_variable(&self.tree, name) => {}
                variables::Variable::Unknown(problem) => self.warnings.push(problem),
                variables::Variable::Broken(problem) => {
                    self.found.problems.push((Place::BUILT_IN, problem));
                }
                variables::Variable::Setting(tree) => {
                    check::layer(&tree, &self.sources, &mut self.found);
                    overlay(&mut self.tree, tree, 0, false);
                }
            }
        }
    }
}

/// A tree with one entry.
fn wrapped(at: Place, key: &str, node: Node) -> Node {
    Node { at, kind: Kind::Map(vec![Entry { key: key.to_owned(), at, node }]) }
}

/// Whether a secret is taken from that variable: `{ env: NAME }`.
fn names_variable(node: &Node, name: &str) -> bool {
    match &node.kind {
        Kind::Map(_) if is_reference(node) => node.get("env").and_then(Node::text) == Some(name),
        Kind::Map(entries) => entries.iter().any(|entry| names_variable(&entry.node, name)),
        Kind::List(items) => items.iter().any(|item| names_variable(item, name)),
        _ => false,
    }
}

/// Lays `top` over `base`. Maps merge key by key; everything else replaces: lists, references to secrets, and an account that changes its
/// platform (the other platform's keys would be strange to it).
fn overlay(base: &mut Node, top: Node, depth: usize, in_accounts: bool) {
    let atomic = is_reference(base) || is_reference(&top);
    let Node { at, kind } = top;
    let top = match (&mut base.kind, kind) {
        (Kind::Map(_), Kind::Map(top)) if !atomic => top,
        // An empty block (`accounts:` with nothing under it) says nothing about what a weaker file has there.
        (Kind::Map(_), Kind::Null) if depth <= 1 && !atomic => return,
        (_, kind) => {
            *base = Node { at, kind };
            return;
        }
    };
    if depth == 2 && in_accounts {
        let platform = |entries: &[Entry]| {
            entries.iter().find(|entry| entry.key == "platform").and_then(|entry| entry.node.text().map(str::to_owned))
        };
        if platform(&top).is_some_and(|new| platform(base.entries()).is_some_and(|old| old != new)) {
            *base = Node { at, kind: Kind::Map(top) };
            return;
        }
    }
    let Kind::Map(entries) = &mut base.kind else { return };
    for entry in top {
        match entries.iter_mut().find(|own| own.key == entry.key) {
            Some(own) => {
                let inside = in_accounts || (depth == 0 && entry.key == "accounts");
                overlay(&mut own.node, entry.node, depth + 1, inside);
                // The key is where its value is.
                own.at = entry.at;
            }
            None => entries.push(entry),
        }
    }
}
