//! The user's own programs beside a run: told of each result, run at its end. They never stop or slow it.

use std::process::Stdio;

use tokio::process::{Child, Command};

pub mod finish;
pub mod notice;
pub mod results;

/// A shell line as a process group of its own, told on its stdin. Its stdout is our stderr: our own stdout is data.
fn spawn(line: &str, variables: &[(&str, &str)]) -> std::io::Result<(Child, Group)> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(std::io::stderr()).stderr(Stdio::inherit()).kill_on_drop(true);
    // What it starts ends with it, and a Ctrl-C for us lets it hear the last results.
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn()?;
    let group = Group { id: child.id() };
    Ok((child, group))
}

/// A process group that is killed when this is dropped, unless it was let go.
#[derive(Debug)]
struct Group {
    id: Option<u32>,
}

impl Group {
    /// The program has ended; what it left behind on purpose may stay.
    fn let_go(&mut self) {
        self.id = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.id.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself a moment ago.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

/// How a program ended that should have ended well; `None` where it did.
fn complaint(status: std::io::Result<std::process::ExitStatus>) -> Option<String> {
    match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(match status.code() {
            Some(code) => format!("it ended with exit code {code}"),
            None => "it was ended by a signal".to_owned(),
        }),
        Err(error) => Some(format!("how it ended is not known: {error}")),
    }
}
