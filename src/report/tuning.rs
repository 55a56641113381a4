//! `tuning[]` of the report: how each account was tuned and what was measured, made of the events of the run.

use serde_json::{Map, Value, json};

use crate::journal::events::{self, Event};
use crate::journal::folder::RunFolder;

/// Entries of a report; of more, the first and the last are told.
const MOST: usize = 500;

/// What was measured and decided, oldest first. Times of the wall clock; latencies in seconds; `cpu` in cores, `memory` in bytes.
pub fn entries(folder: &RunFolder) -> Vec<Value> {
    told(&events::read(folder, 0).0)
}

fn told(events: &[Event]) -> Vec<Value> {
    let mut entries: Vec<Value> = events.iter().filter(|event| event.what == "tuning").map(entry).collect();
    if entries.len() > MOST {
        entries.drain(MOST / 2..entries.len() - MOST / 2);
    }
    entries
}

fn entry(event: &Event) -> Value {
    let mut entry = Map::new();
    entry.insert("time".into(), event.at.to_string().into());
    entry.insert("account".into(), json!(event.account));
    for name in
        ["concurrency", "batch_size", "in_flight", "throughput", "latency", "latency_p95", "error_share", "rate", "cpu", "memory"]
    {
        if let Some(value) = event.more.get(name) {
            entry.insert(name.into(), value.clone());
        }
    }
    entry.insert("reason".into(), json!(event.why));
    entry.insert("confidence".into(), event.more.get("confidence").cloned().unwrap_or_else(|| json!(0)));
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_tells_how_it_began_and_how_it_ended() {
        let event = |n: usize| Event::now("tuning").of("ops").because("measured").with("concurrency", n).with("confidence", 0.5);
        let events: Vec<Event> = (0..2000).map(event).chain([Event::now("paused")]).collect();
        let told = told(&events);
        assert_eq!(told.len(), MOST);
        assert_eq!((told[0]["concurrency"].as_u64(), told[MOST - 1]["concurrency"].as_u64()), (Some(0), Some(1999)));
        assert_eq!((told[0]["account"].as_str(), told[0]["reason"].as_str()), (Some("ops"), Some("measured")));
    }
}
