//! The templates inside a definition: string leaves, and the trees that bodies are made of.
//!
//! A body is a tree and never text, so that no value can break the JSON around it: a leaf is rendered into a string, a typed value
//! enters by `$ref`, and `$json` puts a value in as a JSON string. Handlebars escapes nothing here.

use std::fmt;
use std::sync::OnceLock;

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Context, Handlebars, Path, RenderContext, Renderable, StringOutput};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A string leaf: compiled once.
pub struct Text {
    source: String,
    /// `None` where there is nothing to render.
    template: Option<Template>,
    names: Vec<String>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.source)
    }
}

fn registry() -> &'static Handlebars<'static> {
    static REGISTRY: OnceLock<Handlebars<'static>> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = Handlebars::new();
        registry.register_escape_fn(handlebars::no_escape);
        registry
    })
}

impl Text {
    /// Compiles a leaf.
    ///
    /// # Errors
    /// What is wrong with the template, in one sentence.
    pub fn new(source: &str) -> Result<Self, String> {
        if !source.contains("{{") {
            return Ok(Text { source: source.to_owned(), template: None, names: Vec::new() });
        }
        let template =
            Template::compile(source).map_err(|error| format!("\"{source}\" is not a template: {}", error.reason()))?;
        let mut names = Vec::new();
        names_of(&template, &mut names);
        names.sort();
        names.dedup();
        Ok(Text { source: source.to_owned(), template: Some(template), names })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Nothing to render: the same for every row.
    pub fn is_literal(&self) -> bool {
        self.template.is_none()
    }

    /// The values it looks at: `to`, `secret.token`, `now.ms`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The leaf with its values.
    ///
    /// # Errors
    /// A helper's complaint; the values themselves are not in it.
    pub fn render(&self, values: &Context) -> Result<String, String> {
        let Some(template) = &self.template else { return Ok(self.source.clone()) };
        let mut output = StringOutput::new();
        let rendered = template.render(registry(), values, &mut RenderContext::new(None), &mut output);
        rendered.map_err(|error| format!("\"{}\": {}", self.source, error.reason()))?;
        output.into_string().map_err(|error| format!("\"{}\": {error}", self.source))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Leaf;
        impl Visitor<'_> for Leaf {
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
        deserializer.deserialize_any(Leaf)
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
    match parameter {
        Parameter::Name(name) => names.push(name.clone()),
        Parameter::Path(Path::Relative((_, raw))) => names.push(raw.clone()),
        Parameter::Subexpression(inner) => names_of_element(&inner.element, names),
        _ => {}
    }
}

/// A part of a body.
#[derive(Debug)]
pub enum Tree {
    /// As written, always kept.
    Literal(Value),
    /// Rendered into a string.
    Text(Text),
    /// `{$ref: content.card}`: the value itself.
    Ref(String),
    /// `{$json: content.variables}`: the value as a JSON string.
    Json(String),
    /// A list.
    List(Vec<Tree>),
    /// An object, in the order of the file.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// The tree with its values. Where `omit_empty`, keys whose leaf or reference came out empty are left out.
    ///
    /// # Errors
    /// As [`Text::render`].
    pub fn render(&self, values: &Context, omit_empty: bool) -> Result<Value, String> {
        Ok(match self {
            Tree::Literal(value) => value.clone(),
            Tree::Text(text) => Value::String(text.render(values)?),
            Tree::Ref(path) => find(values.data(), path).cloned().unwrap_or_default(),
            Tree::Json(path) => match find(values.data(), path) {
                Some(value) => Value::String(value.to_string()),
                None => Value::Null,
            },
            Tree::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let value = item.render(values, omit_empty)?;
                    if !(omit_empty && item.may_be_left_out() && is_empty(&value)) {
                        list.push(value);
                    }
                }
                Value::Array(list)
            }
            Tree::Map(entries) => {
                let mut map = Map::new();
                for (key, entry) in entries {
                    let value = entry.render(values, omit_empty)?;
                    if !(omit_empty && entry.may_be_left_out() && is_empty(&value)) {
                        map.insert(key.clone(), value);
                    }
                }
                Value::Object(map)
            }
        })
    }

    fn may_be_left_out(&self) -> bool {
        match self {
            Tree::Literal(_) => false,
            Tree::Text(text) => !text.is_literal(),
            Tree::List(items) => items.iter().all(Tree::may_be_left_out),
            Tree::Map(entries) => entries.iter().all(|(_, entry)| entry.may_be_left_out()),
            Tree::Ref(_) | Tree::Json(_) => true,
        }
    }

    /// The values it looks at.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Tree::Literal(_) => Vec::new(),
            Tree::Text(text) => text.names().iter().map(String::as_str).collect(),
            Tree::Ref(path) | Tree::Json(path) => vec![path],
            Tree::List(items) => items.iter().flat_map(Tree::names).collect(),
            Tree::Map(entries) => entries.iter().flat_map(|(_, entry)| entry.names()).collect(),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The value at a dotted path.
pub fn find<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(root, |value, step| match value {
        Value::Array(list) => step.parse::<usize>().ok().and_then(|at| list.get(at)),
        value => value.get(step),
    })
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Node;
        impl<'de> Visitor<'de> for Node {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, a list or an object")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Literal(Value::Bool(value)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Literal(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Literal(value.into()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
                let number = serde_json::Number::from_f64(value).ok_or_else(|| E::custom("JSON has no such number"))?;
                Ok(Tree::Literal(Value::Number(number)))
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Literal(Value::Null))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
                let text = Text::new(value).map_err(E::custom)?;
                Ok(if text.is_literal() { Tree::Literal(Value::String(text.source)) } else { Tree::Text(text) })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries: Vec<(String, Tree)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "$ref" || key == "$json" {
                        let path: String = map.next_value()?;
                        if !entries.is_empty() || map.next_key::<String>()?.is_some() {
                            return Err(de::Error::custom(format!("`{key}` must be alone in its object")));
                        }
                        return Ok(if key == "$ref" { Tree::Ref(path) } else { Tree::Json(path) });
                    }
                    if key.starts_with('$') {
                        return Err(de::Error::custom(format!("unknown field `{key}`, expected one of `$ref`, `$json`")));
                    }
                    entries.push((key, map.next_value()?));
                }
                Ok(Tree::Map(entries))
            }
        }
        deserializer.deserialize_any(Node)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(yaml: &str, values: Value) -> Value {
        let tree: Tree = serde_yaml::from_str(yaml).unwrap();
        tree.render(&Context::from(values), true).unwrap()
    }

    #[test]
    fn nothing_a_row_holds_can_break_the_json() {
        let value = render("{text: \"{{text}}\"}", json!({"text": "\",\"admin\":true}\n<b>&'"}));
        assert_eq!(value, json!({"text": "\",\"admin\":true}\n<b>&'"}));
    }

    #[test]
    fn typed_values_enter_by_reference_and_empty_ones_are_left_out() {
        let yaml = "{n: {$ref: meta.n}, j: {$json: meta}, gone: {$ref: meta.x}, empty: \"{{text}}\", kept: \"\", deep: {a: \"{{text}}\"}}";
        let value = render(yaml, json!({"meta": {"n": 7}, "text": ""}));
        assert_eq!(value, json!({"n": 7, "j": "{\"n\":7}", "kept": ""}));
    }

    #[test]
    fn names_are_those_of_values() {
        let text = Text::new("{{to}} {{#if meta.a}}{{secret.k}}{{/if}} {{lookup meta to}}").unwrap();
        assert_eq!(text.names(), ["meta", "meta.a", "secret.k", "to"]);
    }

    #[test]
    fn what_a_row_holds_is_never_a_template() {
        assert_eq!(
            render("{a: \"{{to}}\"}", json!({"to": "{{secret.k}}", "secret": {"k": "s3cret"}})),
            json!({"a": "{{secret.k}}"})
        );
    }
}
