//! Bodies in chunks (RFC 9112 7.1), read on from where the last look stopped.

/// The body of a request, chunked or not (413 above).
pub(super) const MAX_BODY: usize = 64 << 20;
/// A size with its extensions, or a trailer.
const MAX_LINE: usize = 64 << 10;

/// Whether a chunked body is refused for its size or for its form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooBig {
    Yes,
    No,
}

/// Reads `Transfer-Encoding: chunked` (RFC 9112 7.1), going on where it stopped.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    /// Read so far, counted from the end of the head.
    at: usize,
    pub(super) body: Vec<u8>,
    /// The last chunk was seen: trailers follow.
    trailers: bool,
}

impl Chunked {
    /// How many bytes of `rest` the body and its coding take, once all of it is there.
    pub(super) fn read(&mut self, rest: &[u8]) -> Result<Option<usize>, TooBig> {
        loop {
            let open = rest.get(self.at..).unwrap_or_default();
            let Some(lf) = memchr::memchr(b'\n', open) else {
                // A size, an extension or a trailer, and no end to it.
                return if open.len() > MAX_LINE { Err(TooBig::No) } else { Ok(None) };
            };
            let Some(line) = open[..=lf].strip_suffix(b"\r\n") else { return Err(TooBig::No) };
            if self.trailers {
                self.at += lf + 1;
                if line.is_empty() {
                    return Ok(Some(self.at));
                }
                continue;
            }
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(TooBig::No);
            }
            let size =
                std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or(TooBig::No)?;
            if self.body.len() + size > MAX_BODY {
                return Err(TooBig::Yes);
            }
            if size == 0 {
                self.trailers = true;
                self.at += lf + 1;
                continue;
            }
            let data = &open[lf + 1..];
            if data.len() < size + 2 {
                return Ok(None);
            }
            if &data[size..size + 2] != b"\r\n" {
                return Err(TooBig::No);
            }
            self.body.extend_from_slice(&data[..size]);
            self.at += lf + 1 + size + 2;
        }
    }
}
