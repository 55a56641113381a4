//! What must outlive a run and be seen by every process of this machine: `state.db` beside the runs.
//!
//! SQLite in WAL mode without a sync per commit: what is kept here is advice (a wait that a service named), not a promise. What a run
//! promises is in its own journal.

pub mod control;
pub mod holds;
pub mod pace;
pub mod store;
