//! What S3 remembers of buckets and objects. Plain data and its own invariants; requests and replies are elsewhere.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::clock::Timestamp;
use super::checksum::{Algorithm, Checksum};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bucket {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) created: Timestamp,
    #[serde(default)]
    pub(crate) versioning: Versioning,
    /// Every version of every key, the oldest first, so that the last one is the current one.
    #[serde(default)]
    pub(crate) objects: BTreeMap<String, Vec<Entry>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    /// Never switched on: objects have no version id.
    #[default]
    Never,
    Enabled,
    /// Switched off again: new objects get the id `null`, old versions stay.
    Suspended,
}

/// The version id of objects that were written without versioning.
pub(crate) const NULL_VERSION: &str = "null";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) version: String,
    pub(crate) modified: Timestamp,
    /// `None` is a delete marker.
    pub(crate) object: Option<Object>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    #[serde(with = "body")]
    pub(crate) body: Bytes,
    /// Without its quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Checksum,
    /// Content-Type and its like, and the user's own metadata, by header name.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The sizes of the parts of a multipart upload.
    #[serde(default)]
    pub(crate) parts: Vec<usize>,
}

/// A multipart upload that is not complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) algorithm: Algorithm,
    /// The client named the algorithm, so its parts have to carry that one.
    pub(crate) named: bool,
    pub(crate) composite: bool,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) parts: BTreeMap<u32, Part>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    #[serde(with = "body")]
    pub(crate) body: Bytes,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
}

impl Bucket {
    /// The version id that replies show: none where versioning was never on.
    pub(crate) fn shown_version(&self, version: &str) -> Option<String> {
        (self.versioning != Versioning::Never).then(|| version.to_owned())
    }

    pub(crate) fn current(&self, key: &str) -> Option<&Entry> {
        self.objects.get(key).and_then(|entries| entries.last())
    }

    /// Puts an entry on top. Without versioning it takes the place of the `null` version.
    pub(crate) fn push(&mut self, key: &str, entry: Entry) {
        let entries = self.objects.entry(key.to_owned()).or_default();
        if entry.version == NULL_VERSION {
            entries.retain(|old| old.version != NULL_VERSION);
        }
        entries.push(entry);
    }

    /// Takes one version away for good.
    pub(crate) fn remove(&mut self, key: &str, version: &str) -> Option<Entry> {
        let entries = self.objects.get_mut(key)?;
        let at = entries.iter().position(|entry| entry.version == version)?;
        let entry = entries.remove(at);
        if entries.is_empty() {
            self.objects.remove(key);
        }
        Some(entry)
    }
}

/// Serde for bodies: base64.
pub(crate) mod body {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(body))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}
