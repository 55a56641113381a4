//! Settings as a tree in which every key and value knows its place.

use std::collections::HashMap;

use serde_yaml::{Mapping, Number, Value};

pub(crate) mod read;

/// Where a key or value stands. Lines and columns count from 1; columns in characters; line 0 where a source has no lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Index into the sources that were read.
    pub source: usize,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// Written nowhere.
    pub(crate) const BUILT_IN: Place = Place { source: usize::MAX, line: 0, column: 0 };
}

/// A value and where it stands: a scalar at its own first character, a list or map at its first child or, where it has one, its key.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub at: Place,
    pub kind: Kind,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In the order written; a key may still stand twice before [`Node::duplicates`] was asked.
    Map(Vec<Entry>),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub at: Place,
    pub node: Node,
}

/// What became of the keys of one map that stand more than once, or of a `<<` that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slip {
    /// The key, where it stands again, and where it stood first.
    Twice { key: String, again: Place, first: Place },
    /// `<<` with something that is not a map.
    BadMerge { at: Place },
}

impl Node {
    /// Every key that stands twice in its map, in reading order.
    pub(crate) fn duplicates(&self, found: &mut Vec<Slip>) {
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.duplicates(found)),
            Kind::Map(entries) => {
                let mut seen: HashMap<&str, Place> = HashMap::new();
                for entry in entries {
                    match seen.get(entry.key.as_str()) {
                        Some(first) => {
                            let slip = Slip::Twice { key: entry.key.clone(), again: entry.at, first: *first };
                            // Through an alias the same pair is met again.
                            if !found.contains(&slip) {
                                found.push(slip);
                            }
                        }
                        None => _ = seen.insert(&entry.key, entry.at),
                    }
                    entry.node.duplicates(found);
                }
            }
            _ => {}
        }
    }

    /// Applies `<<: *base` and `<<: [*a, *b]`: keys of the map itself win, then those of earlier bases.
    pub(crate) fn apply_merges(&mut self, slips: &mut Vec<Slip>) {
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.apply_merges(slips)),
            Kind::Map(entries) => {
                entries.iter_mut().for_each(|entry| entry.node.apply_merges(slips));
                while let Some(index) = entries.iter().position(|entry| entry.key == "<<") {
                    let merge = entries.remove(index);
                    let bases = match merge.node.kind {
                        Kind::List(items) => items,
                        _ => vec![merge.node],
                    };
                    for base in bases {
                        match base.kind {
                            Kind::Map(more) => {
                                for entry in more {
                                    if !entries.iter().any(|own| own.key == entry.key) {
                                        entries.push(entry);
                                    }
                                }
                            }
                            _ => slips.push(Slip::BadMerge { at: merge.at }),
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry under that key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value under that key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The text of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Nothing was written.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The same without places.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Sequence(items.iter().map(Node::value).collect()),
            Kind::Map(entries) => Value::Mapping(mapping(entries)),
        }
    }
}

/// Entries without places.
pub(crate) fn mapping(entries: &[Entry]) -> Mapping {
    entries.iter().map(|entry| (Value::String(entry.key.clone()), entry.node.value())).collect()
}

#[cfg(test)]
mod tests {
    use super::read::read;
    use super::*;

    #[test]
    fn a_key_written_twice_is_found_with_both_places() {
        let root = read("a: {x: 1, y: 2, x: 3}\nb: 1\na: 2\n", 0).unwrap();
        let mut slips = Vec::new();
        root.duplicates(&mut slips);
        let place = |line, column| Place { source: 0, line, column };
        assert_eq!(
            slips,
            [
                Slip::Twice { key: "x".into(), again: place(1, 17), first: place(1, 5) },
                Slip::Twice { key: "a".into(), again: place(3, 1), first: place(1, 1) }
            ]
        );
    }

    #[test]
    fn merge_keys_are_applied() {
        let mut root =
            read("base: &b { x: 1, y: 2 }\nmore: &m { y: 9, z: 9 }\nuse:\n  <<: [*b, *m]\n  x: 5\nbad: { <<: 3 }\n", 0).unwrap();
        let mut slips = Vec::new();
        root.apply_merges(&mut slips);
        let merged = serde_json::to_string(&root.get("use").unwrap().value()).unwrap();
        assert_eq!(merged, r#"{"x":5,"y":2,"z":9}"#);
        assert_eq!(slips, [Slip::BadMerge { at: Place { source: 0, line: 6, column: 8 } }]);
    }
}
