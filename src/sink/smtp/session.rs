//! One SMTP connection: its state, and the answer to each command.
//!
//! All input that waits is looked at before anything is answered, so a pipelined group costs one read and one write. Content is
//! looked at where it lies in the input; it is copied only for the folder, or where several BDAT chunks make one message.

use std::sync::Arc;
use std::time::Duration;

use crate::sink::conversation::Protocol;
use crate::sink::desk::Desk;
use crate::sink::faults::dice::Facts;
use crate::sink::faults::rule::{Effect, Moment, Rule};
use crate::sink::smtp::auth::{self, Step};
use crate::sink::smtp::body::Scan;
use crate::sink::smtp::command::{self, BadLine, Command, MAX_LINE};
use crate::sink::turn::{Then, Turn};

/// Recipients of one message (RFC 5321 4.5.3.1.8 asks for 100 at least).
const MAX_RCPTS: usize = 1000;
/// Commands refused on one connection before it is ended: a client that talks nonsense must not do so for ever.
const MAX_ERRORS: u32 = 1000;
/// Length of a reply line that does not end.
const ENDLESS: usize = 4 << 20;

/// What the next bytes are.
#[derive(Debug)]
pub(super) enum Mode {
    Command,
    /// Content up to the dot.
    Content(Scan),
    /// Content that was too big: thrown away up to the dot.
    Overflow(Scan),
    /// A BDAT chunk of so many bytes.
    Chunk {
        size: usize,
        last: bool,
    },
    /// A BDAT chunk that will be refused with this reply; so many bytes are left of it.
    Waste {
        left: u64,
        reply: &'static str,
    },
    /// The client's next line of AUTH.
    Auth(Step),
}

/// What MAIL and RCPT said. Kept and emptied, not made anew, per message.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    open: bool,
    pub(super) from: String,
    /// One per line.
    pub(super) rcpts: String,
    pub(super) count: usize,
    pub(super) eight_bit: bool,
    utf8: bool,
    /// BDAT began.
    chunking: bool,
    /// Chunks before the last.
    chunks: Vec<u8>,
}

impl Transaction {
    pub(super) fn clear(&mut self) {
        self.open = false;
        self.from.clear();
        self.rcpts.clear();
        self.count = 0;
        self.chunking = false;
        self.chunks.clear();
    }
}

/// The server's side of one connection.
pub(crate) struct Smtp {
    pub(super) desk: Arc<Desk>,
    pub(super) number: u64,
    crowded: bool,
    pub(super) tls: bool,
    pub(super) helo: String,
    greeted: bool,
    pub(super) user: Option<String>,
    pub(super) mode: Mode,
    pub(super) transaction: Transaction,
    replies: u64,
    errors: u32,
}

/// A fault refused what was asked, and has said so.
struct Refused;

impl Smtp {
    pub(crate) fn new(desk: Arc<Desk>, number: u64, tls: bool, crowded: bool) -> Self {
        Smtp {
            desk,
            number,
            crowded,
            tls,
            helo: String::new(),
            greeted: false,
            user: None,
            mode: Mode::Command,
            transaction: Transaction::default(),
            replies: 0,
            errors: 0,
        }
    }

    /// A whole reply, CRLF included, with what the reply faults make of it.
    pub(super) fn say(&mut self, turn: &mut Turn, reply: &str) {
        self.say_after(turn, reply, Duration::ZERO);
    }

    pub(super) fn say_after(&mut self, turn: &mut Turn, reply: &str, wait: Duration) {
        let number = self.replies;
        self.replies += 1;
        let bytes = reply.as_bytes();
        if let Some(code @ 400..=599) = reply.get(..3).and_then(|code| code.parse().ok()) {
            *turn.counts.refused.entry(code).or_default() += 1;
            self.errors += 1;
            if self.errors > MAX_ERRORS && turn.then == Then::Read {
                turn.then = Then::Close;
            }
        }
        let (mut wait, mut drip, mut multiline) = (wait, None, false);
        let stalled = !wait.is_zero();
        if let Some(rule) = self.desk.dice.strike_reply(self.number, number) {
            turn.struck(&rule.name);
            match rule.effect {
                Effect::Late(late) => wait += late,
                Effect::Drip(gap) => drip = Some(gap),
                Effect::Multiline => multiline = true,
                _ => {}
            }
        }
        let marked = !wait.is_zero() || drip.is_some();
        if marked {
            turn.mark(wait, drip);
        }
        if multiline && bytes.get(3) == Some(&b' ') {
            let code = &reply[..3];
            turn.replies.extend_from_slice(format!("{code}-one\r\n{code}-two\r\n").as_bytes());
        }
        if self.desk.options.extensions.enhanced_codes || !has_enhanced_code(bytes) {
            turn.replies.extend_from_slice(bytes);
        } else {
            // A server that does not offer them does not send them.
            let text = reply.get(4..).and_then(|rest| rest.split_once(' ')).map_or("ok\r\n", |(_, text)| text);
            turn.replies.extend_from_slice(&bytes[..4]);
            turn.replies.extend_from_slice(text.as_bytes());
        }
        if marked {
            turn.mark(Duration::ZERO, None);
        }
        if stalled && turn.then == Then::Read {
            turn.then = Then::Hold;
        }
    }

    pub(super) fn facts<'a>(&'a self, key: &'a str, rcpts: &'a str) -> Facts<'a> {
        Facts { key, rcpts, from: &self.transaction.from, helo: &self.helo, ..Facts::default() }
    }

    /// Lets a fault speak in place of the reply at that moment. Ok: how long the right reply must wait.
    fn fate(&mut self, turn: &mut Turn, moment: Moment, rule: Option<Arc<Rule>>) -> Result<Duration, Refused> {
        let Some(rule) = rule else { return Ok(Duration::ZERO) };
        debug_assert_eq!(rule.moment, moment);
        turn.struck(&rule.name);
        match &rule.effect {
            Effect::Stall(wait) => return Ok(*wait),
            Effect::Reply { code, text } => self.say_code(turn, *code, text),
            Effect::Cut { reset } => turn.then = Then::Cut { reset: *reset },
            Effect::Garbage => turn.replies.extend_from_slice(b"\x16\x03\x01 what?\r\n"),
            Effect::Endless => self.say_endless(turn),
            _ => return Ok(Duration::ZERO),
        }
        Err(Refused)
    }

    pub(super) fn say_code(&mut self, turn: &mut Turn, code: u16, text: &str) {
        self.say(turn, &format!("{code} {text}\r\n"));
        if code == 421 || (code == 554 && !self.greeted) {
            turn.then = Then::Close;
        }
    }

    pub(super) fn say_endless(&mut self, turn: &mut Turn) {
        turn.replies.extend_from_slice(b"250 ");
        turn.replies.resize(turn.replies.len() + ENDLESS, b'a');
        turn.then = Then::Cut { reset: false };
    }

    /// Reads one line; 0: it is not there yet.
    fn line(&mut self, input: &[u8], turn: &mut Turn) -> usize {
        let Some(end) = memchr::memchr(b'\n', input).map(|at| at + 1) else {
            if input.len() > MAX_LINE {
                self.say(turn, "500 5.5.6 line too long\r\n");
                turn.then = Then::Close;
                return input.len();
            }
            return 0;
        };
        turn.counts.commands += 1;
        if end > MAX_LINE {
            self.say(turn, "500 5.5.6 line too long\r\n");
            return end;
        }
        let text = match command::line(&input[..end]) {
            Ok(text) => text,
            Err(BadLine::Ending) => {
                self.mode = Mode::Command;
                self.say(turn, "500 5.5.2 a line ends with CR LF, and holds no other CR, LF or NUL\r\n");
                return end;
            }
            Err(BadLine::NotUtf8) => {
                self.mode = Mode::Command;
                self.say(turn, "500 5.5.2 not UTF-8\r\n");
                return end;
            }
        };
        let more = input.len() > end;
        if more && !self.desk.options.extensions.pipelining {
            turn.counts.out_of_turn += 1;
        }
        match std::mem::replace(&mut self.mode, Mode::Command) {
            Mode::Auth(step) => self.auth_line(text, step, turn),
            _ => self.command(text, more, turn),
        }
        end
    }

    fn command(&mut self, text: &str, more: bool, turn: &mut Turn) {
        let command = command::command(text);
        let ends_group = matches!(
            command,
            Command::Ehlo(_) | Command::Helo(_) | Command::Data | Command::Vrfy | Command::Noop | Command::Auth(_)
        );
        if more && ends_group && self.desk.options.extensions.pipelining {
            // RFC 2920 3.1: these may only stand last in a group.
            turn.counts.out_of_turn += 1;
        }
        match command {
            Command::Mail(rest) => self.mail(rest, turn),
            Command::Rcpt(rest) => self.rcpt(rest, turn),
            Command::Data => self.data(turn),
            Command::Bdat(rest) => self.bdat(rest, turn),
            Command::Ehlo(name) => self.ehlo(name, true, turn),
            Command::Helo(name) => self.ehlo(name, false, turn),
            Command::Rset => {
                self.transaction.clear();
                self.say(turn, "250 2.0.0 ok\r\n");
            }
            Command::Noop => self.say(turn, "250 2.0.0 ok\r\n"),
            Command::Vrfy => self.say(turn, "252 2.5.0 send, and see\r\n"),
            Command::Quit => {
                self.say(turn, "221 2.0.0 bye\r\n");
                turn.then = Then::Close;
            }
            Command::StartTls => self.starttls(turn),
            Command::Auth(rest) => self.auth(rest, turn),
            Command::Unknown => self.say(turn, "500 5.5.2 command not understood\r\n"),
        }
    }

    fn ehlo(&mut self, name: &str, extended: bool, turn: &mut Turn) {
        if name.is_empty() || name.contains(' ') {
            return self.say(turn, "501 5.5.4 say who you are: EHLO name\r\n");
        }
        name.clone_into(&mut self.helo);
        let rule = self.desk.dice.strike(Moment::Ehlo, &self.facts("", ""));
        let Ok(wait) = self.fate(turn, Moment::Ehlo, rule) else { return };
        self.transaction.clear();
        self.greeted = true;
        if !extended {
            return self.say_after(turn, "250 localhost\r\n", wait);
        }
        let offered = self.desk.options.extensions;
        let size = format!("SIZE {}", self.desk.options.max_size);
        let mut reply = String::from("250-localhost\r\n");
        let mut last = String::new();
        for (wanted, keyword) in [
            (offered.pipelining, "PIPELINING"),
            (offered.size, size.as_str()),
            (offered.eight_bit_mime, "8BITMIME"),
            (offered.smtputf8, "SMTPUTF8"),
            (offered.chunking, "CHUNKING"),
            (offered.enhanced_codes, "ENHANCEDSTATUSCODES"),
            (offered.starttls && !self.tls && self.desk.tls.is_some(), "STARTTLS"),
            (offered.auth, "AUTH PLAIN LOGIN XOAUTH2"),
        ] {
            if wanted {
                if !last.is_empty() {
                    reply.push_str(&format!("250-{last}\r\n"));
                }
                keyword.clone_into(&mut last);
            }
        }
        let reply = if last.is_empty() { String::from("250 localhost\r\n") } else { format!("{reply}250 {last}\r\n") };
        self.say_after(turn, &reply, wait);
    }

    fn mail(&mut self, rest: &str, turn: &mut Turn) {
        if !self.greeted {
            return self.say(turn, "503 5.5.1 EHLO first\r\n");
        }
        if self.desk.options.require_auth && self.user.is_none() {
            return self.say(turn, "530 5.7.0 authentication required\r\n");
        }
        if self.transaction.open {
            return self.say(turn, "503 5.5.1 a transaction is open: RSET first\r\n");
        }
        let Some((path, parameters)) = command::path(rest, "FROM:") else {
            return self.say(turn, "501 5.5.4 write MAIL FROM:<address>\r\n");
        };
        let parameters = match command::mail_parameters(parameters) {
            Ok(parameters) => parameters,
            Err(_) => return self.say(turn, "555 5.5.4 parameter not understood\r\n"),
        };
        let offered = &self.desk.options.extensions;
        let unasked = (parameters.size.is_some() && !offered.size)
            || (parameters.eight_bit && !offered.eight_bit_mime)
            || (parameters.utf8 && !offered.smtputf8);
        if unasked {
            return self.say(turn, "555 5.5.4 parameter was not offered\r\n");
        }
        if !path.is_empty() && !command::is_mailbox(path) {
            return self.say(turn, "501 5.1.7 bad sender address\r\n");
        }
        if !path.is_ascii() && !parameters.utf8 {
            return self.say(turn, "553 5.6.7 that address needs SMTPUTF8\r\n");
        }
        if parameters.size.is_some_and(|size| size > self.desk.options.max_size) {
            return self.say(turn, "552 5.3.4 message too big\r\n");
        }
        let key = path;
        let rule = self.desk.dice.strike(Moment::Mail, &Facts { key, from: path, helo: &self.helo, ..Facts::default() });
        let Ok(wait) = self.fate(turn, Moment::Mail, rule) else { return };
        self.transaction.clear();
        self.transaction.open = true;
        self.transaction.from.push_str(path);
        self.transaction.eight_bit = parameters.eight_bit;
        self.transaction.utf8 = parameters.utf8;
        self.say_after(turn, "250 2.1.0 ok\r\n", wait);
    }

    fn rcpt(&mut self, rest: &str, turn: &mut Turn) {
        if !self.transaction.open || self.transaction.chunking {
            return self.say(turn, "503 5.5.1 MAIL first\r\n");
        }
        let Some((path, parameters)) = command::path(rest, "TO:") else {
            return self.say(turn, "501 5.5.4 write RCPT TO:<address>\r\n");
        };
        if !parameters.is_empty() {
            return self.say(turn, "555 5.5.4 parameter not understood\r\n");
        }
        if !command::is_mailbox(path) {
            return self.say(turn, "501 5.1.3 bad recipient address\r\n");
        }
        if !path.is_ascii() && !self.transaction.utf8 {
            return self.say(turn, "553 5.6.7 that address needs SMTPUTF8\r\n");
        }
        if self.transaction.count >= MAX_RCPTS {
            return self.say(turn, "452 4.5.3 too many recipients\r\n");
        }
        let rule = self.desk.dice.strike(Moment::Rcpt, &self.facts(path, path));
        let Ok(wait) = self.fate(turn, Moment::Rcpt, rule) else { return };
        self.transaction.rcpts.push_str(path);
        self.transaction.rcpts.push('\n');
        self.transaction.count += 1;
        self.say_after(turn, "250 2.1.5 ok\r\n", wait);
    }

    /// The recipient whose tries the faults of a message count: the first.
    pub(super) fn first_rcpt(&self) -> &str {
        self.transaction.rcpts.lines().next().unwrap_or_default()
    }

    fn data(&mut self, turn: &mut Turn) {
        if !self.transaction.open || self.transaction.chunking {
            return self.say(turn, "503 5.5.1 MAIL and RCPT first\r\n");
        }
        let rule = self.desk.dice.strike(Moment::Data, &self.facts(self.first_rcpt(), &self.transaction.rcpts));
        let anyway = rule.as_ref().is_some_and(|rule| rule.effect == Effect::DataAnyway);
        if self.transaction.count == 0 {
            if !anyway {
                return self.say(turn, "554 5.5.1 no valid recipients\r\n");
            }
        } else if anyway {
            // It is about transactions without recipients only.
            self.mode = Mode::Content(Scan::default());
            return self.say(turn, "354 go on, end with <CRLF>.<CRLF>\r\n");
        }
        let Ok(wait) = self.fate(turn, Moment::Data, rule) else {
            return self.transaction.clear();
        };
        self.mode = Mode::Content(Scan::default());
        self.say_after(turn, "354 go on, end with <CRLF>.<CRLF>\r\n", wait);
    }

    fn content(&mut self, input: &[u8], mut scan: Scan, turn: &mut Turn) -> usize {
        if let Some(end) = scan.dot(input) {
            self.settle(&input[..end], scan, true, turn);
            return end + 3;
        }
        if input.len() as u64 > self.desk.options.max_size.saturating_add(2) {
            self.mode = Mode::Overflow(Scan::default());
            // The scan starts anew at a line's start, or in the middle of one long line, which is then no start.
            return self.overflow(input, Scan::default(), turn);
        }
        self.mode = Mode::Content(scan);
        0
    }

    fn overflow(&mut self, input: &[u8], mut scan: Scan, turn: &mut Turn) -> usize {
        if let Some(end) = scan.dot(input) {
            self.mode = Mode::Command;
            self.refuse(turn, "552", "5.3.4 message too big", end);
            return end + 3;
        }
        let used = scan.forget();
        self.mode = Mode::Overflow(scan);
        used
    }

    fn bdat(&mut self, rest: &str, turn: &mut Turn) {
        let Some((size, last)) = command::bdat(rest) else {
            // Where the size is not understood there is no telling what comes next.
            self.say(turn, "501 5.5.4 write BDAT size [LAST]\r\n");
            turn.then = Then::Close;
            return;
        };
        let held = self.transaction.chunks.len() as u64;
        let refusal = if !self.desk.options.extensions.chunking {
            turn.then = Then::Close;
            return self.say(turn, "500 5.5.1 BDAT was not offered\r\n");
        } else if !self.transaction.open {
            // RFC 3030 4.2: chunks behind a refusal are read, and refused.
            Some("503 5.5.1 MAIL and RCPT first\r\n")
        } else if self.transaction.count == 0 {
            Some("554 5.5.1 no valid recipients\r\n")
        } else if size.saturating_add(held) > self.desk.options.max_size {
            Some("552 5.3.4 message too big\r\n")
        } else {
            None
        };
        self.mode = match refusal {
            Some(reply) => {
                self.transaction.clear();
                Mode::Waste { left: size, reply }
            }
            None => {
                self.transaction.chunking = true;
                Mode::Chunk { size: usize::try_from(size).unwrap_or(usize::MAX), last }
            }
        };
    }

    fn chunk(&mut self, input: &[u8], size: usize, last: bool, turn: &mut Turn) -> usize {
        if !last {
            self.transaction.chunks.extend_from_slice(&input[..size]);
            self.say(turn, "250 2.0.0 chunk taken\r\n");
        } else if self.transaction.chunks.is_empty() {
            self.settle(&input[..size], Scan::whole(&input[..size]), false, turn);
        } else {
            let mut content = std::mem::take(&mut self.transaction.chunks);
            content.extend_from_slice(&input[..size]);
            self.settle(&content, Scan::whole(&content), false, turn);
        }
        size
    }

    fn starttls(&mut self, turn: &mut Turn) {
        if self.tls || self.desk.tls.is_none() || !self.desk.options.extensions.starttls {
            return self.say(turn, "503 5.5.1 STARTTLS is not offered\r\n");
        }
        let rule = self.desk.dice.strike(Moment::StartTls, &self.facts("", ""));
        let inject = rule.as_ref().is_some_and(|rule| rule.effect == Effect::Inject);
        let Ok(wait) = self.fate(turn, Moment::StartTls, rule) else { return };
        self.say_after(turn, "220 2.0.0 go on\r\n", wait);
        if inject {
            turn.replies.extend_from_slice(b"250-localhost\r\n250 AUTH PLAIN LOGIN\r\n");
        }
        turn.then = Then::StartTls;
    }

    fn auth(&mut self, rest: &str, turn: &mut Turn) {
        if !self.desk.options.extensions.auth {
            return self.say(turn, "502 5.5.1 AUTH is not offered\r\n");
        }
        if !self.greeted || self.user.is_some() || self.transaction.open {
            return self.say(turn, "503 5.5.1 not now\r\n");
        }
        self.auth_next(auth::begin(rest), turn);
    }

    fn auth_line(&mut self, line: &str, step: Step, turn: &mut Turn) {
        if line == "*" {
            return self.say(turn, "501 5.0.0 given up\r\n");
        }
        self.auth_next(auth::go_on(step, line), turn);
    }

    fn auth_next(&mut self, next: auth::Next, turn: &mut Turn) {
        match next {
            auth::Next::Ask(step, challenge) => {
                self.mode = Mode::Auth(step);
                self.say(turn, &format!("334 {challenge}\r\n"));
            }
            auth::Next::Malformed => self.say(turn, "501 5.5.2 not understood\r\n"),
            auth::Next::Unknown => self.say(turn, "504 5.5.4 mechanism not offered\r\n"),
            auth::Next::Refuse => self.auth_refuse(turn),
            auth::Next::Given { user, secret, xoauth2 } => {
                let rule = self.desk.dice.strike(Moment::Auth, &self.facts(&user, ""));
                let wait = match self.fate(turn, Moment::Auth, rule) {
                    Ok(wait) => wait,
                    Err(Refused) => return turn.counts.auth_failed += 1,
                };
                let right = self.desk.options.auth.as_ref().is_none_or(|(name, word)| *name == user && *word == secret);
                if right {
                    turn.counts.auth += 1;
                    self.user = Some(user);
                    self.say_after(turn, "235 2.7.0 welcome\r\n", wait);
                } else if xoauth2 {
                    self.mode = Mode::Auth(Step::XOauth2Refused);
                    self.say(turn, &format!("334 {}\r\n", auth::XOAUTH2_REFUSAL));
                } else {
                    self.auth_refuse(turn);
                }
            }
        }
    }

    fn auth_refuse(&mut self, turn: &mut Turn) {
        turn.counts.auth_failed += 1;
        self.say(turn, "535 5.7.8 user or password is wrong\r\n");
    }
}

/// `250 2.1.0 …`, and not the first line of EHLO's answer.
fn has_enhanced_code(reply: &[u8]) -> bool {
    matches!(reply, [_, _, _, b' ', b'2' | b'4' | b'5', b'.', digit, ..] if digit.is_ascii_digit())
}

impl Protocol for Smtp {
    fn open(&mut self, turn: &mut Turn) {
        if self.crowded {
            self.say(turn, "421 4.7.0 too many connections\r\n");
            turn.then = Then::Close;
            return;
        }
        let rule = self.desk.dice.strike(Moment::Banner, &Facts::default());
        if let Ok(wait) = self.fate(turn, Moment::Banner, rule) {
            self.say_after(turn, "220 localhost ESMTP notify sink\r\n", wait);
        }
    }

    fn feed(&mut self, input: &[u8], turn: &mut Turn) -> usize {
        if self.desk.down() {
            turn.then = Then::Cut { reset: true };
            return 0;
        }
        let mut used = 0;
        while turn.then == Then::Read && used <= input.len() {
            let rest = &input[used..];
            let step = match self.mode {
                Mode::Chunk { size, last } if rest.len() >= size => {
                    self.mode = Mode::Command;
                    used += self.chunk(rest, size, last, turn);
                    continue;
                }
                Mode::Waste { left, reply } if rest.len() as u64 >= left => {
                    self.mode = Mode::Command;
                    used += usize::try_from(left).unwrap_or(rest.len());
                    self.say(turn, reply);
                    continue;
                }
                Mode::Chunk { .. } => 0,
                Mode::Waste { left, reply } => {
                    self.mode = Mode::Waste { left: left - rest.len() as u64, reply };
                    rest.len()
                }
                _ if rest.is_empty() => 0,
                Mode::Command | Mode::Auth(_) => self.line(rest, turn),
                Mode::Content(scan) => self.content(rest, scan, turn),
                Mode::Overflow(scan) => self.overflow(rest, scan, turn),
            };
            if step == 0 {
                break;
            }
            used += step;
        }
        used
    }

    fn secured(&mut self, early: usize, turn: &mut Turn) {
        // RFC 3207 4.2: all that was known before is forgotten.
        self.tls = true;
        self.greeted = false;
        self.helo.clear();
        self.user = None;
        self.transaction.clear();
        turn.counts.out_of_turn += u64::from(early > 0);
    }

    fn gone(&mut self, _left: usize, turn: &mut Turn) {
        let amidst = matches!(self.mode, Mode::Content(_) | Mode::Overflow(_) | Mode::Chunk { .. }) || self.transaction.chunking;
        turn.counts.unfinished += u64::from(amidst);
    }
}
