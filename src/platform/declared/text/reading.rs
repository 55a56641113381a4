//! Reads a tree from YAML: an object whose first key begins with `$` is an operator, and nothing else may stand in it.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::platform::declared::text::leaf::Text;
use crate::platform::declared::text::tree::Tree;

const OPERATORS: &[&str] =
    &["$ref", "$json", "$number", "$bool", "$list", "$literal", "$each", "$pairs", "$merge", "$when", "$join"];

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Node)
    }
}

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
        Ok(if text.is_literal() { Tree::Literal(Value::String(value.to_owned())) } else { Tree::Text(text) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let first = map.next_key::<String>()?;
        object(first, map)
    }
}

/// An object whose first key is read already.
///
/// # Errors
/// An operator that is not known, or not alone.
pub fn object<'de, A: MapAccess<'de>>(first: Option<String>, mut map: A) -> Result<Tree, A::Error> {
    let mut entries: Vec<(String, Tree)> = Vec::new();
    let mut next = first;
    while let Some(key) = next {
        if key.starts_with('$') {
            if !OPERATORS.contains(&key.as_str()) {
                return Err(de::Error::unknown_field(&key, OPERATORS));
            }
            if !entries.is_empty() {
                return Err(alone(&key));
            }
            return operator(&key, map);
        }
        if entries.iter().any(|(known, _)| *known == key) {
            return Err(de::Error::custom(format!("`{key}` stands here twice")));
        }
        entries.push((key, map.next_value()?));
        next = map.next_key::<String>()?;
    }
    Ok(Tree::Map(entries))
}

fn alone<E: de::Error>(key: &str) -> E {
    E::custom(format!("`{key}` must be alone in its object"))
}

fn operator<'de, A: MapAccess<'de>>(key: &str, mut map: A) -> Result<Tree, A::Error> {
    let tree = match key {
        "$ref" => Tree::Ref(name(&mut map)?),
        "$number" => Tree::Number(name(&mut map)?),
        "$bool" => Tree::Bool(name(&mut map)?),
        "$list" => Tree::ListOf(name(&mut map)?),
        "$literal" => Tree::Literal(map.next_value()?),
        "$merge" => Tree::Merge(map.next_value()?),
        "$json" => match map.next_value()? {
            Tree::Literal(Value::String(name)) => Tree::Json(name),
            tree => Tree::JsonOf(Box::new(tree)),
        },
        "$each" => {
            let over = name(&mut map)?;
            let [tree] = companions(key, ["as"], &mut map)?;
            return Ok(Tree::Each(over, Box::new(tree.ok_or_else(|| missing(key, "as"))?)));
        }
        "$join" => {
            let over = name(&mut map)?;
            let [by] = companions(key, ["by"], &mut map)?;
            return match by {
                None => Ok(Tree::Join(over, ",".to_owned())),
                Some(Tree::Literal(Value::String(by))) => Ok(Tree::Join(over, by)),
                Some(_) => Err(de::Error::custom("`by` of $join is text, such as \", \"")),
            };
        }
        "$pairs" => {
            let over = name(&mut map)?;
            let [name, value] = companions(key, ["key", "value"], &mut map)?;
            let name = match name.ok_or_else(|| missing(key, "key"))? {
                Tree::Text(text) => text,
                Tree::Literal(Value::String(text)) => Text::new(&text).map_err(de::Error::custom)?,
                _ => return Err(de::Error::custom("`key` of $pairs is text, such as \"h:{{item.name}}\"")),
            };
            return Ok(Tree::Pairs(over, name, Box::new(value.ok_or_else(|| missing(key, "value"))?)));
        }
        _ => {
            let when = map.next_value()?;
            let [then, otherwise] = companions(key, ["then", "else"], &mut map)?;
            let then = then.ok_or_else(|| missing(key, "then"))?;
            return Ok(Tree::When(when, Box::new(then), otherwise.map(Box::new)));
        }
    };
    if map.next_key::<String>()?.is_some() { Err(alone(key)) } else { Ok(tree) }
}

fn name<'de, A: MapAccess<'de>>(map: &mut A) -> Result<String, A::Error> {
    let name: String = map.next_value()?;
    if name.contains("{{") {
        let bare = name.trim_matches(['{', '}', ' ']);
        return Err(de::Error::custom(format!("a name stands here without braces: write {bare}")));
    }
    Ok(name)
}

fn missing<E: de::Error>(key: &str, wanted: &str) -> E {
    E::custom(format!("`{key}` needs `{wanted}:` beside it"))
}

/// The keys that stand beside an operator.
fn companions<'de, A: MapAccess<'de>, const N: usize>(
    key: &str,
    names: [&'static str; N],
    map: &mut A,
) -> Result<[Option<Tree>; N], A::Error> {
    let mut found = [const { None }; N];
    while let Some(name) = map.next_key::<String>()? {
        match names.iter().position(|known| *known == name) {
            Some(at) => found[at] = Some(map.next_value()?),
            None => {
                let known = names.join(" and ");
                return Err(de::Error::custom(format!("`{name}` is not known beside `{key}`: only {known} may stand there")));
            }
        }
    }
    Ok(found)
}
