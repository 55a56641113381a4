//! One-off URLs, `slack://TOKEN@CHANNEL`: read into the keys of an account by the forms of a definition.

use serde_yaml::{Mapping, Value};

use crate::platform::declared::definition::Definition;
use crate::platform::declared::definition::urls::{Part, Piece, UrlForm};
use crate::platform::http::Url;
use crate::platform::sign::canonical::percent_decoded;

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
        if let Some((mut vars, to)) = read(form, url) {
            let to = add(definition, form, url, &mut vars).or(to);
            // Rows of a list that name nobody go there too.
            let optional = definition.addressing.optional.as_ref().filter(|_| !definition.addressing.credential);
            if let (Some(var), Some(to)) = (optional, &to)
                && !vars.contains_key(var.as_str())
            {
                vars.insert(Value::String(var.clone()), Value::String(to.clone()));
            }
            return Ok((vars, to));
        }
    }
    let shown: Vec<&str> = forms.iter().map(|form| form.form.as_str()).collect();
    let name = &definition.name.0;
    Err(match shown.is_empty() {
        true => format!("platform {name} has no form of URL: write an account into the config"),
        false => format!("the URL has no form of platform {name}: write {}", shown.join(" or ")),
    })
}

/// What the query says beside the parts of the form: `to`, and any other key of the account. `base` is another address of the service,
/// also where the definition makes the whole URL itself. Of an URL that is taken whole the query is its own, but for `base`.
fn add(definition: &Definition, form: &UrlForm, url: &str, vars: &mut Mapping) -> Option<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query).split('#').next().unwrap_or_default();
    let pairs = Url::parse(&format!("http://x/?{query}")).ok()?;
    let whole = form.vars.0.iter().any(|(_, part)| matches!(part, Part::Whole(_)));
    let endpoint = definition.addressing.endpoint.as_ref().map(|endpoint| endpoint.var.as_str());
    let has_base = definition.vars.0.iter().any(|(name, _)| name == "base");
    let mut to = None;
    for (name, value) in pairs.query_pairs() {
        let of_form = form.vars.0.iter().any(|(_, part)| matches!(part, Part::Query(known) if *known == name));
        match (name.as_ref(), endpoint) {
            ("base", Some(var)) if !has_base && value.contains("://") => rebase(vars, var, &value),
            _ if whole || of_form => {}
            ("to", _) => to = Some(value.into_owned()).filter(|to| !to.is_empty()),
            _ => {
                let key = || Value::String(name.clone().into_owned());
                let text = matches!(value.as_ref(), "true" | "false");
                vars.insert(key(), if text { Value::Bool(value == "true") } else { Value::String(value.into_owned()) });
            }
        }
    }
    to
}

/// Another scheme and host in place of those of the URL under that key.
fn rebase(vars: &mut Mapping, var: &str, base: &str) {
    let Some(Value::String(url)) = vars.get_mut(var) else { return };
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let own = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("base="));
    let query: Vec<&str> = own.collect();
    let mark = if query.is_empty() { "" } else { "?" };
    *url = format!("{}{path}{mark}{}", base.trim_end_matches('/'), query.join("&"));
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
    let plain = |part: &Part| -> Option<String> {
        let value = match part {
            Part::Made(_) => return None,
            Part::User => percent_decoded(user),
            Part::Password => percent_decoded(password),
            Part::Host => percent_decoded(host),
            Part::Port => port.to_owned(),
            Part::Authority => place.to_owned(),
            Part::Segment(at) => percent_decoded(path.split('/').filter(|segment| !segment.is_empty()).nth(at - 1)?),
            Part::Path => path.split('/').map(percent_decoded).collect::<Vec<_>>().join("/").trim_matches('/').to_owned(),
            Part::Query(name) => {
                let url = Url::parse(&format!("http://x/?{query}")).ok()?;
                url.query_pairs().find(|(known, _)| known == name)?.1.into_owned()
            }
            Part::Whole(scheme) => format!("{scheme}://{}", text.split_once("://")?.1),
        };
        (!value.is_empty()).then_some(value)
    };
    let part = |part: &Part| match part {
        Part::Made(pieces) => pieces.iter().try_fold(String::new(), |made, piece| match piece {
            Piece::Words(words) => Some(made + words),
            Piece::Of(part) => plain(part).map(|value| made + &value),
        }),
        part => plain(part),
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
    // A form that names its addressee is none without one: `ntfy://topic` is not `ntfy://host/topic`.
    let to = match &form.to {
        Some(of) => Some(part(of)?),
        None => None,
    };
    Some((vars, to))
}
