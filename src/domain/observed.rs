//! What Lambda says is live. Holds facts as they were read; an unread thing is never an absent one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use litemap::LiteMap;

use super::name::{AccountId, AliasName, RevisionId, Version};
use super::publication::Publication;
use super::sha256::CodeSha256;

/// What reading one function came to.
#[derive(Debug, Clone, PartialEq)]
pub enum ObservedState {
    /// It was read whole.
    Found(Arc<ObservedFunction>),
    /// Lambda said that it does not exist.
    Missing,
    /// It could not be read; whether it exists is not known.
    Unreadable(ReadFailure),
}

/// Why a function could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFailure {
    /// The class of the failure.
    pub kind: ReadFailureKind,
    /// What was called and what came back, in one line.
    pub message: String,
}

/// The class of a failed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadFailureKind {
    /// The credentials may not read it.
    AccessDenied,
    /// Anything else: throttled, out of reach, an answer that makes no sense.
    Other,
    /// Pinfold itself failed.
    Internal,
}

/// One function as Lambda describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedFunction {
    /// The account in its ARN.
    pub account: Option<AccountId>,
    /// `$LATEST`.
    pub latest: LatestCode,
    /// Every alias.
    pub aliases: LiteMap<AliasName, ObservedAlias>,
    /// Whether the weights and guards of the aliases were read. The first look at a function of a large fleet does not.
    pub weights_read: bool,
    /// Every published version.
    pub versions: LiteMap<Version, PublishedVersion>,
    /// Where the provisioned concurrency of aliases stands, as far as it was asked.
    pub allocations: BTreeMap<AliasName, Allocation>,
}

impl ObservedFunction {
    /// Returns the hash behind a version, `$LATEST` included; `None` where Lambda shows none.
    pub fn sha256_of(&self, version: FunctionVersion) -> Option<CodeSha256> {
        match version {
            FunctionVersion::Latest => self.latest.sha256,
            FunctionVersion::Number(number) => self.versions.get(&number).map(|v| v.sha256),
        }
    }

    /// Returns the version that an alias runs, where it has this hash and the alias can stay with it.
    ///
    /// Weights are cleared by pointing the alias at a version, and that one must be able to serve.
    pub fn kept_version(&self, alias: &ObservedAlias, sha256: CodeSha256) -> Option<Version> {
        let FunctionVersion::Number(number) = alias.version else {
            return None;
        };
        let version = self.versions.get(&number)?;
        (version.sha256 == sha256 && (alias.routing.is_empty() || version.is_usable())).then_some(number)
    }

    /// Returns the newest version that can serve `sha256` with `$LATEST`'s present configuration.
    ///
    /// An older snapshot with another configuration may name a role, a subnet or a secret that is
    /// gone, so it does not count; nor does one whose configuration could not be read whole.
    pub fn reusable_version(&self, sha256: CodeSha256) -> Option<Version> {
        let wanted = self.latest.config?;
        self.versions
            .iter()
            .rev()
            .find(|(_, version)| version.sha256 == sha256 && version.is_usable() && version.config == Some(wanted))
            .map(|(number, _)| *number)
    }

    /// Returns whether PublishVersion may answer with a version that is Inactive: Lambda answers with the one that it
    /// published last for as long as neither code nor configuration was updated since, which no reply tells. An update
    /// with the very same code counts as one.
    pub fn republishes_inactive(&self) -> bool {
        let Some((_, newest)) = self.versions.last() else {
            return false;
        };
        let same_config =
            newest.config.is_none() || self.latest.config.is_none() || newest.config == self.latest.config;
        newest.state == VersionState::Inactive && Some(newest.sha256) == self.latest.sha256 && same_config
    }
}

/// `$LATEST` of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestCode {
    /// The hash of its code; already the new one while an update is in progress, absent for images.
    pub sha256: Option<CodeSha256>,
    /// The guard for UpdateFunctionCode. Rotates when an update is accepted, again when it is complete,
    /// and when a version is published.
    pub revision: RevisionId,
    /// Whether the last update is complete.
    pub update: UpdateStatus,
    /// How the code is packed.
    pub package: PackageKind,
    /// What has to be sent again with new code.
    pub settings: CodeSettings,
    /// The configuration that a version published now would hold; `None` where it could not be read whole.
    pub config: Option<ConfigDigest>,
}

/// What UpdateFunctionCode sets along with the code, and resets where a call leaves it out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeSettings {
    /// The instruction set; the call's own default is x86_64.
    pub architecture: Option<String>,
    /// The customer's key that the package is encrypted with (SourceKMSKeyArn); the call's own default is AWS's.
    pub kms_key: Option<String>,
}

/// Where the last update of `$LATEST` stands (Lambda's LastUpdateStatus, and State while Pending).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateStatus {
    /// Complete.
    Successful,
    /// Still going on; every write to code or configuration would be refused.
    InProgress,
    /// It failed; the code before it goes on serving.
    Failed {
        /// Lambda's reason code and text.
        reason: String,
    },
}

/// How a function's code is packed and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// A zip that Lambda copied: what Pinfold looks after.
    Zip,
    /// A zip that stays in the user's bucket (S3ObjectStorageMode REFERENCE).
    ZipByReference,
    /// A container image.
    Image,
}

/// A digest over everything that a published version freezes, code aside. Equal digests: equal configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDigest(pub [u8; 32]);

/// A published version. Its hash and configuration never change, so they need to be read only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// The hash of its code.
    pub sha256: CodeSha256,
    /// Its configuration; `None` where it could not be read whole.
    pub config: Option<ConfigDigest>,
    /// What Pinfold wrote into its description, if Pinfold published it.
    pub publication: Option<Publication>,
    /// Whether it can serve.
    pub state: VersionState,
}

impl PublishedVersion {
    /// Returns whether an alias may be moved to it, once it is Active.
    pub fn is_usable(&self) -> bool {
        self.state == VersionState::Active
    }
}

/// Whether a published version can serve (Lambda's State).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VersionState {
    /// It serves, or will in a moment: Active, Pending, or not told, as listings tell no state.
    Active,
    /// Lambda took back what it runs on, as nobody called it for weeks, or dropped its snapshot (Lambda Developer Guide,
    /// "Lambda function states"). The first calls would fail; the same code published anew serves at once.
    Inactive,
    /// It could not be started, and the same code published anew would not start either.
    Failed,
}

impl VersionState {
    /// Sorts Lambda's own word for it; `None` where none is shown. What is Pending is waited for: to publish it again would
    /// make a second version.
    pub fn of(told: Option<&str>) -> Self {
        match told {
            Some("Active" | "Pending") | None => Self::Active,
            Some("Inactive") => Self::Inactive,
            Some(_) => Self::Failed,
        }
    }
}

/// An alias.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedAlias {
    /// The primary version.
    pub version: FunctionVersion,
    /// The guard for UpdateAlias. GetFunction with an alias qualifier shows the version's, not this one.
    pub revision: RevisionId,
    /// Weights of further versions.
    pub routing: Routing,
}

/// Where the allocation of an alias's provisioned concurrency stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allocation {
    /// All of it is there, or the alias has none: nothing moves.
    Settled,
    /// It is under way.
    InProgress,
    /// Lambda gave up.
    Failed {
        /// Lambda's own word for why.
        reason: String,
    },
    /// The credentials may not ask.
    Untold {
        /// What was called and what came back, in one line.
        why: String,
    },
}

/// What an alias or a call may point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionVersion {
    /// `$LATEST`
    Latest,
    /// A published version.
    Number(Version),
}

impl fmt::Display for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// The share of an alias's calls that goes to a version beside its primary one, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight(pub f64);

/// The weights of an alias; empty where all calls go to the primary version.
pub type Routing = LiteMap<Version, Weight>;
