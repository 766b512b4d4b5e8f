//! What Git says should run. Holds the merged, checked result of all manifests; knows no file format.

use std::collections::BTreeMap;

use litemap::LiteMap;

use super::artifact::S3Location;
use super::name::{AccountId, AliasName, ArtifactVersion, CommitId, FunctionKey, FunctionName, Region, TargetName};
use super::policy::{FunctionGlob, Mode, Suspension};
use super::sha256::CodeSha256;

/// A place where functions live: one folder of the repository for one account and Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in configuration, output and metrics.
    pub name: TargetName,
    /// The folder of the repository, with `/` between segments and none at either end; empty for the whole.
    pub path: String,
    /// The Region; `None` only where a tree is checked without a configuration.
    pub region: Option<Region>,
    /// The account, where the configuration names it.
    pub account: Option<AccountId>,
    /// What Git may manage here: a name that no glob matches is never touched.
    pub functions: Vec<FunctionGlob>,
}

impl Target {
    /// Returns whether Git may manage a function of this name here.
    pub fn allows(&self, name: &FunctionName) -> bool {
        self.functions.iter().any(|glob| glob.matches(name))
    }
}

/// An artifact that `$LATEST` or an alias should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredArtifact {
    /// The version, as its makers count.
    pub version: ArtifactVersion,
    /// The hash that Git pins, if it does.
    pub pin: Option<CodeSha256>,
    /// Where the zip lies.
    pub location: S3Location,
}

/// What Git says of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFunction {
    /// The file that says so, for messages.
    pub file: String,
    /// What `$LATEST` holds.
    pub code: DesiredArtifact,
    /// What each alias runs. Aliases that Git does not name are left alone.
    pub aliases: LiteMap<AliasName, DesiredArtifact>,
    /// Whether drift is corrected, as far as the manifest has a say.
    pub mode: Mode,
    /// Set while nothing of this function may be written.
    pub suspend: Option<Suspension>,
}

impl DesiredFunction {
    /// Returns every artifact that the function needs, `$LATEST`'s first.
    pub fn artifacts(&self) -> impl Iterator<Item = &DesiredArtifact> {
        std::iter::once(&self.code).chain(self.aliases.values())
    }
}

/// What is wrong in one place of one file, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, from the repository's root.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The column, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong and what to write instead, in one line; names the field where the line is not known.
    pub message: String,
}

/// Why a function that Git names has no usable manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultReason {
    /// Its file, or a defaults.yaml above it, has a fault.
    InvalidManifest,
    /// Two files claim it.
    Conflict,
}

/// A function that Git names in a file that cannot be used. It is withheld, and not taken for unmanaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultyFunction {
    /// Why.
    pub reason: FaultReason,
    /// The same in one line, with the files.
    pub message: String,
}

/// A target of which nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFailure {
    /// The target.
    pub target: TargetName,
    /// What failed, where, and why, in one line.
    pub message: String,
}

/// What one commit says, over all targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredState {
    /// The commit; `None` for a plain folder.
    pub revision: Option<CommitId>,
    /// The sound functions.
    pub functions: BTreeMap<FunctionKey, DesiredFunction>,
    /// The functions whose manifests cannot be used.
    pub faulty: BTreeMap<FunctionKey, FaultyFunction>,
    /// Everything that is wrong, in order of file and place.
    pub faults: Vec<Fault>,
    /// Targets whose folder the commit does not have.
    pub failed_targets: Vec<TargetFailure>,
    /// How many manifest files were read, sound or not.
    pub files: usize,
}
