//! `notify sink` as a process of its own, and its counts: the number of messages in every row of a table is the server's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server for the length of a table.
pub struct Server {
    child: Child,
    /// Where it speaks SMTP.
    pub smtp: SocketAddr,
    /// Where it speaks HTTP.
    pub http: SocketAddr,
}

impl Server {
    /// Starts it on free ports.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// The same with further words.
    pub fn start_with(words: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_notify"))
            .args(["sink", "--smtp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("the sink does not start: {e}"))?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let mut address = |name: &str| -> Option<SocketAddr> { lines.next()?.ok()?.strip_prefix(name)?.trim().parse().ok() };
        match (address("smtp "), address("http ")) {
            (Some(smtp), Some(http)) => Ok(Server { child, smtp, http }),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err("the sink does not tell its addresses".into())
            }
        }
    }

    /// Messages and requests that it has taken so far.
    pub fn taken(&self) -> Result<u64, String> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.http)?;
            stream.write_all(b"GET /_sink/counts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply)?;
            Ok(reply)
        };
        let reply = ask().map_err(|e| format!("the sink does not answer: {e}"))?;
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let counts: Value = serde_json::from_str(body).map_err(|e| format!("counts of the sink: {e}"))?;
        let number = |name: &str| counts[name].as_u64().unwrap_or_default();
        Ok(number("messages") + number("requests_taken"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
