//! The loopback SMTP and HTTP server for users and tests: records what arrived, misbehaves on request.
//!
//! `serve::serve` with `options::Options` is the way in. Its ledger, not the client's own count, is the truth of a test: a
//! line is written (write(2)) before the reply leaves, and says `taken` also where a fault kept the reply back.
//! It is for loopback: it stores what it is told and trusts everyone.

// The words.
pub mod counts;
pub mod faults;
pub mod options;

// What connections share, and how bytes come and go.
pub(crate) mod conversation;
pub(crate) mod desk;
pub(crate) mod load;
pub(crate) mod turn;
pub(crate) mod wire;

// The two protocols.
pub(crate) mod http;
pub(crate) mod smtp;

// The doors.
pub mod serve;
pub(crate) mod tls;

#[cfg(test)]
mod tests;
