//! Runs that compete for one account: who takes the next block. Weighted fair queueing among those that wait. Pure.
//!
//! Each run remembers what it had, divided by its weight. Of the runs that have rows waiting, the one with the least goes first: over
//! time each has its weight's share, and a run alone has everything. Who has nothing waiting holds nobody up, and who comes back, or
//! comes new, begins where the others are (start-time fair queueing, Goyal, Vin and Cheng 1997).

use crate::state::pace::Contender;

/// What one delivery counts at weight 1; divisible by the usual weights.
const UNIT: i64 = 840;

/// Whether this one goes before all those that wait.
pub(crate) fn goes_first(me: &Contender, rivals: &[Contender]) -> bool {
    rivals.iter().filter(|rival| rival.hungry && rival.who != me.who).all(|rival| {
        if (me.strict || rival.strict) && rival.weight != me.weight {
            return me.weight > rival.weight;
        }
        (me.passed, me.who) <= (rival.passed, rival.who)
    })
}

/// It begins to wait, and what it did not want before is not owed to it. `time` is the virtual time of the account: what the one that
/// went last had by then.
pub(crate) fn join(me: &mut Contender, time: i64) {
    me.passed = me.passed.max(time);
}

/// It had so many deliveries more.
pub(crate) fn charge(me: &mut Contender, deliveries: i64) {
    me.passed = me.passed.saturating_add(deliveries.saturating_mul(UNIT) / i64::from(me.weight.max(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(who: u8, weight: u32) -> Contender {
        Contender { who: [who; 16], passed: 0, asked: 0, weight, strict: false, hungry: true }
    }

    /// Gives out so many permits, one by one, to whoever goes first.
    fn give(runs: &mut [Contender], count: usize) -> Vec<usize> {
        let mut had = vec![0; runs.len()];
        for _ in 0..count {
            let all = runs.to_vec();
            let first: Vec<usize> = (0..runs.len()).filter(|at| all[*at].hungry && goes_first(&all[*at], &all)).collect();
            assert_eq!(first.len(), 1, "one goes, and always one");
            charge(&mut runs[first[0]], 1);
            had[first[0]] += 1;
        }
        had
    }

    #[test]
    fn each_has_the_share_of_its_weight() {
        let mut runs = [run(1, 1), run(2, 2), run(3, 4), run(4, 8)];
        assert_eq!(give(&mut runs, 1500), [100, 200, 400, 800]);
    }

    #[test]
    fn who_wants_nothing_holds_nobody_up_and_is_owed_nothing() {
        let mut runs = [run(1, 1), run(2, 8)];
        runs[1].hungry = false;
        assert_eq!(give(&mut runs, 100), [100, 0]);
        runs[1].hungry = true;
        let time = runs[0].passed;
        join(&mut runs[1], time);
        let had = give(&mut runs, 90);
        assert!((9..=11).contains(&had[0]), "{had:?}");
    }

    #[test]
    fn strict_is_first_alone() {
        let mut runs = [run(1, 2), run(2, 8)];
        runs[1].strict = true;
        assert_eq!(give(&mut runs, 50), [0, 50]);
    }
}
