//! Short messages: what a text is on the air and what it costs, and telephone numbers. No I/O; every SMS platform uses it.

pub mod alphabet;
pub mod number;
pub mod segments;
