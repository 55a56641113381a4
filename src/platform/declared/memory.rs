//! What an account remembers from one reply to the next: rules that fired, addresses that moved. For one run, bounded, never shown.
//!
//! Invariant: forgetting is always safe. A forgotten rule does not widen, a forgotten address is asked of the service again.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::delivery::DeliveryId;

/// A rule that fires for the same target within this time, counted from the end of the wait that it named, is no accident.
const AGAIN: Duration = Duration::from_secs(60);

/// So many of each kind.
const MOST: usize = 10_000;

/// An address that moved more often than that moves in a circle.
const HOPS: usize = 8;

/// The memory of an account.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fired: HashMap<(usize, String), Fired>,
    moved: HashMap<String, String>,
}

struct Fired {
    at: SystemTime,
    wait: Duration,
    by: Option<DeliveryId>,
}

/// Addresses are personal data.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Memory {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address that the service named in place of this one, and in place of that one, and so on; never in a circle.
    pub fn rewritten(&self, to: &str) -> Option<String> {
        let inner = self.lock();
        let mut new = inner.moved.get(to)?;
        for _ in 0..HOPS {
            match inner.moved.get(new) {
                Some(next) if next != to => new = next,
                _ => break,
            }
        }
        Some(new.clone())
    }

    /// From now on `new` stands for `old`.
    pub fn moves(&self, old: &str, new: &str) {
        let mut inner = self.lock();
        if old == new {
            inner.moved.remove(old);
            return;
        }
        make_room(&mut inner.moved, |_, _| false);
        inner.moved.insert(old.to_owned(), new.to_owned());
    }

    /// Rule number `rule` fired for `target` and named this wait. Whether it did so before within a minute, so that the wait was of no
    /// use. Other deliveries that were on their way when the wait was named had no chance to obey it, and prove nothing.
    pub fn fires(&self, rule: usize, target: &str, by: Option<&DeliveryId>, wait: Duration, now: SystemTime) -> bool {
        let mut inner = self.lock();
        let over = |fired: &Fired| now.duration_since(fired.at).unwrap_or_default() > fired.wait.saturating_add(AGAIN);
        let key = (rule, target.to_owned());
        let mut again = false;
        if let Some(before) = inner.fired.get(&key).filter(|before| !over(before)) {
            let obeyed = now.duration_since(before.at).unwrap_or_default() >= before.wait;
            again = obeyed || (by.is_some() && before.by.as_ref() == by);
            if !again {
                return false;
            }
        }
        make_room(&mut inner.fired, |_, fired| over(fired));
        inner.fired.insert(key, Fired { at: now, wait, by: by.cloned() });
        again
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing inside can be half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is stale when all places are taken; where nothing is, one of the rest.
fn make_room<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, V>, stale: impl Fn(&K, &V) -> bool) {
    if map.len() < MOST {
        return;
    }
    map.retain(|key, value| !stale(key, value));
    if map.len() >= MOST
        && let Some(key) = map.keys().next().cloned()
    {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn id(key: &str) -> DeliveryId {
        DeliveryId::derive("lineage", key, "account")
    }

    #[test]
    fn a_rule_fires_again_only_for_its_target_and_within_a_minute_of_the_wait() {
        let memory = Memory::new();
        let wait = Duration::from_secs(5);
        let fires = |rule, target: &str, by: &str, second| memory.fires(rule, target, Some(&id(by)), wait, at(second));
        assert!(!fires(1, "chat", "a", 0));
        assert!(!fires(1, "chat", "b", 2), "was on its way when the wait was named");
        assert!(!fires(2, "chat", "a", 3) && !fires(1, "other", "c", 3));
        assert!(fires(1, "chat", "b", 10), "the wait was obeyed and was of no use");
        assert!(fires(1, "chat", "b", 11), "the same delivery again");
        assert!(fires(1, "chat", "c", 70));
        assert!(!fires(1, "chat", "c", 200), "a minute has passed");
        assert!(!format!("{memory:?}").contains("chat"));
    }

    #[test]
    fn addresses_move_and_move_back_and_never_fill_the_memory() {
        let memory = Memory::new();
        memory.moves("-1", "-100");
        assert_eq!(memory.rewritten("-1").as_deref(), Some("-100"));
        memory.moves("-100", "-200");
        assert_eq!(memory.rewritten("-1").as_deref(), Some("-200"));
        memory.moves("-200", "-1");
        assert!(memory.rewritten("-1").is_some_and(|new| new != "-1"));
        memory.moves("-1", "-1");
        assert_eq!(memory.rewritten("-1"), None);
        for number in 0..MOST + 50 {
            memory.moves(&number.to_string(), "new");
            memory.fires(1, &number.to_string(), None, Duration::ZERO, at(0));
        }
        let inner = memory.lock();
        assert!(inner.moved.len() <= MOST && inner.fired.len() <= MOST);
    }
}
