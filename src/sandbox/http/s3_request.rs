//! An S3 request taken apart: addressing, operation, parameters, checksums, body. It asks the service nothing.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::s3::{Algorithm, CopySource, Put, S3Error, Wanted};
use super::{chunked, uri};

/// The subresources that the sandbox does not have. A request that names one must not be taken for the plain operation.
const MISSING: [&str; 21] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "tagging",
];

/// A request to S3.
#[derive(Debug)]
pub(super) struct S3Request {
    pub(super) operation: &'static str,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    trailers: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

impl S3Request {
    pub(super) fn parse(head: &Parts, body: Bytes) -> Self {
        let (bucket, key) = address(head);
        let query: BTreeMap<String, String> = uri::pairs(head.uri.query().unwrap_or_default()).into_iter().collect();
        let operation = operation(&head.method, &bucket, &key, &query, &head.headers);
        let mut request = Self {
            operation,
            bucket,
            key,
            query,
            headers: head.headers.clone(),
            trailers: BTreeMap::new(),
            body,
        };
        if request.is_chunked() {
            match chunked::decode(&request.body) {
                Some(decoded) => {
                    request.body = decoded.body;
                    request.trailers = decoded.trailers;
                }
                None => request.operation = "Malformed",
            }
        }
        request
    }

    fn is_chunked(&self) -> bool {
        self.header("x-amz-content-sha256")
            .is_some_and(|value| value.starts_with("STREAMING-"))
            || self
                .header("content-encoding")
                .is_some_and(|value| value.split(',').any(|one| one.trim() == "aws-chunked"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.header(name).map(str::to_owned)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.parameter("versionId")
    }

    pub(super) fn text(&self) -> Result<&str, S3Error> {
        std::str::from_utf8(&self.body).map_err(|_| S3Error::malformed_xml())
    }

    /// What the record names as the object of the call.
    pub(super) fn resource(&self) -> String {
        if self.key.is_empty() {
            self.bucket.clone()
        } else {
            format!("{}/{}", self.bucket, self.key)
        }
    }

    /// The request as the record keeps it. Nothing of the signature or of a session token is among it.
    pub(super) fn params(&self) -> Value {
        let mut params = Map::new();
        let mut put = |name: &str, value: &str| params.insert(name.to_owned(), value.into());
        if !self.bucket.is_empty() {
            put("Bucket", &self.bucket);
        }
        if !self.key.is_empty() {
            put("Key", &self.key);
        }
        for (name, value) in &self.query {
            match name.as_str() {
                "versionId" => put("VersionId", value),
                "x-id" => None,
                signed if signed.starts_with("X-Amz-") => None,
                other => put(other, value),
            };
        }
        for (name, value) in &self.headers {
            let name = name.as_str();
            let telling = name.starts_with("x-amz-checksum")
                || name.starts_with("x-amz-copy")
                || name.starts_with("x-amz-meta")
                || matches!(
                    name,
                    "range" | "if-match" | "if-none-match" | "content-md5" | "x-amz-object-attributes"
                );
            if let (true, Ok(value)) = (telling, value.to_str()) {
                put(name, value);
            }
        }
        if !self.body.is_empty() {
            params.insert("ContentLength".to_owned(), json!(self.body.len()));
        }
        params.into()
    }

    /// Holds the body against the hash that was signed, where one was.
    pub(super) fn check_content_sha256(&self) -> Result<(), S3Error> {
        match self.header("x-amz-content-sha256") {
            Some(sent) if sent.len() == 64 && sent != super::super::s3::hex(&Algorithm::Sha256.digest(&self.body)) => {
                Err(S3Error::new(
                    400,
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The checksum that came with the body, ahead of it or behind it, or else the algorithm that is asked for.
    pub(super) fn checksum(&self) -> Result<Wanted, S3Error> {
        for algorithm in Algorithm::ALL {
            let value = self
                .owned(algorithm.header())
                .or_else(|| self.trailers.get(algorithm.header()).cloned());
            if value.is_some() {
                return Ok(Wanted {
                    algorithm: Some(algorithm),
                    value,
                });
            }
        }
        let named = self
            .header("x-amz-sdk-checksum-algorithm")
            .or_else(|| self.header("x-amz-checksum-algorithm"));
        Ok(Wanted {
            algorithm: named.map(Algorithm::parse).transpose()?,
            value: None,
        })
    }

    /// The headers that are kept with an object.
    pub(super) fn object_headers(&self) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for (name, value) in &self.headers {
            let name = name.as_str();
            let plain = matches!(
                name,
                "content-type"
                    | "cache-control"
                    | "content-disposition"
                    | "content-encoding"
                    | "content-language"
                    | "expires"
            );
            let Ok(mut value) = value.to_str().map(str::to_owned) else {
                continue;
            };
            if name == "content-encoding" {
                let encodings: Vec<&str> = value
                    .split(',')
                    .map(str::trim)
                    .filter(|one| *one != "aws-chunked" && !one.is_empty())
                    .collect();
                value = encodings.join(",");
            }
            if (plain || name.starts_with("x-amz-meta-")) && !value.is_empty() {
                kept.insert(name.to_owned(), value);
            }
        }
        kept.entry("content-type".to_owned())
            .or_insert_with(|| "binary/octet-stream".to_owned());
        kept
    }

    pub(super) fn put(&self) -> Result<Put, S3Error> {
        self.check_content_sha256()?;
        Ok(Put {
            body: self.body.clone(),
            content_md5: self.owned("content-md5"),
            checksum: self.checksum()?,
            only_new: self.header(header::IF_NONE_MATCH.as_str()) == Some("*"),
            if_match: self.owned(header::IF_MATCH.as_str()),
            headers: self.object_headers(),
        })
    }

    pub(super) fn copy_source(&self) -> Result<CopySource, S3Error> {
        let refuse = || {
            S3Error::new(
                400,
                "InvalidArgument",
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )
        };
        let source = self.header("x-amz-copy-source").ok_or_else(refuse)?;
        let (path, version) = source
            .split_once("?versionId=")
            .map_or((source, None), |(path, version)| (path, Some(version)));
        let path = uri::decode(path);
        let (bucket, key) = path.trim_start_matches('/').split_once('/').ok_or_else(refuse)?;
        Ok(CopySource {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.map(uri::decode),
        })
    }
}

/// Bucket and key: from the path, or with the bucket before `.localhost` or `.s3.` in the host.
fn address(head: &Parts) -> (String, String) {
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let path = head.uri.path().strip_prefix('/').unwrap_or_default();
    let virtual_bucket = host
        .strip_suffix(".localhost")
        .or_else(|| host.split_once(".s3.").map(|(bucket, _)| bucket))
        .filter(|bucket| !bucket.is_empty());
    if let Some(bucket) = virtual_bucket {
        return (bucket.to_owned(), uri::decode(path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (uri::decode(bucket), uri::decode(key))
}

fn operation(
    method: &Method,
    bucket: &str,
    key: &str,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> &'static str {
    let has = |name: &str| query.contains_key(name);
    if MISSING.iter().any(|name| has(name)) {
        return "NotImplemented";
    }
    let copies = headers.contains_key("x-amz-copy-source");
    match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("PUT", false, true) if has("versioning") => "PutBucketVersioning",
        ("PUT", false, true) => "CreateBucket",
        ("HEAD", false, true) => "HeadBucket",
        ("DELETE", false, true) => "DeleteBucket",
        ("POST", false, true) if has("delete") => "DeleteObjects",
        ("GET", false, true) if has("location") => "GetBucketLocation",
        ("GET", false, true) if has("versioning") => "GetBucketVersioning",
        ("GET", false, true) if has("versions") => "ListObjectVersions",
        ("GET", false, true) if has("uploads") => "NotImplemented",
        ("GET", false, true) if query.get("list-type").is_some_and(|kind| kind == "2") => "ListObjectsV2",
        ("GET", false, true) => "ListObjects",
        ("PUT", false, false) if has("uploadId") && copies => "NotImplemented",
        ("PUT", false, false) if has("uploadId") => "UploadPart",
        ("PUT", false, false) if copies => "CopyObject",
        ("PUT", false, false) => "PutObject",
        ("GET", false, false) if has("attributes") => "GetObjectAttributes",
        ("GET", false, false) if has("uploadId") => "ListParts",
        ("GET", false, false) => "GetObject",
        ("HEAD", false, false) => "HeadObject",
        ("DELETE", false, false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false, false) => "DeleteObject",
        ("POST", false, false) if has("uploads") => "CreateMultipartUpload",
        ("POST", false, false) if has("uploadId") => "CompleteMultipartUpload",
        _ => "NotImplemented",
    }
}
