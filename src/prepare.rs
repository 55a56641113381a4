//! A row becomes a delivery: settled already, unreadable, without a value that the template needs, or ready to go.
//!
//! Preflight, the flow and `preview` all come through here, so that what was checked is what is sent.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::account::Account;
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::error::{ErrorKind, SendError};
use crate::lane::Ready;
use crate::recipient::{Place, Position, Row, RowError, Skip};
use crate::template::compiled::Template;

/// Everything that turns rows into deliveries, shared by the threads that do it.
#[derive(Debug)]
pub struct Preparer {
    accounts: Vec<Account>,
    by_name: HashMap<Arc<str>, usize>,
    template: Arc<Template>,
    /// `_template` of single rows, by name.
    others: HashMap<Arc<str>, Arc<Template>>,
    /// The run's own template goes for every row, whatever the row names (`retry --template`).
    one_template: bool,
    lineage: String,
}

/// What became of a row before anything was sent.
#[derive(Debug)]
pub enum Prepared {
    /// It can go.
    Ready(Box<Ready>),
    /// It fails alone, now.
    Bad(Bad),
    /// Policy: it is not sent.
    Skipped(Position, Arc<str>, Skip),
}

/// A row that cannot be sent as it is.
#[derive(Debug)]
pub struct Bad {
    /// Which row.
    pub position: Position,
    /// Where a person finds it.
    pub place: Place,
    /// Its account, or the run's where the row did not get that far.
    pub account: Arc<str>,
    /// Why.
    pub error: SendError,
}

impl Preparer {
    /// Accounts in the order that lanes know them by; the first is the run's own.
    pub fn new(
        accounts: Vec<Account>,
        template: Template,
        others: HashMap<Arc<str>, Template>,
        one_template: bool,
        lineage: String,
    ) -> Self {
        let by_name = accounts.iter().enumerate().map(|(i, account)| (account.name.clone(), i)).collect();
        let others = others.into_iter().map(|(name, template)| (name, Arc::new(template))).collect();
        Preparer { accounts, by_name, template: Arc::new(template), others, one_template, lineage }
    }

    /// The accounts, the run's own first.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Index of an account by its name.
    pub fn account(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Renders the row; `tried` attempts of it have counted already.
    pub fn prepare(&self, row: Row, tried: u32) -> Prepared {
        let (position, place) = (row.position, row.place);
        let recipient = match row.recipient {
            Ok(recipient) => recipient,
            Err(error) => {
                let account = self.accounts[0].name.clone();
                return Prepared::Bad(Bad {
                    position,
                    place: error.place,
                    account,
                    error: SendError::new(ErrorKind::BadRow, error.what),
                });
            }
        };
        if let Some(skip) = row.skip {
            return Prepared::Skipped(position, recipient.via, skip);
        }
        let account = recipient.via.clone();
        let bad = |error| Prepared::Bad(Bad { position, place: place.clone(), account: account.clone(), error });
        let Some(&index) = self.by_name.get(&recipient.via) else {
            return bad(SendError::new(ErrorKind::BadRow, format!("no account is called {}", recipient.via)));
        };
        let opened = &self.accounts[index];
        let lane = match opened.lane(&recipient.to) {
            Ok(lane) => lane,
            Err(error) => return bad(error),
        };
        let template = match &recipient.template {
            Some(name) if !self.one_template && self.template.files().name != **name => match self.others.get(name) {
                Some(template) => template,
                None => {
                    return bad(SendError::new(ErrorKind::BadRow, format!("no template is called {name} (column _template)")));
                }
            },
            _ => &self.template,
        };
        // A panic while one row is rendered is a defect of ours; it must not take the other rows with it.
        let rendered = catch_unwind(AssertUnwindSafe(|| template.render(&opened.platform.capability().wants, &recipient.vars)));
        let message = match rendered {
            Ok(Ok(mut message)) => {
                if opened.platform.capability().columns {
                    message.columns = recipient.vars;
                }
                message
            }
            Ok(Err(error)) => {
                let named = error.variable.as_ref().and_then(|name| recipient.vars.keys().position(|column| column == name));
                let row_error = error.at(&place);
                let column = row_error.place.column.or(named.and_then(|n| u32::try_from(n + 1).ok()));
                let row_error = RowError { place: Place { column, ..row_error.place }, ..row_error };
                let error = SendError::new(ErrorKind::BadRow, row_error.what);
                return Prepared::Bad(Bad { position, place: row_error.place, account: account.clone(), error });
            }
            Err(_) => return bad(SendError::new(ErrorKind::BadRow, "rendering this row failed inside notify; please report it")),
        };
        let id = recipient
            .delivery_id
            .as_deref()
            .and_then(DeliveryId::parse)
            .unwrap_or_else(|| DeliveryId::derive(&self.lineage, &recipient.key, &recipient.via));
        let envelope = Envelope { id, position, account: recipient.via, to: recipient.to, attempt: tried + 1 };
        let delivery = Delivery { envelope, message };
        let share = if opened.batch > 1 { opened.platform.share(&delivery) } else { None };
        let lane = if opened.batch > 1 { lane.grouped(share) } else { lane };
        Prepared::Ready(Box::new(Ready { account: index, lane, share, delivery }))
    }

    /// As [`Preparer::prepare`], and everything else that can be known before sending: for preflight.
    pub fn examine(&self, row: Row) -> Prepared {
        let place = row.place.clone();
        match self.prepare(row, 0) {
            Prepared::Ready(ready) => {
                let Delivery { envelope, message } = &ready.delivery;
                match self.accounts[ready.account].platform.examine(&envelope.to, message) {
                    Ok(()) => Prepared::Ready(ready),
                    Err(error) => {
                        Prepared::Bad(Bad { position: envelope.position, place, account: envelope.account.clone(), error })
                    }
                }
            }
            other => other,
        }
    }
}
