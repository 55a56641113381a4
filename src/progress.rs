//! What a running flow tells: a bar on a terminal, events for scripts, notes about trouble. Never a reason to stop sending.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::delivery::{Delivery, Envelope, Outcome};
use crate::error::SendError;
use crate::hook::results::Teller;
use crate::journal::events::Event;
use crate::recipient::Position;
use crate::tally::Tally;

/// How often the bar is drawn and held-back events are flushed.
const TICK: Duration = Duration::from_millis(200);

/// Tells people and scripts how the run goes.
#[derive(Debug)]
pub struct Progress {
    run: String,
    bar: ProgressBar,
    /// `None` once nobody reads stdout any more, or nobody asked.
    events: Option<std::io::BufWriter<std::io::Stdout>>,
    /// `--on-result`.
    teller: Option<Teller>,
    quiet: bool,
    secret: Vec<Arc<str>>,
    ticks: tokio::time::Interval,
    /// Rows that an earlier life of the run had settled: they say nothing about the rate of this one.
    before: Option<u64>,
}

/// What to tell.
#[derive(Debug, Clone, Default)]
pub struct Telling {
    /// `--json`.
    pub json: bool,
    /// `-q`.
    pub quiet: bool,
    /// `--no-progress`, `-q`, or a log on the same terminal.
    pub no_bar: bool,
    /// Accounts whose addresses may be credentials.
    pub secret: Vec<Arc<str>>,
}

impl Progress {
    /// Tells the progress of run `run` over `total` rows. Must be called inside the runtime.
    pub fn new(run: &str, total: u64, telling: &Telling) -> Self {
        let bar = if telling.no_bar || telling.quiet || telling.json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5))
        };
        // The template is a constant of this file; if it were wrong the bar would only look different.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len}  {eta} left  {msg}") {
            bar.set_style(style);
        }
        let events = telling.json.then(|| std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout()));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut progress = Progress {
            run: run.to_owned(),
            bar,
            events,
            teller: None,
            quiet: telling.quiet,
            secret: telling.secret.clone(),
            ticks,
            before: None,
        };
        progress.event(&json!({ "type": "start", "run": run, "total": total }));
        progress
    }

    /// Waits for the next moment to draw, and flushes events.
    pub async fn tick(&mut self) {
        self.ticks.tick().await;
        self.flush();
    }

    /// Each final result is told there too.
    pub fn tell_too(&mut self, teller: Option<Teller>) {
        self.teller = teller;
    }

    fn flush(&mut self) {
        if let Some(events) = &mut self.events
            && events.flush().is_err()
        {
            // The reader has gone (`| head`): stop printing, never sending. A buffer that cannot be written must not be tried again.
            self.drop_events();
        }
    }

    fn event(&mut self, event: &serde_json::Value) {
        if let Some(events) = &mut self.events
            && writeln!(events, "{event}").is_err()
        {
            self.drop_events();
        }
    }

    /// An event that is a row's final result.
    fn result(&mut self, event: &serde_json::Value) {
        self.event(event);
        if let Some(teller) = &mut self.teller {
            teller.tell(event.to_string());
        }
    }

    fn drop_events(&mut self) {
        if let Some(events) = self.events.take() {
            // Taken apart so that dropping it does not try to write once more.
            let _ = events.into_parts();
        }
    }

    /// Something happened to the run, or to an account of it, that is about more than one row.
    pub fn happened(&mut self, event: &Event) {
        if self.events.is_some()
            && let Ok(mut told) = serde_json::to_value(event)
            && let Some(fields) = told.as_object_mut()
        {
            let what = fields.remove("what").unwrap_or_default();
            fields.insert("type".to_owned(), what);
            self.event(&told);
        }
        let of = event.account.as_deref().map(|account| format!("{account}: ")).unwrap_or_default();
        let why = event.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        self.say(&format!("{of}{}{why}", event.what.replace('_', " ")));
    }

    /// A line for people, above the bar.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| {
                let _ = writeln!(std::io::stderr(), "{line}");
            });
        }
    }

    /// The counts as they stand.
    pub fn tally(&mut self, tally: &Tally) {
        if !self.bar.is_hidden() {
            if self.before.is_none() {
                self.before = Some(tally.settled());
                self.bar.set_position(tally.settled());
                self.bar.reset_eta();
                self.bar.reset_elapsed();
            }
            self.bar.set_position(tally.settled());
            if tally.failed + tally.in_doubt > 0 {
                self.bar.set_message(format!("{} failed, {} in doubt", tally.failed, tally.in_doubt));
            }
        }
    }

    /// Whether scripts hear of the run.
    pub fn is_heard(&self) -> bool {
        self.events.is_some()
    }

    /// How the run stands, once a second.
    pub fn stands(&mut self, snapshot: &serde_json::Value) {
        let mut event = json!({ "type": "progress" });
        if let (Some(event), Some(fields)) = (event.as_object_mut(), snapshot.as_object()) {
            event.extend(fields.clone());
        }
        self.event(&event);
    }

    /// The list grew (`--stream`).
    pub fn total(&mut self, total: u64) {
        self.bar.set_length(total);
    }

    /// A delivery is settled.
    pub fn settled(&mut self, envelope: &Envelope, outcome: &Outcome) {
        if self.events.is_none() && self.teller.is_none() {
            return;
        }
        let to = if self.secret.contains(&envelope.account) { envelope.to.masked() } else { envelope.to.as_str().to_owned() };
        let mut event = json!({
            "type": "result",
            "row": envelope.position.row + 1,
            "account": &*envelope.account,
            "to": to,
            "delivery_id": envelope.id.as_str(),
            "attempts": envelope.attempt,
        });
        describe(&mut event, outcome);
        self.result(&event);
    }

    /// A row failed without having been tried.
    pub fn unsent(&mut self, position: Position, account: &str, outcome: &Outcome) {
        if self.events.is_none() && self.teller.is_none() {
            return;
        }
        let mut event = json!({ "type": "result", "row": position.row + 1, "account": account, "attempts": 0 });
        describe(&mut event, outcome);
        self.result(&event);
    }

    /// A row is not sent, by policy.
    pub fn skipped(&mut self, position: Position, account: &str, why: &str) {
        if self.events.is_some() || self.teller.is_some() {
            self.result(&json!({ "type": "result", "row": position.row + 1, "account": account, "status": "skipped", "detail": why, "attempts": 0 }));
        }
    }

    /// A delivery will be tried again.
    pub fn deferred(&mut self, delivery: &Delivery, error: &SendError, wait: Duration) {
        let envelope = &delivery.envelope;
        tracing::info!(row = envelope.position.row + 1, attempt = envelope.attempt, wait_ms = wait.as_millis() as u64, %error, "deferred");
        if self.events.is_some() {
            self.event(&json!({
                "type": "deferred",
                "row": envelope.position.row + 1,
                "account": &*envelope.account,
                "attempts": envelope.attempt,
                "kind": error.kind.as_str(),
                "code": error.code,
                "detail": error.detail,
                "wait": wait.as_secs_f64(),
            }));
        }
    }

    /// An account is held because the service asked for less speed.
    pub fn held(&mut self, account: &str, error: &SendError, wait: Duration) {
        tracing::info!(account, wait_ms = wait.as_millis() as u64, %error, "held");
        if self.events.is_some() {
            self.event(&json!({ "type": "held", "account": account, "code": error.code, "detail": error.detail, "wait": wait.as_secs_f64() }));
        }
    }

    /// An account was halted.
    pub fn halted(&mut self, account: &str, error: &SendError) {
        tracing::warn!(account, %error, "halted");
        if self.events.is_some() {
            self.event(&json!({ "type": "halted", "account": account, "kind": error.kind.as_str(), "code": error.code, "detail": error.detail }));
        }
    }

    /// Nothing leaves until then, because the run was told so.
    pub fn resting(&mut self, until: jiff::Timestamp, why: &str) {
        let local = until.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T %Z").to_string();
        self.say(&format!("waiting until {local} ({why})"));
        self.event(&json!({ "type": "waiting", "until": until.to_string(), "why": why }));
        self.flush();
    }

    /// One more pass over the failures follows.
    pub fn second_pass(&mut self, rows: usize, wait: Duration) {
        if rows > 0 {
            let wait = crate::config::duration::format(Duration::from_secs(wait.as_secs()));
            self.say(&format!("{rows} rows failed and may work later: one more pass in {wait} (--on-error retry)"));
        }
    }

    /// The last event, and the end of the bar.
    pub fn end(&mut self, summary: &serde_json::Value) {
        self.bar.finish_and_clear();
        self.teller = None;
        let mut summary = summary.clone();
        if let Some(fields) = summary.as_object_mut() {
            fields.insert("type".into(), "summary".into());
            fields.insert("run".into(), self.run.clone().into());
        }
        self.event(&summary);
        self.flush();
    }
}

fn describe(event: &mut serde_json::Value, outcome: &Outcome) {
    let Some(fields) = event.as_object_mut() else { return };
    match outcome {
        Outcome::Sent(receipt) => {
            fields.insert("status".into(), "sent".into());
            if let Some(id) = &receipt.id {
                fields.insert("message_id".into(), id.as_str().into());
            }
            if let Some(note) = &receipt.note {
                fields.insert("note".into(), note.as_str().into());
            }
        }
        Outcome::Deferred(error) | Outcome::Failed(error) => {
            let in_doubt = error.kind == crate::error::ErrorKind::InDoubt;
            fields.insert("status".into(), if in_doubt { "in_doubt" } else { "failed" }.into());
            fields.insert("kind".into(), error.kind.as_str().into());
            fields.insert("code".into(), error.code.clone().into());
            fields.insert("detail".into(), error.detail.as_str().into());
        }
    }
}
