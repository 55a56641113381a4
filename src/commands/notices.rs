//! `--notify-on`: a short message about a run through another account; opened before the run, sent when it has ended.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::batch::Batch;
use crate::exit::{Exit, Failure};
use crate::hook::notice::{Notice, When};
use crate::job::Settings;
use crate::job::accounts::{addressing_of, open_accounts};
use crate::prepare::{Prepared, Preparer};
use crate::recipient::{Address, Place, Position, Recipient, Row, Vars};
use crate::template::compiled::Template;

use super::open::Scene;

/// A message of one sentence takes no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A notice whose account is open.
pub(crate) struct Opened {
    notice: Notice,
    to: Address,
    preparer: Preparer,
}

/// Opens the accounts of all notices and tries them with an example, so that what cannot work is told before the run.
///
/// # Errors
/// An account that does not exist or cannot be opened, an address that is missing or none: exit 2 or 4.
pub(crate) fn open(scene: &Scene<'_>, settings: &Settings, run: &str, out: &Path) -> Result<Vec<Opened>, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    let mut all = Vec::new();
    for notice in &settings.watching.notify_on {
        let via = &notice.account;
        let addressing = addressing_of(scene.config, via)?;
        let Some(to) = notice.to.clone().or(addressing.fixed) else {
            let what = format!("--notify-on: account {via} sends to addresses: write =\"{via}:ADDRESS\"");
            return Err(usage(what));
        };
        // The sender of the run's messages is not that of what is said about it.
        let own = Settings { from: None, reply_to: None, concurrency: None, ..settings.clone() };
        let opening = own.opening(scene.config, run, out);
        let opened = open_accounts(scene.config, std::slice::from_ref(via), &opening, None, None)?;
        let template = Template::from_row_content(&own.template_options()).map_err(crate::job::bad_input)?;
        let preparer = Preparer::new(opened.accounts, opened.routes, template, HashMap::new(), false, run.to_owned());
        let opened = Opened { notice: notice.clone(), to: Address::from(to.as_str()), preparer };
        if let Prepared::Bad(bad) = opened.preparer.examine(opened.row("a run has ended", "as an example")) {
            return Err(usage(format!("--notify-on {via}: {}", bad.error.detail)));
        }
        all.push(opened);
    }
    Ok(all)
}

impl Opened {
    /// Whether it is sent at that end.
    pub(crate) fn is_due(&self, when: When) -> bool {
        self.notice.when == when
    }

    /// Sends it, once; says what went wrong, if anything did.
    pub(crate) async fn send(&self, subject: &str, text: &str) -> Option<String> {
        let via = &self.notice.account;
        let ready = match self.preparer.prepare(self.row(subject, text), 0, None) {
            Prepared::Ready(ready) => ready,
            Prepared::Bad(bad) => return Some(format!("{via}: {}", bad.error.detail)),
            Prepared::Skipped(..) => return None,
        };
        let platform = self.preparer.accounts()[ready.account].platform.clone();
        let batch = Batch::one(ready.delivery);
        let sent = timeout(PATIENCE, platform.send(&batch)).await;
        platform.close().await;
        match sent {
            Ok(verdicts) => verdicts.into_inner().into_iter().find_map(Result::err).map(|error| format!("{via}: {error}")),
            Err(_) => Some(format!("{via}: no answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn row(&self, subject: &str, text: &str) -> Row {
        let mut vars = Vars::new();
        vars.insert("subject".to_owned(), json!(subject));
        vars.insert("text".to_owned(), json!(text));
        let recipient = Recipient {
            to: self.to.clone(),
            via: self.notice.account.as_str().into(),
            key: format!("notify-on {:?}", self.notice.when),
            template: None,
            delivery_id: None,
            vars,
        };
        Row {
            position: Position::row(0),
            place: Place::default(),
            skip: None,
            priority: None,
            recipient: Ok(recipient),
            raw: Vars::new(),
        }
    }
}
