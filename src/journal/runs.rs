//! The runs of a state folder, newest last, with what became of each.

use std::path::Path;

use crate::journal::folder::{Ended, Manifest, RunFolder};
use crate::journal::lock::Holder;
use crate::journal::reader::Reader;
use crate::tally::Tally;

/// What is known of a run without opening more than needed.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The process that works on it now.
    pub holder: Option<Holder>,
    /// How it ended; `None` while it runs, and where it broke off.
    pub ended: Option<Ended>,
    /// Its numbers; `None` where its journal cannot be read.
    pub tally: Option<Tally>,
}

impl Summary {
    /// Of one run.
    pub fn of(folder: &RunFolder) -> Summary {
        let (holder, ended) = (folder.holder(), folder.ended());
        let tally = match (&ended, &holder) {
            (Some(ended), None) => Some(ended.tally.clone()),
            _ => Reader::open(folder).and_then(|mut reader| reader.tally()).ok(),
        };
        Summary { holder, ended, tally }
    }

    /// Nobody works on it, and rows of it are pending: `notify resume` has something to do.
    pub fn is_resumable(&self) -> bool {
        self.holder.is_none() && self.tally.as_ref().is_some_and(|tally| tally.pending() > 0 || tally.undecided > 0)
    }
}

impl RunFolder {
    /// All runs whose manifest can be read, newest last.
    pub fn list(state_dir: &Path) -> Vec<(Manifest, Summary)> {
        let mut listed: Vec<(Manifest, Summary)> = RunFolder::ids(state_dir)
            .into_iter()
            .filter_map(|id| RunFolder::open(state_dir, &id).ok())
            .filter_map(|folder| Some((folder.manifest().ok()?, Summary::of(&folder))))
            .collect();
        // Names say only the second, and after it chance: of two runs of one second the name does not tell which is newer.
        listed.sort_by_cached_key(|(manifest, _)| (manifest.created.parse::<jiff::Timestamp>().ok(), manifest.id.clone()));
        listed
    }
}
