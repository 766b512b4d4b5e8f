//! What happens, an event a struct: `emit` writes the log line and counts the metric together.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::Telemetry;
use super::fleet::{Sync, is_held};
use super::hints::QUEUE_SERVICE;
use super::metrics::FAILED;
use super::said::Topic;
use crate::domain::{CommitId, FunctionKey, FunctionName, TargetFailure, TargetName};
use crate::plan::{FunctionReport, Reason, Report, State, StepReport, StepResult, Verdict};

/// An attempt at a call to AWS came back.
#[derive(Debug)]
pub struct AwsRequest<'a> {
    /// The service, such as `lambda`.
    pub service: &'a str,
    /// The operation, such as `GetFunction`.
    pub operation: &'a str,
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub duration: Duration,
}

impl AwsRequest<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        // A queue answers whether or not a pass gets on.
        if self.service != QUEUE_SERVICE {
            telemetry.heard.fetch_add(1, Ordering::Relaxed);
        }
        let result = match (self.status, self.service) {
            (Some(200..=399 | 404), _) => "ok",
            // S3 says 503 Slow Down where Lambda says 429.
            (Some(429), _) | (Some(503), "s3") => "throttled",
            (Some(401 | 403), _) => "denied",
            (Some(409 | 412), _) => "conflict",
            (Some(_) | None, _) => "error",
        };
        let metrics = &telemetry.metrics;
        metrics
            .aws_requests
            .with_label_values(&[self.service, self.operation, result])
            .inc();
        metrics
            .aws_request_seconds
            .with_label_values(&[self.service, self.operation])
            .observe(self.duration.as_secs_f64());
        debug!(
            service = self.service,
            operation = self.operation,
            status = self.status,
            result,
            duration_ms = millis(self.duration),
            "AWS answered"
        );
    }
}

/// A call had to wait for its share of the rate limit, or found it free.
#[derive(Debug)]
pub struct LimiterWait<'a> {
    /// The service.
    pub service: &'a str,
    /// What it was made for, as a word.
    pub priority: &'a str,
    /// How long it waited.
    pub duration: Duration,
}

impl LimiterWait<'_> {
    /// Counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry.heard.fetch_add(1, Ordering::Relaxed);
        telemetry
            .metrics
            .limiter_wait_seconds
            .with_label_values(&[self.service, self.priority])
            .observe(self.duration.as_secs_f64());
    }
}

/// Functions of a target could not be read, all for the same kind of reason. Told once for all of them: what keeps one
/// function from being read often keeps a thousand.
#[derive(Debug)]
pub struct FunctionsUnreadable<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub function: &'a FunctionName,
    /// What came back for that one, in one line.
    pub error: &'a str,
}

impl FunctionsUnreadable<'_> {
    /// Logs it; what lasts is said once.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self {
            target,
            count,
            function,
            error,
        } = self;
        // Which function is the first, and how many there are, changes from pass to pass while one cause lasts.
        if telemetry.said.is_news(Topic::Functions((*target).clone()), "") {
            warn!(
                %target,
                functions = count,
                %function,
                error,
                "functions could not be read, of which the first is named; nothing is concluded from that"
            );
        } else {
            debug!(%target, functions = count, %function, error, "functions could still not be read");
        }
    }
}

/// A target could not be read at all.
#[derive(Debug)]
pub struct TargetFailed<'a> {
    /// The target, and why.
    pub failure: &'a TargetFailure,
}

impl TargetFailed<'_> {
    /// Logs it; what lasts is said once.
    pub fn emit(&self, telemetry: &Telemetry) {
        let TargetFailure { target, message } = self.failure;
        if telemetry.said.is_news(Topic::Target(target.clone()), "") {
            error!(%target, error = message, "a target could not be read; nothing is done there until it can");
        } else {
            debug!(%target, error = message, "a target could still not be read");
        }
    }
}

/// The functions of a target could be read, but not listed.
#[derive(Debug)]
pub struct ListingFailed<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// What came back, in one line.
    pub error: &'a str,
}

impl ListingFailed<'_> {
    /// Notes that they could be listed.
    pub fn is_over(target: &TargetName, telemetry: &Telemetry) {
        if telemetry.said.is_over(&Topic::Listing(target.clone())) {
            info!(%target, "the functions can be listed again");
        }
    }

    /// Logs it; what lasts is said once.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self { target, error } = self;
        if telemetry.said.is_news(Topic::Listing((*target).clone()), "") {
            warn!(%target, error, "the functions could not be listed, so those that Git does not name are not shown");
        } else {
            debug!(%target, error, "the functions could still not be listed");
        }
    }
}

/// The credentials of a target may not ask where the provisioned concurrency of aliases stands.
#[derive(Debug)]
pub struct AllocationsUntold<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// What came back, in one line.
    pub error: &'a str,
}

impl AllocationsUntold<'_> {
    /// Notes that it may be asked.
    pub fn is_over(target: &TargetName, telemetry: &Telemetry) {
        if telemetry.said.is_over(&Topic::Allocations(target.clone())) {
            info!(%target, "it may be asked again whether Lambda moves provisioned concurrency");
        }
    }

    /// Logs it; what lasts is said once.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self { target, error } = self;
        if telemetry.said.is_news(Topic::Allocations((*target).clone()), "") {
            warn!(
                %target,
                error,
                "it may not be asked whether Lambda moves provisioned concurrency: weights that send every call elsewhere \
                 are left alone, and others are cleared; grant lambda:GetProvisionedConcurrencyConfig"
            );
        } else {
            debug!(%target, error, "it may still not be asked whether Lambda moves provisioned concurrency");
        }
    }
}

/// A step of a plan came to its end.
#[derive(Debug)]
pub struct StepFinished<'a> {
    /// The function.
    pub key: &'a FunctionKey,
    /// The commit that it serves.
    pub revision: Option<&'a CommitId>,
    /// The step and what became of it.
    pub report: &'a StepReport,
    /// How long it took.
    pub duration: Duration,
}

impl StepFinished<'_> {
    /// Logs it. A step that fails in the same way time and again is told once, until it is done.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self { key, report, .. } = self;
        let alias = report.step.alias().map(ToString::to_string);
        let revision = self.revision.map(ToString::to_string);
        let version = report.version.map(crate::domain::Version::get);
        let (step, duration_ms, message) = (report.step.action(), millis(self.duration), report.message.as_deref());
        let (target, function) = (key.target.as_str(), key.name.as_str());
        let topic = || Topic::Step((*key).clone(), step, report.step.alias().cloned());
        match report.result {
            StepResult::Done => {
                telemetry.said.is_over(&topic());
                info!(
                    target,
                    function, alias, revision, step, version, duration_ms, message, "a step is done"
                );
            }
            StepResult::Refused => {
                info!(
                    target,
                    function, alias, revision, step, message, "a step was refused; the next pass looks again"
                );
            }
            StepResult::Failed if !telemetry.said.is_news(topic(), message.unwrap_or_default()) => {
                debug!(
                    target,
                    function,
                    alias,
                    revision,
                    step,
                    duration_ms,
                    error = message,
                    "a step failed again"
                );
            }
            StepResult::Failed => {
                error!(
                    target,
                    function,
                    alias,
                    revision,
                    step,
                    duration_ms,
                    error = message,
                    "a step failed"
                );
            }
            StepResult::Planned | StepResult::Skipped => {
                debug!(target, function, alias, revision, step, message, "a step was left out");
            }
        }
    }
}

/// A part of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassPhase {
    /// Reading Lambda and S3.
    Read,
    /// Comparing and planning.
    Diff,
    /// Taking the steps.
    Apply,
    /// Looking again at what was changed.
    Verify,
}

impl PassPhase {
    pub(super) const ALL: [Self; 4] = [Self::Read, Self::Diff, Self::Apply, Self::Verify];

    /// Returns the word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Diff => "diff",
            Self::Apply => "apply",
            Self::Verify => "verify",
        }
    }
}

/// A part of a pass came to its end.
#[derive(Debug)]
pub struct PhaseFinished {
    /// The part.
    pub phase: PassPhase,
    /// How long it took.
    pub duration: Duration,
}

impl PhaseFinished {
    /// Counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry
            .metrics
            .reconcile_seconds
            .with_label_values(&[self.phase.as_str()])
            .observe(self.duration.as_secs_f64());
    }
}

/// A pass was due, and no commit could be read yet.
#[derive(Debug)]
pub struct PassSkipped;

impl PassSkipped {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry.metrics.reconciles.with_label_values(&["skipped"]).inc();
        warn!("no commit has been read yet, so nothing is compared");
    }
}

/// A newer commit ended the pass of the one before it.
#[derive(Debug)]
pub struct PassSuperseded<'a> {
    /// The commit whose pass was ended.
    pub revision: Option<&'a CommitId>,
    /// Whether any step had been taken.
    pub begun: bool,
}

impl PassSuperseded<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        telemetry.metrics.reconciles.with_label_values(&["skipped"]).inc();
        let revision = self.revision.map(ToString::to_string);
        let begun = self.begun;
        info!(
            revision,
            begun, "a newer commit is in force: the pass of this one was ended, and the next begins at once"
        );
    }
}

/// A pass came to its end.
#[derive(Debug)]
pub struct PassFinished<'a> {
    /// What it came to.
    pub report: &'a Report,
    /// How long it took.
    pub duration: Duration,
}

impl PassFinished<'_> {
    /// Logs and counts it.
    pub fn emit(&self, telemetry: &Telemetry) {
        let Self { report, .. } = self;
        let metrics = &telemetry.metrics;
        let result = match report.verdict() {
            Verdict::InSync => "ok",
            Verdict::Differs => "drift",
            Verdict::Incomplete => "error",
        };
        // Neither looking again at some functions nor half a pass is a verdict on the fleet.
        if !report.narrowed && !report.ended_early {
            metrics.reconciles.with_label_values(&[result]).inc();
        }
        for function in &report.functions {
            count_function(function, telemetry);
        }
        let summary = report.summary();
        let count = |state: State| summary.get(&state).copied().unwrap_or_default();
        let changed = report
            .functions
            .iter()
            .filter(|function| !function.steps.is_empty())
            .count();
        if report.ended_early {
            // Its figures are of neither commit; whoever ended it has told why.
            debug!(changed, duration_ms = millis(self.duration), "a pass was ended early");
            return;
        }
        say_what_is_over(report, telemetry);
        let revision = report.revision.as_ref().map(ToString::to_string);
        let (in_sync, drifted, progressing) = (count(State::InSync), count(State::Drifted), count(State::Progressing));
        let (withheld, suspended) = (count(State::Withheld), count(State::Suspended));
        let (unreadable, failed) = (count(State::Unreadable), count(State::Failed));
        let (functions, faults) = (report.functions.len(), report.faults.len());
        let duration_ms = millis(self.duration);
        // A pass that finds what the one before it found says nothing new.
        let state = format!("{revision:?} {summary:?} {functions} {faults}");
        let news = !report.narrowed && telemetry.said.is_news(Topic::Fleet, &state);
        if news || changed > 0 {
            info!(
                revision,
                functions,
                in_sync,
                drifted,
                progressing,
                withheld,
                suspended,
                unreadable,
                failed,
                changed,
                faults,
                duration_ms,
                "a pass is complete"
            );
        } else {
            debug!(
                revision,
                functions, in_sync, duration_ms, "a pass is complete and found nothing new"
            );
        }
    }
}

/// Says of what could not be read before, and was read in this pass.
fn say_what_is_over(report: &Report, telemetry: &Telemetry) {
    if report.narrowed || report.ended_early {
        return;
    }
    for target in report.accounts.keys() {
        let away = report.failed_targets.iter().any(|failed| failed.target == *target);
        if away {
            continue;
        }
        if telemetry.said.is_over(&Topic::Target(target.clone())) {
            info!(%target, "the target can be read again");
        }
        let mut functions = report
            .functions
            .iter()
            .filter(|function| function.key.target == *target);
        if functions.all(|function| function.state != State::Unreadable)
            && telemetry.said.is_over(&Topic::Functions(target.clone()))
        {
            info!(%target, "all functions of the target can be read again");
        }
    }
}

fn count_function(function: &FunctionReport, telemetry: &Telemetry) {
    let metrics = &telemetry.metrics;
    let reasons: BTreeSet<Reason> = function
        .withheld
        .iter()
        .map(|withheld| withheld.reason)
        // These two are what somebody asked for.
        .filter(|reason| !matches!(reason, Reason::Suspended | Reason::ObserveOnly))
        .collect();
    for reason in &reasons {
        metrics.reconcile_errors.with_label_values(&[reason.as_str()]).inc();
    }
    if function.state == State::Failed && reasons.is_empty() {
        metrics.reconcile_errors.with_label_values(&[FAILED]).inc();
    }
    for alias in std::iter::once(None).chain(function.aliases.iter().map(Some)) {
        let mut results = function
            .steps
            .iter()
            .filter(|report| report.step.alias() == alias)
            .map(|report| report.result);
        // The last word on an alias counts: a step that was refused and then done is a success.
        let result = match results.next_back() {
            Some(StepResult::Done) => Sync::Succeeded,
            Some(StepResult::Failed) => Sync::Failed,
            Some(StepResult::Refused | StepResult::Skipped) => Sync::Aborted,
            Some(StepResult::Planned) | None if is_held(function, alias) => Sync::Held,
            Some(StepResult::Planned) | None => continue,
        };
        telemetry.fleet.count_sync(&function.key, alias, result);
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
