//! Slips of the hand: which known word somebody may have meant. Suggests; never corrects.

/// Longer words than this are no slip in any of ours, and would only cost time.
const LONGEST: usize = 40;

/// Fewer letters than this abbreviate nothing in particular.
const ABBREVIATION: usize = 3;

/// Returns the known word that a slip of the hand turns into `word`: another case or other separators (`role_arn`), or
/// few wrong letters; or that it abbreviates (`sha`).
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let bare = |text: &str| text.replace(['_', '-', ' '], "").to_ascii_lowercase();
    let word = bare(word);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &bare(candidate));
    let near = known.iter().min_by_key(|candidate| distance(candidate))?;
    // One slip in a short word, more in a long one; beyond a third of the letters it is another word.
    if distance(near) <= (near.len() / 3).max(1) {
        return Some(near);
    }
    known
        .iter()
        .copied()
        .find(|candidate| word.len() >= ABBREVIATION && bare(candidate).starts_with(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["version", "roleArn", "mode", "aliases"];
        for (word, meant) in [
            ("verison", Some("version")),
            ("role_arn", Some("roleArn")),
            ("Mode", Some("mode")),
            ("alias", Some("aliases")),
            ("ver", Some("version")),
            ("name", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
        assert_eq!(nearest(&"v".repeat(100_000), &known), None);
    }
}
