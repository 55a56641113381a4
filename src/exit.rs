//! Exit codes: stable, documented, one table. An unknown ending is a failure.

use std::fmt;

/// How the program ended, for scripts. `--help` and the README print this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every row sent, or skipped by policy.
    Done = 0,
    /// Finished; some rows failed for good.
    SomeFailed = 1,
    /// Usage, or a confirmation was needed.
    Usage = 2,
    /// Input or template error before sending.
    BadInput = 3,
    /// Config, credential or TLS trust error.
    BadConfig = 4,
    /// Stopped early and resumable: halted, aborted, deadline, quota.
    Stopped = 5,
    /// In-doubt rows wait for a decision.
    InDoubt = 6,
    /// The same list went out lately.
    Duplicate = 8,
    /// No such run, or nothing to do.
    NothingToDo = 10,
    /// Another process holds this run or `--name`.
    Held = 11,
    /// Journal or disk failed; the run stopped.
    Disk = 74,
    /// SIGHUP, drained, resumable.
    Hup = 129,
    /// SIGINT, drained, resumable.
    Int = 130,
    /// SIGTERM, drained, resumable.
    Term = 143,
}

impl Exit {
    /// The number for the shell.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The ending with that number, if there is one.
    pub fn of(code: u8) -> Option<Self> {
        use Exit::*;
        [Done, SomeFailed, Usage, BadInput, BadConfig, Stopped, InDoubt, Duplicate, NothingToDo, Held, Disk, Hup, Int, Term]
            .into_iter()
            .find(|exit| exit.code() == code)
    }

    /// Which of two endings is told: a signal's code wins over all but 74; then 74 > 4 > 6 > 5 > 1 > 0.
    #[must_use]
    pub fn worse(self, other: Exit) -> Exit {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Disk => 12,
            Exit::Int | Exit::Term | Exit::Hup => 11,
            Exit::Held => 10,
            Exit::Usage => 9,
            Exit::BadInput => 8,
            Exit::NothingToDo | Exit::Duplicate => 7,
            Exit::BadConfig => 6,
            Exit::InDoubt => 5,
            Exit::Stopped => 4,
            Exit::SomeFailed => 3,
            Exit::Done => 0,
        }
    }
}

/// The table, as help and man pages show it.
pub const TABLE: &str = "\
Exit codes:
    0  every row sent, or skipped by policy
    1  finished; some rows failed for good
    2  usage, or a confirmation was needed
    3  input or template error before sending
    4  config, credential or TLS trust error
    5  stopped early and resumable (halted, aborted, deadline, quota)
    6  in-doubt rows wait for a decision
    8  the same list went out lately (--again sends it all the same)
   10  no such run, or nothing to do
   11  another process holds this run or --name
   74  journal or disk failed; the run stopped
  129, 130, 143  SIGHUP, SIGINT, SIGTERM: drained, resumable
";

/// An error with the exit code that it means; the message is for the user, already in full sentences.
#[derive(Debug)]
pub struct Failure {
    /// What the program exits with.
    pub exit: Exit,
    /// What is printed on stderr, without `error:`; empty when all was said already.
    pub message: String,
}

impl Failure {
    /// A failure with these words.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Failure { exit, message: message.to_string() }
    }

    /// A failure whose words were printed already.
    pub fn silent(exit: Exit) -> Self {
        Failure { exit, message: String::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_ending_is_told() {
        use Exit::*;
        for (a, b, told) in [
            (Done, SomeFailed, SomeFailed),
            (SomeFailed, Stopped, Stopped),
            (Stopped, InDoubt, InDoubt),
            (InDoubt, BadConfig, BadConfig),
            (BadConfig, Disk, Disk),
            (Int, BadConfig, Int),
            (Disk, Int, Disk),
        ] {
            assert_eq!(a.worse(b), told);
            assert_eq!(b.worse(a), told);
        }
    }
}
