//! What every message must be, whatever it repeats of what it complains about.

/// Characters that a message may have. The longest repeat a shortened value and a list of what is allowed.
const LONGEST: usize = 1_000;

/// What ends a line of YAML 1.1, by which places are counted.
const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Checks that a message is one line for people: not empty, not endless, nothing that a terminal would obey.
///
/// # Panics
///
/// It is not.
pub(crate) fn check_message(message: &str) {
    assert!(!message.trim().is_empty(), "an empty message");
    let length = message.chars().count();
    assert!(length <= LONGEST, "{length} characters: {message}");
    let strange = message.chars().find(|c| c.is_control() || hides(*c));
    assert_eq!(strange, None, "{message:?}");
}

/// Checks that a place lies in a text, or right behind its end.
///
/// # Panics
///
/// It does not.
pub(crate) fn check_place(text: &str, line: Option<usize>, column: Option<usize>) {
    let lines = text.split(BREAKS);
    let count = lines.clone().count();
    assert!(
        line.is_none_or(|line| (1..=count + 1).contains(&line)),
        "line {line:?} of {count}"
    );
    let widest = lines.map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(
        column.is_none_or(|column| (1..=widest + 2).contains(&column)),
        "column {column:?} of {widest}"
    );
    assert!(column.is_none() || line.is_some(), "a column without a line");
}

/// Characters that end a line for some programs, or turn the direction of what follows.
fn hides(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
