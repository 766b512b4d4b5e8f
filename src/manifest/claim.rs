//! Which function a file is about, told from its text alone. Guesses nothing: two different names tell none.

use super::flaw::Place;
use crate::domain::FunctionName;

/// Returns the function that a text names in its top-level `name:` lines, even where it is no YAML at all (a merge
/// conflict, a tab): a faulty file must withhold its function rather than look like its removal.
pub(super) fn told_by(text: &str) -> Option<FunctionName> {
    let mut told = None;
    for line in text.lines() {
        let Some(name) = value_of(line, "name").and_then(|(_, value)| scalar(value)) else {
            continue;
        };
        if told.as_ref().is_some_and(|before| *before != name) {
            return None;
        }
        told = Some(name);
    }
    told
}

/// Returns where the value of a top-level field stands, if exactly one line begins with it.
///
/// Places inside the value's structure need another parse; for the fields that the merge may have to
/// point at in ten thousand sound files, this is cheap.
pub(super) fn place_of(text: &str, field: &str) -> Option<Place> {
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let Some((column, _)) = value_of(line, field) else {
            continue;
        };
        if found.is_some() {
            return None;
        }
        found = Some(Place {
            line: index + 1,
            column,
        });
    }
    found
}

/// Returns the column and the rest of a line that begins with the field.
fn value_of<'a>(line: &'a str, field: &str) -> Option<(usize, &'a str)> {
    let rest = line.strip_prefix(field)?.strip_prefix(':')?;
    let value = rest.trim_start_matches([' ', '\t']);
    let separated = rest.is_empty() || value.len() < rest.len();
    separated.then(|| (line.len() - value.len() + 1, value))
}

/// Reads a plain or quoted name, with or without a comment behind it.
fn scalar(value: &str) -> Option<FunctionName> {
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let name = match quote {
        Some(quote) => value[1..].split(quote).next()?,
        None => value.split([' ', '\t']).next()?,
    };
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        told_by(text).map(|name| name.to_string())
    }

    #[test]
    fn a_name_is_told_from_broken_text() {
        for text in [
            "name: a-b\n\tversion: [",
            "<<<<<<< HEAD\nversion: 1\n=======\nname: a-b\r\n",
            "name: \"a-b\" # comment",
            "name:   'a-b'",
            "name: a-b\nname: a-b\n",
        ] {
            assert_eq!(told(text).as_deref(), Some("a-b"), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_not_clear_is_not_told() {
        for text in [
            "",
            "name:",
            "name:a",
            "  name: a",
            "name: a\nname: b\n",
            "names: a",
            "name: a/b",
            "name: \"a\u{e9}\"",
            "# name: a",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn a_place_is_told_where_it_is_the_only_one() {
        assert_eq!(place_of("a: 1\nname:  x\n", "name"), Some(Place { line: 2, column: 8 }));
        assert_eq!(place_of("name: x\nname: y\n", "name"), None);
        assert_eq!(place_of("{name: x}", "name"), None);
    }
}
