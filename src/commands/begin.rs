//! What send, batch and retry do with their list: a new run, or an unfinished one of the same name once more.

use super::launch::{self, Launched, Order};
use super::open::Scene;
use super::resume;
use crate::cli::{FlowFlags, NewRunFlags, Resume};
use crate::exit::{Exit, Failure};

/// Takes the list to its end, by whichever run.
pub(crate) async fn begin(scene: &Scene<'_>, order: Order, flow: &FlowFlags, new: &NewRunFlags) -> Result<Exit, Failure> {
    match launch::launch(scene, order, flow, new).await? {
        Launched::Over(exit) => Ok(exit),
        Launched::GoesOn { run, url, named } => {
            let args = Resume { run: Some(run), via: url, flow: flow.clone(), reason: None, taken_over: false };
            resume::under(scene.global, args, named).await
        }
    }
}
