//! Which variables a template reads from the row itself, and where: so that a missing column is told before anything is rendered.

use std::collections::{HashMap, HashSet};

use handlebars::template::{BlockParam, DecoratorTemplate, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Handlebars, Template as Ast};

use crate::template::fragment::{Fragment, byte_of};
use crate::template::helper::table;
use crate::template::scan::{self, Kind};

/// One reading of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// The column's name.
    pub(super) name: String,
    /// The fragment, by key.
    pub(super) key: String,
    /// Byte of the fragment's source.
    pub(super) at: usize,
    /// `{{default x "…"}}` stands for it where it is missing.
    pub(super) optional: bool,
}

/// Every variable of the row that the fragment `key` and what it includes read.
pub(super) fn of(registry: &Handlebars, fragments: &HashMap<String, Fragment>, key: &str) -> Vec<Use> {
    let mut reading = Reading { registry, fragments, uses: Vec::new(), seen: HashSet::new(), key: String::new() };
    reading.fragment(key, &mut vec![Frame { row: true, bound: Vec::new() }]);
    reading.uses
}

struct Frame {
    /// Names are the row's columns; else an entry's of a list or object, which no header tells.
    row: bool,
    /// Names given by `as |x|` or as parameters of a partial.
    bound: Vec<String>,
}

struct Reading<'a> {
    registry: &'a Handlebars<'a>,
    fragments: &'a HashMap<String, Fragment>,
    uses: Vec<Use>,
    seen: HashSet<(String, bool, Vec<String>)>,
    key: String,
}

impl Reading<'_> {
    fn fragment(&mut self, key: &str, frames: &mut Vec<Frame>) {
        let (Some(ast), Some(frame)) = (self.registry.get_template(key), frames.last()) else { return };
        if frames.len() > 50 || !self.seen.insert((key.to_owned(), frame.row, frame.bound.clone())) {
            return;
        }
        let outer = std::mem::replace(&mut self.key, key.to_owned());
        self.template(ast, 0, frames);
        self.key = outer;
    }

    fn template(&mut self, ast: &Ast, outer: usize, frames: &mut Vec<Frame>) {
        for (i, element) in ast.elements.iter().enumerate() {
            let from = match (ast.mapping.get(i), self.fragments.get(&self.key)) {
                (Some(mapped), Some(fragment)) => byte_of(&fragment.source, mapped.0, mapped.1),
                _ => outer,
            };
            match element {
                TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => self.call(call, from, frames, false),
                TemplateElement::HelperBlock(call) => self.block(call, from, frames),
                TemplateElement::PartialExpression(partial) => self.partial(partial, from, frames),
                TemplateElement::PartialBlock(partial) => {
                    self.partial(partial, from, frames);
                    if let Some(inner) = &partial.template {
                        self.template(inner, from, frames);
                    }
                }
                TemplateElement::DecoratorBlock(decorator) => {
                    if let Some(inner) = &decorator.template {
                        self.template(inner, from, frames);
                    }
                }
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &HelperTemplate, from: usize, frames: &[Frame], optional: bool) {
        if call.params.is_empty() && call.hash.is_empty() {
            self.parameter(&call.name, from, frames, optional);
            return;
        }
        let lenient = call.name.as_name().and_then(table::shape).is_some_and(|shape| shape.lenient);
        for (i, parameter) in call.params.iter().enumerate() {
            self.parameter(parameter, from, frames, optional || (lenient && i + 1 < call.params.len()));
        }
        for parameter in call.hash.values() {
            self.parameter(parameter, from, frames, optional);
        }
    }

    fn block(&mut self, call: &HelperTemplate, from: usize, frames: &mut Vec<Frame>) {
        self.call(call, from, frames, false);
        let scoped = matches!(call.name.as_name(), Some("each" | "with"));
        if scoped {
            let mut bound = Vec::new();
            match &call.block_param {
                Some(BlockParam::Single(name)) => bound.extend(name.as_name().map(str::to_owned)),
                Some(BlockParam::Pair((a, b))) => bound.extend([a, b].iter().filter_map(|p| p.as_name().map(str::to_owned))),
                _ => {}
            }
            frames.push(Frame { row: false, bound });
        }
        if let Some(inner) = &call.template {
            self.template(inner, from, frames);
        }
        if scoped {
            frames.pop();
        }
        if let Some(inner) = &call.inverse {
            self.template(inner, from, frames);
        }
    }

    fn partial(&mut self, partial: &DecoratorTemplate, from: usize, frames: &mut Vec<Frame>) {
        for parameter in partial.params.iter().chain(partial.hash.values()) {
            self.parameter(parameter, from, frames, false);
        }
        let Some(name) = partial.name.as_name() else { return };
        let row = partial.params.is_empty() && frames.last().is_none_or(|frame| frame.row);
        let mut bound: Vec<String> = partial.hash.keys().cloned().collect();
        bound.sort();
        frames.push(Frame { row, bound });
        self.fragment(name, frames);
        frames.pop();
    }

    fn parameter(&mut self, parameter: &Parameter, from: usize, frames: &[Frame], optional: bool) {
        match parameter {
            Parameter::Path(_) => {
                if let Some(name) = parameter.as_name().and_then(|raw| column_of(raw, frames)) {
                    let at = self.fragments.get(&self.key).map_or(from, |fragment| place(fragment, from, &name));
                    self.uses.push(Use { name, key: self.key.clone(), at, optional });
                }
            }
            Parameter::Subexpression(sub) => {
                if let TemplateElement::Expression(call) = sub.as_element() {
                    self.call(call, from, frames, optional);
                }
            }
            _ => {}
        }
    }
}

/// The column that a path begins with; `None` where it reads something else than the row.
fn column_of(raw: &str, frames: &[Frame]) -> Option<String> {
    if let Some(rest) = raw.strip_prefix("@root.").or_else(|| raw.strip_prefix("@root/")) {
        return first_segment(rest);
    }
    if raw.starts_with('@') {
        return None;
    }
    let mut rest = raw;
    let mut up = 0;
    while let Some(next) = rest.strip_prefix("../") {
        rest = next;
        up += 1;
    }
    let explicit = rest.strip_prefix("this.").or_else(|| rest.strip_prefix("this/")).or_else(|| rest.strip_prefix("./"));
    let name = first_segment(explicit.unwrap_or(rest)).filter(|name| name != "this" && name != ".")?;
    let bound = up == 0 && explicit.is_none() && frames.iter().any(|frame| frame.bound.contains(&name));
    let frame = frames.len().checked_sub(1 + up).and_then(|i| frames.get(i))?;
    (!bound && frame.row && !frame.bound.contains(&name)).then_some(name)
}

/// The first name of a path: `user` of `user.name`, `First Name` of `[First Name]`.
pub(super) fn first_segment(path: &str) -> Option<String> {
    let name = match path.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => path.split(['.', '/', '[']).next()?,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

/// The byte at which the name stands in the first tag from `from` on that holds it.
fn place(fragment: &Fragment, from: usize, name: &str) -> usize {
    let tags = scan::tags(fragment, &mut Vec::new());
    let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == '-'));
    for tag in tags.iter().filter(|tag| tag.end > from && !matches!(tag.kind, Kind::Comment | Kind::Close)) {
        let text = &fragment.source[tag.start..tag.end];
        let first = matches!(tag.kind, Kind::Open).then(|| text.find(char::is_whitespace)).flatten().unwrap_or(0);
        let hit = text.match_indices(name).find(|(at, _)| {
            *at >= first && edge(text[..*at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
        });
        if let Some((at, _)) = hit {
            return tag.start + at;
        }
    }
    from
}
