//! Values of a definition that are checked while they are read, so that a mistake is told where it stands.
//!
//! serde's `try_from` checks after the reader has left the value, and the YAML reader then blames the start of the whole object.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// Reads text and checks it in its place.
///
/// # Errors
/// The value's own complaint.
pub fn scalar<'de, D: Deserializer<'de>, T: TryFrom<String, Error: Display>>(deserializer: D) -> Result<T, D::Error> {
    struct Scalar<T>(PhantomData<T>);
    impl<T: TryFrom<String, Error: Display>> Visitor<'_> for Scalar<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            T::try_from(text.to_owned()).map_err(E::custom)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }
    deserializer.deserialize_any(Scalar(PhantomData))
}

/// Reads an object as `Raw` and checks it in its place.
///
/// # Errors
/// The object's own complaint.
pub fn object<'de, D, Raw, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    Raw: Deserialize<'de>,
    T: TryFrom<Raw, Error: Display>,
{
    struct Object<Raw, T>(PhantomData<(Raw, T)>);
    impl<'de, Raw: Deserialize<'de>, T: TryFrom<Raw, Error: Display>> Visitor<'de> for Object<Raw, T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            let raw = Raw::deserialize(de::value::MapAccessDeserializer::new(map))?;
            T::try_from(raw).map_err(de::Error::custom)
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}
