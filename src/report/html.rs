//! `report.html`: a run on one page that needs nothing else, for people who would rather look than read JSON.
//!
//! Made of `report.json` and of the first rows that failed. Everything that comes from outside is escaped, no script runs, nothing is
//! fetched; addresses that may be credentials are hidden as in the results.

use std::fmt::Write as _;

use serde_json::Value;

use crate::error::ErrorKind;
use crate::report::advice::advice;

/// Failed rows that the page lists; the files have all of them.
pub const FAILED: usize = 200;
/// Decisions and measurements that the page lists.
const TUNED: usize = 120;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1d2430;background:#fff}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p.sub{color:#5b6676;margin:.2rem 0 1.2rem}\
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e3e7ee;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.cards{display:flex;flex-wrap:wrap;gap:.8rem}\
.card{border:1px solid #e3e7ee;border-radius:.5rem;padding:.6rem 1rem;min-width:7rem}.card b{display:block;font-size:1.4rem}\
.bar{display:flex;height:.8rem;border-radius:.4rem;overflow:hidden;background:#e3e7ee;margin:1rem 0}\
.sent{background:#2e9e6b}.failed{background:#c8423b}.in_doubt{background:#d9952b}.skipped{background:#8a94a3}.pending{background:#cfd6e1}\
svg{width:100%;height:auto;border:1px solid #e3e7ee;border-radius:.5rem}code{font-size:.85rem;word-break:break-all}\
@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}th,td,.card,svg{border-color:#2b3340}p.sub{color:#98a3b3}}";

/// One failed row: number, account, address, kind, code, detail.
pub type FailedRow = [String; 6];

/// The page of a run whose `report.json` this is.
pub fn page(report: &Value, failed: &[FailedRow]) -> String {
    let mut page = String::with_capacity(16 * 1024);
    let text = |name: &str| escaped(report.get(name).and_then(Value::as_str).unwrap_or_default());
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>notify {run}</title><style>{STYLE}</style></head><body>\n<h1>{input}: {status}</h1>\n\
         <p class=\"sub\">run {run}, {start} to {end}, {duration} s, {rate} a second</p>\n",
        run = text("run"),
        input = text("input"),
        status = text("status"),
        start = text("start_time"),
        end = text("end_time"),
        duration = number(report.get("duration")),
        rate = number(report.get("throughput")),
    );
    outcome(&mut page, report);
    accounts(&mut page, report);
    over_time(&mut page, report);
    errors(&mut page, report);
    rows(&mut page, report, failed);
    recovery(&mut page, report);
    tuning(&mut page, report);
    page.push_str("</body></html>\n");
    page
}

fn outcome(page: &mut String, report: &Value) {
    const STATES: [&str; 5] = ["sent", "failed", "in_doubt", "skipped", "pending"];
    let total = count(report.get("total_messages"));
    page.push_str("<div class=\"cards\">");
    let _ = write!(page, "<div class=\"card\"><b>{total}</b>rows</div>");
    for state in STATES {
        let _ = write!(page, "<div class=\"card\"><b>{}</b>{}</div>", count(report.get(state)), state.replace('_', " "));
    }
    page.push_str("</div>\n<div class=\"bar\" role=\"img\" aria-label=\"rows by outcome\">");
    for state in STATES {
        let share = 100.0 * count(report.get(state)) as f64 / total.max(1) as f64;
        let _ = write!(page, "<span class=\"{state}\" style=\"width:{share:.2}%\"></span>");
    }
    page.push_str("</div>\n");
}

fn accounts(page: &mut String, report: &Value) {
    let Some(accounts) = report.get("accounts").and_then(Value::as_object).filter(|accounts| !accounts.is_empty()) else {
        return;
    };
    page.push_str(
        "<h2>By account</h2>\n<table><tr><th>account</th><th>platform</th><th class=\"n\">sent</th><th class=\"n\">failed</th>\
         <th class=\"n\">in doubt</th><th class=\"n\">skipped</th></tr>\n",
    );
    for (name, counts) in accounts {
        let platform = counts.get("platform").and_then(Value::as_str).unwrap_or_default();
        let _ = write!(page, "<tr><td>{}</td><td>{}</td>", escaped(name), escaped(platform));
        for state in ["sent", "failed", "in_doubt", "skipped"] {
            let _ = write!(page, "<td class=\"n\">{}</td>", count(counts.get(state)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

/// Throughput, latency and width over time, as three lines of points.
fn over_time(page: &mut String, report: &Value) {
    let entries: Vec<&Value> = report.get("tuning").and_then(Value::as_array).into_iter().flatten().collect();
    let seconds = |entry: &Value| -> Option<f64> {
        let at: jiff::Timestamp = entry.get("time")?.as_str()?.parse().ok()?;
        Some(at.as_millisecond() as f64 / 1000.0)
    };
    let (Some(first), Some(last)) = (entries.first().and_then(|e| seconds(e)), entries.last().and_then(|e| seconds(e))) else {
        return;
    };
    if entries.len() < 2 {
        return;
    }
    let span = (last - first).max(1e-3);
    page.push_str("<h2>Over time</h2>\n");
    for (name, unit, colour) in [
        ("throughput", "rows a second", "#2e6fd0"),
        ("latency", "seconds to the answer, half are faster", "#d9952b"),
        ("concurrency", "requests in flight, at most", "#2e9e6b"),
    ] {
        let most = entries.iter().filter_map(|entry| entry.get(name)?.as_f64()).fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        let mut by_account: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        for entry in &entries {
            let account = entry.get("account").and_then(Value::as_str).unwrap_or_default();
            let (Some(at), Some(value)) = (seconds(entry), entry.get(name).and_then(Value::as_f64)) else { continue };
            let (x, y) = (10.0 + 980.0 * (at - first) / span, 110.0 - 95.0 * value / most);
            let _ = write!(by_account.entry(account).or_default(), "{x:.1},{y:.1} ");
        }
        let _ = write!(
            page,
            "<svg viewBox=\"0 0 1000 120\" role=\"img\" aria-label=\"{name} over time\"><text x=\"10\" y=\"13\" font-size=\"11\" fill=\"{colour}\">{name}: \
             {unit}; at most {}</text>",
            short(most)
        );
        for (account, points) in by_account.iter().take(12) {
            let _ = write!(
                page,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"><title>{}</title></polyline>",
                points.trim_end(),
                escaped(account)
            );
        }
        page.push_str("</svg>\n");
    }
}

fn errors(page: &mut String, report: &Value) {
    let kinds = report.pointer("/error_summary/errors_by_type").and_then(Value::as_object);
    let Some(kinds) = kinds.filter(|kinds| kinds.values().any(|count| count.as_u64() > Some(0))) else { return };
    page.push_str("<h2>Errors</h2>\n<table><tr><th>kind</th><th class=\"n\">rows</th><th>what to do</th></tr>\n");
    for (kind, rows) in kinds {
        let what = ErrorKind::parse(kind).map(advice).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escaped(kind),
            count(Some(rows)),
            escaped(what)
        );
    }
    page.push_str("</table>\n");
}

fn rows(page: &mut String, report: &Value, failed: &[FailedRow]) {
    if failed.is_empty() {
        return;
    }
    page.push_str("<h2>Rows that failed</h2>\n<table><tr><th class=\"n\">row</th><th>account</th><th>to</th><th>why</th></tr>\n");
    for [row, account, to, kind, code, detail] in failed.iter().take(FAILED) {
        let code = if code.is_empty() { String::new() } else { format!(" ({})", escaped(code)) };
        let _ = writeln!(
            page,
            "<tr><td class=\"n\">{}</td><td>{}</td><td><code>{}</code></td><td>{}{code}: {}</td></tr>",
            escaped(row),
            escaped(account),
            escaped(to),
            escaped(kind),
            escaped(detail)
        );
    }
    page.push_str("</table>\n");
    let all = count(report.get("failed"));
    if all > failed.len() as u64 {
        let file = report.pointer("/files/failed_csv").and_then(Value::as_str).unwrap_or("failed.csv");
        let _ = writeln!(page, "<p>The first {} of {all}; all of them are in <code>{}</code>.</p>", failed.len(), escaped(file));
    }
}

fn recovery(page: &mut String, report: &Value) {
    let entries: Vec<&Value> = report.get("recovery").and_then(Value::as_array).into_iter().flatten().collect();
    if entries.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Recovery</h2>\n<table><tr><th>time</th><th>action</th><th class=\"n\">delay, s</th><th class=\"n\">items</th><th></th></tr>\n",
    );
    for entry in entries {
        let text = |name: &str| escaped(entry.get(name).and_then(Value::as_str).unwrap_or_default());
        let time = if entry.get("time").is_some() { text("time") } else { text("at") };
        let _ = writeln!(
            page,
            "<tr><td>{time}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            text("action"),
            number(entry.get("delay")),
            number(entry.get("items")),
            text("recommendation")
        );
    }
    page.push_str("</table>\n");
}

fn tuning(page: &mut String, report: &Value) {
    let entries: Vec<&Value> = report.get("tuning").and_then(Value::as_array).into_iter().flatten().collect();
    if entries.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Tuning</h2>\n<table><tr><th>time</th><th>account</th><th class=\"n\">in flight at most</th><th class=\"n\">batch</th>\
         <th class=\"n\">rows/s</th><th class=\"n\">latency, s</th><th class=\"n\">errors</th><th>reason</th></tr>\n",
    );
    for entry in entries.iter().take(TUNED) {
        let text = |name: &str| escaped(entry.get(name).and_then(Value::as_str).unwrap_or_default());
        let errors = 100.0 * entry.get("error_share").and_then(Value::as_f64).unwrap_or_default();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{errors:.1} %</td><td>{}</td></tr>",
            text("time"),
            text("account"),
            number(entry.get("concurrency")),
            number(entry.get("batch_size")),
            number(entry.get("throughput")),
            number(entry.get("latency")),
            text("reason")
        );
    }
    page.push_str("</table>\n");
    if entries.len() > TUNED {
        let _ = writeln!(page, "<p>The first {TUNED} of {}; all of them are in report.json.</p>", entries.len());
    }
}

fn count(value: Option<&Value>) -> u64 {
    value.and_then(Value::as_u64).unwrap_or_default()
}

fn number(value: Option<&Value>) -> String {
    value.and_then(Value::as_f64).map(short).unwrap_or_default()
}

fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Nothing of it can be markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' && letter != '\t' => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_from_outside_is_no_markup() {
        let evil = "<script>alert(1)</script>\"'&";
        let report = json!({
            "run": evil, "input": evil, "status": evil, "total_messages": 3, "sent": 1, "failed": 2,
            "accounts": {evil: {"platform": evil, "sent": 1}},
            "error_summary": {"errors_by_type": {"bad_row": 2, evil: 1}},
            "recovery": [{"action": evil, "recommendation": evil, "delay": 300, "items": 7}],
            "tuning": [
                {"time": "2026-11-21T00:00:00Z", "account": evil, "concurrency": 8, "throughput": 10.0, "latency": 0.1, "reason": evil},
                {"time": "2026-11-21T00:00:01Z", "account": evil, "concurrency": 16, "throughput": 20.0, "latency": 0.1, "reason": evil},
            ],
        });
        let row = [evil; 6].map(str::to_owned);
        let page = page(&report, &[row]);
        assert!(!page.contains("<script") && !page.contains("alert(1)<"), "{page}");
        for part in ["<polyline", "mend it in failed.jsonl", "Recovery", "&lt;script&gt;", "The first 1 of 2"] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched");
    }
}
