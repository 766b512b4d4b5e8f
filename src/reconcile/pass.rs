//! One pass over the fleet, always from full state: observe, resolve, plan and, where there is a writer, execute.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::contain::contained_now;
use super::engine::{Engine, TargetPorts};
use super::observe::TargetObservation;
use super::resolve::resolve;
use super::unreadable::{is_out_of_reach, tell_unreadable};
use crate::domain::{
    ChangeLimit, CommitId, DeployWindows, DesiredState, FunctionGlob, FunctionKey, FunctionName, Mode, ObservedState,
    TargetFailure, TargetName,
};
use crate::plan::{
    ArtifactFacts, FactsByTarget, FunctionPlan, FunctionReport, Hold, Observations, Plan, Report, State, Unmanaged,
    plan,
};
use crate::ports::{Artifacts, Clock, LambdaRead};
use crate::telemetry::{ListingFailed, PassFinished, PassPhase, TargetFailed};

/// What a pass may do.
#[derive(Debug, Clone, Default)]
pub struct PassPolicy {
    /// The configuration's mode.
    pub mode: Mode,
    /// How many functions a pass may change.
    pub change_limit: ChangeLimit,
    /// The commit whose pass may exceed the limit.
    pub acknowledged: Option<CommitId>,
    /// When functions may be changed.
    pub windows: DeployWindows,
    /// Functions that are left alone for a while.
    pub held: BTreeMap<FunctionKey, Hold>,
}

/// What a pass looks at.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only functions whose names match; `None` for all.
    pub functions: Option<FunctionGlob>,
    /// Only these functions, and nothing else of their targets; `None` for all.
    pub only: Option<BTreeSet<FunctionKey>>,
    /// What is read, and what is taken as it was.
    pub freshness: Freshness,
}

/// What a pass reads, and what it takes as it was when it was looked at last.
///
/// What it would write is read again in any case, and what nobody has looked at yet is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// Everything is read.
    #[default]
    Fresh,
    /// A sweep has just looked at the functions, and S3 is asked once in each.
    Swept,
    /// Functions and artifacts are as they were.
    Remembered,
}

impl Scope {
    fn includes(&self, name: &FunctionName) -> bool {
        self.functions.as_ref().is_none_or(|glob| glob.matches(name))
    }

    fn includes_key(&self, key: &FunctionKey) -> bool {
        self.includes(&key.name) && self.only.as_ref().is_none_or(|only| only.contains(key))
    }

    fn includes_target(&self, name: &TargetName) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| only.iter().any(|key| key.target == *name))
    }

    /// Returns whether this is the whole fleet.
    pub(super) fn is_whole(&self) -> bool {
        self.functions.is_none() && self.only.is_none()
    }
}

/// What a pass has read.
pub(super) struct Seen {
    pub(super) observations: Observations,
    pub(super) facts: FactsByTarget,
    /// The functions that were not read in this pass, but are as they were when they were looked at last.
    pub(super) remembered: BTreeSet<FunctionKey>,
    unmanaged: Vec<Unmanaged>,
    failed_targets: Vec<TargetFailure>,
}

impl<L: LambdaRead, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Plans a pass, and does nothing.
    pub async fn plan(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> Report {
        let started = self.clock.uptime();
        let desired = narrow(desired, scope);
        let (seen, plan) = self.look(&desired, scope, policy).await;
        let functions = Report::functions_of(plan, &desired, &seen.observations, &self.targets_by_name());
        self.finish(&desired, scope, seen, functions, started, false)
    }

    pub(super) async fn look(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> (Seen, Plan) {
        let started = self.clock.uptime();
        if scope.is_whole() {
            self.observer.retain(|key| desired.functions.contains_key(key));
        }
        let mut seen = self.observe(desired, scope).await;
        self.phase(PassPhase::Read, started);
        let deciding = self.clock.uptime();
        let mut plan = self.decide(desired, &seen, policy);
        self.phase(PassPhase::Diff, deciding);
        let doubtful = self.doubtful(&seen, &plan);
        if !doubtful.is_empty() {
            self.read(desired, &doubtful, &mut seen).await;
            plan = self.decide(desired, &seen, policy);
        }
        if scope.is_whole() {
            *self.facts() = objects(&seen.facts);
        }
        (seen, plan)
    }

    /// Returns the functions that must be read whole before anything is said of them: what they were remembered by does not
    /// say enough to write anything, or there are few of them.
    fn doubtful(&self, seen: &Seen, plan: &Plan) -> BTreeSet<FunctionKey> {
        let of = |key: &FunctionKey| plan.functions.get(key);
        let differs = |key: &&FunctionKey| of(key).is_some_and(|function| function.state != State::InSync);
        let found = |key: &&FunctionKey| matches!(seen.observations.get(*key), Some(ObservedState::Found(_)));
        let changes = |key: &FunctionKey| of(key).is_some_and(|function| !function.steps.is_empty());
        let differing: Vec<&FunctionKey> = seen.remembered.iter().filter(differs).filter(found).collect();
        let few = differing.iter().filter(|key| changes(key)).count() <= self.small_wave;
        let doubtful = |key: &&FunctionKey| !self.observer.is_whole(key) || (few && changes(key));
        differing.into_iter().filter(doubtful).cloned().collect()
    }

    /// Reads some functions whole, and asks what their artifacts need.
    async fn read(&self, desired: &DesiredState, keys: &BTreeSet<FunctionKey>, seen: &mut Seen) {
        for ports in self.targets.values() {
            let target = &ports.target;
            let of_target = keys.iter().filter(|key| key.target == target.name);
            let names: Vec<FunctionName> = of_target.map(|key| key.name.clone()).collect();
            let read = self.observer.target(target, &ports.lambda, &names, false).await;
            for (name, state) in read.functions {
                let key = FunctionKey {
                    target: target.name.clone(),
                    name,
                };
                seen.remembered.remove(&key);
                seen.observations.insert(key, state);
            }
            let facts = seen.facts.entry(target.name.clone()).or_default();
            self.learn(ports, desired, &mut seen.observations, facts).await;
        }
    }

    /// Asks what a plan needs to know beside what was read: Lambda of the weights of aliases, and S3 of artifacts.
    pub(super) async fn learn(
        &self,
        ports: &TargetPorts<L, A>,
        desired: &DesiredState,
        observations: &mut Observations,
        facts: &mut ArtifactFacts,
    ) {
        let target = &ports.target.name;
        let asked = self
            .observer
            .ask_allocations(target, desired, observations, &ports.lambda);
        asked.await;
        resolve(target, desired, observations, &ports.artifacts, facts, &self.telemetry).await;
    }

    /// Plans from what was seen.
    ///
    /// A function at which the planner itself fails is told, and the others are planned without it.
    pub(super) fn decide(&self, desired: &DesiredState, seen: &Seen, policy: &PassPolicy) -> Plan {
        let (targets, policy) = (self.targets_by_name(), self.policy(policy));
        let decide = |desired: &DesiredState| plan(desired, &targets, &seen.observations, &seen.facts, &policy);
        let whole = contained_now(&self.telemetry, None, || decide(desired));
        let Err(message) = whole else {
            return whole.unwrap_or_default();
        };
        let (mut rest, mut failed) = (desired.clone(), BTreeMap::new());
        for (key, function) in &desired.functions {
            let alone = DesiredState {
                revision: desired.revision.clone(),
                functions: [(key.clone(), function.clone())].into(),
                ..DesiredState::default()
            };
            if let Err(message) = contained_now(&self.telemetry, Some(key), || decide(&alone)) {
                rest.functions.remove(key);
                failed.insert(key.clone(), FunctionPlan::failed(message));
            }
        }
        let mut plan = contained_now(&self.telemetry, None, || decide(&rest)).unwrap_or_else(|_| {
            // No function by itself is at fault, so nothing is done for any.
            let all = desired.functions.keys().chain(desired.faulty.keys());
            let functions = all.map(|key| (key.clone(), FunctionPlan::failed(message.clone())));
            Plan {
                functions: functions.collect(),
            }
        });
        plan.functions.extend(failed);
        plan
    }

    async fn observe(&self, desired: &DesiredState, scope: &Scope) -> Seen {
        let unreadable: BTreeSet<_> = desired.failed_targets.iter().map(|failed| &failed.target).collect();
        let targets = self
            .targets
            .values()
            .filter(|ports| !unreadable.contains(&ports.target.name) && scope.includes_target(&ports.target.name));
        let parts: Vec<Seen> =
            futures::future::join_all(targets.map(|ports| self.observe_target(ports, desired, scope))).await;
        let mut seen = Seen {
            observations: BTreeMap::new(),
            facts: BTreeMap::new(),
            remembered: BTreeSet::new(),
            unmanaged: Vec::new(),
            failed_targets: desired.failed_targets.clone(),
        };
        for part in parts {
            seen.observations.extend(part.observations);
            seen.facts.extend(part.facts);
            seen.remembered.extend(part.remembered);
            seen.unmanaged.extend(part.unmanaged);
            seen.failed_targets.extend(part.failed_targets);
        }
        for failure in &seen.failed_targets {
            TargetFailed { failure }.emit(&self.telemetry);
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
        let (read, remembered) = self.observe_functions(ports, names.clone(), scope).await;
        let nothing_read = read
            .functions
            .values()
            .all(|state| matches!(state, ObservedState::Unreadable(_)));
        // Where the whole target is away, that is told, and not once more for its functions.
        if read.listed.is_ok() || !nothing_read {
            tell_unreadable(&target.name, read.functions.iter(), &self.telemetry);
        }
        let mut failed_targets = Vec::new();
        let mut unmanaged = Vec::new();
        match read.listed {
            Ok(listed) => {
                ListingFailed::is_over(&target.name, &self.telemetry);
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
            // Where nobody answers, or nothing that was asked for can be read, the target as a whole is out of reach.
            Err(error) if nothing_read && (!names.is_empty() || is_out_of_reach(&error)) => {
                failed_targets.push(TargetFailure {
                    target: target.name.clone(),
                    message: error.to_string(),
                });
            }
            // One refused call among answered ones leaves the list of unmanaged functions empty, no more.
            Err(error) => ListingFailed {
                target: &target.name,
                error: &error.to_string(),
            }
            .emit(&self.telemetry),
        }
        let mut observations: Observations = read
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
        let mut facts = match scope.freshness {
            Freshness::Remembered => self.facts().get(&target.name).cloned().unwrap_or_default(),
            Freshness::Fresh | Freshness::Swept => ArtifactFacts::new(),
        };
        self.learn(ports, desired, &mut observations, &mut facts).await;
        let facts = [(target.name.clone(), facts)].into();
        Seen {
            observations,
            facts,
            remembered,
            unmanaged,
            failed_targets,
        }
    }

    /// Reads the functions of a target, or takes them as they were. Returns which were not read, too.
    async fn observe_functions(
        &self,
        ports: &TargetPorts<L, A>,
        names: Vec<FunctionName>,
        scope: &Scope,
    ) -> (TargetObservation, BTreeSet<FunctionKey>) {
        let (target, observer) = (&ports.target, &self.observer);
        if scope.freshness == Freshness::Fresh {
            let list = scope.only.is_none();
            return (
                observer.target(target, &ports.lambda, &names, list).await,
                BTreeSet::new(),
            );
        }
        let (mut known, mut remembered, mut unknown) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for name in names {
            let key = FunctionKey {
                target: target.name.clone(),
                name: name.clone(),
            };
            match observer.remembered(&key) {
                Some(state) => {
                    known.insert(name, state);
                    remembered.insert(key);
                }
                None => unknown.push(name),
            }
        }
        let mut read = observer.target(target, &ports.lambda, &unknown, false).await;
        read.functions.extend(known);
        read.listed = observer.listing(&target.name).unwrap_or_else(|| Ok(Vec::new()));
        (read, remembered)
    }

    /// Puts together what a pass came to, tells of it, and returns it.
    pub(super) fn finish(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        seen: Seen,
        functions: Vec<FunctionReport>,
        started: Duration,
        ended_early: bool,
    ) -> Report {
        let report = Report {
            revision: desired.revision.clone(),
            accounts: self.learn_accounts(&functions),
            functions,
            faults: desired.faults.clone(),
            unmanaged: seen.unmanaged,
            failed_targets: seen.failed_targets,
            files: desired.files,
            narrowed: !scope.is_whole(),
            ended_early,
        };
        PassFinished {
            report: &report,
            duration: self.elapsed(started),
        }
        .emit(&self.telemetry);
        report
    }
}

/// Leaves of what S3 answered only what holds for ever: that something was not there may change.
fn objects(facts: &FactsByTarget) -> FactsByTarget {
    let objects = |facts: &ArtifactFacts| {
        let found = facts.iter().filter(|(_, fact)| fact.is_ok());
        found.map(|(location, fact)| (location.clone(), fact.clone())).collect()
    };
    facts
        .iter()
        .map(|(target, facts)| (target.clone(), objects(facts)))
        .collect()
}

/// Leaves only what is looked at. The whole fleet, which is what most passes look at, is not copied for that.
pub(super) fn narrow<'a>(desired: &'a DesiredState, scope: &Scope) -> Cow<'a, DesiredState> {
    if scope.is_whole() {
        return Cow::Borrowed(desired);
    }
    let mut desired = desired.clone();
    desired.functions.retain(|key, _| scope.includes_key(key));
    desired.faulty.retain(|key, _| scope.includes_key(key));
    Cow::Owned(desired)
}
