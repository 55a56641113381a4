//! Which forms of a template serve a platform and a reader's language.

use std::collections::HashSet;

use crate::message::Wants;
use crate::template::compiled::{Body, Template};
use crate::template::form::{self, Format};

/// The forms of one row.
pub(super) struct Chosen<'a> {
    pub(super) main: &'a Body,
    pub(super) text: Option<&'a Body>,
    pub(super) email: bool,
}

impl Template {
    /// The forms that may serve a platform, whatever the language: positions in `bodies`.
    pub(super) fn serving(&self, wants: &Wants) -> HashSet<usize> {
        let with = |platform: &str, formats: &[Format]| -> HashSet<usize> {
            let fits = |body: &Body| body.form.platform == platform && formats.contains(&body.form.format);
            self.bodies.iter().enumerate().filter(|(_, body)| fits(body)).map(|(i, _)| i).collect()
        };
        let written = [Format::Html, Format::Markdown, Format::Text];
        match wants {
            Wants::Email => {
                [with("email", &written), with("*", &written)].into_iter().find(|set| !set.is_empty()).unwrap_or_default()
            }
            Wants::Named(names) => {
                let formats = [Format::Json, Format::Markdown, Format::Text, Format::Html];
                let own = names.iter().flat_map(|name| formats.map(|format| with(name, &[format])));
                let any = with("*", &[Format::Json, Format::Html, Format::Markdown, Format::Text]);
                let mail = [Format::Text, Format::Markdown, Format::Html].into_iter().map(|format| with("email", &[format]));
                own.chain([any]).chain(mail).find(|set| !set.is_empty()).unwrap_or_default()
            }
        }
    }

    /// The forms for this row: the main one, and the text beside it.
    pub(super) fn choose(&self, wants: &Wants, lang: Option<&str>) -> Option<Chosen<'_>> {
        let serving = self.serving(wants);
        let best = |format: Format| {
            let of = |body: &&Body| body.form.format == format;
            let bodies = serving.iter().filter_map(|i| self.bodies.get(*i)).filter(of);
            let near = bodies.filter_map(|body| Some((form::distance(body.form.lang.as_deref(), lang)?, body)));
            near.min_by_key(|(distance, _)| *distance)
        };
        let main = [Format::Json, Format::Html, Format::Markdown, Format::Text]
            .into_iter()
            .filter_map(best)
            .min_by_key(|(distance, _)| *distance);
        let (distance, main) = main?;
        // A text in the reader's language, or none: it is then derived from the HTML.
        let text =
            best(Format::Text).filter(|(of, text)| *of == distance && text.form.format != main.form.format).map(|(_, text)| text);
        Some(Chosen { main, text, email: matches!(wants, Wants::Email) })
    }
}
