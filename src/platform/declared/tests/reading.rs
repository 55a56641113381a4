//! Definitions and accounts, read strictly: every mistake with its place, addresses, content that cannot be carried.

use super::*;

#[test]
fn only_http_urls_are_sent_to_and_each_endpoint_is_a_lane() {
    let platform = webhook("{}");
    let addressing = &platform.capability().addressing;
    assert_eq!(
        (addressing.columns.as_slice(), addressing.secret),
        (["webhook", "url", "to"].map(str::to_owned).as_slice(), true)
    );
    for bad in [
        "",
        "file:///etc/passwd",
        "ftp://h/x",
        "bob@example.com",
        "http://",
        "https://h/ x",
        "javascript:alert(1)",
        "https://h/\nx",
    ] {
        let error = platform.lane(&bad.into()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadAddress, "{bad}");
    }
    let lane = |url: &str| platform.lane(&url.into()).unwrap();
    assert_eq!(lane("https://h/a?x=1"), lane("https://H:443/a?x=1#part"));
    assert_ne!(lane("https://h/a"), lane("https://h/b"));
    // Robots of one service differ in the query alone.
    assert_ne!(lane("https://h/a?key=1"), lane("https://h/a?key=2"));
    assert!(!lane("https://h/s3cret").0.contains("s3cret"));
}

#[test]
fn one_url_for_all_keeps_rows_apart() {
    let platform = webhook("{url: \"https://h/x\"}");
    let addressing = &platform.capability().addressing;
    assert_eq!(addressing.columns, ["to", "email", "phone", "open_id", "id"]);
    assert_eq!((addressing.fixed.as_deref(), addressing.secret), (Some("webhook:hook"), false));
    assert_eq!(platform.lane(&"bob@example.com".into()).unwrap(), LaneKey::whole());
    assert!(!platform.capability().idempotent);
    assert!(webhook("{url: \"https://h/x\", idempotent: true}").capability().idempotent);
}

#[test]
fn an_account_is_read_strictly() {
    for (settings, said) in [
        ("{ulr: \"https://h/x\"}", "did you mean `url`?"),
        ("{url: \"ftp://h/x\"}", "only http and https"),
        ("{url: \"https://h/x\", signature: gitlab}", "not one of standard, github, stripe, none"),
        ("{url: \"https://h/x\", signature: github}", "the github signature is made with `secret`"),
        ("{url: \"https://h/x\", secret: whsec_%%}", "not base64"),
        ("{url: \"http://example.com/x\", bearer: abcdef}", "in the clear"),
        ("{url: \"https://h/x\", headers: {Host: evil}}", "set by notify itself"),
        ("{url: \"https://h/x\", headers: {\"a b\": x}}", "cannot be the name"),
        ("{url: \"https://h/x\", headers: {X: {env: NOTIFY_NO_SUCH_VARIABLE}}}", "NOTIFY_NO_SUCH_VARIABLE"),
        ("{url: \"https://h/x\", success: {json: ok, eq: true}}", "not a JSON pointer: write /ok"),
        ("{url: \"https://h/x\", success: any-3xx}", "any-2xx"),
        ("{url: \"https://h/x\", body: {a: \"{{nmae}}\"}}", "nothing is named `nmae`"),
        ("{url: \"https://h/x\", body: {a: \"{{#if}}\"}}", "not a template"),
        ("{url: \"https://h/x\", method: GET}", "POST or PUT"),
        ("{url: \"https://h/x\", success: {not: {status: 4xx}}}", "never a success"),
        ("{url: \"http://h.example/x\", headers: {X-Api-Key: abcdefgh}}", "in the clear"),
        ("{url: \"http://h.example/x\", headers: {X-Any: {cmd: echo abcdefgh}}}", "in the clear"),
        ("{url: \"https://h/x\", ca_file: /no/such/file}", "ca_file cannot be read"),
    ] {
        let problem = platform_of(WEBHOOK, settings).err().unwrap_or_else(|| panic!("{settings}")).to_string();
        assert!(problem.contains(said), "{settings}: {problem}");
    }
}

#[test]
fn a_credential_travels_in_the_clear_nowhere() {
    let head = "schema: 1\nname: open\ntitle: T\nvars: {key: {secret: true}, other: {secret: true}, base: {default: \"http://h.example\"}}\naddressing: {columns: [to]}\nsuccess: {json: /ok, eq: 1}\n";
    let with = |rest: &str| platform_of(&format!("{head}{rest}"), "{key: abcdefgh}").map(|_| ());
    let plain = "request: {method: POST, url: \"{{base}}/x\", json: {a: 1}}\n";
    for rest in [
        "request: {method: POST, url: \"{{base}}/{{secret.key}}\", json: {a: 1}}\n",
        "request: {method: POST, url: \"{{base}}/{{to}}\", query: {k: \"{{secret.key}}\"}, json: {a: 1}}\nlimits: []\n",
        "request: {method: POST, url: \"{{base}}/x\", json: {a: \"{{secret.key}}\"}}\n",
        "request: {method: POST, url: \"{{base}}/x\", form: {a: \"{{secret.key}}\"}}\n",
        "request: {method: POST, url: \"{{base}}/x\", kinds: {text: {headers: {X-Key: \"{{secret.key}}\"}, json: {a: 1}}}}\n",
        "request: {method: POST, url: \"{{base}}/x\", kinds: {text: {query: {k: \"{{secret.key}}\"}, json: {a: 1}}}}\n",
        "request: {method: POST, url: \"https://h.example/x\", json: {a: 1}}\ntoken: {request: {method: POST, url: \"{{base}}/t\", json: {k: \"{{secret.key}}\"}}, value: /t}\n",
        "request: {method: POST, url: \"https://h.example/x\", json: {a: 1}}\ncheck: {request: {method: GET, url: \"{{base}}/me\", query: {k: \"{{secret.key}}\"}}, success: {status: 200}}\n",
        "request: {method: POST, url: \"https://h.example/x\", json: {a: 1}}\nbatch: {mode: list, max: 9, at: /all, request: {url: \"{{base}}/many\", query: {k: \"{{secret.key}}\"}, json: {b: 1}}}\n",
    ] {
        // A URL that is made for each row is looked at when its row is.
        match platform_of(&format!("{head}{rest}"), "{key: abcdefgh}") {
            Err(problem) => assert!(problem.to_string().contains("in the clear"), "{rest}: {problem}"),
            Ok(platform) => {
                let error = platform.examine(&"u1".into(), &Message { body: text(), ..Message::default() }).expect_err(rest);
                assert!(error.detail.contains("in the clear") && rest.contains("{{to}}"), "{rest}: {error}");
            }
        }
    }
    with(plain).expect("no credential");
    let signed = format!("{plain}sign: [{{kind: hmac, key: \"{{{{secret.key}}}}\", message: \"{{{{body}}}}\", as: sig}}]\n");
    with(&signed).expect("a key that only signs stays at home");
    let other = "request: {method: POST, url: \"{{base}}/x\", query: {k: \"{{secret.other}}\"}, json: {a: 1}}\n";
    with(other).expect("a secret that the account does not have");
}

#[test]
fn a_key_against_doubles_counts_only_where_it_goes_out() {
    let body = |json: &str| {
        HEAD.replace("title: T", "name: keyed\ntitle: T")
            + &format!("request: {{method: POST, url: \"{{{{base}}}}/x\", {json}}}\n")
    };
    let open = |definition: &str, settings: &str| platform_of(definition, settings).map_err(|problem| problem.to_string());
    for (json, more, said) in [
        ("json: {text: \"{{text}}\"}", "", "the request carries no key"),
        ("kinds: {text: {json: {i: \"{{idem}}\"}}, html: {json: {h: \"{{html}}\"}}}", "", "the kind html carries no key"),
        (
            "json: {i: \"{{idem}}\"}",
            "batch: {mode: list, max: 3, at: /l, each: {t: \"{{to}}\"}, request: {json: {a: 1}}}\n",
            "the request for several carries no key",
        ),
        ("json: {i: \"{{id}}\"}", "", "the request carries no key"),
    ] {
        let definition = body(json) + "idempotency: {format: uuid, honoured: always}\n" + more;
        let told = open(&definition, "{token: abcdefgh}").expect_err(json);
        assert!(told.contains(said), "{json}: {told}");
    }
    let good = body("kinds: {text: {json: {i: \"{{idem}}\"}}, html: {repeatable: true, json: {h: \"{{html}}\"}}}")
        + "idempotency: {format: uuid, honoured: always}\n";
    assert!(open(&good, "{token: abcdefgh}").expect("every kind").capability().idempotent);

    // An account's own body or header field may leave it out.
    assert!(webhook("{url: \"https://h/x\", idempotent: true, body: {a: 1}}").capability().idempotent, "the header field stays");
    let replaced = webhook("{url: \"https://h/x\", idempotent: true, headers: {idempotency-key: fixed}}");
    assert!(!replaced.capability().idempotent);
    let templated = webhook("{url: \"https://h/x\", idempotent: true, headers: {idempotency-key: \"v2-{{idem}}\"}}");
    assert!(templated.capability().idempotent);
    let bodied = body("json: {i: \"{{idem}}\"}") + "idempotency: {honoured: always}\noverrides: [body]\n";
    assert!(open(&bodied, "{token: abcdefgh}").expect("good").capability().idempotent);
    assert!(!open(&bodied, "{token: abcdefgh, body: {a: 1}}").expect("good").capability().idempotent);
    assert!(open(&bodied, "{token: abcdefgh, body: {a: \"{{idem}}\"}}").expect("good").capability().idempotent);
}

#[test]
fn names_are_checked_wherever_they_stand() {
    let of = |rest: &str| HEAD.replace("title: T", "name: named\ntitle: T") + rest;
    let request = "request: {method: POST, url: \"{{base}}/x\", json: {text: \"{{text}}\"}}\n";
    for (rest, said) in [
        (format!("{request}batch: {{mode: list, max: 3, at: /l, filled: [txet]}}\n"), "nothing is named `txet`"),
        (format!("{request}batch: {{mode: same, max: 3, lists: [{{query: tos, as: join}}]}}\n"), "the query has no value `tos`"),
        (
            "sign: [{kind: hmac, key: \"{{secret.key}}\", message: \"{{body}}\", as: sig}]\nrequest: {method: POST, url: \"{{base}}/x\", headers: {X-Sig: \"{{sign.sig}}\"}, multipart: {text: \"{{text}}\"}}\n".to_owned(),
            "an hmac signs text",
        ),
    ] {
        let problem = platform_of(&of(&rest), "{token: abcdefgh}").expect_err(&rest).to_string();
        assert!(problem.contains(said), "{rest}: {problem}");
    }
    for (default, said) in [
        ("https://{{bsae}}", "did you mean `base`?"),
        ("{{secret.key}}", "cannot look at a secret"),
        ("{{to}}", "nothing is named `to`"),
    ] {
        let vars = of(request).replace("vars: {", &format!("vars: {{own: {{default: \"{default}\"}}, "));
        let problem = platform_of(&vars, "{token: abcdefgh}").expect_err(default).to_string();
        assert!(problem.contains(said), "{default}: {problem}");
    }
}

#[test]
fn content_that_the_platform_cannot_carry_is_refused_before() {
    let platform = webhook("{url: \"https://h/x\"}");
    let mut message = Message { cc: vec!["a@x".into()], body: text(), ..Message::default() };
    assert_eq!(platform.examine(&"u1".into(), &message).unwrap_err().kind, ErrorKind::BadMessage);
    message.cc.clear();
    platform.examine(&"u1".into(), &message).unwrap();
}

pub const SMALL: &str = "schema: 1
name: small
title: Small
vars:
  base: {default: \"https://example.com\"}
  token: {secret: true, required: true}
addressing: {columns: [to]}
message: {max: {text: {chars: 5}}}
request:
  method: POST
  url: \"{{base}}/bot{{secret.token}}/send/{{to}}\"
  query: {at: \"{{now.ms}}\", who: \"{{to}}\"}
  json: {text: \"{{text}}\"}
success: {json: /ok, eq: true}
code: /code
errors:
  - {when: {status: 429}, class: rate, wait: [{json: /retry}, {const: 30s}]}
  - {when: {json: /code, in: [7]}, class: gone}
  - {when: {json: /code, in: [8]}, class: auth, scope: target}
  - {when: {status: 502}, class: transient, because: \"a doubled line is cheaper than a missing alert\"}
  - {when: {net: [timeout_after_send, cut_after_send]}, class: unknown}
  - default: permanent
idempotency: {header: X-Key, format: uuid, honoured: always, replay: [{status: 409, header: x-accepted}]}
";

#[tokio::test]
async fn a_users_definition_is_sent_by_its_own_rules() {
    for (act, expected) in [
        (answer("200 OK", "", r#"{"ok":true}"#), None),
        (answer("409 Conflict", "x-accepted: 1\r\n", ""), None),
        (answer("429 Slow", "", r#"{"retry":"3"}"#), Some((ErrorKind::Throttled, "429", Some(3)))),
        (answer("429 Slow", "", ""), Some((ErrorKind::Throttled, "429", Some(30)))),
        (answer("400 Bad", "", r#"{"code":"7"}"#), Some((ErrorKind::BadAddress, "400 7", None))),
        (answer("200 OK", "", r#"{"ok":false,"code":8}"#), Some((ErrorKind::BadAddress, "200 8", None))),
        (answer("502 Gateway", "", ""), Some((ErrorKind::Unavailable, "502", None))),
    ] {
        let replayed = matches!(&act, Act::Say(reply) if reply.contains("x-accepted"));
        let server = Server::start(act).await;
        let small = platform_of(SMALL, &format!("{{token: t0ken, base: \"http://127.0.0.1:{}\"}}", server.port)).unwrap();
        let verdict = send(&small, delivery("../a b?x#y@evil", Body::Text("hi".into()))).await;
        let got = verdict
            .as_ref()
            .err()
            .map(|error| (error.kind, error.code.as_deref().unwrap(), error.retry_after.map(|wait| wait.as_secs())));
        assert_eq!(got, expected, "{verdict:?}");
        assert_eq!(verdict.as_ref().is_ok_and(|receipt| receipt.replay), replayed);
        assert_eq!(server.requests().len(), 1);
        let line = "POST /bott0ken/send/..%2Fa%20b%3Fx%23y%40evil?at=1700000000000&who=..%2Fa+b%3Fx%23y%40evil HTTP/1.1";
        assert_eq!(server.requests()[0].lines().next(), Some(line));
        assert!(small.capability().idempotent);
        let long = Message { body: Body::Text("123456".into()), ..Message::default() };
        assert!(small.examine(&"u1".into(), &long).unwrap_err().detail.contains("6 characters"));
    }
}

#[test]
fn a_broken_definition_is_told_with_its_place() {
    let mut wrong = Vec::new();
    for (from, to, line, column, said) in [
        ("schema: 1", "schema: 2", 1, 9, "schema 2 is not known"),
        ("title:", "tilte:", 3, 1, "did you mean `title`?"),
        ("name: small", "name: Small Talk", 2, 7, "use a-z"),
        ("method: POST", "method: GET", 10, 11, "`GET` is not known here"),
        ("{secret: true, required", "{secrte: true, required", 6, 11, "did you mean `secret`?"),
        ("{{secret.token}}/send", "{{token}}/send", 11, 23, "did you mean `secret.token`?"),
        ("{{base}}/bot", "{{bsae}}/bot", 11, 11, "did you mean `base`?"),
        ("{text: \"{{text}}\"}", "{text: \"{{text\"}", 13, 16, "not a template"),
        ("success: {json: /ok, eq: true}", "success: {json: ok, eq: true}", 14, 17, "write /ok"),
        ("success: {json: /ok, eq: true}", "success: {json: /ok}", 14, 10, "add eq, in, match or exists"),
        ("success: {json: /ok, eq: true}", "success: {jsn: /ok, eq: true}", 14, 11, "did you mean `json`?"),
        ("{status: 429}", "{status: 4292}", 17, 21, "from 100 to 599"),
        ("class: gone", "class: goone", 18, 43, "did you mean `gone`?"),
        (", because: \"a doubled line is cheaper than a missing alert\"", "", 20, 5, "because"),
        ("{const: 30s}", "{const: 30 parsecs}", 17, 71, "write 500ms"),
        ("default: permanent", "default: transient", 22, 5, "nobody knows"),
        ("json: {text", "jsn: {text", 13, 3, "did you mean `json`?"),
        ("schema: 1\n", "", 1, 1, "missing field `schema`"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let problem = Definition::read(&SMALL.replacen(from, to, 1), Path::new("small.yaml")).expect_err(to);
        let told = problem.to_string();
        if !told.contains(said) || (problem.line, problem.column) != (Some(line), Some(column)) {
            wrong.push(format!("{to} should be {line}:{column} {said}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let order = SMALL.replace("  - default: permanent\n", "").replace("errors:\n", "errors:\n  - default: permanent\n");
    assert!(Definition::read(&order, Path::new("small.yaml")).unwrap_err().to_string().contains("never reached"));
}

#[test]
fn the_example_of_the_guide_is_a_good_definition() {
    let guide = include_str!("../../../../docs/adding-a-platform.md");
    let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    platform_of(example, "{}").unwrap_or_else(|problem| panic!("{problem}"));
}
