//! The suppression list as a running flow sees it: asked for every row when it is read for sending, free where the list is empty.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::policy::address;
use crate::recipient::Address;
use crate::state::suppressed::{Entry, Suppressed};

/// How often an empty list is looked at again.
const EVERY: Duration = Duration::from_millis(250);

/// The list, shared by the threads that prepare rows.
#[derive(Debug)]
pub struct Suppression {
    list: Mutex<Watched>,
}

#[derive(Debug)]
struct Watched {
    list: Suppressed,
    empty: bool,
    looked: Instant,
}

impl Suppression {
    /// Opens the list of this state folder.
    ///
    /// # Errors
    /// It cannot be read: nothing may be sent then.
    pub fn open(state_dir: &Path) -> rusqlite::Result<Suppression> {
        let list = Suppressed::open(state_dir)?;
        let empty = list.is_empty()?;
        Ok(Suppression { list: Mutex::new(Watched { list, empty, looked: Instant::now() }) })
    }

    /// The entry that stands against writing there: that of the address, or of its domain. One that a person made comes first.
    ///
    /// # Errors
    /// It cannot be read: the row may not be sent now.
    pub fn against(&self, to: &Address, secret: bool) -> rusqlite::Result<Option<Entry>> {
        let mut watched = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.empty {
            if watched.looked.elapsed() < EVERY {
                return Ok(None);
            }
            watched.empty = watched.list.is_empty()?;
            watched.looked = Instant::now();
            if watched.empty {
                return Ok(None);
            }
        }
        let mut found: Option<Entry> = None;
        for form in address::forms(to, secret) {
            if let Some(entry) = watched.list.find(&form)?
                && found.as_ref().is_none_or(|found| found.gone)
            {
                found = Some(entry);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_its_domain_stands_in_the_way_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |text: &str, gone| Entry { address: address::form(text).unwrap(), since: 0, gone, reason: String::new() };
        let mut list = Suppressed::open(folder.path()).unwrap();
        let all = [entry("Ann@Müller.example", true), entry("@closed.example", false), entry("https://h.example/s3cret", false)];
        list.add(all.into_iter()).unwrap();
        let open = Suppression::open(folder.path()).unwrap();
        let against = |to: &str| open.against(&Address::from(to), false).unwrap().map(|entry| entry.gone);
        assert_eq!(against("ANN@xn--mller-kva.example"), Some(true));
        assert_eq!(against("bob@Closed.Example"), Some(false));
        assert_eq!(against("bob@sub.closed.example"), None, "a domain is that domain");
        assert_eq!(against("https://h.example/s3cret"), Some(false));
        assert_eq!(against("https://h.example/other"), None);
        list.add([entry("ann@closed.example", true)].into_iter()).unwrap();
        assert_eq!(against("ann@closed.example"), Some(false), "the word of a person counts");
    }
}
