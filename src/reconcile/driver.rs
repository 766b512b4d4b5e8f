//! The daemon's loop: woken by nudges, one pass at a time, the last good commit in force. Carries nothing between passes
//! that it could not do without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::desire::{ManifestCache, load};
use super::pass::{Engine, PassPolicy, Scope};
use super::status::{Nudge, StatusBoard, Wake};
use crate::domain::{CommitId, DesiredState, FunctionKey, Timestamp, elapsed};
use crate::plan::{FunctionReport, Hold, Reason, Report, State, StepResult};
use crate::ports::{Artifacts, Clock, DesiredSource, LambdaWrite, PortError, PortErrorKind};
use crate::telemetry::{GitOperation, GitRequest, PassSkipped};

/// The next look at a function whose update is in progress or whose guard refused a step. Most updates are
/// complete after some seconds; nobody wants to wait for the next sweep to see it.
const FOLLOW_UP: Duration = Duration::from_secs(5);

/// Further looks between two sweeps at the most. An update that is still in progress by then waits for the next one, so
/// that one which never ends does not keep the rate limits busy. (A guard that is refused again gets a pause anyway.)
const FOLLOW_UPS: u32 = 6;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause: somebody who mends the cause should not wait for half an hour.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Makes a pass whenever it is woken.
pub struct Driver<S, L, A, C> {
    source: S,
    engine: Engine<L, A, C>,
    policy: PassPolicy,
    nudge: Nudge,
    status: StatusBoard,
    cache: ManifestCache,
    desired: Option<DesiredState>,
    backoffs: BTreeMap<FunctionKey, Backoff>,
}

/// A function whose steps failed.
#[derive(Debug, Clone)]
struct Backoff {
    failures: u32,
    until: Timestamp,
    reason: Reason,
    why: String,
    /// The commit that it failed under: another one is tried at once.
    revision: Option<CommitId>,
}

impl<S, L, A, C> Driver<S, L, A, C>
where
    S: DesiredSource,
    L: LambdaWrite,
    A: Artifacts,
    C: Clock,
{
    /// Builds a driver that has not looked at anything yet. Its passes go by `policy`, but for `held`: that is its own.
    pub fn new(source: S, engine: Engine<L, A, C>, policy: PassPolicy, nudge: Nudge, status: StatusBoard) -> Self {
        Self {
            source,
            engine,
            policy,
            nudge,
            status,
            cache: ManifestCache::default(),
            desired: None,
            backoffs: BTreeMap::new(),
        }
    }

    /// Works until `stop`. The steps in hand are finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        self.nudge.source();
        self.nudge.sweep();
        let (mut unsettled, mut looks) = (BTreeSet::new(), 0);
        loop {
            let wake = tokio::select! {
                () = stop.cancelled() => return,
                wake = self.nudge.taken() => wake,
                () = self.engine.clock().sleep(FOLLOW_UP), if !unsettled.is_empty() => Wake::default(),
            };
            let changed = wake.source
                && tokio::select! {
                    () = stop.cancelled() => return,
                    changed = self.look_at_source() => changed,
                };
            let scope = if changed || wake.sweep {
                looks = 0;
                Scope::default()
            } else if unsettled.is_empty() {
                continue;
            } else {
                looks += 1;
                Scope {
                    only: Some(unsettled),
                    ..Scope::default()
                }
            };
            unsettled = self.pass(&scope, &stop).await;
            if looks >= FOLLOW_UPS {
                unsettled.clear();
            }
        }
    }

    /// Looks at the repository. Returns whether another commit is in force since.
    async fn look_at_source(&mut self) -> bool {
        let result = self.try_source().await;
        let error = result.as_ref().err().map(ToString::to_string);
        self.status.source_error(error);
        match result {
            Ok(Some(desired)) => {
                self.desired = Some(desired);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    async fn try_source(&mut self) -> Result<Option<DesiredState>, PortError> {
        let head = self.timed(GitOperation::List, self.source.head()).await?;
        if self.desired.as_ref().is_some_and(|desired| desired.revision == head) {
            return Ok(None);
        }
        let targets = self.engine.targets();
        let mut cache = std::mem::take(&mut self.cache);
        let result = self
            .timed(GitOperation::Fetch, load(&self.source, head, &targets, &mut cache))
            .await;
        self.cache = cache;
        result.map(Some)
    }

    async fn timed<T>(
        &self,
        operation: GitOperation,
        work: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let before = self.engine.clock().now();
        let result = work.await;
        let now = self.engine.clock().now();
        let error = result.as_ref().err();
        GitRequest {
            operation,
            error: error.map(ToString::to_string).as_deref(),
            result: error.map_or("ok", |error| class(error.kind)),
            duration: elapsed(before, now),
            now,
        }
        .emit(self.engine.telemetry());
        result
    }

    /// Makes a pass. Returns the functions that are worth another look soon.
    async fn pass(&mut self, scope: &Scope, stop: &CancellationToken) -> BTreeSet<FunctionKey> {
        let Some(desired) = self.desired.take() else {
            PassSkipped.emit(self.engine.telemetry());
            return BTreeSet::new();
        };
        let policy = PassPolicy {
            held: self.holds(desired.revision.as_ref()),
            ..self.policy.clone()
        };
        let report = self.engine.apply(&desired, scope, &policy, stop).await;
        self.desired = Some(desired);
        let Some(report) = report else { return BTreeSet::new() };
        let now = self.engine.clock().now();
        self.note_failures(&report, now);
        let unsettled = if waits_to_be_acknowledged(&report) {
            BTreeSet::new()
        } else {
            let unsettled = report.functions.iter().filter(|function| is_unsettled(function));
            unsettled.map(|function| function.key.clone()).collect()
        };
        let report = Arc::new(match (self.status.get().report, &scope.only) {
            (Some(last), Some(_)) => last.with(report),
            (_, _) => report,
        });
        self.engine.telemetry().observe(&report, now);
        self.status.passed(report, now);
        unsettled
    }

    /// Returns the functions that are to be left alone for now.
    fn holds(&self, revision: Option<&CommitId>) -> BTreeMap<FunctionKey, Hold> {
        let now = self.engine.clock().now();
        self.backoffs
            .iter()
            .filter(|(_, backoff)| backoff.revision.as_ref() == revision && now < backoff.until)
            .map(|(key, backoff)| {
                let until = backoff.until.format("%H:%M:%S");
                let message = format!(
                    "{}; the next try is at {until} UTC, or with the next commit",
                    backoff.why
                );
                (
                    key.clone(),
                    Hold {
                        reason: backoff.reason,
                        message,
                    },
                )
            })
            .collect()
    }

    fn note_failures(&mut self, report: &Report, now: Timestamp) {
        for function in &report.functions {
            match failure(function) {
                Some((first, reason, why)) => {
                    let before = self
                        .backoffs
                        .get(&function.key)
                        .filter(|before| before.revision == report.revision);
                    let failures = before.map_or(0, |before| before.failures) + 1;
                    let pause = first.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_PAUSE);
                    let backoff = Backoff {
                        failures,
                        until: now + pause,
                        reason,
                        why,
                        revision: report.revision.clone(),
                    };
                    self.backoffs.insert(function.key.clone(), backoff);
                }
                None if function.is_clean() => drop(self.backoffs.remove(&function.key)),
                None => {}
            }
        }
        if let Some(desired) = &self.desired {
            self.backoffs.retain(|key, _| desired.functions.contains_key(key));
        }
    }
}

/// Returns whether a function is about to change without anybody doing anything.
fn is_unsettled(function: &FunctionReport) -> bool {
    let refused = || function.steps.iter().any(|step| step.result == StepResult::Refused);
    function.state == State::Progressing || (function.state == State::Drifted && refused())
}

/// Returns whether the pass would have changed too much. A look at a few of its functions would be a pass of its own,
/// small enough to be allowed, and so what nobody has acknowledged yet would happen bit by bit.
fn waits_to_be_acknowledged(report: &Report) -> bool {
    report
        .functions
        .iter()
        .flat_map(|function| &function.withheld)
        .any(|withheld| withheld.reason == Reason::TooManyChanges)
}

/// Returns why a function could not be brought to what Git says in this pass, and the first pause before the next try.
///
/// A guard that was refused in every round is worth one more look soon. One that goes on being refused is somebody
/// else's hold on the function, or a call that Lambda will never take: that is tried ever more seldom, as a failure is.
fn failure(function: &FunctionReport) -> Option<(Duration, Reason, String)> {
    let (result, first) = match function.state {
        State::Failed => (StepResult::Failed, FIRST_PAUSE),
        State::Drifted => (StepResult::Refused, FOLLOW_UP),
        State::InSync | State::Progressing | State::Withheld | State::Suspended | State::Unreadable => return None,
    };
    let step = function.steps.iter().rfind(|step| step.result == result)?;
    let why = step
        .message
        .clone()
        .unwrap_or_else(|| format!("{} was not done", step.step.action()));
    // What else is withheld of the function has nothing to do with the step.
    let reason = function.withheld.iter().find(|withheld| withheld.message == why);
    Some((
        first,
        reason.map_or(Reason::StepFailed, |withheld| withheld.reason),
        why,
    ))
}

/// Returns the word of a failure's class in metrics.
fn class(kind: PortErrorKind) -> &'static str {
    match kind {
        PortErrorKind::AccessDenied | PortErrorKind::Credentials => "auth",
        PortErrorKind::Unreachable => "network",
        PortErrorKind::Unknown => "timeout",
        PortErrorKind::TooLarge => "too_large",
        PortErrorKind::NotFound => "not_found",
        PortErrorKind::Conflict | PortErrorKind::Precondition => "refused",
        PortErrorKind::Throttled
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Malformed => "protocol",
    }
}
