//! Work that is not done, as data: what it concerns, why, and in words. Nothing is ever skipped without one of these.

use std::fmt;

use crate::domain::{AliasName, ReadFailureKind, Timestamp, readable};

/// Something that should perhaps be changed and must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// What it concerns.
    pub subject: Subject,
    /// Why.
    pub reason: Reason,
    /// The same in one line, with what would release it.
    pub message: String,
    /// Since when, as far as the process has seen; `None` where only one pass was made.
    pub since: Option<Timestamp>,
    /// When it is released by itself; `None` where something else has to happen.
    pub until: Option<Timestamp>,
}

impl Withheld {
    /// Says why something is not done. It is not known since when, and no time releases it.
    pub fn new(subject: Subject, reason: Reason, message: String) -> Self {
        Self {
            subject,
            reason,
            message,
            since: None,
            until: None,
        }
    }

    /// Returns since when it is withheld, as text behind the message; empty where that is not known.
    pub fn since_text(&self) -> String {
        self.since
            .map(|since| format!(" (since {})", readable(&since)))
            .unwrap_or_default()
    }

    /// Says when it is released by itself.
    #[must_use]
    pub fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }
}

/// What a withheld entry concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The whole function.
    Function,
    /// `$LATEST`.
    Latest,
    /// One alias.
    Alias(AliasName),
}

impl Subject {
    /// Returns `$LATEST` or the alias's name; `None` for the whole function.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Function => None,
            Self::Latest => Some("$LATEST"),
            Self::Alias(alias) => Some(alias.as_str()),
        }
    }
}

/// Why work is withheld. A closed set: outputs and metrics use these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Lambda has no such function, and Pinfold creates none.
    FunctionMissing,
    /// S3 has no such object.
    ArtifactNotFound,
    /// The object could not be read.
    ArtifactUnreadable,
    /// Git pins another hash than the object has.
    ArtifactMismatch,
    /// The object's bytes changed under a version that was published already.
    ArtifactChanged,
    /// An update is in progress, or Lambda moves provisioned concurrency.
    UpdateInProgress,
    /// The function could not be read.
    Unreadable,
    /// The manifest suspends the function.
    Suspended,
    /// Drift is only to be reported.
    ObserveOnly,
    /// The configuration does not let Git manage this name.
    NotAllowed,
    /// Two files claim the function.
    Conflict,
    /// The pass would change too many functions at once.
    TooManyChanges,
    /// The manifest has a fault.
    InvalidManifest,
    /// The credentials may not do it.
    AccessDenied,
    /// The last update failed, and the next try is not due yet.
    LastUpdateFailed,
    /// A step failed, and the next try is not due yet.
    StepFailed,
    /// The region's code storage is full.
    CodeStorageExceeded,
    /// The function's code is not a zip that Lambda copied.
    UnsupportedPackage,
    /// The deploy windows of the configuration do not allow a change now.
    OutsideWindow,
    /// Pinfold itself failed at the function.
    InternalError,
    /// Somebody else keeps undoing what Git says.
    Contended,
    /// Lambda could not provision the version that an alias was moved to, and keeps its callers where they were.
    AllocationFailed,
}

impl Reason {
    /// Every reason: metrics have a series for each from the start.
    pub const ALL: [Self; 22] = [
        Self::FunctionMissing,
        Self::ArtifactNotFound,
        Self::ArtifactUnreadable,
        Self::ArtifactMismatch,
        Self::ArtifactChanged,
        Self::UpdateInProgress,
        Self::Unreadable,
        Self::Suspended,
        Self::ObserveOnly,
        Self::NotAllowed,
        Self::Conflict,
        Self::TooManyChanges,
        Self::InvalidManifest,
        Self::AccessDenied,
        Self::LastUpdateFailed,
        Self::StepFailed,
        Self::CodeStorageExceeded,
        Self::UnsupportedPackage,
        Self::OutsideWindow,
        Self::InternalError,
        Self::Contended,
        Self::AllocationFailed,
    ];

    /// Where people read what each reason means and what to do about it.
    pub const PAGE: &str = "https://github.com/pinfold/pinfold/blob/main/docs/withheld.md";

    /// Returns the word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FunctionMissing => "FunctionMissing",
            Self::ArtifactNotFound => "ArtifactNotFound",
            Self::ArtifactUnreadable => "ArtifactUnreadable",
            Self::ArtifactMismatch => "ArtifactMismatch",
            Self::ArtifactChanged => "ArtifactChanged",
            Self::UpdateInProgress => "UpdateInProgress",
            Self::Unreadable => "Unreadable",
            Self::Suspended => "Suspended",
            Self::ObserveOnly => "ObserveOnly",
            Self::NotAllowed => "NotAllowed",
            Self::Conflict => "Conflict",
            Self::TooManyChanges => "TooManyChanges",
            Self::InvalidManifest => "InvalidManifest",
            Self::AccessDenied => "AccessDenied",
            Self::LastUpdateFailed => "LastUpdateFailed",
            Self::StepFailed => "StepFailed",
            Self::CodeStorageExceeded => "CodeStorageExceeded",
            Self::UnsupportedPackage => "UnsupportedPackage",
            Self::OutsideWindow => "OutsideWindow",
            Self::InternalError => "InternalError",
            Self::Contended => "Contended",
            Self::AllocationFailed => "AllocationFailed",
        }
    }

    /// Returns the address of what docs/withheld.md says about it.
    pub fn help(self) -> String {
        format!("{}#{}", Self::PAGE, self.as_str().to_ascii_lowercase())
    }

    /// Returns what would release it, in the words with which docs/withheld.md begins to tell it.
    pub fn release(self) -> &'static str {
        match self {
            Self::FunctionMissing => {
                "Create the function with whatever manages the infrastructure, or remove the manifest."
            }
            Self::ArtifactNotFound => "Upload the artifact, or name a version that exists.",
            Self::ArtifactUnreadable => {
                "Grant the rights that the message names; trouble of the network passes by itself."
            }
            Self::ArtifactMismatch => "Correct the pin, or upload the artifact that was meant.",
            Self::ArtifactChanged => "Give the new bytes a new version, or pin their hash in Git.",
            Self::UpdateInProgress => "It passes by itself.",
            Self::Unreadable => "It is read again by the next pass.",
            Self::Suspended => "Remove `suspend` from the manifest.",
            Self::ObserveOnly => "Set `mode: reconcile`.",
            Self::NotAllowed => "Add the name to `functions` of the target in the configuration, or remove the file.",
            Self::Conflict => "Keep one of the files, or let one target alone match the function.",
            Self::TooManyChanges => "Look at `pinfold plan`, and acknowledge the commit if it is meant.",
            Self::InvalidManifest => "Correct the file.",
            Self::AccessDenied => "Grant the action that the message names.",
            Self::LastUpdateFailed => "Mend what the message says; the update is sent again.",
            Self::StepFailed => "It is tried again after a pause, and at once with a new commit.",
            Self::CodeStorageExceeded => "Delete versions that nothing refers to.",
            Self::UnsupportedPackage => "Remove the manifest, or have the function keep a copy.",
            Self::OutsideWindow => "The first pass within the deploy windows does it.",
            Self::InternalError => "Report it as a bug, with the log.",
            Self::Contended => "Find the other writer, and have one of the two give way.",
            Self::AllocationFailed => "Name a version in Git that starts, or mend what the message says.",
        }
    }
}

impl From<ReadFailureKind> for Reason {
    fn from(kind: ReadFailureKind) -> Self {
        match kind {
            ReadFailureKind::AccessDenied => Self::AccessDenied,
            ReadFailureKind::Other => Self::Unreadable,
            ReadFailureKind::Internal => Self::InternalError,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
