//! Who comes most often, in bounded memory: the counts of Misra and Gries ("Finding repeated elements", 1982).
//!
//! Up to `MOST` different names every count is exact. Beyond that a count may be too small, by at most the number of all seen divided
//! by `MOST`; a name that comes more often than that is never lost. Sums stay right, because what is not told of a name is told of the
//! others.

use std::collections::HashMap;
use std::hash::Hash;

/// Different names that are counted at once.
pub const MOST: usize = 10_000;

/// How often each name came.
#[derive(Debug, Clone)]
pub struct Crowd<K> {
    counts: HashMap<K, u64>,
    /// How many came, whatever their names.
    seen: u64,
    exact: bool,
}

impl<K> Default for Crowd<K> {
    fn default() -> Self {
        Crowd { counts: HashMap::new(), seen: 0, exact: true }
    }
}

impl<K: Eq + Hash + Ord + Clone> Crowd<K> {
    /// One more of this name.
    pub fn add<Q>(&mut self, name: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        self.seen += 1;
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
            return;
        }
        if self.counts.len() < MOST {
            self.counts.insert(name.to_owned(), 1);
            return;
        }
        // A new name takes one from each: as many counts go as came before, so that this costs nothing in the long run.
        self.exact = false;
        self.counts.retain(|_, count| {
            *count -= 1;
            *count > 0
        });
    }

    /// How many came.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Every count is right.
    pub fn exact(&self) -> bool {
        self.exact
    }

    /// Different names that are known.
    pub fn names(&self) -> usize {
        self.counts.len()
    }

    /// The count of the one that came most often.
    pub fn largest(&self) -> u64 {
        self.counts.values().copied().max().unwrap_or_default()
    }

    /// The first so many, most often first.
    pub fn top(&self, most: usize) -> Vec<(K, u64)> {
        let mut all: Vec<(&K, u64)> = self.counts.iter().map(|(name, count)| (name, *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        all.into_iter().take(most).map(|(name, count)| (name.clone(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_counted_exactly() {
        let mut crowd: Crowd<String> = Crowd::default();
        for name in ["b", "a", "c", "a", "b", "a"] {
            crowd.add(name);
        }
        assert_eq!(crowd.top(2), [("a".to_owned(), 3), ("b".to_owned(), 2)]);
        assert_eq!((crowd.seen(), crowd.largest(), crowd.names(), crowd.exact()), (6, 3, 3, true));
    }

    #[test]
    fn many_names_take_no_more_room_and_the_largest_is_never_lost() {
        let mut crowd: Crowd<u64> = Crowd::default();
        let rows = 20 * MOST as u64;
        for row in 0..rows {
            // The large one begins late.
            crowd.add(&if row > rows / 2 && row % 2 == 0 { 0 } else { row + 1 });
        }
        assert!(crowd.names() <= MOST && !crowd.exact());
        let (name, count) = crowd.top(1)[0];
        let real = (rows / 2 + 1..rows).filter(|row| row % 2 == 0).count() as u64;
        assert!(name == 0 && count <= real && count + rows / MOST as u64 >= real, "{name}: {count} of {real}");
    }
}
