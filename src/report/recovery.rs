//! `recovery[]` of the report: what the run did about trouble, made of its events.

use serde_json::{Map, Value, json};

use crate::journal::events::{self, Event};
use crate::journal::folder::RunFolder;

/// Entries of a report; a run that had more trouble tells the first of it, and how much more there was.
const MOST: usize = 200;

/// What the run did about trouble, oldest first: an entry for each time that a breaker was open, and one for each decision of a rule, a
/// threshold, a canary, words of a reply. Times are of the wall clock, `delay` is in seconds.
pub fn entries(folder: &RunFolder) -> Vec<Value> {
    let (events, _) = events::read(folder, 0);
    told(&events)
}

fn told(events: &[Event]) -> Vec<Value> {
    let mut entries: Vec<Map<String, Value>> = Vec::new();
    let mut left_out = 0usize;
    for event in events {
        let endpoint = event.more.get("endpoint");
        let open = |entry: &&mut Map<String, Value>| {
            entry.get("action").is_some_and(|action| action == "circuit_break")
                && entry.get("account").and_then(Value::as_str) == event.account.as_deref()
                && entry.get("endpoint") == endpoint
                && entry.contains_key("opened")
                && !entry.contains_key("closed")
        };
        match event.what.as_str() {
            "breaker_opened" => entries.push(breaker(event)),
            "breaker_half_open" | "breaker_reopened" | "breaker_gave_up" | "breaker_closed" => {
                if let Some(entry) = entries.iter_mut().rev().find(open) {
                    follow(entry, event);
                }
            }
            "recovery" | "halted" | "shaped" => {
                // Advice at an end of the run; a later life knows better.
                if event.more.get("action").is_some_and(|action| action == "selective") {
                    entries.retain(|entry| entry.get("action").is_none_or(|action| action != "selective"));
                }
                entries.push(decision(event));
            }
            // Only a canary that failed is trouble.
            "canary" if event.more.get("passed").is_some_and(|passed| passed == false) => entries.push(decision(event)),
            _ => {}
        }
        if entries.len() > MOST {
            // The first tell how it began, the last how it ended.
            entries.remove(MOST / 2);
            left_out += 1;
        }
    }
    let mut entries: Vec<Value> = entries.into_iter().map(Value::Object).collect();
    if left_out > 0 {
        entries.push(
            json!({"action": "none", "items": 0, "recommendation": format!("{left_out} more are in the events of the run")}),
        );
    }
    entries
}

fn breaker(event: &Event) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("action".into(), "circuit_break".into());
    common(&mut entry, event);
    entry.insert("opened".into(), event.at.to_string().into());
    entry.insert("probes".into(), 0.into());
    let of = event.account.as_deref().unwrap_or("the account");
    let advice = format!(
        "the endpoint of {of} stopped answering: nothing was sent to it until it answered again, and no try was counted; look at its \
         server and the network at that time"
    );
    entry.insert("recommendation".into(), advice.into());
    entry
}

fn follow(entry: &mut Map<String, Value>, event: &Event) {
    match event.what.as_str() {
        "breaker_half_open" => {
            let probes = entry.get("probes").and_then(Value::as_u64).unwrap_or_default() + 1;
            entry.insert("probes".into(), probes.into());
        }
        "breaker_gave_up" => {
            entry.insert("gave_up".into(), event.at.to_string().into());
            let advice =
                "its server did not answer for longer than the run waits: check host, port and network, then `notify resume`";
            entry.insert("recommendation".into(), advice.into());
        }
        "breaker_closed" => {
            entry.insert("closed".into(), event.at.to_string().into());
            // From its opening, which may have been in an earlier life of the run.
            let opened: Option<jiff::Timestamp> = entry.get("opened").and_then(Value::as_str).and_then(|at| at.parse().ok());
            let open = opened.map_or(0, |opened| event.at.as_millisecond().saturating_sub(opened.as_millisecond()).max(0));
            entry.insert("delay".into(), (open as f64 / 1000.0).into());
            let spared = event.more.get("items").and_then(Value::as_u64).unwrap_or_default();
            // How many rows go to one host of many nobody counts; at least these do.
            if entry.get("items").is_some_and(|items| *items == 0) {
                entry.insert("items".into(), spared.into());
            }
            entry.insert("tries_not_counted".into(), spared.into());
        }
        _ => {}
    }
}

fn decision(event: &Event) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("action".into(), event.more.get("action").cloned().unwrap_or_else(|| "none".into()));
    common(&mut entry, event);
    for name in ["of", "seen", "settled", "failed", "until", "domain", "scope", "rule"] {
        if let Some(value) = event.more.get(name) {
            entry.insert(name.into(), value.clone());
        }
    }
    let usual = match event.what.as_str() {
        "shaped" => {
            let whom = event.more.get("domain").and_then(Value::as_str).or(event.account.as_deref()).unwrap_or("the account");
            format!("{whom} asked for less speed: write a slower `limits:` for it, or send to it over more time")
        }
        _ => String::new(),
    };
    entry.insert("recommendation".into(), event.more.get("recommendation").cloned().unwrap_or_else(|| usual.into()));
    entry
}

fn common(entry: &mut Map<String, Value>, event: &Event) {
    if let Some(account) = &event.account {
        entry.insert("account".into(), account.as_str().into());
    }
    entry.insert("at".into(), event.at.to_string().into());
    for (name, usual) in [("delay", json!(0)), ("items", json!(0))] {
        entry.insert(name.into(), event.more.get(name).cloned().unwrap_or(usual));
    }
    if let Some(endpoint) = event.more.get("endpoint") {
        entry.insert("endpoint".into(), endpoint.clone());
    }
    if let Some(why) = &event.why {
        entry.insert("reason".into(), why.as_str().into());
    }
}

/// Lines on one screen.
const SHOWN: usize = 8;

/// For `notify report`: what slowed the run, and what to change; empty where there was no trouble.
pub fn screen(folder: &RunFolder) -> String {
    let lines = lines(&entries(folder));
    if lines.is_empty() {
        return String::new();
    }
    let mut text = String::from("\ntrouble, and what to change (times are UTC)\n");
    for line in lines.iter().take(SHOWN) {
        text.push_str(line);
        text.push('\n');
    }
    if lines.len() > SHOWN {
        text.push_str(&format!("... and {} more in report.json\n", lines.len() - SHOWN));
    }
    text
}

fn lines(entries: &[Value]) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| {
            let of = match (text(entry, "account"), text(entry, "endpoint")) {
                (account, endpoint) if !endpoint.is_empty() => format!(" {account} {endpoint}"),
                (account, _) if !account.is_empty() => format!(" {account}"),
                _ => String::new(),
            };
            let time = text(entry, "at").get(11..19).unwrap_or_default().to_owned();
            let delay =
                entry["delay"].as_f64().filter(|delay| *delay > 0.0).map(|delay| format!(", {delay:.1} s")).unwrap_or_default();
            format!(
                "{time} {}{of}{delay}: {} -> {}",
                text(entry, "action").replace('_', " "),
                text(entry, "reason"),
                text(entry, "recommendation")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_one_entry_from_its_opening_to_its_closing() {
        let event = |what: &str| Event::now(what).of("mail");
        let mut events = [
            event("breaker_opened").because("5 failures in a row").with("items", 90).with("delay", 0.7),
            event("breaker_half_open"),
            event("breaker_reopened"),
            Event::now("breaker_half_open").of("other"),
            event("breaker_half_open"),
            event("breaker_closed").with("open_ms", 400).with("items", 12),
            event("breaker_opened"),
            Event::now("paused"),
        ];
        events[5].at = events[0].at + jiff::SignedDuration::from_millis(1500);
        let told = told(&events);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0]["action"], "circuit_break");
        assert_eq!((&told[0]["probes"], &told[0]["delay"], &told[0]["items"]), (&json!(2), &json!(1.5), &json!(90)));
        assert!(told[0]["opened"].is_string() && told[0]["closed"].is_string());
        assert!(told[1]["closed"].is_null(), "still open");
    }

    #[test]
    fn decisions_are_told_with_their_advice() {
        let events = [
            Event::now("recovery")
                .of("hook")
                .with("action", "throttle")
                .with("delay", 600)
                .with("items", 7)
                .with("recommendation", "slower"),
            Event::now("canary").with("passed", true),
            Event::now("canary").with("passed", false).with("action", "halt").because("2 of 2"),
            Event::now("shaped").of("mail").with("action", "suspend").with("domain", "gmail.com"),
        ];
        let told = told(&events);
        let actions: Vec<&str> = told.iter().filter_map(|entry| entry["action"].as_str()).collect();
        assert_eq!(actions, ["throttle", "halt", "suspend"]);
        assert_eq!(
            (&told[0]["delay"], &told[0]["items"], &told[0]["recommendation"]),
            (&json!(600), &json!(7), &json!("slower"))
        );
        assert!(told[2]["recommendation"].as_str().unwrap().contains("gmail.com"));
        assert!(lines(&told)[0].contains("throttle hook, 600.0 s") && lines(&told)[0].ends_with("-> slower"));
    }

    #[test]
    fn much_trouble_is_told_by_its_ends() {
        let events: Vec<Event> = (0..500).map(|n| Event::now("shaped").with("items", n)).collect();
        let told = told(&events);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!((&told[0]["items"], &told[MOST - 1]["items"]), (&json!(0), &json!(499)));
    }
}
