//! Reads YAML into a tree with places.
//!
//! serde_yaml gives places only in its errors, so the reader below lets every scalar end in one: the visitor keeps the value aside and
//! refuses it, and the refusal comes back with the place. By then the parser has moved past the scalar, so reading goes on. That keeps the
//! one real YAML parser (anchors, flow style, quotes, folded text) instead of a second one that only guesses where keys are; the tests of
//! this file hold the two behaviours it leans on.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Entry, Kind, Node, Place};

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

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

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
            "a: 1\r\nb:\r\n  - x\r\n  - y: z\r\n",
            "---\na: 1\n",
        ] {
            let theirs: Value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            let ours = read(text, 0).unwrap().value();
            assert_eq!(ours, theirs, "{text:?}");
        }
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
