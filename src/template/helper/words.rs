//! Helpers on text: case, length, lists, links, JSON, and `default`.

use handlebars::{Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext};
use serde_json::Value;

use crate::template::helper::args::{Args, defined, text_of};
use crate::template::hole::{Held, keep};

pub(super) fn upper(args: &Args) -> Result<Value, String> {
    Ok(args.text(0).to_uppercase().into())
}

pub(super) fn lower(args: &Args) -> Result<Value, String> {
    Ok(args.text(0).to_lowercase().into())
}

/// The first letter of each word large, the others small.
pub(super) fn title(args: &Args) -> Result<Value, String> {
    let mut begins = true;
    let mut out = String::new();
    for c in args.text(0).chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begins = !(c.is_alphanumeric() || c == '\'' || c == '’');
    }
    Ok(out.into())
}

pub(super) fn trim(args: &Args) -> Result<Value, String> {
    Ok(args.text(0).trim().into())
}

/// At most so many characters, the mark of the cut (`…`, or `end=`) among them.
pub(super) fn truncate(args: &Args) -> Result<Value, String> {
    let text = args.text(0);
    let most = args.text(1).trim().parse::<usize>().map_err(|_| "truncate needs a length: `{{truncate text 80}}`".to_owned())?;
    if text.chars().count() <= most {
        return Ok(text.into());
    }
    let end = args.named("end").map_or_else(|| "…".to_owned(), text_of);
    let kept: String = text.chars().take(most.saturating_sub(end.chars().count())).collect();
    let cut: String = format!("{}{end}", kept.trim_end()).chars().take(most).collect();
    Ok(cut.into())
}

/// `{{plural n "item"}}`, `{{plural n "child" "children"}}`: the word alone.
pub(super) fn plural(args: &Args) -> Result<Value, String> {
    let text = match args.at(0) {
        Value::Array(list) => list.len().to_string(),
        value => text_of(value),
    };
    let n: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number"))?;
    let word = args.text(1);
    Ok(if n == 1.0 { word } else { args.option("", 2).unwrap_or_else(|| format!("{word}s")) }.into())
}

pub(super) fn join(args: &Args) -> Result<Value, String> {
    let between = args.params.get(1).map_or_else(|| ", ".to_owned(), |v| text_of(v));
    match args.at(0) {
        Value::Array(list) => Ok(list.iter().map(text_of).collect::<Vec<_>>().join(&between).into()),
        other => Ok(text_of(other).into()),
    }
}

/// Percent-encoded for any part of a URL (RFC 3986, section 2.3: only the unreserved stay).
pub(super) fn url(args: &Args) -> Result<Value, String> {
    let mut out = String::new();
    for byte in args.text(0).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(out.into())
}

/// The first that is not empty; the last always will do.
pub(super) fn default(args: &Args) -> Result<Value, String> {
    let (last, others) = args.params.split_last().ok_or("default needs a value and what stands for it")?;
    let given =
        |value: &&&Value| !matches!(value, Value::Null) && !matches!(value, Value::String(text) if text.trim().is_empty());
    Ok((*others.iter().find(given).unwrap_or(last)).clone())
}

pub(super) fn len(args: &Args) -> Result<Value, String> {
    Ok(match args.at(0) {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        other => text_of(other).chars().count(),
    }
    .into())
}

pub(super) fn lookup(args: &Args) -> Result<Value, String> {
    let key = args.text(1);
    let found = match args.at(0) {
        Value::Array(list) => key.trim().parse::<usize>().ok().and_then(|i| list.get(i)),
        Value::Object(map) => map.get(&key),
        _ => None,
    };
    found.cloned().ok_or_else(|| format!("it has no entry `{key}`"))
}

/// A value as JSON. In a JSON template it stands there as a tree.
pub(super) struct Json {
    pub(super) strict: bool,
}

impl HelperDef for Json {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if self.strict {
            defined(h)?;
        }
        let text = h.param(0).map_or(&Value::Null, |p| p.value()).to_string();
        // Inside another helper, or in `{{{…}}}`, the text itself is wanted.
        out.write(&if rc.is_disable_escape() { text } else { keep(Held::Json(text)) })?;
        Ok(())
    }
}
