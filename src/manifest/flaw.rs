//! What is wrong in one file, not yet with the file's name, and how text from outside is shown. Decides nothing.

use crate::domain::{Fault, is_obeyed};

/// Longest message, in characters: a terminal's screenful of one fault helps nobody.
const LONGEST: usize = 1000;
/// Longest piece of somebody's text that a message repeats, in characters.
const LONGEST_SHOWN: usize = 80;

/// A place in a file, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Returns the place of a byte offset.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// What is wrong in one place of a file and what to write instead, in one bounded line.
///
/// Without the file's name, so that one content can be kept for all the files that have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flaw {
    pub(super) place: Option<Place>,
    message: String,
}

impl Flaw {
    pub(super) fn new(place: Option<Place>, message: impl AsRef<str>) -> Self {
        Self {
            place,
            message: one_line(message.as_ref(), LONGEST),
        }
    }

    /// Returns the fault of the file.
    pub(super) fn at(&self, file: &str) -> Fault {
        Fault {
            file: one_line(file, usize::MAX),
            line: self.place.map(|place| place.line),
            column: self.place.map(|place| place.column),
            message: self.message.clone(),
        }
    }

    /// Returns file, place and message as compilers print them.
    pub(super) fn told(&self, file: &str) -> String {
        let file = one_line(file, usize::MAX);
        match self.place {
            Some(Place { line, column }) => format!("{file}:{line}:{column}: {}", self.message),
            None => format!("{file}: {}", self.message),
        }
    }
}

/// Quotes a piece of somebody's text, shortened and escaped.
pub(super) fn shown(text: &str) -> String {
    let mut piece: String = text.chars().take(LONGEST_SHOWN).collect();
    if piece.len() < text.len() {
        piece.push('…');
    }
    format!("{piece:?}")
}

/// Brings a text into one line: whatever could move a cursor, break a line or turn the reading direction is
/// escaped, as it may come from a file of anyone's.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            line.push('…');
            break;
        }
        if is_obeyed(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Returns whether YAML takes the character for the end of a line where editors and diffs show none.
pub(super) fn breaks_lines(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_bounded_line_without_control_characters() {
        let flaw = Flaw::new(None, format!("a\nb\u{1b}[2J\u{202e}{}", "x".repeat(5000)));
        let fault = flaw.at("f\n.yaml");
        assert_eq!(fault.file, "f\\n.yaml");
        assert!(
            fault.message.starts_with("a\\nb\\u{1b}[2J\\u{202e}xxx"),
            "{}",
            fault.message
        );
        assert!(fault.message.ends_with("x…"));
        assert!(fault.message.chars().count() < 1050);
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "é: 1\nab: ü!\n";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, 2), Place { line: 1, column: 2 });
        assert_eq!(Place::of(text, text.len() - 2), Place { line: 2, column: 6 });
        assert_eq!(Place::of(text, 9999), Place { line: 3, column: 1 });
    }

    #[test]
    fn a_flaw_is_told_with_its_place() {
        let place = Some(Place { line: 3, column: 7 });
        assert_eq!(Flaw::new(place, "no").told("a.yaml"), "a.yaml:3:7: no");
        assert_eq!(Flaw::new(None, "no").told("a.yaml"), "a.yaml: no");
    }
}
