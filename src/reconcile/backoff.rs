//! When a function that failed is tried again: pauses that grow, and end at once with another commit. Tries nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{CommitId, FunctionKey};
use crate::plan::{FunctionReport, Hold, Reason, Report, State, StepResult};
use crate::ports::Clock;

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The first pause after a refusal in every round: what is worth one more look soon.
const FIRST_PAUSE_REFUSED: Duration = Duration::from_secs(5);

/// The longest pause: somebody who mends the cause should not wait for half an hour.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The functions whose steps failed, and when each is due again.
#[derive(Debug, Default)]
pub(super) struct Backoffs(BTreeMap<FunctionKey, Backoff>);

/// A function whose steps failed.
#[derive(Debug, Clone)]
struct Backoff {
    failures: u32,
    /// The uptime at which it is due.
    until: Duration,
    reason: Reason,
    why: String,
    /// The commit that it failed under: another one is tried at once.
    revision: Option<CommitId>,
}

impl Backoffs {
    /// Returns the functions that are to be left alone for now. Pauses go by the uptime, so that no clock that is set
    /// ends or lengthens one; the time of day is for people.
    pub(super) fn holds<C: Clock>(&self, revision: Option<&CommitId>, clock: &C) -> BTreeMap<FunctionKey, Hold> {
        let uptime = clock.uptime();
        self.0
            .iter()
            .filter(|(_, backoff)| backoff.revision.as_ref() == revision && uptime < backoff.until)
            .map(|(key, backoff)| {
                let until = clock.now() + backoff.until.saturating_sub(uptime);
                let message = format!(
                    "{}; the next try is at {} UTC, or with the next commit",
                    backoff.why,
                    until.format("%H:%M:%S")
                );
                (
                    key.clone(),
                    Hold {
                        reason: backoff.reason,
                        message,
                        until,
                    },
                )
            })
            .collect()
    }

    /// Notes what a pass came to.
    pub(super) fn note(&mut self, report: &Report, uptime: Duration) {
        for function in &report.functions {
            match failure(function) {
                Some((first, reason, why)) => {
                    let before = self
                        .0
                        .get(&function.key)
                        .filter(|before| before.revision == report.revision);
                    let failures = before.map_or(0, |before| before.failures) + 1;
                    let pause = doubled(first, failures - 1, LONGEST_PAUSE);
                    let backoff = Backoff {
                        failures,
                        until: uptime + pause,
                        reason,
                        why,
                        revision: report.revision.clone(),
                    };
                    self.0.insert(function.key.clone(), backoff);
                }
                None if function.is_clean() => drop(self.0.remove(&function.key)),
                None => {}
            }
        }
    }

    /// Drops what is remembered of functions that Git no longer names.
    pub(super) fn retain(&mut self, named: impl Fn(&FunctionKey) -> bool) {
        self.0.retain(|key, _| named(key));
    }
}

/// Returns a pause that was doubled so many times, up to the longest one.
pub(super) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

/// Returns why a function could not be brought to what Git says in this pass, and the first pause before the next try.
///
/// A guard that was refused in every round is worth one more look soon. One that goes on being refused is somebody
/// else's hold on the function, or a call that Lambda will never take: that is tried ever more seldom, as a failure is.
fn failure(function: &FunctionReport) -> Option<(Duration, Reason, String)> {
    let (result, first) = match function.state {
        State::Failed => (StepResult::Failed, FIRST_PAUSE),
        State::Drifted => (StepResult::Refused, FIRST_PAUSE_REFUSED),
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
