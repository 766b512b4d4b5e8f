//! Places in the file: the path of a field, and the line and column where it stands. Judges no value.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The path of a field, such as `targets[0].region`; empty for the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FieldPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl FieldPath {
    /// Returns the path of a key below this one.
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// Returns the path of an element of this list.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// Returns the line and column, from 1, of the field, or of what it should have been in, were it there.
    pub(super) fn nearest_in(&self, text: &str) -> Option<(usize, usize)> {
        (0..=self.0.len())
            .rev()
            .find_map(|end| Self(self.0[..end].to_vec()).find_in(text))
    }

    /// Returns the line and column, from 1, where the field's key stands in `text`; for an element of a list
    /// where it begins. `None` where the text has no such field.
    fn find_in(&self, text: &str) -> Option<(usize, usize)> {
        // Parsing once more and failing on purpose is how serde_yaml tells a place. Only faults pay for it.
        let error = Finder(&self.0)
            .deserialize(serde_yaml::Deserializer::from_str(text))
            .err()?;
        error.location().map(|place| (place.line(), place.column()))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut path = self.0.clone();
        path.push(segment);
        Self(path)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if at == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Walks down the path and fails at its end, so that the parser's error carries the place.
struct Finder<'a>(&'a [Segment]);

const FOUND: &str = "found";

impl<'de> DeserializeSeed<'de> for Finder<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Finder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FOUND)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(FOUND));
        };
        let key = KeyFinder {
            wanted,
            fail: rest.is_empty(),
        };
        while let Some(matches) = map.next_key_seed(key)? {
            if matches {
                map.next_value_seed(Finder(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Segment::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(FOUND));
        };
        for _ in 0..*wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Finder(rest))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Compares a key, and fails on it where it is the end of the path.
#[derive(Clone, Copy)]
struct KeyFinder<'a> {
    wanted: &'a str,
    fail: bool,
}

impl<'de> DeserializeSeed<'de> for KeyFinder<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyFinder<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.wanted, self.fail) {
            (true, true) => Err(E::custom(FOUND)),
            (matches, _) => Ok(matches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nb:\n  - c: 2\n    d: {e: 3, f: 4}\n  - text\n";

    #[test]
    fn a_field_has_its_line_and_column() {
        let root = FieldPath::default();
        assert_eq!(root.find_in(TEXT), Some((1, 1)));
        assert_eq!(root.key("a").find_in(TEXT), Some((1, 1)));
        assert_eq!(root.key("b").find_in(TEXT), Some((2, 1)));
        let first = root.key("b").index(0);
        assert_eq!(first.find_in(TEXT), Some((3, 5)));
        assert_eq!(first.key("d").key("f").find_in(TEXT), Some((4, 15)));
        assert_eq!(root.key("b").index(1).find_in(TEXT), Some((5, 5)));
    }

    #[test]
    fn a_field_that_is_not_there_has_the_place_of_what_it_should_be_in() {
        assert_eq!(FieldPath::default().key("x").find_in(TEXT), None);
        let missing = FieldPath::default().key("b").index(0).key("x");
        assert_eq!(missing.find_in(TEXT), None);
        assert_eq!(missing.nearest_in(TEXT), Some((3, 5)));
    }

    #[test]
    fn a_path_is_shown_as_people_write_it() {
        let path = FieldPath::default().key("targets").index(0).key("region");
        assert_eq!(path.to_string(), "targets[0].region");
    }
}
