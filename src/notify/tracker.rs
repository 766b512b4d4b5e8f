//! Compares each report with what was told before. Tells a persistent thing once, and its end once.
//!
//! Nothing of this outlives the process: a new one tells once what is wrong when it comes, and nothing of what is well.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use super::event::{About, Event, EventKind};
use crate::domain::{FunctionKey, TargetName, Timestamp, elapsed};
use crate::plan::{FunctionReport, Reason, Report, State, Step, StepReport, StepResult};

/// Who was told of a thing need not hear the same of it again for an hour: what comes and goes within minutes is one
/// story, and the metrics have its length.
const AGAIN: Duration = Duration::from_hours(1);

/// What may be over by itself is told when it has lasted for a minute: half of a sweep's interval by default.
const LASTING: Duration = Duration::from_mins(1);

/// What has been told, and what it was told of.
#[derive(Debug, Default)]
pub struct Tracker {
    functions: BTreeMap<FunctionKey, Known>,
    targets: BTreeMap<TargetName, Known>,
}

/// A problem, as far as being told twice is concerned: a reason, or drift without one.
type Problem = Option<Reason>;

/// What is known of one function or target.
#[derive(Debug, Default)]
struct Known {
    /// The problems of the present episode, which ends when all is well.
    open: BTreeSet<Problem>,
    /// Whether somebody was told of one of them.
    told: bool,
    /// When each problem was last told.
    last_told: BTreeMap<Problem, Timestamp>,
    /// When a problem that may be over by itself was first seen.
    since: BTreeMap<Problem, Timestamp>,
    /// The steps of the last report: a narrower pass carries them along.
    steps: Vec<StepReport>,
    /// What it served when it was last as it should be.
    served: Option<u64>,
    /// When it was last told to have been put back.
    put_back: Option<Timestamp>,
}

impl Tracker {
    /// Takes the report of a pass and returns what there is to tell of it.
    pub fn observe(&mut self, report: &Report, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        let mut targets = BTreeMap::new();
        for failure in &report.failed_targets {
            let mut known = self.targets.remove(&failure.target).unwrap_or_default();
            let problem = (EventKind::Failed, [None].into(), failure.message.clone());
            events.extend(known.problem(About::Target(failure.target.clone()), problem, true, now));
            targets.insert(failure.target.clone(), known);
        }
        for (target, mut known) in std::mem::take(&mut self.targets) {
            events.extend(known.over(About::Target(target.clone()), "can be read again"));
            known.since.clear();
            // It is kept while somebody could be told the same again.
            if known.last_told.values().any(|told| elapsed(*told, now) < AGAIN) {
                targets.insert(target, known);
            }
        }
        self.targets = targets;
        let mut functions = BTreeMap::new();
        for function in &report.functions {
            let mut known = self.functions.remove(&function.key).unwrap_or_default();
            let away = report
                .failed_targets
                .iter()
                .any(|one| one.target == function.key.target);
            // Where the whole target is away, that is told, and not once more for its functions.
            if !(away && function.state == State::Unreadable) {
                known.function(function, now, &mut events);
            }
            functions.insert(function.key.clone(), known);
        }
        self.functions = functions;
        events
    }
}

impl Known {
    fn function(&mut self, function: &FunctionReport, now: Timestamp, events: &mut Vec<Event>) {
        let about = || About::Function(function.key.clone());
        let worked = self.steps != function.steps && function.state != State::Failed;
        let done: Vec<&StepReport> = function
            .steps
            .iter()
            .filter(|step| step.result == StepResult::Done)
            .collect();
        let serves = serving(function);
        if worked && !done.is_empty() {
            let as_before = self.served.is_some() && self.served == serves;
            let kind = if as_before {
                EventKind::DriftCorrected
            } else {
                EventKind::Deployed
            };
            let mut event = Event::new(kind, about(), BTreeSet::new(), &changes(function, &done));
            if as_before {
                event.repeated = self.put_back.is_some_and(|before| elapsed(before, now) < AGAIN);
                if !event.repeated {
                    self.put_back = Some(now);
                }
            }
            events.push(event);
        }
        self.steps.clone_from(&function.steps);
        if matches!(function.state, State::InSync | State::Withheld) && serves.is_some() {
            self.served = serves;
        }
        match problem(function) {
            Some(problem) => {
                let passing = may_pass(function, &problem.1);
                events.extend(self.problem(about(), problem, passing, now));
            }
            None if function.is_clean() => {
                self.since.clear();
                events.extend(self.over(about(), "runs what Git says again"));
            }
            None => {}
        }
    }

    /// Tells of problems of which this episode has not told yet.
    fn problem(
        &mut self,
        about: About,
        (kind, problems, text): (EventKind, BTreeSet<Problem>, String),
        may_pass: bool,
        now: Timestamp,
    ) -> Option<Event> {
        let mut new: BTreeSet<Problem> = problems.difference(&self.open).copied().collect();
        if may_pass {
            self.since.retain(|problem, _| problems.contains(problem));
            new.retain(|problem| elapsed(*self.since.entry(*problem).or_insert(now), now) >= LASTING);
        }
        if new.is_empty() {
            return None;
        }
        let recent = |problem: &Problem| {
            self.last_told
                .get(problem)
                .is_some_and(|told| elapsed(*told, now) < AGAIN)
        };
        let repeated = new.iter().all(recent);
        if !repeated {
            self.told = true;
            self.last_told.extend(new.iter().map(|problem| (*problem, now)));
        }
        self.open.extend(new);
        let reasons = problems.into_iter().flatten().collect();
        let mut event = Event::new(kind, about, reasons, &text);
        event.repeated = repeated;
        Some(event)
    }

    /// Ends the episode, if there is one.
    fn over(&mut self, about: About, text: &str) -> Option<Event> {
        if self.open.is_empty() {
            return None;
        }
        let mut event = Event::new(EventKind::Recovered, about, BTreeSet::new(), text);
        // Who was not told of it need not hear that it is over.
        event.repeated = !std::mem::take(&mut self.told);
        self.open.clear();
        Some(event)
    }
}

/// Returns what is wrong with a function, if anything is: its kind, its problems, and one line.
fn problem(function: &FunctionReport) -> Option<(EventKind, BTreeSet<Problem>, String)> {
    let mut problems: BTreeSet<Problem> = function
        .withheld
        .iter()
        .map(|withheld| withheld.reason)
        // Somebody asked for a suspension; an update that is in progress ends by itself, or fails.
        .filter(|reason| !matches!(reason, Reason::Suspended | Reason::UpdateInProgress))
        .map(Some)
        .collect();
    let kind = match function.state {
        State::Failed => {
            if problems.is_empty() {
                problems.insert(Some(Reason::StepFailed));
            }
            EventKind::Failed
        }
        State::Drifted if problems.iter().all(|problem| *problem == Some(Reason::ObserveOnly)) => {
            if problems.is_empty() {
                problems.insert(None);
            }
            EventKind::DriftFound
        }
        State::Withheld | State::Unreadable | State::Drifted | State::InSync => EventKind::Withheld,
        State::Progressing | State::Suspended => return None,
    };
    if problems.is_empty() {
        return None;
    }
    Some((kind, problems, why(function, kind)))
}

/// Returns whether the problem may be over by itself: then it is told only when it lasts.
fn may_pass(function: &FunctionReport, problems: &BTreeSet<Problem>) -> bool {
    function.state != State::Failed
        && problems
            .iter()
            .all(|problem| matches!(problem, None | Some(Reason::Unreadable | Reason::ArtifactUnreadable)))
}

/// Says in one line what is wrong.
fn why(function: &FunctionReport, kind: EventKind) -> String {
    let withheld = || {
        let first = function.withheld.iter().find(|one| one.reason != Reason::Suspended)?;
        let subject = first
            .subject
            .label()
            .map(|label| format!(" of {label}"))
            .unwrap_or_default();
        Some(format!("{}{subject}: {}", first.reason, first.message))
    };
    let step = || {
        let failed = function.steps.iter().rfind(|step| step.result == StepResult::Failed)?;
        let alias = failed
            .step
            .alias()
            .map(|alias| format!(" of {alias}"))
            .unwrap_or_default();
        let message = failed.message.as_deref().unwrap_or("it was not done");
        Some(format!("{}{alias}: {message}", failed.step.action()))
    };
    let text = match kind {
        EventKind::Failed => step().or_else(withheld),
        EventKind::DriftFound => Some(function.why()),
        EventKind::Withheld | EventKind::DriftCorrected | EventKind::Deployed | EventKind::Recovered => withheld(),
    };
    text.unwrap_or_else(|| function.why())
}

/// Says in one line what was done.
fn changes(function: &FunctionReport, done: &[&StepReport]) -> String {
    let mut parts = Vec::new();
    for report in done {
        match &report.step {
            Step::UpdateCode { version, .. } => {
                // What another alias needed passed through before.
                parts.retain(|part: &String| !part.starts_with("$LATEST"));
                parts.push(format!("$LATEST holds {version}"));
            }
            Step::CreateAlias { alias, .. } | Step::MoveAlias { alias, .. } => {
                let live = function.live.as_ref();
                let serving = live.and_then(|live| live.aliases.get(alias));
                let known = serving.and_then(|serving| live?.known.get(&serving.sha256?));
                let number = report.version.map(|version| format!("version {}", version.get()));
                let what = match (known, number) {
                    (Some(known), Some(number)) => format!("{known} ({number})"),
                    (Some(known), None) => known.to_string(),
                    (None, Some(number)) => number,
                    (None, None) => "the code that Git names".to_owned(),
                };
                parts.push(format!("{alias} runs {what}"));
            }
            Step::AwaitUpdated { .. } | Step::PublishVersion { .. } => {}
        }
    }
    if parts.is_empty() {
        return "a version was published".to_owned();
    }
    parts.join(", ")
}

/// Returns a mark of the code that it serves, as far as Git names it: equal marks, equal code.
fn serving(function: &FunctionReport) -> Option<u64> {
    let live = function.live.as_ref()?;
    let mut mark = DefaultHasher::new();
    live.latest.map(|hash| hash.to_string()).hash(&mut mark);
    for alias in &function.aliases {
        let hash = live.aliases.get(alias).and_then(|serving| serving.sha256);
        (alias.as_str(), hash.map(|hash| hash.to_string())).hash(&mut mark);
    }
    Some(mark.finish())
}
