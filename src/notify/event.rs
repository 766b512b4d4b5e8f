//! One thing that people are told, and how grave it is. Holds the words; decides nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::{FunctionKey, TargetName};
use crate::plan::Reason;

/// What happened. A closed set: the configuration and the webhook's JSON use these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A change did not take effect, or a target could not be read.
    Failed,
    /// Work is left undone that should perhaps be done.
    Withheld,
    /// A function differs from Git, and is left so.
    DriftFound,
    /// A function was put back to what it ran before.
    DriftCorrected,
    /// Something new runs.
    Deployed,
    /// What was told of before has ended.
    Recovered,
}

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Somebody may have to see to it.
    Warning,
    /// Somebody has to see to it.
    Error,
}

/// What it happened to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A whole target.
    Target(TargetName),
    /// One function.
    Function(FunctionKey),
}

/// One thing that people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub about: About,
    /// Why, where something is withheld or failed for a reason of the closed set.
    pub reasons: BTreeSet<Reason>,
    /// The same in one line, bounded, without a line break or a secret.
    pub text: String,
    /// Whether the same was told of the same thing a short while ago, so that nobody need hear it again.
    pub repeated: bool,
}

/// Longest text of an event, in characters: a message of AWS with its ARNs fits, and a hundred of them are no burden.
const LONGEST: usize = 300;

impl EventKind {
    /// Every kind, the gravest first.
    pub const ALL: [Self; 6] = [
        Self::Failed,
        Self::Withheld,
        Self::DriftFound,
        Self::DriftCorrected,
        Self::Deployed,
        Self::Recovered,
    ];

    /// Returns the word for it in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Withheld => "withheld",
            Self::DriftFound => "driftFound",
            Self::DriftCorrected => "driftCorrected",
            Self::Deployed => "deployed",
            Self::Recovered => "recovered",
        }
    }

    /// Returns it as people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Withheld => "withheld",
            Self::DriftFound => "drifted",
            Self::DriftCorrected => "put back",
            Self::Deployed => "deployed",
            Self::Recovered => "recovered",
        }
    }
}

impl Severity {
    /// Returns the word for it in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl About {
    /// Returns the target.
    pub fn target(&self) -> &TargetName {
        match self {
            Self::Target(target) => target,
            Self::Function(key) => &key.target,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => write!(f, "{target}"),
            Self::Function(key) => write!(f, "{}/{}", key.target, key.name),
        }
    }
}

impl Event {
    /// Builds an event; its text is brought to one line and to its bound.
    pub(super) fn new(kind: EventKind, about: About, reasons: BTreeSet<Reason>, text: &str) -> Self {
        Self {
            kind,
            about,
            reasons,
            text: one_line(text, LONGEST),
            repeated: false,
        }
    }

    /// Returns how grave it is. Bytes that are not those that Git or an earlier publication vouches for are graver than
    /// other withheld work.
    pub fn severity(&self) -> Severity {
        let untrusted = |reason: &Reason| matches!(reason, Reason::ArtifactMismatch | Reason::ArtifactChanged);
        match self.kind {
            EventKind::Failed => Severity::Error,
            EventKind::Withheld if self.reasons.iter().any(untrusted) => Severity::Error,
            EventKind::Withheld | EventKind::DriftFound => Severity::Warning,
            EventKind::DriftCorrected | EventKind::Deployed | EventKind::Recovered => Severity::Info,
        }
    }
}

/// Brings a text to one line of at most `longest` characters; what is cut off shows as an ellipsis.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
        .collect();
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= longest {
        return line;
    }
    line.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// Marks that turn the direction of a text, or take no space, could make a line say something else than it does
/// (Unicode Technical Report 36).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
