//! Writing and reading the small XML documents of S3 and STS.

use std::fmt::Write as _;

use serde::Deserialize;

/// An XML document in the making.
#[derive(Debug)]
pub(super) struct Xml {
    text: String,
}

impl Xml {
    pub(super) fn new(root: &str, namespace: &str) -> Self {
        Self {
            text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">"),
        }
    }

    /// Without a namespace, as S3 writes its errors.
    pub(super) fn plain(root: &str) -> Self {
        Self {
            text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>"),
        }
    }

    pub(super) fn open(&mut self, name: &str) {
        let _ = write!(self.text, "<{name}>");
    }

    pub(super) fn close(&mut self, name: &str) {
        let _ = write!(self.text, "</{name}>");
    }

    pub(super) fn leaf(&mut self, name: &str, value: &str) {
        let _ = write!(self.text, "<{name}>{}</{name}>", quick_xml::escape::escape(value));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(&quick_xml::escape::escape(text));
    }

    pub(super) fn finish(mut self, root: &str) -> String {
        self.close(root);
        self.text
    }
}

/// The body of `CreateBucket`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CreateBucketConfiguration {
    #[serde(rename = "LocationConstraint")]
    pub(super) location: Option<String>,
}

/// The body of `PutBucketVersioning`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct VersioningConfiguration {
    #[serde(rename = "Status", default)]
    pub(super) status: String,
}

/// The body of `DeleteObjects`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Delete {
    #[serde(rename = "Object", default)]
    pub(super) objects: Vec<Identifier>,
    #[serde(rename = "Quiet", default)]
    pub(super) quiet: bool,
}

/// One object of `DeleteObjects`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Identifier {
    #[serde(rename = "Key")]
    pub(super) key: String,
    #[serde(rename = "VersionId")]
    pub(super) version: Option<String>,
}

/// The body of `CompleteMultipartUpload`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    pub(super) parts: Vec<CompletePart>,
}

/// One part of `CompleteMultipartUpload`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CompletePart {
    #[serde(rename = "PartNumber")]
    pub(super) number: u32,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

/// Reads a document; an empty body is the type's default.
pub(super) fn read<'a, T: Deserialize<'a> + Default>(body: &'a str) -> Result<T, quick_xml::DeError> {
    if body.trim().is_empty() {
        Ok(T::default())
    } else {
        quick_xml::de::from_str(body)
    }
}
