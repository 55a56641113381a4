//! Whether the clock lets anything leave, as it stood at the last look.

use jiff::Timestamp;

/// Whether anything may leave, as it was found last.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// Until when nothing may; `None`: it may.
    pub(super) shut: Option<Timestamp>,
    /// When it was asked, and until when the answer holds; the clock may be set back, too.
    pub(super) asked: Option<(Timestamp, Option<Timestamp>)>,
    /// The end of the rest that was told last.
    pub(super) told: Option<Timestamp>,
    /// The first rows are too old, and those that waited then were looked at.
    pub(super) swept: bool,
}
