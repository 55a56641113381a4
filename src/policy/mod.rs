//! What keeps a good row from being sent, or sends it elsewhere: suppressed, sent already, too old, outside of what is allowed, redirected.
//!
//! Asked by the `Preparer` for every row, in preflight and again when the row is read for sending, so that what is decided meanwhile counts.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, SendError};
use crate::message::Message;
use crate::policy::sent::Sent;
use crate::policy::suppression::Suppression;
use crate::recipient::{Address, Addressing, Recipient, Skip};
use crate::schedule::{Leave, Timetable};

pub mod address;
pub mod gone;
pub mod sent;
pub mod suppression;

/// Names the recipient of a message that was redirected.
pub const REDIRECTED: &str = "X-Original-To";

/// `--name --again --redirect-to --allow-domain --suppress-gone`, as a run's manifest keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Safeguards {
    /// The name under which a list is sent once.
    pub name: Option<String>,
    /// Everything goes there.
    pub redirect_to: Option<String>,
    /// Nothing goes elsewhere.
    pub allow_domains: Vec<String>,
    /// Addresses that a service calls gone are suppressed from now on.
    pub suppress_gone: bool,
}

/// The policy of a run, ready to be asked. The default forbids nothing.
#[derive(Debug, Default)]
pub struct Policy {
    /// When rows may leave.
    pub timetable: Timetable,
    /// Who is not written to.
    pub suppression: Option<Suppression>,
    /// What other runs of this line have sent.
    pub sent: Option<Sent>,
    /// Where everything goes instead.
    pub redirect: Option<Address>,
    /// Where anything may go.
    pub allowed: Option<Allowed>,
}

/// What `--allow-domain` allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Domains and hosts; one that begins with a dot stands for all below it.
    domains: Vec<String>,
    /// Accounts whose own place is in one of them.
    own: HashSet<Arc<str>>,
}

impl Allowed {
    /// These domains and hosts: `corp.example`, `.corp.example` or `*.corp.example`.
    ///
    /// # Errors
    /// One that is no domain.
    pub fn new(words: &[String]) -> Result<Allowed, String> {
        let read = |word: &String| {
            let bare = word.trim().trim_start_matches('@');
            let (below, name) = match bare.strip_prefix("*.").or_else(|| bare.strip_prefix('.')) {
                Some(name) => (".", name),
                None => ("", bare),
            };
            let host =
                address::domain(&format!("https://{}", if name.contains("::") { format!("[{name}]") } else { name.to_owned() }));
            let fits = !name.is_empty() && !name.contains(['/', '@', ' ', ',', ';']);
            host.filter(|_| fits).map(|host| format!("{below}{host}")).ok_or_else(|| {
                format!("--allow-domain {word}: write a domain such as corp.example, or *.corp.example for all below it")
            })
        };
        Ok(Allowed { domains: words.iter().map(read).collect::<Result<_, _>>()?, own: HashSet::new() })
    }

    /// The account's own place, which rows without an address go to, has these URLs in its settings.
    pub fn account(&mut self, name: &Arc<str>, urls: &[String]) {
        if !urls.is_empty() && urls.iter().all(|url| address::domain(url).is_some_and(|host| self.has(&host))) {
            self.own.insert(name.clone());
        }
    }

    fn has(&self, domain: &str) -> bool {
        self.domains.iter().any(|allowed| match allowed.strip_prefix('.') {
            Some(_) => domain.len() > allowed.len() && domain.ends_with(allowed.as_str()),
            None => domain == allowed,
        })
    }

    fn check(&self, to: &str, account: &Arc<str>, addressing: &Addressing) -> Result<(), SendError> {
        let bad = |what: String| Err(SendError::new(ErrorKind::BadRow, what));
        if addressing.fixed.as_deref() == Some(to) {
            return match self.own.contains(account) {
                true => Ok(()),
                false => {
                    bad(format!("account {account} sends to a place of its own that is not in --allow-domain, or cannot be seen"))
                }
            };
        }
        match address::domain(to) {
            Some(domain) if self.has(&domain) => Ok(()),
            Some(domain) => bad(format!("{domain} is not allowed (--allow-domain {})", self.domains.join(", "))),
            None => bad("the address has no domain, so --allow-domain cannot allow it".to_owned()),
        }
    }
}

/// What policy says of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may go, but not before then where that is said.
    Go(Option<Timestamp>),
    /// It is not sent.
    Skip(Skip),
}

impl Policy {
    /// What is to be done with the row now, whatever its account says of its address.
    ///
    /// # Errors
    /// Its `_send_at` or its time zone cannot be read; or the tables of policy cannot, and then it may not be sent now.
    pub fn rule(&self, recipient: &Recipient, lineage: &str, now: Timestamp) -> Result<Ruling, SendError> {
        if let Some(sent) = &self.sent
            && let Some(skip) = sent.before(recipient, lineage).map_err(unreadable)?
        {
            return Ok(Ruling::Skip(skip));
        }
        Ok(match self.timetable.leave(&recipient.vars, now).map_err(|(column, why)| bad_cell(&column, &why))? {
            Leave::Now => Ruling::Go(None),
            Leave::At(moment) => Ruling::Go(Some(moment)),
            Leave::Expired => Ruling::Skip(Skip::Expired),
        })
    }

    /// Whether anybody, or a service, said not to write to this address: `Some(true)` where only a service did.
    ///
    /// # Errors
    /// The list cannot be read: the row may not be sent now.
    pub fn suppressed(&self, to: &Address, addressing: &Addressing) -> Result<Option<bool>, SendError> {
        let Some(suppression) = &self.suppression else { return Ok(None) };
        let found = suppression.against(to, addressing.secret).map_err(unreadable)?;
        Ok(found.map(|entry| entry.gone))
    }

    /// Where the row goes by this account.
    ///
    /// # Errors
    /// That is not allowed.
    pub fn destination(&self, to: Address, account: &Arc<str>, addressing: &Addressing) -> Result<Address, SendError> {
        let to = self.redirect.clone().unwrap_or(to);
        if let Some(allowed) = &self.allowed {
            allowed.check(to.as_str(), account, addressing)?;
        }
        Ok(to)
    }

    /// Keeps the message from those whom it names besides its recipient `to`, where they may not have it.
    ///
    /// # Errors
    /// One of them is not allowed, or the list cannot be read.
    pub fn screen(
        &self,
        message: &mut Message,
        to: &Address,
        account: &Arc<str>,
        addressing: &Addressing,
    ) -> Result<(), SendError> {
        if self.redirect.is_some() {
            (message.cc, message.bcc) = (Vec::new(), Vec::new());
            if !addressing.secret && !to.as_str().contains(['\r', '\n', '\0']) {
                message.headers.push((REDIRECTED.to_owned(), to.as_str().to_owned()));
            }
        }
        for list in [&mut message.cc, &mut message.bcc] {
            for further in list.iter() {
                if let Some(allowed) = &self.allowed {
                    allowed.check(further, account, addressing)?;
                }
            }
            if self.suppression.is_some() && !list.is_empty() {
                let mut kept = Vec::with_capacity(list.len());
                for further in list.drain(..) {
                    if self.suppressed(&Address::from(further.as_str()), addressing)?.is_none() {
                        kept.push(further);
                    }
                }
                *list = kept;
            }
        }
        Ok(())
    }
}

/// Not sent now, and nothing that is wrong with the row.
fn unreadable(error: rusqlite::Error) -> SendError {
    SendError::new(ErrorKind::Unavailable, format!("whether this row may be sent could not be looked up: {error}"))
}

fn bad_cell(column: &str, why: &str) -> SendError {
    SendError::new(ErrorKind::BadRow, format!("`{column}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressing(fixed: Option<&str>) -> Addressing {
        Addressing { columns: Vec::new(), fixed: fixed.map(Into::into), phone: false, fold_case: true, secret: false, any: false }
    }

    #[test]
    fn only_what_is_allowed_is_sent_to() {
        let mut allowed = Allowed::new(&["Corp.example".into(), "*.Müller.example".into(), "127.0.0.1".into()]).unwrap();
        let account: Arc<str> = "hook".into();
        let check = |allowed: &Allowed, to: &str| allowed.check(to, &account, &addressing(Some("webhook:hook"))).is_ok();
        for (to, is) in [
            ("ann@corp.example", true),
            ("ann@CORP.example", true),
            ("Ann <ann@corp.example>", true),
            ("ann@sub.corp.example", false),
            ("ann@notcorp.example", false),
            ("ann@corp.example.evil.example", false),
            ("ann@a.müller.example", true),
            ("ann@müller.example", false),
            ("https://corp.example/hook", true),
            ("https://corp.example@evil.example/hook", false),
            ("http://127.0.0.1:8080/x", true),
            ("+4915112345", false),
            ("webhook:hook", false),
        ] {
            assert_eq!(check(&allowed, to), is, "{to}");
        }
        allowed.account(&account, &["http://127.0.0.1:99/in".into(), "https://evil.example".into()]);
        assert!(!check(&allowed, "webhook:hook"), "all of its places must be");
        allowed.account(&account, &["http://127.0.0.1:99/in".into()]);
        assert!(check(&allowed, "webhook:hook"));
        for wrong in ["", "a b", "ann@corp.example", "https://corp.example/x", "*."] {
            assert!(Allowed::new(&[wrong.into()]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_redirected_message_reaches_nobody_else() {
        let policy = Policy { redirect: Some(Address::from("qa@corp.example")), ..Policy::default() };
        let account: Arc<str> = "mail".into();
        let to = policy.destination(Address::from("ann@customer.example"), &account, &addressing(None)).unwrap();
        assert_eq!(to.as_str(), "qa@corp.example");
        let mut message = Message { cc: vec!["c@x.example".into()], bcc: vec!["b@x.example".into()], ..Message::default() };
        policy.screen(&mut message, &Address::from("ann@customer.example"), &account, &addressing(None)).unwrap();
        assert_eq!((message.cc.len(), message.bcc.len()), (0, 0));
        assert_eq!(message.headers, [(REDIRECTED.to_owned(), "ann@customer.example".to_owned())]);
    }
}
