//! Forms of one-off URLs, `slack://TOKEN@CHANNEL`: which part of an URL is which key of an account.

use serde::{Deserialize, Deserializer};

use crate::platform::declared::place::{self, Named};

/// A form of URL that stands for an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlForm {
    /// As it is shown to people; what stands before `://` is its scheme.
    pub form: String,
    /// Keys of the account, and the part that fills each.
    #[serde(default)]
    pub vars: Named<Part>,
    /// The part that says whom messages are for.
    pub to: Option<Part>,
}

impl UrlForm {
    /// What stands before `://`.
    pub fn scheme(&self) -> &str {
        self.form.split_once("://").map_or("", |(scheme, _)| scheme)
    }
}

/// A part of an URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Before the colon of the credentials.
    User,
    /// After it.
    Password,
    /// The host.
    Host,
    /// The port.
    Port,
    /// Host and port, as they are written.
    Authority,
    /// A segment of the path, counted from 1.
    Segment(usize),
    /// The whole path without its first slash.
    Path,
    /// A value of the query.
    Query(String),
    /// The whole URL with this scheme in place of its own: `https` of `https.url`.
    Whole(String),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        place::scalar(deserializer)
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || {
            format!(
                "\"{text}\" is no part of an URL: write user, password, host, port, authority, path, path.1, query.NAME, https.url or http.url"
            )
        };
        Ok(match text.as_str() {
            "user" => Part::User,
            "password" => Part::Password,
            "host" => Part::Host,
            "port" => Part::Port,
            "authority" => Part::Authority,
            "path" => Part::Path,
            "https.url" | "http.url" => Part::Whole(text.split('.').next().unwrap_or("https").to_owned()),
            _ => match text.split_once('.') {
                Some(("path", at)) => Part::Segment(at.parse().ok().filter(|at| *at > 0).ok_or_else(bad)?),
                Some(("query", name)) if !name.is_empty() => Part::Query(name.to_owned()),
                _ => return Err(bad()),
            },
        })
    }
}
