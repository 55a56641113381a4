//! How many requests an account needs for its rows: those that may share one are put together as the lanes do it, and as far apart in
//! the list as the reader looks ahead.
//!
//! What is open at once is bounded as it is there: 4096 rows. The lanes also cut by time, so that a real run may need a few more.

use std::collections::{HashMap, VecDeque};

use crate::platform::Share;

/// Rows that wait for company, as in the lanes.
const COMPANY: usize = 4096;

/// The requests of one account.
#[derive(Debug)]
pub struct Gathering {
    /// Rows of a request, at most.
    most: usize,
    /// Bytes of a request's rows, at most.
    bytes: Option<usize>,
    open: HashMap<u128, Bin>,
    /// Open ones, the oldest first; one whose number is not that of its bin was closed meanwhile.
    order: VecDeque<(u128, u64)>,
    waiting: usize,
    number: u64,
    closed: u64,
    largest: usize,
}

#[derive(Debug)]
struct Bin {
    rows: usize,
    bytes: usize,
    number: u64,
}

impl Gathering {
    /// Requests of at most so many rows, and bytes.
    pub fn new(most: usize, bytes: Option<usize>) -> Self {
        Gathering {
            most: most.max(1),
            bytes,
            open: HashMap::new(),
            order: VecDeque::new(),
            waiting: 0,
            number: 0,
            closed: 0,
            largest: 0,
        }
    }

    /// One more row; without a share it goes alone.
    pub fn add(&mut self, share: Option<Share>) {
        let Some(share) = share.filter(|_| self.most > 1) else {
            self.closed += 1;
            self.largest = self.largest.max(1);
            return;
        };
        let full = |bin: &Bin| bin.rows > 0 && self.bytes.is_some_and(|most| bin.bytes.saturating_add(share.bytes) > most);
        if self.open.get(&share.group).is_some_and(full) {
            self.close(share.group);
        }
        if !self.open.contains_key(&share.group) {
            self.number += 1;
            self.open.insert(share.group, Bin { rows: 0, bytes: 0, number: self.number });
            self.order.push_back((share.group, self.number));
        }
        if let Some(bin) = self.open.get_mut(&share.group) {
            bin.rows += 1;
            bin.bytes = bin.bytes.saturating_add(share.bytes);
            self.waiting += 1;
            if bin.rows >= self.most {
                self.close(share.group);
            }
        }
        while self.waiting > COMPANY {
            let Some((group, number)) = self.order.pop_front() else { break };
            if self.open.get(&group).is_some_and(|bin| bin.number == number) {
                self.close(group);
            }
        }
    }

    fn close(&mut self, group: u128) {
        if let Some(bin) = self.open.remove(&group) {
            self.closed += 1;
            self.waiting -= bin.rows;
            self.largest = self.largest.max(bin.rows);
        }
        // Whatever stands for closed ones never outnumbers the open ones by far.
        if self.order.len() > 2 * COMPANY {
            let open = &self.open;
            self.order.retain(|(group, number)| open.get(group).is_some_and(|bin| bin.number == *number));
        }
    }

    /// How many there will be.
    pub fn requests(&self) -> u64 {
        self.closed + self.open.len() as u64
    }

    /// Rows of the largest.
    pub fn largest(&self) -> usize {
        self.open.values().map(|bin| bin.rows).max().unwrap_or_default().max(self.largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(group: u128, bytes: usize) -> Option<Share> {
        Some(Share { group, bytes, unique: None })
    }

    #[test]
    fn rows_of_a_group_share_whatever_stands_between_them() {
        let mut gathering = Gathering::new(100, None);
        (0..1000u128).for_each(|row| gathering.add(share(row % 5, 10)));
        assert_eq!((gathering.requests(), gathering.largest()), (10, 100));
        gathering.add(None);
        gathering.add(share(9, 10));
        assert_eq!(gathering.requests(), 12);
    }

    #[test]
    fn bytes_and_single_requests_bound_too() {
        let mut gathering = Gathering::new(100, Some(1000));
        (0..100).for_each(|_| gathering.add(share(1, 300)));
        assert_eq!((gathering.requests(), gathering.largest()), (34, 3));
        let mut single = Gathering::new(1, None);
        (0..7).for_each(|_| single.add(share(1, 1)));
        assert_eq!((single.requests(), single.largest()), (7, 1));
    }

    #[test]
    fn a_million_groups_need_no_memory_each() {
        let mut gathering = Gathering::new(10, None);
        for row in 0..200_000u128 {
            gathering.add(share(row, 1));
            assert!(gathering.open.len() <= COMPANY && gathering.order.len() <= 2 * COMPANY + 1);
        }
        assert_eq!(gathering.requests(), 200_000);
        // The same groups again and again, each too far from its like.
        let mut apart = Gathering::new(10, None);
        (0..100_000u128).for_each(|row| apart.add(share(row % 5000, 1)));
        assert!(apart.requests() > 90_000);
    }
}
