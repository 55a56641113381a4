//! Recovery in the flow: breakers, the founding rules, shaping by replies, the threshold and the canary, hooked to what was judged.
//!
//! The order on one outcome: what words of the reply ask for, the breaker of the endpoint, then (in `judging`) the lane's own hold, the
//! threshold of the run, and advice at its end. What is decided is in `recovery/`; here it is done to lanes, journal and events.

use crate::batch::Batch;
use crate::delivery::{Delivery, Outcome};
use crate::error::{ErrorKind, Reach, SendError};
use crate::exit::Exit;
use crate::journal::events::{self, Event};
use crate::lane::{Place, Ready, Ticket};
use crate::limit::{Scope as Whose, Unit};
use crate::platform::LaneKey;
use crate::prepare::Prepared;
use crate::recovery::breaker::{Change, State};
use crate::recovery::canary::Step;
use crate::recovery::gate::key_of;
use crate::recovery::policy::CANARY_FAILURES;
use crate::recovery::rules::{self, Action, Class, Rule, Seen};
use crate::recovery::shaping::{self, Act, Scope};
use crate::recovery::sign::Sign;
use crate::rules::Doubt;
use crate::run::{Flow, Packed};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

impl Flow<'_> {
    /// What an earlier life of the run has decided and is not over yet.
    pub(super) fn remember_recovery(&mut self) {
        let (past, _) = events::read(&self.rules.folder, 0);
        let mut rests: HashMap<usize, Duration> = HashMap::new();
        for event in past {
            let text = |name: &str| event.more.get(name).and_then(|value| value.as_str());
            let Some(account) = event.account.as_deref().and_then(|name| self.preparer.account(name)) else { continue };
            let until: Option<jiff::Timestamp> = text("until").and_then(|until| until.parse().ok());
            let left = until.map(|until| until.duration_since(jiff::Timestamp::now()));
            if event.what == "breaker_closed" && text("endpoint").is_none() {
                rests.remove(&account);
            }
            // Whose breaker was open when that life ended begins with a probe.
            if matches!(event.what.as_str(), "breaker_opened" | "breaker_gave_up") && text("endpoint").is_none() {
                rests.insert(account, Duration::ZERO);
            }
            let Some(left) = left.and_then(|left| Duration::try_from(left).ok()).filter(|left| !left.is_zero()) else { continue };
            match (event.what.as_str(), text("action")) {
                ("recovery", Some("throttle")) => drop(self.throttle(account, left)),
                ("recovery", Some("circuit_break")) | ("breaker_opened" | "breaker_reopened", _)
                    if text("endpoint").is_none() =>
                {
                    rests.insert(account, left);
                }
                ("shaped", action) => {
                    let (Some(domain), now) = (text("domain"), Instant::now()) else { continue };
                    let interval = event.more.get("interval_ms").and_then(|ms| ms.as_u64()).map(Duration::from_millis);
                    match (action, interval) {
                        (Some("slow"), Some(interval)) => drop(self.lanes.gates(account).slow(domain, now, interval, now + left)),
                        _ => drop(self.lanes.gates(account).suspend(domain, now, left, self.rules.max_wait)),
                    }
                }
                _ => {}
            }
        }
        rests.retain(|account, _| !self.recovering.accounts[*account].goes_on);
        for (account, left) in rests {
            self.recovering.accounts[account].breaker.open_for(Instant::now(), left);
            let until = self.lanes.rest_account(account, left, left > self.rules.max_wait);
            self.recovering.accounts[account].rests = Some(until);
        }
    }

    /// The clock: breakers whose cool-down is over, throttles that end, the first rows.
    pub(super) fn tend(&mut self, more: bool) {
        let now = Instant::now();
        for account in 0..self.recovering.accounts.len() {
            let watched = &mut self.recovering.accounts[account];
            let woken = watched.breaker.wake(now).is_some();
            let mut hosts: Vec<Box<str>> = watched.open_hosts.iter().cloned().collect();
            hosts.retain(|host| watched.hosts.get_mut(host).is_some_and(|breaker| breaker.wake(now).is_some()));
            let ended = watched.throttled.is_some_and(|(_, until)| until <= now);
            if ended {
                watched.throttled = None;
            }
            if woken {
                self.relate(
                    self.event("breaker_half_open", account).because("its cool-down is over: one request goes as a probe"),
                );
            }
            for host in hosts {
                self.relate(self.event("breaker_half_open", account).with("endpoint", &*host));
            }
            if woken || ended {
                self.fit(account);
            }
        }
        self.tend_canary(more, now);
    }

    /// How many requests the account may have in flight now.
    fn fit(&mut self, account: usize) {
        let watched = &self.recovering.accounts[account];
        let throttled = watched.throttled.map_or(usize::MAX, |(most, _)| most);
        let probing = watched.breaker.state() == State::HalfOpen && !watched.goes_on;
        self.lanes.narrow(account, if probing { 1 } else { throttled });
    }

    /// Nothing of its endpoint may leave now: what was about to goes back at no cost.
    pub(super) fn is_shielded(&self, account: usize) -> bool {
        let watched = &self.recovering.accounts[account];
        watched.breaker.is_open() && !watched.goes_on
    }

    /// A group whose breaker opened before it left.
    pub(super) fn withdraw(&mut self, account: usize, packed: Packed) {
        self.give_back(account, &packed);
        let Packed { lane, batch, .. } = packed;
        self.recovering.accounts[account].spared += batch.deliveries().len() as u64;
        for delivery in batch.deliveries() {
            self.put_back(account, delivery);
        }
        self.put_first(account, &lane, batch.into_deliveries());
    }

    /// Before all others of their lane, or, of a pool, to whoever of it is left.
    fn put_first(&mut self, account: usize, lane: &LaneKey, mut deliveries: Vec<Delivery>) {
        if deliveries.len() > 1 {
            self.put_together(account, lane, deliveries);
        } else if let Some(delivery) = deliveries.pop() {
            if self.gives_up(account) {
                return self.hand_round(account, [Ticket::of(&delivery.envelope, lane.priority())]);
            }
            let owner = &self.preparer.accounts()[account];
            let share = if owner.batch > 1 { owner.platform.share(&delivery) } else { None };
            self.lanes.put_at(Ready { account, lane: lane.clone(), share, pool: None, not_before: None, delivery }, Place::First);
        }
        if self.lanes.is_blocked(account) {
            self.pass_on(account);
        }
    }

    /// A delivery was sent.
    pub(super) fn saw_sent(&mut self, account: usize, lane: &LaneKey, to: &str) {
        let now = Instant::now();
        let watched = &mut self.recovering.accounts[account];
        watched.window.saw(Class::Other);
        if watched.breaker.trouble() == 0 {
            watched.troubled.forget();
        } else {
            watched.troubled.saw(Class::Other);
        }
        watched.sent += 1;
        watched.since.get_or_insert(now);
        self.lanes.gates(account).proved(to);
        self.saw(account, lane, to, Sign::Answered, 1);
    }

    /// What an outcome says of the endpoint, and what follows for it. `None`: nobody watches that one.
    fn saw(&mut self, account: usize, lane: &LaneKey, to: &str, sign: Sign, attempt: u32) {
        let now = Instant::now();
        let host = self.lanes.host_of(lane, to);
        let timing = self.recovering.timing;
        let Some(breaker) = self.recovering.breaker(account, host.as_deref()) else { return };
        // A host that only a row named may not exist: that is the row's own matter.
        if host.is_some() && !breaker.proven() && sign != Sign::Answered {
            return;
        }
        let (failures, probes) = (breaker.in_a_row() + 1, breaker.failed_probes() + 1);
        if let Some(change) = breaker.saw(sign, attempt, now, &timing, &mut self.chance) {
            self.changed(account, host.as_deref(), change, failures, probes);
        }
    }

    /// Does to lanes and events what a breaker has decided.
    fn changed(&mut self, account: usize, host: Option<&str>, change: Change, failures: u32, probes: u32) {
        let last = self.recovering.accounts[account].last.clone();
        let mut event = match change {
            Change::Opened(_) => {
                self.event("breaker_opened", account).because(format!("{failures} failures in a row; the last: {last}"))
            }
            Change::Reopened(_) => self.event("breaker_reopened", account).because(format!("probe {probes} failed: {last}")),
            Change::GaveUp(_) => self.event("breaker_gave_up", account).because(format!("probe {probes} failed: {last}")),
            Change::HalfOpened => self.event("breaker_half_open", account),
            Change::Closed(open) => {
                let spared = std::mem::take(&mut self.recovering.accounts[account].spared);
                let seconds = open.as_secs_f64();
                self.event("breaker_closed", account)
                    .because(format!("it answers again after {seconds:.1} s; {spared} tries were not counted"))
                    .with("open_ms", open.as_millis() as u64)
                    .with("items", spared)
            }
        };
        if let Some(host) = host {
            event = event.with("endpoint", host);
        }
        let now = Instant::now();
        match (change, host) {
            (Change::Opened(wait) | Change::Reopened(wait) | Change::GaveUp(wait), Some(host)) => {
                event = after(event, wait);
                let until =
                    if matches!(change, Change::GaveUp(_)) { now + wait.max(self.rules.max_wait * 2) } else { now + wait };
                self.lanes.gates(account).shut(host, now, until);
                self.recovering.accounts[account].open_hosts.insert(Box::from(host));
            }
            (Change::Opened(wait) | Change::Reopened(wait) | Change::GaveUp(wait), None) => {
                event = after(event, wait).with("items", self.concerned(account));
                if !self.recovering.accounts[account].goes_on {
                    let parked = matches!(change, Change::GaveUp(_));
                    let rests = self.lanes.rest_account(account, wait, parked);
                    self.live.held(account, format!("its breaker is open: {last}"));
                    self.recovering.accounts[account].rests = Some(rests);
                    self.shared.tell(self.lanes.hold_key(account, &LaneKey::whole(), Some(Reach::Account)), wait);
                    if parked {
                        let name = self.preparer.accounts()[account].name.clone();
                        self.recovering.accounts[account].gave_up = Some(format!(
                            "account {name}: its server does not answer, {probes} probes failed ({last}); its rows stay pending\n  = \
                             help: check host, port and network (`notify platforms check {name}`), then resume"
                        ));
                    }
                }
            }
            (Change::Closed(_), Some(host)) => {
                self.lanes.gates(account).release(host);
                self.recovering.accounts[account].open_hosts.remove(host);
            }
            (Change::Closed(_), None) => {
                self.recovering.accounts[account].gave_up = None;
                if let Some(rests) = self.recovering.accounts[account].rests.take() {
                    self.lanes.rouse(account, rests);
                }
            }
            (Change::HalfOpened, _) => {}
        }
        self.relate(event);
        if host.is_none() {
            self.fit(account);
            if matches!(change, Change::Opened(_) | Change::Reopened(_)) {
                self.ask_network_rule(account);
            }
            if self.lanes.is_blocked(account) {
                self.pass_on(account);
            }
        }
    }

    /// Everything that looks at a failure before its row does. `None`: the row was put back, at no cost of a try.
    pub(super) fn shield(
        &mut self,
        account: usize,
        lane: &LaneKey,
        delivery: Delivery,
        error: SendError,
    ) -> Option<(Delivery, SendError)> {
        let to = delivery.envelope.to.clone();
        let (mut delivery, error) = self.shape(account, lane, delivery, error)?;
        let (probe, open) = self.note_failure(account, lane, to.as_str(), &error, delivery.envelope.attempt);
        if !open {
            return Some((delivery, error));
        }
        if self.recovering.accounts[account].goes_on {
            let sent_on = Sign::of(&error) == Sign::Down && self.fall_back(account, &delivery, &error);
            return (!sent_on).then_some((delivery, error));
        }
        match Sign::of(&error) {
            Sign::Down | Sign::Busy => {}
            // The server was reached with this row: a row that ends every session uses up its own tries.
            Sign::Cut if !probe => {}
            Sign::Doubt => {
                let idempotent = self.preparer.accounts()[account].platform.capability().idempotent;
                if idempotent || self.rules.in_doubt == Doubt::Resend {
                    // It goes again under its key, and this try is not counted either.
                    delivery.envelope.attempt = delivery.envelope.attempt.saturating_sub(1).max(1);
                }
                return Some((delivery, error));
            }
            _ => return Some((delivery, error)),
        }
        self.recovering.accounts[account].spared += 1;
        let wait = self.rest_of(account);
        self.hold_back(&delivery, &error, wait);
        self.put_first(account, lane, vec![delivery]);
        None
    }

    /// As [`Flow::shield`], for a request that failed as a whole.
    pub(super) fn shield_batch(
        &mut self,
        account: usize,
        lane: &LaneKey,
        batch: Batch,
        error: SendError,
    ) -> Option<(Batch, SendError)> {
        let to = batch.first().envelope.to.clone();
        let error = self.shaped(account, to.as_str(), error);
        let (_, open) = self.note_failure(account, lane, to.as_str(), &error, batch.first().envelope.attempt);
        if !open || self.recovering.accounts[account].goes_on || !matches!(Sign::of(&error), Sign::Down | Sign::Busy) {
            return Some((batch, error));
        }
        self.recovering.accounts[account].spared += batch.deliveries().len() as u64;
        let wait = self.rest_of(account);
        for delivery in batch.deliveries() {
            self.hold_back(delivery, &error, wait);
        }
        self.put_first(account, lane, batch.into_deliveries());
        None
    }

    fn rest_of(&self, account: usize) -> Duration {
        self.lanes.rests_until(account).map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Counts a failure for breaker and rules. Says whether it was a probe, and whether its endpoint's breaker is open now.
    fn note_failure(&mut self, account: usize, lane: &LaneKey, to: &str, error: &SendError, attempt: u32) -> (bool, bool) {
        let (sign, class) = (Sign::of(error), Class::of(error.kind));
        let host = self.lanes.host_of(lane, to).map(std::borrow::Cow::into_owned);
        let watched = &mut self.recovering.accounts[account];
        watched.window.saw(class);
        watched.troubled.saw(class);
        if sign.is_failure() {
            watched.last = error.to_string();
        }
        let state =
            |flow: &mut Self| flow.recovering.breaker(account, host.as_deref()).map_or(State::Closed, |breaker| breaker.state());
        let probe = state(self) == State::HalfOpen;
        self.saw(account, lane, to, sign, attempt);
        if class == Class::RateLimit {
            self.ask_rate_rule(account);
        }
        (probe, matches!(state(self), State::Open(_)))
    }

    fn ask_network_rule(&mut self, account: usize) {
        let rule = self.rules.recovery.network;
        let watched = &self.recovering.accounts[account];
        let cool_down = self.rest_of(account);
        let Some(seen) = watched.troubled.exceeds(Class::Network, &rule, rules::LEAST_IN_TROUBLE) else { return };
        if !watched.goes_on && rules::network_speaks(&rule, watched.breaker.trouble(), cool_down) {
            self.act(account, &rule, seen, "network errors");
        }
    }

    fn ask_rate_rule(&mut self, account: usize) {
        let rule = self.rules.recovery.rate_limit;
        let watched = &self.recovering.accounts[account];
        let Some(seen) = watched.window.exceeds(Class::RateLimit, &rule, rules::LEAST) else { return };
        if rule.action != Action::None && watched.throttled.is_none() {
            self.act(account, &rule, seen, "refused as too fast");
        }
    }

    /// Does what a rule says, and tells it with its numbers.
    fn act(&mut self, account: usize, rule: &Rule, seen: Seen, what: &str) {
        let (name, delay) = (self.preparer.accounts()[account].name.clone(), rule.delay);
        let items = self.concerned(account);
        let watched = &mut self.recovering.accounts[account];
        watched.window.forget();
        watched.troubled.forget();
        watched.breaker.calm();
        let span = crate::config::duration::format(delay);
        let advice = match rule.action {
            Action::None => return,
            Action::RetryAll => {
                // The breaker goes on asking meanwhile: a server that is back before the time is over need not be waited for.
                let now = Instant::now();
                let wait = self.recovering.accounts[account].breaker.open_at_most(now, delay);
                if let Some(rests) = self.recovering.accounts[account].rests.take() {
                    self.lanes.rouse(account, rests);
                }
                self.recovering.accounts[account].rests = Some(self.lanes.rest_account(account, wait, false));
                self.fit(account);
                format!(
                    "all {items} rows that are left of {name} go again within {span}, as soon as a request that is sent to ask gets \
                     through; check the server and the network meanwhile: nothing is lost, and no try was counted"
                )
            }
            Action::CircuitBreak => {
                let now = Instant::now();
                self.recovering.accounts[account].breaker.open_for(now, delay);
                let rests = self.lanes.rest_account(account, delay, delay > self.rules.max_wait);
                self.recovering.accounts[account].rests = Some(rests);
                self.shared.tell(self.lanes.hold_key(account, &LaneKey::whole(), Some(Reach::Account)), delay);
                self.fit(account);
                format!(
                    "{name} is left alone for {span}, then all {items} rows that are left go again; check the server and the network \
                     meanwhile: nothing is lost, and no try was counted"
                )
            }
            // What `-j auto` has learned of the refusals is finer than a half, and not over after ten minutes.
            Action::Throttle if self.lanes.learns(account) => {
                self.recovering.accounts[account].throttled = Some((usize::MAX, Instant::now() + delay));
                let width = self.lanes.width(account);
                let rate = self.lanes.tuner(account).rate();
                let pace = rate.map(|rate| format!(" and about {rate:.1} requests/s")).unwrap_or_default();
                format!(
                    "{name} goes on with what it has learned of the refusals ({width} at once{pace}); write `limits:` of what the service \
                     allows into the account, so that nobody has to learn it"
                )
            }
            Action::Throttle => {
                let width = self.lanes.width(account);
                let pace = self.throttle(account, delay);
                let to = pace.map(|pace| format!(" and at most {pace:.1}/s")).unwrap_or_default();
                let limit = pace.map_or("a smaller -j".to_owned(), |pace| format!("such as {}/s", (pace as u64).max(1)));
                format!(
                    "half the width ({} of {width} at once{to}) for {span}; write `limits:` of what the service allows into account \
                     {name}, {limit}",
                    (width / 2).max(1)
                )
            }
            Action::Selective => "rows that may succeed go again by their own tries; the others are in the retry file".to_owned(),
        };
        let event = self
            .event("recovery", account)
            .because(format!("{seen} tries: {what}"))
            .with("action", rule.action.as_str())
            .with("of", seen.of_class)
            .with("seen", seen.all)
            .with("items", items)
            .with("recommendation", advice);
        self.relate(after(event, delay));
    }

    /// Half the width and half the pace for so long; the pace that holds then, where there is one to halve.
    fn throttle(&mut self, account: usize, length: Duration) -> Option<f64> {
        let now = Instant::now();
        let until = now + length;
        let owner = &self.preparer.accounts()[account];
        let declared = owner
            .quotas
            .iter()
            .filter(|quota| quota.scope == Whose::Account && quota.of == Unit::Deliveries && !quota.rolls())
            .map(|quota| quota.interval())
            .max();
        let watched = &mut self.recovering.accounts[account];
        watched.throttled = Some(((self.lanes.width(account) / 2).max(1), until));
        // Without a limit that was declared there is nothing to halve but the width: what was measured counts the holds too.
        let interval = declared.map(|interval| interval * 2).filter(|interval| !interval.is_zero());
        if let Some(interval) = interval {
            self.lanes.space(account, interval, until);
        }
        self.fit(account);
        interval.map(|interval| 1.0 / interval.as_secs_f64())
    }

    /// What words of a reply ask for, where they concern all of the account or a target: as if the service had named that wait.
    fn shaped(&mut self, account: usize, to: &str, error: SendError) -> SendError {
        let rules = self.preparer.accounts()[account].shaping.clone();
        let Some(rule) = shaping::find(&rules, to, &error).filter(|rule| rule.scope != Scope::Domain) else { return error };
        let mut event = self
            .event("shaped", account)
            .because(error.to_string())
            .with("action", rule.act.as_str())
            .with("scope", rule.scope.as_str())
            .with("rule", rule.preset.map_or_else(|| rule.pattern.as_str().to_owned(), |preset| format!("preset {preset}")))
            .with("items", self.concerned(account));
        match rule.act {
            Act::Slow(interval) => {
                let until = Instant::now() + rule.length;
                self.lanes.space(account, interval, until);
                event = event.with("interval_ms", interval.as_millis() as u64);
                self.relate(after(event, rule.length));
                error
            }
            Act::Suspend => {
                let reach = if rule.scope == Scope::Target { Reach::Target } else { Reach::Account };
                // In flight together, refused together: told once.
                if self.lanes.rests_until(account).is_none() {
                    self.relate(after(event, rule.length));
                }
                let wait = error.retry_after.map_or(rule.length, |named| named.max(rule.length));
                SendError { kind: ErrorKind::Throttled, retry_after: Some(wait), reach: Some(reach), ..error }
            }
        }
    }

    /// As [`Flow::shaped`], and for the domain of one row. `None`: the row rests until its domain may be sent to.
    fn shape(&mut self, account: usize, lane: &LaneKey, delivery: Delivery, error: SendError) -> Option<(Delivery, SendError)> {
        let rules = self.preparer.accounts()[account].shaping.clone();
        let to = delivery.envelope.to.clone();
        let Some(rule) = shaping::find(&rules, to.as_str(), &error) else { return Some((delivery, error)) };
        if rule.scope != Scope::Domain {
            let error = self.shaped(account, to.as_str(), error);
            return Some((delivery, error));
        }
        let Some(domain) = key_of(to.as_str()) else { return Some((delivery, error)) };
        let now = Instant::now();
        let first = !self.lanes.gates(account).is_held(to.as_str(), now);
        let until = match rule.act {
            Act::Slow(interval) => {
                let long = self.lanes.gates(account).slow(&domain, now, interval, now + rule.length);
                now + if long > self.rules.max_wait { self.rules.max_wait + Duration::from_secs(1) } else { interval }
            }
            Act::Suspend => self.lanes.gates(account).suspend(&domain, now, rule.length, self.rules.max_wait),
        };
        if first {
            let mut event = self
                .event("shaped", account)
                .because(error.to_string())
                .with("action", rule.act.as_str())
                .with("scope", "domain")
                .with("items", 1)
                .with("domain", &*domain)
                .with("rule", rule.preset.map_or_else(|| rule.pattern.as_str().to_owned(), |preset| format!("preset {preset}")));
            if let Act::Slow(interval) = rule.act {
                event = event.with("interval_ms", interval.as_millis() as u64);
            }
            self.relate(after(event, rule.length));
        }
        if matches!(rule.act, Act::Slow(_)) && error.kind != ErrorKind::Throttled {
            return Some((delivery, error));
        }
        // The endpoint answered, even with a 421: that is about this domain only.
        let priority = lane.priority();
        let sign = if error.code.is_some() { Sign::Answered } else { Sign::of(&error) };
        self.saw(account, lane, to.as_str(), sign, delivery.envelope.attempt);
        let wait = until.saturating_duration_since(now);
        self.hold_back(&delivery, &error, wait);
        self.lanes.rest_told(account, Ticket::of(&delivery.envelope, priority), until, Some(wait));
        None
    }

    /// Rows that a decision about this account concerns.
    fn concerned(&self, account: usize) -> u64 {
        match self.preparer.accounts().len() {
            1 => self.tally.pending(),
            _ => self.lanes.load(account) as u64,
        }
    }

    /// A row was settled that had been sent: the threshold of the run, and the first rows.
    pub(super) fn reckon(&mut self, outcome: &Outcome) {
        let (failed, doubt) = match outcome {
            Outcome::Sent(_) => (false, false),
            Outcome::Deferred(_) => return,
            Outcome::Failed(error) => (error.kind != ErrorKind::InDoubt, error.kind == ErrorKind::InDoubt),
        };
        let recovering = &mut self.recovering;
        recovering.settled += 1;
        recovering.failed += u64::from(failed);
        if let Some(canary) = &mut recovering.canary {
            canary.settle(failed || doubt);
        }
        let (settled, failed_rows) = (recovering.settled, recovering.failed);
        let Some(most) = self.rules.recovery.halt_on_failures.filter(|_| failed && self.closing.is_none()) else { return };
        // With nothing left there is nothing to stop.
        let passed = most.is_passed(failed_rows, settled, self.rules.recovery.halt_min);
        if passed && self.tally.pending() > 0 {
            let why = format!(
                "{failed_rows} of {settled} rows failed ({:.1} %), and --halt-on-failures is {most}",
                failed_rows as f64 * 100.0 / settled as f64
            );
            self.halt_run("halted", &why, settled, failed_rows);
        }
    }

    fn halt_run(&mut self, what: &str, why: &str, settled: u64, failed: u64) {
        let advice =
            "look at the failures (`notify report`), mend what they have in common, then `notify resume`; the count begins anew";
        let event = Event::now(what)
            .because(why)
            .with("action", "halt")
            .with("items", self.tally.pending())
            .with("settled", settled)
            .with("failed", failed)
            .with("recommendation", advice);
        self.relate(if what == "canary" { event.with("passed", false) } else { event });
        self.close(Exit::Stopped, Some(format!("the run was stopped: {why}; the other rows stay pending")));
    }

    fn tend_canary(&mut self, more: bool, now: Instant) {
        let Some(canary) = &mut self.recovering.canary else { return };
        if canary.room() == Some(0) && !more && self.recovering.held.is_empty() {
            // Nobody is left to be protected.
            self.recovering.canary = None;
            return;
        }
        let (settled, failed) = canary.counts();
        let quiet = self.lanes.is_empty() && self.tasks.is_empty();
        match canary.step(quiet, now) {
            None => {}
            Some(Step::Holds(until)) => {
                let hold = until.saturating_duration_since(now);
                let why = format!(
                    "{failed} of the first {settled} rows failed; the others go after {}",
                    crate::config::duration::format(hold)
                );
                let event = Event::now("canary").because(why).with("settled", settled).with("failed", failed);
                self.relate(after(event, hold));
            }
            Some(Step::Passed) => {
                self.recovering.canary = None;
                let why = format!("{failed} of the first {settled} rows failed: the others go");
                let event =
                    Event::now("canary").because(why).with("settled", settled).with("failed", failed).with("passed", true);
                self.relate(event);
            }
            Some(Step::Failed) => {
                let most = self.rules.recovery.halt_on_failures.unwrap_or(CANARY_FAILURES);
                let why = format!("{failed} of the first {settled} rows (--canary) failed or are in doubt, and {most} may");
                self.halt_run("canary", &why, settled, failed);
            }
        }
    }

    /// A row that was read goes on, or waits for the first ones.
    pub(super) fn hand_on(&mut self, prepared: Prepared) {
        let ready = match prepared {
            Prepared::Ready(ready) => ready,
            other => return self.settle_unsent(other),
        };
        if let Some(canary) = &mut self.recovering.canary {
            if canary.room() == Some(0) {
                self.recovering.held.push_back(Prepared::Ready(ready));
                return;
            }
            canary.hand();
        }
        self.put(*ready);
    }

    /// Rows that waited for the first ones, once these are through.
    pub(super) fn hand_on_held(&mut self) {
        let free = |flow: &Self| flow.recovering.canary.as_ref().is_none_or(|canary| canary.room() != Some(0));
        while free(self)
            && let Some(prepared) = self.recovering.held.pop_front()
        {
            self.hand_on(prepared);
        }
    }

    /// At the end: what became of what failed, as the founding rules have it for everything else.
    pub(super) fn advise(&mut self) {
        let retryable: u64 = self.tally.kinds.iter().filter(|(kind, _)| kind.retryable()).map(|(_, rows)| rows).sum();
        if retryable == 0 {
            return;
        }
        let event = Event::now("recovery")
            .because(format!("{retryable} of {} failed rows may succeed as they are", self.tally.failed))
            .with("action", Action::Selective.as_str())
            .with("items", retryable)
            .with("recommendation", format!("notify retry {} --only retryable", self.rules.folder.id));
        self.relate(event);
    }

    fn event(&self, what: &str, account: usize) -> Event {
        Event::now(what).of(&self.preparer.accounts()[account].name)
    }

    fn relate(&mut self, event: Event) {
        if let Err(error) = events::append(&self.rules.folder, &event) {
            tracing::warn!(%error, "an event could not be kept");
        }
        self.progress.happened(&event);
    }
}

/// The event with its delay, in seconds, and the moment at which that is over.
fn after(event: Event, delay: Duration) -> Event {
    let until = jiff::Timestamp::now().saturating_add(jiff::SignedDuration::try_from(delay).unwrap_or(jiff::SignedDuration::MAX));
    let until = until.map_or_else(|_| String::new(), |until| until.to_string());
    event.with("delay", (delay.as_secs_f64() * 1000.0).round() / 1000.0).with("until", until)
}
