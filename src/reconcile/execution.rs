//! What taking the steps of a function comes to, as a whole and step by step. Takes none.

use crate::domain::Version;
use crate::plan::{Reason, Step, StepReport, StepResult, Subject, Withheld};
use crate::ports::{PortError, PortErrorKind};

/// What taking a function's steps came to.
#[derive(Default)]
pub(super) struct Execution {
    pub(super) reports: Vec<StepReport>,
    /// Whether the world moved, or may have, so that looking again at once is worth it.
    pub(super) again: bool,
    /// Work that cannot be done, and why, where the reason has a word.
    pub(super) withheld: Vec<Withheld>,
}

impl Execution {
    /// Takes what taking further steps of the same function came to.
    pub(super) fn append(&mut self, later: Self) {
        self.reports.extend(later.reports);
        self.again |= later.again;
        self.withheld.extend(later.withheld);
    }

    /// Tells of a panic: the step in hand failed, whatever it came to, and what was planned behind it is left out.
    pub(super) fn panicked(planned: Vec<Step>, taken: Vec<StepReport>, message: String) -> Self {
        let mut reports = taken;
        for step in planned.into_iter().skip(reports.len()) {
            let mut report = StepReport::planned(step);
            let first = reports
                .iter()
                .all(|before: &StepReport| before.result != StepResult::Failed);
            (report.result, report.message) = if first {
                (StepResult::Failed, Some(message.clone()))
            } else {
                (StepResult::Skipped, Some("the step before it was not done".to_owned()))
            };
            reports.push(report);
        }
        Self {
            reports,
            again: false,
            withheld: vec![Withheld::new(Subject::Function, Reason::InternalError, message)],
        }
    }
}

/// What one step came to.
pub(super) enum Outcome {
    /// It took effect.
    Done {
        version: Option<Version>,
        message: Option<String>,
    },
    /// Nothing was written, because the world is not as the plan saw it.
    Refused(String),
    /// Nothing was written, because the pass is to end.
    Ended,
    /// It did not take effect, or that is not known.
    Failed {
        message: String,
        reason: Option<Reason>,
        again: bool,
    },
}

impl Outcome {
    pub(super) fn done(version: Option<Version>) -> Self {
        Self::Done { version, message: None }
    }

    pub(super) fn failed(message: String) -> Self {
        Self::Failed {
            message,
            reason: None,
            again: false,
        }
    }

    /// Sorts the failure of a call into what it means for the step.
    pub(super) fn of(error: &PortError) -> Self {
        let message = error.to_string();
        let failed = |reason, again| Self::Failed {
            message: message.clone(),
            reason,
            again,
        };
        match error.kind {
            PortErrorKind::Conflict | PortErrorKind::Precondition | PortErrorKind::NotFound => Self::Refused(message),
            PortErrorKind::AccessDenied => failed(Some(Reason::AccessDenied), false),
            PortErrorKind::CodeStorageExceeded => failed(Some(Reason::CodeStorageExceeded), false),
            PortErrorKind::Unknown => failed(None, true),
            PortErrorKind::Throttled
            | PortErrorKind::Credentials
            | PortErrorKind::Invalid
            | PortErrorKind::Unreachable
            | PortErrorKind::TooLarge
            | PortErrorKind::Unverified
            | PortErrorKind::Malformed => failed(None, false),
        }
    }
}
