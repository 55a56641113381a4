//! What a definition may never say, lest a message be taken twice or counted as sent: successes that no service spoke, keys that are
//! promised and not sent.

use crate::platform::declared::condition::Condition;
use crate::platform::declared::definition::batch::Shared;
use crate::platform::declared::definition::flaw::Flaw;
use crate::platform::declared::definition::kinds::Kind;
use crate::platform::declared::definition::names::{batch_names, kind_names, request_names};
use crate::platform::declared::definition::request::Bodies;
use crate::platform::declared::definition::{Definition, IdemFormat, Idempotency};

/// What is wrong with a success test that holds for a gateway's 500 too. One that does not look at the status is held to 2xx.
///
/// # Errors
/// One sentence.
pub fn check_success(success: &Condition) -> Result<(), String> {
    match success.wants_status() && success.takes_doubtful() {
        true => Err("500, 502, 504 and a lost connection are never a success: after them nobody knows".to_owned()),
        false => Ok(()),
    }
}

impl Definition {
    /// Tests that lead to "sent", or to the message being sent again, hold for no reply that says nothing.
    pub(super) fn check_doubt(&self) -> Result<(), Flaw> {
        let results = self.results.iter().filter_map(|results| results.success.as_ref());
        for success in std::iter::once(&self.success).chain(results) {
            check_success(success).map_err(|what| Flaw::new("success", what))?;
        }
        let replays = self.idempotency.iter().flat_map(|idempotency| &idempotency.replay);
        if replays.into_iter().any(Condition::takes_doubtful) {
            return Err(Flaw::new(
                "replay",
                "500, 502, 504 and a lost connection do not say that the service has the message: let replay look at what it says then",
            ));
        }
        if self.token.iter().flat_map(|token| &token.invalid_when).any(Condition::takes_doubtful) {
            return Err(Flaw::new(
                "invalid_when",
                "after 500, 502, 504 or a lost connection the message may have been taken, and must not go again with a new token",
            ));
        }
        self.check_key()
    }

    /// Every request carries the key against doubles that the definition speaks of.
    fn check_key(&self) -> Result<(), Flaw> {
        let Some(key) = &self.idempotency else { return Ok(()) };
        if key.header.is_some() || key.query.is_some() || key.is_in(request_names(&self.request)) {
            return Ok(());
        }
        let missing = |place: &str| {
            let what =
                format!("{place} carries no key: write {{{{idem}}}} into it, or idempotency: {{ header: Idempotency-Key }}");
            Err(Flaw::new("idempotency", what))
        };
        match &self.request.bodies {
            Bodies::One(form) if !key.is_in(form.names()) => return missing("the request"),
            Bodies::One(_) => {}
            Bodies::Kinds(kinds) => {
                if let Some((name, _)) = kinds.iter().find(|(_, kind)| !key.is_in_kind(kind)) {
                    return missing(&format!("the kind {name}"));
                }
            }
        }
        match &self.batch {
            Some(batch) if !key.is_in_shared(batch) => missing("the request for several"),
            _ => Ok(()),
        }
    }
}

impl Idempotency {
    /// One of these values is the key.
    pub fn is_in<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        names.into_iter().any(|name| name == "idem" || (name == "id" && self.format == IdemFormat::String))
    }

    fn is_in_kind(&self, kind: &Kind) -> bool {
        kind.repeatable || self.is_in(kind_names(kind))
    }

    fn is_in_shared(&self, batch: &Shared) -> bool {
        // Elements that are whole bodies, and what is taken from the main request, were looked at there.
        let whole = batch.lists.iter().any(|list| list.each.is_none());
        let own = batch.request.as_ref().and_then(|request| request.bodies.as_ref());
        let around = match own {
            None => batch.mode == crate::platform::declared::definition::batch::Mode::Same,
            Some(Bodies::One(form)) => self.is_in(form.names()),
            Some(Bodies::Kinds(kinds)) => kinds.iter().all(|(_, kind)| self.is_in_kind(kind)),
        };
        whole || around || self.is_in(batch_names(batch))
    }
}
