//! Limits as a service sees them: its own clock says when each message came, and no window may hold more than is allowed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::platforms::stage::{Asked, Reply, Stage};
use crate::service::{list, send, start, world};
use crate::world::wait;

fn bot(url: &str) -> Value {
    json!({"platform": "feishu-bot", "webhook": format!("{url}/open-apis/bot/v2/hook/b0t-t0ken-of-the-test")})
}

fn ok(_: &Asked) -> Reply {
    Reply::text(200, r#"{"code":0,"msg":"success"}"#)
}

fn rows(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|n| json!({"name": format!("someone {n}"), "text": format!("hello {n}")}))
}

/// The most that came in any window of this length.
fn most(times: &[Instant], window: Duration) -> usize {
    let (mut most, mut end) = (0, 0);
    for (begin, from) in times.iter().enumerate() {
        while times.get(end).is_some_and(|at| at.duration_since(*from) < window) {
            end += 1;
        }
        most = most.max(end - begin);
    }
    most
}

/// Requests of one account of that platform that may be late together, because a machine or a line was busy.
const UNDER_WAY: usize = 2 * 4;

#[test]
fn no_window_of_a_feishu_bot_holds_more_than_its_limit() {
    let stage = Stage::start(ok);
    let mut account = bot(&stage.url());
    // 5 a second and 100 a minute, 250 times as fast.
    account["limits"] = json!(["5/4ms", "100/240ms"]);
    let world = world(&json!({"bot": account}));
    list(&world, rows(10_000));
    send(&world, "bot", &[]).code(0);
    let times: Vec<Instant> = stage.asked().iter().map(|asked| asked.at).collect();
    assert_eq!(times.len(), 10_000);
    for windows in [1, 4, 20] {
        let allowed = 100 * windows;
        let found = most(&times, Duration::from_millis(240) * windows as u32);
        let burst = 12; // a hundredth of a second's worth: 5/4ms is 1250 a second
        assert!(found <= allowed + burst + UNDER_WAY, "{found} where {allowed} are allowed");
    }
    let took = times[9_999] - times[0];
    println!("{:.1} % of what is allowed", 9_999.0 * 2.4 / took.as_secs_f64() / 10.0);
}

/// In real time and with the definition's own numbers, over two minutes:
/// `cargo test --test it limits::a_feishu_bot_over_two_minutes -- --ignored --nocapture`
#[test]
#[ignore = "takes more than two minutes"]
fn a_feishu_bot_over_two_minutes() {
    let stage = Stage::start(ok);
    let world = world(&json!({"bot": bot(&stage.url())}));
    list(&world, rows(210));
    send(&world, "bot", &[]).code(0);
    let times: Vec<Instant> = stage.asked().iter().map(|asked| asked.at).collect();
    let (second, minute) = (most(&times, Duration::from_secs(1)), most(&times, Duration::from_secs(60)));
    let took = times[209] - times[0];
    let used = 209.0 * 0.6 / took.as_secs_f64();
    println!("most in a second {second}, in a minute {minute}; {took:?} for 210, {:.2} % of what is allowed", used * 100.0);
    assert!(second <= 5 + 1 && minute <= 100 + 1, "{second} in a second, {minute} in a minute");
    assert!(used >= 0.97, "{used}");
}

/// Rows that share with nobody must not pile up, neither as rows nor as lanes:
/// `cargo test --test it limits::two_hundred_thousand_contents_of_their_own -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
#[cfg(target_os = "linux")]
fn two_hundred_thousand_contents_of_their_own() {
    let count: usize = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000);
    let stage = Stage::start(|asked: &Asked| {
        if asked.path.contains("tenant_access_token") {
            return Reply::json(200, &json!({"code": 0, "msg": "ok", "tenant_access_token": "t-of-the-test", "expire": 7200}));
        }
        Reply::text(200, r#"{"code":0,"msg":"ok","data":{"message_id":"bm-1"}}"#)
    });
    let account = json!({"platform": "feishu-batch", "base": stage.url(), "app_id": "cli_test", "app_secret": "app-s3cret-of-the-test", "limits": []});
    let world = world(&json!({"app": account}));
    list(&world, (0..count).map(|n| json!({"open_id": format!("ou_{n}"), "text": format!("hello {n}, this is yours alone")})));
    let begun = Instant::now();
    let mut child = start(&world, &["batch", "rows.jsonl", "--via", "app", "--yes", "--out", "out", "-q"]);
    let status = format!("/proc/{}/status", child.id());
    let (mut peak, mut seen) = (0usize, Vec::new());
    let mut next = count / 10;
    while child.try_wait().expect("wait").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()
        };
        peak = peak.max(kilobytes("VmHWM:").unwrap_or_default());
        if stage.count() >= next {
            seen.push(kilobytes("VmRSS:").unwrap_or_default() / 1024);
            next += count / 10;
        }
        std::thread::park_timeout(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(1500), "it stands still");
    }
    assert_eq!(wait(&mut child, Duration::from_secs(10)), Some(0));
    println!(
        "{count} rows in {:?}, {} requests, peak {} MiB, on the way {seen:?} MiB",
        begun.elapsed(),
        stage.count(),
        peak / 1024
    );
    assert!(peak < 400 * 1024, "{} MiB", peak / 1024);
}
