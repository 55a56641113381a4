//! What this process costs the machine: time on its cores and memory, where the system tells.

use tokio::time::Instant;

/// Ticks of a second in `/proc`: what Linux tells every program, whatever the kernel was built with.
const TICKS: f64 = 100.0;

/// The share of the cores since it was asked last.
#[derive(Debug)]
pub(super) struct Process {
    at: Instant,
    used: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        Process { at: Instant::now(), used: cpu_seconds() }
    }

    /// Cores in use since the last look (1.0 is one core), and bytes in memory now; `None` where the system does not tell.
    pub(super) fn look(&mut self) -> (Option<f64>, Option<u64>) {
        let (now, used) = (Instant::now(), cpu_seconds());
        let time = now.duration_since(self.at).as_secs_f64();
        let share = used.zip(self.used).filter(|_| time > 0.0).map(|(now, before)| ((now - before) / time).max(0.0));
        (self.at, self.used) = (now, used);
        (share, memory())
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything, brackets and blanks too.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
