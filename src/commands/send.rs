//! `notify send`: one message, a list of as many rows as there are addresses.

use std::io::Read;

use serde_json::json;

use super::begin::begin;
use super::launch::{self, Order};
use super::oneoff;
use super::open;
use super::open::Scene;
use crate::cli::{Global, InputFlags, Send};
use crate::exit::{Exit, Failure};
use crate::job::accounts::addressing_of;
use crate::job::{self, Settings};
use crate::source::options::{Format, Input};

/// The longest text that is read from stdin.
const TEXT_MAX: u64 = 10 << 20;

/// Sends the message.
pub(crate) async fn run(global: &Global, mut args: Send) -> Result<Exit, Failure> {
    let text = match args.text.as_deref() {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(TEXT_MAX + 1).read_to_string(&mut text);
            read.map_err(|e| Failure::new(Exit::BadInput, format!("the text on stdin could not be read: {e}")))?;
            if text.len() as u64 > TEXT_MAX {
                return Err(Failure::new(Exit::BadInput, "the text on stdin is longer than 10 MiB"));
            }
            Some(text)
        }
        other => other.map(str::to_owned),
    };
    if args.text.is_some() && args.content.template.is_some() {
        let what = "TEXT and --template exclude each other: give the text to the template with -V text=…";
        return Err(Failure::new(Exit::Usage, what));
    }
    if text.is_none() && args.content.template.is_none() {
        return Err(Failure::new(Exit::Usage, "nothing to send: give a TEXT, - to read it from stdin, or --template"));
    }
    let mut config = open::open_config(global)?;
    let adopted = oneoff::adopt(&mut config, &mut args.target.via)?;
    let scene = Scene { config: &config, global, state_dir: launch::state_dir(global)? };
    let (by_url, url) = (adopted.names, adopted.url);
    let settings = Settings { by_url, ..Settings::new(&config, global, &args.content, &args.target, &args.flow)? };
    let to = if args.to.is_empty() { adopted.to } else { args.to };
    let mut each: Vec<serde_json::Value> = to.iter().map(|to| json!({ "to": to })).collect();
    if each.is_empty() {
        if addressing_of(&config, &settings.via)?.fixed.is_none() {
            let what = format!("nobody to send to: account {} sends to addresses\n  = help: add --to ADDRESS", settings.via);
            return Err(Failure::new(Exit::Usage, what));
        }
        // The account's own URL, room or key is whom it is for.
        each.push(json!({}));
    }
    let mut rows = String::new();
    for mut row in each {
        if let (Some(text), Some(row)) = (&text, row.as_object_mut()) {
            row.insert("text".into(), text.as_str().into());
        }
        if let (Some(subject), Some(row)) = (&args.subject, row.as_object_mut()) {
            row.insert("subject".into(), subject.as_str().into());
        }
        rows.push_str(&row.to_string());
        rows.push('\n');
    }
    let mut read = job::read_options(&config, &settings, &InputFlags::default(), None, job::constants(&args.content)?)?;
    read.format = Some(Format::Jsonl);
    let order = Order {
        command: "send",
        input: Input::Bytes { name: "--to".into(), bytes: rows.into_bytes() },
        read,
        template: args.content.template,
        settings,
        lineage: None,
        parent: None,
        skip_invalid: false,
        stream: false,
        name: None,
        url,
    };
    begin(&scene, order, &args.flow, &args.new).await
}
