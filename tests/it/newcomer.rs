//! What a person who sees the program for the first time runs into, and what it says then.

use crate::world::World;

#[test]
fn of_two_runs_of_one_second_the_newest_is_the_later_one() {
    let world = World::new();
    world.template();
    for n in 1..=6 {
        let list = format!("list{n}.csv");
        world.list(&list, 1);
        world.notify(&["batch", &list, "-t", "hello", "--out", &format!("out{n}")]).code(0);
        world.notify(&["status"]).code(0).out_has(&list);
    }
    let runs = world.notify(&["runs"]).code(0).out;
    let order: Vec<usize> = (1..=6).map(|n| runs.find(&format!("list{n}.csv")).expect("every run")).collect();
    assert!(order.is_sorted(), "newest last:\n{runs}");
}

#[test]
fn a_row_without_an_email_is_not_sent_to_its_phone() {
    let world = World::new();
    world.template();
    world.file("list.csv", "email,phone,name,n\na@example.com,+12025550101,A,1\n,+12025550102,B,2\n");
    world.notify(&["batch", "list.csv", "-t", "hello"]).code(3).err_has("list.csv:3:1 (email): the row has no address");
    // Where the header knows only phones, phones it is.
    world.file("phones.csv", "phone,name,n\n+12025550101,A,1\n");
    world.notify(&["batch", "phones.csv", "-t", "hello"]).code(0);
}

#[test]
fn every_bad_address_is_quoted_with_its_place() {
    let world = World::new();
    world.template();
    let cells = ["a＠example.com", "b@example.com; c@example.com", "d e@example.com", "f@", "g@example..com", "plain"];
    let rows: String = cells.iter().map(|cell| format!("{cell},N,1\n")).collect();
    world.file("list.csv", format!("email,name,n\n{rows}"));
    let told = world.notify(&["batch", "list.csv", "-t", "hello"]).code(3).err;
    for (n, cell) in cells.iter().enumerate() {
        let place = format!("list.csv:{}:1 (email): ", n + 2);
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with(&place)).collect();
        assert!(matches!(lines[..], [line] if line.contains(&format!("`{cell}`"))), "{cell} once, with its cell:\n{told}");
    }
}

#[test]
fn a_missing_variable_is_told_once_with_all_its_places() {
    let world = World::new();
    world.file("templates/twice.txt", "Subject: {{city}}\n\n{{city}} and {{city}}\n");
    world.list("list.csv", 2);
    let told = world.notify(&["batch", "list.csv", "-t", "twice"]).code(3).err_has("it also stands at").err;
    assert_eq!(told.matches("no column provides the variable `city`").count(), 1, "{told}");
}

#[test]
fn mistakes_are_told_in_words() {
    let world = World::new();
    world.template();
    world.list("list.csv", 2);
    for (args, code, word) in [
        (&["batch", "nowhere.csv", "-t", "hello"][..], 3, "there is no file nowhere.csv"),
        (&["batch", "list.csv", "-t", "hello", "-j", "0"], 2, "whole number, 1 or more"),
        (&["batch", "list.csv", "-t", "hello", "--limit", "0"], 2, "--limit"),
    ] {
        let told = world.notify(args).code(code).err_has(word).err;
        assert!(!told.contains("os error") && !told.contains("non-zero type"), "{told}");
    }
    let told = world.notify(&["batch", "list.csv", "-t", "helo"]).code(3).err_has("did you mean `hello`?").err;
    let mut places: Vec<&str> = told.split('`').filter(|place| place.starts_with('/')).collect();
    let all = places.len();
    places.dedup();
    assert_eq!(places.len(), all, "a folder is named once:\n{told}");
}

#[test]
fn the_end_of_a_failed_run_says_why() {
    // Nobody listens on the port of a socket that is closed again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let world = World::new();
    world.config(&format!(
        "defaults: {{ via: m }}\naccounts:\n  m: {{ platform: smtp, url: \"smtp://127.0.0.1:{port}\", from: a@example.com, tls: none }}\n"
    ));
    world.template();
    world.list("list.csv", 1);
    let args = ["batch", "list.csv", "-t", "hello", "--yes", "--retries", "0"];
    world.notify(&args).code(1).err_has("why     line 2: unreachable: ");
}

#[test]
fn a_webhooks_path_is_not_shown() {
    let world = World::new();
    world.config("accounts:\n  h: { platform: webhook, url: \"https://api.example.com/in/abcsecret\" }\n");
    let shown = world.notify(&["config", "show"]).code(0).out_has("https://api.example.com/***").out;
    assert!(!shown.contains("abcsecret"), "{shown}");
}

#[test]
fn a_retry_says_nothing_of_options_nobody_gave() {
    let world = World::new();
    world.template();
    world.file("list.csv", "email,name,n\nplain,A,1\nb@example.com,B,2\n");
    world.notify(&["batch", "list.csv", "-t", "hello", "--skip-invalid", "--out", "out"]).code(1);
    let mended = world.read("out/failed.jsonl").replace("plain", "a@example.com");
    world.file("mended.jsonl", mended);
    let told = world.notify(&["retry", "mended.jsonl"]).code(0).err;
    assert!(!told.contains("--dedupe"), "{told}");
}
