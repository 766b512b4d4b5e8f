//! The vocabulary of Pinfold: names that parse or refuse, desired and observed functions, policy. No I/O, no serde.
//!
//! Every type here is valid by construction: what exists has passed its check. Nothing here is
//! serialisable, so that no file format or wire freezes the core; the rooms that read and write
//! formats translate.

mod address;
mod artifact;
mod desired;
mod endpoint;
mod few;
mod github;
mod line;
mod name;
mod observed;
mod policy;
mod proxy;
mod publication;
mod queue_url;
mod repository;
mod resolution;
mod secret;
mod sha256;
mod source;
mod spelling;
mod time;
mod webhook_url;
mod window;

pub use artifact::{ArtifactError, ArtifactTemplate, Placeholders, S3Location};
pub use desired::{
    DesiredArtifact, DesiredFunction, DesiredState, Fault, FaultReason, FaultyFunction, Target, TargetFailure,
};
pub use endpoint::{EndpointUrl, EndpointUrlError};
pub use few::few;
pub use github::{GithubApp, GithubAppId, GithubAppIdError};
pub use line::{is_obeyed, one_line, shortened};
pub use name::{
    AccountId, AliasName, ArtifactVersion, CommitId, FunctionKey, FunctionName, NameError, Region, RevisionId,
    TargetName, Version,
};
pub use observed::{
    Allocation, CodeSettings, ConfigDigest, FunctionVersion, LatestCode, ObservedAlias, ObservedFunction,
    ObservedState, PackageKind, PublishedVersion, ReadFailure, ReadFailureKind, Routing, UpdateStatus, VersionState,
    Weight,
};
pub use policy::{ChangeLimit, FunctionGlob, Mode, Suspension};
pub use proxy::{ProxyChoice, ProxyUrl, ProxyUrlError};
pub use publication::Publication;
pub use queue_url::{QueueUrl, QueueUrlError};
pub use repository::{BranchName, BranchNameError, ForcePush, RepositoryUrl, RepositoryUrlError, Transport};
pub use resolution::{ArtifactFailure, ArtifactFailureKind, Resolution, VerifiedObject};
pub use secret::Secret;
pub use sha256::{CodeSha256, Sha256Error};
pub use source::{BlobId, EntryKind, SourceEntry, SourceTree, bounds};
pub use spelling::nearest;
pub use time::{Timestamp, elapsed, readable, rfc3339};
pub use webhook_url::{WebhookUrl, WebhookUrlError};
pub use window::{Closed, DeployWindow, DeployWindows, WindowKind};
