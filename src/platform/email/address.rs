//! Email addresses and mailboxes, as people write them and as they go over the wire.
//!
//! Invariant: a [`Path`] holds no control character, no white space outside a quoted local part and no angle bracket, so that
//! nothing of a row can end an SMTP command or a header field.

use std::str::FromStr;

/// An address ready for `MAIL FROM:<…>`, `RCPT TO:<…>` and header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// `local@domain`, the domain in ASCII (punycode).
    pub wire: String,
    /// The local part is not ASCII: only a server with SMTPUTF8 (RFC 6531) can take it.
    pub utf8: bool,
}

impl Path {
    /// The domain, in ASCII.
    pub(super) fn domain(&self) -> &str {
        self.wire.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Reads `local@domain`.
    pub(super) fn parse(text: &str) -> Result<Path, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the address is empty".to_owned());
        }
        let shown: String = text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        if let Some(c) = text.chars().find(|c| c.is_control() || matches!(c, '<' | '>')) {
            return Err(format!("`{shown}` is not an email address: it contains {:?}", c));
        }
        if text.contains('＠') {
            return Err(format!("`{shown}` is not an email address: it has a full-width ＠, write @"));
        }
        if text.contains([',', ';']) && text.matches('@').count() > 1 {
            return Err(format!("`{shown}` looks like several addresses: a row has one, further ones go into `_cc`"));
        }
        let address = lettre::Address::from_str(text).map_err(|error| match text.contains('@') {
            true => format!("`{shown}` is not an email address: {}", error.to_string().to_lowercase()),
            false => format!("`{shown}` is not an email address: it has no @"),
        })?;
        let (local, domain) = (address.user(), address.domain());
        let domain = match domain.is_ascii() {
            true => domain.to_owned(),
            false => idna::domain_to_ascii(domain).map_err(|_| format!("`{shown}`: the domain has no form in ASCII"))?,
        };
        // RFC 5321 §4.5.3.1: 64 for the local part, 256 for the path with its brackets.
        if local.len() > 64 || local.len() + domain.len() + 1 > 254 {
            return Err(format!("`{shown}` is too long for an email address (64 bytes before the @, 254 in all)"));
        }
        Ok(Path { utf8: !local.is_ascii(), wire: format!("{local}@{domain}") })
    }
}

/// A path and the name in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The display name, free of control characters; never empty.
    pub name: Option<String>,
    /// Where.
    pub path: Path,
}

impl Mailbox {
    /// Reads `local@domain`, `Name <local@domain>` or `"Name" <local@domain>`.
    pub(super) fn parse(text: &str) -> Result<Mailbox, String> {
        let text = text.trim();
        let Some((name, rest)) = text.rsplit_once('<') else {
            return Ok(Mailbox { name: None, path: Path::parse(text)? });
        };
        let Some(address) = rest.strip_suffix('>') else {
            let shown: String = text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            return Err(format!("`{shown}`: write Name <address@domain>"));
        };
        let name = name.trim();
        let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => unquote(quoted),
            None => name.to_owned(),
        };
        let name = super::clean::clean(&name).into_owned();
        Ok(Mailbox { name: (!name.is_empty()).then_some(name), path: Path::parse(address)? })
    }
}

fn unquote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_goes_over_the_wire_in_ascii() {
        let path = Path::parse(" zhang@例子.中国 ").unwrap();
        assert_eq!((path.wire.as_str(), path.utf8), ("zhang@xn--fsqu00a.xn--fiqs8s", false));
        assert!(Path::parse("用户@example.com").unwrap().utf8);
        assert_eq!(Path::parse("a@b.example").unwrap().domain(), "b.example");
    }

    #[test]
    fn what_could_end_a_command_is_no_address() {
        for text in [
            "",
            "a",
            "a@",
            "@b",
            "a b@c.d",
            "a@b.c\r\nRCPT TO:<x@y.z>",
            "a@b.c>",
            "<a@b.c",
            "a@b.c\0",
            "a..b@c.d",
            "a＠b.c",
            "a@b.c,d@e.f",
        ] {
            assert!(Path::parse(text).is_err(), "{text:?}");
        }
        assert!(Path::parse(&format!("{}@x.example", "a".repeat(65))).is_err());
    }

    #[test]
    fn a_mailbox_may_have_a_name() {
        let mailbox = Mailbox::parse("张三 <z@x.example>").unwrap();
        assert_eq!((mailbox.name.as_deref(), mailbox.path.wire.as_str()), (Some("张三"), "z@x.example"));
        assert_eq!(Mailbox::parse(r#""Doe, \"J\"" <j@x.example>"#).unwrap().name.as_deref(), Some(r#"Doe, "J""#));
        assert_eq!(Mailbox::parse("A\r\nBcc: x <j@x.example>").unwrap().name.as_deref(), Some("A Bcc: x"));
        assert!(Mailbox::parse("Name <j@x.example").is_err());
    }
}
