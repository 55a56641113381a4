//! What must never be told of an account or a row: secrets, tokens, URLs and addresses that are credentials, in every form in which a reply
//! might repeat them.
//!
//! Words of the definition stay: a path such as `/v1/messages` is no secret, and hiding it would blot out the service's own ids.

use crate::platform::http::{HeaderValue, Url};
use crate::platform::sign::canonical::percent;

/// Shorter ones would blot out ordinary words.
const SHORTEST: usize = 4;

/// These secrets as they are, as JSON writes them, as URLs write them, line by line where they are files; and the parts of the URL
/// that the user named.
pub fn of_account<'a>(secrets: impl Iterator<Item = &'a String>, endpoint: Option<&Url>) -> Vec<String> {
    let mut hide = Vec::new();
    for secret in secrets.filter(|secret| secret.len() >= SHORTEST) {
        add(&mut hide, secret);
        // A key file may be repeated in parts; its line breaks stand as `\n` inside of JSON.
        let lines = secret.split('\n').flat_map(|line| line.split("\\n"));
        for line in lines.filter(|line| line.len() >= 16 && line.len() < secret.len()) {
            add(&mut hide, line);
        }
    }
    hide.extend(endpoint.into_iter().flat_map(of_url));
    longest_first(&mut hide);
    hide
}

fn add(hide: &mut Vec<String>, secret: &str) {
    let json = serde_json::Value::String(secret.to_owned()).to_string();
    let percent = percent(secret);
    // As forms write white space.
    let form = percent.replace("%20", "+");
    hide.extend([json[1..json.len() - 1].to_owned(), percent, form, secret.to_owned()]);
}

/// Addresses that are credentials: a row's own key, in every form in which a reply might repeat it.
pub fn of_rows<'a>(addresses: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut hide = Vec::new();
    addresses.filter(|address| address.len() >= SHORTEST).for_each(|address| add(&mut hide, address));
    longest_first(&mut hide);
    hide
}

/// A credential that a reply brought.
pub fn of_word(word: &str) -> Vec<String> {
    of_rows(std::iter::once(word))
}

/// The URL, its path and query, and every part of them that is long enough to be a credential.
pub fn of_url(url: &Url) -> Vec<String> {
    let mut secrets = vec![url.as_str().to_owned()];
    let path_and_query = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    if path_and_query.len() > 1 {
        secrets.push(path_and_query);
    }
    secrets.extend(url.path().split('/').filter(|part| part.len() >= 8).map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() >= 6));
    secrets.extend(url.query().into_iter().flat_map(|query| query.split('&')).filter(|part| part.len() >= 8).map(str::to_owned));
    secrets.extend(url.password().map(str::to_owned));
    longest_first(&mut secrets);
    secrets
}

/// Credentials that a header field carries in another form than the account's secrets: those of Basic, or a cloud's signature, which is
/// good for minutes and so as good as a secret.
pub fn of_authorization(value: Option<&HeaderValue>, signed: bool) -> Vec<String> {
    let Some(text) = value.and_then(|value| value.to_str().ok()) else { return Vec::new() };
    match text.strip_prefix("Basic ") {
        Some(pair) => vec![pair.to_owned()],
        None if signed => vec![text.to_owned()],
        None => Vec::new(),
    }
}

/// So that hiding a part never leaves the rest of a longer secret standing.
pub fn longest_first(secrets: &mut Vec<String>) {
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secret: &str, url: Option<&str>, text: &str) -> String {
        let url = url.map(|url| Url::parse(url).unwrap());
        let hide = of_account([secret.to_owned()].iter(), url.as_ref());
        hide.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_and_words_are_not() {
        assert_eq!(
            hidden("a \"b\"/c:d", None, r#"a "b"/c:d a \"b\"/c:d a%20%22b%22%2Fc%3Ad a+%22b%22%2Fc%3Ad"#),
            "*** *** *** ***"
        );
        assert_eq!(hidden("s3cret", None, "/v1/messages/s3cret of messages"), "/v1/messages/*** of messages");
        assert_eq!(hidden("abc", None, "abc"), "abc", "too short to be told from a word");
        let file = "{\"key\": \"-----BEGIN-----\\nMIIEvgIBADANBgkqhkiG\\nAASCBKgwggSkAgEAAoIB\\n\"}";
        assert_eq!(hidden(file, None, "it begins MIIEvgIBADANBgkqhkiG, and"), "it begins ***, and");
        let url = Some("https://h.example/hook/T0123456?sig=abcdef&n=1");
        assert_eq!(hidden("s3cret", url, "to https://h.example/hook/T0123456?sig=abcdef&n=1"), "to ***");
        assert_eq!(hidden("s3cret", url, "T0123456, sig abcdef, hook n=1"), "***, sig ***, hook n=1");
    }

    #[test]
    fn credentials_of_a_header_field_are_hidden() {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        assert_eq!(of_authorization(Some(&value("Basic dTpw")), false), ["dTpw"]);
        assert_eq!(of_authorization(Some(&value("TC3 Signature=1")), true), ["TC3 Signature=1"]);
        assert!(of_authorization(Some(&value("Bearer abc")), false).is_empty());
    }
}
