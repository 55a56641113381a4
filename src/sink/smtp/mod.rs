//! SMTP as a strict server speaks it (RFC 5321, 2920, 3030, 3207, 4954), with faults where asked.

mod auth;
mod body;
mod command;
mod entry;
pub(crate) mod session;
mod verdict;
