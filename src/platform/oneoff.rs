//! One-off URLs: the account that `--via smtp://…` or `--via slack://…` stands for in one run.
//!
//! Forms of definitions are read by `declared/urls.rs`; here are those of coded platforms. Whatever goes wrong, nothing that stands behind
//! the scheme is ever repeated.

use std::fmt;

use serde_yaml::{Mapping, Value};

use crate::platform::http::Url;
use crate::platform::sign::canonical::percent_decoded;

/// What a URL stands for. Among the settings are secrets.
pub struct OneOff {
    /// `platform:` of the account.
    pub platform: String,
    /// Its keys.
    pub settings: Mapping,
    /// Whom messages are for, where the URL says so.
    pub to: Vec<String>,
}

/// The platform alone.
impl fmt::Debug for OneOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneOff({})", self.platform)
    }
}

/// Forms of coded platforms, and the platform of each.
pub const CODED: &[(&str, &str)] = &[
    ("smtp://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS", "smtp"),
    ("smtps://USER:PASSWORD@HOST:PORT/?from=ADDRESS&to=ADDRESS", "smtp"),
];

/// What stands before `://`.
pub fn scheme(form: &str) -> &str {
    form.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// Reads an URL of a coded platform: credentials and place before the question mark, any other key of the account and `to` after it.
///
/// # Errors
/// One sentence with the form.
pub fn coded(scheme: &str, url: &str) -> Result<OneOff, String> {
    let (form, platform) = CODED.iter().find(|(form, _)| self::scheme(form) == scheme).unwrap_or(&CODED[0]);
    let wrong = || format!("--via: the URL has no form of platform {platform}: write {form}");
    let read = Url::parse(url).map_err(|_| wrong())?;
    let host = read.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    let port = read.port().map_or_else(String::new, |port| format!(":{port}"));
    if !matches!(read.path(), "" | "/") {
        return Err(wrong());
    }
    let (mut settings, mut to) = (Mapping::new(), Vec::new());
    let text = |text: &str| Value::String(text.to_owned());
    settings.insert(text("url"), Value::String(format!("{scheme}://{host}{port}")));
    for (key, value) in [("user", Some(read.username())), ("password", read.password())] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            settings.insert(text(key), Value::String(percent_decoded(value)));
        }
    }
    for (key, value) in read.query_pairs() {
        match key.as_ref() {
            "to" => to.extend(value.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty())),
            "url" | "platform" => return Err(wrong()),
            _ => {
                settings.insert(text(&key), said(&value));
            }
        }
    }
    Ok(OneOff { platform: (*platform).to_owned(), settings, to })
}

/// A value of a query as an account's key has it: YAML would read `true` and `5` as what they are.
pub fn said(value: &str) -> Value {
    match (value, value.parse::<u64>()) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (_, Ok(number)) if !value.starts_with('0') && value.len() < 6 => Value::Number(number.into()),
        _ => Value::String(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_smtp_url_is_an_account() {
        let one =
            coded("smtps", "smtps://me%40x.example:p%3Aw@mail.example:465/?from=a@b.example&to=c@d.example,e@f.example&window=2")
                .expect("a good URL");
        let key = |name: &str| one.settings.get(name).cloned();
        assert_eq!(key("url"), Some("smtps://mail.example:465".into()));
        assert_eq!((key("user"), key("password")), (Some("me@x.example".into()), Some("p:w".into())));
        assert_eq!((key("from"), key("window")), (Some("a@b.example".into()), Some(2.into())));
        assert_eq!(one.to, ["c@d.example", "e@f.example"]);
        assert_eq!(format!("{one:?}"), "OneOff(smtp)");
    }

    #[test]
    fn a_bad_one_is_told_without_its_secrets() {
        for url in ["smtp://", "smtp://u:hunter22@", "smtp://u:hunter22@h/path", "smtp://u:hunter22@h/?url=x"] {
            let what = coded("smtp", url).expect_err(url);
            assert!(what.contains("smtp://USER:PASSWORD@HOST") && !what.contains("hunter22"), "{what}");
        }
    }
}
