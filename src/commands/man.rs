//! `notify man`: one page for the program and one for each verb.

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

/// Writes the pages into `dir`, which is made if it is missing.
pub(crate) fn run(dir: &Path) -> Result<Exit, Failure> {
    let told = |e: std::io::Error| Failure::new(Exit::Usage, format!("{}: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(told)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(told)?;
    Ok(Exit::Done)
}
