//! Bytes to text, strictly: what a mark or the user names is decoded without repair; what nobody names is shown, not assumed.
//!
//! Invariant: text that leaves this file is valid UTF-8, and not one character of it was put in place of another.

use std::fmt;
use std::io::{self, BufRead, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::problem::{Problem, did_you_mean};
use crate::source::fault::Reading;
use crate::source::intake::Unpacked;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// How many bytes decide whether a file without a mark is UTF-16.
const HEAD: usize = 4096;

/// Bytes that are not in the encoding they are read in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line they stand on, from 1.
    pub line: u64,
    /// Name of that encoding.
    pub encoding: &'static str,
    /// It was assumed, not named: a guess may help.
    pub assumed: bool,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not {}", self.line, self.encoding)
    }
}

impl std::error::Error for Malformed {}

/// The text of an input, decoded as it is read.
pub(crate) struct Text {
    reader: Unpacked,
    decoder: Decoder,
    /// How it is read, as notices call it.
    pub encoding: &'static Encoding,
    assumed: bool,
    raw: Vec<u8>,
    /// Decoded, not yet consumed: `text[at..]`.
    text: Vec<u8>,
    at: usize,
    lines: u64,
    end: bool,
    /// Told only after the text before it was consumed.
    fault: Option<Malformed>,
}

impl Text {
    /// Text of `reader`, in the named encoding, else in that of its mark, else in UTF-8.
    ///
    /// # Errors
    /// The reader's own.
    pub fn open(mut reader: Unpacked, named: Option<&'static Encoding>) -> io::Result<Result<Text, Problem>> {
        let mut raw = Vec::with_capacity(CHUNK);
        while raw.len() < 4 && fill(&mut reader, &mut raw)? > 0 {}
        let marked = Encoding::for_bom(&raw).map(|(encoding, _)| encoding);
        if let (Some(named), Some(marked)) = (named, marked) {
            let same = named == marked;
            if !same {
                return Ok(Err(Problem {
                    what: format!("the input begins with the mark of {}, not of {}", marked.name(), named.name()),
                    help: Some("leave --encoding away".into()),
                    ..Problem::default()
                }));
            }
        }
        let assumed = named.is_none() && marked.is_none();
        if assumed && let Some(wide) = without_mark(&raw) {
            return Ok(Err(Problem {
                what: format!("this looks like {} without the mark at its start", wide.name()),
                help: Some(format!("add --encoding {}", wide.name().to_lowercase())),
                ..Problem::default()
            }));
        }
        let encoding = named.or(marked).unwrap_or(UTF_8);
        let mut text = Text {
            reader,
            decoder: encoding.new_decoder_with_bom_removal(),
            encoding,
            assumed,
            raw: Vec::new(),
            text: Vec::with_capacity(2 * CHUNK),
            at: 0,
            lines: 0,
            end: false,
            fault: None,
        };
        text.decode(&raw, false);
        text.raw = raw;
        Ok(Ok(text))
    }

    fn decode(&mut self, mut bytes: &[u8], last: bool) {
        let before = self.text.len();
        loop {
            let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(4 * bytes.len() + 16);
            let from = self.text.len();
            self.text.resize(from + room, 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.text[from..], last);
            self.text.truncate(from + written);
            bytes = &bytes[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let line = self.lines + newlines(&self.text[before..]) + 1;
                    self.fault = Some(Malformed { line, encoding: self.encoding.name(), assumed: self.assumed });
                    break;
                }
            }
        }
        self.lines += newlines(&self.text[before..]);
        // windows-1252 gives these five bytes to control characters that no text has.
        if self.fault.is_none() && self.encoding == WINDOWS_1252 && memchr::memmem::find(&self.text[before..], b"\xc2").is_some()
        {
            let odd =
                self.text[before..].windows(2).any(|pair| pair[0] == 0xc2 && matches!(pair[1], 0x81 | 0x8d | 0x8f | 0x90 | 0x9d));
            if odd {
                self.fault = Some(Malformed { line: self.lines + 1, encoding: self.encoding.name(), assumed: false });
            }
        }
    }

    /// Decodes one more piece; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        if let Some(fault) = &self.fault {
            return Err(io::Error::other(fault.clone()));
        }
        if self.end {
            return Ok(false);
        }
        if self.at > 0 {
            self.text.drain(..self.at);
            self.at = 0;
        }
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        let count = fill(&mut self.reader, &mut raw)?;
        self.end = count == 0;
        self.decode(&raw, self.end);
        self.raw = raw;
        Ok(true)
    }

    /// The text ahead: at least `want` bytes or, where `line` is set, one whole line; less only at the end.
    ///
    /// # Errors
    /// The reader's own, and `Malformed`.
    pub fn peek(&mut self, want: usize, line: bool) -> io::Result<&[u8]> {
        while self.text.len() - self.at < want && !(line && self.text[self.at..].contains(&b'\n')) {
            // What is malformed further on is told when it is reached.
            if self.fault.is_some() && self.text.len() > self.at {
                break;
            }
            if !self.more()? {
                break;
            }
        }
        Ok(&self.text[self.at..])
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = self.fill_buf()?;
        let count = ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ahead[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.text.len() && self.more()? {}
        Ok(&self.text[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.text.len());
    }
}

/// One read that is not interrupted.
fn fill(reader: &mut Unpacked, raw: &mut Vec<u8>) -> io::Result<usize> {
    let from = raw.len();
    raw.resize(from + CHUNK, 0);
    loop {
        match reader.read(&mut raw[from..]) {
            Ok(count) => {
                raw.truncate(from + count);
                return Ok(count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn newlines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// UTF-16 without a mark, told by where its zeros stand: ASCII is most of any list's header.
fn without_mark(raw: &[u8]) -> Option<&'static Encoding> {
    let head = &raw[..raw.len().min(HEAD) & !1];
    let pairs = head.len() / 2;
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if pairs < 2 || (even + odd) * 5 < pairs {
        return None;
    }
    match () {
        () if odd > 8 * even => Some(UTF_16LE),
        () if even > 8 * odd => Some(UTF_16BE),
        () => None,
    }
}

/// The encoding of that label.
///
/// # Errors
/// An unknown label, with the nearest known one.
pub(crate) fn named(label: &str) -> Result<&'static Encoding, Problem> {
    const KNOWN: [&str; 14] = [
        "utf-8",
        "utf-16le",
        "utf-16be",
        "gb18030",
        "gbk",
        "gb2312",
        "big5",
        "shift_jis",
        "euc-jp",
        "euc-kr",
        "windows-1252",
        "iso-8859-1",
        "iso-8859-15",
        "windows-1251",
    ];
    // The `replacement` encoding decodes to nothing: it stands for encodings that are not to be used.
    Encoding::for_label(label.trim().as_bytes()).filter(|encoding| *encoding != encoding_rs::REPLACEMENT).ok_or_else(|| Problem {
        what: format!("--encoding {label}: no such encoding"),
        help: Some(match did_you_mean(label, KNOWN) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are, among others: {}", KNOWN.join(", ")),
        }),
        ..Problem::default()
    })
}

/// The country that a locale or `--region` speaks of, as the detector wants it: `zh_CN.UTF-8` gives `cn`.
fn country(region: &str) -> Option<String> {
    let region = region.split(['.', '@']).next().unwrap_or_default();
    let country = region.rsplit(['_', '-']).next().unwrap_or_default().to_ascii_lowercase();
    let country = match country.as_str() {
        "zh" => "cn",
        "ja" => "jp",
        "ko" => "kr",
        other => other,
    };
    (country.len() == 2 && country.bytes().all(|b| b.is_ascii_lowercase())).then(|| country.to_owned())
}

/// Ways to read all the bytes of `reader`, the likeliest first, each with values as it shows them.
///
/// # Errors
/// The reader's own.
pub(crate) fn guess(mut reader: Unpacked, region: Option<&str>) -> io::Result<Vec<Reading>> {
    // Bounds: lines kept, and bytes of each.
    const LINES: usize = 64;
    const WIDTH: usize = 2048;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut line = Vec::new();
    let mut raw = Vec::new();
    loop {
        raw.clear();
        if fill(&mut reader, &mut raw)? == 0 {
            break;
        }
        detector.feed(&raw, false);
        if kept.len() < LINES {
            for byte in &raw {
                if *byte == b'\n' {
                    if !line.is_ascii() && kept.len() < LINES {
                        kept.push(std::mem::take(&mut line));
                    }
                    line.clear();
                } else if line.len() < WIDTH {
                    line.push(*byte);
                }
            }
        }
    }
    if !line.is_ascii() && kept.len() < LINES {
        kept.push(line);
    }
    detector.feed(&[], true);
    let country = region.and_then(country);
    let first = detector.guess(country.as_deref().map(str::as_bytes), Utf8Detection::Deny);
    let mut readings: Vec<Reading> = Vec::new();
    for encoding in [first, GB18030, WINDOWS_1252] {
        // GB18030 reads all that GBK does and is the name people know from the standard.
        let encoding = if encoding == GBK { GB18030 } else { encoding };
        let label = encoding.name().to_lowercase();
        let mut samples: Vec<String> = Vec::new();
        for line in &kept {
            let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(line) else {
                if line.len() < WIDTH {
                    samples.clear();
                    break;
                }
                continue;
            };
            let value = text.split([',', ';', '\t', '|', '"']).find(|cell| !cell.is_ascii()).unwrap_or_default().trim();
            let value: String = value.chars().filter(|c| !c.is_control()).take(24).collect();
            if !value.is_empty() && samples.len() < 3 && !samples.contains(&value) {
                samples.push(value);
            }
        }
        let shown = readings.iter().any(|other| other.label == label || other.samples == samples);
        if !samples.is_empty() && !shown {
            readings.push(Reading { label, samples });
        }
    }
    if readings.is_empty() {
        readings.push(Reading { label: first.name().to_lowercase(), samples: Vec::new() });
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], named: Option<&'static Encoding>) -> Result<String, String> {
        let opened = Text::open(Box::new(io::Cursor::new(bytes.to_vec())), named).unwrap();
        let mut text = opened.map_err(|problem| problem.to_string())?;
        let mut out = String::new();
        text.read_to_string(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    #[test]
    fn marks_are_obeyed_and_taken_off() {
        assert_eq!(text(b"\xef\xbb\xbfa,b\n", None).unwrap(), "a,b\n");
        assert_eq!(text(b"\xff\xfea\0\x60\x4f", None).unwrap(), "a你");
        assert_eq!(text(b"\xfe\xff\0a\x4f\x60", None).unwrap(), "a你");
        assert!(text(b"\xef\xbb\xbfa", Some(GBK)).unwrap_err().contains("mark of UTF-8"));
    }

    #[test]
    fn wrong_bytes_are_told_with_their_line() {
        assert_eq!(text(b"a\nb\n\xc4\xe3\n", None).unwrap_err(), "line 3 is not UTF-8");
        assert_eq!(text(b"a\n\xff\xff\n", Some(GB18030)).unwrap_err(), "line 2 is not gb18030");
        assert_eq!(text(b"ab\xe4", None).unwrap_err(), "line 1 is not UTF-8");
        assert!(text(b"a\x81", Some(WINDOWS_1252)).is_err());
        assert_eq!(text(b"Ren\xe9e", Some(WINDOWS_1252)).unwrap(), "Renée");
    }

    #[test]
    fn a_character_across_two_pieces_stays_whole() {
        let mut bytes = vec![b'a'; CHUNK - 1];
        bytes.extend("你好".as_bytes());
        assert_eq!(text(&bytes, None).unwrap().as_bytes(), bytes);
    }

    #[test]
    fn utf16_without_a_mark_is_refused_by_name() {
        assert!(text(b"e\0m\0a\0i\0l\0\n\0", None).unwrap_err().contains("--encoding utf-16le"));
        assert!(text(b"\0e\0m\0a\0i\0l\0\n", None).unwrap_err().contains("--encoding utf-16be"));
    }

    #[test]
    fn a_guess_shows_what_it_would_read() {
        let (bytes, _, _) = GB18030.encode("name,phone\n李雷,1\n韩梅梅,2\n");
        let readings = guess(Box::new(io::Cursor::new(bytes.to_vec())), Some("zh_CN.UTF-8")).unwrap();
        assert_eq!(readings[0], Reading { label: "gb18030".into(), samples: vec!["李雷".into(), "韩梅梅".into()] });
        // Without a hint the right reading is at least among those shown.
        let readings = guess(Box::new(io::Cursor::new(bytes.to_vec())), None).unwrap();
        assert!(readings.iter().any(|reading| reading.label == "gb18030"), "{readings:?}");
    }

    #[test]
    fn labels() {
        assert_eq!(named("gbk").unwrap(), GBK);
        assert_eq!(named("UTF-16LE").unwrap(), UTF_16LE);
        assert!(named("gb1830").unwrap_err().help.unwrap().contains("gb18030"));
        assert_eq!(country("zh_CN.UTF-8").as_deref(), Some("cn"));
        assert_eq!(country("C"), None);
    }
}
