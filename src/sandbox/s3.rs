//! S3 as a synchronous state machine: typed requests and the time go in, typed replies come out. It reads no clock and
//! does no I/O; HTTP and XML lie around it.

mod bucket;
mod checksum;
mod error;
mod listing;
mod model;
mod multipart;
mod object;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(crate) use checksum::{Algorithm, Checksum, Wanted, check_content_md5, hex};
pub use error::S3Error;
pub(crate) use listing::{Listing, Page};
pub(crate) use model::Versioning;
pub(crate) use multipart::CompletedPart;
pub(crate) use object::{CopySource, Deleted, Found, Put, Stored};

use super::ids::Ids;
use model::{Bucket, Upload};

/// All buckets. Their names are global; each remembers the region and the account it was made in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct S3 {
    ids: Ids,
    buckets: BTreeMap<String, Bucket>,
    #[serde(default)]
    uploads: BTreeMap<String, Upload>,
}

/// An object as Lambda reads it.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) bytes: Bytes,
    pub(crate) region: String,
    pub(crate) versioned: bool,
}

impl S3 {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ids: Ids::new(seed ^ 0x5333),
            ..Self::default()
        }
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket, S3Error> {
        self.buckets.get(name).ok_or_else(S3Error::no_such_bucket)
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, S3Error> {
        self.buckets.get_mut(name).ok_or_else(S3Error::no_such_bucket)
    }

    /// What Lambda gets when it reads a deployment package.
    pub(crate) fn package(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Package, S3Error> {
        let found = self.get(bucket, key, version)?;
        let bucket = self.bucket(bucket)?;
        Ok(Package {
            bytes: found.object.body.clone(),
            region: bucket.region.clone(),
            versioned: bucket.versioning == Versioning::Enabled,
        })
    }
}
