//! Which priority is served next on a road: fair queueing by weight, so that each gets its share and none starves.
//!
//! Each priority has a clock that runs on by `rows / weight` when it is served; the slowest clock goes next. A priority that had
//! nothing to send rejoins where the others stand, so that it can neither save its share up nor lose it. No rounds and no credits:
//! with rows of one priority only there is nothing to choose, and a request of a hundred rows counts as a hundred.

use crate::priority::{Precedence, Priorities, Priority};

/// What one row moves a clock of weight 1 by; divides evenly by the usual weights.
const ROW: u64 = 1 << 20;

#[derive(Debug, Clone)]
pub(super) struct Shares {
    precedence: Precedence,
    clocks: [u64; 4],
    /// Where the clock stood that was served last.
    now: u64,
    /// Those that could be served when it was last asked.
    running: Priorities,
}

impl Shares {
    pub(super) fn new(precedence: Precedence) -> Self {
        Shares { precedence, clocks: [0; 4], now: 0, running: Priorities::default() }
    }

    /// Those of `able`, who goes first first.
    pub(super) fn order(&mut self, able: Priorities) -> impl Iterator<Item = Priority> + use<> {
        for priority in Priority::ALL {
            if able.contains(priority) && !self.running.contains(priority) {
                let clock = &mut self.clocks[priority as usize];
                *clock = self.now.max(*clock);
            }
        }
        self.running = able;
        let mut order = Priority::ALL;
        // Among equals the higher priority.
        order.sort_by_key(|priority| (!self.alone(*priority), self.clocks[*priority as usize], 3 - *priority as u8));
        order.into_iter().filter(move |priority| able.contains(*priority))
    }

    /// So many rows of it go.
    pub(super) fn serve(&mut self, priority: Priority, rows: usize) {
        if self.alone(priority) {
            return;
        }
        let clock = &mut self.clocks[priority as usize];
        self.now = self.now.max(*clock);
        let weight = u64::from(self.precedence.weights.of(priority).get());
        *clock = clock.saturating_add((ROW / weight).max(1).saturating_mul(rows as u64));
    }

    /// It takes no turns with the others.
    fn alone(&self, priority: Priority) -> bool {
        self.precedence.strict && priority == Priority::Critical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(these: &[Priority]) -> Priorities {
        let mut some = Priorities::default();
        these.iter().for_each(|priority| some.insert(*priority));
        some
    }

    /// Rows of each, over so many turns with `rows` each.
    fn served(shares: &mut Shares, able: Priorities, turns: usize, rows: usize) -> [usize; 4] {
        let mut served = [0; 4];
        for _ in 0..turns {
            let first = shares.order(able).next().unwrap();
            shares.serve(first, rows);
            served[first as usize] += rows;
        }
        served
    }

    #[test]
    fn each_gets_its_share_at_any_time_and_none_waits_longer_than_a_round() {
        let mut shares = Shares::new(Precedence::default());
        assert_eq!(served(&mut shares, Priorities::ALL, 150, 1), [10, 20, 40, 80]);
        assert_eq!(served(&mut shares, Priorities::ALL, 15, 100), [100, 200, 400, 800]);
        // Eight of nine, from the first row on: within any nine turns.
        let mut shares = Shares::new(Precedence::default());
        let able = some(&[Priority::Low, Priority::Critical]);
        for _ in 0..20 {
            assert_eq!(served(&mut shares, able, 9, 1), [1, 0, 0, 8]);
        }
    }

    #[test]
    fn who_had_nothing_to_send_has_nothing_saved_up() {
        let mut shares = Shares::new(Precedence::default());
        served(&mut shares, some(&[Priority::Low]), 1000, 1);
        // Critical rows come late: they get their share, not everything.
        let both = some(&[Priority::Low, Priority::Critical]);
        let [low, .., critical] = served(&mut shares, both, 90, 1);
        assert!((9..=11).contains(&low), "{low} low, {critical} critical");
        // And low has lost nothing by having gone alone for so long, nor critical by having paused.
        served(&mut shares, some(&[Priority::Critical]), 1000, 1);
        let [low, ..] = served(&mut shares, both, 90, 1);
        assert!((9..=11).contains(&low), "{low}");
    }

    #[test]
    fn strict_lets_critical_go_alone_and_the_others_share() {
        let mut shares = Shares::new(Precedence { strict: true, ..Precedence::default() });
        assert_eq!(served(&mut shares, Priorities::ALL, 500, 3), [0, 0, 0, 1500]);
        let others = some(&[Priority::Low, Priority::Normal, Priority::High]);
        assert_eq!(served(&mut shares, others, 70, 1), [10, 20, 40, 0]);
    }

    #[test]
    fn weights_are_the_users() {
        let low = std::num::NonZeroU32::new(3).unwrap();
        let weights = crate::priority::Weights { low, critical: low, ..Default::default() };
        let mut shares = Shares::new(Precedence { weights, ..Precedence::default() });
        assert_eq!(served(&mut shares, some(&[Priority::Low, Priority::Critical]), 100, 1), [50, 0, 0, 50]);
    }
}
