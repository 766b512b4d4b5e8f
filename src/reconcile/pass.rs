//! One pass over the fleet, always from full state: observe, resolve, plan and, where there is a writer, execute.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::observe::{Observer, is_out_of_reach, tell_unreadable};
use super::resolve::resolve;
use crate::domain::{
    AccountId, ChangeLimit, CommitId, DesiredState, FunctionGlob, FunctionKey, FunctionName, Mode, ObservedState,
    Target, TargetFailure, TargetName, Timestamp, elapsed,
};
use crate::plan::{
    ArtifactFacts, FactsByTarget, FunctionReport, Hold, Observations, Plan, Policy, Report, Unmanaged, plan,
};
use crate::ports::{Artifacts, Clock, LambdaRead};
use crate::telemetry::{ListingFailed, PassFinished, PassPhase, PhaseFinished, TargetFailed, Telemetry};

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
    /// Only these functions, and nothing else of their targets; `None` for all.
    pub only: Option<BTreeSet<FunctionKey>>,
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
    fn is_whole(&self) -> bool {
        self.functions.is_none() && self.only.is_none()
    }
}

/// Makes passes over some targets. Built with a reader it can plan; built with a writer it can also apply.
pub struct Engine<L, A, C> {
    pub(super) targets: BTreeMap<TargetName, TargetPorts<L, A>>,
    pub(super) clock: C,
    pub(super) observer: Observer,
    telemetry: Telemetry,
    /// The account of each target, once it is configured or a function's ARN has told it. It never changes.
    accounts: Mutex<BTreeMap<TargetName, AccountId>>,
    /// How many steps were taken: counted as each ends, so that whoever drives the passes sees them get on.
    pub(super) steps: watch::Sender<u64>,
}

/// What a pass has read.
pub(super) struct Seen {
    pub(super) observations: Observations,
    pub(super) facts: FactsByTarget,
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
            accounts: Mutex::default(),
            steps: watch::Sender::default(),
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

    /// Returns a receiver that hears of every step that was taken.
    pub(super) fn steps(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }

    /// Returns the targets, for reading the desired state.
    pub fn targets(&self) -> Vec<Target> {
        self.targets.values().map(|ports| ports.target.clone()).collect()
    }

    pub(super) fn targets_by_name(&self) -> BTreeMap<TargetName, Target> {
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

    pub(super) fn phase(&self, phase: PassPhase, since: Timestamp) {
        PhaseFinished {
            phase,
            duration: self.elapsed(since),
        }
        .emit(&self.telemetry);
    }

    /// Remembers the accounts that the functions told, and returns all that were ever learnt.
    fn learn_accounts(&self, functions: &[FunctionReport]) -> BTreeMap<TargetName, AccountId> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for function in functions {
            if let Some(account) = &function.account {
                accounts
                    .entry(function.key.target.clone())
                    .or_insert_with(|| account.clone());
            }
        }
        accounts.clone()
    }

    fn elapsed(&self, since: Timestamp) -> Duration {
        elapsed(since, self.clock.now())
    }
}

impl<L: LambdaRead, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Plans a pass, and does nothing.
    pub async fn plan(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> Report {
        let started = self.clock.now();
        let desired = narrow(desired, scope);
        let (seen, plan) = self.look(&desired, scope, policy).await;
        let functions = Report::functions_of(plan, &desired, &seen.observations, &self.targets_by_name());
        self.finish(&desired, scope, seen, functions, started, false)
    }

    pub(super) async fn look(&self, desired: &DesiredState, scope: &Scope, policy: &PassPolicy) -> (Seen, Plan) {
        let started = self.clock.now();
        if scope.is_whole() {
            self.observer.retain(|key| desired.functions.contains_key(key));
        }
        let seen = self.observe(desired, scope).await;
        self.phase(PassPhase::Read, started);
        let started = self.clock.now();
        let plan = self.decide(desired, &seen, policy);
        self.phase(PassPhase::Diff, started);
        (seen, plan)
    }

    /// Plans from what was seen.
    pub(super) fn decide(&self, desired: &DesiredState, seen: &Seen, policy: &PassPolicy) -> Plan {
        let (targets, policy) = (self.targets_by_name(), self.policy(policy));
        plan(desired, &targets, &seen.observations, &seen.facts, &policy)
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
        let read = self
            .observer
            .target(target, &ports.lambda, &names, scope.only.is_none())
            .await;
        let nothing_read = read
            .functions
            .values()
            .all(|state| matches!(state, ObservedState::Unreadable(_)));
        // Where the whole target is away, that is told, and not once more for its functions.
        if read.listed.is_ok() || !nothing_read {
            tell_unreadable(&target.name, read.functions.iter());
        }
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
            .emit(),
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
        let mut facts = ArtifactFacts::new();
        resolve(&target.name, desired, &observations, &ports.artifacts, &mut facts).await;
        let facts = [(target.name.clone(), facts)].into();
        Seen {
            observations,
            facts,
            unmanaged,
            failed_targets,
        }
    }

    /// Puts together what a pass came to, tells of it, and returns it.
    pub(super) fn finish(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        seen: Seen,
        functions: Vec<FunctionReport>,
        started: Timestamp,
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
