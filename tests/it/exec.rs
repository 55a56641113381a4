//! The user's own program as a platform: one run per delivery, judged by how it ends and by what it says.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::world::World;

/// Notes what it hears, and answers by the number in the address.
const PROGRAM: &str = r#"#!/bin/sh
object=$(cat)
printf '%s\n' "$object" >> heard.jsonl
test "$TOKEN" = t0ken-of-theirs || exit 78
case "$object" in
  *'"to":"user3@'*) echo "no such user" >&2; exit 67 ;;
  *'"to":"user4@'*) exit 75 ;;
  *'"to":"user5@'*) echo '{"status":"failed","code":17,"detail":"they said no"}' ;;
  *'"to":"user6@'*) echo '{"status":"sent"}'; exit 1 ;;
  *'"to":"user7@'*) kill -9 $$ ;;
  *) echo '{"status":"sent","id":"theirs"}' ;;
esac
"#;

#[test]
fn every_row_is_one_run_and_its_end_is_the_verdict() {
    let world = World::new();
    let program = world.file("own.sh", PROGRAM);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
    world.file("token", "t0ken-of-theirs\n");
    world.config(&format!(
        "defaults: {{ via: own }}\naccounts:\n  own:\n    platform: exec\n    command: [{}]\n    env: {{ TOKEN: {{ file: token }} }}\n    format: email\n",
        program.display()
    ));
    world.list("users.csv", 20);
    world.template();
    let args =
        ["batch", "users.csv", "-t", "hello", "--yes", "--out", "out", "--delay", "5ms", "--max-delay", "10ms", "--retries", "2"];
    world.notify(&args).code(6);
    let rows = world.jsonl("out/results.jsonl");
    let told = |n: usize| {
        let row = rows.iter().find(|row| row["to"].as_str().unwrap_or_default().starts_with(&format!("user{n}@"))).expect("row");
        (row["status"].as_str().unwrap_or_default().to_owned(), row["kind"].as_str().unwrap_or_default().to_owned())
    };
    let pair = |status: &str, kind: &str| (status.to_owned(), kind.to_owned());
    assert_eq!(told(3), pair("failed", "bad_address"));
    assert_eq!(told(4), pair("failed", "unavailable"));
    assert_eq!(told(5), pair("failed", "bad_message"));
    assert_eq!(told(6), pair("in_doubt", "in_doubt"));
    assert_eq!(told(7), pair("in_doubt", "in_doubt"));
    let report = world.json("out/report.json");
    assert_eq!((&report["sent"], &report["failed"], &report["in_doubt"]), (&15.into(), &3.into(), &2.into()), "{report}");
    let heard: Vec<Value> = world.jsonl("heard.jsonl");
    assert_eq!(heard.len(), 22, "one run a row, and three for the one that was to be tried again");
    let keys: BTreeSet<&str> = heard.iter().filter_map(|object| object["key"].as_str()).collect();
    assert_eq!(keys.len(), 20, "a repetition has the key of the first try");
    let one = heard.iter().find(|object| object["to"].as_str().is_some_and(|to| to.starts_with("user1@"))).expect("row 1");
    assert_eq!((&one["subject"], &one["vars"]["n"]), (&"Hello Name 1".into(), &"1".into()), "{one}");
    assert!(one["html"].as_str().expect("html").contains("number 1"), "{one}");
}

#[test]
fn a_command_of_somebody_elses_config_is_not_run() {
    let world = World::new();
    let config = world.config("defaults: { via: own }\naccounts: { own: { platform: exec, command: \"touch ran\" } }\n");
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o666)).expect("mode");
    world.list("users.csv", 1);
    world.template();
    world.notify(&["batch", "users.csv", "-t", "hello", "--yes", "--out", "out"]).code(4).err_has("anybody can write");
    assert!(!world.path("ran").exists());
}
