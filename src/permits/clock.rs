//! The clocks that processes have in common: one that never jumps, for pace, and the wall clock, for days.

use crate::limit::slots::Nanos;

/// One look at both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since the machine started: the same for all its processes, and untouched by whoever sets the date.
    pub(crate) mono: Nanos,
    /// Milliseconds since 1970.
    pub(crate) wall: i64,
}

impl Now {
    pub(crate) fn read() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mono = (time.tv_sec as i64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as i64);
        Now { mono, wall: jiff::Timestamp::now().as_millisecond() }
    }
}

/// Which start of the machine this is: its clock begins anew with each.
pub(crate) fn boot() -> String {
    let found = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    found.map(|id| id.trim().to_owned()).unwrap_or_default()
}
