//! What the sidecar itself asks: golden requests of every kind, documented replies, the token's flow, and that no rule went unasked.

use std::collections::BTreeSet;

use notify::batch::Batch;
use notify::platform::Batching;

use super::compare;
use super::sidecar::{Case, Golden, Reply, Sent, Sidecar, Token};
use super::signatures;
use super::stage::Answer;
use super::stand::{Came, Opened, PATIENT, Stand};

/// Everything that the sidecar says, and what it must say.
pub async fn ask(stand: &Stand) {
    for golden in &stand.sidecar.golden {
        let question = titled(stand, "golden", &golden.kind, golden.name.as_deref());
        if let Err(what) = ask_golden(stand, &question, golden).await {
            stand.wrong(&question, what);
        }
    }
    let known = stand.facts.kinds();
    let asked: BTreeSet<&str> = stand.sidecar.golden.iter().map(|golden| golden.kind.as_str()).collect();
    for kind in &known {
        let several = kind == "batch" && asked.iter().any(|asked| asked.starts_with("batch"));
        if !asked.contains(kind.as_str()) && !several {
            stand.wrong("golden", format!("the kind `{kind}` of {} has no golden request", stand.facts.file));
        }
    }
    for kind in asked {
        let single = kind.strip_prefix("batch.").is_some_and(|kind| known.iter().any(|known| known == kind));
        if !known.iter().any(|known| known == kind) && !single {
            stand.wrong("golden", format!("{} has no kind `{kind}`; it has {}", stand.facts.file, known.join(", ")));
        }
    }
    for (at, case) in stand.sidecar.cases.iter().enumerate() {
        let question = titled(stand, "case", &format!("{}", at + 1), case.name.as_deref());
        if let Err(what) = ask_case(stand, &question, case).await {
            stand.wrong(&question, what);
        }
    }
    refused(stand);
    if let Err(what) = parted(stand) {
        stand.wrong("alone", what);
    }
    if let Some(token) = &stand.sidecar.token {
        if let Err(what) = ask_token(stand, token).await {
            stand.wrong("token", what);
        }
    } else if stand.facts.has("/token") {
        stand.wrong("token", "the definition fetches a token: write `token` with its request and reply");
    }
    if let Err(what) = ask_check(stand).await {
        stand.wrong("check", what);
    }
    for list in ["errors", "results"] {
        for (at, rule) in stand.facts.rules(list).iter().enumerate() {
            if !stand.has_fired(list, at + 1) {
                let what = format!(
                    "rule {} of {} (`{list}`, line {}) is never asked: {}",
                    at + 1,
                    stand.facts.file,
                    rule.line,
                    rule.told
                );
                stand.wrong("rules", what);
            }
        }
    }
}

/// `case 3 (why), line 40`: cases have no names of their own, so the file's line is found by counting.
fn titled(stand: &Stand, section: &str, what: &str, name: Option<&str>) -> String {
    let line =
        name.and_then(|name| stand.text.lines().position(|line| line.contains(name))).map(|at| format!(", line {}", at + 1));
    format!("{section} {what}{}{}", name.map(|name| format!(" ({name})")).unwrap_or_default(), line.unwrap_or_default())
}

/// The good reply to this.
fn good(sidecar: &Sidecar, several: bool) -> &Reply {
    if several { sidecar.ok_batch.as_ref().unwrap_or(&sidecar.ok) } else { &sidecar.ok }
}

fn batch(stand: &Stand, question: &str, opened: &Opened, sent: Option<&Sent>) -> Result<Option<Batch>, String> {
    Ok(stand.batch(question, opened, stand.sidecar.deliveries(sent)?))
}

async fn ask_golden(stand: &Stand, question: &str, golden: &Golden) -> Result<(), String> {
    let sidecar = &stand.sidecar;
    let opened = stand.open(golden.account.as_deref(), PATIENT)?;
    let several_said = golden.kind.starts_with("batch") && golden.send.is_none();
    let word = Sent::Word("batch".to_owned());
    let Some(batch) = batch(stand, question, &opened, golden.send.as_ref().or(several_said.then_some(&word)))? else {
        return Ok(());
    };
    shared(stand, question, &opened, &batch);
    match opened.show(&batch) {
        Some(Ok(shown)) => stand.safe(&format!("{question} (show)"), &opened, &shown),
        Some(Err(error)) => stand.wrong(question, format!("cannot be shown: {error}")),
        None => stand.wrong(question, "the request cannot be shown (`show` answers nothing)"),
    }
    let several = batch.deliveries().len() > 1;
    let reply = golden.reply.as_ref().unwrap_or_else(|| good(sidecar, several));
    stand.play(vec![reply.staged().into()]);
    let came = stand.send(question, &opened, &batch).await;
    match &came.asked[..] {
        [asked] => {
            compare::differences(&golden.request, asked).into_iter().for_each(|what| stand.wrong(question, what));
            let settings = sidecar.settings(golden.account.as_deref())?;
            signatures::wrong(stand, &settings, asked).into_iter().for_each(|what| stand.wrong(question, what));
        }
        asked => stand.wrong(question, format!("one request was expected, {} came", asked.len())),
    }
    for asked in &came.tokens {
        if let Some(token) = &sidecar.token {
            compare::differences(&token.request, asked)
                .into_iter()
                .for_each(|what| stand.wrong(&format!("{question}: token"), what));
        }
    }
    match &golden.expect {
        Some(expect) => stand.expect(question, expect, &came),
        None => all_sent(stand, question, &came),
    }
    Ok(())
}

/// Deliveries of one golden request must be such that the batcher would put them into one.
fn shared(stand: &Stand, question: &str, opened: &Opened, batch: &Batch) {
    let count = batch.deliveries().len();
    if count < 2 {
        return;
    }
    let most = match opened.capability().batching {
        Batching::Single => 1,
        Batching::Shared(most) | Batching::Individual(most) => most.get(),
    };
    if count > most {
        return stand.wrong(question, format!("{count} deliveries in one request, but the platform carries {most}"));
    }
    let shares: Vec<_> = batch.deliveries().iter().map(|delivery| opened.share(delivery)).collect();
    let groups: BTreeSet<_> = shares.iter().map(|share| share.map(|share| share.group)).collect();
    if groups.len() != 1 || groups.contains(&None) {
        stand.wrong(question, format!("the batcher would not put these into one request: {shares:?}"));
    }
    let bytes: usize = shares.iter().flatten().map(|share| share.bytes).sum();
    if opened.most_bytes().is_some_and(|most| bytes > most) {
        stand.wrong(question, format!("{bytes} bytes are more than one request carries"));
    }
    let unique: Vec<_> = shares.iter().flatten().filter_map(|share| share.unique).collect();
    if unique.iter().collect::<BTreeSet<_>>().len() != unique.len() {
        stand.wrong(question, "two deliveries of one request have the same address, where each may come only once");
    }
}

fn all_sent(stand: &Stand, question: &str, came: &Came) {
    for verdict in came.verdicts.iter().filter(|verdict| verdict.is_err()) {
        stand.wrong(question, format!("expected sent, came {verdict:?}"));
    }
}

async fn ask_case(stand: &Stand, question: &str, case: &Case) -> Result<(), String> {
    let opened = stand.open(case.account.as_deref(), PATIENT)?;
    let Some(batch) = batch(stand, question, &opened, case.send.as_ref())? else { return Ok(()) };
    let replies: Vec<Answer> = case.reply.iter().chain(&case.replies).map(|reply| reply.staged().into()).collect();
    if replies.is_empty() {
        return Err("write reply or replies".to_owned());
    }
    stand.play(replies);
    let came = stand.send(question, &opened, &batch).await;
    stand.expect(question, &case.expect, &came);
    stand.expect_more(question, case, &came);
    if let Some(next) = &case.next {
        stand.play(vec![good(&stand.sidecar, batch.deliveries().len() > 1).staged().into()]);
        let again = stand.send(question, &opened, &batch).await;
        if !again.asked.iter().any(|asked| asked.whole().contains(&next.to.0)) {
            let whole = again.asked.first().map(|asked| asked.whole()).unwrap_or_default();
            stand.wrong(question, format!("the next try should go to {}, and went:\n{whole}", next.to.0));
        }
    }
    Ok(())
}

/// Content that is refused must be refused before anything is sent, whether it is asked beforehand or not.
fn refused(stand: &Stand) {
    for (at, refusal) in stand.sidecar.refused.iter().enumerate() {
        let question = format!("refused {}", at + 1);
        let told = stand.open(refusal.account.as_deref(), PATIENT).and_then(|opened| {
            let delivery = stand.sidecar.delivery(&refusal.send, 0)?;
            let (to, message) = (&delivery.envelope.to, &delivery.message);
            Ok((opened.lane(to).map(|_| ()).and_then(|()| opened.examine(to, message)), opened))
        });
        match told {
            Err(what) => stand.wrong(&question, what),
            Ok((Ok(()), _)) => stand.wrong(&question, "it was found good"),
            Ok((Err(error), opened)) => {
                stand.safe(&question, &opened, &error.to_string());
                let kind = error.kind.as_str();
                if !matches!(kind, "bad_message" | "bad_address" | "bad_row") || !error.detail.contains(&refusal.says) {
                    stand.wrong(&question, format!("expected a refusal with {:?}, came {error}", refusal.says));
                }
            }
        }
    }
}

/// What must go alone does, while the usual delivery may share; what must not share with each other does not.
fn parted(stand: &Stand) -> Result<(), String> {
    let sidecar = &stand.sidecar;
    if sidecar.alone.is_empty() && sidecar.apart.is_empty() {
        return Ok(());
    }
    let opened = stand.open(None, PATIENT)?;
    let share = |sending, number| sidecar.delivery(sending, number).map(|delivery| opened.share(&delivery));
    if share(&sidecar.send, 0)?.is_none() {
        return Err("the usual delivery may not share a request either".to_owned());
    }
    for (at, sending) in sidecar.alone.iter().enumerate() {
        if let Some(share) = share(sending, 0)? {
            stand.wrong(&format!("alone {}", at + 1), format!("it would share a request: {share:?}"));
        }
    }
    for (at, (one, other)) in sidecar.apart.iter().enumerate() {
        let question = format!("apart {}", at + 1);
        match (share(one, 0)?, share(other, 1)?) {
            (Some(one), Some(other)) if one.group != other.group || (one.unique.is_some() && one.unique == other.unique) => {}
            (Some(_), Some(_)) => stand.wrong(&question, "the two would share a request"),
            _ => stand.wrong(&question, "one of the two goes alone: write it under alone"),
        }
    }
    Ok(())
}

/// One call for many sends; a refused token is fetched once more and no oftener; the token's own refusals.
async fn ask_token(stand: &Stand, token: &Token) -> Result<(), String> {
    let sidecar = &stand.sidecar;
    let opened = stand.open(None, PATIENT)?;
    let ok = || Answer::Say(sidecar.ok.staged());
    stand.play(vec![ok()]);
    let question = "token: one for all";
    let batches: Vec<Batch> =
        (0..8).map(|number| sidecar.delivery(&sidecar.send, number).map(Batch::one)).collect::<Result<_, _>>()?;
    let came = futures_util::future::join_all(batches.iter().map(|batch| stand.send(question, &opened, batch))).await;
    came.iter().for_each(|came| all_sent(stand, question, came));
    let last = stand.send(question, &opened, &batches[0]).await;
    if last.tokens.len() != 1 {
        stand.wrong(question, format!("nine sends made {} calls for a token", last.tokens.len()));
    }
    for asked in &last.tokens {
        compare::differences(&token.request, asked).into_iter().for_each(|what| stand.wrong("token: golden", what));
    }
    match (&token.invalid, stand.facts.has("/token/invalid_when")) {
        (Some(invalid), _) => {
            let question = "token: refused once";
            stand.play(vec![invalid.staged().into(), ok()]);
            let came = stand.send(question, &opened, &batches[0]).await;
            all_sent(stand, question, &came);
            if (came.asked.len(), came.tokens.len()) != (2, 1) {
                let (sends, tokens) = (came.asked.len(), came.tokens.len());
                stand.wrong(question, format!("expected two sends and one new token, came {sends} and {tokens}"));
            }
            let question = "token: refused for ever";
            stand.play(vec![invalid.staged().into()]);
            let came = stand.send(question, &opened, &batches[0]).await;
            if came.asked.len() > 2 || came.tokens.len() > 1 || came.verdicts.iter().any(Result::is_ok) {
                let (sends, tokens) = (came.asked.len(), came.tokens.len());
                stand.wrong(question, format!("{sends} sends, {tokens} tokens, {:?}", came.verdicts));
            }
        }
        (None, true) => stand.wrong("token", "the definition has `invalid_when`: write the reply that means it as `invalid`"),
        (None, false) => {}
    }
    for (at, case) in token.cases.iter().enumerate() {
        let question = format!("token case {}", at + 1);
        let opened = stand.open(None, PATIENT)?;
        stand.play_with(vec![ok()], Some(case.reply.staged().into()));
        let came = stand.send(&question, &opened, &batches[0]).await;
        stand.expect(&question, &case.expect, &came);
        if !came.asked.is_empty() {
            stand.wrong(&question, "the message was sent without a token");
        }
    }
    Ok(())
}

/// The harmless call; where there is none, `check` sends nothing that could be a message.
async fn ask_check(stand: &Stand) -> Result<(), String> {
    let opened = stand.open(None, PATIENT)?;
    let Some(check) = &stand.sidecar.check else {
        if stand.facts.has("/check") {
            return Err("the definition has a `check`: write its request and reply".to_owned());
        }
        stand.play(vec![Answer::Say(stand.sidecar.ok.staged())]);
        match opened.check().await {
            Ok(told) => stand.safe("check", &opened, &told),
            Err(error) => stand.safe("check", &opened, &error.to_string()),
        }
        let token = stand.sidecar.token.as_ref().map(|token| token.request.path.clone());
        let sent = stand
            .stage
            .asked()
            .into_iter()
            .filter(|asked| token.as_ref().is_none_or(|path| !compare::matches(path, &asked.path)));
        if sent.count() > 0 {
            return Err("a request was sent, though the definition names no harmless call".to_owned());
        }
        return Ok(());
    };
    stand.play(vec![check.reply.staged().into()]);
    let told = opened.check().await.map_err(|error| format!("the credentials were not proved: {error}"))?;
    stand.safe("check", &opened, &told);
    if !told.contains(&check.says) {
        stand.wrong("check", format!("expected words with {:?}, came {told:?}", check.says));
    }
    let called =
        stand.stage.asked().into_iter().filter(|asked| compare::matches(&check.request.path, &asked.path)).collect::<Vec<_>>();
    match &called[..] {
        [asked] => compare::differences(&check.request, asked).into_iter().for_each(|what| stand.wrong("check", what)),
        _ => stand.wrong("check", format!("one call of {} was expected, {} came", check.request.path, called.len())),
    }
    stand.play(vec![Answer::Say(super::stage::Reply::status(401))]);
    if let Ok(told) = stand.open(None, PATIENT)?.check().await {
        stand.wrong("check", format!("a 401 was taken for good credentials: {told}"));
    }
    Ok(())
}
