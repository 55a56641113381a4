//! Which rows repeat an earlier one: fingerprints sorted on disk, so that a list of any length needs the memory of one chunk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::source::intake::private;
use crate::source::record::Claim;

/// Fingerprints held at once: 3 MiB.
pub(crate) const CHUNK: usize = 96 * 1024;

/// Bytes of a fingerprint on disk: print, row and two flags.
const SIZE: usize = 24;

/// Runs merged at once. More are merged into longer ones first.
const WAYS: usize = 64;

/// Fingerprints read at a time from each run.
const BUFFER: usize = 512 * SIZE;

/// Sorts by print, then row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Print {
    print: u128,
    /// Row, shifted by two; below it `counts` and `skips`.
    tagged: u64,
}

impl Print {
    fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..16].copy_from_slice(&self.print.to_le_bytes());
        bytes[16..].copy_from_slice(&self.tagged.to_le_bytes());
        bytes
    }
}

/// What is found of a row that is not the first of its print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// The row.
    pub row: u64,
    /// The row that is sent in its place, where it is not to be sent.
    pub of: Option<u64>,
    /// Which occurrence of its identity it is, from 2, where the print is its identity.
    pub occurrence: Option<u32>,
}

/// Collects the claims of all rows, then tells the repeats.
pub(crate) struct Sorter {
    path: PathBuf,
    chunk: usize,
    held: Vec<Print>,
    file: Option<File>,
    /// Offset and length in bytes of each sorted run.
    runs: Vec<(u64, u64)>,
    end: u64,
}

impl Sorter {
    /// Sorts in `folder`, holding `chunk` fingerprints.
    pub fn new(folder: &Path, chunk: usize) -> Self {
        Sorter { path: folder.join("spool.sort"), chunk: chunk.max(2), held: Vec::new(), file: None, runs: Vec::new(), end: 0 }
    }

    /// Takes the claim of a row.
    ///
    /// # Errors
    /// The disk's.
    pub fn push(&mut self, claim: Claim, row: u64) -> io::Result<()> {
        let tagged = row << 2 | u64::from(claim.counts) << 1 | u64::from(claim.skips);
        self.held.push(Print { print: claim.print, tagged });
        if self.held.len() >= self.chunk { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.held.sort_unstable();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(private(&self.path)?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        let mut bytes = Vec::with_capacity(BUFFER);
        let from = self.end;
        for print in self.held.drain(..) {
            bytes.extend_from_slice(&print.to_bytes());
            if bytes.len() >= BUFFER {
                file.write_all(&bytes)?;
                self.end += bytes.len() as u64;
                bytes.clear();
            }
        }
        file.write_all(&bytes)?;
        self.end += bytes.len() as u64;
        self.runs.push((from, self.end - from));
        Ok(())
    }

    /// Tells every repeat, in no order that matters; a row may be told twice, once for each of its claims.
    ///
    /// # Errors
    /// The disk's, and those of `tell`.
    pub fn finish(mut self, mut tell: impl FnMut(Repeat) -> io::Result<()>) -> io::Result<()> {
        let mut group = Group::default();
        if self.file.is_none() {
            self.held.sort_unstable();
            for print in std::mem::take(&mut self.held) {
                group.next(print, &mut tell)?;
            }
            return Ok(());
        }
        self.spill()?;
        self.held = Vec::new();
        let Some(mut file) = self.file.take() else { return Ok(()) };
        while self.runs.len() > WAYS {
            let some: Vec<(u64, u64)> = self.runs.drain(..WAYS).collect();
            let (from, mut bytes) = (self.end, Vec::with_capacity(BUFFER));
            let mut end = self.end;
            merge(&mut file, &some, |file, print| {
                bytes.extend_from_slice(&print.to_bytes());
                if bytes.len() >= BUFFER {
                    file.seek(SeekFrom::Start(end))?;
                    file.write_all(&bytes)?;
                    end += bytes.len() as u64;
                    bytes.clear();
                }
                Ok(())
            })?;
            file.seek(SeekFrom::Start(end))?;
            file.write_all(&bytes)?;
            self.end = end + bytes.len() as u64;
            self.runs.push((from, self.end - from));
        }
        let runs = std::mem::take(&mut self.runs);
        merge(&mut file, &runs, |_, print| group.next(print, &mut tell))?;
        drop(file);
        std::fs::remove_file(&self.path)
    }
}

/// Rows with one print, in their order.
#[derive(Debug, Default)]
struct Group {
    print: Option<u128>,
    first: u64,
    count: u32,
}

impl Group {
    fn next(&mut self, print: Print, tell: &mut impl FnMut(Repeat) -> io::Result<()>) -> io::Result<()> {
        let (row, counts, skips) = (print.tagged >> 2, print.tagged & 2 != 0, print.tagged & 1 != 0);
        if self.print != Some(print.print) {
            *self = Group { print: Some(print.print), first: row, count: 1 };
            return Ok(());
        }
        self.count = self.count.saturating_add(1);
        tell(Repeat { row, of: skips.then_some(self.first), occurrence: counts.then_some(self.count) })
    }
}

/// One sorted run, read piece by piece.
struct Run {
    at: u64,
    left: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Run {
    fn next(&mut self, file: &mut File) -> io::Result<Option<Print>> {
        if self.used >= self.buffer.len() {
            if self.left == 0 {
                return Ok(None);
            }
            let want = (BUFFER as u64).min(self.left);
            self.buffer.resize(want as usize, 0);
            file.seek(SeekFrom::Start(self.at))?;
            file.read_exact(&mut self.buffer)?;
            self.at += want;
            self.left -= want;
            self.used = 0;
        }
        let (mut print, mut tagged) = ([0; 16], [0; 8]);
        print.copy_from_slice(&self.buffer[self.used..self.used + 16]);
        tagged.copy_from_slice(&self.buffer[self.used + 16..self.used + SIZE]);
        self.used += SIZE;
        Ok(Some(Print { print: u128::from_le_bytes(print), tagged: u64::from_le_bytes(tagged) }))
    }
}

fn merge(file: &mut File, runs: &[(u64, u64)], mut take: impl FnMut(&mut File, Print) -> io::Result<()>) -> io::Result<()> {
    let mut readers: Vec<Run> = runs.iter().map(|(at, left)| Run { at: *at, left: *left, buffer: Vec::new(), used: 0 }).collect();
    let mut heap = BinaryHeap::with_capacity(readers.len());
    for (n, run) in readers.iter_mut().enumerate() {
        if let Some(print) = run.next(file)? {
            heap.push(Reverse((print, n)));
        }
    }
    while let Some(Reverse((print, n))) = heap.pop() {
        take(file, print)?;
        if let Some(next) = readers[n].next(file)? {
            heap.push(Reverse((next, n)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn told(prints: &[(u128, u64)], chunk: usize) -> Vec<Repeat> {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path(), chunk);
        for (print, row) in prints {
            sorter.push(Claim { print: *print, counts: true, skips: true }, *row).unwrap();
            assert!(sorter.held.len() <= chunk);
        }
        let mut repeats = Vec::new();
        let mut note = |repeat| repeats.push(repeat);
        sorter
            .finish(|repeat| {
                note(repeat);
                Ok(())
            })
            .unwrap();
        assert!(!folder.path().join("spool.sort").exists());
        repeats.sort_by_key(|repeat| repeat.row);
        repeats
    }

    #[test]
    fn two_hundred_thousand_rows_agree_with_a_hash_map() {
        let mut chance = fastrand::Rng::with_seed(7);
        let prints: Vec<(u128, u64)> = (0..200_000).map(|row| (u128::from(chance.u32(..150_000)) << 70, row)).collect();
        let mut seen: HashMap<u128, (u64, u32)> = HashMap::new();
        let mut expected = Vec::new();
        for (print, row) in &prints {
            let entry = seen.entry(*print).or_insert((*row, 0));
            entry.1 += 1;
            if entry.1 > 1 {
                expected.push(Repeat { row: *row, of: Some(entry.0), occurrence: Some(entry.1) });
            }
        }
        // 200 runs: more than are merged at once.
        assert_eq!(told(&prints, 1000), expected);
        assert_eq!(told(&prints, 1 << 20), expected);
    }
}
