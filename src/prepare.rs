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
use crate::policy::{Policy, Ruling};
use crate::priority::Priority;
use crate::recipient::{Place, Position, Recipient, Row, RowError, Skip};
use crate::route::{Route, Stage};
use crate::template::compiled::Template;

/// Everything that turns rows into deliveries, shared by the threads that do it.
#[derive(Debug)]
pub struct Preparer {
    accounts: Vec<Account>,
    by_name: HashMap<Arc<str>, usize>,
    /// What `--via` and `_via` name.
    routes: HashMap<Arc<str>, Route>,
    template: Arc<Template>,
    /// `_template` of single rows, by name.
    others: HashMap<Arc<str>, Arc<Template>>,
    /// The run's own template goes for every row, whatever the row names (`retry --template`).
    one_template: bool,
    lineage: String,
    /// What keeps rows from being sent, or sends them elsewhere.
    policy: Policy,
    /// Of rows that say none of their own.
    priority: Priority,
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

/// With whom a row was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// This account; it stays there.
    Stays(usize),
    /// This one, or any other of the same pool.
    Moves(usize),
}

impl Before {
    fn account(self) -> usize {
        let (Before::Stays(account) | Before::Moves(account)) = self;
        account
    }
}

/// The pool that decides who takes the row, if one does, and whose account it is rendered for.
fn taker(stage: &Stage, before: Option<Before>) -> (Option<Arc<[usize]>>, usize) {
    match before {
        Some(Before::Stays(account)) if stage.members.contains(&account) => (None, account),
        _ => ((stage.members.len() > 1).then(|| stage.members.clone()), stage.members[0]),
    }
}

impl Preparer {
    /// Accounts in the order that lanes know them by; the first is the run's own.
    pub fn new(
        accounts: Vec<Account>,
        routes: HashMap<Arc<str>, Route>,
        template: Template,
        others: HashMap<Arc<str>, Template>,
        one_template: bool,
        lineage: String,
    ) -> Self {
        let by_name = accounts.iter().enumerate().map(|(i, account)| (account.name.clone(), i)).collect();
        let others = others.into_iter().map(|(name, template)| (name, Arc::new(template))).collect();
        Preparer {
            accounts,
            by_name,
            routes,
            template: Arc::new(template),
            others,
            one_template,
            lineage,
            policy: Policy::default(),
            priority: Priority::default(),
        }
    }

    /// Under this policy.
    #[must_use]
    pub fn under(self, policy: Policy) -> Self {
        Preparer { policy, ..self }
    }

    /// The policy that rows are under.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// As it is, but rows that say nothing of their priority have this one.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Preparer { priority, ..self }
    }

    /// The priority of rows that say none of their own.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The accounts, the run's own first.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Index of an account by its name.
    pub fn account(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Whether nothing that is sent here reaches anybody.
    pub fn harmless(&self) -> bool {
        self.accounts.iter().all(|account| account.platform.capability().harmless)
    }

    /// The account that follows on the row's route where this one failed for good, if the row has an address for it.
    pub fn after(&self, account: usize, row: &Row) -> Option<usize> {
        let recipient = row.recipient.as_ref().ok()?;
        self.routes.get(&recipient.via)?.after(account, recipient)
    }

    /// Whether the account belongs to a later step of some route, and to the first of none: a row that is with it had another before.
    pub fn is_later(&self, account: usize) -> bool {
        self.falls_back() && !self.routes.values().any(|route| route.stage_of(account) == Some(0))
    }

    /// Whether another account follows this one on some route.
    pub fn goes_on(&self, account: usize) -> bool {
        self.routes.values().any(|route| route.stage_of(account).is_some_and(|stage| stage + 1 < route.stages.len()))
    }

    /// Whether any route has a second step.
    pub fn falls_back(&self) -> bool {
        self.routes.values().any(|route| route.stages.len() > 1)
    }

    /// The accounts of all routes that this one is on, itself among them.
    pub fn together(&self, account: usize) -> Vec<usize> {
        let of = |route: &&Route| route.stage_of(account).is_some();
        let members = |route: &Route| route.stages.iter().flat_map(|stage| stage.members.to_vec()).collect::<Vec<_>>();
        std::iter::once(account).chain(self.routes.values().filter(of).flat_map(members)).collect()
    }

    /// The accounts of all pools that this one belongs to, itself among them.
    pub fn pool_of(&self, account: usize) -> impl Iterator<Item = usize> + '_ {
        let stages = self.routes.values().flat_map(|route| &route.stages);
        stages.filter(move |stage| stage.members.contains(&account)).flat_map(|stage| stage.members.iter().copied())
    }

    /// Whether the account belongs to a pool.
    pub fn is_pooled(&self, account: usize) -> bool {
        let of = |route: &Route| route.stages.iter().any(|stage| stage.members.len() > 1 && stage.members.contains(&account));
        self.routes.values().any(of)
    }

    /// Renders the row for the first step of its route, or for that which the account `before` belongs to; `tried` attempts of it have
    /// counted already.
    pub fn prepare(&self, row: Row, tried: u32, before: Option<Before>) -> Prepared {
        let priority = row.priority.unwrap_or(self.priority);
        match self.routed(row, tried, before) {
            Prepared::Ready(ready) if priority != Priority::Normal => {
                Prepared::Ready(Box::new(Ready { lane: ready.lane.ranked(priority), ..*ready }))
            }
            other => other,
        }
    }

    fn routed(&self, row: Row, tried: u32, before: Option<Before>) -> Prepared {
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
        let Some(route) = self.routes.get(&recipient.via) else {
            let error = SendError::new(ErrorKind::BadRow, format!("no account is called {}", recipient.via));
            return Prepared::Bad(Bad { position, place, account: recipient.via, error });
        };
        let first = self.accounts[route.stages[0].members[0]].name.clone();
        let not_before = match self.rule(route, &recipient) {
            Ok(Ruling::Go(not_before)) => not_before,
            Ok(Ruling::Skip(skip)) => return Prepared::Skipped(position, recipient.via, skip),
            Err(error) => return Prepared::Bad(Bad { position, place, account: first, error }),
        };
        if let [stage] = route.stages.as_slice() {
            let (pool, index) = taker(stage, before);
            return match self.render(recipient, position, place, index, tried) {
                Ok(ready) => Prepared::Ready(Box::new(Ready { pool, not_before, ..ready })),
                Err(bad) => Prepared::Bad(bad),
            };
        }
        match self.first_step(route, &recipient, position, &place, tried, before) {
            Prepared::Ready(ready) => Prepared::Ready(Box::new(Ready { not_before, ..*ready })),
            other => other,
        }
    }

    /// What policy says of the row: whom one of its addresses must not reach is not written to at all, unless it was only a service that
    /// called that one gone, and the row has another.
    fn rule(&self, route: &Route, recipient: &Recipient) -> Result<Ruling, SendError> {
        if self.policy.suppression.is_some() {
            let mut left = 0;
            for (step, stage) in route.stages.iter().enumerate() {
                let Some(to) = route.address(step, recipient) else { continue };
                match self.policy.suppressed(&to, &stage.addressing)? {
                    None => left += 1,
                    Some(true) => {}
                    Some(false) => return Ok(Ruling::Skip(Skip::Suppressed)),
                }
            }
            if left == 0 && route.stages.iter().enumerate().any(|(step, _)| route.address(step, recipient).is_some()) {
                return Ok(Ruling::Skip(Skip::Suppressed));
            }
        }
        self.policy.rule(recipient, &self.lineage, jiff::Timestamp::now())
    }

    /// The first step that the row has an address and the right content for; what is wrong with the first of all, where there is none.
    fn first_step(
        &self,
        route: &Route,
        recipient: &Recipient,
        position: Position,
        place: &Place,
        tried: u32,
        before: Option<Before>,
    ) -> Prepared {
        let from = before.and_then(|before| route.stage_of(before.account())).unwrap_or_default();
        let mut first_bad = None;
        for (step, stage) in route.stages.iter().enumerate().skip(from) {
            let Some(to) = route.address(step, recipient) else { continue };
            // A service called it gone; the row goes to its next address.
            if self.policy.suppressed(&to, &stage.addressing).is_ok_and(|found| found.is_some()) {
                continue;
            }
            let (pool, index) = taker(stage, before);
            let tried = if step == from { tried } else { 0 };
            match self.render(Recipient { to, ..recipient.clone() }, position, place.clone(), index, tried) {
                Ok(ready) => return Prepared::Ready(Box::new(Ready { pool, ..ready })),
                Err(bad) => first_bad = first_bad.or(Some(bad)),
            }
        }
        Prepared::Bad(first_bad.unwrap_or_else(|| {
            let error = SendError::new(ErrorKind::BadRow, format!("the row has no address for any of {}", recipient.via));
            Bad { position, place: place.clone(), account: recipient.via.clone(), error }
        }))
    }

    /// The row as a delivery of this account.
    fn render(&self, recipient: Recipient, position: Position, place: Place, index: usize, tried: u32) -> Result<Ready, Bad> {
        let opened = &self.accounts[index];
        let account = opened.name.clone();
        let bad = |error| Bad { position, place: place.clone(), account: account.clone(), error };
        let addressing = &opened.platform.capability().addressing;
        let to = self.policy.destination(recipient.to.clone(), &account, addressing).map_err(bad)?;
        let lane = opened.lane(&to).map_err(bad)?;
        let template = match &recipient.template {
            Some(name) if !self.one_template && self.template.files().name != **name => {
                self.others.get(name).ok_or_else(|| {
                    bad(SendError::new(ErrorKind::BadRow, format!("no template is called {name} (column _template)")))
                })?
            }
            _ => &self.template,
        };
        // A panic while one row is rendered is a defect of ours; it must not take the other rows with it.
        let rendered = catch_unwind(AssertUnwindSafe(|| template.render(&opened.platform.capability().wants, &recipient.vars)));
        let mut message = match rendered {
            Ok(Ok(message)) => message,
            Ok(Err(error)) => {
                let named = error.variable.as_ref().and_then(|name| recipient.vars.keys().position(|column| column == name));
                let row_error = error.at(&place);
                let column = row_error.place.column.or(named.and_then(|n| u32::try_from(n + 1).ok()));
                let row_error = RowError { place: Place { column, ..row_error.place }, ..row_error };
                let error = SendError::new(ErrorKind::BadRow, row_error.what);
                return Err(Bad { position, place: row_error.place, account: account.clone(), error });
            }
            Err(_) => {
                return Err(bad(SendError::new(ErrorKind::BadRow, "rendering this row failed inside notify; please report it")));
            }
        };
        self.policy.screen(&mut message, &recipient.to, &account, addressing).map_err(bad)?;
        if opened.platform.capability().columns {
            message.columns = recipient.vars;
        }
        // By the name of the route, so that a row is the same row with whichever of its accounts.
        let id = recipient
            .delivery_id
            .as_deref()
            .and_then(DeliveryId::parse)
            .unwrap_or_else(|| DeliveryId::derive(&self.lineage, &recipient.key, &recipient.via));
        let envelope = Envelope { id, position, account, to, attempt: tried + 1 };
        let delivery = Delivery { envelope, message };
        let share = if opened.batch > 1 { opened.platform.share(&delivery) } else { None };
        let lane = if opened.batch > 1 { lane.grouped(share) } else { lane };
        Ok(Ready { account: index, lane, share, pool: None, not_before: None, delivery })
    }

    /// As [`Preparer::prepare`], and everything else that can be known before sending: for preflight.
    pub fn examine(&self, row: Row) -> Prepared {
        let place = row.place.clone();
        match self.prepare(row, 0, None) {
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
