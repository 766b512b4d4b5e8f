//! What it means that something could not be read, and how that is told. Reads nothing.

use std::collections::BTreeMap;

use crate::domain::{FunctionName, ObservedState, ReadFailure, ReadFailureKind, TargetName};
use crate::ports::{PortError, PortErrorKind};
use crate::telemetry::{FunctionsUnreadable, Telemetry};

/// Returns whether nothing else would be answered either: asking on would only multiply the failure.
pub(super) fn is_out_of_reach(error: &PortError) -> bool {
    matches!(error.kind, PortErrorKind::Unreachable | PortErrorKind::Credentials)
}

/// Tells which functions of a target could not be read: once for each kind of failure, however many there are.
pub(super) fn tell_unreadable<'a>(
    target: &TargetName,
    functions: impl Iterator<Item = (&'a FunctionName, &'a ObservedState)>,
    telemetry: &Telemetry,
) {
    let mut kinds: BTreeMap<ReadFailureKind, (usize, &FunctionName, &str)> = BTreeMap::new();
    for (name, state) in functions {
        if let ObservedState::Unreadable(failure) = state {
            let (count, _, _) = kinds.entry(failure.kind).or_insert((0, name, &failure.message));
            *count += 1;
        }
    }
    for (count, function, error) in kinds.into_values() {
        FunctionsUnreadable {
            target,
            count,
            function,
            error,
        }
        .emit(telemetry);
    }
}

/// Says that Pinfold itself failed at reading.
pub(super) fn internal(message: String) -> ReadFailure {
    ReadFailure {
        kind: ReadFailureKind::Internal,
        message,
    }
}

/// Says what the failure of a call means for what was to be read.
pub(super) fn read_failure(error: &PortError) -> ReadFailure {
    let kind = match error.kind {
        PortErrorKind::AccessDenied => ReadFailureKind::AccessDenied,
        PortErrorKind::NotFound
        | PortErrorKind::Conflict
        | PortErrorKind::Precondition
        | PortErrorKind::Throttled
        | PortErrorKind::Credentials
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Unreachable
        | PortErrorKind::Unknown
        | PortErrorKind::TooLarge
        | PortErrorKind::Unverified
        | PortErrorKind::Malformed => ReadFailureKind::Other,
    };
    ReadFailure {
        kind,
        message: error.to_string(),
    }
}
