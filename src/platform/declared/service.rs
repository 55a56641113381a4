//! Google service accounts: the key file of an account, and the request that exchanges an assertion for a token.

use std::time::SystemTime;

use handlebars::Context;
use serde_json::Value;

use crate::platform::declared::compose::composer::Composer;
use crate::platform::declared::definition::Definition;
use crate::platform::declared::text::find::Scope;
use crate::platform::http::{Call, HeaderMap, HeaderValue, Method, Url};
use crate::platform::sign::canonical::percent;
use crate::platform::sign::jwt::ServiceAccount;

/// The service account whose assertions become tokens, and what for.
///
/// # Errors
/// A key file that is none.
pub fn service_account(definition: &Definition, composer: &Composer) -> Result<Option<(ServiceAccount, String)>, String> {
    let Some(jwt) = definition.token.as_ref().and_then(|token| token.jwt.as_ref()) else { return Ok(None) };
    let values = Context::from(Value::Object(composer.account.values.clone()));
    let scope = Scope::of(&values);
    Ok(Some((ServiceAccount::read(&jwt.key.render(scope)?)?, jwt.scope.render(scope)?)))
}

/// The request by which a service account's assertion becomes a token (RFC 7523 section 2.1).
///
/// # Errors
/// One sentence; nothing of the key.
pub fn exchange_of(account: &ServiceAccount, scope: &str, now: SystemTime) -> Result<Call, String> {
    let url = Url::parse(&account.token_uri).map_err(|_| "`token_uri` of the service account is no URL".to_owned())?;
    let assertion = account.assertion(scope, now)?;
    let grant = percent("urn:ietf:params:oauth:grant-type:jwt-bearer");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(Call {
        method: Method::POST,
        url,
        headers,
        body: format!("grant_type={grant}&assertion={}", percent(&assertion)).into_bytes(),
    })
}
