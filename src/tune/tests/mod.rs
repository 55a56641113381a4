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
    /// A bucket of `burst`, refilled by `rate` a second; what finds it empty is refused.
    Bucket { rate: f64, burst: f64, retry_after: Option<f64> },
    /// So many in each second of the clock.
    Windows { each: u64, retry_after: Option<f64> },
    /// More than so many at a time are refused.
    Crowd { most: usize },
    /// Far, and by chance some fail.
    Flaky { fails: f64 },
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
    let (mut tokens, mut filled, mut window, mut count) = (0.0f64, 0.0f64, u64::MAX, 0u64);
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
                Kind::Workers(most) => {
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
                    let end = start + nanos(base);
                    workers.push(Reverse(end));
                    ((end - now) as f64 / 1e9, Answer::Served)
                }
                Kind::Collapse { knee, slower, fails } if inside > knee => {
                    let fails = dice.unit() < fails;
                    (base * slower * inside as f64 / knee as f64, if fails { Answer::Overload } else { Answer::Served })
                }
                Kind::Collapse { .. } => (base, Answer::Served),
                Kind::Sinks { knee } => (base * (inside as f64 / knee as f64).max(1.0).powi(2), Answer::Served),
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
                Kind::Windows { each, .. } => {
                    let this = now / 1_000_000_000;
                    if this != window {
                        (window, count) = (this, 0);
                    }
                    count += 1;
                    if count <= each { (base, Answer::Served) } else { (refusal, Answer::TooFast) }
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
        tuner.answered(at, &flight, answer);
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
                let ceiling = f64::from(1u32 << holds.min(8));
                let own = ceiling / 2.0 + ceiling / 2.0 * dice.unit();
                let named = match server.kind {
                    Kind::Bucket { retry_after, .. } | Kind::Windows { retry_after, .. } => retry_after.unwrap_or_default(),
                    _ => 0.0,
                };
                if held <= now {
                    holds += 1;
                }
                held = held.max(now + nanos(own.max(named)));
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
    Bounds { min: 1, max, initial: 32.min(max), target_latency: None, rate: None, fixed: false }
}

/// The best of the fixed widths, by requests served a second.
fn best(server: Server, requests: u64) -> (usize, f64) {
    let mut best = (0, 0.0f64);
    let mut width = 1;
    while width <= 256 {
        let told = run(server, Bounds::fixed(width), requests, 7);
        let rate = told.served as f64 / told.time;
        if rate > best.1 {
            best = (width, rate);
        }
        width += (width / 16).max(1);
    }
    best
}

fn look(name: &str, server: Server, requests: u64) -> f64 {
    let (width, rate) = best(server, requests);
    let told = run(server, auto(256), requests, 11);
    let own = told.served as f64 / told.time;
    println!(
        "{name:40} best -j {width:3} {rate:9.1}/s, auto {own:9.1}/s = {:5.1} %, width {} most {} refused {} failed {} time {:.2}",
        100.0 * own / rate,
        told.last,
        told.most,
        told.refused,
        told.failed,
        told.time
    );
    if std::env::var_os("TRACE").is_some() {
        for (at, width, why) in told.trace.iter().take(60) {
            println!("      {at:9.3} {width:4} {why}");
        }
    }
    own / rate
}

#[test]
fn survey() {
    for jitter in [0.0, 0.3, 1.0] {
        for latency in [0.1] {
            for workers in [4, 16, 50, 200] {
                look(
                    &format!("workers {workers} latency {latency} jitter {jitter}"),
                    Server { kind: Kind::Workers(workers), latency, jitter },
                    20_000,
                );
            }
            look(&format!("far latency {latency} jitter {jitter}"), Server { kind: Kind::Far, latency, jitter }, 20_000);
            for knee in [4, 10, 32, 50, 100, 200] {
                look(
                    &format!("collapse {knee} latency {latency} jitter {jitter}"),
                    Server { kind: Kind::Collapse { knee, slower: 10.0, fails: 0.0 }, latency, jitter },
                    20_000,
                );
                look(
                    &format!("collapse fails {knee} latency {latency} jitter {jitter}"),
                    Server { kind: Kind::Collapse { knee, slower: 4.0, fails: 0.5 }, latency, jitter },
                    20_000,
                );
                look(
                    &format!("sinks {knee} latency {latency} jitter {jitter}"),
                    Server { kind: Kind::Sinks { knee }, latency, jitter },
                    20_000,
                );
            }
            look(
                &format!("flaky latency {latency} jitter {jitter}"),
                Server { kind: Kind::Flaky { fails: 0.1 }, latency, jitter },
                20_000,
            );
        }
    }
}

#[test]
fn survey_too_fast() {
    for (rate, burst) in
        [(5.0, 1.0), (5.0, 5.0), (50.0, 1.0), (50.0, 10.0), (50.0, 50.0), (200.0, 20.0), (500.0, 5.0), (500.0, 500.0)]
    {
        for latency in [0.001, 0.02, 0.1] {
            for retry_after in [None, Some(1.0)] {
                look(
                    &format!("bucket {rate}/s burst {burst} latency {latency} {retry_after:?}"),
                    Server { kind: Kind::Bucket { rate, burst, retry_after }, latency, jitter: 0.1 },
                    (rate * 60.0) as u64,
                );
            }
        }
    }
    for each in [5, 50, 500] {
        look(
            &format!("windows {each}"),
            Server { kind: Kind::Windows { each, retry_after: None }, latency: 0.02, jitter: 0.1 },
            each * 60,
        );
    }
    for most in [4, 32, 100] {
        look(&format!("crowd {most}"), Server { kind: Kind::Crowd { most }, latency: 0.1, jitter: 0.1 }, 20_000);
    }
}

#[test]
fn one() {
    let kinds: Vec<(&str, Kind)> = vec![
        ("sinks 32", Kind::Sinks { knee: 32 }),
        ("sinks 4", Kind::Sinks { knee: 4 }),
        ("collapse 200", Kind::Collapse { knee: 200, slower: 10.0, fails: 0.0 }),
        ("collapse 32", Kind::Collapse { knee: 32, slower: 10.0, fails: 0.0 }),
        ("crowd 32", Kind::Crowd { most: 32 }),
        ("bucket 50 10", Kind::Bucket { rate: 50.0, burst: 10.0, retry_after: None }),
    ];
    let kinds = kinds
        .into_iter()
        .chain([
            ("far", Kind::Far),
            ("flaky", Kind::Flaky { fails: 0.1 }),
            ("sinks 100", Kind::Sinks { knee: 100 }),
            ("crowd 4", Kind::Crowd { most: 4 }),
            ("collapse 4", Kind::Collapse { knee: 4, slower: 10.0, fails: 0.0 }),
            ("collapse 50", Kind::Collapse { knee: 50, slower: 10.0, fails: 0.0 }),
        ])
        .collect::<Vec<_>>();
    let wanted = std::env::var("KIND").unwrap_or_default();
    let jitter = std::env::var("JITTER").ok().and_then(|j| j.parse().ok()).unwrap_or(0.0);
    for (name, kind) in kinds.iter().filter(|(name, _)| *name == wanted) {
        look(name, Server { kind: *kind, latency: 0.1, jitter }, 20_000);
    }
}
