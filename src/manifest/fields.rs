//! Takes checked fields out of parsed values and notes everything that is wrong on the way. Stops at nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::file::FUNCTION_FIELDS;
use super::flaw::{Flaw, Place, shown};
use super::yaml::{self, Node, Value};
use crate::domain::nearest;

/// Flaws of one file that are told one by one: who has more starts with the first.
const MAX_FLAWS: usize = 20;
/// Bytes that are parsed again, over all flaws of a file, to tell their places. A manifest has some hundred
/// bytes, so in practice every flaw has its place; a hostile file of 1 MiB is parsed once more and no oftener.
const MAX_SEARCHED: usize = 1024 * 1024;
/// Longest value that a message repeats as it stands, in bytes: a SHA-256 in hex.
const LONGEST_RAW: usize = 64;

/// Reads the values of one file and gathers its flaws.
pub(super) struct Reader<'t> {
    text: &'t str,
    flaws: Vec<(Flaw, u32)>,
    /// How many more there are, and where the first of those stands.
    untold: usize,
    untold_from: Option<Place>,
    searches_left: usize,
    places: BTreeMap<u32, Option<Place>>,
    /// The fields that a slip of the hand already stands for, by path: they are not missing as well.
    meant: BTreeSet<String>,
}

/// The known fields of a mapping that are there.
pub(super) type Fields<'n> = BTreeMap<&'static str, &'n Node>;

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            flaws: Vec::new(),
            untold: 0,
            untold_from: None,
            searches_left: (MAX_SEARCHED / text.len().max(1)).max(1),
            places: BTreeMap::new(),
            meant: BTreeSet::new(),
        }
    }

    /// Notes that a field is missing, unless another one was already taken for a slip of it. `path` names the field.
    pub(super) fn missing(&mut self, node: &Node, path: &str, write: &str) {
        if !self.meant.contains(path) {
            self.note(node, format!("{path} is missing: add {write}"));
        }
    }

    /// Notes a flaw at a value.
    pub(super) fn note(&mut self, at: &Node, message: impl AsRef<str>) {
        if self.flaws.len() == MAX_FLAWS {
            if self.untold == 0 {
                self.untold_from = self.place(at);
            }
            self.untold += 1;
            return;
        }
        let place = self.place(at);
        self.flaws.push((Flaw::new(place, message), at.id));
    }

    /// Returns where a value stands, while the searches last.
    pub(super) fn place(&mut self, at: &Node) -> Option<Place> {
        if let Some(place) = self.places.get(&at.id) {
            return *place;
        }
        if self.searches_left == 0 {
            return None;
        }
        self.searches_left -= 1;
        let place = yaml::locate(self.text, at.id);
        self.places.insert(at.id, place);
        place
    }

    /// Returns all flaws, in order of place.
    pub(super) fn into_flaws(mut self) -> Vec<Flaw> {
        self.flaws.sort_by_key(|(_, id)| *id);
        let mut flaws: Vec<Flaw> = self.flaws.into_iter().map(|(flaw, _)| flaw).collect();
        if self.untold > 0 {
            let message = format!("the file has {} more faults: correct the others first", self.untold);
            flaws.push(Flaw::new(self.untold_from, message));
        }
        flaws
    }

    /// Takes a mapping apart: every key is a text, stands there once, and is one of `known`.
    ///
    /// `path` names the mapping in messages and is empty for the whole file.
    pub(super) fn fields<'n>(&mut self, path: &str, node: &'n Node, known: &[&'static str]) -> Fields<'n> {
        let mut fields = Fields::new();
        for (key, name, value) in self.pairs(path, node) {
            if let Some(field) = known.iter().find(|field| **field == name) {
                fields.entry(field).or_insert(value);
            } else {
                self.unknown(path, key, name, known);
            }
        }
        fields
    }

    fn unknown(&mut self, path: &str, key: &Node, name: &str, known: &[&'static str]) {
        let at = prefix(path);
        let message = match nearest(name, known) {
            _ if name == "<<" => {
                format!("{at}YAML merge keys (<<) are not read: write the fields out, or share them in defaults.yaml")
            }
            // A field of another place is no typing error of one of this.
            Some(field) if !FUNCTION_FIELDS.contains(&name) => {
                self.meant.insert(inside(path, field));
                format!("{at}unknown field {}: did you mean {field}?", shown(name))
            }
            Some(_) | None => format!(
                "{at}unknown field {}: the fields here are {}",
                shown(name),
                known.join(", ")
            ),
        };
        self.note(key, message);
    }

    /// Returns the pairs of a mapping whose keys are texts, each once, in the order of the file.
    pub(super) fn pairs<'n>(&mut self, path: &str, node: &'n Node) -> Vec<(&'n Node, &'n str, &'n Node)> {
        let pairs = match &node.value {
            Value::Map(pairs) => pairs,
            Value::Null | Value::Bool | Value::Number | Value::Text(_) | Value::List => {
                let found = kind(&node.value);
                self.note(
                    node,
                    format!("{}it takes fields of the form `key: value`, not {found}", prefix(path)),
                );
                return Vec::new();
            }
        };
        let mut found: Vec<(&Node, &str, &Node)> = Vec::new();
        let mut seen: BTreeMap<&str, &Node> = BTreeMap::new();
        for (key, value) in pairs {
            let Value::Text(name) = &key.value else {
                let raw = self.raw(key).map_or(String::new(), |raw| format!(" {raw}"));
                self.note(
                    key,
                    format!("{}the key{raw} is not text: write it in quotes", prefix(path)),
                );
                continue;
            };
            if let Some(first) = seen.insert(name, key) {
                let line = self
                    .place(first)
                    .map_or(String::new(), |place| format!(" in line {}", place.line));
                self.note(
                    key,
                    format!(
                        "{}{} stands there twice, first{line}: keep one of the two",
                        prefix(path),
                        shown(name)
                    ),
                );
            } else {
                found.push((key, name, value));
            }
        }
        found
    }

    /// Reads a text. Anything that YAML takes for a number, a boolean or nothing is a flaw: `1.10` would silently
    /// become 1.1. So is a text that another reader of YAML would take for one, unless it is in quotes.
    pub(super) fn text<'n>(&mut self, path: &str, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) if ambiguous(text) && !self.quoted(node) => {
                self.note(
                    node,
                    format!(
                        "{path}: not every reader of YAML takes this for text: {}",
                        quote(path, Some(text.as_str()).filter(|text| text.len() <= LONGEST_RAW))
                    ),
                );
                None
            }
            Value::Text(text) => Some(text),
            Value::Bool | Value::Number => {
                let raw = self.raw(node);
                let found = kind(&node.value);
                self.note(
                    node,
                    format!("{path}: this is {found} to YAML, not text: {}", quote(path, raw)),
                );
                None
            }
            Value::Null => {
                self.note(
                    node,
                    format!("{path}: there is no value: write one, or remove the line"),
                );
                None
            }
            Value::List | Value::Map(_) => {
                let found = kind(&node.value);
                self.note(node, format!("{path}: it takes text, not {found}"));
                None
            }
        }
    }

    /// Reads a text and parses it by the rule of its type.
    pub(super) fn parsed<T>(&mut self, path: &str, node: &Node) -> Option<T>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let text = self.text(path, node)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(node, format!("{path}: {error}"));
                None
            }
        }
    }

    /// Returns a value as it is written, without what follows it, where there is something and its place is known.
    fn raw(&mut self, node: &Node) -> Option<&'t str> {
        let rest = self.rest_of_line(node)?;
        let end = rest.find([' ', '\t', ',', '}', ']', '#']).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches(':');
        (1..=LONGEST_RAW).contains(&word.len()).then_some(word)
    }

    /// Returns whether a text is in quotes. Where the place is not known it is given the benefit of the doubt: to
    /// the parser it is text either way.
    fn quoted(&mut self, node: &Node) -> bool {
        self.rest_of_line(node)
            .is_none_or(|rest| rest.starts_with(['"', '\'', '|', '>']))
    }

    /// Returns the text from a value to the end of its line, where the place is known.
    fn rest_of_line(&mut self, node: &Node) -> Option<&'t str> {
        let Place { line, column } = self.place(node)?;
        let line = self.text.lines().nth(line - 1).unwrap_or("");
        let start = line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
        let rest = &line[start..];
        // An anchor stands before its value.
        let anchored = rest.strip_prefix('&').and_then(|anchor| anchor.split_once(' '));
        Some(anchored.map_or(rest, |(_, value)| value.trim_start()))
    }
}

/// Returns the path of a field inside a mapping.
pub(super) fn inside(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

fn prefix(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

fn quote(path: &str, raw: Option<&str>) -> String {
    let field = path.rsplit('.').next().unwrap_or(path);
    raw.map_or("write it in quotes".to_owned(), |raw| {
        format!("write it in quotes, {field}: \"{raw}\"")
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool => "a boolean",
        Value::Number => "a number",
        Value::Text(_) => "text",
        Value::List => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// Returns whether a reader of another age or language may take the unquoted text for something else: YAML 1.1 had
/// more words for booleans and read a leading zero as octal; a number too large for one is text to some.
fn ambiguous(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'_') && text.bytes().any(|b| b.is_ascii_digit());
    let word = ["yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    digits || word || text.parse::<f64>().is_ok()
}
