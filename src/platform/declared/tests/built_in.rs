//! The definitions that come with the program: one-off URLs of every form, limits, and what their accounts need.

use super::*;
use crate::limit::Quota;
use crate::platform::declared::urls::account_of_url;
use crate::platform::definitions::BUILT_IN;

fn built_in(name: &str) -> Definition {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name).unwrap();
    Definition::read(text, Path::new(name)).unwrap_or_else(|problem| panic!("{problem}"))
}

/// An URL of every documented form, in the order of the files; the account it stands for, and whom it is for.
const URLS: &[(&str, &str, &str, Option<&str>)] = &[
    (
        "aws-sns",
        "aws-sns://AKID:k3y%2Fsecret@us-east-1/+8613900001234",
        "{key_id: AKID, key: k3y/secret, region: us-east-1}",
        Some("+8613900001234"),
    ),
    ("brevo", "brevo://xkeysib-1@api/ann@example.com", "{key: xkeysib-1}", Some("ann@example.com")),
    ("discord", "discord://123/Tok-en", "{url: https://discord.com/api/webhooks/123/Tok-en}", None),
    ("gotify", "gotify://push.example.com:8443/AbC", "{base: 'https://push.example.com:8443', token: AbC}", None),
    (
        "mailgun",
        "mailgun://key-1@mg.example.com/ann@example.com",
        "{key: key-1, domain: mg.example.com}",
        Some("ann@example.com"),
    ),
    (
        "matrix",
        "matrix://t0ken@matrix.example.com/!room:matrix.example.com",
        "{token: t0ken, homeserver: 'https://matrix.example.com', room: '!room:matrix.example.com'}",
        Some("!room:matrix.example.com"),
    ),
    ("mattermost", "mattermost://chat.example.com/h00k", "{url: https://chat.example.com/hooks/h00k}", None),
    (
        "ntfy",
        "ntfy://t0ken@ntfy.example.com/alerts",
        "{base: 'https://ntfy.example.com', token: t0ken, topic: alerts}",
        Some("alerts"),
    ),
    ("ntfy", "ntfy://ntfy.example.com/alerts", "{base: 'https://ntfy.example.com', topic: alerts}", Some("alerts")),
    ("ntfy", "ntfy://alerts", "{topic: alerts}", Some("alerts")),
    ("opsgenie", "opsgenie://k3y@ops", "{key: k3y}", Some("ops")),
    ("opsgenie", "opsgenie://k3y", "{key: k3y}", None),
    ("pagerduty", "pagerduty://0123456789abcdef0123456789abcdef", "{routing_key: '0123456789abcdef0123456789abcdef'}", None),
    ("postmark", "postmark://t0ken@api/ann@example.com", "{token: t0ken}", Some("ann@example.com")),
    (
        "pushover",
        "pushover://azGDORePK8gMaC0QOYAMyEEuzJnyUi@uQiRzpo4DXghDmr9QzzfQu27cmVRsG",
        "{token: azGDORePK8gMaC0QOYAMyEEuzJnyUi, user: uQiRzpo4DXghDmr9QzzfQu27cmVRsG}",
        Some("uQiRzpo4DXghDmr9QzzfQu27cmVRsG"),
    ),
    ("resend", "resend://re_1@api/ann@example.com", "{key: re_1}", Some("ann@example.com")),
    ("rocketchat", "rocketchat://chat.example.com/ID/Token", "{url: https://chat.example.com/hooks/ID/Token}", None),
    ("sendgrid", "sendgrid://SG.1@api/ann@example.com", "{key: SG.1}", Some("ann@example.com")),
    ("ses", "ses://AKID:k3y@eu-west-1/ann@example.com", "{key_id: AKID, key: k3y, region: eu-west-1}", Some("ann@example.com")),
    ("slack", "slack://xoxb-1@%23ops", "{token: xoxb-1, channel: '#ops'}", Some("#ops")),
    ("slack-webhook", "slackhook://T1/B2/x3", "{url: https://hooks.slack.com/services/T1/B2/x3}", None),
    ("teams", "teams://flow.example.com/workflows/a?sig=s3c", "{url: 'https://flow.example.com/workflows/a?sig=s3c'}", None),
    ("telegram", "telegram://123456:AAH-x@-1001", "{token: '123456:AAH-x', chat: '-1001'}", Some("-1001")),
    (
        "twilio",
        "twilio://AC0123456789abcdef0123456789abcdef:t0ken@+15550006789/+8613900001234",
        "{account: AC0123456789abcdef0123456789abcdef, token: t0ken, from: '+15550006789'}",
        Some("+8613900001234"),
    ),
    ("vonage", "vonage://k3y:s3cret@Acme/+8613900001234", "{key: k3y, secret: s3cret, from: Acme}", Some("+8613900001234")),
    ("feishu-bot", "feishu://t0ken", "{webhook: 'https://open.feishu.cn/open-apis/bot/v2/hook/t0ken'}", None),
    ("feishu-bot", "lark://t0ken", "{webhook: 'https://open.larksuite.com/open-apis/bot/v2/hook/t0ken'}", None),
    ("feishu-app", "feishu-app://cli_1:s3cret@ou_1", "{app_id: cli_1, app_secret: s3cret}", Some("ou_1")),
    ("dingtalk-robot", "dingtalk://t0ken", "{webhook: 'https://oapi.dingtalk.com/robot/send?access_token=t0ken'}", None),
    (
        "dingtalk-app",
        "dingtalk-app://key1:s3cret@robot1/user1",
        "{app_key: key1, app_secret: s3cret, robot_code: robot1}",
        Some("user1"),
    ),
    ("wecom-robot", "wecom://k3y", "{webhook: 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k3y'}", None),
    (
        "wecom-app",
        "wecom-app://corp1:s3cret@1000002/user1",
        "{corp_id: corp1, corp_secret: s3cret, agent_id: '1000002'}",
        Some("user1"),
    ),
    ("line", "line://t0ken@U1", "{token: t0ken}", Some("U1")),
    ("webhook", "jsons://hooks.example.com/a", "{url: 'https://hooks.example.com/a'}", None),
    ("webhook", "json://127.0.0.1:8080/a", "{url: 'http://127.0.0.1:8080/a'}", None),
    ("whatsapp", "whatsapp://t0ken@1234567/+8613900001234", "{token: t0ken, number: '1234567'}", Some("+8613900001234")),
];

#[test]
fn every_form_of_url_is_an_account_that_opens() {
    let mut wrong = Vec::new();
    for (name, _) in BUILT_IN {
        let (forms, asked) = (built_in(name).urls.len(), URLS.iter().filter(|(of, ..)| of == name).count());
        if forms != asked {
            wrong.push(format!("{name} has {forms} forms of URL, {asked} are asked"));
        }
    }
    for (name, url, vars, to) in URLS {
        let definition = built_in(name);
        let expected: serde_yaml::Mapping = serde_yaml::from_str(vars).unwrap();
        match account_of_url(&definition, url) {
            Ok((settings, whom)) if settings == expected && whom.as_deref() == *to => {
                let platform = (*name).to_owned();
                let config = AccountConfig {
                    name: "url".into(),
                    platform,
                    limits: None,
                    concurrency: None,
                    knobs: Default::default(),
                    shaping: None,
                    settings,
                };
                let opened = Declared::open(Arc::new(definition), &config, &Opening::default(), clock);
                match opened {
                    Ok(opened) => {
                        wrong.extend(to.and_then(|to| opened.lane(&to.into()).err()).map(|error| format!("{url}: {error}")))
                    }
                    Err(problem) => wrong.push(format!("{url}: {problem}")),
                }
            }
            other => wrong.push(format!("{url}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_url_of_no_form_is_told_without_its_parts() {
    for (name, url) in
        [("slack", "slack://s3cret-only"), ("aws-sns", "aws-sns://s3cret@us-east-1/+1"), ("feishu-bot", "x://s3cret")]
    {
        let told = account_of_url(&built_in(name), url).unwrap_err();
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn telegram_holds_groups_and_no_people_to_twenty_a_minute() {
    let definition = built_in("telegram");
    let telegram =
        |name: &str| Quota { begins: None, ..definition.limits.iter().find(|limit| limit.0.to_string() == name).unwrap().0 };
    let quotas: Vec<String> = definition.limits.iter().map(|limit| limit.0.to_string()).collect();
    assert_eq!(quotas, ["30/s requests", "1/s requests per address", "20/min requests per address that begins with -"]);
    assert_eq!(telegram(&quotas[2]).burst.get(), 3);
    assert_eq!(definition.limits.iter().filter(|limit| limit.0.concerns("10001")).count(), 2);
    assert_eq!(definition.limits.iter().filter(|limit| limit.0.concerns("-10001")).count(), 3);
    let text = |limit: &str| format!("{}\nlimits: [{limit}]\n", reading::SMALL);
    for (limit, told) in [
        ("{per: target, max: 1, every: 1s, when: {match: '^-100'}}", "first character"),
        ("{per: target, max: 1, every: 1s, when: {match: '-'}}", "first character"),
        ("{per: target, max: 1, every: 1s, when: {eq: '-'}}", "did you mean"),
        ("{per: account, max: 1, every: 1s, when: {match: '^-'}}", "an account has no address"),
    ] {
        let problem = Definition::read(&text(limit), Path::new("x.yaml")).expect_err(limit).to_string();
        assert!(problem.contains(told) || (told == "did you mean" && problem.contains("not known here")), "{limit}: {problem}");
    }
}
