//! `notify suppress`: whom nothing is sent to, whatever a list says.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::json;

use super::ask::grouped;
use super::{launch, open};
use crate::cli::Global;
use crate::cli::safety::Suppress;
use crate::exit::{Exit, Failure};
use crate::policy::address;
use crate::state::suppressed::{Entry, Suppressed};

/// Entries shown or added at once.
const PAGE: usize = 1000;
/// A longer line is no address.
const LONGEST: usize = 4096;
/// Mistakes of a file that are told one by one.
const TOLD: usize = 20;

/// Changes or shows the list.
pub(crate) fn run(global: &Global, args: Suppress) -> Result<Exit, Failure> {
    let state_dir = launch::state_dir(global)?;
    private(&state_dir)?;
    let mut list = Suppressed::open(&state_dir).map_err(|error| unreadable(&state_dir, &error))?;
    let trouble = |error: rusqlite::Error| unreadable(&state_dir, &error);
    match args {
        Suppress::Add { addresses, reason } => {
            let entries = forms(&addresses)?.into_iter().map(|form| entry(form, &reason)).collect::<Vec<_>>();
            let (all, added) = (entries.len() as u64, list.add(entries.into_iter()).map_err(trouble)?);
            tell(global, added, all - added);
            Ok(Exit::Done)
        }
        Suppress::Rm { addresses } => {
            let mut removed = 0;
            for form in forms(&addresses)? {
                removed += u64::from(list.remove(&form).map_err(trouble)?);
            }
            if removed == 0 {
                return Err(Failure::new(Exit::NothingToDo, "none of them is on the list"));
            }
            if !global.quiet {
                open::say(&format!("{} removed", grouped(removed)));
            }
            Ok(Exit::Done)
        }
        Suppress::List { json } => {
            let mut after = String::new();
            loop {
                let page = list.page(&after, PAGE).map_err(trouble)?;
                let Some(last) = page.last() else { return Ok(Exit::Done) };
                after.clone_from(&last.address);
                let lines: String = page.iter().map(|entry| shown(entry, json)).collect();
                open::print(&lines);
            }
        }
        Suppress::Import { file, reason } => {
            let entries = read(&file, &reason)?;
            let all = entries.len() as u64;
            let added = list.add(entries.into_iter()).map_err(trouble)?;
            tell(global, added, all - added);
            Ok(Exit::Done)
        }
        Suppress::Check { addresses } => {
            let mut found = 0;
            for (address, form) in addresses.iter().zip(forms(&addresses)?) {
                let domain = form.rsplit_once('@').map(|(_, domain)| format!("@{domain}"));
                let own = list.find(&form).map_err(trouble)?;
                let entry = match (own, domain) {
                    (None, Some(domain)) => list.find(&domain).map_err(trouble)?,
                    (own, _) => own,
                };
                found += u64::from(entry.is_some());
                let line = match entry {
                    Some(entry) => format!("{address}: suppressed ({})\n", shown(&entry, false).trim_end().replace('\t', ", ")),
                    None => format!("{address}: free\n"),
                };
                open::print(&line);
            }
            Ok(if found > 0 { Exit::Done } else { Exit::NothingToDo })
        }
    }
}

fn unreadable(state_dir: &Path, error: &rusqlite::Error) -> Failure {
    let path = crate::state::store::path(state_dir);
    Failure::new(Exit::BadConfig, format!("the suppression list cannot be used: {error}\n  --> {}", path.display()))
}

fn private(state_dir: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(state_dir).map_err(|error| Failure::new(Exit::Disk, format!("{}: {error}", state_dir.display())))
}

fn forms(addresses: &[String]) -> Result<Vec<String>, Failure> {
    let form = |text: &String| {
        address::form(text)
            .filter(|form| is_one(form))
            .ok_or_else(|| Failure::new(Exit::Usage, format!("\"{text}\" is no address")))
    };
    addresses.iter().map(form).collect()
}

/// Whether it can be an address at all: nothing with blanks or control characters in it is.
fn is_one(form: &str) -> bool {
    !form.is_empty() && !form.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

fn entry(address: String, reason: &str) -> Entry {
    let reason: String = reason.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    Entry { address, since: jiff::Timestamp::now().as_millisecond(), gone: false, reason }
}

fn shown(entry: &Entry, json: bool) -> String {
    let since = jiff::Timestamp::from_millisecond(entry.since).unwrap_or_default();
    let by = if entry.gone { "gone" } else { "added" };
    if json {
        let line = json!({ "address": entry.address, "since": since.to_string(), "by": by, "reason": entry.reason });
        return format!("{line}\n");
    }
    let reason = if entry.reason.is_empty() { String::new() } else { format!("\t{}", entry.reason) };
    format!("{}\t{}\t{by}{reason}\n", entry.address, since.strftime("%F"))
}

fn tell(global: &Global, added: u64, known: u64) {
    if !global.quiet {
        let known = if known > 0 { format!(", {} were on the list already", grouped(known)) } else { String::new() };
        open::say(&format!("{} added{known}", grouped(added)));
    }
}

/// The entries of a file: an address a line, what follows the first comma, semicolon or tab is the reason. All lines are good, or none
/// is taken.
fn read(path: &Path, reason: &str) -> Result<Vec<Entry>, Failure> {
    let told = |what: String| Failure::new(Exit::BadInput, format!("{}: {what}", path.display()));
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| told(crate::job::reason(&error)))?)
    };
    let mut input = BufReader::new(input);
    let (mut entries, mut mistakes, mut wrong) = (Vec::new(), Vec::new(), 0u64);
    let mut bytes = Vec::new();
    for number in 1u64.. {
        bytes.clear();
        if input
            .by_ref()
            .take(LONGEST as u64 * 16)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| told(crate::job::reason(&error)))?
            == 0
        {
            break;
        }
        let mut bad = |what: &str| {
            wrong += 1;
            if mistakes.len() < TOLD {
                mistakes.push(format!("{}:{number}: {what}", path.display()));
            }
        };
        let Ok(line) = std::str::from_utf8(&bytes) else {
            bad("this is not UTF-8");
            continue;
        };
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (address, why) = match line.find([',', ';', '\t']) {
            Some(at) => (&line[..at], line[at + 1..].trim().trim_matches('"')),
            None => (line, ""),
        };
        let address = address.trim().trim_matches('"');
        // The head of a table.
        if number == 1
            && ["email", "e-mail", "mail", "address", "to", "phone", "recipient"].contains(&address.to_lowercase().as_str())
        {
            continue;
        }
        match address::form(address).filter(|form| is_one(form) && line.len() <= LONGEST) {
            Some(form) => entries.push(entry(form, if why.is_empty() { reason } else { why })),
            None => bad("this is no address"),
        }
    }
    if wrong > 0 {
        let more = wrong.saturating_sub(mistakes.len() as u64);
        let more = if more > 0 { format!("\nand {} more", grouped(more)) } else { String::new() };
        return Err(Failure::new(Exit::BadInput, format!("nothing was imported\n{}{more}", mistakes.join("\n"))));
    }
    Ok(entries)
}
