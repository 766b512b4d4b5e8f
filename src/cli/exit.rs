//! Exit codes, and failures that end a command. Programs rely on the numbers; they never change their meaning.

use std::process::ExitCode;

use crate::plan::Verdict;
use crate::ports::PortError;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything is as it should be.
    Ok,
    /// Something differs, is withheld or has a fault.
    Differs,
    /// The command could not do its work.
    Error,
    /// The call was wrong (EX_USAGE of sysexits.h).
    Usage,
}

impl Exit {
    /// Returns how a pass ends a command.
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::InSync => Self::Ok,
            Verdict::Differs => Self::Differs,
            Verdict::Incomplete => Self::Error,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Differs => 1,
            Self::Error => 2,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that could not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) error: anyhow::Error,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            error: anyhow::Error::msg(message.into()),
        }
    }

    pub(super) fn error(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Error,
            error: anyhow::Error::msg(message.into()),
        }
    }

    /// Returns the error and its causes in one line.
    pub(super) fn message(&self) -> String {
        format!("{:#}", self.error)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Error,
            error: error.into(),
        }
    }
}

/// Says which part of the world did not answer.
pub(super) fn source_failure(error: &PortError) -> Failure {
    Failure::error(format!("the desired state cannot be read: {error}"))
}
