//! The tuner against servers that are simulated: their clock is virtual, and their chance has a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{Answer, Bounds, Tuner};

/// Chance with a seed.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How a service behaves.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// So many at a time, the others queue; each takes the latency.
    Workers(usize),
    /// Everything takes the latency.
    Far,
    /// What arrives beyond the knee takes so many times as long, and fails by that share.
    Collapse { knee: usize, slower: f64, fails: f64 },
    /// Everything slows down by the square of what is above the knee.
    Sinks { knee: usize },
    /// Everything slows down by the third power of what is above the knee, and fails from one and a half of it on.
    Cliff { knee: usize },
    /// A bucket of `burst`, refilled by `rate` a second; what finds it empty is refused.
    Bucket { rate: f64, burst: f64, retry_after: Option<f64> },
    /// More than so many at a time are refused.
    Crowd { most: usize },
    /// Far, and by chance some fail.
    Flaky { fails: f64 },
    /// So many at a time, by chance some fail, and the machine has other things to do: for a while all takes up to four times as long.
    Restless { workers: usize, fails: f64 },
}

#[derive(Debug, Clone, Copy)]
struct Server {
    kind: Kind,
    latency: f64,
    /// Share of the latency that is left to chance (exponential).
    jitter: f64,
}

#[derive(Debug, Default, Clone)]
struct Told {
    served: u64,
    time: f64,
    most: usize,
    refused: u64,
    failed: u64,
    last: usize,
    trace: Vec<(f64, usize, String)>,
}

/// Sends so many requests (each until it is served) and tells how it went.
fn run(server: Server, bounds: Bounds, requests: u64, seed: u64) -> Told {
    let mut dice = Dice(seed);
    let mut tuner = Tuner::new(bounds, Duration::ZERO);
    // (due, number, flight, answer)
    let mut due: BinaryHeap<Reverse<(u64, u64, u8)>> = BinaryHeap::new();
    let mut flights = std::collections::HashMap::new();
    let (mut now, mut number, mut calls, mut left) = (0u64, 0u64, 0usize, requests);
    let mut told = Told::default();
    let (mut held, mut holds) = (0u64, 0u32);
    let (mut tokens, mut filled) = (0.0f64, 0.0f64);
    if let Kind::Bucket { burst, .. } = server.kind {
        tokens = burst;
    }
    let mut workers: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut inside = 0usize;
    let nanos = |seconds: f64| (seconds * 1e9) as u64;
    loop {
        let at = Duration::from_nanos(now);
        let mut wake = None;
        while left > 0 && calls < tuner.width() {
            if held > now {
                wake = Some(held);
                break;
            }
            if let Err(wait) = tuner.ready(at) {
                wake = Some(now + wait.as_nanos().max(1) as u64);
                break;
            }
            let mut flight = tuner.took(at);
            calls += 1;
            left -= 1;
            inside += 1;
            told.most = told.most.max(inside);
            tuner.leaves(at, &mut flight);
            let seconds = now as f64 / 1e9;
            let base = server.latency * (1.0 - server.jitter) + server.latency * server.jitter * -(1.0 - dice.unit()).ln();
            let refusal = (server.latency * 0.5).min(0.02);
            let (takes, answer) = match server.kind {
                Kind::Far => (base, Answer::Served),
                Kind::Workers(most) | Kind::Restless { workers: most, .. } => {
                    while workers.len() >= most.max(1) {
                        let Some(Reverse(free)) = workers.pop() else { break };
                        if free > now {
                            workers.push(Reverse(free));
                            break;
                        }
                    }
                    // The free time of the worker that takes it.
                    let start =
                        if workers.len() >= most { workers.pop().map_or(now, |Reverse(free)| free.max(now)) } else { now };
                    let (slower, fails) = match server.kind {
                        Kind::Restless { fails, .. } => (1.0 + 3.0 * Dice((seconds * 10.0) as u64).unit(), fails),
                        _ => (1.0, 0.0),
                    };
                    let end = start + nanos(base * slower);
                    workers.push(Reverse(end));
                    let fails = fails > 0.0 && dice.unit() < fails;
                    ((end - now) as f64 / 1e9, if fails { Answer::Overload } else { Answer::Served })
                }
                Kind::Collapse { knee, slower, fails } if inside > knee => {
                    let fails = dice.unit() < fails;
                    (base * slower * inside as f64 / knee as f64, if fails { Answer::Overload } else { Answer::Served })
                }
                Kind::Collapse { .. } => (base, Answer::Served),
                Kind::Sinks { knee } => (base * (inside as f64 / knee as f64).max(1.0).powi(2), Answer::Served),
                Kind::Cliff { knee } => {
                    let over = inside as f64 / knee as f64;
                    let answer = if over > 1.5 { Answer::Overload } else { Answer::Served };
                    (base * over.max(1.0).powi(3), answer)
                }
                Kind::Bucket { rate, burst, .. } => {
                    tokens = (tokens + (seconds - filled) * rate).min(burst);
                    filled = seconds;
                    if tokens >= 1.0 {
                        tokens -= 1.0;
                        (base, Answer::Served)
                    } else {
                        (refusal, Answer::TooFast)
                    }
                }
                Kind::Crowd { most } if inside > most => (refusal, Answer::TooFast),
                Kind::Crowd { .. } => (base, Answer::Served),
                Kind::Flaky { fails } => (base, if dice.unit() < fails { Answer::Overload } else { Answer::Served }),
            };
            number += 1;
            flights.insert(number, (flight, answer));
            due.push(Reverse((now + nanos(takes).max(1), number, 0)));
        }
        let next = due.peek().map(|Reverse((at, ..))| *at);
        if let Some(wake) = wake.filter(|wake| next.is_none_or(|next| *wake < next)) {
            now = wake;
            continue;
        }
        let Some(Reverse((at, number, _))) = due.pop() else { break };
        now = at;
        let at = Duration::from_nanos(now);
        let (flight, answer) = flights.remove(&number).expect("a flight");
        inside -= 1;
        tuner.answered(at, &flight, answer, (1, 1));
        tuner.gave_back(at);
        calls -= 1;
        if let Some(decision) = tuner.decision() {
            told.trace.push((now as f64 / 1e9, decision.width, format!("{} {:?}", decision.why, decision.rate)));
        }
        match answer {
            Answer::Served => {
                told.served += 1;
                told.time = now as f64 / 1e9;
                holds = 0;
            }
            Answer::TooFast => {
                told.refused += 1;
                left += 1;
                // As the lanes hold: half of the ceiling and something by chance, or what the service named.
                if held <= now {
                    let ceiling = f64::from(1u32 << holds.min(8));
                    let own = ceiling / 2.0 + ceiling / 2.0 * dice.unit();
                    let named = match server.kind {
                        Kind::Bucket { retry_after, .. } => retry_after.unwrap_or_default(),
                        _ => 0.0,
                    };
                    holds += 1;
                    held = now + nanos(own.max(named));
                }
            }
            Answer::Overload | Answer::Unreached => {
                told.failed += 1;
                left += 1;
            }
        }
    }
    told.last = tuner.width();
    told
}

fn auto(max: usize) -> Bounds {
    Bounds { min: 1, max, initial: 32.min(max), target_latency: None, rate: None, batch: 1, fixed: false }
}

/// The best of the fixed widths, by requests served a second: powers of two up to 256, and all around what the server is made for.
fn best(server: Server, requests: u64) -> f64 {
    let knee = match server.kind {
        Kind::Workers(knee)
        | Kind::Collapse { knee, .. }
        | Kind::Sinks { knee }
        | Kind::Cliff { knee }
        | Kind::Crowd { most: knee } => knee,
        Kind::Bucket { rate, .. } => (rate * server.latency).ceil() as usize,
        Kind::Far | Kind::Flaky { .. } | Kind::Restless { .. } => 256,
    };
    let near = [knee * 9 / 10, knee.saturating_sub(1), knee, knee + 1, knee * 11 / 10];
    // Beyond a cliff everything fails for ever.
    let most = if let Kind::Cliff { knee } = server.kind { knee * 5 / 4 } else { 256 };
    let widths = (0..=8).map(|n| 1 << n).chain(near).filter(|width| (1..=most).contains(width));
    let rate = |width| {
        let told = run(server, Bounds::fixed(width), requests, 7);
        told.served as f64 / told.time
    };
    widths.map(rate).fold(0.0, f64::max)
}

/// The share of the best fixed width that the tuner reaches, from its first request on.
fn share(server: Server, bounds: Bounds, requests: u64, seed: u64) -> (f64, Told) {
    let rate = best(server, requests);
    let told = run(server, bounds, requests, seed);
    assert!(told.most <= bounds.max, "{server:?}: {} in flight where {} are allowed", told.most, bounds.max);
    assert_eq!(told.served, requests, "{server:?}");
    let own = told.served as f64 / told.time;
    (own / rate, told)
}

/// Requests for up to 600 rounds at the best width: what is asked is where it settles, and what it costs on the way.
fn rounds(width: usize) -> u64 {
    (600 * width as u64).clamp(4_000, 40_000)
}

#[test]
fn a_fast_server_is_used_as_well_as_by_the_best_fixed_width() {
    for (latency, workers, jitter) in
        [(0.0002, 2, 0.0), (0.0005, 16, 0.0), (0.001, 40, 0.3), (0.005, 100, 0.0), (0.002, 8, 1.0), (0.02, 200, 0.3)]
    {
        let server = Server { kind: Kind::Workers(workers), latency, jitter };
        let (share, told) = share(server, auto(256), rounds(workers), 3);
        assert!(share >= 0.9, "{server:?}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
    }
}

#[test]
fn a_far_server_is_given_all_that_is_allowed() {
    for latency in [0.001, 0.02, 0.1, 0.5] {
        for (max, jitter) in [(256, 0.0), (256, 0.3), (64, 0.0), (100, 1.0)] {
            let server = Server { kind: Kind::Far, latency, jitter };
            let (_, rate) = {
                let told = run(server, Bounds::fixed(max), rounds(max), 7);
                (0, told.served as f64 / told.time)
            };
            let told = run(server, auto(max), rounds(max), 5);
            let share = told.served as f64 / told.time / rate;
            assert!(share >= 0.9 && told.most <= max, "{server:?} max {max}: {share:.2}, most {}\n{:#?}", told.most, told.trace);
        }
    }
}

#[test]
fn a_server_that_breaks_down_beyond_a_knee_is_kept_just_under_it() {
    for (knee, least) in [(4, 0.8), (10, 0.88), (16, 0.9), (32, 0.9), (50, 0.9), (90, 0.88), (200, 0.85)] {
        for (latency, jitter, fails) in [(0.1, 0.0, 0.0), (0.01, 0.0, 0.5), (0.3, 0.3, 0.5)] {
            let server = Server { kind: Kind::Collapse { knee, slower: 10.0, fails }, latency, jitter };
            let (share, told) = share(server, auto(256), rounds(knee), 11);
            // Chance in the answers costs rounds.
            let least = if jitter > 0.0 { least - 0.06 } else { least };
            assert!(share >= least, "{server:?}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
            assert!(told.last <= knee + knee / 10 + 1, "{server:?}: it stays at {}", told.last);
        }
    }
}

#[test]
fn a_server_that_sinks_under_load_is_kept_near_its_best() {
    for knee in [10, 32, 60, 150] {
        let server = Server { kind: Kind::Sinks { knee }, latency: 0.1, jitter: 0.0 };
        let (share, told) = share(server, auto(256), 2 * rounds(knee), 11);
        assert!(share >= 0.85, "{server:?}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
    }
}

#[test]
fn a_server_with_a_cliff_is_kept_off_it() {
    for (knee, soon, later) in [(10, 0.65, 0.8), (32, 0.8, 0.92), (60, 0.8, 0.92), (150, 0.8, 0.92)] {
        for (jitter, seed) in [(0.0, 1), (0.1, 1), (0.1, 11), (0.1, 12)] {
            for (rounds, least) in [(187, soon), (600, later), (2000, 0.93)] {
                let server = Server { kind: Kind::Cliff { knee }, latency: 0.05, jitter };
                let (share, told) = share(server, auto(256), rounds * knee as u64, seed);
                assert!(share >= least, "{server:?} {rounds}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
            }
        }
    }
}

#[test]
fn a_limit_that_is_told_only_by_refusals_is_found_and_used() {
    let limits = [(5.0, 1.0), (5.0, 5.0), (20.0, 5.0), (50.0, 50.0), (120.0, 2.0), (150.0, 16.0), (500.0, 5.0), (500.0, 500.0)];
    for (rate, burst) in limits {
        for (latency, retry_after) in [(0.001, None), (0.03, None), (0.1, Some(1.0))] {
            for seed in 1..5 {
                for (minutes, least) in [(1.0, 0.75), (4.0, 0.83)] {
                    let server = Server { kind: Kind::Bucket { rate, burst, retry_after }, latency, jitter: 0.1 };
                    let requests = ((minutes * 60.0 * rate) as u64).min(30_000);
                    let told = run(server, auto(256), requests, seed);
                    let used = told.served as f64 / told.time / rate;
                    assert!(used >= least, "{server:?} {seed}: {used:.2} of the limit\n{:#?}", told.trace);
                    // The first burst, and now and then a try.
                    assert!(told.refused <= 60 + burst as u64, "{server:?}: refused {}\n{:#?}", told.refused, told.trace);
                }
            }
        }
    }
}

#[test]
fn a_limit_of_requests_at_once_that_is_told_only_by_refusals_is_found_too() {
    for (most, least) in [(3, 0.6), (8, 0.85), (32, 0.85)] {
        let server = Server { kind: Kind::Crowd { most }, latency: 0.1, jitter: 0.1 };
        let (share, told) = share(server, auto(256), rounds(most), 17);
        assert!(share >= least, "{server:?}: {share:.2}\n{:#?}", told.trace);
    }
}

#[test]
fn failures_that_do_not_come_of_the_width_do_not_make_it_small() {
    for fails in [0.03, 0.1, 0.3] {
        let server = Server { kind: Kind::Flaky { fails }, latency: 0.05, jitter: 0.2 };
        let (share, told) = share(server, auto(256), 60_000, 19);
        assert!(share >= 0.75 && told.last >= 200, "{server:?}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
    }
}

#[test]
fn a_restless_machine_and_failures_do_not_make_it_small() {
    for (fails, max) in [(0.0, 64), (0.3, 64), (0.0, 256), (0.3, 256)] {
        for seed in 1..6 {
            let server = Server { kind: Kind::Restless { workers: 8, fails }, latency: 0.0004, jitter: 0.3 };
            let fixed = run(server, Bounds::fixed(max), 400_000, seed);
            let told = run(server, Bounds { initial: max.min(64), ..auto(max) }, 400_000, seed);
            let share = fixed.time / told.time;
            assert!(share >= 0.9, "{server:?}: {share:.2}, width {}\n{:#?}", told.last, told.trace);
        }
    }
}

#[test]
fn a_short_run_takes_no_more_than_twice_as_long_as_with_the_best_width() {
    let servers = [
        (Server { kind: Kind::Far, latency: 0.1, jitter: 0.0 }, 64, vec![50, 200, 600, 2000]),
        (Server { kind: Kind::Far, latency: 0.1, jitter: 0.0 }, 256, vec![600, 1000, 3000]),
        (Server { kind: Kind::Workers(16), latency: 0.001, jitter: 0.3 }, 256, vec![20, 100, 1000]),
        (
            Server { kind: Kind::Collapse { knee: 32, slower: 10.0, fails: 0.0 }, latency: 0.05, jitter: 0.0 },
            256,
            vec![30, 1200, 3000],
        ),
    ];
    for (server, max, sizes) in servers {
        for requests in sizes {
            let widths = (1..=max).filter(|width| width % 8 == 0 || *width < 8);
            let best = widths.map(|width| run(server, Bounds::fixed(width), requests, 7).time).fold(f64::INFINITY, f64::min);
            let told = run(server, auto(max), requests, 7);
            assert!(
                told.time <= 2.0 * best + 1e-6,
                "{server:?} {requests}: {:.3} s, best {best:.3} s\n{:#?}",
                told.time,
                told.trace
            );
        }
    }
}

#[test]
fn answers_stay_within_the_latency_that_is_asked_for() {
    let server = Server { kind: Kind::Workers(10), latency: 0.02, jitter: 0.1 };
    let bounds = Bounds { target_latency: Some(Duration::from_millis(60)), ..auto(256) };
    let told = run(server, bounds, 20_000, 23);
    // Ten at a time in 20 ms: thirty of them take 60 ms.
    assert!((18..=32).contains(&told.last), "{}\n{:#?}", told.last, told.trace);
}

#[test]
fn a_sender_that_does_not_fill_the_width_learns_nothing_of_it() {
    let mut tuner = Tuner::new(auto(256), Duration::ZERO);
    for n in 0..5_000u64 {
        let at = Duration::from_millis(20 * n);
        let mut flight = tuner.took(at);
        tuner.leaves(at, &mut flight);
        tuner.answered(at + Duration::from_millis(10), &flight, Answer::Served, (1, 1));
        tuner.gave_back(at + Duration::from_millis(10));
    }
    assert_eq!(tuner.width(), 32);
}

#[test]
fn a_fixed_width_stays_and_nothing_falls_below_the_least() {
    let server = Server { kind: Kind::Collapse { knee: 4, slower: 10.0, fails: 0.5 }, latency: 0.01, jitter: 0.0 };
    assert_eq!(run(server, Bounds::fixed(3), 500, 1).most, 3);
    let told = run(server, Bounds { min: 6, ..auto(64) }, 3_000, 1);
    assert!(told.last >= 6, "{}", told.last);
    let server = Server { kind: Kind::Far, latency: 0.01, jitter: 0.0 };
    assert!(run(server, Bounds { initial: 1, ..auto(7) }, 3_000, 1).most == 7);
}

#[test]
fn what_was_learned_is_where_it_begins() {
    let server = Server { kind: Kind::Bucket { rate: 50.0, burst: 5.0, retry_after: None }, latency: 0.01, jitter: 0.1 };
    let told = run(server, Bounds { rate: Some(46.0), initial: 2, ..auto(256) }, 500, 3);
    assert!(told.served as f64 / told.time >= 43.0 && told.refused <= 4, "{told:#?}");
}

/// Full requests, so many, to a service that takes that long for one of so many rows; how much a request carries at the end, and the width.
fn bulk(requests: usize, takes: impl Fn(usize) -> f64) -> (usize, usize) {
    let mut tuner = Tuner::new(Bounds { batch: 100, ..auto(16) }, Duration::ZERO);
    let mut due: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut flights = std::collections::HashMap::new();
    let (mut now, mut left) = (0u64, requests);
    loop {
        let at = Duration::from_nanos(now);
        while left > 0 && due.len() < tuner.width() {
            let mut flight = tuner.took(at);
            tuner.leaves(at, &mut flight);
            let rows = tuner.batch();
            flights.insert(left, (flight, rows));
            due.push(Reverse((now + (takes(rows) * 1e9) as u64, left)));
            left -= 1;
        }
        let Some(Reverse((then, number))) = due.pop() else { break };
        now = then;
        let (flight, rows) = flights.remove(&number).expect("a flight");
        tuner.answered(Duration::from_nanos(now), &flight, Answer::Served, (rows, rows));
        tuner.gave_back(Duration::from_nanos(now));
    }
    (tuner.batch(), tuner.width())
}

#[test]
fn requests_carry_as_much_as_pays() {
    let shares = |rows: usize| 0.05 + 0.001 * rows as f64;
    assert_eq!(bulk(6_000, shares), (100, 16));
    let sinks = |rows: usize| 0.05 + 0.0005 * (rows as f64).powi(2);
    assert_eq!(bulk(6_000, sinks), (12, 16));
}
