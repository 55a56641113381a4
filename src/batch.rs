//! The deliveries of one request, and the answers, one for each.
//!
//! Invariant: `Verdicts` can only be made from a `Batch`, so that the count of answers cannot be wrong.

use std::time::Duration;

use crate::delivery::{Delivery, Receipt};
use crate::error::{ErrorKind, Reach, SendError};

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
    refused: Option<Refused>,
    pause: Option<Pause>,
}

/// The service refused a request as a whole, for the sake of some of it; nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It did not say whose fault it is: the halves are tried by themselves.
    Somewhere,
    /// These, by their places in the request; the others go again without them.
    For(Vec<usize>),
}

/// What the service said in passing about its limits: nothing failed, but nothing more may leave for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// What rests.
    pub reach: Reach,
    /// For how long.
    pub wait: Duration,
}

impl Verdicts {
    /// The same verdict for all: the request as a whole was taken, refused or lost.
    pub fn all(batch: &Batch, verdict: &Verdict) -> Self {
        Self::of(batch.deliveries.iter().map(|_| verdict.clone()).collect())
    }

    /// Asks `judge` about each delivery and its place in the request.
    pub fn each(batch: &Batch, mut judge: impl FnMut(usize, &Delivery) -> Verdict) -> Self {
        Self::of(batch.deliveries.iter().enumerate().map(|(i, d)| judge(i, d)).collect())
    }

    fn of(each: Vec<Verdict>) -> Self {
        Verdicts { each, refused: None, pause: None }
    }

    /// The request was refused as a whole and nothing of it was taken, because of something in it. A batch of one has only itself
    /// to blame.
    pub fn refused(batch: &Batch, error: &SendError, refused: Refused) -> Self {
        let refused = (batch.deliveries.len() > 1).then_some(refused);
        Verdicts { refused, ..Self::all(batch, &Err(error.clone())) }
    }

    /// The same, and the service asked for a rest in passing.
    #[must_use]
    pub fn with_pause(mut self, pause: Option<Pause>) -> Self {
        self.pause = pause;
        self
    }

    /// The rest that the service asked for in passing.
    pub fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// Whether the request was refused as a whole, because of something in it.
    pub fn blame(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// Whether the request was called back before any of it left.
    pub fn were_recalled(&self) -> bool {
        self.each.iter().all(|verdict| verdict.as_ref().is_err_and(SendError::is_recalled))
    }

    /// The verdict of a batch of one; more deliveries than one are in doubt, since nobody answered for them.
    pub fn single(batch: &Batch, verdict: Verdict) -> Self {
        let mut first = Some(verdict);
        Self::each(batch, |_, _| {
            first.take().unwrap_or_else(|| Err(SendError::new(ErrorKind::InDoubt, "the reply did not speak of this delivery")))
        })
    }

    /// The verdicts, in the order of the batch, to look at.
    pub fn as_slice(&self) -> &[Verdict] {
        &self.each
    }

    /// The verdicts, in the order of the batch.
    pub fn into_inner(self) -> Vec<Verdict> {
        self.each
    }
}
