//! The columns of a list: their names, which are addresses, which are reserved, and which are nobody's.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::problem::{Problem, did_you_mean};
use crate::recipient::Addressing;
use crate::source::address::{EMAIL_SYNONYMS, PHONE_SYNONYMS, names_phones};
use crate::source::raw::{EXTRA, UNREAD};

/// Columns with a meaning of their own; `_meta.*` beside them.
pub(crate) const RESERVED: [&str; 11] =
    ["_via", "_attach", "_cc", "_bcc", "_reply_to", "_send_at", "_tz", "_priority", "_key", "_template", "_meta"];

/// What a retry file says about its row.
pub(crate) const NOTIFY: &str = "_notify";

/// Distinct notices about columns at most; a list of arbitrary keys must not fill memory.
const MAX_NOTICES: usize = 20;

/// Columns of a list at most; of JSON lists more are read, but only so many remembered for people to see.
pub(crate) const MAX_COLUMNS: usize = 4096;

/// An account that rows may go by.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// `corp-mail`.
    pub name: Arc<str>,
    /// Where its addresses are.
    pub addressing: Addressing,
}

/// Renames and checks the header of a delimited list.
///
/// # Errors
/// Every name that is empty, stands twice or is mapped from a column that does not exist.
pub(crate) fn names(header: &csv::StringRecord, line: u64, map: &[(String, String)]) -> Result<Vec<String>, Vec<Problem>> {
    let at = |what: String, help: &str| Problem {
        what,
        line: usize::try_from(line).ok(),
        help: (!help.is_empty()).then(|| help.to_owned()),
        ..Problem::default()
    };
    if header.len() > MAX_COLUMNS {
        return Err(vec![at(format!("the header names {} columns; {MAX_COLUMNS} are the most", header.len()), "")]);
    }
    let mut problems = Vec::new();
    let mut names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    for (to, from) in map {
        let found = names.iter().position(|name| name == from).or_else(|| names.iter().position(|name| fold(name) == fold(from)));
        match found {
            Some(n) => names[n] = to.trim().to_owned(),
            None => problems.push(unknown(&format!("--map {to}={from}"), from, names.iter().map(String::as_str))),
        }
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (n, name) in names.iter().enumerate() {
        if name.is_empty() {
            problems.push(at(format!("column {} has no name", n + 1), "name it in the header, or delete the column"));
        } else if let Some(first) = seen.insert(fold(name), n) {
            let what = format!("the column `{name}` stands twice, as column {} and column {}", first + 1, n + 1);
            problems.push(at(what, "rename one of them in the file, or with --map NEW=OLD where their spelling differs"));
        } else if name.contains('\0') {
            problems.push(at(format!("the name of column {} holds a NUL character", n + 1), ""));
        }
    }
    if problems.is_empty() { Ok(names) } else { Err(problems) }
}

/// A column that an option names and the list does not have.
pub(crate) fn unknown<'a>(option: &str, column: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let known: Vec<&str> = known.collect();
    let help = match did_you_mean(column, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are: {}", known.join(", ")),
    };
    Problem { what: format!("{option}: there is no column `{column}`"), help: Some(help), ..Problem::default() }
}

/// Names are compared without case and without the space around them.
pub(crate) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What each column of a row is for; made once for a delimited list, and for JSON once for each set of keys.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The names, in the order of the row.
    pub names: Vec<String>,
    /// `_via`.
    pub via: Option<usize>,
    /// `--key`, else `_key`.
    pub key: Option<usize>,
    /// `_template`.
    pub template: Option<usize>,
    /// `_priority`; a variable like any other besides, so that a retry file carries it.
    pub priority: Option<usize>,
    /// `_notify`.
    pub notify: Option<usize>,
    /// `_extra` or `_raw` of a bad row that nobody mended.
    pub leftover: Option<usize>,
    /// Columns that are no variables: the reserved ones that have a place of their own.
    pub hidden: Vec<usize>,
    /// Columns that may hold the address, for each account.
    pub addresses: Vec<Vec<usize>>,
    /// Columns of telephone numbers.
    pub phones: Vec<usize>,
}

impl Plan {
    /// What the columns `names` are for.
    pub fn new(names: Vec<String>, accounts: &[Account], key: Option<&str>, notices: &mut BTreeSet<String>) -> Self {
        let folded: Vec<String> = names.iter().map(|name| fold(name)).collect();
        let find = |name: &str| folded.iter().position(|other| other == name);
        let mut plan = Plan {
            via: find("_via"),
            template: find("_template"),
            priority: find("_priority"),
            notify: find(NOTIFY),
            ..Plan::default()
        };
        let own_key = find("_key");
        plan.key = key.and_then(|key| find(&fold(key))).or(if key.is_none() { own_key } else { None });
        plan.leftover = find(EXTRA).or_else(|| find(UNREAD));
        plan.hidden = [plan.via, plan.template, plan.notify, own_key].into_iter().flatten().collect();
        plan.phones = (0..names.len()).filter(|n| names_phones(&names[*n])).collect();
        for account in accounts {
            let addressing = &account.addressing;
            let mut columns: Vec<usize> = addressing.columns.iter().filter_map(|name| find(&fold(name))).collect();
            let wants = |name: &str| addressing.columns.iter().any(|column| fold(column) == name);
            let emails = if wants("email") { &EMAIL_SYNONYMS[..] } else { &[] };
            let phones = if addressing.phone || wants("phone") { &PHONE_SYNONYMS[..] } else { &[] };
            if columns.is_empty()
                && let Some(n) = emails.iter().chain(phones).find_map(|name| find(name))
            {
                columns.push(n);
                note(notices, format!("the column `{}` is taken for the address", names[n]));
            }
            plan.addresses.push(columns);
        }
        for (n, name) in folded.iter().enumerate().filter(|(_, name)| name.starts_with('_')) {
            let known =
                RESERVED.contains(&name.as_str()) || name.starts_with("_meta.") || name == NOTIFY || Some(n) == plan.leftover;
            if !known {
                let near = did_you_mean(name, RESERVED).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                note(notices, format!("`{}` is not a reserved column: it is a variable like any other{near}", names[n]));
            }
        }
        plan.names = names;
        plan
    }

    /// Whether rows of this plan can have an address when they go by `account` (or, if they name theirs, by any).
    pub fn addressable(&self, accounts: &[Account], account: usize) -> bool {
        let can = |n: usize| !self.addresses[n].is_empty() || accounts[n].addressing.fixed.is_some();
        if self.via.is_some() || self.notify.is_some() { (0..accounts.len()).any(can) } else { can(account) }
    }
}

/// The kinds of address that a column can hold.
#[derive(PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
    OpenId,
    Webhook,
}

impl Plan {
    /// Whether two address columns hold addresses of one kind, so that one may stand in for the other.
    pub fn same_kind(&self, one: usize, other: usize) -> bool {
        let kind = |n: usize| match fold(&self.names[n]).as_str() {
            "open_id" => Kind::OpenId,
            "webhook" => Kind::Webhook,
            name if names_phones(name) => Kind::Phone,
            _ => Kind::Email,
        };
        kind(one) == kind(other)
    }
}

/// Adds a notice, up to a bound.
pub(crate) fn note(notices: &mut BTreeSet<String>, notice: String) {
    if notices.len() < MAX_NOTICES {
        notices.insert(notice);
    }
}

/// A list in which no row can have an address.
pub(crate) fn no_address(names: &[String], account: &Account, line: Option<u64>) -> Problem {
    let wanted = &account.addressing.columns;
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let to = wanted.iter().find(|name| *name != "to").or(wanted.first()).map_or("to", String::as_str);
    let from = names
        .iter()
        .find(|name| wanted.iter().any(|want| want.len() > 2 && fold(name).replace(['-', ' ', '_'], "").contains(want.as_str())))
        .map_or("COLUMN", String::as_str);
    // Whoever forgot the header has an address where its name should be.
    let headerless = names.iter().any(|name| name.contains('@'));
    let help = match headerless {
        true => "the first row looks like data: the list needs a first row with the names of its columns".to_owned(),
        false => format!("say which column it is: --map {to}={from}"),
    };
    Problem {
        what: format!(
            "no column holds the address: account {} looks for {}, and the columns are {}",
            account.name,
            quoted(wanted),
            quoted(names)
        ),
        line: line.and_then(|line| usize::try_from(line).ok()),
        help: Some(help),
        ..Problem::default()
    }
}
