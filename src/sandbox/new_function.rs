//! A function to be seeded: its code and its members. It makes nothing by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Where a function's code comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// The bytes of a zip.
    Zip(Bytes),
    /// An object in the sandbox's S3.
    S3 {
        /// Its bucket, in the region of the function.
        bucket: String,
        /// Its key.
        key: String,
        /// Its version, where it is not the current one.
        version: Option<String>,
    },
}

impl Code {
    /// The bytes of a zip.
    pub fn zip(bytes: impl Into<Bytes>) -> Self {
        Self::Zip(bytes.into())
    }

    /// The current object of a key.
    pub fn s3(bucket: &str, key: &str) -> Self {
        Self::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
        }
    }

    pub(super) fn members(&self) -> Map<String, Value> {
        let members = match self {
            Self::Zip(bytes) => json!({ "ZipFile": STANDARD.encode(bytes) }),
            Self::S3 {
                bucket,
                key,
                version: None,
            } => json!({ "S3Bucket": bucket, "S3Key": key }),
            Self::S3 {
                bucket,
                key,
                version: Some(version),
            } => {
                json!({ "S3Bucket": bucket, "S3Key": key, "S3ObjectVersion": version })
            }
        };
        match members {
            Value::Object(members) => members,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        }
    }
}

/// A function to be made: a Node.js one with a made-up role, until told otherwise.
#[derive(Debug, Clone)]
pub struct NewFunction {
    pub(super) name: String,
    pub(super) code: Code,
    pub(super) members: Map<String, Value>,
}

impl NewFunction {
    /// A function of this name and code.
    pub fn new(name: &str, code: Code) -> Self {
        Self {
            name: name.to_owned(),
            code,
            members: Map::new(),
        }
    }

    /// Sets a member of `CreateFunction`, such as `Environment`, in the form that it has on the wire.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        if let Some(tags) = self.members.entry("Tags").or_insert_with(|| json!({})).as_object_mut() {
            tags.insert(key.to_owned(), json!(value));
        }
        self
    }
}
