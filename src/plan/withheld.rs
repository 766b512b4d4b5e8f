//! Work that is not done, as data: what it concerns, why, and in words. Nothing is ever skipped without one of these.

use std::fmt;

use crate::domain::{AliasName, ReadFailureKind};

/// Something that should perhaps be changed and must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// What it concerns.
    pub subject: Subject,
    /// Why.
    pub reason: Reason,
    /// The same in one line, with what would release it.
    pub message: String,
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
    /// Somebody's update is in progress.
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
}

impl Reason {
    /// Every reason: metrics have a series for each from the start.
    pub const ALL: [Self; 18] = [
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
    ];

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
        }
    }
}

impl From<ReadFailureKind> for Reason {
    fn from(kind: ReadFailureKind) -> Self {
        match kind {
            ReadFailureKind::AccessDenied => Self::AccessDenied,
            ReadFailureKind::Other => Self::Unreadable,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
