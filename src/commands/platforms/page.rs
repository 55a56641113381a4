//! A platform as a page of the reference, and the page that lists them all. Made from what the program knows, so that it cannot be wrong.

use std::fmt::Write as _;

use crate::platform::listing::{Key, Listed};
use crate::platform::pool;

/// The page that lists them.
pub(super) fn index(all: &[Listed]) -> String {
    let mut text = String::from(
        "# Platforms\n\n\
         Every platform that comes with notify. These pages are made from its definitions by `notify platforms docs docs/reference/platforms`;\n\
         `notify platforms show NAME` prints the same. A platform of your own is a YAML file: [Adding a platform](../../adding-a-platform.md).\n\n\
         *Batch*: deliveries in one request. *Resends*: whether the service drops a repeated key, so that what is in doubt may be sent again.\n",
    );
    for family in ["email", "chat", "sms", "push", "paging", "webhook", "own"] {
        let of_family = || all.iter().filter(|listed| listed.family == family);
        if of_family().next().is_none() {
            continue;
        }
        let title = match family {
            "email" => "Email",
            "chat" => "Chat",
            "sms" => "SMS",
            "push" => "Push",
            "paging" => "Paging",
            "webhook" => "Webhooks",
            _ => "Your own, and combinations",
        };
        let _ = write!(text, "\n## {title}\n\n| platform | | batch | resends | URL |\n|---|---|---|---|---|\n");
        for listed in of_family() {
            let batch = if listed.batch_max > 1 { listed.batch_max.to_string() } else { String::new() };
            let resends = match listed.idempotent.as_str() {
                "always" => "harmless",
                "account" => "where the account says so",
                _ => "",
            };
            let url = listed.urls.first().map_or_else(String::new, |url| format!("`{}`", cell(url)));
            let _ = writeln!(text, "| [{0}]({0}.md) | {1} | {batch} | {resends} | {url} |", listed.name, cell(&listed.title));
        }
    }
    text
}

/// The page of one.
pub(super) fn of(listed: &Listed) -> String {
    let mut text = format!("# {}\n\n{}. `platform: {}`\n\n", listed.name, listed.title.trim_end_matches('.'), listed.name);
    let list = |items: &[String], none: &str| if items.is_empty() { none.to_owned() } else { items.join(", ") };
    let code = |items: &[String]| items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "- **{name}**: {value}");
    };
    row("Deliveries a request", listed.batch.clone());
    row("Resends", idempotent(listed).to_owned());
    row("Limits of its own", list(&listed.limits, "none"));
    row("Longest content", list(&listed.sizes, "not limited here"));
    row("Of an email it carries", list(&listed.carries, "subject and text"));
    row("Template files", code(&listed.templates));
    if !listed.columns.is_empty() {
        row("Columns of addresses", code(&listed.columns));
    }
    if let Some(key) = &listed.addressless {
        row("Rows without an address", format!("where the account has `{key}`"));
    }
    let _ = write!(text, "\n## An account\n\n```yaml\n{}```\n\n```\n{}\n```\n", example_account(listed), example_command(listed));
    text.push_str("\n| key | | default | |\n|---|---|---|---|\n");
    for key in &listed.keys {
        let need = if key.required { "required" } else { "" };
        let default = key.default.as_ref().map_or_else(String::new, |default| format!("`{}`", cell(default)));
        let mut about = cell(&key.about);
        if !key.one_of.is_empty() {
            let _ = write!(about, "{}one of {}", if about.is_empty() { "" } else { "; " }, code(&key.one_of));
        }
        let secret = if key.secret { ", secret" } else { "" };
        let _ =
            writeln!(text, "| `{}` | {} | {default} | {about} |", key.name, format!("{need}{secret}").trim_start_matches(", "));
    }
    text.push_str("\nBeside these: `limits`, `concurrency` ([config](../config.md)).\n");
    if !listed.presets.is_empty() {
        text.push_str(
            "\n## Providers that are known\n\nBy their server; what an account says itself counts, and `shaping: off` leaves it out. Their words for \"too fast\" are known too,\n\
             also for their recipients where mail goes through a server of your own.\n\n",
        );
        for preset in &listed.presets {
            let _ = writeln!(text, "- {}", cell(preset));
        }
    }
    if !listed.urls.is_empty() {
        text.push_str("\n## Without a config\n\n`--via` takes a URL; more keys of the account may follow after `?`, percent-encoded.\n\n```\n");
        for url in &listed.urls {
            let _ = writeln!(text, "{url}");
        }
        text.push_str("```\n\nA command line can be seen by others: `NOTIFY_VIA` and `--via @FILE` keep the URL out of it.\n");
    }
    if !listed.kinds.is_empty() {
        text.push_str("\n## Kinds of messages\n\nThe first whose needs are there is sent; `\"$kind\": \"NAME\"` in a JSON template names one.\n\n");
        text.push_str("| kind | needs | |\n|---|---|---|\n");
        for kind in &listed.kinds {
            let needs = if kind.needs.is_empty() { "anything".to_owned() } else { code(&kind.needs) };
            let _ = writeln!(text, "| `{}` | {needs} | {} |", kind.name, cell(&kind.about));
        }
    }
    if !listed.fields.is_empty() {
        text.push_str(
            "\n## Fields\n\nWhat a JSON template, or a row where there is no template, may have beside subject and text.\n\n",
        );
        text.push_str("| field | form | |\n|---|---|---|\n");
        for field in &listed.fields {
            let _ = writeln!(text, "| `{}` | {} | {} |", field.name, field.form, cell(&field.about));
        }
    }
    if !listed.docs.is_empty() {
        text.push_str("\n## Where its facts were read\n\n");
        for docs in &listed.docs {
            let _ = writeln!(text, "- <{docs}>");
        }
    }
    text
}

/// What a resend means.
pub(super) fn idempotent(listed: &Listed) -> &'static str {
    match listed.idempotent.as_str() {
        "always" => "harmless: the service drops a repeated key, and what is in doubt is sent again",
        "account" => "harmless where the account says idempotent: true; else what is in doubt is left to you",
        _ => "a double: what is in doubt is left to you",
    }
}

/// An account as the config has it, with the keys that it cannot do without.
pub(super) fn example_account(listed: &Listed) -> String {
    let mut text = format!("accounts:\n  my-{}:\n    platform: {}\n", listed.name, listed.name);
    let wanted = |key: &&Key| {
        key.required || Some(&key.name) == listed.addressless.as_ref() || (listed.name == pool::NAME && key.name == "of")
    };
    let variable = |key: &Key| format!("{}_{}", listed.name, key.name).to_uppercase().replace('-', "_");
    for key in listed.keys.iter().filter(wanted) {
        let value = match (listed.name.as_str(), key.name.as_str()) {
            ("smtp", "url") => "smtp://mail.example.com:587".to_owned(),
            ("smpp", "url") => "smpp://smsc.example.com:2775".to_owned(),
            (pool::NAME, "of") => "[one, two]".to_owned(),
            ("exec", "command") => "[/usr/local/bin/my-sender]".to_owned(),
            _ if key.secret => format!("{{ env: {} }}", variable(key)),
            _ => format!("\"…\"  # {}", key.about),
        };
        let _ = writeln!(text, "    {}: {value}", key.name);
    }
    if listed.name == "smtp" {
        text.push_str("    user: me@example.com\n    password: { env: SMTP_PASSWORD }\n    from: \"Me <me@example.com>\"\n");
    }
    text
}

/// A command that sends one message through it.
pub(super) fn example_command(listed: &Listed) -> String {
    let to = match listed.addressless {
        Some(_) => "",
        None => " --to ADDRESS",
    };
    let subject = if listed.family == "email" { " --subject Hello" } else { "" };
    format!("notify send --via my-{}{to}{subject} \"Hello\"", listed.name)
}

/// In a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
