//! Finds the width that pays: doubles while the rate follows, comes back from where it falls, and tries again now and then.
//!
//! What counts is what is served, not latency alone: a service that is merely far away must be given more, and the noise of a fast
//! one must not frighten. Latency only warns early. Why so: docs/decisions/0010.

use std::time::Duration;

use super::epoch::{Answer, Epoch, Flight};

/// Less than this share of the width in use: it is not the width that holds the sender back, and nothing is learned about it.
const FILLED: f64 = 0.7;
/// Of the growth that was hoped for, the share that must show in the rate for more to pay.
const PAYS: f64 = 0.25;
/// A rate that fell below this share of the best is a fall.
const FALL: f64 = 0.93;
/// Latency this many times the known one is a service that breaks down, not noise.
const BROKEN: f64 = 3.0;
/// A share of failures above this is too many, where they come of the width.
const FAILURES: f64 = 0.05;
/// The first pause between two tries beyond what is known to be good, in epochs, and the longest.
const PAUSE: (u32, u32) = (6, 512);
/// Answers that are later by less than this many seconds are the machine's own doing.
const NOISE: f64 = 0.005;
/// The finest step, as a share of the width.
const FINE: f64 = 0.06;

/// A width, and how it did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Good {
    pub(super) width: usize,
    pub(super) rate: f64,
    /// Seconds that a place of the width was taken by a request.
    pub(super) latency: f64,
    /// Seconds from sending to the answer.
    answer: f64,
    error: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Doubling.
    Climb,
    /// From the known good towards the ceiling, step by step.
    Refine,
    /// Smaller widths are tried, because more is served with less.
    Descend,
    /// Settled.
    Hold,
    /// Settled, and something larger is tried.
    Probe,
}

/// A few requests beyond the known good width, before all of it is taken.
#[derive(Debug, Clone, Copy, Default)]
struct Scouts {
    left: usize,
    out: usize,
    back: usize,
    /// From this company on they tell about the width that is tried.
    tip: usize,
    told: usize,
    bad: usize,
    time: f64,
}

/// What an epoch says of the width that it tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Unclear,
    Pays,
    Same,
    Falls,
}

/// A change of width and its reason, in words.
pub(super) type Change = (usize, String);

/// The search for one account.
#[derive(Debug)]
pub(super) struct Climber {
    min: usize,
    max: usize,
    target: Option<f64>,
    width: usize,
    stage: Stage,
    good: Option<Good>,
    /// The best that a settled width ever did.
    best: Option<Good>,
    /// The smallest width that is known to hurt.
    ceiling: Option<usize>,
    pub(super) epoch: Epoch,
    number: u32,
    scouts: Option<Scouts>,
    /// Epochs until the next try, and how many there were before this one.
    rest: u32,
    pause: u32,
    /// Failures that come whatever the width is.
    usual: f64,
    /// The share of failures that made the width smaller, and the width before.
    blamed: Option<(f64, usize)>,
    /// Nothing smaller than the first width has been tried.
    first: bool,
    /// Tries of a settled width: every second one is a smaller one, and of those every second one only a little smaller.
    tries: u32,
    /// From the first answers: perhaps more than this hurts.
    hint: Option<usize>,
    /// How long the loneliest of the first answers took.
    lonely: f64,
    /// What was measured first was measured again.
    warm: bool,
    /// Requests that are away; of those, the ones that left before the width became smaller, and the last epoch of theirs.
    away: usize,
    old: usize,
    before: u32,
}

impl Climber {
    pub(super) fn new(min: usize, max: usize, initial: usize, target: Option<f64>, now: Duration) -> Self {
        Climber {
            min,
            max,
            target,
            width: initial.clamp(min, max),
            stage: Stage::Climb,
            good: None,
            best: None,
            ceiling: None,
            epoch: Epoch::new(now),
            number: 0,
            scouts: None,
            rest: PAUSE.0,
            pause: PAUSE.0,
            usual: 0.0,
            blamed: None,
            first: true,
            tries: 0,
            hint: None,
            lonely: 0.0,
            warm: false,
            away: 0,
            old: 0,
            before: 0,
        }
    }

    /// Requests that may be in flight now.
    pub(super) fn width(&self) -> usize {
        match (&self.scouts, &self.good) {
            // The scouts are out: nothing more goes beyond the known good until they are back.
            (Some(scouts), Some(good)) if scouts.left == 0 => good.width.clamp(self.min, self.max),
            _ => self.width,
        }
    }

    pub(super) fn good(&self) -> Option<Good> {
        self.good
    }

    /// A request is gathered, with so many in flight before it.
    pub(super) fn takes(&mut self, now: Duration, served: u64, calls: usize) -> Flight {
        if !self.epoch.any {
            self.epoch.any = true;
            self.epoch.cold = calls == 0;
            if calls == 0 {
                self.epoch.begun = now;
                self.epoch.busy = 0.0;
            }
        }
        Flight { taken: now, sent: now, served, epoch: self.number, abreast: 0, scout: false }
    }

    /// It leaves, with so many on their way.
    pub(super) fn leaves(&mut self, now: Duration, flight: &mut Flight, abreast: usize) {
        flight.sent = now;
        flight.abreast = abreast;
        self.away += 1;
        let known = self.good.map_or(usize::MAX, |good| good.width);
        if let Some(scouts) = &mut self.scouts
            && scouts.left > 0
            && flight.epoch == self.number
            && abreast > known
        {
            scouts.left -= 1;
            scouts.out += 1;
            flight.scout = true;
        }
    }

    /// An answer. Says the new width and why, where it changes.
    pub(super) fn answered(&mut self, now: Duration, flight: &Flight, served: u64, answer: Answer) -> Option<Change> {
        self.back(now, flight);
        self.epoch.served += u64::from(answer == Answer::Served);
        if flight.epoch == self.number {
            self.epoch.answered(now, flight, served, answer);
            self.report(now, flight, answer);
        }
        if self.scouts.is_some() {
            return self.scouted(now);
        }
        if self.old > 0 || !self.is_over(now) {
            return None;
        }
        if self.epoch.is_outage() || self.epoch.fill(now, self.width) < FILLED {
            // The sender itself, a pace or an outage: nothing is known about this width.
            if let (Stage::Probe | Stage::Refine, Some(good)) = (self.stage, self.good) {
                return self.settle(now, good.width, "it is not the width that holds back".to_owned());
            }
            self.begin(now);
            return None;
        }
        if self.epoch.own == 0 {
            return None;
        }
        match self.stage {
            Stage::Climb => self.climb(now),
            Stage::Refine => self.refine(now),
            Stage::Descend => self.descend(now),
            Stage::Hold => self.hold(now),
            Stage::Probe => self.probe(now),
        }
    }

    /// Whether nothing is tried just now.
    pub(super) fn is_settled(&self) -> bool {
        self.stage == Stage::Hold && self.good.is_some()
    }

    /// What requests carry was another thing for a while, or is from now on: then what is known of rates is not true any more.
    pub(super) fn anew(&mut self, now: Duration, changed: bool) {
        if changed {
            (self.good, self.best) = (None, None);
        }
        self.begin(now);
    }

    /// Whether more than is known to be good is in use just now.
    pub(super) fn is_trying(&self) -> bool {
        self.good.is_some_and(|good| self.width > good.width)
    }

    /// The service asked for less speed while more than is known to be good was tried.
    pub(super) fn refused(&mut self, now: Duration) -> Option<Change> {
        let (tried, good) = (self.width, self.good?);
        self.first = false;
        self.ceiling = Some(tried);
        self.pause = (self.pause * 2).min(PAUSE.1);
        self.settle(now, good.width, format!("{tried} is too wide: the service asked for less speed"))
    }

    /// The service asked for less speed: half of it, but no less than `least`.
    pub(super) fn halve(&mut self, now: Duration, least: usize) {
        self.good = None;
        self.ceiling = None;
        self.stage = Stage::Climb;
        self.scouts = None;
        self.take((self.width() / 2).max(least).clamp(self.min, self.max), now);
    }

    /// A request is not away any more.
    pub(super) fn back(&mut self, now: Duration, flight: &Flight) {
        self.away = self.away.saturating_sub(1);
        if self.old > 0 && flight.epoch <= self.before {
            self.old -= 1;
            if self.old == 0 {
                self.begin(now);
            }
        }
    }

    /// How many answers an epoch needs before it says anything.
    fn needed(&self) -> u64 {
        let width = self.width as u64;
        if let Some((share, _)) = self.blamed {
            return ((6.0 / share.max(0.01)) as u64).max(width / 2);
        }
        match self.stage {
            // From nothing, what is early is what is fast: only all of them tell.
            Stage::Climb if self.epoch.cold => width,
            Stage::Climb => (width / 2).max(4),
            Stage::Refine | Stage::Probe | Stage::Descend => (width / 2).max(16),
            Stage::Hold => (2 * width).max(64),
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        let needed = self.needed();
        if self.epoch.own >= needed {
            return true;
        }
        // Failures in plenty need no further proof.
        if self.epoch.bad >= 6 && self.epoch.own >= 8 && self.epoch.bad_share() > 0.2 + 2.0 * self.usual {
            return true;
        }
        // It takes so long that the time itself is the answer.
        self.stage != Stage::Hold && self.epoch.own > 0 && self.good.is_some_and(|good| self.expired(now, &good, 4.0))
    }

    fn expired(&self, now: Duration, good: &Good, times: f64) -> bool {
        let rounds = self.needed() as f64 / self.width.max(1) as f64 + 1.0;
        now.saturating_sub(self.epoch.begun).as_secs_f64() > times * rounds * good.latency
    }

    fn begin(&mut self, now: Duration) {
        self.number = self.number.wrapping_add(1);
        self.epoch = Epoch::new(now);
    }

    fn take(&mut self, width: usize, now: Duration) {
        let width = width.clamp(self.min, self.max);
        self.width = width;
        self.old = 0;
        self.begin(now);
    }

    /// What is slow because there was too much in flight takes its places for a while: until it is back, less tells nothing.
    fn drain(&mut self) {
        (self.old, self.before) = (self.away, self.number.wrapping_sub(1));
    }

    fn tries(&mut self, width: usize, now: Duration) {
        self.take(width, now);
        let known = self.good.map_or(self.width, |good| good.width);
        if self.width > known {
            let beyond = self.width - known;
            self.scouts = Some(Scouts { left: beyond.max(2), tip: self.width - beyond / 4, ..Scouts::default() });
        }
    }

    fn report(&mut self, now: Duration, flight: &Flight, answer: Answer) {
        if let Some(scouts) = &mut self.scouts
            && flight.scout
        {
            scouts.back += 1;
            if flight.abreast < scouts.tip {
                return;
            }
            scouts.told += 1;
            scouts.bad += usize::from(answer != Answer::Served);
            scouts.time += now.saturating_sub(flight.taken).as_secs_f64();
        }
    }

    /// Whether the scouts came back unhurt.
    fn scouted(&mut self, now: Duration) -> Option<Change> {
        let (scouts, good) = (self.scouts?, self.good?);
        let told = scouts.left == 0 && scouts.back >= scouts.out;
        let failed = scouts.bad > scouts.told / 2 && scouts.bad as f64 > 2.0 * self.usual * scouts.told as f64;
        let hurt = failed || scouts.told > 0 && scouts.time / scouts.told as f64 > BROKEN * good.latency;
        // Where hardly anything is abreast at the service, nobody can go ahead; then the whole width is tried.
        let nobody = self.epoch.own >= 2 * self.needed() && scouts.left > 0;
        if told && hurt {
            let tried = self.width;
            return self.fell(now, tried, "requests beyond it were hurt".to_owned());
        }
        if told || nobody {
            self.scouts = None;
            self.begin(now);
        }
        None
    }

    fn word(&self, now: Duration, over: &Good) -> Word {
        let epoch = &self.epoch;
        let late = epoch.own < self.needed();
        let seconds = now.saturating_sub(epoch.begun).as_secs_f64();
        let rate = if late && seconds > 0.0 { epoch.served as f64 / seconds } else { epoch.rate() };
        if self.too_many_failures() || self.target.is_some_and(|target| epoch.latency() > target) {
            return Word::Falls;
        }
        let ratio = rate / over.rate.max(f64::MIN_POSITIVE);
        let hoped = self.width as f64 / over.width.max(1) as f64 - 1.0;
        let doubt = epoch.error().hypot(over.error) * ratio;
        let long = epoch.own >= 8 * self.needed() || late;
        let pays = 1.0 + PAYS * hoped;
        // Each place has been taken twice: what was in flight before does not count any more.
        let turned = epoch.own >= 2 * self.width as u64;
        if epoch.scatters() && epoch.own < self.width as u64 && !late {
            return Word::Unclear;
        }
        if ratio + doubt < FALL || (ratio < FALL && long) {
            Word::Falls
        } else if (ratio - 0.5 * doubt > pays || (ratio > pays && long)) && (self.stage != Stage::Probe || turned) {
            Word::Pays
        } else if long || ((ratio + 2.0 * doubt < pays || doubt < 0.02) && (self.stage != Stage::Climb || turned)) {
            Word::Same
        } else {
            Word::Unclear
        }
    }

    fn too_many_failures(&self) -> bool {
        let many = self.epoch.own as f64 * (FAILURES + 2.0 * self.usual).min(0.9);
        self.epoch.bad >= 3 && self.epoch.bad as f64 > many + 2.0 * many.sqrt()
    }

    fn now_good(&mut self) {
        let (epoch, width) = (&self.epoch, self.width);
        let rate = epoch.rate().max(f64::MIN_POSITIVE);
        // By Little's law: answers that are in already are the fast ones.
        self.good = Some(Good { width, rate, latency: width as f64 / rate, answer: epoch.latency(), error: epoch.error() });
    }

    /// Failures that did not become fewer with less width do not come of the width. Where they are many, a good deal less is tried
    /// before that is believed.
    fn absolve(&mut self, now: Duration) -> Option<Change> {
        let (share, before) = self.blamed?;
        let own = self.epoch.bad_share();
        if own < 0.6 * share {
            self.blamed = None;
            return None;
        }
        let far = if share < 0.2 { before } else { before / 16 };
        if self.width > far.max(self.min) {
            self.good = None;
            self.stage = Stage::Climb;
            self.take(self.width / 2, now);
            return Some((self.width, "failures go on".to_owned()));
        }
        self.blamed = None;
        self.usual = self.usual.max(own).max(share);
        self.ceiling = None;
        self.stage = Stage::Climb;
        self.good = None;
        self.take(before, now);
        Some((self.width, "failures do not come of the width".to_owned()))
    }

    fn climb(&mut self, now: Duration) -> Option<Change> {
        if let Some(change) = self.absolve(now) {
            return Some(change);
        }
        let Some(good) = self.good else {
            let late = self.target.is_some_and(|target| self.epoch.latency() > target);
            if self.too_many_failures() || late {
                let tried = self.width;
                return self.fell(now, tried, self.trouble());
            }
            let edge = self.epoch.edge(None).filter(|_| self.epoch.cold && self.first);
            self.lonely = self.epoch.lonely();
            self.now_good();
            if let Some(edge) = edge.filter(|edge| *edge > self.min) {
                self.hint = Some(edge - 1);
                self.stage = Stage::Descend;
                self.take(edge - 1, now);
                self.drain();
                return Some((self.width, "whether less serves more".to_owned()));
            }
            return self.onward(now, "it starts");
        };
        if self.width <= good.width {
            self.now_good();
            if let Some(hint) = self.hint {
                self.stage = Stage::Descend;
                self.take(hint, now);
                self.drain();
                return Some((self.width, "whether less serves more".to_owned()));
            }
            return self.onward(now, "it starts");
        }
        match self.word(now, &good) {
            Word::Unclear => None,
            Word::Falls => {
                let tried = self.width;
                self.fell(now, tried, self.trouble())
            }
            Word::Pays => {
                self.now_good();
                self.first = false;
                self.onward(now, "the rate follows")
            }
            Word::Same => {
                // What the pipe holds by itself, and something for its unevenness.
                let (rate, before) = (self.epoch.rate(), good);
                let holds = rate.max(before.rate) * before.width as f64 / before.rate.max(f64::MIN_POSITIVE);
                let enough = ((1.3 * holds).ceil() as usize).clamp(before.width, self.width);
                self.now_good();
                self.first = false;
                self.settle(now, enough, format!("more than {enough} serves no faster"))
            }
        }
    }

    fn onward(&mut self, now: Duration, why: &str) -> Option<Change> {
        let known = self.good?.width;
        if let Some(ceiling) = self.ceiling {
            return self.next_step(now, ceiling);
        }
        if known >= self.max {
            return self.settle(now, known, "the most that is allowed".to_owned());
        }
        self.take(known * 2, now);
        Some((self.width, why.to_owned()))
    }

    /// The next step from the known good towards the ceiling.
    fn next_step(&mut self, now: Duration, ceiling: usize) -> Option<Change> {
        let known = self.good?.width;
        let room = ceiling.saturating_sub(known);
        let finest = ((known as f64 * FINE).floor() as usize).max(1);
        if room > finest && known < self.max {
            self.stage = Stage::Refine;
            self.tries(known + (room / 2).max(1), now);
            return Some((self.width, "between what is good and what is not".to_owned()));
        }
        if self.first && ceiling <= self.max && known > self.min {
            return self.down(now);
        }
        self.settle(now, known, format!("just under {ceiling}, where it gets worse"))
    }

    /// Nothing smaller was ever tried: perhaps less is more.
    fn down(&mut self, now: Duration) -> Option<Change> {
        self.first = false;
        self.stage = Stage::Descend;
        self.take(self.good?.width / 2, now);
        Some((self.width, "whether less serves more".to_owned()))
    }

    fn refine(&mut self, now: Duration) -> Option<Change> {
        let good = self.good?;
        match self.word(now, &good) {
            Word::Unclear => None,
            Word::Falls => {
                let tried = self.width;
                self.fell(now, tried, self.trouble())
            }
            Word::Pays | Word::Same => {
                // Against the best, so that many small falls are a fall.
                let best = good.rate;
                self.now_good();
                if let Some(good) = &mut self.good {
                    good.rate = good.rate.max(best);
                }
                self.first = false;
                let ceiling = self.ceiling.unwrap_or(self.max + 1);
                self.next_step(now, ceiling)
            }
        }
    }

    /// The width `tried` hurts.
    fn fell(&mut self, now: Duration, tried: usize, why: String) -> Option<Change> {
        self.scouts = None;
        let share = self.epoch.bad_share();
        if self.too_many_failures() && self.blamed.is_none() {
            self.blamed = Some((share, tried));
        }
        // What was good once need not be any more: then nothing above it is worth a try.
        let lost = self.good.filter(|good| self.usual < 0.1 && self.epoch.fails_within(good.width));
        if let Some(lost) = lost {
            self.good = None;
            self.ceiling = Some(lost.width.max(2));
            self.stage = Stage::Climb;
            self.take(lost.width / 2, now);
            return Some((self.width, format!("{} is too wide: {why}", lost.width)));
        }
        let known = self.good.map(|good| good.latency);
        let edge = self.epoch.edge(known).filter(|edge| *edge <= tried && *edge > 1);
        let ceiling = edge.unwrap_or(tried).max(2);
        self.ceiling = Some(ceiling);
        let why = format!("{tried} is too wide: {why}");
        if let (Stage::Probe, Some(good)) = (self.stage, self.good) {
            let room = ceiling.saturating_sub(good.width);
            self.pause = if room > 2 + good.width / 8 { PAUSE.0 } else { (self.pause * 2).min(PAUSE.1) };
            return self.settle(now, good.width.min(ceiling - 1), why);
        }
        match (self.good.filter(|good| good.width < ceiling), edge) {
            // It is plain to see from where on; that is proved before it counts.
            (Some(good), Some(edge)) if edge - 1 > good.width => {
                self.stage = Stage::Refine;
                self.first = false;
                self.take(edge - 1, now);
            }
            (Some(good), None) if self.first && good.width > self.min => {
                // What is told is the fall.
                let _ = self.down(now);
            }
            (Some(good), _) => {
                self.first = false;
                self.take(good.width, now);
                // A change of its own; what is told is the fall.
                let _ = self.next_step(now, ceiling);
            }
            (None, _) => {
                self.good = None;
                self.stage = Stage::Climb;
                self.take(edge.map_or(ceiling / 2, |edge| edge - 1), now);
            }
        }
        Some((self.width(), why))
    }

    fn trouble(&self) -> String {
        let share = self.epoch.bad_share();
        if self.too_many_failures() {
            format!("{:.0} % of requests failed", 100.0 * share)
        } else if self.target.is_some_and(|target| self.epoch.latency() > target) {
            "answers take longer than the target".to_owned()
        } else {
            "less is served".to_owned()
        }
    }

    fn descend(&mut self, now: Duration) -> Option<Change> {
        if let Some(change) = self.absolve(now) {
            return Some(change);
        }
        let good = self.good?;
        let ratio = self.epoch.rate() / good.rate.max(f64::MIN_POSITIVE);
        let doubt = self.epoch.error().hypot(good.error);
        // The first answers are slow for many a reason, connections that are opened for one: unless it is plain that this was none of
        // them, it is measured once more.
        let plain = ratio > 3.0 && self.epoch.latency() > 0.6 * self.lonely;
        if self.hint.is_some() && !self.warm && !plain {
            self.warm = true;
            self.stage = Stage::Climb;
            self.take(good.width, now);
            return Some((self.width, "it starts".to_owned()));
        }
        if ratio > 1.05 + doubt.min(0.1) {
            // Less is more.
            self.ceiling = Some(self.hint.take().map_or(good.width, |hint| hint + 1));
            let narrower = self.width / 2;
            self.now_good();
            if self.width <= self.min {
                let ceiling = self.ceiling.unwrap_or(self.max + 1);
                return self.next_step(now, ceiling);
            }
            self.take(narrower, now);
            return Some((self.width, "less is more".to_owned()));
        }
        if ratio > 1.0 && doubt > 0.1 && self.epoch.own < 4 * self.needed() {
            return None;
        }
        if self.hint.take().is_some() {
            self.take(good.width, now);
            self.stage = Stage::Climb;
            return self.onward(now, "less serves less");
        }
        let ceiling = self.ceiling.unwrap_or(self.max + 1);
        self.take(good.width, now);
        self.next_step(now, ceiling).or(Some((self.width(), "less serves less".to_owned())))
    }

    fn settle(&mut self, now: Duration, width: usize, why: String) -> Option<Change> {
        let change = width != self.width;
        self.stage = Stage::Hold;
        self.scouts = None;
        self.rest = self.pause;
        self.take(width, now);
        if let Some(good) = &mut self.good {
            good.width = self.width;
        }
        change.then_some((self.width, why))
    }

    fn hold(&mut self, now: Duration) -> Option<Change> {
        if let Some(change) = self.absolve(now) {
            return Some(change);
        }
        let Some(good) = self.good else {
            self.now_good();
            self.begin(now);
            return None;
        };
        if self.too_many_failures() {
            let (tried, why, share) = (self.width, self.trouble(), self.epoch.bad_share());
            self.blamed = Some((share, tried));
            self.ceiling = Some(tried);
            let narrower = self.epoch.edge(Some(good.latency)).map_or(tried * 4 / 5, |edge| (edge - 1).min(tried - 1)).max(1);
            self.good = None;
            self.settle(now, narrower.min(tried), String::new());
            return Some((self.width, format!("{tried} is too wide: {why}")));
        }
        if self.target.is_some_and(|target| self.epoch.latency() > 1.1 * target) && self.width > self.min {
            let tried = self.width;
            self.ceiling = Some(tried);
            self.now_good();
            return self.settle(now, (tried * 6 / 7).min(tried - 1), "answers take longer than the target".to_owned());
        }
        let rate = self.epoch.rate().max(f64::MIN_POSITIVE);
        let latency = self.width as f64 / rate;
        let later = self.epoch.latency() > (1.6 * good.answer).max(good.answer + NOISE);
        if rate < 0.6 * good.rate && later && self.width > self.min {
            // The service became slower: perhaps it carries less by now.
            self.now_good();
            self.stage = Stage::Descend;
            self.take(self.width / 2, now);
            return Some((self.width, "the service became slower".to_owned()));
        }
        if let Some(best) = self.best.filter(|best| rate < FALL * best.rate && best.width < self.width) {
            // It crept up in steps too small to be seen each by itself. If the best is no better now, it was another service then.
            self.best = None;
            self.stage = Stage::Probe;
            self.take(best.width, now);
            return Some((self.width, "less served more".to_owned()));
        }
        if self.best.is_none_or(|best| rate > best.rate) {
            let (answer, error) = (self.epoch.latency(), self.epoch.error());
            self.best = Some(Good { width: self.width, rate, latency, answer, error });
        }
        if let Some(good) = &mut self.good {
            good.rate += 0.3 * (rate - good.rate);
            good.latency += 0.3 * (latency - good.latency);
            good.answer += 0.3 * (self.epoch.latency() - good.answer);
            good.error = good.error.min(self.epoch.error());
        }
        self.rest = self.rest.saturating_sub(1);
        if self.rest > 0 {
            self.begin(now);
            return None;
        }
        let known = self.width;
        let step = ((known as f64 * FINE).floor() as usize).max(1);
        self.tries = self.tries.wrapping_add(1);
        if (self.tries % 2 == 1 || known >= self.max) && known > self.min {
            self.stage = Stage::Probe;
            let far = self.tries % 4 < 2;
            self.take(if far { (known * 4 / 5).min(known - 1) } else { known - step }, now);
            return Some((self.width, "whether less serves more".to_owned()));
        }
        if known >= self.max {
            self.begin(now);
            return None;
        }
        let fine = known + step;
        let wide = (known * 5 / 4).max(known + 1);
        let next = match self.ceiling {
            Some(ceiling) if ceiling <= fine => fine,
            // What was too wide once is not tried again before all that is below it.
            Some(ceiling) => wide.min(known + (ceiling - known) / 2).max(fine),
            None => wide,
        };
        self.stage = Stage::Probe;
        self.tries(next, now);
        Some((self.width, "whether more pays by now".to_owned()))
    }

    fn probe(&mut self, now: Duration) -> Option<Change> {
        let good = self.good?;
        if self.width < good.width {
            let (ratio, doubt) = (self.epoch.rate() / good.rate, self.epoch.error().hypot(good.error));
            if ratio > 1.0 && doubt > 0.05 && self.epoch.own < 8 * self.needed() {
                return None;
            }
            if ratio > 1.03 + doubt.min(0.07) {
                self.ceiling = Some(good.width);
                self.now_good();
                self.pause = PAUSE.0;
                self.take((self.width * 4 / 5).min(self.width - 1), now);
                return Some((self.width, "less serves more".to_owned()));
            }
            self.pause = (self.pause * 3 / 2).min(PAUSE.1);
            return self.settle(now, good.width, "less serves less".to_owned());
        }
        match self.word(now, &good) {
            Word::Unclear => None,
            Word::Falls => {
                let tried = self.width;
                self.pause = (self.pause * 2).min(PAUSE.1);
                self.ceiling = Some(tried);
                self.settle(now, good.width, format!("{tried} is too wide: {}", self.trouble()))
            }
            Word::Same if self.ceiling.is_some() && self.epoch.rate() >= good.rate => {
                // A fine step is lost in the noise; upwards, until it falls, is the right way to err.
                self.now_good();
                let width = self.width;
                self.settle(now, width, String::new());
                Some((width, "more serves no worse".to_owned()))
            }
            Word::Same => {
                // Where more is less, what lies between is worth a try soon.
                let less = self.epoch.rate() < good.rate;
                let between = less && self.width > good.width + 2 + good.width / 16;
                self.pause = if between { self.pause } else { (self.pause * 2).min(PAUSE.1) };
                if less {
                    self.ceiling = Some(self.width);
                }
                self.settle(now, good.width, "more serves no faster".to_owned())
            }
            Word::Pays => {
                self.now_good();
                self.pause = PAUSE.0;
                if self.ceiling.is_some_and(|ceiling| ceiling <= self.width) {
                    self.ceiling = None;
                }
                let wide = (self.width * 5 / 4).max(self.width + 1).min(self.max);
                if wide == self.width {
                    return self.settle(now, wide, "the most that is allowed".to_owned());
                }
                self.tries(wide, now);
                Some((self.width, "the rate follows".to_owned()))
            }
        }
    }
}
