//! What is known of an artifact before anything is planned. Holds the outcome; asking S3 is a port's work.

use super::artifact::S3Location;
use super::sha256::CodeSha256;

/// An object that S3 was asked for, and the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedObject {
    /// Where it lies; names the object version where the bucket keeps versions, so that an overwrite
    /// between now and the update changes nothing.
    pub location: S3Location,
    /// The hash of its bytes.
    pub sha256: CodeSha256,
}

/// What asking S3 for one artifact came to.
pub type Resolution = Result<VerifiedObject, ArtifactFailure>;

/// Why an artifact cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFailure {
    /// The class of the failure.
    pub kind: ArtifactFailureKind,
    /// What was asked and what came back, in one line.
    pub message: String,
}

/// The class of a failed look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactFailureKind {
    /// S3 said that there is no such bucket, key or object version.
    NotFound,
    /// It could not be read: denied, out of reach, too large. Whether it exists is not known.
    Unreadable,
}
