//! The whole job: a list, a template and a config in a folder of their own, `notify batch` over it, its report read back.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::child::{self, Run};

/// A mail of about 2 KB with its headers; six values of the row in it, one helper, one condition.
const LETTER: &str = "Subject: {{name}}, your order {{n}} is on its way\n\nDear {{name}},\n\nyour order {{n}} of {{date signup_date}} \
left our house{{#if company}} for {{company}}{{/if}}. The amount is {{amount}}.\n\n";
const LINE: &str = "A line of a letter that is as long as lines of letters usually are.\n";
/// What a chat gets: about 300 bytes as JSON.
const NOTICE: &str = "Subject: Order {{n}}\n\nDear {{name}}, your order {{n}} of {{date signup_date}}{{#if company}} for {{company}}{{/if}} is on \
its way. The amount is {{amount}}. It will be with you in two days; the person who brings it calls half an hour before.\n";

/// The variable that accounts with a credential take it from.
pub const SECRET: &str = "NOTIFY_BENCH_SECRET";

/// A folder with everything that `notify batch` needs, removed at the end.
pub struct Job {
    folder: tempfile::TempDir,
}

/// What a run of the whole job took and left.
pub struct Done {
    /// Of the process: reading, preflight, sending, report.
    pub run: Run,
    /// `duration` of report.json: from the first row that may be sent to the last answer.
    pub sending: Duration,
    /// `sent` of report.json.
    pub sent: u64,
    /// Rows in results.csv, its heading not counted.
    pub results: u64,
}

/// Heading and rows of a list of people who get mail.
pub fn people(rows: u64) -> String {
    let mut list = String::from("email,name,company,n,amount,signup_date\n");
    for n in 0..rows {
        let _ = writeln!(list, "user{n}@example.com,Ann Lee {n},Example Ltd,{n},{}.{:02},2026-03-09", n % 997, n % 100);
    }
    list
}

/// The mail's template.
pub fn letter() -> String {
    format!("{LETTER}{}", LINE.repeat(20))
}

impl Job {
    /// `rows` rows for the server at these addresses.
    pub fn new(rows: u64, smtp: SocketAddr, http: SocketAddr) -> Result<Self, String> {
        let accounts = format!(
            "version: 1\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://{smtp}\n    from: \"Corp <no-reply@corp.example>\"\n    \
             connections: 8\n  hook:\n    platform: webhook\n    url: http://{http}/in\n"
        );
        Self::of(&[
            ("notify.yaml", accounts),
            ("templates/letter.txt", letter()),
            ("templates/notice.txt", NOTICE.to_owned()),
            ("users.csv", people(rows)),
        ])
    }

    /// A folder with these files.
    pub fn of(files: &[(&str, String)]) -> Result<Self, String> {
        // Not in a memory file system: the journal's promise has to be paid for.
        let make = || -> std::io::Result<tempfile::TempDir> {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            let path = folder.path();
            std::fs::create_dir_all(path.join("templates"))?;
            std::fs::create_dir_all(path.join("home"))?;
            for (name, text) in files {
                std::fs::write(path.join(name), text)?;
            }
            Ok(folder)
        };
        Ok(Job { folder: make().map_err(|e| format!("the job's folder: {e}"))? })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs it from the command line to the report.
    pub fn batch(&self, account: &str, template: &str, more: &[&str], patience: Duration) -> Result<Done, String> {
        self.list("users.csv", account, &[&["-t", template], more].concat(), patience)
    }

    /// The command that sends that list.
    pub fn command(&self, list: &str, account: &str, words: &[&str], out: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notify"));
        command
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env(SECRET, "a-secret-of-the-bench")
            .current_dir(self.path())
            .args(["batch", list, "--via", account, "--yes", "--no-progress", "-q", "--out"])
            .arg(out)
            .arg("--state-dir")
            .arg(self.path().join("state"))
            .args(words);
        command
    }

    /// The same over another list; the words say what is sent.
    pub fn list(&self, list: &str, account: &str, words: &[&str], patience: Duration) -> Result<Done, String> {
        let out: PathBuf = self.path().join("out");
        for folder in [&out, &self.path().join("state")] {
            match std::fs::remove_dir_all(folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.to_string()),
                _ => {}
            }
        }
        let mut command = self.command(list, account, words, &out);
        let run = child::run(&mut command, patience)?;
        let text = |name: &str| std::fs::read(out.join(name)).map_err(|e| format!("{name}: {e}"));
        let report: Value = serde_json::from_slice(&text("report.json")?).map_err(|e| format!("report.json: {e}"))?;
        let results = lines(&out.join("results.csv")).map_err(|e| format!("results.csv: {e}"))?.saturating_sub(1);
        let sending = Duration::try_from_secs_f64(report["duration"].as_f64().unwrap_or_default()).unwrap_or_default();
        Ok(Done { run, sending, sent: report["sent"].as_u64().unwrap_or_default(), results })
    }
}

/// Lines of a file that need not fit into memory.
fn lines(path: &Path) -> std::io::Result<u64> {
    let mut file = std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(path)?);
    let mut count = 0;
    loop {
        let piece = std::io::BufRead::fill_buf(&mut file)?;
        if piece.is_empty() {
            return Ok(count);
        }
        count += memchr::memchr_iter(b'\n', piece).count() as u64;
        let used = piece.len();
        std::io::BufRead::consume(&mut file, used);
    }
}
