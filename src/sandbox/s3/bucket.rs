//! Buckets: create, find, delete, list, and their versioning.

use super::super::clock::Timestamp;
use super::model::{Bucket, Versioning};
use super::{S3, S3Error};

/// Whether S3 would accept the name for a new bucket.
pub(crate) fn valid_bucket_name(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| edge(b) || matches!(b, b'-' | b'.'))
        && name.bytes().next().is_some_and(edge)
        && name.bytes().next_back().is_some_and(edge)
        && !name.contains("..")
}

impl S3 {
    /// Makes a bucket. Making one's own again is a success in us-east-1 and a conflict everywhere else.
    pub(crate) fn create_bucket(
        &mut self,
        name: &str,
        region: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<(), S3Error> {
        if !valid_bucket_name(name) {
            return Err(S3Error::new(
                400,
                "InvalidBucketName",
                "The specified bucket is not valid.",
            ));
        }
        if let Some(existing) = self.buckets.get(name) {
            if existing.account != account {
                return Err(S3Error::new(
                    409,
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                     system. Please select a different name and try again.",
                ));
            }
            if region == "us-east-1" && existing.region == region {
                return Ok(());
            }
            return Err(S3Error::new(
                409,
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        let bucket = Bucket {
            region: region.to_owned(),
            account: account.to_owned(),
            created: now,
            versioning: Versioning::Never,
            objects: std::collections::BTreeMap::new(),
        };
        self.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    pub(crate) fn delete_bucket(&mut self, name: &str) -> Result<(), S3Error> {
        if !self.bucket(name)?.objects.is_empty() {
            return Err(S3Error::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        self.buckets.remove(name);
        self.uploads.retain(|_, upload| upload.bucket != name);
        Ok(())
    }

    /// The buckets of an account with the time each was made.
    pub(crate) fn list_buckets(&self, account: &str) -> impl Iterator<Item = (&str, &Bucket)> {
        let account = account.to_owned();
        self.buckets
            .iter()
            .filter(move |(_, bucket)| bucket.account == account)
            .map(|(name, bucket)| (name.as_str(), bucket))
    }

    pub(crate) fn put_versioning(&mut self, name: &str, status: &str) -> Result<(), S3Error> {
        self.bucket_mut(name)?.versioning = match status {
            "Enabled" => Versioning::Enabled,
            "Suspended" => Versioning::Suspended,
            _ => return Err(S3Error::malformed_xml()),
        };
        Ok(())
    }
}
