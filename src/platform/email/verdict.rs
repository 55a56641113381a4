//! What a reply means: one ordered table from phase, basic code, enhanced code and the provider's words to an `ErrorKind`.
//!
//! The first rule that fits decides. Words come before codes only where a provider says "too fast" with a permanent code; else the
//! enhanced code (RFC 3463) counts before the basic one. Policy is not here: what follows from a kind is decided elsewhere.

use std::time::Duration;

use crate::delivery::Receipt;
use crate::error::{ErrorKind, SendError};

use super::reply::Reply;

/// What the reply answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Banner,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The final dot.
    Dot,
}

impl Phase {
    /// A session stands, and a delivery is on its way.
    pub(super) fn is_sending(self) -> bool {
        matches!(self, Phase::Mail | Phase::Rcpt | Phase::Data | Phase::Dot)
    }

    /// As a person would name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Banner => "greeting",
            Phase::Ehlo => "EHLO",
            Phase::StartTls => "STARTTLS",
            Phase::Auth => "AUTH",
            Phase::Mail => "MAIL FROM",
            Phase::Rcpt => "RCPT TO",
            Phase::Data => "DATA",
            Phase::Dot => "the message",
        }
    }
}

struct Rule {
    /// Phases it holds in; empty: all.
    phases: &'static [Phase],
    /// Basic codes, from and to.
    basic: (u16, u16),
    /// Enhanced codes without the class: `1.1`, `7.` for all of a subject; empty: whatever.
    enhanced: &'static [&'static str],
    /// Words of the text in lower case, any of them; empty: whatever.
    words: &'static [&'static str],
    kind: ErrorKind,
    /// Seconds that the provider asks to be left alone.
    wait: u64,
}

const SESSION: &[Phase] = &[Phase::Banner, Phase::Ehlo, Phase::StartTls, Phase::Auth];
const SENDING: &[Phase] = &[Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Dot];
const RECIPIENT: &[Phase] = &[Phase::Rcpt, Phase::Data, Phase::Dot];
const ANY: (u16, u16) = (400, 599);

const fn rule(
    phases: &'static [Phase],
    basic: (u16, u16),
    enhanced: &'static [&'static str],
    words: &'static [&'static str],
    kind: ErrorKind,
) -> Rule {
    Rule { phases, basic, enhanced, words, kind, wait: 0 }
}

const fn waiting(mut rule: Rule, seconds: u64) -> Rule {
    rule.wait = seconds;
    rule
}

use ErrorKind::{BadAddress, BadMessage, Misconfigured, Throttled, Unauthorized, Unavailable};

const RULES: &[Rule] = &[
    // Words that turn the meaning of a code round.
    rule(&[], ANY, &[], &["connection frequency limited", "ip frequency limited", "connection denied"], Throttled),
    rule(&[], (550, 550), &[], &["mailbox unavailable or access denied"], Throttled),
    waiting(rule(&[], (451, 451), &[], &["mi:sfq"], Throttled), 15 * 60),
    waiting(rule(&[], (451, 451), &[], &["dt:spm"], Throttled), 2 * 60),
    rule(&[], (421, 451), &[], &["hl:rep", "hl:icc", "hl:ifc", "hl:mep", "mi:dmc", "rp:drc", "rp:qrc"], Throttled),
    rule(&[], (500, 599), &[], &["dt:spm"], BadMessage),
    rule(
        &[],
        ANY,
        &[],
        &["sending quota exceeded", "enough sending quota", "message quota exceeded", "sending rate exceeded"],
        Throttled,
    ),
    rule(&[], (550, 550), &["7.30"], &["basic authentication"], Unauthorized),
    // Greylisting concerns one recipient: the lane must not be held for it.
    waiting(rule(&[], (450, 451), &[], &["greylist", "graylist", "grey list", "greylisted"], Unavailable), 5 * 60),
    // Aliyun DirectMail's own codes.
    rule(&[], (436, 436), &[], &["mail from"], Misconfigured),
    rule(&[], (551, 551), &[], &["main account unavailable"], Unauthorized),
    rule(&[], (557, 557), &[], &[], BadMessage),
    rule(&[], (559, 559), &[], &[], BadAddress),
    rule(&[], (561, 561), &[], &[], BadAddress),
    rule(&[], (563, 563), &[], &[], BadAddress),
    rule(&[], (556, 556), &[], &["too many"], Misconfigured),
    // Credentials, wherever they are asked for.
    rule(&[], (530, 530), &[], &[], Unauthorized),
    rule(&[], (534, 535), &[], &[], Unauthorized),
    rule(&[], (538, 538), &[], &[], Unauthorized),
    rule(&[Phase::Auth], (500, 504), &[], &[], Misconfigured),
    rule(&[Phase::Auth], (500, 599), &[], &[], Unauthorized),
    // Too fast, by code.
    rule(&[], (432, 432), &[], &[], Throttled),
    rule(&[], (454, 454), &["7.0"], &[], Throttled),
    rule(&[], (454, 454), &[], &["throttling"], Throttled),
    rule(&[], (421, 421), &["7.0", "7.28"], &[], Throttled),
    rule(&[], (450, 450), &["2.1"], &[], Throttled),
    rule(&[], (451, 451), &["7.1"], &[], Throttled),
    rule(&[], (452, 452), &["3.1", "5.3"], &[], Throttled),
    rule(&[], (400, 499), &[], &[], Unavailable),
    // A session that is refused.
    rule(&[Phase::Banner], (500, 599), &["3."], &[], Unavailable),
    rule(&[Phase::Banner], (500, 599), &[], &[], Unauthorized),
    rule(&[Phase::Ehlo, Phase::StartTls], (500, 599), &["7."], &[], Unauthorized),
    rule(SESSION, (500, 599), &[], &[], Misconfigured),
    // The sender's address refused says nothing about the recipient.
    rule(&[Phase::Mail], (500, 599), &["1."], &[], BadMessage),
    // The recipient does not exist (any more).
    rule(RECIPIENT, (500, 599), &["1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"], &[], BadAddress),
    rule(RECIPIENT, (553, 553), &["1."], &[], BadAddress),
    rule(&[], (500, 599), &["2.2", "3.4"], &[], BadMessage),
    rule(SENDING, (500, 599), &["7."], &[], BadMessage),
    rule(SENDING, (500, 599), &["6."], &[], BadMessage),
    rule(RECIPIENT, (556, 556), &[], &[], BadAddress),
    rule(RECIPIENT, (551, 551), &[], &[], BadAddress),
    rule(&[Phase::Rcpt], (501, 501), &[], &[], BadAddress),
    rule(&[Phase::Rcpt], (553, 553), &[], &[], BadAddress),
    rule(
        &[Phase::Rcpt],
        (550, 550),
        &[""],
        &[
            "no such user",
            "user unknown",
            "unknown user",
            "user not found",
            "mailbox not found",
            "does not exist",
            "doesn't exist",
            "no mailbox",
            "no such recipient",
            "invalid recipient",
            "recipient not found",
            "unknown recipient",
            "no such mailbox",
            "unknown mailbox",
        ],
        BadAddress,
    ),
    // A command that is not understood is the same for every row.
    rule(SENDING, (500, 504), &[], &[], Misconfigured),
    rule(SENDING, (555, 555), &[], &[], Misconfigured),
    rule(&[], (500, 599), &[], &[], BadMessage),
];

/// The failure that a 4xx or 5xx reply to this phase means; any other reply is out of step.
pub(super) fn refusal(phase: Phase, reply: &Reply) -> SendError {
    let text = reply.shown_text(500);
    let lower = text.to_lowercase();
    let enhanced = reply.enhanced().map(|(_, subject, detail)| format!("{subject}.{detail}"));
    let fits = |rule: &&Rule| {
        (rule.phases.is_empty() || rule.phases.contains(&phase))
            && (rule.basic.0..=rule.basic.1).contains(&reply.code)
            && (rule.enhanced.is_empty() || rule.enhanced.iter().any(|wanted| matches_enhanced(wanted, enhanced.as_deref())))
            && (rule.words.is_empty() || rule.words.iter().any(|word| lower.contains(word)))
    };
    let kind = match RULES.iter().find(fits) {
        Some(rule) => (rule.kind, rule.wait),
        None if phase == Phase::Dot => (ErrorKind::InDoubt, 0),
        None => (Unavailable, 0),
    };
    let text = if text.is_empty() { format!("refused at {}", phase.name()) } else { text };
    SendError::new(kind.0, text).with_code(reply.shown_code()).with_retry_after((kind.1 > 0).then(|| Duration::from_secs(kind.1)))
}

/// `1.1` is itself, `7.` all of its subject, the empty one means that there is none.
fn matches_enhanced(wanted: &str, found: Option<&str>) -> bool {
    match found {
        None => wanted.is_empty(),
        Some(found) if wanted.ends_with('.') => found.starts_with(wanted),
        Some(found) => found == wanted,
    }
}

/// The verdict on the final dot: only 250 is taken, 4xx and 5xx are refused, the rest is in doubt.
pub(super) fn of_final(reply: &Reply, note: Option<String>) -> Result<Receipt, SendError> {
    match reply.code {
        250 => {
            let text = reply.shown_text(200);
            Ok(Receipt { id: (!text.is_empty()).then_some(text), replay: false, note })
        }
        400..=599 => Err(refusal(Phase::Dot, reply)),
        _ => Err(SendError::new(
            ErrorKind::InDoubt,
            format!("the server answered {} to the message, which says nothing", reply.code),
        )
        .with_code(reply.shown_code())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(phase: Phase, line: &str) -> ErrorKind {
        let reply = Reply { code: line[..3].parse().unwrap(), text: line[3..].trim().to_owned() };
        refusal(phase, &reply).kind
    }

    #[test]
    fn every_row_of_the_table_of_replies() {
        use Phase::{Auth, Banner, Data, Dot, Mail, Rcpt};
        for (phase, line, expected) in [
            (Mail, "421 4.3.2 shutting down", Unavailable),
            (Dot, "421 4.4.2 timeout", Unavailable),
            (Banner, "421 4.7.0 try later", Throttled),
            (Rcpt, "421 4.7.28 too many from your address", Throttled),
            (Rcpt, "450 4.2.1 receiving mail too quickly", Throttled),
            (Rcpt, "451 4.7.1 try again", Throttled),
            (Rcpt, "452 4.3.1 no space", Throttled),
            (Rcpt, "452 4.5.3 too many recipients", Throttled),
            (Banner, "432 4.3.2 STOREDRV concurrent connections", Throttled),
            (Auth, "454 4.7.0 temporary", Throttled),
            (Dot, "454 Throttling failure: Maximum sending rate exceeded", Throttled),
            (Dot, "454 Throttling failure: Daily message quota exceeded", Throttled),
            (Rcpt, "450 4.2.0 busy", Unavailable),
            (Rcpt, "451 4.3.0 local error", Unavailable),
            (Dot, "451 4.4.1 no answer", Unavailable),
            (Rcpt, "451 4.7.1 Greylisted, come back", Unavailable),
            (Rcpt, "452 4.2.2 mailbox full", Unavailable),
            (Mail, "530 5.7.0 Must issue a STARTTLS command first", Unauthorized),
            (Auth, "535 5.7.8 bad credentials", Unauthorized),
            (Auth, "534 5.7.9 application-specific password required", Unauthorized),
            (Auth, "538 5.7.11 encryption required", Unauthorized),
            (Auth, "550 5.7.30 Basic authentication is not supported for Client Submission", Unauthorized),
            (Mail, "550 5.7.30 Basic authentication is not supported for Client Submission", Unauthorized),
            (Rcpt, "550 5.7.30 REQUIRETLS support required", BadMessage),
            (Mail, "500 what", Misconfigured),
            (Mail, "501 syntax", Misconfigured),
            (Data, "502 not implemented", Misconfigured),
            (Mail, "503 bad sequence", Misconfigured),
            (Mail, "504 parameter", Misconfigured),
            (Mail, "555 5.5.4 unsupported option", Misconfigured),
            (Rcpt, "550 5.1.1 no such user", BadAddress),
            (Rcpt, "550 5.1.0 rejected", BadAddress),
            (Rcpt, "550 5.1.2 bad domain", BadAddress),
            (Rcpt, "501 5.1.3 bad syntax", BadAddress),
            (Rcpt, "550 5.1.6 moved", BadAddress),
            (Rcpt, "550 5.1.10 null MX", BadAddress),
            (Rcpt, "550 5.2.1 disabled", BadAddress),
            (Rcpt, "551 user not local", BadAddress),
            (Rcpt, "553 5.1.4 ambiguous", BadAddress),
            (Rcpt, "550 no such user here", BadAddress),
            (Rcpt, "550 rejected by policy", BadMessage),
            (Rcpt, "552 5.2.2 mailbox full", BadMessage),
            (Mail, "552 5.3.4 too big", BadMessage),
            (Dot, "552 message too big", BadMessage),
            (Dot, "550 5.7.1 content rejected", BadMessage),
            (Dot, "554 5.7.1 spam", BadMessage),
            (Rcpt, "550 5.7.25 no PTR", BadMessage),
            (Dot, "550 5.7.26 unauthenticated", BadMessage),
            (Dot, "550 5.7.27 SPF", BadMessage),
            (Dot, "550 5.7.515 access denied", BadMessage),
            (Dot, "554 5.6.0 content", BadMessage),
            (Rcpt, "556 null MX", BadAddress),
            (Mail, "550 5.1.0 sender rejected", BadMessage),
            // "Too fast" in the words of providers.
            (Banner, "550 Connection frequency limited", Throttled),
            (Banner, "550 Ip frequency limited", Throttled),
            (Banner, "550 Connection denied", Throttled),
            (Rcpt, "550 Mailbox unavailable or access denied", Throttled),
            (Mail, "421 HL:REP 163 smtp", Throttled),
            (Mail, "421 HL:ICC 163 smtp", Throttled),
            (Mail, "421 HL:IFC 163 smtp", Throttled),
            (Mail, "421 HL:MEP 163 smtp", Throttled),
            (Mail, "450 MI:DMC 163 smtp", Throttled),
            (Mail, "450 RP:DRC 163 smtp", Throttled),
            (Mail, "451 MI:SFQ 163 smtp", Throttled),
            (Mail, "451 RP:QRC 163 smtp", Throttled),
            (Dot, "451 DT:SPM 163 smtp", Throttled),
            (Dot, "554 DT:SPM 163 smtp", BadMessage),
            (Mail, "552 Daily sending quota exceeded", Throttled),
            (Mail, "552 Monthly sending quota exceeded", Throttled),
            (Mail, "552 Not enough sending quota", Throttled),
            (Rcpt, "556 too many RCPT", Misconfigured),
            (Dot, "557 too big", BadMessage),
            (Rcpt, "559 invalid address", BadAddress),
            (Rcpt, "563 invalid address", BadAddress),
            (Rcpt, "561 honeypot", BadAddress),
            (Dot, "554 Reject by content spam", BadMessage),
            (Mail, "551 Main account unavailable", Unauthorized),
            (Mail, "436 MAIL FROM doesn't conform with authentication", Misconfigured),
            // A session refused.
            (Banner, "554 no service for you", Unauthorized),
            (Banner, "554 5.3.2 not accepting messages", Unavailable),
            (Phase::Ehlo, "550 bad helo", Misconfigured),
            (Auth, "504 mechanism unknown", Misconfigured),
        ] {
            assert_eq!(kind(phase, line), expected, "{phase:?} {line}");
        }
    }

    #[test]
    fn only_250_is_taken() {
        let reply = |code, text: &str| Reply { code, text: text.into() };
        let receipt = of_final(&reply(250, "2.0.0 Ok: queued as 4F1"), None).unwrap();
        assert_eq!(receipt.id.as_deref(), Some("Ok: queued as 4F1"));
        for code in [220, 251, 354] {
            assert_eq!(of_final(&reply(code, "x"), None).unwrap_err().kind, ErrorKind::InDoubt);
        }
        let error = of_final(&reply(550, "5.1.1 no\u{7}ne"), None).unwrap_err();
        assert_eq!((error.code.as_deref(), error.detail.as_str()), (Some("550 5.1.1"), "no ne"));
    }

    #[test]
    fn the_wait_of_the_provider_is_told() {
        let reply = Reply { code: 451, text: "DT:SPM mx".into() };
        assert_eq!(refusal(Phase::Dot, &reply).retry_after, Some(Duration::from_secs(120)));
    }
}
