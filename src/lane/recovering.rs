//! What recovery asks of the lanes: an account that rests or goes slower, a domain or a host that is held up by itself.

use crate::lane::{Lanes, stem};
use crate::platform::LaneKey;
use crate::recovery::gate::{Gates, key_of};
use crate::recovery::spacing::Spacing;
use std::time::Duration;
use tokio::time::Instant;

impl Lanes {
    /// The account rests so long. `parked`: what waits for it need not be waited for, whatever `--max-wait` says. Says until when.
    pub fn rest_account(&mut self, account: usize, wait: Duration, parked: bool) -> Instant {
        let now = Instant::now();
        self.hold_road(account, now, wait, false);
        self.roads[account].hold.parked |= parked;
        now + wait
    }

    /// The rest until then is over before its time. A wait that reaches further was named by somebody else, and stays.
    pub fn rouse(&mut self, account: usize, until: Instant) {
        let hold = &mut self.roads[account].hold;
        if hold.until == Some(until) {
            (hold.until, hold.parked) = (None, false);
        }
    }

    /// When the account may go again, where it rests.
    pub fn rests_until(&self, account: usize) -> Option<Instant> {
        self.roads[account].hold.until
    }

    /// No more requests of it at once than that.
    pub fn narrow(&mut self, account: usize, most: usize) {
        self.roads[account].narrowed = most.max(1);
    }

    /// Its width.
    pub fn width(&self, account: usize) -> usize {
        self.roads[account].width
    }

    /// One of its deliveries each `interval`, until then.
    pub fn space(&mut self, account: usize, interval: Duration, until: Instant) {
        self.roads[account].spacing = Some(Spacing::new(Instant::now(), interval, until));
    }

    /// What is held up by its domain or host.
    pub fn gates(&mut self, account: usize) -> &mut Gates {
        &mut self.roads[account].gates
    }

    /// The host that this delivery goes to, where hosts of one account are told apart; `None`: the account is one endpoint.
    pub fn host_of<'a>(&self, key: &LaneKey, to: &'a str) -> Option<std::borrow::Cow<'a, str>> {
        if !to.contains("://") || stem(key).0.is_empty() {
            return None;
        }
        key_of(to)
    }

    /// Until when the account must wait for its pace of a time, if it must.
    pub(super) fn spaced(&mut self, account: usize) -> Option<Instant> {
        let now = Instant::now();
        let road = &mut self.roads[account];
        let spacing = road.spacing.as_ref()?;
        if spacing.is_over(now) {
            road.spacing = None;
            return None;
        }
        let until = spacing.wait(now)?;
        road.held_until = Some(until);
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_where_rows_name_their_own() {
        let lanes = Lanes::new(&[], Duration::from_secs(1), false, crate::priority::Precedence::default());
        let own = LaneKey("0123abcd".into());
        assert_eq!(lanes.host_of(&own, "https://a.example/x").as_deref(), Some("a.example"));
        assert_eq!(lanes.host_of(&LaneKey::whole(), "https://a.example/x"), None, "the account's own");
        assert_eq!(lanes.host_of(&own, "a@a.example"), None, "a mail server is one endpoint whatever the domain");
    }
}
