//! A tree read into a platform's own struct, remembering the key at which it stopped.

use std::cell::RefCell;

use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_yaml::{Error, Mapping, Value};

/// Reads `settings` into `T`.
///
/// # Errors
/// The path of the key (`dkim.key`, `headers[2]`; empty for the whole), and what serde says.
pub(crate) fn read<T: DeserializeOwned>(settings: &Mapping) -> Result<T, (String, Error)> {
    let stopped = RefCell::new(Vec::new());
    T::deserialize(Tracked { value: &Value::Mapping(settings.clone()), stopped: &stopped }).map_err(|error| {
        let path = stopped.into_inner().into_iter().rev().fold(String::new(), |path, step| match step {
            Step::Key(key) if path.is_empty() => key,
            Step::Key(key) => format!("{path}.{key}"),
            Step::Item(index) => format!("{path}[{index}]"),
        });
        (path, error)
    })
}

/// One level of a path.
enum Step {
    Key(String),
    Item(usize),
}

/// A value that notes, innermost first, the steps an error passes on its way out.
#[derive(Clone, Copy)]
struct Tracked<'a> {
    value: &'a Value,
    stopped: &'a RefCell<Vec<Step>>,
}

impl<'de> Deserializer<'de> for Tracked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Mapping(map) => visitor.visit_map(Entries { entries: map.iter(), next: None, stopped: self.stopped }),
            Value::Sequence(items) => visitor.visit_seq(Items { items, index: 0, stopped: self.stopped }),
            scalar => scalar.clone().deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.clone().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

struct Entries<'a> {
    entries: serde_yaml::mapping::Iter<'a>,
    next: Option<(String, &'a Value)>,
    stopped: &'a RefCell<Vec<Step>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let name = match key {
            Value::String(name) => name.clone(),
            Value::Number(number) => number.to_string(),
            other => serde_yaml::to_string(other)?.trim().to_owned(),
        };
        self.next = Some((name.clone(), value));
        let name: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some).inspect_err(|_| self.note())
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.next.as_ref().map_or(&Value::Null, |(_, value)| *value);
        seed.deserialize(Tracked { value, stopped: self.stopped }).inspect_err(|_| self.note())
    }
}

impl Entries<'_> {
    fn note(&self) {
        if let Some((name, _)) = &self.next {
            self.stopped.borrow_mut().push(Step::Key(name.clone()));
        }
    }
}

struct Items<'a> {
    items: &'a [Value],
    index: usize,
    stopped: &'a RefCell<Vec<Step>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.items.get(self.index) else { return Ok(None) };
        self.index += 1;
        let tracked = Tracked { value, stopped: self.stopped };
        seed.deserialize(tracked).map(Some).inspect_err(|_| self.stopped.borrow_mut().push(Step::Item(self.index - 1)))
    }
}
