//! Takes the steps of many functions side by side: what is urgent first, and no more in hand than can be ended soon. What a
//! step is, `execute` knows.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::contain::contained;
use super::engine::Engine;
use super::execute::Executor;
use super::execution::Execution;
use super::progress::PassProgress;
use crate::domain::{CommitId, DeployWindows, FunctionKey, ObservedState};
use crate::plan::{Observations, Step, StepReport, StepResult};
use crate::ports::{Artifacts, Clock, LambdaWrite, PortError, Priority};
use crate::telemetry::{StepFinished, Work, function_span};

/// Functions in hand at a time. An update takes 5 to 6 seconds and sometimes 25, in which nothing can be done but wait, and
/// 15 writes a second, AWS's whole quota, are five functions a second.
pub(super) const FUNCTIONS_AT_ONCE: usize = 96;

/// Writes that wait for their turn or are under way. A write takes up to 0.7 s, so that 15 a second keep ten busy; what
/// waits beyond that could only not be called back when Pinfold is to stop.
pub(super) const WRITES_AT_ONCE: usize = 16;

/// What is to be done, and what it was planned from.
pub(super) struct Wave<'a> {
    /// The steps of each function.
    pub(super) todo: BTreeMap<FunctionKey, Vec<Step>>,
    /// The commit that asks for them.
    pub(super) revision: Option<&'a CommitId>,
    /// What they were planned from.
    pub(super) observations: &'a Observations,
    /// When functions may be changed: what is not begun when that ends is left.
    pub(super) windows: &'a DeployWindows,
    /// The functions that were planned from memory, and are to be looked at before anything is written.
    pub(super) remembered: &'a BTreeSet<FunctionKey>,
}

/// Some steps of one function.
struct Job<'a> {
    key: FunctionKey,
    steps: Vec<Step>,
    /// What it was planned from, where that has to be looked at first.
    planned: Option<&'a ObservedState>,
    /// Tells the job with the rest of the steps whether this one could begin.
    begun: Option<oneshot::Sender<bool>>,
    /// Where this is the rest: whether the job before it could begin.
    after: Option<oneshot::Receiver<bool>>,
}

impl<L: LambdaWrite, A: Artifacts, C: Clock> Engine<L, A, C> {
    /// Takes the steps of every function, several at a time.
    ///
    /// Where an alias only has to be moved to a version that is there, as after a revert, that comes before the uploads of
    /// all functions.
    pub(super) async fn execute(
        &self,
        wave: Wave<'_>,
        progress: &PassProgress<'_, C>,
        stop: &CancellationToken,
    ) -> BTreeMap<FunctionKey, Execution> {
        let writes = Semaphore::new(WRITES_AT_ONCE);
        let (revision, windows) = (wave.revision, wave.windows);
        futures::stream::iter(jobs(wave))
            .map(|job| {
                let writes = &writes;
                Box::pin(async move {
                    let (key, steps, is_last) = (job.key.clone(), job.steps.clone(), job.begun.is_none());
                    // Whose window has closed since it was planned is not begun, and no step of it is told as refused.
                    let shut = job.after.is_none() && windows.is_closed(&key, self.clock.now());
                    let execution = if shut {
                        refused(job.steps, "its deploy window closed before this was begun", |_, _| {})
                    } else {
                        self.job(job, revision, progress, writes, stop).await
                    };
                    progress.end(&key, &steps, &execution.reports, is_last);
                    (key, execution)
                })
            })
            .buffer_unordered(FUNCTIONS_AT_ONCE)
            .fold(
                BTreeMap::new(),
                |mut all: BTreeMap<_, Execution>, (key, execution)| async move {
                    all.entry(key).or_default().append(execution);
                    all
                },
            )
            .await
    }

    async fn job(
        &self,
        job: Job<'_>,
        revision: Option<&CommitId>,
        progress: &PassProgress<'_, C>,
        writes: &Semaphore,
        stop: &CancellationToken,
    ) -> Execution {
        let Job {
            key,
            steps,
            planned,
            begun,
            after,
        } = job;
        let Some(ports) = self.targets.get(&key.target) else {
            return Execution::default();
        };
        let (in_order, mut taken) = (steps.clone(), Vec::new());
        let finished = |report: &StepReport, duration| {
            StepFinished {
                key: &key,
                revision,
                report,
                duration,
            }
            .emit(self.telemetry());
            progress.step(&key, report);
            self.steps.send_if_modified(|steps| {
                *steps += u64::from(report.was_taken());
                report.was_taken()
            });
            taken.push(report.clone());
        };
        let allowed = match after {
            // Without a word from it, it never got that far.
            Some(before) => before.await.unwrap_or(false),
            None => true,
        };
        progress.begin(&key);
        let may_begin = match planned {
            Some(ObservedState::Found(planned)) if !stop.is_cancelled() => {
                let aliases: Vec<_> = steps.iter().filter_map(Step::alias).collect();
                let look = self.observer.still_is(&key, planned, &aliases, &ports.lambda);
                match contained(&self.telemetry, Some(&key), Priority::BeforeWrite.of(look)).await {
                    Ok(may_begin) => may_begin,
                    Err(message) => return Execution::panicked(in_order, Vec::new(), message),
                }
            }
            Some(_) | None => Ok(allowed),
        };
        if let Some(why) = refusal(may_begin) {
            return refused(steps, &why, finished);
        }
        let executor = Executor {
            lambda: &ports.lambda,
            clock: &self.clock,
            observer: &self.observer,
            key: &key,
            writes,
            stop,
        };
        let run = executor
            .run(steps, finished)
            .instrument(function_span(&key, Work::Execute));
        let run = Priority::Write.of(Box::pin(run));
        match contained(&self.telemetry, Some(&key), run).await {
            Ok(execution) => {
                // An error means that nothing is left to be done after this.
                begun.map(|begun| begun.send(true).ok());
                execution
            }
            Err(message) => Execution::panicked(in_order, taken, message),
        }
    }
}

fn refusal(may_begin: Result<bool, PortError>) -> Option<String> {
    match may_begin {
        Ok(true) => None,
        Ok(false) => Some("the function is not as it was when this was planned".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Returns the reports of steps that were not begun, because the world has moved on since they were planned.
fn refused(steps: Vec<Step>, why: &str, mut finished: impl FnMut(&StepReport, std::time::Duration)) -> Execution {
    let reports = steps.into_iter().map(|step| {
        let report = StepReport {
            result: StepResult::Refused,
            message: Some(why.to_owned()),
            ..StepReport::planned(step)
        };
        finished(&report, std::time::Duration::ZERO);
        report
    });
    Execution {
        reports: reports.collect(),
        again: true,
        withheld: Vec::new(),
    }
}

/// Puts the work in order: moves of aliases to versions that are there, then everything else.
fn jobs(wave: Wave<'_>) -> Vec<Job<'_>> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for (key, mut steps) in wave.todo {
        let planned = wave.observations.get(&key).filter(|_| wave.remembered.contains(&key));
        let later = steps.split_off(steps.iter().take_while(|step| is_quick(step)).count());
        let (begun, after) = oneshot::channel();
        let (begun, after) = match (steps.is_empty(), later.is_empty()) {
            (false, false) => (Some(begun), Some(after)),
            (_, _) => (None, None),
        };
        let is_split = after.is_some();
        if !steps.is_empty() {
            first.push(Job {
                key: key.clone(),
                steps,
                planned,
                begun,
                after: None,
            });
        }
        if !later.is_empty() {
            rest.push(Job {
                key,
                steps: later,
                planned: planned.filter(|_| !is_split),
                begun: None,
                after,
            });
        }
    }
    first.extend(rest);
    first
}

/// Returns whether some steps of a function come before the uploads of all.
pub(super) fn goes_first(steps: &[Step]) -> bool {
    steps.first().is_some_and(is_quick)
}

/// Returns whether a step makes an alias run a version that is there already: one write, and nothing to wait for.
fn is_quick(step: &Step) -> bool {
    step.alias().is_some() && !step.awaits_publication()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CodeSettings, CodeSha256, S3Location, VerifiedObject, Version};
    use crate::plan::{LatestGuard, VersionRef};

    fn upload() -> Step {
        Step::UpdateCode {
            version: "1.0.0".parse().unwrap(),
            code: VerifiedObject {
                location: S3Location {
                    bucket: "artifacts".to_owned(),
                    key: "api/1.0.0.zip".to_owned(),
                    object_version: None,
                },
                sha256: CodeSha256::from_bytes([1; 32]),
            },
            settings: CodeSettings::default(),
            expect: LatestGuard::Revision("r".parse().unwrap()),
        }
    }

    fn move_to(to: VersionRef) -> Step {
        Step::CreateAlias {
            alias: "live".parse().unwrap(),
            to,
        }
    }

    fn known() -> VersionRef {
        VersionRef::Known {
            version: Version::new(7).unwrap(),
            sha256: CodeSha256::from_bytes([1; 32]),
        }
    }

    fn key(name: &str) -> FunctionKey {
        FunctionKey {
            target: "prod".parse().unwrap(),
            name: name.parse().unwrap(),
        }
    }

    #[test]
    fn every_revert_comes_before_any_upload() {
        let todo = [
            (key("bump"), vec![upload(), move_to(VersionRef::FromPublish)]),
            (key("revert"), vec![move_to(known()), upload()]),
            (key("weights"), vec![move_to(known())]),
        ];
        let windows = DeployWindows::default();
        let wave = Wave {
            windows: &windows,
            todo: todo.into(),
            revision: None,
            observations: &Observations::new(),
            remembered: &BTreeSet::new(),
        };
        let order: Vec<(String, usize, bool)> = jobs(wave)
            .into_iter()
            .map(|job| (job.key.name.to_string(), job.steps.len(), job.after.is_some()))
            .collect();
        let job = |name: &str, steps, is_rest| (name.to_owned(), steps, is_rest);
        assert_eq!(
            order,
            [
                job("revert", 1, false),
                job("weights", 1, false),
                job("bump", 2, false),
                job("revert", 1, true),
            ]
        );
    }
}
