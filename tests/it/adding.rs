//! What docs/adding-a-platform.md walks through: the definitions in samples/platforms are read, send, and judge what they are answered.

use std::time::Duration;

use notify::platform::registry::{self, Kind};
use serde_json::{Value, json};

use crate::platforms::stage::{Asked, Reply, Stage};
use crate::world::{World, repository};

/// The key of Bark's page.
const KEY: &str = "ynJ5Ft4atkMkWeo2PAvFhF";

/// A world whose user has this definition in the folder of her own, and this account `it`.
fn world(name: &str, definition: &str, account: &str) -> World {
    let world = World::new();
    world.file(&format!("home/.config/notify/platforms/{name}.yaml"), definition);
    world.config(&format!("defaults: {{ via: it }}\naccounts: {{ it: {{ platform: {name}, {account} }} }}\n"));
    world.template();
    world
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(repository("samples/platforms").join(format!("{name}.yaml"))).expect("a sample")
}

/// Bark, as its server answers.
fn bark() -> Stage {
    Stage::start(|asked: &Asked| {
        let told = |code: u16, message: &str| Reply::json(code, &json!({"code": code, "message": message}));
        match asked.json()["device_key"].as_str() {
            None if asked.method == "GET" && asked.path == "/ping" => told(200, "pong"),
            Some(key) if key.starts_with("gone") => told(400, "failed to get device token: no such key"),
            Some(_) if asked.path == "/push" => told(200, "success"),
            _ => told(404, "Cannot POST"),
        }
    })
}

fn results(world: &World) -> Vec<(String, String)> {
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    world.jsonl("out/results.jsonl").iter().map(|row| (word(row, "status"), word(row, "kind"))).collect()
}

fn words(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(status, kind)| ((*status).to_owned(), (*kind).to_owned())).collect()
}

#[test]
fn every_sample_is_a_definition_that_can_be_used() {
    let folder = repository("samples/platforms");
    let listed = registry::platforms(std::slice::from_ref(&folder));
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).expect("the samples") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(sample(&name).starts_with("# "), "{name}: line 1 says what it is");
        let own = listed.iter().find(|listed| listed.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!((own.kind, &own.broken), (Kind::Own, &None), "{name}");
        assert!(!own.docs.is_empty(), "{name} says where its facts were read");
        found += 1;
    }
    assert!(found >= 2, "{found} samples");
}

#[test]
fn the_smallest_definition_of_the_page_sends() {
    let page = std::fs::read_to_string(repository("docs/adding-a-platform.md")).expect("the page");
    let (_, rest) = page.split_once("```yaml\n# Bark:").expect("the smallest definition");
    let (smallest, _) = rest.split_once("```").expect("its end");
    let stage = bark();
    let world = world("bark", &format!("# Bark:{}", smallest.replace("https://api.day.app", &stage.url())), "concurrency: 1");
    world.file("rows.csv", format!("device_key,name,n\n{KEY},Ada,1\n"));
    world.notify(&["batch", "rows.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    let asked = stage.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].json()["device_key"], KEY);
    assert_eq!(asked[0].json()["title"], "Hello Ada");
    assert!(asked[0].json()["body"].as_str().is_some_and(|body| body.contains("number 1")), "{}", asked[0].text());
}

#[test]
fn bark_sends_each_kind_and_tells_a_key_that_is_gone() {
    let stage = bark();
    let world = world("bark", &sample("bark"), &format!("base: {:?}, group: ops, concurrency: 1", stage.url()));
    world.notify(&["platforms", "check", "it"]).code(0);
    stage.script(|asked: &Asked| {
        let gone = asked.json()["device_key"].as_str().is_some_and(|key| key.starts_with("gone"));
        let (code, message) = if gone { (400, "failed to get device token: no such key") } else { (200, "success") };
        Reply::json(code, &json!({"code": code, "message": message}))
    });
    let rows = [
        json!({"to": KEY, "subject": "Disk", "text": "full", "url": "https://status.example.com/1", "badge": 3}),
        json!({"to": "second-key", "subject": "Disk", "markdown": "**full**", "level": "critical", "group": "db"}),
        json!({"to": "third-key", "json": {"body": "ready", "call": "1"}}),
        json!({"to": "gone-key", "text": "nobody hears it"}),
    ];
    world.file("rows.jsonl", rows.map(|row| row.to_string()).join("\n"));
    world.notify(&["batch", "rows.jsonl", "--yes", "--out", "out"]).code(1);
    assert_eq!(results(&world), words(&[("sent", ""), ("sent", ""), ("sent", ""), ("failed", "bad_address")]));
    let asked = stage.asked();
    let of = |key: &str| {
        let found: Vec<Value> = asked.iter().map(Asked::json).filter(|body| body["device_key"] == key).collect();
        assert_eq!(found.len(), 1, "one request for {key}");
        found.into_iter().next().unwrap_or_default()
    };
    let first = of(KEY);
    let id = first["id"].as_str().expect("a key against doubles");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let told = json!({"device_key": KEY, "title": "Disk", "body": "full", "group": "ops", "url": "https://status.example.com/1", "badge": 3, "id": id});
    assert_eq!(first, told);
    let second = of("second-key");
    assert_eq!((&second["markdown"], &second["body"]), (&json!("**full**"), &Value::Null));
    assert_eq!((&second["group"], &second["level"]), (&json!("db"), &json!("critical")));
    let third = of("third-key");
    assert_eq!((&third["body"], &third["call"], &third["group"]), (&json!("ready"), &json!("1"), &Value::Null));
    assert_ne!(first["id"], second["id"]);
    // Whoever knows a key can push: it stands in no result.
    for name in ["out/results.csv", "out/results.jsonl", "out/report.json"] {
        assert!(!world.read(name).contains(KEY), "{name} shows a device key");
    }
}

#[test]
fn bark_refuses_content_that_it_would_drop() {
    let stage = bark();
    let world = world("bark", &sample("bark"), &format!("base: {:?}", stage.url()));
    world.file("templates/disk/bark.json", r#"{"text": "full", "colour": "red"}"#);
    world.file("rows.csv", format!("device_key\n{KEY}\n"));
    world.notify(&["batch", "rows.csv", "-t", "disk", "--yes", "--out", "out"]).code(3).err_has("does not know `colour`");
    assert_eq!(stage.count(), 0, "nothing was sent");
}

#[test]
fn zulip_sends_a_form_and_follows_its_errors_by_name() {
    let stage = Stage::start(|asked: &Asked| {
        let to = asked.form().into_iter().find(|(name, _)| name == "to").map(|(_, value)| value).unwrap_or_default();
        match (asked.number, to.as_str()) {
            (0, _) => Reply::json(429, &json!({"code": "RATE_LIMIT_HIT", "msg": "slow", "result": "error", "retry-after": 0.3})),
            (_, "nosuch") => {
                Reply::json(400, &json!({"code": "STREAM_DOES_NOT_EXIST", "msg": "no such channel", "result": "error"}))
            }
            // A refusal that HTTP calls a success is none.
            (_, "liar") => Reply::json(200, &json!({"code": "BAD_REQUEST", "msg": "no", "result": "error"})),
            (number, _) => Reply::json(200, &json!({"id": number, "msg": "", "result": "success"})),
        }
    });
    let account =
        format!("base: {:?}, email: bot@example.com, key: key-of-the-test, concurrency: 1, limits: [1000/s]", stage.url());
    let world = world("zulip", &sample("zulip"), &account);
    world.file("rows.csv", "zulip,name,n\nops,A,1\nbob@example.com,B,2\nnosuch,C,3\nliar,D,4\n");
    world.notify(&["batch", "rows.csv", "-t", "hello", "--yes", "--out", "out"]).code(1);
    let told = words(&[("sent", ""), ("sent", ""), ("failed", "bad_address"), ("failed", "bad_message")]);
    assert_eq!(results(&world), told);
    // The wait was kept and cost no try.
    assert_eq!(world.jsonl("out/results.jsonl")[0]["attempts"], 1);
    let asked = stage.asked();
    assert_eq!(asked.len(), 5);
    assert!(asked[1].at.duration_since(asked[0].at) >= Duration::from_millis(300));
    let form = |wanted: &str| {
        let form = asked.iter().skip(1).map(Asked::form).find(|form| form.iter().any(|(name, to)| name == "to" && to == wanted));
        form.unwrap_or_else(|| panic!("no request for {wanted}"))
    };
    let value = |form: &[(String, String)], name: &str| {
        form.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let channel = form("ops");
    assert_eq!((value(&channel, "type").as_str(), value(&channel, "topic").as_str()), ("stream", "Hello A"));
    let person = form(r#"["bob@example.com"]"#);
    assert_eq!((value(&person, "type").as_str(), value(&person, "topic").as_str()), ("direct", ""));
    // bot@example.com:key-of-the-test (RFC 7617).
    let basic = "Basic Ym90QGV4YW1wbGUuY29tOmtleS1vZi10aGUtdGVzdA==";
    assert!(asked.iter().all(|asked| asked.path == "/api/v1/messages" && asked.header("authorization") == Some(basic)));
}

#[test]
fn a_mistake_in_a_definition_is_told_with_its_place() {
    let broken = sample("bark").replace("  omit_empty: true", "  omit_emtpy: true");
    let line = broken.lines().position(|line| line.contains("omit_emtpy")).expect("the mistake") + 1;
    let world = world("bark", &broken, "group: ops");
    let place = format!("bark.yaml:{line}:3");
    let told = world.notify(&["platforms", "show", "bark"]);
    let words = told.out + &told.err;
    assert!(words.contains(&place) && words.contains("did you mean `omit_empty`?"), "{words}");
    world.file("rows.csv", format!("device_key,name,n\n{KEY},Ada,1\n"));
    world.notify(&["batch", "rows.csv", "-t", "hello", "--yes"]).code(4).err_has(&place);
}
