//! The platform that is the user's own program: run once per delivery, told everything on stdin, judged by how it ends.
//!
//! Nothing of a row is ever an argument or an environment variable: argv can be read by every user of the machine, and a shell would
//! take it for code. The program sees none of our environment but what a program needs to run, so our credentials stay ours; it gets
//! its own through `env:`. Whoever is ended by a deadline or a signal may have sent already: that is in doubt, not failed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio::time::timeout;

use crate::batch::{Batch, Verdict, Verdicts};
use crate::config::account::AccountConfig;
use crate::config::duration;
use crate::config::secret::{Command, Secret};
use crate::delivery::Delivery;
use crate::error::{ErrorKind, SendError};
use crate::message::{Body, Content};
use crate::platform::{Addressing, Batching, Capability, LaneKey, Opening, Platform, Wants};
use crate::problem::Problem;
use crate::recipient::Address;

use self::verdict::{LONGEST, judge};

mod verdict;

/// The keys of an exec account.
pub const KEYS: &[&str] = &["command", "env", "timeout", "format", "idempotent", "from"];

/// Programs at once, where nothing says otherwise.
const WIDTH: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// How long one run may take, where nothing says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long its pipes may stay open after its end, held by what it left behind.
const LINGER: Duration = Duration::from_secs(1);
/// What the program gets of our environment: what finds programs, folders and a language, and no credential.
const ENVIRONMENT: &[&str] =
    &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What the program is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// `exec.json` of the template as `content`, or its text.
    #[default]
    Json,
    /// Subject, text and HTML of the template's email form, with its files.
    Email,
}

#[derive(Deserialize)]
struct Written {
    command: Command,
    #[serde(default)]
    env: BTreeMap<String, Secret>,
    timeout: Option<String>,
    format: Option<Format>,
    idempotent: Option<bool>,
    from: Option<String>,
}

/// An account whose deliveries are runs of a program.
pub struct Exec {
    argv: Vec<String>,
    /// Resolved when the account was opened.
    env: Vec<(String, SecretString)>,
    patience: Duration,
    from_over: Option<String>,
    from: Option<String>,
    capability: Capability,
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Exec").field("program", &self.argv.first()).field("env", &names).finish_non_exhaustive()
    }
}

/// Where the addresses of its rows are found: whatever they mean to the program.
pub fn addressing() -> Addressing {
    let columns = ["to", "email", "phone", "open_id"].map(str::to_owned).to_vec();
    Addressing { columns, fixed: None, phone: false, fold_case: false, secret: false, any: false }
}

impl Exec {
    /// Reads the account and resolves the secrets of its `env:`. Runs nothing.
    ///
    /// # Errors
    /// A [`Problem`] that names the account and the key.
    pub fn open(account: &AccountConfig, opening: &Opening) -> Result<Self, Problem> {
        let wrong = |what: String| Problem { what: format!("account {}: {what}", account.name), ..Problem::default() };
        let written: Written = account.settings(KEYS)?;
        let argv = match written.command {
            Command::Shell(line) if !line.trim().is_empty() => vec!["sh".to_owned(), "-c".to_owned(), line],
            Command::Argv(words) if words.first().is_some_and(|word| !word.trim().is_empty()) => words,
            _ => return Err(wrong("`command` is empty: write [program, argument] or \"a line for sh\"".to_owned())),
        };
        if argv.iter().any(|word| word.contains('\0')) {
            return Err(wrong("`command` has a NUL in it".to_owned()));
        }
        let mut env = Vec::with_capacity(written.env.len());
        for (name, secret) in written.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(wrong(format!("env: `{}` is no name of a variable", name.escape_debug())));
            }
            let value = secret.resolve().map_err(|what| wrong(format!("env: {name}: {what}")))?;
            if value.expose_secret().contains('\0') {
                return Err(wrong(format!("env: {name}: its value has a NUL in it")));
            }
            env.push((name, value));
        }
        let patience = match &written.timeout {
            Some(text) => duration::parse(text).map_err(|what| wrong(format!("timeout: {what}")))?,
            None => opening.final_timeout.unwrap_or(PATIENCE),
        };
        if patience.is_zero() {
            return Err(wrong("timeout: no program ends in no time".to_owned()));
        }
        let capability = Capability {
            batching: Batching::Single,
            quotas: account.limits.clone().unwrap_or_default(),
            idempotent: written.idempotent.unwrap_or(false),
            remembers: None,
            columns: true,
            content: None,
            width: opening.width.or(account.concurrency).unwrap_or(WIDTH),
            widest: opening.width.or(account.concurrency).unwrap_or(WIDTH),
            wants: match written.format.unwrap_or_default() {
                Format::Json => Wants::Named(vec!["exec".to_owned()]),
                Format::Email => Wants::Email,
            },
            addressing: addressing(),
            harmless: false,
        };
        Ok(Exec { argv, env, patience, from_over: opening.from.clone(), from: written.from, capability })
    }

    async fn run(&self, delivery: &Delivery) -> Verdict {
        let input = self.told(delivery)?;
        let mut command = tokio::process::Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.env.iter().map(|(name, value)| (name, value.expose_secret())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A group of its own: what it starts ends with it, and a Ctrl-C for us does not cut a delivery in half.
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn().map_err(|error| self.not_started(&error))?;
        let mut group = Group { id: child.id() };
        let Ok((ended, said, complained)) = timeout(self.patience, converse(child, input)).await else {
            drop(group);
            let what = format!("the program had not ended within {}, and was stopped", duration::format(self.patience));
            return Err(SendError::new(ErrorKind::InDoubt, what));
        };
        group.id = None;
        let ended =
            ended.map_err(|error| SendError::new(ErrorKind::InDoubt, format!("how the program ended is not known: {error}")))?;
        judge(ended, &said, &self.without_secrets(&complained))
    }

    /// One JSON object: who, what, and under which key.
    fn told(&self, delivery: &Delivery) -> Result<Vec<u8>, SendError> {
        let Delivery { envelope, message } = delivery;
        let mut tree = Map::new();
        let id = envelope.id.as_str();
        tree.insert("id".to_owned(), json!(id));
        // The same at every attempt, so that the program can tell a repetition from a new message.
        tree.insert("key".to_owned(), json!(id));
        tree.insert("account".to_owned(), json!(envelope.account));
        tree.insert("attempt".to_owned(), json!(envelope.attempt));
        tree.insert("to".to_owned(), json!(envelope.to.as_str()));
        let from = self.from_over.as_ref().or(message.from.as_ref()).or(self.from.as_ref());
        let optional = [("from", from), ("reply_to", message.reply_to.as_ref()), ("subject", message.subject.as_ref())];
        tree.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
        for (name, list) in [("cc", &message.cc), ("bcc", &message.bcc)] {
            if !list.is_empty() {
                tree.insert(name.to_owned(), json!(list));
            }
        }
        match &message.body {
            Body::Text(text) => tree.insert("text".to_owned(), json!(text)),
            Body::Html { html, text } => {
                tree.insert("text".to_owned(), json!(text));
                tree.insert("html".to_owned(), json!(html))
            }
            Body::Markdown { markdown, text } => {
                tree.insert("text".to_owned(), json!(text));
                tree.insert("markdown".to_owned(), json!(markdown))
            }
            Body::Native(content) => tree.insert("content".to_owned(), content.clone()),
        };
        if !message.headers.is_empty() {
            let fields: Vec<Value> = message.headers.iter().map(|(name, value)| json!([name, value])).collect();
            tree.insert("headers".to_owned(), Value::Array(fields));
        }
        tree.insert("meta".to_owned(), Value::Object(message.meta.clone()));
        tree.insert("vars".to_owned(), Value::Object(message.columns.clone()));
        if !message.attachments.is_empty() {
            let each = message.attachments.iter().map(|file| {
                let mut told = json!({ "name": file.name, "content_type": file.content_type, "cid": file.cid });
                match &file.content {
                    Content::Shared(bytes) => told["base64"] = json!(STANDARD.encode(bytes)),
                    Content::File { path, .. } => told["path"] = json!(path.display().to_string()),
                }
                told
            });
            tree.insert("attachments".to_owned(), each.collect());
        }
        let mut bytes = serde_json::to_vec(&Value::Object(tree))
            .map_err(|error| SendError::new(ErrorKind::BadMessage, format!("the content cannot be written as JSON: {error}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// A program that is not there is a setting; a machine that is out of processes is a matter of time. Nothing was sent.
    fn not_started(&self, error: &std::io::Error) -> SendError {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound | Io::PermissionDenied | Io::InvalidInput | Io::IsADirectory | Io::ArgumentListTooLong => {
                ErrorKind::Misconfigured
            }
            _ if error.raw_os_error() == Some(NOT_A_PROGRAM) => ErrorKind::Misconfigured,
            _ => ErrorKind::Unreachable,
        };
        SendError::new(kind, format!("the program `{}` cannot be started: {error}", self.argv[0]))
    }

    fn without_secrets(&self, bytes: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for (_, value) in &self.env {
            let value = value.expose_secret();
            // A short value is no credential, and its letters stand in every text.
            if value.len() >= 4 {
                text = text.replace(value, "***");
            }
        }
        text
    }
}

/// ENOEXEC: a file without `#!` that is no program of this machine either.
const NOT_A_PROGRAM: i32 = 8;

/// The processes of one run: ended as a whole, unless the run has ended by itself.
struct Group {
    id: Option<u32>,
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.id.and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
            // It may have ended meanwhile, which is what was wanted.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Feeds the program and hears it out, all three pipes at once, so that none can stop the other.
async fn converse(mut child: Child, input: Vec<u8>) -> (std::io::Result<ExitStatus>, Vec<u8>, Vec<u8>) {
    let stdin = child.stdin.take();
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = {
        let talk = async {
            let feed = async {
                if let Some(mut pipe) = stdin {
                    // A program that does not want to hear it all closes its end; its exit code tells what that means.
                    let _ = pipe.write_all(&input).await;
                    let _ = pipe.shutdown().await;
                }
            };
            tokio::join!(feed, collect(stdout, &mut said), collect(stderr, &mut complained));
        };
        tokio::pin!(talk);
        tokio::select! {
            biased;
            () = &mut talk => child.wait().await,
            ended = child.wait() => {
                // What it left running may hold the pipes for ever; what was said till now is there soon.
                let _ = timeout(LINGER, talk).await;
                ended
            }
        }
    };
    (ended, said, complained)
}

/// Reads to the end, keeps the first of it for stdout's sake and throws the rest away, so that the writer is never stopped.
async fn collect(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut piece = [0; 4096];
    while let Ok(count) = pipe.read(&mut piece).await {
        if count == 0 {
            return;
        }
        // One byte more than is allowed tells that it was too much.
        let room = (LONGEST + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..count.min(room)]);
    }
}

/// Where a program of that name would be run from.
fn found(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(Path::new(program))).find(|path| path.is_file())
}

impl Platform for Exec {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    fn lane(&self, _: &Address) -> Result<LaneKey, SendError> {
        Ok(LaneKey::whole())
    }

    fn show(&self, batch: &Batch) -> Option<Result<String, SendError>> {
        // As the program hears it; `env:` is not part of it.
        Some(self.told(batch.first()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn send<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Verdicts> {
        Box::pin(async move { Verdicts::single(batch, self.run(batch.first()).await) })
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async move {
            match found(&self.argv[0]) {
                Some(path) => Ok(format!("{} is there; whether it works shows only when it sends", path.display())),
                None => {
                    let what = format!("no program `{}` was found", self.argv[0]);
                    Err(SendError::new(ErrorKind::Misconfigured, what))
                }
            }
        })
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{DeliveryId, Envelope, Receipt};
    use crate::message::Message;
    use crate::recipient::Position;

    fn exec(yaml: &str) -> Result<Exec, Problem> {
        let settings = serde_yaml::from_str(yaml).unwrap();
        let account = AccountConfig { name: "own".into(), platform: "exec".into(), settings, ..AccountConfig::outbox() };
        Exec::open(&account, &Opening::default())
    }

    fn delivery(to: &str, text: &str) -> Delivery {
        let id = DeliveryId::derive("run", to, "own");
        let envelope = Envelope { id, position: Position::row(0), account: "own".into(), to: to.into(), attempt: 2 };
        Delivery { envelope, message: Message { body: Body::Text(text.into()), ..Message::default() } }
    }

    async fn verdict(yaml: &str) -> Verdict {
        exec(yaml).unwrap().run(&delivery("a@x", "hi")).await
    }

    /// A line for the shell, as an account.
    async fn shell(line: &str) -> Verdict {
        verdict(&format!("{{ command: {} }}", serde_json::to_string(line).unwrap())).await
    }

    #[tokio::test]
    async fn the_program_hears_everything_on_stdin_and_nothing_in_argv() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("heard");
        let yaml = format!("{{ command: [sh, -c, 'cat > {0}; echo \"$#:$*\" >> {0}', x, arg] }}", file.display());
        verdict(&yaml).await.unwrap();
        let heard = std::fs::read_to_string(&file).unwrap();
        let (object, argv) = heard.split_once('\n').unwrap();
        let told: Value = serde_json::from_str(object).unwrap();
        assert_eq!((&told["to"], &told["text"], &told["attempt"]), (&json!("a@x"), &json!("hi"), &json!(2)));
        assert_eq!((&told["id"], &told["account"]), (&told["key"], &json!("own")));
        assert_eq!(argv.trim(), "1:arg");
    }

    #[tokio::test]
    async fn exit_codes_have_the_meaning_of_sysexits() {
        use ErrorKind::{BadAddress, BadMessage, InDoubt, Misconfigured, Unauthorized, Unavailable};
        assert_eq!(shell("echo anything").await, Ok(Receipt::default()));
        for (code, kind) in [
            (1, BadMessage),
            (64, Misconfigured),
            (65, BadMessage),
            (67, BadAddress),
            (68, BadAddress),
            (75, Unavailable),
            (77, Unauthorized),
            (78, Misconfigured),
            (127, Misconfigured),
            (137, InDoubt),
            (255, BadMessage),
        ] {
            let error = shell(&format!("echo first >&2; printf 'last\\033 \\007word\\n\\n' >&2; exit {code}")).await.unwrap_err();
            assert_eq!((error.kind, error.code.as_deref()), (kind, Some(format!("exit {code}").as_str())), "{code}");
            assert_eq!(error.detail, "last word");
        }
    }

    #[tokio::test]
    async fn an_object_on_stdout_decides() {
        let said =
            async |object: &str, exit: i32| shell(&format!("cat >/dev/null; printf '%s\\n' '{object}'; exit {exit}")).await;
        let receipt = said(r#"{"status":"sent","id":77,"detail":"queued"}"#, 0).await.unwrap();
        assert_eq!((receipt.id.as_deref(), receipt.note.as_deref()), (Some("77"), Some("queued")));
        assert_eq!(said(r#"{"id":"x1"}"#, 0).await.unwrap().id.as_deref(), Some("x1"));
        for (object, exit, kind) in [
            (r#"{"status":"failed"}"#, 0, ErrorKind::BadMessage),
            (r#"{"status":"failed"}"#, 67, ErrorKind::BadAddress),
            (r#"{"status":"failed"}"#, 75, ErrorKind::BadMessage),
            (r#"{"status":"failed","kind":"unauthorized"}"#, 1, ErrorKind::Unauthorized),
            (r#"{"status":"deferred"}"#, 0, ErrorKind::Unavailable),
            (r#"{"status":"deferred","kind":"unreachable"}"#, 1, ErrorKind::Unreachable),
            (r#"{"status":"throttled","retry_after":1.5}"#, 0, ErrorKind::Throttled),
            (r#"{"status":"in_doubt"}"#, 0, ErrorKind::InDoubt),
            // A contradiction, and words that nobody knows, are no success.
            (r#"{"status":"sent"}"#, 1, ErrorKind::InDoubt),
            (r#"{"status":"delivered"}"#, 0, ErrorKind::InDoubt),
            (r#"{"status":"failed","kind":"odd"}"#, 0, ErrorKind::InDoubt),
            (r#"{"status":"sent""#, 0, ErrorKind::InDoubt),
            (r#"{"status":"sent"} {"status":"failed"}"#, 0, ErrorKind::InDoubt),
            (r#"{"id":"x1"}"#, 65, ErrorKind::BadMessage),
        ] {
            assert_eq!(said(object, exit).await.unwrap_err().kind, kind, "{object} {exit}");
        }
        let error = said(r#"{"status":"throttled","retry_after":1.5,"code":429,"detail":"slow\ndown"}"#, 0).await.unwrap_err();
        assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!((error.code.as_deref(), error.detail.as_str()), (Some("429"), "slow down"));
        for wait in ["-1", "1e300"] {
            let error = said(&format!(r#"{{"status":"throttled","retry_after":{wait}}}"#), 0).await.unwrap_err();
            assert_eq!(error.retry_after, None);
        }
    }

    #[tokio::test]
    async fn a_program_that_hangs_or_is_killed_is_in_doubt_and_leaves_nothing_running() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let yaml = format!("{{ command: 'sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait', timeout: 300ms }}", pid.display());
        let error = verdict(&yaml).await.unwrap_err();
        assert_eq!((error.kind, error.detail.contains("within 300ms")), (ErrorKind::InDoubt, true), "{error}");
        let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        let mut tries = 0;
        while !gone() && tries < 1000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            tries += 1;
        }
        assert!(gone(), "the program's own child goes with it");
        assert_eq!(shell("kill -9 $$").await.unwrap_err().kind, ErrorKind::InDoubt);
    }

    #[tokio::test]
    async fn what_it_leaves_behind_does_not_hold_the_verdict() {
        let started = std::time::Instant::now();
        // The child keeps the pipes open.
        assert!(shell("sleep 20 & echo '{\"status\":\"sent\",\"id\":1}'").await.unwrap().id.is_some());
        assert!(started.elapsed() < Duration::from_secs(15));
    }

    #[tokio::test]
    async fn output_without_end_is_bounded_and_input_unread_is_no_failure() {
        assert_eq!(shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2").await, Ok(Receipt::default()));
        let long = delivery("a@x", &"x".repeat(3_000_000));
        assert_eq!(exec("{ command: [\"true\"] }").unwrap().run(&long).await, Ok(Receipt::default()));
        let error =
            shell("printf '{\"status\":\"failed\",\"detail\":\"'; head -c 70000 /dev/zero | tr '\\0' x; echo '\"}'").await;
        assert_eq!(error.unwrap_err().kind, ErrorKind::InDoubt, "cut in the middle, it says nothing");
    }

    #[tokio::test]
    async fn the_environment_is_what_the_account_says() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "s3cr3t-value\n").unwrap();
        let yaml = format!(
            "{{ command: 'test \"$TOKEN\" = s3cr3t-value || exit 65; test -z \"$CARGO_MANIFEST_DIR\" || exit 66; echo \"bad $TOKEN\" >&2; exit 1', env: {{ TOKEN: {{ file: {} }} }} }}",
            secret.display()
        );
        let exec = exec(&yaml).unwrap();
        let error = exec.run(&delivery("a@x", "hi")).await.unwrap_err();
        assert_eq!((error.code.as_deref(), error.detail.as_str()), (Some("exit 1"), "bad ***"));
        assert!(!format!("{exec:?}").contains("s3cr3t"));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_setting() {
        let missing = exec("{ command: [no-such-program-here] }").unwrap();
        assert_eq!(missing.run(&delivery("a@x", "hi")).await.unwrap_err().kind, ErrorKind::Misconfigured);
        assert_eq!(missing.check().await.unwrap_err().kind, ErrorKind::Misconfigured);
        assert!(exec("{ command: [sh] }").unwrap().check().await.unwrap().contains("/sh is there"));
        for (yaml, what) in [
            ("{ command: [] }", "`command` is empty"),
            ("{ command: \" \" }", "`command` is empty"),
            ("{ }", "`command` is missing"),
            ("{ command: [x], timeout: 3 }", "timeout"),
            ("{ command: [x], timeout: 0s }", "no program ends in no time"),
            ("{ command: [x], env: { 'A=B': x } }", "is no name of a variable"),
            ("{ command: [x], env: { A: { env: NO_SUCH_VARIABLE_HERE } } }", "NO_SUCH_VARIABLE_HERE is not set"),
        ] {
            let problem = exec(yaml).unwrap_err();
            assert!(problem.what.contains(what), "{yaml}: {}", problem.what);
        }
    }
}
