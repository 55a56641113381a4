//! The verdict about a message that is all here: taken or not, written down, told or not.

use std::time::Duration;

use crate::sink::faults::rule::{Effect, Moment};
use crate::sink::smtp::body::{Scan, unstuffed};
use crate::sink::smtp::entry::{Entry, header, sha256};
use crate::sink::smtp::session::{Mode, Smtp};
use crate::sink::turn::{Then, Turn};

impl Smtp {
    /// The verdict about a message that is all here.
    pub(super) fn settle(&mut self, raw: &[u8], scan: Scan, stuffed: bool, turn: &mut Turn) {
        self.mode = Mode::Command;
        if self.transaction.count == 0 {
            return self.refuse(turn, "554", "5.5.1 no valid recipients", raw.len());
        }
        let size = raw.len() - if stuffed { scan.stuffed } else { 0 };
        if size as u64 > self.desk.options.max_size {
            return self.refuse(turn, "552", "5.3.4 message too big", size);
        }
        let rule = self.desk.dice.strike(Moment::Dot, &self.facts(self.first_rcpt(), &self.transaction.rcpts));
        let effect = rule.as_ref().map(|rule| &rule.effect);
        let wants = match effect {
            Some(Effect::Reply { code, .. }) => (200..300).contains(code),
            Some(Effect::Cut { .. }) => false,
            _ => true,
        };
        if wants && !self.desk.take() {
            self.refuse(turn, "421", "4.3.2 the sink has what it wanted", size);
            turn.then = Then::Close;
            return;
        }
        if let Some(rule) = &rule {
            turn.struck(&rule.name);
        }
        let mut code = [0u8; 3];
        let verdict = match effect {
            Some(Effect::Reply { code: number, .. }) => {
                code.copy_from_slice(format!("{number:03}").as_bytes());
                std::str::from_utf8(&code).unwrap_or("?")
            }
            Some(Effect::Garbage) => "garbage",
            Some(Effect::Endless) => "endless",
            Some(Effect::Cut { .. } | Effect::CutTaken { .. }) => "",
            _ => "250",
        };
        let cut = match effect {
            Some(Effect::Cut { .. } | Effect::CutTaken { .. }) => Some("before_reply"),
            Some(Effect::CutAfterReply { .. }) => Some("after_reply"),
            _ => None,
        };
        if wants {
            self.count_taken(raw, scan, size, verdict != "250" || cut == Some("before_reply"), turn);
        }
        if self.desk.keeps_ledger() || self.desk.keeps_contents() {
            let fault = rule.as_ref().map(|rule| rule.name.as_str());
            self.write_down(raw, scan, stuffed, turn, |entry| Entry { taken: wants, verdict, cut, fault, ..entry });
        }
        match effect {
            None => self.say_taken(scan, Duration::ZERO, turn),
            Some(Effect::Stall(wait)) => self.say_taken(scan, *wait, turn),
            Some(Effect::Reply { code, text }) => self.say_code(turn, *code, text),
            Some(Effect::Cut { reset } | Effect::CutTaken { reset }) => turn.then = Then::Cut { reset: *reset },
            Some(Effect::CutAfterReply { reset }) => {
                self.say_taken(scan, Duration::ZERO, turn);
                turn.then = Then::Cut { reset: *reset };
            }
            Some(Effect::Garbage) => turn.replies.extend_from_slice(b"\x16\x03\x01 what?\r\n"),
            Some(Effect::Endless) => self.say_endless(turn),
            Some(_) => self.say_taken(scan, Duration::ZERO, turn),
        }
        self.transaction.clear();
    }

    fn say_taken(&mut self, scan: Scan, wait: Duration, turn: &mut Turn) {
        if scan.bare_lf + scan.bare_cr == 0 {
            self.say_after(turn, "250 2.0.0 taken\r\n", wait);
        } else {
            let told = format!("250 2.0.0 taken, with {} bare LF and {} bare CR\r\n", scan.bare_lf, scan.bare_cr);
            self.say_after(turn, &told, wait);
        }
    }

    fn count_taken(&self, raw: &[u8], scan: Scan, size: usize, untold: bool, turn: &mut Turn) {
        let counts = &mut turn.counts;
        counts.messages += 1;
        counts.recipients += self.transaction.count as u64;
        counts.bytes_taken += size as u64;
        counts.taken_untold += u64::from(untold);
        counts.smuggling += u64::from(scan.bare_lf + scan.bare_cr > 0);
        counts.long_lines += u64::from(scan.long_lines > 0);
        counts.undeclared_8bit += u64::from(!self.transaction.eight_bit && !raw.is_ascii());
        counts.nul += u64::from(memchr::memchr(0, raw).is_some());
    }

    /// Refuses a message outside of the faults, with its line in the ledger.
    pub(super) fn refuse(&mut self, turn: &mut Turn, verdict: &str, text: &str, size: usize) {
        if self.desk.keeps_ledger() {
            self.write_down(b"", Scan::default(), false, turn, |entry| Entry { verdict, size, ..entry });
        }
        self.say(turn, &format!("{verdict} {text}\r\n"));
        self.transaction.clear();
    }

    fn write_down<'a>(
        &'a self,
        raw: &[u8],
        scan: Scan,
        stuffed: bool,
        turn: &mut Turn,
        judged: impl FnOnce(Entry<'a>) -> Entry<'a>,
    ) {
        let stuffed = if stuffed { scan.stuffed } else { 0 };
        let plain = (stuffed > 0).then(|| unstuffed(raw, stuffed));
        let content = plain.as_deref().unwrap_or(raw);
        let seq = self.desk.next_seq();
        let entry = judged(Entry {
            seq,
            at_ms: self.desk.at_ms(),
            proto: "smtp",
            connection: self.number,
            helo: &self.helo,
            tls: self.tls,
            auth_user: self.user.as_deref(),
            mail_from: &self.transaction.from,
            rcpt: &self.transaction.rcpts,
            message_id: header(content, "message-id"),
            subject: header(content, "subject"),
            size: content.len(),
            sha256: self.desk.options.sha256.then(|| sha256(content)),
            taken: false,
            verdict: "",
            cut: None,
            fault: None,
            bare_lf: scan.bare_lf,
            bare_cr: scan.bare_cr,
        });
        if self.desk.keeps_contents() && entry.taken {
            turn.files.push((format!("{seq:08}.eml"), content.to_vec()));
        }
        // Strings, numbers and lists into memory: this cannot fail.
        if self.desk.keeps_ledger() && serde_json::to_writer(&mut turn.lines, &entry).is_ok() {
            turn.lines.push(b'\n');
        }
    }
}
