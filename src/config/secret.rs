//! Where a secret comes from; its value lives only in memory and never shows itself.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

/// A secret as written in the config: by reference, or (with a warning) literally.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a secret: { env: NAME }, { file: PATH } or { cmd: \"pass show x\" }")]
pub enum Secret {
    /// In the file itself; refused where others can read the file.
    Literal(SecretString),
    /// By reference.
    Reference(Reference),
}

/// Where to look for the value.
#[derive(Debug, Clone, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// For `sh -c`.
    Shell(String),
    /// Program and arguments.
    Argv(Vec<String>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Literal(_) => f.write_str("Secret(***)"),
            Secret::Reference(reference) => write!(f, "Secret({reference:?})"),
        }
    }
}

impl Secret {
    /// The value.
    ///
    /// # Errors
    /// One sentence that names the reference and what to do; never the value.
    pub fn resolve(&self) -> Result<SecretString, String> {
        match self {
            Secret::Literal(value) => Ok(value.clone()),
            Secret::Reference(Reference::Env(name)) => match std::env::var(name) {
                Ok(value) if !value.is_empty() => Ok(SecretString::from(value)),
                _ => Err(format!("environment variable {name} is not set: export it, or name another source")),
            },
            Secret::Reference(Reference::File(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => Err(format!("secret file {}: {error}", path.display())),
            },
            Secret::Reference(Reference::Cmd(_)) => Err("secret commands: being built".to_owned()),
        }
    }
}
