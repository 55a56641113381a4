//! Servers and readers that others wrote: Postfix's smtp-sink, aiosmtpd, two MIME parsers, a DKIM verifier.
//!
//! Where they are not installed these tests say so and pass; with TEST_PEERS=required (CI) that is a failure.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::world::{Sink, World, ended, repository, until};

/// `None` where it is missing and may be.
fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var("TEST_PEERS").is_err(), "{what} is required here and is not installed");
    eprintln!("left out: {what} is not installed");
    None
}

fn python(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os("TEST_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let there = Command::new(&python).args(["-c", &format!("import {modules}")]).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) { Some(python) } else { missing(&format!("python with {modules}")) }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its number").port()
}

/// A server that is killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listening(address: SocketAddr) -> bool {
    until(|| std::net::TcpStream::connect(address).is_ok())
}

#[test]
fn postfix_smtp_sink_receives_every_message() {
    let program = Path::new("/usr/sbin/smtp-sink");
    if !program.exists() {
        return missing::<()>("Postfix's smtp-sink").unwrap_or_default();
    }
    let world = World::new();
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().expect("an address");
    let dump = world.path("dump");
    std::fs::create_dir(&dump).expect("folder");
    // smtp-sink gives up root before it writes.
    std::fs::set_permissions(&dump, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("mode");
    std::fs::set_permissions(world.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    let mut command = Command::new(program);
    if rustix_is_root() {
        command.args(["-u", "nobody"]);
    }
    command.args(["-d", "m.", "-R"]).arg(&dump).arg(address.to_string()).arg("100");
    let _server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("smtp-sink"));
    assert!(listening(address));
    let sent = World::with_smtp(address, "connections: 4");
    sent.list("users.csv", 300);
    sent.template();
    sent.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    assert_eq!(sent.json("out/report.json")["sent"], 300);
    assert!(until(|| std::fs::read_dir(&dump).expect("dump").count() >= 300));
    assert_eq!(std::fs::read_dir(&dump).expect("dump").count(), 300);
}

fn rustix_is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("proc")) == 0
}

#[test]
fn a_real_daemon_with_starttls_and_auth_receives_every_message() {
    let Some(python) = python("aiosmtpd, cryptography") else { return };
    let world = World::new();
    let port = free_port();
    let server = Command::new(&python)
        .arg(repository("tests/it/peers/daemon.py"))
        .arg(port.to_string())
        .arg(world.dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the daemon starts");
    let _server = Server(server);
    assert!(listening(format!("127.0.0.1:{port}").parse().expect("an address")));
    world.config(&format!(
        "defaults: {{ via: mail }}\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://localhost:{port}\n    user: robot\n    password: {{ env: PASSWORD }}\n    from: a@corp.example\n    ca_file: ca.pem\n    connections: 3\n"
    ));
    world.list("users.csv", 120);
    world.template();
    let run = |password: &str| {
        let mut command = world.command(&["batch", "users.csv", "-t", "hello", "--yes", "--again", "--out", "out"]);
        ended(command.env("PASSWORD", password).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"))
    };
    run("wrong").code(4);
    run("right").code(0);
    let got = world.jsonl("received.jsonl");
    assert_eq!(got.len(), 120);
    assert!(
        got.iter()
            .all(|mail| mail["tls"] == true && mail["user"] == "robot" && mail["rcpt"].as_array().expect("array").len() == 1)
    );
}

/// Mail with everything in it, as the server got it.
fn rich_mail(world: &World, more: &str) -> PathBuf {
    let saved = world.path("saved");
    let sink = Sink::start(&["--save", saved.to_str().expect("utf-8")]);
    world.config(&format!(
        "defaults: {{ via: mail }}\naccounts:\n  mail:\n    platform: smtp\n    url: smtp://{}\n    from: \"Jörg von 北京 <a@corp.example>\"\n    unsubscribe: {{ url: \"https://corp.example/u/{{{{token}}}}\", secret: {{ env: UNSUB }} }}\n{more}",
        sink.smtp
    ));
    world.file("files/发票 – Rechnung.pdf", b"%PDF-1.4\x00\x01\xff body");
    world.file(
        "templates/rich.html",
        "Subject: Grüße {{name}} — 一封很长的信,一封很长的信,一封很长的信,一封很长的信,一封很长的信\nAttachment: ../files/发票 – Rechnung.pdf\n\n<p>Hallo {{name}}, 你好</p>\n<p>.</p>\n.\n..two\n",
    );
    world.file("rows.csv", "email,name\na@example.com,Ann\nb@example.com,Jörg 小明\nc@example.com,\"Smith, \"\"Al\"\"\"\n");
    let mut command = world.command(&["batch", "rows.csv", "-t", "rich", "--yes", "--out", "out"]);
    ended(command.env("UNSUB", "0123456789abcdef0123").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts"))
        .code(0);
    saved
}

fn mails(folder: &Path) -> Vec<PathBuf> {
    let mut mails: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("saved mails")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "eml"))
        .collect();
    mails.sort();
    mails
}

fn told(command: &mut Command) -> Value {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn two_mime_parsers_read_the_same() {
    let Some(python) = python("email") else { return };
    let perl = Command::new("perl").args(["-MMIME::Parser", "-e1"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !perl {
        return missing::<()>("perl's MIME::Parser").unwrap_or_default();
    }
    let world = World::new();
    let mails = mails(&rich_mail(&world, ""));
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        let one = told(Command::new(&python).arg(repository("tests/it/peers/mime.py")).arg(mail));
        let two = told(Command::new("perl").arg(repository("tests/it/peers/mime.pl")).arg(mail));
        assert_eq!(one["defects"], Value::Array(Vec::new()), "{one}");
        for what in ["subject", "parts"] {
            assert_eq!(one[what], two[what], "{what} of {}", mail.display());
        }
        assert!(one["subject"].as_str().expect("subject").starts_with("Grüße "), "{one}");
        let parts = one["parts"].as_array().expect("parts");
        assert!(parts.iter().any(|part| part["name"] == "发票 – Rechnung.pdf"), "{one}");
    }
}

#[cfg(feature = "dkim")]
#[test]
fn dkim_signatures_verify() {
    let Some(python) = python("dkim, cryptography") else { return };
    for kind in ["rsa", "ed25519"] {
        let world = World::new();
        let made = Command::new(&python)
            .arg(repository("tests/it/peers/dkim_key.py"))
            .args([kind, "key.pem", "dns.txt"])
            .current_dir(world.dir.path())
            .status()
            .expect("python");
        assert!(made.success());
        std::fs::set_permissions(world.path("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mode");
        let mails = mails(&rich_mail(&world, "    dkim: { domain: corp.example, selector: s1, key: { file: key.pem } }\n"));
        assert_eq!(mails.len(), 3);
        for mail in &mails {
            let verdict =
                told(Command::new(&python).arg(repository("tests/it/peers/dkim_verify.py")).arg(mail).arg(world.path("dns.txt")));
            assert_eq!((&verdict["valid"], &verdict["changed_subject"]), (&true.into(), &false.into()), "{kind}: {verdict}");
            for name in [
                "from",
                "to",
                "subject",
                "date",
                "message-id",
                "mime-version",
                "content-type",
                "list-unsubscribe",
                "list-unsubscribe-post",
            ] {
                assert!(
                    verdict["h"].as_array().expect("h=").iter().any(|h| h == name),
                    "{kind}: {name} is not signed: {verdict}"
                );
            }
        }
    }
}
