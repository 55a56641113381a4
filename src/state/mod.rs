//! What must outlive a run and be seen by every process of this machine: `state.db` beside the runs.
//!
//! SQLite in WAL mode. What is advice (a wait that a service named) is written without a sync per commit; what is a promise (who is not
//! written to, which runs have a name) with one. What a run promises of its rows is in its own journal.

pub mod control;
pub mod holds;
pub mod known;
pub mod learned;
pub mod pace;
pub mod store;
pub mod suppressed;
