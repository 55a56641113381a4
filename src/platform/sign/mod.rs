//! The named signers of requests: what a service checks to know that a request is ours.
//!
//! Pure functions: the exact bytes that are sent, the clock and chance are handed in; nothing is read or sent here.
//! `hmac` is one HMAC over a text; `sigv4`, `tc3`, `acs3` and `acs_rpc1` sign a `canonical` request; `jwt` proves a service account.

pub mod acs3;
pub mod acs_rpc1;
pub mod canonical;
mod hex;
mod hmac;
pub mod jwt;
pub mod private_key;
pub mod sigv4;
pub mod tc3;
mod uuid;

pub use self::hex::to_hex;
pub use self::hmac::{Algorithm, Encoding, Key, KeyEncoding};
pub use self::uuid::uuid5;
