//! One platform on trial: its sidecar, its service on the stage, the answers it gave, and what was wrong with them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use notify::batch::{Batch, Refused, Verdict};
use notify::config::account::AccountConfig;
use notify::delivery::Delivery;
use notify::error::Reach;
use notify::platform::registry::{self, Listed};
use notify::platform::{Opening, Platform};
use serde_json::Value;

use super::compare;
use super::facts::Facts;
use super::listen::{Fired, Heard};
use super::sidecar::{ACCOUNT, Blame, Case, Expect, NOW, Sidecar, Told};
use super::stage::{Answer, Asked, Stage};

/// Nothing here waits so long; only a question about deadlines sets a shorter one.
pub const PATIENT: Duration = Duration::from_secs(20);

/// The clock of every request.
pub fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// A platform on trial.
pub struct Stand {
    pub listed: Listed,
    pub facts: Facts,
    pub text: String,
    pub sidecar: Sidecar,
    pub stage: Stage,
    pub heard: Heard,
    problems: RefCell<Vec<String>>,
    fired: RefCell<BTreeSet<Fired>>,
}

/// An account that was opened, and what must not be told of it.
pub struct Opened {
    pub platform: Arc<dyn Platform>,
    secrets: Vec<String>,
}

impl std::ops::Deref for Opened {
    type Target = dyn Platform;
    fn deref(&self) -> &Self::Target {
        self.platform.as_ref()
    }
}

/// What came of one batch.
pub struct Came {
    pub verdicts: Vec<Verdict>,
    pub blame: Option<Refused>,
    pub pause: Option<notify::batch::Pause>,
    /// Requests to other paths than the token's.
    pub asked: Vec<Asked>,
    /// Calls for a token.
    pub tokens: Vec<Asked>,
    /// The rules that judged, in order.
    pub fired: Vec<Fired>,
}

impl Stand {
    pub fn new(listed: Listed, facts: Facts, text: String, stage: Stage, heard: Heard) -> Result<Self, String> {
        let sidecar = Sidecar::read(&text, &stage.url())?;
        Ok(Stand { listed, facts, text, sidecar, stage, heard, problems: RefCell::default(), fired: RefCell::default() })
    }

    /// Writes down what was wrong.
    pub fn wrong(&self, question: &str, what: impl AsRef<str>) {
        self.problems.borrow_mut().push(format!("{} | {question}: {}", self.listed.name, what.as_ref()));
    }

    /// Whether that rule has judged anything so far.
    pub fn has_fired(&self, list: &str, number: usize) -> bool {
        self.fired.borrow().contains(&(list.to_owned(), number as u64))
    }

    pub fn problems(self) -> Vec<String> {
        self.problems.into_inner()
    }

    /// Opens an account of the sidecar.
    pub fn open(&self, variant: Option<&str>, deadline: Duration) -> Result<Opened, String> {
        self.open_of(&self.sidecar, variant, deadline)
    }

    /// The same with another sidecar (another address).
    pub fn open_of(&self, sidecar: &Sidecar, variant: Option<&str>, deadline: Duration) -> Result<Opened, String> {
        let settings = sidecar.settings(variant)?;
        let secrets = self.secrets(sidecar, &settings);
        let config = AccountConfig {
            name: ACCOUNT.into(),
            platform: self.listed.name.clone(),
            limits: None,
            concurrency: None,
            knobs: Default::default(),
            shaping: None,
            settings,
        };
        let opening = Opening { clock, seed: Some(1), final_timeout: Some(deadline), timeout: PATIENT, ..Opening::default() };
        let platform = registry::open(&config, &opening).map_err(|problem| format!("the account cannot be opened: {problem}"))?;
        let opened = Opened { platform, secrets };
        self.safe("Debug", &opened, &format!("{:?}", opened.platform));
        Ok(opened)
    }

    /// Plays these answers in order, the last for ever, and tokens beside them; the number of sends so far chooses.
    pub fn play(&self, answers: Vec<Answer>) {
        let token = self.sidecar.token.as_ref().map(|token| Answer::Say(token.reply.staged()));
        self.play_with(answers, token);
    }

    /// The same with this answer to calls for a token.
    pub fn play_with(&self, answers: Vec<Answer>, token: Option<Answer>) {
        let path = self.token_path();
        let sends = AtomicUsize::new(0);
        self.stage.script(move |asked: &Asked| match (&path, &token) {
            (Some(path), Some(token)) if compare::matches(path, &asked.path) => token.clone(),
            _ => {
                let number = sends.fetch_add(1, Ordering::Relaxed);
                answers[number.min(answers.len() - 1)].clone()
            }
        });
    }

    fn token_path(&self) -> Option<String> {
        self.sidecar.token.as_ref().map(|token| token.request.path.clone())
    }

    /// Sends the batch once. Every word that came of it is searched for secrets.
    pub async fn send(&self, question: &str, opened: &Opened, batch: &Batch) -> Came {
        let _ = self.heard.take();
        let count = batch.deliveries().len();
        let verdicts = opened.send(batch).await;
        let (blame, pause) = (verdicts.blame().cloned(), verdicts.pause());
        let verdicts = verdicts.into_inner();
        if verdicts.len() != count {
            self.wrong(question, format!("{count} deliveries, {} verdicts", verdicts.len()));
        }
        for verdict in &verdicts {
            self.safe(question, opened, &format!("{verdict:?}"));
            if let Err(error) = verdict {
                self.safe(question, opened, &error.to_string());
            }
        }
        let heard = self.heard.take();
        for line in &heard.lines {
            self.safe(&format!("{question} (log)"), opened, line);
        }
        self.fired.borrow_mut().extend(heard.fired.iter().cloned());
        let path = self.token_path();
        let (tokens, asked) = self
            .stage
            .asked()
            .into_iter()
            .partition(|asked| path.as_ref().is_some_and(|path| compare::matches(path, &asked.path)));
        Came { verdicts, blame, pause, asked, tokens, fired: heard.fired }
    }

    /// No secret of the account stands in this text.
    pub fn safe(&self, question: &str, opened: &Opened, text: &str) {
        if let Some(secret) = opened.secrets.iter().find(|secret| text.contains(secret.as_str())) {
            let end = secret.char_indices().nth(4).map_or(secret.len(), |(at, _)| at);
            self.wrong(question, format!("a secret ({}…) stands in: {text}", &secret[..end]));
        }
    }

    /// Everything of an account that must never be told, and what the service gives for it.
    pub fn secrets(&self, sidecar: &Sidecar, settings: &serde_yaml::Mapping) -> Vec<String> {
        let mut secrets = Vec::new();
        let keys = self.listed.keys.iter().filter(|key| key.secret);
        for value in keys.filter_map(|key| settings.get(key.name.as_str())).filter_map(serde_yaml::Value::as_str) {
            secrets.extend(secret_parts(value));
        }
        if let (Some(token), Some(pointer)) = (&sidecar.token, self.facts.at("/token/value").and_then(Value::as_str)) {
            let value = token.reply.tree().and_then(|reply| reply.pointer(pointer)).and_then(Value::as_str);
            secrets.extend(value.map(str::to_owned));
        }
        secrets.retain(|secret| secret.len() >= 6);
        secrets
    }

    /// Compares what came with what a sidecar expects.
    pub fn expect(&self, question: &str, expect: &Expect, came: &Came) {
        let each: Vec<_> = match expect {
            Expect::All(one) => vec![one; came.verdicts.len()],
            Expect::Each(each) => each.iter().collect(),
        };
        if each.len() != came.verdicts.len() {
            return self.wrong(question, format!("{} expectations for {} deliveries", each.len(), came.verdicts.len()));
        }
        for (at, (one, verdict)) in each.into_iter().zip(&came.verdicts).enumerate() {
            match one.told() {
                Err(what) => self.wrong(question, what),
                Ok(told) => {
                    for what in unmet(&told, verdict) {
                        let place = if came.verdicts.len() > 1 { format!("delivery {at}: ") } else { String::new() };
                        self.wrong(question, format!("{place}{what}\n      came {verdict:?}"));
                    }
                }
            }
        }
    }

    /// The rest of what a case says.
    pub fn expect_more(&self, question: &str, case: &Case, came: &Came) {
        let blame = match &case.refused {
            Some(Blame::For(these)) => Some(Some(Refused::For(these.clone()))),
            Some(Blame::Word(word)) if word == "somewhere" => Some(Some(Refused::Somewhere)),
            Some(Blame::Word(word)) if word == "none" => Some(None),
            Some(Blame::Word(word)) => {
                return self.wrong(question, format!("refused: `{word}` is not understood (somewhere, none, a list)"));
            }
            None => None,
        };
        if let Some(blame) = blame
            && came.blame != blame
        {
            self.wrong(question, format!("refused: expected {blame:?}, came {:?}", came.blame));
        }
        for (what, wanted, count) in [("requests", case.requests, came.asked.len()), ("tokens", case.tokens, came.tokens.len())] {
            if wanted.is_some_and(|wanted| wanted != count) {
                self.wrong(question, format!("{what}: expected {}, came {count}", wanted.unwrap_or_default()));
            }
        }
        if let Some(pause) = &case.pause {
            let so = |came: &notify::batch::Pause| {
                came.reach == pause.reach && pause.wait.wait().is_ok_and(|wait| wait == Some(came.wait))
            };
            if !came.pause.as_ref().is_some_and(so) {
                self.wrong(question, format!("pause: expected {pause:?}, came {:?}", came.pause));
            }
        }
    }

    /// A batch of deliveries that the platform itself finds good.
    pub fn batch(&self, question: &str, opened: &Opened, deliveries: Vec<Delivery>) -> Option<Batch> {
        for delivery in &deliveries {
            let (to, message) = (&delivery.envelope.to, &delivery.message);
            let fine = opened.lane(to).map(|_| ()).and_then(|()| opened.examine(to, message));
            if let Err(error) = fine {
                self.wrong(question, format!("refused before it was sent: {error}"));
                return None;
            }
        }
        let batch = Batch::new(deliveries);
        if batch.is_none() {
            self.wrong(question, "nothing to send");
        }
        batch
    }
}

/// A secret, and the parts of it that open the door as well: of a URL its path, of a key file its lines.
pub fn secret_parts(value: &str) -> Vec<String> {
    if let Some((_, rest)) = value.split_once("://") {
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        let mut parts = vec![value.to_owned(), path.to_owned()];
        // The name of a value of the query is no secret.
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        parts.extend(path.split('/').chain(values).filter(|part| part.len() >= 8).map(str::to_owned));
        return parts;
    }
    if value.contains('\n') || value.contains("\\n") {
        return value.replace("\\n", "\n").lines().filter(|line| line.len() >= 16).map(str::to_owned).collect();
    }
    vec![value.to_owned()]
}

/// How the verdict is not the expected one.
fn unmet(told: &Told, verdict: &Verdict) -> Vec<String> {
    let mut found = Vec::new();
    match (verdict, &told.kind) {
        (Ok(_), Some(kind)) => found.push(format!("expected {kind}, came sent")),
        (Err(error), None) => found.push(format!("expected sent, came {}", error.kind)),
        (Ok(receipt), None) => {
            if let Some(id) = &told.sent
                && !receipt.id.as_deref().is_some_and(|came| compare::matches(&id.0, came))
            {
                found.push(format!("expected the receipt {:?}", id.0));
            }
            if told.replay.is_some_and(|replay| replay != receipt.replay) {
                found.push(format!("expected replay: {}", !receipt.replay));
            }
        }
        (Err(error), Some(kind)) => {
            if error.kind.as_str() != kind {
                found.push(format!("expected {kind}, came {}", error.kind));
            }
            if let Some(code) = &told.code {
                // The engine writes the status before the service's own code.
                let came = error.code.as_deref().unwrap_or("none");
                if came != code.0 && !came.ends_with(&format!(" {}", code.0)) {
                    found.push(format!("expected the code {}", code.0));
                }
            }
            if let Some(reach) = &told.reach {
                let came = error.reach.map_or("none", reach_word);
                if came != reach {
                    found.push(format!("expected reach {reach}, came {came}"));
                }
            }
            match told.wait.as_ref().map(|wait| wait.wait()) {
                Some(Err(what)) => found.push(what),
                Some(Ok(wait)) if wait != error.retry_after => {
                    found.push(format!("expected the wait {wait:?}, came {:?}", error.retry_after));
                }
                _ => {}
            }
            if let Some(says) = &told.says
                && !error.detail.contains(says.as_str())
            {
                found.push(format!("expected words with {says:?}"));
            }
        }
    }
    found
}

fn reach_word(reach: Reach) -> &'static str {
    match reach {
        Reach::Row => "row",
        Reach::Target => "target",
        Reach::Account => "account",
        Reach::Platform => "platform",
    }
}
