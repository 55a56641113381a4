//! The folder of a run: its manifest, its lock, its ballast, and where everything in it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::damage::JournalError;
use crate::journal::lock::{self, Holder, LockError, RunLock};
use crate::tally::Tally;

/// The form of `run.json` that this program reads and writes.
pub const SCHEMA: u32 = 1;

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

/// How a run ended, or stopped for now (`end.json`, removed when it is resumed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When the run began (its first process).
    #[serde(with = "rfc3339")]
    pub start: jiff::Timestamp,
    /// When it ended or stopped.
    #[serde(with = "rfc3339")]
    pub end: jiff::Timestamp,
    /// In a word: `completed`, `stopped`, `halted`, `interrupted`, `failed`.
    pub status: String,
    /// Exit code of the process.
    pub exit: u8,
}

/// Times as text, as everywhere in the files.
pub(super) mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::journal) fn serialize<S: Serializer>(time: &jiff::Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(in crate::journal) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<jiff::Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// How a run ended and its numbers then, so that listing runs need not open their journals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// The numbers.
    pub tally: Tally,
}

/// Why a run folder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// Exit 10.
    #[error("there is no run `{id}` in {}\n`notify runs` lists them.", state_dir.display())]
    NoSuchRun {
        /// As it was asked for.
        id: String,
        /// Where was looked.
        state_dir: PathBuf,
    },
    /// Exit 2.
    #[error("`{id}` may be any of these runs; give more of its id:\n  {}", candidates.join("\n  "))]
    Ambiguous {
        /// As it was asked for.
        id: String,
        /// What begins like it; at most ten.
        candidates: Vec<String>,
    },
    /// The manifest is missing, unreadable or of another form.
    #[error("cannot read what this run is: {why}\n  --> {}", path.display())]
    Manifest {
        /// `run.json`.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Exit 74.
    #[error(transparent)]
    Storage(#[from] JournalError),
}

/// The folder of one run: `<state_dir>/runs/<id>/`, 0700, every file in it 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// Where.
    pub path: PathBuf,
    /// Of which run.
    pub id: String,
}

const MANIFEST: &str = "run.json";
const END: &str = "end.json";
const LOCK: &str = "lock";

impl RunFolder {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// It exists, or cannot be made.
    pub fn create(state_dir: &Path, id: &str) -> Result<RunFolder, FolderError> {
        let runs = state_dir.join("runs");
        let path = runs.join(id);
        let storage = |error: io::Error| JournalError::io(&path, "making the run folder", &error);
        private(true).create(&runs).map_err(storage)?;
        private(false).create(&path).map_err(storage)?;
        // The entries of the new folders are data too: without this a power cut could take the whole run with it.
        sync_dir(&runs).and_then(|()| sync_dir(state_dir)).map_err(storage)?;
        Ok(RunFolder { path, id: id.to_owned() })
    }

    /// Finds a run by its id, by a beginning of it, or by a beginning of its last eight letters, where only one fits.
    ///
    /// # Errors
    /// None fits, or several do.
    pub fn open(state_dir: &Path, id: &str) -> Result<RunFolder, FolderError> {
        let missing = || FolderError::NoSuchRun { id: id.to_owned(), state_dir: state_dir.to_owned() };
        if id.is_empty() || id.contains(['/', '\\', '.']) {
            return Err(missing());
        }
        let ids = RunFolder::ids(state_dir);
        if ids.iter().any(|known| known == id) {
            return Ok(RunFolder::at(state_dir, id));
        }
        let fits = |known: &&String| known.starts_with(id) || known.rsplit('-').next().is_some_and(|last| last.starts_with(id));
        let fitting: Vec<&String> = ids.iter().filter(fits).collect();
        match fitting[..] {
            [] => Err(missing()),
            [one] => Ok(RunFolder::at(state_dir, one)),
            _ => Err(FolderError::Ambiguous {
                id: id.to_owned(),
                candidates: fitting.into_iter().rev().take(10).cloned().collect(),
            }),
        }
    }

    fn at(state_dir: &Path, id: &str) -> RunFolder {
        RunFolder { path: state_dir.join("runs").join(id), id: id.to_owned() }
    }

    /// Ids of all runs that have a manifest, oldest first.
    pub(crate) fn ids(state_dir: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(state_dir.join("runs")) else { return Vec::new() };
        let mut ids: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join(MANIFEST).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Takes the right to write this run, without waiting.
    ///
    /// # Errors
    /// Another process has it, or the file system cannot lock.
    pub fn lock(&self) -> Result<RunLock, LockError> {
        lock::take(&self.path.join(LOCK))
    }

    /// The process that works on this run now, if there is one.
    pub fn holder(&self) -> Option<Holder> {
        lock::holder(&self.path.join(LOCK))
    }

    /// Writes `run.json`, whole or not at all.
    ///
    /// # Errors
    /// The disk.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), FolderError> {
        Ok(self.write_json(MANIFEST, "writing the manifest", manifest)?)
    }

    /// What this run is.
    ///
    /// # Errors
    /// Missing, unreadable, or of a form that this program does not know.
    pub fn manifest(&self) -> Result<Manifest, FolderError> {
        let path = self.path.join(MANIFEST);
        let unreadable = |why: String| FolderError::Manifest { path: path.clone(), why };
        let text = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let form = serde_json::from_str::<serde_json::Value>(&text).map_err(|error| unreadable(error.to_string()))?;
        match form.get("schema").and_then(serde_json::Value::as_u64) {
            Some(found) if found == u64::from(SCHEMA) => {}
            found => {
                let found = found.map_or_else(|| "none".to_owned(), |n| n.to_string());
                let by = form.get("version").and_then(serde_json::Value::as_str).unwrap_or("unknown");
                return Err(unreadable(format!(
                    "its form is {found}, this program knows {SCHEMA}; use notify {by}, which wrote it"
                )));
            }
        }
        serde_json::from_value(form).map_err(|error| unreadable(error.to_string()))
    }

    /// Remembers how the run ended.
    ///
    /// # Errors
    /// The disk.
    pub fn write_ended(&self, ended: &Ended) -> Result<(), FolderError> {
        Ok(self.write_json(END, "writing the end of the run", ended)?)
    }

    /// How the run ended, unless it is running, was resumed, or broke off.
    pub fn ended(&self) -> Option<Ended> {
        serde_json::from_slice(&fs::read(self.path.join(END)).ok()?).ok()
    }

    /// Forgets how it ended: it goes on.
    pub(crate) fn reopen(&self) -> Result<(), JournalError> {
        match fs::remove_file(self.path.join(END)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::io(&self.path.join(END), "reopening the run", &error))
            }
            _ => Ok(()),
        }
    }

    /// Where the spool's files are: in the run folder itself.
    pub fn spool_dir(&self) -> &Path {
        &self.path
    }

    /// Where the journal is.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join("journal.db")
    }

    /// Proves before the first message that the folder can be written and synced, and lays the ballast for `width` deliveries
    /// in flight (reliability P6). Locking is proved by [`RunFolder::lock`].
    ///
    /// # Errors
    /// It cannot.
    pub fn prove_writable(&self, width: usize) -> Result<(), JournalError> {
        let path = self.path.join("probe");
        let probe = || {
            let mut file = private_file(&path)?;
            file.write_all(b"probe")?;
            file.sync_all()?;
            fs::remove_file(&path)?;
            sync_dir(&self.path)
        };
        probe().map_err(|error| JournalError::io(&path, "proving that the run folder can be written", &error))?;
        crate::journal::ballast::lay(&self.path, crate::journal::ballast::size(width))
            .map_err(|error| JournalError::io(&self.path, "laying the reserve for a full disk", &error))
    }

    /// The type of the file system, where it is one over a network: SQLite's locks and syncs cannot be trusted there, so the
    /// user is warned. Best effort, by the table of mounts; `None` where there is no such table.
    pub fn network_file_system(&self) -> Option<String> {
        let path = self.path.canonicalize().ok()?;
        network_mount(&fs::read_to_string("/proc/self/mounts").ok()?, &path)
    }

    /// Writes a small file of settings beside the manifest, whole or not at all.
    ///
    /// # Errors
    /// The disk.
    pub fn write_settings(&self, name: &str, content: &impl Serialize) -> Result<(), FolderError> {
        Ok(self.write_json(name, "writing settings of the run", content)?)
    }

    fn write_json(&self, name: &str, doing: &'static str, content: &impl Serialize) -> Result<(), JournalError> {
        let (path, temp) = (self.path.join(name), self.path.join(format!("{name}.tmp")));
        let write = || {
            let mut file = private_file(&temp)?;
            file.write_all(&serde_json::to_vec_pretty(content)?)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&temp, &path)?;
            sync_dir(&self.path)
        };
        write().map_err(|error: io::Error| JournalError::io(&path, doing, &error))
    }
}

/// An id for a run that starts `now`: UTC time, sortable, and eight letters of chance.
pub fn new_run_id(now: jiff::Timestamp, chance: &mut fastrand::Rng) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let time = now.to_zoned(jiff::tz::TimeZone::UTC);
    let tail: String = (0..8).map(|_| char::from(LETTERS[chance.usize(..32)])).collect();
    format!("{}-{tail}", time.strftime("%Y%m%d-%H%M%S"))
}

fn private(recursive: bool) -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(recursive);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a file that only its owner can read, emptied if it exists.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes names in a folder durable. Windows has no such call and needs none.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn network_mount(mounts: &str, path: &Path) -> Option<String> {
    const NETWORK: [&str; 14] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.rclone",
    ];
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        // Spaces in the table are written as octal.
        let point = fields.nth(1)?.replace("\\040", " ");
        Some((point, fields.next()?))
    });
    // Of mounts on top of each other the last one counts.
    let (_, kind) = mounted.filter(|(point, _)| path.starts_with(point)).max_by_key(|(point, _)| point.len())?;
    NETWORK.contains(&kind).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_a_prefix_finds_one() {
        let dir = tempfile::tempdir().expect("temp");
        let mut chance = fastrand::Rng::with_seed(7);
        let first = new_run_id("2026-11-20T18:15:30Z".parse().expect("time"), &mut chance);
        assert!(first.starts_with("20261120-181530-") && first.len() == 24, "{first}");
        let second = new_run_id("2026-11-20T18:15:31Z".parse().expect("time"), &mut chance);
        for id in [&first, &second] {
            let folder = RunFolder::create(dir.path(), id).expect("create");
            fs::write(folder.path.join(MANIFEST), "{}").expect("write");
        }
        assert!(RunFolder::create(dir.path(), &first).is_err(), "a run is made once");
        assert_eq!(RunFolder::ids(dir.path()), [first.clone(), second.clone()]);
        assert_eq!(RunFolder::open(dir.path(), &first).expect("whole").id, first);
        assert_eq!(RunFolder::open(dir.path(), "20261120-181531").expect("prefix").id, second);
        assert_eq!(RunFolder::open(dir.path(), &second[16..20]).expect("tail").id, second);
        assert!(matches!(RunFolder::open(dir.path(), "2026"), Err(FolderError::Ambiguous { .. })));
        assert!(matches!(RunFolder::open(dir.path(), "1999"), Err(FolderError::NoSuchRun { .. })));
        assert!(matches!(RunFolder::open(dir.path(), "../x"), Err(FolderError::NoSuchRun { .. })));
    }

    #[test]
    fn the_second_lock_names_the_first() {
        let dir = tempfile::tempdir().expect("temp");
        let folder = RunFolder::create(dir.path(), "20261120-181530-x7k2mq4d").expect("create");
        assert_eq!(folder.holder(), None);
        let lock = folder.lock().expect("free");
        let text = folder.lock().expect_err("held").to_string();
        assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
        assert_eq!(folder.holder().expect("held").pid, std::process::id());
        drop(lock);
        assert_eq!(folder.holder(), None);
        folder.lock().expect("free again");
    }

    #[test]
    fn an_unknown_form_of_the_manifest_is_told() {
        let dir = tempfile::tempdir().expect("temp");
        let folder = RunFolder::create(dir.path(), "20261120-181530-x7k2mq4d").expect("create");
        fs::write(folder.path.join(MANIFEST), r#"{"schema": 99, "version": "7.0"}"#).expect("write");
        let text = folder.manifest().expect_err("unknown").to_string();
        assert!(text.contains("form is 99") && text.contains("notify 7.0"), "{text}");
    }

    #[test]
    #[cfg(unix)]
    fn the_folder_is_private_and_proved() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp");
        let folder = RunFolder::create(dir.path(), "20261120-181530-x7k2mq4d").expect("create");
        assert_eq!(fs::metadata(&folder.path).expect("folder").permissions().mode() & 0o777, 0o700);
        folder.prove_writable(1000).expect("writable");
        let ballast = fs::metadata(folder.path.join("ballast")).expect("ballast");
        assert_eq!(ballast.len(), 8_192_000);
        assert!(std::os::unix::fs::MetadataExt::blocks(&ballast) * 512 >= 8_192_000, "really allocated");
        assert!(!folder.path.join("probe").exists());
    }

    #[test]
    fn a_mount_over_the_network_is_known_by_its_type() {
        let mounts = "/dev/vda / ext4 rw 0 0
nas:/x /home/my\\040nas nfs4 rw 0 0
";
        assert_eq!(network_mount(mounts, Path::new("/home/my nas/state")), Some("nfs4".into()));
        assert_eq!(network_mount(mounts, Path::new("/home/me")), None);
    }
}
