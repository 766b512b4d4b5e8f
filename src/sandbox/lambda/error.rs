//! The errors of Lambda as its clients see them: status, type and body. It decides nothing about when they occur.

use serde_json::{Value, json};

/// A refusal by Lambda.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", kind.code())]
pub struct LambdaError {
    /// Which error it is.
    pub kind: ErrorKind,
    /// The text that AWS would give.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after the AWS error that it stands for")]
pub enum ErrorKind {
    AccessDenied,
    CodeStorageExceeded,
    InvalidParameterValue,
    PreconditionFailed,
    ProvisionedConcurrencyConfigNotFound,
    RequestTooLarge,
    ResourceConflict,
    ResourceNotFound,
    Serialization,
    TooManyRequests,
    UnknownOperation,
    Validation,
}

impl ErrorKind {
    /// The type as the header `x-amzn-errortype` gives it: the bare code and nothing more.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::CodeStorageExceeded => "CodeStorageExceededException",
            Self::InvalidParameterValue => "InvalidParameterValueException",
            Self::PreconditionFailed => "PreconditionFailedException",
            Self::ProvisionedConcurrencyConfigNotFound => "ProvisionedConcurrencyConfigNotFoundException",
            Self::RequestTooLarge => "RequestTooLargeException",
            Self::ResourceConflict => "ResourceConflictException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Serialization => "SerializationException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::Validation => "ValidationException",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::AccessDenied => 403,
            Self::CodeStorageExceeded | Self::InvalidParameterValue | Self::Serialization | Self::Validation => 400,
            Self::PreconditionFailed => 412,
            Self::ProvisionedConcurrencyConfigNotFound | Self::ResourceNotFound | Self::UnknownOperation => 404,
            Self::RequestTooLarge => 413,
            Self::ResourceConflict => 409,
            Self::TooManyRequests => 429,
        }
    }
}

impl LambdaError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidParameterValue, message)
    }

    pub(crate) fn not_found(arn: &str) -> Self {
        Self::new(ErrorKind::ResourceNotFound, format!("Function not found: {arn}"))
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ResourceConflict, message)
    }

    pub(crate) fn stale_revision() -> Self {
        Self::new(
            ErrorKind::PreconditionFailed,
            "The Revision Id provided does not match the latest Revision Id. \
             Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        )
    }

    /// A `ValidationException` in the words of AWS's request validator.
    pub(crate) fn validation(value: &str, member: &str, constraint: &str) -> Self {
        Self::new(
            ErrorKind::Validation,
            format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
                 Member must {constraint}"
            ),
        )
    }
}

/// The body of an error reply. `ResourceNotFoundException` spells its text `Message` and all others `message`;
/// the request validator's `ValidationException` is the one that has no `Type`.
pub(crate) fn error_body(code: &str, status: u16, message: &str) -> Value {
    match code {
        "ResourceNotFoundException" => json!({ "Type": "User", "Message": message }),
        "ValidationException" | "UnknownOperationException" | "SerializationException" => {
            json!({ "message": message })
        }
        "AccessDeniedException" => json!({ "Message": message }),
        "TooManyRequestsException" => {
            json!({ "Type": "User", "Reason": "CallerRateLimitExceeded", "message": message })
        }
        _ if status >= 500 => json!({ "Type": "Service", "Message": message }),
        _ => json!({ "Type": "User", "message": message }),
    }
}
