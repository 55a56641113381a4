//! Bodies as 7-bit lines: text as it is, quoted-printable or base64, whichever is shorter (RFC 2045 §6).
//!
//! Nothing here depends on 8BITMIME: a body is built before its connection is known, and a relay that must convert 8-bit text breaks
//! the signature. Invariant: what is written has CRLF only, no lone CR or LF, and lines of at most 998 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Transfer encodings that are written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    SevenBit,
    QuotedPrintable,
    Base64,
}

impl Encoding {
    /// As `Content-Transfer-Encoding` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::SevenBit => "7bit",
            Encoding::QuotedPrintable => "quoted-printable",
            Encoding::Base64 => "base64",
        }
    }
}

/// Chooses the encoding of a text. `boundary` must not stand in a part that goes as it is.
pub(super) fn choose(text: &str, boundary: &str) -> Encoding {
    let (mut column, mut longest, mut special, mut controls) = (0usize, 0usize, 0usize, false);
    for &byte in text.as_bytes() {
        match byte {
            b'\n' | b'\r' => {
                longest = longest.max(column);
                column = 0;
                continue;
            }
            b'\t' | 0x20..=0x7e => special += usize::from(byte == b'='),
            0..=0x1f | 0x7f => {
                controls = true;
                special += 1;
            }
            _ => special += 1,
        }
        column += 1;
    }
    longest = longest.max(column);
    let plain = text.is_ascii() && !controls && longest <= 998;
    if plain && (boundary.is_empty() || memchr::memmem::find(text.as_bytes(), boundary.as_bytes()).is_none()) {
        Encoding::SevenBit
    } else if special.saturating_mul(6) <= text.len() {
        Encoding::QuotedPrintable
    } else {
        Encoding::Base64
    }
}

/// Appends the text in that encoding; ends with CRLF.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str, encoding: Encoding) {
    match encoding {
        Encoding::SevenBit => {
            normalised(text.as_bytes(), out);
            if !text.is_empty() && !text.ends_with(['\n', '\r']) {
                out.extend_from_slice(b"\r\n");
            }
        }
        Encoding::QuotedPrintable => quoted_printable(out, text.as_bytes()),
        Encoding::Base64 => {
            let mut lines = Vec::with_capacity(text.len() + 64);
            normalised(text.as_bytes(), &mut lines);
            base64_lines(out, &lines);
        }
    }
}

/// Appends base64 in lines of 76 (RFC 2045 §6.8), each with CRLF.
pub(super) fn base64_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() / 57 * 78 + 80);
    let mut line = [0u8; 76];
    for chunk in bytes.chunks(57) {
        // 57 bytes are 76 letters exactly: the slice always has the room.
        if let Ok(len) = BASE64.encode_slice(chunk, &mut line) {
            out.extend_from_slice(&line[..len]);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Every CRLF, lone CR and lone LF as CRLF.
fn normalised(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 64);
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        let end = if rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n') { at + 2 } else { at + 1 };
        rest = &rest[end..];
    }
    out.extend_from_slice(rest);
}

fn quoted_printable(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(text.len() * 3 / 2 + 64);
    let mut column = 0;
    let mut i = 0;
    while i < text.len() {
        let byte = text[i];
        if matches!(byte, b'\r' | b'\n') {
            out.extend_from_slice(b"\r\n");
            column = 0;
            i += if byte == b'\r' && text.get(i + 1) == Some(&b'\n') { 2 } else { 1 };
            continue;
        }
        let ends_line = matches!(text.get(i + 1), None | Some(b'\r' | b'\n'));
        let plain = match byte {
            b' ' | b'\t' => !ends_line,
            // A dot or "From " at the beginning of a line is changed by some servers on the way.
            b'.' | b'F' => column > 0,
            b'=' => false,
            byte => byte.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            continue;
        }
        if plain {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        column += width;
        i += 1;
    }
    if column > 0 {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (Encoding, String) {
        let encoding = choose(text, "=_b");
        let mut out = Vec::new();
        write_text(&mut out, text, encoding);
        (encoding, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_encoding_fits_the_text() {
        assert_eq!(written("Hello\nworld"), (Encoding::SevenBit, "Hello\r\nworld\r\n".into()));
        assert_eq!(
            written("Caf\u{e9} is a place, and this goes on\n"),
            (Encoding::QuotedPrintable, "Caf=C3=A9 is a place, and this goes on\r\n".into())
        );
        assert_eq!(written("你好").0, Encoding::Base64);
        assert_eq!(written(&"x".repeat(999)).0, Encoding::QuotedPrintable);
        assert_eq!(written("--=_b in the text of a mail").0, Encoding::QuotedPrintable);
        assert_eq!(written("a\0b and more letters").0, Encoding::QuotedPrintable);
    }

    #[test]
    fn no_lone_cr_or_lf_leaves() {
        assert_eq!(written("a\n.\n\r.\rb\n.\r\nc").1, "a\r\n.\r\n\r\n.\r\nb\r\n.\r\nc\r\n");
        assert_eq!(
            written("caf\u{e9} au lait, longer than that\r.\r\n.b \n").1,
            "caf=C3=A9 au lait, longer than that\r\n=2E\r\n=2Eb=20\r\n"
        );
    }

    fn decode_quoted(text: &str) -> Vec<u8> {
        let joined = text.replace("=\r\n", "");
        let bytes = joined.as_bytes();
        let mut out = Vec::new();
        let mut i = 0;
        while i < bytes.len() {
            if bytes[i] == b'=' {
                out.push(u8::from_str_radix(&joined[i + 1..i + 3], 16).unwrap());
                i += 3;
            } else {
                out.push(bytes[i]);
                i += 1;
            }
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_back(text in "(\\PC|[\\r\\n\\t\\x00 .=]|F){0,400}") {
            let (encoding, written) = written(&text);
            proptest::prop_assert!(written.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
            proptest::prop_assert!(written.is_ascii());
            let mut expected = Vec::new();
            normalised(text.as_bytes(), &mut expected);
            let got = match encoding {
                Encoding::SevenBit => written.into_bytes(),
                Encoding::QuotedPrintable => decode_quoted(&written),
                Encoding::Base64 => BASE64.decode(written.replace("\r\n", "")).unwrap(),
            };
            let got = got.strip_suffix(b"\r\n").filter(|_| !expected.ends_with(b"\r\n") || got.len() > expected.len()).unwrap_or(&got);
            proptest::prop_assert_eq!(got, &expected[..]);
        }
    }
}
