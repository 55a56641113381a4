//! A set of rows, one bit for each up to the highest in it.

use std::collections::HashMap;

use crate::recipient::Position;

/// Which rows have something in common.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    shards: HashMap<u32, Vec<u64>>,
}

impl Rows {
    /// Whether the row is in it.
    pub fn contains(&self, position: Position) -> bool {
        let word = |words: &Vec<u64>| words.get((position.row / 64) as usize).copied();
        self.shards.get(&position.shard).and_then(word).is_some_and(|word| word & (1 << (position.row % 64)) != 0)
    }

    /// Puts it in; says whether it is new.
    pub fn insert(&mut self, position: Position) -> bool {
        let words = self.shards.entry(position.shard).or_default();
        let (word, bit) = ((position.row / 64) as usize, 1 << (position.row % 64));
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let new = words[word] & bit == 0;
        words[word] |= bit;
        new
    }

    /// Takes it out; says whether it was in.
    pub fn remove(&mut self, position: Position) -> bool {
        let Some(word) = self.shards.get_mut(&position.shard).and_then(|words| words.get_mut((position.row / 64) as usize))
        else {
            return false;
        };
        let bit = 1 << (position.row % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    /// Puts all of those in too.
    pub fn extend(&mut self, others: &Rows) {
        for (shard, other) in &others.shards {
            let words = self.shards.entry(*shard).or_default();
            if words.len() < other.len() {
                words.resize(other.len(), 0);
            }
            words.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
        }
    }

    /// How many are in it.
    pub fn count(&self) -> u64 {
        self.shards.values().flatten().map(|word| u64::from(word.count_ones())).sum()
    }

    /// All of them, in order within each shard.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.shards.iter().flat_map(|(shard, words)| {
            words.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(move |(at, word)| {
                let bits = (0..64u64).filter(move |bit| word & (1 << bit) != 0);
                bits.map(move |bit| Position { shard: *shard, row: at as u64 * 64 + bit })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_and_out() {
        let mut rows = Rows::default();
        let wanted: Vec<Position> = [0, 63, 64, 1000].map(Position::row).to_vec();
        assert!(wanted.iter().all(|position| rows.insert(*position)));
        assert!(!rows.insert(wanted[0]));
        assert_eq!(rows.iter().collect::<Vec<_>>(), wanted);
        assert!(rows.remove(wanted[1]) && !rows.remove(wanted[1]) && !rows.contains(wanted[1]));
        let mut others = Rows::default();
        others.insert(Position { shard: 2, row: 5 });
        rows.extend(&others);
        assert_eq!((rows.count(), rows.contains(Position { shard: 2, row: 5 })), (4, true));
        assert!(!rows.remove(Position::row(1 << 40)));
    }
}
