//! Replies of an SMTP server, taken from the bytes as they arrive, with a cap on everything (RFC 5321 §4.2).
//!
//! A line may be 4 KiB (the RFC wishes 512), a reply 100 lines: an endless line or an endless reply is an error, not memory.

use std::fmt;

/// Longest line of a reply, with its end.
pub(super) const LINE_CAP: usize = 4096;
/// Most lines of one reply.
pub(super) const LINES_CAP: usize = 100;

/// One whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of all lines without codes, joined by a newline; not cleaned.
    pub text: String,
}

impl Reply {
    /// The first digit: 2 done, 3 go on, 4 not now, 5 never.
    pub(super) fn class(&self) -> u16 {
        self.code / 100
    }

    /// The enhanced status code (RFC 3463) at the beginning of the text: class, subject, detail.
    pub(super) fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let word = self.text.split_whitespace().next()?;
        let mut parts = word.trim_end_matches(':').split('.');
        let mut number = || {
            let part = parts.next()?;
            if part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
                None
            } else {
                part.parse::<u16>().ok()
            }
        };
        let code = (number()?, number()?, number()?);
        // A class that contradicts the basic code is not a status code but a version number or an address.
        (parts.next().is_none() && code.0 == self.class()).then_some(code)
    }

    /// The code as reports show it: `550 5.1.1`, or `550`.
    pub(super) fn shown_code(&self) -> String {
        match self.enhanced() {
            Some((class, subject, detail)) => format!("{} {class}.{subject}.{detail}", self.code),
            None => self.code.to_string(),
        }
    }

    /// The text without the enhanced codes, without control characters, at most `max` characters.
    pub(super) fn shown_text(&self, max: usize) -> String {
        let mut out = String::with_capacity(self.text.len().min(max));
        for line in self.text.lines() {
            let line = match line.split_once(' ') {
                Some((first, rest)) if self.enhanced().is_some() && is_status(first) => rest,
                _ => line,
            };
            if !out.is_empty() {
                out.push(' ');
            }
            out.extend(line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        match out.char_indices().nth(max) {
            Some((cut, _)) => out[..cut].to_owned(),
            None => out,
        }
    }
}

fn is_status(word: &str) -> bool {
    let mut parts = word.split('.');
    let digits = |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    digits(parts.next()) && digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}

/// What arrived is not a reply of SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Malformed {
    /// No end of line within [`LINE_CAP`].
    LongLine,
    /// More lines than [`LINES_CAP`].
    ManyLines,
    /// No code, or the codes of one reply differ.
    NotSmtp,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::LongLine => "the server's reply has a line without end",
            Malformed::ManyLines => "the server's reply has too many lines",
            Malformed::NotSmtp => "the server's answer is not SMTP",
        })
    }
}

/// The bytes that arrived and were not yet taken.
#[derive(Debug, Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    /// Where the next reply begins.
    start: usize,
    /// Up to where no end of line was found.
    seen: usize,
    code: Option<u16>,
    lines: usize,
    text: String,
}

impl Replies {
    /// Adds what was read.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.seen = 0;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing waits, not even half a reply.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len() && self.lines == 0
    }

    /// The next whole reply, or `None` until more arrives.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Malformed> {
        loop {
            let from = self.seen.max(self.start);
            let Some(end) = memchr::memchr(b'\n', &self.bytes[from..]).map(|at| from + at) else {
                self.seen = self.bytes.len();
                return if self.bytes.len() - self.start > LINE_CAP { Err(Malformed::LongLine) } else { Ok(None) };
            };
            if end - self.start >= LINE_CAP {
                return Err(Malformed::LongLine);
            }
            let line = &self.bytes[self.start..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (code, more, text) = split(line).ok_or(Malformed::NotSmtp)?;
            if self.code.is_some_and(|first| first != code) {
                return Err(Malformed::NotSmtp);
            }
            self.lines += 1;
            if self.lines > LINES_CAP {
                return Err(Malformed::ManyLines);
            }
            if self.lines > 1 {
                self.text.push('\n');
            }
            self.text.push_str(&String::from_utf8_lossy(text));
            self.code = Some(code);
            self.start = end + 1;
            if !more {
                self.code = None;
                self.lines = 0;
                return Ok(Some(Reply { code, text: std::mem::take(&mut self.text) }));
            }
        }
    }
}

/// Code, whether more lines follow, text.
fn split(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !(b'2'..=b'5').contains(&digits[0]) || !digits[1..].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest {
        [] => Some((code, false, &[])),
        [b' ', text @ ..] => Some((code, false, text)),
        [b'-', text @ ..] => Some((code, true, text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Reply>, Malformed> {
        let mut replies = Replies::default();
        let mut out = Vec::new();
        for chunk in bytes.chunks(step) {
            replies.extend(chunk);
            while let Some(reply) = replies.next()? {
                out.push(reply);
            }
        }
        Ok(out)
    }

    #[test]
    fn a_reply_is_the_same_however_it_arrives() {
        let bytes = b"250-mail.example\r\n250-PIPELINING\r\n250 SIZE 100\r\n354\r\n250 2.0.0 Ok: queued as 4F1\n";
        let whole = all(bytes, bytes.len()).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].text, "mail.example\nPIPELINING\nSIZE 100");
        assert_eq!((whole[1].code, whole[1].text.as_str()), (354, ""));
        assert_eq!(whole[2].enhanced(), Some((2, 0, 0)));
        assert_eq!(whole[2].shown_text(200), "Ok: queued as 4F1");
        for step in 1..9 {
            assert_eq!(all(bytes, step).unwrap(), whole);
        }
    }

    #[test]
    fn what_is_not_smtp_or_has_no_end_is_refused() {
        assert_eq!(all(b"HTTP/1.1 400 Bad Request\r\n", 7), Err(Malformed::NotSmtp));
        assert_eq!(all(b"250-a\r\n550 b\r\n", 100), Err(Malformed::NotSmtp));
        assert_eq!(all(&[b'2'; 5000], 100), Err(Malformed::LongLine));
        assert_eq!(all(&b"250-x\r\n".repeat(200), 100), Err(Malformed::ManyLines));
    }

    #[test]
    fn an_enhanced_code_must_agree_with_the_basic_one() {
        let reply = |code, text: &str| Reply { code, text: text.into() };
        assert_eq!(reply(550, "5.1.1 no such user").shown_code(), "550 5.1.1");
        assert_eq!(reply(550, "5.1.1: no such user").shown_code(), "550 5.1.1");
        assert_eq!(reply(550, "4.2.1 what").shown_code(), "550");
        assert_eq!(reply(550, "10.0.0.1 is blocked").shown_code(), "550");
        assert_eq!(reply(550, "5.7.26\nx\u{1b}[31m").shown_text(9), "5.7.26 x ");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600), step in 1usize..40) {
            let _ = all(&bytes, step);
        }
    }
}
