//! A scripted service and the real program before it: accounts on loopback, rows, one run, and what the reports say of each row.

use std::collections::BTreeMap;
use std::process::Child;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::platforms::stage::{Asked, Reply};
use crate::world::{Ended, World};

/// A world with these accounts (JSON is YAML).
pub fn world(accounts: &Value) -> World {
    let world = World::new();
    world.config(&json!({"accounts": accounts}).to_string());
    world
}

/// Writes `rows.jsonl`.
pub fn list(world: &World, rows: impl IntoIterator<Item = Value>) {
    let lines: Vec<String> = rows.into_iter().map(|row| format!("{row}\n")).collect();
    world.file("rows.jsonl", lines.concat());
}

/// The arguments of a run of `rows.jsonl` through that account, with short delays.
pub fn arguments<'a>(via: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all =
        vec!["batch", "rows.jsonl", "--via", via, "--yes", "--out", "out", "-q", "--delay", "5ms", "--max-delay", "20ms"];
    all.extend(more);
    all
}

/// Runs it to its end.
pub fn send(world: &World, via: &str, more: &[&str]) -> Ended {
    world.notify(&arguments(via, more))
}

/// Starts it, saying nothing.
pub fn start(world: &World, args: &[&str]) -> Child {
    world.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("notify starts")
}

/// Each row's status and kind (`sent`, `failed bad_address`), by its number from 1.
pub fn told(world: &World) -> BTreeMap<u64, String> {
    let mut told = BTreeMap::new();
    for row in world.jsonl("out/results.jsonl") {
        let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let twice =
            told.insert(row["row"].as_u64().expect("row"), format!("{} {}", word("status"), word("kind")).trim().to_owned());
        assert!(twice.is_none(), "a row stands twice in the results: {row}");
    }
    told
}

/// How many rows have each status and kind.
pub fn sums(world: &World) -> BTreeMap<String, usize> {
    let mut sums = BTreeMap::new();
    for told in told(world).into_values() {
        *sums.entry(told).or_default() += 1;
    }
    sums
}

/// A field of a form that holds JSON.
pub fn form_json(asked: &Asked, name: &str) -> Value {
    let form = asked.form();
    let (_, text) = form.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {form:?}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
}

/// A list of texts.
pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().filter_map(|item| item.as_str().map(Into::into)).collect()
}

/// A mainland number.
pub fn number(n: usize) -> String {
    format!("139{n:08}")
}

pub fn aliyun(url: &str) -> Value {
    json!({"platform": "aliyun-sms", "base": url, "key_id": "LTAIEXAMPLE", "key_secret": "SECRETEXAMPLE", "sign_name": "notify", "template_code": "SMS_1"})
}

pub fn aliyun_ok() -> Reply {
    Reply::json(200, &json!({"Code": "OK", "Message": "OK", "BizId": "9006195452217234", "RequestId": "R-1"}))
}

pub fn tencent(url: &str) -> Value {
    json!({"platform": "tencent-sms", "base": url, "secret_id": "AKIDEXAMPLE", "secret_key": "SECRETEXAMPLE", "app_id": "1400006666", "sign_name": "notify", "template_id": "1234"})
}

/// Tencent's answer to what was asked: each number with the code that `code` gives it.
pub fn tencent_reply(asked: &Asked, code: impl Fn(&str) -> &'static str) -> Reply {
    let each = |number: &String| json!({"SerialNo": format!("5000:{number}"), "PhoneNumber": number, "Fee": 1, "Code": code(number), "Message": "m"});
    let set: Vec<Value> = texts(&asked.json()["PhoneNumberSet"]).iter().map(each).collect();
    Reply::json(200, &json!({"Response": {"SendStatusSet": set, "RequestId": "R-1"}}))
}
