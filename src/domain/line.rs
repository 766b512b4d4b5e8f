//! Text of others made fit for one line: an error, a log line, a status. Shows everything and obeys nothing.

/// Brings a text into one line: blanks and line ends become one blank, and what could move a cursor, end a line or turn
/// the reading direction is written out, as it may come from anyone.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if is_obeyed(c) {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
    }
    line
}

/// Shortens a text to so many characters, and says so.
pub fn shortened(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Returns whether terminals or editors do something at the character in place of showing it.
pub fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_on_its_line() {
        let text = " a\r\n\tb \u{1b}[2J\u{202e}c\u{2028}d\u{9b}e\u{0} ";
        assert_eq!(one_line(text), "a b \\u{1b}[2J\\u{202e}c d\\u{9b}e\\u{0}");
        assert_eq!(one_line("\u{2066}é"), "\\u{2066}é");
        assert_eq!(one_line("\n"), "");
    }

    #[test]
    fn a_text_is_shortened_by_characters() {
        assert_eq!(shortened("éé", 2), "éé");
        assert_eq!(shortened("ééé", 2), "éé…");
    }
}
