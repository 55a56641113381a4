//! Deliveries over an open session: MAIL, RCPT, DATA, the message, and which reply belongs to which.
//!
//! With PIPELINING (RFC 2920) MAIL, RCPT and DATA are one write, and the head of the next delivery goes out behind the body before it:
//! one round trip a message. Without it, or where a delivery has further recipients, each command waits for its reply. At any moment at
//! most one message has its dot on the wire and no reply: that one is in doubt if the session ends. A head alone was never sent.

use std::time::Duration;

use tokio::time::sleep;

use crate::error::{ErrorKind, SendError};

use super::conversation::{Conversation, POLITE, Trouble};
use super::queue::{Job, Letter, Queue};
use super::reply::Reply;
use super::verdict::{self, Phase};

/// A body is handed to the kernel in pieces of about this size, each under its own deadline.
const PIECE: usize = 128 << 10;

/// Why a session carries no more deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing came for as long as `idle` says, or the account closes.
    Idle,
    /// It has carried `messages_per_connection`.
    Full,
    /// It can no longer be trusted, or the server has left.
    Broken,
}

/// What became of a head.
enum Head {
    /// 354: the message may follow.
    Go,
    /// Refused, and the server waits for commands.
    Refused(SendError),
    /// Refused, yet the server waits for a message: only a lone dot ends that.
    Open(SendError),
    /// The session ends with this refusal (421), or must.
    Last { error: SendError, answered: bool },
}

impl Conversation {
    /// Carries deliveries of the queue until the session ends. Every job that it takes gets a verdict or goes back to the queue.
    pub(super) async fn serve(&mut self, queue: &Queue) -> End {
        // The next job, and whether its head is on the wire already.
        let mut ahead: Option<(Job, bool)> = None;
        loop {
            let (mut job, on_wire) = match ahead.take() {
                Some(next) => next,
                None => match self.wait_for_job(queue).await {
                    Ok(job) => (job, false),
                    Err(end) => return end,
                },
            };
            if !on_wire {
                if let Some(error) = self.cannot_take(&job.letter) {
                    job.finish(Err(error));
                    continue;
                }
                self.served += 1;
                // What was said unasked would be taken for the answer to what comes next.
                if let Some(error) = self.early_word(Phase::Mail) {
                    self.unsent(job, error, false, queue);
                    return End::Broken;
                }
            }
            let head = match (on_wire, self.pipelines(&job.letter)) {
                (true, _) => self.read_head().await,
                (false, true) => self.send_head(&job).await,
                (false, false) => self.step_by_step(&mut job).await,
            };
            let sent = match head {
                Head::Go => self.send_message(job, queue).await,
                Head::Open(error) => {
                    job.finish(Err(error));
                    self.send_lone_dot(queue).await
                }
                Head::Refused(error) => {
                    job.finish(Err(error));
                    continue;
                }
                Head::Last { error, answered } => {
                    self.unsent(job, error, answered, queue);
                    return End::Broken;
                }
            };
            match sent {
                Ok(next) => ahead = next,
                Err(end) => return end,
            }
        }
    }

    async fn wait_for_job(&mut self, queue: &Queue) -> Result<Job, End> {
        if self.served >= self.most() {
            return Err(End::Full);
        }
        if let Some(job) = queue.try_take() {
            return Ok(job);
        }
        let idle = self.settings.idle;
        tokio::select! {
            biased;
            job = queue.take() => job.ok_or(End::Idle),
            // A server that speaks now says 421 or has closed: nothing is lost, and the session is over.
            () = self.disturbed() => Err(End::Broken),
            () = sleep(idle) => Err(End::Idle),
        }
    }

    fn most(&self) -> usize {
        self.extensions.mail_max.unwrap_or(usize::MAX).min(self.settings.messages_per_connection)
    }

    /// What is known before a byte is sent.
    fn cannot_take(&self, letter: &Letter) -> Option<SendError> {
        if letter.utf8 && !self.extensions.smtputf8 {
            let what = "the address needs SMTPUTF8, which the server does not offer";
            return Some(SendError::new(ErrorKind::BadAddress, what));
        }
        match self.extensions.size {
            Some(most) if letter.content.len() as u64 > most => Some(SendError::new(
                ErrorKind::BadMessage,
                format!("the message has {} bytes, and the server takes {most}", letter.content.len()),
            )),
            _ => None,
        }
    }

    /// A group may hold DATA only where a refused recipient leaves none: with others left, DATA would send to them alone.
    fn pipelines(&self, letter: &Letter) -> bool {
        self.extensions.pipelining && letter.extra.is_empty()
    }

    fn write_mail(&mut self, letter: &Letter) {
        self.out.extend_from_slice(b"MAIL FROM:<");
        self.out.extend_from_slice(letter.sender.wire.as_bytes());
        self.out.push(b'>');
        if self.extensions.size.is_some() {
            self.out.extend_from_slice(format!(" SIZE={}", letter.content.len()).as_bytes());
        }
        if letter.utf8 {
            self.out.extend_from_slice(b" SMTPUTF8");
        }
        self.out.extend_from_slice(b"\r\n");
    }

    fn write_rcpt(&mut self, to: &str) {
        self.out.extend_from_slice(b"RCPT TO:<");
        self.out.extend_from_slice(to.as_bytes());
        self.out.extend_from_slice(b">\r\n");
    }

    fn write_head(&mut self, letter: &Letter) {
        if self.unfinished {
            self.out.extend_from_slice(b"RSET\r\n");
        }
        self.write_mail(letter);
        self.write_rcpt(&letter.to.wire);
        self.out.extend_from_slice(b"DATA\r\n");
    }

    async fn send_head(&mut self, job: &Job) -> Head {
        self.write_head(&job.letter);
        let wait = self.settings.timeout;
        if let Err((trouble, _)) = self.flush(wait).await {
            return self.lost(&trouble, Phase::Mail, false).await;
        }
        self.read_head().await
    }

    /// Reads the replies to a group: (RSET,) MAIL, RCPT, DATA. The first refusal is the reason; the others follow from it.
    async fn read_head(&mut self) -> Head {
        let wait = self.settings.timeout;
        let mut refused: Option<SendError> = None;
        let mut answered = false;
        let (mut mail_taken, mut rcpt_taken) = (false, false);
        if std::mem::take(&mut self.unfinished) {
            match self.reply(wait).await {
                Ok(reply) if reply.code == 421 => return Head::Last { error: verdict::refusal(Phase::Mail, &reply), answered },
                Ok(reply) if reply.class() == 3 => return Head::Last { error: out_of_step(Phase::Mail, &reply), answered },
                Ok(_) => {}
                Err(trouble) => return Head::Last { error: trouble.unsent(Phase::Mail), answered: !closed(&trouble) },
            }
        }
        for phase in [Phase::Mail, Phase::Rcpt] {
            match self.head_reply(phase, wait, answered).await {
                Ok(Ok(())) if phase == Phase::Mail => mail_taken = true,
                Ok(Ok(())) => rcpt_taken = true,
                Ok(Err(error)) => refused = refused.or(Some(error)),
                Err(last) => return last,
            }
            answered = true;
        }
        match self.reply(wait).await {
            Ok(reply) if reply.code == 354 => match refused {
                None => Head::Go,
                // MAIL refused, RCPT taken: a lone dot could deliver an empty message.
                Some(error) if rcpt_taken => Head::Last { error, answered: true },
                Some(error) => Head::Open(error),
            },
            Ok(reply) if reply.code == 421 => Head::Last { error: verdict::refusal(Phase::Data, &reply), answered },
            Ok(reply) if matches!(reply.class(), 4 | 5) => {
                self.unfinished = mail_taken;
                Head::Refused(refused.unwrap_or_else(|| verdict::refusal(Phase::Data, &reply)))
            }
            Ok(reply) => Head::Last { error: out_of_step(Phase::Data, &reply), answered },
            Err(trouble) => Head::Last { error: refused.unwrap_or_else(|| trouble.unsent(Phase::Data)), answered },
        }
    }

    /// The reply to MAIL or RCPT: taken, refused, or the end.
    async fn head_reply(&mut self, phase: Phase, wait: Duration, answered: bool) -> Result<Result<(), SendError>, Head> {
        match self.reply(wait).await {
            Ok(reply) if reply.code == 421 => Err(Head::Last { error: verdict::refusal(phase, &reply), answered }),
            Ok(reply) if reply.class() == 2 => Ok(Ok(())),
            Ok(reply) if matches!(reply.class(), 4 | 5) => Ok(Err(verdict::refusal(phase, &reply))),
            Ok(reply) => Err(Head::Last { error: out_of_step(phase, &reply), answered: true }),
            Err(trouble) => Err(Head::Last { error: trouble.unsent(phase), answered: answered || !closed(&trouble) }),
        }
    }

    /// One command, one reply: without PIPELINING, and where `_cc` or `_bcc` have to be asked about before DATA.
    async fn step_by_step(&mut self, job: &mut Job) -> Head {
        let wait = self.settings.timeout;
        if std::mem::take(&mut self.unfinished) {
            self.out.extend_from_slice(b"RSET\r\n");
            match self.step(Phase::Mail, wait.min(POLITE), false).await {
                Ok(_) => {}
                Err(last) => return last,
            }
        }
        self.write_mail(&job.letter);
        match self.step(Phase::Mail, wait, false).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Head::Refused(error),
            Err(last) => return last,
        }
        self.write_rcpt(&job.letter.to.wire);
        match self.step(Phase::Rcpt, wait, true).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.unfinished = true;
                return Head::Refused(error);
            }
            Err(last) => return last,
        }
        let mut refused = Vec::new();
        for i in 0..job.letter.extra.len() {
            let address = job.letter.extra[i].wire.clone();
            self.write_rcpt(&address);
            match self.step(Phase::Rcpt, wait, true).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    refused.push(format!("{address} was refused: {} ({})", error.detail, error.code.unwrap_or_default()))
                }
                Err(last) => return last,
            }
        }
        job.note = (!refused.is_empty()).then(|| refused.join("; "));
        self.out.extend_from_slice(b"DATA\r\n");
        if let Err((trouble, _)) = self.flush(wait).await {
            return self.lost(&trouble, Phase::Data, true).await;
        }
        match self.reply(wait).await {
            Ok(reply) if reply.code == 354 => Head::Go,
            Ok(reply) if reply.code == 421 => Head::Last { error: verdict::refusal(Phase::Data, &reply), answered: true },
            Ok(reply) if matches!(reply.class(), 4 | 5) => {
                self.unfinished = true;
                Head::Refused(verdict::refusal(Phase::Data, &reply))
            }
            Ok(reply) => Head::Last { error: out_of_step(Phase::Data, &reply), answered: true },
            Err(trouble) => Head::Last { error: trouble.unsent(Phase::Data), answered: true },
        }
    }

    async fn step(&mut self, phase: Phase, wait: Duration, answered: bool) -> Result<Result<(), SendError>, Head> {
        if let Err((trouble, _)) = self.flush(wait).await {
            return Err(self.lost(&trouble, phase, answered).await);
        }
        self.head_reply(phase, wait, answered).await
    }

    /// A write failed before anything could be taken: the server may have said why.
    async fn lost(&mut self, trouble: &Trouble, phase: Phase, answered: bool) -> Head {
        Head::Last { error: self.last_word(trouble, phase).await, answered: answered || !closed(trouble) }
    }

    async fn last_word(&mut self, trouble: &Trouble, phase: Phase) -> SendError {
        let wait = self.settings.timeout.min(Duration::from_secs(1));
        match self.reply(wait).await {
            Ok(reply) if matches!(reply.class(), 4 | 5) => verdict::refusal(phase, &reply),
            _ => trouble.unsent(phase),
        }
    }

    /// Sends the message with the head of the next one behind it, and waits for the verdict.
    async fn send_message(&mut self, mut job: Job, queue: &Queue) -> Result<Option<(Job, bool)>, End> {
        let wait = self.settings.timeout;
        let content = std::mem::take(&mut job.letter.content);
        let mut stuffed = Stuffing::default();
        for piece in content.chunks(PIECE) {
            stuffed.write(piece, &mut self.out);
            if self.out.len() >= PIECE
                && let Err((trouble, _)) = self.flush(wait).await
            {
                let error = self.last_word(&trouble, Phase::Dot).await;
                job.finish(Err(error));
                return Err(End::Broken);
            }
        }
        drop(content);
        // A verdict before the dot is no verdict on the message: taken for one, it would report as sent what was never taken.
        if let Some(error) = self.early_word(Phase::Dot) {
            job.finish(Err(error));
            return Err(End::Broken);
        }
        self.out.extend_from_slice(b".\r\n");
        let dot = self.out.len();
        let next = self.append_next(queue);
        // From here on a task that is aborted leaves the message in doubt.
        job.dotted = true;
        let written = self.flush(wait).await;
        if let Err((trouble, sent)) = &written
            && *sent < dot
        {
            job.dotted = false;
            let error = self.last_word(trouble, Phase::Dot).await;
            job.finish(Err(error));
            self.give_back(next, &trouble.unsent(Phase::Mail), queue);
            return Err(End::Broken);
        }
        let answer = self.reply(self.settings.final_timeout).await;
        let (verdict, healthy) = match &answer {
            Ok(reply) => {
                let verdict = verdict::of_final(reply, job.note.take());
                let trusted = reply.code != 421 && !verdict.as_ref().is_err_and(|error| error.kind == ErrorKind::InDoubt);
                (verdict, trusted && written.is_ok())
            }
            Err(trouble) => (Err(trouble.in_doubt()), false),
        };
        let told = match &verdict {
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        job.finish(verdict);
        if healthy {
            return Ok(next);
        }
        let error = match (answer, told) {
            // The server's own words are about this session, not about that delivery.
            (Ok(reply), Some(error)) if reply.code == 421 => error,
            (Err(trouble), _) => trouble.unsent(Phase::Mail),
            _ => SendError::new(ErrorKind::Unreachable, "the connection was given up before the message was sent"),
        };
        self.give_back(next, &error, queue);
        Err(End::Broken)
    }

    /// Ends the message that the server asked for though its recipient was refused.
    async fn send_lone_dot(&mut self, queue: &Queue) -> Result<Option<(Job, bool)>, End> {
        self.out.extend_from_slice(b".\r\n");
        let next = self.append_next(queue);
        let wait = self.settings.timeout;
        let trouble = match self.flush(wait).await {
            Err((trouble, _)) => trouble,
            Ok(()) => match self.reply(wait).await {
                // Whatever it says is about a message without a recipient.
                Ok(reply) if reply.code != 421 && reply.class() != 3 => return Ok(next),
                Ok(reply) => Trouble::Lost(format!("the server answered {}", reply.code)),
                Err(trouble) => trouble,
            },
        };
        self.give_back(next, &trouble.unsent(Phase::Mail), queue);
        Err(End::Broken)
    }

    /// Takes a job that waits already and appends its head, where groups are understood.
    fn append_next(&mut self, queue: &Queue) -> Option<(Job, bool)> {
        while self.extensions.pipelining && self.served < self.most() {
            let job = queue.try_take()?;
            if let Some(error) = self.cannot_take(&job.letter) {
                job.finish(Err(error));
                continue;
            }
            if !self.pipelines(&job.letter) {
                return Some((job, false));
            }
            self.served += 1;
            self.write_head(&job.letter);
            return Some((job, true));
        }
        None
    }

    fn give_back(&self, next: Option<(Job, bool)>, error: &SendError, queue: &Queue) {
        if let Some((job, _)) = next {
            self.unsent(job, error.clone(), false, queue);
        }
    }

    /// A delivery whose session ended before its dot. A session that had carried others and answered nothing to this one was closing
    /// already: that costs the row nothing, it goes to another session. However often: every such session has settled another delivery,
    /// and a server that takes one message a connection would else use up the retries of rows that it never looked at.
    fn unsent(&self, job: Job, error: SendError, answered: bool, queue: &Queue) {
        if !answered && self.served > 1 {
            queue.put_back(job);
        } else {
            job.finish(Err(error));
        }
    }
}

/// The server ended the connection, rather than falling silent or speaking nonsense.
fn closed(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Lost(_))
}

fn out_of_step(phase: Phase, reply: &Reply) -> SendError {
    SendError::new(ErrorKind::Unavailable, format!("the server answered {} to {}", reply.code, phase.name()))
        .with_code(reply.shown_code())
}

/// Dot-stuffing (RFC 5321 §4.5.2) across pieces. The content's lines end with CRLF, so a dot after LF begins a line.
struct Stuffing {
    line_start: bool,
}

impl Default for Stuffing {
    fn default() -> Self {
        Stuffing { line_start: true }
    }
}

impl Stuffing {
    fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len() + 64);
        if self.line_start && piece.first() == Some(&b'.') {
            out.push(b'.');
        }
        let mut copied = 0;
        for at in memchr::memmem::find_iter(piece, b"\n.") {
            out.extend_from_slice(&piece[copied..=at]);
            out.push(b'.');
            copied = at + 1;
        }
        out.extend_from_slice(&piece[copied..]);
        if let Some(last) = piece.last() {
            self.line_start = *last == b'\n';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stuffed_wherever_pieces_are_cut() {
        let content = b".a\r\n..b\r\nc.\r\n.\r\nd\r\n";
        for size in 1..content.len() {
            let (mut stuffing, mut out) = (Stuffing::default(), Vec::new());
            for piece in content.chunks(size) {
                stuffing.write(piece, &mut out);
            }
            assert_eq!(out, b"..a\r\n...b\r\nc.\r\n..\r\nd\r\n", "{size}");
        }
    }
}
