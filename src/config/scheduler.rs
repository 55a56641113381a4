//! The `scheduler:` block: what rows of each priority are worth beside others.

use std::num::NonZeroU32;

use super::defaults::{Mistake, Reader};
use super::knobs::count;
use super::schema::{SCHEDULER, WEIGHTS, names};
use super::tree::Node;
use crate::priority::Weights;

/// How priorities go before each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// By their weights.
    Weighted,
    /// Critical rows first and alone, the others by their weights.
    Strict,
}

/// The block. What nobody wrote is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheduler {
    /// Shares, where any are written; the others are the usual ones.
    pub weights: Option<Weights>,
    /// `strategy`.
    pub strategy: Option<Strategy>,
}

impl Scheduler {
    /// Reads the block; each mistake is added to `mistakes` and its value left out.
    pub(crate) fn read(block: &Node, mistakes: &mut Vec<Mistake>) -> Scheduler {
        let mut reader = Reader { block, name: "scheduler", known: names(&SCHEDULER).collect(), mistakes };
        reader.unknown();
        let strategy = reader.take("strategy", strategy);
        let weights = block.entry("weights").filter(|entry| !entry.node.is_null()).map(|entry| {
            let mut reader = Reader { block: &entry.node, name: "scheduler.weights", known: names(&WEIGHTS).collect(), mistakes };
            reader.unknown();
            let usual = Weights::default();
            Weights {
                low: reader.take("low", weight).unwrap_or(usual.low),
                normal: reader.take("normal", weight).unwrap_or(usual.normal),
                high: reader.take("high", weight).unwrap_or(usual.high),
                critical: reader.take("critical", weight).unwrap_or(usual.critical),
            }
        });
        Scheduler { weights, strategy }
    }
}

fn weight(node: &Node) -> Result<NonZeroU32, String> {
    let number = u32::try_from(count(node)?.get()).ok().filter(|number| *number <= 1000);
    number.and_then(NonZeroU32::new).ok_or_else(|| "write a whole number from 1 to 1000".to_owned())
}

fn strategy(node: &Node) -> Result<Strategy, String> {
    match node.text().map(str::trim) {
        Some("weighted") => Ok(Strategy::Weighted),
        Some("strict") => Ok(Strategy::Strict),
        _ => Err("write weighted or strict".to_owned()),
    }
}
