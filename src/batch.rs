//! The deliveries of one request, and the answers, one for each.
//!
//! Invariant: `Verdicts` can only be made from a `Batch`, so that the count of answers cannot be wrong.

use crate::delivery::{Delivery, Receipt};
use crate::error::{ErrorKind, SendError};

/// What the platform answered for one delivery.
pub type Verdict = Result<Receipt, SendError>;

/// The deliveries of one request: never empty.
#[derive(Debug)]
pub struct Batch {
    deliveries: Vec<Delivery>,
}

impl Batch {
    /// `None` where there is nothing to send.
    pub fn new(deliveries: Vec<Delivery>) -> Option<Self> {
        (!deliveries.is_empty()).then_some(Batch { deliveries })
    }

    /// A batch of one.
    pub fn one(delivery: Delivery) -> Self {
        Batch { deliveries: vec![delivery] }
    }

    /// The deliveries, in the order of the request.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// The first delivery, which always exists.
    pub fn first(&self) -> &Delivery {
        &self.deliveries[0]
    }

    /// The deliveries, taken out.
    pub fn into_deliveries(self) -> Vec<Delivery> {
        self.deliveries
    }
}

/// One verdict for each delivery of a batch, in its order.
#[derive(Debug)]
pub struct Verdicts {
    each: Vec<Verdict>,
}

impl Verdicts {
    /// The same verdict for all: the request as a whole was taken, refused or lost.
    pub fn all(batch: &Batch, verdict: &Verdict) -> Self {
        Verdicts { each: batch.deliveries.iter().map(|_| verdict.clone()).collect() }
    }

    /// Asks `judge` about each delivery and its place in the request.
    pub fn each(batch: &Batch, mut judge: impl FnMut(usize, &Delivery) -> Verdict) -> Self {
        Verdicts { each: batch.deliveries.iter().enumerate().map(|(i, d)| judge(i, d)).collect() }
    }

    /// The verdict of a batch of one; more deliveries than one are in doubt, since nobody answered for them.
    pub fn single(batch: &Batch, verdict: Verdict) -> Self {
        let mut first = Some(verdict);
        Self::each(batch, |_, _| {
            first.take().unwrap_or_else(|| Err(SendError::new(ErrorKind::InDoubt, "the reply did not speak of this delivery")))
        })
    }

    /// The verdicts, in the order of the batch.
    pub fn into_inner(self) -> Vec<Verdict> {
        self.each
    }
}
