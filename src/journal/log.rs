//! Whether the write-ahead log is damaged in its middle, which SQLite itself takes for the end of the log.
//!
//! A power cut leaves at most the last transaction torn: what follows the first bad frame is then the rest of one transaction.
//! Where a whole transaction follows, something durable was damaged, and opening the database would drop it in silence.
//! Form of the log: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>, section 4.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The log's own checksum, carried on from frame to frame.
#[derive(Clone, Copy, PartialEq)]
struct Chain {
    sums: (u32, u32),
    big_endian: bool,
}

impl Chain {
    fn add(&mut self, bytes: &[u8]) {
        for eight in bytes.chunks_exact(8) {
            let mut halves = [0u32; 2];
            for (half, four) in halves.iter_mut().zip(eight.chunks_exact(4)) {
                let four: [u8; 4] = four.try_into().unwrap_or_default();
                *half = if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
            }
            self.sums.0 = self.sums.0.wrapping_add(halves[0]).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(halves[1]).wrapping_add(self.sums.0);
        }
    }
}

/// The number of the first bad frame (from 1) that whole transactions follow; `None` where the log is whole or torn at its end.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn damaged_frame(log: &Path) -> io::Result<Option<u64>> {
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut log = BufReader::with_capacity(256 * 1024, file);
    let mut header = [0u8; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let magic = word(&header, 0);
    let page = match word(&header, 8) {
        1 => 65536,
        size => size as usize,
    };
    if magic & !1 != 0x377f_0682 || !page.is_power_of_two() || !(512..=65536).contains(&page) {
        // Nothing was ever committed after a header that is not one: it is synced before its first frame.
        return Ok(None);
    }
    let mut chain = Chain { sums: (0, 0), big_endian: magic & 1 == 1 };
    chain.add(&header[..24]);
    let mut bad = (chain.sums != (word(&header, 24), word(&header, 28))).then_some(0u64);
    let salts = (word(&header, 16), word(&header, 20));
    let mut committed_after_bad = false;
    let mut frame = vec![0u8; FRAME_HEADER + page];
    let mut number = 0u64;
    while fill(&mut log, &mut frame)? {
        number += 1;
        let of_this_log = (word(&frame, 8), word(&frame, 12)) == salts;
        if bad.is_none() {
            chain.add(&frame[..8]);
            chain.add(&frame[FRAME_HEADER..]);
            if of_this_log && chain.sums == (word(&frame, 16), word(&frame, 20)) {
                continue;
            }
            bad = Some(number);
        }
        // Frames with other salts are left over from before the log was begun again.
        if of_this_log {
            if committed_after_bad {
                return Ok(bad);
            }
            committed_after_bad = word(&frame, 4) != 0;
        }
    }
    Ok(None)
}

/// Whether the buffer could be filled whole; a frame that is cut short is no frame.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
