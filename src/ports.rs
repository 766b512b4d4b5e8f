//! The traits that the outside world fills: Git, Lambda, S3, queues, the clock, receivers of notifications. Traits and their errors only, no behaviour.
//!
//! Reading and writing are separate traits on purpose: what holds only [`LambdaRead`] cannot write,
//! and `plan` is built without a [`LambdaWrite`].

mod delivery;
mod error;
mod hint;
mod priority;

use std::future::Future;
use std::time::Duration;

pub use delivery::{DeliveryError, Retry};
pub use error::{PortError, PortErrorKind};
pub use hint::{Hint, HintMessage};
pub use priority::Priority;

use crate::domain::{AccountId, BlobId};
use crate::domain::{
    AliasName, Allocation, CodeSettings, CodeSha256, CommitId, ConfigDigest, FunctionName, FunctionVersion, LatestCode,
    ObservedAlias, Publication, PublishedVersion, Resolution, RevisionId, S3Location, SourceTree, Timestamp,
    VerifiedObject, Version,
};
use crate::notify::Notification;

/// Where the desired state comes from.
pub trait DesiredSource: Send + Sync {
    /// Asks which commit the branch is at, without fetching it; `None` where there are no commits (a plain folder).
    fn head(&self) -> impl Future<Output = Result<Option<CommitId>, PortError>> + Send;

    /// Brings a commit here and lists the files under `paths` and the defaults above them.
    ///
    /// Fetches only what is not here yet. Refuses a tree beyond [`crate::domain::bounds`].
    fn tree(
        &self,
        commit: Option<&CommitId>,
        paths: &[String],
    ) -> impl Future<Output = Result<SourceTree, PortError>> + Send;

    /// Reads the content of files that [`DesiredSource::tree`] listed, in the order of `blobs`.
    fn contents(&self, blobs: &[BlobId]) -> impl Future<Output = Result<Vec<Vec<u8>>, PortError>> + Send;
}

/// One function as ListFunctions shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFunction {
    /// Its name.
    pub name: FunctionName,
    /// `$LATEST`'s guard, where the list shows one: equal to GetFunction's as long as nothing of it was changed and
    /// nothing was published. The list may lag behind, so that it says something only where the two differ.
    pub revision: Option<RevisionId>,
}

/// Some functions as ListFunctions shows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionPage {
    /// The functions.
    pub functions: Vec<ListedFunction>,
    /// What to ask for the next page with; `None` where this is the last.
    pub next: Option<String>,
}

/// One function as GetFunction shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSnapshot {
    /// The account in its ARN.
    pub account: Option<AccountId>,
    /// `$LATEST`, its `config` not filled in.
    pub latest: LatestCode,
}

/// All versions of one function as ListVersionsByFunction shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionList {
    /// `$LATEST`'s guard at the time of the list: equal to GetFunction's where nothing happened in between.
    pub latest_revision: RevisionId,
    /// `$LATEST`'s configuration.
    pub latest_config: Option<ConfigDigest>,
    /// The published versions.
    pub versions: Vec<(Version, PublishedVersion)>,
}

/// One version as GetFunction with a qualifier shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSnapshot {
    /// The version: behind an alias, its primary one.
    pub version: FunctionVersion,
    /// The hash of its code.
    pub sha256: Option<CodeSha256>,
    /// Lambda's State, such as `Active` or `Pending`; `None` where it shows none.
    pub state: Option<String>,
    /// What Pinfold wrote into its description, if Pinfold published it.
    pub publication: Option<Publication>,
}

/// What to qualify a read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qualifier {
    /// A published version.
    Version(Version),
    /// An alias.
    Alias(AliasName),
}

/// Reading Lambda in one account and Region. Waits for its share of the rate limits by itself.
pub trait LambdaRead: Send + Sync {
    /// Lists functions, a page at a time: the first without a marker, each further one with that of the page before.
    fn list_functions(&self, marker: Option<&str>) -> impl Future<Output = Result<FunctionPage, PortError>> + Send;

    /// Reads `$LATEST` of a function; `None` where Lambda says that the function does not exist.
    fn function(&self, name: &FunctionName)
    -> impl Future<Output = Result<Option<FunctionSnapshot>, PortError>> + Send;

    /// Reads all aliases with their weights and guards.
    fn aliases(
        &self,
        name: &FunctionName,
    ) -> impl Future<Output = Result<Vec<(AliasName, ObservedAlias)>, PortError>> + Send;

    /// Reads all versions.
    fn versions(&self, name: &FunctionName) -> impl Future<Output = Result<VersionList, PortError>> + Send;

    /// Reads one version, or the version behind an alias.
    fn version(
        &self,
        name: &FunctionName,
        qualifier: &Qualifier,
    ) -> impl Future<Output = Result<VersionSnapshot, PortError>> + Send;

    /// Asks where the allocation of an alias's provisioned concurrency stands.
    ///
    /// The permission for it is optional: an error of [`PortErrorKind::AccessDenied`] is an answer like any other.
    fn allocation(
        &self,
        name: &FunctionName,
        alias: &AliasName,
    ) -> impl Future<Output = Result<Allocation, PortError>> + Send;
}

/// Writing Lambda in one account and Region. Never tries twice: whoever calls looks again first.
pub trait LambdaWrite: LambdaRead {
    /// Gives `$LATEST` new code, guarded by its RevisionId, without publishing. Returns the hash that Lambda
    /// computed.
    fn update_code(
        &self,
        name: &FunctionName,
        code: &VerifiedObject,
        settings: &CodeSettings,
        guard: &RevisionId,
    ) -> impl Future<Output = Result<Option<CodeSha256>, PortError>> + Send;

    /// Publishes `$LATEST`, guarded by its hash. Returns the version and its hash. Lambda answers with the
    /// version that exists already where nothing was updated since it was published.
    fn publish(
        &self,
        name: &FunctionName,
        guard: CodeSha256,
        description: &Publication,
    ) -> impl Future<Output = Result<(Version, CodeSha256), PortError>> + Send;

    /// Creates an alias without weights.
    fn create_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        version: Version,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Moves an alias and clears its weights in one call, guarded by the alias's RevisionId.
    ///
    /// The weights are always sent: UpdateAlias keeps the old ones where the call leaves them out.
    fn move_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        version: Version,
        guard: &RevisionId,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Looking up artifacts in S3.
pub trait Artifacts: Send + Sync {
    /// Finds the object and the hash of its bytes, by S3's own checksum or else by reading it once.
    ///
    /// The failure is the resolution: an artifact that cannot be had is a fact like any other.
    fn look_up(&self, location: &S3Location) -> impl Future<Output = Resolution> + Send;
}

/// Where word comes of changes that others make.
pub trait Hints: Send + Sync {
    /// Waits for messages, for less than a minute; none is an answer, too.
    fn receive(&self) -> impl Future<Output = Result<Vec<HintMessage>, PortError>> + Send;

    /// Takes messages off the queue, by their receipts. Those that are not taken off come again.
    fn delete(&self, receipts: Vec<String>) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The time, and waiting for it.
pub trait Clock: Send + Sync {
    /// Returns the present time, for what people read and write. It jumps where somebody sets the clock.
    fn now(&self) -> Timestamp;

    /// Returns the time since some moment that stays the same, for waits and durations. It never jumps.
    fn uptime(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Somewhere that people are told things.
pub trait Notifier: Send + Sync {
    /// Tells it once. Ends within some seconds, whatever the receiver does.
    fn notify(&self, notification: &Notification) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}
