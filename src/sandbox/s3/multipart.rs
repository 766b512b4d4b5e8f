//! Multipart uploads, and the checksums of checksums that they leave behind.

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};

use super::super::clock::Timestamp;
use super::checksum::{Algorithm, Checksum, Wanted, check_content_md5, hex};
use super::model::{Object, Part, Upload};
use super::{S3, S3Error, Stored};

/// Every part but the last has to have this size at least.
const SMALLEST_PART: usize = 5 * 1024 * 1024;

/// An upload that was started.
#[derive(Debug, Clone)]
pub(crate) struct Created {
    pub(crate) id: String,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) composite: bool,
}

/// A part as the client lists it at the end.
#[derive(Debug, Clone)]
pub(crate) struct CompletedPart {
    pub(crate) number: u32,
    pub(crate) etag: String,
}

impl S3 {
    /// Starts an upload. Without an algorithm the object ends with the CRC64NVME of the whole, which S3 attaches by itself.
    pub(crate) fn create_upload(
        &mut self,
        bucket: &str,
        key: &str,
        algorithm: Option<Algorithm>,
        kind: Option<&str>,
        headers: BTreeMap<String, String>,
    ) -> Result<Created, S3Error> {
        self.bucket(bucket)?;
        let used = algorithm.unwrap_or(Algorithm::Crc64Nvme);
        let composite = match kind {
            None => used != Algorithm::Crc64Nvme,
            Some("COMPOSITE") if used != Algorithm::Crc64Nvme => true,
            Some("FULL_OBJECT") if used.full_object_possible() => false,
            Some(other) => {
                return Err(S3Error::invalid_request(format!(
                    "The {other} checksum type cannot be used with the {} checksum algorithm.",
                    used.name().to_lowercase()
                )));
            }
        };
        let id = self.ids.version_id();
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            algorithm: used,
            named: algorithm.is_some(),
            composite,
            headers,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        Ok(Created {
            id,
            algorithm,
            composite,
        })
    }

    fn upload(&mut self, bucket: &str, key: &str, id: &str) -> Result<&mut Upload, S3Error> {
        self.bucket(bucket)?;
        self.uploads
            .get_mut(id)
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(S3Error::no_such_upload)
    }

    /// Takes a part in; an earlier one of the same number is forgotten. Gives the `ETag` and the checksum.
    pub(crate) fn upload_part(
        &mut self,
        (bucket, key, id): (&str, &str, &str),
        number: u32,
        body: Bytes,
        content_md5: Option<&str>,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<(String, Checksum), S3Error> {
        let upload = self.upload(bucket, key, id)?;
        if !(1..=10_000).contains(&number) {
            return Err(S3Error::new(
                400,
                "InvalidArgument",
                "Part number must be an integer between 1 and 10000, inclusive",
            ));
        }
        if let Some(sent) = wanted
            .algorithm
            .filter(|sent| upload.named && *sent != upload.algorithm)
        {
            return Err(S3Error::invalid_request(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                upload.algorithm.name().to_lowercase(),
                sent.name().to_lowercase()
            )));
        }
        check_content_md5(&body, content_md5)?;
        let sent = Wanted {
            algorithm: Some(wanted.algorithm.unwrap_or(upload.algorithm)),
            value: wanted.value.clone(),
        };
        let checksum = Checksum::of(&body, &sent)?;
        let etag = hex(&Algorithm::Md5.digest(&body));
        upload.parts.insert(
            number,
            Part {
                body,
                etag: etag.clone(),
                modified: now,
            },
        );
        Ok((etag, checksum))
    }

    /// The parts that have arrived, as `ListParts` shows them: number, size, `ETag`, time.
    pub(crate) fn list_parts(
        &mut self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Vec<(u32, usize, String, Timestamp)>, S3Error> {
        let upload = self.upload(bucket, key, id)?;
        Ok(upload
            .parts
            .iter()
            .map(|(number, part)| (*number, part.body.len(), part.etag.clone(), part.modified))
            .collect())
    }

    pub(crate) fn complete_upload(
        &mut self,
        (bucket, key, id): (&str, &str, &str),
        parts: &[CompletedPart],
        expected: Option<&str>,
        only_new: bool,
        now: Timestamp,
    ) -> Result<Stored, S3Error> {
        if only_new
            && self
                .bucket(bucket)?
                .current(key)
                .is_some_and(|entry| entry.object.is_some())
        {
            return Err(S3Error::precondition_failed());
        }
        let upload = self.upload(bucket, key, id)?;
        if parts.is_empty() {
            return Err(S3Error::malformed_xml());
        }
        if !parts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(S3Error::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
            ));
        }
        let mut body = BytesMut::new();
        let (mut digests, mut checksums, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for (at, wanted) in parts.iter().enumerate() {
            let part = upload
                .parts
                .get(&wanted.number)
                .filter(|part| part.etag == wanted.etag.trim_matches('"'))
                .ok_or_else(|| {
                    S3Error::new(
                        400,
                        "InvalidPart",
                        "One or more of the specified parts could not be found. The part may not have been uploaded, \
                         or the specified entity tag may not match the part's entity tag.",
                    )
                })?;
            if at + 1 < parts.len() && part.body.len() < SMALLEST_PART {
                return Err(S3Error::new(
                    400,
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size",
                ));
            }
            digests.extend(Algorithm::Md5.digest(&part.body));
            if upload.composite {
                checksums.extend(upload.algorithm.digest(&part.body));
            }
            sizes.push(part.body.len());
            body.extend_from_slice(&part.body);
        }
        let value = if upload.composite {
            let digest = upload.algorithm.digest(&checksums);
            format!(
                "{}-{}",
                base64::engine::general_purpose::STANDARD.encode(digest),
                parts.len()
            )
        } else {
            upload.algorithm.encode(&body)
        };
        if expected.is_some_and(|expected| expected != value) {
            return Err(S3Error::new(
                400,
                "BadDigest",
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    upload.algorithm.name()
                ),
            ));
        }
        let object = Object {
            body: body.freeze(),
            etag: format!("{}-{}", hex(&Algorithm::Md5.digest(&digests)), parts.len()),
            checksum: Checksum {
                algorithm: upload.algorithm,
                value,
                composite: upload.composite,
            },
            headers: upload.headers.clone(),
            parts: sizes,
        };
        self.uploads.remove(id);
        self.store(bucket, key, object, now)
    }

    pub(crate) fn abort_upload(&mut self, bucket: &str, key: &str, id: &str) -> Result<(), S3Error> {
        self.upload(bucket, key, id)?;
        self.uploads.remove(id);
        Ok(())
    }
}
