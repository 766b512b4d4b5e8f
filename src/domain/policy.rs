//! What may be changed, by how much, and when not. Says only what the rules are; the planner applies them.

use std::fmt;
use std::str::FromStr;

use globset::{Glob, GlobMatcher};
use thiserror::Error;

use super::line::{one_line, shortened};
use super::name::FunctionName;
use super::time::Timestamp;

/// Whether drift is corrected or only reported. The stricter of configuration and manifest holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Mode {
    /// Drift is corrected.
    #[default]
    Reconcile,
    /// Drift is reported and nothing is written.
    Observe,
}

impl Mode {
    /// Returns the stricter of the two: `Observe` wins.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        self.max(other)
    }
}

/// A function's manifest asks that nothing of it be written for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Why, in the words of whoever suspended it.
    pub reason: String,
    /// When it ends by itself; `None` until the manifest changes.
    pub until: Option<Timestamp>,
}

impl Suspension {
    /// Returns whether it holds at `now`. It ends at `until` itself.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A glob over function names: `*`, `?`, `[a-z]`, `{a,b}`.
#[derive(Debug, Clone)]
pub struct FunctionGlob {
    text: String,
    matcher: GlobMatcher,
}

/// Characters of a pattern that a message repeats.
const SHOWN: usize = 40;

/// Characters of the reason, of which the library's own have some fifty.
const SHOWN_OF_REASON: usize = 60;

/// A pattern that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}: use *, ?, [a-z] or {{a,b}} over function names, such as \"checkout-*\"")]
pub struct GlobError(String);

impl PartialEq for FunctionGlob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for FunctionGlob {}

impl FunctionGlob {
    /// Returns whether the name matches.
    pub fn matches(&self, name: &FunctionName) -> bool {
        self.matcher.is_match(name.as_str())
    }
}

impl FromStr for FunctionGlob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        match Glob::new(text) {
            Ok(glob) if !text.is_empty() => Ok(Self {
                text: text.to_owned(),
                matcher: glob.compile_matcher(),
            }),
            Ok(_) => Err(GlobError("an empty pattern".to_owned())),
            // Both may repeat the pattern, which may be of any length.
            Err(error) => {
                let (text, why) = (shortened(text, SHOWN), error.kind().to_string());
                let why = shortened(&why, SHOWN_OF_REASON);
                Err(GlobError(one_line(&format!("error parsing glob '{text}': {why}"))))
            }
        }
    }
}

impl fmt::Display for FunctionGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How many functions one pass may change before somebody has to acknowledge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeLimit {
    /// No limit.
    Unlimited,
    /// At most so many functions.
    Count(usize),
    /// At most so many in a hundred of the functions in the pass, from 0 to 100.
    Percent(u8),
}

/// A pass that changes no more than this is never withheld: in a small fleet any percentage is soon reached.
const ALWAYS_ALLOWED: usize = 10;

impl Default for ChangeLimit {
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl ChangeLimit {
    /// Returns whether a pass over `total` functions that would change `changed` of them must wait.
    pub fn exceeded(self, changed: usize, total: usize) -> bool {
        changed > ALWAYS_ALLOWED
            && match self {
                Self::Unlimited => false,
                Self::Count(most) => changed > most,
                Self::Percent(most) => changed * 100 > total * usize::from(most),
            }
    }
}

impl fmt::Display for ChangeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::Count(most) => most.fmt(f),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_any_length_is_refused_in_a_line_of_bounded_length() {
        let error = format!("[{}", "\u{7f}".repeat(10_000))
            .parse::<FunctionGlob>()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("error parsing glob '[\\u{7f}") && error.contains("unclosed"),
            "{error}"
        );
        assert!(error.len() < 500, "{error}");
    }

    #[test]
    fn observe_is_the_stricter_mode() {
        assert_eq!(Mode::Reconcile.stricter(Mode::Observe), Mode::Observe);
        assert_eq!(Mode::Observe.stricter(Mode::Reconcile), Mode::Observe);
        assert_eq!(Mode::Reconcile.stricter(Mode::Reconcile), Mode::Reconcile);
    }

    #[test]
    fn a_suspension_ends_at_its_time() {
        let until: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let suspension = Suspension {
            reason: "incident".into(),
            until: Some(until),
        };
        assert!(suspension.holds_at(until - chrono::TimeDelta::seconds(1)));
        assert!(!suspension.holds_at(until));
    }

    #[test]
    fn a_glob_matches_whole_names() {
        let glob: FunctionGlob = "checkout-*".parse().unwrap();
        assert!(glob.matches(&"checkout-api".parse().unwrap()));
        assert!(!glob.matches(&"my-checkout-api".parse().unwrap()));
        assert!("".parse::<FunctionGlob>().is_err());
        assert!("[".parse::<FunctionGlob>().is_err());
        let strange = "{a\0\n".parse::<FunctionGlob>().unwrap_err().to_string();
        assert!(!strange.chars().any(char::is_control), "{strange:?}");
    }

    #[test]
    fn a_small_pass_is_never_too_large() {
        assert!(!ChangeLimit::Percent(50).exceeded(10, 10));
        assert!(ChangeLimit::Percent(50).exceeded(11, 20));
        assert!(!ChangeLimit::Percent(50).exceeded(11, 22));
        assert!(ChangeLimit::Count(11).exceeded(12, 1000));
        assert!(!ChangeLimit::Unlimited.exceeded(1000, 1000));
    }
}
