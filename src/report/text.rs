//! A run in words: the few lines at its end, and `notify report` on one screen.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::error::ErrorKind;
use crate::journal::folder::{Ending, Manifest};
use crate::report::advice::advice;
use crate::report::paths::Paths;
use crate::report::totals::{duration, throughput};
use crate::tally::Tally;

/// Accounts and errors shown of each; a screen has 24 lines.
const MOST: usize = 6;

/// At most seven lines for the end of a run: numbers, rate, run, files, the first failure in its own words, and what to do next.
pub fn summary(manifest: &Manifest, ending: &Ending, tally: &Tally, paths: &Paths) -> String {
    let mut text = format!("{}\n", counts(tally));
    let _ = writeln!(
        text,
        "{} in {}, {} sent/s, {} retried · run {}",
        ending.status,
        span(duration(ending)),
        throughput(tally, ending),
        number(tally.retried),
        manifest.id
    );
    let _ = writeln!(text, "report  {}", shown(&paths.report));
    if tally.failed > 0 {
        if let Some(why) = why(&paths.failed_jsonl) {
            let _ = writeln!(text, "why     {why}");
        }
        let _ = writeln!(text, "failed  notify retry {}", shown(&paths.failed_jsonl));
    }
    if let Some(next) = next(manifest, tally) {
        let _ = writeln!(text, "next    {next}");
    }
    text
}

/// The end of a run under `-q` that was no success: one line, then the paths and what to do, as cron mails it.
pub fn brief(manifest: &Manifest, ending: &Ending, tally: &Tally, paths: &Paths, reasons: &[String]) -> String {
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ").replace('\n', " ")) };
    let mut text = format!("{} · {} (exit {}) · run {}{why}\n", counts(tally), ending.status, ending.exit, manifest.id);
    let _ = writeln!(text, "report  {}", shown(&paths.report));
    if tally.failed > 0 {
        let _ = writeln!(text, "failed  notify retry {}", shown(&paths.failed_jsonl));
    }
    if let Some(next) = next(manifest, tally) {
        let _ = writeln!(text, "next    {next}");
    }
    text
}

/// The first failure that was not told before the run began: its line, kind and words, out of the retry file. A count alone sends people
/// into files to learn that a port was wrong. `None` where there is none near the beginning, or the file is not there.
fn why(failed: &Path) -> Option<String> {
    const LINES: usize = 100;
    const BYTES: u64 = 1 << 20;
    let file = std::fs::File::open(failed).ok()?;
    for line in BufReader::new(file.take(BYTES)).lines().take(LINES) {
        let row: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
        let about = &row["_notify"];
        let kind = about["kind"].as_str()?;
        if kind == ErrorKind::BadRow.as_str() {
            continue;
        }
        let detail: String = about["detail"].as_str().unwrap_or_default().chars().filter(|c| !c.is_control()).take(160).collect();
        let line = about["line"].as_u64().map(|line| format!("line {line}: ")).unwrap_or_default();
        return Some(format!("{line}{kind}: {detail}"));
    }
    None
}

/// What to do about what is not settled.
fn next(manifest: &Manifest, tally: &Tally) -> Option<String> {
    let id = &manifest.id;
    // A URL is not kept: whoever goes on must give it once more.
    let by_url = manifest.settings.get("by_url").and_then(|names| names.as_array()).is_some_and(|names| !names.is_empty());
    let again = if by_url { " --via URL" } else { "" };
    if tally.undecided > 0 {
        Some(format!(
            "notify resume {id}{again} --in-doubt resend  (or skip: {} may or may not have been sent)",
            number(tally.undecided)
        ))
    } else if tally.pending() > 0 {
        Some(format!("notify resume {id}{again}"))
    } else {
        None
    }
}

/// The run on one screen. `ending` is `None` while it runs, and where it broke off.
pub fn text(manifest: &Manifest, ending: Option<&Ending>, tally: &Tally, paths: &Paths) -> String {
    let template = manifest.template.as_ref().map(|t| format!(" with {}", t.name)).unwrap_or_default();
    let mut text = format!("run {}  {} {}{template}\n{}\n", manifest.id, manifest.command, manifest.input, counts(tally));
    let _ = match ending {
        Some(ending) => writeln!(
            text,
            "{} (exit {}), {} to {}, {}, {} sent/s, {} retried",
            ending.status,
            ending.exit,
            ending.start.strftime("%F %T"),
            ending.end.strftime("%F %T UTC"),
            span(duration(ending)),
            throughput(tally, ending),
            number(tally.retried)
        ),
        None => writeln!(text, "started {}; not ended", manifest.created),
    };
    if !tally.accounts.is_empty() {
        let width = tally.accounts.keys().map(|name| name.len()).max().unwrap_or(0).max(7);
        let _ =
            writeln!(text, "\n{:width$}  {:>11} {:>9} {:>9} {:>9}  platform", "account", "sent", "failed", "in doubt", "skipped");
        for (name, counts) in tally.accounts.iter().take(MOST) {
            let _ = writeln!(
                text,
                "{name:width$}  {:>11} {:>9} {:>9} {:>9}  {}",
                number(counts.sent),
                number(counts.failed),
                number(counts.in_doubt),
                number(counts.skipped),
                manifest.platforms.get(&**name).map_or("", String::as_str)
            );
        }
        more(&mut text, tally.accounts.len());
    }
    let mut kinds: Vec<(ErrorKind, u64)> = tally.kinds.iter().map(|(kind, rows)| (*kind, *rows)).collect();
    kinds.sort_unstable_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    if tally.in_doubt > 0 {
        kinds.insert(0, (ErrorKind::InDoubt, tally.in_doubt));
    }
    if !kinds.is_empty() {
        text.push('\n');
        for (kind, rows) in kinds.iter().take(MOST) {
            let decided = *kind == ErrorKind::InDoubt && tally.undecided == 0;
            let what = match decided {
                true => "left in doubt by decision: `notify retry RUN --only in_doubt` sends them again",
                false => advice(*kind),
            };
            let _ = writeln!(text, "{:13} {:>9}  {what}", kind.as_str(), number(*rows));
        }
        more(&mut text, kinds.len());
    }
    for error in tally.critical.iter().take(2) {
        let code = error.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        let detail: String = error.detail.chars().take(100).collect();
        let _ = writeln!(text, "{}: {detail}{code}", error.account);
    }
    let _ = writeln!(text, "\nreport  {}", shown(&paths.report));
    if tally.failed > 0 {
        if let Some(why) = why(&paths.failed_jsonl) {
            let _ = writeln!(text, "why     {why}");
        }
        let _ = writeln!(text, "failed  notify retry {}", shown(&paths.failed_jsonl));
    }
    if let Some(next) = next(manifest, tally) {
        let _ = writeln!(text, "next    {next}");
    }
    text
}

fn counts(tally: &Tally) -> String {
    let mut text = format!("{} of {} sent, {} failed", number(tally.sent), number(tally.total), number(tally.failed));
    for (count, word) in [(tally.in_doubt, "in doubt"), (tally.skipped, "skipped"), (tally.pending(), "pending")] {
        if count > 0 {
            let _ = write!(text, ", {} {word}", number(count));
        }
    }
    text
}

fn more(text: &mut String, all: usize) {
    if all > MOST {
        let _ = writeln!(text, "... and {} more in report.json", all - MOST);
    }
}

/// Below the working directory a path is shown from there, as a person would type it; quoted where a shell would split it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let near = path.strip_prefix(&here).ok().filter(|near| !near.as_os_str().is_empty()).unwrap_or(path);
    let text = near.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,~".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// `12,345`.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `4.2 s`, `3 min 20 s`, `2 h 05 min`.
fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=59 => format!("{seconds:.1} s"),
        60..=3599 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(
            (number(0), number(999), number(1000), number(1_234_567)),
            ("0".into(), "999".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!((span(4.21), span(200.0), span(7500.0)), ("4.2 s".into(), "3 min 20 s".into(), "2 h 05 min".into()));
        assert_eq!(shown(Path::new("/tmp/a b/it's")), r"'/tmp/a b/it'\''s'");
    }
}
