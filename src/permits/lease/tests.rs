//! Processes that share limits, on a simulated clock and with a real `state.db`: windows, what is used of them, shares, kills, days.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

const SECOND: Nanos = 1000 * MS;
/// 2026-11-21, 09:00.
const WALL: i64 = 1_795_251_600_000;

/// A process that sends as fast as it may.
struct Process {
    lease: Lease,
    wakes: Nanos,
    /// Requests whose intent is being synced, until then.
    syncing: Vec<(Nanos, Slot)>,
    /// Rows that it has.
    rows: usize,
    /// How often it wants to send at most, where it cannot send faster.
    slow: Nanos,
    sent: Vec<Nanos>,
    asks: usize,
}

struct World {
    folder: tempfile::TempDir,
    quotas: Vec<Quota>,
    chance: fastrand::Rng,
    now: Nanos,
}

impl World {
    fn new(quotas: &[&str], seed: u64) -> Self {
        let quotas = quotas.iter().map(|text| text.parse().unwrap()).collect();
        World { folder: tempfile::tempdir().unwrap(), quotas, chance: fastrand::Rng::with_seed(seed), now: 5_000 * SECOND }
    }

    fn process(&self, name: &str, weight: u32, rows: usize) -> Process {
        Process {
            lease: lease(self.folder.path(), &self.quotas, name, weight),
            wakes: self.now,
            rows,
            slow: 0,
            syncing: Vec::new(),
            sent: Vec::new(),
            asks: 0,
        }
    }

    fn clock(&self) -> Now {
        Now { mono: self.now, wall: WALL + self.now / MS }
    }

    /// Lets them run for so long, or until all rows are sent.
    fn run(&mut self, processes: &mut [Process], time: Nanos) {
        let end = self.now + time;
        while let Some(next) = processes.iter().filter_map(Process::next).min().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            let now = self.clock();
            for process in processes.iter_mut() {
                let due: Vec<Slot> = process.syncing.iter().filter(|(at, _)| *at <= now.mono).map(|(_, slot)| *slot).collect();
                process.syncing.retain(|(at, _)| *at > now.mono);
                for slot in due {
                    let at = if now.mono <= slot.until { slot.at } else { process.lease.again(1, now).at };
                    process.sent.push(at.max(now.mono));
                }
                if process.rows == 0 || process.wakes > now.mono {
                    continue;
                }
                process.asks += 1;
                let demand = Demand { waiting: process.rows, more: process.slow == 0 };
                match process.lease.take(1, 1, demand, now) {
                    Ok((_, slot)) => {
                        // The sync of the journal and a busy machine: mostly a few milliseconds, now and then many.
                        let late = if self.chance.u8(..) < 2 { self.chance.i64(0..60 * MS) } else { self.chance.i64(0..5 * MS) };
                        process.syncing.push((now.mono + late, slot));
                        process.rows -= 1;
                        process.wakes = now.mono + process.slow;
                    }
                    // Timers are late by up to a millisecond.
                    Err(Refused::Wait(wait)) => process.wakes = now.mono + wait.as_nanos() as i64 + self.chance.i64(0..MS),
                    Err(Refused::Broken(error)) => panic!("{error}"),
                }
            }
        }
        self.now = end;
    }
}

impl Process {
    /// When something happens to it.
    fn next(&self) -> Option<Nanos> {
        let wakes = (self.rows > 0).then_some(self.wakes);
        self.syncing.iter().map(|(at, _)| *at).chain(wakes).min()
    }
}

fn lease(folder: &Path, quotas: &[Quota], name: &str, weight: u32) -> Lease {
    let store = Arc::new(Mutex::new(PaceStore::open(folder, 0).unwrap()));
    Lease::new(store, quotas, "hook", (key(&["run", name]), weight, false), (32, 1))
}

/// The most in any window of this length.
fn most(times: &[Nanos], window: Nanos) -> usize {
    let (mut most, mut end) = (0, 0);
    for (begin, from) in times.iter().enumerate() {
        while times.get(end).is_some_and(|at| at - from < window) {
            end += 1;
        }
        most = most.max(end - begin);
    }
    most
}

fn all(processes: &[Process]) -> Vec<Nanos> {
    let mut times: Vec<Nanos> = processes.iter().flat_map(|process| process.sent.iter().copied()).collect();
    times.sort_unstable();
    times
}

/// No window of any limit holds too much, and what share of the rate of the one that binds was used.
#[track_caller]
fn judge(world: &World, times: &[Nanos]) -> f64 {
    let mut used: f64 = 0.0;
    for quota in world.quotas.iter().filter(|quota| !quota.rolls()) {
        let period = quota.period.as_nanos() as i64;
        let (found, allowed) = (most(times, period), (quota.count.get() + quota.burst.get()) as usize);
        assert!(found <= allowed, "{found} where {quota} allows {allowed}");
        let took = (times[times.len() - 1] - times[0]) as f64 / period as f64;
        used = used.max((times.len() - 1) as f64 / took / f64::from(quota.count.get()));
    }
    used
}

#[test]
fn windows_hold_and_are_used_by_one_process_and_by_four() {
    for (seed, quotas) in
        [vec!["50/s"], vec!["5/s", "100/min"], vec!["300/s"], vec!["2000/s"], vec!["20/s", "30/2s"]].iter().enumerate()
    {
        for count in [1, 4] {
            let mut world = World::new(quotas, seed as u64);
            let rate = world
                .quotas
                .iter()
                .map(|quota| f64::from(quota.count.get()) / quota.period.as_secs_f64())
                .fold(f64::MAX, f64::min);
            let rows = ((rate * 60.0) as usize).clamp(100, 3000) / count;
            let mut processes: Vec<Process> = (0..count).map(|at| world.process(&format!("r{at}"), 2, rows)).collect();
            world.run(&mut processes, 300 * SECOND);
            let times = all(&processes);
            assert_eq!(times.len(), rows * count, "{quotas:?}: all are sent");
            let used = judge(&world, &times);
            let asks: usize = processes.iter().map(|process| process.asks).sum();
            println!("{quotas:?} by {count}: {:.2} %, {asks} asks for {} rows", used * 100.0, times.len());
            // Slots of half a millisecond are forfeited more often by a process that stalls for some.
            let least = if rate > 1000.0 { 0.96 } else { 0.97 };
            assert!(used >= least, "{quotas:?} by {count}: {used}");
        }
    }
}

#[test]
fn a_process_that_is_killed_and_started_again_has_no_second_burst() {
    for (quotas, burst) in [(vec!["50/s"], 1), (vec!["40/s"], 20), (vec!["5/s", "100/min"], 1)] {
        let mut world = World::new(&quotas, 7);
        for quota in &mut world.quotas {
            quota.burst = NonZeroU32::new(burst).unwrap();
        }
        let mut lives = vec![world.process("r0", 2, 100_000)];
        for life in 0..6 {
            let from = lives.len() - 1;
            world.run(&mut lives[from..], (3 + life % 2) * SECOND);
            // Killed: nothing is given back, and what was permitted and had not left never leaves.
            let now = world.now;
            let dead = lives.last_mut().unwrap();
            dead.sent.retain(|at| *at <= now);
            dead.lease.known = false;
            dead.lease.ready.clear();
            lives.push(world.process("r0", 2, 100_000));
        }
        let times = all(&lives);
        let used = judge(&world, &times);
        println!("{quotas:?}, burst {burst}, killed six times: {:.2} %", used * 100.0);
        assert!(used >= 0.93, "{used}");
    }
}

#[test]
fn any_schedule_of_processes_keeps_the_windows() {
    for seed in 0..12 {
        let mut world = World::new(&[["5/s"], ["50/s"], ["70/s"], ["500/s"]][seed as usize % 4], seed);
        let mut processes: Vec<Process> = Vec::new();
        let mut gone = Vec::new();
        for step in 0..40 {
            let weight = 1 << world.chance.u32(0..4);
            match world.chance.u8(0..4) {
                0 | 1 if processes.len() < 5 => {
                    let rows = world.chance.usize(1..400);
                    let mut new = world.process(&format!("r{step}"), weight, rows);
                    new.slow = if world.chance.bool() { 0 } else { world.chance.i64(0..300 * MS) };
                    processes.push(new);
                }
                2 if !processes.is_empty() => {
                    let at = world.chance.usize(0..processes.len());
                    let mut dead = processes.swap_remove(at);
                    let now = world.now;
                    dead.sent.retain(|at| *at <= now);
                    gone.extend(std::mem::take(&mut dead.sent));
                    // Half of them are killed, half end.
                    if world.chance.bool() {
                        std::mem::forget(dead);
                    } else {
                        dead.lease.leave(world.clock()).unwrap();
                        dead.lease.known = false;
                        dead.lease.ready.clear();
                    }
                }
                _ => {}
            }
            let time = world.chance.i64(10 * MS..2 * SECOND);
            world.run(&mut processes, time);
        }
        let mut times = all(&processes);
        times.extend(gone);
        times.sort_unstable();
        assert!(times.len() > 20, "seed {seed}: {}", times.len());
        judge(&world, &times);
        // Their clock is not the one that ending them would read.
        processes.into_iter().for_each(std::mem::forget);
    }
}

#[test]
fn runs_share_by_weight_and_nobody_loses_what_another_does_not_take() {
    for quotas in [vec!["100/s"], vec!["10/s"], vec!["1000/s"]] {
        let mut world = World::new(&quotas, 3);
        let mut two = [world.process("low", 1, 1_000_000), world.process("critical", 8, 1_000_000)];
        world.run(&mut two, 40 * SECOND);
        let (low, critical) = (two[0].sent.len() as f64, two[1].sent.len() as f64);
        let used = judge(&world, &all(&two));
        println!("{quotas:?}: low {low}, critical {critical}, {:.2} % used", used * 100.0);
        assert!((6.0..=10.0).contains(&(critical / low)), "{quotas:?}: {low} to {critical}");
        assert!(used >= 0.96, "{quotas:?}: {used}");

        // One that can take a twentieth only leaves the rest to the other, whatever its weight.
        let mut world = World::new(&quotas, 4);
        let mut two = [world.process("low", 1, 1_000_000), world.process("critical", 8, 1_000_000)];
        two[1].slow = Slots::of(&world.quotas[0]).every() * 20;
        world.run(&mut two, 40 * SECOND);
        let used = judge(&world, &all(&two));
        println!("{quotas:?}: beside a slow one {:.2} % used", used * 100.0);
        assert!(used >= 0.92, "{quotas:?}: {used}");

        // Killed: the other has everything after a blink.
        let mut world = World::new(&quotas, 5);
        let mut two = [world.process("low", 1, 1_000_000), world.process("critical", 8, 1_000_000)];
        world.run(&mut two, 5 * SECOND);
        let died = world.now;
        let had = two[0].sent.len();
        world.run(&mut two[..1], 5 * SECOND);
        let rate = f64::from(world.quotas[0].count.get());
        let after = (two[0].sent.len() - had) as f64;
        assert!(after >= rate * 5.0 * 0.92 - 2.0, "{quotas:?}: {after} since {died}");
        two.into_iter().for_each(std::mem::forget);
    }
}

#[test]
fn strict_lets_the_other_go_when_it_is_done() {
    let mut world = World::new(&["100/s"], 9);
    let mut two = [world.process("low", 1, 1_000_000), world.process("critical", 8, 400)];
    two[1].lease.me.strict = true;
    world.run(&mut two, 20 * SECOND);
    let last = *two[1].sent.last().unwrap();
    let first = all(&two)[0];
    assert!(last - first < 4_800 * MS, "400 at 100/s alone: {} ms", (last - first) / MS);
    assert!(two[0].sent.len() > 1500, "{}", two[0].sent.len());
}

#[test]
fn a_day_is_kept_by_all_runs_of_the_day_and_by_those_after_a_kill() {
    let mut world = World::new(&["100/2min", "50/s"], 11);
    let mut first = [world.process("one", 2, 30)];
    world.run(&mut first, 5 * SECOND);
    std::mem::forget(first);
    let mut second = [world.process("two", 2, 1000), world.process("three", 2, 1000)];
    world.run(&mut second, 20 * SECOND);
    let sent = 30 + all(&second).len();
    assert!((98..=100).contains(&sent), "{sent}");
    assert_eq!(second[0].lease.used_up().unwrap().to_string(), "100/2min");
    let wait = second[0].wakes - world.now;
    assert!((90 * SECOND..=121 * SECOND).contains(&wait), "{} s", wait / SECOND);
    world.run(&mut second, 300 * SECOND);
    let times = all(&second);
    assert!(most(&times, 120 * SECOND) <= 100, "{}", most(&times, 120 * SECOND));
    assert!(times.len() > 250, "{}", times.len());
    second.into_iter().for_each(std::mem::forget);
}

#[test]
fn requests_and_deliveries_have_limits_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut quotas: Vec<Quota> = vec!["10/s".parse().unwrap(), "300/s".parse().unwrap()];
    quotas[0].of = crate::limit::Unit::Requests;
    quotas[1].burst = NonZeroU32::new(50).unwrap();
    let store = Arc::new(Mutex::new(PaceStore::open(folder.path(), 0).unwrap()));
    let mut lease = Lease::new(store, &quotas, "hook", (key(&["run"]), 2, false), (8, 100));
    let (mut now, mut sent) = (Now { mono: SECOND, wall: WALL }, BTreeMap::new());
    while now.mono < 21 * SECOND {
        match lease.take(100, 1, Demand { waiting: 1000, more: true }, now) {
            Ok((count, slot)) => {
                assert_eq!(count, 50, "no more than the burst go together");
                *sent.entry(slot.at).or_insert(0) += count;
            }
            Err(Refused::Wait(wait)) => now.mono += wait.as_nanos() as i64,
            Err(Refused::Broken(error)) => panic!("{error}"),
        }
    }
    let total: u32 = sent.values().sum();
    assert!((5_800..=6_100).contains(&total), "300 a second bind, not 10 requests: {total}");
    std::mem::forget(lease);
}
