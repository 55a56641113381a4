//! A part of a body: values, leaves, lists, objects, and the operators that put typed values in.

use serde_json::{Map, Number, Value};

use crate::platform::declared::definition::when::When;
use crate::platform::declared::text::find::{Scope, is_empty, plain};
use crate::platform::declared::text::leaf::Text;

/// A part of a body.
#[derive(Debug, Clone)]
pub enum Tree {
    /// As written, always kept.
    Literal(Value),
    /// Rendered into a string.
    Text(Text),
    /// `{$ref: content.card}`: the value itself.
    Ref(String),
    /// `{$json: content.variables}`: the value as a JSON string.
    Json(String),
    /// `{$json: {text: "…"}}`: what the tree renders to as a JSON string.
    JsonOf(Box<Tree>),
    /// `{$number: priority}`.
    Number(String),
    /// `{$bool: silent}`.
    Bool(String),
    /// `{$list: mobiles}`: a list, or a text split at commas, semicolons and white space.
    ListOf(String),
    /// `{$join: cc, by: ", "}`: a list as one text.
    Join(String, String),
    /// `{$each: attachments, as: …}`: a list, with `item`.
    Each(String, Box<Tree>),
    /// `{$pairs: header_list, key: "h:{{item.name}}", value: …}`: an object, with `item`.
    Pairs(String, Text, Box<Tree>),
    /// `{$merge: [ … ]}`: objects, one over the other.
    Merge(Vec<Tree>),
    /// `{$when: …, then: …, else: …}`.
    When(When, Box<Tree>, Option<Box<Tree>>),
    /// A list.
    List(Vec<Tree>),
    /// An object, in the order of the file.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// The tree with its values. Where `omit_empty`, keys whose leaf or reference came out empty are left out.
    ///
    /// # Errors
    /// One sentence: a helper's complaint, a value that is not of the type that is asked for.
    pub fn render(&self, scope: Scope<'_>, omit_empty: bool) -> Result<Value, String> {
        Ok(self.grow(scope, omit_empty)?.unwrap_or_default())
    }

    /// `None` where a `$when` leaves nothing.
    fn grow(&self, scope: Scope<'_>, omit_empty: bool) -> Result<Option<Value>, String> {
        Ok(Some(match self {
            Tree::Literal(value) => value.clone(),
            Tree::Text(text) => Value::String(text.render(scope)?),
            Tree::Ref(path) => scope.find(path).cloned().unwrap_or_default(),
            Tree::Json(path) => scope.find(path).map_or(Value::Null, |value| Value::String(value.to_string())),
            Tree::JsonOf(tree) => Value::String(tree.render(scope, omit_empty)?.to_string()),
            Tree::Number(path) => scope.find(path).map_or(Ok(Value::Null), |value| number(path, value))?,
            Tree::Bool(path) => scope.find(path).map_or(Ok(Value::Null), |value| truth(path, value))?,
            Tree::ListOf(path) => scope.find(path).map_or(Value::Null, list),
            Tree::Join(path, by) => {
                let bad = || format!("`{path}` holds something that is neither text nor number");
                let texts = items(path, scope)?.iter().map(|item| plain(item).map(Into::into).ok_or_else(bad)).collect::<Result<
                    Vec<String>,
                    _,
                >>(
                )?;
                Value::String(texts.join(by))
            }
            Tree::Each(path, tree) => {
                let mut values = Vec::new();
                for item in items(path, scope)? {
                    values.extend(tree.grow(Scope { item: Some(&item), ..scope }, omit_empty)?);
                }
                Value::Array(values)
            }
            Tree::Pairs(path, key, tree) => {
                let mut map = Map::new();
                for item in items(path, scope)? {
                    let scope = Scope { item: Some(&item), ..scope };
                    if let Some(value) = tree.grow(scope, omit_empty)? {
                        map.insert(key.render(scope)?, value);
                    }
                }
                Value::Object(map)
            }
            Tree::Merge(trees) => {
                let mut map = Map::new();
                for tree in trees {
                    match tree.grow(scope, omit_empty)? {
                        None | Some(Value::Null) => {}
                        Some(Value::Object(more)) => map.extend(more),
                        Some(_) => return Err("$merge: only objects can be merged".to_owned()),
                    }
                }
                Value::Object(map)
            }
            Tree::When(when, then, otherwise) => {
                let branch = if when.holds(&|name| scope.filled(name)) { Some(then) } else { otherwise.as_ref() };
                return branch.map_or(Ok(None), |tree| tree.grow(scope, omit_empty));
            }
            Tree::List(trees) => {
                let mut values = Vec::with_capacity(trees.len());
                for tree in trees {
                    values.extend(tree.kept(scope, omit_empty)?);
                }
                Value::Array(values)
            }
            Tree::Map(entries) => {
                let mut map = Map::new();
                for (key, tree) in entries {
                    if let Some(value) = tree.kept(scope, omit_empty)? {
                        map.insert(key.clone(), value);
                    }
                }
                Value::Object(map)
            }
        }))
    }

    /// The value, unless it is one that is left out.
    ///
    /// # Errors
    /// As [`Tree::render`].
    pub fn kept(&self, scope: Scope<'_>, omit_empty: bool) -> Result<Option<Value>, String> {
        let value = self.grow(scope, omit_empty)?;
        Ok(value.filter(|value| !(omit_empty && self.may_be_left_out() && is_empty(value))))
    }

    fn may_be_left_out(&self) -> bool {
        match self {
            Tree::Literal(_) => false,
            Tree::Text(text) => !text.is_literal(),
            Tree::List(items) => items.iter().all(Tree::may_be_left_out),
            Tree::Map(entries) => entries.iter().all(|(_, entry)| entry.may_be_left_out()),
            Tree::When(_, then, otherwise) => {
                then.may_be_left_out() && otherwise.as_ref().is_none_or(|tree| tree.may_be_left_out())
            }
            _ => true,
        }
    }

    /// The values it looks at, without items of lists.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.names_into(false, &mut names);
        names
    }

    fn names_into<'a>(&'a self, inside: bool, names: &mut Vec<&'a str>) {
        let mut add = |name: &'a str| {
            if !(inside && (name == "item" || name.starts_with("item."))) {
                names.push(name);
            }
        };
        match self {
            Tree::Literal(_) => {}
            Tree::Text(text) => text.names().iter().for_each(|name| add(name)),
            Tree::Ref(name)
            | Tree::Json(name)
            | Tree::Number(name)
            | Tree::Bool(name)
            | Tree::ListOf(name)
            | Tree::Join(name, _) => add(name),
            Tree::JsonOf(tree) => tree.names_into(inside, names),
            Tree::Each(name, tree) => {
                add(name);
                tree.names_into(true, names);
            }
            Tree::Pairs(name, key, tree) => {
                add(name);
                names.extend(key.names().iter().map(String::as_str).filter(|name| *name != "item" && !name.starts_with("item.")));
                tree.names_into(true, names);
            }
            Tree::Merge(trees) | Tree::List(trees) => trees.iter().for_each(|tree| tree.names_into(inside, names)),
            Tree::When(when, then, otherwise) => {
                when.names().into_iter().for_each(&mut add);
                then.names_into(inside, names);
                if let Some(tree) = otherwise {
                    tree.names_into(inside, names);
                }
            }
            Tree::Map(entries) => entries.iter().for_each(|(_, tree)| tree.names_into(inside, names)),
        }
    }

    /// The tests inside it.
    pub fn whens(&self) -> Vec<&When> {
        match self {
            Tree::When(when, then, otherwise) => {
                let mut whens = vec![when];
                whens.extend(then.whens());
                whens.extend(otherwise.iter().flat_map(|tree| tree.whens()));
                whens
            }
            Tree::JsonOf(tree) | Tree::Each(_, tree) | Tree::Pairs(_, _, tree) => tree.whens(),
            Tree::Merge(trees) | Tree::List(trees) => trees.iter().flat_map(Tree::whens).collect(),
            Tree::Map(entries) => entries.iter().flat_map(|(_, tree)| tree.whens()).collect(),
            _ => Vec::new(),
        }
    }
}

/// An object counts as the list of its entries: `item.name`, `item.value`.
fn items(path: &str, scope: Scope<'_>) -> Result<Vec<Value>, String> {
    match scope.find(path) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.clone()),
        Some(Value::Object(map)) => {
            Ok(map.iter().map(|(name, value)| serde_json::json!({ "name": name, "value": value })).collect())
        }
        Some(text @ Value::String(_)) => match list(text) {
            Value::Array(list) => Ok(list),
            _ => Ok(Vec::new()),
        },
        Some(_) => Err(format!("`{path}` is not a list")),
    }
}

/// A number, or a text that is one; an empty text is nothing.
///
/// # Errors
/// It is something else; the value is not told, since it may be anything.
pub fn number(name: &str, value: &Value) -> Result<Value, String> {
    match value {
        Value::Null | Value::Number(_) => Ok(value.clone()),
        Value::String(text) if text.trim().is_empty() => Ok(Value::Null),
        Value::String(text) => {
            let text = text.trim();
            let whole = text.parse::<i64>().map(Number::from).ok().or_else(|| text.parse::<u64>().map(Number::from).ok());
            let number = whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
            number.map(Value::Number).ok_or_else(|| format!("`{name}` is not a number"))
        }
        _ => Err(format!("`{name}` is not a number")),
    }
}

fn truth(name: &str, value: &Value) -> Result<Value, String> {
    let bad = || format!("`{name}` is neither true nor false");
    match value {
        Value::Null | Value::Bool(_) => Ok(value.clone()),
        value => match plain(value).ok_or_else(bad)?.trim().to_ascii_lowercase().as_str() {
            "" => Ok(Value::Null),
            "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
            _ => Err(bad()),
        },
    }
}

/// A list as it is; a text split; any other value as the only one.
pub fn list(value: &Value) -> Value {
    match value {
        Value::Null | Value::Array(_) => value.clone(),
        Value::String(text) => {
            let parts = text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|part| !part.is_empty());
            parts.map(|part| Value::String(part.to_owned())).collect()
        }
        value => Value::Array(vec![value.clone()]),
    }
}
