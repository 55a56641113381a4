//! A credential that is fetched: one for the account, fetched once however many wait for it, kept until shortly before its end.
//!
//! Invariant: whoever waits while a fetch fails gets that failure, and does not ask again at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::error::{ErrorKind, SendError};

/// How long a token is good where the service does not say.
const LIFE: Duration = Duration::from_secs(7200);

/// Fetched again so long before its end, unless the definition says otherwise.
pub const MARGIN: Duration = Duration::from_secs(60);

/// The token of an account.
#[derive(Default)]
pub struct Vault {
    kept: Mutex<Kept>,
    /// Held by the one that fetches.
    door: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    token: Option<Fetched>,
    /// How many fetches failed, and why the last one did.
    failures: u64,
    why: Option<SendError>,
}

/// A token and the time until which it is used.
#[derive(Clone)]
pub struct Fetched {
    value: Arc<str>,
    until: SystemTime,
}

impl Fetched {
    /// The token of this reply, which came at `now`.
    ///
    /// # Errors
    /// `Unauthorized`: there is none in it.
    pub fn read(
        reply: &Value,
        value: &[&str],
        expires_in: &[&str],
        margin: Duration,
        now: SystemTime,
    ) -> Result<Self, SendError> {
        let text = value
            .iter()
            .filter_map(|pointer| reply.pointer(pointer))
            .find_map(|value| value.as_str().filter(|text| !text.is_empty()));
        let text = text.ok_or_else(|| SendError::new(ErrorKind::Unauthorized, "no token: the reply holds none"))?;
        let life = expires_in.iter().filter_map(|pointer| reply.pointer(pointer)).find_map(|value| match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        });
        let life =
            life.filter(|life| life.is_finite() && *life >= 0.0).map_or(LIFE, |life| Duration::from_secs_f64(life.min(1e9)));
        // A short life must not make every message fetch its own.
        let used = life.saturating_sub(margin.min(life / 2));
        Ok(Fetched { value: text.into(), until: now.checked_add(used).unwrap_or(now) })
    }
}

impl Vault {
    /// The token, if there is a good one.
    pub fn kept(&self, now: SystemTime) -> Option<Arc<str>> {
        let kept = self.lock();
        kept.token.as_ref().filter(|token| now < token.until).map(|token| Arc::clone(&token.value))
    }

    /// The token; `fetch` is called where there is none, by one at a time.
    ///
    /// # Errors
    /// Those of `fetch`, its own or that of another who fetched meanwhile.
    pub async fn get<F>(&self, now: SystemTime, fetch: impl FnOnce() -> F) -> Result<Arc<str>, SendError>
    where
        F: Future<Output = Result<Fetched, SendError>>,
    {
        if let Some(token) = self.kept(now) {
            return Ok(token);
        }
        let failures = self.lock().failures;
        let _alone = self.door.lock().await;
        if let Some(token) = self.kept(now) {
            return Ok(token);
        }
        {
            let kept = self.lock();
            if let (true, Some(why)) = (kept.failures != failures, &kept.why) {
                return Err(why.clone());
            }
        }
        let fetched = fetch().await;
        let mut kept = self.lock();
        match fetched {
            Ok(token) => {
                let value = Arc::clone(&token.value);
                kept.token = Some(token);
                Ok(value)
            }
            Err(why) => {
                kept.failures += 1;
                kept.why = Some(why.clone());
                Err(why)
            }
        }
    }

    /// The service does not take this token any more. Another one, fetched meanwhile, stays.
    pub fn drop_token(&self, value: &str) {
        let mut kept = self.lock();
        if kept.token.as_ref().is_some_and(|token| &*token.value == value) {
            kept.token = None;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing inside can be half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
