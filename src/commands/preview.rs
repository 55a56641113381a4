//! `notify preview`: what rows would become, on stdout or as files.

use std::path::Path;

use super::ask;
use super::check::{Asked, desk};
use super::open;
use crate::batch::Batch;
use crate::cli::{Global, Preview};
use crate::config::account::AccountConfig;
use crate::exit::{Exit, Failure};
use crate::job;
use crate::lane::Ready;
use crate::platform::{Opening, registry};
use crate::prepare::Prepared;
use crate::recipient::{Position, Row};
use crate::source::spool::Spool;

/// Shows them.
pub(crate) async fn run(global: &Global, args: Preview) -> Result<Exit, Failure> {
    let config = open::open_config(global)?;
    let asked = Asked { rows: &args.rows, input: &args.input, key: None, content: &args.content, target: &args.target };
    let desk = desk(global, &config, &asked, args.out.as_deref())?;
    let disk = |problem| Failure::new(Exit::Disk, problem);
    let mut spool = Spool::open(&desk.folder).map_err(disk)?;
    let mut wanted: Vec<Row> = Vec::new();
    if let Some(number) = args.row {
        if number > spool.rows() {
            let what = format!("there is no row {number}: {} has {}", desk.name, ask::rows(spool.rows()));
            return Err(Failure::new(Exit::NothingToDo, what));
        }
        wanted.push(spool.read(Position::row(number - 1)).map_err(disk)?);
    } else if let Some(key) = &args.key {
        let mut from = 0;
        while wanted.is_empty() && from < spool.rows() {
            let rows = spool.read_many(from, 4096).map_err(disk)?;
            from += rows.len().max(1) as u64;
            wanted.extend(
                rows.into_iter()
                    .find(|row| row.recipient.as_ref().is_ok_and(|r| r.key == *key || r.to.as_str().eq_ignore_ascii_case(key))),
            );
        }
        if wanted.is_empty() {
            return Err(Failure::new(Exit::NothingToDo, format!("no row of {} has the key or address {key}", desk.name)));
        }
    } else {
        wanted = spool.read_many(0, usize::try_from(args.count).unwrap_or(usize::MAX)).map_err(disk)?;
    }
    let mut exit = Exit::Done;
    let several = wanted.len() > 1;
    for row in wanted {
        let number = row.position.row + 1;
        match desk.preparer.examine(row) {
            Prepared::Ready(ready) => {
                if let Some(out) = &args.out {
                    write(out, &args, *ready).await?;
                } else {
                    let title = if several { format!("--- row {number}\n") } else { String::new() };
                    open::print(&format!("{title}{}\n", ask::message_text(&ready.delivery).trim_end()));
                }
            }
            Prepared::Skipped(_, _, crate::recipient::Skip::Duplicate { of }) => {
                open::print(&format!("row {number} would be skipped: the same as row {}\n", of + 1));
            }
            Prepared::Bad(bad) => {
                eprintln!("{}", job::bad_line(&desk.name, &bad));
                exit = Exit::BadInput;
            }
        }
    }
    Ok(exit)
}

/// The outbox is what writes messages as files.
async fn write(out: &Path, args: &Preview, ready: Ready) -> Result<(), Failure> {
    let account = AccountConfig {
        name: "outbox".into(),
        platform: "outbox".into(),
        limits: None,
        concurrency: None,
        settings: serde_yaml::Mapping::new(),
    };
    let opening = Opening {
        outbox: out.to_owned(),
        from: args.target.from.clone(),
        reply_to: args.target.reply_to.clone(),
        ..Opening::default()
    };
    let outbox = registry::open(&account, &opening).map_err(|problem| Failure::new(Exit::BadConfig, problem))?;
    let batch = Batch::one(ready.delivery);
    match outbox.send(&batch).await.into_inner().into_iter().next() {
        Some(Ok(receipt)) => {
            open::print(&format!("{}\n", receipt.id.unwrap_or_default()));
            Ok(())
        }
        Some(Err(error)) => Err(Failure::new(Exit::Disk, error)),
        None => Ok(()),
    }
}
