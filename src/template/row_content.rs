//! Content that the rows themselves carry, where no template is given. It is taken literally: nothing in it is evaluated.

use serde_json::Value;

use crate::message::{Body, Message, Wants};
use crate::recipient::Vars;
use crate::template::helper::args::text_of as as_text;
use crate::template::hole::{self, Pieces};
use crate::template::one_line::one_line;
use crate::template::render_error::RenderError;
use crate::template::{cook, markdown_form};

/// Keys that hold a tree in the platform's own form, in the order of preference.
const TREES: [&str; 3] = ["body", "json", "card"];

/// Reads subject and body of a row.
pub(super) fn read(wants: &Wants, vars: &Vars, inline_css: bool, message: &mut Message) -> Result<(), RenderError> {
    let text_of = |key: &str| vars.get(key).map(as_text).filter(|text| !text.trim().is_empty());
    message.subject = text_of("subject").map(|text| one_line(&text));
    if let Wants::Named(_) = wants
        && let Some(tree) = TREES.iter().find_map(|key| tree(key, vars.get(*key)).transpose()).transpose()?
    {
        message.body = Body::Native(tree);
        return Ok(());
    }
    let (html, markdown, text) = (text_of("html"), text_of("markdown"), text_of("text"));
    let long = [&html, &markdown, &text].into_iter().flatten().any(|text| text.len() > hole::MOST_OUTPUT);
    if long {
        return Err(RenderError::new("the row's content is longer than 10 MiB"));
    }
    message.body = match (html, markdown, text) {
        (Some(html), _, text) => {
            let text = text.unwrap_or_else(|| cook::text_of(&html));
            let html = if inline_css { cook::inline(&html).map_err(|what| RenderError::of("html", what))? } else { html };
            Body::Html { html, text }
        }
        (None, Some(markdown), text) if matches!(wants, Wants::Named(_)) => {
            let page = markdown_form::page(&markdown, None, false).map_err(|what| RenderError::of("markdown", what))?;
            let plain = || page.text.fill(&[], hole::plain).map_err(|_| RenderError::new(hole::TOO_LONG));
            Body::Markdown { text: text.map_or_else(plain, Ok)?, markdown }
        }
        (None, Some(markdown), text) => {
            let page = markdown_form::page(&markdown, None, inline_css).map_err(|what| RenderError::of("markdown", what))?;
            let filled = |pieces: &Pieces| pieces.fill(&[], hole::plain).map_err(|_| RenderError::new(hole::TOO_LONG));
            Body::Html { html: filled(&page.html)?, text: text.map_or_else(|| filled(&page.text), Ok)? }
        }
        (None, None, Some(text)) => Body::Text(text),
        // A platform of another kind may find its content in columns of its own; it says so itself where it does not.
        (None, None, None) if matches!(wants, Wants::Named(_)) => Body::default(),
        (None, None, None) => {
            let what = "the row carries no content: give a template with -t, or a column `text`, `html` or `markdown`";
            return Err(RenderError::new(what));
        }
    };
    Ok(())
}

/// A tree of a typed row, or of a cell with JSON in it.
fn tree(key: &str, value: Option<&Value>) -> Result<Option<Value>, RenderError> {
    match value {
        Some(tree @ (Value::Object(_) | Value::Array(_))) => Ok(Some(tree.clone())),
        Some(Value::String(text)) if key != "body" || text.trim_start().starts_with(['{', '[']) => {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let parsed = serde_json::from_str(text);
            parsed.map(Some).map_err(|error| RenderError::of(key, format!("`{key}` is not JSON: {error}")))
        }
        _ => Ok(None),
    }
}
