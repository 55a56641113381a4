//! Wait, go on, stop: what people and signals ask of a running flow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::exit::Exit;

/// What the flow is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Go,
    /// Take no more rows, wait for what is in flight, then end with this code.
    Drain(Exit),
    /// End now; what is in flight is in doubt.
    Stop(Exit),
}

/// What a person asks of a running flow from another shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Word {
    /// Take no more rows; what is in flight may land; wait.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Stop for good, as far as this process is concerned.
    Abort,
    /// Other settings from now on: names and values as they were typed.
    Set {
        /// `rate` = `5/s` …
        values: BTreeMap<String, String>,
    },
}

impl Word {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Word::Pause => "pause",
            Word::Resume => "resume",
            Word::Abort => "abort",
            Word::Set { .. } => "set",
        }
    }
}

/// A word with whoever gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// What.
    #[serde(flatten)]
    pub word: Word,
    /// Who: `user@host, pid 4711`.
    pub by: String,
    /// Why, as they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What the flow says to a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// It was done; otherwise nothing changed.
    pub done: bool,
    /// What happened, for the one who asked.
    pub text: String,
}

/// A word that waits for its answer. Whoever hears it must answer, or the one who asked waits in vain.
pub struct Asked {
    /// Who, what and why.
    pub spoken: Spoken,
    answer: Box<dyn FnOnce(Answer) + Send>,
}

impl Asked {
    /// `answer` carries what is said to whoever asked; it must not block.
    pub fn new(spoken: Spoken, answer: impl FnOnce(Answer) + Send + 'static) -> Self {
        Asked { spoken, answer: Box::new(answer) }
    }

    /// It was done.
    pub fn done(self, text: impl Into<String>) {
        (self.answer)(Answer { done: true, text: text.into() });
    }

    /// Nothing changed.
    pub fn refused(self, text: impl Into<String>) {
        (self.answer)(Answer { done: false, text: text.into() });
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("spoken", &self.spoken).finish_non_exhaustive()
    }
}

/// Words that wait for the flow; whoever asks when so many wait is not heard.
const WORDS: usize = 64;

/// The flow's end of the wire.
#[derive(Debug)]
pub struct Control {
    orders: watch::Receiver<Order>,
    words: mpsc::Receiver<Asked>,
    /// One that was waited for and not handed on yet.
    next: Option<Asked>,
}

/// The end of the signals.
#[derive(Debug)]
pub struct Orders {
    sender: watch::Sender<Order>,
}

/// Both ends, and that of the words from other shells.
pub fn wire() -> (Orders, mpsc::Sender<Asked>, Control) {
    let (sender, orders) = watch::channel(Order::Go);
    let (speaker, words) = mpsc::channel(WORDS);
    (Orders { sender }, speaker, Control { orders, words, next: None })
}

impl Control {
    /// The order that stands.
    pub fn order(&self) -> Order {
        *self.orders.borrow()
    }

    /// The next word from another shell that is at hand.
    pub fn word(&mut self) -> Option<Asked> {
        self.next.take().or_else(|| self.words.try_recv().ok())
    }

    /// Waits for the next order or word; for ever where nobody can give one any more. Safe to cancel.
    pub async fn changed(&mut self) {
        if self.next.is_some() {
            return;
        }
        tokio::select! {
            Ok(()) = self.orders.changed() => {}
            Some(asked) = self.words.recv() => self.next = Some(asked),
            else => std::future::pending::<()>().await,
        }
    }
}

impl Orders {
    /// The first signal drains, the second stops.
    pub fn signal(&self, exit: Exit) {
        self.sender.send_modify(|order| {
            *order = match *order {
                Order::Go => Order::Drain(exit),
                Order::Drain(first) | Order::Stop(first) => Order::Stop(first),
            };
        });
    }

    /// Listens for SIGINT, SIGTERM and SIGHUP until dropped.
    ///
    /// # Errors
    /// Where the system refuses a signal handler.
    pub async fn listen(self, told: impl Fn(Order)) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let mut hup = signal(SignalKind::hangup())?;
        loop {
            let exit = tokio::select! {
                _ = int.recv() => Exit::Int,
                _ = term.recv() => Exit::Term,
                _ = hup.recv() => Exit::Hup,
            };
            self.signal(exit);
            told(*self.sender.borrow());
        }
    }
}
