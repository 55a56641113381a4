//! Protocol data units of SMPP 3.4 as bytes: what we write, and what we read of what the other side writes.
//!
//! Reading is forgiving where that costs one answer instead of the connection: a body that breaks its rules gives what could be read of
//! it. Only a length that cannot be true ends a session, since nothing after it can be trusted.

/// Longest unit that is read; the largest legal one is a message_payload of 64 KB with its neighbours.
pub(super) const LONGEST: usize = 70_000;
/// A header: length, command, status, sequence number.
pub(super) const HEADER: usize = 16;

/// Command ids (section 5.1.2.1). An answer has the highest bit set.
pub(super) mod command {
    pub(in super::super) const GENERIC_NACK: u32 = 0x8000_0000;
    pub(in super::super) const SUBMIT_SM: u32 = 0x04;
    pub(in super::super) const DELIVER_SM: u32 = 0x05;
    pub(in super::super) const UNBIND: u32 = 0x06;
    pub(in super::super) const BIND_TRANSCEIVER: u32 = 0x09;
    pub(in super::super) const ENQUIRE_LINK: u32 = 0x15;
    pub(in super::super) const ALERT_NOTIFICATION: u32 = 0x102;
    pub(in super::super) const DATA_SM: u32 = 0x103;
    /// Added to a request's id it is that of the answer.
    pub(in super::super) const ANSWER: u32 = 0x8000_0000;
}

/// Optional parameters (section 5.3.2).
const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
const MESSAGE_PAYLOAD: u16 = 0x0424;
const MESSAGE_STATE: u16 = 0x0427;

/// An address with its type of number and numbering plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Party {
    pub ton: u8,
    pub npi: u8,
    pub address: String,
}

/// One short message, or one part of a long one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Submit {
    pub source: Party,
    pub destination: Party,
    /// 0x40: the message begins with a user data header.
    pub esm_class: u8,
    /// Relative time (section 7.1.1), or empty.
    pub validity: String,
    /// A delivery receipt is wanted.
    pub receipt: bool,
    pub data_coding: u8,
    /// At most 254 octets, unless it goes as a payload.
    pub message: Vec<u8>,
    /// The message goes as message_payload.
    pub payload: bool,
}

/// What opens a session.
pub(super) struct Bind<'a> {
    pub system_id: &'a str,
    pub password: &'a str,
    pub system_type: &'a str,
}

fn unit(into: &mut Vec<u8>, command: u32, status: u32, sequence: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    for word in [0, command, status, sequence] {
        into.extend_from_slice(&word.to_be_bytes());
    }
    body(into);
    let length = u32::try_from(into.len() - start).unwrap_or(u32::MAX);
    into[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A text that ends with a NUL; one inside would end it early, so it is left out.
fn text(into: &mut Vec<u8>, text: &str) {
    into.extend(text.bytes().filter(|byte| *byte != 0));
    into.push(0);
}

/// Appends bind_transceiver (section 4.1.5), version 3.4.
pub(super) fn bind(into: &mut Vec<u8>, sequence: u32, bind: &Bind<'_>) {
    unit(into, command::BIND_TRANSCEIVER, 0, sequence, |body| {
        for word in [bind.system_id, bind.password, bind.system_type] {
            text(body, word);
        }
        // Version, and no range of addresses: whatever the account serves.
        body.extend_from_slice(&[0x34, 0, 0, 0]);
    });
}

/// Appends submit_sm (section 4.4.1).
pub(super) fn submit(into: &mut Vec<u8>, sequence: u32, submit: &Submit) {
    unit(into, command::SUBMIT_SM, 0, sequence, |body| {
        text(body, "");
        for party in [&submit.source, &submit.destination] {
            body.extend_from_slice(&[party.ton, party.npi]);
            text(body, &party.address);
        }
        // Class; no protocol of its own, no priority, no schedule.
        body.extend_from_slice(&[submit.esm_class, 0, 0, 0]);
        text(body, &submit.validity);
        body.extend_from_slice(&[u8::from(submit.receipt), 0, submit.data_coding, 0]);
        match (submit.payload, u8::try_from(submit.message.len())) {
            (false, Ok(length)) => {
                body.push(length);
                body.extend_from_slice(&submit.message);
            }
            _ => {
                body.push(0);
                body.extend_from_slice(&MESSAGE_PAYLOAD.to_be_bytes());
                let length = u16::try_from(submit.message.len()).unwrap_or(u16::MAX);
                body.extend_from_slice(&length.to_be_bytes());
                body.extend_from_slice(&submit.message[..usize::from(length)]);
            }
        }
    });
}

/// Appends a unit that is nothing but its header: enquire_link, unbind, and the answers to them.
pub(super) fn bare(into: &mut Vec<u8>, command: u32, status: u32, sequence: u32) {
    unit(into, command, status, sequence, |_| {});
}

/// Appends the answer to deliver_sm or data_sm: their message_id is unused and empty.
pub(super) fn taken(into: &mut Vec<u8>, command: u32, sequence: u32) {
    unit(into, command | command::ANSWER, 0, sequence, |body| body.push(0));
}

/// A unit that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub command: u32,
    pub status: u32,
    pub sequence: u32,
    pub body: Vec<u8>,
}

/// The length of a unit cannot be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub u32);

impl Unit {
    /// Takes the next whole unit off the front of what was read; `None` while more is needed.
    pub(super) fn take(from: &mut Vec<u8>) -> Result<Option<Unit>, Malformed> {
        let Some(length) = word(from, 0) else { return Ok(None) };
        let whole = usize::try_from(length).unwrap_or(usize::MAX);
        if !(HEADER..=LONGEST).contains(&whole) {
            return Err(Malformed(length));
        }
        let (Some(command), Some(status), Some(sequence)) = (word(from, 4), word(from, 8), word(from, 12)) else {
            return Ok(None);
        };
        if from.len() < whole {
            return Ok(None);
        }
        let body = from[HEADER..whole].to_vec();
        from.drain(..whole);
        Ok(Some(Unit { command, status, sequence, body }))
    }

    /// The text that the body begins with: system_id of a bind's answer, message_id of a submit's. `None` where it is empty.
    pub(super) fn first_text(&self) -> Option<String> {
        let end = self.body.iter().position(|byte| *byte == 0).unwrap_or(self.body.len());
        let text: String = String::from_utf8_lossy(&self.body[..end]).chars().filter(|c| !c.is_control()).take(100).collect();
        (!text.is_empty()).then_some(text)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A message that the other side brought: a receipt, or something that somebody wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub esm_class: u8,
    pub message: Vec<u8>,
    /// receipted_message_id.
    pub receipted: Option<String>,
    /// message_state.
    pub state: Option<u8>,
}

impl Brought {
    /// Reads the body of deliver_sm (section 4.6.1) as far as it goes.
    pub(super) fn read(body: &[u8]) -> Brought {
        let mut brought = Brought::default();
        let mut rest = Rest(body);
        let _ = rest.brought(&mut brought);
        brought
    }
}

/// What is still to be read; every step is `None` past the end.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|byte| byte[0])
    }

    fn pair(&mut self) -> Option<u16> {
        self.bytes(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }

    fn brought(&mut self, into: &mut Brought) -> Option<()> {
        self.text()?;
        for _ in 0..2 {
            self.bytes(2)?;
            self.text()?;
        }
        into.esm_class = self.byte()?;
        self.bytes(2)?;
        self.text()?;
        self.text()?;
        self.bytes(4)?;
        let length = self.byte()?;
        into.message = self.bytes(usize::from(length))?.to_vec();
        while !self.0.is_empty() {
            let (tag, length) = (self.pair()?, self.pair()?);
            let value = self.bytes(usize::from(length))?;
            match tag {
                RECEIPTED_MESSAGE_ID => {
                    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                    into.receipted = Some(String::from_utf8_lossy(&value[..end]).into_owned());
                }
                MESSAGE_STATE => into.state = value.first().copied(),
                MESSAGE_PAYLOAD if into.message.is_empty() => into.message = value.to_vec(),
                _ => {}
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn to_china(message: &[u8]) -> Submit {
        Submit {
            source: Party { ton: 5, npi: 0, address: "NOTIFY".into() },
            destination: Party { ton: 1, npi: 1, address: "8613900001234".into() },
            message: message.to_vec(),
            ..Submit::default()
        }
    }

    #[test]
    fn vectors() {
        let mut out = Vec::new();
        bind(&mut out, 1, &Bind { system_id: "smppclient1", password: "password", system_type: "" });
        assert_eq!(hex(&out), "0000002a000000090000000000000001736d7070636c69656e74310070617373776f7264000034000000");
        out.clear();
        submit(&mut out, 2, &Submit { receipt: true, ..to_china(b"Hello") });
        assert_eq!(
            hex(&out),
            "000000390000000400000000000000020005004e4f5449465900010138363133393030303031323334000000000000010000000548656c6c6f"
        );
        out.clear();
        let part = [5, 0, 3, 0x2a, 2, 1, 0x4f, 0x60, 0x59, 0x7d];
        submit(&mut out, 3, &Submit { esm_class: 0x40, data_coding: 8, receipt: true, ..to_china(&part) });
        assert_eq!(
            hex(&out),
            "0000003e0000000400000000000000030005004e4f5449465900010138363133393030303031323334004000000000010008000a0500032a02014f60597d"
        );
        out.clear();
        bare(&mut out, command::ENQUIRE_LINK, 0, 4);
        bare(&mut out, command::ENQUIRE_LINK | command::ANSWER, 0, 4);
        assert_eq!(hex(&out), "0000001000000015000000000000000400000010800000150000000000000004");
        let mut read = unhex("00000010800000040000005800000002");
        let resp = Unit::take(&mut read).unwrap().unwrap();
        assert_eq!((resp.command, resp.status, resp.sequence, resp.first_text()), (0x8000_0004, 0x58, 2, None));
    }

    #[test]
    fn a_long_text_goes_as_payload() {
        let mut out = Vec::new();
        submit(&mut out, 1, &Submit { payload: true, ..to_china(&[b'a'; 300]) });
        let tail = &out[out.len() - 305..];
        assert_eq!(tail[..5], [0, 0x04, 0x24, 0x01, 0x2c]);
        assert_eq!(out.len() as u32, u32::from_be_bytes(out[..4].try_into().unwrap()));
    }

    #[test]
    fn a_receipt_is_read_and_what_breaks_off_gives_what_there_is() {
        let mut body = vec![0, 1, 1];
        body.extend_from_slice(b"8613900001234\0\0\0\0\x04\0\0\0\0\0\0\0\0");
        let text = b"id:ab12 sub:001 dlvrd:001 stat:DELIVRD err:000";
        body.push(text.len() as u8);
        body.extend_from_slice(text);
        body.extend_from_slice(&[0, 0x1e, 0, 5]);
        body.extend_from_slice(b"ab12\0");
        body.extend_from_slice(&[0x04, 0x27, 0, 1, 2]);
        let brought = Brought::read(&body);
        assert_eq!((brought.esm_class, brought.receipted.as_deref(), brought.state), (4, Some("ab12"), Some(2)));
        assert_eq!(brought.message, text);
        for end in 0..body.len() {
            let _ = Brought::read(&body[..end]);
        }
    }

    #[test]
    fn a_length_that_cannot_be_true_is_told() {
        for length in [0u32, 15, 70_001, u32::MAX] {
            let mut bytes = length.to_be_bytes().to_vec();
            assert_eq!(Unit::take(&mut bytes), Err(Malformed(length)));
        }
        // An id that is longer than the rules allow, or has no end, is still an id.
        let mut bytes = unhex("00000013800000040000000000000002616263");
        assert_eq!(Unit::take(&mut bytes).unwrap().unwrap().first_text().as_deref(), Some("abc"));
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Brought::read(&bytes);
            let mut whole = u32::try_from(bytes.len() + 4).unwrap().to_be_bytes().to_vec();
            whole.extend_from_slice(&bytes);
            while let Ok(Some(unit)) = Unit::take(&mut whole) {
                let _ = unit.first_text();
            }
        }
    }
}
