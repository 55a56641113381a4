//! `/metrics` and `/healthz` over HTTP/1.1: as much of a server as a scraper needs, with a bound on everything that a stranger sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::live::exposition;
use crate::live::snapshot::Snapshot;

/// Longest request that is read.
const LONGEST: usize = 8 * 1024;
/// Connections at once; the next ones wait to be taken.
const MOST: usize = 16;
/// A whole request, and its answer, may take so long each.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves until it is dropped by whoever spawned it.
pub async fn serve(listener: TcpListener, news: watch::Receiver<Arc<Snapshot>>) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let news = news.clone();
                // Bounded by the places and by its deadlines; it ends with the runtime at the latest.
                tokio::spawn(async move {
                    converse(stream, &news).await;
                    drop(place);
                });
            }
            // Out of files, say: that passes, and a scrape that is lost comes again.
            Err(error) => {
                tracing::debug!(%error, "a connection to the metrics was not taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, news: &watch::Receiver<Arc<Snapshot>>) {
    let reply = match timeout(PATIENCE, read(&mut stream)).await {
        Ok(Some(request)) => answer(&request, &news.borrow()),
        Ok(None) => return,
        Err(_) => reply(408, "Request Timeout", "text/plain", "the request did not come to its end\n", true),
    };
    // Whoever does not read is left.
    let _ = timeout(PATIENCE, async {
        stream.write_all(reply.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// The head of a request; `None` where the other side left.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.len() >= LONGEST {
            return Some(bytes);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(request: &[u8], snapshot: &Snapshot) -> String {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let whole = parsed.parse(request).is_ok_and(|status| status.is_complete());
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return reply(400, "Bad Request", "text/plain", "this is not HTTP/1.1\n", true);
    };
    if !whole {
        return reply(431, "Request Header Fields Too Large", "text/plain", "the head of the request is too long\n", true);
    }
    let body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return reply(405, "Method Not Allowed", "text/plain", "GET or HEAD\n", true),
    };
    match target.split('?').next().unwrap_or_default() {
        "/metrics" => reply(200, "OK", exposition::CONTENT_TYPE, &exposition::text(snapshot), body),
        "/healthz" => reply(200, "OK", "text/plain", &format!("ok {}\n", snapshot.state), body),
        _ => reply(404, "Not Found", "text/plain", "there are /metrics and /healthz\n", body),
    }
}

fn reply(status: u16, words: &str, kind: &str, text: &str, body: bool) -> String {
    let length = text.len();
    let text = if body { text } else { "" };
    let allow = if status == 405 { "allow: GET, HEAD\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {words}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{allow}connection: close\r\n\r\n{text}"
    )
}

/// An address to listen on; a port alone means this machine alone.
///
/// # Errors
/// What to write instead.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| "write ADDRESS:PORT, such as 127.0.0.1:9464, or a port alone".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &[u8]) -> String {
        answer(request, &Snapshot { state: "running".to_owned(), ..Snapshot::default() })
    }

    #[test]
    fn strangers_are_answered_and_harm_nobody() {
        for (request, begins) in [
            (&b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..], "HTTP/1.1 200"),
            (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", "HTTP/1.1 200"),
            (b"HEAD /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200"),
            (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404"),
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 405"),
            (b"\x16\x03\x01\x02\x00\r\n\r\n", "HTTP/1.1 400"),
            (b"\r\n\r\n", "HTTP/1.1 400"),
        ] {
            assert!(status(request).starts_with(begins), "{request:?}: {}", status(request));
        }
        let long = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'a'; LONGEST]].concat();
        assert!(status(&long).starts_with("HTTP/1.1 431"));
        assert!(status(b"HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_port_alone_is_of_this_machine_alone() {
        for (text, address_) in
            [("9464", "127.0.0.1:9464"), (":0", "127.0.0.1:0"), ("localhost:1", "127.0.0.1:1"), ("0.0.0.0:7", "0.0.0.0:7")]
        {
            assert_eq!(address(text).map(|a| a.to_string()).as_deref(), Ok(address_));
        }
        assert!(address("metrics").unwrap_err().contains("127.0.0.1:9464"));
    }
}
