//! The real program against the same service: one row, one request, a report that says so, and no secret in anything it wrote.

use serde_json::{Map, Value, json};

use super::compare;
use super::sidecar::ACCOUNT;
use super::stage::Answer;
use super::stand::{PATIENT, Stand};
use crate::world::World;

pub fn ask(stand: &Stand) {
    if let Err(what) = run(stand) {
        stand.wrong("run", what);
    }
}

fn run(stand: &Stand) -> Result<(), String> {
    let sidecar = &stand.sidecar;
    let world = World::new();
    let mut account = sidecar.settings(None)?;
    account.insert("platform".into(), stand.listed.name.clone().into());
    let config = json!({"accounts": {ACCOUNT: serde_json::to_value(account).map_err(|error| error.to_string())?}});
    world.config(&config.to_string());

    let opened = stand.open(None, PATIENT)?;
    let addressing = &opened.capability().addressing;
    let column = addressing.columns.first().cloned().unwrap_or_else(|| "to".to_owned());
    let send = &sidecar.send;
    let mut row: Map<String, Value> =
        send.row.iter().flatten().chain(&send.columns).map(|(name, value)| (name.clone(), value.clone())).collect();
    row.insert(column, json!(send.to));
    let mut args = vec!["batch", "rows.jsonl", "--via", ACCOUNT, "--yes", "--out", "out", "--retries", "0", "-vv"];
    if let Some(tree) = &send.json {
        world.file(&format!("templates/asked/{}.json", stand.listed.name), tree.to_string());
        args.extend(["-t", "asked"]);
    }
    for (name, value) in [("text", &send.text), ("subject", &send.subject), ("html", &send.html), ("markdown", &send.markdown)] {
        if let Some(value) = value {
            row.insert(name.to_owned(), json!(value));
        }
    }
    for (name, value) in [("_from", &send.from), ("_reply_to", &send.reply_to)] {
        if let Some(value) = value {
            row.insert(name.to_owned(), json!(value));
        }
    }
    world.file("rows.jsonl", format!("{}\n", Value::Object(row)));
    stand.play(vec![Answer::Say(sidecar.ok.staged())]);
    let ended = world.notify(&args);
    stand.safe("run (stdout)", &opened, &ended.out);
    stand.safe("run (stderr)", &opened, &ended.err);
    let token = sidecar.token.as_ref().map(|token| token.request.path.as_str());
    let sent =
        stand.stage.asked().into_iter().filter(|asked| token.is_none_or(|path| !compare::matches(path, &asked.path))).count();
    if ended.code != 0 || sent != 1 {
        return Err(format!("exit {}, {sent} requests\n{}{}", ended.code, ended.out, ended.err));
    }
    for name in ["out/report.json", "out/results.jsonl", "out/results.csv"] {
        stand.safe(&format!("run ({name})"), &opened, &world.read(name));
    }
    let report = world.json("out/report.json");
    if report["sent"] != 1 {
        return Err(format!("the report says: {report}"));
    }
    Ok(())
}
