//! The circuit breaker of one endpoint: closed, open, half-open with one probe at a time. Pure.
//!
//! Rejected: a breaker in each platform (it would see neither other processes nor what a row has cost already), and failures counted
//! by time (a slow run would never open it).

use std::time::Duration;

use tokio::time::Instant;

use crate::recovery::sign::Sign;

/// Failures in a row that open it.
const IN_A_ROW: u32 = 5;
/// Replies of the kind "nobody, now" in a row that open it where the endpoint never did anything else: then they may be its usual words.
const UNPROVEN_BUSY: u32 = 50;
/// The last outcomes that are looked at, and how many of them open it.
const LAST: (u32, u32) = (20, 10);
/// Refusals that come together are one refusal: a connection that fails answers for all that waited for it.
const TOGETHER: Duration = Duration::from_millis(5);
/// An endpoint that answered no longer ago than this, or than the first cool-down, is not away because it refuses others.
const TAKES: Duration = Duration::from_secs(1);
/// The longest cool-down is so many times the first.
const LONGEST: u32 = 60;
/// Successes in a row after which earlier trouble is forgotten.
const STEADY: u32 = 20;

/// How long it waits, and when it gives up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// The first cool-down (`--delay`); each further one is twice as long.
    pub first: Duration,
    /// Longer than this without an answer, and its rows are left for a resume (`--max-wait`).
    pub max_wait: Duration,
    /// Probes that may fail where the endpoint has never answered (`--retries`, at least 1): its name or port may be wrong.
    pub probes: u32,
}

impl Timing {
    fn cool_down(&self, failed_probes: u32, chance: &mut fastrand::Rng) -> Duration {
        let most = self.first.saturating_mul(LONGEST).min(Duration::from_secs(60)).max(self.first);
        let ceiling = self.first.saturating_mul(1 << failed_probes.min(16)).min(most);
        // Half of it is fixed: with full jitter a probe could follow at once, for ever.
        ceiling / 2 + (ceiling / 2).mul_f64(chance.f64())
    }
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All goes.
    Closed,
    /// Nothing goes before then.
    Open(Instant),
    /// One request goes, and what it meets decides.
    HalfOpen,
}

/// What an outcome, or the clock, has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It opened, and nothing leaves for so long.
    Opened(Duration),
    /// The probe failed: open again, for so long.
    Reopened(Duration),
    /// Neither an answer within `--max-wait`, nor ever one: what is left waits for a resume. It is probed again after so long.
    GaveUp(Duration),
    /// Its cool-down is over: one probe may go.
    HalfOpened,
    /// It answered: all goes again. It had been open for so long.
    Closed(Duration),
}

/// The breaker of one endpoint.
#[derive(Debug, Clone)]
pub struct Breaker {
    state: State,
    /// It has answered in this run.
    proven: bool,
    in_a_row: u32,
    /// The last outcomes, a bit each, the newest lowest; set where it failed.
    last: u32,
    known: u32,
    counted: Option<Instant>,
    /// When it answered last.
    answered: Option<Instant>,
    /// Since when it has been open.
    opened: Option<Instant>,
    /// Probes that failed since it opened.
    failed_probes: u32,
    /// Openings and failed probes since it last went steadily.
    trouble: u32,
    steady: u32,
    gave_up: bool,
}

impl Breaker {
    /// Closed. `proven`: the endpoint has answered in an earlier life of the run.
    pub fn new(proven: bool) -> Self {
        Breaker {
            state: State::Closed,
            proven,
            in_a_row: 0,
            last: 0,
            known: 0,
            counted: None,
            answered: None,
            opened: None,
            failed_probes: 0,
            trouble: 0,
            steady: 0,
            gave_up: false,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it has answered in this run.
    pub fn proven(&self) -> bool {
        self.proven
    }

    /// Nothing of its endpoint may leave.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Openings and failed probes since it last went steadily.
    pub fn trouble(&self) -> u32 {
        self.trouble
    }

    /// A rule has spoken about the trouble: it is counted anew.
    pub fn calm(&mut self) {
        self.trouble = 0;
    }

    /// Failures in a row, up to now.
    pub fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Probes that failed since it opened.
    pub fn failed_probes(&self) -> u32 {
        self.failed_probes
    }

    /// When something changes by itself.
    pub fn next(&self) -> Option<Instant> {
        if let State::Open(until) = self.state { Some(until) } else { None }
    }

    /// An outcome at its endpoint; `attempt` is the try of its row, from 1.
    pub fn saw(&mut self, sign: Sign, attempt: u32, now: Instant, timing: &Timing, chance: &mut fastrand::Rng) -> Option<Change> {
        match sign {
            Sign::Nothing => None,
            Sign::Answered => self.answered(now),
            failure => self.failed(failure, attempt, now, timing, chance),
        }
    }

    fn answered(&mut self, now: Instant) -> Option<Change> {
        self.proven = true;
        self.answered = Some(now);
        self.in_a_row = 0;
        self.remember(0);
        self.steady = self.steady.saturating_add(1);
        if self.steady >= STEADY {
            self.trouble = 0;
        }
        if self.state == State::Closed {
            return None;
        }
        // An answer to what left before it opened says as much as one to a probe.
        self.state = State::Closed;
        (self.last, self.known, self.failed_probes, self.gave_up) = (0, 0, 0, false);
        Some(Change::Closed(self.opened.take().map_or(Duration::ZERO, |since| now.duration_since(since))))
    }

    fn failed(&mut self, sign: Sign, attempt: u32, now: Instant, timing: &Timing, chance: &mut fastrand::Rng) -> Option<Change> {
        self.steady = 0;
        match self.state {
            // What left before it opened comes back; the clock goes on.
            State::Open(_) => None,
            State::HalfOpen => {
                self.failed_probes += 1;
                self.trouble += 1;
                let wait = timing.cool_down(self.failed_probes, chance);
                self.state = State::Open(now + wait);
                let long = self.opened.is_some_and(|since| now.duration_since(since) > timing.max_wait);
                let never = !self.proven && sign == Sign::Down && self.failed_probes >= timing.probes.max(1);
                self.gave_up = long || never;
                Some(if self.gave_up { Change::GaveUp(wait) } else { Change::Reopened(wait) })
            }
            State::Closed => {
                let together = sign == Sign::Busy && self.counted.is_some_and(|at| now.duration_since(at) < TOGETHER);
                if together {
                    return None;
                }
                self.counted = Some(now);
                self.in_a_row += 1;
                self.remember(1);
                let many = self.known >= LAST.0 && self.last.count_ones() >= LAST.1;
                let row = match sign {
                    Sign::Busy if !self.proven => UNPROVEN_BUSY,
                    // Nobody else got through since this row's first try: another would be wasted.
                    Sign::Down | Sign::Busy if self.proven && attempt > 1 => 2,
                    _ => IN_A_ROW,
                };
                // It takes others meanwhile: that is too much at once, which a smaller width mends, and not a server that is away.
                let takes = self.answered.is_some_and(|at| now.duration_since(at) < timing.first.min(TAKES));
                let opens = (self.in_a_row >= row || (many && self.proven)) && !(sign == Sign::Busy && takes);
                opens.then(|| Change::Opened(self.open(now, timing, chance)))
            }
        }
    }

    /// Opens it, whatever was seen.
    pub fn open(&mut self, now: Instant, timing: &Timing, chance: &mut fastrand::Rng) -> Duration {
        let wait = timing.cool_down(0, chance);
        self.open_for(now, wait);
        wait
    }

    /// Opens it for so long; an open one stays so at least that long.
    pub fn open_for(&mut self, now: Instant, wait: Duration) {
        if self.state == State::Closed {
            self.trouble += 1;
        }
        let until = now + wait;
        self.state = match self.state {
            State::Open(other) if other > until => State::Open(other),
            _ => State::Open(until),
        };
        self.opened.get_or_insert(now);
    }

    /// An open one stays so no longer than that; how long it stays.
    pub fn open_at_most(&mut self, now: Instant, wait: Duration) -> Duration {
        let State::Open(until) = self.state else { return Duration::ZERO };
        let until = until.min(now + wait);
        self.state = State::Open(until);
        until.saturating_duration_since(now)
    }

    /// The clock: a cool-down that is over.
    pub fn wake(&mut self, now: Instant) -> Option<Change> {
        let over = matches!(self.state, State::Open(until) if until <= now);
        over.then(|| {
            self.state = State::HalfOpen;
            Change::HalfOpened
        })
    }

    fn remember(&mut self, failed: u32) {
        self.last = ((self.last << 1) | failed) & ((1 << LAST.0) - 1);
        self.known = (self.known + 1).min(LAST.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { first: Duration::from_secs(1), max_wait: Duration::from_secs(900), probes: 3 };

    struct Play {
        breaker: Breaker,
        now: Instant,
        chance: fastrand::Rng,
    }

    impl Play {
        fn new(proven: bool) -> Self {
            Play { breaker: Breaker::new(proven), now: Instant::now(), chance: fastrand::Rng::with_seed(5) }
        }

        fn saw(&mut self, sign: Sign) -> Option<Change> {
            self.tried(sign, 1)
        }

        fn tried(&mut self, sign: Sign, attempt: u32) -> Option<Change> {
            self.now += Duration::from_millis(10);
            self.breaker.saw(sign, attempt, self.now, &TIMING, &mut self.chance)
        }

        /// Lets the cool-down pass; how long it was.
        fn cool(&mut self) -> Duration {
            let until = self.breaker.next().expect("open");
            let wait = until - self.now;
            assert_eq!(self.breaker.wake(until - Duration::from_millis(1)), None, "not before its time");
            self.now = until;
            assert_eq!(self.breaker.wake(self.now), Some(Change::HalfOpened));
            wait
        }
    }

    #[test]
    fn the_fifth_failure_in_a_row_opens_it_and_an_answer_begins_anew() {
        let mut play = Play::new(true);
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(play.saw(Sign::Cut), None);
            }
            assert_eq!(play.saw(Sign::Answered), None);
            // So that the share of failures stays below a half.
            (0..5).for_each(|_| assert_eq!(play.saw(Sign::Answered), None));
        }
        for _ in 0..4 {
            assert_eq!(play.saw(Sign::Down), None);
        }
        assert!(matches!(play.saw(Sign::Down), Some(Change::Opened(wait)) if wait <= TIMING.first && wait >= TIMING.first / 2));
        assert!(play.breaker.is_open());
        assert_eq!(play.saw(Sign::Down), None, "what comes back late changes nothing");
    }

    #[test]
    fn a_half_of_the_last_twenty_opens_it() {
        let mut play = Play::new(true);
        let mut opened = None;
        for n in 0..40 {
            let sign = if n % 2 == 0 { Sign::Answered } else { Sign::Down };
            if play.saw(sign).is_some() {
                opened = Some(n);
                break;
            }
        }
        assert_eq!(opened, Some(19));
    }

    #[test]
    fn cool_downs_grow_up_to_a_minute_and_one_success_closes_it() {
        let mut play = Play::new(true);
        (0..5).for_each(|_| _ = play.saw(Sign::Down));
        let begun = play.now;
        let mut waits = vec![play.cool()];
        for _ in 0..8 {
            assert!(matches!(play.saw(Sign::Down), Some(Change::Reopened(_))));
            waits.push(play.cool());
        }
        for (n, wait) in waits.iter().enumerate() {
            let ceiling = Duration::from_secs((1 << n).min(60));
            assert!(*wait <= ceiling && *wait >= ceiling / 2, "{n}: {wait:?}");
        }
        let closed = play.saw(Sign::Answered);
        assert_eq!(closed, Some(Change::Closed(play.now - begun)));
        assert_eq!((play.breaker.state(), play.breaker.failed_probes()), (State::Closed, 0));
        (0..4).for_each(|_| assert_eq!(play.saw(Sign::Down), None));
        assert!(matches!(play.saw(Sign::Down), Some(Change::Opened(wait)) if wait <= TIMING.first), "it begins anew");
    }

    #[test]
    fn the_second_try_of_a_row_opens_it_where_nobody_got_through_since() {
        let mut play = Play::new(true);
        assert_eq!(play.saw(Sign::Down), None);
        assert!(matches!(play.tried(Sign::Down, 2), Some(Change::Opened(_))));
        let mut play = Play::new(true);
        assert_eq!(play.saw(Sign::Busy), None);
        assert!(matches!(play.tried(Sign::Busy, 2), Some(Change::Opened(_))));
        // A session that ends in the middle of one row may be the row's own doing.
        let mut play = Play::new(true);
        assert_eq!(play.saw(Sign::Cut), None);
        assert_eq!(play.tried(Sign::Cut, 2), None);
        // One that never answered may have a wrong name: the row fails by its own tries.
        let mut play = Play::new(false);
        assert_eq!((play.saw(Sign::Down), play.tried(Sign::Down, 2), play.tried(Sign::Down, 3)), (None, None, None));
    }

    #[test]
    fn an_endpoint_that_never_answered_is_given_up_after_its_probes() {
        let mut play = Play::new(false);
        (0..5).for_each(|_| _ = play.saw(Sign::Down));
        for _ in 0..2 {
            play.cool();
            assert!(matches!(play.saw(Sign::Down), Some(Change::Reopened(_))));
        }
        play.cool();
        assert!(matches!(play.saw(Sign::Down), Some(Change::GaveUp(_))));
    }

    #[test]
    fn one_that_answered_before_is_given_up_after_max_wait() {
        let mut play = Play::new(true);
        (0..5).for_each(|_| _ = play.saw(Sign::Down));
        let begun = play.now;
        loop {
            play.cool();
            match play.saw(Sign::Down) {
                Some(Change::Reopened(_)) => assert!(play.now - begun <= TIMING.max_wait),
                Some(Change::GaveUp(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(play.now - begun > TIMING.max_wait);
    }

    #[test]
    fn refusals_beside_answers_are_too_much_at_once_and_no_outage() {
        let mut play = Play::new(true);
        for _ in 0..200 {
            assert_eq!(play.saw(Sign::Answered), None);
            (0..9).for_each(|_| assert_eq!(play.tried(Sign::Busy, 2), None));
        }
        // Once nobody gets through any more it is one.
        let begun = play.now;
        let opened = (0..200).find_map(|_| play.saw(Sign::Busy));
        assert!(matches!(opened, Some(Change::Opened(_))));
        assert!(play.now - begun <= TIMING.first + Duration::from_millis(20), "{:?}", play.now - begun);
    }

    #[test]
    fn a_cool_down_is_cut_short_and_never_made_longer_so() {
        let mut play = Play::new(true);
        (0..5).for_each(|_| _ = play.saw(Sign::Down));
        let left = play.breaker.next().unwrap() - play.now;
        assert_eq!(play.breaker.open_at_most(play.now, Duration::from_secs(300)), left);
        assert_eq!(play.breaker.open_at_most(play.now, left / 2), left / 2);
        assert_eq!(play.breaker.next(), Some(play.now + left / 2));
    }

    #[test]
    fn refusals_of_one_moment_are_one_refusal() {
        let (mut breaker, now, mut chance) = (Breaker::new(true), Instant::now(), fastrand::Rng::with_seed(1));
        for _ in 0..100 {
            assert_eq!(breaker.saw(Sign::Busy, 1, now, &TIMING, &mut chance), None);
        }
        let mut play = Play::new(false);
        (0..49).for_each(|_| assert_eq!(play.saw(Sign::Busy), None));
        assert!(matches!(play.saw(Sign::Busy), Some(Change::Opened(_))), "fifty in a row, where it never did anything else");
    }
}
