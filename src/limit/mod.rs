//! Pace: quotas as data, and who keeps them.

pub mod pace;
pub mod quota;
mod rolling;
pub mod slots;

pub use self::quota::{Quota, Scope, Unit};
/// A word of rows too, so it stands below.
pub use crate::priority::Priority;
