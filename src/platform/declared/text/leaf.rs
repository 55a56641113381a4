//! A string leaf of a definition, compiled once.
//!
//! Most leaves are names between words; these are put together here, and Handlebars is asked only for blocks and helpers.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, Path, RenderContext, Renderable, StringOutput};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::{Map, Value};

use crate::platform::declared::text::find::{Scope, plain};
use crate::platform::sign::canonical::percent;

/// Handlebars' own helpers: no values are named like that.
const HELPERS: [&str; 18] = [
    "if", "unless", "each", "with", "lookup", "raw", "log", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not", "len",
    "else",
];

/// A string leaf; a clone shares it.
#[derive(Clone)]
pub struct Text(Arc<Leaf>);

struct Leaf {
    source: String,
    /// `None` where there is nothing to render.
    template: Option<Template>,
    /// The same, where it is nothing but words and names.
    parts: Option<Vec<Part>>,
    names: Vec<String>,
}

enum Part {
    Words(String),
    Name(String),
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.source)
    }
}

fn registry() -> &'static Handlebars<'static> {
    static REGISTRY: OnceLock<Handlebars<'static>> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = Handlebars::new();
        registry.register_escape_fn(handlebars::no_escape);
        registry.register_helper("json", Box::new(json));
        registry
    })
}

/// `{{json params}}`: a value as JSON inside a leaf, where no operator can stand.
fn json(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = helper.param(0).map_or(&Value::Null, |param| param.value());
    out.write(&value.to_string())?;
    Ok(())
}

impl Text {
    /// Compiles a leaf.
    ///
    /// # Errors
    /// What is wrong with the template, in one sentence.
    pub fn new(source: &str) -> Result<Self, String> {
        let source = source.to_owned();
        if !source.contains("{{") {
            return Ok(Text(Arc::new(Leaf { source, template: None, parts: None, names: Vec::new() })));
        }
        let template =
            Template::compile(&source).map_err(|error| format!("\"{source}\" is not a template: {}", error.reason()))?;
        let mut names = Vec::new();
        names_of(&template, &mut names);
        names.sort();
        names.dedup();
        let parts = template.elements.iter().map(part).collect();
        Ok(Text(Arc::new(Leaf { source, template: Some(template), parts, names })))
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Nothing to render: the same for every row.
    pub fn is_literal(&self) -> bool {
        self.0.template.is_none()
    }

    /// The values it looks at: `to`, `secret.token`, `now.ms`.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// The leaf with its values.
    ///
    /// # Errors
    /// A helper's complaint; the values themselves are not in it.
    pub fn render(&self, scope: Scope<'_>) -> Result<String, String> {
        self.fill(scope, |_, text, out| out.push_str(text))
    }

    /// The leaf as a part of an URL: where `encoded` says so, a name's value is percent-encoded, so that it stays inside of its segment;
    /// one that is all of a segment may still be `..`, which whoever takes the URL must refuse.
    ///
    /// # Errors
    /// As `render`.
    pub fn render_url(&self, scope: Scope<'_>, encoded: &dyn Fn(&str) -> bool) -> Result<String, String> {
        self.fill(scope, |name, text, out| {
            out.push_str(&if encoded(name) { Cow::Owned(percent(text)) } else { Cow::Borrowed(text) })
        })
    }

    fn fill(&self, scope: Scope<'_>, put: impl Fn(&str, &str, &mut String)) -> Result<String, String> {
        let Some(template) = &self.0.template else { return Ok(self.0.source.clone()) };
        if let Some(filled) = self.0.parts.as_ref().and_then(|parts| put_together(parts, scope, &put)) {
            return Ok(filled);
        }
        let values = Context::from(self.values(scope, &put));
        let mut output = StringOutput::new();
        let rendered = template.render(registry(), &values, &mut RenderContext::new(None), &mut output);
        rendered.map_err(|error| format!("\"{}\": {}", self.0.source, error.reason()))?;
        output.into_string().map_err(|error| format!("\"{}\": {error}", self.0.source))
    }

    /// What Handlebars is given: the values that are named, dotted names as objects, texts as `put` writes them.
    fn values(&self, scope: Scope<'_>, put: &impl Fn(&str, &str, &mut String)) -> Value {
        let mut values = Map::new();
        for name in &self.0.names {
            let first = name.split('.').next().unwrap_or(name);
            let value = match (name.as_str(), scope.find(name)) {
                // The sender is a text by itself, and has parts by name.
                ("from.email" | "from.name", Some(part)) => {
                    let part = written("from", part, put);
                    let from = values.entry("from").or_insert_with(|| Value::Object(Map::new()));
                    if !from.is_object() {
                        *from = Value::Object(Map::new());
                    }
                    from[&name[5..]] = part;
                    continue;
                }
                (_, Some(_)) => scope.find(first),
                (_, None) => scope.find(first).or_else(|| scope.find(name)),
            };
            if let Some(value) = value
                && !values.contains_key(first)
            {
                values.insert(first.to_owned(), written(first, value, put));
            }
        }
        Value::Object(values)
    }
}

fn written(name: &str, value: &Value, put: &impl Fn(&str, &str, &mut String)) -> Value {
    match value {
        Value::String(text) => {
            let mut out = String::with_capacity(text.len());
            put(name, text, &mut out);
            Value::String(out)
        }
        Value::Array(list) => list.iter().map(|value| written(name, value, put)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), written(name, value, put))).collect(),
        value => value.clone(),
    }
}

/// `None` where a value is a list or an object: Handlebars has its own way to write these.
fn put_together(parts: &[Part], scope: Scope<'_>, put: &impl Fn(&str, &str, &mut String)) -> Option<String> {
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Words(words) => filled.push_str(words),
            Part::Name(name) => {
                if let Some(value) = scope.find(name) {
                    put(name, &plain(value)?, &mut filled);
                }
            }
        }
    }
    Some(filled)
}

fn part(element: &TemplateElement) -> Option<Part> {
    match element {
        TemplateElement::RawString(words) => Some(Part::Words(words.clone())),
        TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
            if !helper.params.is_empty() || !helper.hash.is_empty() || helper.block {
                return None;
            }
            let mut names = Vec::new();
            names_of_parameter(&helper.name, &mut names);
            let name = names.pop().filter(|_| names.is_empty())?;
            let simple = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
            let odd = name == "this" || name.starts_with('.') || name.ends_with('.') || !name.chars().all(simple);
            (!odd && !HELPERS.contains(&name.as_str())).then_some(Part::Name(name))
        }
        TemplateElement::Comment(_) => Some(Part::Words(String::new())),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Text::new(text).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<Text, E> {
                self.visit_str(if yes { "true" } else { "false" })
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

fn names_of(template: &Template, names: &mut Vec<String>) {
    for element in &template.elements {
        names_of_element(element, names);
    }
}

fn names_of_element(element: &TemplateElement, names: &mut Vec<String>) {
    match element {
        TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) | TemplateElement::HelperBlock(helper) => {
            names_of_helper(helper, names);
        }
        _ => {}
    }
}

fn names_of_helper(helper: &HelperTemplate, names: &mut Vec<String>) {
    // A name alone is a value; a name with parameters, or of a block, is a helper.
    if helper.params.is_empty() && helper.hash.is_empty() && !helper.block {
        names_of_parameter(&helper.name, names);
    }
    for parameter in helper.params.iter().chain(helper.hash.values()) {
        names_of_parameter(parameter, names);
    }
    for inner in [&helper.template, &helper.inverse].into_iter().flatten() {
        names_of(inner, names);
    }
}

fn names_of_parameter(parameter: &Parameter, names: &mut Vec<String>) {
    // What a block gives its inside is no name of ours.
    let given = |name: &str| name == "this" || name.starts_with("this.") || name.starts_with('@');
    match parameter {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name))) if given(name) => {}
        Parameter::Name(name) => names.push(name.clone()),
        Parameter::Path(Path::Relative((_, raw))) => names.push(raw.clone()),
        Parameter::Subexpression(inner) => names_of_element(&inner.element, names),
        _ => {}
    }
}
