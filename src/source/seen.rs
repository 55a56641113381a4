//! Fingerprints of a stream's rows so far: a hash table in a file, since the rows of a pipe without end have no last one to sort after.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::source::intake::private;

/// Bytes of a slot: print (16, zero for a free slot), first row (8), count (4), nothing (4).
const SLOT: usize = 32;

/// Slots at first; always a power of two.
const SLOTS: u64 = 4096;

/// Which fingerprints stood before, and where first. Memory: none that grows.
pub(crate) struct Seen {
    folder: PathBuf,
    file: File,
    slots: u64,
    used: u64,
}

impl Seen {
    /// An empty table in `folder`.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let file = Self::table(folder, SLOTS)?;
        Ok(Seen { folder: folder.to_owned(), file, slots: SLOTS, used: 0 })
    }

    fn table(folder: &Path, slots: u64) -> io::Result<File> {
        let path = folder.join("spool.seen");
        // The old table, if there is one, stays readable through its handle.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = private(&path)?;
        file.set_len(slots * SLOT as u64)?;
        Ok(file)
    }

    /// Counts `print` in `row`: its first row, and how often it stood, this time included.
    ///
    /// # Errors
    /// The disk's.
    pub fn touch(&mut self, print: u128, row: u64) -> io::Result<(u64, u32)> {
        let print = print.max(1);
        if self.used * 2 >= self.slots {
            self.grow()?;
        }
        let (at, slot) = find(&mut self.file, self.slots, print)?;
        let (first, count) = match slot {
            Some((first, count)) => (first, count.saturating_add(1)),
            None => {
                self.used += 1;
                (row, 1)
            }
        };
        write(&mut self.file, at, print, first, count)?;
        Ok((first, count))
    }

    fn grow(&mut self) -> io::Result<()> {
        let slots = self.slots * 2;
        let mut table = Self::table(&self.folder, slots)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut old = BufReader::with_capacity(64 * 1024, &self.file);
        let mut slot = [0; SLOT];
        for _ in 0..self.slots {
            old.read_exact(&mut slot)?;
            let (print, first, count) = take_apart(&slot);
            if print != 0 {
                let (at, _) = find(&mut table, slots, print)?;
                write(&mut table, at, print, first, count)?;
            }
        }
        self.file = table;
        self.slots = slots;
        Ok(())
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // Of no use to anyone else; what stays behind goes with the run folder.
        let _ = std::fs::remove_file(self.folder.join("spool.seen"));
    }
}

fn take_apart(slot: &[u8; SLOT]) -> (u128, u64, u32) {
    let (mut print, mut first, mut count) = ([0; 16], [0; 8], [0; 4]);
    print.copy_from_slice(&slot[..16]);
    first.copy_from_slice(&slot[16..24]);
    count.copy_from_slice(&slot[24..28]);
    (u128::from_le_bytes(print), u64::from_le_bytes(first), u32::from_le_bytes(count))
}

/// Offset of the slot of `print`, and what is in it. Ends, since at least half of the slots are free.
fn find(file: &mut File, slots: u64, print: u128) -> io::Result<(u64, Option<(u64, u32)>)> {
    let mut at = (print as u64) & (slots - 1);
    loop {
        let mut slot = [0; SLOT];
        file.seek(SeekFrom::Start(at * SLOT as u64))?;
        file.read_exact(&mut slot)?;
        let (found, first, count) = take_apart(&slot);
        if found == 0 || found == print {
            return Ok((at * SLOT as u64, (found == print).then_some((first, count))));
        }
        at = (at + 1) & (slots - 1);
    }
}

fn write(file: &mut File, at: u64, print: u128, first: u64, count: u32) -> io::Result<()> {
    let mut slot = [0; SLOT];
    slot[..16].copy_from_slice(&print.to_le_bytes());
    slot[16..24].copy_from_slice(&first.to_le_bytes());
    slot[24..28].copy_from_slice(&count.to_le_bytes());
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&slot)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_table_grows_and_forgets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::create(folder.path()).unwrap();
        let mut chance = fastrand::Rng::with_seed(3);
        let mut oracle: HashMap<u128, (u64, u32)> = HashMap::new();
        for row in 0..20_000 {
            let print = u128::from(chance.u32(..12_000));
            let entry = oracle.entry(print.max(1)).or_insert((row, 0));
            entry.1 += 1;
            assert_eq!(seen.touch(print, row).unwrap(), *entry);
        }
        assert!(seen.slots > SLOTS);
    }
}
