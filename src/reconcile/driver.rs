//! The daemon's loop: woken by commits, schedules and functions about to change, one pass at a time. Looks at no
//! repository itself, and carries nothing between passes that it could not do without.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::contain::contained;
use super::desire::ManifestCache;
use super::engine::Engine;
use super::memory::Memory;
use super::pass::{Freshness, PassPolicy, Scope};
use super::patrol::{Find, Patrol};
use super::status::{Nudge, StatusBoard};
use super::watch::{InForce, Watcher};
use crate::domain::{ChangeLimit, DesiredState, FunctionKey};
use crate::plan::{FunctionReport, Reason, Report, State, StepReport, StepResult};
use crate::ports::{Artifacts, Clock, DesiredSource, LambdaWrite, Priority};
use crate::telemetry::{PassSkipped, PassSuperseded};

/// The next look at a function whose update is in progress or whose guard refused a step. Most updates are
/// complete after some seconds; nobody wants to wait for the next sweep to see it.
const FOLLOW_UP: Duration = Duration::from_secs(5);

/// How long further word is waited for before functions that were heard of are looked at. It came after seconds or minutes
/// anyway, and whoever talks without an end must leave time for the rest.
const HEARD_TOGETHER: Duration = Duration::from_secs(2);

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
    memory: Memory,
}

impl<S, L, A, C> Driver<S, L, A, C>
where
    S: DesiredSource,
    L: LambdaWrite,
    A: Artifacts,
    C: Clock,
{
    /// Builds a driver that has not looked at anything yet. Its passes go by `policy`, but for `held` and
    /// `acknowledged`: those are its own.
    pub fn new(source: S, engine: Engine<L, A, C>, policy: PassPolicy, nudge: Nudge, status: StatusBoard) -> Self {
        Self {
            source,
            engine: engine.with_progress(status.progress().clone()),
            policy,
            nudge,
            status,
            memory: Memory::default(),
        }
    }

    /// Goes on from what another driver knew.
    #[must_use]
    pub fn resume(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Works until `stop`, and returns what another driver can go on from. The steps in hand are finished first.
    ///
    /// The repository is watched while a pass is under way too. Another commit ends the pass of the one before it after
    /// the steps in hand, and its own pass begins at once.
    pub async fn run(mut self, stop: CancellationToken) -> Memory {
        let (sender, mut in_force) = watch::channel(self.memory.in_force.take());
        if in_force.borrow().is_some() {
            in_force.mark_changed();
        }
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
            memory: self.memory,
            cut_idle: false,
            patrol: Patrol::default(),
            waiting: false,
        };
        let ((), memory) = tokio::join!(watcher.run(&stop), passes.run(&stop));
        memory
    }
}

/// Makes a pass whenever it is woken.
struct Passes<'a, L, A, C> {
    engine: &'a Engine<L, A, C>,
    policy: &'a PassPolicy,
    nudge: &'a Nudge,
    status: &'a StatusBoard,
    in_force: watch::Receiver<InForce>,
    memory: Memory,
    /// Whether the last pass was ended by a newer commit before it took any step. The next one is then left to take one
    /// first: commits that come faster than the fleet can be read would otherwise keep anything from being done.
    cut_idle: bool,
    /// The sweep of a large fleet.
    patrol: Patrol,
    /// Whether the last pass over the fleet would have changed too much, and waits to be acknowledged.
    waiting: bool,
}

/// What a pass is made for.
#[derive(Debug, PartialEq, Eq)]
enum Wake {
    /// Another commit is in force.
    Commit,
    /// The schedule asks for a look at the whole fleet.
    Sweep,
    /// A sweep in layers has something to say.
    Found(Find),
    /// The sweep in layers came upon a bug: it begins anew with the next tick.
    Broken,
    /// Something was heard of some functions.
    Heard,
    /// Some functions are about to change by themselves.
    FollowUp,
}

impl<L: LambdaWrite, A: Artifacts, C: Clock> Passes<'_, L, A, C> {
    async fn run(mut self, stop: &CancellationToken) -> Memory {
        self.work(stop).await;
        self.memory.in_force.clone_from(&self.in_force.borrow());
        self.memory
    }

    async fn work(&mut self, stop: &CancellationToken) {
        let (mut unsettled, mut looks, mut follow_up) = (BTreeSet::new(), 0, Duration::ZERO);
        loop {
            let clock = self.engine.clock();
            let desired = self.in_force.borrow().clone();
            let wake = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = self.in_force.changed() => match changed {
                    Ok(()) => Wake::Commit,
                    // Whoever watches the repository has ended: so does this.
                    Err(_) => return,
                },
                () = self.nudge.sweep_wanted() => Wake::Sweep,
                () = heard(self.nudge, clock) => Wake::Heard,
                find = contained(
                    self.engine.telemetry(),
                    None,
                    find(self.engine, &mut self.patrol, desired.as_deref()),
                ) => find.map_or(Wake::Broken, Wake::Found),
                () = clock.sleep(follow_up.saturating_sub(clock.uptime())), if !unsettled.is_empty() => Wake::FollowUp,
            };
            // What others talk of neither puts a follow-up off nor adds to them.
            let was_heard = wake == Wake::Heard && !unsettled.is_empty();
            looks = match wake {
                Wake::FollowUp => looks + 1,
                Wake::Heard => looks,
                Wake::Commit | Wake::Sweep | Wake::Found(_) | Wake::Broken => 0,
            };
            let Some((scope, priority)) = self.scope(wake, &unsettled) else {
                continue;
            };
            let found = priority.of(self.pass(&scope, stop)).await;
            let clock = self.engine.clock();
            if scope.is_whole() && scope.freshness == Freshness::Fresh {
                self.status.swept(clock.now());
            }
            if !was_heard {
                follow_up = clock.uptime() + FOLLOW_UP;
            }
            match &scope.only {
                Some(only) => unsettled.retain(|key| !only.contains(key)),
                None => unsettled.clear(),
            }
            unsettled.extend(found);
            if looks >= FOLLOW_UPS {
                unsettled.clear();
            }
        }
    }

    /// Returns what the next pass looks at, and how urgent that is; `None` where there is none to make.
    fn scope(&mut self, wake: Wake, unsettled: &BTreeSet<FunctionKey>) -> Option<(Scope, Priority)> {
        let desired = self.in_force.borrow().clone();
        let layered = desired.as_ref().is_some_and(|desired| self.engine.is_layered(desired));
        let whole = |freshness| Scope {
            freshness,
            ..Scope::default()
        };
        let some = |only| Scope {
            only: Some(only),
            ..Scope::default()
        };
        Some(match wake {
            Wake::Commit if layered && self.patrol.knows_the_fleet() => {
                (whole(Freshness::Remembered), Priority::Nudged)
            }
            Wake::Commit if !layered => (whole(Freshness::Fresh), Priority::Nudged),
            Wake::Sweep if !layered => (whole(Freshness::Fresh), Priority::Sweep),
            Wake::Commit | Wake::Sweep => {
                self.patrol.begin();
                return None;
            }
            // What nobody has acknowledged yet must not happen bit by bit.
            Wake::Found(Find::Changed(_)) if self.waiting => return None,
            Wake::Found(Find::Changed(keys)) => (some(keys), Priority::Nudged),
            Wake::Found(Find::Complete) => (whole(Freshness::Swept), Priority::Nudged),
            Wake::Found(Find::Over) => {
                self.status.swept(self.engine.clock().now());
                let report = self.status.get().report;
                // A report from before all weights were read says so, and need not say it any longer.
                if report.is_none_or(|report| report.awaiting_weights() == 0) {
                    return None;
                }
                (whole(Freshness::Remembered), Priority::Nudged)
            }
            Wake::Broken => {
                self.patrol = Patrol::default();
                return None;
            }
            Wake::Heard => {
                let keys = take_heard(self.engine, self.nudge, desired.as_deref());
                if keys.is_empty() || self.waiting {
                    return None;
                }
                (some(keys), Priority::Nudged)
            }
            Wake::FollowUp => (some(unsettled.clone()), Priority::Nudged),
        })
    }

    /// Makes a pass. Returns the functions that are worth another look soon.
    async fn pass(&mut self, scope: &Scope, stop: &CancellationToken) -> BTreeSet<FunctionKey> {
        let Some(desired) = self.in_force.borrow_and_update().clone() else {
            PassSkipped.emit(self.engine.telemetry());
            return BTreeSet::new();
        };
        let (revision, clock) = (desired.revision.as_ref(), self.engine.clock());
        let held = self.memory.holds(revision, self.status.get().acknowledgements, clock);
        let policy = PassPolicy {
            acknowledged: self.status.acknowledged(revision),
            change_limit: self.change_limit(scope, &desired),
            held,
            ..self.policy.clone()
        };
        let mut patrol = std::mem::take(&mut self.patrol);
        let (report, beside, superseded) = self.until_superseded(&desired, scope, &policy, &mut patrol, stop).await;
        self.patrol = patrol;
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
        let mut unsettled = BTreeSet::new();
        if let Some(report) = &report
            && scope.is_whole()
        {
            self.waiting = waits_to_be_acknowledged(report);
        }
        // What happened beside it is newer than what the pass began with.
        for (scope, mut report) in report.map(|report| (scope.clone(), report)).into_iter().chain(beside) {
            // What was cut short has not failed.
            let cut_short = superseded || stop.is_cancelled();
            self.memory.note(&mut report, &desired, cut_short, clock);
            if !waits_to_be_acknowledged(&report) {
                let functions = report.functions.iter().filter(|function| is_unsettled(function));
                unsettled.extend(functions.map(|function| function.key.clone()));
            }
            self.show(&scope, report);
        }
        unsettled
    }

    /// Returns how many functions a pass may change. Where some functions are looked at, all of which the fleet could see
    /// changed, they are not held against each other: a dozen aliases that somebody has moved are no reason to wait.
    fn change_limit(&self, scope: &Scope, desired: &DesiredState) -> ChangeLimit {
        let limit = self.policy.change_limit;
        match &scope.only {
            Some(only) if !limit.exceeded(only.len(), desired.functions.len()) => ChangeLimit::Unlimited,
            Some(_) | None => limit,
        }
    }

    /// Shows what a pass came to, in the place of what was shown of the same functions.
    fn show(&self, scope: &Scope, report: Report) {
        let now = self.engine.clock().now();
        let report = Arc::new(match (self.status.get().report, &scope.only) {
            (Some(last), Some(_)) => last.with(report),
            (_, _) => report,
        });
        self.engine.telemetry().observe(&report, now);
        self.status.passed(report, now);
    }

    /// Makes a pass that a newer commit ends early. Returns what it came to, what was done beside it, and whether it was
    /// ended so.
    async fn until_superseded(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        patrol: &mut Patrol,
        stop: &CancellationToken,
    ) -> (Option<Report>, Vec<(Scope, Report)>, bool) {
        let end = stop.child_token();
        let (mut newer, mut steps) = (self.in_force.clone(), self.engine.steps());
        let superseded = async {
            // Without a sender there will be no newer commit.
            if newer.changed().await.is_ok() && (!self.cut_idle || steps.changed().await.is_ok()) {
                end.cancel();
            }
            std::future::pending::<()>().await;
        };
        let _alive = self.status.liveness().pass();
        let over = end.child_token();
        let main = async {
            let report = Box::pin(self.engine.apply(desired, scope, policy, &end)).await;
            over.cancel();
            report
        };
        let both = async { tokio::join!(main, self.beside(desired, scope, policy, patrol, &over)) };
        tokio::select! {
            biased;
            // What fails at one function is contained there. The rest is contained here: the next pass looks again.
            both = contained(self.engine.telemetry(), None, both) => {
                let (report, beside) = both.unwrap_or_else(|_| {
                    self.engine.put_all_down();
                    (None, Vec::new())
                });
                (report, beside, end.is_cancelled() && !stop.is_cancelled())
            }
            () = superseded => (None, Vec::new(), false),
        }
    }

    /// Looks after the rest of a large fleet while a pass is under way, until it is over: a wave takes many minutes.
    async fn beside(
        &self,
        desired: &DesiredState,
        scope: &Scope,
        policy: &PassPolicy,
        patrol: &mut Patrol,
        over: &CancellationToken,
    ) -> Vec<(Scope, Report)> {
        let mut reports = Vec::new();
        if !scope.is_whole() || !self.engine.is_layered(desired) {
            return reports;
        }
        // A pass that has nothing to do is over in a moment, and looks that are cut off would have to be made again.
        let mut steps = self.engine.steps();
        tokio::select! {
            biased;
            () = over.cancelled() => return reports,
            _ = steps.changed() => {}
        }
        loop {
            let found = tokio::select! {
                biased;
                () = over.cancelled() => return reports,
                () = self.nudge.sweep_wanted() => {
                    patrol.begin();
                    continue;
                }
                () = heard(self.nudge, self.engine.clock()) => {
                    Find::Changed(take_heard(self.engine, self.nudge, Some(desired)))
                }
                found = find(self.engine, patrol, Some(desired)) => found,
            };
            let keys = match found {
                Find::Changed(keys) if !self.waiting => keys,
                Find::Changed(_) | Find::Complete => continue,
                Find::Over => {
                    self.status.swept(self.engine.clock().now());
                    continue;
                }
            };
            let scope = Scope {
                only: Some(keys.into_iter().filter(|key| !self.engine.is_in_hand(key)).collect()),
                ..Scope::default()
            };
            let policy = PassPolicy {
                change_limit: self.change_limit(&scope, desired),
                ..policy.clone()
            };
            let pass = Priority::Nudged.of(Box::pin(self.engine.apply(desired, &scope, &policy, over)));
            reports.extend(pass.await.map(|report| (scope, report)));
        }
    }
}

/// Waits until something was heard of functions, and what else is heard soon after that.
async fn heard(nudge: &Nudge, clock: &impl Clock) {
    nudge.functions_heard().await;
    clock.sleep(HEARD_TOGETHER).await;
}

/// Returns the functions in Git of which something was heard. How they were is no longer how they are.
fn take_heard<L, A, C: Clock>(
    engine: &Engine<L, A, C>,
    nudge: &Nudge,
    desired: Option<&DesiredState>,
) -> BTreeSet<FunctionKey> {
    let mut keys = nudge.take_heard();
    keys.retain(|key| desired.is_some_and(|desired| desired.functions.contains_key(key)));
    for key in &keys {
        engine.observer.heard_of(key);
    }
    keys
}

/// Goes on with the sweep of a large fleet; waits for ever where there is none under way.
async fn find<L: LambdaWrite, A, C: Clock>(
    engine: &Engine<L, A, C>,
    patrol: &mut Patrol,
    desired: Option<&DesiredState>,
) -> Find {
    match desired {
        // Boxed, as futures inside futures grow large: so are the two below.
        Some(desired) if patrol.is_active() => Box::pin(patrol.next(engine, desired)).await,
        Some(_) | None => std::future::pending().await,
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
