//! What of one account may not leave now although the account may: a recipient's domain, a host. Pure.
//!
//! Rejected: a lane for each domain. A list has tens of thousands of them, and nearly all are never held up; what is held up rests as a
//! ticket instead, and where nothing is held up this costs a look at an empty map.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::recovery::spacing::Spacing;

/// How often one more is let through to a host whose breaker is half-open, until the first answer is there.
const PROBE: Duration = Duration::from_secs(1);
/// What is over is swept out when there are so many.
const SWEEP: usize = 1024;

/// The host of a URL or the domain of a mail address, in lower case; `None` for any other form.
pub fn key_of(to: &str) -> Option<Cow<'_, str>> {
    let key = match to.split_once("://") {
        Some((_, rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority.rsplit_once('@').map_or(authority, |(_, host)| host)
        }
        None => to.rsplit_once('@')?.1,
    };
    if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(key.to_ascii_lowercase()));
    }
    (!key.is_empty()).then_some(Cow::Borrowed(key))
}

#[derive(Debug, Clone, Default)]
struct Gate {
    /// Nothing before then.
    shut: Option<Instant>,
    /// After that one at a time, until somebody says how it was.
    probing: bool,
    slow: Option<Spacing>,
    /// When it was shut for the first time since the last success.
    since: Option<Instant>,
}

/// The domains and hosts of one account that are held up.
#[derive(Debug, Default)]
pub struct Gates {
    held: HashMap<Box<str>, Gate>,
}

impl Gates {
    /// Whether anything is held up at all.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether that address may be sent to now, or when to ask again.
    ///
    /// # Errors
    /// When to ask again.
    pub fn ask(&mut self, to: &str, now: Instant) -> Result<(), Instant> {
        if self.held.is_empty() {
            return Ok(());
        }
        let Some(key) = key_of(to) else { return Ok(()) };
        let Some(gate) = self.held.get_mut(&*key) else { return Ok(()) };
        if let Some(until) = gate.shut {
            if now < until {
                return Err(until);
            }
            gate.shut = gate.probing.then(|| now + PROBE);
            if gate.probing {
                return Ok(());
            }
        }
        if let Some(slow) = &mut gate.slow {
            if !slow.is_over(now) {
                return slow.ask(now);
            }
            gate.slow = None;
        }
        Ok(())
    }

    /// Whether that address is held up now, without asking for a place.
    pub fn is_held(&self, to: &str, now: Instant) -> bool {
        let gate = key_of(to).and_then(|key| self.held.get(&*key));
        gate.is_some_and(|gate| {
            gate.shut.is_some_and(|until| until > now) || gate.slow.as_ref().is_some_and(|slow| !slow.is_over(now))
        })
    }

    /// Nothing goes there for so long; where that has lasted for longer than `max_wait` without a success, for more than `max_wait`.
    /// Says until when.
    pub fn suspend(&mut self, key: &str, now: Instant, length: Duration, max_wait: Duration) -> Instant {
        let gate = self.gate(key, now);
        let since = *gate.since.get_or_insert(now);
        let long = now.duration_since(since) > max_wait;
        let until = now + if long { length.max(max_wait + Duration::from_secs(1)) } else { length };
        gate.shut = Some(gate.shut.map_or(until, |other| other.max(until)));
        gate.probing = false;
        until
    }

    /// One each `interval` goes there until then. Says for how long it has been so without a success.
    pub fn slow(&mut self, key: &str, now: Instant, interval: Duration, until: Instant) -> Duration {
        let gate = self.gate(key, now);
        let since = *gate.since.get_or_insert(now);
        match &mut gate.slow {
            Some(slow) if !slow.is_over(now) => slow.extend(until),
            slow => *slow = Some(Spacing::new(now, interval, until)),
        }
        now.duration_since(since)
    }

    /// The breaker of that host is open until then; after that one at a time goes.
    pub fn shut(&mut self, key: &str, now: Instant, until: Instant) {
        let gate = self.gate(key, now);
        (gate.shut, gate.probing) = (Some(until), true);
    }

    /// The breaker of that host is closed.
    pub fn release(&mut self, key: &str) {
        if let Some(gate) = self.held.get_mut(key).filter(|gate| gate.probing) {
            (gate.shut, gate.probing) = (None, false);
            if gate.slow.is_none() {
                self.held.remove(key);
            }
        }
    }

    /// Somebody there took a message.
    pub fn proved(&mut self, to: &str) {
        if !self.held.is_empty()
            && let Some(gate) = key_of(to).and_then(|key| self.held.get_mut(&*key))
        {
            gate.since = None;
        }
    }

    fn gate(&mut self, key: &str, now: Instant) -> &mut Gate {
        if self.held.len() >= SWEEP && !self.held.contains_key(key) {
            self.held.retain(|_, gate| {
                gate.probing
                    || gate.shut.is_some_and(|until| until > now)
                    || gate.slow.as_ref().is_some_and(|slow| !slow.is_over(now))
            });
        }
        self.held.entry(Box::from(key)).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_key_is_a_host_or_a_domain() {
        for (to, key) in [
            ("a@Example.COM", Some("example.com")),
            ("\"a@b\"@c.d", Some("c.d")),
            ("https://user:pw@hooks.example:8443/x?y=a@b", Some("hooks.example:8443")),
            ("http://127.0.0.1:9", Some("127.0.0.1:9")),
            ("+15550100", None),
            ("a@", None),
        ] {
            assert_eq!(key_of(to).as_deref(), key, "{to}");
        }
    }

    #[test]
    fn a_suspended_domain_rests_and_the_others_go() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        assert_eq!(gates.suspend("gmail.com", now, MINUTE, 15 * MINUTE), now + MINUTE);
        assert_eq!(gates.ask("a@GMAIL.com", now), Err(now + MINUTE));
        assert_eq!(gates.ask("a@example.com", now), Ok(()));
        assert_eq!(gates.ask("a@gmail.com", now + MINUTE), Ok(()));
        // Suspended again and again without a success: longer than anybody wants to wait.
        let late = now + 16 * MINUTE;
        assert!(gates.suspend("gmail.com", late, MINUTE, 15 * MINUTE) > late + 15 * MINUTE);
        gates.proved("b@gmail.com");
        let later = late + 20 * MINUTE;
        assert_eq!(gates.suspend("gmail.com", later, MINUTE, 15 * MINUTE), later + MINUTE);
    }

    #[test]
    fn a_host_that_is_probed_gets_one_at_a_time() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.shut("h:1", now, now + MINUTE);
        assert_eq!(gates.ask("http://h:1/a", now), Err(now + MINUTE));
        let then = now + MINUTE;
        assert_eq!(gates.ask("http://h:1/a", then), Ok(()));
        assert_eq!(gates.ask("http://h:1/b", then), Err(then + PROBE));
        gates.release("h:1");
        assert_eq!(gates.ask("http://h:1/b", then), Ok(()));
        assert!(gates.is_empty());
    }

    #[test]
    fn a_slowed_domain_has_its_pace() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        gates.slow("d.example", now, Duration::from_secs(1), now + MINUTE);
        assert_eq!(gates.ask("a@d.example", now), Ok(()));
        assert_eq!(gates.ask("b@d.example", now), Err(now + Duration::from_secs(1)));
        assert_eq!(gates.ask("c@d.example", now), Err(now + Duration::from_secs(2)));
        assert_eq!(gates.ask("a@d.example", now + MINUTE), Ok(()));
    }

    #[test]
    fn many_that_are_over_are_swept_out() {
        let (mut gates, now) = (Gates::default(), Instant::now());
        for n in 0..2 * SWEEP {
            gates.suspend(&format!("d{n}.example"), now, Duration::from_secs(1), MINUTE);
        }
        gates.suspend("one.example", now + MINUTE, MINUTE, MINUTE);
        assert_eq!(gates.held.len(), 1);
    }
}
