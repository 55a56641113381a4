//! A snapshot as Prometheus reads it (text format 0.0.4): each metric with HELP and TYPE, once, its samples together.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::Path;

use crate::live::meter::BOUNDS;
use crate::live::snapshot::{OfAccount, Snapshot};
use crate::queue_stats::PriorityQueue;
use crate::queue_stats::Queue;

/// What the text is called in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Page<'a> {
    text: String,
    run: &'a str,
}

impl Page<'_> {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{name}{{run=\"{}\"", escaped(self.run));
        for (label, text) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

/// A value of a label: backslash, quote and line feed are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The whole page.
pub fn text(snapshot: &Snapshot) -> String {
    let mut page = Page { text: String::new(), run: &snapshot.run };
    page.begin("notify_rows_total", "counter", "Rows that were settled, by account and state.");
    for (account, about) in &snapshot.accounts {
        let counts = about.counts;
        for (state, count) in
            [("sent", counts.sent), ("failed", counts.failed), ("in_doubt", counts.in_doubt), ("skipped", counts.skipped)]
        {
            page.sample("notify_rows_total", &[("account", account), ("state", state)], count);
        }
    }
    page.begin("notify_errors_total", "counter", "Rows that failed for good, by kind of error.");
    for (kind, count) in &snapshot.errors_by_type {
        page.sample("notify_errors_total", &[("kind", kind.as_str())], count);
    }
    page.begin("notify_attempts_total", "counter", "Tries of all settled rows.");
    page.sample("notify_attempts_total", &[], snapshot.attempts);
    page.begin("notify_rows", "gauge", "Rows of the run in any state.");
    page.sample("notify_rows", &[], snapshot.total);
    page.begin("notify_rows_pending", "gauge", "Rows that are not settled.");
    page.sample("notify_rows_pending", &[], snapshot.pending);
    page.begin("notify_rows_per_second", "gauge", "Rows settled per second over the last five seconds.");
    page.sample("notify_rows_per_second", &[], snapshot.rate);
    if let Some(eta) = snapshot.eta {
        page.begin("notify_eta_seconds", "gauge", "Seconds that what is pending takes at that rate.");
        page.sample("notify_eta_seconds", &[], eta);
    }
    page.begin("notify_run_state", "gauge", "1 for the state that the run is in.");
    for state in ["running", "waiting", "paused", "stopping", "ended"] {
        page.sample("notify_run_state", &[("state", state)], u8::from(snapshot.state == state));
    }
    if let Some(code) = snapshot.exit_code {
        page.begin("notify_run_exit_code", "gauge", "What the process that worked on the run ended with.");
        page.sample("notify_run_exit_code", &[], code);
    }
    if let Ok(at) = snapshot.at.parse::<jiff::Timestamp>() {
        page.begin("notify_updated_timestamp_seconds", "gauge", "When these numbers were taken, in seconds since 1970.");
        page.sample("notify_updated_timestamp_seconds", &[], at.as_millisecond() as f64 / 1000.0);
    }
    queue(&mut page, snapshot);
    priorities(&mut page, snapshot);
    for (name, help, value) in ACCOUNT {
        page.begin(name, "gauge", help);
        for (account, about) in &snapshot.accounts {
            page.sample(name, &[("account", account)], value(about));
        }
    }
    page.begin("notify_workers", "gauge", "Requests that an account may have in flight, by what they are doing.");
    for (account, about) in &snapshot.accounts {
        let workers = about.workers;
        for (state, count) in [("sending", workers.sending), ("resting", workers.resting), ("idle", workers.idle)] {
            page.sample("notify_workers", &[("account", account), ("state", state)], count);
        }
    }
    page.begin("notify_breaker_state", "gauge", "1 for the state that the circuit breaker of the account is in.");
    for (account, about) in &snapshot.accounts {
        for state in ["closed", "open", "half_open"] {
            page.sample("notify_breaker_state", &[("account", account), ("state", state)], u8::from(about.breaker == state));
        }
    }
    page.begin("notify_request_duration_seconds", "histogram", "How long requests took, from the first byte to their answer.");
    for (account, about) in &snapshot.accounts {
        let (name, mut sum) = ("notify_request_duration_seconds_bucket", 0);
        for (bound, count) in BOUNDS.iter().zip(about.latency.classes) {
            sum += count;
            page.sample(name, &[("account", account), ("le", &bound.to_string())], sum);
        }
        page.sample(name, &[("account", account), ("le", "+Inf")], about.latency.count);
        page.sample("notify_request_duration_seconds_sum", &[("account", account)], about.latency.sum);
        page.sample("notify_request_duration_seconds_count", &[("account", account)], about.latency.count);
    }
    page.text
}

/// A gauge of each account.
type Gauge<T> = (&'static str, &'static str, fn(&T) -> u64);

const ACCOUNT: [Gauge<OfAccount>; 4] = [
    ("notify_width", "Requests in flight, at most.", |about| about.width),
    ("notify_batch_size", "Deliveries of one request, at most.", |about| about.batch),
    ("notify_held", "1 while a service, or a limit for longer than a second, holds the account up.", |about| {
        u64::from(about.held_until.is_some())
    }),
    ("notify_halted", "1 when the account has stopped for good.", |about| u64::from(about.halted.is_some())),
];

fn queue(page: &mut Page<'_>, snapshot: &Snapshot) {
    let gauges: [Gauge<Queue>; 3] = [
        ("notify_queue_waiting", "Rows that were read and wait for their turn.", |queue| queue.waiting),
        ("notify_queue_sending", "Deliveries in flight.", |queue| queue.sending),
        ("notify_queue_resting", "Rows that rest before another try.", |queue| queue.resting),
    ];
    for (name, help, value) in gauges {
        page.begin(name, "gauge", help);
        for (account, about) in &snapshot.accounts {
            if about.priorities.is_empty() {
                page.sample(name, &[("account", account), ("priority", "normal")], value(&about.queue));
            }
            for (priority, queue) in &about.priorities {
                page.sample(name, &[("account", account), ("priority", priority)], value(queue));
            }
        }
    }
}

/// What each priority has, over all accounts, with the rows that nobody has read yet.
fn priorities(page: &mut Page<'_>, snapshot: &Snapshot) {
    let gauges: [Gauge<PriorityQueue>; 3] = [
        ("notify_priority_pending", "Rows of a priority that were not read yet, or wait for their turn.", |queue| queue.pending),
        ("notify_priority_sending", "Deliveries of a priority in flight.", |queue| queue.sending),
        ("notify_priority_resting", "Rows of a priority that rest before another try.", |queue| queue.resting),
    ];
    for (name, help, value) in gauges {
        page.begin(name, "gauge", help);
        for queue in &snapshot.priorities {
            page.sample(name, &[("priority", queue.priority.as_str())], value(queue));
        }
    }
}

/// Writes the page beside its name and renames it, so that a collector never reads a half. Everybody may read it: it names no recipient.
///
/// # Errors
/// The disk.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Collectors take what ends in .prom.
    let temp = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = std::fs::File::create(&temp).and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| std::fs::rename(&temp, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&temp);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn every_sample_has_its_help_and_type_before_it_and_labels_are_escaped() {
        let mut about = OfAccount { breaker: "closed".to_owned(), ..OfAccount::default() };
        about.latency.add(Duration::from_millis(7));
        about.latency.add(Duration::from_secs(77));
        let mut snapshot = Snapshot { run: "r\"1\\\n".to_owned(), eta: Some(3), exit_code: Some(5), ..Snapshot::default() };
        snapshot.at = "2026-11-21T00:00:00Z".to_owned();
        snapshot.accounts.insert("a\"b".to_owned(), about.clone());
        about.priorities.insert("low".to_owned(), Queue { waiting: 3, sending: 2, resting: 1 });
        snapshot.accounts.insert("two".to_owned(), about);
        let text = text(&snapshot);
        let mut known = BTreeSet::new();
        let mut now = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                now = rest.split(' ').next().unwrap().to_owned();
                assert!(known.insert(now.clone()), "{now} twice");
            } else if !line.starts_with('#') {
                let name = line.split('{').next().unwrap();
                assert!(
                    name.strip_prefix(now.as_str()).is_some_and(|end| ["", "_bucket", "_sum", "_count"].contains(&end)),
                    "{line}"
                );
                let (labels, value) = line.rsplit_once("} ").unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(labels.contains(r#"run="r\"1\\\n""#), "{line}");
            }
        }
        assert!(text.contains(r#"account="a\"b",le="0.01"} 1"#) && text.contains(r#"le="+Inf"} 2"#), "{text}");
        assert!(text.contains(r#"account="two",priority="low"} 3"#), "{text}");
    }
}
