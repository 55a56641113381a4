//! The ends of the wires that lead into the flow: who steers it, who watches it, who waits for an answer.

use tokio::time::Instant;

use crate::control::{Asked, Control};
use crate::live::publish::Live;

/// The flow's ends of the wires: who steers it and who watches it.
#[derive(Debug)]
pub struct Wires {
    /// Orders and words.
    pub control: Control,
    /// Snapshots.
    pub live: Live,
}

/// Somebody who waits for what is in flight to land.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) asked: Asked,
    /// `paused`, `aborted`.
    pub(super) done: &'static str,
    /// How much was in flight then.
    pub(super) flying: usize,
    pub(super) until: Instant,
}
