//! Looks up artifacts: does the object exist, and which SHA-256 do its bytes have. Never writes, never keeps bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_types::retry::RetryConfig;
use sha2::{Digest as _, Sha256};

use super::aws::{Attempts, Connection, one_line, port_error};
use crate::domain::{ArtifactFailure, ArtifactFailureKind, CodeSha256, Resolution, S3Location, VerifiedObject};
use crate::ports::{Artifacts, PortError, PortErrorKind};
use crate::telemetry::Telemetry;

/// Bytes of the largest object that is read to be hashed. Lambda takes at most 250 MB unzipped, so a zip beyond it
/// could not run anyway.
const LARGEST: u64 = 250 * 1024 * 1024;

/// Hashes remembered at the most. Each takes some 200 bytes; when it is full it begins anew.
const REMEMBERED: usize = 50_000;

/// What a hash was computed from: bucket, key, object version, ETag.
type Fingerprint = (String, String, Option<String>, Option<String>);

/// The artifacts of one target.
pub struct S3Artifacts {
    client: Client,
    /// Hashes that were computed by reading the object.
    hashes: Mutex<BTreeMap<Fingerprint, CodeSha256>>,
}

impl S3Artifacts {
    /// Builds a reader on a connection.
    pub fn new(connection: &Connection, telemetry: &Telemetry) -> Self {
        let mut config = aws_sdk_s3::config::Builder::from(&connection.sdk)
            .http_client(connection.http.clone())
            .retry_config(RetryConfig::standard())
            .interceptor(Attempts::new("s3", telemetry.clone()));
        if let Some(url) = &connection.s3_endpoint {
            config = config.endpoint_url(url.as_str()).force_path_style(url.is_local_or_ip());
        }
        Self {
            client: Client::from_conf(config.build()),
            hashes: Mutex::default(),
        }
    }

    async fn head(&self, location: &S3Location) -> Result<HeadObjectOutput, ArtifactFailure> {
        self.client
            .head_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.object_version.clone())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| failure(location, &port_error(format!("HeadObject {location}"), &error)))
    }

    /// Reads the object once and hashes it, chunk by chunk.
    async fn read(&self, location: &S3Location, e_tag: Option<&str>) -> Result<CodeSha256, ArtifactFailure> {
        let operation = format!("GetObject {location}");
        let mut object = self
            .client
            .get_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.object_version.clone())
            .set_if_match(e_tag.map(str::to_owned))
            .send()
            .await
            .map_err(|error| failure(location, &port_error(&operation, &error)))?;
        let (mut hasher, mut read) = (Sha256::new(), 0_u64);
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|error| unreadable(format!("{operation}: {}", one_line(&error.to_string()))))?;
            read += chunk.len() as u64;
            if read > LARGEST {
                return Err(too_large(location));
            }
            hasher.update(&chunk);
        }
        Ok(CodeSha256::from_bytes(hasher.finalize().into()))
    }

    async fn hash(&self, location: &S3Location, head: &HeadObjectOutput) -> Result<CodeSha256, ArtifactFailure> {
        if let Some(sha256) = full_object_sha256(head) {
            return Ok(sha256);
        }
        let fingerprint: Fingerprint = (
            location.bucket.clone(),
            location.key.clone(),
            location.object_version.clone(),
            head.e_tag().map(str::to_owned),
        );
        if let Some(sha256) = self.lock().get(&fingerprint) {
            return Ok(*sha256);
        }
        if head
            .content_length()
            .and_then(|length| u64::try_from(length).ok())
            .is_some_and(|length| length > LARGEST)
        {
            return Err(too_large(location));
        }
        let sha256 = self.read(location, head.e_tag()).await?;
        let mut hashes = self.lock();
        if hashes.len() >= REMEMBERED {
            hashes.clear();
        }
        hashes.insert(fingerprint, sha256);
        Ok(sha256)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Fingerprint, CodeSha256>> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Artifacts for S3Artifacts {
    async fn look_up(&self, location: &S3Location) -> Resolution {
        let head = self.head(location).await?;
        // "null" is the version of an object from before its bucket kept versions; it can be overwritten.
        let object_version = head.version_id().filter(|id| *id != "null").map(str::to_owned);
        let location = S3Location {
            object_version: object_version.or_else(|| location.object_version.clone()),
            ..location.clone()
        };
        let sha256 = self.hash(&location, &head).await?;
        Ok(VerifiedObject { location, sha256 })
    }
}

/// Returns S3's own SHA-256 of the whole object. That of a multipart upload is a hash of hashes, and passed over.
fn full_object_sha256(head: &HeadObjectOutput) -> Option<CodeSha256> {
    match head.checksum_type() {
        Some(ChecksumType::FullObject) | None => head.checksum_sha256()?.parse().ok(),
        Some(_) => None,
    }
}

fn failure(location: &S3Location, error: &PortError) -> ArtifactFailure {
    match error.kind {
        PortErrorKind::NotFound => ArtifactFailure {
            kind: ArtifactFailureKind::NotFound,
            message: format!("S3 has no {location}: upload it, or name one that exists"),
        },
        // S3 answers a malformed or foreign version id with 400, and HEAD has no body to say more.
        PortErrorKind::Invalid if location.object_version.is_some() => ArtifactFailure {
            kind: ArtifactFailureKind::NotFound,
            message: format!("S3 does not know {location}: correct `objectVersion`, or leave it out"),
        },
        PortErrorKind::AccessDenied => unreadable(format!(
            "{error}: grant s3:GetObject and s3:GetObjectVersion, and s3:ListBucket so that S3 can say what is missing"
        )),
        PortErrorKind::Precondition => unreadable(format!("{location} was overwritten while it was read")),
        PortErrorKind::Conflict
        | PortErrorKind::Throttled
        | PortErrorKind::Credentials
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Unreachable
        | PortErrorKind::Unknown
        | PortErrorKind::TooLarge
        | PortErrorKind::Unverified
        | PortErrorKind::Malformed => unreadable(error.to_string()),
    }
}

fn unreadable(message: String) -> ArtifactFailure {
    ArtifactFailure {
        kind: ArtifactFailureKind::Unreadable,
        message,
    }
}

fn too_large(location: &S3Location) -> ArtifactFailure {
    unreadable(format!(
        "{location} is larger than {} MiB, more than Lambda takes",
        LARGEST / 1024 / 1024
    ))
}
