//! What lanes share with other runs: limits that processes keep together, and what an address may have at most.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::account::Account;
use crate::lane::Lanes;
use crate::lane::seat::Waiting;
use crate::permits::{Claim, Leaves, Permit, Permits, Shared};
use crate::platform::LaneKey;
use crate::priority::Precedence;

/// Rows that are asked about with one look at what all runs share.
const ASKED: usize = 64;

impl Lanes {
    /// From here on limits are kept together with all processes that use the same state folder; `precedence` says
    /// what this run is worth beside others. `wait_quota`: a limit that is used up is waited for, however long that takes. Where
    /// nothing can be shared, that is told once and each goes by its own pace.
    pub fn share(&mut self, accounts: &[Account], folder: &Path, run: &str, precedence: Precedence, wait_quota: bool) {
        self.wait_quota = wait_quota;
        if !accounts.iter().any(|account| Permits::are_shared(account.declared())) {
            return;
        }
        match Shared::open(folder, run, precedence) {
            Ok(shared) => {
                for (road, account) in self.roads.iter_mut().zip(accounts) {
                    road.pace = account.permits(Some(&shared));
                }
            }
            Err(error) => tracing::warn!(%error, "limits are not shared with other runs: this one goes on by its own pace"),
        }
    }

    /// Between when a request with this permit may be on its way; `None`: at any time. One whose slot is over gets the next.
    pub fn leaves(&mut self, account: usize, permit: &mut Permit) -> Option<Leaves> {
        self.roads[account].pace.leaves(permit)
    }

    /// The limit that made rows wait for longer than `--max-wait`, in words; `None` where it was not a limit of ours.
    pub fn used_up(&self) -> Option<String> {
        let by_account = self.roads.iter().filter(|road| road.parked).find_map(|road| {
            let quota = road.pace.used_up()?;
            Some(format!("account {} has used up its limit of {quota}", road.name))
        });
        by_account.or_else(|| {
            self.roads.iter().filter(|road| road.waiting() + road.resting() > 0).find_map(|road| {
                let quota = road.pace.capped()?;
                Some(format!("some addresses have had all that account {} allows, {quota}", road.name))
            })
        })
    }

    /// A wait that is told as one that somebody named, so that rows which wait for too long stay pending.
    pub(super) fn named(&self, until: Instant) -> Option<Duration> {
        (!self.wait_quota).then(|| until.duration_since(Instant::now()))
    }

    /// Asks whether the address of the row whose turn it is may have it, and with the same look about those that come next.
    pub(super) fn claim(&mut self, account: usize, key: &LaneKey) {
        let now = Instant::now();
        let road = &mut self.roads[account];
        let stale = |waiting: &Waiting| matches!(waiting, Waiting::Row(seat) if seat.claim.is_stale(now));
        if !self.lanes.get(&(account, key.clone())).is_some_and(|lane| lane.waiting.front().is_some_and(stale)) {
            return;
        }
        // Only what may leave about now: a claim that is used later would make its window shorter.
        let (each, lanes) = if road.batch > 1 {
            (road.batch, 0)
        } else {
            (1, road.width.saturating_sub(road.calls).min(road.pace.claims()).min(ASKED).saturating_sub(1))
        };
        let keys: Vec<LaneKey> =
            std::iter::once(key).chain(road.ranks[key.priority() as usize].open.iter().take(lanes)).cloned().collect();
        let mut asked: Vec<(usize, usize, String, String)> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let Some(lane) = self.lanes.get(&(account, key.clone())).filter(|lane| lane.held_until.is_none()) else { continue };
            for (row, waiting) in lane.waiting.iter().take(each).enumerate() {
                if let Waiting::Row(seat) = waiting
                    && seat.claim.is_stale(now)
                {
                    let envelope = &seat.delivery.envelope;
                    asked.push((at, row, envelope.to.as_str().to_owned(), envelope.id.as_str().to_owned()));
                }
            }
        }
        let words: Vec<(&str, &str)> = asked.iter().map(|(_, _, to, id)| (to.as_str(), id.as_str())).collect();
        let answers: Vec<Claim> = road.pace.claim(&words);
        for ((at, row, ..), answer) in asked.iter().zip(answers) {
            if let Some(lane) = self.lanes.get_mut(&(account, keys[*at].clone()))
                && let Some(Waiting::Row(seat)) = lane.waiting.get_mut(*row)
            {
                seat.claim = answer;
            }
        }
    }
}
