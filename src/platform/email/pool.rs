//! The connections of an account: opened when work waits, never more than allowed, ended when nothing comes.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::conversation::{Conversation, POLITE, Server};
use super::queue::{Job, Queue};
use super::transaction::End;

/// Connection tasks and what they work on.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) server: Server,
    queue: Queue,
    /// Owned here, so that closing can wait for them and end them.
    tasks: Mutex<JoinSet<()>>,
}

impl Pool {
    pub(super) fn new(server: Server) -> Self {
        let queue = Queue::new(server.settings.connections.get());
        Pool { server, queue, tasks: Mutex::new(JoinSet::new()) }
    }

    /// Jobs that no connection has taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Gives back what no connection has taken, as long as `back` is set.
    pub(super) fn recall(&self, back: bool) {
        self.queue.recall(back);
    }

    /// Hands a job to a connection, now or as soon as one is free.
    pub(super) fn submit(self: &Arc<Self>, job: Job) {
        if self.queue.push(job) {
            self.start();
        }
    }

    fn start(self: &Arc<Self>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(run(self.clone()));
    }

    /// Ends idle connections with QUIT and waits for the busy ones for a few seconds; what is left is cut.
    pub(super) async fn close(&self) {
        self.queue.close();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(POLITE, all).await;
        tasks.shutdown().await;
        self.queue.reopen();
    }

    /// Lets connections end when nobody holds the account any more.
    pub(super) fn abandon(&self) {
        self.queue.close();
    }
}

/// The life of one connection task: sessions one after the other, as long as there is work.
async fn run(pool: Arc<Pool>) {
    let mut place = Place { pool: &pool, held: true };
    while pool.queue.has_work() {
        let mut session = match Conversation::open(&pool.server).await {
            Ok(session) => session,
            Err(error) => {
                pool.queue.failed(&error);
                break;
            }
        };
        pool.queue.opened();
        let established = Established(&pool.queue);
        // The first one proved that sessions can be had: the rest of the work may have its own.
        while pool.queue.grow() {
            pool.start();
        }
        let end = session.serve(&pool.queue).await;
        drop(established);
        match end {
            End::Broken => {}
            End::Full => session.quit().await,
            End::Idle => {
                // The place is free before the goodbye, which may take seconds.
                place.free();
                session.quit().await;
                return;
            }
        }
    }
}

/// A task's place among the connections, given back even if it is aborted.
struct Place<'a> {
    pool: &'a Arc<Pool>,
    held: bool,
}

impl Place<'_> {
    fn free(&mut self) {
        if std::mem::take(&mut self.held) && self.pool.queue.leave() {
            self.pool.start();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.free();
    }
}

/// A session that counts as open, also if its task is aborted.
struct Established<'a>(&'a Queue);

impl Drop for Established<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
