//! One row through a compiled template: which form, the values in it, the message out. A row fails alone and says which variable it was.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use handlebars::{Context, RenderContext, RenderErrorReason, Renderable};
use serde_json::{Map, Value};

use crate::message::{Attachment, Body as Content, Message, Wants};
use crate::recipient::Vars;
use crate::template::choice::Chosen;
use crate::template::compiled::{Body, Slot, Template};
use crate::template::cook::{self, Page};
use crate::template::form::{self, Format};
use crate::template::helper::block;
use crate::template::hole::{self, Held, Overfull, Pieces, Skeleton};
use crate::template::one_line::one_line;
use crate::template::render_error::RenderError;
use crate::template::{json_form, markdown_form, row_content, uses};

/// A rendered fragment and the values that wait for their places.
struct Rendered {
    skeleton: String,
    values: Vec<Held>,
}

impl Template {
    /// Renders one row in the form that the platform wants.
    ///
    /// # Errors
    /// A variable that is undefined, missing or of the wrong type; text that is not JSON; an attachment that is not there.
    pub fn render(&self, wants: &Wants, vars: &Vars) -> Result<Message, RenderError> {
        // Handlebars is not ours: a panic in it fails this row and no other.
        std::panic::catch_unwind(AssertUnwindSafe(|| self.render_row(wants, vars)))
            .unwrap_or_else(|_| Err(RenderError::new("the template could not be rendered: the program made a mistake here")))
    }

    fn render_row(&self, wants: &Wants, vars: &Vars) -> Result<Message, RenderError> {
        let mut message = Message { attachments: self.fixed.clone(), ..Message::default() };
        if self.from_rows {
            message.from_row = true;
            row_content::read(wants, vars, self.inline_css, &mut message)?;
        } else {
            let lang = vars.get("lang").and_then(Value::as_str).map(str::trim).filter(|lang| !lang.is_empty());
            let context = Context::from(Value::Object(self.settle(vars)?));
            let chosen = self.choose(wants, lang).ok_or_else(|| match lang {
                Some(lang) => RenderError::of("lang", format!("{} for the language `{lang}`", self.lacks(wants).what)),
                None => RenderError::new(self.lacks(wants).what),
            })?;
            let subject = self
                .subject
                .iter()
                .filter_map(|(of, slot)| Some((form::distance(of.as_deref(), lang)?, slot)))
                .min_by_key(|(d, _)| *d);
            message.subject = subject.map(|(_, slot)| self.line(slot, &context)).transpose()?;
            message.from = self.from.as_ref().map(|slot| self.line(slot, &context)).transpose()?.filter(|text| !text.is_empty());
            message.reply_to =
                self.reply_to.as_ref().map(|slot| self.line(slot, &context)).transpose()?.filter(|text| !text.is_empty());
            for (name, slot) in &self.headers {
                let value = self.line(slot, &context)?;
                if !value.is_empty() {
                    message.headers.push((name.clone(), value));
                }
            }
            for slot in &self.per_row {
                let name = self.line(slot, &context)?;
                message.attachments.push(self.roots.for_row(&name).map_err(RenderError::new)?);
            }
            message.body = self.content(&chosen, &context, &mut message.attachments)?;
        }
        self.reserved(vars, &mut message)?;
        Ok(message)
    }

    /// The row's variables with defaults filled in and declared types checked.
    fn settle(&self, vars: &Vars) -> Result<Map<String, Value>, RenderError> {
        let mut data = vars.clone();
        for variable in &self.declared {
            let settled = variable.settle(data.get(&variable.name)).map_err(|what| RenderError::of(&variable.name, what))?;
            if let Some(value) = settled {
                data.insert(variable.name.clone(), value);
            }
        }
        for name in &self.assumed {
            if !data.contains_key(name) {
                data.insert(name.clone(), Value::Null);
            }
        }
        Ok(data)
    }

    fn content(
        &self,
        chosen: &Chosen,
        context: &Context,
        attachments: &mut Vec<Arc<Attachment>>,
    ) -> Result<Content, RenderError> {
        let body = chosen.main;
        let rendered = self.run(&body.key, context)?;
        match body.form.format {
            Format::Json => {
                let tree = body.trees.of(&rendered.skeleton, json_form::tree).map_err(|what| self.in_file(body, what))?;
                json_form::fill(&tree, &rendered.values).map(Content::Native).map_err(|what| self.in_file(body, what))
            }
            Format::Text => self.fill(body, &Pieces::cut(&rendered.skeleton), &rendered.values, hole::plain).map(Content::Text),
            Format::Markdown if !chosen.email && body.form.platform != "email" => {
                // The platform may read Markdown itself; what does not is given the text.
                let markdown = self.fill(body, &Pieces::cut(&rendered.skeleton), &rendered.values, hole::plain)?;
                let (page, values) = self.page(body, rendered, context)?;
                let text = self.fill(body, &page.text, &values, hole::plain)?;
                Ok(Content::Markdown { markdown, text })
            }
            Format::Html | Format::Markdown => {
                let (page, values) = self.page(body, rendered, context)?;
                let text = match (chosen.email, chosen.text) {
                    (true, Some(text)) => {
                        let rendered = self.run(&text.key, context)?;
                        self.fill(text, &Pieces::cut(&rendered.skeleton), &rendered.values, hole::plain)?
                    }
                    _ => self.fill(body, &page.text, &values, hole::plain)?,
                };
                // A page for mail is not what a chat calls HTML: only the platform's own file is.
                if !chosen.email && matches!(body.form.platform.as_str(), "email" | "*") {
                    return Ok(Content::Text(text));
                }
                let html = self.fill(body, &page.html, &values, hole::html)?;
                if chosen.email {
                    attachments.extend(body.images.iter().cloned());
                }
                Ok(Content::Html { html, text })
            }
        }
    }

    fn page(&self, body: &Body, rendered: Rendered, context: &Context) -> Result<(Arc<Page>, Vec<Held>), RenderError> {
        let failed = |what: String| self.in_file(body, what);
        let Rendered { skeleton, values } = rendered;
        if body.form.format == Format::Html {
            let page = body.pages.of(&skeleton, |skeleton| cook::page(skeleton, self.inline_css)).map_err(failed)?;
            return Ok((page, values));
        }
        match &body.layout {
            None => {
                let page =
                    body.pages.of(&skeleton, |skeleton| markdown_form::page(skeleton, None, self.inline_css)).map_err(failed)?;
                Ok((page, values))
            }
            Some(layout) => {
                // Both are rendered into one list of values, so that their holes have different numbers.
                let around = self.run_after(layout, context, values)?;
                let both = format!("{skeleton}\0{}", around.skeleton);
                let make = |_: &str| markdown_form::page(&skeleton, Some(&around.skeleton), self.inline_css);
                let page = body.pages.of(&both, make).map_err(failed)?;
                Ok((page, around.values))
            }
        }
    }

    /// A header's value: one line, without control characters.
    fn line(&self, slot: &Slot, context: &Context) -> Result<String, RenderError> {
        match slot {
            Slot::Fixed(text) => Ok(text.clone()),
            Slot::Rendered(key) => {
                let rendered = self.run(key, context)?;
                let text = Pieces::cut(&rendered.skeleton).fill(&rendered.values, hole::plain);
                text.map(|text| one_line(&text)).map_err(|_| RenderError::new(hole::TOO_LONG))
            }
        }
    }

    fn fill(&self, body: &Body, pieces: &Pieces, values: &[Held], write: fn(&str, &mut String)) -> Result<String, RenderError> {
        pieces.fill(values, write).map_err(|full| match full {
            Overfull::TooLong => self.in_file(body, hole::TOO_LONG.to_owned()),
            Overfull::Scheme(scheme) => {
                self.in_file(body, format!("a link of this row begins with `{scheme}:`, which is never sent"))
            }
        })
    }

    fn in_file(&self, body: &Body, what: String) -> RenderError {
        RenderError::new(format!("{}: {what}", self.files.place(&body.form.file).display()))
    }

    fn run(&self, key: &str, context: &Context) -> Result<Rendered, RenderError> {
        self.run_after(key, context, Vec::new())
    }

    fn run_after(&self, key: &str, context: &Context, earlier: Vec<Held>) -> Result<Rendered, RenderError> {
        let Some(ast) = self.registry.get_template(key) else {
            return Err(RenderError::new(format!("the template has no part `{key}`")));
        };
        hole::begin(earlier);
        block::begin();
        let mut out = Skeleton::default();
        let result = ast.render(&self.registry, context, &mut RenderContext::new(None), &mut out);
        let values = hole::finish();
        match result {
            Ok(()) => Ok(Rendered { skeleton: out.0, values }),
            Err(error) => Err(self.explain(key, &error)),
        }
    }

    /// Handlebars' error as a sentence with file, line and variable.
    fn explain(&self, key: &str, error: &handlebars::RenderError) -> RenderError {
        let fragment = error.template_name.as_ref().and_then(|name| self.fragments.get(name)).or_else(|| self.fragments.get(key));
        let place = match (fragment, error.line_no) {
            (Some(fragment), Some(line)) => format!("{}:{}", fragment.path.display(), fragment.file_line(line)),
            (Some(fragment), None) => fragment.path.display().to_string(),
            (None, _) => self.files.name.clone(),
        };
        let (what, variable) = match error.reason() {
            RenderErrorReason::MissingVariable(Some(name)) => (
                format!("the variable `{name}` is not defined for this row"),
                uses::first_segment(name.trim_start_matches("../")),
            ),
            RenderErrorReason::MissingVariable(None) => ("a variable is not defined for this row".to_owned(), None),
            RenderErrorReason::InvalidJsonIndex(name) => {
                (format!("`.{name}` is read from a list; go through it with `{{{{#each}}}}`"), None)
            }
            RenderErrorReason::CannotIncludeSelf => ("a partial includes itself".to_owned(), None),
            RenderErrorReason::PartialBlockNotFound => (
                "`{{> @partial-block}}` has no content here; include the layout with `{{#> layout}}…{{/layout}}`".to_owned(),
                None,
            ),
            RenderErrorReason::IOError(_) => (hole::TOO_LONG.to_owned(), None),
            RenderErrorReason::Other(what) => {
                // `amount`: `x` is not a number
                let variable =
                    what.strip_prefix('`').and_then(|rest| rest.split_once("`:")).and_then(|(name, _)| uses::first_segment(name));
                (what.clone(), variable)
            }
            _ => ("this cannot be rendered for this row".to_owned(), None),
        };
        RenderError { what: format!("{place}: {what}"), variable }
    }
}
