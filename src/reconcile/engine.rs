//! What makes passes: the targets, and what is remembered from one pass to the next. `pass` and `apply` have the passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::observe::Observer;
use super::pass::PassPolicy;
use super::progress::ProgressBoard;
use super::reading::Reading;
use super::wave::FUNCTIONS_AT_ONCE;
use crate::domain::{AccountId, DesiredState, FunctionKey, Target, TargetName};
use crate::plan::{FactsByTarget, FunctionReport, Policy};
use crate::ports::Clock;
use crate::telemetry::{PassPhase, PhaseFinished, Telemetry, WaveBounds};

/// A target and the way to it.
pub struct TargetPorts<L, A> {
    /// The target.
    pub target: Target,
    /// Its Lambda.
    pub lambda: L,
    /// Its S3.
    pub artifacts: A,
}

/// So many functions are read before they are planned, and read whole after they were changed: that takes seconds. More are
/// a wave, of which each is looked at when it is its turn.
const FEW: usize = 50;

/// Makes passes over some targets. Built with a reader it can plan; built with a writer it can also apply.
pub struct Engine<L, A, C> {
    pub(super) targets: BTreeMap<TargetName, TargetPorts<L, A>>,
    pub(super) clock: C,
    pub(super) observer: Observer,
    pub(super) telemetry: Telemetry,
    /// The account of each target, once it is configured or a function's ARN has told it. It never changes.
    accounts: Mutex<BTreeMap<TargetName, AccountId>>,
    /// What S3 answered in the last pass over the fleet, as far as it was an object.
    facts: Mutex<FactsByTarget>,
    /// The functions that a pass is changing.
    in_hand: Mutex<BTreeSet<FunctionKey>>,
    /// How many functions a fleet may have whose every sweep reads everything.
    small_fleet: usize,
    /// How many functions may change in a pass that reads each of them before and after.
    pub(super) small_wave: usize,
    /// How far the passes are that change something.
    pub(super) progress: ProgressBoard,
    /// How many steps were taken: counted as each ends, so that whoever drives the passes sees them get on.
    pub(super) steps: watch::Sender<u64>,
}

impl<L, A, C: Clock> Engine<L, A, C> {
    /// Builds an engine for these targets.
    pub fn new(targets: Vec<TargetPorts<L, A>>, clock: C, telemetry: Telemetry) -> Self {
        let targets = targets
            .into_iter()
            .map(|ports| (ports.target.name.clone(), ports))
            .collect();
        WaveBounds {
            functions_at_once: FUNCTIONS_AT_ONCE,
        }
        .emit(&telemetry);
        Self {
            targets,
            clock,
            observer: Observer::new(telemetry.clone()),
            telemetry,
            accounts: Mutex::default(),
            facts: Mutex::default(),
            in_hand: Mutex::default(),
            small_fleet: FEW,
            small_wave: FEW,
            progress: ProgressBoard::default(),
            steps: watch::Sender::default(),
        }
    }

    /// Says how many functions a fleet may have whose every sweep reads everything, in the place of the usual number.
    #[must_use]
    pub fn with_small_fleet(self, functions: usize) -> Self {
        Self {
            small_fleet: functions,
            ..self
        }
    }

    /// Says how many functions may change in a pass that reads each of them whole, before and after, in the place of the
    /// usual number.
    #[must_use]
    pub fn with_small_wave(self, functions: usize) -> Self {
        Self {
            small_wave: functions,
            ..self
        }
    }

    /// Says where the progress of passes is shown, in the place of a board of its own.
    #[must_use]
    pub fn with_progress(self, progress: ProgressBoard) -> Self {
        Self { progress, ..self }
    }

    /// Returns how far the passes are that change something.
    pub fn progress(&self) -> &ProgressBoard {
        &self.progress
    }

    /// Returns how many functions were read so far.
    pub fn reading(&self) -> &Reading {
        &self.observer.reading
    }

    /// Returns whether a sweep of this fleet is made in layers.
    pub(super) fn is_layered(&self, desired: &DesiredState) -> bool {
        desired.functions.len() > self.small_fleet
    }

    /// Notes that a pass is changing these functions. Leaves out those that another pass is changing already.
    pub(super) fn take_in_hand<T>(&self, todo: &mut BTreeMap<FunctionKey, T>) {
        let mut in_hand = self.in_hand();
        todo.retain(|key, _| in_hand.insert(key.clone()));
    }

    /// Notes that a pass is done with these functions.
    pub(super) fn put_down(&self, keys: &BTreeSet<FunctionKey>) {
        self.in_hand().retain(|key| !keys.contains(key));
    }

    /// Puts down whatever a pass had in hand that came to no end.
    pub(super) fn put_all_down(&self) {
        self.in_hand().clear();
    }

    /// Returns whether a pass is changing a function.
    pub(super) fn is_in_hand(&self, key: &FunctionKey) -> bool {
        self.in_hand().contains(key)
    }

    fn in_hand(&self) -> MutexGuard<'_, BTreeSet<FunctionKey>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, FactsByTarget> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(super) fn policy(&self, policy: &PassPolicy) -> Policy {
        Policy {
            mode: policy.mode,
            now: self.clock.now(),
            change_limit: policy.change_limit,
            acknowledged: policy.acknowledged.clone(),
            windows: policy.windows.clone(),
            held: policy.held.clone(),
        }
    }

    pub(super) fn phase(&self, phase: PassPhase, since: Duration) {
        PhaseFinished {
            phase,
            duration: self.elapsed(since),
        }
        .emit(&self.telemetry);
    }

    /// Remembers the accounts that the functions told, and returns all that were ever learnt.
    pub(super) fn learn_accounts(&self, functions: &[FunctionReport]) -> BTreeMap<TargetName, AccountId> {
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

    pub(super) fn elapsed(&self, since: Duration) -> Duration {
        self.clock.uptime().saturating_sub(since)
    }
}
