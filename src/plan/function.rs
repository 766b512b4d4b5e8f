//! The plan for one function: guards first, each returning its reason, then the steps. Does not order them; see `order`.

use super::artifact::{ArtifactFacts, Verdicts};
use super::order::{self, Need};
use super::report::State;
use super::withheld::{Reason, Subject, Withheld};
use super::{FunctionPlan, Policy};
use crate::domain::{
    Closed, CommitId, DesiredFunction, FunctionKey, Mode, ObservedFunction, ObservedState, PackageKind, Suspension,
    UpdateStatus, rfc3339,
};
use crate::drift::{self, Drift};

/// What one function is planned under.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whether the target lets Git manage a function of this name.
    pub allowed: bool,
    /// The commit, for the descriptions of published versions.
    pub revision: Option<&'a CommitId>,
    /// The rules of the pass.
    pub policy: &'a Policy,
}

/// Plans one function.
pub(super) fn plan_function(
    key: &FunctionKey,
    desired: &DesiredFunction,
    observed: Option<&ObservedState>,
    facts: &ArtifactFacts,
    context: Context<'_>,
) -> FunctionPlan {
    if !context.allowed {
        let message = format!(
            "{} names {}, which no glob of target {} matches: add it to the target's `functions`, or remove the file",
            desired.file, key.name, key.target
        );
        return withheld_whole(Reason::NotAllowed, message);
    }
    match observed {
        Some(ObservedState::Found(found)) => plan_found(key, desired, found, facts, context),
        Some(ObservedState::Missing) => FunctionPlan {
            drift: vec![drift::missing(desired)],
            ..withheld_whole(
                Reason::FunctionMissing,
                format!(
                    "there is no function {} in target {}: create it, or remove {}",
                    key.name, key.target, desired.file
                ),
            )
        },
        Some(ObservedState::Unreadable(failure)) => FunctionPlan {
            state: State::Unreadable,
            ..withheld_whole(failure.kind.into(), failure.message.clone())
        },
        None => FunctionPlan {
            state: State::Unreadable,
            ..withheld_whole(Reason::Unreadable, "the function was not read in this pass".to_owned())
        },
    }
}

/// Returns the plan of a function of which nothing can be done.
pub(super) fn withheld_whole(reason: Reason, message: String) -> FunctionPlan {
    FunctionPlan {
        state: State::Withheld,
        drift: Vec::new(),
        steps: Vec::new(),
        withheld: vec![Withheld::new(Subject::Function, reason, message)],
    }
}

fn plan_found(
    key: &FunctionKey,
    desired: &DesiredFunction,
    observed: &ObservedFunction,
    facts: &ArtifactFacts,
    context: Context<'_>,
) -> FunctionPlan {
    let verdicts = Verdicts::of(desired, observed, facts);
    let drift = drift::compare(desired, observed, |alias| verdicts.sha256(alias));
    let drifts = drift.iter().any(Drift::is_ours);
    let guard = whole_function_guard(key, desired, observed, drifts, context);
    let needs = needs(&verdicts, observed);
    let order::Ordered { steps, mut withheld } = match observed.latest.package {
        PackageKind::Zip => order::order(
            &needs,
            observed,
            context.revision,
            &desired.code.version,
            &verdicts.code,
        ),
        // Nothing was looked up for it, and nothing can be done: the guard says why.
        PackageKind::ZipByReference | PackageKind::Image => order::Ordered::default(),
    };
    let Some((state, stop)) = guard else {
        let state = match (steps.is_empty(), withheld.is_empty()) {
            (false, _) => State::Drifted,
            (true, false) if withheld.iter().all(|one| one.reason == Reason::UpdateInProgress) => State::Progressing,
            (true, false) => State::Withheld,
            (true, true) => State::InSync,
        };
        return FunctionPlan {
            state,
            drift,
            steps,
            withheld,
        };
    };
    withheld.insert(0, stop);
    FunctionPlan {
        state,
        drift,
        steps: Vec::new(),
        withheld,
    }
}

/// Returns why nothing at all of this function may be written, and the state that this gives it.
fn whole_function_guard(
    key: &FunctionKey,
    desired: &DesiredFunction,
    observed: &ObservedFunction,
    drifts: bool,
    context: Context<'_>,
) -> Option<(State, Withheld)> {
    let stop = |state, reason, message| Some((state, Withheld::new(Subject::Function, reason, message)));
    let policy = context.policy;
    if let Some(suspension) = desired
        .suspend
        .as_ref()
        .filter(|suspension| suspension.holds_at(policy.now))
    {
        let withheld = Withheld::new(Subject::Function, Reason::Suspended, suspended(suspension));
        return Some((State::Suspended, withheld.until(suspension.until)));
    }
    match observed.latest.package {
        PackageKind::Zip => {}
        PackageKind::ZipByReference => {
            return stop(
                State::Withheld,
                Reason::UnsupportedPackage,
                "its code stays in S3 by reference (S3ObjectStorageMode REFERENCE), which an update by Pinfold would \
                 turn into a copy: remove the manifest, or have the function keep a copy"
                    .to_owned(),
            );
        }
        PackageKind::Image => {
            return stop(
                State::Withheld,
                Reason::UnsupportedPackage,
                "it runs a container image; Pinfold looks after zips: remove the manifest".to_owned(),
            );
        }
    }
    if observed.latest.update == UpdateStatus::InProgress {
        return stop(
            State::Progressing,
            Reason::UpdateInProgress,
            "an update of the function is in progress: it is looked at again when that is done".to_owned(),
        );
    }
    if desired.mode.stricter(policy.mode) == Mode::Observe {
        let who = match policy.mode {
            Mode::Observe => "the configuration",
            Mode::Reconcile => desired.file.as_str(),
        };
        let message = format!("{who} says `mode: observe`: drift is reported and not corrected");
        let withheld = Withheld::new(Subject::Function, Reason::ObserveOnly, message);
        return drifts.then_some((State::Drifted, withheld));
    }
    if !drifts {
        return None;
    }
    if let Some(closed) = policy.windows.closed(key, policy.now) {
        let withheld = Withheld::new(Subject::Function, Reason::OutsideWindow, outside_window(&closed));
        return Some((State::Withheld, withheld.until(closed.until)));
    }
    let hold = policy.held.get(key)?;
    let withheld = Withheld::new(Subject::Function, hold.reason, hold.message.clone());
    Some((State::Withheld, withheld.until(Some(hold.until))))
}

fn outside_window(closed: &Closed) -> String {
    let why = match &closed.denied_by {
        Some(window) => format!("the deploy window {window} holds"),
        None => "no deploy window allows a change now".to_owned(),
    };
    match closed.until {
        Some(until) => format!("{why}: it is done after {}", rfc3339(&until)),
        None => format!(
            "{why}, and no time was found within a year at which one will: look at `windows` in the configuration"
        ),
    }
}

fn suspended(suspension: &Suspension) -> String {
    match suspension.until {
        Some(until) => format!("suspended until {}: {}", rfc3339(&until), suspension.reason),
        None => format!("suspended until its manifest says otherwise: {}", suspension.reason),
    }
}

/// Returns what each alias needs, or why it must be left as it is.
fn needs<'a>(verdicts: &'a Verdicts<'a>, observed: &'a ObservedFunction) -> Vec<Need<'a>> {
    verdicts
        .aliases
        .iter()
        .map(|(alias, artifact, verdict)| {
            let found = observed.aliases.get(*alias);
            let satisfied = verdict.movable().is_ok_and(|wanted| {
                found.is_some_and(|found| found.routing.is_empty() && observed.kept_version(found, wanted).is_some())
            });
            Need {
                alias,
                artifact,
                found,
                verdict,
                satisfied,
            }
        })
        .collect()
}
