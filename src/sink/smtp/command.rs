//! Reads one command line: verb, path, parameters; strict, because a sloppy server hides a sloppy client.

use std::str;

/// The longest command line (RFC 5321 says 512 and extensions add to it; RFC 4954 wants 12,288 for AUTH).
pub(crate) const MAX_LINE: usize = 12_288;

/// A command as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    Helo(&'a str),
    Ehlo(&'a str),
    Mail(&'a str),
    Rcpt(&'a str),
    Data,
    Bdat(&'a str),
    Rset,
    Noop,
    Vrfy,
    Quit,
    StartTls,
    Auth(&'a str),
    Unknown,
}

/// Looks at the line without its CRLF.
pub(crate) fn command(line: &str) -> Command<'_> {
    let (verb, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    let rest = rest.trim_matches(' ');
    let is = |word: &str| verb.eq_ignore_ascii_case(word);
    // Ordered by how often they come.
    if is("MAIL") {
        Command::Mail(rest)
    } else if is("RCPT") {
        Command::Rcpt(rest)
    } else if is("DATA") && rest.is_empty() {
        Command::Data
    } else if is("BDAT") {
        Command::Bdat(rest)
    } else if is("EHLO") {
        Command::Ehlo(rest)
    } else if is("HELO") {
        Command::Helo(rest)
    } else if is("RSET") && rest.is_empty() {
        Command::Rset
    } else if is("NOOP") {
        Command::Noop
    } else if is("VRFY") {
        Command::Vrfy
    } else if is("QUIT") && rest.is_empty() {
        Command::Quit
    } else if is("STARTTLS") && rest.is_empty() {
        Command::StartTls
    } else if is("AUTH") {
        Command::Auth(rest)
    } else {
        Command::Unknown
    }
}

/// The path in `FROM:<path> parameters`, without its angle brackets, and the parameters.
pub(crate) fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let lead = rest.get(..keyword.len())?;
    if !lead.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest[keyword.len()..].strip_prefix('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let tail = &rest[at + 1..];
                let parameters = if tail.is_empty() { tail } else { tail.strip_prefix(' ')? };
                return Some((&rest[..at], parameters));
            }
            _ => {}
        }
    }
    None
}

/// Whether that could be a mailbox: one local part, one domain (or `postmaster`), nothing that ends the line early.
pub(crate) fn is_mailbox(path: &str) -> bool {
    if path.eq_ignore_ascii_case("postmaster") {
        return true;
    }
    let Some((local, domain)) = path.rsplit_once('@') else { return false };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.contains(['@', '<', '>', ' ', '"', '(', ')', ',', ':', ';', '[', ']', '\\']);
    (quoted || plain)
        && path.len() <= 254
        && local.len() <= 64
        && !domain.is_empty()
        && !domain.starts_with(['.', '-'])
        && !domain.ends_with(['.', '-'])
        && !domain.contains("..")
        && !domain.contains([' ', '<', '>', '"', '(', ')', ',', ';'])
        && !path.contains(|c: char| c.is_control())
}

/// The parameters of MAIL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MailParameters {
    pub(crate) size: Option<u64>,
    pub(crate) eight_bit: bool,
    pub(crate) utf8: bool,
}

/// Reads the parameters of MAIL; the error is the one that was not understood.
pub(crate) fn mail_parameters(text: &str) -> Result<MailParameters, &str> {
    let mut parameters = MailParameters::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match value {
            Some(value) if is("SIZE") => parameters.size = Some(value.parse().map_err(|_| word)?),
            Some(value) if is("BODY") && value.eq_ignore_ascii_case("8BITMIME") => parameters.eight_bit = true,
            Some(value) if is("BODY") && value.eq_ignore_ascii_case("7BIT") => {}
            Some(_) if is("AUTH") => {}
            None if is("SMTPUTF8") => parameters.utf8 = true,
            _ => return Err(word),
        }
    }
    Ok(parameters)
}

/// The size and LAST of `BDAT size [LAST]`.
pub(crate) fn bdat(rest: &str) -> Option<(u64, bool)> {
    let (size, last) = rest.split_once(' ').map_or((rest, None), |(size, last)| (size, Some(last)));
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let last = match last {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    Some((size.parse().ok()?, last))
}

/// Why a line is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// Ends with a bare LF, or has a bare CR or NUL inside.
    Ending,
    NotUtf8,
}

/// A line up to and with its LF, as text without CRLF.
pub(crate) fn line(raw: &[u8]) -> Result<&str, BadLine> {
    let Some(text) = raw.strip_suffix(b"\r\n") else { return Err(BadLine::Ending) };
    if memchr::memchr2(b'\r', 0, text).is_some() {
        return Err(BadLine::Ending);
    }
    str::from_utf8(text).map_err(|_| BadLine::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_strict() {
        assert_eq!(path("FROM:<a@b> SIZE=3", "FROM:"), Some(("a@b", "SIZE=3")));
        assert_eq!(path("from:<>", "FROM:"), Some(("", "")));
        assert_eq!(path("TO:<\"a>b\"@c>", "TO:"), Some(("\"a>b\"@c", "")));
        assert_eq!(path("TO: <a@b>", "TO:"), None);
        assert_eq!(path("TO:a@b", "TO:"), None);
        assert_eq!(path("TO:<a@b>x", "TO:"), None);
        assert_eq!(path("T\u{e9}", "TO:"), None);
    }

    #[test]
    fn mailboxes_are_mailboxes() {
        for good in ["a@b", "a.b+c@d.example", "\"a b\"@c", "postmaster", "用户@例子.中国", "a@[127.0.0.1]"] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c", ".a@b", "a..b@c", "a@b..c", "a@b>", "a@b c", "a@-b"] {
            assert!(!is_mailbox(bad), "{bad}");
        }
    }

    #[test]
    fn parameters_are_known_or_refused() {
        let all = mail_parameters("SIZE=12 body=8bitmime SMTPUTF8").expect("known");
        assert_eq!(all, MailParameters { size: Some(12), eight_bit: true, utf8: true });
        assert_eq!(mail_parameters("SIZE=x"), Err("SIZE=x"));
        assert_eq!(mail_parameters("RET=HDRS"), Err("RET=HDRS"));
        assert_eq!(bdat("12 last"), Some((12, true)));
        assert_eq!((bdat("-1"), bdat("1 2"), bdat("")), (None, None, None));
    }

    #[test]
    fn lines_end_with_crlf_and_hold_no_other() {
        assert_eq!(line(b"NOOP\r\n"), Ok("NOOP"));
        assert_eq!(line(b"NOOP\n"), Err(BadLine::Ending));
        assert_eq!(line(b"NO\rOP\r\n"), Err(BadLine::Ending));
        assert_eq!(line(b"\xff\r\n"), Err(BadLine::NotUtf8));
    }
}
