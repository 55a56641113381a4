//! Rows on their way to the flow: read from the spool or a pipe and rendered ahead, on threads of their own.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::exit::Exit;
use crate::journal::recovery::Recovery;
use crate::prepare::{Prepared, Preparer};
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

/// Reads and renders ahead on a thread of its own, so that reading, rendering and sending overlap.
pub(crate) struct Reader {
    chunks: mpsc::Receiver<Chunk>,
    /// A chunk that was waited for and not handed on yet.
    next: Option<Chunk>,
    ended: bool,
    /// Its rows are new to the tally.
    pub(crate) counts: bool,
    /// Ends the stream that its rows come from.
    gate: Option<Gate>,
    thread: tokio::task::JoinHandle<()>,
}

/// Rows that were read and rendered, or why there are no more: the exit code and the words.
pub(crate) type Chunk = Result<Vec<Prepared>, (Exit, String)>;

impl Reader {
    pub(crate) fn start(preparer: &Arc<Preparer>, rules: &Rules, recovery: Recovery) -> Self {
        let (sender, chunks) = mpsc::channel(2);
        let (preparer, folder) = (preparer.clone(), rules.folder.spool_dir().to_owned());
        let thread = tokio::task::spawn_blocking(move || {
            let mut spool = match Spool::open(&folder) {
                Ok(spool) => spool,
                Err(problem) => return drop(sender.blocking_send(Err((Exit::Disk, problem.to_string())))),
            };
            let mut from = 0;
            while from < spool.rows() {
                let rows = match spool.read_many(from, CHUNK) {
                    Ok(rows) if rows.is_empty() => break,
                    Ok(rows) => rows,
                    Err(problem) => return drop(sender.blocking_send(Err((Exit::Disk, problem.to_string())))),
                };
                from += rows.len() as u64;
                let chunk: Vec<Prepared> = rows
                    .into_iter()
                    .filter(|row| !recovery.settled.is_settled(row.position))
                    .map(|row| preparer.prepare(row, 0, None))
                    .collect();
                // The flow has ended: nobody wants the rest.
                if !chunk.is_empty() && sender.blocking_send(Ok(chunk)).is_err() {
                    break;
                }
            }
        });
        Reader { chunks, next: None, ended: false, counts: false, gate: None, thread }
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
        Reader { chunks, next: None, ended: false, counts: true, gate: Some(gate), thread }
    }

    /// A chunk that is at hand; `None` says nothing about the end.
    pub(crate) fn next_chunk(&mut self) -> Option<Chunk> {
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

    /// Waits until there is a chunk at hand, or none will come.
    pub(crate) async fn ready(&mut self) {
        if self.next.is_none() && !self.ended {
            self.next = self.chunks.recv().await;
            self.ended = self.next.is_none();
        }
    }

    /// Whether more rows may come.
    pub(crate) fn is_open(&self) -> bool {
        self.next.is_some() || !self.ended
    }

    pub(crate) async fn stop(mut self) {
        if let Some(gate) = &self.gate {
            gate.close();
        }
        self.chunks.close();
        while self.chunks.recv().await.is_some() {}
        if self.counts {
            // Its thread may wait for a pipe that nobody closes.
            return;
        }
        // A panic of the reader was told by the hook already, and its rows are still pending.
        let _ = self.thread.await;
    }
}
