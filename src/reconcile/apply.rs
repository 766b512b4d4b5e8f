//! The writing half of a pass: executes the plan and looks again at what was changed. Plans nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::execute::{Execution, Executor};
use super::observe::tell_unreadable;
use super::pass::{Engine, PassPolicy, Scope, Seen, narrow};
use super::resolve::resolve;
use crate::domain::{ChangeLimit, CommitId, DesiredState, FunctionKey};
use crate::plan::{FunctionReport, Plan, Report, State, Step, StepResult};
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
    /// ends the pass after the steps in hand: waits are cut short, functions that were not begun are not begun, and the
    /// report says of the functions how they stood before. Where it comes before any step, there is no report.
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
        let mut todo = steps_of(&plan, |_| true);
        let mut done: BTreeMap<FunctionKey, Execution> = BTreeMap::new();
        let mut reports: BTreeMap<FunctionKey, FunctionReport> =
            Report::functions_of(plan, &desired, &seen.observations, &targets)
                .into_iter()
                .map(|function| (function.key.clone(), function))
                .collect();
        for round in 1..=ROUNDS {
            if todo.is_empty() {
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
            // Reading all of them again could take minutes; whoever asked for the end has seconds to give.
            let replanned = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                replanned = self.look_again(&desired, &keys, policy, &mut seen) => replanned,
            };
            todo = steps_of(&replanned, |key| round < ROUNDS && again.contains(key));
            for function in Report::functions_of(replanned, &desired, &seen.observations, &targets) {
                reports.insert(function.key.clone(), function);
            }
            self.phase(PassPhase::Verify, verifying);
        }
        for (key, execution) in done {
            if let Some(function) = reports.get_mut(&key) {
                account_for(function, execution);
            }
        }
        let functions = reports.into_values().collect();
        Some(self.finish(&desired, scope, seen, functions, started, stop.is_cancelled()))
    }

    /// Takes the steps of every function, several at a time.
    async fn execute(
        &self,
        todo: BTreeMap<FunctionKey, Vec<Step>>,
        revision: Option<&CommitId>,
        stop: &CancellationToken,
    ) -> BTreeMap<FunctionKey, Execution> {
        futures::stream::iter(todo)
            .map(|(key, steps)| async move {
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
                    .run(steps, |report, duration| {
                        StepFinished {
                            key: &key,
                            revision,
                            report,
                            duration,
                        }
                        .emit();
                        self.steps.send_if_modified(|steps| {
                            *steps += u64::from(report.was_taken());
                            report.was_taken()
                        });
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
            let target = &ports.target.name;
            let facts = seen.facts.entry(target.clone()).or_default();
            resolve(target, &changed, &seen.observations, &ports.artifacts, facts).await;
        }
        let policy = PassPolicy {
            change_limit: ChangeLimit::Unlimited,
            ..policy.clone()
        };
        self.decide(&changed, seen, &policy)
    }
}

/// Returns the steps of the functions that have some and are wanted.
fn steps_of(plan: &Plan, wanted: impl Fn(&FunctionKey) -> bool) -> BTreeMap<FunctionKey, Vec<Step>> {
    let functions = plan.functions.iter();
    functions
        .filter(|(key, function)| !function.steps.is_empty() && wanted(key))
        .map(|(key, function)| (key.clone(), function.steps.clone()))
        .collect()
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
