//! Replies as services write them, judged without a network: every success test, every table with a trap in it, every shape of a batch.

use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use crate::batch::{Batch, Refused, Verdict, Verdicts};
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::error::{ErrorKind, Reach};
use crate::message::Message;
use crate::platform::declared::condition::Condition;
use crate::platform::declared::definition::{Definition, Phone};
use crate::platform::declared::judge::Judge;
use crate::platform::declared::memory::Memory;
use crate::platform::http::{Ending, Failure, Fault, HeaderMap, HeaderName, HeaderValue, Reply};
use crate::recipient::Position;

const NOW: u64 = 1_700_000_000;

/// A definition whose request does not matter.
fn definition(reply: &str) -> Definition {
    let source = format!(
        "schema: 1\nname: small\ntitle: Small\naddressing: {{columns: [to]}}\n\
         request: {{method: POST, url: \"https://example.com/send\", json: {{text: \"{{{{text}}}}\"}}}}\n{reply}"
    );
    Definition::read(&source, Path::new("small.yaml")).unwrap_or_else(|problem| panic!("{problem}\n{source}"))
}

fn batch(to: &[&str]) -> Batch {
    let delivery = |(row, to): (usize, &&str)| {
        let id = DeliveryId::derive("lineage", &row.to_string(), "account");
        let envelope =
            Envelope { id, position: Position::row(row as u64), account: "account".into(), to: (*to).into(), attempt: 1 };
        Delivery { envelope, message: Message::default() }
    };
    Batch::new(to.iter().enumerate().map(delivery).collect()).unwrap()
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let fields = headers.iter().map(|(name, value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    });
    Reply { status, headers: fields.collect::<HeaderMap>(), body: body.as_bytes().to_vec(), ending: Ending::Whole }
}

/// An account over a time of tests.
struct Court {
    definition: Definition,
    memory: Memory,
    hide: Vec<String>,
    second: u64,
}

impl Court {
    fn new(reply: &str) -> Self {
        Court { definition: definition(reply), memory: Memory::new(), hide: Vec::new(), second: 0 }
    }

    fn judge<T>(&self, ask: impl FnOnce(&Judge<'_>) -> T) -> T {
        ask(&Judge {
            definition: &self.definition,
            success: None,
            results: self.definition.results.as_ref(),
            token: &[],
            row_endpoint: false,
            hide: &self.hide,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + self.second),
            memory: &self.memory,
        })
    }

    fn all(&self, to: &[&str], reply: Reply) -> Verdicts {
        self.judge(|judge| judge.verdicts(&batch(to), Ok(reply)))
    }

    fn one(&self, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        self.all(&["u1"], reply(status, headers, body)).into_inner().remove(0)
    }

    fn each(&self, to: &[&str], body: &str) -> Vec<Verdict> {
        self.all(to, reply(200, &[], body)).into_inner()
    }
}

fn kind(verdict: &Verdict) -> Option<ErrorKind> {
    verdict.as_ref().err().map(|error| error.kind)
}

fn kinds(verdicts: &[Verdict]) -> Vec<Option<ErrorKind>> {
    verdicts.iter().map(kind).collect()
}

fn ids(verdicts: &[Verdict]) -> Vec<Option<&str>> {
    verdicts.iter().map(|verdict| verdict.as_ref().ok().and_then(|receipt| receipt.id.as_deref())).collect()
}

use ErrorKind::*;

/// Replies with one verdict: (status, body, kind; `None` is sent).
fn table(reply: &str, rows: &[(u16, &str, Option<ErrorKind>)]) {
    let court = Court::new(reply);
    for (status, body, expected) in rows {
        let verdict = court.one(*status, &[], body);
        assert_eq!(kind(&verdict), *expected, "{reply}\n{status} {body}: {verdict:?}");
    }
}

const FEISHU: &str = r#"
success: {json: /code, eq: 0}
id: /data/message_id
code: /code
detail: /msg
errors:
  - {when: {json: /code, eq: 11232}, class: rate, scope: target, wait: [{const: 60s}]}
  - {when: {json: /code, in: [19021, 19022]}, class: auth}
  - {when: {json: /code, in: [19024]}, class: config}
  - {when: {json: /code, eq: 19001}, class: gone}
  - default: permanent
"#;

const DINGTALK: &str = r#"
success: {json: /errcode, eq: 0}
code: /errcode
detail: /errmsg
errors:
  - {when: {json: /errcode, in: [130101, 410100]}, class: rate, scope: target, wait: [{const: 10m}]}
  - {when: {all: [{json: /errcode, eq: 310000}, {json: /errmsg, match: "(?i)keyword"}]}, class: config}
  - {when: {all: [{json: /errcode, eq: 310000}, {json: /errmsg, match: "(?i)sign|timestamp|whitelist"}]}, class: auth}
  - {when: {json: /errcode, eq: -1}, class: transient}
  - default: permanent
"#;

const TENCENT: &str = r#"
success: {all: [{json: /Response/Error, exists: false}, {every: /Response/SendStatusSet, of: {json: /Code, eq: Ok}}]}
code: /Response/Error/Code
detail: /Response/Error/Message
errors:
  - {when: {json: /Response/Error/Code, match: "^AuthFailure"}, class: auth}
  - {when: {json: /Response/Error/Code, match: "^RequestLimitExceeded"}, class: rate, scope: account, wait: [{const: 1s}]}
  - {when: {json: /Response/Error/Code, eq: InternalError.Timeout}, class: unknown}
  - default: permanent
results:
  mode: by_key
  path: /Response/SendStatusSet
  key: /PhoneNumber
  ok: {json: /Code, eq: Ok}
  id: /SerialNo
  code: /Code
  detail: /Message
  errors:
    - {when: {json: /Code, match: "ThirtySecondLimit"}, class: rate, scope: row, wait: [{const: 30s}]}
    - {when: {json: /Code, match: "IncorrectPhoneNumber|Blacklist"}, class: gone}
    - default: permanent
"#;

const VONAGE: &str = r#"
success: {every: /messages, of: {json: /status, eq: 0}}
id: /messages/0/message-id
detail: /messages/0/error-text
errors:
  - {when: {some: /messages, of: {json: /status, in: [1, 10]}}, class: rate, wait: [{const: 1s}]}
  - {when: {some: /messages, of: {json: /status, in: [4, 9]}}, class: auth}
  - {when: {some: /messages, of: {json: /status, in: [7, 33]}}, class: gone}
  - default: permanent
"#;

const POSTMARK: &str = r#"
success: {json: /ErrorCode, eq: 0}
id: /MessageID
code: /ErrorCode
detail: /Message
errors:
  - {when: {json: /ErrorCode, eq: 406}, class: gone}
  - {when: {json: /ErrorCode, in: [10, 400, 401]}, class: auth}
  - {when: {json: /ErrorCode, eq: 300}, class: permanent}
  - {when: {json: /ErrorCode, in: [100, 500]}, class: transient}
  - default: permanent
results: {mode: by_index, path: ""}
"#;

const SES: &str = r#"
success: {every: /BulkEmailEntryResults, of: {json: /Status, eq: SUCCESS}}
detail: [/message, /Message]
errors:
  - {when: {header: x-amzn-errortype, match: "^TooManyRequests"}, class: rate, scope: account, wait: [{const: 1s}]}
  - {when: {header: x-amzn-errortype, match: "^BadRequest"}, class: config}
  - default: permanent
results:
  mode: by_index
  path: /BulkEmailEntryResults
  ok: {json: /Status, eq: SUCCESS}
  id: /MessageId
  code: /Status
  detail: /Error
  errors:
    - {when: {json: /Status, eq: TRANSIENT_FAILURE}, class: transient}
    - {when: {json: /Status, eq: ACCOUNT_THROTTLED}, class: rate, scope: account}
    - {when: {json: /Status, eq: ACCOUNT_SUSPENDED}, class: auth}
    - default: permanent
"#;

#[test]
fn a_200_is_a_success_only_where_the_service_says_so() {
    table(
        FEISHU,
        &[
            (200, r#"{"code":0,"msg":"success","data":{}}"#, None),
            (200, r#"{"code":"0"}"#, None),
            (200, r#"{"code":0.0}"#, None),
            (200, r#"{"code":11232,"msg":"frequency limited"}"#, Some(Throttled)),
            (200, r#"{"code":19021,"msg":"sign match fail"}"#, Some(Unauthorized)),
            (200, r#"{"code":19024,"msg":"Key Words Not Found"}"#, Some(Misconfigured)),
            (200, r#"{"code":19001}"#, Some(BadAddress)),
            (200, r#"{"code":77777,"msg":"new"}"#, Some(BadMessage)),
            (200, r#"{"StatusCode":0}"#, Some(InDoubt)),
            (200, r#"{"code":null}"#, Some(InDoubt)),
            (200, "", Some(InDoubt)),
            (200, "<html>gateway</html>", Some(InDoubt)),
            (400, "<html>gateway</html>", Some(BadMessage)),
            (500, r#"{"code":0}"#, Some(InDoubt)),
            (302, r#"{"code":0}"#, Some(BadMessage)),
        ],
    );
    table(
        DINGTALK,
        &[
            (200, r#"{"errcode":0,"errmsg":"ok"}"#, None),
            (200, r#"{"errcode":310000,"errmsg":"keywords not in content"}"#, Some(Misconfigured)),
            (200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, Some(Unauthorized)),
            (200, r#"{"errcode":310000,"errmsg":"ip 1.2.3.4 not in whitelist"}"#, Some(Unauthorized)),
            (200, r#"{"errcode":310000,"errmsg":"something else"}"#, Some(BadMessage)),
            (200, r#"{"errcode":410100}"#, Some(Throttled)),
            (200, r#"{"errcode":-1,"errmsg":"busy"}"#, Some(Unavailable)),
        ],
    );
    table(
        r#"
success: {json: /errcode, eq: 0}
errors:
  - {when: {json: /errcode, eq: 93000, all: [{json: /errmsg, match: "(?i)exceed|max length"}]}, class: permanent}
  - {when: {json: /errcode, eq: 93000}, class: gone}
  - default: permanent
"#,
        &[
            (200, r#"{"errcode":0}"#, None),
            (200, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, Some(BadAddress)),
            (200, r#"{"errcode":93000,"errmsg":"content exceed max length"}"#, Some(BadMessage)),
        ],
    );
    let slack = "success: {json: /ok, eq: true}\nerrors:\n  - {when: {json: /error, eq: ratelimited}, class: rate}\n  - default: permanent\n";
    table(
        slack,
        &[
            (200, r#"{"ok":true,"ts":"1"}"#, None),
            (200, r#"{"ok":false,"error":"ratelimited"}"#, Some(Throttled)),
            (200, r#"{"ok":false,"error":"x"}"#, Some(BadMessage)),
            (200, r#"{"ok":"yes"}"#, Some(BadMessage)),
        ],
    );
    table("success: {text: {eq: ok}}\n", &[(200, " ok\n", None), (200, "ok then", Some(BadMessage)), (200, "", Some(InDoubt))]);
    table("success: {text: 1}\n", &[(200, "1", None), (200, "Webhook error: 413", Some(BadMessage))]);
    table("success: {json: /status, eq: 1}\n", &[(200, r#"{"status":1}"#, None), (200, r#"{"status":0}"#, Some(BadMessage))]);
    table("success: {json: /Code, eq: OK}\n", &[(200, r#"{"Code":"OK"}"#, None), (200, r#"{"Code":"isv.X"}"#, Some(BadMessage))]);
    table("success: {status: 202}\n", &[(202, "", None), (200, "{}", Some(InDoubt)), (204, "", Some(InDoubt))]);
    table("success: {header: X-Ok, eq: true}\n", &[(200, "{}", Some(InDoubt))]);
    let header = Court::new("success: {header: X-Ok, eq: true}\nid: {header: X-Message-Id}\n");
    assert_eq!(ids(&[header.one(202, &[("x-ok", "true"), ("x-message-id", "m1")], "")]), [Some("m1")]);
    assert_eq!(kind(&header.one(202, &[("x-ok", "false")], "x")), Some(BadMessage));
    let xml = Court::new("success: {status: 200, body: text, match: \"<PublishResponse\"}\nid: {text: \"<MessageId>([^<]+)\"}\n");
    assert_eq!(ids(&[xml.one(200, &[], "<PublishResponse><MessageId>m-2</MessageId></PublishResponse>")]), [Some("m-2")]);
}

#[test]
fn what_is_absent_from_a_reply_that_nobody_could_read_proves_nothing() {
    let silent = [(200, "", Some(InDoubt)), (200, "<html>ok</html>", Some(InDoubt)), (200, "{\"a\":", Some(InDoubt))];
    for success in ["{json: /error, exists: false}", "{not: {json: /error, exists: true}}", "{not: {json: /code, eq: 7}}"] {
        table(&format!("success: {success}\n"), &silent);
        let spoken = [(200, r#"{"id":1}"#, None), (200, r#"{"error":"x","code":7}"#, Some(BadMessage))];
        table(&format!("success: {success}\n"), &spoken);
    }
    table("success: {all: [{status: 2xx}, {not: {some: /list, of: {json: /bad, eq: 1}}}]}\n", &silent);
    table("success: {any: [{json: /ok, eq: true}, {not: {json: /error, exists: true}}]}\n", &silent);
    // What is known decides for all.
    table(
        "success: {any: [{text: {exists: false}}, {json: /error, exists: false}]}\n",
        &[(200, "", None), (200, "<html>", Some(InDoubt))],
    );
    table("success: {json: /ok, eq: 1}\nerrors: [{when: {status: 2xx, json: /error, exists: false}, class: ok}]\n", &silent);
    // A body of which only the beginning was read may say no at its end.
    let court = Court::new("success: {not: {body: text, match: refused}}\n");
    for (ending, expected) in [(Ending::Cut, Some(InDoubt)), (Ending::TooLong, Some(InDoubt)), (Ending::Whole, None)] {
        let beginning = Reply { ending, ..reply(200, &[], "taken") };
        assert_eq!(kinds(&court.all(&["u1"], beginning).into_inner()), [expected]);
    }
}

#[test]
fn what_a_gateway_says_is_never_a_success_however_the_test_is_written() {
    let read = |reply: &str| {
        let source = format!(
            "schema: 1\nname: small\ntitle: Small\naddressing: {{columns: [to]}}\n\
             request: {{method: POST, url: \"https://example.com/send\", json: {{text: \"{{{{text}}}}\"}}}}\n{reply}"
        );
        Definition::read(&source, Path::new("small.yaml")).map_err(|problem| problem.to_string())
    };
    let good = "success: {json: /ok, eq: true}\n";
    for doubtful in [
        "{status: 5xx}",
        "{status: 502}",
        "{not: {status: 2xx}}",
        "{not: {json: /code, exists: true}}",
        "{all: [{status: [500, 503]}, {json: /code, exists: false}]}",
        "{any: [{json: /code, eq: 1}, {status: 504}]}",
        "{status: 502, body: text, match: \"(?i)gateway\"}",
        "{status: 500, header: content-type, match: html}",
        "{net: cut_after_send}",
        "{not: {net: connect}}",
    ] {
        for class in ["transient", "rate", "permanent", "gone", "auth", "config"] {
            let rule = format!("{good}errors: [{{when: {doubtful}, class: {class}");
            let told = read(&format!("{rule}}}]\n")).expect_err(doubtful);
            assert!(told.contains("because"), "{doubtful} {class}: {told}");
            read(&format!("{rule}, because: \"the vendor says so\"}}]\n")).expect(doubtful);
        }
        let told = read(&format!("{good}errors: [{{when: {doubtful}, class: ok, because: x}}]\n")).expect_err(doubtful);
        assert!(told.contains("never a success"), "{doubtful}: {told}");
        read(&format!("{good}errors: [{{when: {doubtful}, class: unknown}}]\n")).expect(doubtful);
        let replay = format!("{good}idempotency: {{header: X-Key, replay: [{doubtful}]}}\n");
        assert!(read(&replay).expect_err(doubtful).contains("replay"), "{doubtful}");
    }
    for sure in [
        "{status: 500, json: /code, eq: 7}",
        "{all: [{status: 5xx}, {any: [{json: /a, eq: 1}, {header: x-error, match: busy}]}]}",
        "{status: [429, 503]}",
        "{net: connect}",
        "{status: 500, body: text, match: \"queue is full\"}",
    ] {
        read(&format!("{good}errors: [{{when: {sure}, class: transient}}]\n")).expect(sure);
    }
    for success in ["{status: 5xx}", "{not: {status: 4xx}}", "{any: [{status: [200, 500]}, {json: /ok, eq: 1}]}"] {
        assert!(read(&format!("success: {success}\n")).expect_err(success).contains("never a success"), "{success}");
        let results = format!("{good}batch: {{mode: list, max: 9, at: /a}}\nresults: {{mode: all, success: {success}}}\n");
        assert!(read(&results).expect_err(success).contains("never a success"), "{success}");
    }
    // What does not look at the status is held to 2xx.
    read("success: {not: {json: /error, exists: true}}\n").expect("held to 2xx");
}

#[test]
fn a_text_that_was_cut_off_is_not_the_whole_text() {
    let court = Court::new("success: {text: ok}\n");
    for ending in [Ending::Cut, Ending::TooLong] {
        let cut = Reply { ending, ..reply(200, &[], "ok") };
        assert_eq!(kinds(&court.all(&["u1"], cut).into_inner()), [Some(InDoubt)]);
    }
}

#[test]
fn parts_of_an_sms_that_were_taken_are_never_sent_again() {
    let part = |status: &str| format!(r#"{{"status":"{status}","message-id":"m{status}","error-text":"e"}}"#);
    let body =
        |parts: &[&str]| format!(r#"{{"messages":[{}]}}"#, parts.iter().map(|status| part(status)).collect::<Vec<_>>().join(","));
    let court = Court::new(VONAGE);
    for (parts, expected) in [
        (vec!["0"], None),
        (vec!["0", "0"], None),
        (vec!["1"], Some(Throttled)),
        (vec!["1", "1"], Some(Throttled)),
        (vec!["0", "1"], Some(InDoubt)),
        (vec!["0", "9"], Some(InDoubt)),
        (vec!["0", "7"], Some(BadAddress)),
        (vec!["9"], Some(Unauthorized)),
        (vec!["55"], Some(BadMessage)),
        (vec![], Some(InDoubt)),
    ] {
        assert_eq!(kind(&court.one(200, &[], &body(&parts))), expected, "{parts:?}");
    }
}

#[test]
fn tencent_answers_by_number_or_for_the_whole_call() {
    let court = Court::new(TENCENT);
    let body = r#"{"Response":{"SendStatusSet":[
        {"SerialNo":"s3","PhoneNumber":"+8613900000003","Code":"Ok"},
        {"SerialNo":"","PhoneNumber":"+8613900000001","Code":"LimitExceeded.PhoneNumberThirtySecondLimit","Message":"slow"},
        {"PhoneNumber":"+8613900000002","Code":"InvalidParameterValue.IncorrectPhoneNumber"},
        {"PhoneNumber":"+8613900000005","Code":"Brand.New"},
        {"PhoneNumber":"+8613900000009","Code":"Ok"}]}}"#;
    let to = ["+8613900000001", "+8613900000002", "+8613900000003", "+8613900000004", "+8613900000005"];
    let each = court.each(&to, body);
    assert_eq!(kinds(&each), [Some(Unavailable), Some(BadAddress), None, Some(InDoubt), Some(BadMessage)]);
    assert_eq!(ids(&each)[2], Some("s3"));
    let limited = each[0].as_ref().unwrap_err();
    assert_eq!((limited.retry_after, limited.reach), (Some(Duration::from_secs(30)), Some(Reach::Row)));
    assert_eq!(limited.code.as_deref(), Some("200 LimitExceeded.PhoneNumberThirtySecondLimit"));
    assert!(limited.detail.contains("slow"), "{limited}");
    for (code, expected, split) in [
        ("AuthFailure.SignatureFailure", Unauthorized, false),
        ("RequestLimitExceeded", Throttled, false),
        ("InternalError.Timeout", InDoubt, false),
        ("Nobody.Knows", BadMessage, true),
    ] {
        let verdicts = court.all(&to, reply(200, &[], &format!(r#"{{"Response":{{"Error":{{"Code":"{code}"}}}}}}"#)));
        assert_eq!(verdicts.blame(), split.then_some(&Refused::Somewhere), "{code}");
        assert_eq!(kinds(&verdicts.into_inner()), vec![Some(expected); to.len()], "{code}");
    }
    // Nothing was said of anybody.
    for body in [r#"{"Response":{"SendStatusSet":[]}}"#, r#"{"Response":{}}"#, "[]", "{}", "null"] {
        assert_eq!(kinds(&court.each(&to, body)), vec![Some(InDoubt); to.len()], "{body}");
    }
}

#[test]
fn numbers_are_the_same_however_they_are_written() {
    let mut court = Court::new(TENCENT);
    court.definition.addressing.phone = Phone::E164;
    let body = r#"{"Response":{"SendStatusSet":[{"SerialNo":"a","PhoneNumber":"+8613900000001","Code":"Ok"},
        {"SerialNo":"b","PhoneNumber":"8613900000002","Code":"Ok"},{"SerialNo":"c","PhoneNumber":"13900000003","Code":"Ok"}]}}"#;
    let each = court.each(&["13900000001", "+86 139 0000 0002", "008613900000003", "5"], body);
    assert_eq!(ids(&each), [Some("a"), Some("b"), Some("c"), None]);
    // The same number twice, answered once: the second is in doubt.
    let twice = court.each(&["+8613900000001", "+8613900000001"], body);
    assert_eq!(kinds(&twice), [None, Some(InDoubt)]);
}

#[test]
fn elements_answer_in_the_order_of_the_request() {
    let postmark = Court::new(POSTMARK);
    let to = ["a@x", "b@x", "c@x", "d@x", "e@x"];
    let four = r#"[{"ErrorCode":0,"Message":"OK","MessageID":"m1"},{"ErrorCode":406,"Message":"inactive"},{"ErrorCode":100},{"ErrorCode":999,"Message":"new"}]"#;
    let each = postmark.each(&to[..4], four);
    assert_eq!(kinds(&each), [None, Some(BadAddress), Some(Unavailable), Some(BadMessage)]);
    // Fewer answers than messages: the one that was left out may have stood anywhere, so that places say nothing of the others either.
    assert_eq!(kinds(&postmark.each(&to, four)), vec![Some(InDoubt); 5]);
    assert_eq!(ids(&each)[0], Some("m1"));
    assert_eq!(each[1].as_ref().unwrap_err().code.as_deref(), Some("200 406"));
    // A call that is refused for one of its messages is tried in halves; a refused token is for all.
    let refused = postmark.all(&to, reply(422, &[], r#"{"ErrorCode":300,"Message":"Invalid email request"}"#));
    assert_eq!(refused.blame(), Some(&Refused::Somewhere));
    let token = postmark.all(&to, reply(401, &[], r#"{"ErrorCode":10,"Message":"Bad token"}"#));
    assert!(token.blame().is_none());
    assert_eq!(kinds(&token.into_inner()), vec![Some(Unauthorized); 5]);
    // More answers than messages: whose is whose?
    let ok = r#"{"ErrorCode":0,"MessageID":"m"}"#;
    assert_eq!(kinds(&postmark.each(&["a@x"], &format!("[{ok},{ok}]"))), [None]);
    assert_eq!(kinds(&postmark.each(&["a@x"], &format!("[{ok},{{\"ErrorCode\":300}}]"))), [Some(InDoubt)]);

    let ses = Court::new(SES);
    let each = ses.each(
        &to,
        r#"{"BulkEmailEntryResults":[{"Status":"SUCCESS","MessageId":"1"},{"Status":"TRANSIENT_FAILURE"},{"Status":"ACCOUNT_THROTTLED"},
           {"Status":"ACCOUNT_SUSPENDED"},{"Status":"MESSAGE_REJECTED","Error":"virus"}]}"#,
    );
    assert_eq!(kinds(&each), [None, Some(Unavailable), Some(Throttled), Some(Unauthorized), Some(BadMessage)]);
    let throttled = ses.all(&to, reply(429, &[("x-amzn-errortype", "TooManyRequestsException:http://x")], "{}"));
    assert_eq!(kinds(&throttled.into_inner()), vec![Some(Throttled); 5]);
    let bad = ses.all(&to, reply(400, &[("x-amzn-errortype", "BadRequestException")], "{}"));
    assert!(bad.blame().is_some());
    // A batch of one has only itself to blame.
    let alone = ses.all(&to[..1], reply(400, &[("x-amzn-errortype", "BadRequestException")], "{}"));
    assert!(alone.blame().is_none());
}

#[test]
fn lists_name_those_that_were_not_taken() {
    let wecom = Court::new(
        r#"
success: {json: /errcode, eq: 0}
id: /msgid
errors:
  - {when: {json: /errcode, eq: 81013}, class: gone}
  - default: permanent
results:
  mode: invalid_lists
  invalid: [{at: [/invaliduser, /unlicenseduser], split: "|", class: gone, scope: row}]
"#,
    );
    let to = ["WangQing", "li", "zhang", "chen"];
    let each = wecom.each(&to, r#"{"errcode":0,"invaliduser":"wangqing|zhang","unlicenseduser":"","msgid":"m"}"#);
    assert_eq!(kinds(&each), [Some(BadAddress), None, Some(BadAddress), None]);
    assert_eq!(ids(&each)[1], Some("m"));
    let all = wecom.all(&to, reply(200, &[], r#"{"errcode":81013,"invaliduser":"li|chen"}"#));
    assert_eq!(all.blame(), Some(&Refused::For(vec![1, 3])));

    // One that was not taken is named as nobody here is: it may be any of the others, but those that are named stay refused.
    for invalid in ["zhang|somebody", "zhang|ou_77", " |zhang|x"] {
        let each = wecom.each(&to, &format!(r#"{{"errcode":0,"invaliduser":"{invalid}","msgid":"m"}}"#));
        assert_eq!(kinds(&each), [Some(InDoubt), Some(InDoubt), Some(BadAddress), Some(InDoubt)], "{invalid}");
    }
    let each = wecom.each(&to, r#"{"errcode":0,"invaliduser":[{"id":"zhang"}],"msgid":"m"}"#);
    assert_eq!(kinds(&each), vec![Some(InDoubt); 4], "a name in a form that we cannot read");
    for nobody in ["null", "[]", "\"\"", "false"] {
        assert_eq!(kinds(&wecom.each(&to, &format!(r#"{{"errcode":0,"invaliduser":{nobody},"msgid":"m"}}"#))), vec![None; 4]);
    }

    let dingtalk = Court::new(
        r#"
success: {json: /processQueryKey, exists: true}
id: /processQueryKey
results:
  mode: invalid_lists
  invalid:
    - {at: /invalidStaffIdList, class: gone, scope: row}
    - {at: /flowControlledStaffIdList, class: rate, scope: row, wait: [{const: 1m}]}
    - {at: /filteredStaffIdList, class: permanent, scope: row}
"#,
    );
    let each = dingtalk.each(
        &["1", "2", "3", "4"],
        r#"{"processQueryKey":"q","invalidStaffIdList":["1"],"flowControlledStaffIdList":[2],"filteredStaffIdList":["3"]}"#,
    );
    assert_eq!(kinds(&each), [Some(BadAddress), Some(Unavailable), Some(BadMessage), None]);
    assert_eq!(each[1].as_ref().unwrap_err().retry_after, Some(Duration::from_secs(60)));
    assert_eq!(kinds(&dingtalk.each(&["1", "2"], r#"{"code":"x"}"#)), [Some(InDoubt), Some(InDoubt)]);
}

#[test]
fn a_refused_request_may_name_its_culprit() {
    let court = Court::new(
        r#"
success: {status: 202}
results:
  mode: all
  culprit:
    - {each: /errors, json: /field, match: '^personalizations\.(\d+)\.'}
    - {json: /invalid, key: true}
"#,
    );
    let to = ["a@x", "b@x", "c@x"];
    let blame = |status, body: &str| court.all(&to, reply(status, &[], body)).blame().cloned();
    let fields =
        r#"{"errors":[{"field":"personalizations.2.to","message":"x"},{"field":"personalizations.0.to"},{"field":"from"}]}"#;
    assert_eq!(blame(400, fields), Some(Refused::For(vec![0, 2])));
    assert_eq!(blame(400, r#"{"errors":[{"field":"personalizations.77.to"}]}"#), Some(Refused::Somewhere));
    assert_eq!(blame(400, r#"{"invalid":["B@x","nobody"]}"#), Some(Refused::For(vec![1])));
    assert_eq!(blame(413, ""), Some(Refused::Somewhere));
    for status in [202, 301, 401, 403, 404, 405, 408, 415, 429, 500, 501, 502, 503, 504] {
        assert_eq!(blame(status, fields), None, "{status}");
    }
    let lost = court.judge(|judge| judge.verdicts(&batch(&to), Err(Failure { fault: Fault::Timeout, detail: "late".into() })));
    assert!(lost.blame().is_none());
    assert_eq!(kinds(&lost.into_inner()), vec![Some(InDoubt); 3]);
}

#[test]
fn telegram_widens_its_wait_and_moves_its_groups() {
    let mut court = Court::new(
        r#"
success: {json: /ok, eq: true}
errors:
  - {when: {json: /error_code, eq: 429}, class: rate, scope: target, escalate: account, wait: [{json: /parameters/retry_after}, {const: 5s}]}
  - {when: {json: /parameters/migrate_to_chat_id, exists: true}, class: transient, set: {to: /parameters/migrate_to_chat_id}}
  - default: permanent
"#,
    );
    let slow = r#"{"ok":false,"error_code":429,"parameters":{"retry_after":7}}"#;
    let told = |court: &Court, to: &str| {
        let error = court.all(&[to], reply(429, &[], slow)).into_inner().remove(0).unwrap_err();
        assert_eq!((error.kind, error.retry_after), (Throttled, Some(Duration::from_secs(7))));
        error.reach
    };
    assert_eq!(told(&court, "-1"), Some(Reach::Target));
    assert_eq!(told(&court, "-2"), Some(Reach::Target));
    court.second = 10;
    assert_eq!(told(&court, "-1"), Some(Reach::Account));
    court.second = 200;
    assert_eq!(told(&court, "-1"), Some(Reach::Target));

    let moved = r#"{"ok":false,"error_code":400,"parameters":{"migrate_to_chat_id":-1001234567890123}}"#;
    assert_eq!(kind(&court.all(&["-1"], reply(400, &[], moved)).into_inner()[0]), Some(Unavailable));
    assert_eq!(court.memory.rewritten("-1").as_deref(), Some("-1001234567890123"));
    assert_eq!(court.memory.rewritten("-2"), None);
}

#[test]
fn waits_have_units_and_reaches() {
    let court = Court::new(
        r#"
success: {status: [200, 204]}
code: /code
errors:
  - {when: {all: [{status: 429}, {json: /global, eq: true}]}, class: rate, scope: platform, wait: [{json: /retry_after}]}
  - {when: {status: 429, json: /ms, exists: true}, class: rate, scope: target, wait: [{json: /ms, unit: ms}]}
  - {when: {status: 429, header: X-Reset}, class: rate, scope: account, wait: [{header: X-Reset, unit: epoch}, {const: 2s}]}
  - {when: {status: 429}, class: rate, scope: target, wait: [{header: Retry-After}, {const: 3s}]}
  - default: permanent
adaptive: {remaining: {header: X-Remaining}, reset_in: {header: X-Reset-After}, scope: target}
"#,
    );
    let limited = |headers: &[(&str, &str)], body: &str| {
        let error = court.one(429, headers, body).unwrap_err();
        assert_eq!(error.kind, Throttled);
        (error.reach.unwrap(), error.retry_after.unwrap().as_millis())
    };
    assert_eq!(limited(&[], r#"{"global":true,"retry_after":64.57}"#), (Reach::Platform, 64_570));
    assert_eq!(limited(&[], r#"{"global":true,"retry_after":64570}"#), (Reach::Platform, 64_570_000));
    assert_eq!(limited(&[], r#"{"global":true,"retry_after":1e30}"#), (Reach::Platform, 30 * 86_400_000));
    assert_eq!(limited(&[], r#"{"ms":1500}"#), (Reach::Target, 1500));
    assert_eq!(limited(&[("x-reset", "1700000042")], ""), (Reach::Account, 42_000));
    assert_eq!(limited(&[("x-reset", "1700000042000")], ""), (Reach::Account, 42_000));
    assert_eq!(limited(&[("x-reset", "1600000000")], ""), (Reach::Account, 0));
    for unread in ["42", "NaN", "inf", "-1", "soon"] {
        assert_eq!(limited(&[("x-reset", unread)], ""), (Reach::Account, 2000), "{unread}");
    }
    assert_eq!(limited(&[("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT")], ""), (Reach::Target, 10_000));
    assert_eq!(limited(&[], ""), (Reach::Target, 3000));

    let pause = |status, headers: &[(&str, &str)]| {
        court.all(&["u1"], reply(status, headers, "{}")).pause().map(|p| (p.reach, p.wait.as_millis()))
    };
    assert_eq!(pause(200, &[("x-remaining", "0"), ("x-reset-after", "0.5")]), Some((Reach::Target, 500)));
    assert_eq!(pause(200, &[("x-remaining", "1"), ("x-reset-after", "0.5")]), None);
    assert_eq!(pause(200, &[("x-remaining", "0")]), None);
    assert_eq!(pause(200, &[("x-remaining", "many"), ("x-reset-after", "1")]), None);
    assert_eq!(pause(429, &[("x-remaining", "0"), ("x-reset-after", "1"), ("retry-after", "9")]), None);
    assert_eq!(pause(429, &[("x-remaining", "0"), ("x-reset-after", "19"), ("retry-after", "9")]), Some((Reach::Target, 19_000)));
    assert_eq!(pause(400, &[("x-remaining", "0"), ("x-reset-after", "1")]), Some((Reach::Target, 1000)));
}

#[test]
fn quotas_are_told_apart_by_name_and_a_replay_is_a_success() {
    let resend = Court::new(
        r#"
success: {status: 2xx, json: /data, exists: true}
code: /name
errors:
  - {when: {json: /name, in: [daily_quota_exceeded, monthly_quota_exceeded]}, class: rate, scope: account, wait: [{const: 24h}]}
  - {when: {status: 429}, class: rate, scope: account, wait: [{header: retry-after}, {const: 1s}]}
  - default: permanent
results: {mode: by_index, path: /data, ok: {json: /id, exists: true}, id: /id}
"#,
    );
    let wait = |name: &str| {
        let body = format!(r#"{{"statusCode":429,"name":"{name}"}}"#);
        resend.one(429, &[("retry-after", "1")], &body).unwrap_err().retry_after.unwrap().as_secs()
    };
    assert_eq!((wait("rate_limit_exceeded"), wait("daily_quota_exceeded")), (1, 86_400));
    let two = r#"{"data":[{"id":"1"},{"id":"2"}]}"#;
    assert_eq!(ids(&resend.each(&["a@x", "b@x"], two)), [Some("1"), Some("2")]);
    assert_eq!(kinds(&resend.each(&["a@x", "b@x", "c@x"], two)), vec![Some(InDoubt); 3], "which of them was left out?");

    let line = Court::new(
        r#"
success: {status: 200}
idempotency: {header: X-Line-Retry-Key, format: uuid, honoured: always, replay: [{status: 409, header: x-line-accepted-request-id}]}
id: [/sentMessages/0/id, {header: x-line-accepted-request-id}]
"#,
    );
    let replayed = line.one(409, &[("x-line-accepted-request-id", "r1")], "{}").unwrap();
    assert!(replayed.replay && replayed.id.as_deref() == Some("r1"));
    assert_eq!(kind(&line.one(409, &[], "{}")), Some(BadMessage));
    assert!(!line.one(200, &[], r#"{"sentMessages":[{"id":"4"}]}"#).unwrap().replay);
}

#[test]
fn a_token_is_refused_and_fetched_without_any_doubt() {
    let court = Court::new(FEISHU);
    let stale: Vec<Condition> = serde_yaml::from_str("[{json: /code, in: [99991663, 99991671]}]").unwrap();
    let success: Condition = serde_yaml::from_str("{json: /code, eq: 0}").unwrap();
    court.judge(|judge| {
        let judge = Judge { token: &stale, ..*judge };
        assert!(judge.rejects_token(&Ok(reply(400, &[], r#"{"code":99991663}"#))));
        assert!(!judge.rejects_token(&Ok(reply(200, &[], r#"{"code":0}"#))));
        assert!(!judge.rejects_token(&Err(Failure { fault: Fault::Cut, detail: String::new() })));
        let fetched = |answer| judge.fetched(&success, &answer).err().map(|error| error.kind);
        assert_eq!(fetched(Ok(reply(200, &[], r#"{"code":0}"#))), None);
        assert_eq!(fetched(Ok(reply(200, &[], r#"{"code":10014}"#))), Some(Unauthorized));
        assert_eq!(fetched(Ok(reply(502, &[], ""))), Some(Unavailable));
        assert_eq!(fetched(Err(Failure { fault: Fault::Timeout, detail: String::new() })), Some(Unavailable));
    });
}

#[test]
fn secrets_are_told_in_no_word() {
    let mut court = Court::new(POSTMARK);
    court.hide = vec!["s3cret-token".to_owned()];
    let each = court.each(
        &["a@x", "b@x", "c@x"],
        r#"[{"ErrorCode":0,"MessageID":"s3cret-token"},{"ErrorCode":"s3cret-token","Message":"bad s3cret-token"},{"ErrorCode":300,"x":"s3cret-token"}]"#,
    );
    assert!(!format!("{each:?}").contains("s3cret-token"), "{each:?}");
}

#[test]
fn mistakes_in_tests_and_rules_are_told_with_what_to_write() {
    let condition = |text: &str| {
        let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
        serde_yaml::from_value::<Condition>(value).expect_err(text).to_string()
    };
    for (text, said) in [
        ("{body: ok}", "text: { eq: ok }"),
        ("{body: {eq: ok}}", "{ text: { eq: ok } }"),
        ("{body: 1}", "the word text"),
        ("{text: {eq: ok, match: x}}", "one of eq, in, match and exists"),
        ("{every: /messages}", "add of:"),
        ("{of: {status: 200}}", "add every: /list"),
        ("{every: messages, of: {status: 200}}", "write /messages"),
    ] {
        let told = condition(text);
        assert!(told.contains(said) && !told.contains("Value::"), "{text}: {told}");
    }
    for (reply, said) in [
        ("errors: [{when: {status: 429}, class: permanent, escalate: account}]", "rate or transient"),
        ("errors: [{when: {status: 429}, class: rate, scope: account, escalate: target}]", "further than scope"),
        ("errors: [{when: {status: 400}, class: rate, set: {to: /x}}]", "must be transient"),
        ("errors: [{when: {status: 429}, class: rate, wait: [{const: 3s, unit: ms}]}]", "unit in itself"),
        ("results: {mode: by_index}", "path names the list"),
        ("results: {mode: all, ok: {status: 200}}", "by_index and by_key"),
        ("results: {mode: invalid_lists}", "needs invalid"),
        ("results: {mode: invalid_lists, invalid: [{at: /x, class: ok}]}", "cannot be ok"),
        ("results: {mode: by_key, path: /x, match: \"{{subject}}\"}", "match may look at"),
        (
            "results: {mode: by_key, path: /x, errors: [{default: permanent}, {when: {status: 400}, class: gone}]}",
            "never reached",
        ),
    ] {
        let source = format!(
            "schema: 1\nname: small\ntitle: Small\naddressing: {{columns: [to]}}\nsuccess: any-2xx\n\
             request: {{method: POST, url: \"https://example.com/send\", json: {{text: a}}}}\n{reply}\n"
        );
        let told = Definition::read(&source, Path::new("small.yaml")).expect_err(reply).to_string();
        assert!(told.contains(said), "{reply}: {told}");
    }
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("0".to_owned()),
        Just("\"0\"".to_owned()),
        Just("1".to_owned()),
        Just("null".to_owned()),
        Just("\"Ok\"".to_owned()),
        Just("\"SUCCESS\"".to_owned()),
        Just("\"u1\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            Just("code"),
            Just("Response"),
            Just("Error"),
            Just("SendStatusSet"),
            Just("Code"),
            Just("PhoneNumber"),
            Just("messages"),
            Just("status"),
            Just("ErrorCode"),
            Just("errcode"),
            Just("BulkEmailEntryResults"),
            Just("Status"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|map| {
                let members: Vec<String> = map.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes back: as many verdicts as deliveries, and no success that the success test does not hold for.
    #[test]
    fn nothing_is_sent_that_the_service_did_not_take(
        status in 100u16..600,
        body in prop_oneof![any_json(), ".{0,40}"],
        count in 1usize..4,
        ending in prop_oneof![Just(Ending::Whole), Just(Ending::Cut), Just(Ending::TooLong)],
    ) {
        let names: Vec<String> = (1..=count).map(|number| format!("u{number}")).collect();
        let to: Vec<&str> = names.iter().map(String::as_str).collect();
        for source in [FEISHU, DINGTALK, TENCENT, VONAGE, POSTMARK, SES] {
            let court = Court::new(source);
            let answer = Reply { ending, ..reply(status, &[], &body) };
            let each = court.all(&to, answer).into_inner();
            prop_assert_eq!(each.len(), count);
            let json: serde_json::Value = match ending {
                Ending::Whole => serde_json::from_str(&body).unwrap_or_default(),
                _ => serde_json::Value::Null,
            };
            let said = json.to_string();
            for verdict in &each {
                if verdict.is_ok() {
                    prop_assert!((200..300).contains(&status), "{} {}", status, said);
                    let word = ["\"code\":0", "\"code\":\"0\"", "\"errcode\":0", "\"errcode\":\"0\"", "\"Code\":\"Ok\"", "\"status\":0", "\"status\":\"0\"",
                        "\"ErrorCode\":0", "\"ErrorCode\":\"0\"", "\"Status\":\"SUCCESS\""];
                    prop_assert!(word.iter().any(|word| said.contains(word)), "{} {}", status, said);
                }
            }
            let taken = each.iter().filter(|verdict| verdict.is_ok()).count();
            if taken > 0 && court.definition.results.is_none() {
                prop_assert_eq!(taken, count);
            }
        }
    }
}
