//! The reserve for a full disk: a file of real blocks that is given back so that the outcomes of what is in flight always fit.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Its name in the run folder.
pub const NAME: &str = "ballast";

/// Bytes that outcomes of `width` deliveries in flight may need, with their share of pages: 8 KiB each, 1 MiB at least.
pub fn size(width: usize) -> u64 {
    (8 * 1024 * width as u64).max(1024 * 1024)
}

/// Lays `bytes` of ballast in `folder`, written and synced: an unwritten or compressed hole would reserve nothing.
///
/// # Errors
/// There is not that much space, or the folder cannot be written.
pub fn lay(folder: &Path, bytes: u64) -> io::Result<()> {
    let path = folder.join(NAME);
    if fs::metadata(&path).is_ok_and(|found| found.len() >= bytes) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path)?;
    let mut noise = vec![0u8; 64 * 1024];
    fastrand::Rng::with_seed(bytes).fill(&mut noise);
    let mut left = bytes;
    while left > 0 {
        let now = left.min(noise.len() as u64);
        file.write_all(&noise[..now as usize])?;
        left -= now;
    }
    file.sync_all()
}

/// Gives it back. Whether there was any.
pub fn give_back(folder: &Path) -> bool {
    fs::remove_file(folder.join(NAME)).is_ok()
}
