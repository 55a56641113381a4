//! `notify completions`: the script that a shell reads.

use super::open;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

/// Prints the script.
pub(crate) fn run(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "notify", &mut script);
    open::print(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
