//! `notify plan` and the question before sending: counts, the limit that decides, time, SMS parts, cost; nothing is sent for it.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::world::{Sink, World};

/// The plan of these words as JSON.
fn plan(world: &World, args: &[&str]) -> Value {
    let mut all = vec!["plan"];
    all.extend(args);
    all.push("--json");
    let ended = world.notify(&all).code(0);
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
}

fn list(rows: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("email,name,n\n");
    rows.into_iter().for_each(|row| {
        text.push_str(&row);
        text.push('\n');
    });
    text
}

#[test]
fn a_plan_counts_rows_domains_and_time_and_touches_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("nonblocking");
    let world = World::with_smtp(listener.local_addr().expect("an address"), "limits: [100/min, 50000/1d]\n");
    world.template();
    let domains = ["gmail.com", "QQ.com", "qq.com", "163.com"];
    let mut rows: Vec<String> = (0..1201).map(|n| format!("u{n}@{},N{n},{n}", domains[n % 4])).collect();
    rows.extend((0..15).map(|n| format!("x{n}@d{n:02}.example,X,{n}")));
    rows.push("u0@gmail.com,Again,9".into());
    world.file("rows.csv", list(rows));
    let before = world.path("home").read_dir().expect("home").count();
    let told = plan(&world, &["rows.csv", "-t", "hello"]);
    assert_eq!(
        (&told["rows"], &told["good"], &told["bad"], &told["skipped"]),
        (&json!(1217), &json!(1216), &json!(0), &json!(1))
    );
    assert_eq!(told["domains"][0], json!({"domain": "qq.com", "rows": 600}));
    assert_eq!(told["domains"][1], json!({"domain": "gmail.com", "rows": 301}));
    assert_eq!(told["domains"].as_array().map(Vec::len), Some(10));
    assert_eq!(told["other_domains"], json!({"domains": 8, "rows": 8}));
    let account = &told["accounts"][0];
    assert_eq!((&account["account"], &account["rows"], &account["requests"]), (&json!("mail"), &json!(1216), &json!(1216)));
    assert_eq!(told["binds"], json!({"kind": "limit", "limit": "100/min", "account": "mail"}));
    // The last of 1,216 starts 1,215 sixtieths of a hundredth after the first.
    assert!((told["seconds"].as_f64().expect("seconds") - 729.0).abs() < 1.0, "{}", told["seconds"]);
    let text = world.notify(&["plan", "rows.csv", "-t", "hello"]).code(0).out;
    for line in ["1,216 rows can be sent, 1 skipped as duplicates", "limit: 100/min of mail", "time: about 12m 9s", "8 others 8"]
    {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    assert!(listener.accept().is_err(), "it connected");
    assert_eq!(world.path("home").read_dir().expect("home").count(), before, "it left something behind");
}

#[test]
fn a_days_limit_takes_days_and_says_when_it_goes_on() {
    let world = World::new();
    world.config("defaults: { via: mail }\naccounts:\n  mail: { platform: smtp, url: 'smtp://127.0.0.1:1', from: a@corp.example, limits: [500/1d] }\n");
    world.template();
    world.list("rows.csv", 2750);
    let told = plan(&world, &["rows.csv", "-t", "hello"]);
    assert_eq!(told["binds"], json!({"kind": "limit", "limit": "500/d", "account": "mail"}));
    assert_eq!(told["seconds"], json!(432_000.0));
    assert_eq!(told["accounts"][0]["windows"], json!({"count": 6, "seconds": 86_400.0}));
    let dates = told["goes_on"].as_array().expect("dates");
    assert_eq!(dates.len(), 5);
    let at = |value: &Value| value.as_str().expect("a date").parse::<jiff::Timestamp>().expect("a date").as_second();
    assert_eq!(at(&dates[4]) - at(&told["first"]), 432_000);
    assert_eq!(at(&told["last"]), at(&dates[4]));
    let text = world.notify(&["plan", "rows.csv", "-t", "hello"]).code(0).out;
    assert!(text.contains("500/d: 6 days") && text.contains("goes on: ") && text.contains("about 5d"), "{text}");
}

#[test]
fn no_limit_is_told_as_such_and_flags_count() {
    let world = World::with_webhook("127.0.0.1:9".parse().expect("an address"), "");
    world.template();
    world.list("rows.csv", 641);
    let told = plan(&world, &["rows.csv", "-t", "hello", "-j", "8"]);
    assert_eq!(told["binds"], json!({"kind": "width", "width": 8, "latency_ms": 200, "account": "hook"}));
    assert_eq!(told["seconds"], json!(16.0), "80 rounds of 200 ms");
    let faster = plan(&world, &["rows.csv", "-t", "hello", "-j", "8", "--rate", "10/s"]);
    assert_eq!(faster["binds"]["limit"], json!("10/s"));
    assert_eq!(faster["seconds"], json!(64.0));
    world.file("one.csv", "email,name,n\na@x.example,A,1\n");
    let one = plan(&world, &["one.csv", "-t", "hello"]);
    assert_eq!((&one["binds"]["kind"], &one["seconds"]), (&json!("nothing"), &json!(0.0)));
    // The outbox sends to nobody: nothing decides how long it takes.
    let outbox = plan(&world, &["rows.csv", "-t", "hello", "--via", "outbox"]);
    assert_eq!((&outbox["binds"]["kind"], &outbox["accounts"][0]["rows"]), (&json!("nothing"), &json!(641)));
}

#[test]
fn limits_of_domains_count_the_one_that_has_most() {
    let world = World::new();
    world.config("defaults: { via: mail }\naccounts:\n  mail: { platform: smtp, url: 'smtp://127.0.0.1:1', from: a@corp.example, limits: [1000/s, { rate: 1/s, per: domain }] }\n");
    world.template();
    let rows =
        (0..300).map(|n| format!("u{n}@{},N,{n}", if n % 3 == 0 { format!("d{n}.example") } else { "big.example".into() }));
    world.file("rows.csv", list(rows));
    let told = plan(&world, &["rows.csv", "-t", "hello"]);
    assert_eq!(told["binds"]["limit"], json!("1/s per domain"));
    assert_eq!(told["seconds"], json!(199.0));
}

#[test]
fn requests_are_counted_as_they_will_be_shared() {
    let sink = Sink::start(&[]);
    let world = World::new();
    world.config(&format!(
        "defaults: {{ via: post }}\naccounts:\n  post: {{ platform: postmark, token: t0ken-t0ken, from: a@corp.example, base: 'http://{}' }}\n",
        sink.http
    ));
    world.file("templates/hello.md", "Subject: Hello {{name}}\n\nYou are {{n}}.\n");
    world.list("rows.csv", 1234);
    let told = plan(&world, &["rows.csv", "-t", "hello"]);
    assert_eq!(told["accounts"][0]["requests"], json!(3));
    assert_eq!(told["accounts"][0]["rows_per_request"], json!({"largest": 500, "most": 500}));
    let fewer = plan(&world, &["rows.csv", "-t", "hello", "-b", "100"]);
    assert_eq!((&fewer["accounts"][0]["requests"], &fewer["requests"]), (&json!(13), &json!(13)));
    let text = world.notify(&["plan", "rows.csv", "-t", "hello"]).code(0).out;
    assert!(text.contains("1,234 by post (postmark) in 3 requests of up to 500"), "{text}");
    assert!(sink.ledger().is_empty(), "a plan sends nothing");
}

/// Two accounts of SMS that charge, and mail that does not.
fn messages(world: &World) {
    world.config(
        "defaults: { via: sms }\naccounts:\n  sms: { platform: twilio, account: AC00000000000000000000000000000000, token: t0ken-t0ken, from: '+15005550006', base: 'http://127.0.0.1:9', cost: 0.045 CNY }\n  codes: { platform: aliyun-sms, key_id: k, key_secret: s3cret-s3cret, sign_name: S, template_code: SMS_1, base: 'http://127.0.0.1:9', cost: { amount: 0.03, currency: cny, per: message } }\n  mail: { platform: smtp, url: 'smtp://127.0.0.1:1', from: a@corp.example, cost: { per: 1000, amount: 0.1, currency: USD } }\n  free: { platform: smtp, url: 'smtp://127.0.0.1:1', from: a@corp.example }\n",
    );
    world.file("templates/t/sms.txt", "{{body}}\n");
    world.file("templates/hello.md", "Subject: Hello\n\nDear {{name}}.\n");
}

#[test]
fn parts_of_sms_are_counted_by_alphabet_and_paid_for() {
    let world = World::new();
    messages(&world);
    let mut rows = String::from("phone,body\n");
    for n in 0..10 {
        rows.push_str(&format!("+1415555{:04},{}\n", n, "a".repeat(100)));
    }
    for n in 10..14 {
        rows.push_str(&format!("+1415555{:04},{}\n", n, "b".repeat(161)));
    }
    for n in 14..17 {
        rows.push_str(&format!("+1415555{:04},{}\n", n, "你".repeat(135)));
    }
    world.file("rows.csv", rows);
    let told = plan(&world, &["rows.csv", "-t", "t"]);
    let sms = &told["accounts"][0]["sms"];
    // 10 of 1, 4 of 2, 3 of 3 parts.
    assert_eq!(sms["parts"], json!(27));
    assert_eq!(
        sms["by"],
        json!([{"alphabet": "gsm7", "parts": 1, "rows": 10}, {"alphabet": "gsm7", "parts": 2, "rows": 4}, {"alphabet": "ucs2", "parts": 3, "rows": 3}])
    );
    assert_eq!(told["cost"], json!([{"amount": 1.215, "currency": "CNY"}]));
    let text = world.notify(&["plan", "rows.csv", "-t", "t"]).code(0).out;
    assert!(text.contains("SMS: 27 parts (10 of 1 in GSM 7-bit, 4 of 2 in GSM 7-bit, 3 of 3 in UCS-2)"), "{text}");
    assert!(text.contains("cost: 1.22 CNY"), "{text}");

    // A text that the service makes has parts that nobody here knows.
    world.file("codes.csv", "phone,code\n13900000001,1\n13900000002,2\n");
    let codes = plan(&world, &["codes.csv", "--via", "codes"]);
    assert_eq!(
        (&codes["accounts"][0]["sms"]["unknown"], &codes["cost"]),
        (&json!(2), &json!([{"amount": 0.06, "currency": "CNY"}]))
    );
    assert_eq!(codes["accounts"][0]["requests"], json!(1));
    let text = world.notify(&["plan", "codes.csv", "--via", "codes"]).code(0).out;
    assert!(text.contains("cost: at least 0.0600 CNY") && text.contains("2 whose text the service makes"), "{text}");
}

#[test]
fn nothing_begins_that_costs_too_much() {
    let world = World::new();
    messages(&world);
    let rows: String = (0..20).map(|n| format!("+1415555{n:04},hi\n")).collect();
    world.file("rows.csv", format!("phone,body\n{rows}"));
    let batch = |args: &[&str]| {
        let mut all = vec!["batch", "rows.csv", "-t", "t", "--yes"];
        all.extend(args);
        world.notify(&all)
    };
    batch(&["--max-cost", "0.5"]).code(2).err_has("it would cost 0.9000 CNY, more than --max-cost 0.5; nothing was sent");
    batch(&["--max-cost", "5 USD"]).code(2).err_has("allows none of CNY");
    batch(&["--max-cost", "much"]).code(2).err_has("is not an amount");
    assert!(
        !world.path("home/.local/state/notify/runs").read_dir().is_ok_and(|mut runs| runs.next().is_some()),
        "a run was begun"
    );
    world.notify(&["send", "hello", "--to", "+14155550000", "--max-cost", "0.01"]).code(2).err_has("0.0450 CNY");
    world.notify(&["plan", "rows.csv", "-t", "t", "--max-cost", "0.5"]).code(2).out_has("cost: 0.9000 CNY").err_has("more than");
    world.notify(&["plan", "rows.csv", "-t", "t", "--max-cost", "0.9"]).code(0);
    batch(&["--max-cost", "1", "--dry-run"]).code(0).err_has("cost: 0.9000 CNY");
    // As a key of the config, and a variable of the environment.
    let config = world.read("notify.yaml");
    world.config(&config.replace("via: sms", "via: sms, max_cost: 0.5 CNY"));
    batch(&[]).code(2).err_has("more than --max-cost 0.5 CNY");
    batch(&["--max-cost", "2", "--dry-run"]).code(0);
    world.config(&config.replace("cost: 0.045 CNY", "cost: 0.045 Yuan"));
    world.notify(&["plan", "rows.csv", "-t", "t"]).code(4).err_has("`cost`").err_has("three letters");
    world.config(&config);
    // A list of mail without `cost:` says so only where a limit of cost is asked for on the spot.
    world.list("mails.csv", 3);
    world
        .notify(&["plan", "mails.csv", "-t", "hello", "--via", "free", "--max-cost", "1"])
        .code(2)
        .err_has("nobody knows what messages of free cost");
    let mail = plan(&world, &["mails.csv", "-t", "hello", "--via", "mail", "--max-cost", "1"]);
    assert_eq!(mail["cost"], json!([{"amount": 0.0003, "currency": "USD"}]));
    world
        .notify(&["batch", "-", "--stream", "-t", "hello", "--via", "mail", "--yes", "--max-cost", "1"])
        .code(2)
        .err_has("--stream");
}

#[test]
fn bad_rows_are_told_as_check_tells_them() {
    let world = World::with_smtp("127.0.0.1:1".parse().expect("an address"), "");
    world.template();
    world.file("rows.csv", "email,name,n\na@x.example,A,1\nnobody,B,2\nc@x.example,C,3\n");
    let refused = world.notify(&["plan", "rows.csv", "-t", "hello", "--json"]).code(3).err_has("rows.csv:3");
    let told: Value = serde_json::from_str(&refused.out).expect("one object");
    assert_eq!((&told["good"], &told["bad"]), (&json!(2), &json!(1)));
    world
        .notify(&["plan", "rows.csv", "-t", "hello", "--skip-invalid"])
        .code(0)
        .out_has("2 rows can be sent, 1 that cannot be sent");
    world.file("none.csv", "email,name,n\n");
    world.notify(&["plan", "none.csv", "-t", "hello"]).code(10);
    let piped = world.notify_with(&["plan", "-", "-t", "hello"], b"email,name,n\na@x.example,A,1\n").code(0);
    assert!(piped.out.contains("1 row can be sent"), "{}", piped.out);
    world.notify(&["plan", "-", "-t", "hello", "--stream"]).code(2);
}

#[test]
fn a_pool_and_files_are_counted() {
    let world = World::new();
    world.config("defaults: { via: both }\naccounts:\n  one: { platform: smtp, url: 'smtp://127.0.0.1:1', from: a@corp.example, limits: [10/s] }\n  two: { platform: smtp, url: 'smtp://127.0.0.1:2', from: a@corp.example, limits: [5/s] }\n  both: { platform: pool, of: [one, two] }\n");
    world.template();
    world.file("note.pdf", vec![b'x'; 30_000]);
    world.list("rows.csv", 1000);
    let told = plan(&world, &["rows.csv", "-t", "hello", "-a", "note.pdf"]);
    let rows: Vec<u64> = [0, 1].map(|at| told["accounts"][at]["rows"].as_u64().expect("rows")).to_vec();
    assert!(rows.iter().sum::<u64>() == 1000 && rows.iter().all(|rows| *rows > 350), "{rows:?}");
    assert_eq!((&told["binds"]["account"], &told["binds"]["limit"]), (&json!("two"), &json!("5/s")));
    let files = |at: usize| told["accounts"][at]["attachments"]["bytes"].as_u64().expect("bytes");
    assert_eq!(files(0) + files(1), 30_000_000);
}

#[test]
fn the_question_before_sending_has_the_same_numbers() {
    let world = World::with_smtp("127.0.0.1:1".parse().expect("an address"), "limits: [10/s]\ncost: 0.02 USD\n");
    world.template();
    world.list("rows.csv", 601);
    let told = world.notify(&["batch", "rows.csv", "-t", "hello", "--dry-run"]).code(0);
    let text = world.notify(&["plan", "rows.csv", "-t", "hello"]).code(0).out;
    for line in text.lines().filter(|line| !line.starts_with("time:")) {
        assert!(told.err.contains(line), "{line}\n{}", told.err);
    }
    assert!(told.err.contains("time: about 1m, from") && told.err.contains("cost: 12.02 USD"), "{}", told.err);
    assert!(told.err.contains("First message:"), "{}", told.err);
}

#[test]
fn a_plan_knows_the_clock_and_who_is_suppressed() {
    let world = World::with_smtp("127.0.0.1:1".parse().expect("an address"), "limits: [1/min]\n");
    world.template();
    world.list("rows.csv", 61);
    let late = plan(&world, &["rows.csv", "-t", "hello", "--at", "2099-01-01T00:00:00Z"]);
    assert_eq!((&late["first"], &late["last"]), (&json!("2099-01-01T00:00:00Z"), &json!("2099-01-01T01:00:00Z")));
    // Half an hour a day: 30 rows on each of three days.
    let days = plan(
        &world,
        &["rows.csv", "-t", "hello", "--at", "2099-01-01T00:00:00Z", "--window", "Mon-Sun 08:00-08:30", "--tz", "UTC"],
    );
    assert_eq!((&days["first"], &days["last"]), (&json!("2099-01-01T08:00:00Z"), &json!("2099-01-02T08:30:00Z")));
    world.notify(&["plan", "rows.csv", "-t", "hello", "--at", "yesterweek"]).code(2);
    world.notify(&["suppress", "add", "user1@example1.com", "--reason", "asked"]).code(0);
    let told = plan(&world, &["rows.csv", "-t", "hello"]);
    assert_eq!((&told["good"], &told["skipped"], &told["suppressed"]), (&json!(60), &json!(1), &json!(1)));
    world.notify(&["plan", "rows.csv", "-t", "hello"]).code(0).out_has("60 rows can be sent, 1 on the suppression list");
}
