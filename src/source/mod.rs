//! Where rows come from: any list is read strictly, once, into the run's spool; everything after reads the spool.

pub(crate) mod delimited;
pub(crate) mod encoding;
pub mod fault;
pub(crate) mod intake;
pub(crate) mod json;
pub mod options;
pub(crate) mod raw;
pub mod spool;
#[cfg(feature = "compress")]
pub(crate) mod zstd;
