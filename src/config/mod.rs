//! Settings from files and environment, layered, checked, with the place of every mistake.

pub mod account;
pub mod secret;
