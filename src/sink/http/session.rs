//! One HTTP connection: each request is read, judged, written down and answered; any path is taken.
//!
//! `GET /_sink/counts` tells the numbers and `POST /_sink/reset` begins them anew; nothing below `/_sink/` counts, and
//! only faults of the whole connection (`refuse`, `down`) touch it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::sink::conversation::Protocol;
use crate::sink::desk::Desk;
use crate::sink::faults::dice::Facts;
use crate::sink::faults::rule::{Effect, HttpFault, Moment, Rule, Way};
use crate::sink::http::chunked::{Chunked, MAX_BODY, TooBig};
use crate::sink::load::Bears;
use crate::sink::turn::{Then, Turn};

/// The head of a request: request line and headers.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;
/// The part of a body that a ledger line holds.
const LEDGER_BODY: usize = 64 << 10;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

/// The server's side of one connection.
pub(crate) struct Http {
    desk: Arc<Desk>,
    number: u64,
    crowded: bool,
    replies: u64,
    /// 100 was said for the request whose body is still coming.
    continued: bool,
    /// Where the chunked body of the request at hand was read up to, so that drops of a slow client cost no second look.
    chunked: Chunked,
}

/// A request that is complete.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a [httparse::Header<'a>],
    body: &'a [u8],
    /// The connection goes on after it.
    keep: bool,
    head_only: bool,
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    }
}

/// What a look at the input found.
enum Found {
    /// Not all there yet.
    More,
    /// Answered or settled; so many bytes are done with.
    Done(usize),
}

/// A ledger line of a request.
#[derive(Serialize)]
struct Entry<'a> {
    seq: u64,
    at_ms: u64,
    proto: &'static str,
    connection: u64,
    method: &'a str,
    path: &'a str,
    #[serde(serialize_with = "selected")]
    headers: &'a [httparse::Header<'a>],
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    taken: bool,
    /// The status that was sent or would have been.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
}

/// Headers that tests ask for; those that carry secrets show that they were there, and no more.
fn selected<S: Serializer>(headers: &[httparse::Header], serializer: S) -> Result<S::Ok, S::Error> {
    let shown = |name: &str| {
        ["content-type", "user-agent", "idempotency-key", "content-encoding", "accept", "host"].contains(&name)
            || name.starts_with("webhook-")
            || name.starts_with("x-")
    };
    let masked = |name: &str| {
        ["authorization", "proxy-authorization", "cookie"].contains(&name)
            || name.contains("key") && name != "idempotency-key"
            || name.contains("token")
            || name.contains("secret")
    };
    serializer.collect_map(headers.iter().filter_map(|header| {
        let name = header.name.to_ascii_lowercase();
        if masked(&name) {
            Some((name, std::borrow::Cow::Borrowed("***")))
        } else if shown(&name) {
            Some((name, String::from_utf8_lossy(header.value)))
        } else {
            None
        }
    }))
}

impl Http {
    pub(crate) fn new(desk: Arc<Desk>, number: u64, crowded: bool) -> Self {
        Http { desk, number, crowded, replies: 0, continued: false, chunked: Chunked::default() }
    }

    fn request(&mut self, input: &[u8], turn: &mut Turn) -> Found {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let head = match parsed.parse(input) {
            Ok(httparse::Status::Complete(head)) if head <= MAX_HEAD => head,
            Ok(httparse::Status::Partial) if input.len() <= MAX_HEAD => return Found::More,
            Ok(_) => return self.hopeless(turn, 431, "head too large", input),
            Err(_) => return self.hopeless(turn, 400, "not a request", input),
        };
        let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return self.hopeless(turn, 400, "not a request", input);
        };
        let mut request =
            Request { method, path, headers: parsed.headers, body: b"", keep: version == 1, head_only: method == "HEAD" };
        if let Some(connection) = request.header("connection") {
            let says = |word: &str| connection.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
            request.keep = if version == 1 { !says("close") } else { says("keep-alive") };
        }
        let lengths = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("content-length")).count();
        let chunked = match request.header("transfer-encoding") {
            None => false,
            Some(coding) if coding.eq_ignore_ascii_case("chunked") && lengths == 0 => true,
            // Both, or a coding that is not known: what smuggling is made of (RFC 9112 6.1).
            Some(_) => return self.hopeless(turn, 400, "transfer-encoding not understood", input),
        };
        let rest = &input[head..];
        let decoded;
        let used = if chunked {
            match self.chunked.read(rest) {
                Ok(Some(used)) => {
                    decoded = std::mem::take(&mut self.chunked).body;
                    request.body = &decoded;
                    used
                }
                Ok(None) => {
                    self.expectation(&request, rest, turn);
                    return Found::More;
                }
                Err(TooBig::Yes) => return self.hopeless(turn, 413, "body too large", input),
                Err(TooBig::No) => return self.hopeless(turn, 400, "chunk not understood", input),
            }
        } else {
            let length = match (lengths, request.header("content-length").map(str::trim)) {
                (0, _) => 0,
                (1, Some(text)) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    text.parse().unwrap_or(usize::MAX)
                }
                _ => return self.hopeless(turn, 400, "content-length not understood", input),
            };
            if length > MAX_BODY {
                return self.hopeless(turn, 413, "body too large", input);
            }
            if rest.len() < length {
                self.expectation(&request, rest, turn);
                return Found::More;
            }
            request.body = &rest[..length];
            length
        };
        self.continued = false;
        if !request.keep {
            turn.then = Then::Close;
        }
        if let Some(own) = request.path.strip_prefix("/_sink/") {
            self.own(own, &request, turn);
        } else {
            self.settle(&request, turn);
        }
        Found::Done(head + used)
    }

    /// Says 100 once, to a client that waits for it with its body.
    fn expectation(&mut self, request: &Request, rest: &[u8], turn: &mut Turn) {
        let waits = request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        if waits && rest.is_empty() && !self.continued {
            self.continued = true;
            turn.replies.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// After that nobody knows where the next request begins.
    fn hopeless(&mut self, turn: &mut Turn, status: u16, says: &str, input: &[u8]) -> Found {
        let body = format!(r#"{{"ok":false,"error":"{says}"}}"#);
        self.say(turn, status, &[("connection".to_owned(), "close".to_owned())], body.as_bytes(), false, Duration::ZERO);
        turn.then = Then::Close;
        Found::Done(input.len())
    }

    fn own(&mut self, path: &str, request: &Request, turn: &mut Turn) {
        let (status, body) = match (request.method, path) {
            ("GET", "counts") => {
                // What this turn has done already is not merged yet.
                let mut counts = self.desk.counts();
                counts.merge(&turn.counts);
                (200, serde_json::to_string(&counts).unwrap_or_default())
            }
            ("POST", "reset") => {
                turn.counts = Default::default();
                self.desk.reset();
                (200, r#"{"ok":true}"#.to_owned())
            }
            _ => (404, r#"{"ok":false,"error":"here are GET /_sink/counts and POST /_sink/reset"}"#.to_owned()),
        };
        let head = head(status, &[], body.len(), request.keep);
        turn.replies.extend_from_slice(head.as_bytes());
        if !request.head_only {
            turn.replies.extend_from_slice(body.as_bytes());
        }
    }

    fn settle(&mut self, request: &Request, turn: &mut Turn) {
        turn.counts.requests += 1;
        let later = match self.desk.bears() {
            Bears::After(later) => later,
            Bears::Fails(later) => {
                self.write_down(request, false, 503, None, Some("knee"), turn);
                return self.say(turn, 503, &[], br#"{"ok":false,"error":"too much at once"}"#, request.head_only, later);
            }
            Bears::TooFast => {
                self.write_down(request, false, 429, None, Some("limit"), turn);
                return self.say(turn, 429, &[], br#"{"ok":false,"error":"too fast"}"#, request.head_only, Duration::ZERO);
            }
        };
        let key = request.header("idempotency-key").or_else(|| request.header("webhook-id")).unwrap_or(request.path);
        let facts = Facts { key, path: request.path, body: request.body, ..Facts::default() };
        let rule = self.desk.dice.strike(Moment::Http, &facts);
        let fault = match rule.as_deref() {
            Some(Rule { effect: Effect::Http(fault), .. }) => Some(fault),
            _ => None,
        };
        let wants = fault.is_none_or(|fault| fault.taken);
        if wants && !self.desk.take() {
            self.write_down(request, false, 503, None, None, turn);
            self.say(turn, 503, &[], br#"{"ok":false,"error":"the sink has what it wanted"}"#, false, Duration::ZERO);
            turn.then = Then::Close;
            return;
        }
        if let Some(rule) = &rule {
            turn.struck(&rule.name);
        }
        let status = fault.map_or(200, |fault| fault.status);
        let cut = match fault.map(|fault| fault.way) {
            Some(Way::Cut { .. }) => Some("before_reply"),
            Some(Way::Truncated) => Some("in_reply"),
            _ => None,
        };
        if wants {
            turn.counts.requests_taken += 1;
            turn.counts.bytes_taken += request.body.len() as u64;
            let told = fault.is_none_or(|fault| status < 300 && matches!(fault.way, Way::Answer | Way::Hang(_)));
            turn.counts.taken_untold += u64::from(!told);
        }
        self.write_down(request, wants, status, cut, rule.as_ref().map(|rule| rule.name.as_str()), turn);
        match fault {
            None if request.keep && !request.head_only && later.is_zero() && !self.desk.dice.armed(Moment::Reply) => {
                self.replies += 1;
                *turn.counts.statuses.entry(200).or_default() += 1;
                turn.replies.extend_from_slice(OK);
            }
            None => self.say(turn, 200, &[], br#"{"ok":true}"#, request.head_only, later),
            Some(fault) => self.misbehave(fault, request, turn),
        }
    }

    fn misbehave(&mut self, fault: &HttpFault, request: &Request, turn: &mut Turn) {
        let body = fault.body.as_bytes();
        match fault.way {
            Way::Answer => self.say(turn, fault.status, &fault.headers, body, request.head_only, Duration::ZERO),
            Way::Hang(wait) => {
                self.say(turn, fault.status, &fault.headers, body, request.head_only, wait);
                if turn.then == Then::Read {
                    turn.then = Then::Hold;
                }
            }
            Way::Cut { reset } => turn.then = Then::Cut { reset },
            Way::Garbage => {
                turn.replies.extend_from_slice(b"250 2.0.0 this is not HTTP\r\n\r\n");
                turn.then = Then::Close;
            }
            Way::Oversize(size) => {
                turn.replies.extend_from_slice(head(fault.status, &fault.headers, size, true).as_bytes());
                turn.replies.resize(turn.replies.len() + size, b' ');
                turn.then = Then::Close;
            }
            Way::Truncated => {
                turn.replies.extend_from_slice(head(fault.status, &fault.headers, body.len() + 100, true).as_bytes());
                turn.replies.extend_from_slice(body);
                turn.then = Then::Cut { reset: false };
            }
        }
    }

    fn say(&mut self, turn: &mut Turn, status: u16, headers: &[(String, String)], body: &[u8], head_only: bool, wait: Duration) {
        let number = self.replies;
        self.replies += 1;
        *turn.counts.statuses.entry(status).or_default() += 1;
        let (mut wait, mut drip) = (wait, None);
        if let Some(rule) = self.desk.dice.strike_reply(self.number, number) {
            match rule.effect {
                Effect::Late(late) => wait += late,
                Effect::Drip(gap) => drip = Some(gap),
                _ => {}
            }
            if !matches!(rule.effect, Effect::Multiline) {
                turn.struck(&rule.name);
            }
        }
        let marked = !wait.is_zero() || drip.is_some();
        if marked {
            turn.mark(wait, drip);
        }
        turn.replies.extend_from_slice(head(status, headers, body.len(), turn.then != Then::Close).as_bytes());
        if !head_only {
            turn.replies.extend_from_slice(body);
        }
        if marked {
            turn.mark(Duration::ZERO, None);
        }
    }

    fn write_down(
        &self,
        request: &Request,
        taken: bool,
        status: u16,
        cut: Option<&'static str>,
        fault: Option<&str>,
        turn: &mut Turn,
    ) {
        if !self.desk.keeps_ledger() && !self.desk.keeps_contents() {
            return;
        }
        let text = std::str::from_utf8(request.body).ok();
        let mut entry = Entry {
            seq: self.desk.next_seq(),
            at_ms: self.desk.at_ms(),
            proto: "http",
            connection: self.number,
            method: request.method,
            path: request.path,
            headers: request.headers,
            size: request.body.len(),
            body: text.filter(|text| text.len() <= LEDGER_BODY),
            taken,
            status,
            cut,
            fault,
        };
        // Strings, numbers and maps into memory: this cannot fail.
        if self.desk.keeps_ledger() && serde_json::to_writer(&mut turn.lines, &entry).is_ok() {
            turn.lines.push(b'\n');
        }
        if self.desk.keeps_contents() && taken {
            // The whole body, as text where it is text; else beside the line.
            entry.body = text;
            let mut file = Vec::new();
            if serde_json::to_writer_pretty(&mut file, &entry).is_ok() {
                let _ = file.write_all(b"\n");
                turn.files.push((format!("{:08}.json", entry.seq), file));
            }
            if text.is_none() {
                turn.files.push((format!("{:08}.bin", entry.seq), request.body.to_vec()));
            }
        }
    }
}

impl Protocol for Http {
    fn open(&mut self, turn: &mut Turn) {
        if self.crowded {
            let wait = ("retry-after".to_owned(), "1".to_owned());
            turn.then = Then::Close;
            self.say(turn, 503, &[wait], br#"{"ok":false,"error":"too many connections"}"#, false, Duration::ZERO);
        }
    }

    fn feed(&mut self, input: &[u8], turn: &mut Turn) -> usize {
        if self.desk.down() {
            turn.then = Then::Cut { reset: true };
            return 0;
        }
        let mut used = 0;
        while turn.then == Then::Read && used < input.len() {
            match self.request(&input[used..], turn) {
                Found::More => break,
                Found::Done(bytes) => used += bytes,
            }
        }
        used
    }

    fn secured(&mut self, _early: usize, _turn: &mut Turn) {}

    fn gone(&mut self, left: usize, turn: &mut Turn) {
        turn.counts.unfinished += u64::from(left > 0);
    }
}

fn head(status: u16, headers: &[(String, String)], length: usize, keep: bool) -> String {
    use std::fmt::Write;
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        head.push_str("content-type: application/json\r\n");
    }
    for (name, value) in headers {
        let clean = |text: &str| text.replace(['\r', '\n'], " ");
        let _ = write!(head, "{}: {}\r\n", clean(name), clean(value));
    }
    if !keep {
        head.push_str("connection: close\r\n");
    }
    let _ = write!(head, "content-length: {length}\r\n\r\n");
    head
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        425 => "Too Early",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Simulated",
    }
}
