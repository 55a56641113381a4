//! Requests: the kind of the content, signatures in the body, several deliveries in one, tokens.

use super::*;
use crate::platform::Batching;

const FEISHU: &str = "name: feishu
fields: {card: {json: true}}
sign: [{kind: hmac, key: \"{{now.s}}\\n{{secret.key}}\", message: \"\", as: sig, when: {var: secret.key}}]
request:
  method: POST
  url: \"{{base}}/hook/{{secret.token}}\"
  omit_empty: true
  kinds:
    text: {json: {timestamp: {$when: {var: secret.key}, then: \"{{now.s}}\"}, sign: \"{{sign.sig}}\", msg_type: text, content: {$json: {text: \"{{text}}\"}}}}
    card: {needs: [card], json: {msg_type: interactive, card: {$ref: card}}}
";

#[tokio::test]
async fn the_kind_is_chosen_and_a_signature_stands_in_the_body() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0}"#)).await;
    let base = format!("base: \"http://127.0.0.1:{}\"", server.port);
    let feishu = of(FEISHU, &format!("{{token: t0ken-t0ken, key: notify-secret, {base}}}"));
    send(&feishu, row("a", Body::Text("hi".into()))).await.unwrap();
    let request = server.requests().pop().unwrap();
    let sign = "X25kRgXcVNxHeR88nc+koFHcfdL1qutGo04+cBKsD4g=";
    let body = format!(r#"{{"timestamp":"1700000000","sign":"{sign}","msg_type":"text","content":"{{\"text\":\"hi\"}}"}}"#);
    assert!(request.ends_with(&body), "{request}");

    let card = |tree: Value| row("a", Body::Native(tree));
    assert_eq!(shown(&feishu, vec![card(json!({"card": {"a": 1}}))]).1["card"], json!({"a": 1}));
    let error = feishu.examine(&"a".into(), &card(json!({"card": {"a": 1}, "crad": 1})).message).unwrap_err();
    assert!(error.detail.contains("`crad`") && error.detail.contains("card (needs card)"), "{error}");
    assert!(feishu.examine(&"a".into(), &card(json!({"$kind": "text", "card": {}})).message).is_err());
    let (text, _) = shown(&feishu, vec![row("a", Body::Text("hi".into()))]);
    assert!(text.starts_with("POST http://127.0.0.1") && text.contains("/hook/***"), "{text}");
    assert!(!text.contains("t0ken-t0ken") && !text.contains(sign), "{text}");
}

const LISTED: &str = "name: listed
request: {method: POST, url: \"{{base}}/one\", json: {to: \"{{to}}\", text: \"{{text}}\"}}
batch: {mode: list, max: 3, at: /messages, unique: to, request: {url: \"{{base}}/many\", json: {kind: bulk}}}
";
const SAME: &str = "name: same
request: {method: POST, url: \"{{base}}/x\", kinds: {text: {json: {ids: [\"{{to}}\"], text: \"{{text}}\"}}}}
batch: {mode: same, max: 200, at: /ids}
";
const SIDE_BY_SIDE: &str = "name: sms
fields: {code: {}}
request: {method: POST, url: \"{{base}}/\", kinds: {params: {needs: [code], form: {Phone: \"{{to}}\", Param: {$json: {code: \"{{code}}\"}}}}}}
batch:
  mode: list
  max: 100
  request: {form: {Template: T1}}
  lists:
    - {at: /PhoneJson, each: \"{{to}}\", as: json}
    - {at: /ParamJson, each: {code: \"{{code}}\"}, as: json}
    - {at: /Phones, each: \"{{to}}\", as: join, by: \"|\"}
";

#[test]
fn several_deliveries_share_a_request() {
    let both = |text: &str| vec![row("a", Body::Text(text.into())), row("b", Body::Text("hi".into()))];
    let listed = of(LISTED, "{token: abcdefgh}");
    assert!(matches!(listed.capability().batching, Batching::Individual(max) if max.get() == 3));
    let (text, body) = shown(&listed, both("you"));
    assert!(text.starts_with("POST https://h.example/many\n"), "{text}");
    assert_eq!(body, json!({"kind": "bulk", "messages": [{"to": "a", "text": "you"}, {"to": "b", "text": "hi"}]}));
    let (text, body) = shown(&listed, vec![row("a", Body::Text("hi".into()))]);
    assert!(text.starts_with("POST https://h.example/one\n"), "{text}");
    assert_eq!(body, json!({"to": "a", "text": "hi"}));
    let group = |platform: &Declared, delivery: &Delivery| platform.share(delivery).unwrap();
    let rows = both("you");
    let (a, b) = (group(&listed, &rows[0]), group(&listed, &rows[1]));
    assert!(a.group == b.group && a.unique != b.unique && a.bytes > 10);

    let same = of(SAME, "{token: abcdefgh}");
    let rows = both("you");
    assert_ne!(group(&same, &rows[0]).group, group(&same, &rows[1]).group, "not the same content");
    let rows = both("hi");
    assert_eq!(group(&same, &rows[0]).group, group(&same, &rows[1]).group);
    assert_eq!(shown(&same, rows).1, json!({"ids": ["a", "b"], "text": "hi"}));

    let sms = of(SIDE_BY_SIDE, "{token: abcdefgh}");
    let coded = |to: &str| row(to, Body::Native(json!({"code": "1"})));
    let (text, _) = shown(&sms, vec![coded("13"), coded("14")]);
    let body = "Template=T1&PhoneJson=%5B%2213%22%2C%2214%22%5D&ParamJson=%5B%7B%22code%22%3A%221%22%7D%2C%7B%22code%22%3A%221%22%7D%5D&Phones=13%7C14";
    assert!(text.contains(body), "{text}");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_that_wait() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0,"t":"fetched-token"}"#)).await;
    let rest = "name: app
token: {request: {method: POST, url: \"{{base}}/auth\", json: {k: \"{{secret.token}}\"}}, value: /t, invalid_when: [{json: /code, eq: 5}]}
request: {method: POST, url: \"{{base}}/send\", auth: [{bearer: \"{{token}}\"}], json: {text: \"{{text}}\"}}
";
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    let sends = (0..50).map(|number| send(&app, row(&number.to_string(), text())));
    for verdict in futures_util::future::join_all(sends).await {
        verdict.unwrap();
    }
    let requests = server.requests();
    let fetches = requests.iter().filter(|request| request.starts_with("POST /auth")).count();
    assert_eq!((fetches, requests.len()), (1, 51));
    assert!(requests[50].contains("authorization: Bearer fetched-token"));
    assert!(app.check().await.unwrap().contains("good"));

    let refusing = Server::start(answer("200 OK", "", r#"{"code":9,"t":"fetched-token"}"#)).await;
    let auth = rest.replace("value: /t,", "value: /t, success: {json: /code, eq: 0},");
    let app = of(&auth, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", refusing.port));
    let error = send(&app, row("a", text())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
    assert_eq!(refusing.requests().len(), 1, "no message was sent");

    let stale = Server::start(answer("200 OK", "", r#"{"code":5,"t":"fetched-token"}"#)).await;
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", stale.port));
    let error = send(&app, row("a", text())).await.unwrap_err();
    assert_eq!(stale.requests().len(), 4, "fetched twice, sent twice: {error}");
    assert!(!error.detail.contains("fetched-token"));
}

#[tokio::test]
async fn a_row_never_leaves_the_path_of_the_url() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0}"#)).await;
    let rest = "name: rooms\nrequest: {method: POST, url: \"{{base}}/rooms/{{to}}/send\", json: {text: \"{{text}}\"}}\n";
    let rooms = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    for bad in ["..", "."] {
        let message = Message { body: text(), ..Message::default() };
        assert_eq!(rooms.examine(&bad.into(), &message).unwrap_err().kind, ErrorKind::BadAddress, "{bad}");
        assert_eq!(send(&rooms, row(bad, text())).await.unwrap_err().kind, ErrorKind::BadAddress, "{bad}");
    }
    assert!(server.requests().is_empty());
    for good in ["../..", "a..b", "...", "%2e%2e"] {
        send(&rooms, row(good, text())).await.unwrap();
        let line = server.requests().pop().unwrap();
        let line = line.lines().next().unwrap().to_owned();
        assert!(line.starts_with("POST /rooms/") && line.ends_with("/send HTTP/1.1") && line.matches('/').count() == 4, "{line}");
    }
}

#[tokio::test]
async fn a_credential_of_a_row_is_told_nowhere() {
    let rest = "name: paged
vars: {routing_key: {secret: true}, base: {default: \"https://h.example\"}}
addressing: {columns: [to], optional: routing_key, credential: true}
request: {method: POST, url: \"{{base}}/x\", json: {key: \"{{to}}\", text: \"{{text}}\"}}
";
    let own =
        HEAD.lines().filter(|line| !line.starts_with("vars:") && !line.starts_with("addressing:")).collect::<Vec<_>>().join("\n");
    let definition = format!("{own}\ndetail: /why\n{rest}");
    let key = "R0w+Key/1234";
    let reply = r#"{"code":9,"why":"the key R0w+Key/1234, as R0w%2BKey%2F1234, is not good"}"#;
    let server = Server::start(answer("200 OK", "", reply)).await;
    let paged = platform_of(&definition, &format!("{{base: \"http://127.0.0.1:{}\"}}", server.port)).unwrap();
    let error = send(&paged, row(key, text())).await.unwrap_err();
    assert!(!error.detail.contains("R0w") && error.detail.contains("the key ***, as ***, is"), "{error}");
    let (shown, _) = shown(&paged, vec![row(key, Body::Text("hi".into()))]);
    assert!(!shown.contains("R0w") && shown.contains("\"key\": \"***\""), "{shown}");
    // Where the account has the key, a row's address is a name.
    let settings = format!("{{routing_key: a-c-c-o-u-n-t, base: \"http://127.0.0.1:{}\"}}", server.port);
    let named = platform_of(&definition, &settings).unwrap();
    assert!(send(&named, row(key, text())).await.unwrap_err().detail.contains("R0w"));
}

#[tokio::test]
async fn a_token_is_hidden_in_the_reply_that_brings_it() {
    let rest = "name: app
detail: /why
token: {request: {method: POST, url: \"{{base}}/auth\", json: {k: \"{{secret.token}}\"}}, value: /t, success: {json: /code, eq: 0}}
request: {method: POST, url: \"{{base}}/send\", auth: [{bearer: \"{{token}}\"}], json: {text: \"{{text}}\"}}
";
    let reply = r#"{"code":5,"t":"fresh+token","why":"fresh+token (fresh%2Btoken) was taken back"}"#;
    let server = Server::start(answer("200 OK", "", reply)).await;
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    let error = send(&app, row("a", text())).await.unwrap_err();
    assert!(!error.detail.contains("fresh") && error.detail.contains("*** (***) was taken back"), "{error}");
    let reply = crate::platform::http::Reply {
        status: 200,
        headers: Default::default(),
        body: reply.into(),
        ending: crate::platform::http::Ending::Whole,
    };
    assert_eq!(format!("{reply:?}"), format!("Reply(200, {} bytes, Whole)", reply.body.len()));
}

#[tokio::test]
async fn a_message_goes_again_only_after_a_token_that_was_refused_in_words() {
    let rest = "name: app
token: {request: {method: POST, url: \"{{base}}/auth\", json: {k: 1}}, value: /t, invalid_when: [{not: {json: /code, eq: 0}, status: 2xx}]}
request: {method: POST, url: \"{{base}}/send\", auth: [{bearer: \"{{token}}\"}], json: {text: \"{{text}}\"}}
";
    let server = Server::start(answer("200 OK", "", r#"{"t":"fetched","code":0}"#)).await;
    let app = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    app.check().await.unwrap();
    let judge = app.judge(&[], false);
    let say = |body: &str| {
        Ok(crate::platform::http::Reply {
            status: 200,
            headers: Default::default(),
            body: body.into(),
            ending: crate::platform::http::Ending::Whole,
        })
    };
    assert!(judge.rejects_token(&say(r#"{"code":5}"#)));
    assert!(!judge.rejects_token(&say("<html>")), "the message may have been taken");
    assert_eq!(format!("{judge:?}"), "Judge(app)");
}

const MAPPED: &str = "name: mapped
request: {method: POST, url: \"{{base}}/x\", json: {text: \"{{text}}\"}}
batch: {mode: map, max: 10, max_bytes: 1KB, at: /all/people, key: \"{{to}}\", each: {t: \"{{text}}\", c: {$ref: meta.c}}, unique: to, fits: {bytes: 20, of: [subject, text]}, request: {json: {kind: bulk}}}
idempotency: {header: X-Key, format: uuid, honoured: always}
";

#[test]
fn elements_may_be_members_of_an_object() {
    let mapped = of(MAPPED, "{token: abcdefgh}");
    let rows = || vec![row("a/~", Body::Text("1".into())), row("b", Body::Text("2".into()))];
    let (text, body) = shown(&mapped, rows());
    assert_eq!(
        body,
        json!({"kind": "bulk", "all": {"people": {"a/~": {"t": "1", "c": null}, "b": {"t": "2", "c": null}}}}),
        "{text}"
    );
    assert!(mapped.most_bytes().is_some_and(|most| (1000..=1024).contains(&most)));
}

#[test]
fn who_may_share_a_request() {
    let mapped = of(MAPPED, "{token: abcdefgh}");
    let share = |to: &str, text: &str| mapped.share(&row(to, Body::Text(text.into())));
    assert!(share("a", &"x".repeat(20)).is_some());
    assert_eq!(share("a", &"x".repeat(21)), None, "longer than fits");
    let (one, again, other) = (share("a", "1").unwrap(), share("a", "2").unwrap(), share("A", "1").unwrap());
    assert_eq!((one.group, one.unique), (again.group, again.unique), "the same address twice");
    assert_ne!(one.unique, other.unique, "letter case tells addresses apart here");
    assert!(share("a", "12345").unwrap().bytes > one.bytes);
}

#[test]
fn the_key_of_a_request_is_that_of_its_deliveries() {
    let mapped = of(MAPPED, "{token: abcdefgh}");
    let key = |names: &[&str], attempt: u32| {
        let rows = names.iter().map(|name| {
            let mut row = row(name, Body::Text("1".into()));
            row.envelope.attempt = attempt;
            row
        });
        let (text, _) = shown(&mapped, rows.collect());
        text.lines().find_map(|line| line.strip_prefix("x-key: ").map(str::to_owned)).unwrap()
    };
    let first = key(&["a", "b", "c"], 1);
    assert_eq!(first.len(), 36);
    assert_eq!(first, key(&["a", "b", "c"], 2), "another try of the same request");
    assert_ne!(first, key(&["a", "b"], 1), "fewer deliveries are another request");
    // In another order the body is another one, and services refuse a key that comes back with another body.
    assert_ne!(first, key(&["b", "a", "c"], 1));
    assert_eq!(key(&["a"], 1), crate::platform::sign::uuid5(DeliveryId::derive("lineage", "a", "hook").as_str()));
}

#[tokio::test]
async fn files_go_as_parts_of_a_body() {
    let server = Server::start(answer("200 OK", "", r#"{"code":0}"#)).await;
    let rest = "name: parts
message: {takes: [attachments]}
request: {method: POST, url: \"{{base}}/x\", multipart: {to: \"{{to}}\", tag: [a, b], empty: {value: \"{{subject}}\", when: {has: subject}}, file: {$file: attachments}}}
";
    let parts = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
    let mut one = row("u1", text());
    one.message.attachments = vec![Arc::new(crate::message::Attachment {
        name: "a\"b\r\nc.txt".into(),
        content_type: "text/plain".into(),
        cid: None,
        content: crate::message::Content::Shared(b"first\r\nsecond".to_vec().into()),
    })];
    send(&parts, one).await.unwrap();
    let request = server.requests().pop().unwrap();
    let boundary = request.split("boundary=").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
    let part = |head: &str, body: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let body = [
        part("name=\"to\"", "u1"),
        part("name=\"tag\"", "a"),
        part("name=\"tag\"", "b"),
        part("name=\"file\"; filename=\"a%22bc.txt\"\r\nContent-Type: text/plain", "first\r\nsecond"),
        format!("--{boundary}--\r\n"),
    ];
    assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body.concat());
}

#[tokio::test]
async fn a_harmless_call_proves_the_credentials() {
    let rest = "name: proved
request: {method: POST, url: \"{{base}}/x\", json: {text: \"{{text}}\"}}
check: {request: {method: GET, url: \"{{base}}/me\", auth: [{basic: [me, \"{{secret.token}}\"]}]}, success: {json: /code, eq: 0}, tell: /who}
";
    for (reply, expected) in [
        (answer("200 OK", "", r#"{"code":0,"who":"bot of abcdefgh"}"#), Ok("the credentials are good: bot of ***")),
        (answer("200 OK", "", r#"{"code":0}"#), Ok("the credentials are good")),
        (answer("200 OK", "", r#"{"code":9,"why":"bWU6YWJjZGVmZ2g="}"#), Err(ErrorKind::Unauthorized)),
        (answer("401 No", "", ""), Err(ErrorKind::Unauthorized)),
        (answer("503 Busy", "", ""), Err(ErrorKind::Unavailable)),
    ] {
        let server = Server::start(reply).await;
        let proved = of(rest, &format!("{{token: abcdefgh, base: \"http://127.0.0.1:{}\"}}", server.port));
        let told = proved.check().await;
        assert!(!format!("{told:?}").contains("bWU6YWJj"), "{told:?}");
        assert_eq!(told.as_deref().map_err(|error| error.kind), expected);
        let request = server.requests().pop().unwrap();
        assert!(request.starts_with("GET /me ") && request.contains("authorization: Basic bWU6YWJjZGVmZ2g=\r\n"), "{request}");
    }
}
