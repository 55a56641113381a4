//! Credentials of an account: the token that is fetched for its requests, and the harmless call that proves them.

use std::sync::Arc;

use crate::error::{ErrorKind, SendError};
use crate::platform::declared::condition::{Condition, Expect};
use crate::platform::declared::token::{Fetched, MARGIN};
use crate::platform::declared::{Declared, hiding, service};
use crate::platform::http::{Failure, Reply};

impl Declared {
    /// The fetched credential, where the platform has one.
    pub(super) async fn token(&self) -> Result<Option<Arc<str>>, SendError> {
        if self.definition.token.is_none() {
            return Ok(None);
        }
        self.vault.get((self.clock)(), || self.fetch()).await.map(Some)
    }

    async fn fetch(&self) -> Result<Fetched, SendError> {
        let now = (self.clock)();
        let wrong = |what: String| SendError::new(ErrorKind::Misconfigured, format!("no token: {what}"));
        let Some(token) = &self.definition.token else { return Err(wrong("the platform has none".to_owned())) };
        let call = match (&token.request, &self.service) {
            (Some(request), _) => self.composer.side(request, now, "")?,
            (None, Some((account, scope))) => service::exchange_of(account, scope, now).map_err(wrong)?,
            (None, None) => return Err(wrong("nobody asks for it".to_owned())),
        };
        let mut hide = self.hidden(&call, None, &[]).into_owned();
        if self.service.is_some() {
            // The assertion is good for an hour.
            let body = String::from_utf8_lossy(&call.body);
            hide.extend(body.split_once("assertion=").map(|(_, assertion)| assertion.to_owned()));
            hiding::longest_first(&mut hide);
        }
        let answer = self.client.exchange(call, 1).await;
        let (mut value, mut expires): (Vec<&str>, Vec<&str>) = (
            token.value.0.iter().map(|pointer| pointer.0.as_str()).collect(),
            token.expires_in.0.iter().map(|pointer| pointer.0.as_str()).collect(),
        );
        if token.jwt.is_some() {
            value.push("/access_token");
            expires.push("/expires_in");
        }
        let there =
            || Condition::Any(value.iter().map(|pointer| Condition::Json((*pointer).to_owned(), Expect::Exists(true))).collect());
        let usual;
        let success = match &token.success {
            Some(success) => success,
            None => {
                usual = there();
                &usual
            }
        };
        let body = answer.as_ref().map(|reply| reply.body.as_slice()).unwrap_or_default();
        let reply: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        // A refusal may hold a token too, and repeat it.
        let fresh = value.iter().filter_map(|pointer| reply.pointer(pointer)).filter_map(serde_json::Value::as_str);
        hide.extend(fresh.flat_map(hiding::of_word));
        hiding::longest_first(&mut hide);
        self.judge(&hide, false).fetched(success, &answer)?;
        let margin = token.refresh_before.map_or(MARGIN, |span| span.0);
        Fetched::read(&reply, &value, &expires, margin, now)
    }

    pub(super) async fn prove(&self) -> Result<String, SendError> {
        let token = self.token().await?;
        let Some(check) = &self.definition.check else {
            if token.is_some() {
                return Ok("the credentials are good: the service gave a token for them".to_owned());
            }
            let Some(url) = self.composer.fixed_urls().next() else {
                return Ok("every row names its own URL: nothing to connect to before a row is read".to_owned());
            };
            let reached = self.client.reach(url).await.map_err(SendError::from)?;
            return Ok(format!("{reached}; no request was sent, so its credentials are not proved"));
        };
        let token = token.as_deref().unwrap_or_default();
        let call = self.composer.side(&check.request, (self.clock)(), token)?;
        let hide = self.hidden(&call, Some(token), &[]).into_owned();
        let answer: Result<Reply, Failure> = self.client.exchange(call, 1).await;
        let judged = self.judge(&hide, false).fetched(&check.success, &answer);
        judged.map_err(|error| SendError { detail: error.detail.trim_start_matches("no token: ").to_owned(), ..error })?;
        let body: serde_json::Value = answer.ok().and_then(|reply| serde_json::from_slice(&reply.body).ok()).unwrap_or_default();
        let told = check.tell.as_ref().and_then(|pointer| body.pointer(&pointer.0)).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            value => value.to_string(),
        });
        let told = told.map(|text| hide.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***")));
        let told = told.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>());
        Ok(match told {
            Some(told) => format!("the credentials are good: {told}"),
            None => "the credentials are good".to_owned(),
        })
    }
}
