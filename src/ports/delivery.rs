//! Why a notification did not reach its receiver, and whether it may be sent again.

use std::time::Duration;

use thiserror::Error;

/// Why a notification did not reach its receiver. One line, without the receiver's address: that is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DeliveryError {
    message: String,
    /// Whether the same notification may get through later.
    pub retry: Retry,
}

/// Whether a notification may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The receiver would refuse it again.
    Never,
    /// It may get through later.
    Later,
    /// The receiver said when.
    After(Duration),
}

impl DeliveryError {
    /// Builds an error.
    pub fn new(retry: Retry, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retry,
        }
    }
}
