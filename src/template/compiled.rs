//! A compiled template as data: what the compiler fills in, and what checking and rendering read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use handlebars::Handlebars;
use serde_json::Value;

use crate::message::Attachment;
use crate::problem::Problem;
use crate::template::attach::Roots;
use crate::template::cook::{Kept, Page};
use crate::template::form::Form;
use crate::template::fragment::Fragment;
use crate::template::helper::table;
use crate::template::hole;
use crate::template::source_files::TemplateFiles;
use crate::template::variable::Variable;

/// How a template is compiled.
#[derive(Debug, Clone)]
pub struct Options {
    /// An undefined variable is an error; `--lenient` turns that off.
    pub strict: bool,
    /// `-a`: files that go along with every message. They may lie anywhere.
    pub attachments: Vec<PathBuf>,
    /// `--attach-column`: the column that names files of the row, beside `_attach`.
    pub attach_column: Option<String>,
    /// `<style>` becomes `style=""` (with the feature `inline-css`).
    pub inline_css: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { strict: true, attachments: Vec::new(), attach_column: None, inline_css: true }
    }
}

/// Columns with a meaning of their own: a template may read them, and a row need not have them.
pub(super) const RESERVED: [&str; 10] =
    ["_via", "_attach", "_cc", "_bcc", "_reply_to", "_send_at", "_priority", "_key", "_template", "_meta"];

/// A short text: the same for all rows, or a fragment to render.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    Fixed(String),
    Rendered(String),
}

/// One form, compiled.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) form: Form,
    /// Key of its fragment.
    pub(super) key: String,
    /// Key of the page around Markdown.
    pub(super) layout: Option<String>,
    /// Images that its HTML shows.
    pub(super) images: Vec<Arc<Attachment>>,
    pub(super) pages: Kept<Page>,
    pub(super) trees: Kept<Value>,
}

/// A template, ready to render for any number of rows from any number of threads.
#[derive(Debug)]
pub struct Template {
    pub(super) files: TemplateFiles,
    pub(super) declared: Vec<Variable>,
    pub(super) forms: Vec<Form>,
    pub(super) warnings: Vec<Problem>,
    /// Content comes from the rows themselves.
    pub(super) from_rows: bool,
    pub(super) registry: Handlebars<'static>,
    pub(super) fragments: HashMap<String, Fragment>,
    pub(super) subject: Vec<(Option<String>, Slot)>,
    pub(super) subject_source: Option<String>,
    pub(super) from: Option<Slot>,
    pub(super) reply_to: Option<Slot>,
    pub(super) headers: Vec<(String, Slot)>,
    pub(super) bodies: Vec<Body>,
    pub(super) fixed: Vec<Arc<Attachment>>,
    pub(super) per_row: Vec<Slot>,
    pub(super) roots: Roots,
    pub(super) attach_column: Option<String>,
    pub(super) strict: bool,
    pub(super) inline_css: bool,
    /// Reserved columns and optional variables that fragments read: there for every row, if only as nothing.
    pub(super) assumed: Vec<String>,
    /// Key of the fragment of template.yaml, for problems with declared variables.
    pub(super) yaml: Option<Fragment>,
}

impl Template {
    /// A template without content.
    pub(super) fn empty(files: &TemplateFiles, options: &Options) -> Template {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(options.strict);
        registry.register_escape_fn(hole::hold);
        table::register(&mut registry, options.strict);
        let base = (!files.attachments_base.as_os_str().is_empty()).then_some(files.attachments_base.as_path());
        Template {
            files: files.clone(),
            declared: Vec::new(),
            forms: Vec::new(),
            warnings: Vec::new(),
            from_rows: false,
            registry,
            fragments: HashMap::new(),
            subject: Vec::new(),
            subject_source: None,
            from: None,
            reply_to: None,
            headers: Vec::new(),
            bodies: Vec::new(),
            fixed: Vec::new(),
            per_row: Vec::new(),
            roots: Roots::new(base),
            attach_column: options.attach_column.clone(),
            strict: options.strict,
            inline_css: options.inline_css,
            assumed: Vec::new(),
            yaml: None,
        }
    }

    /// What template.yaml declares.
    pub fn declared(&self) -> &[Variable] {
        &self.declared
    }

    /// The forms of content it has.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// What it was made of.
    pub fn files(&self) -> &TemplateFiles {
        &self.files
    }

    /// What is allowed and hardly meant.
    pub fn warnings(&self) -> Vec<Problem> {
        self.warnings.clone()
    }

    /// The subject as the template writes it.
    pub fn subject_source(&self) -> Option<&str> {
        self.subject_source.as_deref()
    }
}
