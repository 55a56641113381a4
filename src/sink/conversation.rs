//! The loop of one connection: read what waits, let the protocol look at all of it, record, count, reply in one write.
//!
//! Replies that must wait (an emulated round trip, a fault) stand in a queue with the time they are due, while reading
//! goes on: a slow wire delays bytes, it does not make the server stop. A server that stops is `Then::Hold`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

use crate::sink::desk::Desk;
use crate::sink::turn::{Mark, Then, Turn};
use crate::sink::wire::Wire;

/// Read at once.
const READ: usize = 64 << 10;
/// Input kept unread while replies are held back; beyond it the client feels the full window.
const HELD_INPUT: usize = 1 << 20;
/// A client that says nothing for so long is dropped (RFC 5321 4.5.3.2.7).
const IDLE: Duration = Duration::from_secs(300);
/// A client that reads nothing for so long is dropped.
const WRITE: Duration = Duration::from_secs(60);

/// What SMTP and HTTP have in common: bytes in, a turn out.
pub(crate) trait Protocol {
    /// What is said before the client speaks.
    fn open(&mut self, turn: &mut Turn);
    /// Looks at what waits and says how much of it is done with. Sees the rest again, with more behind it.
    fn feed(&mut self, input: &[u8], turn: &mut Turn) -> usize;
    /// The connection is in TLS now; `early` bytes had come in clear behind STARTTLS and were thrown away.
    fn secured(&mut self, early: usize, turn: &mut Turn);
    /// The client is gone; `left` bytes were never done with.
    fn gone(&mut self, left: usize, turn: &mut Turn);
}

/// Speaks until one side ends.
pub(crate) async fn converse(wire: Wire, mut protocol: impl Protocol, desk: &Arc<Desk>) {
    let mut line = Line { wire, queue: VecDeque::new(), delay: desk.options.delay };
    let mut turn = Turn::default();
    let mut input: Vec<u8> = Vec::with_capacity(READ);
    let mut held = false;
    let mut heard = Instant::now();
    let idle = sleep_until(heard + IDLE);
    tokio::pin!(idle);

    protocol.open(&mut turn);
    loop {
        if !held {
            if turn.then == Then::Read && !input.is_empty() {
                let used = protocol.feed(&input, &mut turn);
                input.drain(..used);
            }
            if !turn.replies.is_empty() {
                turn.counts.round_trips += 1;
                turn.counts.bytes_out += turn.replies.len() as u64;
            }
            if !desk.commit(&turn) || line.say(&turn).await.is_err() {
                return;
            }
            let then = turn.then;
            turn.clear();
            match then {
                Then::Read => {}
                Then::Hold => held = true,
                Then::Close => {
                    let _ = line.finish().await;
                    return line.wire.close().await;
                }
                Then::Cut { reset } => {
                    let _ = line.finish().await;
                    return line.wire.cut(reset).await;
                }
                Then::StartTls => {
                    let Some(config) = desk.tls.clone() else { return };
                    if line.finish().await.is_err() {
                        return;
                    }
                    let early = input.len();
                    input.clear();
                    match line.wire.into_tls(config).await {
                        Ok(wire) => line.wire = wire,
                        Err(_) => return desk.count(|counts| counts.tls_failed += 1),
                    }
                    desk.count(|counts| counts.tls += 1);
                    protocol.secured(early, &mut turn);
                    continue;
                }
            }
        }
        if held && line.queue.is_empty() {
            held = false;
            continue;
        }
        if desk.full() && line.queue.is_empty() {
            desk.over.notify_one();
        }
        input.reserve(READ);
        let due = line.queue.front().map(|(due, _)| *due);
        tokio::select! {
            read = line.wire.read_buf(&mut input), if !held || input.len() < HELD_INPUT => match read {
                Ok(count @ 1..) => {
                    heard = Instant::now();
                    // Counted with the next turn.
                    turn.counts.bytes_in += count as u64;
                }
                end => {
                    protocol.gone(input.len(), &mut turn);
                    desk.commit(&turn);
                    // Half a close is no reason to swallow replies, unless we play dead anyway.
                    if end.is_ok() && !held && line.finish().await.is_ok() {
                        line.wire.close().await;
                    }
                    return;
                }
            },
            () = sleep_until(due.unwrap_or(heard)), if due.is_some() => {
                if line.pump().await.is_err() {
                    return;
                }
            }
            () = &mut idle => {
                if heard.elapsed() >= IDLE && !held {
                    return line.wire.cut(false).await;
                }
                idle.as_mut().reset(heard.max(Instant::now() - IDLE / 2) + IDLE);
            }
        }
    }
}

/// The outgoing side: at once where nothing waits, in order and in time where something does.
struct Line {
    wire: Wire,
    queue: VecDeque<(Instant, Vec<u8>)>,
    delay: Duration,
}

impl Line {
    async fn say(&mut self, turn: &Turn) -> io::Result<()> {
        if turn.replies.is_empty() {
            return Ok(());
        }
        if self.queue.is_empty() && self.delay.is_zero() && turn.marks.is_empty() {
            return self.write(&turn.replies).await;
        }
        let now = Instant::now() + self.delay;
        let mut due = self.queue.back().map_or(now, |(last, _)| now.max(*last));
        let mut from = Mark { at: 0, wait: Duration::ZERO, drip: None };
        for next in turn.marks.iter().copied().chain([Mark { at: turn.replies.len(), wait: Duration::ZERO, drip: None }]) {
            due += from.wait;
            let part = &turn.replies[from.at..next.at];
            match from.drip {
                None if part.is_empty() => {}
                None => self.queue.push_back((due, part.to_vec())),
                Some(gap) => {
                    for byte in part {
                        self.queue.push_back((due, vec![*byte]));
                        due += gap;
                    }
                }
            }
            from = next;
        }
        self.pump().await
    }

    /// Writes what is due.
    async fn pump(&mut self) -> io::Result<()> {
        while self.queue.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            let Some((_, part)) = self.queue.pop_front() else { break };
            self.write(&part).await?;
        }
        Ok(())
    }

    /// Writes all, each in its time.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some((due, part)) = self.queue.pop_front() {
            sleep_until(due).await;
            self.write(&part).await?;
        }
        Ok(())
    }

    async fn write(&mut self, part: &[u8]) -> io::Result<()> {
        let all = async {
            self.wire.write_all(part).await?;
            self.wire.flush().await
        };
        timeout(WRITE, all).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
