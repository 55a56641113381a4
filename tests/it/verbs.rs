//! Sending through a URL, seeing requests before they are sent, definitions of one's own, and what is told of platforms.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::platforms::sidecar::Sidecar;
use crate::platforms::stage::{Reply, Stage};
use crate::world::{Ended, Sink, World, ended, repository};

/// Stands in every URL below, and nowhere else.
const SECRET: &str = "sEcretOfThisUrl7";

/// For each form: the URL and what is added to the command.
const FORMS: &[(&str, &str, &[&str])] = &[
    ("feishu-bot", "feishu://sEcretOfThisUrl7?base={S}", &[]),
    ("feishu-bot", "lark://sEcretOfThisUrl7?base={S}&secret=signing-key", &[]),
    ("feishu-app", "feishu-app://cli_1:sEcretOfThisUrl7@ou_1?base={S}", &[]),
    ("dingtalk-robot", "dingtalk://sEcretOfThisUrl7?base={S}&secret=SEC1234", &[]),
    ("dingtalk-app", "dingtalk-app://key1:sEcretOfThisUrl7@robot1/user1?base={S}", &[]),
    ("wecom-robot", "wecom://sEcretOfThisUrl7?base={S}", &[]),
    ("wecom-app", "wecom-app://ww1:sEcretOfThisUrl7@1000002/user1?base={S}", &[]),
    ("line", "line://sEcretOfThisUrl7@U1?base={S}", &[]),
    ("slack", "slack://xoxb-sEcretOfThisUrl7@C1?base={S}", &[]),
    ("slack-webhook", "slackhook://T1/B1/sEcretOfThisUrl7?base={S}", &[]),
    ("telegram", "telegram://123:sEcretOfThisUrl7@10001?base={S}", &[]),
    ("discord", "discord://1/sEcretOfThisUrl7?base={S}", &[]),
    ("teams", "teams://example.com/a/b?sv=1.0&sig=sEcretOfThisUrl7&base={S}", &[]),
    ("mattermost", "mattermost://example.com/sEcretOfThisUrl7?base={S}", &[]),
    ("rocketchat", "rocketchat://example.com/1/sEcretOfThisUrl7?base={S}", &[]),
    ("matrix", "matrix://sEcretOfThisUrl7@example.com/%21abc%3Aexample.org?homeserver={S}", &[]),
    ("whatsapp", "whatsapp://sEcretOfThisUrl7@106540352242922/+8613900001234?base={S}", &[]),
    ("ntfy", "ntfy://sEcretOfThisUrl7@example.com/backups?base={S}", &[]),
    ("ntfy", "ntfy://example.com/backups?base={S}", &[]),
    ("ntfy", "ntfy://backups?base={S}", &[]),
    ("gotify", "gotify://example.com/sEcretOfThisUrl7?base={S}", &[]),
    ("pushover", "pushover://azGDORePK8gMaC0QOYAMyEEuzJnyUi@gznej3rKEVAvPUxu9vvNnqpmZpokzF?base={S}", &[]),
    ("pagerduty", "pagerduty://a0123456789abcdef0123456789abcde?base={S}", &[]),
    ("opsgenie", "opsgenie://sEcretOfThisUrl7@ops?base={S}", &[]),
    ("opsgenie", "opsgenie://sEcretOfThisUrl7?base={S}", &[]),
    ("twilio", "twilio://AC0123456789abcdef0123456789abcdef:sEcretOfThisUrl7@+15550006789/+8613900001234?base={S}", &[]),
    ("vonage", "vonage://key1:sEcretOfThisUrl7@notify/+8613900001234?base={S}", &[]),
    ("aws-sns", "aws-sns://AKID:sEcretOfThisUrl7@us-east-1/+8613900001234?base={S}", &[]),
    ("sendgrid", "sendgrid://sEcretOfThisUrl7@api/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("mailgun", "mailgun://sEcretOfThisUrl7@mg.example.org/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("postmark", "postmark://sEcretOfThisUrl7@api/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("resend", "resend://sEcretOfThisUrl7@api/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("ses", "ses://AKID:sEcretOfThisUrl7@us-east-1/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("brevo", "brevo://sEcretOfThisUrl7@api/a@example.com?from=me@example.com&base={S}", &["--subject", "s"]),
    ("webhook", "json://{H}/in/sEcretOfThisUrl7", &[]),
    ("webhook", "jsons://example.com/in/sEcretOfThisUrl7?base={S}", &[]),
];

/// A service that answers as that platform documents.
fn service(platform: &str) -> Stage {
    let stage = Stage::start(|_| Reply::status(500));
    let text = std::fs::read_to_string(repository(&format!("tests/platforms/{platform}.yaml"))).expect("a sidecar");
    let sidecar = Sidecar::read(&text, &stage.url()).unwrap_or_else(|what| panic!("{platform}: {what}"));
    let (ok, token) = (sidecar.ok.staged(), sidecar.token.as_ref().map(|token| token.reply.staged()));
    stage.script(move |asked| match &token {
        Some(token) if asked.number == 0 => token.clone(),
        _ => ok.clone(),
    });
    stage
}

fn filled(url: &str, stage: &Stage) -> String {
    url.replace("{S}", &stage.url()).replace("{H}", &stage.address().to_string())
}

/// Every file below, as bytes.
fn scan(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scan(&path, found);
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
        }
    }
}

#[track_caller]
fn nowhere(world: &World, all: &[&Ended], secret: &str) {
    for ended in all {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{}\n{}", ended.out, ended.err);
    }
    let mut files = Vec::new();
    scan(world.dir.path(), &mut files);
    assert!(files.iter().any(|(path, _)| path.ends_with("run.json")), "the state folder is here");
    for (path, bytes) in files {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{} holds it", path.display());
    }
}

#[test]
fn every_form_of_url_sends_and_its_secrets_are_kept_nowhere() {
    let listed = World::new().notify(&["platforms", "list", "--json"]).code(0).out;
    let mut missing = Vec::new();
    for line in listed.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        for form in line["urls"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|_| line["name"] != "smtp") {
            let scheme = form.split("://").next().unwrap_or_default();
            if !FORMS.iter().any(|(_, url, _)| url.starts_with(&format!("{scheme}://"))) {
                missing.push(form.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "forms that are not tried here: {missing:?}");
    let mut wrong = Vec::new();
    for (platform, url, more) in FORMS {
        let stage = service(platform);
        let world = World::new();
        let url = filled(url, &stage);
        let mut args = vec!["send", "--via", &url, "hello", "--out", "out", "--retries", "0", "-vv", "--json"];
        args.extend(*more);
        let sent = world.notify(&args);
        let last = stage.asked().last().map(crate::platforms::stage::Asked::whole).unwrap_or_default();
        if sent.code != 0 || !last.contains("hello") && !last.contains("aGVsbG8") {
            wrong.push(format!("{url}: exit {}\n{}\n{last}", sent.code, sent.err));
            continue;
        }
        assert_eq!(world.json("out/report.json")["sent"], 1, "{url}");
        nowhere(&world, &[&sent, &world.notify(&["status"]), &world.notify(&["runs"]), &world.notify(&["report"])], SECRET);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_send_that_fails_tells_nothing_of_its_url_either() {
    let world = World::new();
    // The service repeats what it was given.
    let stage = Stage::start(|asked| Reply::text(403, &asked.whole()));
    for (n, url) in
        ["slack://xoxb-sEcretOfThisUrl7@C1?base={S}", "feishu://sEcretOfThisUrl7?base={S}", "json://{H}/sEcretOfThisUrl7"]
            .into_iter()
            .enumerate()
    {
        let out = format!("out{n}");
        let failed =
            world.notify(&["send", "--via", &filled(url, &stage), "hello", "--out", &out, "--retries", "0", "-vvv", "--json"]);
        assert_ne!(failed.code, 0, "{}", failed.err);
        nowhere(&world, &[&failed, &world.notify(&["status"])], SECRET);
    }
    // What cannot be read is not repeated.
    for url in
        ["slack://sEcretOfThisUrl7", "slak://sEcretOfThisUrl7@x", "smtp://u:sEcretOfThisUrl7@", "https://h/sEcretOfThisUrl7"]
    {
        let ended = world.notify(&["send", "--via", url, "hello"]).code(2);
        nowhere(&world, &[&ended], SECRET);
    }
    world.notify(&["send", "--via", "slak://a@b", "x"]).code(2).err_has("did you mean `slack://`?").err_has("telegram");
    world.notify(&["send", "--via", "slack://a", "x"]).code(2).err_has("slack://TOKEN@CHANNEL");
    world.notify(&["send", "--via", "https://a/b", "x"]).code(2).err_has("jsons://");
    world.notify(&["send", "--via", "slack://a@b?bse=x", "x"]).code(4).err_has("did you mean `base`?");
}

#[test]
fn a_url_may_stand_in_a_file_or_in_the_environment() {
    let world = World::new();
    let stage = service("slack");
    let url = filled("slack://xoxb-sEcretOfThisUrl7@C1?base={S}", &stage);
    let file = world.file("url", format!("{url}\n"));
    world.notify(&["send", "--via", "@url", "hello"]).code(0);
    std::fs::remove_file(file).expect("removed");
    let from_environment = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("NOTIFY_VIA", &url).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        ended(command.spawn().expect("starts"))
    };
    from_environment(&["send", "hello", "--out", "out"]).code(0);
    // Rows that name a channel go there, the others to the URL's.
    world.file("rows.csv", "channel,text\nC9,one\n,two\n");
    from_environment(&["batch", "rows.csv", "--yes"]).code(0);
    let told: Vec<String> = stage.asked().iter().filter_map(|asked| Some(asked.json()["channel"].as_str()?.to_owned())).collect();
    assert_eq!(told.len(), 4);
    assert_eq!(told[..2], ["C1", "C1"]);
    assert!(told[2..].contains(&"C9".to_owned()) && told[2..].contains(&"C1".to_owned()), "{told:?}");
    // A flag goes over it.
    from_environment(&["send", "hello", "--via", "outbox", "--to", "a@example.com", "--out", "o"]).code(0);
    assert_eq!(stage.count(), 4);
    nowhere(&world, &[&from_environment(&["config", "show"]).code(0)], SECRET);
    world.notify(&["send", "--via", "@nowhere", "hello"]).code(2).err_has("--via @nowhere");
}

#[test]
fn mail_goes_through_a_url_too() {
    let sink = Sink::start(&[]);
    let world = World::new();
    let url = format!("smtp://{}/?from=me@corp.example&to=a@example.com,b@example.com", sink.smtp);
    world.notify(&["send", "--via", &url, "hello", "--subject", "s", "--yes", "--out", "out"]).code(0);
    assert_eq!(sink.taken().len(), 2);
    // A message for somebody else goes to them alone; a list has its own.
    world.notify(&["send", "--via", &url, "hello", "--subject", "s", "--to", "c@example.com"]).code(0);
    world.list("users.csv", 2);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--via", &url]).code(0);
    let to: Vec<String> = sink.taken().iter().map(|line| line["rcpt"].to_string()).collect();
    assert_eq!(to.len(), 5);
    assert!(to[2].contains("c@example.com") && to[3].contains("user"), "{to:?}");
    let secret = format!("smtp://me:sEcretOfThisUrl7@{}/?from=me@corp.example&to=a@example.com", sink.smtp);
    let shown = world.notify(&["preview", "users.csv", "-t", "hello", "--via", &secret, "--show-request"]).code(0);
    shown.out_has("SMTP to 127.0.0.1").out_has("To: user0@example0.com");
}

#[test]
fn a_run_through_a_url_is_resumed_with_the_url() {
    let world = World::new();
    let stage = Stage::start(|_| Reply::json(429, &json!({"ok": false, "error": "ratelimited"})).header("retry-after", "3600"));
    let url = filled("slack://xoxb-sEcretOfThisUrl7@C1?base={S}", &stage);
    let stopped = world.notify(&["send", "--via", &url, "hello", "--out", "out", "--max-wait", "1s"]).code(5);
    let bare = world.notify(&["resume"]).code(2).err_has("was sent through a URL").err_has("--via URL");
    let other = world.notify(&["resume", "--via", "telegram://1:x@2"]).code(2).err_has("slack").err_has("telegram");
    stage.script(|_| Reply::json(200, &json!({"ok": true, "ts": "1.2"})));
    let resumed = world.notify(&["resume", "--via", &url]).code(0);
    assert_eq!((stage.count(), world.json("out/report.json")["sent"].as_u64()), (1, Some(1)));
    nowhere(&world, &[&stopped, &bare, &other, &resumed], SECRET);
    // A run through the config has no need of it.
    world.notify(&["send", "--to", "a@example.com", "hello"]).code(0);
    world.notify(&["resume", "--via", &url]).code(10);
    // Failures go again the same way, and never through something else by accident.
    stage.script(|_| Reply::json(200, &json!({"ok": false, "error": "channel_not_found"})));
    world.notify(&["send", "--via", &url, "hello", "--out", "failing"]).code(1);
    world.notify(&["retry", "failing/failed.jsonl"]).code(2).err_has("--via URL");
    stage.script(|_| Reply::json(200, &json!({"ok": true, "ts": "1.2"})));
    world.notify(&["retry", "failing/failed.jsonl", "--via", &url]).code(0);
    assert_eq!(stage.count(), 1);
}

#[test]
fn a_message_needs_an_address_only_where_the_account_has_none() {
    let sink = Sink::start(&[]);
    let world = World::with_webhook(sink.http, "");
    world.notify(&["send", "hello"]).code(0);
    assert_eq!(sink.taken().len(), 1);
    let world = World::with_smtp(sink.smtp, "");
    world.notify(&["send", "hello", "--subject", "s"]).code(2).err_has("--to");
}

#[test]
fn requests_are_shown_and_not_sent() {
    let world = World::new();
    let stage = Stage::start(|_| Reply::status(500));
    world.config(&format!(
        "accounts:\n  s: {{ platform: slack, token: xoxb-sEcretOfThisUrl7, base: \"{0}\" }}\n  l: {{ platform: line-multicast, token: sEcretOfThisUrl7, base: \"{0}\" }}\n",
        stage.url()
    ));
    world.file("rows.csv", "to,text\nC1,one\nC2,two\nC3,two\n");
    let args = |more: &[&'static str]| [&["preview", "rows.csv", "--show-request"], more].concat();
    let one = world.notify(&args(&["--via", "s", "--row", "2"])).code(0);
    let one = one
        .out_has("/chat.postMessage")
        .out_has("authorization: Bearer ***")
        .out_has("\"channel\": \"C2\"")
        .out_has("\"text\": \"two\"");
    assert!(one.out.starts_with("POST http://127.0.0.1") && !one.out.contains("C1"), "{}", one.out);
    // The same text goes to two people in one request.
    let shared =
        world.notify(&args(&["--via", "l", "--count", "3"])).code(0).out_has("--- row 1 by l").out_has("--- rows 2, 3 by l");
    assert_eq!(shared.out.matches("POST ").count(), 2, "{}", shared.out);
    assert!(!shared.out.contains(SECRET) && !one.out.contains(SECRET));
    assert_eq!(stage.count(), 0);
    world.notify(&args(&["--via", "outbox"])).code(3);
    world.file("mails.csv", "to,text\na@example.com,one\n");
    world
        .notify(&["preview", "mails.csv", "--show-request"])
        .code(0)
        .out_has("outbox makes no request")
        .out_has("To: a@example.com");
}

#[test]
fn a_definition_of_ones_own_is_named_by_a_flag() {
    let world = World::new();
    let stage = Stage::start(|_| Reply::json(200, &json!({"ok": true, "id": "7"})));
    let skeleton = world.notify(&["platforms", "new", "acme"]).code(0).out;
    world.file("acme.yaml", &skeleton);
    world.file("rows.csv", "to,text\nr1,one\nr2,two\n");
    let url = filled("acme://sEcretOfThisUrl7@r9?base={S}", &stage);
    let file = ["--platform-file", "acme.yaml"];
    let with = |args: &[&str]| world.notify(&[args, &file[..]].concat());
    with(&["platforms", "list"]).code(0).out_has("acme");
    with(&["platforms", "show", "acme"]).code(0).out_has("a definition of your own").out_has("acme://TOKEN@ROOM");
    with(&["preview", "rows.csv", "--via", &url, "--show-request"]).code(0).out_has("/messages").out_has("\"to\": \"r1\"");
    with(&["check", "rows.csv", "--via", &url]).code(0);
    with(&["send", "hello", "--via", &url]).code(0);
    world.config(&format!("accounts:\n  a: {{ platform: acme, token: sEcretOfThisUrl7, base: \"{}\" }}\n", stage.url()));
    world.notify(&["batch", "rows.csv", "--via", "a", "--yes"]).code(4).err_has("no platform `acme`");
    // It is remembered with the run.
    stage.script(|_| Reply::json(429, &json!({"ok": false})).header("retry-after", "3600"));
    with(&["batch", "rows.csv", "--via", "a", "--yes", "--out", "out", "--max-wait", "1s"]).code(5);
    stage.script(|_| Reply::json(200, &json!({"ok": true, "id": "7"})));
    std::fs::create_dir_all(world.path("elsewhere")).expect("a folder");
    world.notify(&["resume"]).code(0);
    assert_eq!((stage.count(), world.json("out/report.json")["sent"].as_u64()), (2, Some(2)));
    // Mistakes have a place.
    world.file("acme.yaml", skeleton.replace("success:", "sucess:"));
    with(&["platforms", "list"]).code(4).err_has("acme.yaml:").err_has("did you mean `success`?");
    world.file("acme.yaml", skeleton.replace("name: acme", "name: slack"));
    with(&["send", "hello", "--via", "a", "--to", "x"]).code(4).err_has("comes with notify");
    world.notify(&["platforms", "list", "--platform-file", "nowhere.yaml"]).code(4).err_has("nowhere.yaml");
    world.notify(&["platforms", "new", "slack"]).code(2);
    world.notify(&["platforms", "new", "My Own"]).code(2);
}

#[test]
fn everything_is_told_of_a_platform() {
    let world = World::new();
    world.notify(&["platforms", "list"]).code(0).out_has("slack ").out_has("smtp ");
    let sms = world.notify(&["platforms", "list", "--family", "sms", "--json"]).code(0).out;
    let sms: Vec<Value> = sms.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(sms.len() >= 5 && sms.iter().all(|listed| listed["family"] == "sms"), "{sms:?}");
    world.notify(&["platforms", "list", "--family", "smss"]).code(10).err_has("did you mean `sms`?");
    let slack = world.notify(&["platforms", "show", "slack"]).code(0);
    for words in [
        "family: chat",
        "longest content: text: 40000 characters",
        "slack://TOKEN@CHANNEL",
        "needs blocks",
        "(required, a secret)",
        "token: { env: SLACK_TOKEN }",
    ] {
        assert!(slack.out.contains(words), "{words}\n{}", slack.out);
    }
    world.notify(&["platforms", "show", "feishu-batch"]).code(0).out_has("deliveries a request: up to 200, one content");
    let told: Value = serde_json::from_str(&world.notify(&["platforms", "show", "line", "--json"]).code(0).out).expect("JSON");
    assert_eq!((&told["idempotent"], &told["batch_max"]), (&"always".into(), &1.into()));
    world.notify(&["platforms", "show", "slak"]).code(10).err_has("did you mean `slack`?");
}

#[test]
fn accounts_are_checked_one_by_one() {
    let world = World::new();
    let stage = Stage::start(|asked| {
        let good = asked.header("authorization") == Some("Bearer right-token");
        Reply::json(
            200,
            &if good { json!({"ok": true, "team": "Night watch"}) } else { json!({"ok": false, "error": "invalid_auth"}) },
        )
    });
    world.config(&format!(
        "accounts:\n  one: {{ platform: slack, token: right-token, base: \"{0}\" }}\n  two: {{ platform: slack, token: wrong-token, base: \"{0}\" }}\n  both: {{ platform: pool, of: [one, two] }}\n",
        stage.url()
    ));
    world.notify(&["platforms", "check", "one"]).code(0).out_has("one: the credentials are good: Night watch");
    for args in [&["platforms", "check", "both"][..], &["platforms", "check", "--all"]] {
        let ended = world.notify(args).code(4).out_has("one: the credentials are good").err_has("two: ").err_has("invalid_auth");
        assert!(!ended.err.contains("wrong-token") && !ended.out.contains("right-token"));
    }
    world.notify(&["platforms", "check"]).code(2);
}

#[test]
fn the_pages_of_the_reference_are_what_the_program_says() {
    const AGAIN: &str = "notify platforms docs docs/reference/platforms";
    let world = World::new();
    world.notify(&["platforms", "docs", "pages"]).code(0);
    let names = |folder: &Path| {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let kept = repository("docs/reference/platforms");
    let made = names(&world.path("pages"));
    assert_eq!(made, names(&kept), "docs/reference/platforms has other pages; make them again: {AGAIN}");
    assert!(made.len() > 40, "{made:?}");
    for name in made {
        let told = world.read(&format!("pages/{name}"));
        let kept = std::fs::read_to_string(kept.join(&name)).unwrap_or_default();
        assert!(told == kept, "docs/reference/platforms/{name} is not up to date: {AGAIN}");
        if name != "README.md" {
            let shown = world.notify(&["platforms", "show", name.trim_end_matches(".md"), "--markdown"]).code(0).out;
            assert!(shown == told, "{name}");
        }
    }
}
