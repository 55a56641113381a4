//! One-off URLs, `slack://TOKEN@CHANNEL`: read into the keys of an account by the forms of a definition.

use serde_yaml::{Mapping, Value};

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::urls::{Part, UrlForm};
use crate::platform::http::Url;

/// The keys of the account that the URL stands for, secrets among them, and whom messages are for, where it says so. The first form
/// of the URL's scheme whose parts are all there is taken.
///
/// # Errors
/// One sentence with the forms that there are; nothing of the URL, which holds credentials.
pub fn account_of_url(definition: &Definition, url: &str) -> Result<(Mapping, Option<String>), String> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let forms: Vec<&UrlForm> = definition.urls.iter().collect();
    let of_scheme = forms.iter().filter(|form| form.scheme().eq_ignore_ascii_case(scheme));
    for form in of_scheme {
        if let Some(found) = read(form, url) {
            return Ok(found);
        }
    }
    let shown: Vec<&str> = forms.iter().map(|form| form.form.as_str()).collect();
    let name = &definition.name.0;
    Err(match shown.is_empty() {
        true => format!("platform {name} has no form of URL: write an account into the config"),
        false => format!("the URL has no form of platform {name}: write {}", shown.join(" or ")),
    })
}

/// `None` where a part is not there.
fn read(form: &UrlForm, text: &str) -> Option<(Mapping, Option<String>)> {
    // The parts of a scheme that nobody knows are kept as written: upper-case tokens stay as they are.
    let (_, rest) = text.split_once("://")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, place) = authority.rsplit_once('@').map_or(("", authority), |(user, place)| (user, place));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (place, ""),
    };
    let part = |part: &Part| -> Option<String> {
        let value = match part {
            Part::User => decoded(user),
            Part::Password => decoded(password),
            Part::Host => decoded(host),
            Part::Port => port.to_owned(),
            Part::Authority => place.to_owned(),
            Part::Segment(at) => decoded(path.split('/').filter(|segment| !segment.is_empty()).nth(at - 1)?),
            Part::Path => path.split('/').map(decoded).collect::<Vec<_>>().join("/").trim_matches('/').to_owned(),
            Part::Query(name) => {
                let url = Url::parse(&format!("http://x/?{query}")).ok()?;
                url.query_pairs().find(|(known, _)| known == name)?.1.into_owned()
            }
            Part::Whole(scheme) => format!("{scheme}://{}", text.split_once("://")?.1),
        };
        (!value.is_empty()).then_some(value)
    };
    let mut vars = Mapping::new();
    for (name, of) in &form.vars.0 {
        match (part(of), of) {
            (Some(value), _) => {
                vars.insert(Value::String(name.clone()), Value::String(value));
            }
            // What stands behind the question mark may be left out.
            (None, Part::Query(_) | Part::Port) => {}
            (None, _) => return None,
        }
    }
    let to = match &form.to {
        Some(of) => part(of),
        None => None,
    };
    Some((vars, to))
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit =
        |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
