//! The steps of a plan. Each carries the precondition under which it was planned, and leaves nothing to choose.

use crate::domain::{
    AliasName, ArtifactVersion, CodeSettings, CodeSha256, FunctionVersion, Publication, RevisionId, VerifiedObject,
    Version,
};

/// One step. The executor runs a function's steps in order; [`Step::reach`] says what else is left out where one is
/// not done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Gives `$LATEST` new code, without publishing.
    UpdateCode {
        /// The artifact's version.
        version: ArtifactVersion,
        /// The object that was seen in S3, and its hash.
        code: VerifiedObject,
        /// What to send along, so that it stays as it is.
        settings: CodeSettings,
        /// What `$LATEST` must still be.
        expect: LatestGuard,
    },
    /// Waits until the update is complete. A hash alone does not say so: it shows the new one at once.
    AwaitUpdated {
        /// The hash that must be there when the update is complete.
        expect: CodeSha256,
    },
    /// Publishes `$LATEST` as a numbered version.
    PublishVersion {
        /// The hash that `$LATEST` must have.
        expect: CodeSha256,
        /// What the version's description will say.
        publication: Publication,
    },
    /// Creates an alias.
    CreateAlias {
        /// The alias.
        alias: AliasName,
        /// What it will run.
        to: VersionRef,
    },
    /// Moves an alias and clears its weights.
    MoveAlias {
        /// The alias.
        alias: AliasName,
        /// What it runs now.
        from: FunctionVersion,
        /// What it will run.
        to: VersionRef,
        /// The alias's own RevisionId.
        expect: RevisionId,
    },
}

/// The version that an alias will run: the one thing that a plan may leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRef {
    /// A version that is published already.
    Known {
        /// Its number.
        version: Version,
        /// The hash of its code.
        sha256: CodeSha256,
    },
    /// The one that the `PublishVersion` step before this one brings.
    FromPublish,
}

/// What `$LATEST` must be for a code update to go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LatestGuard {
    /// It has the RevisionId that was observed.
    Revision(RevisionId),
    /// The plan's own earlier steps change it, and rotate its RevisionId, which is therefore read again right before
    /// the update: then it must hold what those steps left there, or be as it was observed where they did nothing.
    Own {
        /// The hash that the earlier steps leave there.
        sha256: CodeSha256,
        /// The RevisionId that was observed.
        observed: RevisionId,
    },
}

/// How far the failure of a step reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// No other step needs it: one alias that cannot be moved keeps neither another alias nor `$LATEST` waiting.
    Itself,
    /// What is published from the code that `$LATEST` was to hold here. The next update of the code has a guard of
    /// its own, and may be the one that puts `$LATEST` back to `version`.
    UntilNextUpdate,
}

impl Step {
    /// Returns the step's name in output, logs and metrics.
    pub fn action(&self) -> &'static str {
        match self {
            Self::UpdateCode { .. } => "UpdateCode",
            Self::AwaitUpdated { .. } => "AwaitUpdated",
            Self::PublishVersion { .. } => "PublishVersion",
            Self::CreateAlias { .. } => "CreateAlias",
            Self::MoveAlias { .. } => "MoveAlias",
        }
    }

    /// Returns whether the step points an alias at the version that a step before it publishes.
    pub fn awaits_publication(&self) -> bool {
        match self {
            Self::CreateAlias { to, .. } | Self::MoveAlias { to, .. } => *to == VersionRef::FromPublish,
            Self::UpdateCode { .. } | Self::AwaitUpdated { .. } | Self::PublishVersion { .. } => false,
        }
    }

    /// Returns which later steps must be left out where this one is not done.
    pub fn reach(&self) -> Reach {
        match self {
            Self::CreateAlias { .. } | Self::MoveAlias { .. } => Reach::Itself,
            Self::UpdateCode { .. } | Self::AwaitUpdated { .. } | Self::PublishVersion { .. } => Reach::UntilNextUpdate,
        }
    }

    /// Returns whether the step begins anew with `$LATEST`, whatever became of the steps before it.
    pub fn begins_anew(&self) -> bool {
        matches!(self, Self::UpdateCode { .. })
    }

    /// Returns the alias that the step changes.
    pub fn alias(&self) -> Option<&AliasName> {
        match self {
            Self::CreateAlias { alias, .. } | Self::MoveAlias { alias, .. } => Some(alias),
            Self::UpdateCode { .. } | Self::AwaitUpdated { .. } | Self::PublishVersion { .. } => None,
        }
    }
}

impl VersionRef {
    /// Returns the number, where the version is published already.
    pub fn known(self) -> Option<Version> {
        match self {
            Self::Known { version, .. } => Some(version),
            Self::FromPublish => None,
        }
    }
}
