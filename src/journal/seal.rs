//! Checksums of the journal's rows, and how positions become numbers and bytes.
//!
//! A checksum is CRC-32 over the content, begun with that of the run's id: a row of another run, or of another position, does not fit.

use crc32fast::Hasher;

use crate::recipient::Position;

/// Rows of a shard have 43 bits, shards 20: the key is a positive number of 63.
const ROW_BITS: u32 = 43;

/// The key of a position in the tables; `None` beyond 2^43 rows or 2^20 shards.
pub(crate) fn key(position: Position) -> Option<i64> {
    if position.row >> ROW_BITS != 0 || position.shard >> 20 != 0 {
        return None;
    }
    Some((i64::from(position.shard) << ROW_BITS) | i64::try_from(position.row).ok()?)
}

/// The position of a key.
pub(crate) fn position(key: i64) -> Option<Position> {
    let key = u64::try_from(key).ok()?;
    Some(Position { shard: u32::try_from(key >> ROW_BITS).ok()?, row: key & ((1 << ROW_BITS) - 1) })
}

/// Makes the checksums of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    seed: u32,
}

impl Seal {
    pub(crate) fn new(run: &str) -> Self {
        Seal { seed: crc32fast::hash(run.as_bytes()) }
    }

    pub(crate) fn begin(self) -> Sum {
        Sum(Hasher::new_with_initial(self.seed))
    }
}

/// A checksum in the making; every part says its length, so that no two contents look alike.
pub(crate) struct Sum(Hasher);

impl Sum {
    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u32).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.bytes(text.as_bytes()),
            None => {
                self.0.update(&u32::MAX.to_le_bytes());
                self
            }
        }
    }

    pub(crate) fn finish(self) -> i64 {
        i64::from(self.0.finalize())
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Positions and tries as bytes: the step from the key before (zigzag, then LEB128), then the number of the try. Two bytes a row
/// in the usual case of neighbours at their first try.
pub(crate) fn pack(positions: &[(Position, u32)], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    put(out, positions.len() as u64);
    let mut before = 0i64;
    for &(position, attempt) in positions {
        let key = key(position)?;
        let step = key - before;
        put(out, ((step << 1) ^ (step >> 63)) as u64);
        put(out, u64::from(attempt));
        before = key;
    }
    Some(())
}

/// Back again; `None` where the bytes are not of that form.
pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Vec<(i64, u32)>> {
    let count = usize::try_from(take(&mut bytes)?).ok()?;
    // A row takes two bytes at least, so that a damaged count cannot ask for more memory than the blob has.
    let mut positions = Vec::with_capacity(count.min(bytes.len() / 2));
    let mut key = 0i64;
    for _ in 0..count {
        let step = take(&mut bytes)?;
        key = key.checked_add(((step >> 1) as i64) ^ -((step & 1) as i64))?;
        positions.push((key, u32::try_from(take(&mut bytes)?).ok()?));
    }
    bytes.is_empty().then_some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_survive_the_trip(list in prop::collection::vec((0u32..1 << 20, 0u64..1 << 43, any::<u32>()), 0..200)) {
            let list: Vec<_> = list.into_iter().map(|(shard, row, n)| (Position { shard, row }, n)).collect();
            let mut bytes = Vec::new();
            pack(&list, &mut bytes).expect("in range");
            let back = unpack(&bytes).expect("own bytes");
            prop_assert_eq!(back.iter().map(|&(k, n)| (position(k).expect("own key"), n)).collect::<Vec<_>>(), list);
        }

        #[test]
        fn foreign_bytes_are_refused_or_read_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn neighbours_take_two_bytes() {
        let list: Vec<_> = (1000..1100).map(|row| (Position::row(row), 1)).collect();
        let mut bytes = Vec::new();
        pack(&list, &mut bytes).expect("in range");
        assert!(bytes.len() <= 2 * 100 + 3, "{}", bytes.len());
        assert!(pack(&[(Position::row(1 << 43), 1)], &mut bytes).is_none());
    }
}
