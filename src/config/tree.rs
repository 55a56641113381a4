//! A config text as a tree in which every key and value knows its line and column.
//!
//! serde_yaml gives places only in its errors, so the reader below lets every scalar end in one: the visitor keeps the value aside and
//! refuses it, and the refusal comes back with the place. By then the parser has moved past the scalar, so reading goes on. That keeps the
//! one real YAML parser (anchors, flow style, quotes, folded text) instead of a second one that only guesses where keys are; the tests of
//! this file hold the two behaviours it leans on.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Mapping, Number, Value};

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

/// Marks the refusal of a scalar that was kept aside.
const ASIDE: &str = "\u{1}aside";
/// Marks the errors of this file among those of the parser.
pub(crate) const OURS: &str = "\u{2}";

/// Reads the text of source number `source`. An empty text is an empty map.
///
/// # Errors
/// The parser's own, to be retold by [`super::syntax::retell`].
pub(crate) fn read(text: &str, source: usize) -> Result<Node, serde_yaml::Error> {
    let mut root = Read { source }.deserialize(serde_yaml::Deserializer::from_str(text))?;
    root.at = Place { source, line: 1, column: 1 };
    Ok(root)
}

#[derive(Clone, Copy)]
struct Read {
    source: usize,
}

impl<'de> DeserializeSeed<'de> for Read {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let aside = RefCell::new(None);
        match deserializer.deserialize_any(Look { source: self.source, aside: &aside }) {
            Ok(node) => Ok(node),
            Err(error) => match aside.into_inner() {
                Some(kind) => Ok(Node { at: place_of(&error.to_string(), self.source), kind }),
                None => Err(error),
            },
        }
    }
}

/// The place at the end of `…<mark> at line 3 column 5`; without one it is the first character.
fn place_of(error: &str, source: usize) -> Place {
    let mut numbers = error
        .rsplit_once(ASIDE)
        .map_or("", |(_, place)| place)
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok());
    Place { source, line: numbers.next().unwrap_or(1), column: numbers.next().unwrap_or(1) }
}

struct Look<'a> {
    source: usize,
    aside: &'a RefCell<Option<Kind>>,
}

impl Look<'_> {
    fn aside<E: serde::de::Error>(&self, kind: Kind) -> Result<Node, E> {
        *self.aside.borrow_mut() = Some(kind);
        Err(E::custom(ASIDE))
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.aside(Kind::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.aside(Kind::Number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.aside(Kind::Number(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Node, E> {
        self.aside(Kind::Text(value.to_string()))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Node, E> {
        self.aside(Kind::Text(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        self.aside(Kind::Number(value.into()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.aside(Kind::Text(value.to_owned()))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Node, E> {
        self.aside(Kind::Null)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.aside(Kind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let read = Read { source: self.source };
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(read)? {
            items.push(item);
        }
        let at = items.first().map_or(Place { source: self.source, line: 0, column: 0 }, |item| item.at);
        Ok(Node { at, kind: Kind::List(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let read = Read { source: self.source };
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(key) = map.next_key_seed(ReadKey(read))? {
            let at = key.at;
            let Kind::Text(key) = key.kind else { return Err(A::Error::custom(format!("{OURS}a key must be plain text"))) };
            let mut node = map.next_value_seed(read)?;
            // An alias stands at its anchor, a scalar at itself; a container is found at its key.
            if matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
                node.at = at;
            }
            entries.push(Entry { key, at, node });
        }
        let at = entries.first().map_or(Place { source: self.source, line: 0, column: 0 }, |entry| entry.at);
        Ok(Node { at, kind: Kind::Map(entries) })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom(format!(
            "{OURS}a tag (a word that starts with `!`) is not used here; put the text in quotes if it belongs to it"
        )))
    }
}

struct ReadKey(Read);

impl<'de> DeserializeSeed<'de> for ReadKey {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let aside = RefCell::new(None);
        match deserializer.deserialize_any(LookAtKey(Look { source: self.0.source, aside: &aside })) {
            Ok(node) => Ok(node),
            Err(error) => {
                // A name may look like a number (`163`), a word of YAML (`null`) or both; as a key it is a name.
                let name = match aside.into_inner() {
                    Some(Kind::Text(text)) => text,
                    Some(Kind::Number(number)) => number.to_string(),
                    Some(Kind::Bool(word)) => word.to_string(),
                    Some(Kind::Null) => "null".to_owned(),
                    Some(Kind::List(_) | Kind::Map(_)) | None => return Err(error),
                };
                Ok(Node { at: place_of(&error.to_string(), self.0.source), kind: Kind::Text(name) })
            }
        }
    }
}

/// As [`Look`], for a key, which can be neither list nor map.
struct LookAtKey<'a>(Look<'a>);

macro_rules! as_look {
    ($($visit:ident($kind:ty)),*) => {
        $(fn $visit<E: serde::de::Error>(self, value: $kind) -> Result<Node, E> {
            self.0.$visit(value)
        })*
    };
}

impl<'de> Visitor<'de> for LookAtKey<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    as_look!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.0.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom(format!("{OURS}a key must be plain text; put a value that begins with `[` in quotes")))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom(format!("{OURS}a key must be plain text; put a value that begins with `{{` in quotes")))
    }
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
                let mut seen: std::collections::HashMap<&str, Place> = std::collections::HashMap::new();
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
    use super::*;

    fn at(root: &Node, path: &[&str]) -> (usize, usize) {
        let (last, parents) = path.split_last().unwrap();
        let map = parents.iter().fold(root, |node, key| node.get(key).unwrap());
        let entry = map.entry(last).unwrap();
        (entry.at.line, entry.at.column)
    }

    #[test]
    fn every_key_knows_its_place() {
        let text = "# caption\nversion: 1\naccounts:\n  corp-mail: { platform: smtp, url: 'a: b',\n     \"user\": x }\n  163:\n    limits: [14/s, {rate: 2/s}]\n\
                    text: |\n  version: 9\n  deep\n你好: { 名: x, after: y }\nlast: 1\n";
        let root = read(text, 0).unwrap();
        assert_eq!(at(&root, &["version"]), (2, 1));
        assert_eq!(at(&root, &["accounts", "corp-mail"]), (4, 3));
        assert_eq!(at(&root, &["accounts", "corp-mail", "platform"]), (4, 16));
        assert_eq!(at(&root, &["accounts", "corp-mail", "url"]), (4, 32));
        assert_eq!(at(&root, &["accounts", "corp-mail", "user"]), (5, 6));
        assert_eq!(at(&root, &["accounts", "163", "limits"]), (7, 5));
        assert_eq!(at(&root, &["你好", "after"]), (11, 13));
        assert_eq!(at(&root, &["last"]), (12, 1));
        let Kind::List(limits) = &root.get("accounts").unwrap().get("163").unwrap().get("limits").unwrap().kind else { panic!() };
        assert_eq!((limits[0].at.line, limits[0].at.column), (7, 14));
        assert_eq!((limits[1].at.line, limits[1].at.column), (7, 21));
        assert_eq!(root.get("text").unwrap().text(), Some("version: 9\ndeep\n"));
    }

    #[test]
    fn it_reads_what_the_parser_reads() {
        for text in [
            "",
            "# only a remark\n",
            "a: 1\nb: -2\nc: 1.5\nd: true\ne: ~\nf: 'x'\ng: [1, [2], {h: 3}]\n",
            "base: &b { x: 1, y: [1, 2] }\nuse: *b\ndeep: { again: *b, n: &n 5, m: *n }\n",
            "folded: >\n  one\n  two\nempty: {}\nnone: []\n",
            "\u{feff}a: 1\r\nb:\r\n  - x\r\n  - y: z\r\n",
            "---\na: 1\n",
        ] {
            let theirs: Value = serde_yaml::from_str(text).unwrap();
            let ours = read(text, 0).unwrap().value();
            assert_eq!(ours, theirs, "{text:?}");
        }
    }

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

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let reference = format!("*a{}, ", n - 1).repeat(9);
            text.push_str(&format!("a{n}: &a{n} [{reference}]\n"));
        }
        assert!(read(&text, 0).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c:{}\\[\\], \n\"'&*|>#!<-]{0,60}") {
            let ours = read(&text, 0);
            let theirs: Result<Value, _> = serde_yaml::from_str(&text);
            if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
                proptest::prop_assert_eq!(ours.value(), theirs.clone());
            }
        }
    }
}
