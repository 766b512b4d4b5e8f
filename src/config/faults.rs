//! Collects everything that is wrong with the file. Decides nothing.

use serde_yaml::Error as YamlError;

use super::loose::{Loose, Mismatch};
use super::place::FieldPath;
use crate::domain::{Fault, one_line};

/// Faults that get a line and column: each costs a walk through the file, and nobody mends more at once.
const MAX_PLACED: usize = 200;

/// The faults of one file.
pub(super) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    /// Starts with none.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
        }
    }

    /// Adds a fault of one field.
    pub(super) fn add(&mut self, path: &FieldPath, message: &str) {
        let place = if self.found.len() < MAX_PLACED {
            path.nearest_in(self.text)
        } else {
            None
        };
        let path = path.to_string();
        self.found.push(Fault {
            file: self.file.to_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            // Keys and values are repeated in it.
            message: one_line(&if path.is_empty() {
                message.to_owned()
            } else {
                format!("{path}: {message}")
            }),
        });
    }

    /// Adds what the YAML parser says.
    pub(super) fn add_yaml(&mut self, error: &YamlError) {
        let text = error.to_string();
        self.found.push(Fault {
            file: self.file.to_owned(),
            line: error.location().map(|place| place.line()),
            column: error.location().map(|place| place.column()),
            message: one_line(text.split_once(" at line ").map_or(text.as_str(), |(head, _)| head)),
        });
    }

    /// Unpacks an optional field; a value of a wrong type is a fault, with `hint` as its remedy.
    pub(super) fn take<T>(&mut self, path: &FieldPath, field: Option<Loose<T>>, hint: &str) -> Option<T> {
        match field?.0 {
            Ok(value) => Some(value),
            Err(Mismatch { found, expected }) => {
                self.add(path, &format!("{found} stands here, expected {expected}: {hint}"));
                None
            }
        }
    }

    /// Unpacks a field that must be there.
    pub(super) fn need<T>(&mut self, path: &FieldPath, field: Option<Loose<T>>, hint: &str) -> Option<T> {
        if field.is_none() {
            self.add(path, &format!("missing: {hint}"));
        }
        self.take(path, field, hint)
    }

    /// Returns the faults in the order of the file, or `None` where there are none.
    pub(super) fn finish(mut self) -> Option<Vec<Fault>> {
        self.found.sort();
        self.found.dedup();
        (!self.found.is_empty()).then_some(self.found)
    }
}
