//! What arrived and what became of it, in numbers: printed at the end and told at `GET /_sink/counts`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Numbers since the start (or the last reset). A fault's message counts by what really became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Connections accepted, refused ones included.
    pub connections: u64,
    /// TLS handshakes that went through.
    pub tls: u64,
    /// TLS handshakes that did not.
    pub tls_failed: u64,
    /// AUTH that succeeded.
    pub auth: u64,
    /// AUTH that was refused.
    pub auth_failed: u64,
    /// SMTP commands.
    pub commands: u64,
    /// Messages taken, whether or not the client was told.
    pub messages: u64,
    /// Recipients of the messages taken.
    pub recipients: u64,
    /// Requests received, taken or not; those for the sink itself (`/_sink/…`) do not count.
    pub requests: u64,
    /// The most requests that were inside at once; 0 where none takes any time.
    pub most_at_once: u64,
    /// Requests taken, whether or not the client was told.
    pub requests_taken: u64,
    /// Messages and requests taken whose right answer never left: what a client must call in doubt.
    pub taken_untold: u64,
    /// Messages of which the connection's end cut off a part: not taken.
    pub unfinished: u64,
    /// SMTP replies of 4xx and 5xx, by code.
    pub refused: BTreeMap<u16, u64>,
    /// HTTP answers that left, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Faults that struck, by name.
    pub faults: BTreeMap<String, u64>,
    /// Writes of replies: with pipelining, one for everything that had arrived.
    pub round_trips: u64,
    /// Bytes read, after TLS.
    pub bytes_in: u64,
    /// Bytes of replies.
    pub bytes_out: u64,
    /// Bytes of the messages and bodies taken.
    pub bytes_taken: u64,
    /// Messages with a bare CR or LF in their content: what SMTP smuggling is made of. 0 for a right client.
    pub smuggling: u64,
    /// Messages with a line above 998 bytes (RFC 5322 2.1.1).
    pub long_lines: u64,
    /// Messages with bytes above 127 that did not say BODY=8BITMIME.
    pub undeclared_8bit: u64,
    /// Messages with a NUL.
    pub nul: u64,
    /// Input that came before the sink had said the client may go on (RFC 2920 3.1; before the banner; in clear after STARTTLS).
    pub out_of_turn: u64,
}

impl Counts {
    /// Adds the numbers of `other`.
    pub fn merge(&mut self, other: &Counts) {
        for (mine, theirs) in [
            (&mut self.connections, other.connections),
            (&mut self.tls, other.tls),
            (&mut self.tls_failed, other.tls_failed),
            (&mut self.auth, other.auth),
            (&mut self.auth_failed, other.auth_failed),
            (&mut self.commands, other.commands),
            (&mut self.messages, other.messages),
            (&mut self.recipients, other.recipients),
            (&mut self.requests, other.requests),
            (&mut self.requests_taken, other.requests_taken),
            (&mut self.taken_untold, other.taken_untold),
            (&mut self.unfinished, other.unfinished),
            (&mut self.round_trips, other.round_trips),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.bytes_out, other.bytes_out),
            (&mut self.bytes_taken, other.bytes_taken),
            (&mut self.smuggling, other.smuggling),
            (&mut self.long_lines, other.long_lines),
            (&mut self.undeclared_8bit, other.undeclared_8bit),
            (&mut self.nul, other.nul),
            (&mut self.out_of_turn, other.out_of_turn),
        ] {
            *mine += theirs;
        }
        for (code, count) in &other.refused {
            *self.refused.entry(*code).or_default() += count;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (name, count) in &other.faults {
            match self.faults.get_mut(name) {
                Some(mine) => *mine += count,
                None => {
                    self.faults.insert(name.clone(), *count);
                }
            }
        }
    }
}
