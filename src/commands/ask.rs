//! What a person is shown and asked before anything is sent.

use std::io::{BufRead, IsTerminal, Write};

use super::open::{Scene, say};
use crate::cli::{FlowFlags, NewRunFlags};
use crate::delivery::Delivery;
use crate::exit::{Exit, Failure};
use crate::job;
use crate::message::Body;
use crate::plan::Plan;
use crate::prepare::Preparer;

/// "1 row", "12 rows".
pub(crate) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(count)) }
}

/// `12,431`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks; the answer is what was typed, trimmed and in lower case. Nothing where stdin ended.
pub(crate) fn ask(question: &str) -> String {
    let _ = write!(std::io::stderr(), "{question} ");
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    answer.trim().to_lowercase()
}

pub(crate) fn may_skip(scene: &Scene<'_>, flow: &FlowFlags, new: &NewRunFlags, found: &job::Found) -> Result<bool, Failure> {
    if scene.config.defaults.on_invalid == Some(crate::config::defaults::OnInvalid::Skip) {
        return Ok(true);
    }
    if new.dry_run || flow.yes || !on_terminal() || found.good == 0 {
        return Ok(false);
    }
    let question =
        format!("{} cannot be sent. Send the other {} and keep these for later? [y/N]", rows(found.bad), grouped(found.good));
    Ok(matches!(ask(&question).as_str(), "y" | "yes"))
}

/// What is about to happen: the plan, and the first message.
pub(crate) fn shown(plan: &Plan, first: Option<&Delivery>) -> String {
    let mut text = plan.text();
    if let Some(first) = first {
        text.push_str("First message:\n");
        for line in message_text(first).lines().take(24) {
            text.push_str(&format!("  | {line}\n"));
        }
    }
    text
}

/// A message as a person reads it.
pub(crate) fn message_text(delivery: &Delivery) -> String {
    let Delivery { envelope, message } = delivery;
    let mut text = format!("To: {}\n", envelope.to.as_str());
    for (name, value) in [("From", &message.from), ("Reply-To", &message.reply_to), ("Subject", &message.subject)] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    for (name, list) in [("Cc", &message.cc), ("Bcc", &message.bcc)] {
        if !list.is_empty() {
            text.push_str(&format!("{name}: {}\n", list.join(", ")));
        }
    }
    for attachment in &message.attachments {
        text.push_str(&format!("Attachment: {} ({})\n", attachment.name, attachment.content_type));
    }
    text.push('\n');
    match &message.body {
        Body::Text(body) | Body::Html { text: body, .. } | Body::Markdown { markdown: body, .. } => text.push_str(body),
        Body::Native(tree) => text.push_str(&serde_json::to_string_pretty(tree).unwrap_or_default()),
    }
    text
}

pub(crate) fn confirm(
    scene: &Scene<'_>,
    flow: &FlowFlags,
    preparer: &Preparer,
    found: &job::Found,
    plan: &Plan,
    stream: bool,
) -> Result<(), Failure> {
    if stream {
        let harmless = preparer.harmless();
        return match harmless || flow.yes {
            true => Ok(()),
            false => Err(Failure::new(Exit::Usage, "--stream sends as rows come and cannot ask: add --yes")),
        };
    }
    let harmless = found.by_account.keys().all(|index| preparer.accounts()[*index].platform.capability().harmless);
    let above = scene.config.defaults.confirm_above.unwrap_or(1);
    if harmless || flow.yes || found.good <= above {
        return Ok(());
    }
    if !on_terminal() {
        let what = format!(
            "sending {} needs a confirmation, and there is no terminal to ask on\n  = help: add --yes to send, or --dry-run to see what would be sent",
            rows(found.good)
        );
        return Err(Failure::new(Exit::Usage, what));
    }
    say(shown(plan, found.first.as_ref().map(|first| &first.delivery)).trim_end());
    loop {
        match ask(&format!("Send {} messages? [y/N/preview]", grouped(found.good))).as_str() {
            "y" | "yes" => return Ok(()),
            "p" | "preview" => {
                if let Some(first) = &found.first {
                    say(&message_text(&first.delivery));
                }
            }
            _ => return Err(Failure::new(Exit::Usage, "not confirmed: nothing was sent")),
        }
    }
}

/// A bar for the work before the first send, and lines above it.
pub(crate) struct Bar {
    bar: indicatif::ProgressBar,
}

impl Bar {
    pub(crate) fn new(scene: &Scene<'_>, flow: &FlowFlags, what: &'static str) -> Self {
        let bar = if scene.global.quiet || flow.no_progress || flow.json || !std::io::stderr().is_terminal() {
            indicatif::ProgressBar::hidden()
        } else {
            indicatif::ProgressBar::new(0)
        };
        if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} {bar:30} {percent}%") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Bar { bar }
    }

    pub(crate) fn at(&self, at: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.bar.set_length(of);
        }
        self.bar.set_position(at);
    }

    pub(crate) fn line(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
