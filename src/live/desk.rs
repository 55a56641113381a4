//! The run's desk: one thread that listens for control words, carries their answers, and writes down what the flow publishes.
//!
//! A thread of its own, because all of it is blocking work with the disk, and the runtime's workers have messages to send. Where the
//! disk or `state.db` cannot be used the run goes on unwatched, and that is said once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::control::{Answer, Asked, Spoken};
use crate::journal::folder::RunFolder;
use crate::live::exposition;
use crate::live::snapshot::Snapshot;
use crate::state::control::Words;

/// How often is looked for words and news.
const LOOK: Duration = Duration::from_millis(40);
/// How often the file of metrics is written, at most.
const METRICS: Duration = Duration::from_secs(1);

/// What the thread is told.
enum Note {
    Answer { word: i64, answer: Answer },
    End,
}

/// The desk of a run, for as long as it lives.
#[derive(Debug)]
pub struct Desk {
    notes: std_mpsc::Sender<Note>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What it does not do itself.
pub struct Duties {
    /// Of this run.
    pub folder: RunFolder,
    /// Words go to the flow.
    pub speaker: mpsc::Sender<Asked>,
    /// What the flow publishes.
    pub news: watch::Receiver<Arc<Snapshot>>,
    /// `--metrics-file`.
    pub metrics_file: Option<PathBuf>,
}

impl Desk {
    /// Sits down.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn open(state_dir: &Path, duties: Duties) -> std::io::Result<Self> {
        let (notes, inbox) = std_mpsc::channel();
        let answers = notes.clone();
        // What comes before the flow listens is heard too: the table is made here, in the caller's time.
        let words = Words::open(state_dir)
            .inspect_err(|error| tracing::warn!(%error, "this run cannot be controlled from another shell"))
            .ok();
        let work = Work { words, answers, told: Told::default(), duties };
        let thread = std::thread::Builder::new().name("desk".to_owned()).spawn(move || work.run(&inbox))?;
        Ok(Desk { notes, thread: Some(thread) })
    }
}

impl Drop for Desk {
    /// The last answers and news are written before it is closed.
    fn drop(&mut self) {
        let _ = self.notes.send(Note::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Troubles that are said once.
#[derive(Default)]
struct Told {
    words: bool,
    status: bool,
    metrics: bool,
}

struct Work {
    words: Option<Words>,
    answers: std_mpsc::Sender<Note>,
    told: Told,
    duties: Duties,
}

impl Work {
    fn run(mut self, inbox: &std_mpsc::Receiver<Note>) {
        let mut metrics_at: Option<Instant> = None;
        let mut metrics_due = true;
        loop {
            let mut ended = false;
            let mut note = inbox.recv_timeout(LOOK);
            loop {
                match note {
                    Ok(Note::Answer { word, answer }) => self.answer(word, &answer),
                    Ok(Note::End) | Err(RecvTimeoutError::Disconnected) => ended = true,
                    Err(RecvTimeoutError::Timeout) => break,
                }
                match inbox.try_recv() {
                    Ok(more) => note = Ok(more),
                    Err(_) => break,
                }
            }
            if !ended {
                self.listen();
            }
            if self.duties.news.has_changed().unwrap_or(false) {
                metrics_due = true;
                let snapshot = self.duties.news.borrow_and_update().clone();
                if let Err(error) = snapshot.write(&self.duties.folder) {
                    once(&mut self.told.status, &format!("how the run stands cannot be written down: {error}"));
                }
            }
            if metrics_due && (ended || metrics_at.is_none_or(|at| at.elapsed() >= METRICS)) {
                self.metrics();
                metrics_at = Some(Instant::now());
                metrics_due = false;
            }
            if ended {
                break;
            }
        }
        Snapshot::forget(&self.duties.folder);
    }

    /// Hands words on to the flow.
    fn listen(&mut self) {
        let Some(words) = &mut self.words else { return };
        let heard = words.hear(&self.duties.folder.id, std::process::id()).unwrap_or_else(|error| {
            once(&mut self.told.words, &format!("control words cannot be read: {error}"));
            Vec::new()
        });
        for (word, text) in heard {
            let refused = |text: &str| Answer { done: false, text: text.to_owned() };
            let Ok(spoken) = serde_json::from_str::<Spoken>(&text) else {
                self.answer(word, &refused("this run does not understand that: another version of notify works on it"));
                continue;
            };
            let answers = self.answers.clone();
            let asked = Asked::new(spoken, move |answer| {
                // A desk that is closed has nobody to tell.
                let _ = answers.send(Note::Answer { word, answer });
            });
            if self.duties.speaker.try_send(asked).is_err() {
                self.answer(word, &refused("the run is ending, or too much was asked of it at once"));
            }
        }
    }

    fn answer(&mut self, word: i64, answer: &Answer) {
        let Some(words) = &self.words else { return };
        if let Err(error) = words.answer(word, answer.done, &answer.text) {
            once(&mut self.told.words, &format!("an answer to a control word cannot be written: {error}"));
        }
    }

    fn metrics(&mut self) {
        let Some(path) = &self.duties.metrics_file else { return };
        let text = exposition::text(&self.duties.news.borrow());
        if let Err(error) = exposition::write(path, &text) {
            once(&mut self.told.metrics, &format!("--metrics-file {}: {error}", path.display()));
        }
    }
}

fn once(told: &mut bool, what: &str) {
    if !std::mem::replace(told, true) {
        tracing::warn!("{what}");
    }
}
