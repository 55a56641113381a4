//! A small world for one test: a folder, a config, a program, a server that records.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No command of these tests may take longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// A folder of its own with a home, a config and the shipped templates.
pub struct World {
    pub dir: tempfile::TempDir,
}

/// What a command left behind.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        let world = World { dir: tempfile::tempdir().expect("a temporary folder") };
        std::fs::create_dir_all(world.path("home")).expect("home");
        world
    }

    /// With one SMTP account `mail` at that address, and these further lines for it.
    pub fn with_smtp(address: SocketAddr, more: &str) -> Self {
        let world = World::new();
        world.config(&format!(
            "defaults: {{ via: mail }}\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://{address}\n    from: \"Corp <no-reply@corp.example>\"\n{}",
            indent(more)
        ));
        world
    }

    /// With one webhook account `hook` at that address.
    pub fn with_webhook(address: SocketAddr, more: &str) -> Self {
        let world = World::new();
        world.config(&format!(
            "defaults: {{ via: hook }}\naccounts:\n  hook:\n    platform: webhook\n    url: http://{address}/in\n{}",
            indent(more)
        ));
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        std::fs::write(&path, content).expect("file");
        path
    }

    pub fn config(&self, yaml: &str) -> PathBuf {
        let path = self.file("notify.yaml", yaml);
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn jsonl(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}: {line}"))).collect()
    }

    /// The program in this world: nothing of the caller's environment reaches it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notify"));
        self.dress(&mut command);
        command.args(args);
        command
    }

    /// Gives any program the world's folder and environment.
    pub fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.dir.path())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
    }

    /// Runs it to its end.
    pub fn notify(&self, args: &[&str]) -> Ended {
        ended(self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("notify starts"))
    }

    /// Runs it with this on its stdin.
    pub fn notify_with(&self, args: &[&str], stdin: &[u8]) -> Ended {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("notify starts");
        let mut pipe = child.stdin.take().expect("piped");
        let bytes = stdin.to_vec();
        let writer = std::thread::spawn(move || {
            // A program that refuses early closes its end; that is for the assertions to judge.
            let _ = std::io::Write::write_all(&mut pipe, &bytes);
        });
        let ended = ended(child);
        writer.join().expect("writer");
        ended
    }

    /// A CSV list of `rows` recipients with columns email, name and n.
    pub fn list(&self, name: &str, rows: usize) -> PathBuf {
        let mut text = String::from("email,name,n\n");
        for n in 0..rows {
            text.push_str(&format!("user{n}@example{}.com,Name {n},{n}\n", n % 7));
        }
        self.file(name, text)
    }

    /// A small template with a subject.
    pub fn template(&self) -> PathBuf {
        self.file("templates/hello.md", "Subject: Hello {{name}}\n\nDear {{name}}, you are number {{n}}.\n")
    }
}

fn indent(lines: &str) -> String {
    lines.lines().map(|line| format!("    {line}\n")).collect()
}

/// Waits for a child with patience, and for all that it says.
pub fn ended(mut child: Child) -> Ended {
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let err = read(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let status = wait(&mut child, PATIENCE);
    let (out, err) = (out.join().expect("stdout"), err.join().expect("stderr"));
    let Some(status) = status else { panic!("it did not end within {PATIENCE:?}\nstdout: {out}\nstderr: {err}") };
    Ended { code: status, out, err }
}

/// The exit code, or 128 + signal, once it ends; `None` when patience ends first (the child is killed then).
pub fn wait(child: &mut Child, patience: Duration) -> Option<i32> {
    let until = Instant::now() + patience;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            use std::os::unix::process::ExitStatusExt;
            return Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        // Not a sleep that a result depends on: only how often a process is asked whether it has ended.
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Asks until it is so; false when patience ends first.
pub fn until(mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if so() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    false
}

impl Ended {
    /// Asserts the exit code and shows everything when it is another.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn out_has(self, text: &str) -> Self {
        assert!(self.out.contains(text), "stdout has no {text:?}:\n{}", self.out);
        self
    }

    #[track_caller]
    pub fn err_has(self, text: &str) -> Self {
        assert!(self.err.contains(text), "stderr has no {text:?}:\n{}", self.err);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// `notify sink` as a process of its own, with a ledger.
pub struct Sink {
    child: Child,
    pub smtp: SocketAddr,
    pub http: SocketAddr,
    pub smtps: SocketAddr,
    ledger: PathBuf,
    dir: tempfile::TempDir,
}

impl Sink {
    pub fn start(args: &[&str]) -> Self {
        Self::start_with(args, None)
    }

    pub fn start_with(args: &[&str], password: Option<&str>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = dir.path().join("ledger.jsonl");
        let mut command = Command::new(env!("CARGO_BIN_EXE_notify"));
        command
            .args(["sink", "--smtp", "127.0.0.1:0", "--smtps", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ledger"])
            .arg(&ledger)
            .args(["--cert-out"])
            .arg(dir.path().join("ca.pem"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(password) = password {
            command.env("NOTIFY_SINK_PASSWORD", password);
        }
        let mut child = command.spawn().expect("sink starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = |name: &str| -> SocketAddr {
            let line = lines.next().expect("the sink tells its addresses").expect("utf-8");
            line.strip_prefix(name).unwrap_or_else(|| panic!("{line:?} is not {name}")).trim().parse().expect("an address")
        };
        let (smtp, smtps, http) = (address("smtp "), address("smtps "), address("http "));
        Sink { child, smtp, smtps, http, ledger, dir }
    }

    /// Every line of the ledger so far.
    pub fn ledger(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.ledger).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("ledger: {e}: {line}"))).collect()
    }

    /// The messages and requests that the server took, whether or not its answer arrived.
    pub fn taken(&self) -> Vec<Value> {
        self.ledger().into_iter().filter(|line| line["taken"] == true).collect()
    }

    /// How many lines the ledger has: cheap enough to ask often.
    pub fn ledger_lines(&self) -> usize {
        std::fs::read(&self.ledger).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
    }

    /// Its own counts.
    pub fn counts(&self) -> Value {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(self.http).expect("the sink answers");
        stream.write_all(b"GET /_sink/counts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("written");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("read");
        let body = reply.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str(body).unwrap_or_else(|e| panic!("counts: {e}: {body}"))
    }

    /// How often that fault has struck.
    pub fn struck(&self, fault: &str) -> u64 {
        let counts = self.counts();
        let faults = counts["faults"].as_object().cloned().unwrap_or_default();
        faults.iter().filter(|(name, _)| name.starts_with(fault)).filter_map(|(_, count)| count.as_u64()).sum()
    }

    /// The authority that signed its certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
