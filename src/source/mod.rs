//! Where rows come from: any list is read strictly, once, into the run's spool; everything after reads the spool.

pub mod spool;
