//! Words from other shells: pause, go on, abort, set. Each is done between two turns of the loop, told in the events, and answered.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::time::Instant;

use crate::changes::{self, Changes};
use crate::config::defaults::Width;
use crate::config::duration;
use crate::control::{Asked, Spoken, Word};
use crate::exit::Exit;
use crate::journal::events::{self, Event};
use crate::journal::pause::Pause;
use crate::run::wires::Landing;
use crate::run::{Flow, Packed};

/// Who asked waits so long for what is in flight to land; then the answer says how much of it has not.
const LANDING: Duration = Duration::from_millis(1500);

impl Flow<'_> {
    /// Does what other shells ask.
    pub(super) fn hear(&mut self) {
        while let Some(asked) = self.control.word() {
            tracing::info!(word = asked.spoken.word.name(), by = asked.spoken.by, "asked from another shell");
            match asked.spoken.word.clone() {
                Word::Pause => self.pause(asked),
                Word::Resume => self.go_on(asked),
                Word::Abort => self.abort(asked),
                Word::Set { values } => self.set(asked, &values),
            }
            self.live.hurry();
        }
        let (now, aloft) = (Instant::now(), self.tasks.len());
        for landing in std::mem::take(&mut self.landing) {
            if self.tasks.is_empty() || landing.until <= now {
                self.landed(landing, aloft > 0);
            } else {
                self.landing.push(landing);
            }
        }
    }

    /// When somebody who waits for a landing is answered anyway.
    pub(super) fn next_answer(&self) -> Option<Instant> {
        self.landing.iter().map(|landing| landing.until).min()
    }

    /// Deliveries whose intent is durable or being made so, and that have no answer.
    fn aloft(&self) -> usize {
        self.lanes.in_flight()
    }

    fn pause(&mut self, asked: Asked) {
        if self.closing.is_some() {
            return asked.refused(format!("run {} is stopping already", self.rules.folder.id));
        }
        if let Some(paused) = &self.paused {
            return asked.refused(format!("run {} is paused already, {}", self.rules.folder.id, paused.told()));
        }
        let flying = self.aloft();
        self.recall(true);
        self.tell("paused", &asked.spoken, |event| event.with("in_flight", flying));
        let Spoken { by, why, .. } = asked.spoken.clone();
        let pause = Pause { at: jiff::Timestamp::now().to_string(), by, why };
        if let Err(error) = pause.write(&self.rules.folder) {
            tracing::warn!(%error, "the pause will not outlive this process");
        }
        self.progress.say(&format!("paused {}: notify resume {}", pause.told(), self.rules.folder.id));
        self.paused = Some(pause);
        self.land(asked, "paused", flying);
    }

    fn go_on(&mut self, asked: Asked) {
        let run = &self.rules.folder.id;
        if self.paused.take().is_none() {
            return asked.refused(format!("run {run} is not paused"));
        }
        self.lift();
        self.recall(false);
        // What waited for a pause to land need not wait any more.
        for landing in std::mem::take(&mut self.landing) {
            self.landed(landing, true);
        }
        let left = self.tally.pending();
        self.tell("resumed", &asked.spoken, |event| event.with("pending", left));
        self.progress.say(&format!("going on {}", because(&asked.spoken)));
        asked.done(format!("run {} goes on: {} left", self.rules.folder.id, rows(left)));
    }

    fn abort(&mut self, asked: Asked) {
        let flying = self.aloft();
        self.tell("aborted", &asked.spoken, |event| event.with("in_flight", flying));
        let again = self.closing.is_some();
        self.recall(true);
        self.close(Exit::Stopped, Some(format!("aborted {}", because(&asked.spoken))));
        self.aborted = true;
        self.lift();
        if again {
            // As with signals: asked a second time it stops now.
            self.drain_ends = Some(Instant::now());
        }
        self.land(asked, "aborted", flying);
    }

    /// No pause outlives this process any more.
    fn lift(&self) {
        if let Err(error) = Pause::lift(&self.rules.folder) {
            tracing::warn!(%error, "a later process will take this run for paused");
        }
    }

    fn set(&mut self, asked: Asked, values: &BTreeMap<String, String>) {
        let run = self.rules.folder.id.clone();
        let changes = match Changes::parse(values) {
            Ok(changes) => changes,
            Err(what) => return asked.refused(what),
        };
        if self.closing.is_some() {
            return asked.refused(format!("run {run} is stopping"));
        }
        if let Err(what) = self.make_room(&changes) {
            return asked.refused(what);
        }
        self.apply(&changes);
        let mut words: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.live.set.extend(values.clone());
        self.tell("set", &asked.spoken, |event| {
            values.iter().fold(event, |event, (name, value)| event.with(name, value.as_str()))
        });
        if let Err(error) = changes::remember(&self.rules.folder, values) {
            words.push(format!("(a later resume will not know: {error})"));
        }
        self.progress.say(&format!("set {} {}", words.join(" "), because(&asked.spoken)));
        asked.done(format!("run {run}: {}", words.join(" ")));
    }

    /// More in flight needs a larger reserve for a full disk; without it nothing changes.
    fn make_room(&self, changes: &Changes) -> Result<(), String> {
        let Some(Width::Fixed(width)) = changes.concurrency else { return Ok(()) };
        let (mut now, mut then) = (0, 0);
        for (index, account) in self.preparer.accounts().iter().enumerate() {
            now += self.lanes.width(index) * account.batch;
            then += width.get() * account.batch;
        }
        if then <= now {
            return Ok(());
        }
        self.rules.folder.prove_writable(then).map_err(|error| format!("concurrency={width}: {error}"))
    }

    fn apply(&mut self, changes: &Changes) {
        for (index, account) in self.preparer.accounts().iter().enumerate() {
            if let Some(rate) = changes.rate {
                self.lanes.set_rate(index, account, rate);
            }
            match changes.concurrency {
                Some(Width::Fixed(width)) => self.lanes.set_width(index, Some(width.get())),
                Some(Width::Auto) => self.lanes.set_width(index, None),
                None => {}
            }
            if let Some(most) = changes.batch_size {
                self.lanes.set_batch(index, most.get());
            }
        }
        let rules = &mut self.rules;
        rules.batch_size = changes.batch_size.map_or(rules.batch_size, NonZeroUsize::get);
        rules.grace = changes.grace.unwrap_or(rules.grace);
        rules.backoff.retries = changes.retries.unwrap_or(rules.backoff.retries);
        rules.backoff.max_delay = changes.max_delay.unwrap_or(rules.backoff.max_delay);
        if let Some(wait) = changes.max_wait {
            rules.max_wait = wait;
            self.lanes.set_max_wait(wait);
        }
        if let Some(deadline) = changes.deadline {
            self.ends = deadline.map(|deadline| Instant::now() + deadline);
        }
    }

    /// What platforms hold in queues of their own and has not left comes back, or may go again.
    fn recall(&self, back: bool) {
        self.preparer.accounts().iter().for_each(|account| account.platform.recall(back));
    }

    /// A request that was called back before it left: as if it had not been tried, and first in its lane.
    pub(super) fn called_back(&mut self, account: usize, packed: Packed) {
        for delivery in packed.batch.deliveries() {
            self.put_back(account, delivery);
        }
        if self.closing.is_none() {
            self.put_together(account, &packed.lane, packed.batch.into_deliveries());
        }
    }

    fn land(&mut self, asked: Asked, done: &'static str, flying: usize) {
        self.landing.push(Landing { asked, done, flying, until: Instant::now() + LANDING });
    }

    fn landed(&self, landing: Landing, aloft: bool) {
        let Landing { asked, done, flying, .. } = landing;
        let (run, left) = (&self.rules.folder.id, self.tally.pending());
        let how = if aloft {
            let grace = duration::format(self.rules.grace);
            let wait = if done == "aborted" { format!(", for which it waits up to {grace}") } else { String::new() };
            format!("{} still in flight{wait}", self.aloft())
        } else {
            format!("{flying} in flight landed")
        };
        let next = if done == "aborted" { "takes it up after all" } else { "goes on" };
        asked.done(format!("{done} run {run}: {how}, {} left; `notify resume {run}` {next}", rows(left)));
    }

    /// Whoever still waits is answered before the run ends.
    pub(super) fn answer_all(&mut self, late: bool) {
        for landing in std::mem::take(&mut self.landing) {
            self.landed(landing, late);
        }
        while let Some(asked) = self.control.word() {
            asked.refused(format!("run {} has ended meanwhile", self.rules.folder.id));
        }
    }

    /// Into the events of the run.
    fn tell(&self, what: &str, spoken: &Spoken, more: impl FnOnce(Event) -> Event) {
        let mut event = Event::now(what);
        event.by = Some(spoken.by.clone());
        event.why.clone_from(&spoken.why);
        if let Err(error) = events::append(&self.rules.folder, &more(event)) {
            tracing::warn!(%error, "an event of the run could not be written");
        }
    }
}

fn because(spoken: &Spoken) -> String {
    Pause { at: String::new(), by: spoken.by.clone(), why: spoken.why.clone() }.told()
}

/// "1 row", "8,211 rows".
fn rows(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if count == 1 { "1 row".to_owned() } else { format!("{text} rows") }
}
