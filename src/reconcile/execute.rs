//! Takes the steps of one function's plan, in order, and looks after each. Chooses nothing and never tries twice.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::backoff::doubled;
use super::execution::{Execution, Outcome};
use super::observe::Observer;
use crate::domain::{
    AliasName, ArtifactVersion, CodeSettings, CodeSha256, FunctionKey, FunctionVersion, Publication, RevisionId,
    UpdateStatus, VerifiedObject, Version, VersionState,
};
use crate::plan::{LatestGuard, Reach, Reason, Step, StepReport, StepResult, Subject, VersionRef, Withheld};
use crate::ports::{Clock, LambdaWrite, PortError, PortErrorKind, Qualifier};

/// The pause between looks at an update. Most are complete after some seconds.
const PAUSE: Duration = Duration::from_secs(1);

/// The pauses after the first looks, which are for the quick ones.
const FIRST_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(500)];

/// The longest pause between looks that nobody answers. Each unanswered look doubles the pause, so that a wait adds next
/// to nothing to a storm; the bound keeps a wait from sleeping long past the end of one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a step waits for Lambda at the most: what AWS's own waiter for updates allows.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Takes the steps of one function.
pub(super) struct Executor<'a, W, C> {
    pub(super) lambda: &'a W,
    pub(super) clock: &'a C,
    pub(super) observer: &'a Observer,
    pub(super) key: &'a FunctionKey,
    /// Bounds the writes of all functions together.
    pub(super) writes: &'a Semaphore,
    pub(super) stop: &'a CancellationToken,
}

/// What one look at something unfinished came to.
enum Look<T> {
    /// There is nothing more to wait for.
    Over(T),
    /// Lambda is still at it.
    Unfinished,
    /// Lambda did not say, for this reason, which may pass.
    Unanswered(String),
}

/// What waiting for a version came to.
enum Readiness {
    /// It can serve, or that could not be learnt.
    Known(Outcome),
    /// It is in this state, out of which it does not come by itself. The second is Lambda's own word.
    Never(VersionState, String),
}

impl From<Outcome> for Readiness {
    fn from(outcome: Outcome) -> Self {
        Self::Known(outcome)
    }
}

impl<W: LambdaWrite, C: Clock> Executor<'_, W, C> {
    /// Takes the steps in order. Where one is not done, those that need it are left out, and no others: what is
    /// wrong with one alias keeps neither another from being served nor `$LATEST` from being put back.
    /// `finished` hears of each with its duration.
    pub(super) async fn run(&self, steps: Vec<Step>, mut finished: impl FnMut(&StepReport, Duration)) -> Execution {
        let mut execution = Execution::default();
        let mut published = None;
        let mut halted = None;
        // The version whose code this plan last gave to `$LATEST`.
        let mut holds = None;
        for step in steps {
            let mut report = StepReport::planned(step);
            if report.step.begins_anew() {
                (halted, published) = (None, None);
            }
            if self.stop.is_cancelled() {
                halted = Some(ended_early(&report.step, holds.as_ref()));
            }
            if let Some(why) = &halted {
                report.result = StepResult::Skipped;
                report.message = Some(why.clone());
                finished(&report, Duration::ZERO);
                execution.reports.push(report);
                continue;
            }
            let before = self.clock.uptime();
            let outcome = self.take(&report.step, &mut published).await;
            let duration = self.clock.uptime().saturating_sub(before);
            let (result, message) = match outcome {
                Outcome::Done { version, message } => {
                    report.version = version;
                    (StepResult::Done, message)
                }
                Outcome::Refused(message) => {
                    execution.again = true;
                    (StepResult::Refused, Some(message))
                }
                Outcome::Ended => {
                    execution.again = true;
                    (StepResult::Refused, Some(ended_early(&report.step, holds.as_ref())))
                }
                Outcome::Failed { message, reason, again } => {
                    execution.again |= again;
                    let subject = report
                        .step
                        .alias()
                        .map_or(Subject::Latest, |alias| Subject::Alias(alias.clone()));
                    let withheld = reason.map(|reason| Withheld::new(subject, reason, message.clone()));
                    execution.withheld.extend(withheld);
                    (StepResult::Failed, Some(message))
                }
            };
            if let Step::UpdateCode { version, .. } = &report.step
                && result != StepResult::Refused
            {
                holds = Some(version.clone());
            }
            if report.version.is_none() && report.step.awaits_publication() {
                report.version = published;
            }
            if result != StepResult::Done && report.step.reach() == Reach::UntilNextUpdate {
                halted = Some(format!("{} before it was not done", report.step.action()));
            }
            (report.result, report.message) = (result, message);
            finished(&report, duration);
            execution.reports.push(report);
        }
        execution
    }

    async fn take(&self, step: &Step, published: &mut Option<Version>) -> Outcome {
        match step {
            Step::UpdateCode {
                code, settings, expect, ..
            } => self.update_code(code, settings, expect).await,
            Step::AwaitUpdated { expect } => self.await_updated(*expect).await,
            Step::PublishVersion { expect, publication } => {
                let outcome = self.publish(*expect, publication).await;
                if let Outcome::Done { version, .. } = &outcome {
                    *published = *version;
                }
                outcome
            }
            Step::CreateAlias { alias, to } => match self.target(*to, *published).await {
                Ok(version) => {
                    let call = self.lambda.create_alias(&self.key.name, alias, version);
                    match self.write(call).await {
                        Some(result) => self.look_at_alias(alias, None, version, result).await,
                        None => Outcome::Ended,
                    }
                }
                Err(outcome) => outcome,
            },
            Step::MoveAlias {
                alias,
                from,
                to,
                expect,
            } => match self.target(*to, *published).await {
                Ok(version) => {
                    let call = self.lambda.move_alias(&self.key.name, alias, version, expect);
                    match self.write(call).await {
                        Some(result) => self.look_at_alias(alias, Some(*from), version, result).await,
                        None => Outcome::Ended,
                    }
                }
                Err(outcome) => outcome,
            },
        }
    }

    /// Makes a call that writes, when it is its turn; `None` where the pass is to end before that.
    async fn write<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let turn = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            turn = self.writes.acquire() => turn,
        };
        let result = call.await;
        drop(turn);
        Some(result)
    }

    async fn update_code(&self, code: &VerifiedObject, settings: &CodeSettings, expect: &LatestGuard) -> Outcome {
        let guard = match self.guard(expect).await {
            Ok(guard) => guard,
            Err(outcome) => return outcome,
        };
        let call = self.lambda.update_code(&self.key.name, code, settings, &guard);
        let Some(result) = self.write(call).await else {
            return Outcome::Ended;
        };
        match result {
            Ok(Some(sha256)) if sha256 == code.sha256 => Outcome::done(None),
            Ok(sha256) => {
                let found = sha256.map_or("no hash".to_owned(), |sha256| sha256.to_string());
                Outcome::Failed {
                    message: format!(
                        "{} was {} when it was looked up, but Lambda took {found}: nothing is published from it",
                        code.location, code.sha256
                    ),
                    reason: Some(Reason::ArtifactChanged),
                    again: false,
                }
            }
            // The call may have been carried out: the hash and a new RevisionId say so.
            Err(error) if error.kind == PortErrorKind::Unknown => match self.lambda.function(&self.key.name).await {
                Ok(Some(seen)) if seen.latest.sha256 == Some(code.sha256) && seen.latest.revision != guard => {
                    Outcome::Done {
                        version: None,
                        message: Some(format!("{error}; the new code is there")),
                    }
                }
                Ok(_) | Err(_) => Outcome::of(&error),
            },
            Err(error) => Outcome::of(&error),
        }
    }

    /// Returns the RevisionId to guard a code update with.
    async fn guard(&self, expect: &LatestGuard) -> Result<RevisionId, Outcome> {
        let (own, observed) = match expect {
            LatestGuard::Revision(revision) => return Ok(revision.clone()),
            LatestGuard::Own { sha256, observed } => (sha256, observed),
        };
        let latest = match self.lambda.function(&self.key.name).await {
            Ok(Some(seen)) => seen.latest,
            Ok(None) => return Err(Outcome::Refused("the function is gone".to_owned())),
            Err(error) => return Err(Outcome::of(&error)),
        };
        let ours = latest.sha256 == Some(*own) || latest.revision == *observed;
        match latest.update {
            // Where our own update failed, `$LATEST` shows its hash, and the next update goes over it.
            UpdateStatus::Successful | UpdateStatus::Failed { .. } if ours => Ok(latest.revision),
            UpdateStatus::Successful | UpdateStatus::Failed { .. } => Err(Outcome::Refused(format!(
                "somebody changed $LATEST: it no longer holds {own}"
            ))),
            UpdateStatus::InProgress => Err(Outcome::Refused("an update of $LATEST is in progress".to_owned())),
        }
    }

    async fn publish(&self, expect: CodeSha256, publication: &Publication) -> Outcome {
        let call = self.lambda.publish(&self.key.name, expect, publication);
        let Some(result) = self.write(call).await else {
            return Outcome::Ended;
        };
        match result {
            Ok((version, sha256)) if sha256 == expect => match self.await_active(version, expect).await {
                Readiness::Known(outcome) => outcome,
                // It is known now, and the next plan uploads the same code again before it publishes.
                Readiness::Never(VersionState::Inactive, state) => Outcome::Refused(format!(
                    "version {version} is {state}, and Lambda answers with it until the code is updated"
                )),
                // Looking again at once would only bring the same version: this is no moved world.
                Readiness::Never(VersionState::Active | VersionState::Failed, state) => Outcome::failed(format!(
                    "version {version} is {state} and cannot serve, and Lambda answers with it until the code or the \
                     configuration is updated: correct what keeps it from starting"
                )),
            },
            Ok((version, sha256)) => Outcome::failed(format!(
                "Lambda published {sha256} as version {version} where {expect} was meant"
            )),
            // A hash guard that no longer holds is answered with 400, as is a call that can never succeed. A look tells
            // which: only if `$LATEST` holds something else was it the guard.
            Err(error) if error.kind == PortErrorKind::Invalid => match self.lambda.function(&self.key.name).await {
                Ok(Some(seen)) if seen.latest.sha256 != Some(expect) => Outcome::Refused(error.to_string()),
                Ok(_) | Err(_) => Outcome::of(&error),
            },
            Err(error) => Outcome::of(&error),
        }
    }

    async fn await_updated(&self, expect: CodeSha256) -> Outcome {
        self.wait("the update", async || {
            let latest = match self.lambda.function(&self.key.name).await {
                Ok(Some(seen)) => seen.latest,
                Ok(None) => return Look::Over(Outcome::Refused("the function is gone".to_owned())),
                Err(error) => return unanswered(&error),
            };
            Look::Over(match latest.update {
                UpdateStatus::InProgress => return Look::Unfinished,
                UpdateStatus::Failed { reason } => Outcome::Failed {
                    message: format!("the update failed, and the code before it goes on serving: {reason}"),
                    reason: Some(Reason::LastUpdateFailed),
                    again: false,
                },
                UpdateStatus::Successful if latest.sha256 == Some(expect) => Outcome::done(None),
                UpdateStatus::Successful => {
                    Outcome::Refused(format!("somebody changed $LATEST: it no longer holds {expect}"))
                }
            })
        })
        .await
    }

    /// Waits until a version can serve, and checks that it is the one that was meant.
    async fn await_active(&self, version: Version, expect: CodeSha256) -> Readiness {
        self.wait("the version", async || {
            let seen = match self.lambda.version(&self.key.name, &Qualifier::Version(version)).await {
                Ok(seen) => seen,
                Err(error) => return unanswered(&error),
            };
            if seen.sha256 != Some(expect) {
                let message = format!("version {version} does not hold {expect}");
                return Look::Over(Outcome::failed(message).into());
            }
            Look::Over(match seen.state.as_deref() {
                Some("Active") | None => Outcome::done(Some(version)).into(),
                Some("Pending") => return Look::Unfinished,
                Some(told) => {
                    let state = VersionState::of(Some(told));
                    self.observer.mark(self.key, version, state);
                    Readiness::Never(state, told.to_owned())
                }
            })
        })
        .await
    }

    /// Looks again and again until there is an outcome, for as long as Lambda may reasonably take.
    async fn wait<T: From<Outcome>>(&self, what: &str, mut look: impl AsyncFnMut() -> Look<T>) -> T {
        let before = self.clock.uptime();
        let mut first = FIRST_PAUSES.into_iter();
        let mut unanswered = 0;
        loop {
            let why = match look().await {
                Look::Over(outcome) => return outcome,
                Look::Unfinished => None,
                Look::Unanswered(error) => Some(error),
            };
            unanswered = why.as_ref().map_or(0, |_| unanswered + 1);
            let pause = first.next().unwrap_or(PAUSE);
            let pause = doubled(pause, unanswered, LONGEST_PAUSE);
            // The looks themselves may be slow, so it is the clock that counts.
            let waited = self.clock.uptime().saturating_sub(before);
            if waited >= LONGEST_WAIT {
                let seconds = waited.as_secs();
                return Outcome::Refused(match why {
                    Some(why) => format!("whether {what} is complete could not be learnt in {seconds} s: {why}"),
                    None => format!("{what} is not complete after {seconds} s"),
                })
                .into();
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = self.stop.cancelled() => {
                    return Outcome::Refused(format!("the pass was ended early; {what} goes on by itself")).into();
                }
            }
        }
    }

    /// Returns the version that an alias is to be pointed at, once it can serve.
    async fn target(&self, to: VersionRef, published: Option<Version>) -> Result<Version, Outcome> {
        match to {
            VersionRef::Known { version, sha256 } => match self.await_active(version, sha256).await {
                Readiness::Known(Outcome::Done { .. }) => Ok(version),
                Readiness::Known(outcome @ (Outcome::Refused(_) | Outcome::Ended | Outcome::Failed { .. })) => {
                    Err(outcome)
                }
                // The next plan does without it.
                Readiness::Never(_, state) => Err(Outcome::Refused(format!(
                    "version {version} is {state} and cannot serve"
                ))),
            },
            VersionRef::FromPublish => {
                published.ok_or_else(|| Outcome::failed("no version was published before this step".to_owned()))
            }
        }
    }

    /// Looks whether the alias points where it was pointed. `from` is where it pointed before, if it was there.
    async fn look_at_alias(
        &self,
        alias: &AliasName,
        from: Option<FunctionVersion>,
        version: Version,
        result: Result<(), PortError>,
    ) -> Outcome {
        match result {
            Ok(()) => {}
            Err(error) if error.kind == PortErrorKind::Unknown => {
                return self.find_alias(alias, from, version, &error).await;
            }
            Err(error) => return Outcome::of(&error),
        }
        let seen = self
            .lambda
            .version(&self.key.name, &Qualifier::Alias(alias.clone()))
            .await;
        match seen {
            Ok(seen) if seen.version != FunctionVersion::Number(version) => {
                Outcome::Refused(format!("somebody moved {alias} on to version {}", seen.version))
            }
            // Lambda confirmed the move itself; where the second look failed, that takes nothing from it.
            Ok(_) | Err(_) => Outcome::done(Some(version)),
        }
    }

    /// Finds out whether a call whose reply was lost took effect. Of an alias that had the right version before the call
    /// and only loses its weights, the weights tell, which GetFunction does not show. Of one that was moved the version
    /// tells, and the weights may be Lambda's own while its provisioned concurrency follows.
    async fn find_alias(
        &self,
        alias: &AliasName,
        from: Option<FunctionVersion>,
        version: Version,
        lost: &PortError,
    ) -> Outcome {
        let to = FunctionVersion::Number(version);
        let is_there = self.lambda.aliases(&self.key.name).await.is_ok_and(|aliases| {
            let mut named = aliases.iter().filter(|(name, _)| name == alias);
            named.any(|(_, seen)| seen.version == to && (from != Some(to) || seen.routing.is_empty()))
        });
        if is_there {
            Outcome::Done {
                version: Some(version),
                message: Some(format!("{lost}; the alias is there")),
            }
        } else {
            Outcome::of(lost)
        }
    }
}

/// Says what it means that a step was not taken because the pass is to end. `holds` is the version whose code this plan
/// last gave to `$LATEST`.
fn ended_early(step: &Step, holds: Option<&ArtifactVersion>) -> String {
    match (step, holds) {
        // Callers of the function without an alias get it for as long as no pass comes.
        (Step::UpdateCode { .. }, Some(version)) => {
            format!("the pass was ended early; until the next one $LATEST holds the code of {version}")
        }
        (_, _) => "the pass was ended early; the next one goes on from here".to_owned(),
    }
}

/// Sorts a failed look: what may pass is waited out, anything else ends the wait. Credentials that have expired are
/// followed by others.
fn unanswered<T: From<Outcome>>(error: &PortError) -> Look<T> {
    match error.kind {
        PortErrorKind::Throttled | PortErrorKind::Unreachable | PortErrorKind::Unknown | PortErrorKind::Credentials => {
            Look::Unanswered(error.to_string())
        }
        PortErrorKind::NotFound
        | PortErrorKind::Conflict
        | PortErrorKind::Precondition
        | PortErrorKind::AccessDenied
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::TooLarge
        | PortErrorKind::Unverified
        | PortErrorKind::Malformed => Look::Over(Outcome::of(error).into()),
    }
}
