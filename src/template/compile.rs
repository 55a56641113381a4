//! A template, compiled: every fragment parsed, linted and ready, every fixed attachment read. All that is wrong is told at once.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use handlebars::{Handlebars, Template as Ast};
use serde_json::Value;

use crate::message::{Attachment, Wants};
use crate::problem::{Problem, did_you_mean};
use crate::template::attach::{self, Roots};
use crate::template::cook::{Kept, Page};
use crate::template::form::{self, Form, Format};
use crate::template::fragment::Fragment;
use crate::template::front::{self, Front, Located};
use crate::template::scan::{self, Kind};
use crate::template::source_files::TemplateFiles;
use crate::template::uses::{self, Use};
use crate::template::variable::Variable;
use crate::template::{header_block, helper, hole, images, json_form, lint, markdown_form};

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
    yaml: Option<Fragment>,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its files.
    pub fn compile(files: &TemplateFiles, options: &Options) -> Result<Template, Vec<Problem>> {
        let mut work = Work::new(files, options);
        let mut template = work.run();
        for path in &options.attachments {
            match attach::given(path) {
                Ok(attachment) => template.fixed.push(attachment),
                Err(what) => work.problems.push(Problem { what, ..Problem::default() }),
            }
        }
        if work.problems.is_empty() {
            template.learn();
            return Ok(template);
        }
        let mut seen = HashSet::new();
        work.problems.retain(|p| seen.insert((p.path.clone(), p.line, p.column, p.what.clone())));
        Err(work.problems)
    }

    /// No template: rows carry ready `subject`, `text`, `html`, `markdown`, or a tree; nothing in them is evaluated.
    ///
    /// # Errors
    /// An attachment of the command line that cannot be read.
    pub fn from_row_content(options: &Options) -> Result<Template, Vec<Problem>> {
        let files = TemplateFiles {
            name: String::new(),
            path: PathBuf::new(),
            digest: String::new(),
            files: Vec::new(),
            attachments_base: PathBuf::new(),
        };
        let mut template = Template::empty(&files, options);
        template.from_rows = true;
        let mut problems = Vec::new();
        for path in &options.attachments {
            match attach::given(path) {
                Ok(attachment) => template.fixed.push(attachment),
                Err(what) => problems.push(Problem { what, ..Problem::default() }),
            }
        }
        if problems.is_empty() { Ok(template) } else { Err(problems) }
    }

    fn empty(files: &TemplateFiles, options: &Options) -> Template {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(options.strict);
        registry.register_escape_fn(hole::hold);
        helper::register(&mut registry, options.strict);
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

    /// Variables that no column provides, and a form that the platform wants and the template lacks. `columns` are the input's columns
    /// and the variables of the command line.
    pub fn check_columns(&self, columns: &[String], wants: &Wants) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(column) = self.attach_column.as_ref().filter(|column| !columns.contains(column)) {
            let near = did_you_mean(column, columns.iter().map(String::as_str));
            problems.push(Problem {
                what: format!("there is no column `{column}` to take attachments from"),
                help: Some(near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"))),
                ..Problem::default()
            });
        }
        if self.from_rows {
            return problems;
        }
        if self.choose(wants, None).is_none() && !self.bodies.iter().any(|body| body.form.lang.is_some()) {
            problems.push(self.lacks(wants));
            return problems;
        }
        if !self.strict {
            return problems;
        }
        let mut seen = HashSet::new();
        let mut names = HashSet::new();
        for used in self.uses(Some(wants)) {
            let provided =
                columns.contains(&used.name) || RESERVED.contains(&used.name.as_str()) || used.name.starts_with("_meta.");
            let declared = self.declared.iter().find(|variable| variable.name == used.name);
            if provided || used.optional || declared.is_some_and(|v| !v.required || v.default.is_some()) {
                continue;
            }
            let Some(fragment) = self.fragments.get(&used.key) else { continue };
            names.insert(used.name.clone());
            if seen.insert((fragment.path.clone(), fragment.line, used.at, used.name.clone())) {
                let near = did_you_mean(&used.name, columns.iter().map(String::as_str));
                let help = near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"));
                let what = format!("no column provides the variable `{}`", used.name);
                problems.push(fragment.problem_at(used.at, used.name.chars().count(), what, Some(help)));
            }
        }
        for variable in &self.declared {
            if variable.required
                && variable.default.is_none()
                && !columns.contains(&variable.name)
                && !names.contains(&variable.name)
            {
                if let Some(yaml) = &self.yaml {
                    let near = did_you_mean(&variable.name, columns.iter().map(String::as_str));
                    let line = variable.line + 1 - yaml.line;
                    let text = yaml.source.lines().nth(line - 1).unwrap_or_default();
                    let column = text.find(&variable.name).map_or(1, |at| text[..at].chars().count() + 1);
                    problems.push(yaml.problem(
                        line,
                        column,
                        variable.name.chars().count(),
                        format!("no column provides the variable `{}`, which the template requires", variable.name),
                        Some(near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"))),
                    ));
                }
            }
        }
        problems.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
        problems
    }

    /// That the platform wants a form which there is not.
    pub(super) fn lacks(&self, wants: &Wants) -> Problem {
        let (what, file) = match wants {
            Wants::Email => ("email".to_owned(), "email.html, email.md or email.txt".to_owned()),
            Wants::Named(name) => (format!("`{name}`"), format!("{name}.json, {name}.md or {name}.txt")),
        };
        let has: Vec<String> = self.forms.iter().map(ToString::to_string).collect();
        Problem {
            what: format!("the template `{}` has no content for {what} (it has {})", self.files.name, has.join(", ")),
            path: Some(self.files.place("")),
            help: Some(format!("add {file}")),
            ..Problem::default()
        }
    }

    /// What the row is read for: the headers, and the forms that this platform may get (all forms without one).
    fn uses(&self, wants: Option<&Wants>) -> Vec<Use> {
        let mut keys: Vec<&str> = Vec::new();
        let slots = self.subject.iter().map(|(_, slot)| slot).chain(&self.from).chain(&self.reply_to);
        for slot in slots.chain(self.headers.iter().map(|(_, slot)| slot)).chain(&self.per_row) {
            if let Slot::Rendered(key) = slot {
                keys.push(key);
            }
        }
        let serving = wants.map(|wants| self.serving(wants));
        for (i, body) in self.bodies.iter().enumerate() {
            if serving.as_ref().is_none_or(|serving| serving.contains(&i)) {
                keys.push(&body.key);
                keys.extend(body.layout.as_deref());
            }
        }
        keys.into_iter().flat_map(|key| uses::of(&self.registry, &self.fragments, key)).collect()
    }

    /// Learns from its own fragments what every row is assumed to have, and warns of what is never read.
    fn learn(&mut self) {
        let uses = self.uses(None);
        let names: HashSet<&str> = uses.iter().map(|used| used.name.as_str()).collect();
        let mut assumed: Vec<String> =
            RESERVED.iter().filter(|name| names.contains(*name)).map(|name| (*name).to_owned()).collect();
        assumed.extend(names.iter().filter(|name| name.starts_with("_meta.")).map(|name| (*name).to_owned()));
        let unused: Vec<Variable> = self.declared.iter().filter(|v| !names.contains(v.name.as_str())).cloned().collect();
        drop(names);
        self.assumed = assumed;
        for variable in unused {
            if let Some(yaml) = &self.yaml {
                let what = format!("`{}` is declared and never used", variable.name);
                self.warnings.push(yaml.problem(
                    variable.line + 1 - yaml.line,
                    1,
                    1,
                    what,
                    Some("take it out of `variables`".to_owned()),
                ));
            }
        }
        let email = self
            .bodies
            .iter()
            .any(|body| matches!(body.form.platform.as_str(), "email" | "*") && body.form.format != Format::Json);
        if email && self.subject.is_empty() {
            self.warnings.push(Problem {
                what: "the template has no subject".to_owned(),
                path: Some(self.files.place(if self.files.single() { &self.forms[0].file } else { "template.yaml" })),
                help: Some("add `Subject: …` (or `subject:` in template.yaml), or send with `--subject`".to_owned()),
                ..Problem::default()
            });
        }
    }
}

fn told(columns: &[String]) -> String {
    let shown: Vec<&str> = columns.iter().map(String::as_str).take(12).collect();
    let more = if columns.len() > 12 { ", …" } else { "" };
    format!("the columns are: {}{more}; `-V name=value` sets one for all rows", shown.join(", "))
}

/// The compilation while it goes on.
struct Work<'a> {
    files: &'a TemplateFiles,
    options: &'a Options,
    problems: Vec<Problem>,
    /// Names that may be included and their keys, by format.
    partials: HashMap<Format, HashMap<String, String>>,
    includes: HashMap<String, Vec<String>>,
}

impl<'a> Work<'a> {
    fn new(files: &'a TemplateFiles, options: &'a Options) -> Self {
        let mut partials = HashMap::new();
        for format in [Format::Html, Format::Markdown, Format::Text, Format::Json] {
            partials.insert(format, partial_keys(files, format));
        }
        Work { files, options, problems: Vec::new(), partials, includes: HashMap::new() }
    }

    fn run(&mut self) -> Template {
        let mut template = Template::empty(self.files, self.options);
        let (front, bodies, yaml) = self.read();
        template.yaml = yaml;
        template.declared = front.variables.clone();
        for (form, fragment) in bodies {
            self.body(&mut template, form, fragment, front.layout.as_ref());
        }
        self.front(&mut template, front);
        if let Some(mut names) = lint::circle(&self.includes) {
            names.iter_mut().for_each(|name| *name = name.split('#').next().unwrap_or_default().to_owned());
            let path = self.files.place(&names[0]);
            let what = format!("partials include each other in a circle: {}", names.join(" → "));
            self.problems.push(Problem {
                what,
                path: Some(path),
                help: Some("one of them must go without".to_owned()),
                ..Problem::default()
            });
        }
        template
    }

    /// Splits what the template says from its texts.
    fn read(&mut self) -> (Front, Vec<(Form, Fragment)>, Option<Fragment>) {
        if self.files.single() {
            let name = self.files.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(form) = form::of_single(name) else { return (Front::default(), Vec::new(), None) };
            let whole = Fragment::whole(&self.files.place(name), self.files.text(name).unwrap_or_default());
            let split = front::split(&whole, &mut self.problems).or_else(|| header_block::split(&whole, &mut self.problems));
            let (front, body) = split.unwrap_or_else(|| (Front::default(), whole.clone()));
            if body.source.trim().is_empty() {
                self.problems.push(whole.problem(
                    whole.source.lines().count().max(1),
                    1,
                    1,
                    "the template has no text".to_owned(),
                    None,
                ));
            }
            return (front, vec![(form, body)], Some(whole));
        }
        let yaml = ["template.yaml", "template.yml"]
            .into_iter()
            .find_map(|name| self.files.text(name).map(|text| Fragment::whole(&self.files.place(name), text)));
        let front = yaml.as_ref().map(|yaml| front::read_yaml(yaml, &mut self.problems)).unwrap_or_default();
        let forms = self.files.files.iter().filter_map(|(name, text)| {
            let form = form::of_file(name)?;
            Some((form, Fragment::whole(&self.files.place(name), text)))
        });
        (front, forms.collect(), yaml)
    }

    fn front(&mut self, template: &mut Template, front: Front) {
        let whole = template.yaml.clone();
        let whole = whole.unwrap_or_else(|| Fragment::whole(&self.files.path, ""));
        template.subject_source = front.subject.first().map(|(_, located)| located.text.clone());
        for (lang, located) in front.subject {
            let key = format!("subject.{}", lang.as_deref().unwrap_or("default"));
            let slot = self.slot(template, &whole, key, &located);
            template.subject.push((lang, slot));
        }
        template.from = front.from.map(|located| self.slot(template, &whole, "from".to_owned(), &located));
        template.reply_to = front.reply_to.map(|located| self.slot(template, &whole, "reply-to".to_owned(), &located));
        for (i, (name, located)) in front.headers.into_iter().enumerate() {
            let slot = self.slot(template, &whole, format!("header.{i}"), &located);
            template.headers.push((name, slot));
        }
        for (i, located) in front.attachments.into_iter().enumerate() {
            match self.slot(template, &whole, format!("attachment.{i}"), &located) {
                Slot::Fixed(name) => match template.roots.for_all(&name, None) {
                    Ok(attachment) => template.fixed.push(attachment),
                    Err(what) => {
                        let line = located.line + 1 - whole.line;
                        self.problems.push(whole.problem(line, located.lead + 1, name.chars().count(), what, None));
                    }
                },
                slot => template.per_row.push(slot),
            }
        }
    }

    fn slot(&mut self, template: &mut Template, whole: &Fragment, key: String, located: &Located) -> Slot {
        if !located.text.contains("{{") {
            return Slot::Fixed(super::render::one_line(&located.text));
        }
        let fragment = Fragment { source: located.text.clone(), line: located.line, lead: located.lead, ..whole.clone() };
        self.fragment(template, &key, fragment, Format::Text);
        Slot::Rendered(key)
    }

    fn body(&mut self, template: &mut Template, form: Form, fragment: Fragment, layout: Option<&Located>) {
        let key = form.file.clone();
        let format = form.format;
        if format == Format::Json {
            self.json_by_itself(&fragment);
        }
        let layout = match (format, layout) {
            (Format::Markdown, Some(layout)) => {
                let name = layout.text.trim();
                let key = format!("layout of {}", form.file);
                let source = format!("{{{{#> {name}}}}}{}{{{{/{name}}}}}", markdown_form::CONTENT);
                let said = template.yaml.as_ref().unwrap_or(&fragment);
                let wrap = Fragment { source, line: layout.line, lead: layout.lead, ..said.clone() };
                self.fragment(template, &key, wrap, Format::Html);
                Some(key)
            }
            _ => None,
        };
        self.fragment(template, &key, fragment, format);
        let mut images = Vec::new();
        if matches!(format, Format::Html | Format::Markdown) {
            let mut keys = vec![key.clone()];
            keys.extend(layout.clone());
            let mut i = 0;
            while let Some(key) = keys.get(i).cloned() {
                i += 1;
                for next in self.includes.get(&key).into_iter().flatten() {
                    if !keys.contains(next) {
                        keys.push(next.clone());
                    }
                }
            }
            for key in keys {
                images::embed(template, &key, self.files, &mut images, &mut self.problems);
            }
        }
        template.forms.push(form.clone());
        template.bodies.push(Body { form, key, layout, images, pages: Kept::default(), trees: Kept::default() });
    }

    /// Parses, lints and registers a fragment, and every partial that it comes to include.
    fn fragment(&mut self, template: &mut Template, key: &str, fragment: Fragment, format: Format) {
        let mut waiting = vec![(key.to_owned(), fragment)];
        while let Some((key, fragment)) = waiting.pop() {
            if template.fragments.contains_key(&key) {
                continue;
            }
            template.fragments.insert(key.clone(), fragment.clone());
            let (tags, problems) = scan::check(&fragment);
            if !problems.is_empty() {
                self.problems.extend(problems);
                continue;
            }
            let Some(mut ast) = parse(&fragment.source, &key) else {
                self.problems.push(scan::unreadable(&fragment, &tags, |text| parse(text, "tag").is_some()));
                continue;
            };
            if let Some(name) = lint::inline_nesting(&ast) {
                let what = format!("the inline partial `{name}` is included inside of an inline partial");
                self.problems.push(fragment.problem(1, 1, 1, what, Some("move one of them to partials/".to_owned())));
                continue;
            }
            let known = &self.partials[&format];
            let findings = lint::walk(&mut ast, &fragment, &lint::Partials { known, format, strict: self.options.strict });
            self.problems.extend(findings.problems);
            template.warnings.extend(findings.warnings);
            if matches!(format, Format::Html) {
                self.problems.extend(lint::unquoted_attributes(&fragment));
            }
            template.registry.register_template(&key, ast);
            for included in &findings.includes {
                let file = included.split('#').next().unwrap_or_default();
                if let Some(text) = self.files.text(file) {
                    waiting.push((included.clone(), Fragment::whole(&self.files.place(file), text)));
                }
            }
            self.includes.insert(key, findings.includes);
        }
    }

    /// JSON without blocks is the same tree for every row: what is wrong with it is known now.
    fn json_by_itself(&mut self, fragment: &Fragment) {
        let (tags, problems) = scan::check(fragment);
        if !problems.is_empty() || tags.iter().any(|tag| !matches!(tag.kind, Kind::Value | Kind::Comment)) {
            return;
        }
        let mut text = String::new();
        let mut at = 0;
        for (i, tag) in tags.iter().enumerate() {
            text.push_str(&fragment.source[at..tag.start]);
            if tag.kind == Kind::Value {
                text.push_str(&hole::token(i));
            }
            // Lines stay where they are.
            text.extend(fragment.source[tag.start..tag.end].chars().filter(|c| *c == '\n'));
            at = tag.end;
        }
        text.push_str(&fragment.source[at..]);
        if let Err(what) = json_form::tree(&text) {
            let number =
                |word: &str| what.split(word).nth(1).and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok());
            let line: usize = number(" at line ").unwrap_or(1);
            let told = what.split(" at line ").next().unwrap_or_default().to_owned();
            let text = fragment.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            // Tags are longer than the holes that were parsed: only on lines without tags is the column the file's.
            let column: usize = if text.contains("{{") { 1 } else { number(" column ").unwrap_or(1) };
            self.problems.push(fragment.problem(
                line.max(1),
                column.max(1),
                1,
                told,
                Some("the file must be JSON once the tags are filled".to_owned()),
            ));
        }
    }
}

/// Handlebars' parser; a panic in it is a template that cannot be read.
fn parse(source: &str, key: &str) -> Option<Ast> {
    std::panic::catch_unwind(|| Ast::compile_with_name(source, key.to_owned()).ok()).ok().flatten()
}

/// The names that fragments of a format may include, and the key of each.
fn partial_keys(files: &TemplateFiles, format: Format) -> HashMap<String, String> {
    let mut keys: HashMap<String, (usize, String)> = HashMap::new();
    for (file, _) in &files.files {
        let (shared, rest) = match file.strip_prefix("../") {
            Some(rest) => (1, rest),
            None => (0, file.as_str()),
        };
        let Some(name) = rest.strip_prefix("partials/").or_else(|| rest.strip_prefix("layouts/")) else { continue };
        let stem = name.strip_suffix(".hbs").unwrap_or(name);
        let (name, fits) = match stem.rsplit_once('.').map(|(name, extension)| (name, Format::of_extension(extension))) {
            Some((name, Some(of))) if of == format => (name, 0),
            // HTML may stand in Markdown.
            Some((name, Some(Format::Html))) if format == Format::Markdown => (name, 4),
            Some((_, Some(_))) => continue,
            _ => (stem, 2),
        };
        let key = format!("{file}#{}", format.as_str());
        let folder = rest.split('/').next().unwrap_or_default();
        for name in [name.to_owned(), format!("{folder}/{name}")] {
            let entry = keys.entry(name).or_insert((usize::MAX, String::new()));
            if fits + shared < entry.0 {
                *entry = (fits + shared, key.clone());
            }
        }
    }
    keys.into_iter().map(|(name, (_, key))| (name, key)).collect()
}
