//! Rows on their way to the flow: read from the spool or a pipe and rendered ahead, on threads of their own.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::exit::Exit;
use crate::journal::recovery::Recovery;
use crate::prepare::{Prepared, Preparer};
use crate::priority::{Priorities, Priority};
use crate::problem::Problem;
use crate::recipient::Row;
use crate::rules::Rules;
use crate::source::fault::SourceError;
use crate::source::spool::Spool;
use crate::source::stream::{Gate, Stream};

/// Rows read and rendered ahead, in one piece; two pieces may wait, so this also bounds memory.
const CHUNK: usize = 128;

/// Where new rows come from.
pub enum Feed {
    /// The spool, whole.
    Spool,
    /// A pipe that may not end; its rows are in the spool as they come.
    Stream(Box<Stream>),
}

/// Reads and renders ahead on threads of their own, so that reading, rendering and sending overlap. Rows of each priority are read for
/// themselves, so that those that come late in the list need not wait for those before them.
pub(crate) struct Reader {
    /// One for each priority that there are rows of, the highest first; of a pipe one for all.
    lines: Vec<Line>,
    /// Rows of the spool that nobody was handed, by priority.
    left: Arc<[AtomicU64; 4]>,
    /// Its rows are new to the tally.
    pub(crate) counts: bool,
    /// Ends the stream that its rows come from.
    gate: Option<Gate>,
}

/// One reader and what it has ready.
struct Line {
    of: Priorities,
    chunks: mpsc::Receiver<Chunk>,
    /// A chunk that was waited for and not handed on yet.
    next: Option<Chunk>,
    ended: bool,
    thread: tokio::task::JoinHandle<()>,
}

impl Line {
    fn new(of: Priorities, chunks: mpsc::Receiver<Chunk>, thread: tokio::task::JoinHandle<()>) -> Self {
        Line { of, chunks, next: None, ended: false, thread }
    }

    fn is_open(&self) -> bool {
        self.next.is_some() || !self.ended
    }

    /// A chunk that is at hand; `None` says nothing about the end.
    fn take(&mut self) -> Option<Chunk> {
        if let Some(chunk) = self.next.take() {
            return Some(chunk);
        }
        match self.chunks.try_recv() {
            Ok(chunk) => Some(chunk),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.next.is_some() {
            return Poll::Ready(());
        }
        self.chunks.poll_recv(context).map(|chunk| {
            self.ended = chunk.is_none();
            self.next = chunk;
        })
    }
}

/// Rows that were read and rendered, or why there are no more: the exit code and the words.
pub(crate) type Chunk = Result<Vec<Prepared>, (Exit, String)>;

impl Reader {
    /// Reads the rows of the spool that are not settled.
    ///
    /// # Errors
    /// A spool that cannot be read.
    pub(crate) fn start(preparer: &Arc<Preparer>, rules: &Rules, recovery: Recovery) -> Result<Self, Problem> {
        let folder = rules.folder.spool_dir();
        let usual = preparer.priority();
        let ranks = Spool::open(folder)?.ranks(usual)?;
        let left: Arc<[AtomicU64; 4]> = Arc::new(ranks.map(|stretch| AtomicU64::new(stretch.rows)));
        let settled = Arc::new(recovery.settled);
        let several = ranks.iter().filter(|stretch| stretch.rows > 0).count() > 1;
        let mut lines = Vec::new();
        for (priority, stretch) in Priority::ALL.into_iter().zip(ranks).rev().filter(|(_, stretch)| stretch.rows > 0) {
            let (sender, chunks) = mpsc::channel(2);
            let (preparer, folder, settled, left) = (preparer.clone(), folder.to_owned(), settled.clone(), left.clone());
            let thread = tokio::task::spawn_blocking(move || {
                let wanted = |said: Option<Priority>| !several || said.unwrap_or(usual) == priority;
                let (mut seen, mut from) = (0, stretch.first);
                let mut spool = match Spool::open(&folder) {
                    Ok(spool) => spool,
                    Err(problem) => return drop(sender.blocking_send(Err((Exit::Disk, problem.to_string())))),
                };
                // Where all of them were seen, the rest of the index is of others.
                while from < spool.rows() && seen < stretch.rows && !sender.is_closed() {
                    let passed = Cell::new(0);
                    let read = spool.read_some(from, CHUNK, |position, said| {
                        let own = wanted(said);
                        let open = own && !settled.is_settled(position);
                        seen += u64::from(own);
                        passed.set(passed.get() + u64::from(own && !open));
                        open
                    });
                    let rows = match read {
                        Ok((_, next)) if next == from => break,
                        Ok((rows, next)) => {
                            from = next;
                            rows
                        }
                        Err(problem) => return drop(sender.blocking_send(Err((Exit::Disk, problem.to_string())))),
                    };
                    left[priority as usize].fetch_sub(passed.get(), Ordering::Relaxed);
                    let chunk: Vec<Prepared> = rows.into_iter().map(|row| preparer.prepare(row, 0, None)).collect();
                    // The flow has ended: nobody wants the rest.
                    if !chunk.is_empty() && sender.blocking_send(Ok(chunk)).is_err() {
                        break;
                    }
                }
            });
            lines.push(Line::new(Priorities::only(priority), chunks, thread));
        }
        Ok(Reader { lines, left, counts: false, gate: None })
    }

    /// Rows of a pipe, each as soon as it comes. One thread waits for the pipe; another makes what came durable and renders it.
    pub(crate) fn follow(preparer: &Arc<Preparer>, rules: &Rules, mut stream: Stream) -> Self {
        let gate = stream.gate();
        let (rows, came) = std::sync::mpsc::sync_channel::<Result<Row, (Exit, String)>>(CHUNK);
        let told = |error: SourceError| {
            let exit = if matches!(error, SourceError::Spool(_)) { Exit::Disk } else { Exit::BadInput };
            (exit, error.to_string())
        };
        // Not awaited: it may stand in a read of a pipe that never ends, and holds nothing but the spool's own files.
        std::thread::spawn(move || {
            loop {
                match stream.read() {
                    Ok(Some(row)) => {
                        if rows.send(Ok(row)).is_err() {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        let _ = rows.send(Err(told(error)));
                        break;
                    }
                }
            }
            if let Err(error) = stream.finish() {
                let _ = rows.send(Err((Exit::Disk, format!("the spool could not be written: {error}"))));
            }
        });
        let (sender, chunks) = mpsc::channel(2);
        let (preparer, folder) = (preparer.clone(), rules.folder.clone());
        let thread = tokio::task::spawn_blocking(move || {
            let durable = || crate::source::stream::sync(folder.spool_dir());
            while let Ok(first) = came.recv() {
                let together: Vec<_> = std::iter::once(first).chain(came.try_iter().take(CHUNK - 1)).collect();
                if let Err(error) = durable() {
                    let _ = sender.blocking_send(Err((Exit::Disk, format!("the spool could not be written: {error}"))));
                    return;
                }
                let mut chunk = Vec::with_capacity(together.len());
                for row in together {
                    match row {
                        Ok(row) => chunk.push(preparer.prepare(row, 0, None)),
                        Err(end) => {
                            let _ = sender.blocking_send(Ok(std::mem::take(&mut chunk)));
                            let _ = sender.blocking_send(Err(end));
                            return;
                        }
                    }
                }
                if sender.blocking_send(Ok(chunk)).is_err() {
                    return;
                }
            }
        });
        let lines = vec![Line::new(Priorities::ALL, chunks, thread)];
        Reader { lines, left: Arc::default(), counts: true, gate: Some(gate) }
    }

    /// A chunk of these that is at hand, of the highest first; `None` says nothing about the end.
    pub(crate) fn next_chunk(&mut self, of: Priorities) -> Option<Chunk> {
        let (line, chunk) =
            self.lines.iter_mut().filter(|line| line.of.meets(of)).find_map(|line| line.take().map(|chunk| (line.of, chunk)))?;
        if let (false, Ok(rows)) = (self.counts, &chunk) {
            let handed = Priority::ALL.into_iter().find(|priority| line.contains(*priority)).unwrap_or_default();
            self.left[handed as usize].fetch_sub(rows.len() as u64, Ordering::Relaxed);
        }
        Some(chunk)
    }

    /// Waits until there is a chunk of these at hand, or none will come.
    pub(crate) async fn ready(&mut self, of: Priorities) {
        std::future::poll_fn(|context| {
            let open = self.lines.iter_mut().filter(|line| line.of.meets(of) && line.is_open());
            let waits = open.map(|line| line.poll(context));
            // Each is asked, so that each knows whom to wake.
            match waits.filter(Poll::is_ready).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Whether more rows may come.
    pub(crate) fn is_open(&self) -> bool {
        self.lines.iter().any(Line::is_open)
    }

    /// Priorities of which more rows may come.
    pub(crate) fn open(&self) -> Priorities {
        let mut open = Priorities::default();
        self.lines.iter().filter(|line| line.is_open()).for_each(|line| open.extend(line.of));
        open
    }

    /// Rows that nobody was handed yet, from low to critical; none of a pipe.
    pub(crate) fn left(&self) -> [u64; 4] {
        std::array::from_fn(|priority| self.left[priority].load(Ordering::Relaxed))
    }

    pub(crate) async fn stop(mut self) {
        if let Some(gate) = &self.gate {
            gate.close();
        }
        for line in &mut self.lines {
            line.chunks.close();
            while line.chunks.recv().await.is_some() {}
        }
        if self.counts {
            // Its thread may wait for a pipe that nobody closes.
            return;
        }
        for line in self.lines {
            // A panic of the reader was told by the hook already, and its rows are still pending.
            let _ = line.thread.await;
        }
    }
}
