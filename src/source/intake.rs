//! The bytes of an input: opened, counted, hashed, unpacked, and kept where a pipe can be read only once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::problem::Problem;
use crate::source::fault::SourceError;
use crate::source::options::Input;

/// Reads at a time; also what the input costs in memory.
const CHUNK: usize = 64 * 1024;

/// Name of the copy of a pipe, in the run folder, while the list is read.
const COPY: &str = "input.raw";

/// An input that can be read from its start as often as needed.
pub(crate) struct Intake {
    held: Held,
    /// As messages call it.
    pub name: String,
    /// As `Problem` names it.
    pub path: PathBuf,
    /// Size in bytes, as stored.
    pub len: Option<u64>,
    /// The copy of a pipe, if one was made.
    pub copy: Option<PathBuf>,
}

enum Held {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// What went by: the count and the digest of the bytes as they are stored.
pub(crate) struct Seen {
    /// Bytes so far.
    pub bytes: u64,
    digest: ring::digest::Context,
}

/// The same, shared between the reader that counts and the one who asks.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Mutex<Seen>>);

impl Meter {
    fn new() -> Self {
        Meter(Arc::new(Mutex::new(Seen { bytes: 0, digest: ring::digest::Context::new(&ring::digest::SHA256) })))
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// SHA-256 of the bytes so far, in hex.
    pub fn digest(&self) -> String {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.digest.clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Counts and hashes what is read through it.
struct Tap<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut seen = self.meter.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.bytes += count as u64;
        seen.digest.update(&buffer[..count]);
        Ok(count)
    }
}

impl Intake {
    /// Looks at the input; a pipe is copied into `folder` first, since the whole of it must be seen before its encoding is judged.
    ///
    /// # Errors
    /// `Input` where it cannot be read, `Spool` where the copy cannot be written.
    pub fn take(input: &Input, folder: &Path, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<Intake, SourceError> {
        let (name, path) = (input.name(), input.path());
        let unreadable = |error| SourceError::Input { name: input.name(), error };
        match input {
            Input::Bytes { bytes, .. } => {
                let bytes: Arc<[u8]> = Arc::from(bytes.as_slice());
                Ok(Intake { len: Some(bytes.len() as u64), held: Held::Memory(bytes), name, path, copy: None })
            }
            Input::File(file) => {
                let about = std::fs::metadata(file).map_err(unreadable)?;
                if about.is_dir() {
                    return Err(unreadable(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; name a file in it")));
                }
                if about.is_file() {
                    return Ok(Intake { held: Held::File(file.clone()), name, path, len: Some(about.len()), copy: None });
                }
                let pipe = File::open(file).map_err(unreadable)?;
                Self::keep(pipe, name, path, folder, progress)
            }
            Input::Stdin => Self::keep(io::stdin().lock(), name, path, folder, progress),
        }
    }

    fn keep(
        mut pipe: impl Read,
        name: String,
        path: PathBuf,
        folder: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Intake, SourceError> {
        let copy = folder.join(COPY);
        let mut file = private(&copy).map_err(SourceError::Spool)?;
        let mut buffer = vec![0; CHUNK];
        let mut total = 0u64;
        loop {
            let count = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SourceError::Input { name, error }),
            };
            file.write_all(&buffer[..count]).map_err(SourceError::Spool)?;
            total += count as u64;
            progress(total, None);
        }
        Ok(Intake { held: Held::File(copy.clone()), name, path, len: Some(total), copy: Some(copy) })
    }

    /// The input from its start, unpacked.
    ///
    /// # Errors
    /// `Input` where it cannot be opened; `Damage` where it is packed in a way that is not understood.
    pub fn open(&self) -> Result<(Unpacked, Meter), SourceError> {
        let raw: Box<dyn Read + Send> = match &self.held {
            Held::File(path) => {
                Box::new(File::open(path).map_err(|error| SourceError::Input { name: self.name.clone(), error })?)
            }
            Held::Memory(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
        };
        unpack(raw, &self.name, &self.path)
    }

    /// Removes the copy of a pipe: its rows are in the spool now.
    pub fn drop_copy(&self) {
        if let Some(copy) = &self.copy {
            // A copy that stays behind costs room and nothing else; the run folder is pruned as a whole.
            let _ = std::fs::remove_file(copy);
        }
    }
}

/// A new file that only its owner can read.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Bytes after unpacking.
pub(crate) type Unpacked = Box<dyn Read + Send>;

/// Counts the bytes of `raw` and unpacks them where their first bytes say that they are packed.
pub(crate) fn unpack(raw: Box<dyn Read + Send>, name: &str, path: &Path) -> Result<(Unpacked, Meter), SourceError> {
    let meter = Meter::new();
    let mut reader = BufReader::with_capacity(CHUNK, Tap { inner: raw, meter: meter.clone() });
    let head = loop {
        match reader.fill_buf() {
            Ok(head) => break head,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SourceError::Input { name: name.to_owned(), error }),
        }
    };
    let refused = |what: &str, help: &str| {
        let problem = Problem {
            what: format!("{name} {what}"),
            path: Some(path.to_owned()),
            help: Some(help.to_owned()),
            ..Problem::default()
        };
        Err(SourceError::damage(problem))
    };
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        #[cfg(feature = "compress")]
        {
            let gzip = head[0] == 0x1f;
            let inner: Unpacked = if gzip {
                Box::new(flate2::bufread::MultiGzDecoder::new(reader))
            } else {
                Box::new(crate::source::zstd::Frames::new(reader))
            };
            return Ok((inner, meter));
        }
        #[cfg(not(feature = "compress"))]
        return refused(
            "is compressed, and this program was built without `compress`",
            "unpack it first: gunzip -c FILE | notify batch -",
        );
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return refused("is a workbook or an archive, not a list", "save the sheet as `CSV UTF-8` and name that file");
    }
    if head.starts_with(b"BZh") || head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z']) {
        return refused("is compressed in a way that is not read here", "unpack it first: xz -dc FILE | notify batch -");
    }
    Ok((Box::new(reader), meter))
}
