//! The writing half of a pass: executes the plan and looks again at what was changed. Plans nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::execute::{Execution, Executor};
use super::observe::tell_unreadable;
use super::pass::{Engine, PassPolicy, Scope, Seen, narrow};
use super::resolve::resolve;
use crate::domain::{ChangeLimit, CommitId, DesiredState, FunctionKey, ObservedState};
use crate::plan::{FunctionReport, Plan, Report, State, StepResult, plan};
use crate::ports::{Artifacts, Clock, LambdaWrite};
use crate::telemetry::{PassPhase, StepFinished};

/// Functions changed side by side. What holds them back is the rate limiter; this bounds what is in hand when
/// Pinfold is to stop.
const CHANGES_AT_ONCE: usize = 8;

/// Passes over the functions of which a guard refused a step, the first included.
const ROUNDS: usize = 3;

impl<L: LambdaWrite, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Makes a pass: plans, takes the steps, and looks again at what was changed.
    ///
    /// Where a guard refused a step, the function is looked at and planned anew, up to two times more. A `stop`
    /// ends the pass after the steps in hand, and the report then says of the functions how they stood before them;
    /// where it comes before any step, there is no report.
    pub async fn apply(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        stop: &CancellationToken,
    ) -> Option<Report> {
        let started = self.clock.now();
        let desired = narrow(desired, scope);
        // Nothing is written while the pass only looks, so there it can end at any moment.
        let (mut seen, plan) = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            looked = self.look(&desired, scope, policy) => looked,
        };
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
            if stop.is_cancelled() {
                // Reading all of them again could take minutes; whoever asked for the end has seconds to give.
                break;
            }
            let replanned = self.look_again(&desired, &keys, policy, &mut seen).await;
            for function in Report::functions_of(replanned.clone(), &desired, &seen.observations, &targets) {
                reports.insert(function.key.clone(), function);
            }
            self.phase(PassPhase::Verify, verifying);
            todo = replanned;
            todo.functions
                .retain(|key, function| round < ROUNDS && again.contains(key) && !function.steps.is_empty());
        }
        for (key, execution) in done {
            if let Some(function) = reports.get_mut(&key) {
                account_for(function, execution);
            }
        }
        Some(self.finish(&desired, scope, seen, reports.into_values().collect(), started))
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
        for target in self.targets.keys() {
            let of_target = read.iter().filter(|(key, _)| key.target == *target);
            tell_unreadable(target, of_target.map(|(key, state)| (&key.name, state)));
        }
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
            let facts = seen.facts.entry(ports.target.name.clone()).or_default();
            resolve(&found, &ports.artifacts, facts).await;
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
    let failed = execution.reports.iter().any(|step| step.result == StepResult::Failed);
    let settled = matches!(function.state, State::InSync | State::Progressing);
    if failed && !settled {
        function.state = State::Failed;
        function.withheld.extend(execution.withheld);
    }
    function.steps = execution.reports;
}
