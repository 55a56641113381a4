//! From files to a compiled template: every fragment parsed and linted, every fixed attachment read. All that is wrong is told at once.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use handlebars::Template as Ast;

use crate::problem::Problem;
use crate::template::attach;
use crate::template::compiled::{Body, Options, Slot, Template};
use crate::template::cook::Kept;
use crate::template::form::{self, Form, Format};
use crate::template::fragment::Fragment;
use crate::template::front::{Front, Located};
use crate::template::one_line::one_line;
use crate::template::scan::{self, Kind};
use crate::template::source_files::TemplateFiles;
use crate::template::{front_matter, header_block, hole, images, json_form, lint, markdown_form};

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
            let split =
                front_matter::split(&whole, &mut self.problems).or_else(|| header_block::split(&whole, &mut self.problems));
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
        let front = yaml.as_ref().map(|yaml| front_matter::read_yaml(yaml, &mut self.problems)).unwrap_or_default();
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
            return Slot::Fixed(one_line(&located.text));
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
