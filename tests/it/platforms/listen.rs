//! An ear for what the engine logs: which rule of a definition judged a reply, and every line, to be searched for secrets.
//!
//! The engine tells the rule in its trace (`judged`, with the list and the number from 1); nothing else of it is looked into.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A rule that judged: `errors` or `results`, and its number from 1.
pub type Fired = (String, u64);

/// What was heard since it was last taken.
#[derive(Debug, Default)]
pub struct Words {
    pub fired: Vec<Fired>,
    pub lines: Vec<String>,
}

/// A subscriber for one thread.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Words>>);

impl Heard {
    pub fn take(&self) -> Words {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Default)]
struct Line {
    text: String,
    list: Option<String>,
    rule: Option<u64>,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rule" {
            self.rule = Some(value);
        }
        self.record_debug(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "list" {
            self.list = Some(value.to_owned());
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.text, " {}={value:?}", field.name());
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("notify")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(list), Some(rule)) = (line.list, line.rule) {
            words.fired.push((list, rule));
        }
        words.lines.push(line.text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
