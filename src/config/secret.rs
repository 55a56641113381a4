//! Where a secret comes from; its value lives only in memory and never shows itself.
//!
//! A secret is resolved when its account is opened and not before, so that a config with ten accounts asks the password store once. The
//! config's reader has made paths absolute by then (relative to the config's folder, or `$CREDENTIALS_DIRECTORY`).

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::literal::REFERENCE;
use crate::problem::did_you_mean;

/// How long a command may take: a person types a passphrase, or touches a key.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// How much of a secret is read; a private key of 16384 bits is a fifth of it.
const LONGEST: u64 = 64 * 1024;
/// How much of a command's complaint is kept.
const LONGEST_COMPLAINT: u64 = 4096;

/// What can be written where a secret is wanted.
const EXPECTED: &str = "a secret: { env: NAME }, { file: PATH } or { cmd: \"pass show x\" }";

/// A secret as written in the config: by reference, or (with a warning) literally.
#[derive(Clone)]
pub enum Secret {
    /// In the file itself; refused where others can read the file.
    Literal(SecretString),
    /// By reference.
    Reference(Reference),
}

/// Where to look for the value.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reference {
    /// An environment variable.
    Env(String),
    /// A file; a trailing newline is not part of the secret.
    File(PathBuf),
    /// A command: a list is argv, a string goes to `sh -c`; the first line of its output is the secret.
    Cmd(Command),
}

/// A command as written.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a command: a text for `sh -c`, or a list of program and arguments")]
pub enum Command {
    /// For `sh -c`.
    Shell(String),
    /// Program and arguments.
    Argv(Vec<String>),
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::Literal(SecretString::from(text)))
    }

    // serde's own sentences name the value they found; these may not, because it is the secret.
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom("a secret that looks like a number needs quotes"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom("a secret that looks like a number needs quotes"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom("a secret that looks like a number needs quotes"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom("a secret that looks like true or false needs quotes"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let Some(name) = map.next_key::<String>()? else { return Err(A::Error::custom(format!("write {EXPECTED}"))) };
        let reference = match name.as_str() {
            "env" => Reference::Env(map.next_value()?),
            "file" => Reference::File(map.next_value()?),
            "cmd" => Reference::Cmd(map.next_value()?),
            "keyring" => {
                return Err(A::Error::custom(
                    "a keyring is not read by this build: use { cmd: \"secret-tool lookup …\" } or { file: PATH }",
                ));
            }
            other => {
                return Err(A::Error::custom(match did_you_mean(other, REFERENCE) {
                    Some(near) => format!("a secret has no source `{other}`: did you mean `{near}`?"),
                    None => format!("a secret has no source `{other}`: write env, file or cmd"),
                }));
            }
        };
        match map.next_key::<String>()? {
            None => Ok(Secret::Reference(reference)),
            Some(second) => {
                Err(A::Error::custom(format!("a secret has one source, and both `{name}` and `{second}` are given: remove one")))
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

/// The source, never the value: `***`, `env SMTP_PASSWORD`, `file /run/x`, `command pass …`.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Literal(_) => f.write_str("***"),
            Secret::Reference(reference) => reference.fmt(f),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Env(name) => write!(f, "env {name}"),
            Reference::File(path) => write!(f, "file {}", path.display()),
            Reference::Cmd(command) => write!(f, "command {command:?}"),
        }
    }
}

/// Its first word: arguments may be secrets themselves.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Box<dyn Iterator<Item = &str>> = match self {
            Command::Shell(line) => Box::new(line.split_whitespace()),
            Command::Argv(words) => Box::new(words.iter().map(String::as_str)),
        };
        f.write_str(words.next().unwrap_or_default())?;
        if words.next().is_some() { f.write_str(" …") } else { Ok(()) }
    }
}

impl Secret {
    /// The value. Blocks, up to 30 s for a command: call it where blocking is allowed.
    ///
    /// # Errors
    /// One sentence that names the reference and what to do; never the value.
    pub fn resolve(&self) -> Result<SecretString, String> {
        match self {
            Secret::Literal(value) => Ok(value.clone()),
            Secret::Reference(Reference::Env(name)) => match std::env::var(name) {
                Ok(value) if !value.trim_end_matches(['\r', '\n']).is_empty() => {
                    Ok(SecretString::from(value.trim_end_matches(['\r', '\n']).to_owned()))
                }
                Ok(_) => Err(format!("environment variable {name} is empty: set it, or name another source")),
                Err(std::env::VarError::NotPresent) => {
                    Err(format!("environment variable {name} is not set: export it, or name another source"))
                }
                Err(std::env::VarError::NotUnicode(_)) => Err(format!("environment variable {name} is not UTF-8 text")),
            },
            Secret::Reference(Reference::File(path)) => from_file(path),
            Secret::Reference(Reference::Cmd(command)) => run(command, COMMAND_DEADLINE),
        }
    }
}

fn from_file(path: &Path) -> Result<SecretString, String> {
    let wrong = |why: String| format!("secret file {}: {why}", path.display());
    let about = std::fs::metadata(path).map_err(|error| wrong(super::file::why(&error)))?;
    // A pipe or a terminal could make us wait for ever.
    if !about.is_file() {
        return Err(wrong("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| wrong(super::file::why(&error)))?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(super::file::why(&error)))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong(format!("is longer than {} KB: is it the right file?", LONGEST / 1024)));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".to_owned()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(wrong("is empty".to_owned())),
        text => Ok(SecretString::from(text.to_owned())),
    }
}

/// Runs the command with nothing on its input (that may be our list of rows) and takes the first line of its output. It stays in our
/// process group, so that it can ask for a passphrase on the terminal and Ctrl-C reaches it.
fn run(command: &Command, deadline: Duration) -> Result<SecretString, String> {
    let wrong = |why: String| format!("the command for a secret (`{command:?}`) {why}");
    let mut process = match command {
        Command::Shell(line) => {
            let mut shell = std::process::Command::new("sh");
            shell.arg("-c").arg(line);
            shell
        }
        Command::Argv(words) => {
            let Some((program, arguments)) = words.split_first() else {
                return Err(wrong("is empty: write a program and its arguments".to_owned()));
            };
            let mut process = std::process::Command::new(program);
            process.args(arguments);
            process
        }
    };
    let until = Instant::now() + deadline;
    let mut child = process
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(format!("cannot be started: {}", super::file::why(&error))))?;
    let output = collect(child.stdout.take(), LONGEST);
    let complaint = collect(child.stderr.take(), LONGEST_COMPLAINT);
    let status = match wait(&mut child, until) {
        Ok(Some(status)) => status,
        Ok(None) => {
            // Its own children may still hold the pipes; whoever reads them is left behind, not waited for.
            let _ = child.kill();
            let _ = child.wait();
            return Err(wrong(format!("gave no answer within {} s", deadline.as_secs())));
        }
        Err(error) => return Err(wrong(format!("was lost: {error}"))),
    };
    let rest = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    if !status.success() {
        let said = complaint.recv_timeout(Duration::from_millis(500).min(rest)).unwrap_or_default();
        let said = plain(&String::from_utf8_lossy(&said));
        let ended =
            status.code().map_or_else(|| "was ended by a signal".to_owned(), |code| format!("failed with exit code {code}"));
        return Err(wrong(if said.is_empty() { ended } else { format!("{ended}: {said}") }));
    }
    let output =
        output.recv_timeout(rest).map_err(|_| wrong(format!("did not close its output within {} s", deadline.as_secs())))?;
    let text = String::from_utf8(output).map_err(|_| wrong("printed something that is not UTF-8 text".to_owned()))?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(wrong("printed nothing on its first line".to_owned())),
        line => Ok(SecretString::from(line.to_owned())),
    }
}

/// Reads a pipe on a thread of its own, at most `most` bytes, and throws the rest away so that the writer is not stopped.
fn collect(pipe: Option<impl Read + Send + 'static>, most: u64) -> mpsc::Receiver<Vec<u8>> {
    let (done, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(most).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = done.send(bytes);
    });
    received
}

/// Waits for the end of a process, or until then.
fn wait(child: &mut Child, until: Instant) -> std::io::Result<Option<std::process::ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        // The standard library cannot wait for a process with a deadline; nobody unparks this thread, and early is harmless.
        std::thread::park_timeout(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// A complaint on one line, without control characters, at most 300 characters.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(yaml: &str) -> Result<Secret, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    fn value(yaml: &str) -> Result<String, String> {
        read(yaml).unwrap().resolve().map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_comes_from_where_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pw");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        assert_eq!(value("plain").unwrap(), "plain");
        assert_eq!(value(&format!("{{ file: '{}' }}", path.display())).unwrap(), "hunter2");
        assert_eq!(value("{ cmd: 'echo \"a b\"; echo second' }").unwrap(), "a b");
        assert_eq!(value("{ cmd: [printf, '%s', 'a  $HOME'] }").unwrap(), "a  $HOME");
        assert!(value("{ env: PATH }").is_ok());
    }

    #[test]
    fn a_failure_names_the_source_and_never_the_value() {
        for (yaml, words) in [
            ("{ env: NO_SUCH_VARIABLE_HERE }", "environment variable NO_SUCH_VARIABLE_HERE is not set: export it"),
            ("{ file: /no/such/file }", "secret file /no/such/file: no such file"),
            ("{ file: / }", "is not a regular file"),
            ("{ cmd: 'echo hunter2; echo sorry >&2; exit 3' }", "(`echo …`) failed with exit code 3: sorry"),
            ("{ cmd: 'true' }", "printed nothing on its first line"),
            ("{ cmd: [no-such-program-here, hunter2] }", "(`no-such-program-here …`) cannot be started"),
            ("{ cmd: [] }", "is empty"),
            ("{ cmd: 'printf \"hunter2\\377\"' }", "not UTF-8"),
        ] {
            let said = value(yaml).unwrap_err();
            assert!(said.contains(words), "{yaml}: {said}");
            assert!(!said.contains("unter2"), "{said}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_given_up() {
        let started = Instant::now();
        let said = run(&Command::Shell("sleep 20; echo x".to_owned()), Duration::from_millis(200)).unwrap_err();
        assert!(said.contains("no answer within"), "{said}");
        // One that leaves a child holding its output, too.
        let said = run(&Command::Shell("sleep 20 & echo x".to_owned()), Duration::from_millis(200)).unwrap_err();
        assert!(said.contains("did not close its output"), "{said}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_command_that_talks_too_much_is_not_stopped_by_it() {
        assert_eq!(
            run(&Command::Shell("echo pw; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2".to_owned()), COMMAND_DEADLINE)
                .map(|_| ()),
            Ok(())
        );
    }

    #[test]
    fn what_is_no_secret_is_told_without_its_value() {
        for (yaml, words) in [
            ("12345678", "needs quotes"),
            ("1.5e3", "needs quotes"),
            ("true", "needs quotes"),
            ("{ keyring: x }", "not read by this build"),
            ("{ evn: X }", "did you mean `env`?"),
            ("{ vault: X }", "write env, file or cmd"),
            ("{ env: A, file: B }", "one source"),
            ("{}", "write a secret"),
            ("[a]", "expected a secret: { env: NAME }"),
        ] {
            let said = read(yaml).map(|_| ()).unwrap_err();
            assert!(said.contains(words), "{yaml}: {said}");
            assert!(!said.contains("1234"), "{said}");
        }
    }

    #[test]
    fn nothing_shows_a_value() {
        let told = |yaml: &str| format!("{:?} {}", read(yaml).unwrap(), read(yaml).unwrap());
        assert_eq!(told("hunter2"), "Secret(***) ***");
        assert_eq!(told("{ env: X }"), "Secret(env X) env X");
        assert_eq!(told("{ cmd: 'echo hunter2' }"), "Secret(command echo …) command echo …");
        assert_eq!(told("{ cmd: [pass] }"), "Secret(command pass) command pass");
    }
}
