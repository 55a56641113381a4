//! Misbehaviour on request: the rules, how they are written, and the dice that pick whom they strike.

pub(crate) mod dice;
pub mod file;
pub mod grammar;
pub mod rule;
