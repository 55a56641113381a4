//! Programs under measurement: run to their end with a deadline, their CPU time and peak memory read from /proc.
//!
//! Where there is no /proc the two are zero and the table shows a dash.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One run of one program.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// From the start of the process to its end.
    pub wall: Duration,
    /// User and system time, its own and that of children it waited for; in steps of 10 ms.
    pub cpu: Duration,
    /// The high-water mark of resident memory in KB, seen up to a few milliseconds before the end.
    pub peak_kb: u64,
    /// What it printed.
    pub out: String,
}

impl Run {
    /// The seconds that a client measured itself and printed: without the start of its process.
    pub fn told(&self) -> Option<Duration> {
        self.out.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// Runs it; a sentence when it failed or took longer than `patience` (it is ended then).
pub fn run(command: &mut Command, patience: Duration) -> Result<Run, String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name} does not start: {e}"))?;
    let (out, err) = (read(child.stdout.take()), read(child.stderr.take()));
    let mut run = Run::default();
    while !is_over(&mut child) {
        run.peak_kb = run.peak_kb.max(peak_kb(child.id()).unwrap_or_default());
        if started.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{name} took more than {} s", patience.as_secs()));
        }
        std::thread::park_timeout(Duration::from_millis(4));
    }
    run.wall = started.elapsed();
    run.cpu = cpu(child.id()).unwrap_or_default();
    let status = child.wait().map_err(|e| format!("{name}: {e}"))?;
    run.out = out.join().unwrap_or_default();
    let err = err.join().unwrap_or_default();
    if !status.success() {
        return Err(format!("{name} ended with {status}: {}", err.lines().last().unwrap_or_default()));
    }
    Ok(run)
}

/// Whether it has ended; where that can be, without burying it, so that its times can still be read.
fn is_over(child: &mut Child) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }
    #[cfg(not(target_os = "linux"))]
    !matches!(child.try_wait(), Ok(None))
}

fn read(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn peak_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn cpu(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), counted behind the name in brackets; 100 ticks a second.
    let ticks: u64 =
        stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11).take(4).filter_map(|word| word.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}
