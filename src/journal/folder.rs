//! The folder of a run: its manifest, its lock, its ballast, and where everything in it is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a run is, written once before its first row is sent (`run.json`, 0600) and read by every later command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form; an unknown one is told, not guessed at.
    pub schema: u32,
    /// `20261120-181530-x7k2mq4d`: UTC time and chance, sortable.
    pub id: String,
    /// Id of the first run of this line: retries inherit it, delivery ids derive from it.
    pub lineage: String,
    /// The run that this one retries.
    #[serde(default)]
    pub parent: Option<String>,
    /// When, RFC 3339 in UTC.
    pub created: String,
    /// Version of the program.
    pub version: String,
    /// `batch`, `send`, `retry`.
    pub command: String,
    /// The input as the user named it.
    pub input: String,
    /// Rows in the spool.
    pub rows: u64,
    /// Default account.
    pub via: String,
    /// Platform of each account that rows use, by account name.
    pub platforms: std::collections::BTreeMap<String, String>,
    /// Template as the user named it, its absolute path and its digest, if there is one.
    #[serde(default)]
    pub template: Option<TemplateRef>,
    /// Where report and retry file go (absolute).
    pub out: PathBuf,
    /// `--report` and `--failed`, where they differ from `out` (absolute).
    #[serde(default)]
    pub report: Option<PathBuf>,
    /// See `report`.
    #[serde(default)]
    pub failed: Option<PathBuf>,
    /// Addresses of these accounts may be credentials: the journal keeps their hash.
    #[serde(default)]
    pub secret_addresses: Vec<String>,
    /// The settings of the run, in the form of `job.rs`.
    pub settings: serde_json::Value,
}

/// A template by name, place and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRef {
    /// As the user named it.
    pub name: String,
    /// Where it was found (absolute).
    pub path: PathBuf,
    /// SHA-256 over all its files, in hex.
    pub digest: String,
}
