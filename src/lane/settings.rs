//! What may be set anew while the lanes are in use: width, the run's own rate, the size of requests, the longest wait.

use std::time::Duration;

use crate::account::Account;
use crate::lane::{Lanes, least_ahead};
use crate::limit::Quota;

impl Lanes {
    /// So many requests of this account may be in flight from now on, or what pays again; those that are beyond it land first.
    pub fn set_width(&mut self, account: usize, width: Option<usize>) {
        let road = &mut self.roads[account];
        road.tuner.fix(width);
        road.width = road.tuner.width();
    }

    /// The run's own rate for this account from now on, over the limits that its `owner` declares.
    pub fn set_rate(&mut self, account: usize, owner: &Account, rate: Option<Quota>) {
        let rate = rate.map(|rate| owner.own_rate(rate));
        let quotas: Vec<Quota> = owner.declared().iter().copied().chain(rate).collect();
        let road = &mut self.roads[account];
        road.pace.set_own(rate);
        road.most_ahead = least_ahead(&quotas, owner);
        // Its next permit may be nearer than the one that it waited for; asked too early it only waits again.
        road.held_until = None;
        road.parked = false;
    }

    /// Deliveries of one request of this account, at most; says how many it comes to.
    pub fn set_batch(&mut self, account: usize, most: usize) -> usize {
        let road = &mut self.roads[account];
        road.most = most.max(1);
        road.size()
    }

    /// A wait longer than this parks what it holds up, from the next such wait on.
    pub fn set_max_wait(&mut self, wait: Duration) {
        self.max_wait = wait;
    }
}
