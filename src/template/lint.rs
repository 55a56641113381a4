//! What a parsed template means, before any row: helpers and partials that do not exist, wrong calls, and the few rewritings that strictness needs.

use std::collections::HashMap;

use handlebars::Template as Ast;
use handlebars::template::{DecoratorTemplate, HelperTemplate, Parameter, Subexpression, TemplateElement};

use crate::problem::{Problem, did_you_mean};
use crate::template::form::Format;
use crate::template::fragment::{Fragment, byte_of};
use crate::template::helper::table;

/// Where partials are found, for one fragment.
pub(super) struct Partials<'a> {
    /// Names that may be written, and the key that each is registered under.
    pub(super) known: &'a HashMap<String, String>,
    /// Format of the fragment, for the words of a problem.
    pub(super) format: Format,
    pub(super) strict: bool,
}

/// What the walk found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Keys of partials that it includes.
    pub(super) includes: Vec<String>,
}

/// Walks a parsed fragment, says what is wrong, and rewrites it in place: partial names become keys, `{{title}}` the variable and not the
/// helper, and parameters of partials are looked at in strict mode.
pub(super) fn walk(ast: &mut Ast, fragment: &Fragment, partials: &Partials) -> Findings {
    let mut inline = Vec::new();
    inline_names(ast, &mut inline);
    let mut walk = Walk { fragment, partials, inline, findings: Findings::default() };
    walk.template(ast, (1, 1));
    walk.findings
}

struct Walk<'a> {
    fragment: &'a Fragment,
    partials: &'a Partials<'a>,
    inline: Vec<String>,
    findings: Findings,
}

type Place = (usize, usize);

impl Walk<'_> {
    fn template(&mut self, ast: &mut Ast, outer: Place) {
        for (i, element) in ast.elements.iter_mut().enumerate() {
            let place = ast.mapping.get(i).map_or(outer, |at| (at.0, at.1));
            self.element(element, place);
        }
    }

    fn element(&mut self, element: &mut TemplateElement, place: Place) {
        match element {
            TemplateElement::Expression(call) => self.expression(call, place),
            TemplateElement::HtmlExpression(call) => {
                match self.partials.format {
                    Format::Json => self.say(
                        place,
                        "`{{{…}}}` would let a value change the JSON around it".to_owned(),
                        Some("write `{{json x}}` for a value as a tree, or `\"{{x}}\"` for text".to_owned()),
                    ),
                    Format::Html | Format::Markdown => {
                        let problem = self.problem(
                            place,
                            "`{{{…}}}` puts the value into the page as it is, tags included".to_owned(),
                            Some("write `{{…}}` unless the value is HTML that you made yourself".to_owned()),
                        );
                        self.findings.warnings.push(problem);
                    }
                    Format::Text => {}
                }
                self.expression(call, place);
            }
            TemplateElement::HelperBlock(call) => self.block(call, place),
            TemplateElement::PartialExpression(partial) => self.partial(partial, place),
            TemplateElement::PartialBlock(partial) => {
                self.partial(partial, place);
                if let Some(inner) = &mut partial.template {
                    self.template(inner, place);
                }
            }
            TemplateElement::DecoratorExpression(decorator) | TemplateElement::DecoratorBlock(decorator) => {
                if decorator.name.as_name() != Some("inline") {
                    let name = decorator.name.as_name().unwrap_or_default().to_owned();
                    self.say(
                        place,
                        format!("there is no decorator `{name}`"),
                        Some("only `{{#*inline \"name\"}}` exists".to_owned()),
                    );
                }
                if let Some(inner) = &mut decorator.template {
                    self.template(inner, place);
                }
            }
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            _ => {}
        }
    }

    fn expression(&mut self, call: &mut HelperTemplate, place: Place) {
        if call.params.is_empty() && call.hash.is_empty() {
            match &call.name {
                Parameter::Path(path) => {
                    let name = call.name.as_name().unwrap_or_default();
                    if table::shape(name).is_some() || matches!(name, "inline" | "helperMissing" | "blockHelperMissing") {
                        // The variable is meant: a helper without parameters would have nothing to say.
                        call.params.push(Parameter::Path(path.clone()));
                        call.name = Parameter::Name(table::VALUE.to_owned());
                    }
                }
                Parameter::Subexpression(_) => {
                    let help = Some("write `{{upper name}}`, without the parentheses".to_owned());
                    self.say(place, "a call inside a tag needs no parentheses around it".to_owned(), help);
                }
                _ => {}
            }
            return;
        }
        self.call(call, place, false);
    }

    fn block(&mut self, call: &mut HelperTemplate, place: Place) {
        self.call(call, place, true);
        if let Some(inner) = &mut call.template {
            self.template(inner, place);
        }
        if let Some(inner) = &mut call.inverse {
            self.template(inner, place);
        }
    }

    fn call(&mut self, call: &mut HelperTemplate, place: Place, block: bool) {
        let name = call.name.as_name().unwrap_or_default().to_owned();
        match table::shape(&name).filter(|_| name != table::VALUE) {
            None => self.unknown_helper(&name, call, place, block),
            Some(shape) if shape.block != block => {
                let (what, help) = if block {
                    (format!("`{name}` is not a block"), format!("write `{{{{{name} …}}}}`"))
                } else {
                    (format!("`{name}` opens a block"), format!("write `{{{{#{name} …}}}}…{{{{/{name}}}}}`"))
                };
                self.say(place, what, Some(help));
            }
            Some(shape) => {
                let given = call.params.len();
                if given < shape.least || given > shape.most {
                    let tag = if block { format!("{{{{#{name}}}}}") } else { format!("{{{{{name}}}}}") };
                    let wants = match (shape.least, shape.most) {
                        (1, 1) => "one parameter".to_owned(),
                        (least, most) if least == most => format!("{least} parameters"),
                        (least, most) => format!("{least} to {most} parameters"),
                    };
                    let what = format!("`{tag}` takes {wants}, not {given}");
                    let comparison = call.params.iter().any(|p| matches!(p.as_name(), Some("and" | "or" | "eq" | "is" | "not")));
                    let help =
                        comparison.then(|| "a call inside a call stands in parentheses: `{{#if (eq plan \"pro\")}}`".to_owned());
                    self.say(place, what, help);
                }
                for key in call.hash.keys().cloned().collect::<Vec<_>>() {
                    if !shape.named.contains(&key.as_str()) {
                        let near = did_you_mean(&key, shape.named.iter().copied());
                        let help = match (near, shape.named.is_empty()) {
                            (Some(near), _) => format!("did you mean `{near}`?"),
                            (None, true) => format!("`{name}` takes no named parameters"),
                            (None, false) => format!("`{name}` knows {}", shape.named.join(", ")),
                        };
                        self.say(place, format!("`{name}` does not know `{key}=`"), Some(help));
                    }
                }
            }
        }
        self.parameters(call.params.iter_mut().chain(call.hash.values_mut()), place);
    }

    fn parameters<'p>(&mut self, parameters: impl Iterator<Item = &'p mut Parameter>, place: Place) {
        for parameter in parameters {
            if let Parameter::Subexpression(sub) = parameter
                && let TemplateElement::Expression(call) = sub.element.as_mut()
            {
                if call.params.is_empty() && call.hash.is_empty() {
                    let name = call.name.as_name().unwrap_or_default().to_owned();
                    let help = Some(format!("write `{name}` for a variable, `({name} x)` for a helper"));
                    self.say(place, format!("`({name})` calls `{name}` without a parameter"), help);
                    continue;
                }
                self.call(call, place, false);
            }
        }
    }

    fn unknown_helper(&mut self, name: &str, call: &HelperTemplate, place: Place, block: bool) {
        let near = did_you_mean(name, table::names());
        let words: Vec<&str> = std::iter::once(name).chain(call.params.iter().filter_map(Parameter::as_name)).collect();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if block && call.params.is_empty() => {
                format!("if `{name}` is a variable, write `{{{{#if {name}}}}}` or `{{{{#each {name}}}}}`")
            }
            None if words.len() == call.params.len() + 1 => {
                format!("if that is the name of a column, write `{{{{[{}]}}}}`", words.join(" "))
            }
            None => format!("the helpers are: {}", table::names().collect::<Vec<_>>().join(", ")),
        };
        let what = if block { format!("there is no block `{name}`") } else { format!("there is no helper `{name}`") };
        self.say(place, what, Some(help));
    }

    fn partial(&mut self, partial: &mut DecoratorTemplate, place: Place) {
        let Parameter::Name(written) = &partial.name else {
            // A plain name may also parse as a path.
            match partial.name.as_name().map(str::to_owned) {
                Some(name) => {
                    partial.name = Parameter::Name(name);
                    return self.partial(partial, place);
                }
                None => {
                    let help = Some("write the partial's name; choose between two with `{{#if}}`".to_owned());
                    return self.say(place, "the name of a partial cannot be computed".to_owned(), help);
                }
            }
        };
        let name = written.trim_matches(['\'', '"', '[', ']']).to_owned();
        if name != "@partial-block" && !self.inline.contains(&name) {
            match self.partials.known.get(&name) {
                Some(key) => {
                    self.findings.includes.push(key.clone());
                    partial.name = Parameter::Name(key.clone());
                }
                None => {
                    let mut names: Vec<&str> =
                        self.partials.known.keys().map(String::as_str).filter(|n| !n.contains('/')).collect();
                    names.sort_unstable();
                    let near = did_you_mean(&name, names.iter().copied());
                    let help = match (near, names.is_empty()) {
                        (Some(near), _) => format!("did you mean `{near}`?"),
                        (None, false) => format!("there are: {}", names.join(", ")),
                        (None, true) => format!("put it into partials/{name}.{}", self.partials.format.as_str()),
                    };
                    let what = format!("there is no partial or layout `{name}` for {}", self.partials.format.as_str());
                    self.say(place, what, Some(help));
                }
            }
        }
        self.parameters(partial.params.iter_mut().chain(partial.hash.values_mut()), place);
        if self.partials.strict {
            for parameter in partial.params.iter_mut().chain(partial.hash.values_mut()) {
                if let Parameter::Path(path) = parameter {
                    // Handlebars hands an undefined variable on as null: the call looks at it first.
                    let checked = vec![Parameter::Path(path.clone())];
                    *parameter = Parameter::Subexpression(Subexpression::new(
                        Parameter::Name(table::VALUE.to_owned()),
                        checked,
                        HashMap::new(),
                    ));
                }
            }
        }
    }

    fn problem(&self, place: Place, what: String, help: Option<String>) -> Problem {
        let at = byte_of(&self.fragment.source, place.0, place.1);
        let rest = self.fragment.source.get(at..).unwrap_or_default();
        let width = rest.find("}}").map_or(1, |end| rest[..end].chars().count() + 2);
        self.fragment.problem(place.0, place.1, width, what, help)
    }

    fn say(&mut self, place: Place, what: String, help: Option<String>) {
        let problem = self.problem(place, what, help);
        self.findings.problems.push(problem);
    }
}

fn inline_names(ast: &Ast, names: &mut Vec<String>) {
    for element in &ast.elements {
        match element {
            TemplateElement::DecoratorBlock(decorator) => {
                if let Some(Parameter::Literal(serde_json::Value::String(name))) = decorator.params.first() {
                    names.push(name.clone());
                }
                decorator.template.iter().for_each(|inner| inline_names(inner, names));
            }
            TemplateElement::PartialBlock(partial) => partial.template.iter().for_each(|inner| inline_names(inner, names)),
            TemplateElement::HelperBlock(call) => {
                call.template.iter().chain(&call.inverse).for_each(|inner| inline_names(inner, names));
            }
            _ => {}
        }
    }
}

/// A partial that comes to include itself would never end: the first such circle, as names.
pub(super) fn circle(includes: &HashMap<String, Vec<String>>) -> Option<Vec<String>> {
    fn visit(key: &str, includes: &HashMap<String, Vec<String>>, path: &mut Vec<String>, done: &mut Vec<String>) -> bool {
        if path.iter().any(|seen| seen == key) {
            path.push(key.to_owned());
            return true;
        }
        if done.iter().any(|seen| seen == key) {
            return false;
        }
        path.push(key.to_owned());
        for next in includes.get(key).into_iter().flatten() {
            if visit(next, includes, path, done) {
                return true;
            }
        }
        path.pop();
        done.push(key.to_owned());
        false
    }
    let mut keys: Vec<&String> = includes.keys().collect();
    keys.sort();
    let mut done = Vec::new();
    for key in keys {
        let mut path = Vec::new();
        if visit(key, includes, &mut path, &mut done) {
            let first = path.iter().position(|seen| Some(seen) == path.last()).unwrap_or(0);
            return Some(path.split_off(first));
        }
    }
    None
}

/// An inline partial that includes itself or another inline one: Handlebars would not end, so it is refused.
pub(super) fn inline_nesting(ast: &Ast) -> Option<String> {
    let mut names = Vec::new();
    inline_names(ast, &mut names);
    fn calls(ast: &Ast, inside: bool, names: &[String]) -> Option<String> {
        ast.elements.iter().find_map(|element| match element {
            TemplateElement::PartialExpression(partial) | TemplateElement::PartialBlock(partial) => {
                let name = partial.name.as_name().unwrap_or_default();
                if inside && names.iter().any(|known| known == name) {
                    return Some(name.to_owned());
                }
                partial.template.as_ref().and_then(|inner| calls(inner, inside, names))
            }
            TemplateElement::DecoratorBlock(decorator) => decorator.template.as_ref().and_then(|inner| calls(inner, true, names)),
            TemplateElement::HelperBlock(call) => {
                call.template.iter().chain(&call.inverse).find_map(|inner| calls(inner, inside, names))
            }
            _ => None,
        })
    }
    calls(ast, false, &names)
}

/// `href={{url}}`: without quotes a space in the value would begin another attribute.
pub(super) fn unquoted_attributes(fragment: &Fragment) -> Vec<Problem> {
    let source = &fragment.source;
    let mut problems = Vec::new();
    let (mut tag, mut quote, mut skip) = (false, None, 0);
    for (at, c) in source.char_indices() {
        if at < skip {
            continue;
        }
        if source[at..].starts_with("{{") {
            let end = source[at..].find("}}").map_or(source.len(), |end| at + end + 2);
            if tag && quote.is_none() && source[..at].trim_end().ends_with('=') {
                let shown = source[at..end].to_owned();
                let what = format!("`{shown}` is the value of an attribute without quotes");
                problems.push(fragment.problem_at(at, shown.chars().count(), what, Some(format!("write `\"{shown}\"`"))));
            }
            skip = end;
            continue;
        }
        match (c, quote) {
            ('"' | '\'', None) if tag => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('<', None) if source[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()) => tag = true,
            ('>', None) => tag = false,
            _ => {}
        }
    }
    problems
}
