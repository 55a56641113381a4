//! What other runs of the same line have sent already: a table on disk beside the run's journal, so that a rerun of a million rows needs no
//! memory for them.
//!
//! Made anew whenever the run starts or goes on, from the journals and spools of those runs; the delivery ids of one line can be
//! compared, because all of them derive from its first run.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use crate::delivery::DeliveryId;
use crate::journal::folder::{Manifest, RunFolder};
use crate::journal::reader::Reader;
use crate::recipient::{Position, Recipient, Skip};
use crate::source::spool::Spool;
use crate::tally::State;

/// Its name in the run's folder.
const FILE: &str = "sent.db";
/// Rows read at once.
const PAGE: usize = 1024;

/// Which rows of a line may not go again.
#[derive(Debug)]
pub struct Sent {
    db: Mutex<Connection>,
    runs: Vec<Arc<str>>,
    /// Of the run's own template: it is part of what a row says.
    template: String,
}

/// A run of the same line whose rows are compared.
#[derive(Debug)]
pub struct Other {
    /// Where it is.
    pub folder: RunFolder,
    /// What it is.
    pub manifest: Manifest,
    /// Its rows in doubt may not go again either.
    pub doubts: bool,
}

impl Sent {
    /// Writes down what the others have sent; `None` where that is nothing. `template`: the digest of this run's own. `told` hears how
    /// many rows were read.
    ///
    /// # Errors
    /// One sentence: a journal or a spool that cannot be read, or the disk.
    pub fn gather(
        folder: &RunFolder,
        others: &[Other],
        template: Option<&str>,
        mut told: impl FnMut(u64),
    ) -> Result<Option<Sent>, String> {
        let path = folder.path.join(FILE);
        let trouble = |error: rusqlite::Error| format!("{}: {error}", path.display());
        drop_file(&path);
        if others.is_empty() {
            return Ok(None);
        }
        drop(crate::journal::folder::private_file(&path).map_err(|error| format!("{}: {error}", path.display()))?);
        let mut db = Connection::open(&path).map_err(trouble)?;
        // It is made anew after a crash, so nothing of it needs to be durable.
        db.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             CREATE TABLE sent (id TEXT NOT NULL, run INTEGER NOT NULL, content INTEGER NOT NULL, doubt INTEGER NOT NULL)",
        )
        .map_err(trouble)?;
        let (mut runs, mut rows) = (Vec::new(), 0u64);
        for other in others {
            runs.push(Arc::from(other.manifest.id.as_str()));
            let change = db.transaction().map_err(trouble)?;
            {
                let mut insert = change.prepare("INSERT INTO sent VALUES (?1, ?2, ?3, ?4)").map_err(trouble)?;
                let run = runs.len() as i64 - 1;
                each(other, |recipient, doubt| {
                    let content = content(recipient, other.manifest.template.as_ref().map(|template| template.digest.as_str()));
                    let id = id_of(recipient, &other.manifest.lineage);
                    insert.execute(params![id.as_str(), run, content, doubt]).map_err(trouble)?;
                    rows += 1;
                    if rows.is_multiple_of(PAGE as u64) {
                        told(rows);
                    }
                    Ok(())
                })?;
            }
            change.commit().map_err(trouble)?;
        }
        if rows == 0 {
            drop(db);
            drop_file(&path);
            return Ok(None);
        }
        // Sorted by SQLite, on disk where it is much.
        db.execute_batch("CREATE INDEX sent_id ON sent (id)").map_err(trouble)?;
        Ok(Some(Sent { db: Mutex::new(db), runs, template: template.unwrap_or_default().to_owned() }))
    }

    /// Why the recipient may not be sent to again, if that is so.
    ///
    /// # Errors
    /// The disk.
    pub fn before(&self, recipient: &Recipient, lineage: &str) -> rusqlite::Result<Option<Skip>> {
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        // Sent before in doubt, where there are both.
        let sql = "SELECT run, content, doubt FROM sent WHERE id = ?1 ORDER BY doubt LIMIT 1";
        let found: Option<(i64, i64, bool)> = db
            .prepare_cached(sql)?
            .query_row([id_of(recipient, lineage).as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((run, was, doubt)) = found else { return Ok(None) };
        let Some(run) = usize::try_from(run).ok().and_then(|run| self.runs.get(run)).cloned() else { return Ok(None) };
        if doubt {
            return Ok(Some(Skip::MayBeSent { run }));
        }
        let changed = was != content(recipient, Some(&self.template).filter(|digest| !digest.is_empty()).map(String::as_str));
        Ok(Some(Skip::AlreadySent { run, changed }))
    }
}

/// Each recipient that this run has sent to, or may have.
fn each(other: &Other, mut take: impl FnMut(&Recipient, bool) -> Result<(), String>) -> Result<(), String> {
    let of_run = |what: String| format!("run {}: {what}", other.manifest.id);
    // A run that was killed before its first row has no journal.
    if !other.folder.journal_path().is_file() {
        return Ok(());
    }
    let mut reader = Reader::open(&other.folder).map_err(|error| of_run(error.to_string()))?;
    let mut spool = Spool::open(other.folder.spool_dir()).map_err(|problem| of_run(problem.to_string()))?;
    let states: &[State] = if other.doubts { &[State::Sent, State::InDoubt] } else { &[State::Sent] };
    for state in states {
        let mut from = Position::row(0);
        loop {
            let page = reader.in_state(*state, from, PAGE).map_err(|error| of_run(error.to_string()))?;
            let Some(last) = page.last() else { break };
            from = Position { shard: last.position.shard, row: last.position.row + 1 };
            for known in page {
                let row = spool.read(known.position).map_err(|problem| of_run(problem.to_string()))?;
                if let Ok(recipient) = &row.recipient {
                    take(recipient, *state == State::InDoubt)?;
                }
            }
        }
    }
    Ok(())
}

fn id_of(recipient: &Recipient, lineage: &str) -> DeliveryId {
    let carried = recipient.delivery_id.as_deref().and_then(DeliveryId::parse);
    carried.unwrap_or_else(|| DeliveryId::derive(lineage, &recipient.key, &recipient.via))
}

/// A hash of what the row says: its values and its template.
fn content(recipient: &Recipient, template: Option<&str>) -> i64 {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let own = recipient.template.as_deref().unwrap_or_default();
    let values = serde_json::to_vec(&recipient.vars).unwrap_or_default();
    for part in [recipient.to.as_str().as_bytes(), own.as_bytes(), template.unwrap_or_default().as_bytes(), &values] {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut bits = [0; 8];
    bits.copy_from_slice(&context.finish().as_ref()[..8]);
    i64::from_le_bytes(bits)
}

fn drop_file(path: &Path) {
    // Where it stays, making it anew says why.
    let _ = std::fs::remove_file(path);
}
