//! Notices that somebody else keeps undoing what Git says, and lets go for a while: two that correct each other for ever
//! serve neither, and every correction is a cold start. Knows only what passes saw; decides nothing about one pass.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backoff::doubled;
use crate::domain::{CommitId, FunctionKey, Timestamp, rfc3339};
use crate::plan::{FunctionReport, Hold, LatestGuard, Reason, Report, State, Step, StepResult};
use crate::ports::Clock;
use crate::telemetry::FunctionContended;

/// Reversals after which a function is left alone. One is a slip and two are a hand that tries again; three are somebody
/// with another opinion.
const REVERSALS: usize = 3;

/// For how long a reversal counts: long enough for a job that runs every hour, short enough that yesterday's incident is
/// forgotten.
const MEMORY: Duration = Duration::from_hours(6);

/// The first pause; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_mins(15);

/// The longest pause: what Git says is tried some times a day, in case the other has given up.
const LONGEST_PAUSE: Duration = Duration::from_hours(4);

/// The functions that somebody else has changed under the commit in force.
#[derive(Debug, Default)]
pub(super) struct Contentions(BTreeMap<FunctionKey, Contention>);

/// One function.
#[derive(Debug, Default)]
struct Contention {
    /// The commit that this is about: with another one everything begins anew.
    revision: Option<CommitId>,
    /// Whether it was last seen as Git says.
    settled: bool,
    reversals: Vec<Reversal>,
    pauses: u32,
    /// The uptime until which it is left alone.
    until: Option<Duration>,
}

/// What Git says had been so, was undone by somebody else, and was corrected.
#[derive(Debug, Clone)]
struct Reversal {
    /// The time of day is for people; what counts is the uptime, so that no clock that is set ends or lengthens a pause.
    at: Timestamp,
    uptime: Duration,
    /// What was found, with the RevisionId that AWS gave to it.
    found: String,
}

impl Contentions {
    /// Returns the functions that are to be left alone for now.
    pub(super) fn holds<C: Clock>(&self, revision: Option<&CommitId>, clock: &C) -> BTreeMap<FunctionKey, Hold> {
        let uptime = clock.uptime();
        let held = |contention: &Contention| {
            let until = contention.until.filter(|until| uptime < *until)?;
            let until = clock.now() + until.saturating_sub(uptime);
            (contention.revision.as_ref() == revision).then(|| Hold {
                reason: Reason::Contended,
                message: contention.told(until),
                until,
            })
        };
        let holds = self.0.iter();
        holds.filter_map(|(key, one)| Some((key.clone(), held(one)?))).collect()
    }

    /// Notes what a pass came to.
    pub(super) fn note<C: Clock>(&mut self, report: &Report, clock: &C) {
        for function in &report.functions {
            let contention = self.0.entry(function.key.clone()).or_default();
            if contention.revision != report.revision {
                *contention = Contention {
                    revision: report.revision.clone(),
                    ..Contention::default()
                };
            }
            contention.note(function, clock);
        }
    }

    /// Lets every function be corrected at once: somebody said that the commit is meant.
    pub(super) fn release(&mut self) {
        self.0.clear();
    }

    /// Drops what is remembered of functions that Git no longer names.
    pub(super) fn retain(&mut self, named: impl Fn(&FunctionKey) -> bool) {
        self.0.retain(|key, _| named(key));
    }
}

impl Contention {
    fn note<C: Clock>(&mut self, function: &FunctionReport, clock: &C) {
        let (now, uptime) = (clock.now(), clock.uptime());
        self.reversals.retain(|reversal| uptime < reversal.uptime + MEMORY);
        if self.reversals.is_empty() {
            self.pauses = 0;
        }
        let found = found(function);
        if self.settled && !found.is_empty() {
            self.reversals.push(Reversal {
                at: now,
                uptime,
                found: found.join(", "),
            });
            if self.reversals.len() >= REVERSALS {
                let pause = doubled(FIRST_PAUSE, self.pauses, LONGEST_PAUSE);
                self.pauses += 1;
                self.until = Some(uptime + pause);
                FunctionContended {
                    key: &function.key,
                    revision: self.revision.as_ref(),
                    message: &self.told(now + pause),
                }
                .emit();
            }
        }
        match function.state {
            State::InSync => self.settled = true,
            // It was corrected, and not to the end: the next correction is not a reversal of anybody's.
            State::Drifted | State::Progressing | State::Withheld | State::Failed if !found.is_empty() => {
                self.settled = false;
            }
            State::Drifted
            | State::Progressing
            | State::Withheld
            | State::Suspended
            | State::Unreadable
            | State::Failed => {}
        }
    }

    fn told(&self, until: Timestamp) -> String {
        let times: Vec<String> = self
            .reversals
            .iter()
            .rev()
            .take(REVERSALS)
            .rev()
            .map(|reversal| format!("at {} {}", reversal.at.format("%H:%M:%S"), reversal.found))
            .collect();
        format!(
            "somebody else undid what Git says {} times ({} UTC): it is left alone until {}, or until a new commit or an \
             acknowledgement; see in CloudTrail who it is",
            self.reversals.len(),
            times.join("; "),
            rfc3339(&until)
        )
    }
}

/// Returns what a pass found and corrected, as far as a step that took effect tells.
fn found(function: &FunctionReport) -> Vec<String> {
    let done = function.steps.iter().filter(|report| report.result == StepResult::Done);
    done.filter_map(|report| match &report.step {
        Step::MoveAlias {
            alias, from, expect, ..
        } => Some(format!("{alias} was at {from} (RevisionId {expect})")),
        Step::CreateAlias { alias, .. } => Some(format!("{alias} was gone")),
        Step::UpdateCode {
            expect: LatestGuard::Revision(expect),
            ..
        } => Some(format!("$LATEST was changed (RevisionId {expect})")),
        // What Pinfold's own steps left in `$LATEST` on their way is nobody else's.
        Step::UpdateCode { .. } | Step::AwaitUpdated { .. } | Step::PublishVersion { .. } => None,
    })
    .collect()
}
