//! What arrived, beside what should have: the first difference in words, or none.

use serde_json::{Map, Value};

use super::sidecar::{Expected, plain};
use super::stage::Asked;

/// Every way in which the request is not the expected one.
pub fn differences(expected: &Expected, asked: &Asked) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, wanted: String, came: String| {
        found.push(format!("{what} is not as expected\n      expected {wanted}\n      came     {came}"));
    };
    let method = expected.method.as_deref().unwrap_or("POST");
    if asked.method != method {
        differ("the method", method.to_owned(), asked.method.clone());
    }
    if !matches(&expected.path, &asked.path) {
        differ("the path", expected.path.clone(), asked.path.clone());
    }
    if let Some(what) = fields(&expected.query, &asked.query, true) {
        differ("the query", Value::Object(expected.query.clone()).to_string(), format!("{:?}: {what}", asked.query));
    }
    for (name, wanted) in &expected.headers {
        let came: Vec<&str> =
            asked.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect();
        let wanted = plain(wanted);
        match came[..] {
            _ if wanted == "none" && came.is_empty() => {}
            [came] if matches(&wanted, came) => {}
            _ => differ(&format!("the header field {name}"), wanted, format!("{came:?}")),
        }
    }
    if let Some(wanted) = &expected.content_type {
        let came = asked.header("content-type").unwrap_or_default();
        if !matches(wanted, came) {
            differ("content-type", wanted.clone(), came.to_owned());
        }
    }
    if let Some(wanted) = &expected.bytes
        && !matches(wanted, &asked.text())
    {
        differ("the body, byte for byte,", wanted.clone(), asked.text());
    }
    if let Some(wanted) = &expected.json {
        match serde_json::from_slice::<Value>(&asked.body) {
            Ok(came) => {
                if let Some(what) = trees(wanted, &came, "") {
                    differ("the JSON body", wanted.to_string(), format!("{came}\n      {what}"));
                }
            }
            Err(_) => differ("the body", wanted.to_string(), format!("no JSON: {}", asked.text())),
        }
    } else if let Some(wanted) = &expected.form {
        let form = asked.header("content-type").is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        if let Some(what) = fields(wanted, &asked.form(), true).or((!form).then(|| "its content-type is no form's".to_owned())) {
            differ("the form", Value::Object(wanted.clone()).to_string(), format!("{}\n      {what}", asked.text()));
        }
    } else if let Some(wanted) = &expected.multipart {
        match parts(asked).and_then(|parts| fields(wanted, &parts, true).map_or(Ok(()), Err)) {
            Ok(()) => {}
            Err(what) => {
                differ("the multipart body", Value::Object(wanted.clone()).to_string(), format!("{}\n      {what}", asked.text()))
            }
        }
    } else if expected.bytes.is_none() {
        let wanted = expected.text.as_deref().unwrap_or_default();
        if !matches(wanted, &asked.text()) {
            differ("the body", format!("{wanted:?}"), format!("{:?}", asked.text()));
        }
    }
    found
}

/// Text with `{{any}}` in it, each standing for one character or more.
pub fn matches(wanted: &str, came: &str) -> bool {
    let mut parts = wanted.split("{{any}}");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = came.strip_prefix(first) else { return false };
    let Some(last) = wanted.rsplit_once("{{any}}").map(|(_, last)| last) else { return rest.is_empty() };
    let middle: Vec<&str> = parts.collect();
    for part in &middle[..middle.len() - 1] {
        let Some(skip) = rest.chars().next().map(char::len_utf8) else { return false };
        let Some(at) = rest[skip..].find(part) else { return false };
        rest = &rest[skip + at + part.len()..];
    }
    rest.len() > last.len() && rest.ends_with(last)
}

/// The first difference of two trees, by its place.
fn trees(wanted: &Value, came: &Value, place: &str) -> Option<String> {
    match (wanted, came) {
        (Value::String(any), _) if any == "{{any}}" => None,
        (Value::String(wanted), Value::String(came)) => {
            (!matches(wanted, came)).then(|| format!("at {place}: expected {wanted:?}, came {came:?}"))
        }
        (Value::Object(wanted), Value::Object(came)) => {
            let missing = wanted.keys().find(|key| !came.contains_key(*key)).map(|key| format!("at {place}: `{key}` is missing"));
            let more = came.keys().find(|key| !wanted.contains_key(*key)).map(|key| format!("at {place}: `{key}` is too much"));
            let inside = || wanted.iter().find_map(|(key, wanted)| trees(wanted, &came[key], &format!("{place}/{key}")));
            missing.or(more).or_else(inside)
        }
        (Value::Array(wanted), Value::Array(came)) if wanted.len() == came.len() => {
            wanted.iter().zip(came).enumerate().find_map(|(at, (wanted, came))| trees(wanted, came, &format!("{place}/{at}")))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        _ => (wanted != came).then(|| format!("at {place}: expected {wanted}, came {came}")),
    }
}

/// Names with one value or several, in any order of names.
fn fields(wanted: &Map<String, Value>, came: &[(String, String)], complete: bool) -> Option<String> {
    for (name, value) in wanted {
        let values: Vec<&str> = came.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        let expected: Vec<String> = match value {
            Value::Array(each) => each.iter().map(plain).collect(),
            one => vec![plain(one)],
        };
        if values.len() != expected.len() || !expected.iter().zip(&values).all(|(wanted, came)| matches(wanted, came)) {
            return Some(format!("{name}: expected {expected:?}, came {values:?}"));
        }
    }
    came.iter().find(|(name, _)| complete && !wanted.contains_key(name)).map(|(name, _)| format!("{name} is too much"))
}

/// The parts of a multipart body (RFC 7578): a file as `name; type; content`.
fn parts(asked: &Asked) -> Result<Vec<(String, String)>, String> {
    let kind = asked.header("content-type").unwrap_or_default();
    let boundary =
        kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary=")).map(|(_, boundary)| boundary);
    let boundary = boundary.ok_or_else(|| format!("content-type {kind} is no multipart/form-data"))?.trim_matches('"');
    let text = asked.text();
    let mut found = Vec::new();
    for part in text.split(&format!("--{boundary}")).skip(1).take_while(|part| !part.starts_with("--")) {
        let (head, body) = part.split_once("\r\n\r\n").ok_or("a part without an end of its head")?;
        let said = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        // `name="` also stands at the end of `filename="`.
        let name = head.split_once(" name=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value.to_owned());
        let name = name.ok_or("a part without a name")?;
        let body = body.strip_suffix("\r\n").unwrap_or(body).to_owned();
        let kind = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type:").map(|kind| kind.trim().to_owned()));
        found.push(match said("filename") {
            Some(file) => (name, format!("{file}; {}; {body}", kind.unwrap_or_default())),
            None => (name, body),
        });
    }
    Ok(found)
}

#[test]
fn any_stands_for_something() {
    for (wanted, came, so) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("{{any}}", "x", true),
        ("{{any}}", "", false),
        ("a{{any}}", "a", false),
        ("a{{any}}z", "a-z", true),
        ("a{{any}}z{{any}}", "a-z", false),
        ("a{{any}}z{{any}}", "a-z-", true),
        ("a{{any}}m{{any}}z", "axmxz", true),
        ("a{{any}}m{{any}}z", "axxz", false),
    ] {
        assert_eq!(matches(wanted, came), so, "{wanted} {came}");
    }
}
