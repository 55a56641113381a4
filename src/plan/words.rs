//! A plan in words for a person, and as one JSON object for a program.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Zoned;
use serde_json::{Value, json};

use crate::config::duration;
use crate::plan::{Binding, Counts, LATENCY, Part, Plan};

impl Plan {
    /// For a person: a few lines, each with its word in front.
    pub fn text(&self) -> String {
        let Counts { good, bad, skipped, already, suppressed } = self.counts;
        let repeats = skipped.saturating_sub(already + suppressed);
        let mut text = format!("{} can be sent", rows(good));
        for (count, why) in [
            (bad, "that cannot be sent"),
            (repeats, "skipped as duplicates"),
            (already, "sent already"),
            (suppressed, "on the suppression list"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {} {why}", grouped(count)); // a String takes all
            }
        }
        text.push('\n');
        for part in &self.accounts {
            let _ = writeln!(text, "  {}", part.line());
            for line in part.more() {
                let _ = writeln!(text, "    {line}");
            }
        }
        if let Some(line) = self.domain_line() {
            let _ = writeln!(text, "domains: {line}");
        }
        if let Some(part) = self.slowest.map(|at| &self.accounts[at]) {
            let _ = writeln!(text, "limit: {}", part.decides());
            let _ = writeln!(text, "time: {}", self.times());
        }
        if !self.goes_on.is_empty() {
            let dates: Vec<String> = self.goes_on.iter().take(7).map(minute).collect();
            let more = if self.goes_on.len() > dates.len() { ", …" } else { "" };
            let _ = writeln!(
                text,
                "goes on: {}{more} (a run that has used up such a limit stops with exit 5 and is resumed then)",
                dates.join(", ")
            );
        }
        if !self.bill.is_empty() {
            let sums: Vec<String> = self.bill.iter().map(|(currency, money)| format!("{money} {currency}")).collect();
            let unpriced: Vec<&str> = self.unpriced().map(|part| part.account.as_str()).collect();
            let beside =
                if unpriced.is_empty() { String::new() } else { format!("; what {} costs is not known", unpriced.join(" and ")) };
            let least = if self.accounts.iter().any(|part| part.sms.unknown > 0) { "at least " } else { "" };
            let _ = writeln!(text, "cost: {least}{}{beside}", sums.join(" and "));
        }
        text
    }

    fn domain_line(&self) -> Option<String> {
        let mut told: Vec<String> = self.domains.iter().map(|(domain, rows)| format!("{domain} {}", grouped(*rows))).collect();
        match self.other_domains {
            (0, _) => {}
            (rows, Some(domains)) => told.push(format!("{} others {}", grouped(domains as u64), grouped(rows))),
            (rows, None) => told.push(format!("others {}", grouped(rows))),
        }
        (!told.is_empty()).then(|| told.join(", "))
    }

    fn times(&self) -> String {
        if self.lasts.is_zero() {
            return format!("at once, from {}", minute(&self.first));
        }
        format!("about {}, from {} to {}", length(self.lasts), minute(&self.first), minute(&self.last))
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let accounts: Vec<Value> = self.accounts.iter().map(Part::json).collect();
        let (other_rows, other_names) = self.other_domains;
        let bill =
            self.bill.iter().map(|(currency, money)| json!({ "amount": money.number(), "currency": currency.to_string() }));
        let binds = self.slowest.map(|at| {
            let part = &self.accounts[at];
            let mut binds = part.binds.json();
            binds["account"] = json!(part.account);
            binds
        });
        json!({
            "type": "plan",
            "rows": self.counts.good + self.counts.bad + self.counts.skipped,
            "good": self.counts.good,
            "bad": self.counts.bad,
            "skipped": self.counts.skipped,
            "already": self.counts.already,
            "suppressed": self.counts.suppressed,
            "requests": self.accounts.iter().map(|part| part.requests).sum::<u64>(),
            "accounts": accounts,
            "domains": self.domains.iter().map(|(domain, rows)| json!({ "domain": domain, "rows": rows })).collect::<Vec<_>>(),
            "other_domains": { "domains": other_names, "rows": other_rows },
            "binds": binds,
            "seconds": self.lasts.as_secs_f64(),
            "first": self.first.timestamp().to_string(),
            "last": self.last.timestamp().to_string(),
            "goes_on": self.goes_on.iter().map(|time| time.timestamp().to_string()).collect::<Vec<_>>(),
            "cost": bill.collect::<Vec<_>>(),
            "unpriced": self.unpriced().map(|part| part.account.as_str()).collect::<Vec<_>>(),
        })
    }
}

impl Part {
    /// `12,000 by corp-mail (smtp), about 14m at 14/s`.
    fn line(&self) -> String {
        let mut text = format!("{} by {} ({})", grouped(self.rows), self.account, self.platform);
        if self.per_request.1 > 1 {
            let requests =
                if self.requests == 1 { "1 request".to_owned() } else { format!("{} requests", grouped(self.requests)) };
            let _ = write!(text, " in {requests} of up to {}", grouped(self.per_request.0 as u64));
        }
        match (&self.binds, self.lasts) {
            (_, Duration::ZERO) => {}
            (Binding::Width(width), time) => {
                let _ = write!(text, ", about {} with {width} in flight", length(time));
            }
            (_, time) => {
                let _ = write!(text, ", about {} at {}", length(time), self.limits.join(" and "));
            }
        }
        text
    }

    fn more(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((waits, window)) = self.waits {
            let limit = if let Binding::Limit(limit) = &self.binds { format!("{limit}: ") } else { String::new() };
            let windows = match window.as_secs() {
                86_400 => format!("{} days", grouped(waits + 1)),
                _ => format!("{} times {}", grouped(waits + 1), duration::format(window)),
            };
            lines.push(format!("{limit}{windows}"));
        }
        let mut sms: Vec<String> = Vec::new();
        for ((alphabet, parts), rows) in &self.sms.by {
            sms.push(format!("{} of {parts} in {}", grouped(*rows), shown(alphabet)));
        }
        if self.sms.unknown > 0 {
            sms.push(format!("{} whose text the service makes", grouped(self.sms.unknown)));
        }
        if !sms.is_empty() {
            let least = if self.sms.unknown > 0 { "at least " } else { "" };
            lines.push(format!("SMS: {least}{} parts ({})", grouped(self.sms.parts()), sms.join(", ")));
        }
        let (files, bytes) = self.attached;
        if files > 0 {
            lines.push(format!("{} attachments, {} together", grouped(files), size(bytes)));
        }
        if let Some((cost, money)) = &self.cost {
            lines.push(format!("{money} {} at {cost}", cost.currency));
        }
        lines
    }

    fn decides(&self) -> String {
        match &self.binds {
            Binding::Limit(limit) => format!("{limit} of {}", self.account),
            Binding::Width(width) => {
                let each = duration::format(LATENCY);
                format!("{width} in flight of {}, if the service answers within {each}; no limit decides", self.account)
            }
            Binding::Nothing => "none".to_owned(),
        }
    }

    fn json(&self) -> Value {
        let by =
            self.sms.by.iter().map(|((alphabet, parts), rows)| json!({ "alphabet": alphabet, "parts": parts, "rows": rows }));
        let is_sms = !self.sms.by.is_empty() || self.sms.unknown > 0;
        json!({
            "account": self.account,
            "platform": self.platform,
            "rows": self.rows,
            "requests": self.requests,
            "rows_per_request": { "largest": self.per_request.0, "most": self.per_request.1 },
            "limits": self.limits,
            "binds": self.binds.json(),
            "seconds": self.lasts.as_secs_f64(),
            "windows": self.waits.map(|(waits, window)| json!({ "count": waits + 1, "seconds": window.as_secs_f64() })),
            "sms": is_sms.then(|| json!({ "parts": self.sms.parts(), "by": by.collect::<Vec<_>>(), "unknown": self.sms.unknown })),
            "attachments": { "files": self.attached.0, "bytes": self.attached.1 },
            "cost": self.cost.as_ref().map(|(cost, money)| {
                json!({ "amount": money.number(), "currency": cost.currency.to_string(), "at": cost.to_string() })
            }),
        })
    }
}

impl Binding {
    fn json(&self) -> Value {
        match self {
            Binding::Limit(limit) => json!({ "kind": "limit", "limit": limit }),
            Binding::Width(width) => json!({ "kind": "width", "width": width, "latency_ms": LATENCY.as_millis() as u64 }),
            Binding::Nothing => json!({ "kind": "nothing" }),
        }
    }
}

/// "1 row", "12 rows".
fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(count)) }
}

/// `12,431`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whole seconds are fine enough for what is estimated.
fn length(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return "1s".to_owned();
    }
    let seconds = time.as_secs_f64().round() as u64;
    // Who waits for days does not count seconds.
    let seconds = if seconds >= 86_400 { seconds.div_ceil(60) * 60 } else { seconds };
    duration::format(Duration::from_secs(seconds))
}

fn minute(time: &Zoned) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

fn shown(alphabet: &str) -> &str {
    match alphabet {
        "gsm7" => "GSM 7-bit",
        "ucs2" => "UCS-2",
        other => other,
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{} bytes", grouped(bytes)),
        10_000..10_000_000 => format!("{} KB", grouped(bytes.div_ceil(1000))),
        _ => format!("{} MB", grouped(bytes.div_ceil(1_000_000))),
    }
}
