//! The writing half of a pass: executes the plan and looks again at what was changed. Plans nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::engine::Engine;
use super::execution::Execution;
use super::pass::{PassPolicy, Scope, Seen, narrow};
use super::unreadable::tell_unreadable;
use super::wave::{Wave, goes_first};
use crate::domain::{ChangeLimit, DesiredState, FunctionKey};
use crate::plan::{FunctionReport, Plan, Report, State, Step, StepResult};
use crate::ports::{Artifacts, Clock, LambdaWrite, Priority};
use crate::telemetry::{PassPhase, WaveBegun, pass_span};

/// Functions looked at side by side after they were changed. What holds them back is the rate limiter.
const LOOKS_AT_ONCE: usize = 16;

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
        let span = pass_span(desired.revision.as_ref(), desired.functions.len());
        self.make(desired, scope, policy, stop).instrument(span).await
    }

    async fn make(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        stop: &CancellationToken,
    ) -> Option<Report> {
        let started = self.clock.uptime();
        let desired = narrow(desired, scope);
        // Nothing is written while the pass only looks, so there it can end at any moment.
        let (mut seen, plan) = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            looked = Box::pin(self.look(&desired, scope, policy)) => looked,
        };
        let targets = self.targets_by_name();
        let mut todo = steps_of(&plan, |_| true);
        let mut done: BTreeMap<FunctionKey, Execution> = BTreeMap::new();
        let mut reports: BTreeMap<FunctionKey, FunctionReport> =
            Report::functions_of(plan, &desired, &seen.observations, &targets)
                .into_iter()
                .map(|function| (function.key.clone(), function))
                .collect();
        let progress = self.progress.pass(&self.clock, &self.telemetry);
        for round in 1..=ROUNDS {
            if todo.is_empty() {
                break;
            }
            let applying = self.clock.uptime();
            self.take_in_hand(&mut todo);
            progress.expect(desired.revision.as_ref(), &todo);
            if todo.len() > self.small_wave {
                WaveBegun {
                    revision: desired.revision.as_ref(),
                    functions: todo.len(),
                    moves: todo.values().filter(|steps| goes_first(steps)).count(),
                }
                .emit();
            }
            let wave = Wave {
                todo,
                revision: desired.revision.as_ref(),
                observations: &seen.observations,
                windows: &policy.windows,
                remembered: &seen.remembered,
            };
            let executed = Box::pin(self.execute(wave, &progress, stop)).await;
            self.phase(PassPhase::Apply, applying);
            let verifying = self.clock.uptime();
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
            let look_again = Box::pin(self.look_again(&desired, &keys, &again, policy, &mut seen));
            let replanned = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                replanned = Priority::Write.of(look_again) => Some(replanned),
            };
            self.put_down(&keys);
            let Some(replanned) = replanned else { break };
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

    /// Reads the changed functions again and plans them anew.
    async fn look_again(
        &self,
        desired: &DesiredState,
        keys: &BTreeSet<FunctionKey>,
        again: &BTreeSet<FunctionKey>,
        policy: &PassPolicy,
        seen: &mut Seen,
    ) -> Plan {
        // After a large wave, what went well is looked at from GetFunction's own quota: the weights that it does not show
        // were cleared by the very writes that moved the aliases, and the next sweep reads the rest.
        let whole = |key: &FunctionKey| keys.len() <= self.small_wave || again.contains(key);
        let read: Vec<_> = futures::stream::iter(keys)
            .filter_map(|key| async move { self.targets.get(&key.target).map(|ports| (key, ports)) })
            .map(|(key, ports)| async move {
                let state = match desired.functions.get(key) {
                    Some(function) if !whole(key) => {
                        let aliases: Vec<_> = function.aliases.keys().collect();
                        self.observer.forget(key);
                        self.observer.glance(key, &aliases, true, &ports.lambda).await;
                        self.observer.remembered(key)
                    }
                    Some(_) | None => None,
                };
                match state {
                    Some(state) => (key.clone(), state),
                    None => (key.clone(), self.observer.function(key, &ports.lambda).await),
                }
            })
            .buffer_unordered(LOOKS_AT_ONCE)
            .collect()
            .await;
        for (key, _) in &read {
            seen.remembered.remove(key);
        }
        for target in self.targets.keys() {
            let of_target = read.iter().filter(|(key, _)| key.target == *target);
            tell_unreadable(
                target,
                of_target.map(|(key, state)| (&key.name, state)),
                self.telemetry(),
            );
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
            let facts = seen.facts.entry(ports.target.name.clone()).or_default();
            self.learn(ports, &changed, &mut seen.observations, facts).await;
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
