//! One pass over the fleet, always from full state: observe, resolve, plan and, where there is a writer, execute.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::execute::{Execution, Executor};
use super::observe::Observer;
use super::resolve::resolve;
use crate::domain::{
    ChangeLimit, CommitId, DesiredState, FunctionGlob, FunctionKey, FunctionName, Mode, ObservedState, Target,
    TargetFailure, TargetName, Timestamp,
};
use crate::plan::{
    ArtifactFacts, FunctionReport, Hold, Observations, Plan, Policy, Report, State, StepReport, StepResult, Unmanaged,
    plan,
};
use crate::ports::{Artifacts, Clock, LambdaRead, LambdaWrite};
use crate::telemetry::{PassFinished, PassPhase, PhaseFinished, StepFinished, TargetFailed, Telemetry};

/// Functions changed side by side in one target.
const CHANGES_AT_ONCE: usize = 8;

/// Passes over the functions of which a guard refused a step, the first included.
const ROUNDS: usize = 3;

/// A target and the way to it.
pub struct TargetPorts<L, A> {
    /// The target.
    pub target: Target,
    /// Its Lambda.
    pub lambda: L,
    /// Its S3.
    pub artifacts: A,
}

/// What a pass may do.
#[derive(Debug, Clone, Default)]
pub struct PassPolicy {
    /// The configuration's mode.
    pub mode: Mode,
    /// How many functions a pass may change.
    pub change_limit: ChangeLimit,
    /// The commit whose pass may exceed the limit.
    pub acknowledged: Option<CommitId>,
    /// Functions that are left alone for a while.
    pub held: BTreeMap<FunctionKey, Hold>,
}

/// What a pass looks at.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only functions whose names match; `None` for all.
    pub functions: Option<FunctionGlob>,
}

impl Scope {
    fn includes(&self, name: &FunctionName) -> bool {
        self.functions.as_ref().is_none_or(|glob| glob.matches(name))
    }
}

/// Makes passes over some targets. Built with a reader it can plan; built with a writer it can also apply.
pub struct Engine<L, A, C> {
    targets: BTreeMap<TargetName, TargetPorts<L, A>>,
    clock: C,
    observer: Observer,
    telemetry: Telemetry,
}

/// What a pass has read.
struct Seen {
    observations: Observations,
    facts: ArtifactFacts,
    unmanaged: Vec<Unmanaged>,
    failed_targets: Vec<TargetFailure>,
}

impl<L, A, C: Clock> Engine<L, A, C> {
    /// Builds an engine for these targets.
    pub fn new(targets: Vec<TargetPorts<L, A>>, clock: C, telemetry: Telemetry) -> Self {
        let targets = targets
            .into_iter()
            .map(|ports| (ports.target.name.clone(), ports))
            .collect();
        Self {
            targets,
            clock,
            observer: Observer::default(),
            telemetry,
        }
    }

    /// Returns the clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// Returns the telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Returns the targets, for reading the desired state.
    pub fn targets(&self) -> Vec<Target> {
        self.targets.values().map(|ports| ports.target.clone()).collect()
    }

    fn targets_by_name(&self) -> BTreeMap<TargetName, Target> {
        self.targets
            .iter()
            .map(|(name, ports)| (name.clone(), ports.target.clone()))
            .collect()
    }

    fn policy(&self, policy: &PassPolicy) -> Policy {
        Policy {
            mode: policy.mode,
            now: self.clock.now(),
            change_limit: policy.change_limit,
            acknowledged: policy.acknowledged.clone(),
            held: policy.held.clone(),
        }
    }

    fn phase(&self, phase: PassPhase, since: Timestamp) {
        PhaseFinished {
            phase,
            duration: self.elapsed(since),
        }
        .emit(&self.telemetry);
    }

    fn elapsed(&self, since: Timestamp) -> Duration {
        (self.clock.now() - since).to_std().unwrap_or_default()
    }
}

impl<L: LambdaRead, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Plans a pass, and does nothing.
    pub async fn plan(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> Report {
        let started = self.clock.now();
        let desired = narrow(desired, scope);
        let (seen, plan) = self.look(&desired, scope, policy).await;
        let functions = Report::functions_of(plan, &desired, &seen.observations, &self.targets_by_name());
        self.finish(report(&desired, scope, seen, functions), started)
    }

    async fn look(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> (Seen, Plan) {
        let started = self.clock.now();
        self.observer
            .retain(|key| desired.functions.contains_key(key) || scope.functions.is_some());
        let seen = self.observe(desired, scope).await;
        self.phase(PassPhase::Read, started);
        let started = self.clock.now();
        let plan = plan(
            desired,
            &self.targets_by_name(),
            &seen.observations,
            &seen.facts,
            &self.policy(policy),
        );
        self.phase(PassPhase::Diff, started);
        (seen, plan)
    }

    async fn observe(&self, desired: &DesiredState, scope: &Scope) -> Seen {
        let unreadable: BTreeSet<_> = desired.failed_targets.iter().map(|failed| &failed.target).collect();
        let targets = self
            .targets
            .values()
            .filter(|ports| !unreadable.contains(&ports.target.name));
        let parts: Vec<Seen> =
            futures::future::join_all(targets.map(|ports| self.observe_target(ports, desired, scope))).await;
        let mut seen = Seen {
            observations: BTreeMap::new(),
            facts: BTreeMap::new(),
            unmanaged: Vec::new(),
            failed_targets: desired.failed_targets.clone(),
        };
        for part in parts {
            seen.observations.extend(part.observations);
            seen.facts.extend(part.facts);
            seen.unmanaged.extend(part.unmanaged);
            seen.failed_targets.extend(part.failed_targets);
        }
        for failure in &seen.failed_targets {
            TargetFailed { failure }.emit();
        }
        seen
    }

    async fn observe_target(&self, ports: &TargetPorts<L, A>, desired: &DesiredState, scope: &Scope) -> Seen {
        let target = &ports.target;
        let names: Vec<FunctionName> = desired
            .functions
            .keys()
            .filter(|key| key.target == target.name && target.allows(&key.name))
            .map(|key| key.name.clone())
            .collect();
        let read = self.observer.target(target, &ports.lambda, &names).await;
        let nothing_read = read
            .functions
            .values()
            .all(|state| matches!(state, ObservedState::Unreadable(_)));
        let mut failed_targets = Vec::new();
        let mut unmanaged = Vec::new();
        match read.listed {
            Ok(listed) => {
                let in_git = |name: &FunctionName| {
                    let key = FunctionKey {
                        target: target.name.clone(),
                        name: name.clone(),
                    };
                    desired.functions.contains_key(&key) || desired.faulty.contains_key(&key)
                };
                unmanaged.extend(
                    listed
                        .into_iter()
                        .filter(|name| scope.includes(name) && target.allows(name) && !in_git(name))
                        .map(|function| Unmanaged {
                            target: target.name.clone(),
                            function,
                        }),
                );
                unmanaged.sort();
            }
            // One refused call among answered ones leaves the list of unmanaged functions empty, no more.
            Err(error) if nothing_read => {
                failed_targets.push(TargetFailure {
                    target: target.name.clone(),
                    message: error.to_string(),
                });
            }
            Err(_) => {}
        }
        let observations: Observations = read
            .functions
            .into_iter()
            .map(|(name, state)| {
                (
                    FunctionKey {
                        target: target.name.clone(),
                        name,
                    },
                    state,
                )
            })
            .collect();
        let found: Vec<_> = observations
            .iter()
            .filter_map(|(key, state)| match state {
                ObservedState::Found(found) => Some((desired.functions.get(key)?, found.as_ref())),
                ObservedState::Missing | ObservedState::Unreadable(_) => None,
            })
            .collect();
        let mut facts = ArtifactFacts::new();
        resolve(&found, &ports.artifacts, &mut facts).await;
        Seen {
            observations,
            facts,
            unmanaged,
            failed_targets,
        }
    }

    fn finish(&self, report: Report, started: Timestamp) -> Report {
        PassFinished {
            report: &report,
            duration: self.elapsed(started),
        }
        .emit(&self.telemetry);
        report
    }
}

impl<L: LambdaWrite, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Makes a pass: plans, takes the steps, and looks again at what was changed.
    ///
    /// Where a guard refused a step, the function is looked at and planned anew, up to two times more. A `stop`
    /// ends the pass after the steps in hand.
    pub async fn apply(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        stop: &CancellationToken,
    ) -> Report {
        let started = self.clock.now();
        let desired = narrow(desired, scope);
        let (mut seen, plan) = self.look(&desired, scope, policy).await;
        let targets = self.targets_by_name();
        let mut done: BTreeMap<FunctionKey, Execution> = BTreeMap::new();
        let mut reports: BTreeMap<FunctionKey, FunctionReport> =
            Report::functions_of(plan.clone(), &desired, &seen.observations, &targets)
                .into_iter()
                .map(|function| (function.key.clone(), function))
                .collect();
        let mut todo = plan;
        todo.functions.retain(|_, function| !function.steps.is_empty());
        for round in 1..=ROUNDS {
            if todo.functions.is_empty() {
                break;
            }
            let applying = self.clock.now();
            let executed = self.execute(todo, desired.revision.as_ref(), stop).await;
            self.phase(PassPhase::Apply, applying);
            let verifying = self.clock.now();
            let keys: BTreeSet<FunctionKey> = executed.keys().cloned().collect();
            let again: BTreeSet<FunctionKey> = executed
                .iter()
                .filter(|(_, execution)| execution.again)
                .map(|(key, _)| key.clone())
                .collect();
            for key in &again {
                self.observer.forget(key);
            }
            for (key, execution) in executed {
                let total = done.entry(key).or_default();
                total.reports.extend(execution.reports);
                total.withheld = execution.withheld;
            }
            let replanned = self.look_again(&desired, &keys, policy, &mut seen).await;
            for function in Report::functions_of(replanned.clone(), &desired, &seen.observations, &targets) {
                reports.insert(function.key.clone(), function);
            }
            self.phase(PassPhase::Verify, verifying);
            todo = replanned;
            let last = round == ROUNDS || stop.is_cancelled();
            todo.functions
                .retain(|key, function| !last && again.contains(key) && !function.steps.is_empty());
        }
        for (key, execution) in done {
            if let Some(function) = reports.get_mut(&key) {
                account_for(function, execution);
            }
        }
        self.finish(report(&desired, scope, seen, reports.into_values().collect()), started)
    }

    /// Takes the steps of every function, several at a time.
    async fn execute(
        &self,
        plan: Plan,
        revision: Option<&CommitId>,
        stop: &CancellationToken,
    ) -> BTreeMap<FunctionKey, Execution> {
        futures::stream::iter(plan.functions)
            .map(|(key, function)| async move {
                let Some(ports) = self.targets.get(&key.target) else {
                    return (key, Execution::default());
                };
                let executor = Executor {
                    lambda: &ports.lambda,
                    clock: &self.clock,
                    observer: &self.observer,
                    key: &key,
                    stop,
                };
                let execution = executor
                    .run(function.steps, |report, duration| {
                        StepFinished {
                            key: &key,
                            revision,
                            report,
                            duration,
                        }
                        .emit();
                    })
                    .await;
                (key, execution)
            })
            .buffer_unordered(CHANGES_AT_ONCE)
            .collect()
            .await
    }

    /// Reads the changed functions again and plans them anew.
    async fn look_again(
        &self,
        desired: &DesiredState,
        keys: &BTreeSet<FunctionKey>,
        policy: &PassPolicy,
        seen: &mut Seen,
    ) -> Plan {
        let read: Vec<_> = futures::stream::iter(keys)
            .filter_map(|key| async move { self.targets.get(&key.target).map(|ports| (key, ports)) })
            .map(|(key, ports)| async move { (key.clone(), self.observer.function(key, &ports.lambda).await) })
            .buffer_unordered(CHANGES_AT_ONCE)
            .collect()
            .await;
        seen.observations.extend(read);
        let changed = DesiredState {
            revision: desired.revision.clone(),
            functions: desired
                .functions
                .iter()
                .filter(|(key, _)| keys.contains(key))
                .map(|(key, function)| (key.clone(), function.clone()))
                .collect(),
            ..DesiredState::default()
        };
        for ports in self.targets.values() {
            let found: Vec<_> = changed
                .functions
                .iter()
                .filter(|(key, _)| key.target == ports.target.name)
                .filter_map(|(key, function)| match seen.observations.get(key) {
                    Some(ObservedState::Found(found)) => Some((function, found.as_ref())),
                    Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => None,
                })
                .collect();
            resolve(&found, &ports.artifacts, &mut seen.facts).await;
        }
        let policy = self.policy(&PassPolicy {
            change_limit: ChangeLimit::Unlimited,
            ..policy.clone()
        });
        plan(
            &changed,
            &self.targets_by_name(),
            &seen.observations,
            &seen.facts,
            &policy,
        )
    }
}

/// Puts what was done into the report of a function that was looked at again since.
fn account_for(function: &mut FunctionReport, execution: Execution) {
    let failed = execution
        .reports
        .iter()
        .any(|step: &StepReport| step.result == StepResult::Failed);
    let settled = matches!(function.state, State::InSync | State::Progressing);
    if failed && !settled {
        function.state = State::Failed;
        function.withheld.extend(execution.withheld);
    }
    function.steps = execution.reports;
}

/// Leaves only what is looked at.
fn narrow(desired: &DesiredState, scope: &Scope) -> DesiredState {
    let mut desired = desired.clone();
    desired.functions.retain(|key, _| scope.includes(&key.name));
    desired.faulty.retain(|key, _| scope.includes(&key.name));
    desired
}

fn report(desired: &DesiredState, scope: &Scope, seen: Seen, functions: Vec<FunctionReport>) -> Report {
    Report {
        revision: desired.revision.clone(),
        functions,
        faults: desired.faults.clone(),
        unmanaged: seen.unmanaged,
        failed_targets: seen.failed_targets,
        files: desired.files,
        narrowed: scope.functions.is_some(),
    }
}
