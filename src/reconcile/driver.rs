//! The daemon's loop: woken by commits, schedules and functions about to change, one pass at a time. Looks at no
//! repository itself, and carries nothing between passes that it could not do without.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoffs;
use super::desire::ManifestCache;
use super::pass::{Engine, PassPolicy, Scope};
use super::status::{Nudge, StatusBoard};
use super::watch::{InForce, Watcher};
use crate::domain::{DesiredState, FunctionKey};
use crate::plan::{FunctionReport, Reason, Report, State, StepReport, StepResult};
use crate::ports::{Artifacts, Clock, DesiredSource, LambdaWrite};
use crate::telemetry::{PassSkipped, PassSuperseded};

/// The next look at a function whose update is in progress or whose guard refused a step. Most updates are
/// complete after some seconds; nobody wants to wait for the next sweep to see it.
const FOLLOW_UP: Duration = Duration::from_secs(5);

/// Further looks between two sweeps at the most. An update that is still in progress by then waits for the next one, so
/// that one which never ends does not keep the rate limits busy. (A guard that is refused again gets a pause anyway.)
const FOLLOW_UPS: u32 = 6;

/// The daemon: a watcher of the repository and a maker of passes, side by side.
pub struct Driver<S, L, A, C> {
    source: S,
    engine: Engine<L, A, C>,
    policy: PassPolicy,
    nudge: Nudge,
    status: StatusBoard,
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
        }
    }

    /// Works until `stop`. The steps in hand are finished first.
    ///
    /// The repository is watched while a pass is under way too. Another commit ends the pass of the one before it after
    /// the steps in hand, and its own pass begins at once.
    pub async fn run(self, stop: CancellationToken) {
        let (sender, in_force) = watch::channel(None);
        let watcher = Watcher {
            source: &self.source,
            targets: self.engine.targets(),
            clock: self.engine.clock(),
            telemetry: self.engine.telemetry(),
            nudge: &self.nudge,
            status: &self.status,
            cache: ManifestCache::default(),
            in_force: sender,
        };
        let passes = Passes {
            engine: &self.engine,
            policy: &self.policy,
            nudge: &self.nudge,
            status: &self.status,
            in_force,
            backoffs: Backoffs::default(),
            cut_idle: false,
        };
        tokio::join!(watcher.run(&stop), passes.run(&stop));
    }
}

/// Makes a pass whenever it is woken.
struct Passes<'a, L, A, C> {
    engine: &'a Engine<L, A, C>,
    policy: &'a PassPolicy,
    nudge: &'a Nudge,
    status: &'a StatusBoard,
    in_force: watch::Receiver<InForce>,
    backoffs: Backoffs,
    /// Whether the last pass was ended by a newer commit before it took any step. The next one is then left to take one
    /// first: commits that come faster than the fleet can be read would otherwise keep anything from being done.
    cut_idle: bool,
}

/// What a pass is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// Another commit is in force.
    Commit,
    /// The schedule asks for a look at the whole fleet.
    Sweep,
    /// Some functions are about to change by themselves.
    FollowUp,
}

impl<L: LambdaWrite, A: Artifacts, C: Clock> Passes<'_, L, A, C> {
    async fn run(mut self, stop: &CancellationToken) {
        let (mut unsettled, mut looks) = (BTreeSet::new(), 0);
        loop {
            let wake = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.in_force.changed() => match changed {
                    Ok(()) => Wake::Commit,
                    // Whoever watches the repository has ended: so does this.
                    Err(_) => return,
                },
                () = self.nudge.sweep_wanted() => Wake::Sweep,
                () = self.engine.clock().sleep(FOLLOW_UP), if !unsettled.is_empty() => Wake::FollowUp,
            };
            let scope = match wake {
                Wake::Commit | Wake::Sweep => {
                    looks = 0;
                    Scope::default()
                }
                Wake::FollowUp => {
                    looks += 1;
                    Scope {
                        only: Some(unsettled),
                        ..Scope::default()
                    }
                }
            };
            unsettled = self.pass(&scope, stop).await;
            if looks >= FOLLOW_UPS {
                unsettled.clear();
            }
        }
    }

    /// Makes a pass. Returns the functions that are worth another look soon.
    async fn pass(&mut self, scope: &Scope, stop: &CancellationToken) -> BTreeSet<FunctionKey> {
        let Some(desired) = self.in_force.borrow_and_update().clone() else {
            PassSkipped.emit(self.engine.telemetry());
            return BTreeSet::new();
        };
        let policy = PassPolicy {
            held: self
                .backoffs
                .holds(desired.revision.as_ref(), self.engine.clock().now()),
            ..self.policy.clone()
        };
        let (report, superseded) = self.until_superseded(&desired, scope, &policy, stop).await;
        if superseded {
            let functions = report.iter().flat_map(|report| &report.functions);
            let begun = functions
                .flat_map(|function| &function.steps)
                .any(StepReport::was_taken);
            self.cut_idle = !begun;
            PassSuperseded {
                revision: desired.revision.as_ref(),
                begun,
            }
            .emit(self.engine.telemetry());
        } else {
            self.cut_idle = false;
        }
        let Some(report) = report else { return BTreeSet::new() };
        let now = self.engine.clock().now();
        // What was cut short has not failed.
        if !superseded {
            self.backoffs.note(&report, now);
            self.backoffs.retain(|key| desired.functions.contains_key(key));
        }
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

    /// Makes a pass that a newer commit ends early. Returns what it came to, and whether it was ended so.
    async fn until_superseded(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        stop: &CancellationToken,
    ) -> (Option<Report>, bool) {
        let end = stop.child_token();
        let (mut newer, mut steps) = (self.in_force.clone(), self.engine.steps());
        let superseded = async {
            // Without a sender there will be no newer commit.
            if newer.changed().await.is_ok() && (!self.cut_idle || steps.changed().await.is_ok()) {
                end.cancel();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            report = self.engine.apply(desired, scope, policy, &end) => {
                (report, end.is_cancelled() && !stop.is_cancelled())
            }
            () = superseded => (None, false),
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
