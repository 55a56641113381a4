//! HTML after rendering: styles inlined and the text derived, once per skeleton and not once per row.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::template::hole::Pieces;

/// Skeletons kept per form. Rows that take the same branches share one; more than these means that rows differ anyway.
const MOST_KEPT: usize = 64;
/// Bytes of skeletons kept per form; what is made from them is about three times that.
const MOST_BYTES: usize = 1 << 20;

/// What was made from skeletons, by skeleton. Bounded: it is emptied when it is full.
#[derive(Debug)]
pub(super) struct Kept<T> {
    entries: RwLock<(HashMap<String, Arc<T>>, usize)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { entries: RwLock::new((HashMap::new(), 0)) }
    }
}

impl<T> Kept<T> {
    /// What `make` made of this skeleton, now or earlier.
    pub(super) fn of<E>(&self, skeleton: &str, make: impl FnOnce(&str) -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(made) = self.entries.read().unwrap_or_else(PoisonError::into_inner).0.get(skeleton) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make(skeleton)?);
        if skeleton.len() <= MOST_BYTES / 4 {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            if entries.0.len() >= MOST_KEPT || entries.1 + skeleton.len() > MOST_BYTES {
                entries.0.clear();
                entries.1 = 0;
            }
            entries.1 += skeleton.len();
            entries.0.insert(skeleton.to_owned(), Arc::clone(&made));
        }
        Ok(made)
    }
}

/// An HTML form ready to be filled.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) html: Pieces,
    pub(super) text: Pieces,
}

/// Makes a page of an HTML skeleton.
pub(super) fn page(skeleton: &str, inline_css: bool) -> Result<Page, String> {
    let styled = if inline_css { inline(skeleton)? } else { skeleton.to_owned() };
    Ok(Page { html: Pieces::cut_html(&styled), text: Pieces::cut(&text_of(skeleton)) })
}

/// `<style>` as `style=""`, which is what mail programs read; `@media` stays.
#[cfg(feature = "inline-css")]
pub(super) fn inline(html: &str) -> Result<String, String> {
    if !html.contains("<style") {
        return Ok(html.to_owned());
    }
    let inliner = css_inline::CSSInliner::options().load_remote_stylesheets(false).keep_at_rules(true).build();
    let inlined = inliner.inline(html).map_err(|error| format!("its styles cannot be inlined: {error}"))?;
    // Addresses in attributes must keep their holes.
    Ok(crate::template::hole::unhide(&inlined))
}

/// Without the feature styles stay where they are.
#[cfg(not(feature = "inline-css"))]
pub(super) fn inline(html: &str) -> Result<String, String> {
    Ok(html.to_owned())
}

/// The text that says what the HTML says. Never fails: HTML that cannot be laid out has its tags taken off.
pub(super) fn text_of(html: &str) -> String {
    let visible = without_head(html);
    let config = html2text::config::plain().no_table_borders().allow_width_overflow();
    match config.string_from_read(visible.as_bytes(), 78) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            let mut out = String::with_capacity(text.len());
            let mut empty = 0;
            for line in lines {
                // Spacer rows of layout tables are not paragraphs.
                empty = if line.is_empty() { empty + 1 } else { 0 };
                if empty < 2 && !(out.is_empty() && line.is_empty()) {
                    out.push_str(line);
                    out.push('\n');
                }
            }
            out.trim_end().to_owned() + "\n"
        }
        Err(_) => {
            let mut inside = false;
            visible
                .chars()
                .filter(|c| {
                    inside = (inside || *c == '<') && *c != '>';
                    !inside && *c != '>'
                })
                .collect()
        }
    }
}

/// Without title and styles: they are not what the message says.
fn without_head(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    match (lower.find("<head"), lower.find("</head>")) {
        (Some(start), Some(end)) if start < end => format!("{}{}", &html[..start], &html[end + 7..]),
        _ => html.to_owned(),
    }
}
