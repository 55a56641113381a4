//! Paths in a config, made absolute while it is known which file says them.

use std::path::{Path, PathBuf};

use super::literal::is_reference;
use super::request::Request;
use super::source::Sources;
use super::tree::{Kind, Node, Place};

/// A path as written: `~/` is the home folder, anything relative belongs to the folder of the file that says it.
fn resolve(written: &str, at: Place, sources: &Sources, request: &Request<'_>) -> PathBuf {
    let written = written.trim();
    if let Some(rest) = written.strip_prefix("~/")
        && let Some(home) = (request.env)("HOME")
    {
        return PathBuf::from(home).join(rest);
    }
    let folder = sources.folder(at).unwrap_or(request.cwd);
    folder.join(written.strip_prefix("./").unwrap_or(written))
}

/// The folders of `key`, then ours.
pub(super) fn folders<const N: usize>(
    tree: &Node,
    key: &str,
    sources: &Sources,
    request: &Request<'_>,
    ours: [PathBuf; N],
) -> Vec<PathBuf> {
    let written: Vec<&Node> = match tree.get(key).map(|node| (node, &node.kind)) {
        Some((_, Kind::List(items))) => items.iter().collect(),
        Some((node, Kind::Text(_))) => vec![node],
        _ => Vec::new(),
    };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in written.iter().filter_map(|node| Some(resolve(node.text()?, node.at, sources, request))).chain(ours) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// Makes the paths in accounts absolute while it is known which file said them. A secret's relative `{ file: NAME }` is looked for in
/// `$CREDENTIALS_DIRECTORY` first, where systemd puts what `LoadCredential=` names.
pub(super) fn absolute(tree: &mut Node, sources: &Sources, request: &Request<'_>) {
    let Kind::Map(entries) = &mut tree.kind else { return };
    for entry in entries.iter_mut().filter(|entry| entry.key == "accounts") {
        if let Kind::Map(accounts) = &mut entry.node.kind {
            accounts.iter_mut().for_each(|account| absolute_in(&mut account.node, sources, request));
        }
    }
}

fn absolute_in(node: &mut Node, sources: &Sources, request: &Request<'_>) {
    let reference = is_reference(node);
    let entries = match &mut node.kind {
        Kind::Map(entries) => entries,
        Kind::List(items) => return items.iter_mut().for_each(|item| absolute_in(item, sources, request)),
        _ => return,
    };
    for entry in entries {
        let is_path = (reference && entry.key == "file")
            || entry.key.ends_with("_file")
            || matches!(entry.key.as_str(), "client_cert" | "client_key");
        match &mut entry.node.kind {
            Kind::Text(written) if is_path && !written.trim().is_empty() => {
                let credential = (request.env)("CREDENTIALS_DIRECTORY")
                    .filter(|_| reference && Path::new(written.as_str()).is_relative())
                    .map(|folder| Path::new(&folder).join(written.trim()))
                    .filter(|path| path.is_file());
                let path = credential.unwrap_or_else(|| resolve(written, entry.node.at, sources, request));
                *written = path.display().to_string();
            }
            _ => absolute_in(&mut entry.node, sources, request),
        }
    }
}
