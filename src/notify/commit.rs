//! How a commit stands in a target, as forges show it beside the commit. Sends nothing.

use super::event::one_line;
use crate::domain::{CommitId, Fault, Target, TargetName};
use crate::plan::{FunctionReport, Report, State};

/// Longest description that GitHub takes, in characters; GitLab takes 255.
const LONGEST: usize = 140;

/// How a commit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitState {
    /// It is being brought about, or drift is only observed.
    Pending,
    /// All of the target's functions run it.
    Success,
    /// Something cannot be brought to it without somebody's help.
    Failure,
}

/// How a commit stands in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub revision: CommitId,
    /// The target.
    pub target: TargetName,
    /// How it stands.
    pub state: CommitState,
    /// The same in one line of at most 140 characters.
    pub description: String,
}

impl CommitStatus {
    /// Returns the name under which forges file it: one for each target, so that two daemons on one repository do not
    /// overwrite each other's.
    pub fn context(&self) -> String {
        format!("pinfold/{}", self.target)
    }

    /// Returns whether nobody need see this one any more where there is another: both are of one target beside one commit.
    pub fn gives_way_to(&self, other: &Self) -> bool {
        (&self.target, &self.revision) == (&other.target, &other.revision)
    }
}

/// Returns the statuses of a commit that was only just seen.
pub fn pending(revision: &CommitId, targets: &[Target]) -> Vec<CommitStatus> {
    targets
        .iter()
        .map(|target| CommitStatus {
            revision: revision.clone(),
            target: target.name.clone(),
            state: CommitState::Pending,
            description: "Pinfold has seen this commit".to_owned(),
        })
        .collect()
}

/// Returns how the commit of a report stands in each target; nothing where the report is of no commit.
pub fn commit_statuses(report: &Report, targets: &[Target]) -> Vec<CommitStatus> {
    let Some(revision) = &report.revision else {
        return Vec::new();
    };
    targets
        .iter()
        .map(|target| {
            let (state, description) = judge(report, target);
            CommitStatus {
                revision: revision.clone(),
                target: target.name.clone(),
                state,
                description: one_line(&description, LONGEST),
            }
        })
        .collect()
}

fn judge(report: &Report, target: &Target) -> (CommitState, String) {
    if let Some(failed) = report.failed_targets.iter().find(|failed| failed.target == target.name) {
        return (
            CommitState::Failure,
            format!("the target could not be read: {}", failed.message),
        );
    }
    let functions: Vec<&FunctionReport> = report
        .functions
        .iter()
        .filter(|function| function.key.target == target.name)
        .collect();
    let of = |states: &[State]| functions.iter().filter(|one| states.contains(&one.state)).count();
    let faulty = report.faults.iter().filter(|fault| is_below(fault, target)).count();
    let (stuck, coming) = (
        of(&[State::Withheld, State::Unreadable, State::Failed]),
        of(&[State::Drifted, State::Progressing]),
    );
    let total = functions.len();
    if stuck > 0 {
        let first = functions
            .iter()
            .find(|one| matches!(one.state, State::Withheld | State::Unreadable | State::Failed));
        let why = first.map(|one| {
            let reason = one
                .withheld
                .first()
                .map_or("failed", |withheld| withheld.reason.as_str());
            format!("{} ({reason})", one.key.name)
        });
        let why = why.unwrap_or_default();
        return (
            CommitState::Failure,
            format!("{stuck} of {total} functions wait for somebody, the first is {why}"),
        );
    }
    if faulty > 0 {
        return (
            CommitState::Failure,
            format!("{faulty} faults in the files below {}", below(target)),
        );
    }
    if coming > 0 {
        return (CommitState::Pending, format!("{coming} of {total} functions differ"));
    }
    let suspended = of(&[State::Suspended]);
    let text = match suspended {
        0 => format!("all {total} functions run what Git says"),
        some => format!(
            "{} of {total} functions run what Git says, {some} are suspended",
            total - some
        ),
    };
    (CommitState::Success, text)
}

fn below(target: &Target) -> &str {
    if target.path.is_empty() { "." } else { &target.path }
}

fn is_below(fault: &Fault, target: &Target) -> bool {
    target.path.is_empty()
        || fault
            .file
            .strip_prefix(&target.path)
            .is_some_and(|rest| rest.starts_with('/'))
}
