//! The general questions: what any service may do to any platform, and what must never follow from it.
//!
//! Nothing here is written in a sidecar. What is right follows from the definition: a reply that one of its rules knows is the rule's,
//! but never a success and never sent again after doubt without a `because`; every other reply means what HTTP says in general.

use std::collections::BTreeSet;
use std::time::Duration;

use notify::batch::{Batch, Verdict};
use notify::error::ErrorKind;
use notify::platform::sign;
use serde_json::{Value, json};

use super::sidecar::{Sent, Sidecar, id};
use super::stage::{Answer, Asked, Nobody, Reply};
use super::stand::{Came, Opened, PATIENT, Stand};

/// The deadline of the questions that wait for it: long enough for a connection on a busy machine.
const SHORT: Duration = Duration::from_millis(1200);

/// The names of all questions, for `differs`, `covered` and `not`.
pub const NAMES: [&str; 24] = [
    "ok",
    "status_500",
    "status_502",
    "status_504",
    "busy",
    "busy_later",
    "throttled",
    "throttled_later",
    "unauthorized",
    "hang",
    "closed",
    "refused",
    "cut",
    "oversize",
    "garbage",
    "empty",
    "redirect",
    "bad_address",
    "secrets",
    "count",
    "keys",
    "batch_key",
    "run",
    "golden",
];

/// What a verdict may be where no rule of the definition speaks.
struct Right {
    kinds: &'static [ErrorKind],
    /// A success is as right (the status alone decides).
    sent: bool,
    /// Nobody knows whether it was taken: a rule that sends again needs its reason.
    doubtful: bool,
    /// The wait that the reply names.
    later: Option<Duration>,
}

impl Right {
    fn only(kinds: &'static [ErrorKind]) -> Self {
        Right { kinds, sent: false, doubtful: false, later: None }
    }

    fn doubt() -> Self {
        Right { doubtful: true, ..Right::only(&[ErrorKind::InDoubt]) }
    }
}

pub async fn ask(stand: &Stand) {
    let asked = [
        replies(stand).await,
        silence(stand).await,
        nobody(stand).await,
        bad_addresses(stand),
        echoes(stand).await,
        counts(stand).await,
        keys(stand).await,
        batch_keys(stand).await,
    ];
    for what in asked.into_iter().filter_map(Result::err) {
        stand.wrong("questions", what);
    }
}

/// Every reply that is not what the sidecar calls good.
async fn replies(stand: &Stand) -> Result<(), String> {
    use ErrorKind as K;
    let sidecar = &stand.sidecar;
    let good = sidecar.ok.staged();
    let page = |status: u16| Reply::text(status, "<html><h1>Gateway</h1></html>").header("x-page", "of a gateway");
    let alone = stand.facts.status_alone();
    let opened = stand.open(None, PATIENT)?;

    stand.play(vec![good.clone().into()]);
    let question = "ok";
    let came = send(stand, question, &opened).await?;
    judge(stand, question, &came, &Right { sent: true, ..Right::only(&[]) });

    const SEVEN: Option<Duration> = Some(Duration::from_secs(7));
    let refusals: &'static [K] = &[K::Unauthorized, K::BadAddress];
    let by_status: [(&str, u16, Right); 8] = [
        ("status_500", 500, Right::doubt()),
        ("status_502", 502, Right::doubt()),
        ("status_504", 504, Right::doubt()),
        ("busy", 503, Right::only(&[K::Unavailable])),
        ("busy_later", 503, Right { later: SEVEN, ..Right::only(&[K::Unavailable]) }),
        ("throttled", 429, Right::only(&[K::Throttled])),
        ("throttled_later", 429, Right { later: SEVEN, ..Right::only(&[K::Throttled]) }),
        ("unauthorized", 401, Right::only(refusals)),
    ];
    for (question, status, right) in by_status {
        for body in [page(status), Reply { status, ..good.clone() }, Reply::status(status)] {
            let body = if right.later.is_some() { body.header("retry-after", "7") } else { body };
            // A refused token is fetched again: what the second send says counts.
            let opened = stand.open(None, PATIENT)?;
            stand.play(vec![body.into()]);
            let came = send(stand, question, &opened).await?;
            judge(stand, question, &came, &right);
        }
    }

    let never: &'static [K] = &[K::InDoubt, K::BadMessage, K::Misconfigured, K::Unauthorized, K::BadAddress];
    let unread = || Right { sent: alone, doubtful: true, ..Right::only(never) };
    let half = good.body.len() / 2;
    let mut padded = good.clone();
    padded.body.extend(std::iter::repeat_n(b' ', 100_000));
    let status = good.status;
    let bodies: Vec<(&str, Answer)> = vec![
        ("cut", Answer::Cut(Reply { body: good.body[..half].to_vec(), ..good.clone() })),
        ("cut", Answer::Cut(good.clone())),
        ("oversize", padded.into()),
        ("oversize", page(status).body("x".repeat(200_000)).into()),
        ("garbage", page(status).into()),
        ("garbage", Reply::json(status, &json!({"unexpected": [1, 2]})).into()),
        ("garbage", Reply::json(status, &json!([])).into()),
        ("garbage", Reply::json(status, &Value::Null).into()),
        ("garbage", Reply::text(status, "{\"ok\": tru").into()),
        ("garbage", Reply::status(status).body([0xff_u8, 0xfe, 0x00, 0x80]).into()),
        ("empty", Reply { body: Vec::new(), ..good.clone() }.into()),
        ("empty", Reply::status(status).into()),
    ];
    for (question, answer) in bodies {
        let opened = stand.open(None, PATIENT)?;
        stand.play(vec![answer]);
        let came = send(stand, question, &opened).await?;
        judge(stand, question, &came, &unread());
    }

    let moved = Right::only(&[K::BadMessage, K::Misconfigured, K::BadAddress]);
    for status in [301, 302, 307, 308] {
        let target = format!("{}/elsewhere", stand.stage.url());
        stand.play(vec![Reply { status, ..good.clone() }.header("location", &target).into()]);
        let came = send(stand, "redirect", &opened).await?;
        judge(stand, "redirect", &came, &moved);
        if came.asked.iter().any(|asked| asked.path == "/elsewhere") {
            stand.wrong("redirect", "it was followed");
        }
    }
    Ok(())
}

/// No answer at all, after the request.
async fn silence(stand: &Stand) -> Result<(), String> {
    let hurried = stand.open(None, SHORT)?;
    // The token first: the deadline is for the message.
    stand.play(vec![stand.sidecar.ok.staged().into()]);
    let _ = send(stand, "hang", &hurried).await?;
    stand.play(vec![Answer::Hang]);
    let came = send(stand, "hang", &hurried).await?;
    judge(stand, "hang", &came, &Right::doubt());
    let opened = stand.open(None, PATIENT)?;
    stand.play(vec![Answer::Close]);
    let came = send(stand, "closed", &opened).await?;
    judge(stand, "closed", &came, &Right::doubt());
    if stand.sidecar.token.is_some() {
        for (question, answer) in [("hang", Answer::Hang), ("closed", Answer::Close)] {
            let hurried = stand.open(None, SHORT)?;
            stand.play_with(vec![stand.sidecar.ok.staged().into()], Some(answer));
            let came = send_any(stand, question, &hurried).await?;
            let fine = |verdict: &Verdict| {
                verdict.as_ref().is_err_and(|error| error.kind != ErrorKind::InDoubt && error.kind.retryable())
            };
            if !came.asked.is_empty() || !came.verdicts.iter().all(fine) {
                stand.wrong(question, format!("the token did not come, so nothing was sent: came {:?}", came.verdicts));
            }
        }
    }
    Ok(())
}

/// Nobody listens.
async fn nobody(stand: &Stand) -> Result<(), String> {
    let nobody = Nobody::new();
    let sidecar = Sidecar::read(&stand.text, &nobody.url())?;
    let opened = stand.open_of(&sidecar, None, PATIENT)?;
    stand.play(vec![sidecar.ok.staged().into()]);
    let batch = Batch::one(sidecar.delivery(&sidecar.send, 0)?);
    let came = stand.send("refused", &opened, &batch).await;
    if !came.asked.is_empty() || !came.tokens.is_empty() {
        stand.wrong("refused", "the account's `{{server}}` does not decide where its requests go");
    }
    judge(stand, "refused", &came, &Right::only(&[ErrorKind::Unreachable]));
    Ok(())
}

fn bad_addresses(stand: &Stand) -> Result<(), String> {
    let question = "bad_address";
    let opened = stand.open(None, PATIENT)?;
    stand.play(vec![stand.sidecar.ok.staged().into()]);
    let Some(addresses) = &stand.sidecar.bad_to else {
        return Err("write `bad_to`: addresses that are refused, or [] where every text is one".to_owned());
    };
    for to in addresses {
        let mut sending = stand.sidecar.send.clone();
        sending.to = Some(to.clone());
        let delivery = stand.sidecar.delivery(&sending, 0)?;
        let (to, message) = (&delivery.envelope.to, &delivery.message);
        match opened.lane(to).map(|_| ()).and_then(|()| opened.examine(to, message)) {
            Err(error) if error.kind == ErrorKind::BadAddress => stand.safe(question, &opened, &error.to_string()),
            other => stand.wrong(question, format!("{:?} gives {other:?}", to.as_str())),
        }
    }
    if stand.stage.count() > 0 {
        stand.wrong(question, "something was sent");
    }
    Ok(())
}

/// A service that repeats what it was told, credentials and all, wherever an error may have words.
async fn echoes(stand: &Stand) -> Result<(), String> {
    let question = "secrets";
    let settings = stand.sidecar.settings(None)?;
    let secrets = stand.secrets(&stand.sidecar, &settings);
    for status in [200, 400, 401, 403, 404, 429, 500, 503] {
        for plain in [true, false] {
            let opened = stand.open(None, PATIENT)?;
            let token = stand.sidecar.token.as_ref().map(|token| (token.request.path.clone(), token.reply.staged()));
            let (secrets, good) = (secrets.clone(), stand.sidecar.ok.staged());
            stand.stage.script(move |asked: &Asked| -> Answer {
                if let Some((path, reply)) = &token
                    && super::compare::matches(path, &asked.path)
                {
                    return reply.clone().into();
                }
                let words = format!("you said {} and {}", secrets.join(" "), asked.whole());
                if plain {
                    return Reply::text(status, &words).into();
                }
                // The words stand wherever a definition may look for them: in the good reply's place of anything, and beside it.
                let mut tree = serde_json::from_slice::<Value>(&good.body).unwrap_or_else(|_| json!({}));
                flood(&mut tree, &words);
                if let Value::Object(map) = &mut tree {
                    for name in [
                        "message",
                        "msg",
                        "error",
                        "errmsg",
                        "detail",
                        "description",
                        "Message",
                        "error_text",
                        "code",
                        "error_code",
                    ] {
                        map.insert(name.to_owned(), json!(words));
                    }
                    map.insert("errors".to_owned(), json!([{"message": words, "code": words, "field": words}, words]));
                }
                Reply::json(status, &tree).into()
            });
            // Every word that comes of it is searched in `send`.
            let came = send_any(stand, question, &opened).await?;
            for (name, value) in came.asked.iter().flat_map(|asked| &asked.headers).filter(|(name, _)| name == "authorization") {
                let credential = value.rsplit(' ').next().unwrap_or_default();
                let told = format!("{:?}", came.verdicts);
                if credential.len() >= 8 && told.contains(credential) {
                    stand.wrong(question, format!("the {name} header stands in: {told}"));
                }
            }
        }
    }
    Ok(())
}

/// Every text and number of the tree becomes these words.
fn flood(tree: &mut Value, words: &str) {
    match tree {
        Value::Object(map) => map.values_mut().for_each(|value| flood(value, words)),
        Value::Array(list) => list.iter_mut().for_each(|value| flood(value, words)),
        leaf => *leaf = json!(words),
    }
}

/// As many verdicts as deliveries, whatever the service says; and none of them "sent" where it says nothing.
async fn counts(stand: &Stand) -> Result<(), String> {
    let question = "count";
    if !stand.facts.has("/batch") {
        return Ok(());
    }
    if stand.sidecar.batch.len() < 2 {
        return Err("the definition has `batch`: write a `batch` of two deliveries or more".to_owned());
    }
    let word = Sent::Word("batch".to_owned());
    let several = stand.sidecar.ok_batch.as_ref().unwrap_or(&stand.sidecar.ok).staged();
    // What the sidecar says of this question is of replies without a word for each delivery, never of refusals.
    let alone = stand.facts.status_alone() && (!stand.facts.has("/results") || stand.differing(question).is_some());
    let answers: Vec<(Answer, bool)> = vec![
        (several.clone().into(), true),
        (Reply::json(several.status, &json!({"unexpected": [1]})).into(), alone),
        (Reply { body: Vec::new(), ..several.clone() }.into(), alone || several.body.is_empty()),
        (Answer::Cut(Reply { body: several.body[..several.body.len() / 2].to_vec(), ..several.clone() }), alone),
        (Reply::status(500).into(), false),
        (Answer::Close, false),
    ];
    for (at, (answer, sent)) in answers.into_iter().enumerate() {
        let opened = stand.open(None, PATIENT)?;
        let Some(batch) = stand.batch(question, &opened, stand.sidecar.deliveries(Some(&word))?) else { return Ok(()) };
        stand.play(vec![answer]);
        let came = stand.send(question, &opened, &batch).await;
        if came.asked.len() != 1 {
            stand.wrong(
                question,
                format!("answer {at}: {} deliveries made {} requests", batch.deliveries().len(), came.asked.len()),
            );
        }
        let taken = came.verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        if (taken > 0 && !sent) || (at == 0 && taken < came.verdicts.len()) {
            stand.wrong(question, format!("answer {at}: {taken} of {} sent: {:?}", came.verdicts.len(), came.verdicts));
        }
        if at >= 4 {
            judge_general(stand, question, &came, &Right::doubt());
        }
    }
    Ok(())
}

/// The key against doubles stays over tries, and no two deliveries share it.
async fn keys(stand: &Stand) -> Result<(), String> {
    let question = "keys";
    let Some(idempotency) = stand.facts.at("/idempotency") else { return Ok(()) };
    let format = idempotency.pointer("/format").and_then(Value::as_str).unwrap_or("string");
    let written = |number: usize| match format {
        "uuid" => sign::uuid5(id(number).as_str()),
        "hex32" => sign::uuid5(id(number).as_str()).replace('-', ""),
        _ => id(number).to_string(),
    };
    let opened = stand.open(None, PATIENT)?;
    for (number, attempt) in [(0, 1), (0, 2), (1, 1)] {
        let mut sending = stand.sidecar.send.clone();
        sending.attempt = Some(attempt);
        let batch = Batch::one(stand.sidecar.delivery(&sending, number)?);
        stand.play(vec![stand.sidecar.ok.staged().into()]);
        let came = stand.send(question, &opened, &batch).await;
        let whole = came.asked.first().map(Asked::whole).unwrap_or_default();
        if !whole.contains(&written(number)) || whole.contains(&written(1 - number)) {
            stand.wrong(question, format!("delivery {number}, try {attempt}, should carry {}:\n{whole}", written(number)));
        }
    }
    Ok(())
}

/// A batch that is sent again carries the same key, and another batch another.
async fn batch_keys(stand: &Stand) -> Result<(), String> {
    let question = "batch_key";
    let Some(idempotency) = stand.facts.at("/idempotency").filter(|_| stand.facts.has("/batch")) else { return Ok(()) };
    let deliveries = || stand.sidecar.deliveries(Some(&Sent::Word("batch".to_owned())));
    if deliveries()?.len() < 2 {
        return Ok(()); // asked for by `count`
    }
    let header = idempotency.pointer("/header").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let query = idempotency.pointer("/query").and_then(Value::as_str).map(str::to_owned);
    // In a body it stands under the keys whose template names it.
    let mut names = BTreeSet::new();
    for pointer in ["/batch", "/request"] {
        stand.facts.at(pointer).into_iter().for_each(|tree| bearers(tree, "", &mut names));
    }
    let key = |asked: &Asked| -> Vec<String> {
        let mut found: Vec<String> = header.iter().filter_map(|name| asked.header(name)).map(str::to_owned).collect();
        found.extend(
            asked
                .query
                .iter()
                .filter(|(name, _)| query.as_ref() == Some(name) || names.contains(name))
                .map(|(_, key)| key.clone()),
        );
        values(&asked.json(), &names, &mut found);
        found.extend(asked.form().into_iter().filter(|(name, _)| names.contains(name)).map(|(_, key)| key));
        found
    };
    let opened = stand.open(None, PATIENT)?;
    let mut seen = Vec::new();
    for (attempt, reversed) in [(1, false), (2, false), (1, true)] {
        let mut deliveries = deliveries()?;
        deliveries.iter_mut().for_each(|delivery| delivery.envelope.attempt = attempt);
        if reversed {
            deliveries.pop();
            deliveries.extend(stand.sidecar.batch.last().map(|last| stand.sidecar.delivery(last, 99)).transpose()?);
        }
        let Some(batch) = stand.batch(question, &opened, deliveries) else { return Ok(()) };
        stand.play(vec![stand.sidecar.ok_batch.as_ref().unwrap_or(&stand.sidecar.ok).staged().into()]);
        let came = stand.send(question, &opened, &batch).await;
        seen.push(came.asked.first().map(&key).unwrap_or_default());
    }
    match &seen[..] {
        [first, ..] if first.is_empty() => stand.wrong(question, "the request of a batch carries no key that could be found"),
        [first, again, _] if first != again => {
            stand.wrong(question, format!("sent again under another key: {first:?}, {again:?}"))
        }
        [first, _, other] if first == other => stand.wrong(question, format!("another batch has the same key: {first:?}")),
        _ => {}
    }
    Ok(())
}

/// The names under which `{{idem}}` stands.
fn bearers(tree: &Value, name: &str, found: &mut BTreeSet<String>) {
    match tree {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            // `{$ref: idem}` and `{value: …}` belong to the name above.
            bearers(value, if key.starts_with('$') || key == "value" { name } else { key }, found);
        }),
        Value::Array(list) => list.iter().for_each(|value| bearers(value, name, found)),
        Value::String(text) if text.contains("{{idem}}") || text == "idem" => {
            found.insert(name.to_owned());
        }
        _ => {}
    }
}

/// The values under these names, wherever they stand.
fn values(tree: &Value, names: &BTreeSet<String>, found: &mut Vec<String>) {
    match tree {
        Value::Object(map) => {
            for (key, value) in map {
                if names.contains(key) && !value.is_object() && !value.is_array() {
                    found.push(value.to_string());
                }
                values(value, names, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| values(value, names, found)),
        _ => {}
    }
}

async fn send_any(stand: &Stand, question: &str, opened: &Opened) -> Result<Came, String> {
    let batch = Batch::one(stand.sidecar.delivery(&stand.sidecar.send, 0)?);
    Ok(stand.send(question, opened, &batch).await)
}

/// The usual delivery, which leaves once.
async fn send(stand: &Stand, question: &str, opened: &Opened) -> Result<Came, String> {
    let came = send_any(stand, question, opened).await?;
    let twice = came.asked.len() == 2 && !came.tokens.is_empty() && stand.facts.has("/token/invalid_when");
    if came.asked.len() != 1 && !twice {
        stand.wrong(question, format!("one request was expected, {} came: {:?}", came.asked.len(), came.verdicts));
    }
    Ok(came)
}

impl Stand {
    fn differing(&self, question: &str) -> Option<&super::sidecar::Differs> {
        self.sidecar.differs.get(question)
    }
}

/// Whether the verdicts are right; what the sidecar says of this question goes first.
fn judge(stand: &Stand, question: &str, came: &Came, right: &Right) {
    if let Some(differs) = stand.differing(question) {
        return stand.expect(&format!("{question} (differs because {})", differs.because), &differs.expect, came);
    }
    judge_general(stand, question, came, right);
}

/// The same without a word of the sidecar.
fn judge_general(stand: &Stand, question: &str, came: &Came, right: &Right) {
    let rule = came.fired.last().and_then(|(list, number)| {
        let number = usize::try_from(*number).ok()?.checked_sub(1)?;
        stand.facts.rules(list).into_iter().nth(number)
    });
    let spoken = rule.as_ref().filter(|rule| rule.told.get("when").is_some());
    for verdict in &came.verdicts {
        let wrong = |what: &str| stand.wrong(question, format!("{what}\n      came {verdict:?}"));
        match verdict {
            Ok(_) if right.sent => {}
            Ok(_) => wrong("this reply does not say that the message was taken"),
            Err(error) => {
                if let Some(rule) = spoken {
                    let again = matches!(error.kind, ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Unreachable);
                    if right.doubtful && again && rule.told.get("because").is_none() {
                        wrong(&format!("the rule on line {} sends again after doubt and gives no reason", rule.line));
                    }
                } else if !right.kinds.contains(&error.kind) {
                    wrong(&format!("expected {}", right.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or ")));
                }
                // A wait that a rule takes from elsewhere goes before the header.
                let own = spoken.and_then(|rule| rule.told.get("wait")).and_then(Value::as_array);
                let elsewhere = own.is_some_and(|waits| {
                    !waits.iter().any(|wait| {
                        wait.get("header").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case("retry-after"))
                    })
                });
                let holds = matches!(error.kind, ErrorKind::Throttled | ErrorKind::Unavailable);
                if holds && !elsewhere && right.later.is_some_and(|later| error.retry_after.is_none_or(|wait| wait < later)) {
                    wrong("the wait that the service named is lost");
                }
            }
        }
    }
}
