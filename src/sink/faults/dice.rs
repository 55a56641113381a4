//! Whom a fault strikes: decided by seed, moment, address and number of the try, never by time or by which connection came first.
//!
//! So the same list against the same seed meets the same faults at any width. The price is one number per address that was
//! tried at a moment with rated or counted rules, for as long as the sink runs; without such rules nothing is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::sink::faults::rule::{Faults, Field, Moment, Only, Rule};

/// What rules may look at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts<'a> {
    /// Whose tries are counted: a recipient, a sender, a path or an idempotency key.
    pub(crate) key: &'a str,
    /// One recipient per line.
    pub(crate) rcpts: &'a str,
    pub(crate) from: &'a str,
    pub(crate) helo: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
}

/// Locks of the tries; a power of two.
const SHARDS: usize = 16;

/// The rules, sorted by moment, and how often each key was tried.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    rules: [Vec<Arc<Rule>>; Moment::COUNT],
    down: Vec<(Duration, Duration)>,
    tries: [Mutex<HashMap<u64, u32>>; SHARDS],
}

impl Dice {
    pub(crate) fn new(faults: &Faults, seed: u64) -> Self {
        let mut rules: [Vec<Arc<Rule>>; Moment::COUNT] = Default::default();
        for rule in &faults.rules {
            rules[rule.moment as usize].push(rule.clone());
        }
        Dice { seed, rules, down: faults.down.clone(), tries: Default::default() }
    }

    /// Whether any rule waits at that moment.
    pub(crate) fn armed(&self, moment: Moment) -> bool {
        !self.rules[moment as usize].is_empty()
    }

    /// The rule that strikes this try, if one does.
    pub(crate) fn strike(&self, moment: Moment, facts: &Facts) -> Option<Arc<Rule>> {
        let rules = &self.rules[moment as usize];
        if rules.is_empty() {
            return None;
        }
        let key = hash(moment, facts.key);
        let try_no = if rules.iter().any(|rule| rule.share < 1.0 || rule.first.is_some()) {
            let mut tries = self.tries[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
            let count = tries.entry(key).or_insert(0);
            *count = count.saturating_add(1);
            *count - 1
        } else {
            0
        };
        self.draw(rules, key, try_no, facts)
    }

    /// The rule that strikes the reply of that number on that connection, if one does.
    pub(crate) fn strike_reply(&self, connection: u64, number: u64) -> Option<Arc<Rule>> {
        let rules = &self.rules[Moment::Reply as usize];
        if rules.is_empty() {
            return None;
        }
        let try_no = u32::try_from(number).unwrap_or(u32::MAX);
        self.draw(rules, mix(connection), try_no, &Facts::default())
    }

    /// Whether the whole server is down, so long after its start.
    pub(crate) fn down(&self, since_start: impl FnOnce() -> Duration) -> bool {
        if self.down.is_empty() {
            return false;
        }
        let now = since_start();
        self.down.iter().any(|(start, length)| now >= *start && now < *start + *length)
    }

    /// Forgets all tries.
    pub(crate) fn reset(&self) {
        for shard in &self.tries {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn draw(&self, rules: &[Arc<Rule>], key: u64, try_no: u32, facts: &Facts) -> Option<Arc<Rule>> {
        let number = mix(self.seed ^ mix(key ^ mix(u64::from(try_no))));
        // 53 bits: all that a double between 0 and 1 can tell apart.
        let mut left = (number >> 11) as f64 / (1u64 << 53) as f64;
        for rule in rules {
            if rule.first.is_some_and(|first| try_no >= first) || !rule.only.iter().all(|only| matches(only, facts)) {
                continue;
            }
            if left < rule.share {
                return Some(rule.clone());
            }
            left -= rule.share;
        }
        None
    }
}

fn matches(only: &Only, facts: &Facts) -> bool {
    let glob = only.glob.as_bytes();
    match only.field {
        Field::Rcpt => facts.rcpts.lines().any(|rcpt| glob_matches(glob, rcpt.as_bytes())),
        Field::From => glob_matches(glob, facts.from.as_bytes()),
        Field::Helo => glob_matches(glob, facts.helo.as_bytes()),
        Field::Path => glob_matches(glob, facts.path.as_bytes()),
        Field::Body => glob_matches(glob, facts.body),
    }
}

/// Whether `*` and `?` can be filled so that the pattern is the text; linear in memory, and no worse than product in time.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if g < glob.len() && glob[g] == b'*' {
            star = Some((g, t));
            g += 1;
        } else if g < glob.len() && (glob[g] == b'?' || glob[g].eq_ignore_ascii_case(&text[t])) {
            g += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            g = at + 1;
            t = taken + 1;
            star = Some((at, taken + 1));
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}

/// FNV-1a over moment and key, without regard to ASCII case; the same on every machine, unlike std's hasher.
fn hash(moment: Moment, key: &str) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ (moment as u64);
    for byte in key.bytes() {
        state = (state ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    }
    mix(state)
}

/// The finalizer of SplitMix64: neighbours become strangers.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice(faults: &str, seed: u64) -> Dice {
        Dice::new(&faults.parse().expect("good faults"), seed)
    }

    fn struck(dice: &Dice, moment: Moment, rcpt: &str) -> Option<String> {
        dice.strike(moment, &Facts { key: rcpt, rcpts: rcpt, ..Facts::default() }).map(|rule| rule.name.clone())
    }

    #[test]
    fn shares_are_shares_of_one_draw() {
        let dice = dice("451@30%,421@5%,550@1%", 7);
        let mut seen = HashMap::new();
        for row in 0..20_000 {
            *seen.entry(struck(&dice, Moment::Dot, &format!("user{row}@example.com"))).or_insert(0) += 1;
        }
        let share = |name: &str| f64::from(seen[&Some(name.to_owned())]) / 20_000.0;
        assert!((share("451") - 0.30).abs() < 0.01, "{seen:?}");
        assert!((share("421") - 0.05).abs() < 0.005, "{seen:?}");
        assert!((share("550") - 0.01).abs() < 0.003, "{seen:?}");
    }

    #[test]
    fn the_order_of_arrival_changes_nothing() {
        let (one, other) = (dice("451@50%", 3), dice("451@50%", 3));
        let rows: Vec<String> = (0..200).map(|row| format!("u{row}@x")).collect();
        let forward: Vec<_> = rows.iter().map(|row| struck(&one, Moment::Dot, row)).collect();
        let mut backward: Vec<_> = rows.iter().rev().map(|row| struck(&other, Moment::Dot, row)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let seeded: Vec<_> = rows.iter().map(|row| struck(&dice("451@50%", 4), Moment::Dot, row)).collect();
        assert_ne!(forward, seeded);
    }

    #[test]
    fn another_try_is_another_draw() {
        let dice = dice("451@50%", 1);
        let tries: Vec<_> = (0..64).map(|_| struck(&dice, Moment::Dot, "a@x").is_some()).collect();
        assert!(tries.contains(&true) && tries.contains(&false));
    }

    #[test]
    fn counted_rules_strike_the_first_tries_of_each_address() {
        let dice = dice("451*2,550:rcpt=*@bad.example", 0);
        let names: Vec<_> = (0..4).map(|_| struck(&dice, Moment::Dot, "a@x")).collect();
        assert_eq!(names, [Some("451".into()), Some("451".into()), None, None]);
        assert_eq!(struck(&dice, Moment::Dot, "B@X"), Some("451".into()));
        assert_eq!(struck(&dice, Moment::Dot, "b@x"), Some("451".into()), "case does not make another address");
        assert_eq!(struck(&dice, Moment::Dot, "b@x"), None);
        dice.reset();
        assert_eq!(struck(&dice, Moment::Dot, "a@x"), Some("451".into()));
    }

    #[test]
    fn patterns_pick_whom() {
        let dice = dice("550:rcpt=*@bad.example", 0);
        assert_eq!(struck(&dice, Moment::Dot, "a@x\nu@BAD.example\n"), Some("550".into()));
        assert_eq!(struck(&dice, Moment::Dot, "a@x"), None);
        assert!(glob_matches(b"/x*y?", b"/xaayyz") && !glob_matches(b"/x*y?", b"/xaay"));
        assert!(glob_matches(b"*", b"") && glob_matches(b"", b"") && !glob_matches(b"?", b""));
    }
}
