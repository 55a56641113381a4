//! Finds the end of a message's content, and what is wrong with its lines; only `<CRLF>.<CRLF>` ends it (RFC 5321 4.1.1.4).

use memchr::{memchr, memchr_iter};

/// A search that goes on where it stopped when more bytes have come. All offsets count from the start of the content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where the line being read starts.
    line: usize,
    /// Where to look for the next LF; past `line` once a part of the line was seen.
    seen: usize,
    crlf: usize,
    pub(crate) bare_lf: usize,
    pub(crate) bare_cr: usize,
    /// Dots that are not content.
    pub(crate) stuffed: usize,
    pub(crate) long_lines: usize,
}

impl Scan {
    /// Looks on; the length of the content before the final dot, once that is there.
    pub(crate) fn dot(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            if self.seen == self.line {
                // At a line's start: is it the end, or could it still become the end?
                match bytes.get(self.line..) {
                    None | Some([] | [b'.'] | [b'.', b'\r']) => return None,
                    Some([b'.', b'\r', b'\n', ..]) => {
                        self.bare_cr = memchr_iter(b'\r', &bytes[..self.line]).count().saturating_sub(self.crlf);
                        return Some(self.line);
                    }
                    Some([b'.', ..]) => self.stuffed += 1,
                    Some(_) => {}
                }
            }
            if !self.next_line(bytes) {
                return None;
            }
        }
    }

    /// Lets go of what was looked at: how many bytes the caller may drop. What is left is looked at as before.
    pub(crate) fn forget(&mut self) -> usize {
        // One byte is kept in the middle of a line, because it may be the CR of the CRLF that ends it.
        let used = if self.seen == self.line { self.line } else { self.seen.saturating_sub(1).max(self.line) };
        self.seen -= used;
        self.line = 0;
        used
    }

    /// Looks at content whose length is known (BDAT): nothing in it ends it.
    pub(crate) fn whole(bytes: &[u8]) -> Scan {
        let mut scan = Scan::default();
        while scan.next_line(bytes) {}
        scan.bare_cr = memchr_iter(b'\r', bytes).count() - scan.crlf;
        scan
    }

    /// Goes behind the next CRLF, if there is one.
    fn next_line(&mut self, bytes: &[u8]) -> bool {
        while let Some(lf) = memchr(b'\n', bytes.get(self.seen..).unwrap_or_default()).map(|at| at + self.seen) {
            self.seen = lf + 1;
            if lf > self.line && bytes[lf - 1] == b'\r' {
                self.long_lines += usize::from(lf - 1 - self.line > 998);
                self.crlf += 1;
                self.line = self.seen;
                return true;
            }
            self.bare_lf += 1;
        }
        // A line's start must be looked at again as such, so it is only passed when something of the line is there.
        self.seen = self.seen.max(bytes.len());
        false
    }
}

/// The content with the dots taken off that were put in front of lines for the way (RFC 5321 4.5.2).
pub(crate) fn unstuffed(content: &[u8], stuffed: usize) -> Vec<u8> {
    let mut plain = Vec::with_capacity(content.len().saturating_sub(stuffed));
    let mut rest = content;
    while !rest.is_empty() {
        rest = rest.strip_prefix(b".").unwrap_or(rest);
        let mut end = 0;
        // To the next CRLF; a bare LF does not start a line.
        loop {
            match memchr(b'\n', &rest[end..]) {
                Some(at) => {
                    end += at + 1;
                    if end >= 2 && rest[end - 2] == b'\r' {
                        break;
                    }
                }
                None => {
                    end = rest.len();
                    break;
                }
            }
        }
        plain.extend_from_slice(&rest[..end]);
        rest = &rest[end..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end as found in one look, and byte by byte: they must agree.
    fn end(bytes: &[u8]) -> Option<(usize, Scan)> {
        let mut once = Scan::default();
        let found = once.dot(bytes).map(|end| (end, once));
        let mut slow = Scan::default();
        let mut slowly = None;
        for upto in 0..=bytes.len() {
            if let Some(end) = slow.dot(&bytes[..upto]) {
                slowly = Some((end, slow));
                break;
            }
        }
        assert_eq!(found.map(|(end, _)| end), slowly.map(|(end, _)| end), "{:?}", String::from_utf8_lossy(bytes));
        if let (Some((_, a)), Some((_, b))) = (found, slowly) {
            assert_eq!((a.bare_lf, a.bare_cr, a.stuffed, a.crlf), (b.bare_lf, b.bare_cr, b.stuffed, b.crlf));
        }
        found
    }

    #[test]
    fn only_crlf_dot_crlf_ends() {
        for (bytes, at) in [
            (&b"a\r\n.\r\n"[..], Some(3)),
            (b".\r\n", Some(0)),
            (b"a\n.\r\n", None),
            (b"a\n.\n", None),
            (b"a\r\n.\n", None),
            (b"a\r.\r\n", None),
            (b"a\r\n.\r", None),
            (b"a\r\n..\r\n.\r\nMAIL", Some(7)),
            (b"a\r\n.x\r\n.\r\n", Some(7)),
            (b"\n.\r\n\r\n.\r\n", Some(6)),
        ] {
            assert_eq!(end(bytes).map(|(end, _)| end), at, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_wrong_is_counted() {
        let (_, scan) = end(b"a\nb\r\nc\rd\r\r\n..x\r\n.\r\n").expect("ends");
        assert_eq!((scan.bare_lf, scan.bare_cr, scan.stuffed), (1, 2, 1));
        let long = [vec![b'x'; 999], b"\r\n".to_vec(), vec![b'x'; 998], b"\r\n.\r\n".to_vec()].concat();
        assert_eq!(end(&long).expect("ends").1.long_lines, 1);
        let chunk = Scan::whole(b"\r\n.\r\nx\ny\r");
        assert_eq!((chunk.bare_lf, chunk.bare_cr, chunk.crlf), (1, 1, 2));
    }

    #[test]
    fn unstuffing_undoes_stuffing() {
        assert_eq!(unstuffed(b"..a\r\n.\r\nb\n.c\r\n...\r\n", 3), b".a\r\n\r\nb\n.c\r\n..\r\n");
        assert_eq!(unstuffed(b"", 0), b"");
    }

    proptest::proptest! {
        #[test]
        fn slow_and_fast_agree(bytes in "[\r\n.a]{0,40}") {
            end(bytes.as_bytes());
        }

        #[test]
        fn stuffed_and_unstuffed_is_the_same(lines in proptest::collection::vec("[.a\r]{0,5}b", 0..8)) {
            let plain: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let mut sent: Vec<u8> = Vec::new();
            for line in &lines {
                if line.starts_with('.') { sent.push(b'.'); }
                sent.extend_from_slice(line.as_bytes());
                sent.extend_from_slice(b"\r\n");
            }
            let stuffed = sent.len() - plain.len();
            let (at, scan) = end(&[&sent[..], b".\r\n"].concat()).expect("ends");
            proptest::prop_assert_eq!(at, sent.len());
            proptest::prop_assert_eq!(scan.stuffed, stuffed);
            proptest::prop_assert_eq!(unstuffed(&sent, stuffed), plain);
        }
    }
}
