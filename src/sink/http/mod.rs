//! HTTP/1.1 as a plain server speaks it, with faults where asked.

mod chunked;
pub(crate) mod session;
