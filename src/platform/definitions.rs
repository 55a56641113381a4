//! The definitions that come with the program, in the order in which lists show them.

/// Name and text of each file in `definitions/`.
macro_rules! told {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("definitions/", $name, ".yaml")))),*] };
}

/// Name and text of every definition.
#[rustfmt::skip]
pub const BUILT_IN: &[(&str, &str)] = told![
    // Feishu, DingTalk, WeCom, LINE
    "feishu-bot"
    "feishu-app"
    "feishu-batch"
    "dingtalk-robot"
    "dingtalk-app"
    "wecom-robot"
    "wecom-app"
    "line"
    "line-multicast"

    // Chat
    "slack"
    "slack-webhook"
    "telegram"
    "discord"
    "teams"
    "mattermost"
    "rocketchat"
    "matrix"
    "whatsapp"

    // Push and paging
    "ntfy"
    "gotify"
    "pushover"
    "fcm"
    "pagerduty"
    "opsgenie"

    // SMS
    "aliyun-sms"
    "aliyun-sms-same"
    "tencent-sms"
    "twilio"
    "vonage"
    "aws-sns"

    // Email by HTTP
    "sendgrid"
    "mailgun"
    "postmark"
    "resend"
    "ses"
    "brevo"

    // An endpoint of one's own
    "webhook"
];
