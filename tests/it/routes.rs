//! Where rows go: shared out in a pool, to several accounts, one after the other, and around what a service holds up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use notify::state::holds::Holds;
use serde_json::{Value, json};

use crate::platforms::stage::{Answer, Asked, Reply, Stage};
use crate::service::{list, number, send, start, sums, tencent, tencent_reply, texts, told, world};
use crate::world::{World, until, wait};

const OK: &str = r#"{"errcode":0,"errmsg":"ok"}"#;

fn ok() -> Reply {
    Reply::text(200, OK)
}

fn robot(url: &str, name: &str, limit: Option<&str>) -> Value {
    let mut account =
        json!({"platform": "dingtalk-robot", "webhook": format!("{url}/robot/send?access_token=r0bot-t0ken-of-{name}")});
    account["limits"] = limit.map_or_else(|| json!([]), |limit| json!([limit]));
    account
}

/// The robot that was asked: its name is the end of its token.
fn robot_of(asked: &Asked) -> String {
    let token = asked.query.iter().find(|(name, _)| name == "access_token").map(|(_, token)| token.as_str()).unwrap_or_default();
    token.rsplit('-').next().unwrap_or_default().to_owned()
}

fn pool(url: &str, limit: Option<&str>) -> World {
    world(&json!({
        "one": robot(url, "one", limit), "two": robot(url, "two", limit), "three": robot(url, "three", limit),
        "robots": {"platform": "pool", "of": ["one", "two", "three"]},
    }))
}

fn text_of(asked: &Asked) -> String {
    asked.json()["text"]["content"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_pool_shares_out_and_keeps_each_limit() {
    let stage = Stage::start(|_: &Asked| ok());
    // The robots' 20 a minute, thirty times as fast.
    let world = pool(&stage.url(), Some("20/2s"));
    list(&world, (0..90).map(|n| json!({"name": format!("someone {n}"), "text": format!("hello {n}")})));
    send(&world, "robots", &[]).code(0);
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), 90)]));
    let mut times: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    let asked = stage.asked();
    assert_eq!(asked.iter().map(text_of).collect::<BTreeSet<_>>().len(), 90, "each row once");
    for asked in &asked {
        times.entry(robot_of(asked)).or_default().push(asked.at);
    }
    assert_eq!(times.keys().map(String::as_str).collect::<Vec<_>>(), ["one", "three", "two"]);
    for (robot, times) in &times {
        // A quarter more than its share at most.
        assert!((20..=38).contains(&times.len()), "{robot} sent {}", times.len());
        for (i, begin) in times.iter().enumerate() {
            let inside = times[i..].iter().take_while(|at| at.duration_since(*begin) < Duration::from_secs(2)).count();
            // The limit, its burst of one, and what a busy machine delivers late.
            assert!(inside <= 20 + 1 + 2, "{robot}: {inside} within two seconds");
        }
    }
    let longest = times.values().map(|times| times.len()).max().unwrap_or_default() as u32;
    let took = asked[89].at - asked[0].at;
    // One robot alone needs 8.9 s.
    assert!(took < Duration::from_millis(100) * (longest + 20), "took {took:?}, the longest has {longest}");
}

#[test]
fn a_pool_shares_out_and_stays_with_its_recipients() {
    let stage = Stage::start(|_: &Asked| ok());
    let world = pool(&stage.url(), None);
    list(&world, (0..8).map(|n| json!({"name": format!("person {}", n % 4), "text": format!("person {} {n}", n % 4)})));
    send(&world, "robots", &["--dedupe", "off"]).code(0);
    let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for asked in stage.asked() {
        let text = text_of(&asked);
        of.entry(text.chars().take("person 0".len()).collect()).or_default().insert(robot_of(&asked));
    }
    assert_eq!((stage.count(), of.len()), (8, 4));
    assert!(of.values().all(|robots| robots.len() == 1), "a recipient has one robot: {of:?}");
}

#[test]
fn a_blocked_account_of_a_pool_rests_while_the_others_go_on() {
    let stage = Stage::start(|asked: &Asked| match robot_of(asked).as_str() {
        "one" => Reply::json(200, &json!({"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"})),
        "two" => Reply::json(200, &json!({"errcode": 310000, "errmsg": "sign not match"})),
        _ => ok(),
    });
    let world = pool(&stage.url(), None);
    list(&world, (0..300).map(|n| json!({"name": format!("someone {n}"), "text": format!("hello {n}")})));
    let begun = Instant::now();
    let ended = send(&world, "robots", &[]).code(0);
    assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits for ten minutes");
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), 300)]));
    let report = world.json("out/report.json");
    assert_eq!((report["sent"].as_u64(), report["pending"].as_u64()), (Some(300), Some(0)), "{report}");
    assert!(world.jsonl("out/results.jsonl").iter().all(|row| row["account"] == "three"), "who sent it is told");
    let by = |name: &str| stage.asked().iter().filter(|asked| robot_of(asked) == name).count();
    assert_eq!(by("three"), 300);
    // What was on its way when the first answer came, and nothing after that.
    assert!((1..=4).contains(&by("one")) && (1..=4).contains(&by("two")), "{} and {}", by("one"), by("two"));
    assert!(ended.err.contains("two was halted") || report.to_string().contains("two"), "{}\n{report}", ended.err);
}

#[test]
fn a_pool_all_of_whose_accounts_are_refused_stops() {
    let stage = Stage::start(|_: &Asked| Reply::json(200, &json!({"errcode": 310000, "errmsg": "sign not match"})));
    let world = pool(&stage.url(), None);
    list(&world, (0..300).map(|n| json!({"name": format!("someone {n}"), "text": "hello"})));
    send(&world, "robots", &[]).code(4);
    let report = world.json("out/report.json");
    assert_eq!((report["sent"].as_u64(), report["pending"].as_u64()), (Some(0), Some(300)), "{report}");
}

#[test]
fn a_pool_of_two_kinds_is_refused() {
    let world = world(&json!({
        "one": robot("http://127.0.0.1:9", "one", None),
        "sms": tencent("http://127.0.0.1:9"),
        "both": {"platform": "pool", "of": ["one", "sms"]},
    }));
    list(&world, [json!({"name": "someone", "text": "hello"})]);
    let ended = send(&world, "both", &[]).code(4);
    assert!(ended.err.contains("mixes platforms") && ended.err.contains("one>sms"), "{}", ended.err);
}

#[test]
fn a_row_may_name_its_account_or_several() {
    let stage = Stage::start(|_: &Asked| ok());
    let url = stage.url();
    let world = world(&json!({"one": robot(&url, "one", None), "two": robot(&url, "two", None)}));
    let both = [
        json!({"name": "a", "text": "for both", "_via": ["one", "two"]}),
        json!({"name": "b", "text": "for two", "_via": "two"}),
        json!({"name": "c", "text": "for one"}),
    ];
    list(&world, both);
    send(&world, "one", &[]).code(0);
    let mut went: Vec<(String, String)> = stage.asked().iter().map(|asked| (text_of(asked), robot_of(asked))).collect();
    went.sort();
    let expected = [("for both", "one"), ("for both", "two"), ("for one", "one"), ("for two", "two")];
    assert_eq!(went, expected.map(|(text, robot)| (text.to_owned(), robot.to_owned())));

    list(&world, [json!({"name": "a", "text": "hello", "_via": "oen"})]);
    let ended = send(&world, "one", &[]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("oen") && ended.err.contains("one"), "{}", ended.err);
    assert_eq!(stage.count(), 4, "nothing was sent");
}

fn feishu(url: &str) -> Value {
    json!({"platform": "feishu-app", "base": url, "app_id": "cli_test", "app_secret": "app-s3cret-of-the-test", "limits": []})
}

fn resend(url: &str) -> Value {
    json!({"platform": "resend", "base": url, "key": "re_secret-of-the-test", "from": "Acme <news@example.org>", "limits": []})
}

/// Feishu, then a text message, then mail, all on one server.
fn three(url: &str) -> World {
    world(&json!({"feishu": feishu(url), "sms": tencent(url), "mail": resend(url)}))
}

const ROUTE: &str = "feishu>sms>mail";
const FROM: [&str; 2] = ["--from", "Acme <news@example.org>"];

#[derive(Debug, PartialEq, Clone, Copy)]
enum At {
    Token,
    Feishu,
    Sms,
    Mail,
}

fn at(asked: &Asked) -> At {
    match asked.path.as_str() {
        path if path.contains("tenant_access_token") => At::Token,
        path if path.contains("/im/v1/messages") => At::Feishu,
        "/" => At::Sms,
        _ => At::Mail,
    }
}

fn token() -> Reply {
    Reply::json(200, &json!({"code": 0, "msg": "ok", "tenant_access_token": "t-of-the-test", "expire": 7200}))
}

fn feishu_ok() -> Reply {
    Reply::json(200, &json!({"code": 0, "msg": "success", "data": {"message_id": "om_1"}}))
}

fn mail_ok(asked: &Asked) -> Reply {
    match asked.json().as_array() {
        Some(list) => Reply::json(200, &json!({"data": list.iter().map(|_| json!({"id": "r-1"})).collect::<Vec<_>>()})),
        None => Reply::json(200, &json!({"id": "r-1"})),
    }
}

fn person(n: usize, open_id: Option<&str>) -> Value {
    let mut row = json!({"phone": number(n), "email": format!("user{n}@example.com"), "subject": "Hi", "text": "hello", "params": "[\"1\"]"});
    if let Some(open_id) = open_id {
        row["open_id"] = json!(open_id);
    }
    row
}

#[test]
fn a_row_stops_at_the_first_account_that_sends_it() {
    let stage = Stage::start(|asked: &Asked| match at(asked) {
        At::Token => token(),
        // Not in the app's reach.
        At::Feishu if asked.json()["receive_id"] == "ou_gone" => {
            Reply::json(400, &json!({"code": 230013, "msg": "Bot has NO availability to this user."}))
        }
        At::Feishu => feishu_ok(),
        At::Sms => tencent_reply(asked, |to| if to.ends_with("3") { "FailedOperation.PhoneNumberInBlacklist" } else { "Ok" }),
        At::Mail => mail_ok(asked),
    });
    let world = three(&stage.url());
    // Sent at once; without an open_id; unknown to the first; unknown to the first and the second.
    list(&world, [person(0, Some("ou_here")), person(1, None), person(2, Some("ou_gone")), person(3, Some("ou_gone"))]);
    let mut args = FROM.to_vec();
    args.extend(["--dedupe", "off"]);
    send(&world, ROUTE, &args).code(0);
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), 4)]));
    let accounts: Vec<String> = {
        let mut rows: Vec<(u64, String)> = world
            .jsonl("out/results.jsonl")
            .iter()
            .map(|row| (row["row"].as_u64().unwrap_or_default(), row["account"].as_str().unwrap_or_default().to_owned()))
            .collect();
        rows.sort();
        rows.into_iter().map(|(_, account)| account).collect()
    };
    assert_eq!(accounts, ["feishu", "sms", "sms", "mail"]);
    let asked = stage.asked();
    let feishu: Vec<String> = asked
        .iter()
        .filter(|a| at(a) == At::Feishu)
        .map(|a| a.json()["receive_id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(feishu.len(), 3);
    let mut texted: Vec<String> =
        asked.iter().filter(|a| at(a) == At::Sms).flat_map(|a| texts(&a.json()["PhoneNumberSet"])).collect();
    texted.sort();
    assert_eq!(texted, [1, 2, 3].map(|n| format!("+86{}", number(n))));
    let mailed: String = asked.iter().filter(|a| at(a) == At::Mail).map(Asked::text).collect();
    assert!(mailed.contains("user3@example.com") && !mailed.contains("user2@"), "{mailed}");
}

#[test]
fn a_row_that_nobody_could_send_fails_with_the_last_word() {
    let stage = Stage::start(|asked: &Asked| match at(asked) {
        At::Token => token(),
        At::Feishu => Reply::json(400, &json!({"code": 230013, "msg": "Bot has NO availability to this user."})),
        At::Sms => tencent_reply(asked, |_| "FailedOperation.PhoneNumberInBlacklist"),
        At::Mail => Reply::json(422, &json!({"name": "validation_error", "message": "no such domain", "statusCode": 422})),
    });
    let world = three(&stage.url());
    list(&world, [person(0, Some("ou_gone"))]);
    send(&world, ROUTE, &FROM).code(1);
    assert_eq!(told(&world)[&1], "failed bad_message");
    assert_eq!(stage.count(), 4);
}

#[test]
fn a_row_in_doubt_does_not_fall_back() {
    let stage = Stage::start(|asked: &Asked| match at(asked) {
        At::Sms => tencent_reply(asked, |_| "InternalError.Timeout"),
        _ => mail_ok(asked),
    });
    let world = world(&json!({"sms": tencent(&stage.url()), "mail": resend(&stage.url())}));
    list(&world, (0..3).map(|n| person(n, None)));
    send(&world, "sms>mail", &FROM).code(6);
    assert_eq!(sums(&world), BTreeMap::from([("in_doubt in_doubt".to_owned(), 3)]));
    assert!(stage.asked().iter().all(|asked| at(asked) == At::Sms), "it may have arrived: nobody else sends it");
}

#[test]
fn the_later_accounts_of_a_route_may_be_a_pool() {
    let stage = Stage::start(|asked: &Asked| match at(asked) {
        At::Sms => tencent_reply(asked, |_| "FailedOperation.PhoneNumberInBlacklist"),
        At::Mail if asked.header("authorization") == Some("Bearer re_first-secret") => {
            Reply::json(429, &json!({"name": "daily_quota_exceeded", "message": "come back", "statusCode": 429}))
        }
        _ => mail_ok(asked),
    });
    let url = stage.url();
    let mail = |key: &str| {
        let mut account = resend(&url);
        account["key"] = json!(key);
        account
    };
    let world = world(&json!({
        "sms": tencent(&url), "first": mail("re_first-secret"), "second": mail("re_second-secret"),
        "mails": {"platform": "pool", "of": ["first", "second"]},
    }));
    list(&world, (0..40).map(|n| person(n, None)));
    let mut args = FROM.to_vec();
    args.extend(["-b", "5"]);
    send(&world, "sms>mails", &args).code(0);
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), 40)]));
    let texted: Vec<String> =
        stage.asked().iter().filter(|a| at(a) == At::Sms).flat_map(|a| texts(&a.json()["PhoneNumberSet"])).collect();
    assert_eq!(texted.len(), 40, "nobody goes back to the step before");
}

#[test]
fn a_resumed_run_goes_on_with_the_account_that_was_next() {
    let refuse = |asked: &Asked| match at(asked) {
        At::Token => token(),
        At::Feishu => Reply::json(400, &json!({"code": 230013, "msg": "Bot has NO availability to this user."})),
        At::Sms => Reply::json(
            200,
            &json!({"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "slower"}, "RequestId": "R-1"}}),
        ),
        At::Mail => mail_ok(asked),
    };
    let stage = Stage::start(refuse);
    let world = three(&stage.url());
    list(&world, (0..5).map(|n| person(n, Some(&format!("ou_{n}")))));
    let args = ["batch", "rows.jsonl", "--via", ROUTE, "--yes", "--out", "out", "-q", "--from", "Acme <news@example.org>"];
    let mut child = start(&world, &args);
    // The second try of the messages comes after their rest of a second: by then everything before it is on disk.
    let count = |wanted: At| stage.asked().iter().filter(|asked| at(asked) == wanted).count();
    assert!(until(|| count(At::Sms) >= 2));
    child.kill().expect("killed");
    wait(&mut child, Duration::from_secs(10));
    assert_eq!(count(At::Feishu), 5);
    stage.script(|asked: &Asked| match at(asked) {
        At::Token => token(),
        At::Feishu => feishu_ok(),
        At::Sms => tencent_reply(asked, |_| "Ok"),
        At::Mail => mail_ok(asked),
    });
    world.notify(&["resume", "--in-doubt", "resend", "-q"]).code(0);
    assert_eq!(sums(&world), BTreeMap::from([("sent".to_owned(), 5)]));
    let asked = stage.asked();
    assert!(
        asked.iter().all(|asked| at(asked) == At::Sms),
        "who said no is not asked again: {:?}",
        asked.iter().map(at).collect::<Vec<_>>()
    );
}

fn hook(url: &str) -> Value {
    json!({"platform": "webhook", "url": format!("{url}/in")})
}

/// Whether some process was told to wait.
fn is_told(world: &World) -> bool {
    let mut found = false;
    for entry in walk(&world.path("home")) {
        if entry.ends_with("state.db") {
            let folder = entry.parent().expect("a folder");
            let heard = Holds::open(folder).and_then(|mut holds| holds.changed(0)).unwrap_or_default();
            found |= !heard.is_empty();
        }
    }
    found
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_wait_named_to_one_process_holds_the_others() {
    let stage = Stage::start(|asked: &Asked| match asked.number {
        0 => Reply::status(429).header("Retry-After", "2"),
        _ => Reply::text(200, "ok"),
    });
    let world = world(&json!({"hook": hook(&stage.url())}));
    list(&world, [json!({"email": "first@example.com", "text": "hello"})]);
    world.file(
        "other.jsonl",
        "{\"email\":\"second@example.com\",\"text\":\"hello\"}\n{\"email\":\"third@example.com\",\"text\":\"hello\"}\n",
    );
    let mut first = start(&world, &["batch", "rows.jsonl", "--via", "hook", "--yes", "-q"]);
    assert!(until(|| is_told(&world)), "the wait is shared");
    let mut second = start(&world, &["batch", "other.jsonl", "--via", "hook", "--yes", "-q"]);
    assert_eq!(wait(&mut second, Duration::from_secs(60)), Some(0));
    assert_eq!(wait(&mut first, Duration::from_secs(60)), Some(0));
    let asked = stage.asked();
    assert_eq!(asked.len(), 4);
    for later in &asked[1..] {
        let after = later.at - asked[0].at;
        assert!(after >= Duration::from_millis(1990), "asked again after {after:?}");
    }
}

#[test]
fn a_wait_for_one_target_holds_only_that_target() {
    let stage = Stage::start(|asked: &Asked| match asked.number {
        0 => Answer::from(Reply::json(429, &json!({"ok": false, "error": "ratelimited"})).header("Retry-After", "2")),
        _ => Reply::json(200, &json!({"ok": true, "channel": "C", "ts": "1.2"})).into(),
    });
    let world = world(
        &json!({"slack": {"platform": "slack", "base": format!("{}/api", stage.url()), "token": "xoxb-secret-of-the-test"}}),
    );
    list(&world, [json!({"channel": "C1", "to": "C1", "text": "hello"})]);
    let rows: Vec<String> =
        ["C1", "C2"].iter().map(|to| format!("{}\n", json!({"channel": to, "to": to, "text": "hello"}))).collect();
    world.file("other.jsonl", rows.concat());
    let mut first = start(&world, &["batch", "rows.jsonl", "--via", "slack", "--yes", "-q"]);
    assert!(until(|| is_told(&world)), "the wait is shared");
    let mut second = start(&world, &["batch", "other.jsonl", "--via", "slack", "--yes", "-q"]);
    assert_eq!(wait(&mut second, Duration::from_secs(60)), Some(0));
    assert_eq!(wait(&mut first, Duration::from_secs(60)), Some(0));
    let asked = stage.asked();
    assert_eq!(asked.len(), 4);
    let channel = |asked: &Asked| asked.json()["channel"].as_str().unwrap_or_default().to_owned();
    assert_eq!((channel(&asked[0]).as_str(), channel(&asked[1]).as_str()), ("C1", "C2"), "the other channel does not wait");
    for later in asked[1..].iter().filter(|asked| channel(asked) == "C1") {
        let after = later.at - asked[0].at;
        assert!(after >= Duration::from_millis(1990), "asked again after {after:?}");
    }
}
