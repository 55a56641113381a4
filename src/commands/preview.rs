//! `notify preview`: what rows would become, on stdout or as files.

use std::path::Path;

use super::ask;
use super::check::{Asked, desk};
use super::oneoff;
use super::open;
use crate::account::Account;
use crate::batch::Batch;
use crate::cli::{Global, Preview};
use crate::config::account::AccountConfig;
use crate::delivery::Delivery;
use crate::exit::{Exit, Failure};
use crate::job;
use crate::lane::Ready;
use crate::platform::{Opening, Share, registry};
use crate::prepare::Prepared;
use crate::recipient::{Position, Row};
use crate::source::spool::Spool;

/// Shows them.
pub(crate) async fn run(global: &Global, mut args: Preview) -> Result<Exit, Failure> {
    let mut config = open::open_config(global)?;
    oneoff::adopt(&mut config, &mut args.list.target.via)?;
    let asked = Asked { list: &args.list, key: None, flow: None };
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
    let mut requests = Requests { accounts: desk.preparer.accounts(), open: Vec::new() };
    for row in wanted {
        let number = row.position.row + 1;
        match desk.preparer.examine(row) {
            Prepared::Ready(ready) => {
                if args.show_request {
                    requests.add(number, *ready);
                } else if let Some(out) = &args.out {
                    write(out, &args, *ready).await?;
                } else {
                    let title = if several { format!("--- row {number}\n") } else { String::new() };
                    open::print(&format!("{title}{}\n", ask::message_text(&ready.delivery).trim_end()));
                }
            }
            Prepared::Skipped(_, _, crate::recipient::Skip::Duplicate { of }) => {
                open::print(&format!("row {number} would be skipped: the same as row {}\n", of + 1));
            }
            Prepared::Skipped(_, _, skip) => open::print(&format!("row {number} would be skipped: {skip}\n")),
            Prepared::Bad(bad) => {
                open::say(&job::bad_line(&desk.name, &bad));
                exit = Exit::BadInput;
            }
        }
    }
    if !requests.tell(several) {
        exit = Exit::BadInput;
    }
    Ok(exit)
}

/// The requests that rows would share, in the order of their first rows.
struct Requests<'a> {
    accounts: &'a [Account],
    open: Vec<Shared>,
}

/// Rows of one request.
struct Shared {
    account: usize,
    share: Option<Share>,
    bytes: usize,
    unique: Vec<u64>,
    rows: Vec<u64>,
    deliveries: Vec<Delivery>,
}

impl Requests<'_> {
    /// Puts a row where the flow would: with others of its group, as many as a request carries.
    fn add(&mut self, number: u64, ready: Ready) {
        let account = &self.accounts[ready.account];
        let most = account.platform.most_bytes();
        if let Some(share) = ready.share.filter(|_| account.batch > 1) {
            let fits = |open: &&mut Shared| {
                open.account == ready.account
                    && open.share.is_some_and(|known| known.group == share.group)
                    && open.deliveries.len() < account.batch
                    && most.is_none_or(|most| open.bytes.saturating_add(share.bytes) <= most)
                    && share.unique.is_none_or(|unique| !open.unique.contains(&unique))
            };
            if let Some(open) = self.open.iter_mut().find(fits) {
                open.bytes = open.bytes.saturating_add(share.bytes);
                open.unique.extend(share.unique);
                open.rows.push(number);
                open.deliveries.push(ready.delivery);
                return;
            }
        }
        let share = ready.share.filter(|_| account.batch > 1);
        self.open.push(Shared {
            account: ready.account,
            share,
            bytes: share.map_or(0, |share| share.bytes),
            unique: share.and_then(|share| share.unique).into_iter().collect(),
            rows: vec![number],
            deliveries: vec![ready.delivery],
        });
    }

    /// Prints them; false where one cannot be made.
    fn tell(self, several: bool) -> bool {
        let mut good = true;
        for Shared { account, rows, deliveries, .. } in self.open {
            let account = &self.accounts[account];
            let Some(batch) = Batch::new(deliveries) else { continue };
            if several {
                let rows: Vec<String> = rows.iter().map(u64::to_string).collect();
                let word = if rows.len() > 1 { "rows" } else { "row" };
                open::print(&format!("--- {word} {} by {}\n", rows.join(", "), account.name));
            }
            match account.platform.show(&batch) {
                Some(Ok(text)) => open::print(&format!("{}\n", text.trim_end())),
                Some(Err(error)) => {
                    open::say(&format!("{}: {error}", account.name));
                    good = false;
                }
                None => open::print(&format!(
                    "({} makes no request that could be shown; the message is)\n{}\n",
                    account.kind,
                    ask::message_text(batch.first()).trim_end()
                )),
            }
        }
        good
    }
}

/// The outbox is what writes messages as files.
async fn write(out: &Path, args: &Preview, ready: Ready) -> Result<(), Failure> {
    let account = AccountConfig {
        name: "outbox".into(),
        platform: "outbox".into(),
        limits: None,
        concurrency: None,
        knobs: Default::default(),
        shaping: None,
        settings: serde_yaml::Mapping::new(),
    };
    let opening = Opening {
        outbox: out.to_owned(),
        from: args.list.target.from.clone(),
        reply_to: args.list.target.reply_to.clone(),
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
