//! The helpers: deterministic, without files, clock, environment or network.

pub(super) mod args;
pub(super) mod block;
pub(super) mod date;
pub(super) mod table;

mod logic;
mod number;
mod words;
