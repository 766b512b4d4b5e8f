//! Decides: desired, observed and artifact facts in, steps and withheld work out. Pure; nothing is left to choose later.
//!
//! The plan is one value. `plan` prints it, `apply` and `run` execute that very value.

mod artifact;
mod diff;
mod exit;
mod function;
mod json;
mod order;
mod progress;
mod report;
mod step;
mod text;
mod weights;
mod withheld;

use std::collections::BTreeMap;

pub use artifact::{ArtifactFacts, FactsByTarget, lookups};
pub use exit::Verdict;
pub use function::Context;
pub use json::SCHEMA_VERSION;
pub use json::fault as fault_json;
pub use progress::Progress;
pub use report::{FunctionReport, Live, Report, Serving, State, StepReport, StepResult, Summary, Unmanaged};
pub use step::{LatestGuard, Reach, Step, VersionRef};
pub use text::{counted, faults_text};
pub use weights::allocations_to_ask;
pub use withheld::{Reason, Subject, Withheld};

use crate::domain::{
    ChangeLimit, CommitId, DeployWindows, DesiredState, FaultReason, FunctionKey, Mode, ObservedState, Target,
    TargetName, Timestamp,
};
use crate::drift::Drift;

/// What every function is planned under.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The configuration's mode: `Observe` is not lifted by anything in Git.
    pub mode: Mode,
    /// The present time, against which suspensions end.
    pub now: Timestamp,
    /// How many functions a pass may change.
    pub change_limit: ChangeLimit,
    /// The commit whose pass may exceed the limit, because somebody said so.
    pub acknowledged: Option<CommitId>,
    /// When functions may be changed.
    pub windows: DeployWindows,
    /// Functions that are left alone for a while after a failure.
    pub held: BTreeMap<FunctionKey, Hold>,
}

/// A function is left alone until its next try is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: Reason,
    /// The same in one line, with when the next try is due.
    pub message: String,
    /// When the next try is due.
    pub until: Timestamp,
}

/// What one pass found out about the functions that Git names.
pub type Observations = BTreeMap<FunctionKey, ObservedState>;

/// The plan for one function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionPlan {
    /// Where it stands.
    pub state: State,
    /// How it differs from what Git says.
    pub drift: Vec<Drift>,
    /// What will be done, in order.
    pub steps: Vec<Step>,
    /// What will not be done, and why.
    pub withheld: Vec<Withheld>,
}

impl FunctionPlan {
    /// Returns the plan of a function at which Pinfold itself failed.
    pub fn failed(message: String) -> Self {
        Self {
            state: State::Failed,
            ..function::withheld_whole(Reason::InternalError, message)
        }
    }
}

/// The plan of a pass: an entry for every function that Git names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The functions.
    pub functions: BTreeMap<FunctionKey, FunctionPlan>,
}

/// Plans a pass.
///
/// `observations` must have an entry for every function of `desired` that its target allows; a function without
/// one is reported as unreadable, never as missing.
pub fn plan(
    desired: &DesiredState,
    targets: &BTreeMap<TargetName, Target>,
    observations: &Observations,
    facts: &FactsByTarget,
    policy: &Policy,
) -> Plan {
    let nothing = ArtifactFacts::new();
    let mut functions = BTreeMap::new();
    for (key, function) in &desired.functions {
        let facts = facts.get(&key.target).unwrap_or(&nothing);
        let context = Context {
            allowed: allowed(targets, key),
            revision: desired.revision.as_ref(),
            policy,
        };
        functions.insert(
            key.clone(),
            function::plan_function(key, function, observations.get(key), facts, context),
        );
    }
    for (key, faulty) in &desired.faulty {
        let reason = match faulty.reason {
            FaultReason::InvalidManifest => Reason::InvalidManifest,
            FaultReason::Conflict => Reason::Conflict,
        };
        functions.insert(key.clone(), function::withheld_whole(reason, faulty.message.clone()));
    }
    let mut plan = Plan { functions };
    withhold_shared(&mut plan, observations);
    limit_changes(&mut plan, desired, policy);
    plan
}

fn allowed(targets: &BTreeMap<TargetName, Target>, key: &FunctionKey) -> bool {
    targets.get(&key.target).is_some_and(|target| target.allows(&key.name))
}

/// Withholds a function that several targets reach: what they say of it would be done and undone in turn.
///
/// Targets of one account and Region, or two roles of one account, see the same function under one name. Its
/// RevisionId, which is unique, gives that away, whatever the configuration says of accounts.
fn withhold_shared(plan: &mut Plan, observations: &Observations) {
    let targets = |key: Option<(&FunctionKey, _)>| key.map(|(key, _)| key.target.clone());
    // In order of target: where the first and the last are of one, all are.
    if targets(observations.first_key_value()) == targets(observations.last_key_value()) {
        return;
    }
    let mut claims: BTreeMap<_, Vec<&FunctionKey>> = BTreeMap::new();
    for (key, state) in observations {
        if let (ObservedState::Found(found), true) = (state, plan.functions.contains_key(key)) {
            let identity = (&key.name, &found.account, &found.latest.revision);
            claims.entry(identity).or_default().push(key);
        }
    }
    for keys in claims.values().filter(|keys| keys.len() > 1) {
        let targets: Vec<&str> = keys.iter().map(|key| key.target.as_str()).collect();
        for key in keys {
            let Some(function) = plan.functions.get_mut(*key) else {
                continue;
            };
            function.steps.clear();
            function.state = State::Withheld;
            let message = format!(
                "the targets {} reach one and the same function: let the `functions` of one alone match it",
                targets.join(" and ")
            );
            function.withheld = vec![Withheld::new(Subject::Function, Reason::Conflict, message)];
        }
    }
}

/// Withholds every change of a pass that would change too much at once: a wrong branch, a lost folder or a bad
/// script looks like that, and so does a great release, which somebody can acknowledge.
fn limit_changes(plan: &mut Plan, desired: &DesiredState, policy: &Policy) {
    let total = plan.functions.len();
    let changed = plan
        .functions
        .values()
        .filter(|function| !function.steps.is_empty())
        .count();
    let acknowledged = policy.acknowledged.is_some() && policy.acknowledged == desired.revision;
    if acknowledged || !policy.change_limit.exceeded(changed, total) {
        return;
    }
    let how = match &desired.revision {
        Some(revision) => format!("acknowledge it with `pinfold apply --acknowledge {revision}`"),
        None => "raise limits.maxChangedFunctions for it".to_owned(),
    };
    let message = format!(
        "the pass would change {changed} of {total} functions, more than limits.maxChangedFunctions ({}) allows: {how}",
        policy.change_limit
    );
    for function in plan
        .functions
        .values_mut()
        .filter(|function| !function.steps.is_empty())
    {
        function.steps.clear();
        function.state = State::Withheld;
        function.withheld.push(Withheld::new(
            Subject::Function,
            Reason::TooManyChanges,
            message.clone(),
        ));
    }
}

#[cfg(test)]
mod tests;
