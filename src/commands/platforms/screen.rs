//! A platform on a terminal: one line of the list, or all that is known of it.

use std::fmt::Write as _;

use super::page::{example_account, example_command, idempotent};
use crate::platform::listing::{Kind, Listed};

/// A line of `list`.
pub(super) fn line(listed: &Listed, width: usize) -> String {
    if listed.broken.is_some() {
        return format!("{:<width$}  cannot be used: notify platforms show {}\n", listed.name, listed.name);
    }
    let batch = if listed.batch_max > 1 { format!("x{}", listed.batch_max) } else { String::new() };
    let same = if listed.idempotent == "no" { "" } else { "key" };
    format!("{:<width$}  {:<8} {batch:<6} {same:<4} {}\n", listed.name, listed.family, listed.title)
}

/// All of it.
pub(super) fn of(listed: &Listed) -> String {
    // A String takes all that is written.
    let mut text = format!("{}  {}\n", listed.name, listed.title);
    if let Some(broken) = &listed.broken {
        return text + &format!("cannot be used: {broken}\n");
    }
    let told = match listed.kind {
        Kind::Coded => "in code",
        Kind::Definition => "in a definition that comes with notify",
        Kind::Own => "in a definition of your own",
    };
    let _ = writeln!(text, "family: {}; told {told}", listed.family);
    let _ = writeln!(text, "deliveries a request: {}", listed.batch);
    let _ = writeln!(text, "resends: {}", idempotent(listed));
    let list = |items: &[String], none: &str| if items.is_empty() { none.to_owned() } else { items.join(", ") };
    let _ = writeln!(text, "limits of its own: {}", list(&listed.limits, "none"));
    let _ = writeln!(text, "longest content: {}", list(&listed.sizes, "not limited here"));
    let _ = writeln!(text, "of an email it carries: {}", list(&listed.carries, "subject and text"));
    let _ = writeln!(text, "template files: {}", list(&listed.templates, "none"));
    let _ = writeln!(text, "columns of addresses: {}", list(&listed.columns, "none"));
    if let Some(key) = &listed.addressless {
        let _ = writeln!(text, "rows need no address where the account has `{key}`");
    }
    for docs in &listed.docs {
        let _ = writeln!(text, "docs: {docs}");
    }
    if !listed.kinds.is_empty() {
        text.push_str("\nkinds of messages, the first whose needs are there:\n");
    }
    for kind in &listed.kinds {
        let needs = if kind.needs.is_empty() { "anything".to_owned() } else { kind.needs.join(", ") };
        let about = if kind.about.is_empty() { String::new() } else { format!(": {}", kind.about) };
        let _ = writeln!(text, "  {:<24} needs {needs}{about}", kind.name);
    }
    if !listed.fields.is_empty() {
        text.push_str("\nbeside subject and text, a JSON template or a row's columns may have:\n");
    }
    for field in &listed.fields {
        let _ = writeln!(text, "  {:<24} {} ({})", field.name, field.about, field.form);
    }
    text.push_str("\nkeys of an account, beside platform, limits, concurrency:\n");
    for key in &listed.keys {
        let need = match (&key.default, key.required) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "required".to_owned(),
            (None, false) => "optional".to_owned(),
        };
        let secret = if key.secret { ", a secret" } else { "" };
        let words = if key.one_of.is_empty() { String::new() } else { format!(", one of {}", key.one_of.join(", ")) };
        let _ = writeln!(text, "  {:<24} {} ({need}{secret}{words})", key.name, key.about);
    }
    if !listed.urls.is_empty() {
        text.push_str("\nwithout a config, --via takes (further keys after ?, such as ?base=https://…):\n");
    }
    for url in &listed.urls {
        let _ = writeln!(text, "  {url}");
    }
    if !listed.presets.is_empty() {
        text.push_str(
            "\nknown by their server, and what an account is given where it says nothing (`shaping: off` leaves it out):\n",
        );
    }
    for preset in &listed.presets {
        let _ = writeln!(text, "  {preset}");
    }
    let _ = write!(text, "\nexample:\n{}\n  {}\n", indented(&example_account(listed)), example_command(listed));
    text
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}
