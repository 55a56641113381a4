//! When to leave a service alone, when to go slower, when to stop: rules that look at many outcomes together. Pure: time and chance are
//! handed in, nothing is sent or written here.
//!
//! `sign` is what one outcome says of the endpoint, `breaker` what follows for it, `rules` the founding rules over a window of outcomes,
//! `threshold` and `canary` when the run stops, `shaping` what replies ask for, `gate` what of an account may not leave now, `presets`
//! what is known of the big providers. `journal::recovery` is another thing: what a journal says after a crash.

pub mod breaker;
pub mod canary;
pub mod gate;
pub mod policy;
pub mod presets;
pub mod rules;
pub mod shaping;
pub mod sign;
pub mod spacing;
pub mod threshold;
