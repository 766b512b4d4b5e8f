//! A daemon at work beside a script that changes the world, nudges it and looks at what it reports.

use std::time::Duration;

use pinfold::domain::CommitId;
use pinfold::plan::State;
use pinfold::ports::{Artifacts, Clock, DesiredSource, LambdaWrite};
use pinfold::reconcile::{Driver, Engine, Memory, Nudge, PassPolicy, Status, StatusBoard};
use pinfold::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::wiring::{HandClock, engine, engine_with, git_source};
use crate::world::{Setup, World, until};

/// A daemon at work on a world, and the hands on its controls.
pub(crate) struct Daemon {
    pub(crate) nudge: Nudge,
    pub(crate) status: StatusBoard,
    pub(crate) telemetry: Telemetry,
    passes: tokio::sync::watch::Receiver<Status>,
}

impl Daemon {
    /// Waits for the next pass and returns what it came to.
    pub(crate) async fn next_pass(&mut self) -> Status {
        let before = self.status.get().last_pass;
        loop {
            let status = self.passes.borrow_and_update().clone();
            if status.last_pass.is_some() && status.last_pass != before {
                return status;
            }
            self.passes.changed().await.unwrap();
        }
    }

    /// Waits until the status shows something. Only a scenario that has failed already waits for ever.
    pub(crate) async fn until(&mut self, shows: impl Fn(&Status) -> bool) -> Status {
        self.passes.wait_for(|status| shows(status)).await.unwrap().clone()
    }

    pub(crate) async fn sweep(&mut self, world: &World) -> Status {
        // The clock stands still by itself, and a pass is told by its time.
        world.clock.advance(Duration::from_secs(1));
        self.nudge.sweep();
        self.next_pass().await
    }

    /// Waits until a daemon of a large fleet has looked at everything once, and has said so.
    pub(crate) async fn first_sweep(&self) {
        let is_told = |status: Status| {
            let report = status.report.filter(|report| report.awaiting_weights() == 0);
            status.last_sweep.is_some() && report.is_some()
        };
        until(|| is_told(self.status.get())).await;
    }

    pub(crate) async fn look_at_source(&mut self, world: &World) -> Status {
        world.clock.advance(Duration::from_secs(1));
        self.nudge.source();
        self.next_pass().await
    }

    pub(crate) fn metric(&self, line: &str) -> Option<String> {
        let text = self.telemetry.render().unwrap();
        text.lines()
            .find(|one| one.starts_with(line))
            .map(|one| one[line.len()..].trim().to_owned())
    }
}

/// Runs a daemon beside a script, until the script ends.
pub(crate) async fn beside(world: &mut World, script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let source = git_source(world.origin.as_ref().unwrap());
    beside_source(world, source, script).await;
}

/// Runs a daemon that goes on from what another one knew, until the script ends. Returns what the next one can go on from.
pub(crate) async fn beside_resumed(
    world: &mut World,
    memory: Memory,
    script: impl AsyncFnOnce(&mut World, &mut Daemon),
) -> Memory {
    let source = git_source(world.origin.as_ref().unwrap());
    let engine = engine(&world.url, &["*".to_owned()], &world.clock).await;
    Box::pin(beside_engine(world, source, engine, memory, script)).await
}

/// Runs a daemon on a source of its own beside a script, until the script ends.
pub(crate) async fn beside_source(
    world: &mut World,
    source: impl DesiredSource,
    script: impl AsyncFnOnce(&mut World, &mut Daemon),
) {
    let engine = engine(&world.url, &["*".to_owned()], &world.clock).await;
    Box::pin(beside_engine(world, source, engine, Memory::default(), script)).await;
}

/// Runs a daemon that sweeps in layers, as it does with a large fleet.
pub(crate) async fn beside_layered(world: &mut World, script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let source = git_source(world.origin.as_ref().unwrap());
    let engine = engine(&world.url, &["*".to_owned()], &world.clock).await;
    Box::pin(beside_engine(
        world,
        source,
        engine.with_small_fleet(0),
        Memory::default(),
        script,
    ))
    .await;
}

/// Runs a daemon whose waits last until the script has turned the clock.
pub(crate) async fn beside_by_hand(world: &mut World, script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    beside_by_hand_and_keep(world, script).await;
}

/// The same, and returns what another daemon can go on from.
pub(crate) async fn beside_by_hand_and_keep(
    world: &mut World,
    script: impl AsyncFnOnce(&mut World, &mut Daemon),
) -> Memory {
    let source = git_source(world.origin.as_ref().unwrap());
    let clock = HandClock(world.clock.clone());
    let engine = engine_with(&world.url, &["*".to_owned()], clock).await;
    Box::pin(beside_engine(world, source, engine, Memory::default(), script)).await
}

async fn beside_engine<L: LambdaWrite, A: Artifacts, C: Clock>(
    world: &mut World,
    source: impl DesiredSource,
    engine: Engine<L, A, C>,
    memory: Memory,
    script: impl AsyncFnOnce(&mut World, &mut Daemon),
) -> Memory {
    let (nudge, status, stop) = (Nudge::default(), StatusBoard::default(), CancellationToken::new());
    let mut daemon = Daemon {
        nudge: nudge.clone(),
        status: status.clone(),
        telemetry: engine.telemetry().clone(),
        passes: status.watch(),
    };
    let driver = Driver::new(source, engine, PassPolicy::default(), nudge, status);
    let run = Box::pin(driver.resume(memory).run(stop.clone()));
    let script = async {
        daemon.next_pass().await;
        world.mark();
        script(world, &mut daemon).await;
        stop.cancel();
    };
    tokio::join!(run, script).0
}

pub(crate) async fn with_git(functions: &'static [&'static str]) -> World {
    World::with(Setup {
        functions,
        git: true,
        ..Setup::default()
    })
    .await
}

pub(crate) fn state(status: &Status, function: &str) -> State {
    let report = status.report.as_ref().unwrap();
    report
        .functions
        .iter()
        .find(|one| one.key.name.as_str() == function)
        .unwrap()
        .state
}

pub(crate) fn reason(status: &Status) -> Option<&'static str> {
    let report = status.report.as_ref().unwrap();
    report.functions[0]
        .withheld
        .first()
        .map(|withheld| withheld.reason.as_str())
}

pub(crate) fn revision(status: &Status) -> Option<CommitId> {
    status.report.as_ref().unwrap().revision.clone()
}
