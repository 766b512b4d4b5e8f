//! Deployment packages: where they come from, whether they are zips, and `UpdateFunctionCode`.

use std::io::Cursor;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::s3::S3;
use super::model::{Code, LastUpdate, Origin, State, VersionNumber};
use super::name::Target;
use super::request::{CodeSource, UpdateFunctionCode};
use super::view::{self, Detail};
use super::{Context, ErrorKind, Found, Lambda, LambdaError, Reply, check_revision, refuse_if_busy, version};

/// The largest zip that may come inside a request; larger ones have to go through S3.
const DIRECT_UPLOAD_LIMIT: usize = 50 * 1024 * 1024;
/// The most that a package may unpack to.
const UNZIPPED_LIMIT: u128 = 262_144_000;
/// The code storage of an account in a region: 300 GB, not increasable since July 2026.
pub(super) const STORAGE_LIMIT: u64 = 322_122_547_200;

/// Reads and checks the package that a request names.
pub(super) fn fetch(context: &Context, s3: &S3, source: &CodeSource) -> Result<Code, LambdaError> {
    if let Some(uri) = &source.image_uri {
        return Ok(image(uri));
    }
    match (&source.zip_file, &source.s3_bucket, &source.s3_key) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(LambdaError::invalid(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        (Some(zip), None, None) if zip.len() > DIRECT_UPLOAD_LIMIT => Err(LambdaError::new(
            ErrorKind::RequestTooLarge,
            "Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation",
        )),
        (Some(zip), None, None) => package(zip.clone(), Origin::Copy),
        (None, Some(bucket), Some(key)) => from_s3(context, s3, source, bucket, key),
        (None, None, _) | (None, _, None) => Err(LambdaError::invalid("Please provide a source for function code.")),
    }
    .map(|code| Code {
        kms_key: source.source_kms_key_arn.clone(),
        ..code
    })
}

/// Copies an object, or refers to it. Whatever S3 refuses, Lambda answers with 400 `InvalidParameterValueException`:
/// only the text tells a missing key from a missing bucket.
fn from_s3(context: &Context, s3: &S3, source: &CodeSource, bucket: &str, key: &str) -> Result<Code, LambdaError> {
    let refuse = |code: &str, message: &str| {
        LambdaError::invalid(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        ))
    };
    let reference = match source.s3_object_storage_mode.as_deref() {
        None | Some("COPY") => false,
        Some("REFERENCE") => true,
        Some(other) => {
            return Err(LambdaError::validation(
                other,
                "s3ObjectStorageMode",
                "satisfy enum value set: [COPY, REFERENCE]",
            ));
        }
    };
    let wanted = source.s3_object_version.as_deref();
    let found = s3.package(bucket, key, wanted).map_err(|error| {
        // Lambda words every version that is not there like this, be it malformed or merely unknown.
        if matches!(error.code, "NoSuchVersion" | "InvalidArgument") {
            refuse("InvalidArgument", "Invalid version id specified")
        } else {
            refuse(error.code, &error.message)
        }
    })?;
    if !reference {
        // A copy is only made within a region; a reference works across regions.
        if found.region != context.region {
            return Err(refuse(
                "PermanentRedirect",
                &format!(
                    "The bucket is in this region: {}. Please use this region to retry the request",
                    found.region
                ),
            ));
        }
        return package(found.bytes, Origin::Copy);
    }
    let (Some(version), true) = (wanted, found.versioned) else {
        return Err(LambdaError::invalid(
            "S3ObjectStorageMode REFERENCE needs a bucket with versioning and an S3ObjectVersion.",
        ));
    };
    package(
        found.bytes,
        Origin::Reference {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.to_owned(),
        },
    )
}

fn package(zip: Bytes, origin: Origin) -> Result<Code, LambdaError> {
    if zip.is_empty() {
        return Err(LambdaError::invalid("Uploaded file must be a non-empty zip"));
    }
    let unreadable =
        || LambdaError::invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let archive = zip::ZipArchive::new(Cursor::new(zip.as_ref())).map_err(|_| unreadable())?;
    if archive.is_empty() {
        return Err(LambdaError::invalid("Uploaded file must be a non-empty zip"));
    }
    if archive.decompressed_size().is_some_and(|size| size > UNZIPPED_LIMIT) {
        return Err(LambdaError::invalid(format!(
            "Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes"
        )));
    }
    let sha256 = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&zip));
    Ok(Code {
        sha256: sha256.into(),
        size: u64::try_from(zip.len()).unwrap_or(u64::MAX),
        bytes: zip,
        origin,
        kms_key: None,
    })
}

/// An image has no bytes here; its digest is the one that the URI names, or else made from the URI's text.
fn image(uri: &str) -> Code {
    let digest = uri
        .split_once("@sha256:")
        .map_or_else(|| hex::encode(Sha256::digest(uri)), |(_, digest)| digest.to_owned());
    Code {
        sha256: digest.into(),
        size: 0,
        bytes: Bytes::new(),
        origin: Origin::Image { uri: uri.to_owned() },
        kms_key: None,
    }
}

pub(super) fn check_architectures(architectures: &[String]) -> Result<(), LambdaError> {
    match architectures {
        [one] if matches!(one.as_str(), "x86_64" | "arm64") => Ok(()),
        other => Err(LambdaError::validation(
            &format!("[{}]", other.join(", ")),
            "architectures",
            "satisfy constraint: [Member must have length 1, Member must satisfy enum value set: [x86_64, arm64]]",
        )),
    }
}

impl Found<'_> {
    /// What every accepted update of code or configuration does at once: the new content shows immediately, under a
    /// new revision and `LastUpdateStatus=InProgress`, and a version becomes publishable.
    pub(super) fn begin_update(&mut self, context: &Context) {
        let latest = &mut self.function.latest;
        // LastModified has whole seconds after an update. On AWS no two updates of a function fit into one second;
        // here they do, so the stamp steps on: a reader may rely on its being another one.
        let mut stamp = context.now.whole_seconds();
        if stamp <= latest.last_modified {
            stamp = latest
                .last_modified
                .whole_seconds()
                .after(std::time::Duration::from_secs(1));
        }
        latest.last_modified = stamp;
        latest.revision_id = self.ids.uuid();
        latest.last_update = Some(LastUpdate::InProgress);
        latest.pending = Some(context.pending());
        self.function.published = None;
    }
}

impl Lambda {
    pub(super) fn update_code(&mut self, context: &Context, s3: &S3, input: &UpdateFunctionCode) -> super::Result {
        let name = Target::unqualified(context, &input.function_name)?;
        if let Some(architectures) = &input.architectures {
            check_architectures(architectures)?;
        }
        let stored = self.total_code_size(context);
        let mut found = self.find(context, &name)?;
        let image = matches!(found.function.latest.code.origin, Origin::Image { .. });
        if image != input.code.image_uri.is_some() {
            return Err(LambdaError::invalid(
                "Please provide a code source that fits the function's PackageType.",
            ));
        }
        let code = fetch(context, s3, &input.code)?;
        let (publish, dry_run) = (input.publish == Some(true), input.dry_run == Some(true));
        if publish && dry_run {
            return Err(LambdaError::invalid("DryRun and Publish are mutually exclusive."));
        }
        // The order of the guard and the state is not recorded. The guard comes first, so that a repeated guarded
        // update is told that its revision is gone, whether or not the first one is through.
        check_revision(input.revision_id.as_deref(), &found.function.latest.revision_id)?;
        refuse_if_busy(found.function)?;
        if code.origin == Origin::Copy && stored.saturating_add(code.size) > STORAGE_LIMIT {
            return Err(LambdaError::new(
                ErrorKind::CodeStorageExceeded,
                "Code storage limit exceeded.",
            ));
        }
        if dry_run {
            let mut preview = found.function.latest.clone();
            preview.code = code;
            let arn = found.function.arn.clone();
            return Ok(Reply::ok(view::configuration(
                found.function,
                VersionNumber::Latest,
                &preview,
                &arn,
                Detail::Full,
            )));
        }
        found.begin_update(context);
        let latest = &mut found.function.latest;
        latest.code = code;
        if let Some(architectures) = &input.architectures {
            latest.config.set("Architectures", json!(architectures));
        }
        if !publish {
            let arn = found.function.arn.clone();
            return Ok(Reply::ok(version::show(found.function, VersionNumber::Latest, &arn)));
        }
        if input.publish_to.is_some() {
            // Only functions on managed instances publish elsewhere. AWS finds that out when $LATEST is updated already.
            return Err(LambdaError::invalid("PublishTo is not supported for this function."));
        }
        let number = found.publish(None);
        if let Some(version) = found.function.versions.get_mut(&number) {
            // Waiting for $LATEST alone is not enough: this version has a state of its own and a later revision.
            version.state = State::Pending;
            version.last_update = None;
            version.pending = Some(context.pending());
        }
        let arn = found.function.qualified(number);
        Ok(Reply::ok(version::show(
            found.function,
            VersionNumber::Published(number),
            &arn,
        )))
    }
}
