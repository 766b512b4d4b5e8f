//! The one error that crosses from an adapter into the core. Its kinds are closed: the core decides by kind, never by text.

use thiserror::Error;

use crate::domain::one_line;

/// A call to the outside world that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operation}: {message}")]
pub struct PortError {
    /// The class, by which the caller decides.
    pub kind: PortErrorKind,
    /// What was called, and on what: `GetFunction checkout-api`, `fetch https://host/repo.git`. Never a secret.
    pub operation: String,
    /// What came back, in one line. Never a secret.
    pub message: String,
}

/// The class of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortErrorKind {
    /// The thing does not exist (404).
    NotFound,
    /// It exists already, or another operation is going on (409): look again.
    Conflict,
    /// A guard no longer holds (412, or the hash guard of PublishVersion): look again.
    Precondition,
    /// The quota is used up (429). Nothing was done.
    Throttled,
    /// The credentials may not do this (403).
    AccessDenied,
    /// There are no usable credentials: none found, expired, or of another account.
    Credentials,
    /// The region's code storage is full.
    CodeStorageExceeded,
    /// The call is wrong for this function or artifact (400): repeating it changes nothing.
    Invalid,
    /// Nobody answered at the address: nothing was done.
    Unreachable,
    /// The call may have been carried out or not: the reply was lost, late, or a 5xx.
    Unknown,
    /// A bound of ours was exceeded.
    TooLarge,
    /// A commit is not signed by anybody who may: it must not be acted on.
    Unverified,
    /// What came back makes no sense: a corrupt repository, an answer without the fields it must have.
    Malformed,
}

impl PortError {
    /// Builds an error. What others wrote is brought into one line.
    pub fn new(kind: PortErrorKind, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            operation: one_line(&operation.into()),
            message: one_line(&message.into()),
        }
    }
}
