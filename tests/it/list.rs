//! Lists as people have them: broken, damaged, doubled, in other encodings.

use crate::world::{Sink, World, repository};

#[test]
fn the_broken_sample_is_refused_with_each_bad_row_once() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    std::os::unix::fs::symlink(repository("templates"), world.path("templates")).expect("link");
    let list = repository("samples/broken.csv");
    std::fs::copy(&list, world.path("broken.csv")).expect("copy");
    let ended =
        world.notify(&["batch", "broken.csv", "-t", "welcome", "--yes", "--out", "out"]).code(3).err_has("--skip-invalid");
    assert!(sink.taken().is_empty() && !world.path("out").exists(), "nothing was sent, nothing was left");
    let told: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("broken.csv:")).collect();
    let places: std::collections::BTreeSet<&str> = told.iter().map(|line| line.split(' ').next().expect("a place")).collect();
    assert_eq!(told.len(), places.len(), "each bad row once:\n{}", ended.err);
    assert!(told.len() >= 4, "{}", ended.err);

    world.notify(&["batch", "broken.csv", "-t", "welcome", "--yes", "--out", "out", "--skip-invalid"]).code(1);
    let good = sink.taken().len();
    let failed = world.jsonl("out/failed.jsonl");
    assert_eq!(failed.len(), told.len());
    assert!(good >= 3);
    let report = world.json("out/report.json");
    assert_eq!(report["sent"].as_u64(), Some(good as u64));
    assert_eq!(
        report["total_messages"].as_u64(),
        Some(
            ["sent", "failed", "skipped", "pending", "in_doubt"]
                .iter()
                .map(|s| report[s].as_u64().expect("a count"))
                .sum::<u64>()
        )
    );

    // Mended by hand, the rest goes out once.
    let mended: String = failed
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let mut row = row.clone();
            row["email"] = format!("mended{i}@example.com").into();
            for (name, value) in [
                ("name", "Mended"),
                ("company", "Corp"),
                ("plan", "team"),
                ("amount", "1.00"),
                ("signup_date", "2026-01-02"),
                ("lang", "en"),
                ("phone", "+12025550100"),
            ] {
                row[name] = value.into();
            }
            let fields = row.as_object_mut().expect("an object");
            fields.remove("_extra");
            fields.remove("_raw");
            format!("{row}\n")
        })
        .collect();
    world.file("mended.jsonl", mended);
    world.notify(&["retry", "mended.jsonl", "--yes", "--out", "again"]).code(0);
    assert_eq!(sink.taken().len(), good + failed.len());
}

#[test]
fn check_tells_every_bad_row_and_sends_nothing() {
    let world = World::new();
    std::os::unix::fs::symlink(repository("templates"), world.path("templates")).expect("link");
    let list = repository("samples/broken.csv");
    let ended = world.notify(&["check", list.to_str().expect("utf-8"), "-t", "welcome"]).code(3);
    assert!(ended.out.lines().count() >= 4, "{}", ended.out);
    let good = repository("samples/users.csv");
    world.notify(&["check", good.to_str().expect("utf-8"), "-t", "welcome"]).code(0);
}

#[test]
fn damage_of_the_file_refuses_it_whole() {
    let world = World::new();
    world.template();
    for (name, bytes, word) in [
        ("twice.csv", &b"email,name,Email\na@example.com,A,b@example.com\n"[..], "twice"),
        ("quote.csv", b"email,name,n\na@example.com,\"A,1\nb@example.com,B,2\n", "quote"),
        ("none.csv", b"mail_address,name,n\na@example.com,A,1\n", "--map"),
        ("latin.csv", b"email,name,n\na@example.com,Ren\xe9e,1\n", "--encoding"),
        ("empty.csv", b"", "empty"),
        ("missing.csv", b"email,n\na@example.com,1\n", "name"),
    ] {
        world.file(name, bytes);
        let ended = world.notify(&["batch", name, "-t", "hello", "--skip-invalid", "--yes"]).code(3);
        assert!(ended.err.contains(word), "{name}: no {word:?} in:\n{}", ended.err);
    }
    world.notify(&["batch", "nowhere.csv", "-t", "hello"]).code(3).err_has("nowhere.csv");
}

#[test]
fn a_column_that_nearly_fits_is_suggested() {
    let world = World::new();
    world.file("templates/typo.md", "Subject: Hi\n\nDear {{nmae}},\n");
    world.file("one.csv", "email,name\na@example.com,A\n");
    world.notify(&["batch", "one.csv", "-t", "typo"]).code(3).err_has("nmae").err_has("did you mean `name`").err_has("typo.md:3");
}

#[test]
fn encodings_are_read_when_they_are_named() {
    let world = World::new();
    world.template();
    let list = repository("samples/users-gbk.csv");
    let path = list.to_str().expect("utf-8");
    world.file("templates/plain.md", "Subject: Hi\n\nHello.\n");
    world.notify(&["batch", path, "-t", "plain"]).code(3).err_has("--encoding");
    world.notify(&["batch", path, "-t", "plain", "--encoding", "gb18030", "--out", "out"]).code(0);
    for (name, bytes) in [
        ("bom.csv", [b"\xef\xbb\xbf".as_slice(), b"email,name,n\na@example.com,A,1\n"].concat()),
        (
            "wide.csv",
            [vec![0xff, 0xfe], "email;name;n\r\na@example.com;Ä;1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect()]
                .concat(),
        ),
        ("tabs.tsv", b"email\tname\tn\na@example.com\tA\t1\n".to_vec()),
    ] {
        world.file(name, bytes);
        world.notify(&["batch", name, "-t", "hello", "--out", &format!("out-{name}")]).code(0);
    }
}

#[test]
fn duplicates_are_skipped_and_counted() {
    let sink = Sink::start(&[]);
    let world = World::with_smtp(sink.smtp, "");
    world.template();
    world.file("twice.csv", "email,name,n\na@example.com,A,1\nb@example.com,B,2\nA@example.com,A again,3\n");
    world.notify(&["batch", "twice.csv", "-t", "hello", "--yes", "--out", "out"]).code(0);
    assert_eq!(sink.taken().len(), 2);
    let report = world.json("out/report.json");
    assert_eq!((&report["sent"], &report["skipped"], &report["total_messages"]), (&2.into(), &1.into(), &3.into()));
    // The same list once more, on purpose.
    world.notify(&["batch", "twice.csv", "-t", "hello", "--yes", "--out", "all", "--dedupe", "off", "--again"]).code(0);
    assert_eq!(sink.taken().len(), 5);
}

#[test]
fn results_open_in_a_spreadsheet_without_running_anything() {
    let sink = Sink::start(&["--faults", "550@100%"]);
    let world = World::with_smtp(sink.smtp, "");
    world.template();
    world.file("evil.csv", "email,name,n\na@example.com,\"=HYPERLINK(\"\"http://x\"\")\",-5\n");
    world.notify(&["batch", "evil.csv", "-t", "hello", "--yes", "--out", "out"]).code(1);
    let failed = world.read("out/failed.csv");
    assert!(failed.contains("'=HYPERLINK") && failed.contains(",-5"), "{failed}");
}
