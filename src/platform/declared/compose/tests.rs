//! Exact bytes and signatures of built-in definitions, against the vectors of platforms.md.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use handlebars::Context;
use serde_json::{Value, json};

use crate::config::account::AccountConfig;
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::message::{Body, Message};
use crate::platform::Opening;
use crate::platform::declared::account::Account;
use crate::platform::declared::compose::composer::{Composer, Moment};
use crate::platform::declared::definition::Definition;
use crate::platform::definitions::BUILT_IN;
use crate::platform::http::Call;
use crate::recipient::Position;

/// Of the vectors.
const NONCE: &str = "d410180a5abf7fe235dd9b74aca91fc0";

fn moment() -> Moment<'static> {
    Moment { now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000), token: "" }
}

fn composer_of(text: &str, settings: &str) -> Composer {
    let definition = Arc::new(Definition::read(text, Path::new("x.yaml")).unwrap_or_else(|problem| panic!("{problem}")));
    let settings = serde_yaml::from_str(settings).unwrap();
    let config = AccountConfig {
        name: "a".into(),
        platform: definition.name.0.clone(),
        limits: None,
        concurrency: None,
        knobs: Default::default(),
        shaping: None,
        settings,
    };
    let account = Account::read(&config, &definition).unwrap_or_else(|problem| panic!("{problem}"));
    Composer::new("a", &definition, account, &Opening::default(), false).unwrap_or_else(|problem| panic!("{problem}"))
}

fn composer(name: &str, settings: &str) -> Composer {
    composer_of(BUILT_IN.iter().find(|(known, _)| *known == name).unwrap().1, settings)
}

fn delivery(to: &str, tree: Value) -> Delivery {
    let id = DeliveryId::derive("lineage", to, "a");
    let envelope = Envelope { id, position: Position::row(0), account: "a".into(), to: to.into(), attempt: 1 };
    Delivery { envelope, message: Message { body: Body::Native(tree), ..Message::default() } }
}

fn alone(composer: &Composer, delivery: &Delivery) -> Call {
    let Delivery { envelope, message } = delivery;
    composer.call(&envelope.to, envelope.id.as_str(), 1, message, &moment()).unwrap()
}

fn together(composer: &Composer, deliveries: &[Delivery]) -> Call {
    composer.shared_call(deliveries, &moment()).unwrap_or_else(|unmade| panic!("{}", unmade.error))
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The request signed once more, with the vectors' own nonce.
fn signed_again(composer: &Composer, mut call: Call) -> Call {
    for name in ["authorization", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"] {
        call.headers.remove(name);
    }
    let values = Context::from(Value::Object(composer.account.values.clone()));
    composer.signing.finish(&mut call, &values, moment().now, NONCE).unwrap();
    call
}

#[test]
fn tencent_signs_the_vector_byte_for_byte() {
    let account =
        "{secret_id: AKIDEXAMPLE, secret_key: SECRETEXAMPLE, app_id: '1400006666', sign_name: notify, template_id: '1234'}";
    let composer = composer("tencent-sms", account);
    let one = delivery("+8618511122266", json!({"params": ["12345"], "session": "job1-row7"}));
    let call = alone(&composer, &one);
    let body = r#"{"PhoneNumberSet":["+8618511122266"],"SmsSdkAppId":"1400006666","SignName":"notify","TemplateId":"1234","TemplateParamSet":["12345"],"SessionContext":"job1-row7"}"#;
    assert_eq!(String::from_utf8_lossy(&call.body), body);
    assert_eq!(
        header(&call, "authorization"),
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sms/tc3_request, SignedHeaders=content-type;host;x-tc-action, \
         Signature=1046ac88d1c9a5c08360b54c9aa0a07034d9b3bd7bddfe9437549a743acd04a9"
    );
    assert_eq!((header(&call, "x-tc-version"), header(&call, "x-tc-region")), ("2021-01-11", "ap-guangzhou"));
    // In a request for several the list of numbers comes last.
    let shared = together(&composer, std::slice::from_ref(&one));
    let tree = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!(tree(&shared.body), tree(&call.body));
}

const ALIYUN: &str = "key_id: LTAIEXAMPLE, key_secret: SECRETEXAMPLE, template_code: SMS_154950909";

#[test]
fn aliyun_signs_a_call_for_one() {
    let composer = composer("aliyun-sms-same", &format!("{{{ALIYUN}, sign_name: 阿里云短信测试}}"));
    let call = alone(&composer, &delivery("13900001234", json!({"params": {"code": "1234"}, "out_id": "job1-row7"})));
    let query: Vec<(String, String)> = call.url.query_pairs().into_owned().collect();
    let pair = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((pair("TemplateParam"), pair("OutId"), query.len()), (Some(r#"{"code":"1234"}"#), Some("job1-row7"), 5));
    assert!(call.body.is_empty() && call.url.as_str().starts_with("https://dysmsapi.aliyuncs.com/?"), "{}", call.url);
    assert_eq!((header(&call, "x-acs-action"), header(&call, "x-acs-version")), ("SendSms", "2017-05-25"));
    // The vector has no type of its empty body.
    let mut call = call;
    call.headers.remove("content-type");
    let call = signed_again(&composer, call);
    let signature = "72a60a07a6fbc75eb5d288ecd114865b2dc25250bc4455f1bf37be3ea22c1c35";
    assert!(header(&call, "authorization").ends_with(signature), "{}", header(&call, "authorization"));
}

#[test]
fn aliyun_signs_a_call_for_many_byte_for_byte() {
    let composer = composer("aliyun-sms", &format!("{{{ALIYUN}, sign_name: notify}}"));
    let each = [("13900001234", "1"), ("13900005678", "2")].map(|(to, code)| delivery(to, json!({"params": {"code": code}})));
    let call = together(&composer, &each);
    let body = "PhoneNumberJson=%5B%2213900001234%22%2C%2213900005678%22%5D&SignNameJson=%5B%22notify%22%2C%22notify%22%5D\
        &TemplateParamJson=%5B%7B%22code%22%3A%221%22%7D%2C%7B%22code%22%3A%222%22%7D%5D";
    assert_eq!(String::from_utf8_lossy(&call.body), body);
    assert_eq!(call.url.as_str(), "https://dysmsapi.aliyuncs.com/?TemplateCode=SMS_154950909");
    let call = signed_again(&composer, call);
    let signature = "f07ec6e84fe91d622e31493f6550d1a4ce3d0eb00fbb32e9b52b91ec8d635de1";
    assert!(header(&call, "authorization").ends_with(signature), "{}", header(&call, "authorization"));
    // A row by itself goes in the same form.
    let one = alone(&composer, &each[0]);
    let body = "PhoneNumberJson=%5B%2213900001234%22%5D&SignNameJson=%5B%22notify%22%5D&TemplateParamJson=%5B%7B%22code%22%3A%221%22%7D%5D";
    assert_eq!(String::from_utf8_lossy(&one.body), body);
}

#[test]
fn amazon_signs_the_vector_byte_for_byte() {
    let text = r#"
schema: 1
name: mail
title: T
form: email
vars: {key_id: {}, key: {secret: true}, region: {}}
addressing: {columns: [to]}
sign: [{kind: sigv4, service: ses, region: "{{region}}", key_id: "{{key_id}}", key: "{{secret.key}}"}]
request:
  method: POST
  url: "https://email.{{region}}.amazonaws.com/v2/email/outbound-bulk-emails"
  headers: {Content-Type: application/json}
  json: {FromEmailAddress: "{{from}}"}
success: {status: 200}
"#;
    let composer = composer_of(text, "{key_id: AKIDEXAMPLE, key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, region: us-east-1}");
    let mut one = delivery("b@example.com", Value::Null);
    one.message = Message { from: Some("a@example.com".into()), body: Body::Text("t".into()), ..Message::default() };
    let call = alone(&composer, &one);
    assert_eq!(String::from_utf8_lossy(&call.body), r#"{"FromEmailAddress":"a@example.com"}"#);
    assert_eq!(header(&call, "x-amz-date"), "20231114T221320Z");
    assert_eq!(
        header(&call, "authorization"),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/us-east-1/ses/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
         Signature=6998a52d678b3ab792e2d463d19db0eac92e6db273b568f29d9ad1b503c7f77e"
    );
}
