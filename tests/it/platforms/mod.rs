//! Every platform, coded or told, is asked the same questions against loopback.

#[allow(dead_code)]
pub mod sidecar;
#[allow(dead_code)]
pub mod stage;
