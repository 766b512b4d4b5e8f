//! Objects: put, get, copy and delete, each with its versions.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::clock::Timestamp;
use super::checksum::{Algorithm, Checksum, Wanted, check_content_md5, hex};
use super::model::{Bucket, Entry, NULL_VERSION, Object, Versioning};
use super::{S3, S3Error};

/// A body to be stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Put {
    pub(crate) body: Bytes,
    pub(crate) content_md5: Option<String>,
    pub(crate) checksum: Wanted,
    /// `If-None-Match: *`: only where the key holds nothing.
    pub(crate) only_new: bool,
    /// `If-Match`: only over an object with this `ETag`.
    pub(crate) if_match: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What a write answers.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) etag: String,
    pub(crate) version: Option<String>,
    pub(crate) checksum: Checksum,
    pub(crate) modified: Timestamp,
}

/// What a read finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) object: &'a Object,
    pub(crate) entry: &'a Entry,
    /// Whether replies name the version.
    pub(crate) show_version: bool,
}

/// What a deletion answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deleted {
    pub(crate) version: Option<String>,
    /// A delete marker was made, or taken away.
    pub(crate) marker: bool,
}

/// Where a copy comes from.
#[derive(Debug, Clone)]
pub(crate) struct CopySource {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// Holds the conditions of a write against what the key holds now.
fn check_conditions(bucket: &Bucket, key: &str, only_new: bool, if_match: Option<&str>) -> Result<(), S3Error> {
    let present = bucket.current(key).and_then(|entry| entry.object.as_ref());
    if only_new && present.is_some() {
        return Err(S3Error::precondition_failed());
    }
    match (if_match, present) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(S3Error::no_such_key()),
        (Some(wanted), Some(object)) if wanted.trim_matches('"') == object.etag => Ok(()),
        (Some(_), Some(_)) => Err(S3Error::precondition_failed()),
    }
}

impl S3 {
    pub(crate) fn put(&mut self, bucket: &str, key: &str, put: Put, now: Timestamp) -> Result<Stored, S3Error> {
        check_conditions(self.bucket(bucket)?, key, put.only_new, put.if_match.as_deref())?;
        check_content_md5(&put.body, put.content_md5.as_deref())?;
        let checksum = Checksum::of(&put.body, &put.checksum)?;
        let etag = hex(&Algorithm::Md5.digest(&put.body));
        let object = Object {
            body: put.body,
            etag,
            checksum,
            headers: put.headers,
            parts: Vec::new(),
        };
        self.store(bucket, key, object, now)
    }

    /// Puts a finished object on top of its key.
    pub(super) fn store(&mut self, bucket: &str, key: &str, object: Object, now: Timestamp) -> Result<Stored, S3Error> {
        if key.is_empty() || key.len() > 1024 {
            return Err(S3Error::new(400, "KeyTooLongError", "Your key is too long"));
        }
        let fresh = self.ids.version_id();
        let bucket = self.bucket_mut(bucket)?;
        let version = if bucket.versioning == Versioning::Enabled {
            fresh
        } else {
            NULL_VERSION.to_owned()
        };
        let stored = Stored {
            etag: object.etag.clone(),
            version: bucket.shown_version(&version),
            checksum: object.checksum.clone(),
            modified: now,
        };
        bucket.push(
            key,
            Entry {
                version,
                modified: now,
                object: Some(object),
            },
        );
        Ok(stored)
    }

    /// Gives a version another id, and takes away the version that had it.
    pub(crate) fn rename_version(&mut self, bucket: &str, key: &str, from: &str, to: &str) {
        let entries = self
            .bucket_mut(bucket)
            .ok()
            .and_then(|bucket| bucket.objects.get_mut(key));
        let Some(entries) = entries else { return };
        entries.retain(|entry| entry.version != to);
        for entry in entries {
            if entry.version == from {
                to.clone_into(&mut entry.version);
            }
        }
    }

    /// The current object of a key, or one of its versions.
    pub(crate) fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Found<'_>, S3Error> {
        let bucket = self.bucket(bucket)?;
        let entries = bucket.objects.get(key);
        let entry = match version {
            None => entries
                .and_then(|entries| entries.last())
                .ok_or_else(S3Error::no_such_key)?,
            Some(version) => entries
                .and_then(|entries| entries.iter().find(|entry| entry.version == version))
                .ok_or_else(|| S3Error::no_such_version(version))?,
        };
        match (&entry.object, version) {
            (Some(object), _) => Ok(Found {
                object,
                entry,
                show_version: bucket.versioning != Versioning::Never,
            }),
            (None, None) => Err(S3Error::no_such_key()
                .with("x-amz-delete-marker", "true")
                .with("x-amz-version-id", entry.version.clone())),
            (None, Some(_)) => Err(S3Error::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
            .with("x-amz-delete-marker", "true")
            .with("allow", "DELETE")),
        }
    }

    /// Copies an object; `headers` replace those of the source where they are given.
    pub(crate) fn copy(
        &mut self,
        source: &CopySource,
        (bucket, key): (&str, &str),
        algorithm: Option<Algorithm>,
        headers: Option<BTreeMap<String, String>>,
        now: Timestamp,
    ) -> Result<(Stored, Option<String>), S3Error> {
        let found = self.get(&source.bucket, &source.key, source.version.as_deref())?;
        let onto_itself = source.bucket == bucket && source.key == key && source.version.is_none();
        let versioned = self.bucket(bucket)?.versioning == Versioning::Enabled;
        if onto_itself && headers.is_none() && algorithm.is_none() && !versioned {
            return Err(S3Error::invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let object = found.object;
        // A copy is one piece, so a composite checksum does not survive it.
        let algorithm = algorithm.unwrap_or(object.checksum.algorithm);
        let copy = Object {
            body: object.body.clone(),
            etag: hex(&Algorithm::Md5.digest(&object.body)),
            checksum: Checksum::of(
                &object.body,
                &Wanted {
                    algorithm: Some(algorithm),
                    value: None,
                },
            )?,
            headers: headers.unwrap_or_else(|| object.headers.clone()),
            parts: Vec::new(),
        };
        let from = found.show_version.then(|| found.entry.version.clone());
        Ok((self.store(bucket, key, copy, now)?, from))
    }

    /// Deletes a version for good, or hides the key behind a delete marker where the bucket keeps versions.
    pub(crate) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<Deleted, S3Error> {
        let fresh = self.ids.version_id();
        let bucket = self.bucket_mut(bucket)?;
        if let Some(version) = version {
            let removed = bucket.remove(key, version);
            return Ok(Deleted {
                version: bucket.shown_version(version),
                marker: removed.is_some_and(|entry| entry.object.is_none()),
            });
        }
        let marker = match bucket.versioning {
            Versioning::Never => {
                bucket.objects.remove(key);
                return Ok(Deleted::default());
            }
            Versioning::Enabled => fresh,
            Versioning::Suspended => NULL_VERSION.to_owned(),
        };
        bucket.push(
            key,
            Entry {
                version: marker.clone(),
                modified: now,
                object: None,
            },
        );
        Ok(Deleted {
            version: Some(marker),
            marker: true,
        })
    }
}
