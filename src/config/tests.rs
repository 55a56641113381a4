//! The config as a user meets it: good files, thirty broken ones, layers, profiles, variables, secrets and who may read them.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::defaults::{Dedupe, InDoubt, OnError, OnInvalid};
use super::knobs::{Concurrency, Knobs};
use super::*;

/// A home and a working folder of their own.
struct World {
    folder: TempDir,
    variables: Vec<(String, String)>,
    profile: Option<String>,
    explicit: Option<PathBuf>,
    platforms: Vec<&'static str>,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("home/notify")).unwrap();
        std::fs::create_dir_all(folder.path().join("work")).unwrap();
        let platforms = vec!["outbox", "smtp", "webhook"];
        World { folder, variables: Vec::new(), profile: None, explicit: None, platforms }
    }

    fn with(config: &str) -> World {
        let world = World::new();
        world.write("work/notify.yaml", config, 0o600);
        world
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.folder.path().join(path);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    fn set(mut self, name: &str, value: &str) -> World {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Config, Vec<Problem>> {
        let env = |name: &str| self.variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        let names: Vec<String> =
            self.variables.iter().map(|(name, _)| name.clone()).filter(|name| name.starts_with("NOTIFY_")).collect();
        Config::load(&Request {
            explicit: self.explicit.as_deref(),
            profile: self.profile.as_deref(),
            env: &env,
            variables: &names,
            cwd: &self.folder.path().join("work"),
            config_home: &self.folder.path().join("home"),
            platforms: &self.platforms,
        })
    }

    fn good(&self) -> Config {
        self.load()
            .unwrap_or_else(|problems| panic!("{}", problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()))
    }
}

fn setting<'a>(config: &'a Config, account: &str, key: &str) -> &'a str {
    config.account(account).unwrap().settings.get(key).and_then(serde_yaml::Value::as_str).unwrap()
}

#[test]
fn without_a_file_there_is_the_outbox() {
    let world = World::new();
    let config = world.good();
    assert_eq!(config.default_account().unwrap().platform, "outbox");
    assert_eq!((config.files.len(), config.warnings.len(), config.accounts.len()), (0, 0, 1));
    assert_eq!(
        config.template_dirs,
        [world.folder.path().join("work/templates"), world.folder.path().join("home/notify/templates")]
    );
    assert_eq!(config.definitions, [world.folder.path().join("home/notify/platforms")]);
}

#[test]
fn everything_is_read() {
    let config = World::with(
        "version: 1\n\
         defaults: { via: corp-mail, concurrency: auto, batch_size: 100, on_error: retry, on_invalid: skip, in_doubt: resend, dedupe: off, rate: 5/s,\n\
        \x20           retries: { max: 3, factor: 2.0, max_delay: 5m, delay: 500ms }, timeout: 30s, final_timeout: 10m, grace: 20s, max_wait: 15m,\n\
        \x20           deadline: 1h 30m, confirm_above: 10, lenient: true, from: a@b.example, reply_to: c@d.example }\n\
         templates: t\nplatforms: [ p, /abs ]\n\
         accounts:\n  corp-mail:\n    platform: smtp\n    url: smtps://smtp.corp.example\n    limits: [ 14/s, 50000/1d, { rate: 2/s, per: domain, burst: 5 } ]\n    concurrency: 8\n  163: { platform: outbox }\n",
    );
    let Config { defaults, accounts, template_dirs, definitions, .. } = config.good();
    assert_eq!(defaults.concurrency, Some(Concurrency::Auto(Knobs::default())));
    assert_eq!(defaults.on_error, Some(OnError::Retry));
    assert_eq!(defaults.on_invalid, Some(OnInvalid::Skip));
    assert_eq!(defaults.in_doubt, Some(InDoubt::Resend));
    assert_eq!(defaults.dedupe, Some(Dedupe::Off));
    assert_eq!(defaults.rate.unwrap().count.get(), 5);
    assert_eq!(
        (defaults.retries.max, defaults.retries.factor, defaults.retries.delay),
        (Some(3), Some(2.0), Some(Duration::from_millis(500)))
    );
    assert_eq!((defaults.deadline, defaults.final_timeout), (Some(Duration::from_secs(5400)), Some(Duration::from_secs(600))));
    assert_eq!((defaults.confirm_above, defaults.lenient, defaults.from.as_deref()), (Some(10), Some(true), Some("a@b.example")));
    let account = &accounts["corp-mail"];
    let limits = account.limits.as_ref().unwrap();
    assert_eq!((limits.len(), limits[2].burst.get(), account.concurrency.unwrap().get()), (3, 5, 8));
    assert_eq!(account.settings.len(), 1);
    assert!(accounts.contains_key("163") && accounts.contains_key("outbox"));
    assert_eq!(template_dirs[0], config.folder.path().join("work/t"));
    assert_eq!(definitions[..2], [config.folder.path().join("work/p"), PathBuf::from("/abs")]);
}

/// Name, text, line, column, words of the sentence, words of the help.
const BROKEN: [(&str, &str, usize, usize, &str, &str); 49] = [
    ("unknown key", "version: 1\nacounts: {}\n", 2, 1, "unknown key `acounts`", "did you mean `accounts`?"),
    ("unknown key, far", "zebra: 1\n", 1, 1, "unknown key `zebra`", "these are known: version, defaults"),
    ("key in the wrong block", "retries: { max: 3 }\n", 1, 1, "unknown key `retries`", "belongs to `defaults:`"),
    (
        "key in the wrong block, back",
        "defaults:\n  profiles: {}\n",
        2,
        3,
        "`defaults` has no key `profiles`",
        "belongs to the file itself",
    ),
    ("typo in defaults", "defaults:\n  batchsize: 5\n", 2, 3, "`defaults` has no key `batchsize`", "did you mean `batch_size`?"),
    (
        "typo in flow style",
        "defaults: { via: outbox, concurency: 4 }\n",
        1,
        26,
        "no key `concurency`",
        "did you mean `concurrency`?",
    ),
    (
        "typo in retries",
        "defaults:\n  retries:\n    maximum: 3\n",
        3,
        5,
        "`defaults.retries` has no key `maximum`",
        "these are known: max",
    ),
    ("duration without unit", "defaults:\n  timeout: 30\n", 2, 12, "`defaults.timeout`: \"30\" has no unit", ""),
    ("duration misspelt", "defaults:\n  timeout: 5 fortnights\n", 2, 12, "is not a length of time", ""),
    ("no time at all", "defaults:\n  deadline: 0s\n", 2, 13, "above 0", ""),
    ("number as text", "defaults:\n  batch_size: many\n", 2, 15, "whole number above 0, not \"many\"", ""),
    ("number below 1", "defaults: { batch_size: 0 }\n", 1, 25, "whole number above 0, not 0", ""),
    ("width", "defaults: { concurrency: lots }\n", 1, 26, "auto or a whole number", ""),
    ("word", "defaults:\n  on_error: contiune\n", 2, 13, "not one of continue, abort, retry", "did you mean continue?"),
    ("truth", "defaults:\n  lenient: yes\n", 2, 12, "true or false, not \"yes\"", ""),
    ("rate of defaults", "defaults: { rate: 5 per second }\n", 1, 19, "is not a rate", ""),
    ("block is a list", "defaults:\n  - via: x\n", 1, 1, "`defaults` takes keys, not a list", ""),
    ("file is a list", "- a\n- b\n", 1, 1, "the config takes keys, not a list", "key: value"),
    ("file is a text", "hello\n", 1, 1, "takes keys, not \"hello\"", "key: value"),
    ("version of the future", "version: 2\n", 1, 10, "written for version 2", "newer notify"),
    (
        "unknown default account",
        "defaults: { via: corp-mial }\naccounts:\n  corp-mail: { platform: smtp }\n",
        1,
        18,
        "no account `corp-mial`",
        "did you mean `corp-mail`?",
    ),
    (
        "no platform",
        "accounts:\n  mail:\n    url: smtp://x\n",
        2,
        3,
        "account mail has no platform",
        "one of: outbox, smtp, webhook",
    ),
    ("empty account", "accounts:\n  mail:\n", 2, 3, "account mail has no platform", "add `platform:`"),
    ("unknown platform", "accounts:\n  mail:\n    platform: smpt\n", 3, 15, "no platform `smpt`", "did you mean `smtp`?"),
    ("account is a text", "accounts:\n  mail: smtp\n", 2, 9, "account mail takes keys, not \"smtp\"", "indented"),
    (
        "name of an account",
        "accounts:\n  corp mail: { platform: smtp }\n",
        2,
        3,
        "cannot be the name of an account",
        "letters, digits",
    ),
    (
        "bad rate",
        "accounts:\n  a:\n    platform: smtp\n    limits: [ 14/s, 5/fortnight ]\n",
        4,
        21,
        "\"5/fortnight\" is not a rate",
        "",
    ),
    ("rate is a number", "accounts:\n  a:\n    platform: smtp\n    limits:\n      - 14\n", 5, 9, "14 is not a rate", "14/s"),
    (
        "limits is no list",
        "accounts:\n  a: { platform: smtp, limits: 14/s }\n",
        2,
        32,
        "write a list, not \"14/s\"",
        "limits: [ 14/s",
    ),
    (
        "key in a limit",
        "accounts:\n  a:\n    platform: smtp\n    limits:\n      - { rate: 2/s, by: domain }\n",
        5,
        22,
        "unknown key `by`",
        "",
    ),
    (
        "scope of a limit",
        "accounts:\n  a:\n    platform: smtp\n    limits: [ { rate: 2/s, per: domian } ]\n",
        4,
        33,
        "`per` is account, domain or address",
        "did you mean `domain`?",
    ),
    (
        "twice",
        "accounts:\n  a: { platform: smtp }\n  a: { platform: outbox }\n",
        3,
        3,
        "`a` stands twice in the same block (first on line 2)",
        "remove one",
    ),
    (
        "key in a profile",
        "profiles:\n  staging:\n    account: {}\n",
        3,
        5,
        "profile staging: unknown key `account`",
        "did you mean `accounts`?",
    ),
    (
        "merge of nothing",
        "accounts:\n  a:\n    <<: 5\n    platform: smtp\n",
        3,
        5,
        "`<<` takes over the keys of another block",
        "<<: *name",
    ),
    ("tab", "defaults:\n\tvia: outbox\n", 2, 1, "a tab is used for indentation", "indent with spaces"),
    ("open quote", "defaults:\n  via: \"outbox\naccounts: {}\n", 2, 8, "a quote is opened here and never closed", "close it"),
    (
        "open list",
        "accounts:\n  a: { platform: smtp, limits: [ 14/s }\n",
        2,
        32,
        "a list opened with `[` is not closed",
        "`]` at the end",
    ),
    ("open braces", "defaults: { via: outbox\nversion: 1\n", 1, 11, "keys opened with `{` are not closed", "`}` at the end"),
    ("indentation", "defaults:\n    via: outbox\n  grace: 5s\n", 3, 3, "does not fit the lines around it", "indented alike"),
    ("colon", "defaults:\n  via: a: b\n", 2, 9, "a `:` stands where it cannot", "in quotes"),
    ("value that begins with @", "defaults:\n  from: @corp\n", 2, 9, "a value cannot begin with `@`", "quotes"),
    ("undefined alias", "defaults:\n  via: *nowhere\n", 2, 8, "refers to nothing", "&name"),
    ("template instead of text", "defaults:\n  from: {{sender}}\n", 2, 10, "a key must be plain text", ""),
    ("open list at the end", "[1, 2", 1, 1, "a list opened with `[` is not closed", "`]` at the end"),
    ("comma too many", "accounts: { a: { platform: smtp },, }\n", 1, 35, "a value is missing here", "comma"),
    ("apostrophe", "defaults: { from: 'it's me' }\n", 1, 11, "keys opened with `{` are not closed", "an apostrophe inside"),
    ("backquote", "defaults:\n  from: `x`\n", 2, 9, "a value cannot begin with a backquote", "quotes"),
    (
        "not indented",
        "accounts:\n  mail:\n    platform: smtp\n  limits: [ 1/s ]\n",
        4,
        3,
        "account limits takes keys, not a list",
        "indent it below the name",
    ),
    ("two documents", "version: 1\n---\nversion: 1\n", 2, 1, "a config is one document", "remove that line"),
];

#[test]
fn broken_configs_are_told_with_place_line_sentence_and_help() {
    // Words of parsers and of Rust that a user need not know.
    const JARGON: [&str; 12] = [
        "mapping",
        "scalar",
        "sequence",
        "usize",
        "struct",
        "enum",
        "deserial",
        "variant",
        "invalid type",
        "serde",
        "token",
        "expected",
    ];
    let mut wrong = Vec::new();
    for (name, text, line, column, what, help) in BROKEN {
        let Err(problems) = World::with(text).load() else {
            wrong.push(format!("{name}: taken for good"));
            continue;
        };
        let [problem] = problems.as_slice() else {
            wrong.push(format!(
                "{name}: {} problems: {}",
                problems.len(),
                problems.iter().map(|p| format!("{p}\n")).collect::<String>()
            ));
            continue;
        };
        let drawn = problem.to_string();
        let shown = text.lines().nth(line - 1).unwrap();
        let fits = problem.path.as_deref() == Some(Path::new("notify.yaml"))
            && (problem.line, problem.column) == (Some(line), Some(column))
            && problem.text.as_deref() == Some(shown)
            && problem.what.contains(what)
            && problem.help.as_deref().unwrap_or_default().contains(help)
            && !JARGON.iter().any(|word| drawn.contains(word));
        if !fits {
            wrong.push(format!("{name} (wanted {line}:{column}): {drawn}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_mistakes_are_told_in_one_pass_in_reading_order() {
    let world = World::with(
        "accounts:\n  a: { platform: smpt }\n  b: {}\ndefaults:\n  via: zebra\n  timeout: 5\n  retries: { max: -1 }\nx: 1\n",
    );
    world.write("home/notify/notify.yaml", "zz: 1\nprofiles: { p: { defaults: { grace: 1 } } }\n", 0o600);
    let problems = world.load().unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.path.as_ref().unwrap().ends_with("home/notify/notify.yaml"), problem.line.unwrap()))
        .collect();
    assert_eq!(places, [(true, 1), (true, 2), (false, 2), (false, 3), (false, 5), (false, 6), (false, 7), (false, 8)]);
}

#[test]
fn a_broken_file_is_not_blamed_on_another() {
    let world = World::with("defaults: { via: mail }\n");
    world.write("home/notify/notify.yaml", "accounts:\n  mail: [\n", 0o600);
    let problems = world.load().unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn a_thousand_mistakes_are_counted_not_told() {
    let text: String = (0..1000).map(|n| format!("zebra{n}: 1\n")).collect();
    let problems = World::with(&text).load().unwrap_err();
    assert_eq!(problems.len(), MOST_PROBLEMS + 1);
    assert_eq!(problems[MOST_PROBLEMS].what, "and 950 more mistakes; fix these first");
}

#[test]
fn the_nearer_file_wins_key_by_key_and_lists_are_replaced() {
    let world = World::with(
        "accounts:\n  mail: { user: near, limits: [1/s], password: { env: B } }\n  other: { platform: outbox }\ndefaults: { retries: { max: 9 } }\n",
    );
    world.write(
        "home/notify/notify.yaml",
        "defaults: { via: mail, retries: { max: 1, factor: 3.0 } }\naccounts:\n  mail: { platform: smtp, url: 'smtp://x', user: far, limits: [2/s, 3/s], password: { cmd: pass } }\n",
        0o600,
    );
    let config = world.good();
    assert_eq!(config.files.len(), 2);
    assert_eq!((setting(&config, "mail", "user"), setting(&config, "mail", "url")), ("near", "smtp://x"));
    assert_eq!(config.account("mail").unwrap().limits.as_ref().unwrap().len(), 1);
    assert_eq!(serde_json::to_string(&config.account("mail").unwrap().settings["password"]).unwrap(), r#"{"env":"B"}"#);
    assert_eq!((config.defaults.retries.max, config.defaults.retries.factor), (Some(9), Some(3.0)));
    assert_eq!(config.default_account().unwrap().name.as_ref(), "mail");
}

#[test]
fn config_replaces_discovery() {
    let mut world = World::with("nonsense: 1\n");
    world.write("home/notify/notify.yaml", "nonsense: 1\n", 0o600);
    world.explicit = Some(world.write("other.yaml", "defaults: { grace: 1s }\ntemplates: [ ./t, ~/u ]\n", 0o600));
    let world = world.set("HOME", "/home/me");
    let config = world.good();
    assert_eq!(config.defaults.grace, Some(Duration::from_secs(1)));
    assert_eq!(config.template_dirs[..2], [world.folder.path().join("t"), PathBuf::from("/home/me/u")]);
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let mut world = World::new();
    world.explicit = Some(PathBuf::from("no-such.yaml"));
    assert!(world.load().unwrap_err()[0].what.contains("no-such.yaml: no such file"));
    world.explicit = Some(world.folder.path().to_owned());
    assert!(world.load().unwrap_err()[0].what.contains("is a folder"));
    world.explicit = None;
    world.write("work/notify.yaml", b"a: 1\nb: \xff\n", 0o600);
    let problem = world.load().unwrap_err().remove(0);
    assert_eq!((problem.what.as_str(), problem.line), ("config file notify.yaml is not UTF-8 text", Some(2)));
    world.write("work/notify.yaml", b"\xff\xfea\0", 0o600);
    assert!(world.load().unwrap_err()[0].what.contains("UTF-16"));
    std::fs::remove_file(world.folder.path().join("work/notify.yaml")).unwrap();
    world.write("work/notify.yml", "version: 1\n", 0o600);
    assert!(world.good().warnings[0].what.contains("notify.yml is not read"));
}

#[test]
fn empty_files_and_windows_files_are_good() {
    for text in ["", "\n\n", "# only a remark\n", "---\n", "accounts:\n", "\u{feff}version: 1\r\ndefaults:\r\n  grace: 5s\r\n"] {
        World::with(text).good();
    }
    let problem = World::with("\u{feff}versoin: 1\r\n").load().unwrap_err().remove(0);
    assert_eq!((problem.line, problem.column, problem.text.as_deref()), (Some(1), Some(1), Some("versoin: 1")));
}

#[test]
fn a_profile_lies_over_the_rest() {
    let mut world = World::with(
        "defaults: { via: mail, grace: 5s }\naccounts:\n  mail: { platform: smtp, url: 'smtp://x' }\nprofiles:\n  staging:\n    defaults: { grace: 1s }\n    accounts: { mail: { platform: outbox } }\n  safe: { redirect_to: qa@corp.example }\n",
    );
    assert_eq!(world.good().account("mail").unwrap().platform, "smtp");
    world.profile = Some("staging".to_owned());
    let config = world.good();
    assert_eq!((config.defaults.grace, config.profile.as_deref()), (Some(Duration::from_secs(1)), Some("staging")));
    // Another platform starts afresh: an smtp's keys would be strange to an outbox.
    assert_eq!(
        (config.account("mail").unwrap().platform.as_str(), config.account("mail").unwrap().settings.len()),
        ("outbox", 0)
    );
    world.profile = Some("stagign".to_owned());
    let problem = world.load().unwrap_err().remove(0);
    assert_eq!((problem.what.as_str(), problem.help.as_deref()), ("no profile `stagign`", Some("did you mean `staging`?")));
    world.profile = Some("safe".to_owned());
    assert_eq!(world.good().defaults.redirect_to.as_deref(), Some("qa@corp.example"));
    world.profile = None;
    assert_eq!(world.good().defaults.redirect_to, None, "only where the profile was chosen");
}

#[test]
fn variables_lie_over_files() {
    let world = World::with("defaults: { via: mail, grace: 5s }\naccounts:\n  Corp-mail: { platform: smtp, url: 'smtp://x' }\n  mail: { platform: outbox }\n")
        .set("NOTIFY_VIA", "outbox")
        .set("NOTIFY_DEFAULTS__VIA", "mail")
        .set("NOTIFY_RETRIES__MAX", "7")
        .set("NOTIFY_BATCH_SIZE", "")
        .set("NOTIFY_ACCOUNTS__CORP_MAIL__USER", "robot")
        .set("NOTIFY_ACCOUNTS__CORP_MAIL__PASSWORD", "*hunter2: [")
        .set("NOTIFY_ACCOUNTS__CORP_MAIL__LIMITS", "[ 14/s, { rate: 2/s, per: domain } ]")
        .set("NOTIFY_ACCOUNTS__NEW_ONE__PLATFORM", "outbox")
        .set("NOTIFY_CONFIG", "x")
        .set("NOTIFY_PROFILE", "x")
        .set("NOTIFY_SOCKET", "/run/x")
        .set("NOTIFY_LOG", "debug");
    let config = world.good();
    assert_eq!((config.defaults.via.as_deref(), config.defaults.retries.max), (Some("outbox"), Some(7)));
    assert_eq!((setting(&config, "Corp-mail", "user"), setting(&config, "Corp-mail", "password")), ("robot", "*hunter2: ["));
    assert_eq!(config.account("Corp-mail").unwrap().limits.as_ref().unwrap().len(), 2);
    assert!(config.accounts.contains_key("new-one"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let told = format!("{:?}", config.origin());
    assert!(told.contains(r#"("defaults.via", "outbox", "NOTIFY_VIA")"#), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn an_unknown_variable_is_a_warning_and_a_broken_value_an_error() {
    let config = World::new()
        .set("NOTIFY_VAI", "x")
        .set("NOTIFY_DEFAULTS__TIMOUT", "5s")
        .set("NOTIFY_ZEBRA", "1")
        .set("NOTIFY_", "1")
        .good();
    let warnings: Vec<_> = config.warnings.iter().map(|problem| (problem.what.as_str(), problem.help.as_deref())).collect();
    assert!(
        warnings.contains(&("environment variable NOTIFY_VAI is not understood", Some("did you mean NOTIFY_VIA?"))),
        "{warnings:?}"
    );
    assert!(
        warnings.contains(&("environment variable NOTIFY_DEFAULTS__TIMOUT is not understood", Some("did you mean TIMEOUT?"))),
        "{warnings:?}"
    );
    assert_eq!(warnings.len(), 4);
    let text = "accounts: { a: { platform: smtp, password: { env: NOTIFY_SMTP_PASSWORD } } }\n";
    assert!(World::with(text).set("NOTIFY_SMTP_PASSWORD", "hunter2").good().warnings.is_empty());
    let problems = World::new().set("NOTIFY_TIMEOUT", "30").load().unwrap_err();
    assert!(
        problems[0].what.starts_with("environment variable NOTIFY_TIMEOUT: `defaults.timeout`: \"30\" has no unit"),
        "{problems:?}"
    );
}

#[test]
fn merge_keys_and_anchors_work() {
    let config = World::with(
        "x-base: &base { platform: smtp, url: 'smtp://x', connections: 2 }\naccounts:\n  a: { <<: *base, user: a }\n  b:\n    <<: *base\n    connections: 4\n",
    )
    .good();
    assert_eq!(setting(&config, "a", "url"), "smtp://x");
    assert_eq!(config.account("b").unwrap().settings["connections"], 4);
}

#[test]
fn keys_of_later_versions_are_notes() {
    let config = World::with("on_status: { x: 1 }\nevents: {}\nweights: {}\nprofiles: { p: { alerts: {} } }\n").good();
    let notes: Vec<_> = config.notes.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(config.warnings.is_empty());
}

#[cfg(unix)]
#[test]
fn a_literal_secret_is_a_warning_and_refused_where_others_can_read_it() {
    let text = "accounts:\n  token: { platform: smtp, url: 'smtp://x', password: hunter2 }\n  hook: { platform: webhook, url: 'https://hooks.example.com/hunter2' }\n  ok: { platform: smtp, url: 'smtp://x', password: { env: X }, dkim: { key: { file: k } } }\n";
    let world = World::with(text);
    let warnings = world.good().warnings;
    assert_eq!(warnings.iter().map(|problem| problem.line.unwrap()).collect::<Vec<_>>(), [2, 3]);
    for mode in [0o640, 0o604, 0o644] {
        world.write("work/notify.yaml", text, mode);
        let problems = world.load().unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].what.contains("`password` can be read by other users"), "{problems:?}");
        assert!(problems[0].help.as_ref().unwrap().contains("chmod 600 notify.yaml"), "{problems:?}");
        let drawn: String = problems.iter().chain(&warnings).map(|problem| problem.to_string()).collect();
        assert!(!drawn.contains("hunter2"), "{drawn}");
    }
    world.write(
        "work/notify.yaml",
        text.replace("password: hunter2", "user: x").replace("hooks.", "api.").replace("/hunter2", ""),
        0o644,
    );
    world.good();
}

#[cfg(unix)]
#[test]
fn a_command_is_refused_in_a_config_anybody_can_write() {
    let text = "accounts:\n  a: { platform: smtp, password: { cmd: 'echo x' }, oauth2: { token_cmd: echo } }\n  b: { platform: smtp, command: [echo] }\n";
    let world = World::with(text);
    world.good();
    world.write("work/notify.yaml", text, 0o646);
    let problems = world.load().unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.column.unwrap()).collect::<Vec<_>>(), [36, 63, 24], "{problems:?}");
    // As another user's file: only root can make one here.
    let path = world.write("work/notify.yaml", text, 0o600);
    if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
        let problems = world.load().unwrap_err();
        assert!(problems[0].what.contains("belongs to another user"), "{problems:?}");
    }
}

#[test]
fn no_mistake_shows_a_secret() {
    for text in [
        "accounts:\n  a: { platform: smtp, password: hunter2, limits: 3 }\n",
        "accounts:\n  a:\n    password: hunter2\n    passwort: hunter2\n    password: hunter2\n",
        "accounts:\n  a:\n    password: 'hunter2\n",
        "accounts:\n  a:\n    password: hunter2: x\n",
        "password: hunter2\nsecrets: hunter2\ntokne: hunter2\n",
        "accounts:\n  a: smtp://me:hunter2@mail.example.com\n",
        "accounts: { a: { platform: smtp, secret: @hunter2 } }\n",
        "accounts:\n  a:\n    platform: https://hooks.slack.com/services/hunter2\n",
    ] {
        let problems = World::with(text).load().unwrap_err();
        let drawn: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        assert!(!drawn.contains("hunter2"), "{text}\n{drawn}");
    }
}

#[test]
fn paths_belong_to_the_file_that_says_them() {
    let world = World::with(
        "accounts:\n  a: { platform: smtp, ca_file: ca.pem, password: { file: pw }, dkim: { key: { file: ~/k.pem } } }\n",
    )
    .set("HOME", "/home/me");
    world.write("home/notify/notify.yaml", "accounts:\n  a: { client_cert: ./c.pem, secret: { file: /abs } }\n", 0o600);
    let config = world.good();
    let at = |path: &str| world.folder.path().join(path).display().to_string();
    assert_eq!(
        (setting(&config, "a", "ca_file"), setting(&config, "a", "client_cert")),
        (at("work/ca.pem").as_str(), at("home/notify/c.pem").as_str())
    );
    let settings = serde_json::to_value(&config.account("a").unwrap().settings).unwrap();
    assert_eq!(settings["password"]["file"], at("work/pw"));
    assert_eq!(settings["dkim"]["key"]["file"], "/home/me/k.pem");
    assert_eq!(settings["secret"]["file"], "/abs");
    // What systemd put there is nearer.
    std::fs::create_dir(world.folder.path().join("cred")).unwrap();
    let credential = world.write("cred/pw", "x", 0o400);
    let folder = at("cred");
    let config = world.set("CREDENTIALS_DIRECTORY", &folder).good();
    assert_eq!(config.account("a").unwrap().settings["password"]["file"], credential.display().to_string());
}

#[test]
fn a_platforms_mistake_gets_its_place() {
    let config = World::with(
        "accounts:\n  a:\n    platform: smtp\n    connectoins: 5\n    headers: { X.Y: 1 }\n    dkim: { domain: [x] }\n",
    )
    .good();
    let account = config.account("a").unwrap();
    let located = |what: &str| {
        let problem = config.locate(account, Problem { what: what.to_owned(), ..Problem::default() });
        (problem.line.unwrap(), problem.column.unwrap())
    };
    assert_eq!(located("account a: unknown key `connectoins`"), (4, 5));
    assert_eq!(located("account a: `connectoins`: write a whole number"), (4, 18));
    assert_eq!(located("account a: `headers.X.Y`: no"), (5, 21));
    assert_eq!(located("account a: `dkim.domain[0]`: no"), (6, 13));
    assert_eq!(located("account a: `url` is missing"), (2, 3));
}

#[test]
fn an_unknown_account_is_told_with_the_nearest() {
    let config = World::with("accounts:\n  corp-mail: { platform: smtp }\n").good();
    assert_eq!(config.account("corp-mial").unwrap_err().help.as_deref(), Some("did you mean `corp-mail`?"));
    let help = config.account("zebra").unwrap_err().help.expect("some");
    assert!(help.starts_with("there are: corp-mail, outbox; write one more under `accounts:`"), "{help}");
}

#[test]
fn a_definition_of_ones_own_is_a_platform() {
    let world = World::with("platforms: defs\naccounts: { a: { platform: pager } }\n");
    assert!(world.load().is_err());
    std::fs::create_dir(world.folder.path().join("work/defs")).unwrap();
    world.write("work/defs/pager.yaml", "name: pager\n", 0o644);
    world.good();
}

#[test]
fn the_sample_is_good_as_it_is_and_with_every_block_uncommented() {
    let sample = include_str!("../../samples/notify.yaml");
    let config = World::with(sample).good();
    assert_eq!(config.default_account().unwrap().platform, "outbox");
    assert!(config.warnings.is_empty() && config.notes.is_empty(), "{:?} {:?}", config.warnings, config.notes);
    // Lines of a commented block begin with `#:`, remarks with `# `.
    let whole: String = sample.lines().map(|line| format!("{}\n", line.replacen("#:", "", 1))).collect();
    assert_ne!(whole, sample);
    let mut world = World::with(&whole);
    // It shows accounts of platforms of every sort.
    world.platforms = crate::platform::registry::names();
    // As in a clone, where everybody can read it.
    world.write("work/notify.yaml", &whole, 0o644);
    let config = world.good();
    for platform in ["smtp", "webhook", "outbox"] {
        assert!(config.accounts.values().any(|account| account.platform == platform), "{platform}");
    }
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn the_reference_page_has_every_key_with_its_default() {
    let page = include_str!("../../docs/reference/config.md");
    let tables: [(&str, &[schema::Key]); 8] = [
        ("", &schema::TOP),
        ("defaults.", &schema::DEFAULTS),
        ("defaults.retries.", &schema::RETRIES),
        ("accounts.NAME.", &schema::ACCOUNT),
        ("limits[].", &schema::LIMIT),
        ("scheduler.", &schema::SCHEDULER),
        ("scheduler.weights.", &schema::WEIGHTS),
        ("", &schema::LATER),
    ];
    for (block, table) in tables {
        for key in table {
            let name = format!("| `{block}{}` |", key.name);
            let row = page.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("{name} is not on the page"));
            assert!(key.default.is_empty() || row.contains(key.default), "{name}: default {}", key.default);
        }
    }
    for name in variables::RESERVED {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn the_builtin_defaults_are_values_that_are_read() {
    let lines: String = schema::DEFAULTS
        .iter()
        .filter(|key| !key.default.is_empty() && !key.default.contains(' ') && key.name != "retries")
        .map(|key| format!("  {}: {}\n", key.name, key.default))
        .collect();
    let retries: String = schema::RETRIES.iter().map(|key| format!("    {}: {}\n", key.name, key.default)).collect();
    World::with(&format!("defaults:\n{lines}  retries:\n{retries}")).good();
}

#[test]
fn the_example_of_the_product_page_is_understood() {
    // All keys that the product shows; platforms of later versions are told as such, and nothing else is.
    let text = "defaults: { via: corp-mail, concurrency: auto, batch_size: 100, on_error: continue, retries: { max: 3, factor: 2.0, max_delay: 5m } }\n\
        accounts:\n  corp-mail:\n    platform: smtp\n    url: smtps://smtp.corp.example:465\n    password: { cmd: \"pass show smtp\" }\n\
        \x20   limits: [ 14/s, 50000/1d, { rate: 2/s, per: domain } ]\n    dkim: { domain: corp.example, key: { file: dkim.pem } }\n\
        \x20   unsubscribe: { url: \"https://corp.example/u/{{token}}\", secret: { env: UNSUB_KEY } }\n\
        \x20 ding-pool:  { platform: pool, of: [ ding-1, ding-2 ] }\nrecovery: { network: { over: 0.8 } }\n\
        profiles: { staging: { redirect_to: qa@corp.example } }\nevents: { kafka: { topic: t } }\n";
    let problems = World::with(text).load().unwrap_err();
    assert_eq!(
        problems.iter().map(|problem| problem.what.as_str()).collect::<Vec<_>>(),
        ["account ding-pool: no platform `pool`"]
    );
}

#[test]
fn a_mistake_cannot_move_the_cursor() {
    let mut problems = World::with("\"\\e[2Jzebra\": 1\n").load().unwrap_err();
    assert!(problems[0].what.contains("[2Jzebra"));
    problems.extend(World::with("a: 1\nb: \u{7f}\n").load().unwrap_err());
    assert_eq!((problems[1].line, problems[1].column), (Some(2), Some(4)));
    assert!(problems.iter().all(|problem| !problem.to_string().replace('\n', "").contains(char::is_control)), "{problems:?}");
}
