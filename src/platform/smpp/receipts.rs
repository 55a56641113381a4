//! Delivery receipts: which message they speak of, what became of it, and how many came.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::delivery::DeliveryId;

use super::pdu::Brought;

/// Messages that are remembered for the sake of their receipts; older ones are forgotten.
const REMEMBERED: usize = 10_000;
/// Bits of esm_class that say what a deliver_sm is (section 5.2.12), and their value for a receipt.
const KIND: u8 = 0b0011_1100;
const RECEIPT: u8 = 0b0000_0100;

/// What became of a message, in the words of the receipt's `stat` (Appendix B).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub message_id: String,
    pub state: String,
}

/// Reads a receipt; `None` for what is none.
pub(super) fn read(brought: &Brought) -> Option<Told> {
    let text = String::from_utf8_lossy(&brought.message);
    let field = |name: &str| {
        let at = text.find(name)? + name.len();
        text[at..].split_whitespace().next().map(|word| word.chars().filter(|c| !c.is_control()).take(80).collect::<String>())
    };
    if brought.esm_class & KIND != RECEIPT && brought.receipted.is_none() {
        return None;
    }
    let message_id = brought.receipted.clone().or_else(|| field("id:"))?;
    // message_state (section 5.2.28).
    let by_number = brought.state.map(|state| {
        let names = ["", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];
        names.get(usize::from(state)).copied().unwrap_or("UNKNOWN").to_owned()
    });
    let state = field("stat:").or(by_number).unwrap_or_else(|| "UNKNOWN".to_owned());
    Some(Told { message_id, state })
}

/// The receipts of an account.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    deliveries: HashMap<String, DeliveryId>,
    order: VecDeque<String>,
    delivered: u64,
    others: u64,
}

impl Receipts {
    /// A message was accepted under this id.
    pub(super) fn remember(&self, message_id: &str, delivery: &DeliveryId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.deliveries.insert(message_id.to_owned(), delivery.clone()).is_none() {
            inner.order.push_back(message_id.to_owned());
        }
        if inner.order.len() > REMEMBERED
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.deliveries.remove(&oldest);
        }
    }

    /// Counts a receipt and tells it.
    pub(super) fn note(&self, told: &Told) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if told.state == "DELIVRD" {
            inner.delivered += 1;
        } else {
            inner.others += 1;
        }
        let delivery = inner.deliveries.get(&told.message_id).map_or("unknown", DeliveryId::as_str);
        tracing::debug!(delivery, message_id = told.message_id, state = told.state, "delivery receipt");
    }

    /// Receipts that said DELIVRD, and the others.
    pub(super) fn counts(&self) -> (u64, u64) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.delivered, inner.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(text: &str) -> Brought {
        Brought { esm_class: 4, message: text.into(), ..Brought::default() }
    }

    #[test]
    fn a_receipt_tells_message_and_state() {
        let text = "id:ab12 sub:001 dlvrd:001 submit date:2311142213 done date:2311142214 stat:DELIVRD err:000 text:Hello";
        assert_eq!(read(&brought(text)), Some(Told { message_id: "ab12".into(), state: "DELIVRD".into() }));
        let by_parameters = Brought { receipted: Some("x9".into()), state: Some(5), esm_class: 4, ..Brought::default() };
        assert_eq!(read(&by_parameters), Some(Told { message_id: "x9".into(), state: "UNDELIV".into() }));
        assert_eq!(read(&Brought { esm_class: 0, ..brought(text) }), None, "somebody wrote a message");
        assert_eq!(read(&brought("what")), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let receipts = Receipts::default();
        for n in 0..REMEMBERED + 5 {
            receipts.remember(&n.to_string(), &DeliveryId::derive("l", &n.to_string(), "a"));
        }
        assert_eq!(receipts.inner.lock().unwrap().deliveries.len(), REMEMBERED);
        receipts.note(&Told { message_id: "7".into(), state: "DELIVRD".into() });
        receipts.note(&Told { message_id: "0".into(), state: "EXPIRED".into() });
        assert_eq!(receipts.counts(), (1, 1));
    }
}
