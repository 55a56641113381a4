//! A text as the messages that carry it: alphabet, parts, the header that joins them again.

use crate::delivery::DeliveryId;
use crate::error::{ErrorKind, SendError};
use crate::message::{Body, Message};
use crate::platform::Sms;
use crate::sms::alphabet::{gsm7, ucs2};
use crate::sms::segments::{Counting, Encoding, Reference, split};

use super::settings::{Coding, Long, Settings};

/// esm_class of a part that begins with a user data header (section 5.2.12).
const WITH_HEADER: u8 = 0x40;
/// What an 8-bit alphabet has room for (3GPP TS 23.040 section 9.2.3.24): alone, and in each of several parts.
const OCTETS: (usize, usize) = (140, 134);
/// Longest message_payload that is certain to pass: the answer to a longer one depends on the service.
const LONGEST_PAYLOAD: usize = 64_000;

/// One message to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub esm_class: u8,
    pub data_coding: u8,
    pub message: Vec<u8>,
    pub payload: bool,
}

/// The content as text; a tree means nothing here.
pub(super) fn text(message: &Message) -> Result<&str, SendError> {
    let wrong = |what: &str| SendError::new(ErrorKind::BadMessage, what);
    if let Body::Native(_) = message.body {
        return Err(wrong("a short message is text: give the template an sms.txt"));
    }
    let text = message.body.text().unwrap_or_default().trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err(wrong("the text is empty"));
    }
    if !message.attachments.is_empty() {
        return Err(wrong("a short message carries no files"));
    }
    Ok(text)
}

/// The parts of a text, at least one, at most 255.
pub(super) fn parts(text: &str, settings: &Settings, id: &DeliveryId) -> Result<Vec<Part>, SendError> {
    let wrong = |what: String| SendError::new(ErrorKind::BadMessage, what);
    let outside = |name: &str| wrong(format!("the text has characters that {name} cannot carry: use data_coding: auto"));
    let counting = Counting::Reference8;
    let (data_coding, pieces): (u8, Vec<Vec<u8>>) = match settings.coding {
        Coding::Auto if counting.encoding(text) == Encoding::Ucs2 => (8, wide(text)),
        Coding::Ucs2 => (8, wide(text)),
        Coding::Auto | Coding::Gsm7 => {
            let pieces: Option<Vec<Vec<u8>>> = match counting.encoding(text) {
                Encoding::Gsm7 => split(text, counting).into_iter().map(gsm7).collect(),
                Encoding::Ucs2 => None,
            };
            (0, pieces.ok_or_else(|| outside("GSM 7-bit"))?)
        }
        Coding::Ia5 if text.is_ascii() => (1, octets(text.as_bytes(), (160, 153))),
        Coding::Ia5 => return Err(outside("IA5")),
        Coding::Latin1 => {
            let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
            (3, octets(&bytes.ok_or_else(|| outside("Latin-1"))?, OCTETS))
        }
    };
    let total = pieces.len();
    if total == 1 || settings.long == Long::Payload {
        let message = pieces.concat();
        if message.len() > LONGEST_PAYLOAD {
            return Err(wrong(format!("the text has {} octets, more than one message carries", message.len())));
        }
        return Ok(vec![Part { esm_class: 0, data_coding, message, payload: total > 1 }]);
    }
    let Ok(count) = u8::try_from(total) else {
        return Err(wrong(format!("the text needs {total} parts, and 255 is the most")));
    };
    let reference = Reference::Eight(reference(id));
    let part = |(index, piece): (u8, &Vec<u8>)| {
        let mut message = reference.header(index, count);
        message.extend_from_slice(piece);
        Part { esm_class: WITH_HEADER, data_coding, message, payload: false }
    };
    Ok((1..=count).zip(&pieces).map(part).collect())
}

/// What the text is charged as: a payload is parted by the service.
pub(super) fn charged(message: &Message, settings: &Settings) -> Sms {
    let Ok(text) = text(message) else { return Sms::Unknown };
    let alphabet = match settings.coding {
        Coding::Auto if Counting::Reference8.encoding(text) == Encoding::Ucs2 => "ucs2",
        Coding::Ucs2 => "ucs2",
        Coding::Auto | Coding::Gsm7 => "gsm7",
        Coding::Ia5 => "ia5",
        Coding::Latin1 => "latin1",
    };
    let parts = match alphabet {
        "ucs2" => wide(text).len(),
        "gsm7" => split(text, Counting::Reference8).len(),
        "ia5" => octets(text.as_bytes(), (160, 153)).len(),
        // One octet a letter; what has others was refused before.
        _ => octets(&vec![0; text.chars().count()], OCTETS).len(),
    };
    Sms::Parts { alphabet, parts }
}

/// What tells the parts of one message from those of the next: the same at every try of the same delivery.
fn reference(id: &DeliveryId) -> u8 {
    id.as_str().bytes().fold(0u8, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte))
}

/// UCS-2, parted so that no pair of surrogates is torn.
fn wide(text: &str) -> Vec<Vec<u8>> {
    let (single, each) = Counting::Reference8.limits(Encoding::Ucs2);
    if text.encode_utf16().count() <= single {
        return vec![ucs2(text)];
    }
    let (mut pieces, mut units) = (vec![Vec::new()], 0);
    for letter in text.chars() {
        if units + letter.len_utf16() > each {
            pieces.push(Vec::new());
            units = 0;
        }
        units += letter.len_utf16();
        if let Some(last) = pieces.last_mut() {
            last.extend(ucs2(letter.encode_utf8(&mut [0; 4])));
        }
    }
    pieces
}

fn octets(bytes: &[u8], (single, each): (usize, usize)) -> Vec<Vec<u8>> {
    if bytes.len() <= single { vec![bytes.to_vec()] } else { bytes.chunks(each).map(<[u8]>::to_vec).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(coding: Coding, long: Long) -> Settings {
        Settings { coding, long, ..super::super::settings::tests::settings("{ url: 'smpp://127.0.0.1' }").unwrap() }
    }

    fn made(text: &str, coding: Coding, long: Long) -> Result<Vec<(u8, u8, usize, bool)>, SendError> {
        let id = DeliveryId::derive("l", "k", "a");
        let parts = parts(text, &settings(coding, long), &id)?;
        Ok(parts.iter().map(|part| (part.esm_class, part.data_coding, part.message.len(), part.payload)).collect())
    }

    #[test]
    fn the_alphabet_and_the_parts() {
        use Coding::{Auto, Gsm7, Ia5, Latin1, Ucs2};
        let a = |count| "a".repeat(count);
        for (text, coding, expected) in [
            (a(160), Auto, vec![(0, 0, 160, false)]),
            (a(161), Auto, vec![(0x40, 0, 159, false), (0x40, 0, 14, false)]),
            ("€".to_owned(), Auto, vec![(0, 0, 2, false)]),
            ("你".repeat(70), Auto, vec![(0, 8, 140, false)]),
            ("你".repeat(71), Auto, vec![(0x40, 8, 140, false), (0x40, 8, 14, false)]),
            (a(71), Ucs2, vec![(0x40, 8, 140, false), (0x40, 8, 14, false)]),
            (format!("{}😀{}", "你".repeat(66), "你".repeat(4)), Ucs2, vec![(0x40, 8, 138, false), (0x40, 8, 18, false)]),
            (a(141), Latin1, vec![(0x40, 3, 140, false), (0x40, 3, 13, false)]),
            ("é".to_owned(), Latin1, vec![(0, 3, 1, false)]),
            (a(160), Ia5, vec![(0, 1, 160, false)]),
            (a(5), Gsm7, vec![(0, 0, 5, false)]),
        ] {
            assert_eq!(made(&text, coding, Long::Udh).unwrap(), expected, "{text}");
        }
        assert_eq!(made(&a(161), Auto, Long::Payload).unwrap(), [(0, 0, 161, true)]);
        assert_eq!(made(&a(160), Auto, Long::Payload).unwrap(), [(0, 0, 160, false)]);
        for (text, coding) in
            [("你".to_owned(), Gsm7), ("é".to_owned(), Ia5), ("你".to_owned(), Latin1), (a(153 * 255 + 1), Auto)]
        {
            assert_eq!(made(&text, coding, Long::Udh).unwrap_err().kind, ErrorKind::BadMessage);
        }
    }

    #[test]
    fn every_part_names_its_place_under_one_reference() {
        let id = DeliveryId::derive("l", "k", "a");
        let made = parts(&"a".repeat(400), &settings(Coding::Auto, Long::Udh), &id).unwrap();
        let heads: Vec<&[u8]> = made.iter().map(|part| &part.message[..6]).collect();
        let reference = reference(&id);
        assert_eq!(heads, [[5, 0, 3, reference, 3, 1], [5, 0, 3, reference, 3, 2], [5, 0, 3, reference, 3, 3]]);
    }
}
