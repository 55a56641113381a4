//! One bound connection: messages out under a window, answers in by their number in any order, the link kept alive, a deadline on each.
//!
//! Invariants: every message has a sequence number of its own, so that no answer can be taken for another's; bytes are counted as the
//! kernel (or TLS) takes them, so that a cut leaves exactly the unanswered ones in doubt and the others unsent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{ErrorKind, SendError};

use super::link::{self, Bytes};
use super::pdu::{self, Bind, Brought, Unit, command};
use super::queue::{Job, Queue};
use super::receipts::{self, Receipts};
use super::settings::Settings;
use super::verdict::refusal;
use super::window::{Unanswered, Window};

/// Bounds the goodbye, where nothing depends on the answer.
pub(super) const POLITE: Duration = Duration::from_secs(5);
/// The first pause before a later part that was refused for the time being, and the longest.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Highest sequence number (section 3.2).
const LAST: u32 = 0x7fff_ffff;
/// Status of generic_nack for a command that we do not know.
const UNKNOWN_COMMAND: u32 = 0x03;

/// The service of an account: how to reach it, and what it said of messages that it took.
#[derive(Debug)]
pub(super) struct Service {
    pub settings: Arc<Settings>,
    pub tls: Option<Arc<ClientConfig>>,
    pub receipts: Receipts,
}

/// Why a session carries no more messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The account closes and nothing is left to do.
    Done,
    /// It can no longer be trusted, or the service has left.
    Broken,
}

/// What happens next.
enum Event {
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Job(Option<Job>),
    Tick,
}

/// A session that is bound.
pub(super) struct Session<'a> {
    service: &'a Service,
    reader: ReadHalf<Box<dyn Bytes>>,
    writer: WriteHalf<Box<dyn Bytes>>,
    input: Vec<u8>,
    piece: Box<[u8]>,
    /// What is to be written, and how much of it is.
    out: Vec<u8>,
    out_done: usize,
    unflushed: bool,
    /// Bytes ever appended and ever written: the difference is in `out`.
    appended: u64,
    written: u64,
    sequence: u32,
    window: Window,
    /// When the service was heard last, and until when it must answer our enquire_link.
    heard: Instant,
    probe: Option<Instant>,
    /// The service unbinds: nothing new is begun, and so long is waited for what it still owes.
    leaving: Option<Instant>,
    name: String,
}

impl<'a> Session<'a> {
    /// Connects and binds.
    pub(super) async fn open(service: &'a Service) -> Result<Session<'a>, SendError> {
        let settings = &service.settings;
        let stream = link::connect(settings, service.tls.clone()).await?;
        let (reader, writer) = tokio::io::split(stream);
        let mut this = Session {
            service,
            reader,
            writer,
            input: Vec::with_capacity(4096),
            piece: vec![0; 16 * 1024].into_boxed_slice(),
            out: Vec::with_capacity(4096),
            out_done: 0,
            unflushed: false,
            appended: 0,
            written: 0,
            sequence: 0,
            window: Window::default(),
            heard: Instant::now(),
            probe: None,
            leaving: None,
            name: String::new(),
        };
        let lost = |what: String| SendError::new(ErrorKind::Unreachable, format!("{what} (at bind_transceiver)"));
        let sequence = this.next_sequence();
        let password = settings.password.as_ref().map_or("", |password| password.expose_secret());
        let bind = Bind { system_id: &settings.system_id, password, system_type: &settings.system_type };
        pdu::bind(&mut this.out, sequence, &bind);
        let bound = async {
            this.writer.write_all(&this.out).await.map_err(|error| lost(error.to_string()))?;
            this.writer.flush().await.map_err(|error| lost(error.to_string()))?;
            loop {
                if let Some(unit) = this.take_unit().map_err(lost)? {
                    let answer = command::BIND_TRANSCEIVER | command::ANSWER;
                    if unit.sequence == sequence && matches!(unit.command, command::GENERIC_NACK) || unit.command == answer {
                        return Ok(unit);
                    }
                    continue;
                }
                match this.reader.read(&mut this.piece).await {
                    Ok(0) => return Err(lost("the service closed the connection".to_owned())),
                    Ok(count) => this.input.extend_from_slice(&this.piece[..count]),
                    Err(error) => return Err(lost(error.to_string())),
                }
            }
        };
        let unit = match timeout(settings.timeout, bound).await {
            Ok(done) => done?,
            Err(_) => return Err(lost(format!("no answer within {:?}", settings.timeout))),
        };
        // The password was in it.
        this.out.fill(0);
        this.out.clear();
        if unit.status != 0 || unit.command == command::GENERIC_NACK {
            return Err(refusal(unit.status));
        }
        this.name = unit.first_text().unwrap_or_default();
        this.heard = Instant::now();
        Ok(this)
    }

    /// One line about the session, for `check`.
    pub(super) fn described(&self) -> String {
        let settings = &self.service.settings;
        let who = if self.name.is_empty() { settings.host.clone() } else { self.name.clone() };
        let tls = if settings.tls { "TLS" } else { "no TLS" };
        format!("bound to {who} as {}; {tls}; window {}", settings.system_id, settings.window)
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence >= LAST { 1 } else { self.sequence + 1 };
        self.sequence
    }

    /// Carries messages of the queue until the session ends. Every job that it takes gets a verdict.
    pub(super) async fn serve(&mut self, queue: &Queue) -> End {
        let end = self.talk(queue).await;
        if let Err(why) = &end {
            tracing::debug!(account = %self.service.settings.account, why, "SMPP session ended");
            self.give_up(why);
        }
        if end.is_ok() { End::Done } else { End::Broken }
    }

    async fn talk(&mut self, queue: &Queue) -> Result<(), String> {
        let mut room = Room { queue, told: 0 };
        let mut closing = false;
        loop {
            self.submit_rested();
            let free =
                if self.leaving.is_some() { 0 } else { self.service.settings.window.get().saturating_sub(self.window.len()) };
            room.tell(free);
            let all_answered = self.window.len() == 0 && self.out.is_empty() && !self.unflushed;
            if all_answered && self.leaving.is_some() {
                return Err("the service ended the session".to_owned());
            }
            if all_answered && closing {
                return Ok(());
            }
            match self.next(queue, free > 0 && !closing).await {
                Event::Read(Ok(0)) => return Err("the service closed the connection".to_owned()),
                Event::Read(Ok(count)) => {
                    self.input.extend_from_slice(&self.piece[..count]);
                    self.heard = Instant::now();
                    self.probe = None;
                    while let Some(unit) = self.take_unit()? {
                        self.hear(unit);
                    }
                }
                Event::Read(Err(error)) | Event::Wrote(Err(error)) => return Err(error.to_string()),
                Event::Wrote(Ok(0)) if !self.out.is_empty() => return Err("the connection takes no more bytes".to_owned()),
                Event::Wrote(Ok(count)) => self.wrote(count),
                Event::Job(None) => closing = true,
                Event::Job(Some(job)) => {
                    self.submit(job);
                    // What waits behind it goes with the same write.
                    for _ in 1..free {
                        let Some(job) = queue.try_take() else { break };
                        self.submit(job);
                    }
                }
                Event::Tick => self.tick()?,
            }
        }
    }

    async fn next(&mut self, queue: &Queue, hungry: bool) -> Event {
        let tick = self.next_tick();
        let (pending, writer) = (&self.out[self.out_done..], &mut self.writer);
        let busy = !pending.is_empty() || self.unflushed;
        let write = async { if pending.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(pending).await } };
        tokio::select! {
            read = self.reader.read(&mut self.piece) => Event::Read(read),
            wrote = write, if busy => Event::Wrote(wrote),
            job = queue.take(), if hungry => Event::Job(job),
            () = sleep_until(tick) => Event::Tick,
        }
    }

    fn wrote(&mut self, count: usize) {
        self.written += count as u64;
        self.out_done += count;
        // A flush tells 0, and nothing is left then.
        self.unflushed = count > 0;
        if self.out_done >= self.out.len() {
            self.out.clear();
            self.out_done = 0;
        }
    }

    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.out.len();
        write(&mut self.out);
        self.appended += (self.out.len() - before) as u64;
    }

    /// Puts the next part of a job on its way.
    fn submit(&mut self, mut job: Job) {
        let Some(part) = job.part() else { return job.sent() };
        let sequence = self.next_sequence();
        let before = self.out.len();
        pdu::submit(&mut self.out, sequence, part);
        self.appended += (self.out.len() - before) as u64;
        job.exposed = true;
        let due = Instant::now() + self.service.settings.final_timeout;
        self.window.push(sequence, Unanswered { job, end: self.appended, due });
    }

    fn submit_rested(&mut self) {
        while let Some(job) = self.window.rested(Instant::now()) {
            self.submit(job);
        }
    }

    fn take_unit(&mut self) -> Result<Option<Unit>, String> {
        Unit::take(&mut self.input).map_err(|wrong| format!("the service sent {} as the length of a unit", wrong.0))
    }

    fn hear(&mut self, unit: Unit) {
        let Unit { command, sequence, .. } = unit;
        match command {
            _ if command == command::SUBMIT_SM | command::ANSWER || command == command::GENERIC_NACK => self.answered(&unit),
            command::ENQUIRE_LINK => {
                self.append(|out| pdu::bare(out, command::ENQUIRE_LINK | command::ANSWER, 0, sequence));
            }
            command::DELIVER_SM | command::DATA_SM => {
                if command == command::DELIVER_SM
                    && let Some(told) = receipts::read(&Brought::read(&unit.body))
                {
                    self.service.receipts.note(&told);
                }
                // Unanswered it would be brought again, for ever.
                self.append(|out| pdu::taken(out, command, sequence));
            }
            command::UNBIND => {
                self.append(|out| pdu::bare(out, command::UNBIND | command::ANSWER, 0, sequence));
                self.leaving.get_or_insert(Instant::now() + POLITE);
            }
            command::ALERT_NOTIFICATION => {}
            _ if command & command::ANSWER != 0 => {}
            _ => self.append(|out| pdu::bare(out, command::GENERIC_NACK, UNKNOWN_COMMAND, sequence)),
        }
    }

    fn answered(&mut self, unit: &Unit) {
        let Some(Unanswered { mut job, .. }) = self.window.answered(unit.sequence) else {
            // Late, or to nothing that we asked.
            return tracing::debug!(sequence = unit.sequence, status = unit.status, "an SMPP answer that nobody waits for");
        };
        if unit.command == command::GENERIC_NACK && unit.status == 0 {
            return job.failed(SendError::new(
                ErrorKind::InDoubt,
                "the service answered generic_nack with status 0, which says nothing",
            ));
        }
        if unit.status == 0 {
            let message_id = unit.first_text();
            if let Some(message_id) = &message_id {
                self.service.receipts.remember(message_id, &job.id);
            }
            return if job.accept(message_id) { self.submit(job) } else { job.sent() };
        }
        let error = refusal(unit.status);
        job.exposed = false;
        let passing = matches!(error.kind, ErrorKind::Throttled | ErrorKind::Unavailable);
        let (now, most) = (Instant::now(), self.service.settings.final_timeout);
        // Half a message is out: the part that was refused waits here, since the row as a whole cannot be tried again.
        match job.resting {
            None if passing && job.begun() => {
                job.resting = Some((now, REST.0));
                self.window.rest(job, now + REST.0);
            }
            Some((since, last)) if passing && now.duration_since(since) < most => {
                let pause = (last * 2).min(REST.1);
                job.resting = Some((since, pause));
                self.window.rest(job, now + pause);
            }
            _ => job.failed(error),
        }
    }

    fn next_tick(&self) -> Instant {
        let silence = self.probe.unwrap_or(self.heard + self.service.settings.enquire_link);
        [self.window.next(), self.leaving].into_iter().flatten().fold(silence, Instant::min)
    }

    fn tick(&mut self) -> Result<(), String> {
        let now = Instant::now();
        let wait = self.service.settings.final_timeout;
        while let Some(Unanswered { job, end, .. }) = self.window.overdue(now) {
            if self.written < end {
                job.failed(SendError::new(ErrorKind::Unreachable, format!("the connection took no bytes for {wait:?}")));
                return Err("the connection takes no more bytes".to_owned());
            }
            job.failed(SendError::new(ErrorKind::InDoubt, format!("no answer within {wait:?} after the message was sent")));
        }
        if self.leaving.is_some_and(|until| until <= now) {
            return Err("the service ended the session".to_owned());
        }
        match self.probe {
            Some(until) if until <= now => {
                return Err(format!("no answer to enquire_link within {:?}", self.service.settings.timeout));
            }
            None if self.heard + self.service.settings.enquire_link <= now => {
                let sequence = self.next_sequence();
                self.append(|out| pdu::bare(out, command::ENQUIRE_LINK, 0, sequence));
                self.probe = Some(now + self.service.settings.timeout);
            }
            _ => {}
        }
        Ok(())
    }

    /// The session is over: what was sent whole may have been taken, what was not cannot have been.
    fn give_up(&mut self, why: &str) {
        for Unanswered { job, end, .. } in self.window.drain() {
            let error = match self.written >= end && job.exposed {
                true => SendError::new(ErrorKind::InDoubt, format!("{why}; the message was sent and not answered")),
                false => SendError::new(ErrorKind::Unreachable, format!("{why}; the message was not sent")),
            };
            job.failed(error);
        }
    }

    /// Says goodbye; bounded, and without consequence.
    pub(super) async fn unbind(mut self) {
        let sequence = self.next_sequence();
        self.out.clear();
        pdu::bare(&mut self.out, command::UNBIND, 0, sequence);
        let _ = timeout(POLITE, async {
            self.writer.write_all(&self.out).await?;
            self.writer.flush().await?;
            loop {
                match self.take_unit() {
                    Ok(Some(unit)) if unit.command == command::UNBIND | command::ANSWER => return Ok(()),
                    Ok(Some(_)) => continue,
                    Ok(None) => {}
                    Err(_) => return Ok::<(), io::Error>(()),
                }
                match self.reader.read(&mut self.piece).await? {
                    0 => return Ok(()),
                    count => self.input.extend_from_slice(&self.piece[..count]),
                }
            }
        })
        .await;
    }
}

/// What the queue was told of a session's free places, taken back when the session ends in any way.
struct Room<'a> {
    queue: &'a Queue,
    told: usize,
}

impl Room<'_> {
    fn tell(&mut self, free: usize) {
        if free != self.told {
            self.queue.room(free, self.told);
            self.told = free;
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.queue.room(0, self.told);
    }
}
