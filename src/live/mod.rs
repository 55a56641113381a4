//! A run while it lasts: what it shows to other shells, and how it hears them.
//!
//! The flow publishes a `snapshot` a few times a second; `desk` writes it down for `notify status` and as a file of metrics, and
//! carries control words and their answers; `server` answers scrapers. None of them is ever a reason to stop or slow a run.

pub mod desk;
pub mod exposition;
pub mod meter;
pub mod publish;
pub mod server;
pub mod snapshot;
