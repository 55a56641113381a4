//! Rows that share a request: how many calls they cost, who may share, and whose fault a failure is. The servers are scripted, the
//! definitions and the program are the real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::platforms::stage::{Answer, Asked, Reply, Stage};
use crate::service::{aliyun, aliyun_ok, form_json, list, number, send, sums, tencent, tencent_reply, texts, told, world};
use crate::world::{ended, until};

fn sms(n: usize, params: &str) -> Value {
    json!({"phone": number(n), "params": params})
}

fn sums_of(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(told, count)| ((*told).to_owned(), *count)).collect()
}

/// Each number once over all calls.
fn each_once(calls: &[Vec<String>], rows: usize) {
    let all: Vec<&String> = calls.iter().flatten().collect();
    assert_eq!(all.len(), rows, "numbers in all calls");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), rows, "different numbers");
}

#[test]
fn ten_thousand_personal_messages_are_a_hundred_calls_of_aliyun() {
    let stage = Stage::start(|_: &Asked| aliyun_ok());
    let world = world(&json!({"sms": aliyun(&stage.url())}));
    list(&world, (0..10_000).map(|n| sms(n, &format!("{{\"code\":\"{n}\"}}"))));
    send(&world, "sms", &[]).code(0);
    assert_eq!(sums(&world), sums_of(&[("sent", 10_000)]));
    let asked = stage.asked();
    assert_eq!(asked.len(), 100);
    let calls: Vec<Vec<String>> = asked.iter().map(|asked| texts(&form_json(asked, "PhoneNumberJson"))).collect();
    each_once(&calls, 10_000);
    for (asked, numbers) in asked.iter().zip(&calls) {
        let params = form_json(asked, "TemplateParamJson");
        assert_eq!(texts(&form_json(asked, "SignNameJson")).len(), numbers.len());
        for (to, own) in numbers.iter().zip(params.as_array().expect("a list")) {
            let n: usize = to[3..].parse().expect("a number");
            assert_eq!(own["code"], n.to_string().as_str(), "the parameters of another row went to {to}");
        }
    }
}

fn tencent_run(contents: usize) -> usize {
    let stage = Stage::start(|asked: &Asked| tencent_reply(asked, |_| "Ok"));
    let world = world(&json!({"sms": tencent(&stage.url())}));
    list(&world, (0..10_000).map(|n| sms(n, &format!("[\"{}\"]", n % contents))));
    send(&world, "sms", &[]).code(0);
    assert_eq!(sums(&world), sums_of(&[("sent", 10_000)]));
    let asked = stage.asked();
    let calls: Vec<Vec<String>> = asked.iter().map(|asked| texts(&asked.json()["PhoneNumberSet"])).collect();
    each_once(&calls, 10_000);
    for (asked, numbers) in asked.iter().zip(&calls) {
        let content = texts(&asked.json()["TemplateParamSet"])[0].parse::<usize>().expect("a number");
        let of = |to: &String| to.strip_prefix("+86139").and_then(|n| n.parse::<usize>().ok()).map(|n| n % contents);
        assert!(numbers.iter().all(|to| of(to) == Some(content)), "unequal contents shared a call");
    }
    calls.len()
}

#[test]
fn ten_thousand_equal_messages_are_fifty_calls_of_tencent() {
    assert_eq!(tencent_run(1), 50);
}

#[test]
fn interleaved_contents_are_sorted_into_full_calls() {
    // 3334, 3333 and 3333 rows: 17 calls each.
    assert_eq!(tencent_run(3), 51);
}

#[test]
fn one_bad_row_of_a_hundred_costs_one_row_where_the_refusal_names_nobody() {
    let bad = number(37);
    let stage = Stage::start(move |asked: &Asked| {
        if texts(&form_json(asked, "PhoneNumberJson")).contains(&bad) {
            return Reply::json(400, &json!({"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "非法手机号", "RequestId": "R-1"}));
        }
        aliyun_ok()
    });
    let world = world(&json!({"sms": aliyun(&stage.url())}));
    list(&world, (0..100).map(|n| sms(n, "{\"code\":\"1\"}")));
    send(&world, "sms", &[]).code(1);
    assert_eq!(sums(&world), sums_of(&[("sent", 99), ("failed bad_address", 1)]));
    assert_eq!(told(&world)[&38], "failed bad_address");
    // The whole, and two for each halving: 2 log2(100) + 1.
    assert!(stage.count() <= 15, "{} calls", stage.count());
    each_once_sent(&stage, 99);
}

/// Over the calls that were taken, each number once.
fn each_once_sent(stage: &Stage, rows: usize) {
    let bad = number(37);
    let calls: Vec<Vec<String>> = stage.asked().iter().map(|asked| texts(&form_json(asked, "PhoneNumberJson"))).collect();
    let taken: Vec<Vec<String>> = calls.into_iter().filter(|numbers| !numbers.contains(&bad)).collect();
    each_once(&taken, rows);
}

#[test]
fn parameters_of_one_row_that_do_not_fit_stop_nobody_else() {
    // The service calls it a matter of settings; it is this row's own.
    let bad = number(37);
    let stage = Stage::start(move |asked: &Asked| {
        if texts(&form_json(asked, "PhoneNumberJson")).contains(&bad) {
            return Reply::json(200, &json!({"Code": "isv.TEMPLATE_MISSING_PARAMETERS", "Message": "m", "RequestId": "R-1"}));
        }
        aliyun_ok()
    });
    let world = world(&json!({"sms": aliyun(&stage.url())}));
    list(&world, (0..100).map(|n| sms(n, "{\"code\":\"1\"}")));
    send(&world, "sms", &["-j", "1"]).code(1);
    assert_eq!(sums(&world).get("sent"), Some(&99), "{:?}", sums(&world));
    assert!(told(&world)[&38].starts_with("failed"), "{}", told(&world)[&38]);
    assert!(stage.count() <= 15, "{} calls", stage.count());
}

fn sendgrid(url: &str) -> Value {
    json!({"platform": "sendgrid", "base": url, "key": "SG.secret-of-the-test"})
}

fn mail(n: usize, text: &str) -> Value {
    json!({"email": format!("user{n}@example.com"), "subject": format!("Number {n}"), "text": text})
}

const FROM: [&str; 2] = ["--from", "Acme <news@example.org>"];

fn addresses(asked: &Asked) -> Vec<String> {
    let list = asked.json()["personalizations"].as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|one| one["to"][0]["email"].as_str().map(Into::into)).collect()
}

#[test]
fn one_bad_row_of_a_hundred_costs_one_more_call_where_the_refusal_names_it() {
    let stage = Stage::start(|asked: &Asked| {
        if let Some(at) = addresses(asked).iter().position(|to| to == "user37@example.com") {
            let field = format!("personalizations.{at}.to.0.email");
            return Reply::json(
                400,
                &json!({"errors": [{"message": "Does not contain a valid address.", "field": field, "help": null}]}),
            );
        }
        Reply::status(202).header("X-Message-Id", "m-42")
    });
    let world = world(&json!({"mail": sendgrid(&stage.url())}));
    list(&world, (0..100).map(|n| mail(n, "hello")));
    send(&world, "mail", &FROM).code(1);
    assert_eq!(sums(&world), sums_of(&[("sent", 99), ("failed bad_address", 1)]));
    assert_eq!(told(&world)[&38], "failed bad_address");
    assert_eq!(stage.count(), 2);
    each_once(&[addresses(&stage.asked()[1])], 99);
}

#[test]
fn a_row_that_must_go_alone_goes_alone() {
    let stage = Stage::start(|_: &Asked| Reply::status(202).header("X-Message-Id", "m-42"));
    let world = world(&json!({"mail": sendgrid(&stage.url())}));
    // Longer than the service's substitutions may be.
    let long = "x".repeat(12_000);
    list(&world, (0..50).map(|n| mail(n, if n % 10 == 3 { &long } else { "hello" })));
    send(&world, "mail", &FROM).code(0);
    assert_eq!(sums(&world), sums_of(&[("sent", 50)]));
    let calls: Vec<Vec<String>> = stage.asked().iter().map(addresses).collect();
    each_once(&calls, 50);
    let mut sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 1, 1, 1, 45]);
    let alone = stage.asked().into_iter().filter(|asked| asked.text().contains(&long));
    assert!(alone.into_iter().all(|asked| addresses(&asked).len() == 1));
}

#[test]
fn each_number_has_its_own_verdict_at_tencent() {
    let stage = Stage::start(|asked: &Asked| {
        tencent_reply(asked, |to| match to {
            "+8613900000003" => "FailedOperation.PhoneNumberInBlacklist",
            "+8613900000007" => "FailedOperation.ContainSensitiveWord",
            _ => "Ok",
        })
    });
    let world = world(&json!({"sms": tencent(&stage.url())}));
    list(&world, (0..50).map(|n| sms(n, "[\"1\"]")));
    send(&world, "sms", &[]).code(1);
    assert_eq!(stage.count(), 1);
    let told = told(&world);
    assert_eq!((told[&4].as_str(), told[&8].as_str()), ("failed bad_address", "failed bad_message"));
    assert_eq!(told.values().filter(|told| *told == "sent").count(), 48);
}

#[test]
fn a_number_that_must_wait_is_tried_again_alone() {
    let stage = Stage::start(|asked: &Asked| {
        let again = asked.number > 0;
        tencent_reply(asked, move |to| match to {
            "+8613900000003" if !again => "InternalError.OtherError",
            _ => "Ok",
        })
    });
    let world = world(&json!({"sms": tencent(&stage.url())}));
    list(&world, (0..50).map(|n| sms(n, "[\"1\"]")));
    send(&world, "sms", &[]).code(0);
    assert_eq!(sums(&world), sums_of(&[("sent", 50)]));
    let calls: Vec<Vec<String>> = stage.asked().iter().map(|asked| texts(&asked.json()["PhoneNumberSet"])).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1], ["+8613900000003"]);
}

#[test]
fn each_message_has_its_own_verdict_at_postmark() {
    let stage = Stage::start(|asked: &Asked| {
        let one = |message: &Value| {
            let to = message["To"].as_str().unwrap_or_default();
            let (code, what) = match to {
                "user3@example.com" => (406, "Inactive recipient"),
                "user4@example.com" => (300, "Error parsing 'To' address"),
                "user5@example.com" => (300, "Invalid metadata"),
                _ => (0, "OK"),
            };
            json!({"To": to, "MessageID": format!("p-{to}"), "ErrorCode": code, "Message": what})
        };
        let replies: Vec<Value> = asked.json().as_array().expect("a list").iter().map(one).collect();
        Reply::json(200, &json!(replies))
    });
    let world = world(&json!({"mail": {"platform": "postmark", "base": stage.url(), "token": "server-secret-of-the-test"}}));
    list(&world, (0..20).map(|n| mail(n, &format!("hello {n}"))));
    send(&world, "mail", &FROM).code(1);
    assert_eq!(stage.count(), 1);
    let told = told(&world);
    assert_eq!(told.values().filter(|told| *told == "sent").count(), 17);
    let failed = [told[&4].as_str(), told[&5].as_str(), told[&6].as_str()];
    assert_eq!(failed, ["failed bad_address", "failed bad_address", "failed bad_message"]);
    // Each with the words that were said of it.
    let results = world.jsonl("out/results.jsonl");
    let words = |row: u64| results.iter().find(|line| line["row"] == row).map(ToString::to_string).unwrap_or_default();
    assert!(
        words(4).contains("Inactive recipient") && words(5).contains("'To' address") && words(6).contains("Invalid metadata")
    );
}

#[test]
fn two_rows_that_fail_for_reasons_of_their_own_keep_their_own_words() {
    let stage = Stage::start(|asked: &Asked| {
        let one = |(n, message): (usize, &Value)| json!({"To": message["To"], "ErrorCode": 300, "Message": format!("wrong in its own way: {n}")});
        let replies: Vec<Value> = asked.json().as_array().expect("a list").iter().enumerate().map(one).collect();
        Reply::json(200, &json!(replies))
    });
    let world = world(&json!({"mail": {"platform": "postmark", "base": stage.url(), "token": "server-secret-of-the-test"}}));
    list(&world, (0..3).map(|n| mail(n, "hello")));
    send(&world, "mail", &FROM).code(1);
    for line in world.jsonl("out/results.jsonl") {
        let n = line["row"].as_u64().expect("row") - 1;
        assert!(line.to_string().contains(&format!("its own way: {n}")), "{line}");
    }
}

#[test]
fn members_that_wecom_does_not_know_fail_alone() {
    let stage = Stage::start(|asked: &Asked| {
        if asked.path.ends_with("/gettoken") {
            return Reply::json(
                200,
                &json!({"errcode": 0, "errmsg": "ok", "access_token": "t0ken-of-the-test", "expires_in": 7200}),
            );
        }
        Reply::json(
            200,
            &json!({"errcode": 0, "errmsg": "ok", "invaliduser": "member3|member5", "unlicenseduser": "member7", "msgid": "x"}),
        )
    });
    let account = json!({"platform": "wecom-app", "base": stage.url(), "corp_id": "wwcorp", "corp_secret": "app-s3cret-of-the-test", "agent_id": "1000002"});
    let world = world(&json!({"staff": account}));
    list(&world, (0..10).map(|n| json!({"user_id": format!("Member{n}"), "text": "hello"})));
    send(&world, "staff", &[]).code(1);
    let told = told(&world);
    let failed = [told[&4].as_str(), told[&6].as_str(), told[&8].as_str()];
    assert_eq!(failed, ["failed bad_address", "failed bad_address", "failed bad_message"]);
    assert_eq!(told.values().filter(|told| *told == "sent").count(), 7);
    assert_eq!(stage.count(), 2, "one token and one call");
}

/// A row of that account against a reply that is always the same: its exit code, its fate, and all that was told.
fn fate(account: impl Fn(&str) -> Value, row: Value, reply: Value) -> (i32, String, String) {
    let stage = Stage::start(move |_: &Asked| Reply::json(200, &reply));
    let world = world(&json!({"it": account(&stage.url())}));
    list(&world, [row]);
    let ended = send(&world, "it", &["--max-wait", "200ms"]);
    let report = world.json("out/report.json");
    assert_eq!(report["sent"], 0, "counted as sent: {report}");
    let fate = told(&world).remove(&1).unwrap_or_else(|| "pending".to_owned());
    (ended.code, fate, format!("{}{report}{}", ended.err, world.read("out/results.jsonl")))
}

#[test]
fn a_200_that_says_no_is_no_success() {
    let row = json!({"to": "someone", "text": "hello"});
    let ding = |url: &str| json!({"platform": "dingtalk-robot", "webhook": format!("{url}/robot/send?access_token=r0bot-t0ken-of-the-test")});
    let feishu =
        |url: &str| json!({"platform": "feishu-bot", "webhook": format!("{url}/open-apis/bot/v2/hook/b0t-t0ken-of-the-test")});
    let wecom = |url: &str| json!({"platform": "wecom-robot", "webhook": format!("{url}/cgi-bin/webhook/send?key=r0bot-key-of-the-test")});
    let slack = |url: &str| json!({"platform": "slack", "base": format!("{url}/api"), "token": "xoxb-secret-of-the-test"});
    let vonage = |url: &str| json!({"platform": "vonage", "base": url, "key": "abcd1234", "secret": "vonage-secret-of-the-test", "from": "Acme"});
    let number = json!({"phone": "+8613900001234", "text": "hello"});
    let part =
        |status: &str| json!({"message-count": "1", "messages": [{"status": status, "error-text": "Throughput Rate Exceeded"}]});
    // Asked to wait for longer than anybody wants to: the row stays pending, and the report says why.
    for (name, (code, fate, said), words) in [
        ("dingtalk", fate(ding, row.clone(), json!({"errcode": 130101, "errmsg": "send too fast"})), "130101"),
        ("feishu", fate(feishu, row.clone(), json!({"code": 11232, "msg": "frequency limited"})), "11232"),
        ("wecom", fate(wecom, row.clone(), json!({"errcode": 45009, "errmsg": "api freq out of limit"})), "45009"),
        ("slack", fate(slack, row.clone(), json!({"ok": false, "error": "ratelimited"})), "ratelimited"),
        ("vonage", fate(vonage, number.clone(), part("1")), "200 1"),
    ] {
        assert_eq!((name, code, fate.as_str()), (name, 5, "pending throttled"), "{said}");
        assert!(said.contains(words), "{name}: {said}");
    }
    for (name, (code, fate, said), expected) in [
        ("slack", fate(slack, row.clone(), json!({"ok": false, "error": "channel_not_found"})), "failed bad_address"),
        ("slack", fate(slack, row.clone(), json!({"ok": false, "error": "msg_too_long"})), "failed bad_message"),
        ("feishu", fate(feishu, row.clone(), json!({"code": 9499, "msg": "Bad Request"})), "failed bad_message"),
        ("vonage", fate(vonage, number.clone(), part("7")), "failed bad_address"),
    ] {
        assert_eq!((name, code, fate.as_str()), (name, 1, expected), "{said}");
    }
}

#[test]
fn b_caps_a_request() {
    let stage = Stage::start(|_: &Asked| aliyun_ok());
    let world = world(&json!({"sms": aliyun(&stage.url())}));
    list(&world, (0..95).map(|n| sms(n, "{\"code\":\"1\"}")));
    send(&world, "sms", &["-b", "10"]).code(0);
    let mut sizes: Vec<usize> = stage.asked().iter().map(|asked| texts(&form_json(asked, "PhoneNumberJson")).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
}

#[test]
fn a_limit_of_messages_still_fills_requests() {
    let stage = Stage::start(|_: &Asked| aliyun_ok());
    let mut account = aliyun(&stage.url());
    account["limits"] = json!(["50/s"]);
    let world = world(&json!({"sms": account}));
    list(&world, (0..200).map(|n| sms(n, "{\"code\":\"1\"}")));
    send(&world, "sms", &[]).code(0);
    let asked = stage.asked();
    let calls: Vec<Vec<String>> = asked.iter().map(|asked| texts(&form_json(asked, "PhoneNumberJson"))).collect();
    each_once(&calls, 200);
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 50, 50]);
    assert!(asked[3].at - asked[0].at >= Duration::from_millis(2900), "{:?}", asked[3].at - asked[0].at);
}

#[test]
fn what_comes_slowly_by_a_pipe_does_not_wait_for_a_full_request() {
    let stage = Stage::start(|_: &Asked| aliyun_ok());
    let world = world(&json!({"sms": aliyun(&stage.url())}));
    let mut child = world
        .command(&["batch", "-", "--stream", "--format", "jsonl", "--via", "sms", "--yes", "--out", "out", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut pipe = child.stdin.take().expect("piped");
    for n in 0..3 {
        writeln!(pipe, "{}", sms(n, "{\"code\":\"1\"}")).expect("written");
        pipe.flush().expect("flushed");
        let begun = Instant::now();
        // The pipe stays open, and nothing else comes.
        assert!(until(|| stage.count() > n), "row {n} waits for ever");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
    drop(pipe);
    ended(child).code(0);
    assert_eq!(stage.count(), 3);
    assert_eq!(sums(&world), sums_of(&[("sent", 3)]));
}

#[test]
fn many_contents_by_a_pipe_do_not_linger_one_after_the_other() {
    let stage = Stage::start(|asked: &Asked| tencent_reply(asked, |_| "Ok"));
    let world = world(&json!({"sms": tencent(&stage.url())}));
    let rows: String = (0..800).map(|n| format!("{}\n", sms(n, &format!("[\"{n}\"]")))).collect();
    let begun = Instant::now();
    let args = ["batch", "-", "--stream", "--format", "jsonl", "--via", "sms", "--yes", "--out", "out", "-q"];
    world.notify_with(&args, rows.as_bytes()).code(0);
    // 50 ms for each would be forty seconds.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(stage.count(), 800);
    assert_eq!(sums(&world), sums_of(&[("sent", 800)]));
}

#[test]
fn a_request_nobody_answered_goes_again_as_it_was() {
    let stage = Stage::start(|asked: &Asked| -> Answer {
        if asked.number < 2 {
            return Answer::Close;
        }
        let ids: Vec<Value> =
            asked.json().as_array().expect("a list").iter().enumerate().map(|(n, _)| json!({"id": format!("r-{n}")})).collect();
        Reply::json(200, &json!({"data": ids})).into()
    });
    let world =
        world(&json!({"mail": {"platform": "resend", "base": stage.url(), "key": "re_secret-of-the-test", "limits": []}}));
    list(&world, (0..150).map(|n| mail(n, &format!("hello {n}"))));
    let mut args = FROM.to_vec();
    args.extend(["-j", "1"]);
    send(&world, "mail", &args).code(0);
    assert_eq!(sums(&world), sums_of(&[("sent", 150)]));
    let mut by_key: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for asked in stage.asked() {
        let key = asked.header("idempotency-key").expect("a key").to_owned();
        by_key.entry(key).or_default().insert(asked.text());
    }
    assert_eq!(by_key.len(), 2, "one key for each set");
    assert!(by_key.values().all(|bodies| bodies.len() == 1), "the same key, the same bytes");
}

/// Alone the row would go under another key than the one that the service may know.
#[test]
fn a_row_of_a_request_that_was_answered_in_part_is_not_sent_again_unasked() {
    let stage = Stage::start(|asked: &Asked| {
        let several = asked.json().is_array();
        Reply::json(200, &if several { json!({"data": [{"id": "r-0"}, {}, {"id": "r-2"}]}) } else { json!({"id": "r-1"}) })
    });
    let world =
        world(&json!({"mail": {"platform": "resend", "base": stage.url(), "key": "re_secret-of-the-test", "limits": []}}));
    list(&world, (0..3).map(|n| mail(n, &format!("hello {n}"))));
    send(&world, "mail", &FROM).code(6);
    assert_eq!(sums(&world), sums_of(&[("sent", 2), ("in_doubt in_doubt", 1)]));
    world.notify(&["resume", "-q"]).code(6);
    assert_eq!(stage.asked().len(), 1, "nobody was asked");
    world.notify(&["resume", "-q", "--in-doubt", "resend"]).code(0);
    assert_eq!(stage.asked().len(), 2, "somebody has decided");
}
