//! The errors of S3 as its clients see them. It decides nothing about when they occur.

/// A refusal by S3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    /// The HTTP status.
    pub status: u16,
    /// The code, such as `NoSuchKey`.
    pub code: &'static str,
    /// The text that AWS would give.
    pub message: String,
    /// Response headers beyond the usual ones.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl S3Error {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub(crate) fn no_such_bucket() -> Self {
        Self::new(404, "NoSuchBucket", "The specified bucket does not exist")
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.")
    }

    /// S3 tells a version id that it never gave out from one that is not a version id at all.
    pub(crate) fn no_such_version(version: &str) -> Self {
        let well_formed = version.len() == 32
            && version
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
        if well_formed || version == "null" {
            Self::new(404, "NoSuchVersion", "The specified version does not exist.")
        } else {
            Self::new(400, "InvalidArgument", "Invalid version id specified")
        }
    }

    pub(crate) fn no_such_upload() -> Self {
        Self::new(
            404,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted \
             or completed.",
        )
    }

    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequest", message)
    }

    pub(crate) fn precondition_failed() -> Self {
        Self::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    }
}
