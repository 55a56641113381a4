//! What the status of an answer means: one table from SMPP's codes to an `ErrorKind` (section 5.1.3).

use crate::error::{ErrorKind, SendError};

use ErrorKind::{BadAddress, BadMessage, Misconfigured, Throttled, Unauthorized, Unavailable};

/// From and to, kind, and what it says in words.
const TABLE: &[(u32, u32, ErrorKind, &str)] = &[
    (0x58, 0x58, Throttled, "the service asks for less speed"),
    (0x14, 0x14, Throttled, "the service's queue is full"),
    (0x08, 0x08, Unavailable, "the service has an error of its own"),
    (0x45, 0x45, Unavailable, "the message could not be submitted"),
    (0x64, 0x64, Unavailable, "the service cannot take it now"),
    (0xff, 0xff, Unavailable, "the service names no reason"),
    (0x04, 0x04, Unavailable, "the session is not in the state for it"),
    (0x0a, 0x0a, BadMessage, "the sender's address is refused"),
    (0x0b, 0x0b, BadAddress, "the number is refused"),
    (0x48, 0x49, BadMessage, "the sender's type of number is refused"),
    (0x50, 0x51, BadAddress, "the number's type is refused"),
    (0x65, 0x66, BadMessage, "the message is refused"),
    (0x05, 0x05, Unauthorized, "the system_id is bound already, as often as it may be"),
    (0x0d, 0x0d, Unauthorized, "the bind is refused"),
    (0x0e, 0x0e, Unauthorized, "the password is refused"),
    (0x0f, 0x0f, Unauthorized, "the system_id is refused"),
    (0x01, 0x01, Misconfigured, "the length of the message is refused"),
    (0x02, 0x03, Misconfigured, "the service does not know the command"),
    (0x06, 0x07, Misconfigured, "a flag is refused (priority, registered delivery)"),
    (0x15, 0x15, Misconfigured, "the service type is refused"),
    (0x43, 0x43, Misconfigured, "the esm_class is refused"),
    (0x53, 0x53, Misconfigured, "the system_type is refused"),
    (0x61, 0x62, Misconfigured, "the time is refused (schedule, validity)"),
    (0xc0, 0xc4, Misconfigured, "an optional parameter is refused"),
];

/// The refusal that a status other than 0 means. What no table has was refused all the same: it is tried again a few times, and told
/// with its code.
pub(super) fn refusal(status: u32) -> SendError {
    let row = TABLE.iter().find(|(from, to, _, _)| (*from..=*to).contains(&status));
    let (kind, words) =
        row.map_or((Unavailable, "refused with a status of the service's own"), |(_, _, kind, words)| (*kind, *words));
    SendError::new(kind, words).with_code(format!("0x{status:02x}"))
}

/// The verdict on a delivery of which `accepted` of `total` parts are out: it must not be sent again without a person's word.
pub(super) fn torn(accepted: usize, total: usize, error: SendError) -> SendError {
    if accepted == 0 {
        return error;
    }
    let kind = match error.kind {
        kind @ (BadAddress | BadMessage) => kind,
        _ => ErrorKind::InDoubt,
    };
    let next = accepted + 1;
    let detail = format!("{accepted} of {total} parts went out, part {next} did not: {}", error.detail);
    SendError { kind, detail, retry_after: None, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        for (kind, codes) in [
            (Throttled, vec![0x58, 0x14]),
            (Unavailable, vec![0x08, 0x64, 0xff, 0x45, 0x67, 0x400, 0x40a]),
            (BadMessage, vec![0x0a, 0x48, 0x49, 0x65, 0x66]),
            (BadAddress, vec![0x0b, 0x50, 0x51]),
            (Unauthorized, vec![0x05, 0x0d, 0x0e, 0x0f]),
            (Misconfigured, vec![1, 2, 3, 6, 7, 0x15, 0x43, 0x53, 0x61, 0x62, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4]),
        ] {
            for code in codes {
                assert_eq!(refusal(code).kind, kind, "{code:#x}");
            }
        }
        assert_eq!(refusal(0x58).code.as_deref(), Some("0x58"));
    }

    #[test]
    fn half_a_message_is_never_a_matter_of_another_try() {
        assert_eq!(torn(0, 3, refusal(0x58)), refusal(0x58));
        let error = torn(2, 3, refusal(0x58));
        assert_eq!(error.kind, ErrorKind::InDoubt);
        assert!(error.detail.starts_with("2 of 3 parts went out, part 3 did not: "), "{error}");
        assert_eq!(torn(1, 2, refusal(0x0b)).kind, BadAddress);
    }
}
