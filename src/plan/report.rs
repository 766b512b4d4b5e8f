//! What a pass came to: the plan, what was done of it, and what else there is to say. One shape for every output.

use std::collections::BTreeMap;

use litemap::LiteMap;

use super::step::Step;
use super::withheld::Withheld;
use super::{FunctionPlan, Plan};
use crate::domain::{
    AccountId, AliasName, ArtifactVersion, CodeSha256, CommitId, DesiredFunction, DesiredState, Fault, FunctionGlob,
    FunctionKey, FunctionName, FunctionVersion, ObservedFunction, ObservedState, Region, Target, TargetFailure,
    TargetName, Version, few,
};
use crate::drift::Drift;

/// Where a function stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It runs what Git says.
    InSync,
    /// It differs, and there is a step to take, or it is only observed.
    Drifted,
    /// An update is in progress.
    Progressing,
    /// It should perhaps be changed and must not be.
    Withheld,
    /// Its manifest suspends it.
    Suspended,
    /// It could not be read.
    Unreadable,
    /// A step failed.
    Failed,
}

impl State {
    /// Every state, in the order of the summary.
    pub const ALL: [Self; 7] = [
        Self::InSync,
        Self::Drifted,
        Self::Progressing,
        Self::Withheld,
        Self::Suspended,
        Self::Unreadable,
        Self::Failed,
    ];

    /// Returns the word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "InSync",
            Self::Drifted => "Drifted",
            Self::Progressing => "Progressing",
            Self::Withheld => "Withheld",
            Self::Suspended => "Suspended",
            Self::Unreadable => "Unreadable",
            Self::Failed => "Failed",
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepResult {
    /// It was only planned.
    Planned,
    /// It took effect, and that was seen.
    Done,
    /// The world had moved on since the plan: nothing was written, and the next pass plans anew.
    Refused,
    /// It did not take effect, or it is not known whether it did.
    Failed,
    /// A step before it was not done.
    Skipped,
}

impl StepResult {
    /// Returns the word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The step.
    pub step: Step,
    /// The version that it published or pointed at, where that is known by now.
    pub version: Option<Version>,
    /// What became of it.
    pub result: StepResult,
    /// Why, in one line; `None` for what is planned or simply done.
    pub message: Option<String>,
}

impl StepReport {
    /// Returns the report of a step that is only planned.
    pub fn planned(step: Step) -> Self {
        Self {
            step,
            version: None,
            result: StepResult::Planned,
            message: None,
        }
    }

    /// Returns whether it was begun, whatever became of it.
    pub fn was_taken(&self) -> bool {
        match self.result {
            StepResult::Done | StepResult::Refused | StepResult::Failed => true,
            StepResult::Planned | StepResult::Skipped => false,
        }
    }
}

/// What `$LATEST` or an alias serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serving {
    /// The version.
    pub version: FunctionVersion,
    /// The hash of its code.
    pub sha256: Option<CodeSha256>,
}

/// What a function serves, as far as Git names it: `$LATEST` and its aliases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    /// The account in its ARN.
    pub account: Option<AccountId>,
    /// The hash of `$LATEST`.
    pub latest: Option<CodeSha256>,
    /// Every alias that it has.
    pub aliases: LiteMap<AliasName, Serving>,
    /// Whether weights were looked for.
    pub weights_read: bool,
    /// Which artifact version a hash that it serves is, where Pinfold published it.
    pub known: LiteMap<CodeSha256, ArtifactVersion>,
}

impl Live {
    fn of(observed: &ObservedFunction) -> Self {
        let aliases = few(observed.aliases.iter().map(|(name, alias)| {
            let serving = Serving {
                version: alias.version,
                sha256: observed.sha256_of(alias.version),
            };
            (name.clone(), serving)
        }));
        let latest = observed.latest.sha256;
        let served = |sha256| {
            let sha256 = Some(sha256);
            sha256 == latest || aliases.values().any(|serving| serving.sha256 == sha256)
        };
        let publications = observed
            .versions
            .values()
            .filter_map(|version| version.publication.as_ref());
        let known = publications
            .filter(|publication| served(publication.sha256))
            .map(|publication| (publication.sha256, publication.version.clone()));
        let known = few(known);
        Self {
            account: observed.account.clone(),
            latest,
            aliases,
            weights_read: observed.weights_read,
            known,
        }
    }
}

/// One function after a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionReport {
    /// The function.
    pub key: FunctionKey,
    /// Its account: the configured one, else the one in its ARN.
    pub account: Option<AccountId>,
    /// Its Region.
    pub region: Option<Region>,
    /// Where it stands.
    pub state: State,
    /// How it differs from what Git says.
    pub drift: Vec<Drift>,
    /// What is to be done, or was.
    pub steps: Vec<StepReport>,
    /// What is not done, and why.
    pub withheld: Vec<Withheld>,
    /// What it serves; `None` where it was not read.
    pub live: Option<Live>,
    /// The aliases that Git names.
    pub aliases: Vec<AliasName>,
}

impl FunctionReport {
    /// Returns the report of a plan of which nothing has been done.
    pub fn planned(
        key: FunctionKey,
        plan: FunctionPlan,
        desired: Option<&DesiredFunction>,
        observed: Option<&ObservedState>,
        target: Option<&Target>,
    ) -> Self {
        let live = match observed {
            Some(ObservedState::Found(found)) => Some(Live::of(found)),
            Some(ObservedState::Missing | ObservedState::Unreadable(_)) | None => None,
        };
        let account = target
            .and_then(|target| target.account.clone())
            .or_else(|| live.as_ref().and_then(|live| live.account.clone()));
        Self {
            key,
            account,
            region: target.and_then(|target| target.region.clone()),
            state: plan.state,
            drift: plan.drift,
            steps: plan.steps.into_iter().map(StepReport::planned).collect(),
            withheld: plan.withheld,
            live,
            aliases: desired
                .map(|desired| desired.aliases.keys().cloned().collect())
                .unwrap_or_default(),
        }
    }

    /// Returns whether it differs from Git in what is Pinfold's to correct.
    pub fn drifts(&self) -> bool {
        self.drift.iter().any(Drift::is_ours)
    }

    /// Returns whether there is nothing to do and nothing to tell: what exit code 0 stands for.
    pub fn is_clean(&self) -> bool {
        match self.state {
            State::InSync => true,
            State::Suspended => !self.drifts() && self.withheld.len() <= 1,
            State::Drifted | State::Progressing | State::Withheld | State::Unreadable | State::Failed => false,
        }
    }
}

/// A function that a target's globs match and Git does not name. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmanaged {
    /// The target.
    pub target: TargetName,
    /// The function.
    pub function: FunctionName,
}

/// How many functions are in each state.
pub type Summary = BTreeMap<State, usize>;

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The commit; `None` for a plain folder, or where none was read yet.
    pub revision: Option<CommitId>,
    /// An entry for each function that Git names, in order of target and name.
    pub functions: Vec<FunctionReport>,
    /// What is wrong in the repository's files.
    pub faults: Vec<Fault>,
    /// Functions that Git does not name.
    pub unmanaged: Vec<Unmanaged>,
    /// Targets of which nothing, or not everything, could be read.
    pub failed_targets: Vec<TargetFailure>,
    /// How many manifest files the commit has.
    pub files: usize,
    /// Whether only some functions were asked for, so that faults elsewhere do not count.
    pub narrowed: bool,
    /// Whether the pass was ended before all was done: a newer commit came, or Pinfold was to stop.
    pub ended_early: bool,
    /// The account of each target, as far as it was ever learnt: what a metric is labelled with also while a function
    /// cannot be read.
    pub accounts: BTreeMap<TargetName, AccountId>,
}

impl Report {
    /// Counts the functions that were looked at and of which no weights were read yet: such of which Git does not name may
    /// stand unseen, also where a function counts as in sync.
    pub fn awaiting_weights(&self) -> usize {
        let live = self.functions.iter().filter_map(|function| function.live.as_ref());
        live.filter(|live| !live.weights_read).count()
    }

    /// Returns the reports of a plan of which nothing has been done.
    pub fn functions_of(
        plan: Plan,
        desired: &DesiredState,
        observations: &BTreeMap<FunctionKey, ObservedState>,
        targets: &BTreeMap<TargetName, Target>,
    ) -> Vec<FunctionReport> {
        plan.functions
            .into_iter()
            .map(|(key, plan)| {
                let (observed, target) = (observations.get(&key), targets.get(&key.target));
                let desired = desired.functions.get(&key);
                FunctionReport::planned(key, plan, desired, observed, target)
            })
            .collect()
    }

    /// Returns this report with the functions of a later, narrower one in place of its own.
    #[must_use]
    pub fn with(&self, later: Self) -> Self {
        let mut functions: BTreeMap<FunctionKey, FunctionReport> = self
            .functions
            .iter()
            .map(|function| (function.key.clone(), function.clone()))
            .collect();
        functions.extend(
            later
                .functions
                .into_iter()
                .map(|function| (function.key.clone(), function)),
        );
        Self {
            functions: functions.into_values().collect(),
            accounts: later.accounts,
            ended_early: later.ended_early,
            ..self.clone()
        }
    }

    /// Returns what the report says of one target, of functions whose names match, or of both.
    #[must_use]
    pub fn narrowed_to(&self, target: Option<&TargetName>, functions: Option<&FunctionGlob>) -> Self {
        let of_target = |name: &TargetName| target.is_none_or(|target| target == name);
        let matches = |name: &FunctionName| functions.is_none_or(|glob| glob.matches(name));
        let mut report = self.clone();
        report
            .functions
            .retain(|one| of_target(&one.key.target) && matches(&one.key.name));
        report
            .unmanaged
            .retain(|one| of_target(&one.target) && matches(&one.function));
        report.failed_targets.retain(|one| of_target(&one.target));
        report.narrowed |= target.is_some() || functions.is_some();
        report
    }

    /// Counts the functions in each state; every state has an entry.
    pub fn summary(&self) -> Summary {
        let mut summary: Summary = State::ALL.into_iter().map(|state| (state, 0)).collect();
        for function in &self.functions {
            *summary.entry(function.state).or_default() += 1;
        }
        summary
    }
}
