//! Header fields: cleaned, folded, and in encoded words where they are not plain (RFC 5322 §2.2, RFC 2047).
//!
//! Written here and not by lettre's encoder, which panics on control characters, lets a text that looks like an encoded word through
//! and does not break a word of more than 998 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::address::Mailbox;
use super::clean::clean;

/// Lines are folded at this many characters where they can be.
const WISHED: usize = 78;
/// A word longer than this cannot stay plain, since a line must not pass 998 bytes.
const LONGEST_WORD: usize = 900;

/// Whether the name may stand before a colon (RFC 5322 §3.6.8), in a length that leaves room for the value.
pub(super) fn is_name(name: &str) -> bool {
    (1..=76).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
}

/// Appends `Name: value` where the value is free text: a subject, an own field.
pub(super) fn unstructured(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = clean(value);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if is_plain(&value) {
        let mut column = name.len() + 2;
        for (i, word) in value.split(' ').enumerate() {
            if i > 0 {
                // A fold stands only before a word that is not empty: no line may be of white space alone.
                if column + 1 + word.len() > WISHED && !word.is_empty() {
                    out.extend_from_slice(b"\r\n ");
                    column = 1;
                } else {
                    out.push(b' ');
                    column += 1;
                }
            }
            out.extend_from_slice(word.as_bytes());
            column += word.len();
        }
    } else {
        encoded_words(out, name.len() + 2, &value);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends `Name: mailbox, mailbox`.
pub(super) fn mailboxes<'a>(out: &mut Vec<u8>, name: &str, list: impl IntoIterator<Item = &'a Mailbox>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let mut column = name.len() + 2;
    for (i, mailbox) in list.into_iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(b",\r\n ");
            column = 1;
        }
        let Some(display) = &mailbox.name else {
            out.extend_from_slice(mailbox.path.wire.as_bytes());
            continue;
        };
        column = phrase(out, column, display);
        let fold = column + mailbox.path.wire.len() + 3 > WISHED;
        out.extend_from_slice(if fold { b"\r\n <" } else { b" <" });
        out.extend_from_slice(mailbox.path.wire.as_bytes());
        out.push(b'>');
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a display name: atoms, else a quoted string, else encoded words. Returns the column after it.
fn phrase(out: &mut Vec<u8>, column: usize, name: &str) -> usize {
    let name = clean(name);
    let short = is_plain(&name) && name.len() <= 200;
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&b);
    if short && name.bytes().all(atom) && !name.contains("  ") {
        out.extend_from_slice(name.as_bytes());
        column + name.len()
    } else if short {
        let before = out.len();
        out.push(b'"');
        for byte in name.bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        column + out.len() - before
    } else {
        encoded_words(out, column, &name)
    }
}

/// ASCII without controls, nothing that looks like an encoded word, no word too long for a line.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b))
        && !text.contains("=?")
        && text.split(' ').all(|word| word.len() <= LONGEST_WORD)
}

/// Appends encoded words: at most 75 characters each, lines of at most 76, never half a character. Returns the column after them.
fn encoded_words(out: &mut Vec<u8>, mut column: usize, text: &str) -> usize {
    const FRAME: usize = "=?utf-8?B??=".len();
    let mut rest = text;
    let mut word = String::with_capacity(76);
    while !rest.is_empty() {
        let room = 76usize.saturating_sub(column).min(75).saturating_sub(FRAME) / 4 * 3;
        let mut cut = room.min(rest.len());
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        if cut == 0 {
            out.extend_from_slice(b"\r\n ");
            column = 1;
            continue;
        }
        word.clear();
        BASE64.encode_string(&rest[..cut], &mut word);
        out.extend_from_slice(b"=?utf-8?B?");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"?=");
        column += word.len() + FRAME;
        rest = &rest[cut..];
        if !rest.is_empty() {
            out.extend_from_slice(b"\r\n ");
            column = 1;
        }
    }
    column
}

/// A value of a MIME parameter in the form that old readers know: plain in quotes, else encoded words in quotes (RFC 2047, though it
/// forbids it there; RFC 2231 stands beside it in the disposition).
pub(super) fn parameter(out: &mut Vec<u8>, name: &str, value: &str) {
    let value = clean(value);
    out.extend_from_slice(b";\r\n ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    if is_plain(&value) && value.len() <= 200 {
        for byte in value.bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
    } else {
        encoded_words(out, name.len() + 3, &value);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value: &str) -> String {
        let mut out = Vec::new();
        unstructured(&mut out, "Subject", value);
        String::from_utf8(out).unwrap()
    }

    fn decoded(field: &str) -> String {
        let value = field.trim_end().split_once(": ").unwrap().1;
        let mut text = Vec::new();
        for word in value.split("\r\n ") {
            assert!(word.len() <= 75, "{word}");
            let part = BASE64.decode(word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap()).unwrap();
            // Each word is whole by itself.
            text.extend(std::str::from_utf8(&part).unwrap().bytes());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn plain_text_stays_and_folds() {
        assert_eq!(field("Hello, Zhang"), "Subject: Hello, Zhang\r\n");
        let long = "word ".repeat(40);
        let folded = field(&long);
        assert!(folded.lines().all(|line| line.len() <= 78));
        assert_eq!(folded.replace("\r\n ", " "), format!("Subject: {}\r\n", long.trim()));
    }

    #[test]
    fn other_text_becomes_whole_encoded_words() {
        for text in ["你好，世界", "=?utf-8?B?QUJD?=", &"长标题🎉".repeat(60), &"x".repeat(2000)] {
            let field = field(text);
            assert_eq!(decoded(&field), text);
            assert!(field.split("\r\n").all(|line| line.len() <= 76), "{field}");
        }
    }

    #[test]
    fn controls_cannot_begin_a_field() {
        assert_eq!(field("a\r\nBcc: x@y.z\0\u{85}b"), "Subject: a Bcc: x@y.z b\r\n");
        assert_eq!(field("\r\n\r\nbody"), "Subject: body\r\n");
    }

    #[test]
    fn names_are_quoted_or_encoded() {
        let shown = |text: &str| {
            let mut out = Vec::new();
            mailboxes(&mut out, "To", [&Mailbox::parse(text).unwrap()]);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown("a@b.example"), "To: a@b.example\r\n");
        assert_eq!(shown("John Smith <a@b.example>"), "To: John Smith <a@b.example>\r\n");
        assert_eq!(shown("\"Doe, J\" <a@b.example>"), "To: \"Doe, J\" <a@b.example>\r\n");
        assert_eq!(shown("张三 <a@b.example>"), "To: =?utf-8?B?5byg5LiJ?= <a@b.example>\r\n");
        assert_eq!(shown("=?x?Q?y?= <a@b.example>"), "To: =?utf-8?B?PT94P1E/eT89?= <a@b.example>\r\n");
    }

    proptest::proptest! {
        #[test]
        fn a_field_is_one_field_whatever_the_value(value in "(\\PC|[\\r\\n\\x00\\t ]){0,300}") {
            let field = field(&value);
            let inner = field.strip_suffix("\r\n").unwrap();
            for line in inner.split("\r\n").skip(1) {
                proptest::prop_assert!(line.starts_with(' ') && !line.trim().is_empty());
            }
            proptest::prop_assert!(inner.replace("\r\n", "").bytes().all(|b| (0x20..0x7f).contains(&b)));
            proptest::prop_assert!(inner.split("\r\n").all(|line| line.len() <= 998));
        }
    }
}
