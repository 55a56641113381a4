//! Pace: quotas as data, and who keeps them.

pub mod pace;
pub mod priority;
pub mod quota;
mod rolling;
pub mod slots;

pub use self::priority::Priority;
pub use self::quota::{Quota, Scope, Unit};
